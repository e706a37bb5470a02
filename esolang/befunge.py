"""Befunge-93 in JAX: many programs in lock step, each exactly as `befunge_reference` runs it.

batch = encode(["52*.@", "~,@"], [b"", b"x"])
outcomes(run(batch))  # one compiled call, for use inside other compiled functions too
outcomes(run_compacting(batch))  # the same, driven from the host: what has ended makes room

Values of the language are int64, whatever `jax_enable_x64` says: both functions switch it on for themselves, and what
goes in and comes out is 32 bits wide at most. Memory is fixed beforehand, so `stack_limit` must be a number here.

How a step goes. First the place may move on over a cell that only steers. Then one cell is executed: its character
picks a row of a table, which says what to pop and push, which of the results computed for all becomes the top of the
stack, where to turn. What has ended is a row that does nothing. The two topmost values are registers; three more are
read in case they move up, and at most one is written.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from esolang import befunge_reference as reference
from esolang.befunge_reference import HEIGHT, WIDTH, Options
from esolang.status import Outcome, Status

LIMITS = Options(stack_limit=256, max_steps=5000, max_output=256)
RUNNING = -1
"""Status of a program that has not ended."""
CHARACTER, NUMBER, QUESTION = 1, 2, 3
"""Kinds of writes: of `,`, of `.`, and of a division by zero."""
SPARE = 5
"""Slots below the stack that are always 0, for pops from an empty one."""
ROUNDS = 32
NOWHERE = 2**31 - 1
MOVES = 1
"""Cells that only steer that a lane may pass before it executes one."""


class Batch(NamedTuple):
    """B programs with inputs of up to I bytes; `encode` makes it."""

    source: jax.Array | np.ndarray  # uint8 [B, 2000]: the playfield, row by row
    byte: jax.Array | np.ndarray  # int8 [B, I + 1]: what `~` reads at a place of the input, -1 from its end on
    has_integer: jax.Array | np.ndarray  # bool [B, I + 1]: whether `&` finds an integer there
    integer: jax.Array | np.ndarray  # int32 [B, I + 1, 2]: which one, low half and high half
    after: jax.Array | np.ndarray  # int32 [B, I + 1]: where reading goes on then
    seed: jax.Array | np.ndarray  # uint32 [B]: of `?`


class Run(NamedTuple):
    """How B programs ended. K is `max_output`, since a write is a byte at least; `outcomes` spells them out."""

    status: jax.Array | np.ndarray  # int32 [B], of `Status`
    steps: jax.Array | np.ndarray  # int32 [B]
    num_writes: jax.Array | np.ndarray  # int32 [B]
    kind: jax.Array | np.ndarray  # int8 [B, K]: CHARACTER, NUMBER or QUESTION
    value: jax.Array | np.ndarray  # int32 [B, K, 2]: what was written, low half and high half


def encode(
    programs: Sequence[str],
    data: Sequence[bytes] | None = None,
    seeds: Sequence[int] | None = None,
    options: Options = LIMITS,
) -> Batch:
    """Programs and their inputs as arrays of numpy.

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
    playfield = functools.cache(lambda program: np.uint8(reference.playfield(program, options.long_source)))
    longest = max(len(reference.checked_input(each)) for each in data)
    places = 1 << longest.bit_length() if longest else 1
    read = functools.cache(lambda each: _readings(each, places))
    byte, has_integer, integer, after = (np.stack(x) for x in zip(*(read(each) for each in data), strict=True))
    return Batch(
        np.stack([playfield(program) for program in programs]),
        byte,
        has_integer,
        _halves(integer),
        after,
        np.uint32([reference.checked_seed(seed) for seed in seeds]),
    )


def _readings(data: bytes, places: int) -> tuple[np.ndarray, ...]:
    """What `~` and `&` give at each place of an input: byte, has_integer, integer (int64) and after of `Batch`."""
    read = [reference.parse_integer(data, min(i, len(data))) for i in range(places)]
    byte = np.full(places, -1, np.int8)
    byte[: len(data)] = np.frombuffer(data, np.int8)
    return (
        byte,
        np.array([value is not None for value, _ in read]),
        np.array([value or 0 for value, _ in read], np.int64),
        np.array([after for _, after in read], np.int32),
    )


def _halves(x: np.ndarray) -> np.ndarray:
    """int64 `[...]` → int32 `[..., 2]`, low half first on every machine."""
    return np.stack([x & 0xFFFFFFFF, x >> 32], -1).astype(np.uint32).view(np.int32)


def outcomes(run: Run) -> list[Outcome]:
    """Status, bytes written and steps of each program."""
    run = Run(*map(np.asarray, run))
    value = (run.value[..., 1].astype(np.int64) << 32) | run.value[..., 0].view(np.uint32)
    results = []
    for i in range(len(run.status)):
        num = run.num_writes[i]
        writes = zip(run.kind[i, :num].tolist(), value[i, :num].tolist(), strict=True)
        output = b"".join(_spell(kind, value) for kind, value in writes)
        results.append(Outcome(Status(int(run.status[i])), output, int(run.steps[i])))
    return results


def _spell(kind: int, value: int) -> bytes:
    if kind == CHARACTER:
        return bytes([value & 255])
    return b"%d " % value if kind == NUMBER else reference.QUESTION % value


def run(batch: Batch, options: Options = LIMITS, lanes: int = 512) -> Run:
    """Runs programs to their ends; may be called inside other compiled functions.

    Args:
      lanes: so many run at once, and what has ended makes room for the next; few enough for the cache.

    Raises:
      ValueError: `options` has no stack limit, or more steps than 2 ** 31 - 1.
    """
    _check(options)
    with jax.enable_x64(True):
        return _run(batch, options, lanes)


def _check(options: Options) -> None:
    if options.stack_limit is None:
        raise ValueError("stack_limit must be a number, as memory is fixed beforehand; got None")
    if options.max_steps >= 2**31:
        raise ValueError(f"max_steps must be below 2 ** 31, got {options.max_steps}")


class State(NamedTuple):
    """Programs while they run in L lanes. Memories are flat, as one index is cheaper than two.

    What a step writes to cells and stack is written when the next one begins: a memory that is read before it is
    written in one round of a loop would be copied whole.
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
    random: jax.Array  # uint32 [L], where the generator of `?` stands
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


class Ends(NamedTuple):
    """Of `Run`."""

    status: jax.Array  # int32 [B]
    steps: jax.Array  # int32 [B]
    num_writes: jax.Array  # int32 [B]


@functools.partial(jax.jit, static_argnums=(1, 2))
def _run(batch: Batch, options: Options, lanes: int) -> Run:
    num = batch.source.shape[0]
    lanes = min(lanes, num)
    room = max(options.max_output, 1)
    batch = batch._replace(integer=lax.bitcast_convert_type(jnp.asarray(batch.integer), jnp.int64))  # low half first
    source = jnp.asarray(batch.source)
    source = lax.bitcast_convert_type(source, jnp.int8) if options.cell_bits == 8 else source
    memory = Memory(
        cells=source[:lanes].ravel().astype(f"int{options.cell_bits}"),
        stack=jnp.zeros(lanes * _slots(options), jnp.int64),
        kind=jnp.zeros(num * room, jnp.int8),
        value=jnp.zeros(num * room, jnp.int64),
    )
    state = _begin(jnp.arange(lanes, dtype=jnp.int32), batch, options)
    ends = Ends(*(jnp.zeros(num, jnp.int32) for _ in Ends._fields))

    def go(carry):
        state, memory, ends, num_begun = carry
        state, memory = _advance(state, memory, batch, options, jnp.where(num_begun < num, lanes - lanes // 8, 0))
        ends = Ends(
            *(
                end.at[state.program].set(x, mode="drop")
                for end, x in zip(ends, (state.status, state.steps, state.num_writes))
            )
        )
        has_ended = state.status != RUNNING
        following = num_begun + jnp.cumsum(has_ended, dtype=jnp.int32) - 1
        is_fresh = has_ended & (following < num)
        following = jnp.where(is_fresh, following, num)
        fresh = _begin(following, batch, options)
        state = jax.tree.map(lambda new, old: jnp.where(has_ended, new, old), fresh, state)
        new = source.at[following].get(mode="clip").astype(memory.cells.dtype)
        cells = jnp.where(is_fresh[:, None], new, memory.cells.reshape(lanes, -1)).ravel()
        return state, memory._replace(cells=cells), ends, num_begun + jnp.sum(is_fresh, dtype=jnp.int32)

    def is_wanting(carry):
        return jnp.any(carry[0].status == RUNNING)

    _, memory, ends, _ = lax.while_loop(is_wanting, go, (state, memory, ends, jnp.int32(lanes)))
    value = lax.bitcast_convert_type(memory.value, jnp.int32).reshape(num, room, 2)  # low half first
    return Run(*ends, memory.kind.reshape(num, room), value)


def _slots(options: Options) -> int:
    assert options.stack_limit is not None
    return options.stack_limit + SPARE - 2


def _begin(program: jax.Array, batch: Batch, options: Options) -> State:
    """Lanes that begin with programs, or that are idle where there is none of that number."""
    zero = jnp.zeros_like(program)
    long = zero.astype(jnp.int64)
    return State(
        program=program,
        status=jnp.where(program < batch.source.shape[0], RUNNING, 0).astype(jnp.int32),
        steps=zero,
        x=zero,
        y=zero,
        direction=zero,
        is_string=zero > 0,
        top=long,
        second=long,
        depth=zero,
        num_read=zero,
        random=jnp.asarray(batch.seed).at[program].get(mode="clip"),
        num_bytes=zero,
        num_writes=zero,
        put=(zero + NOWHERE, zero.astype(f"int{options.cell_bits}")),
        push=(zero + NOWHERE, long),
    )


class Row(NamedTuple):
    """What an instruction does: numbers in the table, arrays `[B]` while running."""

    pops: Any = 0
    pushes: Any = 0
    pick: Any = 0  # the new top, of PICKS
    digit: Any = 0
    turn: Any = 4  # one of four directions, or KEEP, IF_ACROSS, IF_DOWN, RANDOM
    is_reflected: Any = 0
    is_bridge: Any = 0
    is_quote: Any = 0
    is_put: Any = 0
    writes: Any = 0  # CHARACTER, NUMBER or QUESTION
    reads: Any = 0  # READ_BYTE or READ_INTEGER
    is_end: Any = 0
    is_step: Any = 1
    steers: Any = 0  # all it does is to turn or to move on


BITS = Row(
    pops=2, pushes=2, pick=4, digit=4, turn=3, is_reflected=1, is_bridge=1, is_quote=1, is_put=1, writes=2, reads=2,
    is_end=1, is_step=1, steers=1,
)  # fmt: skip
PICKS = ("top", "second", "fourth", "cell", "digit", "+", "-", "*", "/", "%", "`", "!", "get", "byte", "integer")
KEEP, IF_ACROSS, IF_DOWN, RANDOM = 4, 5, 6, 7
READ_BYTE, READ_INTEGER = 1, 2
UNKNOWN, IN_STRING, ASK, ENDED = 127, 128, 129, 130
"""Rows after the 127 characters that may be instructions: of other cells, of a character in string mode, of a question
for a quotient, and of a program that has ended."""


@functools.cache
def _table(unknown: str) -> np.ndarray:
    """Rows of all instructions, packed into a number each: int32 `[131]`."""
    nothing = Row(steers=1)
    other = nothing._replace(is_reflected=int(unknown == "reflect"))
    rows = [other] * ENDED + [Row(is_step=0)]

    def put(instruction: int | str, **fields: int) -> None:
        index = instruction if isinstance(instruction, int) else ord(instruction)
        if "pick" in fields:
            fields["pick"] = PICKS.index(fields["pick"])
        rows[index] = Row(**fields)

    put(" ", steers=1)
    for digit in range(10):
        put(str(digit), pushes=1, pick="digit", digit=digit)
    for direction, arrow in enumerate("><^v"):
        put(arrow, turn=direction, steers=1)
    put("?", turn=RANDOM)
    put("_", pops=1, pick="second", turn=IF_ACROSS)
    put("|", pops=1, pick="second", turn=IF_DOWN)
    put("#", is_bridge=1, steers=1)
    put('"', is_quote=1)
    for instruction in "+-*/%`":
        put(instruction, pops=2, pushes=1, pick=instruction)
    put("!", pops=1, pushes=1, pick="!")
    put(":", pops=1, pushes=2)
    put("\\", pops=2, pushes=2, pick="second")
    put("$", pops=1, pick="second")
    put(".", pops=1, pick="second", writes=NUMBER)
    put(",", pops=1, pick="second", writes=CHARACTER)
    put("g", pops=2, pushes=1, pick="get")
    put("p", pops=3, pick="fourth", is_put=1)
    put("&", pushes=1, pick="integer", reads=READ_INTEGER)
    put("~", pushes=1, pick="byte", reads=READ_BYTE)
    put("@", is_end=1)
    put(IN_STRING, pushes=1, pick="cell")
    put(ASK, pops=2, pushes=1, pick="integer", reads=READ_INTEGER, writes=QUESTION)
    return np.int32([_pack(row) for row in rows])


def _pack(row: Row) -> int:
    word, place = 0, 0
    for number, bits in zip(row, BITS, strict=True):
        word |= number << place
        place += bits
    return word


def _unpack(word: jax.Array) -> Row:
    fields, place = [], 0
    for bits in BITS:
        fields.append((word >> place) & ((1 << bits) - 1))
        place += bits
    return Row(*fields)


def _advance(
    state: State, memory: Memory, batch: Batch, options: Options, min_running: jax.Array
) -> tuple[State, Memory]:
    """Runs on until no more than so many have not ended."""

    def is_wanting(carry):
        return jnp.sum(carry[0].status == RUNNING, dtype=jnp.int32) > min_running

    def go(_, carry):
        state, memory = carry
        memory = memory._replace(cells=_write(memory.cells, *state.put), stack=_write(memory.stack, *state.push))
        for _ in range(MOVES):
            state = _pass(state, memory, options)
        return _step(state, memory, batch, options)

    return lax.while_loop(is_wanting, lambda carry: lax.fori_loop(0, ROUNDS, go, carry), (state, memory))


def _at(memory: jax.Array, index: jax.Array) -> jax.Array:
    return memory.at[index].get(mode="promise_in_bounds")


def _write(memory: jax.Array, index: jax.Array, value: jax.Array) -> jax.Array:
    """Every lane has a part of its own, so no two write to one place."""
    return memory.at[index].set(value.astype(memory.dtype), mode="drop", unique_indices=True)


def _lanes(state: State, size: int) -> jax.Array:
    """Where each lane's part of a flat memory begins."""
    return jnp.arange(len(state.status), dtype=jnp.int32) * size


def _fetch(state: State, memory: Memory, options: Options) -> tuple[jax.Array, jax.Array]:
    """The cell at the place, and the number of its instruction."""
    cell = _at(memory.cells, _lanes(state, WIDTH * HEIGHT) + WIDTH * state.y + state.x)
    instruction = jnp.where((cell >= 0) & (cell < UNKNOWN), cell, UNKNOWN).astype(jnp.int32)
    instruction = jnp.where(state.is_string & (instruction != ord('"')), IN_STRING, instruction)
    can_step = (state.status == RUNNING) & (state.steps < options.max_steps)
    return cell, jnp.where(can_step, instruction, ENDED)


def _pass(state: State, memory: Memory, options: Options) -> State:
    """Moves on over a cell that only steers."""
    _, instruction = _fetch(state, memory, options)
    row = _unpack(_at(jnp.asarray(_table(options.unknown)), instruction))
    steers = row.steers == 1
    direction = jnp.where(steers & (row.turn < KEEP), row.turn, state.direction) ^ (row.is_reflected & row.steers)
    distance = row.steers * (1 + row.is_bridge * _bridged(state, options))
    x, y = _moved(state, direction, distance)
    return state._replace(x=x, y=y, direction=direction, steps=state.steps + row.steers)


def _bridged(state: State, options: Options) -> jax.Array:
    """How many cells `#` skips: int32 `[B]`."""
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


def _step(state: State, memory: Memory, batch: Batch, options: Options) -> tuple[State, Memory]:
    """Executes a cell."""
    cell, instruction = _fetch(state, memory, options)
    top, second = state.top, state.second
    if options.division_by_zero == "ask":
        instruction = jnp.where((instruction == ord("/")) & (top == 0), ASK, instruction)
    row = _unpack(_at(jnp.asarray(_table(options.unknown)), instruction))

    slot = _lanes(state, _slots(options)) + state.depth
    third, fourth, fifth = (_at(memory.stack, slot + SPARE - 3 - i) for i in range(3))
    is_inside = (top >= 0) & (top < HEIGHT) & (second >= 0) & (second < WIDTH)
    place = jnp.where(is_inside, WIDTH * top + second, 0).astype(jnp.int32) + _lanes(state, WIDTH * HEIGHT)
    reading = state.program * batch.byte.shape[1] + state.num_read
    fallback = jnp.where(row.writes == QUESTION, second, -1)
    quotient = jnp.where(top == 0, 0, lax.div(second, top))
    got = _at(memory.cells, place)
    read = (
        _at(batch.byte.ravel(), reading),
        _at(batch.has_integer.ravel(), reading),
        _at(batch.integer.ravel(), reading),
        _at(batch.after.ravel(), reading),
    )
    results = {
        "top": top,
        "second": second,
        "fourth": fourth,
        "cell": cell.astype(jnp.int64),
        "digit": row.digit.astype(jnp.int64),
        "+": second + top,
        "-": second - top,
        "*": second * top,
        "/": quotient,
        "%": jnp.where(top == 0, 0, second - quotient * top),
        "`": (second > top).astype(jnp.int64),
        "!": (top == 0).astype(jnp.int64),
        "get": jnp.where(is_inside, got.astype(jnp.int64), options.outside),
        "byte": read[0].astype(jnp.int64),
        "integer": jnp.where(read[1], read[2], fallback),
    }
    new_top = top
    for number, name in enumerate(PICKS):
        new_top = jnp.where(row.pick == number, results[name], new_top)
    growth = row.pushes - row.pops
    new_second = jnp.where(growth == -1, third, jnp.where(growth == -3, fifth, second))
    new_second = jnp.where((row.pushes == 2) | (growth == 1), top, new_second)
    depth = jnp.maximum(state.depth - row.pops, 0) + row.pushes

    length = _length(top, second, row.writes)
    is_full = (row.writes > 0) & (state.num_bytes + length > options.max_output)
    is_over = depth > options.stack_limit
    is_step = (row.is_step == 1) & ~is_full & ~is_over
    status = jnp.where(row.is_end == 1, Status.OK, state.status)
    status = jnp.where(is_full, Status.OUTPUT_LIMIT, status)
    status = jnp.where(is_over, Status.STACK_OVERFLOW, status)
    status = jnp.where((state.status == RUNNING) & (state.steps >= options.max_steps), Status.STEP_LIMIT, status)

    writes = (row.writes > 0) & ~is_full
    log = jnp.where(writes, state.program * (len(memory.kind) // batch.byte.shape[0]) + state.num_writes, NOWHERE)
    written = jnp.where(row.writes == QUESTION, second, top)

    direction = jnp.where(row.turn < KEEP, row.turn, state.direction) ^ row.is_reflected
    direction = jnp.where(row.turn == IF_ACROSS, jnp.where(top == 0, 0, 1), direction)
    direction = jnp.where(row.turn == IF_DOWN, jnp.where(top == 0, 3, 2), direction)
    is_random = row.turn == RANDOM
    direction = jnp.where(is_random, _random_direction(state.random), direction)
    x, y = _moved(state, direction, row.is_step * (1 + row.is_bridge * _bridged(state, options)))
    num_read = jnp.where(
        row.reads == READ_BYTE, jnp.minimum(state.num_read + 1, batch.byte.shape[1] - 1), state.num_read
    )
    num_read = jnp.where(row.reads == READ_INTEGER, read[3], num_read)
    after = State(
        program=state.program,
        status=status,
        steps=state.steps + is_step,
        x=x,
        y=y,
        direction=direction,
        is_string=state.is_string ^ (row.is_quote == 1),
        top=new_top,
        second=new_second,
        depth=depth,
        num_read=num_read,
        random=jnp.where(is_random, state.random + np.uint32(0x9E3779B9), state.random),
        num_bytes=state.num_bytes + jnp.where(writes, length, 0),
        num_writes=state.num_writes + writes,
        put=(jnp.where(is_inside & (row.is_put == 1), place, NOWHERE), third.astype(memory.cells.dtype)),
        push=(jnp.where(growth == 1, slot + SPARE - 2, NOWHERE), second),
    )
    return after, memory._replace(kind=_write(memory.kind, log, row.writes), value=_write(memory.value, log, written))


def _length(top: jax.Array, second: jax.Array, writes: jax.Array) -> jax.Array:
    """Bytes that a write takes: int32 `[B]`."""
    number = jnp.where(writes == QUESTION, second, top)
    size = lax.bitcast_convert_type(jnp.abs(number), jnp.uint64) | np.uint64(1)
    log10 = ((64 - lax.clz(size).astype(jnp.int32)) * 1233) >> 12  # of the power of two above, rounded down
    powers = jnp.asarray(np.uint64(10) ** np.arange(20, dtype=np.uint64))
    digits = log10 + (size >= _at(powers, log10)) + (number < 0)
    around = jnp.where(writes == QUESTION, len(reference.QUESTION) - 2, 1)
    return jnp.where(writes == CHARACTER, 1, digits + around).astype(jnp.int32)


def _random_direction(state: jax.Array) -> jax.Array:
    """The first two bits of `reference.random_word`: int32 `[L]`."""
    word = state + np.uint32(0x9E3779B9)
    word = (word ^ (word >> 16)) * np.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * np.uint32(0xC2B2AE35)
    return ((word ^ (word >> 16)) >> 30).astype(jnp.int32)
