"""Python: the control that tells whether a model knows the algorithm. Its programs are interpreted, never executed."""

from esolang import python_subset
from esolang.llm.languages.language import Example, Language, Ran
from esolang.paper_problems import Case

RULES = """\
The program is written in Python 3. It reads its input with `input()` and prints with `print()`. Use integers, strings,
lists, loops, conditions and functions only: no classes, no dictionaries, no `try`, no `lambda`, no `with`, and no
imports but `math` and `sys`, of which `math.factorial`, `sys.stdin` and `sys.stdout` are there. The program must end
within a few thousand operations."""


def python() -> Language:
    """The part of Python that `python_subset` interprets."""
    return Language("python", "Python 3", RULES, two_letters, _examples(), _run)


def two_letters(word: str) -> Example:
    """Prints a word."""
    case = Case(b"", word.encode())
    explanation = f"`print` prints the text {word}."
    return Example(f"prints the word {word} and nothing else.", f'print("{word}")', explanation, (case,))


def _run(program: str, data: bytes) -> Ran:
    ran = python_subset.run(program, data)
    return Ran(ran.ended, ran.output)


def _examples() -> tuple[Example, ...]:
    return (
        Example(
            "reads one character and prints it twice.",
            "print(input() * 2)",
            "`input()` reads the character and `* 2` repeats it.",
            (Case(b"x", b"xx"),),
        ),
        Example(
            "reads a decimal number and prints its double.",
            "print(int(input()) * 2)",
            "`int(input())` reads the number.",
            (Case(b"21\n", b"42"),),
        ),
        Example(
            "reads two decimal numbers on one line and prints their sum.",
            "a, b = map(int, input().split())\nprint(a + b)",
            "`input().split()` parts the line at the space and `map(int, ...)` makes numbers of both parts.",
            (Case(b"20 3\n", b"23"),),
        ),
        Example(
            "reads two characters and prints the second before the first.",
            "text = input()\nprint(text[1] + text[0])",
            "`text[1]` is the second character, `text[0]` the first.",
            (Case(b"ab", b"ba"),),
        ),
        Example(
            "reads a decimal number and prints 1 if it is even and 0 if it is odd.",
            "print(1 if int(input()) % 2 == 0 else 0)",
            "The remainder after division by 2 tells which.",
            (Case(b"8\n", b"1"), Case(b"13\n", b"0")),
        ),
        Example(
            "reads a lower-case letter and prints the same letter in upper case.",
            "print(input().upper())",
            "`upper()` gives the upper-case form.",
            (Case(b"q", b"Q"),),
        ),
        Example(
            "reads a decimal number n and prints the numbers from n down to 1.",
            'n = int(input())\nwhile n > 0:\n    print(n, end=" ")\n    n -= 1',
            'The loop counts down; `end=" "` prints a space in place of a new line.',
            (Case(b"4\n", b"4 3 2 1"),),
        ),
        Example(
            "reads a decimal number n and prints n stars.",
            'print("*" * int(input()))',
            "A text times a number repeats it.",
            (Case(b"3\n", b"***"),),
        ),
        Example(
            "reads two decimal numbers on one line and prints the greater one.",
            "a, b = map(int, input().split())\nif a > b:\n    print(a)\nelse:\n    print(b)",
            "The condition chooses which number is printed.",
            (Case(b"3 9\n", b"9"), Case(b"12 7\n", b"12")),
        ),
        Example(
            "reads a line and prints how many characters it has.",
            "print(len(input()))",
            "`len` counts the characters.",
            (Case(b"abcd\n", b"4"),),
        ),
    )
