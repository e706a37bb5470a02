"""Put symbols in order."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_SYMBOL, symbols


class Knobs(NamedTuple):
    """Difficulty of `sort`."""

    length: int  # symbols in the prompt
    alphabet: int  # different symbols


def sort() -> Stream:
    """Says the symbols of the prompt in order.

    - Prompt: `length` independent symbols, so some may be equal. Answer: the same, ascending. Steps: 2 · length.
    - Levels begin with length 3, since most pairs are in order as they are.
    - Floor: alphabet ** -length for a constant symbol. It may still earn much of the reward: `a` is the first token
      with 1 - (1 - 1 / alphabet) ** length, 2/3 at length 8. Copying solves 23 % of level 0 and 0.04 % of length 8.
    - Kin: sorting cells of Brainf**k by buckets, or by exchanging neighbours.
    """
    levels = Levels(
        train=tuple(Knobs(length, 8) for length in range(3, 9)),
        beyond=(
            ("length ×1.5", Knobs(12, 8)),
            ("length ×2", Knobs(16, 8)),
            ("length ×4", Knobs(32, 8)),
            ("length ×8", Knobs(64, 8)),
            ("alphabet ×2", Knobs(8, 16)),
            ("length ×4, alphabet ×2", Knobs(32, 16)),
        ),
    )
    room = levels.most("length")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        prompt = FIRST_SYMBOL + jax.random.randint(key, (room,), 0, knobs.alphabet)
        last = FIRST_SYMBOL + levels.most("alphabet")  # after every symbol: padding stays at the end
        answer = jnp.sort(jnp.where(jnp.arange(room) < knobs.length, prompt, last))
        return ask(prompt, knobs.length, answer, knobs.length)

    return Stream("sort", levels, write, 2 * room, symbols(levels.most("alphabet")))
