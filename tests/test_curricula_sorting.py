"""The sorting task keeps the laws of all tasks, and asks for what plain Python would say."""

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import sorting


def solve(prompt):
    """Takes the least symbol out again and again."""
    left, answer = list(prompt), []
    while left:
        least = min(left)
        left.remove(least)
        answer.append(least)
    return answer


@pytest.fixture(scope="module")
def task():
    return sorting.sort()


def test_it_keeps_the_contract_and_declares_its_levels(task):
    task_laws.check_contract(task)
    task_laws.check_levels(task)


def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(task):
    task_laws.check_play(task, floor=lambda knobs: float(knobs.alphabet) ** -knobs.length)
    task_laws.check_padding(task)


def test_plain_python_gives_the_same_answers(task):
    task_laws.check_oracle(task, solve)


def test_prompts_are_as_the_knobs_say_and_seldom_in_order(task):
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(level), 300), level).script
        prompts = [task_laws.said(*instance)[0] for instance in zip(*map(np.asarray, script), strict=True)]
        assert {len(prompt) for prompt in prompts} == {knobs.length}
        assert set().union(*prompts) == set("abcdefghijklmnop"[: knobs.alphabet])
        assert any(len(set(prompt)) < len(prompt) for prompt in prompts)
        assert np.mean([prompt == sorted(prompt) for prompt in prompts]) < 0.35
