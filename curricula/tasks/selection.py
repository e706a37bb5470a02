"""Say what was shown, but choose which places and how often: several times over, odd places first, no repetitions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import partitions
from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, Token, symbols


class RepeatKnobs(NamedTuple):
    """Difficulty of `repeat_copy`."""

    length: int  # symbols in the prompt
    least: int  # the number of times is drawn from least … most
    most: int
    alphabet: int  # different symbols


class Knobs(NamedTuple):
    """Difficulty of `odds_first` and `dedup`."""

    length: int  # symbols in the prompt
    alphabet: int  # different symbols


def repeat_copy() -> Stream:
    """Repeats the prompt several times.

    - Prompt: a digit k, then `length` symbols. Answer: the symbols k times, then END. Steps: 2 + length · (k + 1).
    - k is never 1, where this were `copy`, and differs within a level, so the digit must be read.
    - Length goes to 4 times the longest trained on, since an answer is k times as long; the repeats are doubled too.
    - Floor: 17 ** -(length · k + 1) for a random policy, 0 for a constant one: no answer is one token only. A constant
      symbol gets the first token right with 1 / alphabet.
    - Kin: a copying loop in a counting loop of Brainf**k.
    """
    levels = Levels(
        train=(
            RepeatKnobs(2, 2, 3, 8),
            RepeatKnobs(3, 2, 3, 8),
            RepeatKnobs(4, 2, 3, 8),
            RepeatKnobs(5, 2, 4, 8),
            RepeatKnobs(6, 2, 4, 8),
            RepeatKnobs(7, 2, 4, 8),
            RepeatKnobs(8, 2, 4, 8),
        ),
        beyond=(
            ("length ×1.5", RepeatKnobs(12, 2, 4, 8)),
            ("length ×2", RepeatKnobs(16, 2, 4, 8)),
            ("length ×4", RepeatKnobs(32, 2, 4, 8)),
            ("repeats ×2", RepeatKnobs(8, 5, 8, 8)),
            ("length ×2, repeats ×2", RepeatKnobs(16, 5, 8, 8)),
            ("alphabet ×2", RepeatKnobs(8, 2, 4, 16)),
        ),
    )
    prompt_room = 1 + levels.most("length")
    answer_room = 1 + max(knobs.length * knobs.most for knobs in levels.rows)

    def write(key: jax.Array, knobs: RepeatKnobs) -> Script:
        times_key, word_key = jax.random.split(key)
        times = jax.random.randint(times_key, (), knobs.least, knobs.most + 1)
        word = _word(word_key, prompt_room - 1, knobs.alphabet)
        place = jnp.arange(answer_room)
        said = times * knobs.length
        answer = jnp.where(place < said, word[place % knobs.length], Token.END)
        return ask(jnp.append(FIRST_DIGIT + times, word), 1 + knobs.length, answer, said + 1)

    return Stream(
        "repeat_copy", levels, write, prompt_room + answer_room, (int(Token.END), *symbols(levels.most("alphabet")))
    )


def odds_first() -> Stream:
    """Says every second symbol of the prompt, then the others.

    - Prompt: `length` symbols. Answer: those at places 1, 3, 5, …, then those at 0, 2, 4, … Steps: 2 · length.
    - Levels begin with length 3, since with 2 symbols this were `reverse`.
    - Floor per token: 1 / alphabet for a constant symbol, hence alphabet ** -length for an episode.
    - Kin: a loop of Brainf**k that moves by two cells.
    """
    levels = Levels(
        train=tuple(Knobs(length, 8) for length in range(3, 9)),
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
        prompt = _word(key, room, knobs.alphabet)
        place = jnp.arange(room)
        odds = knobs.length // 2
        source = jnp.where(place < odds, 2 * place + 1, 2 * (place - odds))
        return ask(prompt, knobs.length, prompt[source % room], knobs.length)

    return Stream("odds_first", levels, write, 2 * room, symbols(levels.most("alphabet")))


def dedup() -> Stream:
    """Says each symbol of the prompt once.

    - Prompt: `length` symbols, at least one of them more than once, so that copying never does. Answer: the different
      symbols in the order in which they first came up, then END. Steps: length + different symbols + 1.
    - The number of different symbols is drawn from 1 … min(length - 1, alphabet), and a new one may come at any place
      of the prompt, however long.
    - Floor: at most 17 ** -2 for a random policy, 0 for a constant one. A constant symbol gets the first token right
      with 1 / alphabet.
    - Kin: a table of flags on the tape of Brainf**k, with a conditional `.`
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
    room, most_symbols = levels.most("length"), levels.most("alphabet")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        number_key, class_key, symbol_key = jax.random.split(key, 3)
        number = jax.random.randint(number_key, (), 1, jnp.minimum(knobs.length - 1, knobs.alphabet) + 1)
        classes = partitions.into_classes(class_key, room, knobs.length, number)
        priority = jax.random.uniform(symbol_key, (most_symbols,))
        order = jnp.argsort(jnp.where(jnp.arange(most_symbols) < knobs.alphabet, priority, 2.0))
        tokens = FIRST_SYMBOL + order  # of the classes, as they come up
        answer = jnp.where(jnp.arange(most_symbols) < number, tokens, Token.END)
        return ask(tokens[classes], knobs.length, jnp.append(answer, Token.END), number + 1)

    return Stream("dedup", levels, write, room + most_symbols + 1, (int(Token.END), *symbols(most_symbols)))


def _word(key, room, alphabet) -> jax.Array:
    """Independent symbols: int32 `[room]`."""
    return FIRST_SYMBOL + jax.random.randint(key, (room,), 0, alphabet)
