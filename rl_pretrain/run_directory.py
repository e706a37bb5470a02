"""The directory of a run: made once, continued only with the same config, written by one process at a time."""

import errno
import fcntl
import json
import os
import socket
import sys
import textwrap
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

from rl_pretrain import json_file

CONFIG = "config.json"
LOCK = "lock"
METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
CHECKPOINTS = "checkpoints"


class RunError(Exception):
    """What is wrong with a run directory and what to do about it, in one line for the person at the terminal."""

    def __init__(self, text: str):
        super().__init__(_printable(text))


def claim(
    directory: Path, config: dict[str, Any], versions: dict[str, Any], resume: bool, may_differ: Collection[str]
) -> IO[str]:
    """Makes the directory of a new run or takes up the one of an old run, for this process alone.

    Args:
      directory: where the run lives or will live.
      config: every setting; nested dicts and dataclasses are fine.
      versions: of the code and its libraries. Recorded; a change is told, not refused.
      resume: whether to continue a run that is there.
      may_differ: settings that may change on resume, such as `iterations` or `evaluation.games`. Naming a group
        (`evaluation`) names all in it.

    Returns the lock: close it to let go. It is the operating system's, so it ends with the process however that ends.

    Raises RunError when the directory is in use, holds another run or none to resume, or cannot be written.
    """
    config, versions = json_file.plain(config), json_file.plain(versions)
    if resume and not _holds_run(directory):
        raise RunError(f"{directory} holds no run to resume; leave out --resume to start it, or check --name")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = _lock(directory)
    except OSError as error:
        raise RunError(f"cannot use {directory} as run directory: {error.strerror or error}") from error
    try:
        if _holds_run(directory):
            if not resume:
                raise RunError(f"{directory} exists; add --resume to continue it or choose another --name")
            _check_same(directory, config, versions, may_differ)
        json_file.replace(directory / CONFIG, json_file.dumps({"config": config, "versions": versions}, 2) + "\n")
    except OSError as error:
        lock.close()
        raise RunError(f"cannot write {directory / CONFIG}: {error.strerror or error}") from error
    except BaseException:
        lock.close()
        raise
    return lock


def read_config(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the versions a run was last started with. Raises RunError where they cannot be read."""
    path = directory / CONFIG
    try:
        stored = json_file.read(path)
        config, versions = stored["config"], stored["versions"]
        if not isinstance(config, dict) or not isinstance(versions, dict):
            raise ValueError("config and versions must be objects")
    except FileNotFoundError:
        raise RunError(f"{path} is missing; is {directory} a run directory?") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    except KeyError as error:
        raise RunError(f"{path} has no entry {error}; restore the file or choose another --name") from error
    except (ValueError, TypeError) as error:  # ValueError: not JSON, not UTF-8, too much
        raise RunError(f"{path} is damaged ({error}); restore the file or choose another --name") from error
    return config, versions


def _holds_run(directory: Path) -> bool:
    """Whether anything of a run is there. A process that died before it wrote the config leaves only the lock."""
    return any((directory / name).exists() for name in (CONFIG, METRICS, CHECKPOINTS))


def _lock(directory: Path) -> IO[str]:
    lock = open(directory / LOCK, "a+", encoding="utf-8")  # noqa: SIM115 (held until the run is closed)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            lock.seek(0)
            owner = lock.read().strip() or "another process"
            lock.close()
            raise RunError(f"{directory} is in use by {owner}; wait for it or choose another --name") from None
        print(f"warning: {directory} cannot be locked ({error.strerror}); run nothing else in it", file=sys.stderr)
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    lock.flush()
    return lock


def _check_same(directory: Path, config: dict[str, Any], versions: dict[str, Any], may_differ: Collection[str]) -> None:
    stored_config, stored_versions = read_config(directory)
    differences = [
        f"{name} was {old}, now {new}"
        for name, old, new in _differences(stored_config, config)
        if not any(name == allowed or name.startswith(allowed + ".") for allowed in may_differ)
    ]
    if differences:
        shown, more = differences[:3], len(differences) - 3
        also = f" and {more} more" if more > 0 else ""
        raise RunError(f"{directory} has another config: {'; '.join(shown)}{also}; use that or choose another --name")
    for name, old, new in _differences(stored_versions, versions):
        warning = f"warning: {directory} continues with another {name}: was {old}, now {new}"
        print(_printable(warning), file=sys.stderr)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    old, new = _flat(old), _flat(new)
    names = [*old, *(name for name in new if name not in old)]
    changed = [name for name in names if name not in old or name not in new or old[name] != new[name]]
    return [(name, _show(old, name), _show(new, name)) for name in changed]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return flat


def _show(flat: dict[str, Any], name: str) -> str:
    return textwrap.shorten(json.dumps(flat[name]), 200, placeholder="…") if name in flat else "absent"


def _printable(text: str) -> str:
    """On one line: what stands in a stranger's run may hold anything."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
