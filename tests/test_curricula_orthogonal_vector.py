"""A vector orthogonal to a given one: the laws of the task, and that each step is as plain Python says."""

import collections
from collections.abc import Hashable

import act_laws
import pytest
import quick
import task_laws

from curricula.tasks.orthogonal_vector import orthogonal_vector
from rl_pretrain.environment import check


class Oracle:
    """A state is the entries said, their product, whether one is not zero, and whether a minus was said.

    The entries themselves would make the graph too large to search.
    """

    start: Hashable

    def __init__(self, puzzle):
        self.vector = [int(entry) for entry in puzzle["vector"][: puzzle["dimension"]]]
        self.range = int(puzzle["range"])
        self.start = (0, 0, False, False)

    def seen(self, state):
        told = [("-" if entry < 0 else "+", str(abs(entry))) for entry in self.vector] + [("END", "END")]
        return [*told[state[0]], *told[state[0] + 1]]

    def moves(self, state) -> dict[str, Hashable]:
        said, product, is_nonzero, is_minus = state
        moves: dict[str, Hashable] = {} if is_minus else {"-": (said, product, is_nonzero, True)}
        for size in range(is_minus, self.range + 1):
            entry = -size if is_minus else size
            after = (said + 1, product + entry * self.vector[said], is_nonzero or size > 0, False)
            if after[0] == len(self.vector):
                after = act_laws.SOLVED if after[1] == 0 and after[2] else act_laws.LOST
            moves[str(size)] = after
        return moves


@pytest.mark.parametrize("level", quick.first([1, 6, 0, 3, 11], 2))
def test_each_step_is_as_plain_python_says_and_the_expert_goes_the_shortest_way(level):
    act_laws.check_against(orthogonal_vector(), Oracle, level, num_instances=8)


def floor(knobs):
    """The exact chance of random and of constant actions; the signs of the vector are as likely as not, so that the
    chance of a product does not depend on the answer's signs."""
    sizes = range(1, knobs.range + 1)
    size_of_vector = {size: 1 / len(sizes) for size in sizes}
    digit, after_minus = 1 / (knobs.range + 2), 1 / (knobs.range + 2) / knobs.range
    size_of_answer = {0: digit} | dict.fromkeys(sizes, digit + after_minus)
    at_random = chance_of_zero(size_of_vector, size_of_answer, knobs.dimension) - digit**knobs.dimension
    constant = chance_of_zero(size_of_vector, {1: 1.0}, knobs.dimension)  # if it is not the digit 0
    return max(at_random, constant)


def chance_of_zero(size_of_vector, size_of_answer, dimension):
    """That a sum of products of independent sizes, with signs at random, is zero."""
    of_sum = {0: 1.0}
    for _ in range(dimension):
        after = collections.defaultdict(float)
        for total, chance in of_sum.items():
            for a, chance_a in size_of_vector.items():
                for b, chance_b in size_of_answer.items():
                    after[total + a * b] += chance * chance_a * chance_b / 2
                    after[total - a * b] += chance * chance_a * chance_b / 2
        of_sum = after
    return of_sum[0]


@pytest.mark.slow
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor():
    task = orthogonal_vector()
    task_laws.check_levels(task)  # pyright: ignore[reportArgumentType]
    act_laws.check_play(task, floor)
    act_laws.check_levels_reach_the_limits(task)


def test_the_floor_is_what_the_docstring_tells():
    rows = {knobs.dimension: knobs for knobs in orthogonal_vector().levels.rows if knobs.range < 8}
    assert {dimension: round(floor(rows[dimension]), 2) for dimension in (2, 8, 64)} == {2: 0.25, 8: 0.05, 64: 0.02}


def test_it_keeps_the_contract():
    task = orthogonal_vector()
    assert task == orthogonal_vector()  # a task made anew compiles nothing anew
    check(task, max_steps=task.max_steps + 1)
