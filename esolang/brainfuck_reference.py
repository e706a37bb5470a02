"""Brainf**k in plain Python: what every other interpreter here is held to.

Eight characters are commands, all others are comments. One command executed is one step; a bracket is a command each
time it is visited, jumping or not. A bracket that jumps lands on its partner, and the command after that is next.
The points that dialects differ in are `Options`.

A command that cannot be executed ends the run and is not counted: what was written before stays, and `steps` is the
number of commands that were carried out. The step limit is looked at first, and only where there is a command left:
a program that needs exactly `max_steps` ends OK, and so does one that writes exactly `max_output` bytes.
"""

import dataclasses
from typing import Literal

from esolang.status import Outcome, Status

COMMANDS = "><+-.,[]"


@dataclasses.dataclass(frozen=True)
class Options:
    """The dialect, and the limits.

    Attributes:
      cell_bits: cells count from 0 to 2 ** cell_bits - 1 and wrap; `.` writes the low byte.
      end_of_input: what `,` stores when no input is left: 0, -1 (all bits set), or None: it changes nothing.
      left_edge: what `<` does on the first cell: "error" ends with TAPE_LEFT, "clamp" stays there, "wrap" goes to the
        last cell, and `>` on the last cell to the first. In other dialects `>` on the last cell ends with TAPE_RIGHT.
      brackets: "strict" ends with SYNTAX_ERROR before any step if a bracket has no partner, "lenient" lets a bracket
        without partner be a step that does nothing.
      max_steps: a command beyond these ends with STEP_LIMIT.
      max_output: a byte beyond these ends with OUTPUT_LIMIT.
      cells: length of the tape.
    """

    cell_bits: Literal[8, 16, 32] = 8
    end_of_input: Literal[0, -1] | None = 0
    left_edge: Literal["error", "clamp", "wrap"] = "error"
    brackets: Literal["strict", "lenient"] = "strict"
    max_steps: int = 1_000_000
    max_output: int = 10_000
    cells: int = 30_000

    def __post_init__(self):
        if self.cell_bits not in (8, 16, 32):
            raise ValueError(f"cell_bits must be 8, 16 or 32, got {self.cell_bits!r}")
        if self.end_of_input not in (0, -1, None):
            raise ValueError(f"end_of_input must be 0, -1 or None, got {self.end_of_input!r}")
        if self.left_edge not in ("error", "clamp", "wrap"):
            raise ValueError(f"left_edge must be error, clamp or wrap, got {self.left_edge!r}")
        if self.brackets not in ("strict", "lenient"):
            raise ValueError(f"brackets must be strict or lenient, got {self.brackets!r}")
        for name, least in (("max_steps", 0), ("max_output", 0), ("cells", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def run(program: str, data: bytes = b"", options: Options | None = None) -> Outcome:
    """Runs a program on its input.

    Raises:
      ValueError: the program is no text, or its input no bytes.
    """
    options = options or Options()
    code = commands(program)
    data = checked_input(data)
    jumps, is_balanced = partners(code)
    if options.brackets == "strict" and not is_balanced:
        return Outcome(Status.SYNTAX_ERROR, b"", 0)

    largest = 2**options.cell_bits - 1
    last_cell = options.cells - 1
    tape, pointer = [0], 0  # grows when a cell is first entered
    output, position, num_read, steps = bytearray(), 0, 0, 0
    while position < len(code):
        if steps == options.max_steps:
            return Outcome(Status.STEP_LIMIT, bytes(output), steps)
        command = code[position]
        if command == ">":
            if pointer < last_cell:
                pointer += 1
            elif options.left_edge == "wrap":
                pointer = 0
            else:
                return Outcome(Status.TAPE_RIGHT, bytes(output), steps)
            if pointer == len(tape):
                tape.append(0)
        elif command == "<":
            if pointer > 0:
                pointer -= 1
            elif options.left_edge == "wrap":
                pointer = last_cell
                tape += [0] * (options.cells - len(tape))
            elif options.left_edge == "error":
                return Outcome(Status.TAPE_LEFT, bytes(output), steps)
        elif command == "+":
            tape[pointer] = (tape[pointer] + 1) & largest
        elif command == "-":
            tape[pointer] = (tape[pointer] - 1) & largest
        elif command == ".":
            if len(output) == options.max_output:
                return Outcome(Status.OUTPUT_LIMIT, bytes(output), steps)
            output.append(tape[pointer] & 255)
        elif command == ",":
            if num_read < len(data):
                tape[pointer] = data[num_read]
                num_read += 1
            elif options.end_of_input is not None:
                tape[pointer] = options.end_of_input & largest
        elif (command == "[") == (tape[pointer] == 0):  # `[` jumps on zero, `]` on all else
            position = jumps[position]
        position += 1
        steps += 1
    return Outcome(Status.OK, bytes(output), steps)


def commands(program: str) -> str:
    """A program without its comments.

    Raises:
      ValueError: it is no text.
    """
    if not isinstance(program, str):
        raise ValueError(f"a program must be a str, got {type(program).__name__}")
    return "".join(character for character in program if character in COMMANDS)


def checked_input(data: bytes) -> bytes:
    """The input as it is.

    Raises:
      ValueError: it is not bytes.
    """
    if not isinstance(data, bytes):
        raise ValueError(f"the input of a program must be bytes, got {type(data).__name__}")
    return data


def partners(code: str) -> tuple[dict[int, int], bool]:
    """Where each bracket's partner stands, a bracket without one being its own; and whether all have one."""
    jumps, opened, is_balanced = {}, [], True
    for position, command in enumerate(code):
        if command == "[":
            opened.append(position)
        elif command == "]" and opened:
            jumps[position] = opened.pop()
            jumps[jumps[position]] = position
        elif command == "]":
            jumps[position], is_balanced = position, False
    jumps |= {position: position for position in opened}
    return jumps, is_balanced and not opened
