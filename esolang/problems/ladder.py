"""Problems from one number to print up to the easier published ones, each a small step above the last."""

from random import Random

from esolang.problems.brain_coder import Numbers, sequence
from esolang.problems.coding import Coding


def problems() -> list[Coding]:
    """The easiest first. All can be solved by programs of less than 32 commands."""
    return [
        prints("print-1", [1], "+."),
        prints("print-3", [3], "+++."),
        prints("print-1-2", [1, 2], "+.+."),
        prints("print-1-2-3", [1, 2, 3], "+.+.+."),
        prints("print-hi", [8, 9], "++++++++.+."),
        Coding("echo-one", "writes the number it reads", lambda x: x, lambda r: [_number(r)], solution=",."),
        Coding("echo-two", "writes the two numbers it reads", lambda x: x, _two, solution=",.,."),
        Coding("increment", "writes one more than it reads", lambda x: [x[0] + 1], _small, solution=",+."),
        Coding("add-three", "writes three more than it reads", lambda x: [x[0] + 3], _small, solution=",+++."),
        Coding("swap", "writes two numbers in the other order", lambda x: x[::-1], _two, solution=",>,.<."),
        Coding("second", "writes the second number", lambda x: x[1:2], _two, solution=",,."),
        Coding("copy", "writes all it reads", lambda x: x, sequence(6), solution=",[.,]"),
        Coding("copy-end", "writes all it reads, then 0", lambda x: [*x, 0], sequence(6), solution=",[.,]."),
        Coding("drop-first", "writes all but the first number", lambda x: x[1:], sequence(6), solution=",,[.,]"),
        Coding("each-twice", "writes each number twice", _each_twice, sequence(6), solution=",[..,]"),
        Coding(
            "each-plus-1",
            "adds 1 to each",
            lambda x: [y + 1 for y in x],
            sequence(6, 200),
            solution=",[+.,]",
        ),
        Coding("backwards", "writes all it reads backwards", lambda x: x[::-1], sequence(6), solution=">,[>,]<[.<]"),
        Coding(
            "countdown",
            "reads n and writes n, n - 1, ... 1",
            lambda x: [*range(x[0], 0, -1)],
            tuple([n] for n in range(1, 10)),
            solution=",[.-]",
        ),
        Coding("sum", "writes the sum of two numbers", lambda x: [sum(x)], _small_two, solution=",>,[-<+>]<."),
        Coding("double", "writes twice the number", lambda x: [2 * x[0]], _small, solution=",[->++<]>."),
    ]


def prints(name: str, numbers: Numbers, solution: str = "") -> Coding:
    """Reads nothing and writes these numbers."""
    statement = f"writes {' '.join(map(str, numbers))}"
    return Coding(name, statement, lambda x: numbers, ([],), solution=solution)


def _number(r: Random) -> int:
    return r.randrange(1, 256)


def _two(r: Random) -> Numbers:
    return [_number(r), _number(r)]


def _small(r: Random) -> Numbers:
    """Twice as much, or three more, is still below 256."""
    return [r.randrange(1, 128)]


def _small_two(r: Random) -> Numbers:
    return [r.randrange(1, 128), r.randrange(1, 128)]


def _each_twice(x: Numbers) -> Numbers:
    return [number for number in x for _ in range(2)]
