"""A head on a tape: symbols are said by moving to them and emitting them, in the order that is asked for.

These are `copy`, `reverse` and their kin with the prompt before one's eyes instead of in one's memory; the head sees
one cell at a time. `<`, `>` and `.` of Brainf**k do the same.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from curricula.act import Act, Choices
from curricula.levels import Levels
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, Token

FAR = 2**20  # more steps than any way


class Knobs(NamedTuple):
    """Difficulty of `tape_copy`, `tape_reverse` and `tape_odds_first`."""

    length: int  # symbols on the tape
    alphabet: int  # different symbols


class RepeatKnobs(NamedTuple):
    """Difficulty of `tape_repeat`."""

    length: int
    alphabet: int
    times: int


class Puzzle(NamedTuple):
    """A tape and what to say; N cells of room for symbols, M for the answer."""

    cells: jax.Array  # int8 [N + 2]: the left end, the symbols, END, then PAD
    length: jax.Array  # int32: symbols
    answer: jax.Array  # int8 [M]: symbols, then PAD
    answer_length: jax.Array  # int32


class Place(NamedTuple):
    """Where the head is, and what was said."""

    head: jax.Array  # int32: cell, from 0, the left end, to length + 1 (END)
    said: jax.Array  # int32: symbols emitted, all of them right
    is_wrong: jax.Array  # bool: a wrong one was emitted


@dataclasses.dataclass(frozen=True)
class Tape:
    """The rules. A cell is emitted rightly if it holds the symbol that is due, wherever it lies.

    Attributes:
      room: symbols that a tape has room for.
      answer_room: symbols that an answer has room for.
      source: `(k, knobs)` → the cells' numbers, from 0, that the answer's symbols k `[M]` are taken from.
      answer_length: `(knobs)` → symbols of the answer.
      left_end: `(knobs)` → the token at the left end of the tape.
    """

    room: int
    answer_room: int
    source: Callable[[jax.Array, Any], jax.Array]
    answer_length: Callable[[Any], jax.Array]
    left_end: Callable[[Any], jax.Array | int]

    @property
    def num_seen(self) -> int:
        return 1

    def write(self, key: jax.Array, knobs: Any) -> Puzzle:
        place = jnp.arange(self.room + 2)
        symbols = FIRST_SYMBOL + jax.random.randint(key, place.shape, 0, knobs.alphabet)
        cells = jnp.where(place <= knobs.length, symbols, Token.PAD).at[0].set(self.left_end(knobs))
        cells = cells.at[knobs.length + 1].set(int(Token.END))
        k = jnp.arange(self.answer_room)
        length = jnp.asarray(self.answer_length(knobs), jnp.int32)
        answer = jnp.where(k < length, cells[1 + self.source(k, knobs) % knobs.length], Token.PAD)
        return Puzzle(cells.astype(jnp.int8), knobs.length, answer.astype(jnp.int8), length)

    def begin(self, puzzle: Puzzle) -> Place:
        """On the first symbol."""
        return Place(jnp.int32(1), jnp.int32(0), jnp.bool_(False))

    def move(self, puzzle: Puzzle, place: Place, action: jax.Array) -> Place:
        is_emitted = action == Token.EMIT
        is_right = is_emitted & (puzzle.cells[place.head] == puzzle.answer[place.said])
        stride = (action == Token.RIGHT).astype(jnp.int32) - (action == Token.LEFT)
        return Place(place.head + stride, place.said + is_right, is_emitted & ~is_right)

    def look(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return puzzle.cells[place.head][None].astype(jnp.int32)

    def choices(self, puzzle: Puzzle, place: Place) -> Choices:
        is_left, is_right = place.head == 0, place.head == puzzle.length + 1
        return ((Token.LEFT, ~is_left), (Token.RIGHT, ~is_right), (Token.EMIT, ~(is_left | is_right)))

    def is_solved(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.said == puzzle.answer_length

    def is_lost(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.is_wrong

    def progress(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.said.astype(jnp.float32) / puzzle.answer_length

    def limit(self, puzzle: Puzzle) -> jax.Array:
        """Twice the way that goes to both ends of the tape before each symbol."""
        return 2 * puzzle.answer_length * (puzzle.length + 1)

    def plan(self, puzzle: Puzzle, place: Place) -> jax.Array:
        """What is due is emitted at once: that moves nothing, so nothing is gained by doing it later."""
        steps = _steps_left(puzzle, place.said)
        is_due = puzzle.cells[place.head] == puzzle.answer[place.said]
        is_best_left = steps[jnp.maximum(place.head - 1, 0)] < steps[place.head]
        return jnp.where(is_due, Token.EMIT, jnp.where(is_best_left, Token.LEFT, Token.RIGHT))

    def min_steps(self, puzzle: Puzzle) -> jax.Array:
        return _steps_left(puzzle, jnp.int32(0))[self.begin(puzzle).head]


@jax.jit  # else its loop is compiled at each call that is not traced
def _steps_left(puzzle: Puzzle, said: jax.Array) -> jax.Array:
    """Fewest steps to the end, for the head at each cell: int32 `[N + 2]`.

    Backwards from the last symbol: the way to a cell with the symbol that is due, and on from there.
    """
    cell = jnp.arange(len(puzzle.cells))

    def before(i: jax.Array, after: jax.Array) -> jax.Array:
        from_here = jnp.where(puzzle.cells == puzzle.answer[puzzle.answer_length - 1 - i], 1 + after, FAR)
        from_left = cell + jax.lax.cummin(from_here - cell)
        from_right = jax.lax.cummin(from_here + cell, reverse=True) - cell
        return jnp.minimum(from_left, from_right)

    return jax.lax.fori_loop(0, puzzle.answer_length - said, before, jnp.zeros(len(puzzle.cells), jnp.int32))


def tape_copy() -> Act:
    """Emits the tape from left to right.

    - Sees the cell under the head: a symbol, or BEGIN or END at the ends. Actions: LEFT, RIGHT, EMIT; the head starts
      on the first symbol. A wrong emission ends the episode. Steps: 2 · length - 1, fewer where symbols repeat.
    - Floor: below 2 / 3 ** length per episode.
    - Kin: the `.>` loop of Brainf**k, print and copy.
    """
    return _whole_tape("tape_copy", _forwards)


def tape_reverse() -> Act:
    """Emits the tape from right to left.

    - Sees and does as in `tape_copy`. Steps: 3 · length - 2, fewer where symbols repeat.
    - Floor: as in `tape_copy`.
    - Kin: walking back along the tape in Brainf**k.
    """
    return _whole_tape("tape_reverse", _backwards)


def tape_odds_first() -> Act:
    """Emits the first, third, fifth … symbol of the tape and then the second, fourth …

    - Sees and does as in `tape_copy`. Steps: about 4 · length, fewer where symbols repeat.
    - Floor: as in `tape_copy`.
    - Kin: conditional copy.
    """
    return _whole_tape("tape_odds_first", _odds_first)


def _whole_tape(name: str, source: Callable[[jax.Array, Any], jax.Array]) -> Act:
    """A task that emits each cell once."""
    levels = Levels(
        train=tuple(Knobs(length, 8) for length in range(2, 9)),
        beyond=(
            ("length ×1.5", Knobs(12, 8)),
            ("length ×2", Knobs(16, 8)),
            ("length ×4", Knobs(32, 8)),
            ("length ×8", Knobs(64, 8)),
            ("alphabet ×2", Knobs(8, 16)),
        ),
    )
    room = levels.most("length")
    rules = Tape(room, room, source, _length, _begin)
    return Act(name, levels, rules, 2 * room * (room + 1))


def tape_repeat() -> Act:
    """Emits the tape from left to right several times over.

    - Sees and does as in `tape_copy`, but that the left end of the tape is a digit, which tells how often. Steps: about
      3 · length · times, fewer where symbols repeat.
    - Floor: as in `tape_copy`, with length · times for the length.
    - Kin: nested loops.
    """
    levels = Levels(
        train=(RepeatKnobs(2, 8, 2), RepeatKnobs(3, 8, 2), RepeatKnobs(3, 8, 3), RepeatKnobs(4, 8, 3)),
        beyond=(
            ("length ×1.5", RepeatKnobs(6, 8, 3)),
            ("length ×2", RepeatKnobs(8, 8, 3)),
            ("length ×4", RepeatKnobs(16, 8, 3)),
            ("length ×8", RepeatKnobs(32, 8, 3)),
            ("times ×2", RepeatKnobs(4, 8, 6)),
        ),
    )
    room, answer_room = levels.most("length"), max(map(_repeated_length, levels.rows))
    rules = Tape(room, answer_room, _repeated, _repeated_length, _times)
    return Act("tape_repeat", levels, rules, 2 * answer_room * (room + 1))


# Named, since a task has to equal itself when it is made anew, lest it be compiled anew.


def _length(knobs: Knobs) -> Any:
    return knobs.length


def _begin(knobs: Knobs) -> int:
    return int(Token.BEGIN)


def _forwards(k: jax.Array, knobs: Knobs) -> jax.Array:
    return k


def _backwards(k: jax.Array, knobs: Knobs) -> jax.Array:
    return knobs.length - 1 - k


def _odds_first(k: jax.Array, knobs: Knobs) -> jax.Array:
    num_odd = (knobs.length + 1) // 2
    return jnp.where(k < num_odd, 2 * k, 2 * (k - num_odd) + 1)


def _repeated(k: jax.Array, knobs: RepeatKnobs) -> jax.Array:
    return k % knobs.length


def _repeated_length(knobs: RepeatKnobs) -> Any:
    return knobs.length * knobs.times


def _times(knobs: RepeatKnobs) -> int:
    return FIRST_DIGIT + knobs.times
