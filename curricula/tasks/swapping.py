"""A row is put in order in place, by exchanges of neighbours."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.act import Act, Choices
from curricula.levels import Levels
from curricula.vocabulary import FIRST_SYMBOL, Token


class Knobs(NamedTuple):
    """Difficulty of `swap_sort`."""

    length: int  # symbols in the row, at least 2
    alphabet: int  # different symbols, at least 2


class Puzzle(NamedTuple):
    """A row that is not in order."""

    cells: jax.Array  # int8 [N]: symbols, then PAD
    length: jax.Array  # int32


class Place(NamedTuple):
    """The row as it is now, and the pair of neighbours that is next."""

    cells: jax.Array  # int8 [N]
    left: jax.Array  # int32: cell of the left one of the pair


@dataclasses.dataclass(frozen=True)
class SwapSort:
    """The rules. Each action deals with one pair, and the next pair is one cell further; after the last, the first.

    Whether to swap is all there is to decide, so the fewest steps are known: swap what is out of order and keep the
    rest, as bubble sort does. In one pass a symbol moves left by one cell at most; so as many passes are needed as the
    most greater symbols that stand before any one, and with these choices there are no more.

    Attributes:
      room: symbols that a row has room for.
    """

    room: int

    @property
    def num_seen(self) -> int:
        return 2

    def write(self, key: jax.Array, knobs: Knobs) -> Puzzle:
        place = jnp.arange(self.room)
        symbols = jnp.where(place < knobs.length, jax.random.randint(key, (self.room,), 0, knobs.alphabet), -1)
        descends = _out_of_order(symbols, knobs.length)
        # In order by chance: read it backwards, and if all are alike, make the outermost two differ.
        backwards = symbols[(knobs.length - 1 - place) % self.room]
        is_alike = symbols[0] == symbols[knobs.length - 1]
        unlike = backwards.at[0].set(1).at[knobs.length - 1].set(0)
        symbols = jnp.where(jnp.any(descends), symbols, jnp.where(is_alike, unlike, backwards))
        cells = jnp.where(place < knobs.length, FIRST_SYMBOL + symbols, Token.PAD)
        return Puzzle(cells.astype(jnp.int8), jnp.asarray(knobs.length, jnp.int32))

    def begin(self, puzzle: Puzzle) -> Place:
        return Place(puzzle.cells, jnp.int32(0))

    def move(self, puzzle: Puzzle, place: Place, action: jax.Array) -> Place:
        cell = jnp.arange(self.room)
        left, right = place.cells[place.left], place.cells[place.left + 1]
        swapped = jnp.where(cell == place.left, right, jnp.where(cell == place.left + 1, left, place.cells))
        return Place(
            cells=jnp.where(action == Token.SWAP, swapped, place.cells),
            left=jnp.where(place.left + 2 >= puzzle.length, 0, place.left + 1),
        )

    def look(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return jnp.stack([place.cells[place.left], place.cells[place.left + 1]]).astype(jnp.int32)

    def choices(self, puzzle: Puzzle, place: Place) -> Choices:
        return ((Token.SWAP, True), (Token.KEEP, True))

    def is_solved(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return ~jnp.any(_out_of_order(place.cells, puzzle.length))

    def is_lost(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return jnp.bool_(False)

    def progress(self, puzzle: Puzzle, place: Place) -> jax.Array:
        """Share of the pairs out of order at first that are in order now; negative if there are more of them."""
        return 1 - _num_inversions(place.cells, puzzle.length) / _num_inversions(puzzle.cells, puzzle.length)

    def limit(self, puzzle: Puzzle) -> jax.Array:
        """Twice the passes that bubble sort takes for the worst row."""
        return 2 * (puzzle.length - 1) ** 2

    def plan(self, puzzle: Puzzle, place: Place) -> jax.Array:
        is_wrong = place.cells[place.left] > place.cells[place.left + 1]
        return jnp.where(is_wrong, Token.SWAP, Token.KEEP)

    def min_steps(self, puzzle: Puzzle) -> jax.Array:
        def go_on(carry):
            place, steps = carry
            return self.move(puzzle, place, self.plan(puzzle, place)), steps + 1

        start = (self.begin(puzzle), jnp.int32(0))
        return jax.lax.while_loop(lambda carry: ~self.is_solved(puzzle, carry[0]), go_on, start)[1]


def _out_of_order(cells: jax.Array, length: jax.Array | int) -> jax.Array:
    """bool `[N - 1]`: whether a cell holds more than the one after it."""
    return (cells[:-1] > cells[1:]) & (jnp.arange(1, len(cells)) < length)


def _num_inversions(cells: jax.Array, length: jax.Array) -> jax.Array:
    """Pairs in the wrong order, neighbours or not: float32 `[]`."""
    place = jnp.arange(len(cells))
    is_pair = (place[:, None] < place) & (place < length)
    return jnp.sum(is_pair & (cells[:, None] > cells), dtype=jnp.float32)


def swap_sort() -> Act:
    """Sorts a row of symbols by exchanging neighbours.

    - Sees two neighbours. Actions: SWAP exchanges them, KEEP does not; then the next pair is seen, after the last one
      the first again. Solved as soon as the row is in order. Steps: at most (length - 1) ** 2.
    - Reward: when it is solved; with `reward="token"` the share of pairs put in order, which may be lost again.
    - Floor: rows of two or three are often sorted by chance within the limit of 2 · (length - 1) ** 2 steps; of eight,
      below 1 in 10.
    - Kin: the compare and exchange of sorting in Brainf**k.
    """
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
    return Act("swap_sort", levels, SwapSort(room), 2 * (room - 1) ** 2, reward="terminal")
