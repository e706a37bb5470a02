"""What the instructions of Befunge-93 do, as a table of small numbers that a lane of a batch can look up."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

CHARACTER, NUMBER, QUESTION = 1, 2, 3
"""Kinds of writes: of `,`, of `.`, and of `/` where it asks what a division by zero is to be."""
READ_BYTE, READ_INTEGER = 1, 2
KEEP, IF_ACROSS, IF_DOWN, RANDOM = 4, 5, 6, 7
"""Ways to turn, after the four directions right, left, up, down."""
PICKS = ("top", "second", "fourth", "cell", "digit", "+", "-", "*", "/", "%", "`", "!", "get", "byte", "integer")
"""What may become the top of the stack."""
UNKNOWN, IN_STRING, ASK, ENDED = 127, 128, 129, 130
"""Rows after those of the characters: of any other cell, of a character in string mode, of a division by zero that
asks, and of a program that has ended."""


class Row(NamedTuple):
    """What an instruction does: numbers in the table, arrays `[L]` once looked up."""

    pops: Any = 0
    pushes: Any = 0
    pick: Any = 0  # which of PICKS is the new top
    digit: Any = 0
    turn: Any = KEEP
    is_reflected: Any = 0
    is_bridge: Any = 0
    is_quote: Any = 0
    is_put: Any = 0
    writes: Any = 0  # CHARACTER, NUMBER or QUESTION
    reads: Any = 0  # READ_BYTE or READ_INTEGER
    is_end: Any = 0
    is_step: Any = 1
    steers: Any = 0  # all it does is to turn or to move on
    is_rare: Any = 0  # see `is_rare`; set when packed


BITS = Row(
    pops=2, pushes=2, pick=4, digit=4, turn=3, is_reflected=1, is_bridge=1, is_quote=1, is_put=1, writes=2, reads=2,
    is_end=1, is_step=1, steers=1, is_rare=1,
)  # fmt: skip


@functools.cache
def table(unknown: str) -> np.ndarray:
    """Rows of all instructions, packed into a number each: int32 `[131]`.

    Args:
      unknown: of `befunge_reference.Options`.
    """
    other = Row(is_reflected=int(unknown == "reflect"), steers=1)
    rows = [other] * ENDED + [Row(is_step=0)]

    def put(instruction: int | str, pick: str = "top", **fields: int) -> None:
        index = instruction if isinstance(instruction, int) else ord(instruction)
        rows[index] = Row(pick=PICKS.index(pick), **fields)

    put(" ", steers=1)
    for digit in range(10):
        put(str(digit), pushes=1, pick="digit", digit=digit)
    for direction, arrow in enumerate("><^v"):
        put(arrow, turn=direction, steers=1)
    put("?", turn=RANDOM)
    put("_", pops=1, pick="second", turn=IF_ACROSS)
    put("|", pops=1, pick="second", turn=IF_DOWN)
    put("#", is_bridge=1, steers=1)
    put('"', is_quote=1)
    for instruction in "+-*/%`":
        put(instruction, pops=2, pushes=1, pick=instruction)
    put("!", pops=1, pushes=1, pick="!")
    put(":", pops=1, pushes=2)
    put("\\", pops=2, pushes=2, pick="second")
    put("$", pops=1, pick="second")
    put(".", pops=1, pick="second", writes=NUMBER)
    put(",", pops=1, pick="second", writes=CHARACTER)
    put("g", pops=2, pushes=1, pick="get")
    put("p", pops=3, pick="fourth", is_put=1)
    put("&", pushes=1, pick="integer", reads=READ_INTEGER)
    put("~", pushes=1, pick="byte", reads=READ_BYTE)
    put("@", is_end=1)
    put(IN_STRING, pushes=1, pick="cell")
    put(ASK, pops=2, pushes=1, pick="integer", reads=READ_INTEGER, writes=QUESTION)
    return np.array([_pack(row) for row in rows], np.int32)


def is_rare(row: Row) -> bool:
    """Whether an instruction reads, writes, divides, looks at the playfield or turns at random: few do."""
    return bool(row.reads or row.writes or row.is_put or row.turn == RANDOM or PICKS[row.pick] in ("/", "%", "get"))


def _pack(row: Row) -> int:
    word, place = 0, 0
    for number, bits in zip(row._replace(is_rare=int(is_rare(row))), BITS, strict=True):
        word |= number << place
        place += bits
    return word


def unpack(word: jax.Array) -> Row:
    """A packed row as arrays of the word's shape."""
    fields, place = [], 0
    for bits in BITS:
        fields.append((word >> place) & ((1 << bits) - 1))
        place += bits
    return Row(*fields)
