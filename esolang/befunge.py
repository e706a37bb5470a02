"""Befunge-93 in JAX: batches of programs, each run exactly as `befunge_reference` runs it.

batch = encode(["52*.@", "~,@"], [b"", b"x"])
outcomes(run(batch))  # status, bytes written and steps of each

Values of the language are int64, whatever `jax_enable_x64` says: `run` switches it on for itself, and what goes in and
comes out is 32 bits wide at most, so it may be called from compiled functions of ordinary 32-bit code. Memory is fixed
beforehand: `stack_limit` must be a number, and each program takes 9 bytes for each byte of `max_output`.

On CPUs programs run one after another, see `befunge_serial`; elsewhere in lanes: what has ended makes room for the next
on the device itself, and when none is left to begin, the lanes that still run are moved together.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from esolang import befunge_machine as machine
from esolang import befunge_reference as reference
from esolang import befunge_serial
from esolang.befunge_instructions import CHARACTER, NUMBER
from esolang.befunge_machine import RUNNING, Inputs, Memory, State
from esolang.befunge_reference import Options
from esolang.status import Outcome, Status

LIMITS = Options(stack_limit=256, max_steps=5000, max_output=256)
NUM_LANES = 256
"""Programs that run at a time, where they run in lock step."""
MIN_WIDTH, NARROWING = 64, 4
"""Lanes are moved together when one in so many still runs, and no less than so many stay."""


class Batch(NamedTuple):
    """B programs with inputs of up to I bytes; `encode` makes it."""

    source: jax.Array  # uint8 [B, 2000]: the playfield, row by row
    read: jax.Array  # int32 [B, I + 1]: of `befunge_machine.Inputs`
    integer: jax.Array  # int32 [B, I + 1, 2]: likewise, low half and high half
    seed: jax.Array  # uint32 [B]: of `?`


class Run(NamedTuple):
    """How B programs ended. K is `max_output`, since a write is a byte at least; `outcomes` spells them out."""

    status: jax.Array  # int32 [B], of `Status`
    steps: jax.Array  # int32 [B]
    num_writes: jax.Array  # int32 [B]
    kind: jax.Array  # int8 [B, K]: CHARACTER, NUMBER or QUESTION of `befunge_instructions`
    value: jax.Array  # int32 [B, K, 2]: what was written, low half and high half


def encode(
    programs: Sequence[str],
    data: Sequence[bytes] | None = None,
    seeds: Sequence[int] | None = None,
    options: Options = LIMITS,
) -> Batch:
    """Programs and their inputs as arrays.

    The places of the longest input are rounded up to a power of two, so that few sizes are compiled for.

    Args:
      data: an input for each program; empty by default.
      seeds: of `?`, 0 to 2 ** 32 - 1 for each program; 0, 1, 2 and so on by default.

    Raises:
      ValueError: the lists differ in length or are empty, or `befunge_reference.run` would refuse a member.
    """
    num = len(programs)
    data = [b""] * num if data is None else data
    seeds = range(num) if seeds is None else seeds
    if not num == len(data) == len(seeds) or not num:
        raise ValueError(f"programs, inputs and seeds must be as many, got {num}, {len(data)} and {len(seeds)}")
    playfield = functools.cache(lambda program: np.array(reference.playfield(program, options.long_source), np.uint8))
    longest = max(len(reference.checked_input(each)) for each in data)
    places = 1 << longest.bit_length() if longest else 1
    reading = functools.cache(lambda each: _readings(each, places))
    read, integer = (np.stack(x) for x in zip(*(reading(each) for each in data), strict=True))
    return Batch(
        jnp.asarray(np.stack([playfield(program) for program in programs])),
        jnp.asarray(read),
        jnp.asarray(_halves(integer)),
        jnp.asarray(np.array([reference.checked_seed(seed) for seed in seeds], np.uint32)),
    )


def _readings(data: bytes, places: int) -> tuple[np.ndarray, np.ndarray]:
    """`read` and `integer` of `Inputs`, for one program."""
    read = [reference.parse_integer(data, min(place, len(data))) for place in range(places)]
    byte = np.full(places, 255, np.int32)
    byte[: len(data)] = np.frombuffer(data, np.uint8)
    after = np.array([after << 9 | (value is not None) << 8 for value, after in read], np.int32)
    return byte | after, np.array([value or 0 for value, _ in read], np.int64)


def _halves(x: np.ndarray) -> np.ndarray:
    """int64 `[...]` → int32 `[..., 2]`, low half first on every machine."""
    return np.stack([x & 0xFFFFFFFF, x >> 32], -1).astype(np.uint32).view(np.int32)


def outcomes(run: Run) -> list[Outcome]:
    """Status, bytes written and steps of each program."""
    status, steps, num_writes, kinds, halves = map(np.asarray, run)
    values = (halves[..., 1].astype(np.int64) << 32) | halves[..., 0].astype(np.uint32)
    results = []
    for i, num in enumerate(num_writes):
        writes = zip(kinds[i, :num].tolist(), values[i, :num].tolist(), strict=True)
        output = b"".join(_spell(kind, value) for kind, value in writes)
        results.append(Outcome(Status(int(status[i])), output, int(steps[i])))
    return results


def _spell(kind: int, value: int) -> bytes:
    if kind == CHARACTER:
        return bytes([value & 255])
    return b"%d " % value if kind == NUMBER else reference.QUESTION % value


def run(batch: Batch, options: Options = LIMITS, num_lanes: int | None = None) -> Run:
    """Runs programs to their ends; may be called inside other compiled functions. The answer depends on no lanes.

    Args:
      num_lanes: so many run at once, few enough for their memory to stay in the cache. None: on CPUs one after
        another, see `befunge_serial`; elsewhere NUM_LANES.

    Raises:
      ValueError: `options` has no stack limit, or more steps than 2 ** 31 - 1; no lane.
    """
    _check(options, num_lanes)
    with jax.enable_x64(True):
        return _run(batch, options, num_lanes)


def _check(options: Options, num_lanes: int | None) -> None:
    if num_lanes is not None and num_lanes < 1:
        raise ValueError(f"num_lanes must be at least 1, got {num_lanes}")
    if options.stack_limit is None:
        raise ValueError("stack_limit must be a number, as memory is fixed beforehand; got None")
    if options.max_steps >= 2**31:
        raise ValueError(f"max_steps must be below 2 ** 31, got {options.max_steps}")


@functools.partial(jax.jit, static_argnums=(1, 2))
def _run(batch: Batch, options: Options, num_lanes: int | None) -> Run:
    in_lanes = functools.partial(_run_in_lanes, options, num_lanes or NUM_LANES)
    if num_lanes is not None:
        return in_lanes(batch)
    return lax.platform_dependent(batch, cpu=functools.partial(_run_in_a_row, options), default=in_lanes)


def _run_in_a_row(options: Options, batch: Batch) -> Run:
    """Programs one after another."""
    return Run(*befunge_serial.run(options, batch.source, batch.read, batch.integer, batch.seed))


def _run_in_lanes(options: Options, num_lanes: int, batch: Batch) -> Run:
    """Programs side by side in lock step."""
    num = len(batch.source)
    lanes = max(2, min(num_lanes, num))  # of a single lane XLA would copy all memory in every round
    room = max(options.max_output, 1)
    inputs = Inputs(batch.read, lax.bitcast_convert_type(batch.integer, jnp.int64))  # low half first
    source = lax.bitcast_convert_type(batch.source, jnp.int8) if options.cell_bits == 8 else batch.source
    program = jnp.arange(lanes, dtype=jnp.int32)
    work = _Work(
        machine.begin(program, batch.seed, options),
        Memory(
            cells=source.at[program].get(mode="clip").ravel().astype(f"int{options.cell_bits}"),
            stack=jnp.zeros(lanes * machine.slots(options), jnp.int64),
            kind=jnp.zeros(num * room, jnp.int8),
            value=jnp.zeros(num * room, jnp.int64),
        ),
        ends=jnp.zeros((3, num), jnp.int32),
        num_begun=jnp.int32(min(lanes, num)),
    )
    while True:
        narrower = lanes // NARROWING
        is_last = narrower < MIN_WIDTH
        work = _work(work, source, batch.seed, inputs, options, 0 if is_last else narrower)
        if is_last:
            break
        work, lanes = _narrow(work, narrower), narrower
    value = lax.bitcast_convert_type(work.memory.value, jnp.int32).reshape(num, room, 2)  # low half first
    status, steps, num_writes = work.ends
    return Run(status, steps, num_writes, work.memory.kind.reshape(num, room), value)


class _Work(NamedTuple):
    """What is to be done, and what is done."""

    state: State
    memory: Memory
    ends: jax.Array  # int32 [3, B]: status, steps and writes of programs that have ended
    num_begun: jax.Array  # int32 []: programs that have begun


def _work(work: _Work, source: jax.Array, seed: jax.Array, inputs: Inputs, options: Options, enough: int) -> _Work:
    """Runs until all programs have begun and no more than `enough` of them have not ended."""
    num, lanes = len(seed), len(work.state.status)

    def is_wanting(work: _Work) -> jax.Array:
        return (work.num_begun < num) | (jnp.sum(work.state.status == RUNNING) > enough)

    def go(work: _Work) -> _Work:
        # A change of programs moves all playfields, so it waits until one lane in eight is idle.
        few = jnp.where(work.num_begun < num, lanes - max(lanes // 8, 1), enough)
        state, memory = machine.advance(work.state, work.memory, inputs, options, few)
        ends = work.ends.at[:, state.program].set(jnp.stack([state.status, state.steps, state.num_writes]), mode="drop")
        has_ended = state.status != RUNNING
        following = work.num_begun + jnp.cumsum(has_ended, dtype=jnp.int32) - 1
        is_fresh = has_ended & (following < num)
        fresh = machine.begin(jnp.where(is_fresh, following, num), seed, options)
        cells = source.at[following].get(mode="clip").astype(memory.cells.dtype)
        cells = jnp.where(is_fresh[:, None], cells, memory.cells.reshape(lanes, -1)).ravel()
        return _Work(
            jax.tree.map(lambda new, old: jnp.where(has_ended, new, old), fresh, state),
            memory._replace(cells=cells),
            ends,
            work.num_begun + jnp.sum(is_fresh, dtype=jnp.int32),
        )

    return lax.while_loop(is_wanting, go, work)


def _narrow(work: _Work, width: int) -> _Work:
    """Keeps so many lanes, among them all that run."""
    lanes = len(work.state.status)
    memory = machine.settle(work.state, work.memory)
    kept = jnp.argsort(work.state.status != RUNNING)[:width]
    cells, stack = (x.reshape(lanes, -1)[kept].ravel() for x in (memory.cells, memory.stack))
    state = jax.tree.map(lambda x: x[kept], work.state)
    nowhere = jnp.full(width, machine.NOWHERE, jnp.int32)
    state = state._replace(put=(nowhere, state.put[1]), push=(nowhere, state.push[1]))
    return work._replace(state=state, memory=memory._replace(cells=cells, stack=stack))
