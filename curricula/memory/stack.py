"""A stack: the last token put on it is seen, and the one below when that is taken off."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.memory.tape import first_tokens
from curricula.vocabulary import Token

PUSH, POP = range(2)


class Held(NamedTuple):
    cells: jax.Array  # int8 [capacity], the bottom first
    height: jax.Array  # int32


@dataclasses.dataclass(frozen=True)
class Stack:
    """PUSH puts the token seen on top; POP takes the top off. When it is full, PUSH is illegal.

    Enough to say a prompt backwards and to close brackets; not to say it forwards, since what is above is lost on the
    way down.

    Attributes:
      capacity: tokens.
    """

    capacity: int = 128

    def __post_init__(self):
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")

    @property
    def operations(self) -> tuple[str, ...]:
        return ("PUSH", "POP")

    @property
    def num_shown(self) -> int:
        """The top."""
        return 1

    def empty(self) -> Held:
        return Held(jnp.zeros(self.capacity, jnp.int8), jnp.int32(0))

    def load(self, tokens: jax.Array, length: jax.Array) -> Held:
        """The first token at the bottom; as far as there is room."""
        return Held(first_tokens(tokens, length, self.capacity), jnp.minimum(length, self.capacity))

    def apply(self, held: Held, operation: jax.Array, token: jax.Array) -> Held:
        is_pushed = (operation == PUSH) & (held.height < self.capacity)
        is_here = (jnp.arange(self.capacity) == held.height) & is_pushed
        popped = jnp.maximum(held.height - (operation == POP), 0)
        return Held(jnp.where(is_here, token.astype(jnp.int8), held.cells), popped + is_pushed)

    def show(self, held: Held) -> jax.Array:
        top = held.cells[jnp.maximum(held.height - 1, 0)]
        return jnp.where(held.height > 0, top, Token.PAD)[None].astype(jnp.int32)

    def legal(self, held: Held) -> jax.Array:
        return jnp.stack([held.height < self.capacity, held.height > 0])
