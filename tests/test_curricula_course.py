"""Courses deal what the schedule chooses, and tell it how that went."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula.course import Course
from curricula.schedules.fixed import Fixed
from curricula.schedules.staircase import Staircase
from curricula.tasks import copying

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
