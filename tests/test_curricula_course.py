"""Courses deal what the schedule chooses, and tell it how that went."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula import pool, split
from curricula.course import Course, Drill, Mixture, mean_so_far
from curricula.schedules.fixed import Fixed, only
from curricula.schedules.staircase import Staircase
from curricula.tasks import copying, swapping
from curricula.vocabulary import FIRST_SYMBOL

TASK = copying.copy()


def deal(course, key=0):
    return jax.jit(course.deal)(course.init(), jax.random.key(key))


def test_instances_are_of_the_levels_that_the_schedule_chooses():
    course = Course(TASK, Fixed((0.0, 1.0, 0.0, 3.0)), num_rows=400)
    rows = deal(course)
    levels, counts = np.unique(rows.level, return_counts=True)
    assert levels.tolist() == [1, 3]
    assert abs(counts[0] / 400 - 0.25) < 0.1
    np.testing.assert_array_equal(rows.length, 2 * (rows.level + 2))  # length + 2 symbols, read and said


def test_tries_of_one_instance_follow_one_another():
    course = Course(TASK, Fixed((1.0, 1.0, 1.0)), num_rows=12, group=4)
    scripts = np.asarray(deal(course).scripts).reshape(12, -1)
    for first in range(0, 12, 4):
        assert (scripts[first : first + 4] == scripts[first]).all()
    assert len(np.unique(scripts, axis=0)) == 3


def test_the_staircase_goes_up_when_episodes_at_its_level_were_solved():
    course = Course(TASK, Staircase(3, up=0.7, window=20), num_rows=40)
    state = course.init()
    rows = deal(course)
    row = jnp.arange(40).reshape(2, 20)
    is_over = jnp.ones((2, 20), bool)
    same = course.report(state, rows, row, is_over, is_over & (row < 20))
    assert int(same.frontier[0]) == 0  # half of them
    unfinished = course.report(state, rows, row, row < 3, is_over)
    assert int(unfinished.frontier[0]) == 0 and int(unfinished.episodes[0]) == 3
    higher = course.report(state, rows, row, is_over, is_over & (row < 35))
    assert int(higher.frontier[0]) == 1


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="num_rows must be a multiple of group, got 10 and 4"):
        Course(TASK, Staircase(3), num_rows=10, group=4)


def test_a_mixture_announces_its_tasks_and_tells_each_course_of_its_own():
    """One task is always solved, the other never: only the staircase of the first goes up."""
    tasks = (copying.copy(), copying.reverse())
    mixture = Mixture(tuple(Course(task, Staircase(3, up=0.9, window=10), num_rows=30) for task in tasks))
    rows = jax.jit(mixture.deal)(mixture.init(), jax.random.key(0))
    first = np.asarray(rows.scripts).reshape(60, -1)[:, 0]
    np.testing.assert_array_equal(first, FIRST_SYMBOL + np.asarray(rows.task))
    row, is_over = jnp.arange(60)[None], jnp.ones((1, 60), bool)
    one, other = mixture.report(mixture.init(), rows, row, is_over, (rows.task == 0)[None])
    assert int(one.frontier[0]) == 1 and int(other.frontier[0]) == 0


def test_tasks_that_are_acted_in_cannot_be_mixed():
    with pytest.raises(ValueError, match="read, got swap_sort"):
        Mixture((Course(swapping.swap_sort(), Staircase(3), num_rows=4),))


def test_a_drill_deals_the_same_few_instances():
    few = pool.write(TASK, jax.random.key(1), jnp.zeros(3, jnp.int32))
    drill = Drill(few, num_rows=50)
    dealt = np.asarray(drill.deal((), jax.random.key(0)).scripts).reshape(50, -1)
    known = {tuple(script) for script in np.asarray(few.scripts).reshape(3, -1)}
    assert {tuple(script) for script in dealt} == known


def test_instances_to_train_on_are_never_those_to_test_on():
    course = Course(TASK, only(0, 3), num_rows=200, split="train")
    rows = deal(course)
    prompts = np.asarray(rows.scripts).reshape(200, -1) % 64
    assert not np.asarray(jax.vmap(split.is_for_testing)(jnp.asarray(prompts, jnp.int32))).any()


def test_surprise_is_the_mean_over_an_episode_so_far():
    chance = np.random.default_rng(0)
    x, is_over = chance.random((9, 3)).astype(np.float32), chance.random((9, 3)) < 0.3
    means = mean_so_far(jnp.asarray(x), jnp.asarray(is_over))
    for place in range(3):
        start = 0
        for t in range(9):
            assert means[t, place] == pytest.approx(x[start : t + 1, place].mean())
            start = t + 1 if is_over[t, place] else start
