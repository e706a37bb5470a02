"""The 26 problems of "Neural Program Synthesis with Priority Queue Training" (arXiv 1801.03526), by definition.

They were published as generators, most of them around a known program (github tensorflow/models, Apache-2.0,
`research/brain_coder/single_task/code_tasks.py`). What is different here:

- Every problem has as many cases as are asked for, and others to test on, not 16 that are fixed.
- An input that is a sequence has no 0 inside, which for most known programs ends it: what they do after it is theirs.
- Cells count to 255 for all, where there `count-char` and `print-hello` have cells modulo 27 and `bool-logic` modulo 2.
"""

import itertools
from collections.abc import Callable
from random import Random

from esolang.brainfuck_reference import Options
from esolang.problems.coding import Coding

DIALECT = Options(left_edge="clamp", brackets="lenient", max_steps=5000, max_output=64, cells=128)
"""How programs were run there, but for the limit of output and the right edge."""
BUDGET = 20_000_000
"""Programs that a search may execute there."""

Numbers = list[int]


def problems() -> list[Coding]:
    """All of them, in the order of the published table."""
    return [
        Coding("reverse", "writes its input backwards, then 0", lambda x: [*x[::-1], 0], sequence(6)),
        Coding("remove-char", "writes its input without the one 1 in it, then 0", _without_1, _with_1),
        Coding("count-char", "writes how often 1 is in its input", lambda x: [x.count(1)], _some_1, base=27),
        Coding("add", "writes the sum of two numbers modulo 256, then 0", lambda x: [sum(x) % 256, 0], _two),
        Coding("bool-logic", "writes x(~z) + (~y)(~z) + (~x)yz of three bits", _logic, _bits(), base=2),
        Coding("print-hello", "writes 8 5 12 12 15", lambda x: [8, 5, 12, 12, 15], ([],), base=27),
        Coding("echo-twice", "writes its input and 0, twice", lambda x: [*x, 0] * 2, sequence(6)),
        Coding("echo-thrice", "writes its input and 0, three times", lambda x: [*x, 0] * 3, sequence(6)),
        Coding(
            "copy-reverse",
            "writes its input, the same backwards and its input again, 0 after each",
            lambda x: [*x, 0, *x[::-1], 0, *x, 0],
            sequence(6),
        ),
        Coding("zero-cascade", "writes k zeros after number k, from number 0 on", _zero_cascade, sequence(6)),
        Coding("cascade", "writes number k k times, from number 1 on, then 0", _cascade, sequence(6, 20)),
        Coding("shift-left", "writes the first number last, then 0", lambda x: [*x[1:], x[0], 0], sequence(6)),
        Coding("shift-right", "writes the last number first, then 0", lambda x: [x[-1], *x[:-1], 0], sequence(6)),
        Coding("riffle", "writes last, first, last but one, second ...; 0 if they are odd", _riffle, sequence(8, 20)),
        Coding("unriffle", "writes every second number, the others backwards, 0", _unriffle, sequence(8, 20)),
        Coding("middle-char", "writes the middle number, 0 if there is none", _middle, sequence(10)),
        Coding("remove-last", "writes all numbers but the last, then 0", lambda x: [*x[:-1], 0], sequence(6, 20)),
        Coding("remove-last-two", "writes all but the last two, then 0", lambda x: [*x[:-2], 0], sequence(6, 10)),
        Coding(
            "echo-alternating",
            "writes numbers 0, 2, 4 ..., then numbers 1, 3, 5 ..., then 0",
            lambda x: [*x[::2], *x[1::2], 0],
            sequence(8, 20),
        ),
        Coding(
            "echo-half", "writes the first half of its input, then 0", lambda x: [*x[: len(x) // 2], 0], sequence(9, 20)
        ),
        Coding("length", "writes how many numbers it reads", lambda x: [len(x)], sequence(14)),
        Coding("echo-second-seq", "writes the second of two sequences, 0 ends each", _second, _two_sequences),
        Coding("echo-nth-seq", "reads n, then writes sequence n of those it reads; 0 ends each", _nth, _sequences),
        Coding("substring", "reads i and n, writes n numbers from number i on", _substring, _with_bounds),
        Coding("divide-2", "writes half the number it reads, rounded down", lambda x: [x[0] // 2], lambda r: [_any(r)]),
        Coding("dedup", "writes its input without repetitions of neighbours", _dedup, _runs),
    ]


def sequence(max_length: int, base: int = 256) -> Callable[[Random], Numbers]:
    """Inputs of 1 to `max_length` numbers from 1 to base - 1."""
    return lambda r: [r.randrange(1, base) for _ in range(r.randint(1, max_length))]


def _any(r: Random) -> int:
    return r.randrange(256)


def _two(r: Random) -> Numbers:
    return [_any(r), _any(r)]


def _bits() -> tuple[Numbers, ...]:
    return tuple([a, b, c] for a in range(2) for b in range(2) for c in range(2))


def _logic(x: Numbers) -> Numbers:
    a, b, c = x
    return [int((a and not c) or (not b and not c) or (not a and b and c))]


def _with_1(r: Random) -> Numbers:
    x = [r.randrange(2, 256) for _ in range(r.randint(1, 6))]
    x[r.randrange(len(x))] = 1
    return x


def _without_1(x: Numbers) -> Numbers:
    return [*(number for number in x if number != 1), 0]


def _some_1(r: Random) -> Numbers:
    """0 to 6 ones among others; with more ones than the length drawn, nothing but ones."""
    num, length = r.randint(0, 6), r.randint(2, 6)
    x = [1] * num + [r.randrange(2, 27) for _ in range(length - num)]
    r.shuffle(x)
    return x


def _zero_cascade(x: Numbers) -> Numbers:
    return [each for k, number in enumerate(x) for each in [number] + [0] * k]


def _cascade(x: Numbers) -> Numbers:
    return [*(number for k, number in enumerate(x, 1) for _ in range(k)), 0]


def _riffle(x: Numbers) -> Numbers:
    """After the middle number of an odd row its known program writes a 0."""
    half = (len(x) + 1) // 2
    pairs = itertools.zip_longest(x[::-1][:half], x[: len(x) // 2], fillvalue=0)
    return [number for pair in pairs for number in pair]


def _unriffle(x: Numbers) -> Numbers:
    return [*x[1::2], *x[::2][::-1], 0]


def _middle(x: Numbers) -> Numbers:
    return [x[len(x) // 2] if len(x) % 2 else 0]


def _two_sequences(r: Random) -> Numbers:
    draw = sequence(5)
    return [*draw(r), 0, *draw(r), 0]


def _second(x: Numbers) -> Numbers:
    return x[x.index(0) + 1 :]


def _sequences(r: Random) -> Numbers:
    k = r.randint(1, 6)
    n = r.randint(1, k)
    return [n, *(number for _ in range(k) for number in [*(r.randrange(1, 256) for _ in range(r.randrange(4))), 0])]


def _nth(x: Numbers) -> Numbers:
    ends = [-1, *(i for i, number in enumerate(x[1:]) if number == 0)]
    return x[1:][ends[x[0] - 1] + 1 : ends[x[0]] + 1]


def _with_bounds(r: Random) -> Numbers:
    length = r.randint(2, 15)
    first, end = sorted((r.randrange(length), r.randrange(length)))
    return [first, end - first, *(_any(r) for _ in range(length)), 0]


def _substring(x: Numbers) -> Numbers:
    return x[2:][x[0] : x[0] + x[1]]


def _runs(r: Random) -> Numbers:
    return [*(number for number in r.sample(range(1, 7), r.randint(1, 4)) for _ in range(r.randint(1, 4))), 0]


def _dedup(x: Numbers) -> Numbers:
    return [number for number, _ in itertools.groupby(x)]
