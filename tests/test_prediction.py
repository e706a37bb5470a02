"""What is said of predictions is what the definitions say, position by position."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain import prediction
from rl_pretrain.replay import Example

NUM, NUM_ACTIONS, NUM_PHASES = 64, 9, 3


def predict(observation):
    """The observation holds what the network is to say: logits, then the value."""
    return observation[:, :-1], observation[:, -1]


def positions(seed: int = 0) -> tuple[Example, np.ndarray]:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(NUM, NUM_ACTIONS)).round(1)
    legal = random.random((NUM, NUM_ACTIONS)) < 0.8
    legal[:, 0] = True
    legal[-4:, 3:] = False  # fewer than five to choose from
    move = np.array([random.choice(np.flatnonzero(row)) for row in legal])
    logits[:8] = 0.5  # all equal
    value = random.uniform(-1, 1, NUM)
    value[:4] = [-1, 1, 0, 0.2]  # at borders of bins
    batch = Example(
        observation=np.column_stack([logits, value]).astype(np.float32),
        legal=legal,
        policy=np.eye(NUM_ACTIONS, dtype=np.float32)[move],
        value=random.choice([-1.0, 0.0, 1.0], NUM).astype(np.float32),
        has_value=(random.random(NUM) < 0.7) | (np.arange(NUM) < 4),
        has_policy=np.ones(NUM, bool),
    )
    return jax.tree.map(jnp.asarray, batch), random.integers(0, NUM_PHASES, NUM)


@functools.partial(jax.jit, static_argnames="num_bins")
def measure(batch, phase, num_bins=10):
    return prediction.measure(predict, batch, phase, NUM_PHASES, num_bins)


def by_hand(batch: Example, chosen: np.ndarray, num_bins: int) -> dict[str, float]:
    """The definitions, one position after the other."""
    top = {1: [], 5: []}
    surprise, entropy, squares = [], [], []
    bins = [[] for _ in range(num_bins)]
    for i in np.flatnonzero(chosen):
        legal = [a for a in range(NUM_ACTIONS) if batch.legal[i, a]]
        logit = {a: float(batch.observation[i, a]) for a in legal}
        weight = {a: math.exp(logit[a]) for a in legal}
        chance = {a: weight[a] / sum(weight.values()) for a in legal}
        move = int(np.argmax(batch.policy[i]))
        surprise.append(-math.log(chance[move]))
        entropy.append(-sum(p * math.log(p) for p in chance.values()))
        better = [a for a in legal if logit[a] > logit[move]]
        equal = [a for a in legal if logit[a] == logit[move]]
        for k in top:  # how many of the places among the first k are left to the equal ones
            top[k].append(min(max(k - len(better), 0), len(equal)) / len(equal))
        if batch.has_value[i]:
            p, o = (float(batch.observation[i, -1]) + 1) / 2, (float(batch.value[i]) + 1) / 2
            squares.append((p - o) ** 2)
            bins[min(int(p * num_bins), num_bins - 1)].append((p, o))
    known = sum(map(len, bins))
    gaps = [len(b) / known * abs(np.mean([p for p, _ in b]) - np.mean([o for _, o in b])) for b in bins if b]
    return {
        "num_positions": len(surprise),
        "num_results": known,
        "top_1": np.mean(top[1]),
        "top_5": np.mean(top[5]),
        "cross_entropy": np.mean(surprise),
        "policy_entropy": np.mean(entropy),
        "brier": np.mean(squares),
        "calibration_error": sum(gaps),
    }


@pytest.mark.parametrize("num_bins", [10, 4])
def test_means_of_each_phase_are_those_of_the_definitions(num_bins):
    batch, phase = positions()
    found = prediction.means(measure(batch, phase, num_bins=num_bins))
    for k in range(NUM_PHASES):
        for name, expected in by_hand(batch, phase == k, num_bins).items():
            assert getattr(found, name)[k] == pytest.approx(expected, rel=1e-5), name


def test_batches_add_up_to_all_their_positions():
    (batch, phase), (other, other_phase) = positions(0), positions(1)
    together = prediction.total([measure(batch, phase), measure(other, other_phase)])
    joined = jax.tree.map(lambda *x: jnp.concatenate(x), batch, other)
    phases = np.concatenate([phase, other_phase])
    for name, expected in by_hand(joined, phases == 1, 10).items():
        assert getattr(prediction.means(together), name)[1] == pytest.approx(expected, rel=1e-5), name
    for name, expected in by_hand(joined, phases >= 0, 10).items():
        assert getattr(prediction.means(prediction.merged(together)), name) == pytest.approx([expected], rel=1e-5), name


def test_a_sum_of_many_parts_loses_no_digits():
    part = measure(*positions())
    assert prediction.total(itertools.repeat(part, 1000)).predicted == pytest.approx(
        1000 * np.asarray(part.predicted, np.float64), rel=1e-12
    )
    with pytest.raises(ValueError, match="at least one batch"):
        prediction.total([])


def test_what_fills_up_a_batch_counts_nowhere():
    batch, phase = positions()
    nothing = jax.tree.map(jnp.zeros_like, batch)
    half = jnp.arange(NUM) < NUM // 2
    mixed = jax.tree.map(lambda x, y: jnp.where(half.reshape(-1, *[1] * (x.ndim - 1)), x, y), batch, nothing)
    found = prediction.means(prediction.merged(measure(mixed, np.where(half, phase, -1))))
    for name, expected in by_hand(batch, np.asarray(half), 10).items():
        assert getattr(found, name) == pytest.approx([expected], rel=1e-5), name


def test_a_network_that_knows_nothing_and_one_that_knows_all():
    batch, phase = positions()
    blank = batch._replace(observation=jnp.zeros_like(batch.observation), legal=jnp.ones_like(batch.legal))
    found = prediction.means(prediction.merged(measure(blank, phase)))
    assert found.top_1 == pytest.approx([1 / NUM_ACTIONS]) and found.top_5 == pytest.approx([5 / NUM_ACTIONS])
    assert found.cross_entropy == pytest.approx([math.log(NUM_ACTIONS)]) == found.policy_entropy
    sure = jnp.column_stack([50 * batch.policy, batch.value])
    found = prediction.means(prediction.merged(measure(batch._replace(observation=sure), phase)))
    assert (found.top_1, found.top_5) == (1, 1)
    assert np.array([found.cross_entropy, found.brier, found.calibration_error]) == pytest.approx(0, abs=1e-6)


def test_where_no_result_is_known_nothing_is_said_of_it():
    batch, phase = positions()
    found = prediction.means(measure(batch._replace(has_value=jnp.zeros(NUM, bool)), phase))
    assert np.isnan(found.brier).all() and np.isnan(found.calibration_error).all()
    assert (found.num_results == 0).all() and np.isfinite(found.top_1).all()


def test_phases_begin_at_their_moves():
    assert prediction.phase_of(np.array([0, 19, 20, 39, 40, 80]), (20, 40)).tolist() == [0, 0, 1, 1, 2, 2]
    assert prediction.phase_of(7, ()).tolist() == 0
    with pytest.raises(ValueError, match=r"one after the other, got \(40, 20\)"):
        prediction.phase_of(7, (40, 20))
