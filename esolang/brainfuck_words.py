"""Several Brainf**k commands as one word, so that an interpreter in lock step does more at each turn.

A word is moves, then additions or one `.` or one `,`, then one bracket, each of the three optional: `>>+++[`, `.` and
`<]` are words. Moves of a word go in one direction, so that the command at which they leave the tape is known. There
is a word for every position of a program, because jumps land anywhere.

A loop of moves and additions that ends where it began (`[-]`, `[->+<]`, `[]`) adds the same to each cell at every
pass, so the number of passes can be solved for on entering it, and its words are executed once, so many times over.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

END, RIGHT, LEFT, PLUS, MINUS, WRITE, READ, OPEN, CLOSE = range(9)
"""Tokens: the end of a program, and `><+-.,[]`."""
NOTHING = 9
"""A command that does nothing: a bracket without partner."""

MAX_CAPACITY = 2**14 - 1
"""Commands of a program: as far as `Bracket.jump` reaches."""
MAX_MOVE = 15
MAX_COST = 63
MAX_REACH = 15
ENDLESS, UNSOLVED = 6, 7
"""Values of `Bracket.twos`, which is at most 4 otherwise."""


class Word(NamedTuple):
    """What a position of a program begins; all int32 of one shape, all 0 at the end of a program."""

    move: jax.Array  # of the pointer, -MAX_MOVE to MAX_MOVE
    add: jax.Array  # to the cell, -MAX_COST to MAX_COST
    cost: jax.Array  # commands, at most MAX_COST
    kind: jax.Array  # WRITE, READ or 0
    bracket: jax.Array  # OPEN, CLOSE or 0


class Bracket(NamedTuple):
    """What is known of the next bracket from a position on, which is a word's own; all int32 of one shape."""

    jump: jax.Array  # from the command after it to the command after its partner
    twos: jax.Array  # how often two divides what a pass adds to the loop's own cell; ENDLESS if that is 0; or UNSOLVED
    odd: jax.Array  # the rest of that number
    left: jax.Array  # how far the loop goes left of its own cell, at most MAX_REACH
    right: jax.Array


class Loop(NamedTuple):
    """What is known of a loop from its end up to some command in it; all int32 of one shape."""

    place: jax.Array  # of the pointer, from the loop's own cell
    change: jax.Array  # of its own cell
    left: jax.Array
    right: jax.Array
    is_simple: jax.Array  # 1: moves and additions only, in reach


# Bits of the fields, negative ones with a sign.
WORD_BITS = (-5, -7, 6, 3, 4)
BRACKET_BITS = (-15, 3, -6, 4, 4)
LOOP_BITS = (-6, -6, 4, 4, 1)


def pack(fields: tuple, bits: tuple[int, ...]) -> jax.Array:
    """Fields as one int32, the first lowest."""
    packed, shift = jnp.int32(0), 0
    for field, width in zip(fields, map(abs, bits), strict=True):
        packed |= (field & (2**width - 1)) << shift
        shift += width
    return packed


def unpack(packed: jax.Array, bits: tuple[int, ...]) -> list[jax.Array]:
    """The fields again."""
    fields, shift = [], 0
    for width in bits:
        above = 32 - shift - abs(width)
        fields.append(packed << above >> 32 - abs(width) if width < 0 else packed >> shift & 2**width - 1)
        shift += abs(width)
    return fields


def fold(linked: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Tables of packed words and packed brackets, with one more column for the end.

    Args:
      linked: int32 `[B, C]`, as `brainfuck.link` makes them.

    Returns:
      Two of int32 `[B, C + 1]`.
    """
    num_used = jnp.max(jnp.where(linked != END, jnp.arange(1, linked.shape[1] + 1, dtype=jnp.int32), 0))

    def prepend(turn: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        word, bracket, loop, words, brackets = carry
        here = num_used - 1 - turn
        at_here = jax.lax.dynamic_index_in_dim(linked, here.astype(jnp.uint32), 1, keepdims=False)
        token, partner = at_here & 15, at_here >> 4
        token = jnp.where((token >= OPEN) & (partner == here), NOTHING, token)
        following = Loop(*unpack(loop, LOOP_BITS))
        solved = Bracket(partner - here, *solution(following, token == OPEN))
        bracket = jnp.where((token == OPEN) | (token == CLOSE), pack(solved, BRACKET_BITS), bracket)
        word = pack(prepended(token, Word(*unpack(word, WORD_BITS))), WORD_BITS)
        loop = pack(extended(token, following), LOOP_BITS)
        return word, bracket, loop, _with_column(words, here, word), _with_column(brackets, here, bracket)

    nothing, table = jnp.zeros_like(linked[:, 0]), jnp.zeros_like(jnp.pad(linked, ((0, 0), (0, 1))))
    *_, words, brackets = jax.lax.fori_loop(0, num_used, prepend, (nothing, nothing, nothing, table, table))
    return words, brackets


def _with_column(table: jax.Array, index: jax.Array, column: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_index_in_dim(table, column, index.astype(jnp.uint32), 1)


def prepended(token: jax.Array, word: Word) -> Word:
    """A command and the word after it as one word where that is allowed, else the command alone."""
    move = (token == RIGHT).astype(jnp.int32) - (token == LEFT)
    add = (token == PLUS).astype(jnp.int32) - (token == MINUS)
    is_kind = (token == WRITE) | (token == READ)
    is_bracket = (token == OPEN) | (token == CLOSE)
    fits_move = (word.move * move >= 0) & (jnp.abs(word.move) < MAX_MOVE)
    fits_add = (word.move == 0) & (word.kind == 0)
    fits_kind = word.cost == (word.bracket != 0)
    fits = jnp.where(move != 0, fits_move, jnp.where(is_kind, fits_kind, fits_add))
    rest = [jnp.where(fits & (word.cost < MAX_COST) & ~is_bracket & (token != END), field, 0) for field in word]
    grown = (move, add, (token != END).astype(jnp.int32), jnp.where(is_kind, token, 0), jnp.where(is_bracket, token, 0))
    return Word(*(field + more for field, more in zip(rest, grown, strict=True)))


def extended(token: jax.Array, loop: Loop) -> Loop:
    """The innermost loop around a command, where `loop` begins after it."""
    place = loop.place - (token == RIGHT) + (token == LEFT)
    change = loop.change + jnp.where(place == 0, (token == PLUS).astype(jnp.int32) - (token == MINUS), 0)
    left, right = jnp.maximum(loop.left, -place), jnp.maximum(loop.right, place)
    is_in_reach = (left <= MAX_REACH) & (right <= MAX_REACH) & (jnp.abs(change) < 32)
    is_simple = (loop.is_simple != 0) & is_in_reach & (token >= RIGHT) & (token <= MINUS)
    begins = token == CLOSE
    place, change, left, right = (jnp.where(begins, 0, field) for field in (place, change, left, right))
    return Loop(place, change, left, right, (begins | is_simple).astype(jnp.int32))


def solution(loop: Loop, is_open: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The fields of `Bracket` after the first, from all that is in a loop."""
    twos = jax.lax.population_count((loop.change & -loop.change) - 1)
    odd = loop.change >> jnp.minimum(twos, 5)
    twos = jnp.where(loop.change == 0, ENDLESS, twos)
    is_solved = is_open & (loop.is_simple != 0) & (loop.place == 0)
    return jnp.where(is_solved, twos, UNSOLVED), odd, loop.left, loop.right


@functools.cache
def inverses() -> np.ndarray:
    """What `Bracket.odd`, its six bits read without sign, is to be multiplied with for 1 modulo 2^32: int32 `[64]`."""
    numbers = [bits - 64 * (bits >= 32) | 1 for bits in range(64)]  # the even ones are not asked for
    return np.array([pow(number, -1, 2**32) for number in numbers], np.uint32).view(np.int32)


def passes(bracket: Bracket, cell: jax.Array, cell_bits: int) -> tuple[jax.Array, jax.Array]:
    """How many passes a loop takes until its own cell is 0, and whether it never gets there.

    Each pass adds odd · 2^twos. So 2^twos must divide the cell, and the number is -cell / 2^twos / odd modulo
    2^(cell_bits - twos). It is of no meaning where the loop is endless.

    Args:
      cell: int32, not 0, its bits above cell_bits 0.
    """
    inverse = jnp.asarray(inverses()).at[bracket.odd & 63].get(mode="promise_in_bounds")
    largest = jnp.int32(-1 if cell_bits == 32 else 2**cell_bits - 1)
    number = jax.lax.shift_right_logical(-cell & largest, bracket.twos) * inverse
    number &= jax.lax.shift_right_logical(largest, bracket.twos)
    return number, (bracket.twos == ENDLESS) | (cell & (1 << bracket.twos) - 1 != 0)
