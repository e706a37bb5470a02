"""Problems and their cases as a data set of TensorFlow Datasets: array_record files, no TensorFlow.

>>> builder = CodingCases(brain_coder.problems(), num_train=512, num_test=128, data_dir="data")
>>> builder.download_and_prepare()  # once
>>> builder.as_data_source("test")[0]  # problem, statement, base, data, expected, has_hidden
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from esolang.problems import coding
from esolang.problems.coding import Coding, Split


class CodingCases(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """An example is a case of a problem; the problems in order, the cases of each in the order of `coding.cases`.

    Problems with a few inputs only, for which `has_hidden` is false, are in both splits alike.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, problems: Sequence[Coding], *, num_train: int, num_test: int, data_dir: Any, seed: int = 0):
        names = [problem.name for problem in problems]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"problems must be at least one and have different names, got {names}")
        self.problems, self.seed = tuple(problems), seed
        self.nums: dict[Split, int] = {"train": num_train, "test": num_test}
        # Refuses what cannot be had before a folder is made, which is named by all that will be in it.
        rows = [
            [(problem.name, problem.statement, problem.base, data, expected) for problem, data, expected in rows]
            for rows in map(self._rows, self.nums)
        ]
        digest = hashlib.sha256(repr(rows).encode())
        config = tfds.core.BuilderConfig(name=f"problems-{digest.hexdigest()[:12]}", description=", ".join(names))
        super().__init__(config=config, data_dir=data_dir, file_format="array_record")  # the default needs TensorFlow

    def _info(self) -> tfds.core.DatasetInfo:
        numbers, text = tfds.features.Tensor(shape=(None,), dtype=np.uint8), tfds.features.Text()
        features = {"problem": text, "statement": text, "base": tfds.features.Scalar(dtype=np.int32)}
        features |= {"data": numbers, "expected": numbers, "has_hidden": tfds.features.Scalar(dtype=np.bool_)}
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any):
        del dl_manager
        return {split: self._generate_examples(split) for split in self.nums}

    def _generate_examples(self, split: Split):
        for i, (problem, data, expected) in enumerate(self._rows(split)):
            yield (
                i,
                {
                    "problem": problem.name,
                    "statement": problem.statement,
                    "base": problem.base,
                    "data": np.frombuffer(data, np.uint8),
                    "expected": np.frombuffer(expected, np.uint8),
                    "has_hidden": problem.has_hidden,
                },
            )

    def _rows(self, split: Split) -> Iterator[tuple[Coding, bytes, bytes]]:
        for problem in self.problems:
            for case in coding.cases(problem, split, self.nums[split], self.seed):
                yield problem, case.data, case.expected
