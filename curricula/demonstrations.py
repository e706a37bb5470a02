"""Questions and answers, or every step to the answer, to learn from without a reward: data of supervised pretraining.

>>> from curricula import demonstrations
>>> from curricula.tasks import arithmetic
>>> shown_how = demonstrations.Settings(arithmetic.addition(), variant="trace")
>>> builder = demonstrations.Demonstrations(shown_how, num_train=100, num_test=50, data_dir="data")
>>> builder.download_and_prepare()  # once; array_record files, no TensorFlow
>>> batch = demonstrations.read(builder.as_data_source("train"))

An example is a script as the reward arm plays it: at step t a network sees the token `shown[t]` and what was said
before, `asked[t - 1]`, and learns to say `asked[t]`. Where `asked` is PAD the prompt is being read, and there is
nothing to learn. So both arms have one network, one vocabulary, and one stream of instances; `curricula.split` keeps
those for testing apart in both.

- Variants: `answer` asks for the answer alone, `trace` for the steps first, where `curricula.traces` knows some.
- Noise: of the examples to train on a share of the tokens asked for, those of the steps too, is replaced, each
  independently, by another legal token, all others equally likely; `is_noise` marks them, so that a loss may leave them
  out. What follows is what would have followed the right token. Examples to test on are always right.
- Regimes: `fixed` for a set that is gone through many times, as the 100 items of Han et al. (2025): its examples are
  all different. `fresh` for as many as training takes: independent draws, which may repeat.

`examples` is a pure function, the same for the same arguments; the builder only writes its rows to files. Example i of
a data source is row i. Other processes read the files with `tfds.builder_from_directory(builder.data_dir)`, without the
task; `metadata.json` beside them names the tokens.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import absl.logging
import jax
import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds

from curricula import split as splits
from curricula import traces, vocabulary
from curricula.split import Split
from curricula.stream import Script, Stream
from curricula.vocabulary import NUM_TOKENS, Token

Variant = Literal["answer", "trace"]
Regime = Literal["fresh", "fixed"]
_CHUNK = 512  # instances drawn at once
_MAX_CHUNKS = 64  # drawn at most, for each that would do if none were in vain


class Example(NamedTuple):
    """A demonstration. Many are arrays `[N, …]`, as long as the longest and PAD from `length` on."""

    level: np.ndarray  # int32 []
    shown: np.ndarray  # int8 [T]: tokens
    asked: np.ndarray  # int8 [T]: tokens to learn; PAD where there is none
    length: np.ndarray  # int32 []: steps
    is_noise: np.ndarray  # bool [T]: where another token stands in place of the right one


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is demonstrated, and how.

    Attributes:
      levels: different ones of the task; by default all levels to train on.
      noise: share of the tokens asked for that are replaced in examples to train on, from 0 to 1.
    """

    task: Stream
    levels: tuple[int, ...] = ()
    variant: Variant = "answer"
    noise: float = 0.0
    regime: Regime = "fresh"

    def __post_init__(self):
        if not isinstance(self.task, Stream):
            raise ValueError(f"only stream tasks are demonstrated, got {self.task!r}")
        for value, allowed, name in ((self.variant, Variant, "variant"), (self.regime, Regime, "regime")):
            if value not in get_args(allowed):
                raise ValueError(f"{name} must be {' or '.join(get_args(allowed))}, got {value!r}")
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise must be from 0 to 1, got {self.noise}")
        levels = tuple(self.levels) or tuple(range(self.task.levels.num_train))
        levels = tuple(int(self.task.levels.check(level)) for level in levels)
        if len(set(levels)) < len(levels):
            raise ValueError(f"levels must be different, got {levels}")
        object.__setattr__(self, "levels", levels)
        if len(self.legal) < 2 and self.noise:
            raise ValueError(f"{self.task.name} has one legal token only, so there is no noise")

    @property
    def legal(self) -> tuple[int, ...]:
        """Tokens that may be asked for, ascending. Raises ValueError for the trace of a task that has none."""
        return tuple(sorted(map(int, traces.says(self.task) if self.variant == "trace" else self.task.answers)))


def examples(settings: Settings, key: jax.Array, num: int, split: Split = "train", room: int | None = None) -> Example:
    """`num` examples of each level, the levels in order.

    Of more examples of a level the first ones are the same.

    Args:
      room: steps of the arrays; default: of the longest example.

    Returns: arrays `[levels · num, …]`. Raises ValueError where a level has too few instances.
    """
    return stack(each(settings, key, num, split), room)


def each(settings: Settings, key: jax.Array, num: int, split: Split = "train") -> Iterator[Example]:
    """The rows of `examples` one by one, without padding."""
    if not isinstance(num, int) or num < 1:
        raise ValueError(f"num must be a whole number of at least 1, got {num!r}")
    if split not in get_args(Split):
        raise ValueError(f"split must be train or test, got {split!r}")
    return itertools.chain.from_iterable(_of_level(settings, key, level, num, split) for level in settings.levels)


def read(source: Sequence[Mapping[str, Any]], room: int | None = None) -> Example:
    """All examples of a data source, as `examples` gives them."""
    return stack((Example(**source[i]) for i in range(len(source))), room)


def on_disk(settings: Settings, num: int, data_dir: Any, seed: int = 0) -> Example:
    """`num` examples of each level to train on, from files that are written, without a word, when first needed."""
    tfds.disable_progress_bar()
    absl.logging.set_verbosity(absl.logging.ERROR)
    builder = Demonstrations(settings, num_train=num, num_test=0, data_dir=data_dir, seed=seed)
    builder.download_and_prepare()
    return read(builder.as_data_source("train"))  # pyright: ignore[reportCallIssue]


def stack(rows: Iterable[Example], room: int | None = None) -> Example:
    """Examples of any lengths as arrays `[N, room]`, by default with room for the longest."""
    rows = list(rows)
    longest = max(len(row.shown) for row in rows)
    room = longest if room is None else room
    if longest > room:
        raise ValueError(f"room for {room} steps is too small: the longest example has {longest}")

    def pad(column: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.stack([np.pad(tokens, (0, room - len(tokens)), constant_values=int(Token.PAD)) for tokens in column])

    level, shown, asked, length, is_noise = zip(*rows, strict=True)
    return Example(np.array(level, np.int32), pad(shown), pad(asked), np.array(length, np.int32), pad(is_noise))


def as_seen(example: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Examples as a network meets them, time first.

    Returns: what it sees, int32 `[T, N, 2]`, the token shown and what was said before; what it is to say, int32
    `[T, N]`; and 1 where that is to be learnt, 0 in prompts and padding, float32 `[T, N]`.
    """
    shown, asked = example.shown.T.astype(np.int32), example.asked.T.astype(np.int32)
    before = np.pad(asked[:-1], ((1, 0), (0, 0)))
    return np.stack([shown, before], axis=-1), asked, (asked != Token.PAD).astype(np.float32)


def announce(example: Example, token: int) -> Example:
    """The same with this token shown before all others, as `curricula.pool.announce` does."""

    def pad(x: np.ndarray, value: int = 0) -> np.ndarray:
        return np.pad(x, ((0, 0), (1, 0)), constant_values=value)

    tokens = {"shown": pad(example.shown, token), "asked": pad(example.asked), "is_noise": pad(example.is_noise)}
    return example._replace(**tokens, length=example.length + 1)


def join(examples: Sequence[Example]) -> Example:
    """All examples of several tasks, with room for the longest."""
    room = max(example.shown.shape[1] for example in examples)

    def padded(x: np.ndarray) -> np.ndarray:
        return np.pad(x, ((0, 0), (0, room - x.shape[1]))) if x.ndim == 2 else x

    return Example(*(np.concatenate([padded(x) for x in column]) for column in zip(*examples, strict=True)))


class Demonstrations(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """`examples` as a data set of TensorFlow Datasets, with the splits `train` and `test`.

    The files of different settings lie in different folders of `data_dir`. With `num_test=0` there is no test split:
    some tasks have levels with too few instances to keep any apart.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, settings: Settings, *, num_train: int, num_test: int, data_dir: Any, seed: int = 0):
        self.settings, self.seed = settings, seed
        self.nums: dict[Split, int] = {"train": num_train}
        if num_test != 0:
            self.nums["test"] = num_test
        for split, num in self.nums.items():
            each(settings, jax.random.key(seed), num, split)  # refuses bad numbers before a folder is made
        config = tfds.core.BuilderConfig(name=self._config_name(), description=self._describe())
        super().__init__(config=config, data_dir=data_dir, file_format="array_record")  # the default needs TensorFlow

    def _info(self) -> tfds.core.DatasetInfo:
        tokens, flags = (tfds.features.Tensor(shape=(None,), dtype=dtype) for dtype in (np.int8, np.bool_))
        number = tfds.features.Scalar(dtype=np.int32)
        features = {"level": number, "shown": tokens, "asked": tokens, "length": number, "is_noise": flags}
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(tokens=_token_names(), settings=self._describe()),
        )

    def _split_generators(self, dl_manager: Any):
        del dl_manager
        return {split: self._generate_examples(split) for split in self.nums}

    def _generate_examples(self, split: Split):
        rows = each(self.settings, jax.random.key(self.seed), self.nums[split], split)
        return ((i, row._asdict()) for i, row in enumerate(rows))

    def _config_name(self) -> str:
        """Readable, and different where anything is that the files depend on, the numbers of the tokens included."""
        names = self._describe(), self.settings.task.levels, self.settings.legal, _token_names()
        digest = hashlib.sha256(repr(names).encode())
        return f"{self.settings.task.name}-{self.settings.variant}-{digest.hexdigest()[:12]}"

    def _describe(self) -> str:
        settings = {field.name: getattr(self.settings, field.name) for field in dataclasses.fields(self.settings)}
        settings |= {"task": self.settings.task.name, "examples of each level": self.nums, "seed": self.seed}
        return ", ".join(f"{name}: {value}" for name, value in settings.items())


def _token_names() -> list[str]:
    return [vocabulary.name(token) for token in range(NUM_TOKENS)]


def _of_level(settings: Settings, key: jax.Array, level: int, num: int, split: Split) -> Iterator[Example]:
    entropy = np.asarray(jax.random.key_data(key)).ravel().tolist()
    scripts = _scripts(settings, key, level, num, split)
    noise = settings.noise if split == "train" else 0.0
    for i, (shown, asked) in enumerate(scripts):
        if settings.variant == "trace":
            shown, asked = traces.write(settings.task, shown, asked)
        generator = np.random.default_rng([*entropy, level, i])
        asked, is_noise = _spoil(generator, asked, noise, settings.legal)
        yield Example(np.array(level, np.int32), shown, asked, np.array(len(shown), np.int32), is_noise)


def _scripts(
    settings: Settings, key: jax.Array, level: int, num: int, split: Split
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Tokens shown and asked for of instances of a level that belong to a split, without padding, `num` of them."""
    task, seen, found = settings.task, set(), 0
    for chunk in range(_MAX_CHUNKS * -(-num // _CHUNK)):
        scripts, is_test = _draw(task, key, level, chunk)
        belongs = np.asarray(is_test) == (split == "test")
        for shown, asked, length in zip(*(np.asarray(column)[belongs] for column in scripts), strict=True):
            shown, asked = shown[:length], asked[:length]
            if settings.regime == "fixed" and shown.tobytes() in seen:
                continue
            seen.add(shown.tobytes())
            yield shown, asked
            found += 1
            if found == num:
                return
    kind = "different instances" if settings.regime == "fixed" else "instances"
    name = f"{task.name}, {task.levels.name(level)}"
    raise ValueError(f"{name} has too few {kind} to {split} on: {found} were found, {num} asked for")


@functools.partial(jax.jit, static_argnums=0)
def _draw(task: Stream, key: jax.Array, level: int, chunk: int) -> tuple[Script, jax.Array]:
    """A chunk of random scripts, and which are for testing."""
    key = jax.random.fold_in(key, level)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, chunk * _CHUNK + jnp.arange(_CHUNK))
    scripts = jax.vmap(task.sample, (0, None))(keys, level).script
    return scripts, jax.vmap(splits.is_test)(scripts)


def _spoil(
    generator: np.random.Generator, asked: np.ndarray, noise: float, legal: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Replaces a share of the tokens asked for by others that are legal; which ones: int8 and bool, `[length]`."""
    is_noise = (generator.random(len(asked)) < noise) & (asked != Token.PAD)
    other = generator.integers(0, max(len(legal) - 1, 1), len(asked))
    other += other >= np.searchsorted(legal, asked)  # skips the right one
    return np.where(is_noise, np.take(legal, other, mode="clip"), asked).astype(np.int8), is_noise
