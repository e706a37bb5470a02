"""The six coding tasks of "General Intelligence Requires Reward-based Pretraining" (ICML 2025), section 3.

The paper gives their names and how many there are of each; which words, lists and strings it took, and whether a
program met other inputs than those its author had seen, it does not say. Here a problem shows one case at most and
keeps others hidden, so that a program which prints the shown answer has solved nothing.
"""

import itertools
import math
import random
import string
from collections.abc import Sequence
from typing import Literal, NamedTuple

VERSION = 1
"""Rises whenever a statement or a case changes: scores of different versions do not compare."""


class Case(NamedTuple):
    """What a program reads and what it must write."""

    data: bytes
    expected: bytes


class Problem(NamedTuple):
    """A program to be written."""

    task: str  # the family, a column of the paper's tables: print, sort, copy, fibonacci, factorial
    name: str  # which of the family; unique in it
    statement: str  # what the program must do, in no programming language's words
    shown: tuple[Case, ...]  # cases that the statement tells
    hidden: tuple[Case, ...]  # cases that it does not
    compare: Literal["exact", "words"] = "words"

    @property
    def cases(self) -> tuple[Case, ...]:
        """All that must be right, the shown ones first."""
        return self.shown + self.hidden

    def accepts(self, output: bytes, case: Case) -> bool:
        """Whether this is the output asked for: byte by byte, or word by word, white space being what parts words."""
        if self.compare == "exact":
            return output == case.expected
        return output.split() == case.expected.split()


def print_words(num: int = 26 * 26, seed: int = 0) -> list[Problem]:
    """Print a word of two lower-case letters: all 676 (Brainf**k), or some of them (100 in Befunge)."""
    words = ["".join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2)]
    chosen = words if num == len(words) else sorted(random.Random(f"print {seed}").sample(words, num))
    return [
        Problem("print", word, f"prints the word {word} and nothing else.", (Case(b"", word.encode()),), ())
        for word in chosen
    ]


def sort_five(num: int = 100, num_hidden: int = 5, seed: int = 0) -> list[Problem]:
    """Sort five digits that are read."""
    return [
        _reads_and_prints(
            "sort",
            "reads five digits, which follow each other directly, and prints the same five digits in ascending order.",
            [Case(text.encode(), "".join(sorted(text)).encode()) for text in texts],
        )
        for texts in _texts("sort", string.digits, num, 1 + num_hidden, seed)
    ]


def copy_five(num: int = 100, num_hidden: int = 5, seed: int = 0) -> list[Problem]:
    """Copy five lower-case letters that are read."""
    return [
        _reads_and_prints(
            "copy",
            "reads five characters and prints the same five characters in the same order.",
            [Case(text.encode(), text.encode()) for text in texts],
        )
        for texts in _texts("copy", string.ascii_lowercase, num, 1 + num_hidden, seed)
    ]


def fibonacci(num_shown: int = 6) -> list[Problem]:
    """Print the first k Fibonacci numbers, k being read. One problem, as in the paper."""
    statement = (
        "reads a decimal number k, at least 1, and prints the first k Fibonacci numbers, which begin with 1 and 1, "
        "in decimal with a space after each."
    )
    counts = [num_shown] + [k for k in (1, 2, 3, 7, 10, 20) if k != num_shown]
    return [_reads_and_prints("fibonacci", statement, [Case(b"%d\n" % k, _fibonacci_numbers(k)) for k in counts])]


def factorial(num: int = 15) -> list[Problem]:
    """Print n!, n being read. Each problem shows another n in 1..15 and hides some of the rest."""
    statement = "reads a decimal number n, at least 1, and prints the factorial of n in decimal."
    return [
        _reads_and_prints(
            "factorial",
            statement,
            [Case(b"%d\n" % k, b"%d" % math.factorial(k)) for k in (n, *(k for k in (1, 2, 5, 10, 15) if k != n))],
        )
        for n in range(1, num + 1)
    ]


def _reads_and_prints(task: str, statement: str, cases: Sequence[Case]) -> Problem:
    """A problem that shows the first case, which also names it."""
    first = cases[0]
    data, expected = first.data.decode().strip(), first.expected.decode().strip()
    statement = f"{statement} For the input {data} it prints {expected}."
    return Problem(task, data, statement, (first,), tuple(cases[1:]))


def _texts(name: str, alphabet: str, num: int, length: int, seed: int) -> list[list[str]]:
    """`num` lists of `length` strings of five characters; the first of each list is in no other one's first place."""
    source = random.Random(f"{name} {seed}")
    texts = ["".join(source.choices(alphabet, k=5)) for _ in range(num * length)]
    firsts = list(dict.fromkeys("".join(source.choices(alphabet, k=5)) for _ in range(2 * num)))[:num]
    return [[first, *texts[i * length : (i + 1) * length - 1]] for i, first in enumerate(firsts)]


def _fibonacci_numbers(k: int) -> bytes:
    numbers = [1, 1]
    while len(numbers) < k:
        numbers.append(numbers[-2] + numbers[-1])
    return b" ".join(b"%d" % number for number in numbers[:k])
