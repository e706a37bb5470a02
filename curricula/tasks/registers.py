"""Two registers of a small machine, and a sequence to be emitted with them: each term comes from the one before."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import numerals
from curricula.act import Act, Choices
from curricula.levels import Levels
from curricula.vocabulary import FIRST_DIGIT, Token

FAR = 2**20  # more steps than any way
WIDTH = 2  # digits of a register


class Knobs(NamedTuple):
    """Difficulty of `register_fibonacci` and `register_factorial`."""

    terms: int  # to be emitted
    modulus: int  # a prime, at least 3


class Registers(NamedTuple):
    """Numbers below the modulus."""

    x: jax.Array  # int32: the one that is emitted
    y: jax.Array  # int32


Change = Callable[[Registers, jax.Array | int], Registers]
"""(registers, modulus) → registers; also of arrays of registers."""


class Puzzle(NamedTuple):
    """The registers at first, and the sequence to emit."""

    x: jax.Array  # int32
    y: jax.Array  # int32
    terms: jax.Array  # int8 [N]: numbers, then zeros
    length: jax.Array  # int32: terms
    modulus: jax.Array  # int32


class Place(NamedTuple):
    """The registers now, and what was said."""

    registers: Registers
    said: jax.Array  # int32: terms emitted, all of them right
    is_wrong: jax.Array  # bool: a wrong one was emitted


@dataclasses.dataclass(frozen=True)
class Machine:
    """The rules. The sequence is what the program "compute, emit, turn, compute, emit, turn …" emits.

    Attributes:
      room: terms that a puzzle has room for.
      most: the greatest modulus.
      start: `(key, modulus)` → the registers at first.
      compute: makes the next term in x; the action `compute_token`.
      turn: makes the registers ready for that; the action `turn_token`.
    """

    room: int
    most: int
    start: Callable[[jax.Array, jax.Array | int], Registers]
    compute: Change
    compute_token: Token
    turn: Change
    turn_token: Token

    @property
    def num_seen(self) -> int:
        return 2 * WIDTH

    def write(self, key: jax.Array, knobs: Knobs) -> Puzzle:
        length, modulus = jnp.asarray(knobs.terms, jnp.int32), jnp.asarray(knobs.modulus, jnp.int32)
        registers = self.start(key, modulus)

        def term(registers, _):
            computed = self.compute(registers, modulus)
            return self.turn(computed, modulus), computed.x

        terms = jax.lax.scan(term, registers, length=self.room)[1] * (jnp.arange(self.room) < length)
        return Puzzle(*registers, terms.astype(jnp.int8), length, modulus)

    def begin(self, puzzle: Puzzle) -> Place:
        return Place(Registers(puzzle.x, puzzle.y), jnp.int32(0), jnp.bool_(False))

    def move(self, puzzle: Puzzle, place: Place, action: jax.Array) -> Place:
        computed = self.compute(place.registers, puzzle.modulus)
        turned = self.turn(place.registers, puzzle.modulus)
        is_emitted = action == Token.EMIT
        is_right = is_emitted & (place.registers.x == puzzle.terms[place.said])
        registers = jax.tree.map(
            lambda kept, computed, turned: jnp.where(
                action == self.compute_token, computed, jnp.where(action == self.turn_token, turned, kept)
            ),
            place.registers,
            computed,
            turned,
        )
        return Place(registers, place.said + is_right, is_emitted & ~is_right)

    def look(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return FIRST_DIGIT + jnp.concatenate([numerals.digits(number, WIDTH)[::-1] for number in place.registers])

    def choices(self, puzzle: Puzzle, place: Place) -> Choices:
        return ((self.compute_token, True), (self.turn_token, True), (Token.EMIT, True))

    def is_solved(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.said == puzzle.length

    def is_lost(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.is_wrong

    def progress(self, puzzle: Puzzle, place: Place) -> jax.Array:
        return place.said.astype(jnp.float32) / puzzle.length

    def limit(self, puzzle: Puzzle) -> jax.Array:
        """Twice what the program takes, and two."""
        return 6 * puzzle.length

    def plan(self, puzzle: Puzzle, place: Place) -> jax.Array:
        """What is due is emitted at once: that changes no register, so nothing is gained by doing it later."""
        steps = self._steps_left(puzzle, place.said)
        is_due = place.registers.x == puzzle.terms[place.said]
        is_best_computed = steps[self.compute(place.registers, puzzle.modulus)] < steps[place.registers]
        otherwise = jnp.where(is_best_computed, int(self.compute_token), int(self.turn_token))
        return jnp.where(is_due, Token.EMIT, otherwise)

    def min_steps(self, puzzle: Puzzle) -> jax.Array:
        return self._steps_left(puzzle, jnp.int32(0))[puzzle.x, puzzle.y]

    @functools.partial(jax.jit, static_argnums=0)  # else its loops are compiled at each call that is not traced
    def _steps_left(self, puzzle: Puzzle, said: jax.Array) -> jax.Array:
        """Fewest steps to the end, for each x and y: int32 `[most, most]`.

        Backwards from the last term: the way to registers whose x is due, and on from there.
        """
        number = jnp.arange(self.most)
        registers = Registers(*jnp.meshgrid(number, number, indexing="ij"))
        computed, turned = self.compute(registers, puzzle.modulus), self.turn(registers, puzzle.modulus)

        def shorten(carry):
            steps, _ = carry
            shorter = jnp.minimum(steps, 1 + jnp.minimum(steps[computed], steps[turned]))
            return shorter, jnp.any(shorter < steps)

        def before(i: jax.Array, after: jax.Array) -> jax.Array:
            is_due = registers.x == puzzle.terms[puzzle.length - 1 - i]
            from_here = jnp.where(is_due, 1 + after, FAR)
            return jax.lax.while_loop(lambda carry: carry[1], shorten, (from_here, True))[0]

        return jax.lax.fori_loop(0, puzzle.length - said, before, jnp.zeros((self.most, self.most), jnp.int32))


LEVELS = Levels(
    train=tuple(Knobs(*row) for row in ((2, 5), (3, 5), (4, 7), (5, 7), (6, 11), (8, 11))),
    beyond=(
        ("length ×1.5", Knobs(12, 11)),
        ("length ×2", Knobs(16, 11)),
        ("length ×4", Knobs(32, 11)),
        ("length ×8", Knobs(64, 11)),
        ("modulus 13", Knobs(8, 13)),
    ),
)


def register_fibonacci() -> Act:
    """Emits the terms that follow x and y when each is the sum of the two before it, modulo a prime.

    - Sees x and y, two digits each, the most significant first. Actions: PLUS puts x + y into x, SWAP exchanges x and
      y, EMIT says x. A wrong emission ends the episode. At first x and y are random, not both zero. Not seen: the
      modulus, and how many terms there are; neither is needed, as "PLUS, EMIT, SWAP" over and over solves it.
      Steps: 3 · terms - 1, fewer where numbers repeat.
    - No action loses what an emission needs: PLUS as often as the modulus, or SWAP twice, changes nothing.
    - Floor: below 0.4 ** terms per episode, for a random or a constant action.
    - Kin: Befunge's Fibonacci program, a loop with two registers.
    """
    return _machine("register_fibonacci", _not_both_zero, _sum, Token.PLUS, _exchanged, Token.SWAP)


def register_factorial() -> Act:
    """Emits x · y, x · y · (y - 1), x · y · (y - 1) · (y - 2) …, modulo a prime.

    - Sees x and y as in `register_fibonacci`. Actions: TIMES puts x · y into x, MINUS takes 1 from y, EMIT says x. y
      goes round: after 1 comes the modulus less 1, so that no product is zero. A wrong emission ends the episode. At
      first x and y are random, not zero. "TIMES, EMIT, MINUS" over and over solves it. Steps: 3 · terms - 1, fewer
      where numbers repeat, as they do where y is 1.
    - Every product on the way is asked for, not x · y! only: modulo a prime, the last one alone is soon got by a chance
      product of a few factors, and the shortest way would be no factorial.
    - Nothing is lost by TIMES or MINUS, since either done often enough changes nothing.
    - Floor: as in `register_fibonacci`.
    - Kin: Befunge's factorial program: multiply, count down, go on.
    """
    return _machine("register_factorial", _not_zero, _product, Token.TIMES, _counted_down, Token.MINUS)


def _machine(
    name: str,
    start: Callable[[jax.Array, jax.Array | int], Registers],
    compute: Change,
    compute_token: Token,
    turn: Change,
    turn_token: Token,
) -> Act:
    room = LEVELS.most("terms")
    rules = Machine(room, LEVELS.most("modulus"), start, compute, compute_token, turn, turn_token)
    return Act(name, LEVELS, rules, 6 * room)


# Named, since a task has to equal itself when it is made anew, lest it be compiled anew.


def _not_both_zero(key: jax.Array, modulus: jax.Array | int) -> Registers:
    pair = jax.random.randint(key, (), 1, modulus * modulus)
    return Registers(pair // modulus, pair % modulus)


def _not_zero(key: jax.Array, modulus: jax.Array | int) -> Registers:
    return Registers(*jax.random.randint(key, (2,), 1, modulus))


def _sum(registers: Registers, modulus: jax.Array | int) -> Registers:
    return Registers((registers.x + registers.y) % modulus, registers.y)


def _exchanged(registers: Registers, modulus: jax.Array | int) -> Registers:
    return Registers(registers.y, registers.x)


def _product(registers: Registers, modulus: jax.Array | int) -> Registers:
    return Registers(registers.x * registers.y % modulus, registers.y)


def _counted_down(registers: Registers, modulus: jax.Array | int) -> Registers:
    return Registers(registers.x, (registers.y - 2) % (modulus - 1) + 1)
