"""Programs of Befunge-93 run one after another, for CPUs, see `serial`.

A turn passes all cells that only steer, then executes one. XLA works out anew what several results of a turn need, but
what a loop ends with and what a branch gives are worked out once; so all that few instructions need stands in a
branch. On six programs mixed, and on an echo that mostly passes spaces, 1024 of each, two busy CPU cores: values and
branches of one program where there were arrays of one lane, 1.5 and 1.2 ×; a loop of its own for spaces, where the next
place does not wait for what lies at this one, 1.0 and 1.7 ×.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from esolang import befunge_instructions as instructions
from esolang import befunge_machine as machines
from esolang.befunge_instructions import (
    ASK,
    ENDED,
    IF_ACROSS,
    IF_DOWN,
    IN_STRING,
    KEEP,
    PICKS,
    QUESTION,
    RANDOM,
    READ_BYTE,
    UNKNOWN,
    Row,
)
from esolang.befunge_machine import GOLDEN, RUNNING, SPARE, Inputs
from esolang.befunge_reference import HEIGHT, WIDTH, Options
from esolang.serial import get, in_one_function, put
from esolang.status import Status

AREA = WIDTH * HEIGHT
"""Cells of a playfield. One more holds what is put nowhere."""


class Place(NamedTuple):
    """Where a program stands, all int32."""

    at: jax.Array  # cell of the playfield
    direction: jax.Array  # right, left, up, down
    steps: jax.Array


class State(NamedTuple):
    """A program while it runs; all are scalars."""

    place: Place
    status: jax.Array  # int32, RUNNING or a `Status`
    is_string: jax.Array  # bool
    top: jax.Array  # int64, 0 where there is none
    second: jax.Array  # int64, likewise
    depth: jax.Array  # int32, values on the stack
    num_read: jax.Array  # int32, bytes of the input
    random: jax.Array  # uint32, before it is hashed: see `befunge_reference.random_word`
    num_bytes: jax.Array  # int32, written
    num_writes: jax.Array  # int32
    put_at: jax.Array  # int32, the cell to be written when the next turn begins, AREA: none
    put_value: jax.Array  # cell


class Memory(NamedTuple):
    """What a program reads and writes. A turn writes all, what it has nothing to write for where nobody looks."""

    cells: jax.Array  # int8, int32 or int64 [AREA + 1]
    stack: jax.Array  # int64 [slots + 1], the stack but for its two topmost
    kind: jax.Array  # int8 [K + 1]
    value: jax.Array  # int64 [K + 1]


class Rarity(NamedTuple):
    """What few instructions do."""

    value: jax.Array  # int64, the new top of the stack
    direction: jax.Array  # int32
    num_read: jax.Array  # int32
    length: jax.Array  # int32, bytes to be written
    put_at: jax.Array  # int32
    put_value: jax.Array  # cell


def run(
    options: Options, source: jax.Array, read: jax.Array, integer: jax.Array, seed: jax.Array
) -> tuple[jax.Array, ...]:
    """The fields of `befunge.Run`, from those of `befunge.Batch`."""
    run_all = jax.custom_batching.sequential_vmap(jax.jit(functools.partial(_run_all, options)))
    return in_one_function(run_all(source, read, integer, seed))


def _run_all(
    options: Options, source: jax.Array, read: jax.Array, integer: jax.Array, seed: jax.Array
) -> tuple[jax.Array, ...]:
    num, room = len(source), max(options.max_output, 1)

    def run_one(which: jax.Array, ends: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        inputs = Inputs(get(read, which), lax.bitcast_convert_type(get(integer, which), jnp.int64))  # low half first
        memory = begin_memory(get(source, which), options)
        state, memory = lax.while_loop(
            lambda carry: carry[0].status == RUNNING,
            lambda carry: play_on(*carry, inputs, options),
            (begin(get(seed, which), memory.cells.dtype), memory),
        )
        kind = put(memory.kind, state.num_writes, jnp.int8(0))[:-1]
        value = put(memory.value, state.num_writes, jnp.int64(0))[:-1]
        value = lax.bitcast_convert_type(value, jnp.int32)  # low half first
        ended = (state.status, state.place.steps, state.num_writes, kind, value)
        return tuple(put(all, which, one) for all, one in zip(ends, ended, strict=True))

    zeros = jnp.zeros(num, jnp.int32)
    ends = (zeros, zeros, zeros, jnp.zeros((num, room), jnp.int8), jnp.zeros((num, room, 2), jnp.int32))
    return lax.fori_loop(0, num, run_one, ends)


def begin(seed: jax.Array, cell_type: np.dtype) -> State:
    """A program before its first step."""
    zero, long = jnp.int32(0), jnp.int64(0)
    return State(
        place=Place(zero, zero, zero),
        status=zero + RUNNING,
        is_string=zero > 0,
        top=long,
        second=long,
        depth=zero,
        num_read=zero,
        random=seed + GOLDEN,
        num_bytes=zero,
        num_writes=zero,
        put_at=zero + AREA,
        put_value=zero.astype(cell_type),
    )


def begin_memory(source: jax.Array, options: Options) -> Memory:
    """The memory of a program before its first step, its source being uint8 `[AREA]`."""
    room = max(options.max_output, 1) + 1
    source = lax.bitcast_convert_type(source, jnp.int8) if options.cell_bits == 8 else source
    return Memory(
        cells=jnp.pad(source.astype(f"int{options.cell_bits}"), (0, 1)),
        stack=jnp.zeros(machines.slots(options) + 1, jnp.int64),
        kind=jnp.zeros(room, jnp.int8),
        value=jnp.zeros(room, jnp.int64),
    )


def play_on(state: State, memory: Memory, inputs: Inputs, options: Options) -> tuple[State, Memory]:
    """Passes all cells that only steer, and executes the next."""
    cells = put(memory.cells, state.put_at, state.put_value)
    stack = put(memory.stack, state.depth + (SPARE - 2), state.second)

    def skipped(place: Place) -> tuple[Place, jax.Array]:
        place = _over_spaces(place, state.is_string, cells, options)
        return place, _word(state, place, cells, options)

    def steer(carry: tuple[Place, jax.Array]) -> tuple[Place, jax.Array]:
        (at, direction, steps), row = carry[0], instructions.unpack(carry[1])
        direction = jnp.where(row.turn < KEEP, row.turn, direction) ^ row.is_reflected
        return skipped(Place(_moved(at, direction, row.is_bridge, options), direction, steps + 1))

    place, word = lax.while_loop(lambda carry: instructions.unpack(carry[1]).steers == 1, steer, skipped(state.place))
    state, memory = state._replace(place=place), memory._replace(cells=cells, stack=stack)
    return _execute(state, memory, instructions.unpack(word), inputs, options)


def _over_spaces(place: Place, is_string: jax.Array, cells: jax.Array, options: Options) -> Place:
    """Straight on as long as there are spaces."""

    def is_space(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        return (get(cells, carry[0]) == ord(" ")) & ~is_string & (carry[1] < options.max_steps)

    def pass_on(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        return _moved(carry[0], place.direction, 0, options), carry[1] + 1

    at, steps = lax.while_loop(is_space, pass_on, (place.at, place.steps))
    return Place(at, place.direction, steps)


def _word(state: State, place: Place, cells: jax.Array, options: Options) -> jax.Array:
    """What the cell at a place does, a word of `instructions.table`."""
    cell, table = get(cells, place.at), instructions.table(options.unknown)
    character = jnp.where((cell >= 0) & (cell < UNKNOWN), cell, UNKNOWN).astype(jnp.int32)
    word = get(jnp.asarray(meanings(options.unknown)), character + 128 * state.is_string)
    if options.division_by_zero == "ask":
        word = jnp.where((cell == ord("/")) & ~state.is_string & (state.top == 0), table[ASK], word)
    return jnp.where(place.steps < options.max_steps, word, table[ENDED])


@functools.cache
def meanings(unknown: str) -> np.ndarray:
    """What characters do, and what they do in string mode: words of `instructions.table`, int32 `[2 * 128]`."""
    table = instructions.table(unknown)
    in_string = np.where(np.arange(128) == ord('"'), table[:128], table[IN_STRING])
    return np.concatenate([table[:128], in_string])


def _moved(at: jax.Array, direction: jax.Array, is_bridge: jax.Array | int, options: Options) -> jax.Array:
    """The cell after this one, or after the next."""
    return get(jnp.asarray(ways(options.bridge)), at + AREA * (direction + 4 * is_bridge))


@functools.cache
def ways(bridge: str) -> np.ndarray:
    """Where each cell leads: int32 `[2 * 4 * AREA]`, for a step and for `#`, in every direction.

    Args:
      bridge: of `befunge_reference.Options`.
    """
    y, x = np.divmod(np.arange(AREA), WIDTH)
    table = np.zeros((2, 4, AREA), np.int32)
    for direction, (across, down) in enumerate(((1, 0), (-1, 0), (0, -1), (0, 1))):
        is_stuck = (x == 0) & (across == -1) | (y == 0) & (down == -1)
        skips = 1 - is_stuck if bridge == "lopsided" else 1
        for is_bridge in range(2):
            distance = 1 + is_bridge * skips
            table[is_bridge, direction] = (y + down * distance) % HEIGHT * WIDTH + (x + across * distance) % WIDTH
    return table.ravel()


def _execute(state: State, memory: Memory, row: Row, inputs: Inputs, options: Options) -> tuple[State, Memory]:
    """Executes a cell that does more than to steer."""
    top, place = state.top, state.place
    rarity = lax.cond(
        row.is_rare == 1,
        lambda: _rarely(state, memory, row, inputs, options),
        lambda: Rarity(top, place.direction, state.num_read, jnp.int32(0), jnp.int32(AREA), state.put_value),
    )
    growth = row.pushes - row.pops
    below = get(memory.stack, state.depth + growth + (SPARE - 2))  # the second if the stack does not grow
    depth = jnp.maximum(state.depth - row.pops, 0) + row.pushes
    is_full = state.num_bytes + rarity.length > options.max_output
    is_over = depth > options.stack_limit
    status = jnp.where(row.is_end == 1, Status.OK, state.status)
    status = jnp.where(is_full, Status.OUTPUT_LIMIT, status)
    status = jnp.where(is_over, Status.STACK_OVERFLOW, status)
    status = jnp.where(row.is_step == 0, Status.STEP_LIMIT, status)

    direction = jnp.where(row.turn == IF_ACROSS, jnp.where(top == 0, 0, 1), rarity.direction)
    direction = jnp.where(row.turn == IF_DOWN, jnp.where(top == 0, 3, 2), direction)
    steps = place.steps + ((row.is_step == 1) & ~is_full & ~is_over)
    after = State(
        place=Place(_moved(place.at, direction, 0, options), direction, steps),
        status=status.astype(jnp.int32),
        is_string=state.is_string ^ (row.is_quote == 1),
        top=_new_top(state, memory, row, rarity),
        second=jnp.where((growth == 1) | (row.pushes == 2), top, below),
        depth=depth,
        num_read=rarity.num_read,
        random=jnp.where(row.turn == RANDOM, state.random + GOLDEN, state.random),
        num_bytes=state.num_bytes + rarity.length,
        num_writes=state.num_writes + ((row.writes > 0) & ~is_full),
        put_at=rarity.put_at,
        put_value=rarity.put_value,
    )
    kind = put(memory.kind, state.num_writes, row.writes.astype(jnp.int8))
    return after, memory._replace(kind=kind, value=put(memory.value, state.num_writes, _written(state, row)))


def _new_top(state: State, memory: Memory, row: Row, rarity: Rarity) -> jax.Array:
    """What the instruction picks, int64."""
    top, second = state.top, state.second
    results = {
        "top": top,
        "second": second,
        "cell": get(memory.cells, state.place.at),
        "digit": row.digit,
        "+": second + top,
        "-": second - top,
        "*": second * top,
        "`": second > top,
        "!": top == 0,
    }
    return _picked(row, results, rarity.value)


def _picked(row: Row, results: dict[str, jax.Array], otherwise: jax.Array) -> jax.Array:
    for name, result in results.items():
        otherwise = jnp.where(row.pick == PICKS.index(name), result.astype(jnp.int64), otherwise)
    return otherwise


def _written(state: State, row: Row) -> jax.Array:
    """The number to be written, if any: int64."""
    return jnp.where(row.writes == QUESTION, state.second, state.top)


def _rarely(state: State, memory: Memory, row: Row, inputs: Inputs, options: Options) -> Rarity:
    """What instructions do that `instructions.is_rare` knows."""
    top, second, slot = state.top, state.second, state.depth + SPARE
    is_inside = (top >= 0) & (top < HEIGHT) & (second >= 0) & (second < WIDTH)
    at = jnp.where(is_inside, WIDTH * top + second, AREA).astype(jnp.int32)
    read, integer = get(inputs.read, state.num_read), get(inputs.integer, state.num_read)
    otherwise = jnp.where(row.writes == QUESTION, second, -1)
    quotient = jnp.where(top == 0, 0, lax.div(second, top))
    results = {
        "fourth": get(memory.stack, slot - 4),
        "/": quotient,
        "%": jnp.where(top == 0, 0, second - quotient * top),
        "get": jnp.where(is_inside, get(memory.cells, at).astype(jnp.int64), options.outside),
        "byte": read.astype(jnp.int8),
        "integer": jnp.where((read >> 8) & 1 == 1, integer, otherwise),
    }
    after_byte = jnp.minimum(state.num_read + 1, len(inputs.read) - 1)
    after_read = jnp.where(row.reads == READ_BYTE, after_byte, read >> 9)
    return Rarity(
        value=_picked(row, results, top),
        direction=jnp.where(row.turn == RANDOM, machines.random_direction(state.random), state.place.direction),
        num_read=jnp.where(row.reads == 0, state.num_read, after_read),
        length=machines.write_length(_written(state, row), row.writes),
        put_at=jnp.where(row.is_put == 1, at, AREA),
        put_value=get(memory.stack, slot - 3).astype(memory.cells.dtype),
    )
