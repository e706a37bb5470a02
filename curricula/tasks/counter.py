"""A counter that goes round, and a word to be emitted with it."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.act import Act, Choices
from curricula.levels import Levels
from curricula.vocabulary import FIRST_SYMBOL, Token


class Knobs(NamedTuple):
    """Difficulty of `emit_counter`."""

    length: int  # of the word
    modulus: int  # symbols that the counter goes through


class Puzzle(NamedTuple):
    """A word of numbers."""

    word: jax.Array  # int8 [N]: numbers, then zeros
    length: jax.Array  # int32
    modulus: jax.Array  # int32


class Place(NamedTuple):
    """The counter, and what was said."""

    counter: jax.Array  # int32
    said: jax.Array  # int32: symbols emitted, all of them right
    is_wrong: jax.Array  # bool: a wrong one was emitted


@dataclasses.dataclass(frozen=True)
class EmitCounter:
    """The rules.

    Attributes:
      room: symbols that a word has room for.
    """

    room: int

    @property
    def num_seen(self) -> int:
        return 2

    def write(self, key: jax.Array, knobs: Knobs) -> Puzzle:
        word = jax.random.randint(key, (self.room,), 0, knobs.modulus) * (jnp.arange(self.room) < knobs.length)
        return Puzzle(word.astype(jnp.int8), knobs.length, knobs.modulus)  # pyright: ignore[reportArgumentType]

    def begin(self, puzzle: Puzzle) -> Place:
        return Place(jnp.int32(0), jnp.int32(0), jnp.bool_(False))

    def move(self, puzzle: Puzzle, place: Place, action: jax.Array) -> Place:
        change = (action == Token.PLUS).astype(jnp.int32) - (action == Token.MINUS)
        is_emitted = action == Token.EMIT
        is_right = is_emitted & (place.counter == puzzle.word[place.said])
        counter = (place.counter + change) % puzzle.modulus
        return Place(counter, place.said + is_right, is_emitted & ~is_right)

    def look(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return FIRST_SYMBOL + jnp.stack([place.counter, puzzle.word[place.said].astype(jnp.int32)])

    def choices(self, puzzle: Puzzle, place: Place) -> Choices:
        return ((Token.PLUS, True), (Token.MINUS, True), (Token.EMIT, True))

    def is_solved(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.said == puzzle.length

    def is_lost(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.is_wrong

    def progress(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.said.astype(jnp.float32) / puzzle.length

    def limit(self, puzzle: Puzzle) -> jax.Array:
        """Enough to go once round the counter before each symbol."""
        return puzzle.length * puzzle.modulus

    def plan(self, puzzle: Puzzle, place: Place) -> jax.Array:
        up = (puzzle.word[place.said] - place.counter) % puzzle.modulus
        turn = jnp.where(2 * up <= puzzle.modulus, Token.PLUS, Token.MINUS)
        return jnp.where(up == 0, Token.EMIT, turn)

    def min_steps(self, puzzle: Puzzle) -> jax.Array:
        word = puzzle.word.astype(jnp.int32)
        up = jnp.diff(word, prepend=0) % puzzle.modulus
        arcs = 1 + jnp.minimum(up, puzzle.modulus - up)
        return jnp.sum(arcs * (jnp.arange(self.room) < puzzle.length), dtype=jnp.int32)


def emit_counter() -> Act:
    """Emits a word with a counter that goes up and down by one, round a circle of symbols.

    - Sees the counter's symbol and the one that is due. Actions: PLUS, MINUS, EMIT; from the last symbol PLUS leads to
      the first. The counter starts at the first symbol. A wrong emission ends the episode. Steps: the sum of the
      shorter ways round from each symbol to the next, and `length` emissions.
    - Floor: below 1/2 ** length per episode, for a random or a constant action.
    - Kin: printing in Brainf**k, `+++.--.` is this very thing.
    """
    levels = Levels(
        train=(
            Knobs(2, 4),
            Knobs(2, 6),
            Knobs(3, 6),
            Knobs(4, 8),
            Knobs(5, 8),
            Knobs(6, 8),
            Knobs(8, 8),
        ),
        beyond=(
            ("length ×1.5", Knobs(12, 8)),
            ("length ×2", Knobs(16, 8)),
            ("length ×4", Knobs(32, 8)),
            ("length ×8", Knobs(64, 8)),
            ("modulus ×2", Knobs(8, 16)),
        ),
    )
    room = levels.most("length")
    return Act("emit_counter", levels, EmitCounter(room), max(k.length * k.modulus for k in levels.rows))
