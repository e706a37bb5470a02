"""Random nested lists of digits and operators, written with brackets, and what they are worth.

`( 3 - ( 1 * 4 ) )` and `( MAX 3 ( MIN 1 4 ) 2 )` are the same kind of thing: a list, each element a digit or a list.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.vocabulary import FIRST_DIGIT, NUM_DIGITS, Token, symbols

MAX, MIN, SUM = symbols(3)
"""The operators that stand before a list: symbols a, b and c."""


class Size(NamedTuple):
    """How big an expression is; all traced."""

    numbers: jax.Array | int  # digits, at least depth + 1 and at most arguments ** depth
    depth: jax.Array | int  # brackets around the innermost digit: exactly
    arguments: jax.Array | int  # of an operator, at most; at least 2
    modulus: jax.Array | int  # digits are below it, at most 10


class Todo(NamedTuple):
    """What is still to be written: a token, or (token PAD) the rest of a list. Fields int32 `[]`, or `[n]` for many."""

    token: jax.Array | int = Token.PAD
    numbers: jax.Array | int = 0  # digits in the rest of the list
    slots: jax.Array | int = 0  # elements that it may have, at most
    depth: jax.Array | int = 0  # of an element, at most
    is_start: jax.Array | int = 0  # nothing of the list has been written
    is_deep: jax.Array | int = 0  # an element must have exactly that depth
    is_fair: jax.Array | int = 0  # an element must be fair, see `expression`


class Dice(NamedTuple):
    """Chance of one step, each uniform in [0, 1)."""

    deep: jax.Array
    fair: jax.Array
    share: jax.Array
    operator: jax.Array
    digit: jax.Array


def expression(
    key: jax.Array, size: Size, operators: tuple[int, ...], num_fair: int, room: int, depth_room: int, is_infix: bool
) -> tuple[jax.Array, jax.Array]:
    """A random expression whose value is uniform: each of 0 … modulus - 1 is equally likely.

    For that a path from the outermost list to some digit meets fair operators only, those that are one-to-one in each
    argument, as sums modulo are. Other operators stand off that path.

    Args:
      operators: tokens, the first `num_fair` of them fair.
      room: 4 · numbers - 3 or more.
      depth_room: greatest depth.
      is_infix: write the operator between the two elements of a list, rather than before its elements.

    Returns: tokens `[room]`, PAD from the end on, and how many.
    """
    stack_room = 3 * depth_room + 4

    def step(carry, dice):
        stack, height = carry
        top = jax.tree.map(lambda column: column[jnp.maximum(height - 1, 0)], stack)
        written, todo, is_wanted = _write_one(top, Dice(*dice), size, operators, num_fair, is_infix)
        is_wanted &= (top.token == Token.PAD) & (height > 0)
        written = jnp.where(height > 0, jnp.where(top.token == Token.PAD, written, top.token), Token.PAD)
        places = height - 1 + jnp.cumsum(is_wanted) - 1
        places = jnp.where(is_wanted, places, stack_room)
        stack = jax.tree.map(lambda column, new: column.at[places].set(new, mode="drop"), stack, todo)
        return (stack, jnp.maximum(height - 1, 0) + jnp.sum(is_wanted)), written

    first = Todo(numbers=size.numbers, slots=1, depth=size.depth, is_deep=1, is_fair=1)
    stack = jax.tree.map(lambda field: jnp.zeros(stack_room, jnp.int32).at[0].set(field), first)
    dice = jax.random.uniform(key, (room, len(Dice._fields)))
    tokens = jax.lax.scan(step, (stack, jnp.int32(1)), dice)[1]
    return tokens, jnp.sum(tokens != Token.PAD)


def _write_one(rest: Todo, dice: Dice, size: Size, operators, num_fair: int, is_infix: bool):
    """Writes the next token of the rest of a list.

    Returns: the token, what is to be written after it (the last item first) and which of these items are wanted.
    """
    # How many digits the next element holds: the other slots must have room for what is left, and a list that has just
    # been opened must get a second element. An element of depth d needs d + 1 digits.
    most = _power(size.arguments, rest.depth)
    low = jnp.maximum(1, rest.numbers - (rest.slots - 1) * most)
    high = jnp.minimum(rest.numbers - rest.is_start, most)
    high_if_not_deep = jnp.minimum(high, rest.numbers - (rest.depth + 1))
    may_wait = (rest.slots > 1) & (low <= high_if_not_deep)
    is_deep = (rest.is_deep > 0) & ~(may_wait & (dice.deep < 0.5))
    waits = (rest.is_deep > 0) & ~is_deep
    low = jnp.where(is_deep, jnp.maximum(low, rest.depth + 1), low)
    high = jnp.where(waits, high_if_not_deep, high)
    numbers = low + jnp.floor(dice.share * (high - low + 1)).astype(jnp.int32)
    is_last = numbers == rest.numbers
    is_fair = (rest.is_fair > 0) & (is_last | (dice.fair < 0.5))
    is_list = numbers > 1

    chooser_is_fair = (rest.is_fair > 0) if is_infix else is_fair  # the operator of this list, or of the element
    num_choices = jnp.where(chooser_is_fair, num_fair, len(operators))
    operator = jnp.array(operators)[jnp.floor(dice.operator * num_choices).astype(jnp.int32)]
    digit = FIRST_DIGIT + jnp.floor(dice.digit * size.modulus).astype(jnp.int32)
    todo = (
        Todo(
            numbers=rest.numbers - numbers,
            slots=rest.slots - 1,
            depth=rest.depth,
            is_deep=waits,
            is_fair=(rest.is_fair > 0) & ~is_fair,
        ),
        Todo(token=operator),
        Todo(token=Token.CLOSE),
        Todo(numbers=numbers, slots=size.arguments, depth=rest.depth - 1, is_start=1, is_deep=is_deep, is_fair=is_fair),
        Todo(token=operator),
    )
    between, before = (rest.is_start > 0, False) if is_infix else (False, is_list)
    is_wanted = jnp.stack([jnp.asarray(x) for x in (~is_last, between, is_list, is_list, before)])
    todo = jax.tree.map(lambda *fields: jnp.stack([jnp.asarray(field, jnp.int32) for field in fields]), *todo)
    return jnp.where(is_list, Token.OPEN, digit), todo, is_wanted


def _power(base, exponent):
    """base ** exponent, or something greater than 10 ** 6 if it is greater than that."""
    return jnp.floor(jnp.minimum(jnp.float32(base) ** exponent, 2e6) + 0.5).astype(jnp.int32)


def value(tokens: jax.Array, modulus: jax.Array | int, depth_room: int) -> jax.Array:
    """What an expression is worth: int32 `[]`.

    A stack holds the operator and the value so far of each list that is open. PLUS, MINUS and TIMES and SUM are meant
    modulo `modulus`; tokens that belong to no expression change nothing.
    """

    def step(carry, token):
        operators, values, height = carry
        is_operator = jnp.isin(token, jnp.array([Token.PLUS, Token.MINUS, Token.TIMES, SUM, MAX, MIN]))
        is_digit = (token >= FIRST_DIGIT) & (token < FIRST_DIGIT + NUM_DIGITS)
        is_open, is_close = token == Token.OPEN, token == Token.CLOSE
        argument = jnp.where(is_close, values[height], token - FIRST_DIGIT)
        height = height + is_open - is_close
        before = jnp.where(is_open, 0, values[height])
        operator = jnp.where(is_operator, token, jnp.where(is_open, Token.PLUS, operators[height]))
        before = jnp.where(token == MIN, NUM_DIGITS, before)  # nothing yet: greater than any digit
        after = jnp.where(is_digit | is_close, _apply(operator, before, argument, modulus), before)
        return (operators.at[height].set(operator), values.at[height].set(after), height), None

    operators = jnp.full(depth_room + 1, Token.PLUS, jnp.int32)
    values = jnp.zeros(depth_room + 1, jnp.int32)
    return jax.lax.scan(step, (operators, values, jnp.int32(0)), tokens)[0][1][0]


def _apply(operator, one, other, modulus):
    """What an operator makes of two values."""
    return jnp.select(
        [operator == Token.MINUS, operator == Token.TIMES, operator == MAX, operator == MIN],
        [(one - other) % modulus, one * other % modulus, jnp.maximum(one, other), jnp.minimum(one, other)],
        (one + other) % modulus,
    )
