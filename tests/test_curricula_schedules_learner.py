"""What schedules are for: a learner who can only learn what it sometimes solves gets to the top with their help."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula.schedules import fixed
from curricula.schedules.advantage_bandit import AdvantageBandit
from curricula.schedules.learnability import Learnability
from curricula.schedules.learning_progress import LearningProgress
from curricula.schedules.level_replay import PrioritizedLevelReplay
from curricula.schedules.staircase import Staircase

pytestmark = pytest.mark.slow

NUM_LEVELS, BATCH, NUM_UPDATES, NUM_LEARNERS = 6, 64, 1200, 4
AUTOMATIC = [
    Staircase(NUM_LEVELS),
    Learnability(NUM_LEVELS),
    LearningProgress(NUM_LEVELS),
    AdvantageBandit(NUM_LEVELS, temperature=0.1),
]


@functools.cache
def train(schedule, forgetting: float = 0.0) -> np.ndarray:
    """Success rates `[learners, updates, levels]` of toy learners.

    The success rate of a level rises with its successes and, half as much, with those of the level below. At first
    only the lowest one is solved now and then.
    """

    def update(carry, key):
        rates, state = carry
        level_key, success_key = jax.random.split(key)
        levels = schedule.sample(state, level_key, BATCH)
        successes = jax.random.bernoulli(success_key, rates[levels])
        state = schedule.update(state, levels, successes, successes - rates[levels])
        practice = jnp.zeros(NUM_LEVELS).at[levels].add(successes) / BATCH
        practice = practice + 0.5 * jnp.append(0, practice[:-1])
        rates = 1 - (1 - rates * (1 - forgetting)) * jnp.exp(-0.05 * practice)
        return (rates, state), rates

    @jax.jit
    @jax.vmap
    def run(key):
        rates = jnp.zeros(NUM_LEVELS).at[0].set(0.2)
        return jax.lax.scan(update, (rates, schedule.init()), jax.random.split(key, NUM_UPDATES))[1]

    return np.asarray(run(jax.random.split(jax.random.key(0), NUM_LEARNERS)))


def updates_to_the_top(rates: np.ndarray) -> float:
    """Until the hardest level is solved 9 times in 10, the mean over learners; NUM_UPDATES if never."""
    is_solved = rates[:, :, -1] > 0.9
    return np.mean(np.where(np.any(is_solved, axis=1), np.argmax(is_solved, axis=1), NUM_UPDATES))


def test_the_hardest_level_alone_is_never_learnt():
    rates = train(fixed.hardest_only(NUM_LEVELS))
    assert np.all(rates[:, :, -1] == 0) and np.all(rates == rates[:, :1])


@pytest.mark.parametrize("schedule", AUTOMATIC, ids=lambda x: type(x).__name__)
def test_automatic_curricula_reach_the_top_sooner_than_uniform_levels(schedule):
    uniform = updates_to_the_top(train(fixed.uniform(NUM_LEVELS)))
    assert 400 < uniform < NUM_UPDATES
    assert updates_to_the_top(train(schedule)) < 0.8 * uniform


def test_replay_on_the_staircase_keeps_easy_levels_alive():
    with_replay, without = (train(Staircase(NUM_LEVELS, replay=share), forgetting=0.002) for share in (0.2, 0.0))
    assert min(np.min(with_replay[:, -1, -1]), np.min(without[:, -1, -1])) > 0.9
    assert np.min(with_replay[:, -1, :-1]) > 0.2 and np.max(without[:, -1, :-1]) < 0.15


def test_level_replay_comes_back_to_what_can_still_be_learnt():
    """Of the instances a quarter is always solved, half never, and a quarter every other time."""
    schedule = PrioritizedLevelReplay(capacity=64)

    @jax.jit
    def run(key):
        def update(state, key):
            id_key, success_key = jax.random.split(key)
            ids = schedule.sample(state, id_key, BATCH)
            rate = jnp.array([1.0, 0.0, 0.5, 0.0])[ids % 4]
            successes = jax.random.bernoulli(success_key, rate)
            return schedule.update(state, ids, successes, successes - rate), ids % 4 == 2

        return jax.lax.scan(update, schedule.init(), jax.random.split(key, 30))[1]

    is_learnable = np.mean(run(jax.random.key(0)), axis=1)
    assert is_learnable[0] < 0.45 and np.mean(is_learnable[-10:]) > 0.7
