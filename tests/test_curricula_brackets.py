"""The bracket tasks keep the laws of all tasks, and counting does not solve them."""

import functools
from collections import Counter

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import brackets

CLOSED_BY = dict(zip("abcdefgh", "ijklmnop", strict=True))


def still_open(prompt):
    """What a stack holds after a word, the innermost last; None once a bracket closes what is not open."""
    stack = []
    for bracket in prompt:
        if bracket in CLOSED_BY:
            stack.append(bracket)
        elif not stack or CLOSED_BY[stack.pop()] != bracket:
            return None
    return stack


def is_balanced(prompt):
    return ["YES" if still_open(prompt) == [] else "NO"]


def close(prompt):
    stack = still_open(prompt)
    assert stack, "one bracket at least is open, none is wrong"
    return [*(CLOSED_BY[bracket] for bracket in reversed(stack)), "END"]


FLOORS = {"dyck": lambda knobs: 1 / 2, "closing": lambda knobs: 9**-2}
TASKS = [(brackets.dyck, is_balanced), (brackets.closing, close)]
EVERY_TASK = task_laws.each("make solve", TASKS)
ONE_TASK = task_laws.each("make solve", TASKS, num_quick=1)


@ONE_TASK
def test_it_keeps_the_contract_and_declares_its_levels(make, solve):
    task_laws.check_contract(make())
    task_laws.check_levels(make())


@ONE_TASK
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make, solve):
    task_laws.check_play(make(), floor=FLOORS[make.__name__])
    task_laws.check_padding(make())


@EVERY_TASK
def test_plain_python_gives_the_same_answers(make, solve):
    task_laws.check_oracle(make(), solve)


@functools.cache
def words(make, num_instances=400):
    """Prompts and answers at every level: a list for each."""
    task = make()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    keys = jax.random.split(jax.random.key(11), num_instances)
    scripts = [sample(keys, level).script for level in range(task.levels.num_levels)]
    return [[task_laws.said(*word) for word in zip(*map(np.asarray, script), strict=True)] for script in scripts]


def height_of(word):
    """Heights after each bracket, whatever their kinds."""
    return np.cumsum([1 if bracket in CLOSED_BY else -1 for bracket in word])


@pytest.mark.slow
@EVERY_TASK
def test_lengths_kinds_and_depths_are_those_of_the_level(make, solve):
    for knobs, level in zip(make().levels.rows, words(make), strict=True):
        kinds = "abcdefgh"[: knobs.kinds]
        allowed = set(kinds) | {CLOSED_BY[kind] for kind in kinds}
        assert {len(word) for word, _ in level} == {knobs.length}
        assert {bracket for word, _ in level for bracket in word} == allowed
        assert max(height_of(word).max() for word, _ in level) <= knobs.depth


def test_yes_and_no_are_equally_likely_and_counting_does_not_tell_them_apart():
    for knobs, level in zip(brackets.dyck().levels.rows, words(brackets.dyck), strict=True):
        wrong = [word for word, answer in level if answer == ["NO"]]
        assert abs(len(wrong) / len(level) - 0.5) < 0.1  # 4 deviations
        for word in wrong:
            count = Counter(word)
            assert all(count[kind] == count[closed_by] for kind, closed_by in CLOSED_BY.items())
        same_heights = np.mean([height_of(word).min() == 0 for word in wrong])
        glance = np.mean([word[0] not in CLOSED_BY or word[-1] in CLOSED_BY for word in wrong])
        assert same_heights < 0.75, "wrong heights are common"
        assert same_heights > (0.2 if knobs.kinds > 1 else -1), "wrong kinds are common"
        assert glance < (0.25 if knobs.length > 4 else 1.1), "its ends do not betray a word"


@pytest.mark.slow
def test_every_number_of_open_brackets_is_met():
    for knobs, level in zip(brackets.closing().levels.rows, words(brackets.closing), strict=True):
        count = Counter(len(answer) - 1 for _, answer in level)
        numbers = [n for n in range(1, knobs.depth + 1) if n % 2 == knobs.length % 2 and n <= knobs.length]
        assert sorted(count) == numbers
        assert min(count.values()) > len(level) / len(numbers) / 3
