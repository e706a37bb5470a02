"""Befunge-93: both interpreters against cases by hand and published programs, and against each other."""

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from esolang import befunge, befunge_reference
from esolang.befunge_reference import Options
from esolang.status import Outcome, Status

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "esolang" / "befunge"
needs_programs = pytest.mark.skipif(not FOLDER.exists(), reason=f"the published programs are not at {FOLDER}")
LIMITS = Options(stack_limit=100, max_steps=5000, max_output=1000)

CASES = [  # program, input, output; checked by hand against the language's definition
    # an empty stack gives zeros
    ("+.-.*.:..@", b"", b"0 0 0 0 0 "),
    ("1\\..@", b"", b"0 1 "),
    ("\\..!.@", b"", b"0 0 1 "),
    ("$0_1.@", b"", b"1 "),
    ("5pg,@", b"", b"5"),
    # arithmetic cuts towards 0, as C does, and wraps at 64 bits
    ("07-2/.07-2%.702-%.@", b"", b"-3 -1 1 "),
    ("52-.25`.52`.22`.0!.7!.@", b"", b"3 0 1 0 1 0 "),
    ("9::*:*:*:*\\:*:*:**9*.@", b"", b"6048575297968530377 "),  # 9 ** 25
    ("&:1+.1-.@", b"9223372036854775807", b"-9223372036854775808 9223372036854775806 "),
    ("&01-/.@", b"-9223372036854775808", b"-9223372036854775808 "),  # not bef, which crashes
    ("&01-%.50%.@", b"-9223372036854775808", b"0 0 "),  # nor here
    # a division by zero asks
    ("50/.~.@", b"", b"What do you want 5/0 to be? 5 -1 "),
    ("05-0/.~.@", b" 7b", b"What do you want -5/0 to be? 7 98 "),
    ("50/.~.@", b"ab", b"What do you want 5/0 to be? 5 97 "),
    # input
    ("&.~.@", b"5x", b"5 120 "),
    ("&.~.@", b"", b"-1 -1 "),
    ("&.~.@", b"abc", b"-1 97 "),
    ("&.~.@", b"-12 ", b"-12 32 "),
    ("&.~.@", b" \n\t+5\n", b"5 10 "),
    ("&.~.@", b"-x", b"-1 120 "),
    ("&.~.@", b"--5", b"-1 45 "),
    ("&.~.@", b"0x1", b"0 120 "),
    ("&.&.@", b"99999999999999999999-99999999999999999999", b"9223372036854775807 -9223372036854775808 "),
    ("~.~.~.~.~.@", b"\xff\x80\0", b"-1 -128 0 -1 -1 "),
    ("~:1+!#@_,", b"cat\n", b"cat\n"),
    # output
    ("01-,88*4*,07-.@", b"", b"\xff\0-7 "),
    ("66*6*6*6*.0.@", b"", b"7776 0 "),
    # string mode pushes whatever it meets, over the edge too
    ('"@ ",,@', b"", b" @"),
    ('".@', b"", b"32 "),
    ('v\n"\n.\n@', b"", b"118 "),
    ('"a" "b",,,@', b"", b"ba\0"),
    # cells are signed bytes; outside there is nothing to get, and put only pops
    ("88*2*:.99p99g.@", b"", b"128 -128 "),
    ('"~"1+:99p99g.99g1+99p99g.@', b"", b"127 -128 "),
    ("801-0p.001-g.@", b"", b"0 0 "),
    ("7801-p.00g.@", b"", b"0 55 "),
    ("0 99*1-0g.99*1-0p.@", b"", b"0 0 "),
    ("00g,20g,40g,@", b"", b"0g2"),
    ('"2"70p1 .@', b"", b"2 "),
    ('" "70p @1.@', b"", b"1 "),
    # turns
    ("0#v_1.@\n  >2.@", b"", b"1 "),
    ("1#v_1.@\n  >2.@", b"", b"2 "),
    ("v  @\n   .\n>71|\n   8\n   .\n   @", b"", b"7 "),
    ("v  @\n   .\n>70|\n   8\n   .\n   @", b"", b"8 "),
    ("<@.5", b"", b"5 "),
    ("1#.2.@", b"", b"2 "),
    ("1.#@2.@", b"", b"1 2 "),
    ("^@" + "\n" * 22 + "@\n.\n5", b"", b"5 "),
    # `#` at an edge skips the first cell beyond it
    (" " * 40 + "v\n3.@" + " " * 37 + ">" + " " * 38 + "#", b"", b"0 "),
    (" v\n#<" + " " * 75 + "@.3", b"", b"0 "),
    ("v3\n .\n @" + "\n" * 8 + ">v" + "\n" * 14 + " #", b"", b"0 "),
    ("v#\n>^" + "\n" * 21 + " @\n .\n 3", b"", b"0 "),
    # all other characters do nothing: letters, tab, NUL, carriage return, Latin-1
    ("1a\t\0\r\xe9.@", b"", b"1 "),
    ('"\xe9".@', b"", b"-23 "),
    # a source is cut at 80 columns and 25 rows
    ("v" + " " * 79 + "5\n>.@", b"", b"0 "),
    ("v" * 200 + "\n>7.@", b"", b"7 "),
    ("^" + "\n" * 22 + "@\n.\n5\n6", b"", b"5 "),
]


DIALECTS = [
    ("50/.@", b"0 ", {"division_by_zero": "zero"}),
    ("01-0g.099+7+g.@", b"32 32 ", {"outside": 32}),
    ("88*2*:.99p99g.@", b"128 128 ", {"cell_bits": 32}),
    ('"\xe9".@', b"233 ", {"cell_bits": 32}),
    ("9::*:*:*:*\\:*:*:**9*99p99g.@", b"-794958903 ", {"cell_bits": 32}),
    ("9::*:*:*:*\\:*:*:**9*99p99g.@", b"6048575297968530377 ", {"cell_bits": 64}),
    (" v\n#<" + " " * 75 + "@.3", b"3 ", {"bridge": "lopsided"}),
    ("v#\n>^" + "\n" * 21 + " @\n .\n 3", b"3 ", {"bridge": "lopsided"}),
    (" " * 40 + "v\n3.@" + " " * 37 + ">" + " " * 38 + "#", b"0 ", {"bridge": "lopsided"}),
    ("#v5.I\n @", b"5 0 ", {"unknown": "reflect"}),
]


def published() -> list[dict]:
    manifest = FOLDER / "manifest.json"
    return json.loads(manifest.read_text()) if manifest.exists() else []


def load(case: dict) -> tuple[str, bytes, bytes]:
    """Program, input and expected output."""
    data = (FOLDER / case["input"]).read_bytes() if case["input"] else b""
    return (FOLDER / case["program"]).read_bytes().decode("latin-1"), data, (FOLDER / case["expected"]).read_bytes()


def agrees(case: dict, outcome: Outcome, expected: bytes) -> bool:
    """Some published programs never end: only the beginning of what they write can be compared."""
    if case["compare"] == "prefix":
        return outcome.output.startswith(expected) and outcome.status != Status.OK
    return (outcome.status, outcome.output, outcome.steps) == (Status.OK, expected, case["steps"])


@pytest.mark.parametrize(("program", "data", "output"), CASES)
def test_reference_by_hand(program, data, output):
    outcome = befunge_reference.run(program, data, LIMITS)
    assert (outcome.status, outcome.output) == (Status.OK, output)


def is_heavy(case: dict) -> bool:
    return (case["steps"] or 0) > 20_000 or case["id"] in ("catseye/life", "catseye/sinus")


@needs_programs
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"], marks=[pytest.mark.slow] * is_heavy(case)) for case in published()]
)
def test_reference_on_published_programs(case):
    program, data, expected = load(case)
    options = Options(max_steps=2_000_000 if is_heavy(case) else 20_000, max_output=20_000)
    assert agrees(case, befunge_reference.run(program, data, options), expected)


class TestSteps:
    """What counts as a step, and which limit comes first."""

    def steps(self, program: str, **limits) -> Outcome:
        return befunge_reference.run(program, b"", Options(**limits))

    def test_every_cell_visited_counts(self):
        assert self.steps("@") == (Status.OK, b"", 1)
        assert self.steps(" 1#2$ @").steps == 6  # not the one jumped over
        assert self.steps('"ab"@').steps == 5
        assert self.steps("zz@").steps == 3

    def test_last_step_allowed(self):
        assert self.steps("1.@", max_steps=3) == (Status.OK, b"1 ", 3)
        assert self.steps("1.@", max_steps=2) == (Status.STEP_LIMIT, b"1 ", 2)
        assert self.steps("@", max_steps=0) == (Status.STEP_LIMIT, b"", 0)

    def test_output_that_does_not_fit_is_not_written(self):
        assert self.steps("12..@", max_output=4) == (Status.OK, b"2 1 ", 5)
        assert self.steps("12..@", max_output=3) == (Status.OUTPUT_LIMIT, b"2 ", 3)
        assert self.steps("50/@", max_output=27) == (Status.OUTPUT_LIMIT, b"", 2)

    def test_a_full_stack(self):
        assert self.steps("12+:3@", stack_limit=2).status == Status.STACK_OVERFLOW
        assert self.steps("12+:3@", stack_limit=2).steps == 4
        assert self.steps("12+:3@", stack_limit=3) == (Status.OK, b"", 6)
        assert self.steps("1234\\\\@", stack_limit=4).status == Status.OK

    def test_an_empty_source_is_a_playfield_of_spaces(self):
        assert self.steps("", max_steps=1000) == (Status.STEP_LIMIT, b"", 1000)


class TestOptions:
    """Every other dialect, where it differs."""

    @pytest.mark.parametrize(("program", "output", "options"), DIALECTS)
    def test_dialect(self, program, output, options):
        assert befunge_reference.run(program, b"", Options(**options, max_steps=3000)).output == output

    def test_random_directions_repeat(self):
        """A `?` that leaves by four ways: each is taken about as often as the others, and a seed gives one of them."""
        program = "?1.@\n4\n.\n@" + "\n" * 19 + "@\n.\n3"
        program = program.replace("?1.@", "?1.@" + " " * 73 + "@.2")
        outputs = [befunge_reference.run(program, seed=seed).output for seed in range(400)]
        counts = Counter(outputs)
        assert set(counts) == {b"1 ", b"2 ", b"3 ", b"4 "}
        assert min(counts.values()) > 70
        assert outputs == [befunge_reference.run(program, seed=seed).output for seed in range(400)]

    def test_random_words_are_as_written_down(self):
        """The first outputs of splitmix32 with the finaliser of MurmurHash3, from 0."""
        assert [befunge_reference.random_word(0, i) for i in range(3)] == [0x92CA2F0E, 0x3CD6E3F3, 0x1B147DCC]


class TestBadInput:
    def test_program_refused(self):
        with pytest.raises(ValueError, match=r"row 2 has '→' \(U\+2192\)"):
            befunge_reference.run("v\n→@")
        with pytest.raises(ValueError, match="must be a str, got bytes"):
            befunge_reference.run(b"@")  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="row 2 has 200 columns"):
            befunge_reference.run("v\n" + "@" * 200, options=Options(long_source="refuse"))
        with pytest.raises(ValueError, match="row 26 has 1 columns"):
            befunge_reference.run("@" + "\n" * 25 + "@", options=Options(long_source="refuse"))
        fits = ("@" * 80 + "\n") * 25
        assert befunge_reference.run(fits, options=Options(long_source="refuse")).steps == 1

    def test_input_and_seed_refused(self):
        with pytest.raises(ValueError, match="must be bytes, got str"):
            befunge_reference.run("@", "1")  # pyright: ignore[reportArgumentType]
        for seed in (-1, 2**32, 0.5, True):
            with pytest.raises(ValueError, match="a seed must be"):
                befunge_reference.run("@", seed=seed)  # pyright: ignore[reportArgumentType]

    @pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Options)])
    def test_options_refused(self, field):
        with pytest.raises(ValueError, match=field):
            Options(**{field: -3})  # pyright: ignore[reportArgumentType]

    def test_batches_refused(self):
        with pytest.raises(ValueError, match="as many, got 2, 1 and 2"):
            befunge.encode(["@", "@"], [b""])
        with pytest.raises(ValueError, match="as many, got 0"):
            befunge.encode([])
        with pytest.raises(ValueError, match="stack_limit must be a number"):
            befunge.run(befunge.encode(["@"]), Options())
        with pytest.raises(ValueError, match="num_lanes"):
            befunge.run(befunge.encode(["@"]), num_lanes=0)


@pytest.fixture(scope="module")
def by_hand_and_published() -> tuple[list, list[Outcome]]:
    """Programs and what the JAX interpreter makes of them, called from a compiled function of 32-bit code."""
    programs = [*CASES, *(load(case) for case in published())]
    batch = befunge.encode([program for program, _, _ in programs], [data for _, data, _ in programs])

    @jax.jit
    def run(batch):
        return befunge.run(batch, LIMITS), jnp.arange(3) * 1.5

    ended, other = run(batch)
    assert other.dtype == jnp.float32 and jnp.arange(3).dtype == jnp.int32
    assert all(x.dtype.itemsize <= 4 for x in (*batch, *ended))
    return programs, befunge.outcomes(ended)


class TestBatched:
    def test_by_hand(self, by_hand_and_published):
        programs, outcomes = by_hand_and_published
        for (program, _, output), outcome in zip(programs[: len(CASES)], outcomes, strict=False):
            assert (outcome.status, outcome.output) == (Status.OK, output), program

    @needs_programs
    def test_published_programs(self, by_hand_and_published):
        """What fits within the limits must end as published; the rest as in the reference interpreter."""
        programs, outcomes = by_hand_and_published
        num_ended = 0
        for seed, ((program, data, expected), outcome) in enumerate(zip(programs, outcomes, strict=True)):
            assert outcome == befunge_reference.run(program, data, LIMITS, seed), program
            case = published()[seed - len(CASES)] if seed >= len(CASES) else None
            if case and case["compare"] == "exact" and case["steps"] <= LIMITS.max_steps:
                assert agrees(case, outcome, expected), case["id"]
                num_ended += 1
        assert num_ended == 19

    def test_as_the_reference_on_random_programs(self):
        options = Options(stack_limit=12, max_steps=400, max_output=24)
        compare(1000, 0, options, 256, [late_counter(delay) for delay in range(50)])

    def test_as_the_reference_in_the_other_dialect(self):
        compare(300, 1, OTHER, 64, [program for program, _, _ in DIALECTS])

    @pytest.mark.slow
    @pytest.mark.parametrize("cell_bits", [8, 32, 64])
    def test_as_the_reference_on_many(self, cell_bits):
        for seed in range(4):
            compare(2000, 10 + seed, Options(cell_bits, stack_limit=12, max_steps=400, max_output=24))
            compare(2000, 20 + seed, dataclasses.replace(OTHER, cell_bits=cell_bits))


OTHER = Options(
    cell_bits=64, division_by_zero="zero", outside=32, bridge="lopsided", unknown="reflect",
    stack_limit=12, max_steps=400, max_output=24,
)  # fmt: skip


def late_counter(delay: int) -> str:
    """Counts up and down on the stack until it writes 16; the last programs of a batch are moved to other lanes."""
    rows = ("044*>\\1+\\1-:#v_$.@", "    ^        <")
    return "z" * delay + rows[0] + "\n" + " " * delay + rows[1]


def compare(num: int, seed: int, options: Options, num_lanes: int = 256, others: Sequence[str] = ()) -> None:
    """Holds the JAX interpreter to the reference on random and other programs, and those to being of all sorts.

    In lock step, and as it runs by default: on CPUs one after another.
    """
    rng = random.Random(seed)
    programs = [random_program(rng) for _ in range(num)] + [*others]
    num = len(programs)
    data = [bytes(rng.choice(b"0123456789 -x\n\xff") for _ in range(rng.randrange(8))) for _ in range(num)]
    seeds = [rng.randrange(2**32) for _ in range(num)]
    runs = list(zip(programs, data, seeds, strict=True))
    outcomes = [befunge_reference.run(program, read, options, start) for program, read, start in runs]
    batch = befunge.encode(programs, data, seeds)
    for lanes in (num_lanes, None):
        for each, got, wanted in zip(runs, befunge.outcomes(befunge.run(batch, options, lanes)), outcomes, strict=True):
            assert got == wanted, (each, lanes)
    counts = Counter(outcome.status for outcome in outcomes)
    assert min(counts[status] for status in Status if status in ENDINGS) > num / 40, counts
    assert sum(outcome.steps > 20 and len(outcome.output) > 2 for outcome in outcomes) > num / 4


ENDINGS = {Status.OK, Status.STEP_LIMIT, Status.OUTPUT_LIMIT, Status.STACK_OVERFLOW}
PIECES = (
    "1", "2", "7", "9", "0", "+", "-", "*", "/", "%", "`", "!", ":", "\\", "$", ".", ",", ".", "&", "~", "g", "p",
    "_", "|", "?", "#", ">", "<", "^", "v", "v", " ", "  ", '"', "@", "z", "\t", "\xe9",
    "9:*:*:*:*:*", "01-", ":.", "00g", "10p", "52g1+52p", '"ab"', "&.", "~,", "07-2%.", "05-2/.", "99p", "0/", "&0%",
    '"@"41p', '">"03p', ">:#._", "1#v_", ":1-:v", "&&*.", "&&-.", "&&/.", "&&%.", "&&`.", "#@_", "\\:",
)  # fmt: skip


def random_program(rng: random.Random) -> str:
    """A few rows of instructions and phrases; now and then rows at the other edges too."""
    width, height = rng.randint(3, 30), rng.randint(1, 7)
    rows = ["".join(rng.choice(PIECES) for _ in range(width))[:width] for _ in range(height)]
    if rng.random() < 0.2:
        rows = [row.ljust(78)[:78] + rng.choice(PIECES) for row in rows]
    if rng.random() < 0.2:
        rows += [""] * (25 - height - 1) + ["".join(rng.choice(PIECES) for _ in range(width))]
    return "\n".join(rows)
