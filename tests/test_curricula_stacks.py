"""The stack task keeps the laws of all tasks, and asks for what plain Python would say."""

from collections import Counter

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks.stacks import stack_machine


def run(prompt):
    stack = []
    for instruction in prompt:
        if instruction == "-":
            stack.pop()  # raises if it is empty
        else:
            stack.append(instruction)
    assert stack, "something is left"
    return [*stack[::-1], "END"]


def test_it_keeps_the_contract_and_declares_its_levels():
    task_laws.check_contract(stack_machine())
    task_laws.check_levels(stack_machine())


def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor():
    task_laws.check_play(stack_machine(), floor=lambda knobs: 17**-2)
    task_laws.check_padding(stack_machine())


def test_plain_python_gives_the_same_answers():
    task_laws.check_oracle(stack_machine(), run)


@pytest.mark.slow
def test_lengths_symbols_and_heights_are_those_of_the_level():
    task = stack_machine()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(11), 400), level).script
        said = [task_laws.said(*word) for word in zip(*map(np.asarray, script), strict=True)]
        assert {len(prompt) for prompt, _ in said} == {knobs.length}
        assert {token for prompt, _ in said for token in prompt} == {*"abcdefghijklmnop"[: knobs.alphabet], "-"}
        assert max(np.cumsum([-1 if token == "-" else 1 for token in p]).max() for p, _ in said) <= knobs.depth
        heights = Counter(len(answer) - 1 for _, answer in said)
        assert sorted(heights) == list(range(2 - knobs.length % 2, min(knobs.length, knobs.depth) + 1, 2))
        assert min(heights.values()) > len(said) / len(heights) / 3
