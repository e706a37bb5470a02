"""Befunge-93 in plain Python: what every other interpreter here is held to.

A program lies on a torus of 80 columns and 25 rows, whose cells it can read and write. One cell visited is one step:
a space, a character pushed in string mode, `#` (the cell it jumps over is not visited), an unknown instruction and
`@`, which ends the run, count like any other. Values on the stack are 64-bit two's complement, and an
empty stack gives zeros. The default is what the reference interpreter does, Chris Pressey's bef 2.25; the points that
dialects differ in are `Options`. Where bef crashes, `%` by zero gives 0, and the least value divided by -1 is itself.

An instruction that cannot be carried out ends the run and is not counted: what was written before stays. The step
limit is looked at first: a program whose `@` is step `max_steps` ends OK, and so does one that writes exactly
`max_output` bytes.
"""

import dataclasses
from typing import Literal

from esolang.status import Outcome, Status

WIDTH, HEIGHT = 80, 25
RIGHT, LEFT, UP, DOWN = (1, 0), (-1, 0), (0, -1), (0, 1)
DIRECTIONS = {">": RIGHT, "<": LEFT, "^": UP, "v": DOWN}
RANDOM_DIRECTIONS = (RIGHT, LEFT, UP, DOWN)
SPACE = 32
QUESTION = b"What do you want %d/0 to be? "
WHITE = b" \t\n\v\f\r"


@dataclasses.dataclass(frozen=True)
class Options:
    """The dialect, and the limits.

    Attributes:
      cell_bits: cells of the playfield are signed, of so many bits; `p` drops the bits above.
      division_by_zero: what `/` does with a divisor of 0: "ask" writes "What do you want 5/0 to be? " and reads an
        integer as `&` does, which leaves the numerator where there is none; "zero" pushes 0.
      outside: what `g` pushes for a place outside the playfield; `p` there does nothing but pop.
      bridge: what `#` skips where it stands at the edge: "torus" the first cell beyond; "lopsided" the same when
        moving right or down, but nothing when moving left or up, as `bef -t`.
      unknown: what an unknown instruction does: "ignore" nothing, "reflect" turns round.
      long_source: "cut" drops what is beyond 80 columns or 25 rows, "refuse" raises ValueError.
      stack_limit: a push beyond so many values ends with STACK_OVERFLOW; None: there is no limit.
      max_steps: a step beyond these ends with STEP_LIMIT.
      max_output: an instruction that writes a byte beyond these writes none and ends with OUTPUT_LIMIT.
    """

    cell_bits: Literal[8, 32, 64] = 8
    division_by_zero: Literal["ask", "zero"] = "ask"
    outside: Literal[0, 32] = 0
    bridge: Literal["torus", "lopsided"] = "torus"
    unknown: Literal["ignore", "reflect"] = "ignore"
    long_source: Literal["cut", "refuse"] = "cut"
    stack_limit: int | None = None
    max_steps: int = 1_000_000
    max_output: int = 10_000

    def __post_init__(self):
        _one_of(self, "cell_bits", 8, 32, 64)
        _one_of(self, "division_by_zero", "ask", "zero")
        _one_of(self, "outside", 0, 32)
        _one_of(self, "bridge", "torus", "lopsided")
        _one_of(self, "unknown", "ignore", "reflect")
        _one_of(self, "long_source", "cut", "refuse")
        for name, least in (("stack_limit", 2), ("max_steps", 0), ("max_output", 0)):
            value = getattr(self, name)
            if (name, value) != ("stack_limit", None) and (type(value) is not int or value < least):
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def _one_of(options: Options, name: str, *allowed: object) -> None:
    value = getattr(options, name)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, got {value!r}")


def run(program: str, data: bytes = b"", options: Options | None = None, seed: int = 0) -> Outcome:
    """Runs a program on its input.

    Args:
      seed: of `?`, 0 to 2 ** 32 - 1; `random_word` says which ways it goes.

    Raises:
      ValueError: the program is no text, or has characters beyond Latin-1; the input is no bytes; a seed out of range.
    """
    machine = Machine(program, data, options or Options(), seed)
    try:
        while True:
            machine.step()
    except Stop as stop:
        return Outcome(stop.status, bytes(machine.output), machine.steps)


class Stop(Exception):  # noqa: N818 - no error
    """The run ends."""

    def __init__(self, status: Status):
        self.status = status


class Machine:
    """A program while it runs."""

    def __init__(self, program: str, data: bytes, options: Options, seed: int):
        self.options = options
        self.cells = [wrap(cell, options.cell_bits) for cell in playfield(program, options.long_source)]
        self.data, self.num_read = checked_input(data), 0
        self.seed, self.num_random = checked_seed(seed), 0
        self.x, self.y, self.direction = 0, 0, RIGHT
        self.is_string = False
        self.stack: list[int] = []
        self.output = bytearray()
        self.steps = 0

    def step(self) -> None:
        """Visits a cell; raises Stop where the run ends there."""
        if self.steps == self.options.max_steps:
            raise Stop(Status.STEP_LIMIT)
        cell = self.cells[WIDTH * self.y + self.x]
        instruction = chr(cell) if 0 <= cell < 128 else "unknown"
        if self.is_string and instruction != '"':
            self.push(cell)
        else:
            self.execute(instruction)
        self.move()
        self.steps += 1

    def move(self) -> None:
        self.x = (self.x + self.direction[0]) % WIDTH
        self.y = (self.y + self.direction[1]) % HEIGHT

    def pop(self) -> int:
        return self.stack.pop() if self.stack else 0

    def push(self, value: int) -> None:
        if len(self.stack) == self.options.stack_limit:
            raise Stop(Status.STACK_OVERFLOW)
        self.stack.append(wrap(value, 64))

    def write(self, text: bytes) -> None:
        if len(self.output) + len(text) > self.options.max_output:
            raise Stop(Status.OUTPUT_LIMIT)
        self.output += text

    def execute(self, instruction: str) -> None:
        """Does what an instruction does, short of moving on."""
        if instruction == " ":
            pass
        elif instruction in "0123456789":
            self.push(int(instruction))
        elif instruction == "@":
            self.steps += 1
            raise Stop(Status.OK)
        elif instruction in DIRECTIONS:
            self.direction = DIRECTIONS[instruction]
        elif instruction == "?":
            self.direction = RANDOM_DIRECTIONS[random_word(self.seed, self.num_random) >> 30]
            self.num_random += 1
        elif instruction == "_":
            self.direction = LEFT if self.pop() else RIGHT
        elif instruction == "|":
            self.direction = UP if self.pop() else DOWN
        elif instruction == "#":
            self.bridge()
        elif instruction == '"':
            self.is_string = not self.is_string
        elif instruction in "+-*/%`":
            top, below = self.pop(), self.pop()
            self.push(self.divide(below, top) if instruction == "/" else calculate(instruction, below, top))
        elif instruction == "!":
            self.push(int(self.pop() == 0))
        elif instruction == ":":
            top = self.pop()
            self.push(top)
            self.push(top)
        elif instruction == "\\":
            top, below = self.pop(), self.pop()
            self.push(top)
            self.push(below)
        elif instruction == "$":
            self.pop()
        elif instruction == ".":
            self.write(b"%d " % self.pop())
        elif instruction == ",":
            self.write(bytes([self.pop() & 255]))
        elif instruction == "g":
            y, x = self.pop(), self.pop()
            self.push(self.cells[WIDTH * y + x] if is_inside(x, y) else self.options.outside)
        elif instruction == "p":
            y, x, value = self.pop(), self.pop(), self.pop()
            if is_inside(x, y):
                self.cells[WIDTH * y + x] = wrap(value, self.options.cell_bits)
        elif instruction == "&":
            value = self.read_integer()
            self.push(-1 if value is None else value)
        elif instruction == "~":
            is_left = self.num_read < len(self.data)
            self.push(wrap(self.data[self.num_read], 8) if is_left else -1)
            self.num_read += is_left
        elif self.options.unknown == "reflect":
            self.direction = (-self.direction[0], -self.direction[1])

    def bridge(self) -> None:
        is_lopsided = self.options.bridge == "lopsided"
        is_at_edge = (self.x == 0 and self.direction == LEFT) or (self.y == 0 and self.direction == UP)
        if not (is_lopsided and is_at_edge):
            self.move()

    def divide(self, numerator: int, divisor: int) -> int:
        if divisor or self.options.division_by_zero == "zero":
            return calculate("/", numerator, divisor)
        self.write(QUESTION % numerator)
        answer = self.read_integer()
        return numerator if answer is None else answer

    def read_integer(self) -> int | None:
        value, self.num_read = parse_integer(self.data, self.num_read)
        return value


def calculate(instruction: str, below: int, top: int) -> int:
    """What `+`, `-`, `*`, `/`, `%` or `` ` `` gives: division cuts towards 0 and by 0 gives 0, as C would but for 0."""
    if instruction == "+":
        return below + top
    if instruction == "-":
        return below - top
    if instruction == "*":
        return below * top
    if instruction == "`":
        return int(below > top)
    if top == 0:
        return 0
    quotient = abs(below) // abs(top) * (1 if (below < 0) == (top < 0) else -1)
    return quotient if instruction == "/" else below - quotient * top


def wrap(value: int, bits: int) -> int:
    """The signed number that the low bits of a value stand for."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def is_inside(x: int, y: int) -> bool:
    return 0 <= x < WIDTH and 0 <= y < HEIGHT


def parse_integer(data: bytes, start: int) -> tuple[int | None, int]:
    """The integer that C's `scanf("%ld")` reads from a place on, None where there is none, and where reading goes on.

    White space before it is skipped, then a sign, also where no digit follows; a number too large is the largest.
    """
    position = start
    while position < len(data) and data[position] in WHITE:
        position += 1
    first = position
    if position < len(data) and data[position] in b"+-":
        position += 1
    first_digit = position
    while position < len(data) and data[position] in b"0123456789":
        position += 1
    if position == first_digit:
        return None, position
    digits = data[first_digit:position].lstrip(b"0")[:20]  # one more than the largest has says all
    value = int(digits or b"0") * (-1 if data[first] == ord("-") else 1)
    return min(max(value, -(2**63)), 2**63 - 1), position


def random_word(seed: int, index: int) -> int:
    """The 32 random bits of a run's `?` number `index`; the first two bits choose right, left, up or down.

    Numbers a golden ratio apart, each hashed by the finaliser of MurmurHash3: any can be had without those before.
    """
    word = (seed + 0x9E3779B9 * (index + 1)) % 2**32
    word = (word ^ (word >> 16)) * 0x85EBCA6B % 2**32
    word = (word ^ (word >> 13)) * 0xC2B2AE35 % 2**32
    return word ^ (word >> 16)


def playfield(program: str, long_source: str = "cut") -> list[int]:
    """The 80 × 25 cells of a source, row by row: code points 0 to 255, spaces where it says nothing.

    Lines end with a line feed or with carriage return and line feed; every other character, tabs and NUL too, is a
    cell. A source without any character is a playfield of spaces, which runs until a limit ends it.

    Raises:
      ValueError: it is no text, has a character that is no byte of Latin-1, or is too long and refused.
    """
    if not isinstance(program, str):
        raise ValueError(f"a program must be a str, got {type(program).__name__}")
    rows = program.replace("\r\n", "\n").split("\n")
    for i, row in enumerate(rows):
        if row and long_source == "refuse" and (len(row) > WIDTH or i >= HEIGHT):
            raise ValueError(f"a source must have 80 columns and 25 rows at most, row {i + 1} has {len(row)} columns")
        if not row.isascii() and (beyond := [c for c in row if ord(c) > 255]):
            raise ValueError(f"a source must be Latin-1, row {i + 1} has {beyond[0]!r} (U+{ord(beyond[0]):04X})")
    rows += [""] * HEIGHT
    return [ord(character) for row in rows[:HEIGHT] for character in row[:WIDTH].ljust(WIDTH)]


def checked_input(data: bytes) -> bytes:
    """The input as it is.

    Raises:
      ValueError: it is not bytes.
    """
    if not isinstance(data, bytes):
        raise ValueError(f"the input of a program must be bytes, got {type(data).__name__}")
    return data


def checked_seed(seed: int) -> int:
    """The seed as it is.

    Raises:
      ValueError: it is no integer of 32 bits.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"a seed must be an integer from 0 to 4294967295, got {seed!r}")
    return seed
