"""One checkpoint on the disk: what is handed to Orbax, and reading it back with every check."""

import functools
import logging
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orbax.checkpoint as ocp
import tensorstore

from rl_pretrain import json_file, leaves, processes

FORMAT = 1
"""Goes up when checkpoints written before can no longer be read."""


class DamagedError(Exception):
    """A checkpoint cannot be read back as it was written; says why in a few words."""


class Content(NamedTuple):
    """All that a checkpoint holds."""

    arrays: dict[str, np.ndarray]  # by name, such as opt_state/0/mu/kernel
    kinds: dict[str, leaves.Leaf]
    impls: dict[str, str]  # of the leaves that are typed random keys
    meta: dict[str, Any]
    metrics: dict[str, float]


def pack(
    tree: Any, meta: Mapping[str, Any], metrics: Mapping[str, float], shared_out: Collection[str] = ()
) -> ocp.args.Composite:
    """The tree on the host with a description of every leaf, for `CheckpointManager.save`, which copies it.

    Orbax refuses arrays without elements, so those live in the description only.

    Args:
      shared_out: names of arrays of which each of several processes has rows of its own. All others are the same.
    """
    arrays, impls = leaves.to_host(tree)
    described = {
        name: {
            "dtype": kind.dtype,
            "shape": kind.shape,
            "impl": impls.get(name),
            "crc32": leaves.checksum(arrays[name]),
        }
        for name, kind in leaves.kinds(tree).items()
    }
    to_write: dict[str, Any] = {name: array for name, array in arrays.items() if array.size}
    if processes.count() > 1:
        for name in shared_out:
            first, *rest = described[name]["shape"]
            described[name]["shape"] = (processes.count() * first, *rest)
            described[name]["crc32"] = processes.gather(described[name]["crc32"])  # of each process's rows
        shared = {name: processes.join(to_write[name]) for name in shared_out if name in to_write}
        to_write |= shared
    info = json_file.plain({"format": FORMAT, "leaves": described, "meta": dict(meta), "metrics": dict(metrics)})
    return ocp.args.Composite(
        arrays=ocp.args.PyTreeSave(leaves.nested(to_write)),
        info=ocp.args.JsonSave({**info, "crc32": _checksum(info)}),
    )


def read(place: Path) -> Content:
    """Reads the checkpoint in directory `place`; every array is what was written, bit for bit.

    Raises DamagedError, which an older checkpoint may help; ValueError for the format of another version, which it
    does not.
    """
    try:
        _check_files(place)
        info = json_file.read(place / "info" / "metadata")
        version, described = info["format"], info["leaves"]
        is_whole = info.pop("crc32") == _checksum(info)
    except Exception as error:  # damaged files make Orbax, TensorStore and JSON raise anything
        raise DamagedError(reason(error)) from error
    if not is_whole:
        raise DamagedError("its description is not what was written")
    if version != FORMAT:
        raise ValueError(f"{place} has format {version!r}, this code reads {FORMAT}: use the version that wrote it")
    try:
        kinds = {name: leaves.Leaf(leaf["dtype"], tuple(leaf["shape"])) for name, leaf in described.items()}
        _check_sizes(place, kinds)
        stored = leaves.named(
            _restore(place / "arrays", [name for name, kind in kinds.items() if math.prod(kind.shape)])
        )
        arrays = {
            name: np.asarray(stored[name]) if math.prod(kind.shape) else _empty(kind) for name, kind in kinds.items()
        }
        changed = [name for name, leaf in described.items() if not _is_as_written(arrays[name], leaf["crc32"])]
        impls = {name: leaf["impl"] for name, leaf in described.items() if leaf["impl"]}
        if impls.keys() != {name for name, kind in kinds.items() if kind.dtype.startswith("key<")}:
            raise ValueError("what is a random key is not as described")
        metrics = {name: float(value) for name, value in info["metrics"].items()}
        leaves.nested(arrays)  # there must be such a tree
        content = Content(arrays, kinds, impls, dict(info["meta"]), metrics)
    except Exception as error:  # what was read may lead to any error, and every one means damage
        raise DamagedError(reason(error)) from error
    if changed:
        raise DamagedError(f"{changed[0]} is not what was written")
    return content


def alone() -> ocp.options.MultiprocessingOptions:
    """For Orbax: where several processes train together, each reads without waiting for the others."""
    return ocp.options.MultiprocessingOptions(processes.index(), {processes.index()}, f"process_{processes.index()}")


def reason(error: Exception) -> str:
    """Why, in a few words: TensorStore wraps what happened in where it happened, level by level, on one long line."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.split(r" \[[\w ]+='", text)[0].rsplit('": ', 1)[-1]
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= 200 else text[:199] + "…"


@functools.cache
def quiet_orbax() -> None:
    """Drops what Orbax logs with every normal save, and the tracebacks of what it also raises."""
    for name in ("absl", "asyncio"):
        logging.getLogger(name).addFilter(_is_worth_showing)
    sys.unraisablehook = functools.partial(_tell, sys.unraisablehook)


def _tell(hook: Callable[[Any], Any], problem: Any) -> None:
    """Orbax goes at the first damaged array; what TensorStore says of the others comes too late and is no news."""
    if not (isinstance(problem.exc_value, RuntimeError) and str(problem.exc_value) == "Event loop is closed"):
        hook(problem)


def _is_worth_showing(record: logging.LogRecord) -> bool:
    is_orbax = "/orbax/" in record.pathname.replace("\\", "/")
    is_told_anyway = bool(record.exc_info) or "Failed to json parse" in str(record.msg)  # a damaged checkpoint
    return not _is_second_array(record) and (not is_orbax or (record.levelno >= logging.ERROR and not is_told_anyway))


def _is_second_array(record: logging.LogRecord) -> bool:
    """Of arrays that fail together, in a save or a read, Orbax raises one; asyncio tells of the others later."""
    message = str(record.msg).replace("\\", "/")
    is_late = record.name == "asyncio" and "never retrieved" in message
    return is_late and ("/orbax/" in message or "zarr" in message)


def _check_files(place: Path) -> None:
    """Raises ValueError for what would be waited for (a pipe) or read for ever (a device)."""
    for path in place.rglob("*"):
        if not path.is_file() and not path.is_dir():
            raise ValueError(f"{path.relative_to(place)} is no regular file")


def _check_sizes(place: Path, kinds: Mapping[str, leaves.Leaf]) -> None:
    """Raises ValueError, before any array is read, where one is not as described, or all take more than the memory.

    A stranger's file of some bytes may unpack to as many terabytes. Orbax could tell the sizes, too, but keeps some
    kilobytes of memory each time it is asked.
    """
    arrays = place.absolute() / "arrays"
    if json_file.read(arrays / "_METADATA").get("use_zarr3"):
        raise ValueError("its arrays are not in the format that they were written in")
    total, context = 0, tensorstore.Context()
    for name, kind in kinds.items():
        if not math.prod(kind.shape):
            continue
        store = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{arrays}/"}}
        spec = {"driver": "zarr", "kvstore": store, "path": name.replace("/", ".")}
        array: Any = tensorstore.open(spec, open=True, read=True, context=context).result()
        found = leaves.Leaf(str(array.dtype.numpy_dtype), tuple(array.shape))
        if found != kind and not kind.dtype.startswith("key<"):
            raise ValueError(f"{name} is {found}, described as {kind}")
        chunk = array.chunk_layout.read_chunk.shape or ()
        total += max(math.prod(array.shape), math.prod(chunk)) * array.dtype.numpy_dtype.itemsize
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total > memory:
        raise ValueError(f"its arrays take {total:,} bytes, more than the {memory:,} of this machine's memory")


def _checksum(info: dict[str, Any]) -> int:
    """CRC-32 of JSON values. Their text is the same after a round trip, so it can be made again from what was read."""
    return zlib.crc32(json_file.dumps(info).encode())


def _is_as_written(array: np.ndarray, checksums: int | list[int]) -> bool:
    """Whether the checksum is right, or those of equal parts of the rows."""
    if isinstance(checksums, int):
        return leaves.checksum(array) == checksums
    return len(checksums) > 0 and [leaves.checksum(part) for part in np.split(array, len(checksums))] == checksums


def _restore(place: Path, names: Collection[str]) -> Any:
    host = leaves.nested({name: ocp.RestoreArgs(restore_type=np.ndarray) for name in names})
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone())
    with ocp.Checkpointer(handler, multiprocessing_options=alone()) as checkpointer:
        return checkpointer.restore(place.absolute(), args=ocp.args.PyTreeRestore(restore_args=host))


def _empty(kind: leaves.Leaf) -> np.ndarray:
    return np.zeros(kind.shape, kind.dtype)
