"""Game records wherever they lie: folders, zip and tar archives, SGF files of one game or many, packed arrays.

>>> for found in find("games.zip"):
...     print(found.source, found.name, found.problem or len(found.game.moves))

Nothing that a file holds is an error here: what cannot be read is `Found` with a `problem`, and the search goes on.
Files are read in the order of their names, so the same files give the same games in the same order, whatever the
file system. Archives are never unpacked to disk, of no member is more read than `sgf.MAX_BYTES`, and of no archive more
than `MAX_ARCHIVE`, whatever little file it was packed into.
"""

import functools
import gzip
import hashlib
import lzma
import os
import pathlib
import posixpath
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, NamedTuple

import numpy as np

from go_env import sgf
from go_env.sgf import Game, Move, Result
from go_env.sgf_syntax import SgfError, decode


class Found(NamedTuple):
    """A game, or why there is none."""

    source: str  # folder that the file lies in, or the file itself where it was asked for by name; without its suffix
    name: str  # file[number of the game in it, from 0]
    game: Game | None
    problem: str = ""  # one line: file, for SGF also line and column, and reason


class _File(NamedTuple):
    name: str  # below the path asked for
    data: bytes
    problem: str = ""


MAX_ARCHIVE = 2**30
"""Bytes, unpacked, of an archive or an `.npz` file. A larger collection can be unpacked to a folder."""
MAX_MOVES = 2**16
"""Of a game in an `.npz` file."""

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_PIECE = 2**14
_FAULTS = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)


def find(path: str | os.PathLike) -> Iterator[Found]:
    """The games of a folder (all `.sgf` files below it), an archive of such, an SGF file, or an `.npz` file.

    Raises:
      ValueError: the path is none of these.
    """
    path = check(path)
    if path.is_dir():
        return _all_games(path.name, _folder(path))
    if path.suffix.lower() == ".npz":
        return _packed(path)
    if path.name.lower().endswith(_ARCHIVES):
        return _archive(path)
    return _games(_printable(path.stem), _load(_printable(path.name), functools.partial(open, path, "rb")))


def check(path: str | os.PathLike) -> pathlib.Path:
    """The path, if there is something at it that `find` takes."""
    path = pathlib.Path(os.path.abspath(path))
    if not path.exists():
        raise ValueError(f"there is no {path}")
    if not path.is_dir() and not path.name.lower().endswith((*_ARCHIVES, ".sgf", ".npz")):
        raise ValueError(f"games are in a folder or in files {' '.join(_ARCHIVES)} .sgf .npz, got {path}")
    return path


def digest(path: str | os.PathLike) -> str:
    """A hash that is the same for the same files under the same names."""
    path, total = check(path), hashlib.sha256()
    for file in sorted(_sgf_files(path)) if path.is_dir() else [path]:
        total.update(repr(file.relative_to(path.parent).as_posix()).encode())
        try:
            with open(file, "rb") as content:
                total.update(hashlib.file_digest(content, "sha256").digest())
        except OSError:
            total.update(b"unreadable")
    return total.hexdigest()


def _all_games(root: str, files: Iterable[_File]) -> Iterator[Found]:
    for file in files:
        name = _printable(posixpath.join(root, file.name))
        yield from _games(posixpath.dirname(name), file._replace(name=name))


def _games(source: str, file: _File) -> Iterator[Found]:
    """The games of one file."""
    if file.problem:
        yield Found(source, file.name, None, f"{file.name}: {file.problem}")
        return
    number = 0
    for games, problem in _texts(file.data, file.name):
        for game in games or [None]:
            yield Found(source, f"{file.name}[{number}]", game, problem)
            number += 1


def _texts(data: bytes, name: str) -> Iterator[tuple[list[Game], str]]:
    """The games of a text; if it is broken, those of each of its parts that can be told apart."""
    try:
        yield sgf.read(data, name), ""
        return
    except SgfError as fault:
        whole = str(fault)  # the exception itself would keep the text
    text = "" if len(data) > sgf.MAX_BYTES else decode(data)
    starts = [found.start() for found in _FIRST_LINE.finditer(text)]
    if len(starts) < 2:
        yield [], whole
        return
    starts[0], num_lines = 0, 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        try:
            yield sgf.read(text[start:end], name), ""
        except SgfError as fault:
            yield [], str(SgfError(name, fault.line + num_lines, fault.column, fault.reason))
        num_lines += text.count("\n", start, end)


_FIRST_LINE = re.compile(r"^\(\s*+;\s*+(?:FF|GM|SZ|CA|AP)\[", re.ASCII | re.MULTILINE)
"""A line that surely starts a game: a variation may start with `(;` too, but not with a property of the root."""


def _folder(path: pathlib.Path) -> Iterator[_File]:
    for file in sorted(_sgf_files(path)):
        yield _load(file.relative_to(path).as_posix(), functools.partial(open, file, "rb"))


def _sgf_files(path: pathlib.Path) -> list[pathlib.Path]:
    return [file for file in path.rglob("*") if file.suffix.lower() == ".sgf" and file.is_file()]


def _load(name: str, content: Callable[[], IO[bytes]]) -> _File:
    try:
        with content() as file:
            return _File(name, _read(file))
    except _FAULTS as fault:
        return _File(name, b"", _reason(fault))


def _read(file: IO[bytes]) -> bytes:
    """All of it, but no more than a byte too many; in pieces, see `_Unpacked`."""
    data = bytearray()
    while len(data) <= sgf.MAX_BYTES and (piece := file.read(min(_PIECE, sgf.MAX_BYTES + 1 - len(data)))):
        data += piece
    return bytes(data)


def _archive(path: pathlib.Path) -> Iterator[Found]:
    root = re.sub(r"(\.tar)?\.\w+$", "", path.name)
    members = _zip if path.suffix.lower() == ".zip" else _tar
    files: list[_File] = []
    problem = ""
    try:
        for file in members(path):
            files.append(file)
    except _FAULTS as fault:  # of the archive itself: what was read before stays
        problem = f"{_printable(path.name)}: {_reason(fault)}"
    yield from _all_games(root, sorted(files, key=lambda file: file.name.split("/")))
    if problem:
        yield Found(_printable(root), _printable(path.name), None, problem)


def _zip(path: pathlib.Path) -> Iterator[_File]:
    with zipfile.ZipFile(path) as archive:
        total = 0
        for member in archive.infolist():
            if member.filename.lower().endswith(".sgf"):
                total = _added(total, member.file_size)
                yield _load(posixpath.normpath(member.filename), functools.partial(_member, archive, member))


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    _check_packing(member)
    return archive.open(member)


def _check_packing(member: zipfile.ZipInfo) -> None:
    """Raises ValueError where a member cannot be read bit by bit: Python unpacks all of the rest at one go."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{_printable(member.filename)} is neither stored nor deflated, so it is not read")


def _tar(path: pathlib.Path) -> Iterator[_File]:
    with open(path, "rb") as packed, gzip.open(packed) as unpacked:
        file = unpacked if packed.read(2) == b"\x1f\x8b" else packed
        packed.seek(0)
        archive = tarfile.open(fileobj=_Unpacked(file), mode="r:")  # type: ignore  # noqa: SIM115 (it reads, no more)
        total = 0
        while (member := archive.next()) is not None:
            archive.members.clear()  # it would remember them all
            if member.size < 0:
                raise tarfile.ReadError("a member is less than nothing, and would come again and again")
            if member.isfile() and member.name.lower().endswith(".sgf"):
                total = _added(total, member.size)
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                yield _load(posixpath.normpath(member.name), lambda content=content: content)


class _Unpacked:
    """An archive as tarfile reads it, which would take headers of any length and pass over files of any.

    Files are read in pieces (`_read`), so what is read at one go and longer than those is a header.
    """

    def __init__(self, file: IO[bytes]):
        self._file, self.tell = file, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= 2 * _PIECE:
            raise tarfile.ReadError("a header is too long")
        return self._file.read(size)

    def seek(self, place: int) -> int:
        if not 0 <= place <= MAX_ARCHIVE:
            raise tarfile.ReadError(f"more than {MAX_ARCHIVE} bytes unpacked")
        return self._file.seek(place)


def _added(total: int, size: int) -> int:
    """The bytes unpacked so far and those of one more member, of which the first `sgf.MAX_BYTES` are read."""
    total += min(size, sgf.MAX_BYTES)
    if total > MAX_ARCHIVE:
        raise ValueError(f"more than {MAX_ARCHIVE} bytes unpacked")
    return total


def _printable(name: str) -> str:
    """Names from archives may hold anything, and are printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _reason(fault: BaseException) -> str:
    return _printable(getattr(fault, "strerror", None) or str(fault) or type(fault).__name__)


def _packed(path: pathlib.Path) -> Iterator[Found]:
    """Games of 9×9 as arrays: those of game i are `moves[offs[i]:offs[i + 1]]`, 81 a pass, Black first.

    `komi2` and `margin2` are twice the komi and twice Black's margin (32767: none), `winner` +1, -1 or 0, `how` 0
    counted, 1 resigned, 2 time, 3 other; `rb` and `rw` are n for n dan, 1 - k for k kyu, 100 + p for p dan
    professional; `rules` 0 Chinese, 1 Japanese.
    """
    stem, name = _printable(path.stem), _printable(path.name)
    try:
        moves, starts, *columns = _columns(path)
    except (*_FAULTS, KeyError) as fault:
        yield Found(stem, name, None, f"{name}: {_reason(fault)}")
        return
    for number in range(len(starts) - 1):
        try:
            row = (column[number].item() for column in columns)
            game, problem = _unpack(moves[starts[number] : starts[number + 1]], *row), ""
        except ValueError as fault:
            game, problem = None, f"{name}[{number}]: {fault}"
        yield Found(stem, f"{name}[{number}]", game, problem)


_COLUMNS = ("moves", "offs", "komi2", "winner", "how", "margin2", "rb", "rw", "rules")


def _columns(path: pathlib.Path) -> list[np.ndarray]:
    """The arrays, of integers `[…]`, in the order of `_COLUMNS`; those but the first two `[games]`."""
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_ARCHIVE:
            raise ValueError(f"more than {MAX_ARCHIVE} bytes unpacked")
        for member in archive.infolist():
            _check_packing(member)
    with np.load(path, allow_pickle=False) as file:
        columns = [file[key] for key in _COLUMNS]
    if not all(isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iu" for column in columns):
        raise ValueError("its arrays must be of integers and have one axis")
    moves, starts, *others = columns
    if any(len(column) != len(starts) - 1 for column in others) or starts[-1] != len(moves):
        raise ValueError("offs must have an entry for each game, and one for the end of all moves")
    if starts[0] < 0 or (starts[1:] < starts[:-1]).any():
        raise ValueError("offs must not go down")
    return columns


def _unpack(moves: np.ndarray, komi2, winner, how, margin2, black, white, rules) -> Game:
    if len(moves) > MAX_MOVES:
        raise ValueError(f"{len(moves)} moves are more than {MAX_MOVES}")
    if winner not in (1, 0, -1):
        raise ValueError(f"winner is {winner}, not 1, 0 or -1")
    margin = None if how != 0 or margin2 == 32767 else abs(margin2) / 2
    result = Result(winner, margin, ("score", "resign", "time", "unknown")[how] if 0 <= how < 4 else "unknown")
    return Game(
        size=9,
        moves=tuple(Move((-1) ** i, action) for i, action in enumerate(moves.tolist())),
        komi=komi2 / 2,
        rules={0: "Chinese", 1: "Japanese"}.get(rules, ""),
        result=str(result),
        info={name: rank for name, rank in (("BR", _rank(black)), ("WR", _rank(white))) if rank},
    )


def _rank(number: int) -> str:
    if number == -999:
        return ""
    return f"{number - 100}p" if number > 100 else f"{number}d" if number > 0 else f"{1 - number}k"
