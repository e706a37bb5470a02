"""What lies on a stack after pushing and popping."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import stack_walk
from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_SYMBOL, Token, symbols


class Knobs(NamedTuple):
    """Difficulty of `stack_machine`."""

    length: int  # pushes and pops
    alphabet: int  # different symbols, at most 16
    depth: int  # greatest height of the stack


def stack_machine() -> Stream:
    """The stack after a list of pushes and pops.

    - Prompt: `length` instructions of one token each. A symbol pushes itself, as a digit does in Befunge; MINUS pops
      the top and throws it away. An empty stack is never popped. Answer: the stack from the top, then END. At least one
      symbol is left, and every possible height up to `depth` is equally likely.
      Steps: length + height + 1, at most length + depth + 1.
    - Floor per token: 1 / alphabet, if the height is known; 17 ** -2 or less for an episode at random among symbols and
      END, 0 for a constant.
    - Kin: the stack of Befunge, with `$` for MINUS, printed by `,` until it is empty.
    """
    levels = Levels(
        train=(Knobs(3, 4, 3), Knobs(4, 4, 3), Knobs(5, 8, 3), Knobs(6, 8, 4), Knobs(7, 8, 4), Knobs(8, 8, 4)),
        beyond=(
            ("length ×1.5", Knobs(12, 8, 4)),
            ("length ×2", Knobs(16, 8, 4)),
            ("length ×4", Knobs(32, 8, 4)),
            ("length ×8", Knobs(64, 8, 4)),
            ("alphabet ×2", Knobs(8, 16, 4)),
            ("length ×2, depth ×2", Knobs(16, 8, 8)),
            ("length ×8, depth ×8", Knobs(64, 8, 32)),
        ),
    )
    room, depth = levels.most("length"), levels.most("depth")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        end_key, walk_key, symbol_key = jax.random.split(key, 3)
        end = stack_walk.random_end(end_key, knobs.length, knobs.depth)
        heights = stack_walk.heights(walk_key, knobs.length, end, knobs.depth, room)
        pushed = FIRST_SYMBOL + jax.random.randint(symbol_key, (room,), 0, knobs.alphabet)
        is_push = jnp.diff(heights, prepend=0) > 0
        stack = stack_walk.replay(heights, pushed, depth)[1]
        place = jnp.arange(depth + 1)
        answer = jnp.where(place < end, stack[jnp.clip(end - 1 - place, 0, depth - 1)], Token.END)
        return ask(jnp.where(is_push, pushed, Token.MINUS), knobs.length, answer, end + 1)

    return Stream("stack_machine", levels, write, room + depth + 1, (*symbols(levels.most("alphabet")), Token.END))
