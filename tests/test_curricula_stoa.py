"""A task behind stoa's API: what ends is terminated, what is cut off is truncated, and stoa's own wrappers take it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import stoa_api
from curricula.tasks import copying
from curricula.vocabulary import NUM_TOKENS, Token

stoa = pytest.importorskip("stoa", reason="stoa is not installed: pip install stoa-env")
step_limit = pytest.importorskip("stoa.utility_wrappers.step_limit")

LEVEL = 1
TASK = copying.copy()
LENGTH = TASK.levels.rows[LEVEL].length
FIRST, MID, TERMINATED, TRUNCATED = range(4)  # as stoa's README has them


def play(env, slip_at: int | None, num_steps: int):
    """Timesteps of an episode of `copy` by its definition, all actions right but the one at `slip_at`."""
    state, timestep = jax.jit(env.reset)(jax.random.key(0))
    step, timesteps, memory = jax.jit(env.step), [timestep], []
    for time in range(num_steps):
        shown = int(np.argmax(timesteps[-1].observation[:NUM_TOKENS]))
        if time < LENGTH:
            memory.append(shown)
        action = memory[time - LENGTH] if LENGTH <= time < 2 * LENGTH else Token.PAD
        state, timestep = step(state, jnp.int32(Token.ANSWER if time == slip_at else action))
        timesteps.append(timestep)
    return [jax.tree.map(np.asarray, timestep) for timestep in timesteps]


def test_a_solved_episode_is_terminated_at_its_last_step():
    timesteps = play(stoa_api.Stoa(TASK, LEVEL), None, 2 * LENGTH)
    assert [int(t.step_type) for t in timesteps] == [FIRST, *[MID] * (2 * LENGTH - 1), TERMINATED]
    assert [float(t.discount) for t in timesteps] == [1.0] * 2 * LENGTH + [0.0]
    np.testing.assert_allclose([t.reward for t in timesteps], [0] * (LENGTH + 1) + [1 / LENGTH] * LENGTH, rtol=1e-6)
    assert [bool(t.extras["success"]) for t in timesteps] == [False] * 2 * LENGTH + [True]
    assert timesteps[0].step_type.dtype == timesteps[1].step_type.dtype == timesteps[-1].step_type.dtype == np.int8


def test_a_wrong_token_terminates_too():
    timesteps = play(stoa_api.Stoa(TASK, LEVEL), 2, 3)
    assert [int(t.step_type) for t in timesteps] == [FIRST, MID, MID, TERMINATED]
    assert float(timesteps[-1].discount) == 0 and not timesteps[-1].extras["success"]


def test_stoa_s_step_limit_truncates():
    timesteps = play(step_limit.EpisodeStepLimitWrapper(stoa_api.Stoa(TASK, LEVEL), 3), None, 3)
    assert [int(t.step_type) for t in timesteps] == [FIRST, MID, MID, TRUNCATED]
    assert float(timesteps[-1].discount) == 1


def test_stoa_s_wrappers_begin_anew_with_new_instances_of_the_level():
    """Wrong tokens at once: each step begins a new episode, and shows its first symbol."""
    env = stoa.AutoResetWrapper(stoa.RecordEpisodeMetrics(stoa_api.Stoa(TASK, LEVEL)), next_obs_in_extras=True)
    state, _ = env.reset(jax.random.key(0))
    _, timesteps = jax.lax.scan(env.step, state, jnp.full(40, Token.ANSWER))
    assert set(timesteps.step_type.tolist()) == {TERMINATED}
    shown = np.argmax(timesteps.observation[:, :NUM_TOKENS], axis=1)
    assert len(set(shown.tolist())) > 4
    np.testing.assert_array_equal(np.argmax(timesteps.extras["next_obs"][:, NUM_TOKENS:], axis=1), Token.ANSWER)
    lengths = jax.vmap(lambda key: env.reset(key)[0].base_env_state.state.instance.script.length)
    assert set(lengths(jax.random.split(jax.random.key(1), 20)).tolist()) == {2 * LENGTH}


def test_spaces_hold_what_is_shown_and_done():
    env = stoa_api.Stoa(TASK)
    _, timestep = env.reset(jax.random.key(0))
    space = env.observation_space()
    assert space.contains(timestep.observation) and env.action_space().num_values == NUM_TOKENS
    assert env.reward_space().contains(timestep.reward) and env.discount_space().contains(timestep.discount)


def test_a_level_that_cannot_be_is_named():
    with pytest.raises(ValueError, match="level"):
        stoa_api.Stoa(TASK, TASK.levels.num_levels)
