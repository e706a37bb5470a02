"""Learning goes where the targets are, and four devices learn what one would from all their positions together."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rl_pretrain import learner
from rl_pretrain.learner import LearnConfig
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.replay import Example

BATCH, NUM_INPUTS, NUM_ACTIONS = 24, 6, 5
CONFIG = LearnConfig(value_weight=0.7, average_decay=0.9)


def linear(params, observations):
    hidden = observations @ params["kernel"] + params["bias"]
    return hidden[..., :-1], jnp.tanh(hidden[..., -1])


def linear_params(chance: np.random.Generator):
    kernel = chance.normal(size=(NUM_INPUTS, NUM_ACTIONS + 1)) / 2
    return {"kernel": jnp.float32(kernel), "bias": jnp.float32(chance.normal(size=NUM_ACTIONS + 1) / 2)}


def examples(chance: np.random.Generator, size: int = BATCH, share_known: float = 0.6) -> Example:
    legal = chance.random((size, NUM_ACTIONS)) < 0.6
    legal[:, 0] |= ~legal.any(axis=1)
    policy = chance.dirichlet(np.ones(NUM_ACTIONS), size) * legal + 1e-3 * legal
    has_value = chance.random(size) < share_known
    return Example(
        observation=jnp.float32(chance.normal(size=(size, NUM_INPUTS))),
        legal=jnp.asarray(legal),
        policy=jnp.float32(policy / policy.sum(axis=1, keepdims=True)),
        has_policy=jnp.asarray(np.arange(size) % 3 != 0),
        value=jnp.float32(np.where(has_value, chance.choice([-1, 0, 1], size), 0)),
        has_value=jnp.asarray(has_value),
    )


def losses_by_numpy(logits, values, batch: Example) -> dict[str, float]:
    """Position by position, action by action, in double precision."""
    cross_entropy, entropy, target_entropy, squares, hits = [], [], [], [], []
    for i in range(len(logits)):
        legal = np.flatnonzero(batch.legal[i])
        chosen = np.asarray(logits[i], np.float64)[legal]
        log_policy = chosen - np.log(np.sum(np.exp(chosen)))
        target = np.asarray(batch.policy[i], np.float64)[legal]
        entropy.append(-np.sum(np.exp(log_policy) * log_policy))
        if batch.has_policy[i]:
            cross_entropy.append(-np.sum(target * log_policy))
            target_entropy.append(-np.sum(target * np.log(target)))
            hits.append(np.argmax(log_policy) == np.argmax(target))
        if batch.has_value[i]:
            squares.append((float(values[i]) - float(batch.value[i])) ** 2)
    return {
        "policy_loss": np.mean(cross_entropy),
        "policy_kl": np.mean(cross_entropy) - np.mean(target_entropy),
        "value_loss": np.mean(squares) if squares else 0.0,
        "policy_entropy": np.mean(entropy),
        "value_known": len(squares) / len(logits),
        "policy_accuracy": np.mean(hits),
    }


@pytest.mark.parametrize("share_known", [0.0, 0.3, 1.0])
def test_losses_are_what_numpy_says(share_known):
    chance = np.random.default_rng(0)
    params, batch = linear_params(chance), examples(chance, share_known=share_known)
    losses = learner.losses(linear, params, batch)
    by_numpy = losses_by_numpy(*linear(params, batch.observation), batch)
    assert losses.keys() == by_numpy.keys()
    for name, loss in losses.items():
        np.testing.assert_allclose(loss, by_numpy[name], rtol=1e-5, atol=1e-6, err_msg=name)


def total(params, batch: Example):
    losses = learner.losses(linear, params, batch)
    return losses["policy_loss"] + losses["value_loss"]


def test_logits_of_illegal_actions_teach_nothing_and_are_taught_nothing():
    chance = np.random.default_rng(0)
    params, batch = linear_params(chance), examples(chance)

    def losses(logits):
        return learner.losses(lambda logits, _: (logits, jnp.zeros(BATCH)), logits, batch)

    logits, _ = linear(params, batch.observation)
    shouted = jnp.where(batch.legal, logits, 1e6 * chance.normal(size=logits.shape))
    jax.tree.map(np.testing.assert_array_equal, losses(logits), losses(shouted))
    gradient = jax.grad(lambda logits: sum(losses(logits).values()))(shouted)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_array_equal(gradient[~batch.legal], 0)
    is_taught = batch.has_policy[:, None] & batch.legal & (batch.legal.sum(axis=1, keepdims=True) > 1)
    assert np.all(gradient[is_taught] != 0)


def test_positions_of_unknown_outcome_do_not_teach_the_value():
    chance = np.random.default_rng(0)
    params, batch = linear_params(chance), examples(chance)

    def value_loss(values):
        return learner.losses(lambda values, _: (jnp.zeros((BATCH, NUM_ACTIONS)), values), values, batch)["value_loss"]

    gradient = jax.grad(value_loss)(linear(params, batch.observation)[1])
    np.testing.assert_array_equal(gradient != 0, batch.has_value)


def divergence(held, free, batch: Example):
    return learner.losses(linear, free, batch, reference=held)["anchor_kl"]


def test_the_divergence_is_what_numpy_says_and_nothing_flows_to_the_reference():
    chance = np.random.default_rng(0)
    held, free, batch = linear_params(chance), linear_params(chance), examples(chance)
    expected = []
    for i in range(BATCH):
        legal = np.flatnonzero(batch.legal[i])
        p, q = (np.exp(np.asarray(linear(x, batch.observation)[0][i], np.float64)[legal]) for x in (held, free))
        p, q = p / p.sum(), q / q.sum()
        expected.append(np.sum(p * np.log(p / q)))
    np.testing.assert_allclose(divergence(held, free, batch), np.mean(expected), rtol=1e-4)
    np.testing.assert_allclose(divergence(held, held, batch), 0, atol=1e-6)
    to_reference, to_params = jax.grad(divergence, (0, 1))(held, free, batch)
    assert not np.any(to_reference["kernel"]) and np.any(to_params["kernel"])


def test_an_anchor_adds_its_divergence_as_strong_as_asked():
    chance = np.random.default_rng(0)
    held, params, batch = linear_params(chance), linear_params(chance), examples(chance)
    optimizer = optax.sgd(0.1)
    anchor = learner.Anchor(held, jnp.float32(3.0))
    start = learner.init(optimizer, params)
    after, scalars = learner.update(linear, optimizer, CONFIG, start, batch, anchor=anchor)
    free, _ = learner.update(linear, optimizer, CONFIG, start, batch)
    pull = jax.grad(functools.partial(divergence, held))(params, batch)
    jax.tree.map(
        lambda x, y, g: np.testing.assert_allclose(x, y - 0.1 * 3.0 * g, rtol=1e-4, atol=1e-6),
        after.params,
        free.params,
        pull,
    )
    np.testing.assert_allclose(scalars["anchor_kl"], divergence(held, params, batch), rtol=1e-5)


@pytest.mark.parametrize("where", ["vmap", "pmap"])
def test_four_devices_learn_like_one_from_all_positions(where):
    """With plain gradient descent, which shows any wrong scale. Known outcomes lie unevenly, on one device none."""
    chance = np.random.default_rng(0)
    params, batch = linear_params(chance), examples(chance, size=4 * BATCH)
    shares = jax.tree.map(lambda x: x.reshape(4, BATCH, *x.shape[1:]), batch)
    known = np.asarray(shares.has_value) & np.array([[False], [True], [True], [True]])
    known[1, 2:] = False
    shares = shares._replace(has_value=jnp.asarray(known), value=jnp.where(known, shares.value, 0))
    batch = jax.tree.map(lambda x: x.reshape(4 * BATCH, *x.shape[2:]), shares)

    optimizer = optax.sgd(1.0)
    update = functools.partial(learner.update, linear, optimizer, CONFIG)
    start = learner.init(optimizer, params)
    alone, alone_scalars = jax.jit(update)(start, batch)

    if where == "pmap" and jax.local_device_count() < 4:
        pytest.skip("needs four devices")
    spread = jax.pmap if where == "pmap" else jax.vmap
    on_each = jax.tree.map(lambda x: jnp.broadcast_to(x, (4, *x.shape)), start)
    together, scalars = spread(functools.partial(update, axis="devices"), axis_name="devices")(on_each, shares)

    for device in range(4):
        jax.tree.map(
            lambda x, y, d=device: np.testing.assert_allclose(x[d], y, rtol=1e-5, atol=1e-6),
            (together, scalars),
            (alone, alone_scalars),
        )
    assert np.max(np.abs(alone.params["kernel"] - params["kernel"])) > 0.01


def test_the_gradient_is_of_the_weighted_sum_of_losses():
    chance = np.random.default_rng(0)
    params, batch = linear_params(chance), examples(chance)
    optimizer = optax.sgd(0.1)
    after, scalars = learner.update(linear, optimizer, CONFIG, learner.init(optimizer, params), batch)

    def weighted(params):
        by_name = learner.losses(linear, params, batch)
        return by_name["policy_loss"] + 0.7 * by_name["value_loss"]

    gradient = jax.grad(weighted)(params)
    jax.tree.map(
        lambda x, y, g: np.testing.assert_allclose(x, y - 0.1 * g, rtol=1e-5, atol=1e-7), after.params, params, gradient
    )
    norm = math.sqrt(sum(float(jnp.sum(g**2)) for g in gradient.values()))
    np.testing.assert_allclose(scalars["gradient_norm"], norm, rtol=1e-5)
    assert after.num_updates == 1


@pytest.mark.slow
def test_overfits_one_batch():
    net = ConvNet(ConvConfig(num_blocks=1, num_channels=16, num_head_channels=8), num_other_actions=1)
    chance = np.random.default_rng(0)
    size = 12
    batch = Example(
        observation=jnp.float32(chance.random((size, 3, 3, 4)) < 0.5),
        legal=jnp.ones((size, 10), bool).at[:, 3].set(False),
        policy=jax.nn.one_hot(jnp.asarray(chance.choice([0, 1, 2, 4, 5, 9], size)), 10),
        has_policy=jnp.ones(size, bool),
        value=jnp.float32(chance.choice([-1, 1], size)),
        has_value=jnp.asarray(np.arange(size) != 0),
    )
    config = LearnConfig(learning_rate=1e-2, final_learning_rate=1e-3, num_warmup_updates=10)
    optimizer = learner.make_optimizer(config, 150)
    state = learner.init(optimizer, jax.jit(net.init)(jax.random.key(0), batch.observation))
    update = jax.jit(functools.partial(learner.update, net.apply, optimizer, config))
    for _ in range(150):
        state, scalars = update(state, batch)
        assert all(np.isfinite(x) for x in scalars.values())
    known = np.asarray(batch.has_value)
    for params in (state.params, state.average):
        logits, values = jax.jit(net.apply)(params, batch.observation)
        policy = jax.nn.softmax(jnp.where(batch.legal, logits, -jnp.inf))
        np.testing.assert_allclose(policy, batch.policy, atol=0.1)
        np.testing.assert_allclose(values[known], batch.value[known], atol=0.2)
    assert abs(scalars["policy_kl"]) < 0.02
    assert abs(scalars["value_loss"]) < 0.02


def changes(config: LearnConfig, gradients: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """What each update of a whole run adds to a kernel weight and to a bias, both of value 1 and of one gradient."""
    optimizer = learner.make_optimizer(config, len(gradients))
    params = {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}

    def one(opt_state, gradient):
        change, opt_state = optimizer.update(jax.tree.map(lambda x: gradient * x, params), opt_state, params)
        return opt_state, (change["kernel"][0, 0], change["bias"][0])

    return jax.tree.map(np.asarray, jax.lax.scan(one, optimizer.init(params), jnp.float32(gradients))[1])


@pytest.mark.parametrize(("warmup", "total", "rises_for"), [(20, 100, 20), (80, 100, 50), (0, 10, 0), (100, 1, 0)])
def test_the_rate_rises_over_the_warmup_and_falls_along_a_cosine(warmup, total, rises_for):
    """Under a constant gradient Adam moves by just the rate, whatever the gradient."""
    config = LearnConfig(learning_rate=0.01, final_learning_rate=0.002, num_warmup_updates=warmup, weight_decay=0.0)
    _, bias = changes(config, [0.3] * total)
    expected = []
    for i in range(total):
        progress = (i - rises_for) / max(total - rises_for, 1)
        is_rising = i < rises_for
        expected.append(0.01 * i / rises_for if is_rising else 0.002 + 0.008 * (1 + math.cos(math.pi * progress)) / 2)
    np.testing.assert_allclose(-bias, expected, rtol=1e-3, atol=1e-7)


def test_weights_decay_only_in_kernels():
    config = LearnConfig(learning_rate=0.01, final_learning_rate=0.01, num_warmup_updates=0, weight_decay=0.5)
    kernel, bias = changes(config, [0.0] * 5)
    np.testing.assert_allclose(kernel, -0.01 * 0.5, rtol=1e-5)
    np.testing.assert_array_equal(bias, 0)


def test_a_gradient_counts_for_its_greatest_length_at_most():
    config = LearnConfig(max_gradient_norm=1.0, num_warmup_updates=0)
    runs = [changes(config, [0.2, outlier, 0.2, 0.2]) for outlier in (1.0, 1e3, 1e6, 0.5)]
    for run in runs[1:3]:
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), run, runs[0])
    assert not np.allclose(runs[0], runs[3], rtol=1e-3)


def test_the_average_is_a_plain_mean_at_first_and_exponential_later():
    chance = np.random.default_rng(0)
    optimizer, config = optax.sgd(0.3), LearnConfig(average_decay=0.75)
    state = learner.init(optimizer, linear_params(chance))
    update = jax.jit(functools.partial(learner.update, linear, optimizer, config))
    kernels, average = [], None
    for i in range(8):
        state, _ = update(state, examples(chance))
        kernels.append(np.asarray(state.params["kernel"], np.float64))
        average = np.mean(kernels, axis=0) if i < 4 else 0.75 * average + 0.25 * kernels[-1]
        np.testing.assert_allclose(state.average["kernel"], average, rtol=1e-4, atol=1e-6)
    assert np.max(np.abs(average - kernels[-1])) > 0.01


def test_gradients_are_finite_at_the_extremes():
    chance = np.random.default_rng(0)
    batch = examples(chance)
    batch = batch._replace(
        legal=batch.legal.at[0].set(jnp.arange(NUM_ACTIONS) == 2),  # one legal action
        policy=batch.policy.at[0].set(jnp.eye(NUM_ACTIONS)[2]),
        has_value=jnp.zeros(BATCH, bool),  # no outcome known at all
    )
    for scale in (0.0, 1.0, 1e4):
        params = jax.tree.map(lambda x, scale=scale: scale * x, linear_params(np.random.default_rng(1)))
        gradient = jax.grad(total)(params, batch)
        assert all(np.all(np.isfinite(x)) for x in gradient.values())
