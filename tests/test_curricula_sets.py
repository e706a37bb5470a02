"""The set tasks keep the laws of all tasks, and ask for what plain Python would say."""

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import sets


def solver(combine):
    def solve(prompt):
        return [*sorted(combine(*map(set, both_lists(prompt)))), "END"]

    return solve


def both_lists(prompt):
    middle = prompt.index("BLANK")
    return prompt[:middle], prompt[middle + 1 :]


def share_of_empty(knobs, is_empty):
    """How often an answer is END alone, counted over the sizes and the overlap that are drawn."""
    sizes = range(2, min(knobs.length, knobs.distinct) + 1)
    shares = []
    for first in sizes:
        for second in sizes:
            overlaps = range(max(0, first + second - 16), min(first, second) + 1)
            shares.append(sum(is_empty(first, second, overlap) for overlap in overlaps) / len(overlaps))
    return sum(shares) / len(shares)


TASKS = [  # the task, its solver, and whether the answer is END alone
    (sets.union, solver(lambda a, b: a | b), lambda first, second, overlap: False),
    (sets.intersection, solver(lambda a, b: a & b), lambda first, second, overlap: overlap == 0),
    (sets.difference, solver(lambda a, b: a - b), lambda first, second, overlap: overlap == first),
]
EVERY_TASK = task_laws.each("make solve is_empty", TASKS)
ONE_TASK = task_laws.each("make solve is_empty", TASKS, num_quick=1)


@ONE_TASK
def test_it_keeps_the_contract_and_declares_its_levels(make, solve, is_empty):
    task_laws.check_contract(make())
    task_laws.check_levels(make())


@ONE_TASK
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make, solve, is_empty):
    # END at once is the best constant policy; saying anything of 17 tokens finds two symbols or more by luck only.
    task_laws.check_play(make(), floor=lambda knobs: max(share_of_empty(knobs, is_empty), 17.0**-3))
    task_laws.check_padding(make())


@EVERY_TASK
def test_plain_python_gives_the_same_answers(make, solve, is_empty):
    task_laws.check_oracle(make(), solve)


@pytest.mark.slow
@EVERY_TASK
def test_answers_are_empty_as_often_as_the_floor_says(make, solve, is_empty):
    task = make()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(level), 2000), level).script
        measured = np.mean(np.asarray(script.length) == 2 * knobs.length + 2)
        share = share_of_empty(knobs, is_empty)
        assert share <= 1 / 3 + 1e-9
        assert abs(measured - share) <= 5 * (share * (1 - share) / 2000) ** 0.5


@pytest.mark.slow
def test_lists_are_as_the_knobs_say():
    task = sets.union()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(level), 500), level).script
        lists = []
        for shown, asked, length in zip(*map(np.asarray, script), strict=True):
            lists += both_lists(task_laws.said(shown, asked, length)[0])
        assert {len(symbols) for symbols in lists} == {knobs.length}
        assert {len(set(symbols)) for symbols in lists} == set(range(2, min(knobs.length, knobs.distinct) + 1))
        assert set().union(*lists) == set("abcdefghijklmnop")
        is_ascending = np.mean([symbols == sorted(symbols) for symbols in lists])
        assert is_ascending < 0.05 if knobs.is_shuffled else is_ascending == 1
