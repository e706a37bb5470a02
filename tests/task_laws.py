"""Laws that every task of `curricula` keeps, for the tests of its family to call."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from curricula import vocabulary
from rl_pretrain import environment


def check_contract(task) -> None:
    """The laws of `rl_pretrain.environment`, at random training levels."""
    environment.check(task, num_episodes=8)


def check_levels(task) -> None:
    """Levels are complete and get no easier; bad ones are refused before anything is traced."""
    levels = task.levels
    assert levels.num_train >= 3
    assert all(type(knobs) is type(levels.rows[0]) for knobs in levels.rows)
    for easier, harder in zip(levels.train, levels.train[1:], strict=False):
        assert easier != harder
        assert all(a <= b for a, b in zip(easier, harder, strict=True))
    names = [name for name, _ in levels.beyond]
    assert len(set(names)) == len(names) >= 2
    for wrong, message in (
        (levels.num_levels, "from 0 to"),
        (-1, "from 0 to"),
        (0.5, "whole number"),
        (True, "whole number"),
    ):
        try:
            task.sample(jax.random.key(0), wrong)
        except ValueError as error:
            assert message in str(error)
        else:
            raise AssertionError(f"level {wrong!r} was not refused")


def check_play(task, num_instances: int = 64, floor: Callable[[Any], float] | None = None) -> None:
    """One compilation serves all levels; at each of them the expert solves everything in `min_steps` steps and earns
    1, a policy that says one thing only or anything legal earns a fraction, and what padding holds makes no
    difference.

    Args:
      floor: knobs → greatest success rate that a random or constant policy should have; default: below one half.
    """
    rollout = jax.jit(
        jax.vmap(lambda key, level, mode: _rollout(task, key, level, mode), (0, None, None)), static_argnums=()
    )
    keys = jax.random.split(jax.random.key(7), num_instances)
    for level in range(task.levels.num_levels):
        name = f"{task.name}, {task.levels.name(level)}"
        earned, is_solved, steps, min_steps = map(np.asarray, rollout(keys, jnp.int32(level), jnp.int32(EXPERT)))
        assert is_solved.all(), f"{name}: the expert fails"
        np.testing.assert_allclose(earned, 1, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(steps, min_steps, err_msg=name)
        limit = floor(task.levels.rows[level]) if floor else 0.5
        spread = 4 * np.sqrt(limit * (1 - limit) / num_instances) + 1e-9
        for mode in (RANDOM, CONSTANT):
            earned, is_solved, _, _ = map(np.asarray, rollout(keys, jnp.int32(level), jnp.int32(mode)))
            assert is_solved.mean() <= limit + spread, f"{name}: {is_solved.mean():.2f} solved without thought"
            assert ((earned >= 0) & (earned <= 1 + 1e-5)).all(), name
            np.testing.assert_array_equal(is_solved, earned > 1 - 1e-5, err_msg=name)
    assert rollout._cache_size() == 1


EXPERT, RANDOM, CONSTANT = range(3)


def _rollout(task, key, level, mode):
    """A whole episode: what it earned, whether it was solved, its steps, and those that the expert needs."""
    sample_key, constant_key, play_key = jax.random.split(key, 3)
    instance = task.sample(sample_key, level)
    constant = jax.random.permutation(constant_key, task.num_actions)

    def choose(state, key):
        legal = task.legal_actions(state)
        anything = jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf))
        favourite = constant[jnp.argmax(legal[constant])]  # the first legal one of a fixed order
        return jnp.stack([task.expert(state), anything.astype(jnp.int32), favourite.astype(jnp.int32)])[mode]

    def go_on(carry):
        state, earned, steps = carry
        after = task.step(state, choose(state, jax.random.fold_in(play_key, steps)))
        return after, earned + after.reward, steps + 1

    start = (task.reset(instance), jnp.float32(0), jnp.int32(0))
    limit = 4 * task.max_steps
    state, earned, steps = jax.lax.while_loop(lambda c: (c[0].discount != 0) & (c[2] < limit), go_on, start)
    return earned, task.is_solved(state), steps, task.min_steps(instance)


def check_padding(task) -> None:
    """A stream's script past its length changes nothing that can be seen or earned."""
    keys = jax.random.split(jax.random.key(3), task.levels.num_levels)
    instances = jax.vmap(task.sample)(keys, jnp.arange(task.levels.num_levels))
    script = instances.script
    is_padding = np.arange(task.max_steps) >= np.asarray(script.length)[:, None]
    assert (np.asarray(script.shown)[is_padding] == vocabulary.Token.PAD).all()
    assert (np.asarray(script.asked)[is_padding] == vocabulary.Token.PAD).all()
    spoilt = script._replace(
        shown=jnp.where(is_padding, jnp.int8(30), script.shown), asked=jnp.where(is_padding, jnp.int8(0), script.asked)
    )

    def episode(instance):
        def step(state, _):
            after = task.step(state, task.expert(state))
            return after, (task.observe(state), task.legal_actions(state), after.reward, after.discount)

        return jax.lax.scan(step, task.reset(instance), None, length=task.max_steps + 1)[1]

    play = jax.jit(jax.vmap(episode))
    jax.tree.map(np.testing.assert_array_equal, play(instances), play(instances._replace(script=spoilt)))


def check_oracle(task, solve: Callable[[list[str]], list[str]], num_instances: int = 40) -> None:
    """What is asked for is what an independent solver in plain Python makes of what is shown.

    Args:
      solve: names of the tokens shown while reading → names of the tokens to say, both in order.
    """
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level in range(task.levels.num_levels):
        instances = sample(jax.random.split(jax.random.key(level), num_instances), level)
        for shown, asked, length in zip(*(np.asarray(x) for x in instances.script), strict=True):
            prompt, answer = said(shown, asked, length)
            assert solve(prompt) == answer, f"{task.name}, {task.levels.name(level)}: {' '.join(prompt)}"
            assert {int(t) for t in asked[:length] if t} <= set(task.answers)


def said(shown: np.ndarray, asked: np.ndarray, length: int) -> tuple[list[str], list[str]]:
    """Names of the tokens shown before the answer begins (PAD and ANSWER left out), and of those asked for."""
    marks = {int(vocabulary.Token.PAD), int(vocabulary.Token.ANSWER)}
    prompt = [vocabulary.name(int(t)) for t in shown[:length] if int(t) not in marks]
    return prompt, [vocabulary.name(int(t)) for t in asked[:length] if t]
