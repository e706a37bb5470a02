"""The tasks of expressions keep the laws of all tasks, and ask for what a recursive reader of them gives."""

import functools
from collections import Counter

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import expressions

OPERATORS = {
    "+": lambda values: values[0] + values[1],
    "-": lambda values: values[0] - values[1],
    "*": lambda values: values[0] * values[1],
    "a": max,
    "b": min,
    "c": sum,
}


def parse(words):
    """An expression as digits and nested lists of words: reads from the front of `words` and takes what it reads."""
    word = words.pop(0)
    if word != "(":
        return word
    elements = []
    while words[0] != ")":
        elements.append(parse(words))
    words.pop(0)
    return elements


def parse_all(words):
    words = list(words)
    tree = parse(words)
    assert not words, "nothing follows the expression"
    return tree


def evaluate(tree, modulus):
    if isinstance(tree, str):
        assert int(tree) < modulus
        return int(tree)
    operator = next(element for element in tree if isinstance(element, str) and element in OPERATORS)
    place = tree.index(operator)
    values = [evaluate(element, modulus) for i, element in enumerate(tree) if i != place]
    assert place == (1 if operator in "+-*" else 0) and len(values) >= 2 and (len(values) == 2 or operator in "abc")
    return OPERATORS[operator](values) % modulus


def modulus_of(prompt):
    return int(prompt[0]) or 10


def solve_modular(prompt):
    return [str(evaluate(parse_all(prompt[1:]), modulus_of(prompt)))]


def solve_list(prompt):
    return [str(evaluate(parse_all(prompt), 10))]


def depth(tree):
    return 0 if isinstance(tree, str) else 1 + max(map(depth, tree))


def lists(tree):
    """All lists of a tree."""
    return [] if isinstance(tree, str) else [tree] + [inner for element in tree for inner in lists(element)]


FLOORS = {"modular_expression": lambda knobs: 1 / knobs.modulus, "list_operations": lambda knobs: 1 / 10}
TASKS = [(expressions.modular_expression, solve_modular), (expressions.list_operations, solve_list)]
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
def prompts_and_answers(make, num_instances=600):
    """What is said at every level: a list for each."""
    task = make()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    keys = jax.random.split(jax.random.key(11), num_instances)
    scripts = [sample(keys, level).script for level in range(task.levels.num_levels)]
    return [[task_laws.said(*words) for words in zip(*map(np.asarray, script), strict=True)] for script in scripts]


@pytest.mark.slow
@EVERY_TASK
def test_size_and_depth_are_those_of_the_level_and_shapes_are_many(make, solve):
    is_modular = make is expressions.modular_expression
    for knobs, level in zip(make().levels.rows, prompts_and_answers(make), strict=True):
        words = [prompt[1:] if is_modular else prompt for prompt, _ in level]
        trees = [parse_all(prompt) for prompt in words]
        assert {sum(word.isdigit() for word in prompt) for prompt in words} == {knobs.numbers}
        assert {depth(tree) for tree in trees} == {knobs.depth}
        inner = [each for tree in trees for each in lists(tree)]
        used = Counter(word for each in inner for word in each if isinstance(word, str) and word in OPERATORS)
        assert sorted(used) == sorted("*+-" if is_modular else "abc")
        assert min(used.values()) > 0.05 * sum(used.values())
        shapes = {"".join("n" if w.isdigit() else w if w in "()" else "o" for w in prompt) for prompt in words}
        assert len(shapes) >= (2 if knobs.numbers == 3 else 4)
        if is_modular:
            assert {modulus_of(prompt) for prompt, _ in level} == {knobs.modulus}
        else:
            assert 2 < max(len(each) - 1 for each in inner) <= knobs.arguments or knobs.numbers == knobs.depth + 1


@pytest.mark.slow
@EVERY_TASK
def test_all_answers_are_equally_likely(make, solve):
    for knobs, level in zip(make().levels.rows, prompts_and_answers(make), strict=True):
        choices = getattr(knobs, "modulus", 10)
        count = np.bincount([int(answer[0]) for _, answer in level], minlength=choices)
        assert len(count) == choices
        chance = 1 / choices
        deviation = np.sqrt(len(level) * chance * (1 - chance))
        assert (abs(count - len(level) * chance) < 4 * deviation).all(), (knobs, count)
