"""What a policy written by hand, seeing one step and the memory and remembering nothing, solves with each memory."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import pool
from curricula.memory.key_value import KeyValue
from curricula.memory.probes import exchange_memories, next_fitting
from curricula.memory.retriever import Retriever
from curricula.memory.small_window import SmallWindow, facts_of
from curricula.memory.stack import Stack
from curricula.memory.tape import Tape
from curricula.tasks import brackets, copying, recall
from curricula.vocabulary import FIRST_DIGIT, FIRST_SYMBOL, NUM_TOKENS, Token

pytestmark = pytest.mark.slow

NUM_ROWS = 24
ANSWER, END, PAD, QUERY = (int(Token[name]) for name in ("ANSWER", "END", "PAD", "QUERY"))

Policy = Callable[[int, int | str, list[int]], int | str]
"""Token shown, token or name of the operation before, tokens of the memory → token or name of an operation."""


def is_symbol(token) -> bool:
    return isinstance(token, int) and token >= FIRST_SYMBOL


def is_digit(token) -> bool:
    return isinstance(token, int) and FIRST_DIGIT <= token < FIRST_SYMBOL


def copies_with_a_tape(shown, before, memory):
    if is_symbol(shown):
        return "WRITE"
    if shown == ANSWER and before == "WRITE":
        return "REWIND"
    return "RIGHT" if is_symbol(before) else memory[0]


def reverses_with_a_tape(shown, before, memory):
    if is_symbol(shown):
        return "WRITE"
    return memory[0] if before == "LEFT" else "LEFT"


def reads_a_tape(shown, before, memory):
    if shown == ANSWER and before == PAD:
        return "REWIND"
    return "RIGHT" if is_symbol(before) else memory[0]


def reverses_with_a_stack(shown, before, memory):
    if is_symbol(shown):
        return "PUSH"
    return "POP" if is_symbol(before) else memory[0]


def closes_with_a_stack(shown, before, memory):
    if is_symbol(shown):
        return "PUSH" if shown < FIRST_SYMBOL + brackets.NUM_KINDS else "POP"
    if is_symbol(before):
        return "POP"
    return memory[0] + brackets.NUM_KINDS if memory[0] != PAD else END


def recalls(read, shown, before, memory):
    """`read` is the name of the operation for a key."""
    key, *_, found = memory
    if before == read(shown):
        return found
    if is_symbol(shown):
        is_asked = before == PAD and key != PAD
        return read(shown) if is_asked else "KEY"
    return "WRITE" if is_digit(shown) else PAD


def recalls_what_was_loaded(read, shown, before, memory):
    if before == read(shown):
        return memory[-1]
    return read(shown) if is_symbol(shown) else PAD


def by_key(token):
    return "READ"


def by_query(token):
    return f"READ_{token}"


CASES = [
    (copying.copy, Tape(64), False, copies_with_a_tape),
    (copying.copy, Tape(64), True, reads_a_tape),
    (copying.reverse, Tape(128), False, reverses_with_a_tape),
    (copying.reverse, Stack(64), False, reverses_with_a_stack),
    (copying.reverse, Stack(64), True, reverses_with_a_stack),
    (brackets.closing, Stack(), False, closes_with_a_stack),
    (recall.associative_recall, KeyValue(), False, functools.partial(recalls, by_key)),
    (recall.associative_recall, KeyValue(), True, functools.partial(recalls_what_was_loaded, by_key)),
    (recall.associative_recall, Retriever(), False, functools.partial(recalls, by_query)),
    (recall.associative_recall, Retriever(), True, functools.partial(recalls_what_was_loaded, by_query)),
]
FAST = {0, 5, 8}


@functools.cache
def rows_of(make) -> pool.Pool:
    """Of all levels, those beyond training too."""
    task = make()
    return jax.jit(pool.write, static_argnums=0)(task, jax.random.key(0), jnp.arange(NUM_ROWS) % task.levels.num_levels)


class Players:
    """Episodes side by side, and the policy that plays them."""

    def __init__(self, world: SmallWindow, policy: Policy):
        assert world.memory and world.window == 1
        self.world, self.policy, self.names = world, policy, world.memory.operations
        self.step = jax.jit(jax.vmap(world.step))
        self.observe = jax.jit(jax.vmap(world.observe))
        self.episodes = jax.jit(jax.vmap(world.at))(jnp.arange(world.num_rows))

    def act(self):
        """One step of all."""
        actions = [self.action(*seen) for seen in self.observe(self.episodes).tolist()]
        self.episodes = self.step(self.episodes, jnp.array(actions, jnp.int32))

    def action(self, shown: int, before: int, *memory: int) -> int:
        done = before if before < NUM_TOKENS else self.names[before - NUM_TOKENS]
        action = self.policy(shown, done, list(memory))
        return action if isinstance(action, int) else NUM_TOKENS + self.names.index(action)

    def play(self):
        """To the end of all episodes."""
        for _ in range(1000):
            if not (self.episodes.discount != 0).any():
                return
            self.act()
        raise AssertionError("an episode does not end")

    def are_solved(self) -> list[bool]:
        return np.asarray(jax.vmap(self.world.is_solved)(self.episodes)).tolist()


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if i in FAST else pytest.mark.slow) for i, case in enumerate(CASES)]
)
def test_one_step_in_sight_and_a_memory_are_enough(case):
    make, memory, is_preloaded, policy = case
    players = Players(SmallWindow(rows_of(make), memory, is_preloaded=is_preloaded), policy)
    players.play()
    assert all(players.are_solved())


def test_a_tape_with_too_little_room_is_enough_for_what_fits_only():
    players = Players(SmallWindow(rows_of(copying.copy), Tape(8)), copies_with_a_tape)
    players.play()
    lengths = rows_of(copying.copy).length // 2
    assert players.are_solved() == (lengths <= 8).tolist()


def test_facts_end_where_the_question_begins():
    """Where there is a QUERY, at the first; else at the answer."""
    for make, is_question in [(recall.associative_recall, True), (copying.copy, False)]:
        rows = rows_of(make)
        scripts = np.asarray(rows.scripts).reshape(rows.num_rows, -1)
        tokens, lengths = jax.jit(jax.vmap(lambda row, rows=rows: facts_of(rows, rows.at(row))))(jnp.arange(NUM_ROWS))
        for script, facts, length in zip(scripts.tolist(), tokens.tolist(), lengths.tolist(), strict=True):
            shown = [entry % 64 for entry in script]
            assert facts[:length] == shown[:length]
            assert shown[length] == (QUERY if is_question else ANSWER)
            assert not {QUERY, ANSWER} & set(facts[:length])


DONORS = [1, 0, 2, 4, 5, 6, 7, 8, 9, 10, 3, 12, 0, 14, 15, 13]
"""Row 2 gives to itself; rows 11 and 12 are offered memories of other lengths, which do not fit."""
FITS = [i not in (11, 12) for i in range(16)]


def read_and_exchanged() -> Players:
    """Copies, 12 of 6 symbols and 4 of 5, that were read onto tapes, which were exchanged then."""
    levels = jnp.repeat(jnp.array([4, 3]), jnp.array([12, 4]), total_repeat_length=16)
    rows = jax.jit(pool.write, static_argnums=0)(copying.copy(), jax.random.key(1), levels)
    assert rows.length.tolist() == [12] * 12 + [10] * 4
    players = Players(SmallWindow(rows, Tape(16)), copies_with_a_tape)
    for _ in range(6):
        players.act()
    players.episodes, is_exchanged = exchange_memories(players.world, players.episodes, jnp.array(DONORS))
    assert is_exchanged.tolist() == FITS
    return players


def test_who_answers_from_the_memory_follows_it_when_memories_are_exchanged():
    players = read_and_exchanged()
    own = [DONORS[i] if FITS[i] else i for i in range(16)]
    assert players.episodes.inner.row.tolist() == own
    players.play()
    assert all(players.are_solved())


def test_who_answers_from_what_it_has_read_itself_fails_when_memories_are_exchanged():
    players = read_and_exchanged()
    assert isinstance(players.world.rows, pool.Pool)
    scripts = np.asarray(players.world.rows.scripts).reshape(16, -1)
    own_prompts = scripts[:, :6] % 64
    for time in range(6):
        players.episodes = players.step(players.episodes, jnp.array(own_prompts[:, time], jnp.int32))
    assert players.are_solved()[:12] == [i in (2, 11) for i in range(12)]


def test_memories_are_exchanged_between_those_who_see_the_same_only():
    rows = rows_of(copying.copy)
    world = SmallWindow(rows, Tape(16))
    episodes = jax.vmap(world.at)(jnp.arange(NUM_ROWS))
    first = np.asarray(rows.scripts).reshape(NUM_ROWS, -1)[:, 0] % 64
    donors = np.roll(np.arange(NUM_ROWS), 1)
    changed, is_exchanged = exchange_memories(world, episodes, jnp.array(donors))
    assert is_exchanged.tolist() == (first == first[donors]).tolist()
    assert changed.inner.row.tolist() == np.where(first == first[donors], donors, np.arange(NUM_ROWS)).tolist()
    over = episodes._replace(discount=jnp.zeros(NUM_ROWS))
    assert not exchange_memories(world, over, jnp.array(donors))[1].any()


def test_the_next_one_that_sees_the_same_is_found_and_whoever_looks_up_a_key_tells_its_value_in_that_memory():
    """Of 24 recalls of one level, as their first keys are asked for; two of them are over."""
    task, num_pairs = recall.associative_recall(), 5
    rows = jax.jit(pool.write, static_argnums=0)(task, jax.random.key(2), jnp.full(NUM_ROWS, 3))
    players = Players(SmallWindow(rows, Retriever()), functools.partial(recalls, by_query))
    for _ in range(2 * num_pairs + 1):
        players.act()
    is_over = np.isin(np.arange(NUM_ROWS), (3, 8))
    players.episodes = players.episodes._replace(discount=jnp.where(is_over, 0.0, 1.0))
    asked = np.asarray(jax.vmap(rows.observe)(players.episodes.inner))[:, 0].tolist()
    donors = next_fitting(players.world, players.episodes)
    for row, donor in enumerate(donors.tolist()):
        turn = [(row + i) % NUM_ROWS for i in range(1, NUM_ROWS)]
        fitting = [i for i in turn if asked[i] == asked[row] and not is_over[i] and not is_over[row]]
        assert donor == [*fitting, row][0]
    assert (donors != jnp.arange(NUM_ROWS)).sum() > NUM_ROWS / 2
    players.episodes, is_exchanged = exchange_memories(players.world, players.episodes, donors)
    assert is_exchanged.tolist() == (~is_over).tolist()
    players.play()
    assert players.are_solved() == (~is_over).tolist()


def test_there_must_be_memories_to_exchange():
    world = SmallWindow(rows_of(copying.copy))
    episodes = jax.vmap(world.at)(jnp.arange(NUM_ROWS))
    with pytest.raises(ValueError, match="needs a world with a memory"):
        exchange_memories(world, episodes, jnp.arange(NUM_ROWS))
