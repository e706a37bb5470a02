"""Steps that are searched anew hold what search says now; all else stays as it was."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tictactoe import TicTacToe, uniform

from rl_pretrain import reanalysis, replay, selfplay
from rl_pretrain.search import SearchConfig, search
from rl_pretrain.selfplay import SelfplayConfig

ENV = TicTacToe()
NOW = SearchConfig(num_simulations=12, max_considered=9, gumbel_scale=0.0)


def wise(observations):
    """A network of today, which likes the middle."""
    logits = jnp.zeros((len(observations), 9)).at[:, 4].set(3.0)
    return logits, jnp.zeros(len(observations))


@pytest.fixture(scope="module")
def before() -> replay.Replay:
    """Play of another network, two thirds of the ring full."""
    config = SelfplayConfig(num_steps=6, replay_steps=18, reanalysed_steps=1, full_share=0.5, brief_simulations=1)
    play = jax.jit(lambda key, games: selfplay.play(ENV, uniform(9), SearchConfig(2), config, key, games))
    games, memory = selfplay.start(ENV, jax.random.key(0), 4), None
    for i in range(2):
        games, seen = play(jax.random.key(i), games)
        memory = replay.remember(memory or replay.empty(seen, 18), seen)
    assert memory is not None
    return memory


@functools.partial(jax.jit, static_argnums=2)
def renew(key, memory, num_steps: int) -> replay.Replay:
    return reanalysis.renew(ENV, wise, NOW, key, memory, num_steps)


@jax.jit
def find(states) -> jax.Array:
    """Without noise the key does not matter."""
    return search(ENV, wise, NOW, jax.random.key(9), states).policy


def test_some_steps_get_the_policy_of_today_and_nothing_else_changes(before):
    after = renew(jax.random.key(3), before, 4)
    is_new = np.any(np.asarray(after.examples.policy != before.examples.policy), axis=(1, 2))
    assert 1 <= is_new.sum() <= 4 and not is_new[12:].any()  # rows never written are not drawn
    for row in np.flatnonzero(is_new):
        states = jax.tree.map(lambda ring, row=row: ring[row], before.states)
        observed = jax.vmap(ENV.observe)(states)
        np.testing.assert_array_equal(observed, before.examples.observation[row])
        np.testing.assert_allclose(after.examples.policy[row], find(states), atol=1e-3)
        assert after.examples.has_policy[row].all()
    same = ~is_new
    np.testing.assert_array_equal(after.examples.has_policy[same], before.examples.has_policy[same])
    for old, new in zip(jax.tree.leaves(_but_policies(before)), jax.tree.leaves(_but_policies(after)), strict=True):
        np.testing.assert_array_equal(old, new)


def _but_policies(memory: replay.Replay) -> replay.Replay:
    return memory._replace(examples=memory.examples._replace(policy=None, has_policy=None))


def test_all_steps_are_drawn_in_time(before):
    after = renew(jax.random.key(0), before, 100)
    is_new = np.any(np.asarray(after.examples.policy != before.examples.policy), axis=(1, 2))
    assert is_new[:12].all()


def test_states_are_kept_only_to_be_searched_anew():
    config = SelfplayConfig(num_steps=2, replay_steps=2)
    games = selfplay.start(ENV, jax.random.key(0), 2)
    seen = jax.eval_shape(lambda: selfplay.play(ENV, uniform(9), NOW, config, jax.random.key(0), games)[1])
    assert seen.state is None and replay.empty(seen, 2).states is None
