"""Brainf**k in JAX: batches of programs in lock step, exactly as `brainfuck_reference` runs them one by one.

    linked = link(encode(["++[>+<-]>.", ",[.,]"], capacity=16))
    results = run(linked, data, data_length, Options(cells=256, max_steps=2000, max_output=64))

Programs are tokens, int32 `[B, C]`: 1 to 8 for `><+-.,[]`, 0 from the end on. `link` adds the partners of brackets:
`token | partner << 4`, where a bracket without partner is its own. A policy that writes programs token by token can
keep that table itself: it writes each bracket as its own partner, and both ends when a `]` closes a `[`.

What makes it quick on a CPU, with the gains measured at 2000 steps on two busy cores (experiments/bench_esolang.py has
the loads):

- `brainfuck_words`: several commands a turn, and loops of additions at one go.
- A word that cannot be executed in full leaves its lane where it is, to be judged once at the end and not at every
  turn; and what several kernels of a turn need is put behind a barrier: 1.6 × on sort.
- A queue: when a quarter of the lanes have ended, the next programs begin. 2 × on random programs against `lax.map`
  over blocks of 1024, which waits for the last program of each block.
- Few lanes at the end: 1.4 × on 1024 random programs.
- Programs are copied into rows of their lanes, which are in the cache: 1.9 × on sort, 1.3 × on mixed solutions.
- Input, output and tape are one array, so that a turn has one scatter.

Lock step still pays for what no table can tell: a few programs in nested endless loops take as many turns as many do.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from esolang.brainfuck_reference import COMMANDS, Options, checked_input, commands
from esolang.brainfuck_words import (
    BRACKET_BITS,
    CLOSE,
    MAX_CAPACITY,
    MAX_MOVE,
    OPEN,
    READ,
    UNSOLVED,
    WORD_BITS,
    WRITE,
    Bracket,
    Word,
    fold,
    passes,
    unpack,
)
from esolang.status import Outcome, Status

MAX_STEPS = 2**30
MAX_PASSES = 2**24
"""Of a solved loop, so that MAX_COST times as many commands do not overflow."""


class Results(NamedTuple):
    """How a batch of programs ended."""

    status: jax.Array  # int32 [B], a Status
    output: jax.Array  # uint8 [B, max_output], 0 after what was written
    output_length: jax.Array  # int32 [B]
    steps: jax.Array  # int32 [B]


class Lanes(NamedTuple):
    """Where running programs stand, each in a lane; int32 `[L]` if nothing else is said.

    A lane whose next word cannot be executed in full stays before it, and its end is judged later.
    """

    program: jax.Array  # index in the batch; B: none
    data_length: jax.Array
    at: jax.Array  # index of the next word in the lanes' words
    pointer: jax.Array
    steps_left: jax.Array
    times: jax.Array  # how often to execute words: passes of a solved loop, else 1; 0: never ends
    num_read: jax.Array
    num_written: jax.Array
    is_live: jax.Array  # bool


def encode(programs: list[str], capacity: int) -> np.ndarray:
    """Programs as tokens, int32 `[B, capacity]`.

    Raises:
      ValueError: a program is no text or has more commands than capacity, or capacity is out of range.
    """
    if not 1 <= capacity <= MAX_CAPACITY:
        raise ValueError(f"capacity must be 1 to {MAX_CAPACITY} commands, got {capacity}")
    tokens = np.zeros((len(programs), capacity), np.int32)
    for row, program in enumerate(programs):
        code = commands(program)
        if len(code) > capacity:
            raise ValueError(f"program {row} has {len(code)} commands, more than the capacity of {capacity}")
        tokens[row, : len(code)] = [COMMANDS.index(command) + 1 for command in code]
    return tokens


def link(tokens: jax.Array) -> jax.Array:
    """Tokens with the partners of brackets, `token | partner << 4`, int32 `[B, C]` like the tokens."""
    num, capacity = tokens.shape
    lane = jnp.arange(num, dtype=jnp.int32)

    def visit(carry, at):
        opened, depth, partner = carry
        position, token = at
        closes = (token == CLOSE) & (depth > 0)
        partner_here = jnp.where(closes, get(opened, jnp.maximum(depth - 1, 0) * num + lane), position)
        opened = put(opened, jnp.minimum(depth, capacity - 1) * num + lane, jnp.full_like(lane, position))
        partner = put(partner, position * num + lane, partner_here)
        partner = put(partner, partner_here * num + lane, jnp.full_like(lane, position))
        return (opened, depth + (token == OPEN) - closes, partner), None

    flat = jnp.zeros(num * capacity, jnp.int32)
    start = (flat, jnp.zeros_like(lane), flat)
    (_, _, partner), _ = jax.lax.scan(visit, start, (jnp.arange(capacity, dtype=jnp.int32), tokens.T))
    return jnp.where(tokens >= OPEN, tokens | partner.reshape(capacity, num).T << 4, tokens)


def run(linked: jax.Array, data: jax.Array, data_length: jax.Array, options: Options, num_lanes: int = 512) -> Results:
    """Runs a batch of programs, each on its input.

    `num_lanes` programs run at a time in lock step; when a quarter of them has ended, the next ones take their lanes.
    The answer does not depend on it. When few are left they go on in a quarter of the lanes. Memory is
    `num_lanes · (cells + max_output + D)` cells, and as much again while lanes are filled.

    Args:
      linked: int32 `[B, C]`, as `link` makes them.
      data: uint8 `[B, D]`.
      data_length: int32 `[B]`, how much of each row is there to read.
    """
    check(linked, data, data_length, options)
    num_programs, capacity = linked.shape
    num_lanes = max(2, min(num_lanes, num_programs))  # XLA copies all memory at every turn of a single lane
    machine = Machine(options, num_programs, capacity, data.shape[1], num_lanes)
    tables = prepare(machine, linked, data, data_length)

    zero = jnp.zeros(machine.num_lanes, jnp.int32)
    lanes = Lanes(zero + num_programs, zero, zero, zero, zero, zero, zero, zero, zero > 0)
    table = jnp.zeros(machine.num_lanes * (machine.capacity + 1), jnp.int32)
    memory = Memory(jnp.zeros(machine.num_lanes * machine.row, machine.dtype), table, table)
    zeros = jnp.zeros(machine.num_programs, jnp.int32)
    results = Results(zeros, jnp.zeros((machine.num_programs, options.max_output), jnp.uint8), zeros, zeros)
    run = (*refill(machine, tables, lanes, memory, jnp.int32(0)), results)

    num_last = machine.num_lanes // 4
    if num_last > 1:
        run = drain(machine, tables, run, num_last)
        machine, run = narrowed(machine, run, num_last)
    *_, results = drain(machine, tables, run, 0)
    is_written = jnp.arange(options.max_output) < results.output_length[:, None]
    return results._replace(output=jnp.where(is_written, results.output, jnp.uint8(0)))


def run_all(
    programs: list[str], data: list[bytes], options: Options | None = None, num_lanes: int = 512
) -> list[Outcome]:
    """Runs texts on the host's inputs: what `brainfuck_reference.run` gives for each of them.

    Lengths are rounded up to powers of two, so that few of them are compiled.

    Raises:
      ValueError: a program is no text or too long, its input no bytes, or their numbers differ.
    """
    options = options or Options()
    if len(programs) != len(data):
        raise ValueError(f"every program needs an input, got {len(programs)} programs and {len(data)} inputs")
    if not programs:
        return []
    capacity = power_of_two(max(len(commands(program)) for program in programs))
    tokens = encode(programs, min(capacity, MAX_CAPACITY))
    width = power_of_two(max(len(checked_input(each)) for each in data))
    rows = np.frombuffer(b"".join(each.ljust(width, b"\0") for each in data), np.uint8).reshape(-1, width)
    lengths = np.array([len(each) for each in data], np.int32)
    status, output, length, steps = map(np.asarray, run_texts(tokens, rows, lengths, options, num_lanes))
    return [Outcome(Status(status[i]), output[i, : length[i]].tobytes(), int(steps[i])) for i in range(len(programs))]


@functools.partial(jax.jit, static_argnames=("options", "num_lanes"))
def run_texts(tokens: jax.Array, data: jax.Array, data_length: jax.Array, options: Options, num_lanes: int) -> Results:
    """`run` of tokens, compiled."""
    return run(link(tokens), data, data_length, options, num_lanes)


def power_of_two(number: int) -> int:
    """The least one that is not below a number."""
    return 1 << max(number - 1, 0).bit_length()


def check(linked: jax.Array, data: jax.Array, data_length: jax.Array, options: Options) -> None:
    """Raises ValueError unless `run` can run it."""
    num = len(linked)
    if linked.ndim != 2 or linked.dtype != jnp.int32 or num < 1 or not 1 <= linked.shape[1] <= MAX_CAPACITY:
        raise ValueError(
            f"linked programs must be int32 [B, C] with C from 1 to {MAX_CAPACITY}, got {linked.dtype} {linked.shape}"
        )
    if data.ndim != 2 or len(data) != num or data.dtype != jnp.uint8:
        raise ValueError(f"data must be uint8 [{num}, D], got {data.dtype} {data.shape}")
    if data_length.shape != (num,):
        raise ValueError(f"data_length must be int32 [{num}], got {data_length.dtype} {data_length.shape}")
    if options.max_steps > MAX_STEPS:
        raise ValueError(f"max_steps must be at most {MAX_STEPS}, got {options.max_steps}")


class Machine(NamedTuple):
    """What is fixed when compiling. A lane's memory is a row: input, output, tape; the first two with a spare cell."""

    options: Options
    num_programs: int
    capacity: int
    data_width: int
    num_lanes: int

    @property
    def output_start(self) -> int:
        """Where the output begins in a row."""
        return self.data_width + 1

    @property
    def tape_start(self) -> int:
        """Where the tape begins in a row."""
        return self.output_start + self.options.max_output + 1

    @property
    def row(self) -> int:
        """Cells of a lane's memory."""
        return self.tape_start + self.options.cells

    @property
    def dtype(self):
        """Of a cell."""
        return {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}[self.options.cell_bits]


class Memory(NamedTuple):
    """What lanes hold, a flat row for each. Programs are copied into it to keep what is in use close together."""

    cells: jax.Array  # [L · row]
    words: jax.Array  # int32 [L · (C + 1)]
    brackets: jax.Array  # int32 [L · (C + 1)]


class Tables(NamedTuple):
    """What is known of programs and inputs before they run."""

    words: jax.Array  # int32 [B, C + 1]
    brackets: jax.Array  # int32 [B, C + 1]
    data: jax.Array  # [B, D + 1] cells, after its end what `,` stores there
    data_length: jax.Array  # int32 [B]
    is_refused: jax.Array  # bool [B]


def prepare(machine: Machine, linked: jax.Array, data: jax.Array, data_length: jax.Array) -> Tables:
    """Folds programs and marks the ends of inputs."""
    words, brackets = fold(linked)
    last = (machine.options.end_of_input or 0) & 2**machine.options.cell_bits - 1
    data = jnp.pad(data, ((0, 0), (0, 1))).astype(machine.dtype)
    data = jnp.where(jnp.arange(data.shape[1]) < data_length[:, None], data, machine.dtype(last))
    is_alone = ((linked & 15) >= OPEN) & (linked >> 4 == jnp.arange(machine.capacity))
    is_refused = jnp.any(is_alone, axis=1) & (machine.options.brackets == "strict")
    return Tables(words, brackets, data, data_length.astype(jnp.int32), is_refused)


def refill(
    machine: Machine, tables: Tables, lanes: Lanes, memory: Memory, num_begun: jax.Array
) -> tuple[Lanes, Memory, jax.Array]:
    """Gives lanes that have ended the next programs, as long as there are any."""
    is_free = ~lanes.is_live
    program = num_begun + jnp.cumsum(is_free, dtype=jnp.int32) - 1
    num_begun = jnp.minimum(program[-1] + 1, machine.num_programs)
    begins = is_free & (program < machine.num_programs)
    program = jnp.minimum(program, machine.num_programs - 1)
    zero = jnp.zeros_like(program)
    end = jnp.where(begins & ~tables.is_refused[program], 0, machine.capacity)
    fresh = Lanes(
        program=jnp.where(begins, program, machine.num_programs),
        data_length=tables.data_length[program],
        at=jnp.arange(machine.num_lanes, dtype=jnp.int32) * (machine.capacity + 1) + end,
        pointer=zero,
        steps_left=zero + machine.options.max_steps,
        times=zero + 1,
        num_read=zero,
        num_written=zero,
        is_live=begins,
    )
    lanes = jax.tree.map(lambda new, old: jnp.where(is_free, new, old), fresh, lanes)
    # Barriers, lest what is known of lanes be worked out again for every cell.
    begins, program, data = jax.lax.optimization_barrier((is_free[:, None], program, tables.data[program]))
    cells = jnp.where(begins, machine.dtype(0), memory.cells.reshape(-1, machine.row))
    data = jnp.where(begins, data, cells[:, : machine.output_start])
    cells = jax.lax.dynamic_update_slice(cells, data, (0, 0)).ravel()
    words = jnp.where(begins, get(tables.words, program), memory.words.reshape(machine.num_lanes, -1)).ravel()
    brackets = jnp.where(begins, get(tables.brackets, program), memory.brackets.reshape(machine.num_lanes, -1)).ravel()
    memory = Memory(cells, words, brackets)
    return lanes, memory, num_begun


Run = tuple[Lanes, Memory, jax.Array, Results]
"""Lanes, their memory, how many programs have begun, results so far."""


def drain(machine: Machine, tables: Tables, run: Run, least: int) -> Run:
    """Runs until all programs have begun, and at most `least` have not ended."""

    def is_busy(run: Run):
        return jnp.sum(run[0].program < machine.num_programs, dtype=jnp.int32) > least

    def until_some_end(run: Run):
        lanes, memory, num_begun, results = run
        wanted = jnp.where(num_begun < machine.num_programs, machine.num_lanes * 3 // 4, least)
        lanes, memory = run_lanes(machine, tables, lanes, memory, wanted)
        results = record(machine, tables, lanes, memory, results)
        return *refill(machine, tables, lanes, memory, num_begun), results

    return jax.lax.while_loop(is_busy, until_some_end, run)


def narrowed(machine: Machine, run: Run, num_lanes: int) -> tuple[Machine, Run]:
    """The same run in fewer lanes, of which at most so many are live."""
    lanes, memory, num_begun, results = run
    old = jnp.argsort(~lanes.is_live)[:num_lanes]
    lanes = jax.tree.map(lambda each: each[old], lanes)
    moved = jnp.arange(num_lanes, dtype=jnp.int32) - old.astype(jnp.int32)
    lanes = lanes._replace(at=lanes.at + moved * (machine.capacity + 1))
    memory = jax.tree.map(lambda each: each.reshape(machine.num_lanes, -1)[old].ravel(), memory)
    return machine._replace(num_lanes=num_lanes), (lanes, memory, num_begun, results)


TURNS_AT_ONCE = 8
"""Before live lanes are counted."""


def run_lanes(machine: Machine, tables: Tables, lanes: Lanes, memory: Memory, least: jax.Array) -> tuple[Lanes, Memory]:
    """Takes turns while more than `least` lanes live."""

    def turns(carry):
        return jax.lax.fori_loop(0, TURNS_AT_ONCE, lambda _, carry: turn(machine, tables, *carry), carry)

    return jax.lax.while_loop(lambda carry: jnp.sum(carry[0].is_live, dtype=jnp.int32) > least, turns, (lanes, memory))


def turn(machine: Machine, tables: Tables, lanes: Lanes, memory: Memory) -> tuple[Lanes, Memory]:
    """Every lane executes a word, or stays where it is."""
    options = machine.options
    word, pointer = look(machine, memory, lanes)
    steps_left = lanes.steps_left - word.cost * lanes.times
    num_written = lanes.num_written + (word.kind == WRITE)
    is_live = (steps_left >= 0) & (lanes.times > 0) & (word.cost > 0)
    is_live &= (pointer >= 0) & (pointer < options.cells) & (num_written <= options.max_output)

    # A lane that stays may spoil its memory: nothing is read there any more but the byte it was about to write.
    row = jnp.arange(machine.num_lanes, dtype=jnp.int32) * machine.row
    cell = row + machine.tape_start + jnp.clip(pointer, 0, options.cells - 1)
    reads = (word.kind == READ) & ((options.end_of_input is not None) | (lanes.num_read < lanes.data_length))
    value = get(memory.cells, jnp.where(reads, row + lanes.num_read, cell)).astype(jnp.int32) + word.add * lanes.times
    value = value.astype(machine.dtype)
    value, packed = jax.lax.optimization_barrier((value, bracket_of(memory, lanes, word)))  # lest it be done thrice
    to = jnp.where(word.kind == WRITE, row + machine.output_start + lanes.num_written, cell)
    memory = memory._replace(cells=put(memory.cells, to, value))

    bracket = Bracket(*unpack(packed, BRACKET_BITS))
    is_zero = value == 0
    jumps = jnp.where(is_zero, word.bracket == OPEN, word.bracket == CLOSE)
    at = lanes.at + word.cost + jnp.where(jumps, bracket.jump - 1, 0)
    number, is_endless = passes(bracket, value.astype(jnp.int32), options.cell_bits)
    is_solved = (word.bracket == OPEN) & ~is_zero & (bracket.twos != UNSOLVED)
    is_solved &= (pointer >= bracket.left) & (pointer < options.cells - bracket.right)
    if options.cell_bits == 32:
        is_solved &= is_endless | ((number > 0) & (number < MAX_PASSES))
    times = jnp.where(is_solved, jnp.where(is_endless, 0, number), 1)
    times = jnp.where(word.bracket == 0, lanes.times, times)

    num_read = jnp.minimum(lanes.num_read + (word.kind == READ), lanes.data_length)
    after = lanes._replace(
        at=at, pointer=pointer, steps_left=steps_left, times=times, num_read=num_read, num_written=num_written
    )
    after = jax.tree.map(lambda new, old: jnp.where(is_live, new, old), after, lanes)
    return after._replace(is_live=is_live), memory


def look(machine: Machine, memory: Memory, lanes: Lanes) -> tuple[Word, jax.Array]:
    """The next word of each lane, and where its moves lead; out of bounds where they leave the tape."""
    cells = machine.options.cells
    word = Word(*unpack(get(memory.words, lanes.at), WORD_BITS))
    pointer = lanes.pointer + word.move
    if machine.options.left_edge == "clamp":
        pointer = jnp.maximum(pointer, 0)
    elif machine.options.left_edge == "wrap" and cells <= MAX_MOVE:
        pointer = pointer % cells
    elif machine.options.left_edge == "wrap":
        pointer += jnp.where(pointer < 0, cells, jnp.where(pointer >= cells, -cells, 0))
    return word, pointer


def bracket_of(memory: Memory, lanes: Lanes, word: Word) -> jax.Array:
    """The packed bracket at the end of each lane's word; anything where there is none."""
    return get(memory.brackets, lanes.at + jnp.where(word.bracket != 0, word.cost - 1, 0))


def record(machine: Machine, tables: Tables, lanes: Lanes, memory: Memory, results: Results) -> Results:
    """Writes down how the lanes that have stopped ended: which command of their word was the one too many."""
    options = machine.options
    word, pointer = look(machine, memory, lanes)
    is_left, is_right = pointer < 0, pointer >= options.cells
    is_off = is_left | is_right
    is_full = (word.kind == WRITE) & (lanes.num_written == options.max_output)
    write_at = word.cost - 1 - (word.bracket != 0)
    fails_at = jnp.where(is_off, jnp.where(is_left, lanes.pointer, options.cells - 1 - lanes.pointer), write_at)
    is_failure = is_off | is_full
    is_cut = ~is_failure | (lanes.steps_left <= fails_at)
    writes = is_cut & (word.kind == WRITE) & ~is_failure & (lanes.steps_left > write_at)

    is_ok = word.cost == 0
    failure = jnp.where(is_left, Status.TAPE_LEFT, jnp.where(is_right, Status.TAPE_RIGHT, Status.OUTPUT_LIMIT))
    status = jnp.where(is_ok, Status.OK, jnp.where(is_cut, Status.STEP_LIMIT, failure))
    steps = options.max_steps - jnp.where(is_ok, lanes.steps_left, 0)
    steps -= jnp.where(is_ok | is_cut, 0, lanes.steps_left - fails_at)
    status = jnp.where(get(tables.is_refused, lanes.program), Status.SYNTAX_ERROR, status)

    output = memory.cells.reshape(-1, machine.row)[:, machine.output_start : machine.tape_start - 1].astype(jnp.uint8)
    ended = Results(status, output, lanes.num_written + writes, steps)
    program = jnp.where(lanes.is_live, machine.num_programs, lanes.program)
    return Results(*(old.at[program].set(new, mode="drop") for old, new in zip(results, ended, strict=True)))


def get(array: jax.Array, index: jax.Array) -> jax.Array:
    """Elements of an array, or rows, at indices that are in bounds."""
    return array.at[index].get(mode="promise_in_bounds")


def put(array: jax.Array, index: jax.Array, values: jax.Array) -> jax.Array:
    """A flat array with other elements at indices that are in bounds, none of them twice."""
    return array.at[index].set(values, mode="promise_in_bounds", unique_indices=True)
