"""Every schedule keeps the laws of all: what `curricula.schedules.schedule` promises to a training loop."""

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

NUM_LEVELS, BATCH, NUM_UPDATES = 4, 16, 12

FIXED = [fixed.Fixed((1, 0, 3, 2.5)), fixed.uniform(4), fixed.only(2, 4), fixed.hardest_only(2, num_tasks=2)]
STAIRS = [Staircase(4, up=0.5, window=8, start=2), Staircase(2, num_tasks=2, up=0.4, window=4)]
AVERAGES = [LearningProgress(4), Learnability(4), AdvantageBandit(4, temperature=0.2)]
OF_LEVELS = FIXED + STAIRS + AVERAGES
REPLAY = PrioritizedLevelReplay(capacity=6, temperature=1.0)


def name(schedule) -> str:
    return repr(schedule)[:40]


def each(schedules):
    return pytest.mark.parametrize("schedule", schedules, ids=name)


@functools.cache
def compiled(schedule):
    """Its functions, compiled once for all tests."""
    return jax.jit(schedule.update), jax.jit(schedule.sample, static_argnums=2), jax.jit(schedule.probabilities)


def batches(seed: int, num: int = NUM_UPDATES):
    """Random batches `[num, BATCH]`; a third of the episodes is unfinished and holds rubbish."""
    chance = np.random.default_rng(seed)
    shape = (num, BATCH)
    is_finished = chance.random(shape) < 0.66
    levels = np.where(is_finished, chance.integers(0, NUM_LEVELS, shape), chance.choice([-1, 2, 77], shape))
    advantages = np.where(is_finished, chance.normal(size=shape), np.nan)
    return levels.astype(np.int32), chance.random(shape) < 0.6, advantages.astype(np.float32), is_finished


@functools.cache
def learnt(schedule, seed: int = 0):
    """A state that has seen something."""
    state = schedule.init()
    for one in zip(*batches(seed), strict=True):
        state = compiled(schedule)[0](state, *one)
    return state


def assert_same(state, other):
    assert jax.tree.structure(state) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, state, other)


@each([*OF_LEVELS, REPLAY])
def test_scan_and_vmap_give_the_same_with_one_compilation_and_constant_types(schedule):
    update = compiled(schedule)[0]
    streams = [batches(seed) for seed in range(3)]

    @jax.jit
    @jax.vmap
    def run(stream):
        return jax.lax.scan(lambda state, one: (schedule.update(state, *one), None), schedule.init(), stream)[0]

    together = run(jax.tree.map(lambda *parts: np.stack(parts), *streams))
    for i in range(3):
        alone = learnt(schedule, i)
        jax.tree.map(lambda x, y, i=i: np.testing.assert_allclose(x[i], y, rtol=1e-5), together, alone)
    before, after = schedule.init(), jax.eval_shape(update, schedule.init(), *[x[0] for x in streams[0]])
    for x, y in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert isinstance(x, jax.Array) and not x.weak_type and not y.weak_type
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
    assert update._cache_size() == 1


@each(OF_LEVELS)
def test_samples_follow_the_probabilities(schedule):
    _, sample, probabilities = compiled(schedule)
    num = 20_000
    for state in (schedule.init(), learnt(schedule)):
        expected = np.asarray(probabilities(state))
        assert expected.dtype == np.float32 and expected.shape == (NUM_LEVELS,)
        assert np.all(expected >= 0) and np.isclose(np.sum(expected), 1, atol=1e-6)
        levels = sample(state, jax.random.key(0), num)
        assert levels.dtype == jnp.int32 and levels.shape == (num,)
        counts = np.bincount(levels, minlength=NUM_LEVELS)
        assert len(counts) == NUM_LEVELS and np.all(counts[expected == 0] == 0)
        possible = expected > 0
        chi_square = np.sum((counts - num * expected)[possible] ** 2 / (num * expected[possible]))
        assert chi_square < 31  # one in a million for 3 degrees of freedom
    np.testing.assert_array_equal(levels, sample(state, jax.random.key(0), num))
    if np.sum(possible) > 1:
        assert np.any(levels != sample(state, jax.random.key(1), num))
        assert np.mean(levels[1:] == levels[:-1]) < 0.95  # drawn one by one


@each([*OF_LEVELS, REPLAY])
def test_what_is_unfinished_or_not_there_changes_nothing(schedule):
    update, state = compiled(schedule)[0], learnt(schedule)
    levels, successes, advantages, _ = (x[0] for x in batches(7))
    assert_same(update(state, levels, successes, advantages, np.zeros(BATCH, bool)), state)
    nothing = schedule.update(state, *(x[:0] for x in (levels, successes, advantages)))
    assert_same(nothing, state)
    again = [x[0] for x in batches(8)]
    other = list(again)
    other[0] = np.where(again[3], again[0], 1).astype(np.int32)
    other[1] = np.where(again[3], again[1], ~again[1])
    other[2] = np.where(again[3], again[2], 1e9).astype(np.float32)
    assert_same(update(state, *again), update(state, *other))


@each(OF_LEVELS)
def test_levels_that_are_none_are_refused_where_known_and_not_counted_where_traced(schedule):
    state, successes = learnt(schedule), np.ones(BATCH, bool)
    for wrong in (-1, -4, NUM_LEVELS, 1000):
        levels = np.full(BATCH, wrong, np.int32)
        with pytest.raises(ValueError, match=f"a level must be from 0 to 3, got {wrong}"):
            schedule.update(state, levels, successes, np.ones(BATCH, np.float32))
        after = compiled(schedule)[0](state, levels, successes, np.ones(BATCH, np.float32), successes)
        assert_same(after, state)


@each(OF_LEVELS)
def test_the_order_of_a_batch_does_not_matter(schedule):
    update, state = compiled(schedule)[0], learnt(schedule)
    one = [x[0] for x in batches(9)]
    permutation = np.random.default_rng(0).permutation(BATCH)
    other = update(state, *[x[permutation] for x in one])
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), update(state, *one), other)


@each(AVERAGES)
def test_a_level_without_episodes_stays_as_it_was(schedule):
    update, state = compiled(schedule)[0], learnt(schedule)
    is_one = np.arange(NUM_LEVELS) == 1
    ones, lots = np.ones(BATCH, bool), np.full(BATCH, 9, np.float32)
    after = update(state, np.ones(BATCH, np.int32), ones, lots, ones)
    for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(np.asarray(x)[~is_one], np.asarray(y)[~is_one])
        assert x[1] != y[1]


@each([*OF_LEVELS, REPLAY])
def test_a_state_written_leaf_by_leaf_goes_on_the_same(schedule):
    update, sample, _ = compiled(schedule)
    state = learnt(schedule)
    leaves, structure = jax.tree.flatten(state)
    read = jax.tree.unflatten(structure, [jnp.asarray(np.asarray(x).copy()) for x in leaves])
    one = [x[0] for x in batches(10)]
    assert_same(update(read, *one), update(state, *one))
    assert_same(sample(read, jax.random.key(3), 50), sample(state, jax.random.key(3), 50))


def test_settings_can_be_keys_and_compare_by_value():
    schedules = [*OF_LEVELS, REPLAY]
    assert len(set(schedules)) == len(schedules)
    assert hash(Staircase(4)) == hash(Staircase(4)) and Staircase(4) == Staircase(4) != Staircase(5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fixed.Fixed(()), "weights must be .* not all 0"),
        (lambda: fixed.Fixed((0, 0)), "weights must be .* not all 0"),
        (lambda: fixed.Fixed((1, -1)), "weights must be"),
        (lambda: fixed.Fixed((1, float("nan"))), "weights must be"),
        (lambda: fixed.Fixed([1, 2]), "weights must be a tuple"),
        (lambda: fixed.uniform(0), "num_levels must be a whole number of at least 1, got 0"),
        (lambda: fixed.only(3, 3), "level must be from 0 to 2, got 3"),
        (lambda: fixed.only(-1, 3), "level must be a whole number of at least 0, got -1"),
        (lambda: fixed.hardest_only(3, 0), "num_tasks must be a whole number of at least 1, got 0"),
        (lambda: Staircase(0), "num_levels must be a whole number of at least 1, got 0"),
        (lambda: Staircase(2.0), "num_levels must be a whole number of at least 1, got 2.0"),
        (lambda: Staircase(True), "num_levels must be a whole number of at least 1, got True"),
        (lambda: Staircase(3, num_tasks=0), "num_tasks must be"),
        (lambda: Staircase(3, up=1.5), "up must be from 0 to 1, got 1.5"),
        (lambda: Staircase(3, up=1), "up below 1"),
        (lambda: Staircase(3, up=0.2, down=0.3), "down must be at most up"),
        (lambda: Staircase(3, down=-0.1), "down must be from 0 to 1, got -0.1"),
        (lambda: Staircase(3, window=0), "window must be"),
        (lambda: Staircase(3, replay=1.1), "replay must be from 0 to 1, got 1.1"),
        (lambda: Staircase(3, start=3), "start must be from 0 to 2, got 3"),
        (lambda: LearningProgress(0), "num_levels must be"),
        (lambda: LearningProgress(3, fast_rate=0), "fast_rate must be above 0 and at most 1, got 0"),
        (lambda: LearningProgress(3, slow_rate=1), "slow_rate must be below 1"),
        (lambda: LearningProgress(3, explore=2), "explore must be from 0 to 1, got 2"),
        (lambda: Learnability(0), "num_levels must be"),
        (lambda: Learnability(3, window=0), "window must be"),
        (lambda: Learnability(3, prior=0), "prior must be a number above 0, got 0"),
        (lambda: Learnability(3, explore=-1), "explore must be from 0 to 1, got -1"),
        (lambda: AdvantageBandit(0), "num_levels must be"),
        (lambda: AdvantageBandit(3, rate=1.1), "rate must be above 0 and at most 1, got 1.1"),
        (lambda: AdvantageBandit(3, temperature=0), "temperature must be a number above 0, got 0"),
        (lambda: AdvantageBandit(3, temperature="1"), "temperature must be a number above 0, got '1'"),
        (lambda: AdvantageBandit(3, explore=float("nan")), "explore must be from 0 to 1, got nan"),
        (lambda: PrioritizedLevelReplay(capacity=0), "capacity must be"),
        (lambda: PrioritizedLevelReplay(replay=2), "replay must be from 0 to 1, got 2"),
        (lambda: PrioritizedLevelReplay(staleness=2), "staleness must be from 0 to 1, got 2"),
        (lambda: PrioritizedLevelReplay(temperature=float("inf")), "temperature must be a number above 0, got inf"),
        (lambda: PrioritizedLevelReplay(min_filled=2), "min_filled must be from 0 to 1, got 2"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


@each([*OF_LEVELS, REPLAY])
def test_batches_of_wrong_shape_or_type_are_refused(schedule):
    state, levels, yes, floats = schedule.init(), np.zeros(3, np.int32), np.ones(3, bool), np.ones(3, np.float32)
    for arguments, message in [
        ((levels.astype(np.float32), yes, floats), r"levels must be whole numbers \[n\], got float32 \[3\]"),
        ((levels[None], yes, floats), r"levels must be whole numbers \[n\], got int32 \[1, 3\]"),
        ((levels, yes[:2], floats), r"successes must be bool \[3\] like the levels, got bool \[2\]"),
        ((levels, floats, floats), r"successes must be bool \[3\] like the levels, got float32 \[3\]"),
        ((levels, yes, levels), r"advantages must be float \[3\] like the levels, got int32 \[3\]"),
        ((levels, yes, floats, levels), r"is_finished must be bool \[3\] like the levels, got int32 \[3\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            schedule.update(state, *arguments)
    with pytest.raises(ValueError, match="num must be a whole number of at least 1, got 0"):
        schedule.sample(state, jax.random.key(0), 0)


@each([AdvantageBandit(3), REPLAY])
def test_advantages_are_asked_for_where_they_are_needed(schedule):
    with pytest.raises(ValueError, match="needs advantages"):
        schedule.update(schedule.init(), np.zeros(3, np.int32), np.ones(3, bool))
