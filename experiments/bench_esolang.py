"""Commands per second of the esolang interpreters, beside plain Python and plain C, in one process.

    python experiments/bench_esolang.py

Every runner gets the same programs and inputs and counts the commands it executed; the sums must agree. Runners take
turns; what counts is the ratio of medians to plain Python, which runs a sample of the batch. C, on one thread, is
compiled with gcc where there is one. Of Brainf**k, plain Python and JAX are given the partners of brackets, as a policy
that writes programs keeps them; all other preparations are timed. JAX has no need of commands that it can tell the
effect of; they count all the same.

Of Befunge-93, all are given playfields. The second JAX runner is two threads of Python with half of the batch each.

bfi counts no commands and knows no limits, so it runs only loads whose programs all end: pip install bfi
"""

import ctypes
import dataclasses
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import tyro

from esolang import befunge as jax_befunge
from esolang import befunge_reference, brainfuck_reference
from esolang import brainfuck as jax_brainfuck
from esolang.status import Status


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure."""

    batches: tuple[int, ...] = (1024, 8192)
    """Programs at a time."""
    max_steps: int = 2000
    """Commands after which a program is stopped."""
    repeats: int = 5
    """Timed calls of each runner, in turn."""
    least_seconds: float = 0.1
    """A timed call is repeated until so much time has gone by."""
    python_sample: int = 200
    """Programs of the batch that plain Python runs."""
    loads: tuple[str, ...] = ()
    """Names of the loads to measure; default all."""


@dataclasses.dataclass(frozen=True)
class Load:
    """Programs and their inputs: one batch."""

    programs: list[str]
    data: list[bytes]


Run = Callable[[], int]
"""Runs a load once, returns the commands executed."""


@dataclasses.dataclass(frozen=True)
class Language:
    """What is measured of one language.

    Attributes:
      loads: name → maker of a batch of so many programs.
      baseline: (load, config) → a run of plain Python.
      runners: name → (load, config) → a run of the same load, or None where it cannot be had. Preparing is not timed.
    """

    name: str
    loads: dict[str, Callable[[int], Load]]
    baseline: Callable[[Load, Config], Run]
    runners: dict[str, Callable[[Load, Config], Run | None]]


def main(config: Config) -> None:
    """Prints a row for each load and batch."""
    languages = [brainfuck(), befunge()]
    known = [name for language in languages for name in language.loads]
    unknown = [name for name in config.loads if name not in known]
    if unknown:
        sys.exit(f"error: unknown load {unknown[0]!r}; loads are {', '.join(known)}")
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}; median of {config.repeats} runs in turn")
    print("million commands per second, in brackets the ratio to plain Python")
    for language in languages:
        print(f"\n{language.name}")
        for name, make in language.loads.items():
            for batch in config.batches if not config.loads or name in config.loads else ():
                print(f"  {name:24} {batch:6} {row(language, make(batch), config)}", flush=True)


def row(language: Language, load: Load, config: Config) -> str:
    """Times every runner on a load."""
    sample = Load(load.programs[: config.python_sample], load.data[: config.python_sample])
    runs = {"Python": language.baseline(sample, config)}
    for name, prepare in language.runners.items():
        run = prepare(load, config)
        if run is not None:
            runs[name] = run
    counts = {name: run() for name, run in runs.items()}  # compiles
    if len({count for name, count in counts.items() if name != "Python"}) > 1:
        sys.exit(f"error: the runners disagree on the number of commands: {counts}")
    times = {name: [] for name in runs}
    for _ in range(config.repeats):
        for name, run in runs.items():
            times[name].append(seconds(run, config.least_seconds))
    speeds = {name: counts[name] / statistics.median(each) / 1e6 for name, each in times.items()}
    return "  ".join(f"{name} {speed:8.1f} ({speed / speeds['Python']:5.1f})" for name, speed in speeds.items())


def seconds(run: Run, least: float) -> float:
    """Of one call, the mean of as many as take so long."""
    started, num_calls = time.perf_counter(), 0
    while num_calls == 0 or time.perf_counter() - started < least:
        run()
        num_calls += 1
    return (time.perf_counter() - started) / num_calls


# Brainf**k


def brainfuck() -> Language:
    """Short programs on short inputs, as a policy writes them."""
    loads = {
        "sort": sorting,
        "mixed solutions": mixed_solutions,
        "random balanced": random_balanced,
        "cat, 1 % endless": lambda num: cat_and_endless(num, "+[]"),
        "cat, 1 % nested endless": lambda num: cat_and_endless(num, "+[>+[-]<]"),
    }
    runners = {
        "JAX": brainfuck_in_jax,
        "JAX, 2 threads": lambda load, config: in_two_threads(brainfuck_in_jax, load, config),
        "C": brainfuck_in_c,
        "bfi": brainfuck_in_bfi,
    }
    return Language("Brainf**k", loads, brainfuck_in_python, runners)


CELLS = 256
MAX_OUTPUT = 64


def sorting(num: int) -> Load:
    """A counting sort of six bytes between 1 and 5: cells are (mark, value, count), the marks lead back."""
    read = ">>>>,[[<+>[->>>+<<<]>>>-]>+<<<<<[-<<<]>>>>,]"
    write = "<++++++[>>[-<.>]<[->>>+<<<]>>>+<<<<[->>>+<<<]>>>-]"
    values = np.random.default_rng(0).integers(1, 6, (num, 6), dtype=np.uint8)
    return Load([read + write] * num, [row.tobytes() for row in values])


def mixed_solutions(num: int) -> Load:
    """Solutions of brain_coder's tasks reverse, length, remove-last, divide-2 and dedup (Abolafia et al. 2018)."""
    programs = (
        ">,[>,]<[.<]",
        ">+>,[[<]>+[>],]<[<]>-.",
        ",>,[[<.[-]>[-<+>]],].",
        ",[-[->>+<]>[<]<]>>.",
        ">>,.[[-<+<+>>],[-<->]<[[-<->]<.>]<[->>+<<]>>]",
    )
    values = np.random.default_rng(0).integers(1, 256, (num, 8), dtype=np.uint8)
    return Load([programs[i % len(programs)] for i in range(num)], [row.tobytes() for row in values])


def random_balanced(num: int) -> Load:
    """64 commands, each drawn from those that leave room to close all brackets."""
    rng = np.random.default_rng(0)

    def program(length: int = 64) -> str:
        code, depth = "", 0
        while len(code) < length:
            left = length - len(code)
            legal = "]" if left == depth else "><+-.," + "[" * (left > depth + 1) + "]" * (depth > 0)
            code += legal[rng.integers(len(legal))]
            depth += (code[-1] == "[") - (code[-1] == "]")
        return code

    return Load([program() for _ in range(num)], [row.tobytes() for row in rng.integers(0, 256, (num, 8), np.uint8)])


def cat_and_endless(num: int, endless: str) -> Load:
    """One program in a hundred never ends."""
    values = np.random.default_rng(0).integers(1, 256, (num, 8), dtype=np.uint8)
    return Load([endless if i % 100 == 50 else ",[.,]" for i in range(num)], [row.tobytes() for row in values])


def brainfuck_in_python(load: Load, config: Config) -> Run:
    """A jump table and a chain of ifs, without options."""
    jumps = [brainfuck_reference.partners(program)[0] for program in load.programs]

    def run_one(code: str, jumps: dict[int, int], data: bytes) -> int:
        tape, pointer, output, num_read = [0] * CELLS, 0, bytearray(), 0
        at, steps, length, max_steps = 0, 0, len(code), config.max_steps
        while at < length and steps < max_steps:
            command = code[at]
            if command == ">":
                if pointer == CELLS - 1:
                    break
                pointer += 1
            elif command == "<":
                if pointer == 0:
                    break
                pointer -= 1
            elif command == "+":
                tape[pointer] = (tape[pointer] + 1) & 255
            elif command == "-":
                tape[pointer] = (tape[pointer] - 1) & 255
            elif command == "[":
                if not tape[pointer]:
                    at = jumps[at]
            elif command == "]":
                if tape[pointer]:
                    at = jumps[at]
            elif command == ".":
                if len(output) == MAX_OUTPUT:
                    break
                output.append(tape[pointer])
            elif command == ",":
                tape[pointer] = data[num_read] if num_read < len(data) else 0
                num_read += 1
            at += 1
            steps += 1
        return steps

    return lambda: sum(run_one(*each) for each in zip(load.programs, jumps, load.data, strict=True))


def brainfuck_in_jax(load: Load, config: Config) -> Run:
    """The package's own."""
    options = brainfuck_reference.Options(cells=CELLS, max_output=MAX_OUTPUT, max_steps=config.max_steps)
    tokens = jax_brainfuck.encode(load.programs, max(64, *map(len, load.programs)))
    linked = jax.jit(jax_brainfuck.link)(tokens)
    data, data_length = map(jax.device_put, rows(load.data))
    run = jax.jit(lambda linked, data, data_length: jax_brainfuck.run(linked, data, data_length, options))
    return lambda: int(np.asarray(run(linked, data, data_length).steps).sum(dtype=np.int64))


def brainfuck_in_bfi(load: Load, config: Config) -> Run | None:
    """bfi from PyPI, where it is installed and every program ends; its commands are counted beforehand."""
    try:
        import bfi  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return None
    options = brainfuck_reference.Options(cells=CELLS, max_output=MAX_OUTPUT, max_steps=config.max_steps)
    runs = list(zip(load.programs, load.data, strict=True))
    outcomes = [brainfuck_reference.run(*each, options) for each in runs]
    if any(outcome.status != Status.OK for outcome in outcomes):
        return None
    texts = [(program, data.decode("latin-1")) for program, data in runs]
    num_steps = sum(outcome.steps for outcome in outcomes)

    def run() -> int:
        for program, data in texts:
            bfi.interpret(program, input_data=data, buffer_output=True, tape_size=CELLS)
        return num_steps

    return run


def brainfuck_in_c(load: Load, config: Config) -> Run | None:
    """One thread."""
    library = compiled("naive_brainfuck.c")
    if library is None:
        return None
    code, code_lengths = rows([program.encode() for program in load.programs])
    data, data_lengths = rows(load.data)
    limits = (ctypes.c_long(config.max_steps), CELLS, MAX_OUTPUT)
    library.run_batch.restype = ctypes.c_long

    def run() -> int:
        return library.run_batch(
            len(code), pointer(code), pointer(code_lengths), code.shape[1],
            pointer(data), pointer(data_lengths), data.shape[1], *limits,
        )  # fmt: skip

    return run


# Befunge-93


def befunge() -> Language:
    """Programs as people write them, and what a policy must be stopped at."""
    loads = {"6 programs": six_programs, "factorial": factorial, "echo, 1 % endless": echo_and_endless}
    runners = {
        "JAX": befunge_in_jax,
        "JAX, 2 threads": lambda load, config: in_two_threads(befunge_in_jax, load, config),
        "C": befunge_in_c,
    }
    return Language("Befunge-93", loads, befunge_in_python, runners)


STACK_LIMIT = 256
MAX_BEFUNGE_OUTPUT = 256
HELLO = '"!dlroW ,olleH">:#,_@'
FACTORIAL = "&>:1-:v v *_$.@ \n ^    _$>\\:^"
GREATEST_DIVISOR = "&&>         :#v_$.@\n  ^\\g90%p90:  <"
REVERSE = ">~:1+v\n^    _$>:#,_@"
PRIMES = """2>:3g" "-!v\\  g30          <
 |!`"O":+1_:.:03p>03g+:"O"`|
 @               ^  p3\\" ":<
2 234567890123456789012345678901234567890123456789012345678901234567890123456789"""
COLLATZ = "&>:.:1-#v_@\n        >:2%#v_2/  v\n             >3*1+v\n ^                <<"


def six_programs(num: int) -> Load:
    """Hello world, factorial, greatest common divisor, reversal, primes below 80 by a sieve (p and g), Collatz."""
    rng = np.random.default_rng(0)

    def one(i: int) -> tuple[str, bytes]:
        return (
            (HELLO, b""),
            (FACTORIAL, b"%d" % rng.integers(1, 21)),
            (GREATEST_DIVISOR, b"%d %d" % tuple(rng.integers(1, 120, 2))),
            (REVERSE, rng.integers(97, 123, 12, dtype=np.uint8).tobytes()),
            (PRIMES, b""),
            (COLLATZ, b"%d" % rng.integers(2, 40)),
        )[i % 6]

    programs, data = zip(*(one(i) for i in range(num)), strict=True)
    return Load(list(programs), list(data))


def factorial(num: int) -> Load:
    """One program on many inputs."""
    return Load([FACTORIAL] * num, [b"%d" % n for n in np.random.default_rng(0).integers(1, 21, num)])


def echo_and_endless(num: int) -> Load:
    """One program in a hundred never ends."""
    values = np.random.default_rng(0).integers(97, 123, (num, 8), dtype=np.uint8)
    return Load(["><" if i % 100 == 50 else "~:1+!#@_," for i in range(num)], [row.tobytes() for row in values])


def befunge_in_python(load: Load, config: Config) -> Run:
    """A chain of ifs, without options."""
    fields = [[chr(cell) for cell in befunge_reference.playfield(program)] for program in load.programs]

    def run_one(field: list[str], data: bytes) -> int:
        cells, stack, output = field.copy(), [], bytearray()
        x, y, dx, dy, is_string, num_read, steps, max_steps = 0, 0, 1, 0, False, 0, 0, config.max_steps
        push = stack.append

        def pop() -> int:
            return stack.pop() if stack else 0

        while steps < max_steps:
            cell = cells[80 * y + x]
            steps += 1
            if is_string and cell != '"':
                push(ord(cell))
            elif cell == " ":
                pass
            elif "0" <= cell <= "9":
                push(ord(cell) - 48)
            elif cell == ">":
                dx, dy = 1, 0
            elif cell == "<":
                dx, dy = -1, 0
            elif cell == "^":
                dx, dy = 0, -1
            elif cell == "v":
                dx, dy = 0, 1
            elif cell == ":":
                a = pop()
                push(a)
                push(a)
            elif cell == "_":
                dx, dy = -1 if pop() else 1, 0
            elif cell == "|":
                dx, dy = 0, -1 if pop() else 1
            elif cell == "#":
                x, y = x + dx, y + dy
            elif cell in "+-*/%`":
                a, b = pop(), pop()
                push(befunge_reference.wrap(befunge_reference.calculate(cell, b, a), 64))
            elif cell == "g":
                a, b = pop(), pop()
                push(ord(cells[80 * a + b]) if 0 <= a < 25 and 0 <= b < 80 else 0)
            elif cell == "p":
                a, b, value = pop(), pop(), pop()
                if 0 <= a < 25 and 0 <= b < 80:
                    cells[80 * a + b] = chr(value & 255)
            elif cell == '"':
                is_string = not is_string
            elif cell == "\\":
                a, b = pop(), pop()
                push(a)
                push(b)
            elif cell == "$":
                pop()
            elif cell == "!":
                push(0 if pop() else 1)
            elif cell == ".":
                output += b"%d " % pop()
            elif cell == ",":
                output.append(pop() & 255)
            elif cell == "~":
                push(data[num_read] if num_read < len(data) else -1)
                num_read += 1
            elif cell == "&":
                value, num_read = befunge_reference.parse_integer(data, num_read)
                push(-1 if value is None else value)
            elif cell == "@":
                break
            x, y = (x + dx) % 80, (y + dy) % 25
        return steps

    return lambda: sum(run_one(*each) for each in zip(fields, load.data, strict=True))


def befunge_options(config: Config) -> befunge_reference.Options:
    return befunge_reference.Options(stack_limit=STACK_LIMIT, max_output=MAX_BEFUNGE_OUTPUT, max_steps=config.max_steps)


def befunge_in_jax(load: Load, config: Config) -> Run:
    """The package's own."""
    batch, options = jax_befunge.encode(load.programs, load.data), befunge_options(config)
    return lambda: int(np.asarray(jax_befunge.run(batch, options).steps).sum(dtype=np.int64))


def befunge_in_c(load: Load, config: Config) -> Run | None:
    """One thread."""
    library = compiled("naive_befunge.c")
    if library is None:
        return None
    sources = np.array([befunge_reference.playfield(program) for program in load.programs], np.uint8)
    data, data_lengths = rows(load.data)
    limits = (ctypes.c_long(config.max_steps), STACK_LIMIT, MAX_BEFUNGE_OUTPUT)
    library.run_batch.restype = ctypes.c_long
    return lambda: library.run_batch(
        len(sources), pointer(sources), pointer(data), pointer(data_lengths), data.shape[1], *limits
    )


# Of both


def in_two_threads(prepare: Callable[[Load, Config], Run], load: Load, config: Config) -> Run:
    """The same, half of the batch in each of two threads; not every other program, as loads repeat in even periods."""
    half = len(load.programs) // 2
    parts = (slice(half), slice(half, None))
    halves = [prepare(Load(load.programs[part], load.data[part]), config) for part in parts]
    threads = ThreadPoolExecutor(2)
    return lambda: sum(threads.map(lambda run: run(), halves))


def rows(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Bytes as uint8 `[num, width]`, padded with 0, and their lengths, int32 `[num]`."""
    lengths = np.array([len(text) for text in texts], np.int32)
    width = max(1, lengths.max())
    return np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), np.uint8).reshape(-1, width), lengths


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """To the first element."""
    return ctypes.c_void_p(array.ctypes.data)


def compiled(source: str) -> ctypes.CDLL | None:
    """A C file of this folder as a library; None where there is no gcc."""
    if shutil.which("gcc") is None:
        print("  no gcc, no C")
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library.so"
        path = Path(__file__).parent / source
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, path], check=True)
        return ctypes.CDLL(str(library))


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
