"""JSON that any program can read, in files that are whole or not there at all; and JSON that anybody wrote."""

import contextlib
import dataclasses
import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

MAX_BYTES = 2**26
"""Of a file that `read` takes."""
MAX_DEPTH = 100
"""Of lists and objects in one another."""


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
    """The JSON text of `plain(value)`, in UTF-8: half a character, for which that has no bytes, becomes `\\ud800`."""
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace").decode()


def loads(text: str) -> Any:
    """The value of a JSON text. Raises ValueError where there is none, or it is nested deeper than MAX_DEPTH."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = list(itertools.chain.from_iterable(level))
        if not level:
            return value
    raise ValueError(f"nested deeper than {MAX_DEPTH}")


def read(path: Path) -> Any:
    """The value in a file. Raises OSError where it cannot be read, ValueError as `loads` or for more than MAX_BYTES."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")  # a pipe would be waited for, a device read for ever
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"longer than {MAX_BYTES} bytes")
    return loads(data.decode())


def replace(path: Path, text: str) -> None:
    """Writes a file so that a crash or a full disk at any moment leaves either the old content or the new."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()  # a full disk needs its space
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the new name, too, must be on the disk
    finally:
        os.close(directory)
