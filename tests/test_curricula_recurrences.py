"""The task of recurrences keeps the laws of all tasks, and asks for what plain Python would say."""

from itertools import product

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks.recurrences import fibonacci


def terms(modulus, a, b, first, second, number):
    said = [first, second]
    for _ in range(number):
        said.append((a * said[-1] + b * said[-2]) % modulus)
    return said[2:]


def read(prompt):
    modulus, a, b, first, second = (int(word) for word in prompt[:5])
    return modulus or 10, a, b, first, second, int("".join(reversed(prompt[5:])))


def go_on(prompt):
    return [str(term) for term in terms(*read(prompt))]


def best_constant(knobs):
    """How often the same digit over and over is right, for the best digit: all instances of a level, one by one."""
    instances = product(
        range(1, knobs.coefficient + 1),
        range(1, knobs.coefficient + 1),
        range(knobs.modulus),
        range(1, knobs.modulus),
    )
    said = [set(terms(knobs.modulus, *instance, knobs.terms)) for instance in instances]
    return max(np.mean([each == {digit} for each in said]) for digit in range(knobs.modulus))


def test_it_keeps_the_contract_and_declares_its_levels():
    task_laws.check_contract(fibonacci())
    task_laws.check_levels(fibonacci())


def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor():
    for knobs in fibonacci().levels.rows:
        assert best_constant(knobs) <= 1.3 / knobs.modulus**2
    task_laws.check_play(fibonacci(), floor=lambda knobs: max(best_constant(knobs), 10.0**-knobs.terms))
    task_laws.check_padding(fibonacci())


def test_plain_python_gives_the_same_answers():
    task_laws.check_oracle(fibonacci(), go_on)


@pytest.mark.slow
def test_all_instances_of_a_level_are_met_and_no_term_is_favoured():
    task = fibonacci()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(11), 600), level).script
        said = [task_laws.said(*words) for words in zip(*map(np.asarray, script), strict=True)]
        modulus, a, b, first, second, number = (set(column) for column in zip(*(read(p) for p, _ in said), strict=True))
        assert (modulus, number) == ({knobs.modulus}, {knobs.terms})
        assert a == b == set(range(1, knobs.coefficient + 1))
        assert (first, second) == (set(range(knobs.modulus)), set(range(1, knobs.modulus)))
        count = np.bincount([int(term) for _, answer in said for term in answer], minlength=knobs.modulus)
        assert count.max() < 1.5 * count.sum() / knobs.modulus
