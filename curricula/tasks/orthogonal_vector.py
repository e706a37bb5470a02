"""A vector is given, and another one, orthogonal to it, is said entry by entry."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.act import Act, Choices
from curricula.levels import Levels
from curricula.vocabulary import FIRST_DIGIT, Token

FAR = 2**20  # more tokens than any vector takes


class Knobs(NamedTuple):
    """Difficulty of `orthogonal_vector`."""

    dimension: int  # entries of a vector, at least 2
    range: int  # entries are from -range to range, at most 9


class Puzzle(NamedTuple):
    """A vector."""

    vector: jax.Array  # int8 [N]: entries, none of them zero, then zeros
    dimension: jax.Array  # int32
    range: jax.Array  # int32


class Place(NamedTuple):
    """What was said."""

    entry: jax.Array  # int32: entries said
    product: jax.Array  # int32: their inner product with the vector
    is_nonzero: jax.Array  # bool: one of them is not zero
    is_minus: jax.Array  # bool: the sign of the next one was said


@dataclasses.dataclass(frozen=True)
class OrthogonalVector:
    """The rules. There is always a way: two entries exchanged, one with its sign changed, and zeros elsewhere.

    Attributes:
      room: entries that a vector has room for.
      most: the greatest range.
      most_product: the greatest inner product.
    """

    room: int
    most: int
    most_product: int

    @property
    def num_seen(self) -> int:
        return 4

    def write(self, key: jax.Array, knobs: Knobs) -> Puzzle:
        size_key, sign_key = jax.random.split(key)
        size = jax.random.randint(size_key, (self.room,), 1, jnp.asarray(knobs.range) + 1)
        sign = jnp.where(jax.random.bernoulli(sign_key, shape=(self.room,)), 1, -1)
        vector = sign * size * (jnp.arange(self.room) < knobs.dimension)
        return Puzzle(vector.astype(jnp.int8), *knobs)  # pyright: ignore[reportArgumentType]

    def begin(self, puzzle: Puzzle) -> Place:
        return Place(jnp.int32(0), jnp.int32(0), jnp.bool_(False), jnp.bool_(False))

    def move(self, puzzle: Puzzle, place: Place, action: jax.Array) -> Place:
        is_minus = action == Token.MINUS
        number = jnp.where(is_minus, 0, action - FIRST_DIGIT) * jnp.where(place.is_minus, -1, 1)
        return Place(
            entry=place.entry + ~is_minus,
            product=place.product + number * puzzle.vector[place.entry],
            is_nonzero=place.is_nonzero | (number != 0),
            is_minus=is_minus,
        )

    def look(self, puzzle: Puzzle, place: Place) -> jax.Array:
        entry = place.entry + jnp.arange(2)
        value = puzzle.vector.astype(jnp.int32)[entry % self.room]
        tokens = jnp.stack([jnp.where(value < 0, Token.MINUS, Token.PLUS), FIRST_DIGIT + jnp.abs(value)], axis=1)
        return jnp.where((entry < puzzle.dimension)[:, None], tokens, Token.END).ravel()

    def choices(self, puzzle: Puzzle, place: Place) -> Choices:
        digits = [
            (FIRST_DIGIT + number, (number <= puzzle.range) & (~place.is_minus | (number > 0)))
            for number in range(self.most + 1)
        ]
        return ((Token.MINUS, ~place.is_minus), *digits)

    def is_solved(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return (place.entry == puzzle.dimension) & (place.product == 0) & place.is_nonzero

    def is_lost(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return (place.entry == puzzle.dimension) & ~self.is_solved(puzzle, place)

    def progress(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return self.is_solved(puzzle, place).astype(jnp.float32)

    def limit(self, puzzle: Puzzle) -> jax.Array:
        """A sign and a digit for each entry: no vector takes more."""
        return 2 * puzzle.dimension

    def plan(self, puzzle: Puzzle, place: Place) -> jax.Array:
        left = self._minuses_left(puzzle, place.entry + 1)
        number = jnp.arange(-self.most, self.most + 1)
        is_told = (jnp.abs(number) <= puzzle.range) & (~place.is_minus | (number < 0))
        after = left.nonzero[self.most_product + place.product + number * puzzle.vector[place.entry]]
        after = jnp.where(place.is_nonzero | (number != 0), after, left.zero)
        tokens = jnp.where(is_told, jnp.minimum(after, FAR) + (number < 0), 2 * FAR)
        best = number[jnp.argmin(tokens)]
        return jnp.where((best < 0) & ~place.is_minus, Token.MINUS, FIRST_DIGIT + jnp.abs(best))

    def min_steps(self, puzzle: Puzzle) -> jax.Array:
        """A token for each entry. Where all have one sign, one minus is needed, and enough; else none is."""
        is_entry = jnp.arange(self.room) < puzzle.dimension
        is_negative = puzzle.vector < 0
        return puzzle.dimension + (jnp.all(is_negative == is_negative[0], where=is_entry))

    def _minuses_left(self, puzzle: Puzzle, entry: jax.Array) -> "_MinusesLeft":
        """Backwards from the last entry: each number that may be said, and on from there.

        A product that is out of the table cannot be reached, and what stands for it is never used.
        """
        product = jnp.arange(-self.most_product, self.most_product + 1)

        def before(i: jax.Array, left: _MinusesLeft) -> _MinusesLeft:
            factor = puzzle.vector[puzzle.dimension - 1 - i].astype(jnp.int32)

            def say(size: jax.Array, least: jax.Array) -> jax.Array:
                plus, minus = (
                    left.nonzero[jnp.clip(product + number * factor + self.most_product, 0, len(product) - 1)]
                    for number in (size, -size)
                )
                return jnp.minimum(least, jnp.minimum(plus, 1 + minus))

            nonzero = jax.lax.fori_loop(1, puzzle.range + 1, say, jnp.full_like(left.nonzero, FAR))
            zero = jnp.minimum(left.zero, nonzero[self.most_product])
            return _MinusesLeft(jnp.minimum(left.nonzero, nonzero), zero)

        end = _MinusesLeft(jnp.where(product == 0, 0, FAR), jnp.int32(FAR))
        return jax.lax.fori_loop(0, puzzle.dimension - entry, before, end)


class _MinusesLeft(NamedTuple):
    """Fewest minuses to the end, which are the tokens besides one for each entry."""

    nonzero: jax.Array  # int32 [2 · most_product + 1]: for each product so far, if something said is not zero
    zero: jax.Array  # int32: if nothing said so far is


def orthogonal_vector() -> Act:
    """Says a vector, not zero, whose inner product with the one seen is zero; there are many.

    - Sees the entry at hand and the one after it, each as a sign, PLUS or MINUS, and a digit; END and END after the
      last one. Actions: a digit up to `range` says the entry of the answer that belongs to the entry at hand, after a
      MINUS if it is negative, and goes on to the next; there is no minus zero. With the last entry the answer is right
      or wrong. No entry seen is zero. Not seen: what was said before, and what it sums up to. Steps: dimension, and one
      more where all entries have the same sign, since one MINUS is needed then.
    - The entry after is shown because nobody could be sure to solve it otherwise; with it, saying the second entry,
      then minus the first, then zeros always does. The expert knows all entries, and says more to save a MINUS.
    - Floor: 0.25 in two dimensions, 0.05 in 8, 0.02 in 64, for a constant entry or random actions.
    - Kin: none close (multiply and accumulate); `orthogonality.orthogonal_choice` with an answer of one's own.
    """
    levels = Levels(
        train=(
            Knobs(2, 2),
            Knobs(3, 2),
            Knobs(3, 4),
            Knobs(4, 4),
            Knobs(5, 4),
            Knobs(6, 4),
            Knobs(8, 4),
        ),
        beyond=(
            ("dimension ×1.5", Knobs(12, 4)),
            ("dimension ×2", Knobs(16, 4)),
            ("dimension ×4", Knobs(32, 4)),
            ("dimension ×8", Knobs(64, 4)),
            ("range ×2", Knobs(8, 8)),
        ),
    )
    room, most = levels.most("dimension"), levels.most("range")
    rules = OrthogonalVector(room, most, max(knobs.dimension * knobs.range**2 for knobs in levels.rows))
    return Act("orthogonal_vector", levels, rules, 2 * room, reward="terminal")
