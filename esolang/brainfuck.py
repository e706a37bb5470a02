"""Brainf**k in JAX: batches of programs, run exactly as `brainfuck_reference` runs them one by one.

    linked = link(encode(["++[>+<-]>.", ",[.,]"], capacity=16))
    results = run(linked, data, data_length, Options(cells=256, max_steps=2000, max_output=64))

Programs are tokens, int32 `[P, C]`: 1 to 8 for `><+-.,[]`, 0 from the end on. `link` adds the partners of brackets:
`token | partner << 4`, where a bracket without partner is its own. A policy that writes programs token by token can
keep that table itself: it writes each bracket as its own partner, and both ends when a `]` closes a `[`.

Wherever they run, `brainfuck_words` makes several commands one word, and knows what loops of additions come to.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from esolang import brainfuck_lanes, brainfuck_serial
from esolang.brainfuck_machine import Machine, Results, get, put
from esolang.brainfuck_reference import COMMANDS, Options, checked_input, commands
from esolang.brainfuck_words import CLOSE, MAX_CAPACITY, OPEN
from esolang.status import Outcome, Status

MAX_STEPS = 2**30
NUM_LANES = 512
"""Programs that run at a time, where they run in lock step."""


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


def run(
    linked: jax.Array, data: jax.Array, data_length: jax.Array, options: Options, num_lanes: int | None = None
) -> Results:
    """Runs a batch of programs, each on its input, or on several: B is a multiple N of the number of programs P.

    On CPUs programs run one after another, see `brainfuck_serial`. Elsewhere, and wherever `num_lanes` is a number, so
    many run at a time in lock step, see `brainfuck_lanes`; the memory they take is in proportion to it. The answer
    does not depend on it.

    Args:
      linked: int32 `[P, C]`, as `link` makes them.
      data: uint8 `[B, D]`; row i is for program i // N.
      data_length: int32 `[B]`, how much of each row is there to read.
    """
    check(linked, data, data_length, options)
    machine = Machine(options, linked.shape[1], data.shape[1])
    in_lanes = functools.partial(brainfuck_lanes.run, machine, num_lanes=num_lanes or NUM_LANES)
    if num_lanes is not None:
        return in_lanes(linked, data, data_length)
    in_a_row = functools.partial(brainfuck_serial.run, machine)
    return jax.lax.platform_dependent(linked, data, data_length, cpu=in_a_row, default=in_lanes)


def run_all(
    programs: list[str], data: list[bytes], options: Options | None = None, num_lanes: int | None = None
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
def run_texts(
    tokens: jax.Array, data: jax.Array, data_length: jax.Array, options: Options, num_lanes: int | None
) -> Results:
    """`run` of tokens, compiled."""
    return run(link(tokens), data, data_length, options, num_lanes)


def power_of_two(number: int) -> int:
    """The least one that is not below a number."""
    return 1 << max(number - 1, 0).bit_length()


def check(linked: jax.Array, data: jax.Array, data_length: jax.Array, options: Options) -> None:
    """Raises ValueError unless `run` can run it."""
    num, num_runs = len(linked), len(data)
    if linked.ndim != 2 or linked.dtype != jnp.int32 or num < 1 or not 1 <= linked.shape[1] <= MAX_CAPACITY:
        raise ValueError(
            f"linked programs must be int32 [P, C] with C from 1 to {MAX_CAPACITY}, got {linked.dtype} {linked.shape}"
        )
    if data.ndim != 2 or num_runs < 1 or num_runs % num or data.dtype != jnp.uint8:
        raise ValueError(f"data must be uint8 [B, D] with B a multiple of {num}, got {data.dtype} {data.shape}")
    if data_length.shape != (num_runs,):
        raise ValueError(f"data_length must be int32 [{num_runs}], got {data_length.dtype} {data_length.shape}")
    if options.max_steps > MAX_STEPS:
        raise ValueError(f"max_steps must be at most {MAX_STEPS}, got {options.max_steps}")
