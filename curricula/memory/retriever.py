"""A memory searched by vectors: of all entries, the few nearest to a query come into sight."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.vocabulary import NUM_TOKENS, Token

KEY, WRITE, FIRST_READ = range(3)
MAX_DIMENSION = (NUM_TOKENS - 1).bit_length()
"""Signs that tell all tokens apart."""


class Held(NamedTuple):
    keys: jax.Array  # int8 [capacity], the oldest first
    values: jax.Array  # int8 [capacity]
    length: jax.Array  # int32: entries
    key: jax.Array  # int32: what WRITE stores under
    found: jax.Array  # int32 [top, 2]: keys and values that the last READ found, the nearest first


@dataclasses.dataclass(frozen=True)
class Retriever:
    """KEY takes the token seen as key; WRITE adds an entry, the token seen under that key; READ_q finds the `top`
    entries whose vectors have the greatest inner product with query vector q, the newer first among equals.

    Query vectors are all 2 ** `dimension` vectors of signs, one action each: the bits of q, the lowest first, 1 as +1
    and 0 as -1. An entry's vector is that of its key, whose number's lowest bits are read likewise. So with 6 signs
    each token has one query of its own, and an inner product is 6 less twice the bits that differ; with fewer, several
    tokens share a vector, and retrieval is coarser.

    What is learned is which query to send, at what sight, and what to do with what comes back, by policy gradient like
    any other action; as a query may follow from what the one before found, it can go along a chain. The vectors are
    fixed, and nothing is differentiated through the memory: this is a retriever with a discrete codebook, not an
    embedding that is learned. To read by the token seen is `KeyValue`, which learns no query.

    Attributes:
      capacity: entries; then WRITE is illegal.
      top: entries that a query brings.
      dimension: signs of a vector, at most 6.
    """

    capacity: int = 64
    top: int = 1
    dimension: int = MAX_DIMENSION

    def __post_init__(self):
        if self.capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {self.capacity}")
        if not 1 <= self.top <= self.capacity:
            raise ValueError(f"top must be from 1 to the capacity {self.capacity}, got {self.top}")
        if not 1 <= self.dimension <= MAX_DIMENSION:
            raise ValueError(f"dimension must be from 1 to {MAX_DIMENSION}, got {self.dimension}")

    @property
    def operations(self) -> tuple[str, ...]:
        return ("KEY", "WRITE", *(f"READ_{q}" for q in range(2**self.dimension)))

    @property
    def num_shown(self) -> int:
        """The key to be written, then the keys and values found, in turns."""
        return 1 + 2 * self.top

    def empty(self) -> Held:
        entries = jnp.zeros(self.capacity, jnp.int8)
        return Held(entries, entries, jnp.int32(0), jnp.int32(Token.PAD), self._nothing())

    def load(self, tokens: jax.Array, length: jax.Array) -> Held:
        """Keys and values in turns, the first of them as far as there is room."""
        entry = jnp.arange(self.capacity)
        num_entries = jnp.minimum(length // 2, self.capacity)
        keys, values = (tokens[jnp.minimum(2 * entry + i, len(tokens) - 1)] for i in range(2))
        keys, values = (jnp.where(entry < num_entries, x, Token.PAD).astype(jnp.int8) for x in (keys, values))
        return Held(keys, values, num_entries, jnp.int32(Token.PAD), self._nothing())

    def apply(self, held: Held, operation: jax.Array, token: jax.Array) -> Held:
        is_written = (operation == WRITE) & (held.length < self.capacity)
        is_here = (jnp.arange(self.capacity) == held.length) & is_written
        return Held(
            keys=jnp.where(is_here, held.key, held.keys).astype(jnp.int8),
            values=jnp.where(is_here, token, held.values).astype(jnp.int8),
            length=held.length + is_written,
            key=jnp.where(operation == KEY, token, held.key),
            found=jnp.where(operation >= FIRST_READ, self._nearest(held, operation - FIRST_READ), held.found),
        )

    def show(self, held: Held) -> jax.Array:
        return jnp.append(held.key, held.found)

    def legal(self, held: Held) -> jax.Array:
        can_read = jnp.broadcast_to(held.length > 0, 2**self.dimension)
        can_write = (held.key != Token.PAD) & (held.length < self.capacity)
        return jnp.concatenate([jnp.stack([jnp.bool_(True), can_write]), can_read])

    def _nearest(self, held: Held, query: jax.Array) -> jax.Array:
        """The entries that a query finds: int32 `[top, 2]`, PAD where there are not so many."""
        entry = jnp.arange(self.capacity)
        products = self._vectors(held.keys) @ self._vectors(query)
        is_entry = entry < held.length
        rank = jnp.where(is_entry, (products + self.dimension) * self.capacity + entry, -1)
        _, nearest = jax.lax.top_k(rank, self.top)
        found = jnp.stack([held.keys[nearest], held.values[nearest]], axis=1)
        return jnp.where(is_entry[nearest, None], found, Token.PAD).astype(jnp.int32)

    def _vectors(self, numbers: jax.Array) -> jax.Array:
        """int32 `[..., dimension]`: +1 and -1."""
        bits = jnp.asarray(numbers, jnp.int32)[..., None] >> jnp.arange(self.dimension) & 1
        return 2 * bits - 1

    def _nothing(self) -> jax.Array:
        return jnp.zeros((self.top, 2), jnp.int32)
