"""Brainf**k, and Brainf**k in other characters: the control that asks for the algorithm without the known syntax."""

import random
import re

from esolang import brainfuck_reference
from esolang.brainfuck_reference import COMMANDS
from esolang.llm.languages.language import MAX_STEPS, Example, Language, Ran, ran
from esolang.paper_problems import Case

SPARE = "!$%&()/:;=?@^{}|"
"""Characters that renamed commands are drawn from: no command, no letter, nothing that fences code."""

RULES = """\
The language has a tape of cells. Each cell holds a number from 0 to 255; all cells are 0 at first. A pointer stands on
one cell, the first one of the tape at first. A program is a text of which eight characters are commands; they are
executed from left to right. All other characters are comments and do nothing. The commands are:

- `>` moves the pointer one cell to the right. The tape has 30000 cells; moving beyond the last one is an error.
- `<` moves the pointer one cell to the left. Moving to the left of the first cell is an error.
- `+` adds 1 to the cell at the pointer; 255 becomes 0.
- `-` subtracts 1 from the cell at the pointer; 0 becomes 255.
- `.` prints the cell at the pointer as the character with this ASCII code.
- `,` reads one character of the input and stores its ASCII code in the cell at the pointer. When no input is left it
  stores 0.
- `[` jumps behind the matching `]` if the cell at the pointer is 0; else execution goes on with the next command.
- `]` jumps back behind the matching `[` if the cell at the pointer is not 0; else execution goes on with the next
  command.

Every `[` needs its `]` and every `]` its `[`; such pairs may be nested. The program ends behind its last command. It
must end on its own, within 100000 executed commands."""


def brainfuck() -> Language:
    """The language with its own eight characters."""
    return Language("brainfuck", "Brainfuck", RULES, two_letters, _examples(), _run, alphabet=COMMANDS)


def renamed(seed: int = 0) -> Language:
    """The language with other characters, drawn by a seed, and without its name: programs are translated before they
    run, and the old commands are comments like any other."""
    new = "".join(random.Random(f"renamed {seed}").sample(SPARE, len(COMMANDS)))

    def run(program: str, data: bytes) -> Ran:
        return _run(back(program, new), data)

    return Language(
        name=f"renamed_{seed}",
        title="a tape language",
        rules=rename_code(RULES, new),
        words=lambda word: _rename_example(two_letters(word), new),
        examples=tuple(_rename_example(example, new) for example in _examples()),
        run=run,
        alphabet=new,
    )


def two_letters(word: str) -> Example:
    """Prints two lower-case letters: the first from a product of tens, the second from the first."""
    first, second = map(ord, word)
    tens, rest = divmod(first, 10)
    change = ("+" if second > first else "-") * abs(second - first)
    program = f"{'+' * 10}[>{'+' * tens}<-]>{'+' * rest}.{change}."
    explanation = (
        f"`{'+' * 10}` sets cell 0 to 10. The loop `[>{'+' * tens}<-]` runs 10 times, and each time it adds {tens} to "
        f"cell 1 and takes 1 from cell 0, so cell 1 becomes {10 * tens}. `>` moves to cell 1. "
        + (f"`{'+' * rest}` makes it {first}, the" if rest else f"{first} is the")
        + f" code of {word[0]}, and `.` prints it. "
        + (f"`{change}` makes it {second}, the code of {word[1]}, and " if change else "The next letter is the same: ")
        + "`.` prints it."
    )
    return Example(f"prints the word {word} and nothing else.", program, explanation, (Case(b"", word.encode()),))


def rename_code(text: str, new: str) -> str:
    """A text in which all code, which stands in backticks, has the new commands instead of the old."""
    return re.sub(r"`[^`]*`", lambda match: match[0].translate(str.maketrans(COMMANDS, new)), text)


def back(program: str, new: str) -> str:
    """A program in the old commands; what is none of the new ones goes."""
    return "".join(COMMANDS[new.index(character)] for character in program if character in new)


def _rename_example(example: Example, new: str) -> Example:
    program = example.program.translate(str.maketrans(COMMANDS, new))
    return example._replace(program=program, explanation=rename_code(example.explanation, new))


def _run(program: str, data: bytes) -> Ran:
    return ran(brainfuck_reference.run(program, data, brainfuck_reference.Options(max_steps=MAX_STEPS)))


def _examples() -> tuple[Example, ...]:
    return (
        Example(
            "reads one character and prints it twice.",
            ",..",
            "`,` reads the character into cell 0. Each `.` prints cell 0.",
            (Case(b"x", b"xx"), Case(b"7", b"77")),
        ),
        Example(
            "reads a lower-case letter and prints the same letter in upper case.",
            ",>++++[<-------->-]<.",
            "`,` reads the letter into cell 0. `>++++` sets cell 1 to 4. The loop `[<-------->-]` runs 4 times and "
            "takes 8 from cell 0 each time, 32 in all, which is the distance from a lower-case letter to its "
            "upper-case form. `<.` goes back to cell 0 and prints it.",
            (Case(b"a", b"A"), Case(b"q", b"Q")),
        ),
        Example(
            "reads two characters and prints the second before the first.",
            ",>,.<.",
            "`,` reads the first character into cell 0. `>,` reads the second one into cell 1 and `.` prints it. `<.` "
            "goes back to cell 0 and prints it.",
            (Case(b"ab", b"ba"), Case(b"42", b"24")),
        ),
        Example(
            "prints five exclamation marks.",
            "+++++[>++++++<-]>+++<+++++[>.<-]",
            "`+++++[>++++++<-]` adds 6 to cell 1 five times, which makes 30, and cell 0 is 0 again. `>+++` makes cell "
            "1 33, the code of the exclamation mark. `<+++++` sets cell 0 to 5. The loop `[>.<-]` prints cell 1 and "
            "takes 1 from cell 0, five times.",
            (Case(b"", b"!!!!!"),),
        ),
        Example(
            "reads two digits whose sum is at most 9, with nothing between them, and prints the sum as a digit.",
            ",>,<[->+<]>>++++++[<-------->-]<.",
            "`,>,` reads the codes of both digits into cells 0 and 1. `<[->+<]` adds cell 0 to cell 1. The code of a "
            "digit is 48 plus the digit, so cell 1 holds 48 too many. `>>++++++` moves to cell 2 and sets it to 6; the "
            "loop `[<-------->-]` takes 8 from cell 1 six times, 48 in all. `<.` prints cell 1.",
            (Case(b"23", b"5"), Case(b"90", b"9")),
        ),
        Example(
            "reads a digit and prints as many stars.",
            ",>++++++[<-------->-]>++++++[<+++++++>-]<<[>.<-]",
            "`,` reads the code of the digit into cell 0. `>++++++` sets cell 1 to 6 and the loop `[<-------->-]` "
            "takes 8 from cell 0 six times, 48 in all, so cell 0 holds the number. `>++++++[<+++++++>-]` sets cell 2 "
            "to 6 and adds 7 to cell 1 six times, which makes 42, the code of the star. `<<` goes back to cell 0. The "
            "loop `[>.<-]` prints cell 1 and takes 1 from cell 0 until that is 0.",
            (Case(b"3", b"***"), Case(b"0", b"")),
        ),
        Example(
            "reads all characters of the input, at most nine, and prints how many there are as a digit.",
            ",[>+<,]++++++[>++++++++<-]>.",
            "`,` reads a character into cell 0. The loop `[>+<,]` counts it in cell 1 and reads the next one; at the "
            "end of the input cell 0 becomes 0 and the loop ends. `++++++[>++++++++<-]` adds 6 times 8, which is 48, "
            "to cell 1, so that it holds the code of the digit. `>.` prints it.",
            (Case(b"abcd", b"4"), Case(b"", b"0")),
        ),
        Example(
            "reads a digit and prints Y if it is 0 and N if it is not.",
            ",>++++++[<-------->-]>+++++++++[<++++++++++>-]<-<[>-----------<[-]]>.",
            "`,>++++++[<-------->-]` reads the digit and takes 48 from it, so cell 0 holds the number. "
            "`>+++++++++[<++++++++++>-]` adds 10 to cell 1 nine times and `<-` goes there and makes it 89, the code "
            "of Y. `<` goes to cell 0. If the number is not 0, the loop takes 11 from cell 1, which makes 78, the "
            "code of N, and sets cell 0 to 0 with `[-]`, so that it runs once at most. `>.` prints cell 1.",
            (Case(b"0", b"Y"), Case(b"4", b"N")),
        ),
        Example(
            "reads a digit and prints the digits from it down to 1.",
            ",>++++++[<-------->-]<[->+>+<<]>>>++++++[<++++++++>-]<<[>.-<-]",
            "`,>++++++[<-------->-]` reads the digit and takes 48 from it, so cell 0 holds the number. `<[->+>+<<]` "
            "moves it into cells 1 and 2. `>>>++++++[<++++++++>-]` adds 8 to cell 2 six times, so cell 2 holds the "
            "code of the digit. `<<` goes to cell 1. The loop `[>.-<-]` prints cell 2 and takes 1 from cells 2 and 1, "
            "until cell 1 is 0.",
            (Case(b"3", b"321"), Case(b"0", b"")),
        ),
        Example(
            "reads two characters and prints S if they are the same and D if they differ.",
            ",>,<[->-<]>>>++++++++[<++++++++++>-]<+++<[>---------------<[-]]>.",
            "`,>,` reads the characters into cells 0 and 1. `<[->-<]` takes cell 0 from cell 1, so cell 1 is 0 only if "
            "they are the same. `>>>++++++++[<++++++++++>-]` adds 10 to cell 2 eight times and `<+++` goes there and "
            "makes it 83, the code of S. `<` goes to cell 1. If that is not 0, the loop takes 15 from cell 2, which "
            "makes 68, the code of D, and `[-]` ends it. `>.` prints cell 2.",
            (Case(b"aa", b"S"), Case(b"ab", b"D"), Case(b"ba", b"D")),
        ),
    )
