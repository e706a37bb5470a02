"""Lanes that run Befunge-93 in lock step: their state, their memory, and one step of all.

A round goes thus. First a lane may pass a cell that only steers. Then it executes one: the character picks a row of a
table, which says what to pop and push, which of the results computed for every lane becomes the top of the stack, where
to turn. What has ended is a row that does nothing. The two topmost values are registers; three more are read in case
they move up, and at most one is written. To be called with 64-bit values enabled.

What it brought on two busy CPU cores, six programs mixed (experiments/bench_esolang.py): writes put off to the next
round 5 ×, since nothing is copied any more; the queue of programs 2 to 3 × at a batch of 8192; passing one cell that
steers 1.2 to 1.4 ×. What brought nothing: passing two; dividing and reading only where some lane does (`lax.cond`); the
new top out of a table of all results, or by branches, instead of a chain of selects; barriers around what is read.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from esolang import befunge_instructions as instructions
from esolang import befunge_reference as reference
from esolang.befunge_instructions import (
    ASK,
    CHARACTER,
    ENDED,
    IF_ACROSS,
    IF_DOWN,
    IN_STRING,
    KEEP,
    PICKS,
    QUESTION,
    RANDOM,
    READ_BYTE,
    READ_INTEGER,
    UNKNOWN,
)
from esolang.befunge_reference import HEIGHT, WIDTH, Options
from esolang.status import Status

RUNNING = -1
"""Status of a program that has not ended."""
NOWHERE = 2**31 - 1
"""A place beyond every memory: what is written there is lost."""
SPARE = 5
"""Slots below a stack that are always 0, for pops from an empty one."""
ROUNDS = 16
"""Rounds until it is looked who has ended."""


GOLDEN = np.uint32(0x9E3779B9)


class Inputs(NamedTuple):
    """What B programs read; places are those of an input of I bytes, and its end."""

    read: jax.Array  # int32 [B, I + 1]: the byte (8 bits, signed), is there an integer (1), where it ends (rest)
    integer: jax.Array  # int64 [B, I + 1]: the integer that `&` finds there


class State(NamedTuple):
    """Programs while they run in L lanes. Memories are flat, as one index is cheaper than two.

    What a round writes to cells and stack is put there when the next one begins: XLA copies a memory whole that is
    read before it is written in one round of a loop.
    """

    program: jax.Array  # int32 [L], which of the B
    status: jax.Array  # int32 [L], RUNNING or a `Status`
    steps: jax.Array  # int32 [L]
    x: jax.Array  # int32 [L], column
    y: jax.Array  # int32 [L], row
    direction: jax.Array  # int32 [L], right, left, up, down
    is_string: jax.Array  # bool [L]
    top: jax.Array  # int64 [L], 0 where there is none
    second: jax.Array  # int64 [L], likewise
    depth: jax.Array  # int32 [L], values on the stack
    num_read: jax.Array  # int32 [L], bytes of the input
    random: jax.Array  # uint32 [L], before it is hashed: see `befunge_reference.random_word`
    num_bytes: jax.Array  # int32 [L], written
    num_writes: jax.Array  # int32 [L]
    put: tuple[jax.Array, jax.Array]  # int32 [L], a place of `cells` or none, and what it will hold
    push: tuple[jax.Array, jax.Array]  # the same of `stack`


class Memory(NamedTuple):
    """What lanes read and write."""

    cells: jax.Array  # int8, int32 or int64 [L * 2000]
    stack: jax.Array  # int64 [L * slots], the stack but for its two topmost
    kind: jax.Array  # int8 [B * K]
    value: jax.Array  # int64 [B * K]


def slots(options: Options) -> int:
    """Values of a lane that are kept in memory."""
    assert options.stack_limit is not None
    return options.stack_limit + SPARE - 2


def begin(program: jax.Array, seed: jax.Array, options: Options) -> State:
    """Lanes that begin, idle where there is no program of that number.

    Args:
      program: int32 `[L]`, number of the program.
      seed: uint32 `[B]`, of all programs.
    """
    zero = jnp.zeros_like(program)
    long = zero.astype(jnp.int64)
    return State(
        program=program,
        status=jnp.where(program < len(seed), RUNNING, Status.OK).astype(jnp.int32),
        steps=zero,
        x=zero,
        y=zero,
        direction=zero,
        is_string=zero > 0,
        top=long,
        second=long,
        depth=zero,
        num_read=zero,
        random=seed.at[program].get(mode="clip") + GOLDEN,
        num_bytes=zero,
        num_writes=zero,
        put=(zero + NOWHERE, zero.astype(f"int{options.cell_bits}")),
        push=(zero + NOWHERE, long),
    )


def advance(state: State, memory: Memory, inputs: Inputs, options: Options, enough: jax.Array) -> tuple[State, Memory]:
    """Runs on until no more than `enough` lanes, int32 `[]`, have not ended."""

    def is_wanting(carry: tuple[State, Memory]) -> jax.Array:
        return jnp.sum(carry[0].status == RUNNING, dtype=jnp.int32) > enough

    def go(_: jax.Array, carry: tuple[State, Memory]) -> tuple[State, Memory]:
        return play_round(*carry, inputs, options)

    return lax.while_loop(is_wanting, lambda carry: lax.fori_loop(0, ROUNDS, go, carry), (state, memory))


def play_round(state: State, memory: Memory, inputs: Inputs, options: Options) -> tuple[State, Memory]:
    """Every lane may pass a cell that only steers, and executes one."""
    memory = settle(state, memory)
    state = _steered(state, _look(state, memory, options), options)
    return _execute(state, memory, _look(state, memory, options), inputs, options)


def settle(state: State, memory: Memory) -> Memory:
    """Puts what the last round wrote where it belongs; doing so twice changes nothing."""
    return memory._replace(cells=_write(memory.cells, *state.put), stack=_write(memory.stack, *state.push))


def _at(memory: jax.Array, index: jax.Array) -> jax.Array:
    return memory.at[index].get(mode="promise_in_bounds")


def _write(memory: jax.Array, index: jax.Array, value: jax.Array) -> jax.Array:
    """Every lane has a part of its own, so no two write to one place."""
    return memory.at[index].set(value.astype(memory.dtype), mode="drop", unique_indices=True)


def _lanes(state: State, size: int) -> jax.Array:
    """Where each lane's part of a flat memory begins."""
    return jnp.arange(len(state.status), dtype=jnp.int32) * size


class Look(NamedTuple):
    """What a lane comes upon."""

    cell: jax.Array  # [L]
    word: jax.Array  # int32 [L], of `instructions.table`


def _look(state: State, memory: Memory, options: Options) -> Look:
    """The cell at the place, and what it does."""
    cell = _at(memory.cells, _lanes(state, WIDTH * HEIGHT) + WIDTH * state.y + state.x)
    instruction = jnp.where((cell >= 0) & (cell < UNKNOWN), cell, UNKNOWN).astype(jnp.int32)
    instruction = jnp.where(state.is_string & (instruction != ord('"')), IN_STRING, instruction)
    can_step = (state.status == RUNNING) & (state.steps < options.max_steps)
    instruction = jnp.where(can_step, instruction, ENDED)
    if options.division_by_zero == "ask":
        instruction = jnp.where((instruction == ord("/")) & (state.top == 0), ASK, instruction)
    return Look(cell, _at(jnp.asarray(instructions.table(options.unknown)), instruction))


def _steered(state: State, look: Look, options: Options) -> State:
    """Moves on over a cell that only steers."""
    row = instructions.unpack(look.word)
    turned = jnp.where(row.turn < KEEP, row.turn, state.direction) ^ row.is_reflected
    direction = jnp.where(row.steers == 1, turned, state.direction)
    distance = row.steers * (1 + row.is_bridge * _bridged(state, options))
    x, y = _moved(state, direction, distance)
    return state._replace(x=x, y=y, direction=direction, steps=state.steps + row.steers)


def _bridged(state: State, options: Options) -> jax.Array:
    """How many cells `#` skips: int32 `[L]`."""
    if options.bridge == "torus":
        return jnp.ones_like(state.x)
    is_stuck = ((state.direction == 1) & (state.x == 0)) | ((state.direction == 2) & (state.y == 0))
    return jnp.where(is_stuck, 0, 1)


def _moved(state: State, direction: jax.Array, distance: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Column and row so many cells further, at most two."""
    across = jnp.where(direction == 0, distance, jnp.where(direction == 1, -distance, 0))
    down = jnp.where(direction == 3, distance, jnp.where(direction == 2, -distance, 0))

    def around(place, size):
        return jnp.where(place < 0, place + size, jnp.where(place >= size, place - size, place))

    return around(state.x + across, WIDTH), around(state.y + down, HEIGHT)


def _execute(state: State, memory: Memory, look: Look, inputs: Inputs, options: Options) -> tuple[State, Memory]:
    """Executes a cell."""
    row = instructions.unpack(look.word)
    slot = _lanes(state, slots(options)) + SPARE + state.depth
    third, fourth, fifth = (_at(memory.stack, slot - above) for above in (3, 4, 5))
    is_inside = (state.top >= 0) & (state.top < HEIGHT) & (state.second >= 0) & (state.second < WIDTH)
    place = _lanes(state, WIDTH * HEIGHT) + jnp.where(is_inside, WIDTH * state.top + state.second, 0).astype(jnp.int32)
    got = jnp.where(is_inside, _at(memory.cells, place).astype(jnp.int64), options.outside)
    byte, integer, num_read = _read(state, row, inputs)

    results = _results(state.top, state.second)
    results |= {"fourth": fourth, "cell": look.cell, "digit": row.digit, "get": got, "byte": byte, "integer": integer}
    top = state.top
    for number, name in enumerate(PICKS):
        top = jnp.where(row.pick == number, results[name].astype(jnp.int64), top)
    growth = row.pushes - row.pops
    second = jnp.where(growth == -1, third, jnp.where(growth == -3, fifth, state.second))
    second = jnp.where((growth == 1) | (row.pushes == 2), state.top, second)
    depth = jnp.maximum(state.depth - row.pops, 0) + row.pushes

    written = jnp.where(row.writes == QUESTION, state.second, state.top)
    length = write_length(written, row.writes)
    is_full = state.num_bytes + length > options.max_output
    is_over = depth > options.stack_limit
    is_late = (state.status == RUNNING) & (state.steps >= options.max_steps)
    status = jnp.where(row.is_end == 1, Status.OK, state.status)
    status = jnp.where(is_full, Status.OUTPUT_LIMIT, status)
    status = jnp.where(is_over, Status.STACK_OVERFLOW, status)
    status = jnp.where(is_late, Status.STEP_LIMIT, status)

    writes = (row.writes > 0) & ~is_full
    log = jnp.where(writes, state.program * (len(memory.kind) // len(inputs.read)) + state.num_writes, NOWHERE)
    direction = _turned(state, row)
    x, y = _moved(state, direction, row.is_step * (1 + row.is_bridge * _bridged(state, options)))
    after = State(
        program=state.program,
        status=status,
        steps=state.steps + ((row.is_step == 1) & ~is_full & ~is_over),
        x=x,
        y=y,
        direction=direction,
        is_string=state.is_string ^ (row.is_quote == 1),
        top=top,
        second=second,
        depth=depth,
        num_read=num_read,
        random=jnp.where(row.turn == RANDOM, state.random + GOLDEN, state.random),
        num_bytes=state.num_bytes + jnp.where(writes, length, 0),
        num_writes=state.num_writes + writes,
        put=(jnp.where(is_inside & (row.is_put == 1), place, NOWHERE), third.astype(memory.cells.dtype)),
        push=(jnp.where((growth == 1) & ~is_over, slot - 2, NOWHERE), state.second),
    )
    return after, memory._replace(kind=_write(memory.kind, log, row.writes), value=_write(memory.value, log, written))


def _results(top: jax.Array, second: jax.Array) -> dict[str, jax.Array]:
    """What can be computed of the two topmost values: int64 `[L]` or bool `[L]` each."""
    quotient = jnp.where(top == 0, 0, lax.div(second, top))
    return {
        "top": top,
        "second": second,
        "+": second + top,
        "-": second - top,
        "*": second * top,
        "/": quotient,
        "%": jnp.where(top == 0, 0, second - quotient * top),
        "`": second > top,
        "!": top == 0,
    }


def _read(state: State, row: instructions.Row, inputs: Inputs) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The byte and the integer to be read, int64 `[L]`, and how much of the input will be read, int32 `[L]`."""
    num_places = inputs.read.shape[1]
    place = jnp.minimum(state.program, len(inputs.read) - 1) * num_places + state.num_read
    read, integer = _at(inputs.read.ravel(), place), _at(inputs.integer.ravel(), place)
    otherwise = jnp.where(row.writes == QUESTION, state.second, -1)
    integer = jnp.where((read >> 8) & 1 == 1, integer, otherwise)
    num_read = jnp.where(row.reads == READ_BYTE, jnp.minimum(state.num_read + 1, num_places - 1), state.num_read)
    num_read = jnp.where(row.reads == READ_INTEGER, read >> 9, num_read)
    return read.astype(jnp.int8).astype(jnp.int64), integer, num_read


def _turned(state: State, row: instructions.Row) -> jax.Array:
    """The new direction: int32 `[L]`."""
    direction = jnp.where(row.turn < KEEP, row.turn, state.direction) ^ row.is_reflected
    direction = jnp.where(row.turn == IF_ACROSS, jnp.where(state.top == 0, 0, 1), direction)
    direction = jnp.where(row.turn == IF_DOWN, jnp.where(state.top == 0, 3, 2), direction)
    return jnp.where(row.turn == RANDOM, random_direction(state.random), direction)


def write_length(number: jax.Array, writes: jax.Array) -> jax.Array:
    """Bytes that a write takes, of numbers int64 `[L]`: int32 `[L]`."""
    size = lax.bitcast_convert_type(jnp.abs(number), jnp.uint64) | np.uint64(1)
    log10 = ((64 - lax.clz(size).astype(jnp.int32)) * 1233) >> 12  # of the next power of two, rounded down
    powers = jnp.asarray(np.uint64(10) ** np.arange(20, dtype=np.uint64))
    digits = log10 + (size >= _at(powers, log10)) + (number < 0)
    around = jnp.where(writes == QUESTION, len(reference.QUESTION) - 2, 1)
    return jnp.where(writes == 0, 0, jnp.where(writes == CHARACTER, 1, digits + around)).astype(jnp.int32)


def random_direction(word: jax.Array) -> jax.Array:
    """The first two bits of `befunge_reference.random_word`: int32 `[L]`."""
    word = (word ^ (word >> 16)) * np.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * np.uint32(0xC2B2AE35)
    return ((word ^ (word >> 16)) >> 30).astype(jnp.int32)
