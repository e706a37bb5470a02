"""Code written for gymnax runs on the tasks: they look like CartPole to it, and its own wrappers take them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import gymnax_api
from curricula.tasks import copying
from curricula.vocabulary import NUM_TOKENS

gymnax = pytest.importorskip("gymnax", reason="gymnax is an optional extra: pip install 'reward-pretraining[peers]'")
purerl = pytest.importorskip("gymnax.wrappers.purerl")


@pytest.fixture(scope="module")
def env():
    return gymnax_api.Gymnax(copying.copy())


def test_a_step_returns_what_cartpole_s_returns(env):
    def shapes(env):
        params = env.default_params
        _, state = env.reset(jax.random.key(0), params)
        return env.step(jax.random.key(1), state, jnp.int32(0), params)

    peer, _ = gymnax.make("CartPole-v1")
    ours, theirs = jax.eval_shape(lambda: shapes(env)), jax.eval_shape(lambda: shapes(peer))
    assert len(ours) == len(theirs) == 6
    for a, b in zip(ours[2:5], theirs[2:5], strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert set(theirs[5]) - {"discount"} <= set(ours[5])
    assert env.action_space(env.default_params).n == NUM_TOKENS
    assert ours[0].shape == env.observation_space(env.default_params).shape


def test_its_flattening_and_sticky_wrappers_take_a_task(env):
    wrapped = purerl.FlattenObservationWrapper(purerl.StickyActionWrapper(env, 0.0))
    seen, state = wrapped.reset(jax.random.key(0), env.default_params)
    assert seen.shape == wrapped.observation_space(env.default_params).shape == (2 * NUM_TOKENS,)
    seen, state, reward, terminated, truncated, info = wrapped.step(jax.random.key(1), state, 0, env.default_params)
    assert info["final_observation"].shape == (2 * NUM_TOKENS,)
    assert (float(reward), bool(terminated), bool(truncated)) == (0, False, False)


@pytest.mark.parametrize("make", [gymnax_api.Gymnax, gymnax_api.LegacyGymnax])
def test_episodes_end_pay_and_begin_anew_as_the_task_says(make):
    env = make(copying.copy())
    params = env.default_params._replace(level=1)  # three symbols: six steps

    def step(carry, key):
        seen, state = carry
        action = env.task.expert(state)
        seen_next, state_next, reward, *done, info = env.step(key, state, action, params)
        return (seen_next, state_next), (seen, action, reward, done[0], info)

    start = env.reset(jax.random.key(0), params)
    _, (seen, actions, rewards, done, info) = jax.lax.scan(step, start, jax.random.split(jax.random.key(1), 18))
    assert np.flatnonzero(done).tolist() == [5, 11, 17]
    assert np.flatnonzero(info["success"]).tolist() == [5, 11, 17]
    np.testing.assert_allclose(np.reshape(rewards, (3, 6)), [[0, 0, 0, *[1 / 3] * 3]] * 3, rtol=1e-6)
    shown, last = np.argmax(np.reshape(seen, (18, 2, NUM_TOKENS)), axis=2).T
    prompts = shown.reshape(3, 6)[:, :3]
    np.testing.assert_array_equal(np.reshape(actions, (3, 6))[:, 3:], prompts)
    assert len({tuple(prompt) for prompt in prompts.tolist()}) > 1  # new instances
    np.testing.assert_array_equal(last.reshape(3, 6)[:, 0], 0)  # nothing said yet
    final = np.argmax(np.reshape(info["final_observation"], (18, 2, NUM_TOKENS)), axis=2)
    np.testing.assert_array_equal(final[:, 1], actions)


def test_a_level_is_data_and_the_default_is_any_training_level(env):
    reset = jax.jit(env.reset)
    lengths = {
        int(reset(jax.random.key(seed), env.default_params._replace(level=jnp.int32(level)))[1].instance.script.length)
        for seed in range(30)
        for level in (-1,)
    }
    assert lengths <= set(range(4, 17, 2)) and len(lengths) > 4
    for level, length in ((0, 4), (10, 128)):
        _, state = reset(jax.random.key(0), env.default_params._replace(level=jnp.int32(level)))
        assert int(state.instance.script.length) == length
    assert reset._cache_size() == 1
