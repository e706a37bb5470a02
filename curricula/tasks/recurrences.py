"""Sequences in which each term follows from the two before it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import numerals
from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_DIGIT, NUM_DIGITS, digits


class Knobs(NamedTuple):
    """Difficulty of `fibonacci`."""

    terms: int  # to be said, below 100
    coefficient: int  # the greatest, below the modulus
    modulus: int  # 2 to 10


def fibonacci() -> Stream:
    """The next terms of x[t + 1] = a · x[t] + b · x[t - 1] modulo p.

    - Prompt: the digits p (0 stands for 10), a, b, x[0], x[1], then the number of terms in base 10 with the least
      significant digit first. a and b are from 1 to `coefficient`, x[0] from 0 and x[1] from 1 to p - 1.
      Answer: x[2], x[3], …, as many as told. Steps: terms + 6, or terms + 7 for ten terms and more.
    - The first levels have a = b = 1, the Fibonacci numbers from any start.
    - Floor: about 1 / p per token for the best guess; for an episode 10 ** -terms at random, and at most about
      1 / p² for a constant, the chance that two terms are the same given digit.
    - Kin: Befunge's Fibonacci program, a loop with two registers.
    """
    levels = Levels(
        train=tuple(
            Knobs(*row) for row in ((2, 1, 5), (3, 1, 5), (4, 2, 5), (5, 2, 5), (6, 4, 5), (7, 4, 7), (8, 6, 7))
        ),
        beyond=(
            ("length ×1.5", Knobs(12, 6, 7)),
            ("length ×2", Knobs(16, 6, 7)),
            ("length ×4", Knobs(32, 6, 7)),
            ("length ×8", Knobs(64, 6, 7)),
            ("modulus 10", Knobs(8, 6, 10)),
            ("modulus 10, coefficients to 9", Knobs(8, 9, 10)),
        ),
    )
    room = levels.most("terms")

    def write(key: jax.Array, knobs: Knobs) -> Script:
        coefficient_key, first_key, second_key = jax.random.split(key, 3)
        a, b = jax.random.randint(coefficient_key, (2,), 1, jnp.asarray(knobs.coefficient) + 1)
        first = jax.random.randint(first_key, (), 0, knobs.modulus)
        second = jax.random.randint(second_key, (), 1, knobs.modulus)

        def step(pair, _):
            before, now = pair
            after = (a * now + b * before) % knobs.modulus
            return (now, after), after

        terms = jax.lax.scan(step, (first, second), length=room)[1]
        start = FIRST_DIGIT + jnp.stack([jnp.asarray(knobs.modulus) % NUM_DIGITS, a, b, first, second])
        prompt = numerals.join(((start, len(start)), numerals.numeral(numerals.digits(knobs.terms, 2))))
        return ask(*prompt, FIRST_DIGIT + terms, jnp.asarray(knobs.terms))

    return Stream("fibonacci", levels, write, room + 7, digits())
