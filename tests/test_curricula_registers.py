"""Fibonacci and factorial numbers by two registers: their laws, and that each step is as plain Python says."""

import math
from collections.abc import Hashable

import act_laws
import pytest
import quick
import task_laws

from curricula.tasks import registers
from rl_pretrain.environment import check

MAKERS = [registers.register_fibonacci, registers.register_factorial]


def fibonacci_terms(x, y, p, k):
    terms = [x, y]
    while len(terms) < k + 2:
        terms.append((terms[-1] + terms[-2]) % p)
    return terms[2:]


def factorial_terms(x, y, p, k):
    """The counter goes round 1 … p - 1; each term is x times all it has shown so far."""
    shown = [[*range(1, p)][(y - 1 - i) % (p - 1)] for i in range(k)]
    return [x * math.prod(shown[: i + 1]) % p for i in range(k)]


class Oracle:
    """A state is x, y and how much was said."""

    start: Hashable

    def __init__(self, puzzle, terms, changes):
        x, y = int(puzzle["x"]), int(puzzle["y"])
        self.p, self.changes, self.start = int(puzzle["modulus"]), changes, (x, y, 0)
        self.terms = terms(x, y, self.p, int(puzzle["length"]))

    def seen(self, state):
        return list(f"{state[0]:02}{state[1]:02}")

    def moves(self, state) -> dict[str, Hashable]:
        x, y, said = state
        moves: dict[str, Hashable] = {name: (*after, said) for name, after in self.changes(x, y, self.p).items()}
        moves["EMIT"] = act_laws.LOST
        if x == self.terms[said]:
            moves["EMIT"] = (x, y, said + 1) if said + 1 < len(self.terms) else act_laws.SOLVED
        return moves


def tell_fibonacci(puzzle):
    return Oracle(puzzle, fibonacci_terms, lambda x, y, p: {"+": ((x + y) % p, y), "SWAP": (y, x)})


def tell_factorial(puzzle):
    return Oracle(puzzle, factorial_terms, lambda x, y, p: {"*": (x * y % p, y), "-": (x, y - 1 or p - 1)})


TELL = dict(zip(MAKERS, [tell_fibonacci, tell_factorial], strict=True))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("level", quick.first([3, 0, 10]))
def test_each_step_is_as_plain_python_says_and_the_expert_goes_the_shortest_way(make, level):
    act_laws.check_against(make(), TELL[make], level)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor(make):
    """The floor was found by playing 20,000 random episodes a level in plain Python, and rounded up."""
    task = make()
    task_laws.check_levels(task)
    act_laws.check_play(task, lambda knobs: 0.4**knobs.terms)
    act_laws.check_levels_reach_the_limits(task)


def test_they_keep_the_contract():
    for make in MAKERS:
        assert make() == make()  # a task made anew compiles nothing anew
    task = registers.register_factorial()  # both have the same rules
    check(task, max_steps=task.max_steps + 1)
