"""Small windows with external memories, against a plain model of windows, memories and waiting."""

import dataclasses
import functools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import act_pool, pool
from curricula.memory.buffer import PushBuffer
from curricula.memory.key_value import KeyValue
from curricula.memory.retriever import Retriever
from curricula.memory.small_window import SmallWindow
from curricula.memory.stack import Stack
from curricula.memory.tape import Tape
from curricula.tasks import copying, recall, swapping
from curricula.vocabulary import NUM_TOKENS, Token
from rl_pretrain import environment

PAD = int(Token.PAD)
NUM_EPISODES = 60


class PlainTape:
    names = ("WRITE", "LEFT", "RIGHT", "REWIND")

    def __init__(self, setting, facts):
        self.cells = {i: token for i, token in enumerate(facts) if i < setting.capacity}
        self.last = setting.capacity - 1
        self.head = min(len(facts), self.last)

    def legal(self):
        left = {"LEFT", "REWIND"} if self.head > 0 else set()
        return {"WRITE"} | left | ({"RIGHT"} if self.head < self.last else set())

    def do(self, name, token):
        if name == "WRITE":
            self.cells[self.head] = token
        if name in ("WRITE", "RIGHT") and self.head < self.last:
            self.head += 1
        if name == "LEFT":
            self.head -= 1
        if name == "REWIND":
            self.head = 0

    def shown(self):
        return [self.cells.get(self.head, PAD)]


class PlainStack:
    names = ("PUSH", "POP")

    def __init__(self, setting, facts):
        self.capacity, self.tokens = setting.capacity, facts[: setting.capacity]

    def legal(self):
        return ({"PUSH"} if len(self.tokens) < self.capacity else set()) | ({"POP"} if self.tokens else set())

    def do(self, name, token):
        if name == "PUSH":
            self.tokens.append(token)
        else:
            self.tokens.pop()

    def shown(self):
        return self.tokens[-1:] or [PAD]


class PlainPushBuffer:
    names = ("PUSH",)

    def __init__(self, setting, facts):
        self.capacity, self.tokens = setting.capacity, facts

    def legal(self):
        return {"PUSH"}

    def do(self, name, token):
        self.tokens.append(token)

    def shown(self):
        newest = self.tokens[::-1][: self.capacity]
        return newest + [PAD] * (self.capacity - len(newest))


class PlainKeyValue:
    names = ("KEY", "WRITE", "READ")

    def __init__(self, setting, facts):
        self.stored = dict(zip(facts[::2], facts[1::2], strict=False))
        self.key = self.found = PAD

    def legal(self):
        return {"KEY", "READ"} | ({"WRITE"} if self.key != PAD else set())

    def do(self, name, token):
        if name == "KEY":
            self.key = token
        elif name == "WRITE":
            self.stored[self.key] = token
        else:
            self.found = self.stored.get(token, PAD)

    def shown(self):
        return [self.key, self.found]


class PlainRetriever:
    def __init__(self, setting, facts):
        self.setting, self.key, self.found = setting, PAD, []
        self.entries = list(zip(facts[::2], facts[1::2], strict=False))[: setting.capacity]
        self.names = ("KEY", "WRITE", *(f"READ_{q}" for q in range(2**setting.dimension)))

    def legal(self):
        has_room = len(self.entries) < self.setting.capacity
        reads = set(self.names[2:]) if self.entries else set()
        return {"KEY"} | reads | ({"WRITE"} if self.key != PAD and has_room else set())

    def do(self, name, token):
        if name == "KEY":
            self.key = token
        elif name == "WRITE":
            self.entries.append((self.key, token))
        else:
            query = self.signs(int(name.removeprefix("READ_")))
            products = [sum(a * b for a, b in zip(query, self.signs(k), strict=True)) for k, _ in self.entries]
            order = sorted(range(len(products)), key=lambda i: (-products[i], -i))
            self.found = [token for i in order[: self.setting.top] for token in self.entries[i]]

    def signs(self, number):
        return [1 if (number // 2**i) % 2 else -1 for i in range(self.setting.dimension)]

    def shown(self):
        return [self.key, *self.found, *[PAD] * (2 * self.setting.top - len(self.found))]


PLAIN = {Tape: PlainTape, Stack: PlainStack, PushBuffer: PlainPushBuffer, KeyValue: PlainKeyValue}
PLAIN |= {Retriever: PlainRetriever}


@dataclasses.dataclass
class PlainEpisode:
    """One episode of a small window, told anew with lists."""

    shown: list[int]
    asked: list[int]
    answers: set[int]
    is_terminal: bool
    world: SmallWindow

    def __post_init__(self):
        memory, facts = self.world.memory, []
        self.time, self.waited, self.reward, self.is_over, self.is_solved = 0, 0, 0.0, False, False
        if self.world.is_preloaded:
            while not self.asked[self.time] and self.shown[self.time] != Token.QUERY:
                self.time += 1
            facts = self.shown[: self.time]
        self.memory = PLAIN[type(memory)](memory, facts) if memory else None
        self.history = [(self.shown[self.time], PAD)]

    def legal(self) -> set[int]:
        names = self.memory.names if self.memory else ()
        if self.is_over:
            return set(range(NUM_TOKENS + len(names)))
        is_due = self.asked[self.time] != PAD
        tokens = self.answers if is_due else {PAD}
        if not self.memory or (is_due and self.waited == self.world.patience):
            return tokens
        return tokens | {NUM_TOKENS + names.index(name) for name in self.memory.legal()}

    def step(self, action: int):
        self.reward = 0.0
        if self.is_over:
            return
        if action not in self.legal():
            self.is_over = True
            self.history.append((self.shown[self.time], action))
            return
        if action < NUM_TOKENS:
            self.say(action)
        else:
            assert self.memory
            self.memory.do(self.memory.names[action - NUM_TOKENS], self.shown[self.time])
            if self.asked[self.time] == PAD:
                self.say(PAD)
            else:
                self.waited += 1
        self.history.append((PAD if self.is_over else self.shown[self.time], action))

    def say(self, token: int):
        self.waited = 0
        asked = self.asked[self.time]
        if token != asked:
            self.is_over = True
            return
        self.time += 1
        self.is_over = self.is_solved = self.time == len(self.shown)
        if asked != PAD:
            num_asked = sum(x != PAD for x in self.asked)
            self.reward = float(self.is_over) if self.is_terminal else 1 / num_asked

    def seen(self) -> list[int]:
        window = [(PAD, PAD)] * self.world.window + self.history
        seen = [number for step in window[-self.world.window :] for number in step]
        return seen + (self.memory.shown() if self.memory else [])


WORLDS = [
    dict(memory=Tape(3), window=1, patience=2),
    dict(memory=Stack(4), window=1, patience=0, is_preloaded=True),
    dict(memory=PushBuffer(3), window=2, patience=1),
    dict(memory=KeyValue(), window=2, is_preloaded=True),
    dict(memory=Retriever(3, 2, 3), window=1),
]
MORE_WORLDS = [
    dict(memory=None, window=3),
    dict(memory=Tape(4), window=2, is_preloaded=True),
    dict(memory=Stack(4), window=2),
    dict(memory=PushBuffer(3), window=1, is_preloaded=True),
    dict(memory=KeyValue(), window=1),
    dict(memory=Retriever(4, 3, 2), window=1, is_preloaded=True),
]
SLOW = [pytest.param(setting, marks=pytest.mark.slow, id=str(setting)) for setting in MORE_WORLDS]


written = jax.jit(pool.write, static_argnums=0)


def rows_of(task, levels: range, num_rows: int, seed: int = 0) -> pool.Pool:
    return written(task, jax.random.key(seed), levels.start + jnp.arange(num_rows) % len(levels))


@functools.cache
def mixture() -> pool.Pool:
    """Of tasks of which one has questions, one other answers, and one is paid at the end only."""
    paid_late = dataclasses.replace(copying.reverse(), reward="terminal")
    tasks = [(copying.copy(), range(4)), (recall.associative_recall(), range(4)), (paid_late, range(4))]
    return pool.join([rows_of(task, levels, NUM_EPISODES // 3, seed) for seed, (task, levels) in enumerate(tasks)])


def scripts_of(rows: pool.Pool) -> list[tuple[list[int], list[int]]]:
    """What is shown and what is asked for in each row, read off by the experts' play alone."""

    def play(row):
        def step(episode, _):
            action = rows.expert(episode)
            return rows.step(episode, action), (rows.observe(episode)[0], action)

        return jax.lax.scan(step, rows.at(row), length=len(rows.scripts) // rows.num_rows)[1]

    shown, asked = jax.jit(jax.vmap(play))(jnp.arange(rows.num_rows))
    return [(s[:n], a[:n]) for s, a, n in zip(shown.tolist(), asked.tolist(), rows.length.tolist(), strict=True)]


@functools.cache
def scripts_of_mixture() -> list[tuple[list[int], list[int]]]:
    return scripts_of(mixture())


def plain_episodes(world: SmallWindow) -> list[PlainEpisode]:
    """Those of a world of the mixture."""
    rows = mixture()
    answers = [{i for i, may_be in enumerate(task) if may_be} for task in rows.answers.tolist()]
    of_rows = zip(scripts_of_mixture(), rows.task.tolist(), rows.is_terminal.tolist(), strict=True)
    return [PlainEpisode(*script, answers[task], is_late, world) for script, task, is_late in of_rows]


def some_action(plain: PlainEpisode, chance: random.Random) -> int:
    """Mostly what is legal and gets on; seldom an illegal token or operation, more often a wrong one."""
    if chance.random() < 0.01:
        return chance.randrange(NUM_TOKENS + (len(plain.memory.names) if plain.memory else 0))
    operations = sorted(action for action in plain.legal() if action >= NUM_TOKENS)
    if operations and chance.random() < 0.6:
        return chance.choice(operations)
    return (
        plain.asked[plain.time % len(plain.asked)] if chance.random() < 0.97 else chance.choice(sorted(plain.legal()))
    )


def replay(world, actions: jax.Array):
    """What there is to see before each step and after the last: arrays `[rows, steps + 1, ...]`."""

    def look(episode):
        return {
            "seen": world.observe(episode),
            "legal": world.legal_actions(episode),
            "reward": episode.reward,
            "is_over": episode.discount == 0,
            "is_solved": world.is_solved(episode),
        }

    def play(row, actions):
        def step(episode, action):
            return world.step(episode, action), look(episode)

        last, looks = jax.lax.scan(step, world.at(row), actions)
        return jax.tree.map(lambda x, y: jnp.concatenate([x, y[None]]), looks, look(last))

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(play))(jnp.arange(world.num_rows), actions))


@pytest.mark.parametrize("setting", [*WORLDS, *SLOW], ids=str)
def test_all_goes_as_in_a_plain_model_whatever_is_done(setting):
    world, chance, num_steps = SmallWindow(mixture(), **setting), random.Random(0), 40
    episodes = plain_episodes(world)
    actions, told = [], []
    for plain in episodes:
        actions.append([])
        told.append([])
        for _ in range(num_steps + 1):
            told[-1].append((plain.seen(), plain.legal(), plain.reward, plain.is_over, plain.is_solved))
            actions[-1].append(some_action(plain, chance))
            plain.step(actions[-1][-1])
    seen = replay(world, jnp.array(actions)[:, :num_steps])
    for row, looks in enumerate(told):
        for time, (tokens, legal, reward, is_over, is_solved) in enumerate(looks):
            where = f"row {row}, step {time}, {actions[row][:time]}"
            assert seen["seen"][row, time].tolist() == tokens, where
            assert set(np.flatnonzero(seen["legal"][row, time]).tolist()) == legal, where
            assert seen["reward"][row, time] == pytest.approx(reward, abs=1e-6), where
            assert (seen["is_over"][row, time], seen["is_solved"][row, time]) == (is_over, is_solved), where
    assert any(plain.is_solved for plain in episodes)
    assert any(plain.is_over and not plain.is_solved for plain in episodes)


@pytest.mark.parametrize("setting", [WORLDS[3], *SLOW], ids=str)
def test_it_keeps_the_contract(setting):
    environment.check(SmallWindow(mixture(), **setting), num_episodes=8)


@pytest.mark.slow
def test_it_keeps_the_contract_where_one_acts():
    environment.check(SmallWindow(acted(), Tape(3), 2), num_episodes=4)


def test_sizes_follow_from_window_and_memory():
    world = SmallWindow(mixture(), Retriever(8, 3, 4), 5)
    assert world.num_actions == world.num_tokens == NUM_TOKENS + 2 + 16
    assert world.observation_shape == (5 * 2 + 1 + 2 * 3,)
    assert world.num_rows == NUM_EPISODES


def test_a_window_large_enough_hides_nothing():
    rows = rows_of(copying.copy(), range(7), 14)
    num_steps = int(rows.length.max())
    asked = jnp.array([asked + [PAD] * (num_steps - len(asked)) for _, asked in scripts_of(rows)])
    whole = replay(SmallWindow(rows, window=num_steps), asked)["seen"].reshape(14, num_steps + 1, num_steps, 2)
    parts = replay(rows, asked)["seen"]
    for row, length in enumerate(rows.length.tolist()):
        for time in range(length):
            past = parts[row, : time + 1]
            np.testing.assert_array_equal(whole[row, time, num_steps - time - 1 :], past)
            assert not whole[row, time, : num_steps - time - 1].any()


@pytest.mark.parametrize("window", [1, 3])
def test_a_window_shows_the_last_steps_and_nothing_older(window):
    """All rows are the same but for the token shown at one time each: who sees the difference, and when?"""
    level, length = 6, 8
    row = rows_of(copying.copy(), range(level, level + 1), 1)
    room = len(row.scripts)
    script = np.tile(np.asarray(row.scripts), (length + 1, 1))
    script[np.arange(length), np.arange(length)] = int(Token.BLANK)  # the last row stays as it was
    many = jax.tree.map(lambda x: jnp.repeat(x, length + 1, axis=0), row._replace(scripts=(), answers=()))
    world = SmallWindow(many._replace(scripts=jnp.array(script.reshape(-1)), answers=row.answers), window=window)
    asked = scripts_of(row)[0][1]
    seen = replay(world, jnp.tile(jnp.array(asked), (length + 1, 1)))["seen"]
    assert room >= len(asked) == 2 * length
    for time in range(2 * length):
        for changed in range(length):
            is_seen = time - window < changed <= time
            assert (seen[changed, time] != seen[-1, time]).any() == is_seen, (time, changed)


def test_an_episode_that_is_over_is_followed_by_the_next_of_its_rows():
    world = SmallWindow(mixture(), Tape(3), 2, is_preloaded=True)

    def after_a_mistake(row):
        episode = world.at(row)
        return episode, world.renew(episode, 7), world.renew(world.step(episode, jnp.int32(Token.SWAP)), 7)

    first, same, renewed = jax.jit(jax.vmap(after_a_mistake))(jnp.arange(NUM_EPISODES))
    fresh = jax.vmap(world.at)((jnp.arange(NUM_EPISODES) + 7) % NUM_EPISODES)
    jax.tree.map(np.testing.assert_array_equal, same, first)
    jax.tree.map(np.testing.assert_array_equal, renewed, fresh)


@functools.cache
def acted() -> act_pool.ActPool:
    return jax.jit(act_pool.write, static_argnums=0)(swapping.swap_sort(), jax.random.key(0), jnp.arange(12) % 3)


@pytest.mark.slow
def test_without_a_memory_a_task_that_is_acted_in_is_as_before():
    rows = acted()
    actions = jax.random.randint(jax.random.key(1), (12, 20), int(Token.LEFT), int(Token.EMIT) + 1)
    behind, bare = replay(SmallWindow(rows), actions), replay(rows, actions)
    is_over = bare.pop("is_over")
    np.testing.assert_array_equal(behind.pop("is_over"), is_over)
    seen = behind.pop("seen"), bare.pop("seen")
    np.testing.assert_array_equal(*(x[~is_over] for x in seen))
    jax.tree.map(np.testing.assert_array_equal, behind, bare)
    assert is_over.any() and not is_over.all()


def test_a_task_that_is_acted_in_waits_for_operations_and_the_first_token_seen_is_kept():
    """Two operations before each act, and then a third one, which is too many."""
    world, push = SmallWindow(acted(), PushBuffer(2), patience=2), jnp.int32(NUM_TOKENS)
    rows = world.rows

    def play(row):
        def step(episode, _):
            looks = rows.observe(episode.inner)[0], world.observe(episode), episode.discount
            once = world.step(episode, push)
            twice = world.step(once, push)
            is_third_legal = world.legal_actions(twice)[push] & (episode.discount != 0)
            return world.step(twice, rows.expert(twice.inner)), (*looks, is_third_legal)

        last, looks = jax.lax.scan(step, world.at(row), length=20)
        thrice = world.step(world.step(world.step(world.at(row), push), push), push)
        return world.is_solved(last), looks, (thrice.discount, thrice.reward, thrice.inner.time)

    is_solved, (cell, seen, discount, is_third_legal), thrice = jax.jit(jax.vmap(play))(jnp.arange(12))
    assert is_solved.all() and not is_third_legal.any()
    is_later = np.asarray(discount)[:, 1:] != 0
    kept, pushed = np.asarray(seen)[:, 1:, -2:], np.asarray(cell)[:, :-1, None]
    assert (kept == pushed)[is_later].all()
    assert is_later.any() and [x.tolist() for x in thrice] == [[0] * 12] * 3


def test_vectors_find_the_nearest_entries_along_a_chain():
    """Entries a→b, b→c, c→d, written; from a, each value found is the next query."""
    memory = Retriever(capacity=4)
    a, b, c, d = range(30, 34)
    held = memory.empty()
    for key, value in [(c, d), (a, b), (b, c)]:
        for operation, token in enumerate((key, value)):
            held = memory.apply(held, jnp.int32(operation), jnp.int32(token))
    at = a
    for following in (b, c, d):
        held = memory.apply(held, jnp.int32(2 + at), jnp.int32(PAD))
        assert memory.show(held).tolist() == [b, at, following]
        at = following


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SmallWindow(mixture(), window=0), "window must be at least 1, got 0"),
        (lambda: SmallWindow(mixture(), patience=-1), "patience must be at least 0, got -1"),
        (lambda: SmallWindow(mixture(), is_preloaded=True), "is_preloaded needs a memory, got None"),
        (lambda: SmallWindow(acted(), Tape(), is_preloaded=True), "needs a task with a prompt"),
        (lambda: SmallWindow(mixture(), Many()), "may add at most 82 operations, got 83"),
        (lambda: Tape(0), "capacity must be at least 1, got 0"),
        (lambda: Stack(0), "capacity must be at least 1, got 0"),
        (lambda: PushBuffer(-2), "capacity must be at least 1, got -2"),
        (lambda: Retriever(0), "capacity must be at least 1, got 0"),
        (lambda: Retriever(4, top=5), "top must be from 1 to the capacity 4, got 5"),
        (lambda: Retriever(4, top=0), "top must be from 1 to the capacity 4, got 0"),
        (lambda: Retriever(dimension=7), "dimension must be from 1 to 6, got 7"),
        (lambda: Retriever(dimension=0), "dimension must be from 1 to 6, got 0"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Many(PushBuffer):
    """With more operations than the window can tell apart."""

    @property
    def operations(self) -> tuple[str, ...]:
        return tuple(map(str, range(83)))
