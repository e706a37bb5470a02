"""JSON that any program can read, in files that are whole or not there at all."""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The value in JSON's own types: dataclasses become dicts, tuples lists, paths and non-finite numbers strings.

    JSON knows no NaN or infinity; they are written as "NaN", "Infinity" and "-Infinity", which `float` understands.

    Raises TypeError for what has no such form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written as JSON")


def dumps(value: Any, indent: int | None = None) -> str:
    """The JSON text of `plain(value)`."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def replace(path: Path, text: str) -> None:
    """Writes a file so that a crash or a full disk at any moment leaves either the old content or the new."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the new name, too, must be on the disk
    finally:
        os.close(directory)
