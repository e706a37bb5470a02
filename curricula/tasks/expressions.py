"""Nested expressions of digits: sums and products modulo a number, and operators on lists."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula import nesting, numerals
from curricula.levels import Levels
from curricula.nesting import MAX, MIN, SUM
from curricula.stream import Script, Stream, ask
from curricula.vocabulary import FIRST_DIGIT, NUM_DIGITS, Token, digits


class ExpressionKnobs(NamedTuple):
    """Difficulty of `modular_expression`."""

    numbers: int  # digits of the expression
    depth: int  # brackets around the innermost digit
    modulus: int  # 2 to 10


def modular_expression() -> Stream:
    """The value of an expression with + - * and brackets, modulo p.

    - Prompt: p (the digit 0 stands for 10), then the expression, with brackets around each operation, the whole too:
      `5 ( 3 - ( 1 * 4 ) )`. Digits are below p. It has exactly `numbers` digits and exactly `depth` brackets around the
      innermost. Answer: one digit, the value from 0 to p - 1. Steps: 4 · numbers - 1.
    - All values are equally likely: along a path from the whole to some digit there are only + and -.
    - Depth grows by one at length ×8, where 6 would leave one shape only. Other changes beyond training are depth
      and modulus; training levels have the moduli 5 and, the last ones, 7.
    - Floor: 1 / p for the best guess, 1 / 10 for a random digit.
    - Kin: arithmetic in Befunge, where the stack does what brackets say.
    """
    levels = Levels(
        train=tuple(
            ExpressionKnobs(*row) for row in ((3, 2, 5), (4, 3, 5), (5, 3, 5), (6, 4, 5), (7, 5, 7), (8, 6, 7))
        ),
        beyond=(
            ("length ×1.5", ExpressionKnobs(12, 6, 7)),
            ("length ×2", ExpressionKnobs(16, 6, 7)),
            ("length ×4", ExpressionKnobs(32, 6, 7)),
            ("length ×8", ExpressionKnobs(64, 7, 7)),
            ("length ×2, depth ×2", ExpressionKnobs(16, 12, 7)),
            ("length ×4, depth ×4", ExpressionKnobs(32, 24, 7)),
            ("modulus 10", ExpressionKnobs(8, 6, 10)),
        ),
    )
    room, depth = 4 * levels.most("numbers") - 3, levels.most("depth")
    operators = (Token.PLUS, Token.MINUS, Token.TIMES)

    def write(key: jax.Array, knobs: ExpressionKnobs) -> Script:
        size = nesting.Size(knobs.numbers, knobs.depth, 2, knobs.modulus)
        tokens, length = nesting.expression(key, size, operators, 2, room, depth, is_infix=True)
        modulus = numerals.token(FIRST_DIGIT + jnp.asarray(knobs.modulus) % NUM_DIGITS)
        answer = FIRST_DIGIT + nesting.value(tokens, knobs.modulus, depth)
        return ask(*numerals.join((modulus, (tokens, length))), answer[None], jnp.int32(1))

    return Stream("modular_expression", levels, write, room + 2, digits())


class ListKnobs(NamedTuple):
    """Difficulty of `list_operations`."""

    numbers: int  # digits of the expression
    depth: int  # brackets around the innermost digit
    arguments: int  # of an operator, at most; 2 at least


def list_operations() -> Stream:
    """The value of nested lists, each with an operator: ListOps (Nangia and Bowman, 2018) without its median.

    - Prompt: OPEN, an operator, its arguments (digits or lists), CLOSE. Operators: a is the greatest, b the least, c
      the sum modulo 10. `( c 3 ( a 1 4 ) 9 )` is 6. It has exactly `numbers` digits, exactly `depth` brackets around
      the innermost, and 2 to `arguments` arguments for each operator. Answer: one digit.
      Steps: numbers + 3 · lists + 1, at most 4 · numbers - 2.
    - All values are equally likely: along a path from the whole to some digit there are only sums. So the outermost
      operator is always a sum; were it not, 9 and 0 would be good guesses.
    - Beyond training, depth and the number of arguments grow alone or with the length.
    - Floor: 1 / 10 for a random or a constant digit.
    - Kin: reading programs whose operators stand before what they work on.
    """
    levels = Levels(
        train=tuple(
            ListKnobs(*row) for row in ((3, 2, 5), (4, 2, 5), (5, 2, 5), (5, 3, 5), (6, 3, 5), (7, 3, 5), (8, 3, 5))
        ),
        beyond=(
            ("length ×1.5", ListKnobs(12, 3, 5)),
            ("length ×2", ListKnobs(16, 3, 5)),
            ("length ×4", ListKnobs(32, 3, 5)),
            ("length ×8", ListKnobs(64, 3, 5)),
            ("depth ×2", ListKnobs(8, 6, 5)),
            ("length ×4, depth ×4", ListKnobs(32, 12, 5)),
            ("length ×4, arguments ×3", ListKnobs(32, 3, 15)),
        ),
    )
    room, depth = 4 * levels.most("numbers") - 3, levels.most("depth")

    def write(key: jax.Array, knobs: ListKnobs) -> Script:
        size = nesting.Size(knobs.numbers, knobs.depth, knobs.arguments, NUM_DIGITS)
        tokens, length = nesting.expression(key, size, (SUM, MAX, MIN), 1, room, depth, is_infix=False)
        answer = FIRST_DIGIT + nesting.value(tokens, NUM_DIGITS, depth)
        return ask(tokens, length, answer[None], jnp.int32(1))

    return Stream("list_operations", levels, write, room + 1, digits())
