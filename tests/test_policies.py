"""Every kind of policy acts step by step as it learns from whole rollouts, and sees what it may see."""

import functools
import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain.networks import policy as policies
from rl_pretrain.networks import tokens as token_networks
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.settings import SettingError

STEPS, PLACES, SEEN, NUM_TOKENS, NUM_ACTIONS = 9, 4, 3, 5, 6
KINDS = ("mlp", "window", "causal", "gru")


@functools.cache
def compiled(kind: str):
    """Weights, and a function of tokens and beginnings: logits, values of `unroll`, and of as many calls of `step`."""
    policy = policies.make(TokenConfig(NUM_TOKENS, NUM_ACTIONS, kind=kind, width=8, num_heads=2))
    weights = jax.jit(policy.init, static_argnums=1)(jax.random.key(0), SEEN)
    # Fresh heads say almost the same of everything.
    weights["params"]["heads"] = jax.tree.map(lambda x: 10 * x + 0.1, weights["params"]["heads"])

    def one_by_one(weights, tokens, is_first):
        def step(memory, row):
            return policy.step(weights, memory, *row)

        return jax.lax.scan(step, policy.initial(PLACES, STEPS), (tokens, is_first))[1]

    @jax.jit
    def both(tokens, is_first):
        return *policy.unroll(weights, tokens, is_first), *one_by_one(weights, tokens, is_first)

    return policy, weights, both


def episodes(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random tokens; episodes begin in mid-rollout in all places but the last."""
    chance = np.random.default_rng(seed)
    tokens = chance.integers(NUM_TOKENS, size=(STEPS, PLACES, SEEN), dtype=np.int32)
    is_first = np.zeros((STEPS, PLACES), bool)
    is_first[0] = True
    for place, times in enumerate([(4,), (3, 4), (1, 8)]):
        is_first[list(times), place] = True
    return tokens, is_first


def others(tokens: np.ndarray) -> np.ndarray:
    return (tokens + 1) % NUM_TOKENS


@pytest.mark.parametrize("kind", KINDS)
def test_unroll_gives_what_as_many_steps_give(kind):
    _, _, both = compiled(kind)
    outputs = both(*episodes())
    for a, b, shape in zip(outputs[:2], outputs[2:], [(NUM_ACTIONS,), ()], strict=True):
        assert a.shape == (STEPS, PLACES, *shape)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        assert np.std(a) > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_before_an_episode_changes_nothing(kind):
    _, _, both = compiled(kind)
    tokens, is_first = episodes()
    changed = tokens.copy()
    changed[:3, 1] = others(changed[:3, 1])
    for before, after in zip(both(tokens, is_first), both(changed, is_first), strict=True):
        differs = np.abs(np.asarray(before) - after).reshape(STEPS, PLACES, -1).max(-1) > 1e-5
        assert differs[:3, 1].all()
        differs[:3, 1] = False
        assert not differs.any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_future_changes_nothing_and_the_past_only_what_remembers(kind):
    _, _, both = compiled(kind)
    tokens, is_first = episodes()
    changed = tokens.copy()
    changed[4] = others(changed[4])
    for before, after in zip(both(tokens, is_first), both(changed, is_first), strict=True):
        differs = np.abs(np.asarray(before) - after).reshape(STEPS, PLACES, -1).max(-1) > 1e-5
        assert differs[4].all() and not differs[:4].any()
        assert differs[5:8].all() == (kind in ("causal", "gru"))
        assert not differs[8, 2]  # an episode begins there


@pytest.mark.parametrize("kind", KINDS)
def test_an_episode_is_the_same_wherever_in_a_rollout_it_begins(kind):
    _, _, both = compiled(kind)
    tokens, is_first = episodes()
    moved = others(tokens)
    moved[: STEPS - 4, 3] = tokens[4:, 0]
    for late, early in zip(both(tokens, is_first), both(moved, is_first), strict=True):
        np.testing.assert_allclose(late[4:, 0], early[: STEPS - 4, 3], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_reaches_all_weights(kind):
    policy, weights, _ = compiled(kind)
    tokens, is_first = episodes()
    slopes = np.random.default_rng(1).normal(size=(STEPS, PLACES, NUM_ACTIONS))

    @jax.jit
    def gradient(weights):
        def total(weights):
            logits, values = policy.unroll(weights, tokens, is_first)
            return jnp.sum(logits * slopes) + jnp.sum(values)

        return jax.grad(total)(weights)

    for path, leaf in jax.tree.leaves_with_path(gradient(weights)):
        assert np.isfinite(leaf).all() and np.max(np.abs(leaf)) > 1e-6, jax.tree_util.keystr(path)


@pytest.mark.parametrize("kind", ["mlp", "window"])
def test_places_of_an_observation_are_told_apart(kind):
    _, _, both = compiled(kind)
    tokens, is_first = episodes()
    tokens[..., 0], tokens[..., 1] = 1, 2
    logits, *_ = both(tokens, is_first)
    swapped, *_ = both(tokens[..., [1, 0, 2]], is_first)
    assert np.all(np.max(np.abs(logits - swapped), axis=-1) > 1e-3)


def test_attention_is_a_weighted_mean_of_what_may_be_seen():
    chance = np.random.default_rng(0)
    query, key, value = (chance.normal(size=(n, 2, 4)).astype(np.float32) for n in (3, 5, 5))
    mask = chance.random((3, 5)) < 0.5
    mask[:, 0] = True
    found = token_networks.attend(*map(jnp.asarray, (query, key, value, mask)))
    for i, head in np.ndindex(3, 2):
        weights = [math.exp(sum(query[i, head] * key[j, head]) / math.sqrt(4)) if mask[i, j] else 0.0 for j in range(5)]
        expected = sum(w / sum(weights) * value[j, head] for j, w in enumerate(weights))
        np.testing.assert_allclose(found[i, head], expected, rtol=1e-4, atol=1e-5)


def test_rotated_products_depend_on_the_distance():
    chance = np.random.default_rng(0)
    x, y = (jnp.float32(chance.normal(size=(1, 1, 8))) for _ in range(2))

    def product(i: float, j: float) -> float:
        rotated = (token_networks.rotate(z, jnp.float32([k])) for z, k in ((x, i), (y, j)))
        return float(jnp.sum(jnp.multiply(*rotated)))

    assert product(0, 0) == pytest.approx(float(jnp.sum(x * y)), abs=1e-5)
    assert product(7, 3) == pytest.approx(product(104, 100), abs=1e-3)
    assert abs(product(7, 3) - product(7, 4)) > 0.01
    assert abs(product(7, 3) - product(3, 7)) > 0.01


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "lstm"}, ["kind", "mlp, window, causal, gru", "'lstm'"]),
        ({"width": 0}, ["width", "at least 1"]),
        ({"num_layers": 0}, ["num_layers", "at least 1"]),
        ({"num_tokens": 0}, ["num_tokens", "at least 1"]),
        ({"kind": "causal", "width": 12, "num_heads": 4}, ["width", "multiple of twice num_heads", "12 and 4"]),
    ],
)
def test_settings_that_cannot_be_are_named(settings, words):
    with pytest.raises(SettingError) as error:
        TokenConfig(**{"num_tokens": 5, "num_actions": 5} | settings)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_batch_of_matrices_is_decomposed_when_seeds_begin_side_by_side(kind):
    """On CPUs that waits for ever at times, see `rl_pretrain.networks.initializers`."""
    policy = policies.make(TokenConfig(NUM_TOKENS, NUM_ACTIONS, kind=kind, width=8, num_heads=2))
    keys = jax.random.split(jax.random.key(0), 3)
    begin = jax.jit(jax.vmap(lambda key: policy.init(key, 2)))
    decomposed = re.findall(r"@\w*geqrf\w*\(.*?: \(tensor<([0-9x]+)xf32>", begin.lower(keys).as_text())
    assert decomposed and all(shape.count("x") == 1 for shape in decomposed), decomposed
    alone = [jax.jit(policy.init, static_argnums=1)(key, 2) for key in keys]
    chex.assert_trees_all_close(begin(keys), jax.tree.map(lambda *x: jnp.stack(x), *alone), rtol=1e-5, atol=1e-6)
