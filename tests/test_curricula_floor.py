"""What knowing nothing gets, against playing it and against counting."""

import jax
import numpy as np
import pytest

from curricula import floor, room
from curricula.tasks import automata, copying, counter


def test_chance_solves_what_is_read_as_often_as_the_docstring_says():
    by_chance = floor.by_chance(copying.copy(), jax.random.key(0), 1, 64)  # three symbols out of sixteen that are legal
    assert by_chance == pytest.approx(16.0**-3, rel=1e-5)


def test_one_token_solves_as_many_as_ask_for_nothing_else():
    task, key = copying.copy(), jax.random.key(0)
    asked = np.asarray(jax.vmap(task.sample, (0, None))(jax.random.split(key, 64), 0).script.asked)
    rows = [set(row[row > 0]) for row in asked]
    share = max(np.mean([row == {token} for row in rows]) for token in task.answers)
    assert floor.by_one_token(task, key, 0, 64) == pytest.approx(share) and share > 0


def test_chance_plays_what_is_acted_in():
    """A word of one letter out of two: by a coin for each of + - EMIT it is found now and then, never always."""
    rate = floor.by_chance(counter.emit_counter(), jax.random.key(0), 0, 512)
    assert 0 < rate < 0.5


def test_the_room_is_that_of_the_longest_episode():
    levels = copying.copy().levels
    steps = [place.steps for place in room.of_levels(copying.copy())]
    assert steps == [2 * knobs.length for knobs in levels.rows]


def test_the_pad_has_room_for_the_longest_trace():
    task = automata.group_word()
    for knobs, place in zip(task.levels.rows, room.of_levels(task, with_trace=True, num=4), strict=True):
        assert place.pad == knobs.length + 1  # a product for each element, and ANSWER
