"""Say again what was shown: as it was, backwards, or several times over."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_SYMBOL, symbols


class Knobs(NamedTuple):
    """Difficulty of `copy` and `reverse`."""

    length: int  # symbols in the prompt
    alphabet: int  # different symbols


def copy() -> Stream:
    """Repeats the prompt.

    - Prompt: `length` symbols. Answer: the same. Steps: 2 · length.
    - Floor per token: 1 / alphabet for a random or a constant symbol, hence alphabet ** -length for an episode.
    - Kin: the `,[.,]` loop of Brainf**k.
    """
    return _echo("copy", lambda prompt, length: prompt)


def reverse() -> Stream:
    """Says the prompt backwards.

    - Prompt: `length` symbols. Answer: the last one first. Steps: 2 · length.
    - Floor: as in `copy`.
    - Kin: walking back along the tape in Brainf**k.
    """
    return _echo("reverse", lambda prompt, length: prompt[(length - 1 - jnp.arange(len(prompt))) % len(prompt)])


def _echo(name: str, transform: Callable[[jax.Array, jax.Array | int], jax.Array]) -> Stream:
    """A task whose answer is as long as its prompt."""
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

    def write(key: jax.Array, knobs: Knobs) -> Script:
        prompt = FIRST_SYMBOL + jax.random.randint(key, (room,), 0, knobs.alphabet)
        return ask(prompt, knobs.length, transform(prompt, knobs.length), knobs.length)

    return Stream(name, levels, write, 2 * room, symbols(levels.most("alphabet")))
