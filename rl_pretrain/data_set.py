"""A data set of TensorFlow Datasets that somebody else prepared: `open_prepared(directory).as_data_source("train")`."""

import os
import re
from pathlib import Path
from typing import Any

from rl_pretrain import json_file

_KINDS = re.compile(r"tensorflow_datasets\.core\.features\.[a-z_]+\.[A-Za-z]+")


def open_prepared(directory: str | os.PathLike) -> Any:
    """Its builder, of tfds's own kinds of features: `tfds.builder_from_directory` would import what the files name.

    Raises ValueError, in one line, where there is none, or it has other features.
    """
    import tensorflow_datasets as tfds

    try:
        features = json_file.read(Path(directory) / "features.json")
        if not isinstance(features, dict):
            raise ValueError("features.json holds no object")
        _check_features(features)
        return tfds.builder_from_directory(directory)
    except Exception as error:  # damaged files make tfds raise anything
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"cannot open {directory} as data set: {reason}") from error


def _check_features(value: Any) -> None:
    """Raises ValueError for a class that is not tfds's own, or a description hidden in a text."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        is_class = key in ("type", "pythonClassName", "python_class_name") and isinstance(item, str)
        if (is_class and not _KINDS.fullmatch(item)) or (key == "content" and isinstance(item, str)):
            raise ValueError(f"its features are of the kind {item[:100]!a}")
        if isinstance(item, dict | list):
            _check_features(item)
