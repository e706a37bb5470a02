"""Numbers combined until a target comes out: the laws of the task, and that each step is as plain Python says."""

import itertools
import operator
from collections.abc import Hashable

import act_laws
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quick
import task_laws

from curricula import vocabulary
from curricula.act import Instance
from curricula.tasks.countdown import Puzzle, countdown
from rl_pretrain.environment import check

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}
SLOTS = "abcde"


def combine(a, sign, b):
    """The result, None where the rules allow none."""
    if sign == "/" and a % b:
        return None
    result = OPERATIONS[sign](a, b)
    return result if 1 <= result <= 9999 else None


class Oracle:
    """A state is the numbers in the slots, None where one is empty, and the picks made."""

    start: Hashable

    def __init__(self, puzzle):
        self.target = int(puzzle["target"])
        self.start = (tuple(int(number) or None for number in puzzle["numbers"]), "")

    def seen(self, state):
        numbers, picks = state
        shown = [["BLANK"] * 4 if number is None else list(f"{number:04}") for number in (*numbers, self.target)]
        return [*itertools.chain(*shown), *picks, *["BLANK"] * (2 - len(picks))]

    def moves(self, state) -> dict[str, Hashable]:
        numbers, picks = state
        moves: dict[str, Hashable] = {}
        for first, second in itertools.permutations(range(len(numbers)), 2):
            if numbers[first] is None or numbers[second] is None:
                continue
            for sign in OPERATIONS:
                combination = SLOTS[first] + sign + SLOTS[second]
                result = combine(numbers[first], sign, numbers[second])
                if result is not None and combination.startswith(picks):
                    begun = combination[: len(picks) + 1]
                    moves[begun[-1]] = (numbers, begun)
                    if begun == combination:
                        after = [None if i == second else number for i, number in enumerate(numbers)]
                        after[first] = result
                        moves[begun[-1]] = self.end(after) or (tuple(after), "")
        return moves

    def end(self, numbers):
        if self.target in numbers:
            return act_laws.SOLVED
        return act_laws.LOST if sum(number is not None for number in numbers) == 1 else None


@pytest.mark.parametrize(("level", "num_instances"), quick.first([(2, 8), (0, 8), (3, 4), (6, 3)], 2))
def test_each_step_is_as_plain_python_says_and_the_expert_goes_the_shortest_way(level, num_instances):
    act_laws.check_against(countdown(), Oracle, level, num_instances)


@pytest.mark.slow
@pytest.mark.parametrize("level", [4, 7])
def test_five_numbers_go_as_plain_python_says(level):
    act_laws.check_against(countdown(), Oracle, level, 3)


@pytest.mark.slow
def test_the_expert_solves_every_level_and_thoughtless_policies_stay_at_the_floor():
    """The floor was found by playing 10,000 random episodes a level in plain Python, and rounded up."""
    task = countdown()
    task_laws.check_levels(task)  # pyright: ignore[reportArgumentType]
    act_laws.check_play(task, lambda knobs: {2: 0.36, 3: 0.12, 4: 0.05, 5: 0.03}[knobs.count])
    act_laws.check_levels_reach_the_limits(task)


def test_targets_are_new_and_come_from_the_numbers_given():
    task = countdown()
    for level, knobs in enumerate(task.levels.rows):
        puzzle = act_laws.pool_of(task, level).instances.puzzle
        numbers, targets = np.asarray(puzzle.numbers), np.asarray(puzzle.target)
        assert ((numbers[:, : knobs.count] >= 1) & (numbers[:, : knobs.count] <= knobs.range)).all()
        assert (numbers[:, knobs.count :] == 0).all()
        assert (numbers != targets[:, None]).all()
        assert ((targets >= 1) & (targets <= 9999)).all()
        assert len(set(targets.tolist())) > 8


def test_no_pick_leads_to_a_dead_end():
    """Near the greatest number little is legal; the expert, where there is no way, still says something legal."""
    task = countdown()
    legal_actions, expert, step = jax.jit(task.legal_actions), jax.jit(task.expert), jax.jit(task.step)
    numbers = jnp.array([9999, 9998, 0, 9999, 0], jnp.int32)
    state = task.reset(Instance(Puzzle(numbers, jnp.int32(7)), jnp.int32(0)))
    oracle = Oracle({"numbers": numbers, "target": 7})
    place = oracle.start
    assert place not in act_laws.distances_of(oracle)
    while place not in (act_laws.SOLVED, act_laws.LOST):
        moves = oracle.moves(place)
        assert {vocabulary.name(int(token)) for token in np.flatnonzero(legal_actions(state))} == set(moves)
        action = expert(state)
        place, state = moves[vocabulary.name(int(action))], step(state, action)
    assert (float(state.discount), float(state.reward)) == (0, 0)


def test_it_keeps_the_contract():
    task = countdown()
    assert task == countdown()  # a task made anew compiles nothing anew
    check(task, max_steps=task.max_steps + 1)
