"""A programming language as a language model meets it."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from esolang.paper_problems import Case
from esolang.status import Outcome

MAX_STEPS = 100_000
"""Of a program in an esoteric language: the six tasks need a few thousand."""


class Ran(NamedTuple):
    """How a program ended and what it wrote."""

    ended: str  # ok, or what went wrong
    output: bytes


class Example(NamedTuple):
    """A worked example: what is asked, a program that does it, how it does it, and what shows that it does."""

    statement: str  # continues "Write a program that"
    program: str
    explanation: str
    cases: tuple[Case, ...]


@dataclasses.dataclass(frozen=True)
class Language:
    """A language, its rules in full, worked examples and an interpreter.

    Attributes:
      name: for files and tables.
      title: for the prompt.
      rules: everything a program may rely on.
      words: a worked example that prints a word of two letters.
      examples: ten worked examples of other kinds, none of them one of the tasks.
      run: program and input to how it ended; raises ValueError for what is no program at all.
      alphabet: the commands, where all other characters are comments, so that a program is known by them; else "".
      is_ascii: whether a program with other characters is none.
    """

    name: str
    title: str
    rules: str
    words: Callable[[str], Example]
    examples: tuple[Example, ...]
    run: Callable[[str, bytes], Ran]
    alphabet: str = ""
    is_ascii: bool = False


def ran(outcome: Outcome) -> Ran:
    """An interpreter's answer in words."""
    return Ran(outcome.status.name.lower(), outcome.output)
