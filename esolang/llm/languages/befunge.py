"""Befunge-93."""

from esolang import befunge_reference
from esolang.llm.languages.language import MAX_STEPS, Example, Language, Ran, ran
from esolang.paper_problems import Case

RULES = """\
A program is a text laid out on a grid of 80 columns and 25 rows, which wraps around at all four edges. Columns x and
rows y are counted from 0; the first character of the first line is at x = 0, y = 0. A pointer starts there and moves
to the right at first. It executes the character on which it stands, moves one cell in its direction, and so on. Values
are kept on a stack of 64-bit integers; taking a value from an empty stack gives 0. "Pop" takes the top value from the
stack, "push" puts one on top. The instructions are:

- `0` to `9`: push this digit. Larger numbers are calculated, for example `25*` pushes 10.
- `+` `-` `*`: pop b, pop a, push a+b, a-b or a*b.
- `/`: pop b, pop a, push a/b without the fraction, or 0 if b is 0. `%`: the same with the remainder.
- `!`: pop a value, push 1 if it is 0, else 0.
- ``` ` ```: pop b, pop a, push 1 if a is greater than b, else 0.
- `>` `<` `^` `v`: move to the right, to the left, up or down from now on.
- `?`: move in a random one of the four directions from now on.
- `_`: pop a value; move to the right if it is 0, else to the left.
- `|`: pop a value; move down if it is 0, else up.
- `"`: begin or end string mode. In string mode every character that is passed is pushed as its ASCII code and not
  executed, spaces too.
- `:`: push the top value once more. `\\`: swap the two top values. `$`: pop a value and drop it.
- `.`: pop a value and print it as a decimal number with a space behind it.
- `,`: pop a value and print the character with this ASCII code.
- `#`: skip the next cell.
- `p`: pop y, pop x, pop a value, and store this value in the cell of column x and row y.
- `g`: pop y, pop x, and push the value in the cell of column x and row y; a character there counts as its ASCII code.
- `&`: read a decimal number from the input and push it. `~`: read a character and push its ASCII code. Both push -1
  when no input is left.
- `@`: end the program.
- A space does nothing, and so does any other character.

The program must reach `@` within 100000 steps."""

OPTIONS = befunge_reference.Options(cell_bits=64, division_by_zero="zero", max_steps=MAX_STEPS)


def befunge() -> Language:
    """The language as its prompt describes it: cells of the grid hold what a stack holds, x / 0 is 0."""
    return Language("befunge", "Befunge-93", RULES, two_letters, _examples(), _run, is_ascii=True)


def two_letters(word: str) -> Example:
    """Prints two letters by string mode."""
    explanation = (
        f'`"` begins string mode, `{word[1]}` and `{word[0]}` are pushed as their ASCII codes, and `"` ends string '
        f"mode. Now {word[0]} is on top of the stack: the first `,` prints it, the second one prints {word[1]}. `@` "
        "ends the program."
    )
    case = Case(b"", word.encode())
    return Example(f"prints the word {word} and nothing else.", f'"{word[::-1]}",,@', explanation, (case,))


def _run(program: str, data: bytes) -> Ran:
    return ran(befunge_reference.run(program, data, OPTIONS))


def _examples() -> tuple[Example, ...]:
    return (
        Example(
            "reads a decimal number and prints its double.",
            "&2*.@",
            "`&` pushes the number, `2*` multiplies it by 2, `.` prints it and `@` ends the program.",
            (Case(b"21\n", b"42 "), Case(b"0\n", b"0 ")),
        ),
        Example(
            "reads two decimal numbers and prints their sum.",
            "&&+.@",
            "`&&` pushes both numbers, `+` replaces them by their sum, `.` prints it and `@` ends the program.",
            (Case(b"20 3\n", b"23 "), Case(b"5 -7\n", b"-2 ")),
        ),
        Example(
            "reads a decimal number and prints 1 if it is even and 0 if it is odd.",
            "&2%!.@",
            "`&` pushes the number, `2%` replaces it by its remainder after division by 2, and `!` turns 0 into 1 and "
            "1 into 0. `.` prints it and `@` ends the program.",
            (Case(b"8\n", b"1 "), Case(b"13\n", b"0 ")),
        ),
        Example(
            "reads a decimal number n and prints the numbers from n down to 1.",
            "&>:.1-:#v_@\n ^      <",
            "`&` pushes n. `>` is where the loop begins. `:.` prints the number and keeps it, `1-` takes 1 from it, "
            "`:` doubles it for the test. `#` skips the `v`. `_` pops the copy: if it is 0 the pointer goes on to the "
            "right to `@`, which ends the program. Else it goes to the left, onto the `v`, down to `<` in the second "
            "row, left to `^`, and up to `>`, where the loop begins again.",
            (Case(b"4\n", b"4 3 2 1 "), Case(b"1\n", b"1 ")),
        ),
        Example(
            "reads a decimal number and prints Y if it is greater than 10 and N if it is not.",
            '&55+`#v_"N",@\n      >"Y",@',
            "`&` pushes the number and `55+` pushes 10. ``` ` ``` pushes 1 if the number is greater, else 0. `#` skips "
            'the `v`. `_` pops the answer: if it is 0 the pointer goes on to the right, where `"N",` prints N and `@` '
            "ends the program. Else it goes to the left, onto the `v`, and down to the `>` in the second row, where "
            '`"Y",` prints Y and `@` ends the program.',
            (Case(b"11\n", b"Y"), Case(b"10\n", b"N")),
        ),
        Example(
            "reads two decimal numbers and prints the greater one.",
            "&:00p&:01p`#v_01g.@\n            >00g.@",
            "`&:00p` reads the first number and stores a copy of it at x = 0, y = 0. `&:01p` reads the second one and "
            "stores a copy at x = 0, y = 1. ``` ` ``` pushes 1 if the first is greater, else 0. `#` skips the `v`. If "
            "the answer is 0, `_` sends the pointer to the right, where `01g.` fetches and prints the second number. "
            "Else it goes to the left, onto the `v`, down to `>`, and `00g.` prints the first number. `@` ends the "
            "program.",
            (Case(b"3 9\n", b"9 "), Case(b"12 7\n", b"12 ")),
        ),
        Example(
            "reads a decimal number n and prints n stars.",
            '&>:#v_@\n ^  >"*",1-v\n ^         <',
            "`&` pushes n. `>` is where the loop begins. `:` doubles the number for the test and `#` skips the `v`. "
            "`_` pops the copy: if it is 0 the pointer goes on to the right to `@`, which ends the program. Else it "
            'goes to the left, onto the `v`, and down to the `>` in the second row. `"*",` prints a star, `1-` takes '
            "1 from the number, `v` leads down to `<` in the third row, which leads left to `^`, and that leads up to "
            "the `>` where the loop begins again.",
            (Case(b"3\n", b"***"), Case(b"0\n", b"")),
        ),
        Example(
            "reads one character and prints its ASCII code as a decimal number.",
            "~.@",
            "`~` pushes the code of the character, `.` prints it and `@` ends the program.",
            (Case(b"A", b"65 "), Case(b"z", b"122 ")),
        ),
        Example(
            "reads two decimal numbers, the second one not 0, and prints the quotient and the remainder.",
            "&&01p:01g/.01g%.@",
            "`&` pushes the first number. `&01p` reads the second one and stores it at x = 0, y = 1. `:` doubles the "
            "first number. `01g/.` fetches the second one, divides, and prints the quotient. `01g%.` does the same "
            "with the remainder. `@` ends the program.",
            (Case(b"17 5\n", b"3 2 "), Case(b"4 9\n", b"0 4 ")),
        ),
        Example(
            "reads decimal numbers until a 0 and prints how many came before it.",
            "0>&#v_.@\n ^+1<",
            "`0` pushes the count. `>` is where the loop begins. `&` reads a number, `#` skips the `v`, and `_` pops "
            "the number: if it is 0 the pointer goes on to the right, where `.` prints the count and `@` ends the "
            "program. Else it goes to the left, onto the `v`, and down to `<` in the second row. It moves to the "
            "left, so it meets `1` and then `+`, which add 1 to the count, and `^` leads up to the `>` where the loop "
            "begins again.",
            (Case(b"5 8 2 0\n", b"3 "), Case(b"0\n", b"0 ")),
        ),
    )
