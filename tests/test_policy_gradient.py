"""Losses and their gradients by their formulas in double precision, several devices like one, and that it learns."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rl_pretrain import learner, policy_gradient, rollout
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig, Sample
from rl_pretrain.rollout import Rollout
from rl_pretrain.settings import SettingError

STEPS, PLACES, NUM_INPUTS, NUM_ACTIONS, NUM_GROUPS = 6, 8, 5, 4, 3
BASELINES = ("critic", "group", "mean")


def outputs(weights, observations):
    both = observations @ weights["kernel"]
    return both[..., :-1], both[..., -1]


LINEAR = Policy(
    init=lambda key, num: {"kernel": jax.random.normal(key, (num, NUM_ACTIONS + 1))},
    initial=lambda num, room: (),
    step=lambda weights, memory, seen, is_first: (memory, outputs(weights, seen)),
    unroll=lambda weights, seen, is_first: outputs(weights, seen),
)


def some_weights(seed: int, scale: float = 1.0):
    return {"kernel": jnp.float32(scale * np.random.default_rng(seed).normal(size=(NUM_INPUTS, NUM_ACTIONS + 1)))}


def log_policy_by_numpy(weights, sample: Sample) -> np.ndarray:
    """Float64 `[T, B, actions]`, minus infinity where illegal."""
    logits, _ = outputs({"kernel": np.asarray(weights["kernel"], np.float64)}, np.asarray(sample.rollout.observation))
    logits = np.where(sample.rollout.legal, logits, -np.inf)
    return logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))


def a_rollout(weights, seed: int = 0, has_choice: bool = False) -> Rollout:
    """Random steps, their actions drawn by a linear policy; one in three has one legal action unless `has_choice`."""
    chance = np.random.default_rng(seed)
    shape = (STEPS, PLACES)
    legal = chance.random((*shape, NUM_ACTIONS)) < 0.6
    legal[..., 0] = True
    legal &= (np.arange(NUM_ACTIONS) == 0) | (chance.random(shape) < 0.67)[..., None]
    legal |= has_choice
    observation = chance.normal(size=(*shape, NUM_INPUTS))
    logits, value = outputs({"kernel": np.asarray(weights["kernel"], np.float64)}, observation)
    logits = np.where(legal, logits, -np.inf)
    log_policy = logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    action = np.argmax(log_policy + chance.gumbel(size=legal.shape), axis=-1)
    discount = (chance.random(shape) < 0.7).astype(np.float32)
    discount[-1, ::2], discount[:, 1] = 0, 1
    return Rollout(
        observation=jnp.float32(observation),
        is_first=jnp.asarray(np.concatenate([np.ones((1, PLACES)), discount[:-1] == 0])),
        legal=jnp.asarray(legal),
        action=jnp.int32(action),
        log_prob=jnp.float32(np.take_along_axis(log_policy, action[..., None], axis=-1)[..., 0]),
        value=jnp.float32(value),
        reward=jnp.float32(chance.normal(size=shape)),
        discount=jnp.asarray(discount),
        note=(),
        last_value=jnp.float32(chance.normal(size=PLACES)),
    )


def groups(seed: int = 0) -> jax.Array:
    """Of each step; random, which no one forbids."""
    return jnp.int32(np.random.default_rng(seed).integers(NUM_GROUPS, size=(STEPS, PLACES)))


def a_sample(config: PolicyGradientConfig, weights, reference=None, **options) -> Sample:
    played = a_rollout(weights, **options)
    return policy_gradient.prepare(config, LINEAR, played, groups(), NUM_GROUPS, reference)


def normalised(config: PolicyGradientConfig, sample: Sample, is_choice: np.ndarray) -> np.ndarray:
    advantage = np.asarray(sample.advantage, np.float64)
    if config.baseline != "critic":
        return advantage
    return (advantage - advantage[is_choice].mean()) / advantage[is_choice].std()


def loss_by_numpy(config: PolicyGradientConfig, weights, sample: Sample) -> float:
    """Step by step, as the papers write it: what pays, less the error of the value, plus entropy, less divergence."""
    sample = jax.tree.map(np.asarray, sample)  # or else differences would be JAX's, of single precision
    log_policy = log_policy_by_numpy(weights, sample)
    _, value = outputs({"kernel": np.asarray(weights["kernel"], np.float64)}, np.asarray(sample.rollout.observation))
    counts = np.asarray(sample.weight) > 0
    is_choice = counts & (np.asarray(sample.rollout.legal).sum(-1) > 1)
    advantage = normalised(config, sample, is_choice)
    gains, squares = [], []
    for at in np.ndindex(STEPS, PLACES):
        if counts[at]:
            squares.append((value[at] - sample.target[at]) ** 2 / 2)
        if not is_choice[at]:
            continue
        legal = np.flatnonzero(sample.rollout.legal[at])
        here = log_policy[at][legal]
        ratio = np.exp(log_policy[at][sample.rollout.action[at]] - sample.rollout.log_prob[at])
        gain = min(ratio * advantage[at], np.clip(ratio, 1 - config.clip, 1 + config.clip) * advantage[at])
        gain -= config.entropy_weight * np.sum(np.exp(here) * here)
        if sample.reference.shape[-1]:
            gain -= config.kl_weight * np.sum(np.exp(here) * (here - sample.reference[at][legal]))
        gains.append(gain)
    return -np.mean(gains) + config.value_weight * (config.baseline == "critic") * np.mean(squares)


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_loss_and_its_slope_are_what_numpy_says(baseline):
    """Away from the weights that played, so that ratios differ from 1 and some are clipped."""
    config = PolicyGradientConfig(baseline=baseline, entropy_weight=0.1, kl_weight=0.3, value_weight=0.7)
    sample = a_sample(config, some_weights(0), reference=some_weights(1))
    weights = {"kernel": some_weights(0)["kernel"] + some_weights(2, 0.3)["kernel"]}
    loss = functools.partial(policy_gradient.loss, config, LINEAR)
    (total, scalars), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(weights, sample)
    np.testing.assert_allclose(total, loss_by_numpy(config, weights, sample), rtol=1e-4)
    assert 0.1 < scalars["clipped"] < 0.9 and scalars["policy_change"] > 0.01
    for seed in range(3):
        direction = np.asarray(some_weights(10 + seed)["kernel"], np.float64)
        ahead, behind = (
            loss_by_numpy(config, {"kernel": np.float64(weights["kernel"]) + h * direction}, sample)
            for h in (1e-5, -1e-5)
        )
        slope = np.sum(np.asarray(gradient["kernel"]) * direction)
        np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_first_update_is_textbook_reinforce(baseline):
    """Where nothing has changed yet: minus the mean of advantage times the slope of the action's log probability."""
    config = PolicyGradientConfig(baseline=baseline, entropy_weight=0.0, value_weight=0.0)
    weights = some_weights(0)
    sample = a_sample(config, weights)
    loss = functools.partial(policy_gradient.loss, config, LINEAR)
    gradient, scalars = jax.jit(jax.grad(loss, has_aux=True))(weights, sample)
    assert scalars["clipped"] == 0 and abs(scalars["policy_change"]) < 1e-6
    log_policy = log_policy_by_numpy(weights, sample)
    is_choice = (np.asarray(sample.weight) > 0) & (np.asarray(sample.rollout.legal).sum(-1) > 1)
    advantage = normalised(config, sample, is_choice)
    expected = np.zeros((NUM_INPUTS, NUM_ACTIONS + 1))
    for at in zip(*np.nonzero(is_choice), strict=True):
        slope = -np.exp(log_policy[at])
        slope[sample.rollout.action[at]] += 1
        expected[:, :-1] -= advantage[at] * np.outer(sample.rollout.observation[at], slope) / is_choice.sum()
    np.testing.assert_allclose(gradient["kernel"], expected, rtol=1e-4, atol=1e-5)
    entropy = -np.sum(np.exp(log_policy) * np.where(sample.rollout.legal, log_policy, 0), axis=-1)
    np.testing.assert_allclose(scalars["entropy"], entropy[is_choice].mean(), rtol=1e-4)


def test_targets_of_the_critic_are_its_advantages_and_values():
    config = PolicyGradientConfig(discount=0.9, decay=1.0)
    played = a_rollout(some_weights(0))
    sample = policy_gradient.prepare(config, LINEAR, played)
    following = np.asarray(played.last_value, np.float64)
    for t in reversed(range(STEPS)):  # with λ = 1: discounted returns, the last value standing for what was not seen
        following = played.reward[t] + 0.9 * played.discount[t] * following
        np.testing.assert_allclose(sample.target[t], following, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(sample.advantage[t], following - played.value[t], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["group", "mean"])
def test_episodes_that_were_not_seen_to_end_teach_nothing(baseline):
    config = PolicyGradientConfig(baseline=baseline)
    weights, changed = some_weights(0), some_weights(0)
    played = a_rollout(weights)
    sample = policy_gradient.prepare(config, LINEAR, played, groups(), NUM_GROUPS)
    has_ended = np.asarray(sample.weight) > 0
    assert not has_ended[:, 1].any() and has_ended[:, 0].all()
    gradient = jax.grad(lambda seen: _total(config, changed, sample, seen))(played.observation)
    assert np.all((np.abs(gradient).max(-1) > 0) <= has_ended) and np.any(gradient != 0)


def _total(config, weights, sample, observation):
    seen = sample._replace(rollout=sample.rollout._replace(observation=observation))
    return policy_gradient.loss(config, LINEAR, weights, seen)[0]


@functools.partial(jax.jit, static_argnames=("config",))
def learnt(config: PolicyGradientConfig, weights, sample: Sample, key):
    optimizer = policy_gradient.make_optimizer(config, 1000)
    return policy_gradient.learn(config, LINEAR, optimizer, learner.init(optimizer, weights), sample, key)


def test_a_huge_weight_of_divergence_brings_the_policy_back_to_the_reference():
    reference, weights = some_weights(1), some_weights(0)
    config = PolicyGradientConfig(kl_weight=1e3, num_epochs=200, num_minibatches=2, learning_rate=0.02)
    sample = a_sample(config, weights, reference)
    state, _ = learnt(config, weights, sample, jax.random.key(0))
    distances = []
    for each in (weights, state.params):
        log_policy = log_policy_by_numpy(each, sample)
        there = np.where(sample.rollout.legal, np.asarray(sample.reference), 0)
        here = np.where(sample.rollout.legal, log_policy, 0)
        distances.append(np.mean(np.sum(np.where(sample.rollout.legal, np.exp(log_policy) * (here - there), 0), -1)))
    assert distances[0] > 0.3 and distances[1] < 0.01


def test_a_huge_weight_of_entropy_makes_the_policy_even():
    config = PolicyGradientConfig(entropy_weight=1e3, num_epochs=200, num_minibatches=2, learning_rate=0.02)
    sample = a_sample(config, some_weights(0))
    state, _ = learnt(config, some_weights(0), sample, jax.random.key(0))
    even = np.log(np.where(sample.rollout.legal, 1 / np.asarray(sample.rollout.legal).sum(-1, keepdims=True), 1))
    before, after = (
        np.max(np.abs(np.where(sample.rollout.legal, log_policy_by_numpy(each, sample), 0) - even))
        for each in (some_weights(0), state.params)
    )
    assert before > 1 and after < 0.1


def test_an_epoch_learns_from_every_place_once():
    """By tiny steps, so that the order makes no difference: four of a quarter each are four of the whole."""
    weights = jax.tree.map(jnp.zeros_like, some_weights(0))
    played = a_rollout(weights, has_choice=True)
    played = played._replace(discount=played.discount.at[-1].set(0))  # all episodes end: all steps count alike
    changes, averages = [], []
    for num_minibatches in (1, 4):
        config = PolicyGradientConfig("mean", num_epochs=3, num_minibatches=num_minibatches, average_decay=0.5)
        sample, optimizer = policy_gradient.prepare(config, LINEAR, played), optax.sgd(1e-4 / num_minibatches)
        start = learner.init(optimizer, weights)
        learn = jax.jit(functools.partial(policy_gradient.learn, config, LINEAR, optimizer))
        state, _ = learn(start, sample, jax.random.key(0))
        averages.append(np.asarray(state.average["kernel"]))
        assert state.num_updates == 3 * num_minibatches
        changes.append(np.asarray(state.params["kernel"]))
    np.testing.assert_allclose(changes[1], changes[0], rtol=0.01, atol=1e-8)
    assert np.max(np.abs(changes[0])) > 1e-5
    # After steps of 1 the weights are at 3. Their mean begins at the first and goes half the way: 1, 1.5, then 2.25.
    np.testing.assert_allclose(averages[0], 2.25 / 3 * changes[0], rtol=0.01, atol=1e-8)


@pytest.mark.parametrize(
    "baseline", ["critic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("group", "mean"))]
)
def test_four_devices_learn_like_one_from_all_places(baseline):
    """With plain gradient descent, which shows any wrong scale; tries of an instance are spread over devices."""
    config = PolicyGradientConfig(baseline, num_epochs=2, num_minibatches=1, kl_weight=0.1)
    weights, reference, optimizer = some_weights(0), some_weights(1), optax.sgd(0.3)
    played, group = a_rollout(weights), groups()

    def learn(played, group, key, axis=None):
        sample = policy_gradient.prepare(config, LINEAR, played, group, NUM_GROUPS, reference, axis)
        return policy_gradient.learn(config, LINEAR, optimizer, learner.init(optimizer, weights), sample, key, axis)

    def share(x):
        return jnp.moveaxis(x.reshape(*x.shape[:1], 4, -1, *x.shape[2:]), 1, 0)

    shares = jax.tree.map(share, played._replace(last_value=()))
    shares = shares._replace(last_value=played.last_value.reshape(4, -1))
    alone = jax.jit(learn)(played, group, jax.random.key(0))
    is_mapped = baseline == "critic" and jax.local_device_count() >= 4  # one of each, since a pmap compiles long
    spread = jax.pmap if is_mapped else jax.vmap
    on_each = spread(functools.partial(learn, axis="devices"), axis_name="devices")
    together = on_each(shares, share(group), jax.random.split(jax.random.key(0), 4))
    for device in range(4):
        jax.tree.map(lambda x, y, d=device: np.testing.assert_allclose(x[d], y, rtol=1e-4, atol=1e-5), together, alone)
    assert np.max(np.abs(alone[0].params["kernel"] - weights["kernel"])) > 0.01


def test_gradients_are_finite_at_the_extremes():
    config = PolicyGradientConfig(kl_weight=1.0)
    for scale in (0.0, 1e3):
        for is_alone in (True, False):
            sample = a_sample(config, some_weights(0), some_weights(1, scale))
            if is_alone:
                legal = jax.nn.one_hot(sample.rollout.action, NUM_ACTIONS) > 0
                sample = sample._replace(rollout=sample.rollout._replace(legal=legal))
            gradient, scalars = jax.grad(
                lambda w, sample=sample: policy_gradient.loss(config, LINEAR, w, sample), has_aux=True
            )(some_weights(2, scale))
            assert all(np.all(np.isfinite(x)) for x in (gradient["kernel"], *scalars.values()))
            assert not is_alone or np.all(gradient["kernel"][:, :-1] == 0)


class Asked(NamedTuple):
    """An episode of the tiny task: three times a number is shown, and the same number is to be said."""

    number: jax.Array  # int32 []
    time: jax.Array  # int32 []
    reward: jax.Array  # float32 []
    discount: jax.Array  # float32 []


class Echo:
    """An environment of the contract; 5 is no number and never legal."""

    num_actions, observation_shape = 6, (1,)

    def at(self, number) -> Asked:
        return Asked(jnp.int32(number), jnp.int32(0), jnp.float32(0), jnp.float32(1))

    def step(self, state: Asked, action: jax.Array) -> Asked:
        reward = jnp.where((action == state.number) & (state.discount != 0), 1.0, 0.0)
        time = jnp.minimum(state.time + 1, 3)
        return Asked(state.number, time, reward, jnp.where(time == 3, 0.0, 1.0))

    def renew(self, state: Asked) -> Asked:
        fresh = self.at((state.number + 1) % 5)
        return jax.tree.map(lambda new, old: jnp.where(state.discount == 0, new, old), fresh, state)

    def observe(self, state: Asked) -> jax.Array:
        return state.number[None]

    def legal_actions(self, state: Asked) -> jax.Array:
        return jnp.arange(6) < 5


@pytest.mark.parametrize(
    "baseline", ["critic", *(pytest.param(name, marks=pytest.mark.slow) for name in ("group", "mean"))]
)
def test_each_baseline_learns_to_say_what_it_sees(baseline):
    config = PolicyGradientConfig(baseline, num_minibatches=2, learning_rate=0.02, entropy_weight=0.0)
    policy, env, num = policies.make(TokenConfig(5, 6, width=8, num_layers=1)), Echo(), 20
    optimizer = policy_gradient.make_optimizer(config, 25 * 8)

    @jax.jit
    def iteration(state, key):
        play_key, learn_key = jax.random.split(key)
        episodes = jax.vmap(env.at)(jnp.arange(num) % 5)
        played = rollout.play(env, policy, state.params, play_key, episodes, 6, env.renew, lambda s: s.number)
        sample = policy_gradient.prepare(config, policy, played, played.note, 5)
        state, scalars = policy_gradient.learn(config, policy, optimizer, state, sample, learn_key)
        return state, (jnp.mean(played.reward), scalars)

    state = learner.init(optimizer, jax.jit(policy.init, static_argnums=1)(jax.random.key(0), 1))
    rewards = []
    for i in range(25):
        state, (reward, _) = iteration(state, jax.random.fold_in(jax.random.key(1), i))
        rewards.append(float(reward))
    assert rewards[0] < 0.4 and np.mean(rewards[-3:]) > 0.9, rewards


def test_the_rate_falls_to_a_tenth():
    config = PolicyGradientConfig(learning_rate=0.01)
    optimizer, weights = policy_gradient.make_optimizer(config, 10), {"kernel": jnp.ones(1)}
    state, changes = optimizer.init(weights), []
    for _ in range(12):
        change, state = optimizer.update({"kernel": jnp.full(1, 0.4)}, state, weights)
        changes.append(-float(change["kernel"][0]))
    np.testing.assert_allclose(changes, [0.01 - 0.009 * min(i, 10) / 10 for i in range(12)], rtol=1e-3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"baseline": "median"}, ["baseline", "critic, group, mean", "'median'"]),
        ({"num_epochs": 0}, ["num_epochs", "at least 1"]),
        ({"num_minibatches": 0}, ["num_minibatches", "at least 1"]),
        ({"clip": -0.1}, ["clip", "at least 0"]),
        ({"learning_rate": float("nan")}, ["learning_rate", "nan"]),
        ({"discount": 1.1}, ["discount", "at most 1"]),
        ({"decay": 2.0}, ["decay", "at most 1"]),
        ({"average_decay": 1.0}, ["average_decay", "less than 1"]),
    ],
)
def test_settings_that_cannot_be_are_named(settings, words):
    with pytest.raises(SettingError) as error:
        PolicyGradientConfig(**settings)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_what_does_not_fit_a_rollout_is_named():
    weights = some_weights(0)
    with pytest.raises(ValueError, match=r"baseline group needs .* group of every step, got none"):
        policy_gradient.prepare(PolicyGradientConfig("group"), LINEAR, a_rollout(weights))
    config = PolicyGradientConfig(num_minibatches=3)
    with pytest.raises(SettingError, match="num_minibatches must divide the 8 places of a rollout, got 3"):
        learnt(config, weights, a_sample(config, weights), jax.random.key(0))
