"""The tasks of choosing places and repetitions keep the laws of all tasks, and ask for what plain Python would say."""

import functools

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import selection


def solve_repeat_copy(prompt):
    times, *word = prompt
    answer = []
    for _ in range(int(times)):
        answer += word
    return [*answer, "END"]


def solve_odds_first(prompt):
    return [x for i, x in enumerate(prompt) if i % 2 == 1] + [x for i, x in enumerate(prompt) if i % 2 == 0]


def solve_dedup(prompt):
    answer = []
    for symbol in prompt:
        if symbol not in answer:
            answer.append(symbol)
    return [*answer, "END"]


TASKS = [  # the task, its solver, and the greatest success rate without thought; 17 tokens are legal where END is one
    (selection.repeat_copy, solve_repeat_copy, lambda knobs: 17.0 ** -(knobs.length * knobs.least + 1)),
    (selection.odds_first, solve_odds_first, lambda knobs: float(knobs.alphabet) ** -knobs.length),
    (selection.dedup, solve_dedup, lambda knobs: 17.0**-2),
]


@functools.cache
def prompts(make):
    """The knobs of each level, and the names of the tokens shown in each of some of its instances."""
    task = make()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    levels = []
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(level), 200), level).script
        given = [task_laws.said(*instance)[0] for instance in zip(*map(np.asarray, script), strict=True)]
        levels.append((knobs, given))
    return levels


EVERY_TASK = task_laws.each("make solve floor", TASKS)
ONE_TASK = task_laws.each("make solve floor", TASKS, num_quick=1)


@ONE_TASK
def test_it_keeps_the_contract_and_declares_its_levels(make, solve, floor):
    task_laws.check_contract(make())
    task_laws.check_levels(make())


@ONE_TASK
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make, solve, floor):
    task_laws.check_play(make(), floor=floor)
    task_laws.check_padding(make())


@EVERY_TASK
def test_plain_python_gives_the_same_answers(make, solve, floor):
    task_laws.check_oracle(make(), solve)


@pytest.mark.slow
@EVERY_TASK
def test_prompts_are_as_the_knobs_say(make, solve, floor):
    for knobs, given in prompts(make):
        for prompt in given:
            word = prompt[1:] if make is selection.repeat_copy else prompt
            assert len(word) == knobs.length
            assert set(word) <= set("abcdefghijklmnop"[: knobs.alphabet])


def test_no_episode_of_repeat_copy_takes_more_than_162_steps_and_all_repeats_come_up():
    assert selection.repeat_copy().max_steps <= 162
    for knobs, given in prompts(selection.repeat_copy):
        times = {int(prompt[0]) for prompt in given}
        assert times == set(range(knobs.least, knobs.most + 1))


@pytest.mark.slow
def test_dedup_cannot_be_solved_by_copying_or_from_the_first_half_alone():
    for knobs, given in prompts(selection.dedup):
        assert all(len(set(prompt)) < len(prompt) for prompt in given)
        is_new_late = [set(prompt[: knobs.length // 2]) != set(prompt) for prompt in given]
        assert np.mean(is_new_late) > 0.4
        assert {len(set(prompt)) for prompt in given} == set(range(1, min(knobs.length - 1, knobs.alphabet) + 1))
