"""Orthogonal choices and matrix products keep the laws of all tasks, and ask for what plain Python works out."""

import collections

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import orthogonality


def vectors(prompt):
    """Vectors of digits and minus signs, each followed by BLANK."""
    read, sign = [[]], 1
    for token in prompt:
        if token == "BLANK":
            read.append([])
        elif token == "-":
            sign = -1
        else:
            read[-1].append(sign * int(token))
            sign = 1
    assert read[-1] == [] and len({len(vector) for vector in read[:-1]}) == 1
    return read[:-1]


def inner_products(prompt):
    vector, *choices = vectors(prompt)
    assert len(choices) == 4 and all(any(choice) for choice in choices)
    return [sum(x * y for x, y in zip(vector, choice, strict=True)) for choice in choices]


def choose(prompt):
    products = inner_products(prompt)
    assert products.count(0) == 1
    return [str(products.index(0))]


def multiply(prompt):
    modulus = int(prompt[0])
    assert prompt[1] == "BLANK"
    vector, *rows = vectors(prompt[2:])
    return [str(sum(x * y for x, y in zip(row, vector, strict=True)) % modulus) for row in rows]


TASKS = [
    (orthogonality.orthogonal_choice, choose, lambda knobs: 0.25),
    (orthogonality.matrix_vector, multiply, lambda knobs: knobs.modulus**-knobs.rows),
]
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
def test_wrong_choices_are_near_misses_and_look_like_the_right_one():
    task = orthogonality.orthogonal_choice()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        answers, far, sizes, others = collections.Counter(), 0, [], []
        scripts = sample(jax.random.split(jax.random.key(4), 200), level).script
        for script in zip(*map(np.asarray, scripts), strict=True):
            prompt, (answer,) = task_laws.said(*script)
            far += sum(abs(product) > knobs.range for product in inner_products(prompt))
            size = [sum(abs(x) for x in choice) / len(choice) for choice in vectors(prompt)[1:]]
            sizes.append(size.pop(int(answer)))
            others.append(np.mean(size))
            answers[answer] += 1
        assert far <= 6, (knobs, far)
        assert max(answers.values()) <= 50 + 4 * 6.2
        if knobs.dimension > 2:  # in two dimensions few vectors are orthogonal, and those are as large as the first
            assert abs(np.mean(sizes) - np.mean(others)) < 0.25 * np.mean(others), (knobs, np.mean(sizes))
