"""Commands per second of the esolang interpreters, beside plain Python and plain C, in one process.

    python experiments/bench_esolang.py

Every runner gets the same programs and inputs and counts the commands it executed; the sums must agree. Runners take
turns; what counts is the ratio of medians to plain Python, which runs a sample of the batch. C, on one thread, is
compiled with gcc where there is one. Of Brainf**k, plain Python and JAX are given the partners of brackets, as a policy
that writes programs keeps them; all other preparations are timed. JAX has no need of commands that it can tell the
effect of; they count all the same.

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
from pathlib import Path

import jax
import numpy as np
import tyro

from esolang import brainfuck as jax_brainfuck
from esolang import brainfuck_reference
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
    languages = [brainfuck()]
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
    runners = {"JAX": brainfuck_in_jax, "C": brainfuck_in_c, "bfi": brainfuck_in_bfi}
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
