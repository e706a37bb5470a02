"""The copying tasks keep the laws of all tasks, and ask for what plain Python would say."""

import task_laws

from curricula.tasks import copying

TASKS = [(copying.copy, lambda prompt: prompt), (copying.reverse, lambda prompt: prompt[::-1])]
EVERY_TASK = task_laws.each("make solve", TASKS)
ONE_TASK = task_laws.each("make solve", TASKS, num_quick=1)


@ONE_TASK
def test_it_keeps_the_contract_and_declares_its_levels(make, solve):
    task_laws.check_contract(make())
    task_laws.check_levels(make())


@ONE_TASK
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make, solve):
    task_laws.check_play(make(), floor=lambda knobs: knobs.alphabet**-knobs.length)
    task_laws.check_padding(make())


@EVERY_TASK
def test_plain_python_gives_the_same_answers(make, solve):
    task_laws.check_oracle(make(), solve)
