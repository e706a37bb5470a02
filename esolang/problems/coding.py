"""A coding problem as a function: what a program must write for what it reads.

Inputs to train on and inputs to test on never meet: each belongs to one side by a hash of its bytes. A problem that
has a few inputs only, or none, tells all of them to both sides, and whoever reports it must say so.
"""

import dataclasses
import random
import zlib
from collections.abc import Callable
from typing import Literal, get_args

from esolang.paper_problems import Case

Split = Literal["train", "test"]
TEST_SHARE = 8
"""One input in so many is for testing."""
MAX_DRAWS = 1000
"""In a row without one for the split."""


@dataclasses.dataclass(frozen=True)
class Coding:
    """A program to be written.

    Attributes:
      name: unique among all problems here.
      statement: what the program must do, in no programming language's words.
      answer: input → output, both lists of numbers from 0 to 255.
      draw: a random input; or all inputs, where there are few.
      base: numbers written are below it; how far apart wrong ones can be, for graded rewards.
      solution: a program in Brainf**k known to solve it, if there is one.
    """

    name: str
    statement: str
    answer: Callable[[list[int]], list[int]]
    draw: Callable[[random.Random], list[int]] | tuple[list[int], ...]
    base: int = 256
    solution: str = ""

    @property
    def has_hidden(self) -> bool:
        """Whether there are inputs that training never shows."""
        return callable(self.draw)

    def case(self, data: list[int]) -> Case:
        return Case(bytes(data), bytes(self.answer(data)))


def is_test(data: bytes) -> bool:
    """Whether an input is for testing."""
    return zlib.crc32(data) % TEST_SHARE == 0


def cases(coding: Coding, split: Split, num: int, seed: int = 0) -> list[Case]:
    """`num` random cases of a split, the same for the same arguments; or all cases, where there are few.

    Raises:
      ValueError: no such split, or a problem whose inputs are all of the other one.
    """
    if split not in get_args(Split):
        raise ValueError(f"split must be train or test, got {split!r}")
    if num < 1:
        raise ValueError(f"num must be at least 1, got {num}")
    if not callable(coding.draw):
        return [coding.case(data) for data in coding.draw]
    source, found = random.Random(f"{coding.name} {split} {seed}"), []
    for _ in range(MAX_DRAWS * num):
        data = coding.draw(source)
        if is_test(bytes(data)) == (split == "test"):
            found.append(coding.case(data))
            if len(found) == num:
                return found
    raise ValueError(f"{coding.name} has too few inputs to {split} on")
