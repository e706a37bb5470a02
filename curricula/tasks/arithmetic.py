"""Sums, products and factorials of numbers in base 10.

All numbers, those asked for too, are written with the least significant digit first, as carrying goes, and without
needless zeros.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import numerals
from curricula.levels import Levels
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import Token, digits

SAID = (*digits(), Token.END)
"""What an answer may hold."""


class AdditionKnobs(NamedTuple):
    """Difficulty of `addition`."""

    digits: int  # of each number
    nines: int  # percentage of columns made to sum to 9, which hand on a carry; of the others 1 in 10 does by chance


def addition() -> Stream:
    """The sum of two numbers.

    - Prompt: a number of exactly `digits` digits, PLUS, another. Answer: the digits of the sum, then END; END tells
      whether the last carry makes a digit more. Steps: 3 · digits + 2, or 1 more.
    - The level beyond training that is not about length has long carries: most columns sum to 9, so that a digit of
      the answer may depend on one far back in the prompt.
    - Floor: about 1 / 10 per token for a random or a constant digit; 11 ** -(digits + 1) or less for an episode at
      random among digits and END, 0 for a constant.
    - Kin: `[->+<]` in Brainf**k, with carries; the sum in a Fibonacci program.
    """
    levels = Levels(
        train=tuple(AdditionKnobs(length, 10) for length in range(2, 9)),
        beyond=(
            ("length ×1.5", AdditionKnobs(12, 10)),
            ("length ×2", AdditionKnobs(16, 10)),
            ("length ×4", AdditionKnobs(32, 10)),
            ("length ×8", AdditionKnobs(64, 10)),
            ("long carries", AdditionKnobs(8, 80)),
            ("length ×4, long carries", AdditionKnobs(32, 80)),
        ),
    )
    room = levels.most("digits")

    def write(key: jax.Array, knobs: AdditionKnobs) -> Script:
        one_key, other_key, nine_key = jax.random.split(key, 3)
        one, other = _random_number(one_key, knobs.digits, room), _random_number(other_key, knobs.digits, room)
        place = jnp.arange(room)
        is_first, is_last = place == 0, place == knobs.digits - 1
        is_nine = (jax.random.uniform(nine_key, (room,)) * 100 < knobs.nines) & ~is_first & (place < knobs.digits)
        other = jnp.where(is_nine, jnp.maximum(9 - one, is_last), other)
        total = numerals.carry(jnp.pad(one + other, (0, 1)))
        return _exercise((numerals.numeral(one), numerals.token(Token.PLUS), numerals.numeral(other)), total)

    return Stream("addition", levels, write, 3 * room + 3, SAID)


class MultiplicationKnobs(NamedTuple):
    """Difficulty of `multiplication`."""

    digits: int  # of the first number, at most 64
    multiplier_digits: int  # of the second number, at most 8


def multiplication() -> Stream:
    """The product of two numbers, the second of one digit at first.

    - Prompt: a number of exactly `digits` digits, TIMES, one of exactly `multiplier_digits`. Answer: the digits of the
      product, then END. Steps: 2 · (digits + multiplier_digits) + 2, or 1 less.
    - Floor: about 1 / 10 per token for a random or a constant digit; 11 ** -(digits + multiplier_digits) or less for an
      episode at random among digits and END, 0 for a constant.
    - Kin: nested loops in Brainf**k; each step of a factorial.
    """
    levels = Levels(
        train=tuple(MultiplicationKnobs(*row) for row in ((2, 1), (3, 1), (4, 1), (6, 1), (8, 1), (8, 2))),
        beyond=(
            ("length ×1.5", MultiplicationKnobs(12, 2)),
            ("length ×2", MultiplicationKnobs(16, 2)),
            ("length ×4", MultiplicationKnobs(32, 2)),
            ("length ×8", MultiplicationKnobs(64, 2)),
            ("multiplier ×2", MultiplicationKnobs(8, 4)),
            ("multiplier ×4", MultiplicationKnobs(8, 8)),
        ),
    )
    room, multiplier_room = levels.most("digits"), levels.most("multiplier_digits")

    def write(key: jax.Array, knobs: MultiplicationKnobs) -> Script:
        one_key, other_key = jax.random.split(key)
        one = _random_number(one_key, knobs.digits, room)
        other = _random_number(other_key, knobs.multiplier_digits, multiplier_room)
        columns = sum(jnp.pad(one * other[i], (i, multiplier_room - i)) for i in range(multiplier_room))
        product = numerals.carry(jnp.asarray(columns))
        return _exercise((numerals.numeral(one), numerals.token(Token.TIMES), numerals.numeral(other)), product)

    return Stream("multiplication", levels, write, 2 * (room + multiplier_room) + 2, SAID)


class FactorialKnobs(NamedTuple):
    """Difficulty of `factorial`."""

    number: int  # the n of n!
    modulus: int  # greatest modulus, above n and below 1000


def factorial() -> Stream:
    """s · n! modulo p: the loop of a factorial program, from any accumulator s.

    - Prompt: s TIMES n EQUALS p. Here p is a prime above n, random up to `modulus`, and s is random from 1 to p - 1.
      Were s always 1, a level would hold one number only; so it holds many, and all answers are equally likely.
      Answer: the digits of the number from 1 to p - 1 that s · n! leaves, then END. Steps: at most 15.
    - The work is n multiplications in the head: levels grow in n, not in steps.
    - Floor: 1 / (p - 1) for the best guess of an answer; at most 11 ** -2 for an episode at random among digits and
      END, 0 for a constant.
    - Kin: Befunge's factorial, which multiplies an accumulator by n, n - 1, …, 1; there s is 1 and p is absent (the
      largest cell).
    """
    levels = Levels(
        train=tuple(FactorialKnobs(*row) for row in ((2, 13), (3, 13), (4, 29), (5, 29), (6, 97), (7, 97), (8, 97))),
        beyond=(
            ("number ×1.5", FactorialKnobs(12, 97)),
            ("number ×2", FactorialKnobs(16, 97)),
            ("number ×4", FactorialKnobs(32, 97)),
            ("number ×8", FactorialKnobs(64, 97)),
            ("modulus ×10", FactorialKnobs(8, 997)),
        ),
    )
    primes = _primes_below(levels.most("modulus") + 1)
    room = levels.most("number")

    def write(key: jax.Array, knobs: FactorialKnobs) -> Script:
        prime_key, start_key = jax.random.split(key)
        is_allowed = (primes > knobs.number) & (primes <= knobs.modulus)
        prime = jnp.asarray(primes)[jax.random.categorical(prime_key, jnp.where(is_allowed, 0.0, -jnp.inf))]
        start = jax.random.randint(start_key, (), 1, prime)
        factors = jnp.where(jnp.arange(room) < knobs.number, jnp.arange(1, room + 1), 1)
        value, _ = jax.lax.scan(lambda value, factor: (value * factor % prime, None), start, factors)
        written = [numerals.numeral(numerals.digits(number, 3)) for number in (start, knobs.number, prime)]
        signs = [numerals.token(Token.TIMES), numerals.token(Token.EQUALS)]
        prompt = (written[0], signs[0], written[1], signs[1], written[2])
        return _exercise(prompt, numerals.digits(value, 3))

    return Stream("factorial", levels, write, 3 * 3 + 2 + 4, SAID)


def _random_number(key, length, room):
    """Digits of a random number with exactly `length` digits, then zeros: int32 `[room]`."""
    digits_key, last_key = jax.random.split(key)
    place = jnp.arange(room)
    number = jax.random.randint(digits_key, (room,), 0, 10)
    number = jnp.where(place == length - 1, jax.random.randint(last_key, (), 1, 10), number)
    return jnp.where(place < length, number, 0)


def _exercise(prompt, answer):
    """The script that shows pieces, and asks for the number with the digits `answer` and END."""
    said, said_length = numerals.join((numerals.numeral(answer), numerals.token(Token.END)))
    return ask(*numerals.join(prompt), said, jnp.asarray(said_length))


def _primes_below(number):
    return np.array([n for n in range(2, number) if all(n % d for d in range(2, n))], np.int32)
