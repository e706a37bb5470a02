"""A pool of instances plays like the tasks that it was written by, and begins its rows in turn."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quick

from curricula import pool
from curricula.tasks import copying
from rl_pretrain import environment


def some_pool(num_rows: int = 48) -> pool.Pool:
    task = copying.copy()
    return pool.write(task, jax.random.key(0), jnp.arange(num_rows) % task.levels.num_levels)


def mixture() -> pool.Pool:
    return pool.join([some_pool(), pool.write(copying.reverse(), jax.random.key(1), jnp.arange(24) % 7)])


@pytest.mark.slow
def test_a_pool_and_a_task_keep_the_contract():
    environment.check(mixture(), num_episodes=8)
    environment.check(copying.copy(), num_episodes=8)


@pytest.mark.parametrize("reward", quick.first(["token", "terminal"]))
def test_rows_go_as_their_instances_do_whatever_is_said(reward):
    task = dataclasses.replace(copying.reverse(), reward=reward)
    instances = jax.vmap(task.sample)(jax.random.split(jax.random.key(2), 40), jnp.arange(40) % task.levels.num_levels)
    rows = pool.from_instances(task, instances)

    def play(env, state, key):
        def step(state, key):
            slip_key, key = jax.random.split(key)
            said = jax.random.categorical(key, jnp.where(env.legal_actions(state), 0.0, -jnp.inf)).astype(jnp.int32)
            action = jnp.where(jax.random.uniform(slip_key) < 0.03, said, env.expert(state))
            after = env.step(state, action)
            return after, (
                env.observe(state),
                env.legal_actions(state),
                after.reward,
                after.discount,
                env.is_solved(after),
            )

        return jax.lax.scan(step, state, jax.random.split(key, task.max_steps + 2))[1]

    keys = jax.random.split(jax.random.key(3), 40)
    alone = jax.jit(jax.vmap(lambda instance, key: play(task, task.reset(instance), key)))(instances, keys)
    pooled = jax.jit(jax.vmap(lambda row, key: play(rows, rows.at(row), key)))(jnp.arange(40), keys)
    jax.tree.map(np.testing.assert_array_equal, alone, pooled)
    solved = np.asarray(alone[-1])[:, -1]
    assert 0 < solved.sum() < 40


@pytest.mark.slow
def test_each_episode_goes_through_its_own_rows_in_turn():
    rows = some_pool(48)
    episodes = jax.vmap(rows.at)(jnp.arange(8))
    step, renew = jax.jit(jax.vmap(rows.step)), jax.jit(jax.vmap(lambda e: rows.renew(e, 8)))
    seen = [[row] for row in range(8)]
    while min(map(len, seen)) < 7:
        after = step(episodes, jax.vmap(rows.expert)(episodes))
        episodes = renew(after)
        for i, is_over in enumerate(np.asarray(after.discount) == 0):
            before, now = jax.tree.map(lambda x, i=i: x[i], (after, episodes))
            if is_over:
                seen[i].append(int(now.row))
                assert (int(now.time), int(now.last_action), float(now.discount)) == (0, 0, 1)
            else:
                assert before == now
    for first, played in enumerate(seen):
        assert played[:7] == [*range(first, 48, 8), first]


@pytest.mark.slow
def test_a_mixture_holds_all_rows_and_knows_their_tasks():
    mixed = mixture()
    assert mixed.num_rows == 72
    assert mixed.task.tolist() == [0] * 48 + [1] * 24
    shuffled = pool.shuffle(mixed, jax.random.key(0))
    room = len(mixed.scripts) // 72
    as_rows = [
        sorted(
            zip(x.task.tolist(), x.level.tolist(), x.scripts.reshape(72, room).tolist(), x.length.tolist(), strict=True)
        )
        for x in (mixed, shuffled)
    ]
    assert as_rows[0] == as_rows[1]
    assert shuffled.task.tolist() != mixed.task.tolist()


def test_a_new_pool_of_the_same_shape_compiles_nothing():
    step = jax.jit(lambda rows, episodes: jax.vmap(rows.step)(episodes, jnp.zeros(8, jnp.int32)))
    for seed in range(3):
        rows = pool.write(copying.copy(), jax.random.key(seed), jnp.full(16, seed))
        step(rows, jax.vmap(rows.at)(jnp.arange(8)))
    assert step._cache_size() == 1


def test_a_stream_ignores_what_padding_holds():
    task = copying.copy()
    instance = task.sample(jax.random.key(0), 1)
    script, is_padding = instance.script, jnp.arange(task.max_steps) >= instance.script.length
    spoilt = script._replace(shown=jnp.where(is_padding, 30, script.shown).astype(jnp.int8))

    def play(script):
        def step(state, _):
            after = task.step(state, task.expert(state))
            return after, (task.observe(state), task.legal_actions(state), after.reward, after.discount)

        return jax.lax.scan(step, task.reset(instance._replace(script=script)), None, length=task.max_steps)[1]

    jax.tree.map(np.testing.assert_array_equal, play(script), play(spoilt))


def test_bad_rewards_bad_levels_and_empty_mixtures_are_refused():
    with pytest.raises(ValueError, match="reward must be token or terminal, got 'all'"):
        dataclasses.replace(copying.copy(), reward="all")
    with pytest.raises(ValueError, match="level must be from 0 to 11, got 12"):
        pool.write(copying.copy(), jax.random.key(0), jnp.array([0, 12]))
    with pytest.raises(ValueError, match="at least one pool"):
        pool.join([])


def test_a_pool_holds_what_sampling_gives():
    """So its instances are those of fresh episodes, in distribution and each by its key."""
    task, levels, key = copying.reverse(), jnp.arange(20, dtype=jnp.int32) % 7, jax.random.key(3)
    rows = jax.jit(pool.write, static_argnums=0)(task, key, levels)
    fresh = jax.jit(jax.vmap(task.sample))(jax.random.split(key, 20), levels)
    shown, asked = np.asarray(fresh.script.shown, np.int32), np.asarray(fresh.script.asked, np.int32)
    np.testing.assert_array_equal(np.asarray(rows.scripts).reshape(20, -1), shown + 64 * asked)
    np.testing.assert_array_equal(rows.length, fresh.script.length)
    np.testing.assert_array_equal(rows.level, levels)
