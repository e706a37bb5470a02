"""What a run directory tells about a run, read with limits: it may come from a stranger."""

import html
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rl_pretrain import json_file, metrics, run_directory
from rl_pretrain.run_directory import CONFIG, METRICS, RunError

RESULT = "result.json"
GAMES = "games"
MAX_RUNS = 64
MAX_GAMES = 40
"""Games listed of one run; there may be thousands in its folder."""
MAX_GAME_BYTES = 2**20
"""Of one page or picture of a game; what is larger is linked to, not copied."""


class Game(NamedTuple):
    """A game in a run directory. Pages and pictures are made by whoever knows the game; here they are only shown."""

    title: str
    path: Path  # what to look at: a page, a picture, or the bare record
    content: str  # of the page or picture; empty where it is too large, or only a record
    record: str  # the game as SGF; empty without one


class Record(NamedTuple):
    """A run as its directory tells it."""

    name: str
    directory: Path
    config: dict[str, Any]
    versions: dict[str, Any]
    rows: list[dict[str, Any]]  # of metrics, one for each iteration
    result: Any  # what result.json says; None before the end
    games: list[Game]
    num_games: int  # in the directory, listed or not


def read(places: Sequence[str | os.PathLike]) -> list[Record]:
    """The runs at some places, each a run directory or a directory of these, in order and once each.

    Raises RunError, in one line, where there is no run, too many, or a file that cannot be read.
    """
    try:
        directories = list(dict.fromkeys(path for place in places for path in _runs_at(Path(place).absolute())))
        if len(directories) > MAX_RUNS:
            raise RunError(f"at most {MAX_RUNS} runs fit on a page, got {len(directories)}; name some of them")
        return [_read(path, name) for path, name in zip(directories, _names(directories), strict=True)]
    except OSError as error:
        raise RunError(f"cannot read {error.filename}: {error.strerror}") from error


def _runs_at(place: Path) -> list[Path]:
    if _is_run(place):
        return [place]
    if not place.is_dir():
        raise RunError(f"there is no directory {place}")
    below = sorted(path for path in place.iterdir() if _is_run(path))
    if not below:
        raise RunError(f"{place} is no run directory, and none lies in it")
    return below


def _is_run(path: Path) -> bool:
    return (path / METRICS).is_file() or (path / CONFIG).is_file()


def _names(directories: Sequence[Path]) -> list[str]:
    """Short names that tell the directories apart: what follows the folders common to all."""
    if len(directories) == 1:
        return ["/".join(directories[0].parts[-2:])]
    common = len(Path(os.path.commonpath(directories)).parts)
    return ["/".join(path.parts[common:]) or path.name for path in directories]


def _read(directory: Path, name: str) -> Record:
    config, versions = run_directory.read_config(directory)
    rows = metrics.read(directory) if (directory / METRICS).exists() else []
    games, num_games = _games(directory / GAMES)
    return Record(name, directory, config, versions, rows, _result(directory / RESULT), games, num_games)


def _result(path: Path) -> Any:
    try:
        return json_file.read(path) if path.exists() else None
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}); mend or delete it") from error


def _games(folder: Path) -> tuple[list[Game], int]:
    """The games in a folder, one for each file name without its ending, and how many there are."""
    files: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix in (".html", ".svg", ".sgf") and path.is_file():
            files.setdefault(path.stem, {})[path.suffix] = path
    return [_game(stem, kinds) for stem, kinds in list(files.items())[:MAX_GAMES]], len(files)


def _game(stem: str, kinds: dict[str, Path]) -> Game:
    path = next(kinds[suffix] for suffix in (".html", ".svg", ".sgf") if suffix in kinds)
    content = "" if path.suffix == ".sgf" else _text(path)
    title = re.search(r"<title>([^<]{1,200})</title>", content[:4096])
    record = _text(kinds[".sgf"]) if ".sgf" in kinds else ""
    return Game(html.unescape(title[1]).strip() if title else stem, path, content, record)


def _text(path: Path) -> str:
    """Empty for a file that is too large."""
    return path.read_text(encoding="utf-8", errors="replace") if path.stat().st_size <= MAX_GAME_BYTES else ""


def flat(tree: Any, name: str = "", depth: int = 12) -> Iterator[tuple[str, Any]]:
    """The leaves of nested settings by dotted names; lists of plain values, and all below `depth`, count as leaves."""
    if depth and isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from flat(value, f"{name}.{key}" if name else str(key), depth - 1)
    elif depth and isinstance(tree, list) and any(isinstance(item, dict | list) for item in tree):
        for i, item in enumerate(tree):
            yield from flat(item, f"{name}[{i}]", depth - 1)
    else:
        yield name, tree
