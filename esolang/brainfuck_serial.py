"""Programs run one after another, for CPUs, see `serial`."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from esolang import brainfuck_machine as machines
from esolang.brainfuck_machine import Machine, Place, Results, get, put
from esolang.brainfuck_words import fold
from esolang.serial import in_one_function


class Turn(NamedTuple):
    """A machine before a word; its cell is known, and not yet written."""

    place: Place
    to: jax.Array  # int32
    value: jax.Array  # cell
    is_allowed: jax.Array  # bool


def run(machine: Machine, linked: jax.Array, data: jax.Array, data_length: jax.Array) -> Results:
    """Runs all programs on all their inputs; see `brainfuck.run`."""
    run_all = jax.custom_batching.sequential_vmap(jax.jit(functools.partial(_run_all, machine)))
    cells = machines.inputs(machine, data, data_length)
    results = in_one_function(run_all(linked, cells, data_length.astype(jnp.int32)))
    is_written = jnp.arange(machine.options.max_output) < results.output_length[:, None]
    return results._replace(output=jnp.where(is_written, results.output, jnp.uint8(0)))


def _run_all(machine: Machine, linked: jax.Array, data: jax.Array, data_length: jax.Array) -> Results:
    num, num_cases = len(data), len(data) // len(linked)

    def run_program(which: jax.Array, results: Results) -> Results:
        program = get(linked, which)[None]
        words, brackets = (table[0] for table in fold(program))
        is_refused = machines.is_refused(machine, program)[0]
        start = machines.begin(machine, jnp.where(is_refused, machine.capacity, 0))

        def run_case(case: jax.Array, results: Results) -> Results:
            place, cells = run_one(machine, words, brackets, start, get(data, case), get(data_length, case))
            output = cells[machine.output_start : machine.tape_start - 1].astype(jnp.uint8)
            status, length, steps = machines.verdict(machine, words, place, is_refused)
            return jax.tree.map(lambda all, one: put(all, case, one), results, Results(status, output, length, steps))

        return jax.lax.fori_loop(which * num_cases, (which + 1) * num_cases, run_case, results)

    zeros = jnp.zeros(num, jnp.int32)
    outputs = jnp.zeros((num, machine.options.max_output), jnp.uint8)
    return jax.lax.fori_loop(0, len(linked), run_program, Results(zeros, outputs, zeros, zeros))


def run_one(
    machine: Machine, words: jax.Array, brackets: jax.Array, start: Place, data: jax.Array, data_length: jax.Array
) -> tuple[Place, jax.Array]:
    """Where a program stops, and its row of cells."""

    def prepared(place: Place, cells: jax.Array) -> Turn:
        look = machines.look(machine, words, place)
        at, to = machines.source(machine, place, look, data_length)
        value = get(cells, at).astype(jnp.int32) + look.word.add * place.times
        return Turn(place, to, value.astype(machine.dtype), look.is_allowed)

    def execute(carry: tuple[Turn, jax.Array]) -> tuple[Turn, jax.Array]:
        turn, cells = carry
        cells = put(cells, turn.to, turn.value)
        look = machines.look(machine, words, turn.place)
        bracket = machines.bracket_of(brackets, turn.place, look.word)
        place = machines.execute(machine, turn.place, look, turn.value, bracket, data_length)
        return prepared(place, cells), cells

    cells = jax.lax.dynamic_update_slice(jnp.zeros(machine.row, machine.dtype), data, (0,))
    turn, cells = jax.lax.while_loop(lambda carry: carry[0].is_allowed, execute, (prepared(start, cells), cells))
    return turn.place, put(cells, turn.to, turn.value)
