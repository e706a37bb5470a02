"""Sets of board points as bits of 32-bit words.

A *bitboard* is a tuple of `num_words` uint32 arrays. Word `i` holds as many whole rows as fit into 32 bits
(three rows of nine, one row of nineteen), point `p` counted row by row from the top left corner. The arrays may
have any common shape: `()` for one game, `(batch,)` for many, `(planes, batch)` for many sets per game. Batch axes
come last, so that every operation is plain elementwise arithmetic over contiguous memory. Words are separate
arrays, not an axis, because XLA fuses the carries between words then, where slices and concatenations stop it.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

Bitboard = tuple[jax.Array, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the points of a `size` × `size` board lie in words, and the moves of sets on it."""

    size: int

    @property
    def num_points(self) -> int:
        return self.size**2

    @property
    def rows_per_word(self) -> int:
        return min(32 // self.size, self.size)

    @property
    def points_per_word(self) -> int:
        return self.rows_per_word * self.size

    @property
    def last_row(self) -> int:
        """Where the last row of a word begins."""
        return self.points_per_word - self.size

    @property
    def num_words(self) -> int:
        return math.ceil(self.size / self.rows_per_word)

    @functools.cached_property
    def board(self) -> tuple[np.uint32, ...]:
        """All points."""
        return self.from_points(np.ones(self.num_points, bool))

    @functools.cached_property
    def _not_west_edge(self) -> tuple[np.uint32, ...]:
        return self.from_points(np.arange(self.num_points) % self.size != 0)

    @functools.cached_property
    def _not_east_edge(self) -> tuple[np.uint32, ...]:
        return self.from_points(np.arange(self.num_points) % self.size != self.size - 1)

    def from_points(self, is_member: np.ndarray) -> tuple[np.uint32, ...]:
        """Packs a constant bool array `[num_points, ...]` on the host; the shape of a word is the rest `[...]`."""
        words = []
        for start in range(0, self.num_points, self.points_per_word):
            bits = is_member[start : start + self.points_per_word].astype(np.uint64)
            weights = np.uint64(1) << np.arange(len(bits), dtype=np.uint64)
            words.append(np.tensordot(weights, bits, axes=1).astype(np.uint32))
        return tuple(words)

    def pack(self, is_member: jax.Array) -> jax.Array:
        """bool `[num_points]` → uint32 `[num_words]`."""
        padding = self.num_words * self.points_per_word - self.num_points
        bits = jnp.pad(is_member, (0, padding)).reshape(self.num_words, self.points_per_word)
        weights = np.uint32(1) << np.arange(self.points_per_word, dtype=np.uint32)
        return jnp.sum(bits * weights, axis=1, dtype=jnp.uint32)

    def unpack(self, words: jax.Array) -> jax.Array:
        """uint32 `[..., num_words]` → bool `[..., num_points]`."""
        shifts = np.arange(self.points_per_word, dtype=np.uint32)
        bits = (words[..., None] >> shifts) & np.uint32(1)
        flat = bits.reshape(*words.shape[:-1], self.num_words * self.points_per_word)
        return flat[..., : self.num_points].astype(bool)

    def point(self, action: jax.Array) -> Bitboard:
        """The set that holds the point of `action`; empty for a pass or an action off the board."""
        words = []
        for i in range(self.num_words):
            offset = action - i * self.points_per_word
            stop = min(self.points_per_word, self.num_points - i * self.points_per_word)
            bit = jnp.uint32(1) << jnp.clip(offset, 0, 31).astype(jnp.uint32)
            words.append(jnp.where((offset >= 0) & (offset < stop), bit, jnp.uint32(0)))
        return tuple(words)

    def east(self, x: Bitboard) -> Bitboard:
        """Every member moved one column to the right; those of the last column vanish."""
        return tuple((w & np.uint32(m)) << 1 for w, m in zip(x, self._not_east_edge, strict=True))

    def west(self, x: Bitboard) -> Bitboard:
        """Every member moved one column to the left; those of the first column vanish."""
        return tuple((w & np.uint32(m)) >> 1 for w, m in zip(x, self._not_west_edge, strict=True))

    def south(self, x: Bitboard) -> Bitboard:
        """Every member moved one row down; those of the last row vanish."""
        words = []
        for i, board in enumerate(self.board):
            above = x[i - 1] >> self.last_row if i else jnp.uint32(0)
            within = x[i] << self.size if self.rows_per_word > 1 else jnp.uint32(0)
            words.append((within & board) | above)
        return tuple(words)

    def north(self, x: Bitboard) -> Bitboard:
        """Every member moved one row up; those of the first row vanish."""
        row = np.uint32(2**self.size - 1)
        words = []
        for i in range(self.num_words):
            below = (x[i + 1] & row) << self.last_row if i + 1 < self.num_words else jnp.uint32(0)
            within = x[i] >> self.size if self.rows_per_word > 1 else jnp.uint32(0)
            words.append(within | below)
        return tuple(words)

    def neighbours(self, x: Bitboard) -> Bitboard:
        """All points next to a member (members too, where they touch another)."""
        return union(self.east(x), self.west(x), self.south(x), self.north(x))


def union(*sets: Bitboard) -> Bitboard:
    return tuple(functools.reduce(jnp.bitwise_or, words) for words in zip(*sets, strict=True))


def intersection(*sets: Bitboard) -> Bitboard:
    return tuple(functools.reduce(jnp.bitwise_and, words) for words in zip(*sets, strict=True))


def difference(x: Bitboard, y: Bitboard) -> Bitboard:
    return tuple(a & ~b for a, b in zip(x, y, strict=True))


def select(condition: jax.Array, x: Bitboard, y: Bitboard) -> Bitboard:
    return tuple(jnp.where(condition, a, b) for a, b in zip(x, y, strict=True))


def empty_like(x: Bitboard) -> Bitboard:
    return tuple(jnp.zeros_like(w) for w in x)


def is_empty(x: Bitboard) -> jax.Array:
    return functools.reduce(jnp.bitwise_or, x) == 0


def count(x: Bitboard) -> jax.Array:
    """Number of members, int32."""
    return functools.reduce(jnp.add, [jax.lax.population_count(w) for w in x]).astype(jnp.int32)
