"""The tokens that all tasks share: an action is a token, and so is an observation.

One small vocabulary for all tasks lets one network learn several, and what it learnt on one meet the next.
"""

import enum

NUM_TOKENS = 46
"""Size of the vocabulary."""
NUM_DIGITS = 10
NUM_SYMBOLS = 16


class Token(enum.IntEnum):
    """Tokens that are neither a digit nor a symbol."""

    PAD = 0  # nothing to show, nothing to say: the action while a prompt is being read
    BEGIN = 1  # left end of a tape
    ANSWER = 2  # from now on it is the reader's turn
    QUERY = 3
    END = 4  # the answer is complete; right end of a tape
    YES = 5
    NO = 6
    BLANK = 7
    PLUS = 8
    MINUS = 9
    TIMES = 10
    OPEN = 11
    CLOSE = 12
    EQUALS = 13
    DIVIDE = 14
    LEFT = 15  # the head moves
    RIGHT = 16
    SWAP = 17
    KEEP = 18
    EMIT = 19


FIRST_DIGIT = 20  # digits 0 to 9 are tokens 20 to 29
FIRST_SYMBOL = 30  # symbols a to p are tokens 30 to 45


def digits(number: int = NUM_DIGITS) -> tuple[int, ...]:
    """The tokens of the digits 0 … number - 1."""
    return tuple(range(FIRST_DIGIT, FIRST_DIGIT + number))


def symbols(number: int = NUM_SYMBOLS) -> tuple[int, ...]:
    """The tokens of the first symbols a, b, …"""
    return tuple(range(FIRST_SYMBOL, FIRST_SYMBOL + number))


def name(token: int) -> str:
    """How a token reads: `7`, `c`, `ANSWER`, and a dot for PAD."""
    if token == Token.PAD:
        return "."
    if token >= FIRST_SYMBOL:
        return chr(ord("a") + token - FIRST_SYMBOL)
    if token >= FIRST_DIGIT:
        return str(token - FIRST_DIGIT)
    return {
        Token.PLUS: "+",
        Token.MINUS: "-",
        Token.TIMES: "*",
        Token.DIVIDE: "/",
        Token.OPEN: "(",
        Token.CLOSE: ")",
        Token.EQUALS: "=",
    }.get(Token(token), Token(token).name)
