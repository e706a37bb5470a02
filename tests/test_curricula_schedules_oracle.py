"""Each schedule does what its paper's formulas say: against plain Python that goes through episodes one by one."""

import fractions
import math
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quick

from curricula.schedules import fixed
from curricula.schedules.advantage_bandit import AdvantageBandit
from curricula.schedules.learnability import Learnability
from curricula.schedules.learning_progress import LearningProgress
from curricula.schedules.level_replay import PrioritizedLevelReplay
from curricula.schedules.staircase import Staircase

BATCH = 12


def episodes_by_level(batch) -> dict[int, list[tuple[bool, float]]]:
    """Finished episodes: of each level seen, (success, advantage)."""
    found = {}
    for level, success, advantage, is_finished in zip(*(x.tolist() for x in batch), strict=True):
        if is_finished:
            found.setdefault(level, []).append((success, advantage))
    return found


class StaircaseOracle:
    """Lists of outcomes at the frontier of each task."""

    def __init__(self, schedule):
        self.settings = schedule
        self.frontiers = [schedule.start] * schedule.num_tasks
        self.outcomes = [[] for _ in self.frontiers]

    def update(self, batch):
        num_levels = self.settings.num_levels
        found = episodes_by_level(batch)
        for task, outcomes in enumerate(self.outcomes):
            outcomes += [success for success, _ in found.get(task * num_levels + self.frontiers[task], [])]
            if len(outcomes) < self.settings.window:
                continue
            rate = fractions.Fraction(sum(outcomes), len(outcomes))
            if rate > self.settings.up and self.frontiers[task] + 1 < num_levels:
                self.frontiers[task] += 1
            elif rate < self.settings.down and self.frontiers[task] > 0:
                self.frontiers[task] -= 1
            outcomes.clear()

    def probabilities(self):
        shares = []
        for frontier in self.frontiers:
            easier = [self.settings.replay / frontier for _ in range(frontier)]
            shares += [*easier, 1 - sum(easier)] + [0] * (self.settings.num_levels - frontier - 1)
        return [share / len(self.frontiers) for share in shares]


class LearningProgressOracle:
    """TSCL's online teacher: a value for each level, which follows the changes of its score."""

    def __init__(self, schedule):
        self.settings = schedule
        self.values, self.scores = [0.0] * schedule.num_levels, [0.0] * schedule.num_levels

    def update(self, batch):
        for level, episodes in episodes_by_level(batch).items():
            rate, before = statistics.mean(success for success, _ in episodes), self.scores[level]
            self.scores[level] = self.settings.fast_rate * rate + (1 - self.settings.fast_rate) * before
            reward = self.scores[level] - before
            self.values[level] = self.settings.slow_rate * reward + (1 - self.settings.slow_rate) * self.values[level]

    def probabilities(self):
        return mixed([abs(value) for value in self.values], self.settings.explore)


class LearnabilityOracle:
    """Weighted outcomes of each level, whose weights shrink together once they sum to more than the window."""

    def __init__(self, schedule):
        self.settings = schedule
        self.outcomes = [[] for _ in range(schedule.num_levels)]

    def update(self, batch):
        for level, episodes in episodes_by_level(batch).items():
            outcomes = self.outcomes[level] + [(1.0, success) for success, _ in episodes]
            total = sum(weight for weight, _ in outcomes)
            scale = min(1, self.settings.window / total)
            self.outcomes[level] = [(weight * scale, success) for weight, success in outcomes]

    def probabilities(self):
        learnabilities = []
        for outcomes in self.outcomes:
            outcomes = [*outcomes, (self.settings.prior / 2, True), (self.settings.prior / 2, False)]
            rate = sum(weight for weight, success in outcomes if success) / sum(weight for weight, _ in outcomes)
            learnabilities.append(rate * (1 - rate))
        return mixed(learnabilities, self.settings.explore)


class AdvantageBanditOracle:
    """SEC: Q(c) ← α r(c) + (1 - α) Q(c) for the categories in the batch, then a Boltzmann distribution."""

    def __init__(self, schedule):
        self.settings = schedule
        self.values = [0.0] * schedule.num_levels

    def update(self, batch):
        for level, episodes in episodes_by_level(batch).items():
            reward = statistics.mean(abs(advantage) for _, advantage in episodes)
            self.values[level] = self.settings.rate * reward + (1 - self.settings.rate) * self.values[level]

    def probabilities(self):
        return mixed([math.exp(value / self.settings.temperature) for value in self.values], self.settings.explore)


def mixed(weights: list[float], explore: float) -> list[float]:
    """By weights, uniformly if there are none, and a share uniformly anyway."""
    weights = weights if sum(weights) else [1.0] * len(weights)
    return [(1 - explore) * weight / sum(weights) + explore / len(weights) for weight in weights]


PAIRS = [
    (Staircase(4, up=0.6, down=0.4, window=3), StaircaseOracle),
    (Staircase(5, up=0.5, down=0.25, window=8, replay=0.3, start=4), StaircaseOracle),
    (Staircase(2, num_tasks=3, up=0.5, down=0.5, window=2, replay=0), StaircaseOracle),
    (Staircase(1, window=1), StaircaseOracle),
    (LearningProgress(4), LearningProgressOracle),
    (LearningProgress(4, fast_rate=1, slow_rate=0.6, explore=0), LearningProgressOracle),
    (Learnability(4, window=9, prior=0.5), LearnabilityOracle),
    (Learnability(4, explore=0), LearnabilityOracle),
    (AdvantageBandit(4), AdvantageBanditOracle),
    (AdvantageBandit(4, rate=0.2, temperature=0.1, explore=0.3), AdvantageBanditOracle),
]


def random_batch(chance: np.random.Generator, num_levels: int):
    """Success has a rate of its own for each batch, so that staircases go both ways."""
    levels = chance.choice(num_levels, BATCH, p=chance.dirichlet(np.ones(num_levels)))
    is_finished = chance.random(BATCH) < 0.8
    levels = np.where(is_finished, levels, chance.choice([-1, 0, 50], BATCH)).astype(np.int32)
    advantages = np.where(is_finished, chance.normal(size=BATCH), np.nan).astype(np.float32)
    return levels, chance.random(BATCH) < chance.random(), advantages, is_finished


@pytest.mark.parametrize(("schedule", "oracle"), PAIRS, ids=lambda x: repr(x)[:70])
def test_probabilities_are_those_of_plain_python_after_every_batch(schedule, oracle):
    chance = np.random.default_rng(0)
    state, slow = schedule.init(), oracle(schedule)
    num_levels = len(slow.probabilities())
    step = jax.jit(lambda state, *batch: (new := schedule.update(state, *batch), schedule.probabilities(new)))
    different = set()
    np.testing.assert_allclose(schedule.probabilities(state), slow.probabilities(), rtol=1e-5)
    for _ in range(60):
        batch = random_batch(chance, num_levels)
        state, probabilities = step(state, *batch)
        slow.update(batch)
        np.testing.assert_allclose(probabilities, slow.probabilities(), rtol=1e-4, atol=1e-6)
        different.add(tuple(probabilities.tolist()))
    assert len(different) >= min(num_levels - 1, 3)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (fixed.Fixed((1, 0, 3)), [0.25, 0, 0.75]),
        (fixed.uniform(4), [0.25] * 4),
        (fixed.only(1, 3), [0, 1, 0]),
        (fixed.hardest_only(3), [0, 0, 1]),
        (fixed.hardest_only(2, num_tasks=2), [0, 0.5, 0, 0.5]),
    ],
)
def test_fixed_probabilities_are_as_given(schedule, expected):
    np.testing.assert_array_equal(schedule.probabilities(schedule.init()), expected)


def test_a_staircase_stays_on_its_thresholds_and_moves_beyond_them():
    schedule = Staircase(3, up=0.75, down=0.25, window=4, start=1)
    update = jax.jit(schedule.update)
    for num_solved, frontier in enumerate([0, 1, 1, 1, 2]):
        after = update(schedule.init(), np.full(4, 1), np.arange(4) < num_solved)
        assert after.frontier.tolist() == [frontier]
        assert after.episodes.tolist() == after.successes.tolist() == [0]
    after = update(schedule.init(), np.full(4, 1), np.ones(4, bool), None, np.arange(4) < 3)
    assert after.frontier.tolist() == [1] and after.episodes.tolist() == [3]  # the window is not full yet


class ReplayOracle:
    """Prioritized level replay with a list of entries [id, score, time]."""

    def __init__(self, schedule):
        self.settings, self.entries, self.time = schedule, [], 0

    def update(self, batch):
        found = episodes_by_level(batch)
        self.time += bool(found)
        for identity, episodes in found.items():
            score = statistics.mean(abs(advantage) for _, advantage in episodes)
            self.entries = [entry for entry in self.entries if entry[0] != identity] + [[identity, score, self.time]]
        weights = self.probabilities()
        self.entries.sort(key=lambda entry: (-weights[entry[0]], -entry[1]))
        self.entries = self.entries[: self.settings.capacity]

    def probabilities(self):
        """Of each id: by the rank of its score and its age."""
        ordered = sorted(self.entries, key=lambda entry: -entry[1])
        by_rank = {entry[0]: (1 / (i + 1)) ** (1 / self.settings.temperature) for i, entry in enumerate(ordered)}
        ages = {entry[0]: self.time - entry[2] for entry in ordered}
        if not any(ages.values()):
            ages = dict.fromkeys(ages, 1)
        rho = self.settings.staleness
        return {i: (1 - rho) * by_rank[i] / sum(by_rank.values()) + rho * ages[i] / sum(ages.values()) for i in by_rank}


@pytest.mark.parametrize(
    "schedule",
    quick.first(
        [
            PrioritizedLevelReplay(capacity=20, temperature=1.0),
            PrioritizedLevelReplay(capacity=7, staleness=0.8, temperature=0.5),
            PrioritizedLevelReplay(capacity=7),
            PrioritizedLevelReplay(capacity=7, staleness=0.0),
            PrioritizedLevelReplay(capacity=5, staleness=1.0),
        ],
        2,
    ),
    ids=repr,
)
def test_the_buffer_holds_what_plain_python_keeps(schedule):
    chance = np.random.default_rng(1)
    state, slow = schedule.init(), ReplayOracle(schedule)
    step = jax.jit(lambda state, *batch: (new := schedule.update(state, *batch), schedule.probabilities(new)))
    assert not np.any(schedule.probabilities(state))
    met = set()
    for i in range(60):
        # Known ones and new ones, some twice in a batch; ids that int32 cannot hold.
        ids = np.uint32(4_000_000_000) + chance.integers(0, 40, BATCH).astype(np.uint32)
        is_finished = chance.random(BATCH) < (0.2 if i < 3 else 0.7)
        advantages = np.where(is_finished, chance.normal(size=BATCH) * 3, np.nan).astype(np.float32)
        batch = ids, chance.random(BATCH) < 0.5, advantages, is_finished
        state, probabilities = step(state, *batch)
        slow.update(batch)
        entries, expected = jax.tree.map(np.asarray, state.entries), slow.probabilities()
        used = np.flatnonzero(entries.is_used)
        assert used.tolist() == list(range(len(slow.entries)))  # the used ones first
        held = {int(entries.ids[j]): (entries.scores[j], int(entries.times[j])) for j in used}
        assert held.keys() == expected.keys()
        for identity, score, time in slow.entries:
            assert held[identity] == (pytest.approx(score, rel=1e-5), time)
        np.testing.assert_allclose(
            probabilities[: len(used)], [expected[j] for j in entries.ids[used].tolist()], rtol=1e-4, atol=1e-6
        )
        assert not np.any(probabilities[len(used) :])
        met |= expected.keys()
    assert len(met) > schedule.capacity and int(state.time) == slow.time


@pytest.mark.slow
def test_a_batch_larger_than_the_buffer_leaves_its_highest_scores():
    schedule = PrioritizedLevelReplay(capacity=3)
    scores = np.float32([1, 5, 2, -9, 3, 0.5])
    state = schedule.update(schedule.init(), np.arange(6), np.ones(6, bool), scores)
    assert sorted(state.entries.ids.tolist()) == [1, 3, 4]


@pytest.mark.slow
def test_replayed_ids_follow_the_probabilities_and_the_others_are_new():
    schedule = PrioritizedLevelReplay(capacity=6, temperature=1.0, min_filled=0.5)
    sample, num = jax.jit(schedule.sample, static_argnums=2), 20_000
    state = schedule.init()
    for ids in ([10, 11], [12], [13, 14]):
        few = len(state.entries.ids) * 0.5 > jnp.sum(state.entries.is_used)
        drawn = np.asarray(sample(state, jax.random.key(0), num))
        assert drawn.dtype == np.uint32 and drawn.shape == (num,)
        replayed = np.isin(drawn, state.entries.ids[state.entries.is_used])
        if few:
            assert schedule.replay_probability(state) == 0 and not np.any(replayed)
        state = schedule.update(state, np.array(ids), np.ones(len(ids), bool), np.float32(ids) ** 2)
    drawn = np.asarray(sample(state, jax.random.key(1), num))
    expected = np.asarray(schedule.probabilities(state))[:5] * 0.8
    counts = np.array([np.sum(drawn == i) for i in state.entries.ids[:5].tolist()])
    new = drawn[~np.isin(drawn, state.entries.ids)]
    assert np.isclose(schedule.replay_probability(state), 0.8) and np.all(expected > 0)
    observed, wanted = np.append(counts, len(new)), num * np.append(expected, 0.2)
    assert np.sum((observed - wanted) ** 2 / wanted) < 36  # one in a million for 5 degrees of freedom
    assert len(set(new.tolist())) > len(new) - 5 and np.max(new) > 2**31


def test_the_slow_average_follows_the_fast_one():
    schedule, levels = LearningProgress(2, fast_rate=0.5, slow_rate=0.25), np.zeros(4, np.int32)
    update = jax.jit(schedule.update)
    state = update(schedule.init(), levels, np.ones(4, bool))
    assert state.fast.tolist() == [0.5, 0] and state.slow.tolist() == [0.125, 0]
    state = update(state, levels, np.arange(4) < 1)
    assert state.fast.tolist() == [0.375, 0] and state.slow.tolist() == [0.1875, 0]
