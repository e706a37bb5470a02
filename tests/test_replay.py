"""The ring holds what a deque would hold, knows each outcome as soon as the record shows it, and samples fairly."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain import replay
from rl_pretrain.selfplay import Trajectory

NUM_STEPS, NUM_GAMES, NUM_ACTIONS, CAPACITY = 4, 3, 5, 12

remember = jax.jit(replay.remember)


def trajectory(first_step: int, chance: np.random.Generator, num_steps: int = NUM_STEPS) -> Trajectory:
    """Random play whose observations say the step and the game that they come from."""
    shape = (num_steps, NUM_GAMES)
    step, game = np.meshgrid(first_step + np.arange(num_steps), np.arange(NUM_GAMES), indexing="ij")
    return Trajectory(
        observation=jnp.asarray(np.stack([step, game], axis=-1), jnp.float32),
        legal=jnp.asarray(chance.random((*shape, NUM_ACTIONS)) < 0.5),
        policy=jnp.asarray(chance.dirichlet(np.ones(NUM_ACTIONS), shape), jnp.float32),
        is_full=jnp.asarray(chance.random(shape) < 0.5),
        search_value=jnp.zeros(shape),
        action=jnp.zeros(shape, jnp.int32),
        age=jnp.zeros(shape, jnp.int32),
        reward=jnp.asarray(chance.integers(-1, 2, shape), jnp.float32),
        discount=jnp.asarray(chance.choice([-1, -1, -1, 0, 1], shape), jnp.float32),
    )


def empty() -> replay.Replay:
    return replay.empty(jax.eval_shape(lambda: trajectory(0, np.random.default_rng())), CAPACITY)


def outcomes(steps) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of a list of (reward, discount), each `[games]`: the outcomes, and whether they are known."""
    later, is_known, found = np.zeros(NUM_GAMES), np.zeros(NUM_GAMES, bool), []
    for reward, discount in reversed(steps):
        is_known = is_known | (discount == 0)
        later = np.where(is_known, reward + discount * later, 0)
        found.append((later, is_known))
    return found[::-1]


def test_holds_what_a_deque_would_hold():
    chance = np.random.default_rng(0)
    ring, deque = empty(), collections.deque(maxlen=CAPACITY)
    for i in range(10):
        new = trajectory(i * NUM_STEPS, chance)
        ring = remember(ring, new)
        deque.extend(jax.tree.map(lambda x, t=t: np.asarray(x[t]), new) for t in range(NUM_STEPS))
        assert ring.size == len(deque)
        held = jax.tree.map(np.asarray, ring.examples)
        row_of_step = {int(held.observation[row, 0, 0]): row for row in range(len(deque))}
        assert sorted(row_of_step) == [int(step.observation[0, 0]) for step in deque]
        by_loop = outcomes([(step.reward, step.discount) for step in deque])
        for step, (value, is_known) in zip(deque, by_loop, strict=True):
            row = row_of_step[int(step.observation[0, 0])]
            np.testing.assert_array_equal(held.observation[row], step.observation)
            np.testing.assert_array_equal(held.legal[row], step.legal)
            np.testing.assert_allclose(held.policy[row], step.policy, atol=5e-4)
            np.testing.assert_array_equal(held.has_policy[row], step.is_full)
            np.testing.assert_array_equal(held.value[row], value)
            np.testing.assert_array_equal(held.has_value[row], is_known)


def with_end(trajectory: Trajectory, step: int | None) -> Trajectory:
    """Two players who alternate; the last to move before the end wins."""
    ends = np.arange(NUM_STEPS)[:, None] == (-1 if step is None else step)
    ends = np.broadcast_to(ends, (NUM_STEPS, NUM_GAMES))
    return trajectory._replace(reward=jnp.float32(ends), discount=jnp.float32(ends) - 1)


def test_outcomes_are_filled_in_when_the_end_arrives():
    chance = np.random.default_rng(0)
    ring = remember(empty(), with_end(trajectory(0, chance), None))
    assert not np.any(ring.examples.has_value[:4])
    ring = remember(ring, with_end(trajectory(4, chance), 1))
    np.testing.assert_array_equal(ring.examples.has_value[:8, 0], [True] * 6 + [False] * 2)
    np.testing.assert_array_equal(ring.examples.value[:8, 0], [-1, 1, -1, 1, -1, 1, 0, 0])


def test_an_outcome_once_known_stays_though_the_ring_wraps():
    chance = np.random.default_rng(0)
    ring = empty()
    for i, end in enumerate([None, None, 0, None]):  # the fourth overwrites the first
        ring = remember(ring, with_end(trajectory(i * NUM_STEPS, chance), end))
    np.testing.assert_array_equal(ring.examples.observation[:, 0, 0], [*range(12, 16), *range(4, 12)])
    np.testing.assert_array_equal(ring.examples.has_value[:, 0], [False] * 4 + [True] * 5 + [False] * 3)
    np.testing.assert_array_equal(ring.examples.value[:, 0], [0] * 4 + [1, -1, 1, -1, 1] + [0] * 3)


@pytest.mark.parametrize("num_remembered", [1, 2, 4], ids=["a third full", "two thirds full", "wrapped"])
def test_samples_uniformly_what_was_written(num_remembered):
    chance = np.random.default_rng(0)
    ring = empty()
    for i in range(num_remembered):
        ring = remember(ring, trajectory(i * NUM_STEPS, chance))
    batch_size = 20_000
    batch = jax.jit(replay.sample, static_argnums=2)(ring, jax.random.key(0), batch_size)
    steps, games = np.asarray(batch.observation, int).T
    oldest = max(0, num_remembered * NUM_STEPS - CAPACITY)
    counts = np.zeros((num_remembered * NUM_STEPS - oldest, NUM_GAMES))
    np.add.at(counts, (steps - oldest, games), 1)
    expected = batch_size / counts.size
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


def test_a_sample_is_whole_and_the_key_decides_it():
    chance = np.random.default_rng(0)
    ring = remember(empty(), trajectory(0, chance))
    batch, again, other = (replay.sample(ring, jax.random.key(seed), 64) for seed in (0, 0, 1))
    steps, games = np.asarray(batch.observation, int).T
    row = jax.tree.map(lambda x: x[steps, games], ring.examples)  # steps are rows, as nothing was overwritten
    jax.tree.map(np.testing.assert_array_equal, batch, row._replace(policy=row.policy.astype(jnp.float32)))
    assert batch.policy.dtype == batch.value.dtype == jnp.float32
    jax.tree.map(np.testing.assert_array_equal, batch, again)
    assert np.any(batch.observation != other.observation)


def test_tokens_stay_whole_numbers():
    new = trajectory(0, np.random.default_rng(0))
    new = new._replace(observation=jnp.full((NUM_STEPS, NUM_GAMES, 7), 40_001, jnp.int32))
    ring = replay.remember(replay.empty(new, CAPACITY), new)
    batch = replay.sample(ring, jax.random.key(0), 8)
    assert batch.observation.dtype == jnp.int32
    np.testing.assert_array_equal(batch.observation, 40_001)


@pytest.mark.parametrize("capacity", [0, -4, 3, 10])
def test_a_capacity_that_is_no_multiple_of_the_steps_is_refused(capacity):
    with pytest.raises(ValueError, match=f"multiple of 4 steps, got {capacity}"):
        replay.empty(trajectory(0, np.random.default_rng()), capacity)
