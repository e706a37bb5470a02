"""The tower is one function on all board sizes, sees the whole board, and answers in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain.networks.conv import Block, ConvConfig, ConvNet, pool

PLANES = 4
SMALL = ConvConfig(num_blocks=1, num_channels=8, num_head_channels=4)


def boards(size: int, batch: int = 3, seed: int = 0) -> jax.Array:
    return jnp.float32(np.random.default_rng(seed).normal(size=(batch, size, size, PLANES)))


def random_like(params, seed: int = 0):
    """Weights of which none is zero, as after training."""
    chance = np.random.default_rng(seed)
    return jax.tree.map(lambda x: jnp.float32(chance.normal(size=x.shape) / np.sqrt(max(x.shape[0], 4))), params)


@pytest.fixture(scope="module")
def net() -> ConvNet:
    return ConvNet(SMALL, num_other_actions=1)


@pytest.fixture(scope="module")
def params(net):
    return random_like(jax.eval_shape(net.init, jax.random.key(0), boards(5)))


def test_the_same_weights_play_5x5_and_9x9(net, params):
    assert jax.eval_shape(net.init, jax.random.key(0), boards(9)) == jax.eval_shape(lambda: params)
    for size in (5, 9):
        logits, values = net.apply(params, boards(size))
        assert (logits.shape, values.shape) == ((3, size**2 + 1), (3,))
        assert np.all(np.isfinite(logits))
        assert np.all(np.abs(values) <= 1)
        assert np.std(values) > 0


def test_there_are_weights_and_nothing_else(net):
    """No running averages: the same function in search and in training, and no state to keep."""
    assert list(jax.eval_shape(net.init, jax.random.key(0), boards(5))) == ["params"]


@pytest.mark.slow
def test_a_board_is_seen_alone_as_in_a_batch(net, params):
    batch = boards(5)
    logits, values = net.apply(params, batch)
    for i in range(3):
        alone = net.apply(params, batch[i])
        assert (alone[0].shape, alone[1].shape) == ((26,), ())
        np.testing.assert_allclose(alone[0], logits[i], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(alone[1], values[i], rtol=1e-4, atol=1e-5)
    stacked = net.apply(params, batch[None])
    np.testing.assert_allclose(stacked[0][0], logits, rtol=1e-4, atol=1e-5)


def test_logits_lie_where_their_points_lie(net, params):
    """Mirroring the board and every kernel mirrors the policy and leaves the pass and the value alone."""
    mirrored_params = jax.tree.map(lambda x: x[::-1] if x.ndim == 4 else x, params)
    batch = boards(5)
    logits, values = net.apply(params, batch)
    mirrored_logits, mirrored_values = net.apply(mirrored_params, batch[:, ::-1])
    points, mirrored_points = (x[:, :25].reshape(3, 5, 5) for x in (logits, mirrored_logits))
    np.testing.assert_allclose(mirrored_points, points[:, ::-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mirrored_logits[:, 25], logits[:, 25], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mirrored_values, values, rtol=1e-4, atol=1e-5)
    assert np.max(np.abs(points - points[:, ::-1])) > 0.01


def test_a_fresh_tower_is_the_identity():
    """Its blocks add nothing, so that a tower of two blocks and one without compute the same."""
    tower = Block(jnp.float32)
    x = boards(5)
    fresh = jax.jit(tower.init)(jax.random.key(0), x)
    np.testing.assert_array_equal(tower.apply(fresh, x), x)
    assert np.max(np.abs(tower.apply(random_like(fresh), x) - x)) > 0.01
    last = fresh["params"]["Conv_1"]
    assert not np.any(last["kernel"])
    gradient = jax.grad(lambda params: jnp.sum(tower.apply(params, x) ** 2))(fresh)["params"]["Conv_1"]["kernel"]
    assert np.any(gradient)  # zero, but free to leave it


def test_every_point_is_heard_everywhere(net, params):
    """Two convolutions reach two points far; the rest must come through the pools of block and heads."""
    block = Block(jnp.float32)
    weights = random_like(jax.eval_shape(block.init, jax.random.key(0), boards(9)))
    of_block = jax.grad(lambda x: jnp.sum(block.apply(weights, x)[8, 8]))(boards(9)[0])
    of_corner = jax.grad(lambda x: net.apply(params, x)[0][80])(boards(9)[0])
    of_value = jax.grad(lambda x: net.apply(params, x)[1])(boards(9)[0])
    for gradient in (of_block, of_corner, of_value):
        assert np.all(np.any(gradient != 0, axis=-1))


def test_bfloat16_computes_nearly_the_same_and_answers_in_float32(net, params):
    half = ConvNet(ConvConfig(**{**SMALL.__dict__, "bfloat16": True}), num_other_actions=1)
    weights = jax.eval_shape(half.init, jax.random.key(0), boards(5))
    assert {x.dtype for x in jax.tree.leaves(weights)} == {jnp.dtype(jnp.float32)}
    for answer, exact in zip(half.apply(params, boards(5)), net.apply(params, boards(5)), strict=True):
        assert answer.dtype == exact.dtype == jnp.float32
        np.testing.assert_allclose(answer, exact, atol=0.1)
        assert np.any(answer != exact)


def test_half_precision_observations_from_the_replay_are_welcome(net, params):
    coarse = jnp.round(boards(5) * 8) / 8
    for answer, exact in zip(net.apply(params, coarse.astype(jnp.float16)), net.apply(params, coarse), strict=True):
        assert answer.dtype == jnp.float32
        np.testing.assert_array_equal(answer, exact)


@pytest.mark.parametrize("num_other_actions", [0, 1, 3])
def test_other_actions_follow_the_points(num_other_actions):
    net = ConvNet(SMALL, num_other_actions)
    logits, values = jax.eval_shape(lambda x: net.init_with_output(jax.random.key(0), x)[0], boards(3))
    assert (logits.shape, values.shape) == ((3, 9 + num_other_actions), (3,))


def test_boards_need_not_be_square(net, params):
    logits, _ = net.apply(params, boards(9)[:, :4])
    assert logits.shape == (3, 4 * 9 + 1)


def test_pools_mean_scaled_mean_and_maximum():
    x = boards(19)
    mean, scaled, greatest = jnp.split(pool(x), 3, axis=-1)
    np.testing.assert_allclose(mean, np.mean(x, axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(scaled, np.mean(x, axis=(1, 2)) * 0.5, atol=1e-5)  # (19 - 14) / 10
    np.testing.assert_array_equal(greatest, np.max(x, axis=(1, 2)))
