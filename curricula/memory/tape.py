"""A tape: one cell is seen, the head moves."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.vocabulary import Token

WRITE, LEFT, RIGHT, REWIND = range(4)


class Held(NamedTuple):
    cells: jax.Array  # int8 [capacity]
    head: jax.Array  # int32


@dataclasses.dataclass(frozen=True)
class Tape:
    """WRITE puts the token seen into the cell and moves right; LEFT and RIGHT move; REWIND goes to the first cell.

    The head never leaves the tape: on the last cell WRITE stays there, and so writes over what is in it. A tape can be
    read in any order, a cell at a time; a cell far away takes as many moves.

    Attributes:
      capacity: cells.
    """

    capacity: int = 128

    def __post_init__(self):
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")

    @property
    def operations(self) -> tuple[str, ...]:
        return ("WRITE", "LEFT", "RIGHT", "REWIND")

    @property
    def num_shown(self) -> int:
        """The cell under the head."""
        return 1

    def empty(self) -> Held:
        return Held(jnp.zeros(self.capacity, jnp.int8), jnp.int32(0))

    def load(self, tokens: jax.Array, length: jax.Array) -> Held:
        """As if WRITE had put them there: from the first cell on, as far as there is room, the head after the last."""
        return Held(first_tokens(tokens, length, self.capacity), jnp.minimum(length, self.capacity - 1))

    def apply(self, held: Held, operation: jax.Array, token: jax.Array) -> Held:
        is_written = operation == WRITE
        is_here = (jnp.arange(self.capacity) == held.head) & is_written
        stride = jnp.where(operation == LEFT, -1, 1)
        head = jnp.where(operation == REWIND, 0, jnp.clip(held.head + stride, 0, self.capacity - 1))
        return Held(jnp.where(is_here, token.astype(jnp.int8), held.cells), head)

    def show(self, held: Held) -> jax.Array:
        return held.cells[held.head][None].astype(jnp.int32)

    def legal(self, held: Held) -> jax.Array:
        is_first, is_last = held.head == 0, held.head == self.capacity - 1
        return jnp.stack([jnp.bool_(True), ~is_first, ~is_last, ~is_first])


def first_tokens(tokens: jax.Array, length: jax.Array, capacity: int) -> jax.Array:
    """The first `length` tokens, as far as there is room, and PAD: int8 `[capacity]`."""
    cell = jnp.arange(capacity)
    held = tokens[jnp.minimum(cell, len(tokens) - 1)]
    return jnp.where(cell < length, held, Token.PAD).astype(jnp.int8)
