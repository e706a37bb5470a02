"""Boards and moves as people write them: diagrams with X, O and `.`, and GTP vertices such as `D4`."""

import re
import string

import jax
import numpy as np
from numpy.typing import ArrayLike

COLUMNS = "ABCDEFGHJKLMNOPQRST"
"""Column letters from the left. There is no I, which looks like a 1."""

_STONES = {"X": 1, "O": -1, ".": 0}
_SYMBOLS = {stone: symbol for symbol, stone in _STONES.items()}


def to_text(board: ArrayLike | jax.Array, last_action: int | None = None) -> str:
    """A diagram with GTP coordinates; Black is X, White O.

    Args:
      board: `[size, size]`, +1 Black, -1 White, 0 empty: `Go.stones`, or `Go.area` for a map of who owns what.
      last_action: the point to put in brackets; a pass marks nothing.
    """
    rows = np.asarray(board)
    if rows.ndim != 2 or rows.shape[0] != rows.shape[1] or not np.isin(rows, (-1, 0, 1)).all():
        raise ValueError(f"a board is square and holds -1, 0 and 1, got {rows.dtype} {list(rows.shape)}")
    size = len(rows)
    marked = None if last_action is None else int(last_action)
    lines = ["   " + " ".join(COLUMNS[:size])]
    for i, row in enumerate(rows.tolist()):
        gaps = [" "] * (size + 1)  # before, between and behind the points
        if marked is not None and marked // size == i:
            gaps[marked % size], gaps[marked % size + 1] = "(", ")"
        points = [gap + _SYMBOLS[stone] for gap, stone in zip(gaps, row, strict=False)]
        lines.append(f"{size - i:2}{''.join(points)}{gaps[-1]}".rstrip())
    return "\n".join(lines)


def from_text(text: str) -> np.ndarray:
    """The board of a diagram: int8 `[size, size]`, ready for `Go.from_stones`.

    Reads what `to_text` writes, and bare diagrams: one line a row from the top, with or without spaces. Empty lines,
    the line of column letters, row numbers and brackets are skipped.

    Raises: ValueError, one line that names row and column.
    """
    lines = ["".join(line.split()) for line in text.splitlines()]
    rows = [re.sub(r"[()]", "", line.strip(string.digits)) for line in lines if line and not _is_header(line)]
    if not 2 <= len(rows) <= len(COLUMNS):
        raise ValueError(f"a board has 2 to {len(COLUMNS)} rows, got {len(rows)}")
    for i, row in enumerate(rows, 1):
        for j, symbol in enumerate(row, 1):
            if symbol not in _STONES:
                raise ValueError(f"row {i} from the top, column {j}: {symbol!r} is none of X, O and .")
        if len(row) != len(rows):
            raise ValueError(f"row {i} from the top has {len(row)} points, but the board has {len(rows)} rows")
    return np.array([[_STONES[symbol] for symbol in row] for row in rows], np.int8)


def vertex(action: int | jax.Array, size: int) -> str:
    """GTP name of an action: column letter without I, row number from the bottom (`D4`), or `pass`."""
    number = int(action)
    if not 0 <= number <= size**2:
        raise ValueError(f"an action on a {size}×{size} board is a number from 0 to {size**2}, got {number}")
    if number == size**2:
        return "pass"
    row, column = divmod(number, size)
    return f"{COLUMNS[column]}{size - row}"


def action(vertex: str, size: int) -> int:
    """The action with this GTP name; capital and small letters count alike."""
    name = vertex.strip().upper()
    if name == "PASS":
        return size**2
    match = re.fullmatch(rf"([{COLUMNS[:size]}])([1-9][0-9]?)", name)
    if match is None or int(match[2]) > size:
        without_i = " without I" if size > COLUMNS.index("J") else ""
        raise ValueError(
            f"a vertex on a {size}×{size} board is a letter from A to {COLUMNS[size - 1]}{without_i} "
            f"and a number from 1 to {size}, or pass; got {vertex!r}"
        )
    return (size - int(match[2])) * size + COLUMNS.index(match[1])


def _is_header(line: str) -> bool:
    return line.upper() == COLUMNS[: len(line)]
