"""`returns` is the definition of an outcome, followed step by step to the end of the episode."""

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from rl_pretrain.targets import returns

SHAPE = (12, 3)
compiled = jax.jit(returns)


def outcome(reward, discount, t: int) -> tuple[float, bool]:
    """The sum of rewards to the end, each seen from step t; unknown where the record stops before."""
    total, worth = 0.0, 1.0
    for r, d in zip(reward[t:], discount[t:], strict=True):
        total += worth * r
        worth *= d
        if d == 0:
            return total, True
    return 0.0, False


units = hypothesis.extra.numpy.arrays(np.float32, SHAPE, elements=st.sampled_from([-1.0, 0.0, 1.0]))


@hypothesis.given(reward=units, discount=units)
def test_agrees_with_a_plain_loop(reward, discount):
    value, is_known = compiled(reward, discount)
    for game in range(SHAPE[1]):
        for t in range(SHAPE[0]):
            assert (value[t, game], is_known[t, game]) == outcome(reward[:, game], discount[:, game], t)
    assert (value.dtype, is_known.dtype) == (jnp.float32, jnp.bool_)


def known(reward, discount):
    value, is_known = returns(jnp.array(reward, jnp.float32), jnp.array(discount, jnp.float32))
    assert np.all(is_known)
    return value


def test_the_winner_of_two_players_made_the_last_move_and_every_other_before():
    np.testing.assert_array_equal(known([0, 0, 0, 0, 1], [-1, -1, -1, -1, 0]), [1, -1, 1, -1, 1])
    np.testing.assert_array_equal(known([0, 0, 0, -1], [-1, -1, -1, 0]), [1, -1, 1, -1])


def test_a_draw_is_known_and_worth_nothing():
    np.testing.assert_array_equal(known([0, 0, 0], [-1, -1, 0]), [0, 0, 0])


def test_one_player_keeps_the_sign_and_adds_rewards_up():
    np.testing.assert_array_equal(known([0, 0.5, 0, 1], [1, 1, 1, 0]), [1.5, 1.5, 1, 1])


def test_nothing_passes_from_one_episode_to_the_one_before():
    np.testing.assert_array_equal(known([0, 1, 0, 0, 1], [-1, 0, -1, -1, 0]), [-1, 1, 1, -1, 1])


def test_outcomes_after_the_last_end_are_unknown_and_zero():
    value, is_known = returns(jnp.array([0.0, 1.0, 0.5, 0.5]), jnp.array([-1.0, 0.0, -1.0, -1.0]))
    np.testing.assert_array_equal(is_known, [True, True, False, False])
    np.testing.assert_array_equal(value, [-1, 1, 0, 0])
