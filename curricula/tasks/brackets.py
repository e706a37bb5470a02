"""Brackets of several kinds, as in Brainf**k's loops: are they balanced, and what would close them?

Kind i opens with symbol i (a, b, …, h) and closes with symbol i + 8 (i, j, …, p).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import stack_walk
from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_SYMBOL, NUM_SYMBOLS, Token, symbols

NUM_KINDS = NUM_SYMBOLS // 2


class Knobs(NamedTuple):
    """Difficulty of `dyck` and `closing`."""

    length: int  # brackets in the prompt; even in `dyck`
    kinds: int  # different kinds of brackets, at most 8
    depth: int  # greatest number of brackets open at once


def dyck() -> Stream:
    """Whether the brackets are balanced: each closed by its own kind, in the right order.

    - Prompt: `length` brackets. Answer: YES or NO, both equally likely. Steps: length + 1.
    - Every NO is a near miss. It is a balanced word in which two closing brackets of different kinds changed places, or
      (always if there is one kind only) an opening and a closing one so that something is closed that is not open. So a
      NO has as many brackets of each sort as a YES, and often its heights too: counting does not decide, a stack does.
      At length 4 the first or the last bracket gives a NO of the second sort away; in longer words it seldom does.
    - The length beyond training keeps the depth, and the other way round one level is deeper at length ×4.
    - Floor: 1/2 for a random or a constant answer.
    - Kin: finding the end of a `[ ]` loop in Brainf**k.
    """
    levels = Levels(
        train=(Knobs(4, 1, 2), Knobs(4, 2, 2), Knobs(6, 2, 3), Knobs(6, 3, 3), Knobs(8, 3, 4), Knobs(8, 4, 4)),
        beyond=(
            ("length ×1.5", Knobs(12, 4, 4)),
            ("length ×2", Knobs(16, 4, 4)),
            ("length ×4", Knobs(32, 4, 4)),
            ("length ×8", Knobs(64, 4, 4)),
            ("kinds ×2", Knobs(8, 8, 4)),
            ("length ×4, depth ×2", Knobs(32, 4, 8)),
        ),
    )
    room = levels.most("length")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        walk_key, kind_key, answer_key, mistake_key, exchange_key, pair_key = jax.random.split(key, 6)
        heights = stack_walk.heights(walk_key, knobs.length, jnp.int32(0), knobs.depth, room)
        brackets = _brackets(kind_key, heights, knobs.kinds, levels.most("depth"))[0]
        is_closing = _is_closing(heights) & (jnp.arange(room) < knobs.length)
        is_balanced = jax.random.bernoulli(answer_key)
        *exchange, can_exchange = _two_closings(exchange_key, brackets, is_closing)
        pair = _opening_and_closing(pair_key, heights, knobs.length)
        is_exchange = can_exchange & jax.random.bernoulli(mistake_key)
        one, other = jnp.where(is_exchange, jnp.stack(exchange), jnp.stack(pair))
        spoilt = brackets.at[one].set(brackets[other]).at[other].set(brackets[one])
        prompt = jnp.where(is_balanced, brackets, spoilt)
        answer = jnp.where(is_balanced, Token.YES, Token.NO)
        return ask(prompt, knobs.length, answer[None], jnp.int32(1))

    return Stream("dyck", levels, write, room + 1, (Token.YES, Token.NO))


def closing() -> Stream:
    """The shortest word that closes all brackets still open.

    - Prompt: `length` brackets, the beginning of a balanced word. Answer: the closing brackets, the innermost first,
      then END. At least one is open, and every possible number of open brackets up to `depth` is equally likely.
      Steps: length + open brackets + 1, at most length + depth + 1.
    - Floor per token: 1 / kinds, if the right number is known; 9 ** -2 or less for an episode at random among all
      closing brackets and END, 0 for a constant.
    - Kin: what a Brainf**k program cut off in the middle still needs; the `]` that a writer of programs owes.
    """
    levels = Levels(
        train=(Knobs(3, 2, 3), Knobs(4, 2, 3), Knobs(5, 2, 3), Knobs(6, 3, 4), Knobs(7, 3, 4), Knobs(8, 4, 4)),
        beyond=(
            ("length ×1.5", Knobs(12, 4, 4)),
            ("length ×2", Knobs(16, 4, 4)),
            ("length ×4", Knobs(32, 4, 4)),
            ("length ×8", Knobs(64, 4, 4)),
            ("kinds ×2", Knobs(8, 8, 4)),
            ("length ×2, depth ×2", Knobs(16, 4, 8)),
            ("length ×8, depth ×8", Knobs(64, 4, 32)),
        ),
    )
    room, depth = levels.most("length"), levels.most("depth")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        end_key, walk_key, kind_key = jax.random.split(key, 3)
        end = stack_walk.random_end(end_key, knobs.length, knobs.depth)
        heights = stack_walk.heights(walk_key, knobs.length, end, knobs.depth, room)
        prompt, still_open = _brackets(kind_key, heights, knobs.kinds, depth)
        place = jnp.arange(depth + 1)
        closings = still_open[jnp.clip(end - 1 - place, 0, depth - 1)] + FIRST_SYMBOL + NUM_KINDS
        answer = jnp.where(place < end, closings, Token.END)
        return ask(prompt, knobs.length, answer, end + 1)

    return Stream("closing", levels, write, room + depth + 1, (*symbols()[NUM_KINDS:], Token.END))


def _is_closing(heights):
    """Which steps of a walk go down: bool `[T]`."""
    return jnp.diff(heights, prepend=0) < 0


def _brackets(key, heights, kinds, depth):
    """The tokens of a walk with random kinds, `[T]`, and the kinds still open, the outermost first, `[depth]`."""
    pushed = jax.random.randint(key, heights.shape, 0, kinds)
    touched, still_open = stack_walk.replay(heights, pushed, depth)
    return FIRST_SYMBOL + touched + NUM_KINDS * _is_closing(heights), still_open


def _two_closings(key, brackets, is_closing):
    """Places of two random closing brackets of different kinds, and whether there are such."""
    one_key, other_key = jax.random.split(key)
    one = _choose(one_key, is_closing)
    is_other = is_closing & (brackets != brackets[one])
    return one, _choose(other_key, is_other), is_other.any()


def _opening_and_closing(key, heights, length):
    """Places of an opening bracket and a later closing one that cannot change places: there the height would fall
    below 0.

    Neither at the beginning nor at the end of the word if possible: there one glance would find the mistake.
    """
    opening_key, closing_key = jax.random.split(key)
    place = jnp.arange(len(heights))
    is_closing = _is_closing(heights)
    is_between = (place[:, None] <= place) & (place < length)
    lowest = jax.lax.cummin(
        jnp.where(is_between, heights, len(heights)), axis=1
    )  # [opening, last place before closing]
    falls = jnp.pad(lowest[:, :-1] <= 1, ((0, 0), (1, 0)))  # [opening, closing]; the height between falls by 2
    is_pair = falls & is_between & ~is_closing[:, None] & is_closing
    is_inner = is_pair & (place[:, None] > 0) & (place < length - 1)
    is_pair = jnp.where(is_inner.any(), is_inner, is_pair)
    opening = _choose(opening_key, is_pair.any(axis=1))
    return opening, _choose(closing_key, is_pair[opening])


def _choose(key, among):
    """A random place where `among` holds."""
    return jnp.argmax(jnp.where(among, jax.random.uniform(key, among.shape), -1.0))
