"""Numbers are combined, two at a time, until a target comes out."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import numerals
from curricula.act import Act, Choices
from curricula.levels import Levels
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, Token

OPERATORS = (Token.PLUS, Token.MINUS, Token.TIMES, Token.DIVIDE)
WIDTH = 4  # digits of a number
MOST = 10**WIDTH - 1
NUM_DRAWS = 8  # of a target
FAR = 2**20  # more combinations than any way


class Knobs(NamedTuple):
    """Difficulty of `countdown`."""

    count: int  # numbers given, at least 2
    range: int  # of the numbers given: from 1 to this


class Puzzle(NamedTuple):
    """Numbers and a target."""

    numbers: jax.Array  # int32 [N]: then zeros
    target: jax.Array  # int32


class Place(NamedTuple):
    """The numbers as they are now, and the combination begun."""

    numbers: jax.Array  # int32 [N]: of each slot, 0 where it is empty
    first: jax.Array  # int32: the symbol of the first slot, BLANK before it is picked
    operator: jax.Array  # int32: the same


@dataclasses.dataclass(frozen=True)
class Countdown:
    """The rules. While there are two numbers, they can be combined: equal ones divided, others subtracted.

    Attributes:
      room: slots.
    """

    room: int

    @property
    def num_seen(self) -> int:
        return WIDTH * (self.room + 1) + 2

    def write(self, key: jax.Array, knobs: Knobs) -> Puzzle:
        """The first new number of several that random combinations of all numbers give; if all are old, the sum."""
        number_key, result_key = jax.random.split(key)
        drawn = jax.random.randint(number_key, (self.room,), 1, jnp.asarray(knobs.range) + 1)
        numbers = jnp.where(jnp.arange(self.room) < knobs.count, drawn, 0)
        results = jax.vmap(_random_result, (0, None))(jax.random.split(result_key, NUM_DRAWS), numbers)
        is_new = jnp.all(results[:, None] != numbers, axis=1)
        return Puzzle(numbers, jnp.where(jnp.any(is_new), results[jnp.argmax(is_new)], jnp.sum(numbers)))

    def begin(self, puzzle: Puzzle) -> Place:
        return Place(puzzle.numbers, jnp.int32(Token.BLANK), jnp.int32(Token.BLANK))

    def move(self, puzzle: Puzzle, place: Place, action: jax.Array) -> Place:
        is_second = place.operator != Token.BLANK
        first, second = place.first - FIRST_SYMBOL, action - FIRST_SYMBOL
        operator = jnp.argmax(jnp.array(OPERATORS) == place.operator)
        combined = _combined(place.numbers, first, second, _results(place.numbers)[first, operator, second])
        is_first = place.first == Token.BLANK
        return Place(
            numbers=jnp.where(is_second, combined, place.numbers),
            first=jnp.where(is_second, Token.BLANK, jnp.where(is_first, action, place.first)),
            operator=jnp.where(is_second | is_first, Token.BLANK, action),
        )

    def look(self, puzzle: Puzzle, place: Place) -> jax.Array:
        numbers = jnp.append(place.numbers, puzzle.target)
        digits = FIRST_DIGIT + jax.vmap(lambda number: numerals.digits(number, WIDTH)[::-1])(numbers)
        tokens = jnp.where(numbers[:, None] > 0, digits, Token.BLANK)
        return jnp.concatenate([tokens.ravel(), jnp.stack([place.first, place.operator])])

    def choices(self, puzzle: Puzzle, place: Place) -> Choices:
        is_open = (_results(place.numbers) > 0) & _goes_on(place, self.room)
        is_first, is_second = place.first == Token.BLANK, place.operator != Token.BLANK
        of_slot = jnp.where(is_first, jnp.any(is_open, axis=(1, 2)), is_second & jnp.any(is_open, axis=(0, 1)))
        of_operator = ~is_first & ~is_second & jnp.any(is_open, axis=(0, 2))
        return (
            *((FIRST_SYMBOL + slot, of_slot[slot]) for slot in range(self.room)),
            *zip(OPERATORS, of_operator, strict=True),
        )

    def is_solved(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return jnp.any(place.numbers == puzzle.target)

    def is_lost(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return (jnp.sum(place.numbers > 0) < 2) & ~self.is_solved(puzzle, place)

    def progress(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return self.is_solved(puzzle, place).astype(jnp.float32)

    def limit(self, puzzle: Puzzle) -> jax.Array:
        """Three picks for each combination: then one number is left."""
        return 3 * (jnp.sum(puzzle.numbers > 0, dtype=jnp.int32) - 1)

    def plan(self, puzzle: Puzzle, place: Place) -> jax.Array:
        fewest = _fewest(place.numbers, puzzle.target)[_pair_of(self.room)].swapaxes(1, 2)  # as `_results`
        is_open = (_results(place.numbers) > 0) & _goes_on(place, self.room)
        first, operator, second = _cell(jnp.argmin(jnp.where(is_open, fewest, 2 * FAR)), fewest)
        is_first, is_second = place.first == Token.BLANK, place.operator != Token.BLANK
        slot = FIRST_SYMBOL + jnp.where(is_first, first, second)
        return jnp.where(is_first | is_second, slot, jnp.array(OPERATORS)[operator])

    def min_steps(self, puzzle: Puzzle) -> jax.Array:
        return 3 * jnp.min(_fewest(puzzle.numbers, puzzle.target))


def _apply(a: jax.Array, b: jax.Array) -> jax.Array:
    """a + b, a - b, a · b, a / b in a new last axis, 0 where that is not allowed or a or b is 0."""
    is_exact = a % jnp.maximum(b, 1) == 0
    results = jnp.stack([a + b, a - b, a * b, jnp.where(is_exact, a // jnp.maximum(b, 1), 0)], axis=-1)
    is_allowed = ((a > 0) & (b > 0))[..., None] & (results > 0) & (results <= MOST)
    return jnp.where(is_allowed, results, 0)


def _results(numbers: jax.Array) -> jax.Array:
    """What the combinations give, 0 where one is not allowed: int32 `[first, operator, second]`."""
    results = _apply(numbers[:, None], numbers[None, :])
    return jnp.where(np.eye(len(numbers), dtype=bool)[..., None], 0, results).swapaxes(1, 2)


def _combined(numbers: jax.Array, first: jax.Array, second: jax.Array, result: jax.Array) -> jax.Array:
    slot = jnp.arange(len(numbers))
    return jnp.where(slot == first, result, jnp.where(slot == second, 0, numbers))


def _random_result(key: jax.Array, numbers: jax.Array) -> jax.Array:
    """What is left when all numbers are combined at random."""

    def combine(numbers: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        results = _results(numbers)
        # Plus and times go both ways, minus and, mostly, divide do not: half as likely, all are alike.
        weights = (results > 0) / np.array([2, 1, 2, 1])[:, None]
        cell = _cell(jax.random.categorical(key, jnp.log(weights).ravel()), results)
        first, _, second = cell
        return jnp.where(jnp.any(results > 0), _combined(numbers, first, second, results[cell]), numbers), None

    return jnp.max(jax.lax.scan(combine, numbers, jax.random.split(key, len(numbers) - 1))[0])


def _goes_on(place: Place, room: int) -> jax.Array:
    """The combinations that begin with the picks made: bool `[first, operator, second]`."""
    is_first = (place.first == Token.BLANK) | (place.first == FIRST_SYMBOL + jnp.arange(room))
    is_operator = (place.operator == Token.BLANK) | (place.operator == jnp.array(OPERATORS))
    return is_first[:, None, None] & is_operator[None, :, None] & np.ones(room, bool)


def _cell(index: jax.Array, table: jax.Array) -> tuple[jax.Array, ...]:
    return jnp.unravel_index(index, table.shape)


@jax.jit  # else its operations are compiled one by one where it is not traced
def _fewest(numbers: jax.Array, target: jax.Array) -> jax.Array:
    """Fewest combinations to the target, the first of them given: int32 `[pair of slots, operator]`.

    All sequences of combinations side by side; an order of the two numbers that is not allowed leaves nothing. For
    five numbers these are 40, then 960, 11,520 and 46,080.
    """
    num_first = _num_pairs(len(numbers)) * len(OPERATORS)
    nodes, fewest = numbers[None], jnp.full(num_first, FAR)
    for num_combinations in range(1, len(numbers)):
        results, nodes = _expand(nodes)
        is_found = jnp.any((results == target).reshape(num_first, -1), axis=1)
        fewest = jnp.minimum(fewest, jnp.where(is_found, num_combinations, FAR))
    return fewest.reshape(-1, len(OPERATORS))


def _expand(nodes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Every combination of two of the numbers `[N, k]`, the greater one first: results `[M]`, numbers `[M, k - 1]`."""
    size = nodes.shape[1]
    pairs = np.stack(np.triu_indices(size, 1), axis=1)
    others = np.array([[slot for slot in range(size) if slot not in pair] for pair in pairs], np.int32)
    a, b = nodes[:, pairs[:, 0]], nodes[:, pairs[:, 1]]
    results = _apply(jnp.maximum(a, b), jnp.minimum(a, b))  # [N, pair, operator]
    kept = nodes[:, others.reshape(len(pairs), size - 2)][:, :, None] * (results > 0)[..., None]
    return results.ravel(), jnp.concatenate([results[..., None], kept], axis=-1).reshape(-1, size - 1)


def _num_pairs(size: int) -> int:
    return size * (size - 1) // 2


def _pair_of(size: int) -> np.ndarray:
    """The number of the pair that two slots are, in the order of `_expand`: `[first, second]`, 0 for no pair."""
    number = np.zeros((size, size), np.int32)
    number[np.triu_indices(size, 1)] = np.arange(_num_pairs(size))
    return number + number.T


def countdown() -> Act:
    """Combines numbers with plus, minus, times and divided by until one of them is the target.

    - Sees everything: the numbers in five slots, then the target, each in four digits with the most significant first,
      or four BLANKs for an empty slot; then the picks made, first slot and operator, or BLANK. Actions: three picks
      make a combination: the first number's slot, one of the symbols a to e, then PLUS, MINUS, TIMES or DIVIDE, then
      the second number's slot. The result goes to the first slot, the second is emptied. Results are whole numbers
      from 1 to 9999, divisions exact; what cannot lead to one is illegal at every pick. Solved as soon as the target
      comes out, of some or all numbers; lost when one other number is left. The target is none of those given.
      Steps: at most 3 · (count - 1).
    - Floor: 0.36 for two numbers, 0.12 for three, 0.05 for four and 0.03 for five; random picks and adding everything
      do about equally well.
    - Kin: expression building; it is Countdown's numbers round, and the game of 24 with a target of its own.
    - The expert tries all combinations, 58,600 results for five numbers: call it for few episodes at a time.
    """
    levels = Levels(
        train=(Knobs(2, 10), Knobs(3, 10), Knobs(3, 25), Knobs(4, 25)),
        beyond=(
            ("count 5", Knobs(5, 25)),
            ("range ×2", Knobs(4, 50)),
            ("range ×4", Knobs(4, 100)),
            ("count 5, range ×4", Knobs(5, 100)),
        ),
    )
    room = levels.most("count")
    return Act("countdown", levels, Countdown(room), 3 * (room - 1), reward="terminal")
