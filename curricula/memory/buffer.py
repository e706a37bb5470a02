"""A push buffer: the last tokens chosen to be kept are all in sight (Icarte et al. 2020, arXiv 2010.01753)."""

import dataclasses

import jax
import jax.numpy as jnp

from curricula.vocabulary import Token


@dataclasses.dataclass(frozen=True)
class PushBuffer:
    """PUSH keeps the token seen, and forgets the oldest one if there are `capacity` already.

    Attributes:
      capacity: tokens.
    """

    capacity: int = 4

    def __post_init__(self):
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")

    @property
    def operations(self) -> tuple[str, ...]:
        return ("PUSH",)

    @property
    def num_shown(self) -> int:
        """All of it, the newest first."""
        return self.capacity

    def empty(self) -> jax.Array:
        """int8 `[capacity]`, the newest first."""
        return jnp.zeros(self.capacity, jnp.int8)

    def load(self, tokens: jax.Array, length: jax.Array) -> jax.Array:
        """The last tokens, as far as there is room."""
        place = length - 1 - jnp.arange(self.capacity)
        return jnp.where(place >= 0, tokens[jnp.maximum(place, 0)], Token.PAD).astype(jnp.int8)

    def apply(self, held: jax.Array, operation: jax.Array, token: jax.Array) -> jax.Array:
        del operation
        return jnp.concatenate([token.astype(jnp.int8)[None], held[:-1]])

    def show(self, held: jax.Array) -> jax.Array:
        return held.astype(jnp.int32)

    def legal(self, held: jax.Array) -> jax.Array:
        return jnp.ones(1, bool)
