"""Laws that every task of `curricula` keeps, for the tests of its family to call.

A task is compiled once, to write instances; they are then played as rows of a `Pool`, by one program for all tasks.
`test_curricula_pool.py` proves that rows go as the tasks' own episodes do.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import pool, vocabulary
from curricula.stream import Instance, Stream

NUM_INSTANCES = 64
ROOM = 1024  # steps; scripts are padded to it, so that one compilation plays all tasks
EXPERT, RANDOM, CONSTANT = range(3)


def check_contract(task: Stream) -> None:
    """What a task writes has the shapes and dtypes of a script, the same for one key and level each time."""
    key = jax.random.key(0)
    assert task.max_steps <= ROOM
    for level in (0, task.levels.num_levels - 1):
        script, shown_level = jax.eval_shape(lambda key, level=level: task.sample(key, level), key)
        for tokens in (script.shown, script.asked):
            assert (tokens.shape, tokens.dtype) == ((task.max_steps,), jnp.int8)
        assert (script.length.shape, script.length.dtype) == (shown_level.shape, shown_level.dtype) == ((), jnp.int32)
        assert not any(leaf.weak_type for leaf in jax.tree.leaves((script, shown_level)))
    first, again = (instances_of(task, 1) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert len({row.tobytes() for row in np.asarray(first.script.shown)}) > 1  # keys matter


def check_levels(task: Stream) -> None:
    """Levels are complete and get no easier; bad ones are refused before anything is traced."""
    levels = task.levels
    assert levels.num_train >= 3
    assert all(type(knobs) is type(levels.rows[0]) for knobs in levels.rows)
    for easier, harder in zip(levels.train, levels.train[1:], strict=False):
        assert easier != harder
        assert all(a <= b for a, b in zip(easier, harder, strict=True))
    names = [name for name, _ in levels.beyond]
    assert len(set(names)) == len(names) >= 2
    bad = {levels.num_levels: "from 0 to", -1: "from 0 to", 0.5: "whole number", "0": "", None: ""}
    for wrong, message in bad.items():
        try:
            task.sample(jax.random.key(0), wrong)  # pyright: ignore[reportArgumentType]
        except (ValueError, TypeError) as error:
            assert message in str(error)
        else:
            raise AssertionError(f"level {wrong!r} was not refused")


def check_play(task: Stream, num_instances: int = NUM_INSTANCES, floor: Callable[[Any], float] | None = None) -> None:
    """One compilation writes all levels; at each of them the expert says what may be said, solves everything in
    `min_steps` steps and earns 1, and a policy that says one thing only or anything legal earns a fraction.

    Args:
      floor: knobs → greatest success rate that a random or constant policy should have; default: one half.
    """
    keys = jax.random.split(jax.random.key(7), num_instances)
    for level in range(task.levels.num_levels):
        name = f"{task.name}, {task.levels.name(level)}"
        instances = instances_of(task, level, num_instances)
        asked = np.asarray(instances.script.asked)
        assert set(np.unique(asked[asked != vocabulary.Token.PAD]).tolist()) <= set(task.answers), name
        rows = pool.from_instances(task, _padded(instances))
        earned, is_solved, steps = map(np.asarray, _play(rows, keys, EXPERT))
        assert is_solved.all(), f"{name}: the expert fails"
        np.testing.assert_allclose(earned, 1, atol=1e-5, err_msg=name)
        np.testing.assert_array_equal(steps, jax.vmap(task.min_steps)(instances), err_msg=name)
        assert steps.max() <= task.max_steps, name
        limit = floor(task.levels.rows[level]) if floor else 0.5
        spread = 4 * np.sqrt(limit * (1 - limit) / num_instances) + 2 / num_instances
        for mode in (RANDOM, CONSTANT):
            earned, is_solved, _ = map(np.asarray, _play(rows, keys, mode))
            assert is_solved.mean() <= limit + spread, f"{name}: {is_solved.mean():.2f} solved without thought"
            assert ((earned >= 0) & (earned <= 1 + 1e-5)).all(), name
            np.testing.assert_array_equal(is_solved, earned > 1 - 1e-5, err_msg=name)
    assert _sampler(task)._cache_size() == len(_sizes[_identity(task)])


def check_padding(task: Stream) -> None:
    """A script holds PAD past its length, at every level; what it holds before is all there is."""
    for level in range(task.levels.num_levels):
        script = instances_of(task, level).script
        is_padding = np.arange(task.max_steps) >= np.asarray(script.length)[:, None]
        assert (np.asarray(script.shown)[is_padding] == vocabulary.Token.PAD).all()
        assert (np.asarray(script.asked)[is_padding] == vocabulary.Token.PAD).all()
        last = np.take_along_axis(np.asarray(script.asked), np.asarray(script.length)[:, None] - 1, axis=1)
        assert (last != vocabulary.Token.PAD).all()  # else the end would tell the length


def check_oracle(task: Stream, solve: Callable[[list[str]], list[str]], num_instances: int = NUM_INSTANCES) -> None:
    """What is asked for is what an independent solver in plain Python makes of what is shown.

    Args:
      solve: names of the tokens shown while reading → names of the tokens to say, both in order.
    """
    for level in range(task.levels.num_levels):
        script = instances_of(task, level, num_instances).script
        for shown, asked, length in zip(*(np.asarray(x) for x in script), strict=True):
            prompt, answer = said(shown, asked, length)
            assert solve(prompt) == answer, f"{task.name}, {task.levels.name(level)}: {' '.join(prompt)}"


def said(shown: np.ndarray, asked: np.ndarray, length: int) -> tuple[list[str], list[str]]:
    """Names of the tokens shown before the answer begins (PAD and ANSWER left out), and of those asked for."""
    marks = {int(vocabulary.Token.PAD), int(vocabulary.Token.ANSWER)}
    prompt = [vocabulary.name(int(t)) for t in shown[:length] if int(t) not in marks]
    return prompt, [vocabulary.name(int(t)) for t in asked[:length] if t]


def instances_of(task: Stream, level: int, num_instances: int = NUM_INSTANCES) -> Instance:
    """Instances of a level, always the same ones."""
    _sizes.setdefault(_identity(task), set()).add(num_instances)
    return _sampler(task)(jax.random.split(jax.random.key(level), num_instances), jnp.int32(level))


_samplers: dict[Any, Any] = {}
_sizes: dict[Any, set[int]] = {}


def _identity(task: Stream) -> Any:
    """Makers give a new function each time they are called, so a task is known by its name and levels."""
    return task.name, task.levels


def _sampler(task: Stream) -> Any:
    return _samplers.setdefault(_identity(task), jax.jit(jax.vmap(task.sample, (0, None))))


def _padded(instances: Instance) -> Instance:
    script = instances.script
    padding = ((0, 0), (0, ROOM - script.shown.shape[1]))
    shown, asked = (jnp.pad(x, padding) for x in (script.shown, script.asked))
    return instances._replace(script=script._replace(shown=shown, asked=asked))


@functools.partial(jax.jit, static_argnums=2)
def _play(rows: pool.Pool, keys: jax.Array, mode: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A whole episode of each row: what it earned, whether it was solved, and its steps."""

    def choose(episode, constant, key):
        if mode == EXPERT:
            return rows.expert(episode)
        legal = rows.legal_actions(episode)
        if mode == RANDOM:
            return jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)).astype(jnp.int32)
        return constant[jnp.argmax(legal[constant])]  # the first legal one of an order fixed for the episode

    def play(row, key):
        constant_key, play_key = jax.random.split(key)
        constant = jax.random.permutation(constant_key, rows.num_actions)

        def go_on(carry):
            episode, earned, steps = carry
            after = rows.step(episode, choose(episode, constant, jax.random.fold_in(play_key, steps)))
            return after, earned + after.reward, steps + 1

        start = (rows.at(row), jnp.float32(0), jnp.int32(0))
        episode, earned, steps = jax.lax.while_loop(lambda c: (c[0].discount != 0) & (c[2] <= ROOM), go_on, start)
        return earned, rows.is_solved(episode), steps

    return jax.vmap(play)(jnp.arange(rows.num_rows), keys)


def each(names: str, tasks: list, num_quick: int | None = None):
    """A test for each of the tasks, tuples that begin with their maker; those after the first few are slow tests.

    What a family shares breaks for all of it alike, so one of them in every run tells.
    """
    num_quick = len(tasks) if num_quick is None else num_quick
    marks = [() if i < num_quick else pytest.mark.slow for i in range(len(tasks))]
    parameters = [pytest.param(*task, id=task[0].__name__, marks=m) for task, m in zip(tasks, marks, strict=True)]
    return pytest.mark.parametrize(names.split(), parameters)
