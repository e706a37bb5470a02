"""One Brainf**k machine, or one in every lane: what it knows, where it stands, and what executing a word changes.

All is of any shape: scalars of one machine, or arrays `[L]` of as many in lock step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from esolang.brainfuck_reference import Options
from esolang.brainfuck_words import (
    BRACKET_BITS,
    CLOSE,
    MAX_MOVE,
    OPEN,
    READ,
    UNSOLVED,
    WORD_BITS,
    WRITE,
    Bracket,
    Word,
    passes,
    unpack,
)
from esolang.status import Status

MAX_PASSES = 2**24
"""Of a solved loop, so that MAX_COST times as many commands do not overflow."""


class Results(NamedTuple):
    """How a batch of programs ended."""

    status: jax.Array  # int32 [B], a Status
    output: jax.Array  # uint8 [B, max_output], 0 after what was written
    output_length: jax.Array  # int32 [B]
    steps: jax.Array  # int32 [B]


class Machine(NamedTuple):
    """What is fixed when compiling. Its memory is a row: input, output, tape; the first two with a spare cell."""

    options: Options
    capacity: int
    data_width: int

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
        """Cells of a machine's memory."""
        return self.tape_start + self.options.cells

    @property
    def dtype(self):
        """Of a cell."""
        return {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}[self.options.cell_bits]


class Place(NamedTuple):
    """Where a machine stands: before the word at `at`. All int32."""

    at: jax.Array  # index in the flat table of words
    pointer: jax.Array
    steps_left: jax.Array
    times: jax.Array  # how often to execute words: passes of a solved loop, else 1; 0: never ends
    num_read: jax.Array
    num_written: jax.Array


class Look(NamedTuple):
    """The next word, and what it would lead to."""

    word: Word
    pointer: jax.Array  # int32, out of bounds where its moves leave the tape
    steps_left: jax.Array  # int32
    num_written: jax.Array  # int32
    is_allowed: jax.Array  # bool: there is a word, and it can be executed in full


def inputs(machine: Machine, data: jax.Array, data_length: jax.Array) -> jax.Array:
    """Inputs as cells `[B, D + 1]`, after their ends what `,` stores there."""
    last = (machine.options.end_of_input or 0) & 2**machine.options.cell_bits - 1
    data = jnp.pad(data, ((0, 0), (0, 1))).astype(machine.dtype)
    return jnp.where(jnp.arange(data.shape[1]) < data_length[:, None], data, machine.dtype(last))


def is_refused(machine: Machine, linked: jax.Array) -> jax.Array:
    """Whether programs are not to be run: bool `[P]`."""
    is_alone = ((linked & 15) >= OPEN) & (linked >> 4 == jnp.arange(machine.capacity))
    return jnp.any(is_alone, axis=1) & (machine.options.brackets == "strict")


def begin(machine: Machine, at: jax.Array) -> Place:
    """Machines before the words at these places."""
    zero = jnp.zeros_like(at)
    return Place(at, zero, zero + machine.options.max_steps, zero + 1, zero, zero)


def look(machine: Machine, packed: jax.Array, place: Place) -> Look:
    """What the word at a place leads to."""
    options, word = machine.options, Word(*unpack(packed, WORD_BITS))
    pointer = place.pointer + word.move
    if options.left_edge == "clamp":
        pointer = jnp.maximum(pointer, 0)
    elif options.left_edge == "wrap" and options.cells <= MAX_MOVE:
        pointer = pointer % options.cells
    elif options.left_edge == "wrap":
        pointer += jnp.where(pointer < 0, options.cells, jnp.where(pointer >= options.cells, -options.cells, 0))
    steps_left = place.steps_left - word.cost * place.times
    num_written = place.num_written + (word.kind == WRITE)
    is_allowed = (steps_left >= 0) & (place.times > 0) & (word.cost > 0)
    is_allowed &= (pointer >= 0) & (pointer < options.cells) & (num_written <= options.max_output)
    return Look(word, pointer, steps_left, num_written, is_allowed)


def reads(machine: Machine, place: Place, look: Look, data_length: jax.Array) -> jax.Array:
    """Whether a word changes its cell to what is read."""
    return (look.word.kind == READ) & ((machine.options.end_of_input is not None) | (place.num_read < data_length))


def source(machine: Machine, place: Place, look: Look, data_length: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The cells of a row that a word reads and writes to, within the row whatever the word is."""
    word = look.word
    cell = machine.tape_start + jnp.clip(look.pointer, 0, machine.options.cells - 1)
    to = jnp.where(word.kind == WRITE, machine.output_start + place.num_written, cell)
    return jnp.where(reads(machine, place, look, data_length), place.num_read, cell), to


def execute(
    machine: Machine, place: Place, look: Look, value: jax.Array, bracket: jax.Array, data_length: jax.Array
) -> Place:
    """The place after a word that is allowed.

    Args:
      value: of the cell after the word's additions.
      bracket: the packed one at the end of the word; anything where there is none.
    """
    word, fields = look.word, Bracket(*unpack(bracket, BRACKET_BITS))
    is_zero = value == 0
    jumps = jnp.where(is_zero, word.bracket == OPEN, word.bracket == CLOSE)
    number, is_endless = passes(fields, value.astype(jnp.int32), machine.options.cell_bits)
    is_solved = (word.bracket == OPEN) & ~is_zero & (fields.twos != UNSOLVED)
    is_solved &= (look.pointer >= fields.left) & (look.pointer < machine.options.cells - fields.right)
    if machine.options.cell_bits == 32:
        is_solved &= is_endless | ((number > 0) & (number < MAX_PASSES))
    times = jnp.where(is_solved, jnp.where(is_endless, 0, number), 1)
    return Place(
        at=place.at + word.cost + jnp.where(jumps, fields.jump, 0),
        pointer=look.pointer,
        steps_left=look.steps_left,
        times=jnp.where(word.bracket == 0, place.times, times),
        num_read=jnp.minimum(place.num_read + (word.kind == READ), data_length),
        num_written=look.num_written,
    )


def verdict(
    machine: Machine, packed: jax.Array, place: Place, is_refused: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Status, length of the output and steps of machines that have stopped before a word that is not allowed.

    They follow from which command of the word was the one too many. The byte it was about to write, if that was not
    what it failed at, is where it belongs already.
    """
    options, (word, pointer, *_) = machine.options, look(machine, packed, place)
    is_left, is_right = pointer < 0, pointer >= options.cells
    is_off = is_left | is_right
    is_full = (word.kind == WRITE) & (place.num_written == options.max_output)
    write_at = word.cost - 1 - (word.bracket != 0)
    fails_at = jnp.where(is_off, jnp.where(is_left, place.pointer, options.cells - 1 - place.pointer), write_at)
    is_failure = is_off | is_full
    is_cut = ~is_failure | (place.steps_left <= fails_at)
    writes = is_cut & (word.kind == WRITE) & ~is_failure & (place.steps_left > write_at)

    is_ok = word.cost == 0
    failure = jnp.where(is_left, Status.TAPE_LEFT, jnp.where(is_right, Status.TAPE_RIGHT, Status.OUTPUT_LIMIT))
    status = jnp.where(is_ok, Status.OK, jnp.where(is_cut, Status.STEP_LIMIT, failure))
    steps = options.max_steps - jnp.where(is_ok, place.steps_left, 0)
    steps -= jnp.where(is_ok | is_cut, 0, place.steps_left - fails_at)
    return jnp.where(is_refused, Status.SYNTAX_ERROR, status), place.num_written + writes, steps


def get(array: jax.Array, index: jax.Array) -> jax.Array:
    """Elements of an array, or rows, at indices that are in bounds."""
    if index.ndim == 0:
        return jax.lax.dynamic_index_in_dim(array, index, keepdims=False)
    return array.at[index].get(mode="promise_in_bounds")


def put(array: jax.Array, index: jax.Array, values: jax.Array) -> jax.Array:
    """A flat array with other elements at indices that are in bounds, none of them twice."""
    if index.ndim == 0:
        return jax.lax.dynamic_update_index_in_dim(array, values, index, 0)
    return array.at[index].set(values, mode="promise_in_bounds", unique_indices=True)
