"""Laws that every task that is acted in keeps, for the tests of its family to call.

An oracle tells a task anew in plain Python, as a graph: for a state, what is seen and where each legal action leads.
Searching the graph gives the true distance from any state to a solution.
"""

import collections
import functools
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from curricula import act_pool, vocabulary
from curricula.act import Act
from curricula.act_pool import ActPool

NUM_INSTANCES = 32
EXPERT, RANDOM, CONSTANT, MIXED = range(4)
SOLVED, LOST = "solved", "lost"


class Oracle(Protocol):
    """One puzzle in plain Python; a state is anything hashable, SOLVED or LOST."""

    start: Hashable

    def seen(self, state: Any) -> list[str]:
        """Names of the tokens seen."""
        ...

    def moves(self, state: Any) -> dict[str, Hashable]:
        """Name of each legal action → the state it leads to."""
        ...


def check_play(task: Act, floor: Callable[[Any], float]) -> None:
    """At each level the expert solves everything in `min_steps` steps, within the limit, and earns 1; a policy that
    says one thing only or anything legal is no better than the floor, and no return exceeds 1.

    Args:
      floor: knobs → greatest success rate that a random or constant policy should have.
    """
    for level in range(task.levels.num_levels):
        name = f"{task.name}, {task.levels.name(level)}"
        rows = pool_of(task, level)
        keys = jax.random.split(jax.random.key(7), NUM_INSTANCES)
        earned, is_solved, steps = map(np.asarray, _play(rows, keys, EXPERT))
        assert is_solved.all(), f"{name}: the expert fails"
        np.testing.assert_allclose(earned, 1, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(steps, jax.jit(jax.vmap(task.min_steps))(rows.instances), err_msg=name)
        limits = np.asarray(jax.vmap(task.rules.limit)(rows.instances.puzzle))
        assert (steps <= limits).all(), name
        assert limits.max() <= task.max_steps, name
        limit = floor(task.levels.rows[level])
        spread = 4 * np.sqrt(limit * (1 - limit) / NUM_INSTANCES) + 2 / NUM_INSTANCES
        for mode in (RANDOM, CONSTANT):
            earned, is_solved, steps = map(np.asarray, _play(rows, keys, mode))
            assert is_solved.mean() <= limit + spread, f"{name}: {is_solved.mean():.2f} solved without thought"
            assert (earned <= 1 + 1e-5).all(), name
            np.testing.assert_array_equal(is_solved, earned > 1 - 1e-5, err_msg=name)
            assert (steps <= limits).all(), name
    assert _writer(task)._cache_size() == 1


def check_levels_reach_the_limits(task: Act) -> None:
    """`max_steps` is the limit of some level, not merely above all."""
    limits = [
        np.asarray(jax.vmap(task.rules.limit)(pool_of(task, level).instances.puzzle)).max()
        for level in range(task.levels.num_levels)
    ]
    assert max(limits) == task.max_steps


def check_against(task: Act, tell: Callable[[dict[str, Any]], Oracle], level: int, num_instances: int = 12) -> None:
    """In episodes of half expert, half random actions: what is seen, what is legal, when it ends and how are as the
    oracle says, and each action of the expert is the first of a shortest way to a solution.

    Args:
      tell: the puzzle's fields, as numpy arrays → its oracle.
    """
    rows = pool_of(task, level)
    for row in range(num_instances):
        seen = _watch(rows, row, jax.random.fold_in(jax.random.key(3), row))
        puzzle = {name: np.asarray(leaf)[row] for name, leaf in rows.instances.puzzle._asdict().items()}
        _compare(task, tell(puzzle), jax.tree.map(np.asarray, seen))


class Watched(NamedTuple):
    """An episode, before each step and after it: arrays [T, ...]."""

    observation: Any
    legal: Any
    expert: Any
    action: Any
    discount: Any  # after the step
    is_solved: Any  # after the step


def _compare(task: Act, oracle: Oracle, seen: Watched) -> None:
    state, last, distances = oracle.start, "PAD", distances_of(oracle)
    for t in range(len(seen.action)):
        where = f"{task.name}, step {t}, state {state}"
        tokens = [_name(token) for token in seen.observation[t]]
        assert tokens == [*oracle.seen(state), last], where
        moves = oracle.moves(state)
        assert {_name(token) for token in np.flatnonzero(seen.legal[t])} == set(moves), where
        best = _name(seen.expert[t])
        assert best in moves, where
        if state in distances:
            assert distances.get(moves[best]) == distances[state] - 1, f"{where}: {best} is not the shortest way"
        last = _name(seen.action[t])
        state = moves[last]
        assert bool(seen.is_solved[t]) == (state == SOLVED), where
        if state in (SOLVED, LOST):
            assert seen.discount[t] == 0, where
            return
        if seen.discount[t] == 0:  # by the limit of steps, which the oracle does not count
            assert t + 1 >= distances[oracle.start], where
            return
    raise AssertionError(f"{task.name}: no end")


def distances_of(oracle: Oracle) -> dict[Hashable, int]:
    """Steps from each state to a solution, for those that lead to one; SOLVED has 0."""
    sources, todo = collections.defaultdict(set), [oracle.start]
    known = {oracle.start, SOLVED, LOST}
    while todo:
        state = todo.pop()
        for after in oracle.moves(state).values():
            sources[after].add(state)
            if after not in known:
                known.add(after)
                todo.append(after)
    distances, border = {SOLVED: 0}, collections.deque([SOLVED])
    while border:
        state = border.popleft()
        for before in sources[state]:
            if before not in distances:
                distances[before] = distances[state] + 1
                border.append(before)
    return distances


def _name(token: int) -> str:
    return "PAD" if token == vocabulary.Token.PAD else vocabulary.name(int(token))


def pool_of(task: Act, level: int) -> ActPool:
    """Instances of a level, always the same ones."""
    return _writer(task)(jax.random.key(level), jnp.full(NUM_INSTANCES, level, jnp.int32))


@functools.cache
def _writer(task: Act) -> Any:
    return jax.jit(functools.partial(act_pool.write, task))


def _choose(rows: ActPool, episode: act_pool.Episode, mode: int, constant: jax.Array, key: jax.Array) -> jax.Array:
    if mode == EXPERT:
        return rows.expert(episode)
    legal = rows.legal_actions(episode)
    if mode == CONSTANT:
        return constant[jnp.argmax(legal[constant])]  # the first legal one of an order fixed for the episode
    at_random = jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)).astype(jnp.int32)
    if mode == RANDOM:
        return at_random
    return jnp.where(jax.random.bernoulli(jax.random.fold_in(key, 1)), at_random, rows.expert(episode))


@functools.partial(jax.jit, static_argnums=2)
def _play(rows: ActPool, keys: jax.Array, mode: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A whole episode of each row: what it earned, whether it was solved, and its steps."""

    def play(row, key):
        constant = jax.random.permutation(key, rows.num_actions)

        def go_on(carry):
            episode, earned, steps = carry
            action = _choose(rows, episode, mode, constant, jax.random.fold_in(key, steps))
            after = rows.step(episode, action)
            return after, earned + after.reward, steps + 1

        start = (rows.at(row), jnp.float32(0), jnp.int32(0))
        episode, earned, steps = jax.lax.while_loop(lambda carry: carry[0].discount != 0, go_on, start)
        return earned, rows.is_solved(episode), steps

    return jax.vmap(play)(jnp.arange(rows.num_rows), keys)


@jax.jit
def _watch(rows: ActPool, row: jax.Array, key: jax.Array) -> Watched:
    """An episode of half expert, half random actions, and what follows its end."""

    def step(episode, t):
        nothing = jnp.zeros(rows.num_actions, jnp.int32)
        action = _choose(rows, episode, MIXED, nothing, jax.random.fold_in(key, t))
        before = (rows.observe(episode), rows.legal_actions(episode), rows.expert(episode), action)
        episode = rows.step(episode, action)
        return episode, Watched(*before, episode.discount, rows.is_solved(episode))

    return jax.lax.scan(step, rows.at(row), jnp.arange(256))[1]
