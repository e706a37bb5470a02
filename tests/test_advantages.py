"""Advantages by their definitions, episode by episode, in plain Python."""

import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rl_pretrain import advantages

STEPS, PLACES = 12, 8


def played(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rewards and discounts; most places have several episodes, and end within one."""
    chance = np.random.default_rng(seed)
    reward = chance.normal(size=(STEPS, PLACES)).astype(np.float32)
    discount = (chance.random((STEPS, PLACES)) > 0.3).astype(np.float32)
    discount[:, 0], discount[-1, 1] = 1, 0  # an episode that never ends, one that ends with the last step
    return reward, discount


def by_episode(discount: np.ndarray) -> list[tuple[int, range, bool]]:
    """Place, steps, and whether it ended, of every episode."""
    episodes = []
    for place in range(PLACES):
        begin = 0
        for t in range(STEPS):
            if discount[t, place] == 0 or t == STEPS - 1:
                episodes.append((place, range(begin, t + 1), discount[t, place] == 0))
                begin = t + 1
    return episodes


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.0])
def test_generalised_advantages_are_sums_of_discounted_surprises(decay):
    """Equation 16: the sum over l of (γλ)^l δ, and δ itself a sum of reward, what is expected next, less the value."""
    reward, discount = played()
    gamma = 0.9
    chance = np.random.default_rng(1)
    value, last_value = (chance.normal(size=shape).astype(np.float32) for shape in [(STEPS, PLACES), PLACES])
    expected = np.zeros((STEPS, PLACES))
    for place, steps, has_ended in by_episode(discount):
        for t in steps:
            for later in range(t, steps.stop):
                following = value[later + 1, place] if later + 1 < STEPS else last_value[place]
                if has_ended and later == steps[-1]:
                    following = 0
                surprise = reward[later, place] + gamma * following - value[later, place]
                expected[t, place] += (gamma * decay) ** (later - t) * surprise
    found = jax.jit(advantages.generalised)(reward, gamma * discount, value, last_value, decay)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_every_step_is_told_the_return_of_its_whole_episode():
    reward, discount = played()
    returns, has_ended = jax.jit(advantages.episode_returns)(reward, discount)
    ends = set()
    for place, steps, is_whole in by_episode(discount):
        ends.add(is_whole)
        np.testing.assert_array_equal(has_ended[steps.start : steps.stop, place], is_whole)
        if is_whole:
            total = sum(float(reward[t, place]) for t in steps)
            np.testing.assert_allclose(returns[steps.start : steps.stop, place], total, rtol=1e-4, atol=1e-5)
    assert ends == {True, False}


NUM_GROUPS, ALIKE = 4, 2


def grouped(seed: int = 0):
    """Returns, has_ended, is_last, groups and, by definition, advantages; the episodes of one group fared alike."""
    chance = np.random.default_rng(seed)
    _, discount = played()
    returns, has_ended, group, expected = (np.zeros((STEPS, PLACES), t) for t in (np.float32, bool, np.int32, float))
    episodes = [(*episode, int(chance.integers(NUM_GROUPS - 1))) for episode in by_episode(discount)]
    fared = {i: [] for i in range(NUM_GROUPS)}
    for place, steps, is_whole, number in episodes:
        here = slice(steps.start, steps.stop), place
        total = np.float32(0.1 if number == ALIKE else chance.normal())
        returns[here], has_ended[here], group[here] = total, is_whole, number
        if is_whole:
            fared[number].append(float(total))
    assert len(fared[0]) > 3 and len(fared[ALIKE]) > 3 and fared[NUM_GROUPS - 1] == []
    for place, steps, is_whole, number in episodes:
        if is_whole and number != ALIKE:
            centred = returns[steps[0], place] - statistics.fmean(fared[number])
            expected[steps.start : steps.stop, place] = centred / (statistics.pstdev(fared[number]) + 1e-3)
    return returns, has_ended, discount == 0, group, expected


def test_returns_are_relative_to_the_finished_episodes_of_their_group():
    """Each of which counts once, however long."""
    *arguments, expected = grouped()
    found = advantages.relative(*map(jnp.asarray, arguments), num=NUM_GROUPS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    _, has_ended, _, group, _ = grouped()
    np.testing.assert_array_equal(found[(group == ALIKE) | ~has_ended], 0)


@pytest.mark.parametrize("much", [1.0, 333.3, 1e5])
def test_large_returns_that_hardly_differ_are_still_told_apart_or_alike(much):
    """Means of squares less squares of means would see a difference where there is none, or none where there is."""
    is_last = jnp.ones((1, 7), bool)
    group = jnp.zeros((1, 7), jnp.int32)
    alike = jnp.full((1, 7), much / 3)
    np.testing.assert_array_equal(advantages.relative(alike, is_last, is_last, group, 1), 0)
    one_better = alike.at[0, 0].multiply(1.001)
    found = advantages.relative(one_better, is_last, is_last, group, 1)
    # With one of n apart from all others, the distances from the mean are as n - 1 to 1, and √(n - 1) the deviation.
    if much > 100:
        np.testing.assert_allclose(found[0, :2], [6**0.5, -(6**-0.5)], rtol=0.05)
    assert found[0, 0] > 0 > found[0, 1]


def test_groups_may_be_spread_over_devices():
    *arguments, expected = grouped()

    def share(x):
        return jnp.moveaxis(jnp.asarray(x).reshape(STEPS, 4, PLACES // 4), 1, 0)

    def relative(*x):
        return advantages.relative(*x, num=NUM_GROUPS, axis="devices")

    found = jax.vmap(relative, axis_name="devices")(*map(share, arguments))
    np.testing.assert_allclose(found, share(expected), rtol=1e-4, atol=1e-5)
