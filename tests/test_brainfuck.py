"""Brainf**k: the plain interpreter by hand-made cases and programs of others, the one in JAX by the plain one."""

import dataclasses
import itertools
import json
import math
import random
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from esolang import brainfuck, brainfuck_reference, brainfuck_words
from esolang.brainfuck_reference import Options
from esolang.status import Outcome, Status

DATA = Path(__file__).parents[2] / "shared" / "data" / "esolang" / "brainfuck"
SMALL = Options(max_steps=150, max_output=3, cells=12)


def reference(program: str, data: bytes = b"", **options) -> tuple[Status, bytes, int]:
    return tuple(brainfuck_reference.run(program, data, Options(**options)))


# The plain interpreter, by hand


@pytest.mark.parametrize(
    ("program", "data", "options", "expected"),
    [
        ("", b"", {}, (Status.OK, b"", 0)),
        ("a comment: ö ☃ \n", b"", {}, (Status.OK, b"", 0)),
        ("+é+☃.", b"", {}, (Status.OK, b"\2", 3)),
        ("-.", b"", {}, (Status.OK, b"\xff", 2)),
        ("-[>+<-]>.", b"", {}, (Status.OK, b"\xff", 1 + 1 + 255 * 5 + 1 + 1)),  # `-`, `[`, passes with their `]`, `>.`
        ("[.]", b"", {}, (Status.OK, b"", 1)),  # `[` jumps behind its partner
        ("++[-]", b"", {}, (Status.OK, b"", 2 + 1 + 2 * 2)),
        ("+" * 257 + ".", b"", {"cell_bits": 16}, (Status.OK, b"\1", 258)),
        (",.,.", b"\0\xff", {}, (Status.OK, b"\0\xff", 4)),
        (",.", b"", {}, (Status.OK, b"\0", 2)),
        ("+,.", b"", {"end_of_input": 0}, (Status.OK, b"\0", 3)),
        ("+,.", b"", {"end_of_input": -1}, (Status.OK, b"\xff", 3)),
        ("+,.", b"", {"end_of_input": None}, (Status.OK, b"\1", 3)),
        (",+[-.,+]", b"ab", {"end_of_input": -1, "cell_bits": 32}, (Status.OK, b"ab", 2 + 1 + 2 * 5)),
        ("+<+", b"", {}, (Status.TAPE_LEFT, b"", 1)),
        ("+<.", b"", {"left_edge": "clamp"}, (Status.OK, b"\1", 3)),
        ("<+>>.<<.", b"", {"left_edge": "wrap", "cells": 3}, (Status.OK, b"\0\1", 8)),
        (">>>", b"", {"cells": 3}, (Status.TAPE_RIGHT, b"", 2)),
        (">>>", b"", {"cells": 3, "left_edge": "clamp"}, (Status.TAPE_RIGHT, b"", 2)),
        ("...", b"", {"max_output": 3}, (Status.OK, b"\0\0\0", 3)),
        ("...+", b"", {"max_output": 2}, (Status.OUTPUT_LIMIT, b"\0\0", 2)),
        ("+.+", b"", {"max_steps": 3}, (Status.OK, b"\1", 3)),
        ("+.+.", b"", {"max_steps": 3}, (Status.STEP_LIMIT, b"\1", 3)),
        ("<", b"", {"max_steps": 0}, (Status.STEP_LIMIT, b"", 0)),  # the step limit is looked at first
        ("+[]", b"", {"max_steps": 50}, (Status.STEP_LIMIT, b"", 50)),
        (".[", b"", {}, (Status.SYNTAX_ERROR, b"", 0)),
        (".]", b"", {}, (Status.SYNTAX_ERROR, b"", 0)),
        ("][", b"", {}, (Status.SYNTAX_ERROR, b"", 0)),
        ("+].[[-].", b"", {"brackets": "lenient"}, (Status.OK, b"\1\0", 3 + 1 + 1 + 2 + 1)),
    ],
)
def test_cases_by_hand(program, data, options, expected):
    assert reference(program, data, **options) == expected


@pytest.mark.parametrize(
    ("bits", "expected"),
    [(8, (Status.OK, b"", 2 * 2**8)), (16, (Status.OK, b"", 2 * 2**16)), (32, (Status.STEP_LIMIT, b"", 200_000))],
)
def test_cells_wrap_at_their_width(bits, expected):
    """`-` and `[`, then two commands for each number down to 0."""
    assert reference("-[-]", cell_bits=bits, max_steps=200_000) == expected


def test_a_tape_of_a_million_cells():
    program = "+[>+]"  # two steps for each cell but the first `+[`
    outcome = (Status.TAPE_RIGHT, b"", 2 + 3 * (10**6 - 1))
    assert reference(program, cells=10**6, max_steps=10**7) == outcome


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda: brainfuck_reference.run(b"+"), "a program must be a str, got bytes"),
        (lambda: brainfuck_reference.run("+", "a"), "the input of a program must be bytes, got str"),
        (lambda: Options(cell_bits=7), "cell_bits must be 8, 16 or 32, got 7"),
        (lambda: Options(end_of_input=1), "end_of_input must be 0, -1 or None, got 1"),
        (lambda: Options(left_edge="stop"), "left_edge must be error, clamp or wrap, got 'stop'"),
        (lambda: Options(brackets="no"), "brackets must be strict or lenient, got 'no'"),
        (lambda: Options(cells=0), "cells must be an integer of at least 1, got 0"),
        (lambda: Options(max_steps=1.5), "max_steps must be an integer of at least 0, got 1.5"),
        (lambda: brainfuck.encode(["+", "+-+ "], 2), "program 1 has 3 commands, more than the capacity of 2"),
        (lambda: brainfuck.encode([3], 2), "a program must be a str, got int"),
        (lambda: brainfuck.encode([""], 0), "capacity must be 1 to 16383 commands, got 0"),
        (lambda: brainfuck.run_all(["+"], []), "every program needs an input, got 1 programs and 0 inputs"),
        (lambda: brainfuck.run_all(["+" * 20_000], [b""]), "program 0 has 20000 commands, more than the capacity"),
        (lambda: brainfuck.run_all(["+"], [b""], Options(max_steps=2**31)), "max_steps must be at most 1073741824"),
        (lambda: run_rows(linked=jnp.zeros((2, 3))), r"linked programs must be int32 \[P, C\]"),
        (
            lambda: run_rows(data=jnp.zeros((3, 4), jnp.uint8)),
            r"data must be uint8 \[B, D\] with B a multiple of 2, got",
        ),
        (lambda: run_rows(data_length=jnp.zeros(3, jnp.int32)), r"data_length must be int32 \[2\], got int32 \(3,\)"),
    ],
)
def test_bad_input_is_named(what, message):
    with pytest.raises(ValueError, match=message):
        what()


def run_rows(**changed):
    rows = {
        "linked": jnp.zeros((2, 3), jnp.int32),
        "data": jnp.zeros((2, 4), jnp.uint8),
        "data_length": jnp.zeros(2, jnp.int32),
    }
    return brainfuck.run(**(rows | changed), options=SMALL)


# Programs of others


def cases() -> list[dict]:
    if not DATA.exists():
        return []
    return json.loads((DATA / "manifest.json").read_text())


def case_run(case: dict, **limits) -> tuple[str, bytes, Options]:
    data = (DATA / case["input"]).read_bytes() if case["input"] else b""
    end = None if case["eof"] == "unchanged" else case["eof"]
    edge = "wrap" if case["kind"] == "needs_left_tape" else "error"
    options = Options(cell_bits=case["cell_bits"], end_of_input=end, left_edge=edge, **limits)
    return (DATA / case["program"]).read_text("latin-1"), data, options


def quick(case: dict) -> bool:
    return not case["steps"] or case["steps"] < 10_000


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case["id"], marks=() if quick(case) else pytest.mark.slow) for case in cases()]
    or [pytest.param(None, marks=pytest.mark.skip(f"no programs at {DATA}"))],
)
def test_programs_of_others(case):
    """Outputs as published; steps as other interpreters counted them, or as the texts of cells30k and cells100k say."""
    status, output, steps = brainfuck_reference.run(*case_run(case, max_steps=10**8, cells=10**5))
    assert status == Status.OK
    assert output == (DATA / case["expected"]).read_bytes()
    assert case["steps"] in (None, steps)


@pytest.mark.skipif(not cases(), reason=f"no programs at {DATA}")
def test_the_manifest_knows_the_published_counts():
    steps = {case["id"]: case["steps"] for case in cases()}
    assert (steps["rdebath/cells30k"], steps["rdebath/cells100k"]) == (18340571, 21034372)


@pytest.mark.slow
@pytest.mark.skipif(not cases(), reason=f"no programs at {DATA}")
def test_programs_of_others_in_jax():
    def dialect(case):
        return case["cell_bits"], str(case["eof"]), case["kind"]

    for _, group in itertools.groupby(sorted(cases(), key=dialect), dialect):
        group = list(group)
        runs = [case_run(case, max_steps=3 * 10**7, max_output=4096, cells=100_000) for case in group]
        outcomes = brainfuck.run_all([run[0] for run in runs], [run[1] for run in runs], runs[0][2])
        for case, outcome in zip(group, outcomes, strict=True):
            assert outcome.status == Status.OK, case["id"]
            assert outcome.output == (DATA / case["expected"]).read_bytes(), case["id"]
            assert case["steps"] in (None, outcome.steps), case["id"]


# JAX beside the plain one


def random_program(rng: random.Random, length: int) -> str:
    """Mostly balanced, with runs and loops of additions, which are folded, and comments."""
    code, depth = "", 0
    while len(code) < length:
        kind = rng.random()
        if kind < 0.15:
            code += rng.choice("><+-") * rng.choice((2, 3, 5, 17, 70))
        elif kind < 0.3:
            body = "".join(rng.choice("><+-") for _ in range(rng.randrange(6)))
            code += "[" + body + rng.choice(("", "<" * body.count(">") + ">" * body.count("<"))) + "]"
        elif kind < 0.4 and depth:
            code, depth = code + "]", depth - 1
        elif kind < 0.5:
            code, depth = code + "[", depth + 1
        else:
            code += rng.choice("><+-....,>x")
    return code + "]" * (depth if rng.random() < 0.9 else 0)


def random_runs(seed: int, num: int) -> tuple[list[str], list[bytes]]:
    rng = random.Random(seed)
    programs = [random_program(rng, rng.randrange(64)) for _ in range(num)]
    return programs, [rng.randbytes(rng.choice((0, 1, 3, 8))) for _ in range(num)]


def compare(programs: list[str], data: list[bytes], options: Options, num_lanes: int | None) -> list[Outcome]:
    outcomes = brainfuck.run_all(programs, data, options, num_lanes)
    expected = [brainfuck_reference.run(*each, options) for each in zip(programs, data, strict=True)]
    for program, given_data, got, wanted in zip(programs, data, outcomes, expected, strict=True):
        assert got == wanted, (program, given_data, options)
    return outcomes


def cut_everywhere() -> list[str]:
    """The step limit falls into every word and every pass of the solved loops, and on commands that fail."""
    programs = (">+++>>>-<<<.[->>+>+<<<]>>.[-]>>>[<<<].", ">><<<", "....")
    return ["+" * first + program for first in range(SMALL.max_steps + 1) for program in programs]


def of_all_lengths() -> list[str]:
    """One in eight goes on for long after the others, and writes how long."""
    return ["+" * (i // 8) + "[>+[-]<->>+<<]>>." if i % 8 == 7 else "." for i in range(112)]


@pytest.mark.parametrize("num_lanes", [None, 64])
def test_random_programs_in_jax(num_lanes):
    """And others in the same batch, so that little is compiled."""
    programs, data = random_runs(0, 1000)
    made = cut_everywhere() + of_all_lengths()
    outcomes = compare(programs + made, data + [b""] * len(made), SMALL, num_lanes)
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in Status}
    assert all(counts[status] > 10 for status in list(Status)[: Status.TAPE_RIGHT + 1]), counts


@pytest.mark.parametrize("num_lanes", [None, 2])
def test_a_bracket_without_partner_is_a_command_of_a_word(num_lanes):
    """The word's own bracket is the one after it."""
    programs = ["+]+[>+<-]>.", "+[+[->+<]>.", "]][-]+[[-]>++.", "++[>+]<[."]
    compare(programs, [b""] * len(programs), dataclasses.replace(SMALL, brackets="lenient"), num_lanes)


def test_a_program_on_several_inputs():
    """Alike as copies of it on one each: one after another, in lock step, and mapped over batches."""
    programs = [program for program in random_runs(3, 40)[0] if len(program) <= 32]
    linked = brainfuck.link(brainfuck.encode(programs, 32))
    rows = np.random.default_rng(0).integers(0, 4, (1, 3 * len(programs), 5), dtype=np.uint8)
    length = np.random.default_rng(1).integers(0, 6, rows.shape[:2]).astype(np.int32)
    of_each = jax.jit(brainfuck.run, static_argnums=(3, 4))(np.repeat(linked, 3, axis=0), rows[0], length[0], SMALL)
    in_lanes = jax.jit(brainfuck.run, static_argnums=(3, 4))(linked, rows[0], length[0], SMALL, 16)
    mapped = jax.jit(jax.vmap(lambda *inputs: brainfuck.run(linked, *inputs, SMALL)))(rows, length)
    jax.tree.map(np.testing.assert_array_equal, of_each, in_lanes)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y[0]), of_each, mapped)


@pytest.mark.slow
@pytest.mark.parametrize("num_lanes", [1, 7])
def test_the_number_of_lanes_changes_nothing(num_lanes):
    programs, data = random_runs(1, 30)
    compare(programs, data, SMALL, num_lanes)


def test_xla_compiles_all_loops_into_one_function():
    """What `esolang.serial` is quick by. Where a new XLA inlines the calls, a new way must be found."""
    if jax.default_backend() != "cpu":
        pytest.skip("programs run one after another on CPUs only")
    linked, length = jnp.zeros((4, 3), jnp.int32), jnp.zeros(4, jnp.int32)
    run = jax.jit(brainfuck.run, static_argnums=3).lower(linked, jnp.zeros((4, 2), jnp.uint8), length, SMALL)
    main = run.compile().as_text().split("ENTRY")[1]
    calls = [line for line in main.splitlines() if " call(" in line and 'xla_cpu_small_call="true"' in line]
    assert len(calls) == 1 and " while(" not in main


def test_partners_of_brackets_in_jax():
    programs = [*random_runs(2, 100)[0], "", "]][[", "[[]", "[]]"]
    codes = [brainfuck_reference.commands(program) for program in programs]
    linked = np.asarray(jax.jit(brainfuck.link)(brainfuck.encode(programs, max(map(len, codes)))))
    for code, row in zip(codes, linked, strict=True):
        jumps, _ = brainfuck_reference.partners(code)
        assert [int(each) >> 4 for each in row] == [jumps.get(i, 0) for i in range(len(row))]


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_passes_of_a_loop(bits):
    """Adding the change so often makes the cell 0, and no fewer do; where it never is, the loop is endless."""
    changes = np.repeat(np.arange(-31, 32), 64)
    cells = np.random.default_rng(0).integers(1, 2**bits, len(changes))
    cells[::3] = cells[::3] % 64 + 1
    twos = np.array([next((k for k in range(5) if change >> k & 1), 6) for change in changes])
    bracket = brainfuck_words.Bracket(*map(jnp.int32, (0 * twos, twos, changes >> np.minimum(twos, 5), 0, 0)))
    number, is_endless = jax.jit(brainfuck_words.passes, static_argnums=2)(
        bracket, jnp.asarray(cells.astype(np.uint32).view(np.int32)), bits
    )
    number = np.asarray(number).view(np.uint32).astype(object)
    for change, cell, n, endless in zip(changes.tolist(), cells.tolist(), number, np.asarray(is_endless), strict=True):
        divisor = math.gcd(change, 2**bits)
        assert endless == (cell % divisor != 0)
        assert endless or (0 < n < 2**bits // divisor and (cell + n * change) % 2**bits == 0)


@pytest.mark.slow
@pytest.mark.parametrize("num_lanes", [None, 256])
@pytest.mark.parametrize("seed", range(12))
def test_many_random_programs_in_jax(seed, num_lanes):
    rng = random.Random(seed)
    options = Options(
        cell_bits=(8, 16, 32)[seed % 3],
        end_of_input=(0, -1, None)[seed // 3 % 3],
        left_edge=("error", "clamp", "wrap")[seed // 2 % 3],
        brackets=("strict", "lenient")[seed % 2],
        max_steps=rng.choice((50, 300, 3000)),
        max_output=rng.choice((0, 1, 5, 40)),
        cells=rng.choice((1, 2, 9, 40, 300)),
    )
    compare(*random_runs(100 + seed, 2000), options, num_lanes)


@pytest.mark.slow
def test_a_tape_of_a_million_cells_in_jax():
    options = Options(cells=10**6, max_steps=10**7)
    assert brainfuck.run_all(["+[>+]"], [b""], options) == [(Status.TAPE_RIGHT, b"", 2 + 3 * (10**6 - 1))]
