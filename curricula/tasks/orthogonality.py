"""Inner products: which vector is orthogonal to another, and a matrix times a vector."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.levels import Levels
from curricula.packing import pack
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_DIGIT, Token, digits

NUM_CHOICES = 4
NUM_DRAWS = 64  # of all entries of a candidate but two


class ChoiceKnobs(NamedTuple):
    """Difficulty of `orthogonal_choice`."""

    dimension: int  # entries of a vector, at least 2
    range: int  # entries are from -range to range, at most 9


def orthogonal_choice(levels: Levels | None = None) -> Stream:
    """Tells which of four vectors is orthogonal to another.

    - Prompt: the vector and then four candidates, each followed by BLANK. An entry is a digit, after a MINUS if it is
      negative. Exactly one candidate has an inner product of zero. Answer: its number, a digit from 0 to 3. Steps: at
      most 10 · dimension + 6.
    - The wrong ones are near misses: drawn in the same way, but for a product that is not zero and, where there is such
      a vector, at most `range`. No candidate is the zero vector.
    - Beyond: the dimension; not length, entries twice as large.
    - Floor: 1/4.
    - Kin: none close (multiply and accumulate); four-way choices of this form are Table 3 of Han et al., "General
      Intelligence Requires Reward-based Pretraining" (2025), in three dimensions.

    Args:
      levels: of `ChoiceKnobs`, instead of the usual ones.
    """
    levels = levels or Levels(
        train=(
            ChoiceKnobs(2, 2),
            ChoiceKnobs(3, 2),
            ChoiceKnobs(3, 4),
            ChoiceKnobs(4, 4),
            ChoiceKnobs(5, 4),
            ChoiceKnobs(6, 4),
            ChoiceKnobs(8, 4),
        ),
        beyond=(
            ("dimension ×1.5", ChoiceKnobs(12, 4)),
            ("dimension ×2", ChoiceKnobs(16, 4)),
            ("dimension ×4", ChoiceKnobs(32, 4)),
            ("dimension ×8", ChoiceKnobs(64, 4)),
            ("range ×2", ChoiceKnobs(8, 8)),
        ),
    )
    room, most = levels.most("dimension"), levels.most("range")

    def write(key: jax.Array, knobs: ChoiceKnobs) -> Script:
        vector_key, right_key, choice_key = jax.random.split(key, 3)
        is_entry = jnp.arange(room) < knobs.dimension
        vector = _nonzero(vector_key, knobs.range, room) * is_entry
        right = jax.random.randint(right_key, (), 0, NUM_CHOICES)
        keys = jax.random.split(choice_key, NUM_CHOICES)
        choices = jax.vmap(lambda key, is_right: _candidate(key, vector, knobs, most, is_right))(
            keys, jnp.arange(NUM_CHOICES) == right
        )
        entries = jnp.concatenate([vector[None], choices])  # [vector, entry]
        tokens = jnp.stack([jnp.full_like(entries, int(Token.MINUS)), FIRST_DIGIT + jnp.abs(entries)], axis=2)
        is_told = jnp.stack([entries < 0, jnp.full_like(entries, 1, bool)], axis=2) & is_entry[:, None]
        rows = tokens.reshape(1 + NUM_CHOICES, 2 * room)
        rows = jnp.pad(rows, ((0, 0), (0, 1)), constant_values=int(Token.BLANK))
        is_used = jnp.pad(is_told.reshape(rows.shape[0], 2 * room), ((0, 0), (0, 1)), constant_values=True)
        return ask(*pack((rows, is_used)), (FIRST_DIGIT + right)[None], jnp.int32(1))

    max_steps = (1 + NUM_CHOICES) * (2 * room + 1) + 1
    return Stream("orthogonal_choice", levels, write, max_steps, digits(NUM_CHOICES))


def _nonzero(key: jax.Array, bound: jax.Array | int, room: int) -> jax.Array:
    """A vector none of whose entries is zero, so that each of them counts: int32 `[room]`."""
    size_key, sign_key = jax.random.split(key)
    sign = jnp.where(jax.random.bernoulli(sign_key, shape=(room,)), 1, -1)
    return sign * jax.random.randint(size_key, (room,), 1, bound + 1)


def _candidate(key: jax.Array, vector: jax.Array, knobs: ChoiceKnobs, most: int, is_right: jax.Array) -> jax.Array:
    """A vector whose product with another is zero, or nearly so: int32 `[room]`.

    All entries but two are drawn, many times over, and for the two every pair of values is tried. The last of the
    draws is all zeros: so some pair always gives zero.
    """
    draw_key, place_key, start_key = jax.random.split(key, 3)
    place = jnp.arange(len(vector))
    chance = jnp.where(place < knobs.dimension, jax.random.uniform(place_key, place.shape), 2.0)
    first, second = jnp.argsort(chance)[:2]
    is_drawn = (place < knobs.dimension) & (place != first) & (place != second)
    draws = jax.random.randint(draw_key, (NUM_DRAWS, len(vector)), -knobs.range, knobs.range + 1) * is_drawn
    draws = draws.at[-1].set(0)
    value = jnp.arange(-most, most + 1)
    x, y = (grid.ravel() for grid in jnp.meshgrid(value, value))
    product = (draws @ vector)[:, None] + x * vector[first] + y * vector[second]  # [draw, pair]
    is_small = (jnp.abs(x) <= knobs.range) & (jnp.abs(y) <= knobs.range)
    is_vector = is_small & (jnp.any(draws != 0, axis=1)[:, None] | (x != 0) | (y != 0))
    is_near = jnp.abs(product) <= knobs.range
    is_fit = jnp.where(is_right, 2 * (product == 0), (product != 0) * (1 + is_near))
    is_last_resort = jnp.arange(NUM_DRAWS)[:, None] == NUM_DRAWS - 1
    worth = jnp.where(is_vector, 2 * is_fit - is_last_resort, -2).ravel()
    start = jax.random.randint(start_key, (), 0, len(worth))  # so that no draw and no pair is preferred
    best = _first_of_the_best(worth, start)
    pair = best % len(x)
    return draws[best // len(x)].at[first].set(x[pair]).at[second].set(y[pair])


def _first_of_the_best(worth: jax.Array, start: jax.Array) -> jax.Array:
    """Where the greatest of some small whole numbers, int32 `[n]`, comes up first, going round from `start`: int32.

    One maximum of numbers that differ: on CPUs many times faster than `argmax` of what was turned.
    """
    num, place = len(worth), jnp.arange(len(worth))
    steps = jnp.where(place >= start, place - start, place - start + num)
    return (-jnp.max(num * worth - steps) % num + start) % num


class MatrixKnobs(NamedTuple):
    """Difficulty of `matrix_vector`."""

    columns: int
    rows: int
    modulus: int  # at most 9


def matrix_vector() -> Stream:
    """Multiplies a matrix and a vector modulo a number.

    - Prompt: the modulus, the vector, then the rows of the matrix, each of them followed by BLANK; all in digits.
      Answer: the entries of the product, a digit for each row. Steps: (rows + 1) · (columns + 1) + rows + 2.
    - No entry of the vector is zero, so every entry of the matrix counts; those are uniform. So is the product where
      the modulus is prime, as it is but for one level.
    - Beyond: the columns; not length, twice the rows, or modulus 9.
    - Floor per token: 1 / modulus for a constant digit, 1/9 for a random one; per episode that to the power of `rows`.
    - Kin: none close (multiply and accumulate).
    """
    levels = Levels(
        train=(
            MatrixKnobs(2, 2, 3),
            MatrixKnobs(3, 2, 3),
            MatrixKnobs(4, 2, 5),
            MatrixKnobs(5, 3, 5),
            MatrixKnobs(6, 3, 5),
            MatrixKnobs(7, 3, 7),
            MatrixKnobs(8, 4, 7),
        ),
        beyond=(
            ("columns ×1.5", MatrixKnobs(12, 4, 7)),
            ("columns ×2", MatrixKnobs(16, 4, 7)),
            ("columns ×4", MatrixKnobs(32, 4, 7)),
            ("columns ×8", MatrixKnobs(64, 4, 7)),
            ("rows ×2", MatrixKnobs(8, 8, 7)),
            ("modulus 9", MatrixKnobs(8, 4, 9)),
        ),
    )
    columns, rows = levels.most("columns"), levels.most("rows")
    max_prompt = max((knobs.rows + 1) * (knobs.columns + 1) + 2 for knobs in levels.rows)

    def write(key: jax.Array, knobs: MatrixKnobs) -> Script:
        matrix_key, vector_key = jax.random.split(key)
        is_column, is_row = jnp.arange(columns) < knobs.columns, jnp.arange(rows) < knobs.rows
        matrix = jax.random.randint(matrix_key, (rows, columns), 0, knobs.modulus)
        vector = jax.random.randint(vector_key, (columns,), 1, knobs.modulus)
        product = (matrix * is_column) @ vector % knobs.modulus
        lines = FIRST_DIGIT + jnp.concatenate([vector[None], matrix])
        lines = jnp.pad(lines, ((0, 0), (0, 1)), constant_values=int(Token.BLANK))
        is_told = jnp.append(True, is_row)[:, None] & jnp.append(is_column, True)
        modulus = jnp.stack([FIRST_DIGIT + knobs.modulus, jnp.int32(Token.BLANK)])
        prompt, length = pack((modulus, jnp.full(2, True)), (lines, is_told))
        # No level has both the most rows and the most columns.
        return ask(prompt[:max_prompt], length, FIRST_DIGIT + product, knobs.rows)

    return Stream("matrix_vector", levels, write, max_prompt + rows, digits(9))
