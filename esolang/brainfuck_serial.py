"""Programs run one after another, for CPUs, see `serial`.

A turn writes the cell and a byte of output, whether its word changes them or not: what it writes in vain is written
again before anyone looks, and nothing waits for a choice. Words are folded for CHUNK programs at a time, in vector
registers: 1.3 × on sort, 2.0 × on random programs, 1.3 × on `,[.,]` with 1 % endless, 1024 of each, on two busy CPU
cores (experiments/bench_esolang.py). With an array for each of input, output and tape, and tables in place of Newton's
method and of a second look-up for the bracket, 1.7, 2.4 and 1.6 × in all. What brought nothing: solving loops only
where there is one (`lax.cond`).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from esolang import brainfuck_machine as machines
from esolang.brainfuck_machine import Machine, Place, Results
from esolang.brainfuck_words import fold
from esolang.serial import get, in_one_function, put

CHUNK = 32
"""Programs whose words are folded at a time."""


class Inputs(NamedTuple):
    """Of all runs."""

    cells: jax.Array  # [B · (D + 1)]
    length: jax.Array  # int32 [B]


class Program(NamedTuple):
    """One of a chunk."""

    words: jax.Array  # int32 [CHUNK · (C + 1)], of the chunk
    brackets: jax.Array  # likewise
    begin: jax.Array  # int32, where its words begin
    is_refused: jax.Array  # bool


class Turn(NamedTuple):
    """A machine before a word; its cell is known, and not yet written."""

    place: Place
    word: jax.Array  # int32, packed
    bracket: jax.Array  # int32, packed
    value: jax.Array  # cell


def run(machine: Machine, linked: jax.Array, data: jax.Array, data_length: jax.Array) -> Results:
    """Runs all programs on all their inputs; see `brainfuck.run`."""
    run_all = jax.custom_batching.sequential_vmap(jax.jit(functools.partial(_run_all, machine)))
    cells = machines.inputs(machine, data, data_length)
    results = in_one_function(run_all(linked, cells, data_length.astype(jnp.int32)))
    return results._replace(output=results.output[:-1].reshape(len(data), machine.options.max_output))


def _run_all(machine: Machine, linked: jax.Array, data: jax.Array, data_length: jax.Array) -> Results:
    """All results, output being uint8 `[B · max_output + 1]`."""
    (num_programs, capacity), inputs = linked.shape, Inputs(data.ravel(), data_length)
    num, num_cases, size = len(data), len(data) // num_programs, min(CHUNK, num_programs)

    def run_chunk(turn: jax.Array, results: Results) -> Results:
        first = jnp.minimum(turn * size, num_programs - size)
        chunk = jax.lax.dynamic_slice_in_dim(linked, first.astype(jnp.uint32), size)
        words, brackets = (table.ravel() for table in fold(chunk))
        is_refused = machines.is_refused(machine, chunk)

        def run_program(which: jax.Array, results: Results) -> Results:
            program = Program(words, brackets, which * (capacity + 1), get(is_refused, which))
            begin = (first + which) * num_cases
            run = functools.partial(run_case, machine, program, inputs)
            return jax.lax.fori_loop(begin, begin + num_cases, run, results)

        return jax.lax.fori_loop(turn * size - first, size, run_program, results)

    zeros, output = jnp.zeros(num, jnp.int32), jnp.zeros(num * machine.options.max_output + 1, jnp.uint8)
    return jax.lax.fori_loop(0, -(-num_programs // size), run_chunk, Results(zeros, output, zeros, zeros))


def run_case(machine: Machine, program: Program, inputs: Inputs, case: jax.Array, results: Results) -> Results:
    """Writes down how one run ends."""
    output_at = case * machine.options.max_output
    turn, output = run_one(machine, program, inputs, case, results.output, output_at)
    status, length, steps = machines.verdict(machine, turn.word, turn.place, program.is_refused)
    output = put(output, output_at + length, jnp.uint8(0))  # what a machine writes last where it stands is no output
    return Results(
        put(results.status, case, status),
        output,
        put(results.output_length, case, length),
        put(results.steps, case, steps),
    )


def run_one(
    machine: Machine, program: Program, inputs: Inputs, case: jax.Array, output: jax.Array, output_at: jax.Array
) -> tuple[Turn, jax.Array]:
    """Where a program stops, and the output of all."""
    options = machine.options
    data_at, data_length = case * (machine.data_width + 1), get(inputs.length, case)

    def cell_of(pointer: jax.Array) -> jax.Array:
        return jnp.minimum(pointer.astype(jnp.uint32), options.cells - 1)

    def prepared(place: Place, cells: jax.Array) -> Turn:
        packed = get(program.words, place.at)
        look = machines.look(machine, packed, place)
        read = get(inputs.cells, data_at + place.num_read)
        value = get(cells, cell_of(look.pointer)) + (look.word.add * place.times).astype(machine.dtype)
        value = jnp.where(machines.reads(machine, place, look, data_length), read, value)
        return Turn(place, packed, get(program.brackets, place.at), value)

    def is_allowed(carry: tuple[Turn, jax.Array, jax.Array]) -> jax.Array:
        return machines.look(machine, carry[0].word, carry[0].place).is_allowed

    def execute(carry: tuple[Turn, jax.Array, jax.Array]) -> tuple[Turn, jax.Array, jax.Array]:
        (place, packed, bracket, value), cells, output = carry
        look = machines.look(machine, packed, place)
        cells = put(cells, cell_of(look.pointer), value)
        output = put(output, output_at + place.num_written, value.astype(jnp.uint8))
        place = machines.execute(machine, place, look, value, bracket, data_length)
        return prepared(place, cells), cells, output

    cells = jnp.zeros(options.cells, machine.dtype)
    start = machines.begin(machine, program.begin + jnp.where(program.is_refused, machine.capacity, 0))
    turn, _, output = jax.lax.while_loop(is_allowed, execute, (prepared(start, cells), cells, output))
    # The byte that the next word was about to write, if that was not what it failed at.
    return turn, put(output, output_at + turn.place.num_written, turn.value.astype(jnp.uint8))
