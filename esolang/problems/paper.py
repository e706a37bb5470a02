"""The paper's six problems (see `esolang.paper_problems`) with as many hidden inputs as one likes.

Print, sort and copy are asked for in Brainf**k; print, Fibonacci and factorial in Befunge-93.
"""

import math
import string
from random import Random

from esolang.problems.brain_coder import Numbers
from esolang.problems.coding import Coding
from esolang.problems.ladder import prints


def print_word(word: str) -> Coding:
    """Print a word, as "hi". Raises ValueError unless it is ASCII."""
    if not word.isascii() or not word:
        raise ValueError(f"a word must be ASCII and not empty, got {word!r}")
    return prints(f"print-{word}", list(word.encode()))


def sort_five() -> Coding:
    """Five digits in ascending order."""
    return Coding("sort-five", "writes the five digits it reads in ascending order", sorted, _five(string.digits))


def copy_five() -> Coding:
    """Five lower-case letters as they are."""
    draw = _five(string.ascii_lowercase)
    return Coding("copy-five", "writes the five letters it reads", lambda x: x, draw, solution=",[.,]")


def fibonacci() -> Coding:
    """The first k Fibonacci numbers in decimal, a space after each but the last."""
    counts = tuple(list(b"%d\n" % k) for k in range(1, 21))
    statement = "reads a decimal number k and writes the first k Fibonacci numbers in decimal, parted by spaces"
    return Coding("fibonacci", statement, _fibonacci, counts)


def factorial() -> Coding:
    """n! in decimal, n up to 15."""
    counts = tuple(list(b"%d\n" % n) for n in range(1, 16))
    statement = "reads a decimal number n and writes its factorial in decimal"
    return Coding("factorial", statement, lambda x: list(b"%d" % math.factorial(int(bytes(x)))), counts)


def _five(alphabet: str):
    def draw(r: Random) -> Numbers:
        return list("".join(r.choices(alphabet, k=5)).encode())

    return draw


def _fibonacci(x: Numbers) -> Numbers:
    numbers = [1, 1]
    while len(numbers) < int(bytes(x)):
        numbers.append(numbers[-2] + numbers[-1])
    return list(" ".join(map(str, numbers[: int(bytes(x))])).encode())
