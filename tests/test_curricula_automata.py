"""Automata, group words and cellular automata keep the laws of all tasks, and ask for what plain Python works out."""

import collections

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import automata


def run_automaton(prompt):
    table, word = prompt[: prompt.index("QUERY")], prompt[prompt.index("QUERY") + 1 :]
    starts = [i - 1 for i, token in enumerate(table) if token == "="]
    rows = {table[i]: table[i + 2 : j] for i, j in zip(starts, [*starts[1:], len(table)], strict=True)}
    state = word[0]
    for letter in word[1:]:
        state = rows[state][int(letter)]
    return [state]


def multiply_symmetries(prompt):
    """Moves the corners of a polygon about: a turn takes corner c to c + i, and then a flip takes c to -c."""
    with_flips, n = prompt[0] == "*", int(prompt[1])
    elements = {}
    for flip in range(2 if with_flips else 1):
        for turn in range(n):
            corners = tuple(((-1) ** flip * (c + turn), (-1) ** flip) for c in range(n))
            elements["abcdefghijklmnop"[turn + n * flip]] = tuple((c % n, side) for c, side in corners)
    where = [(c, 1) for c in range(n)]
    for symbol in prompt[2:]:
        where = [(elements[symbol][c][0], side * elements[symbol][c][1]) for c, side in where]
    return [name for name, element in elements.items() if element == tuple(where)]


def run_cells(prompt):
    rule = {f"{7 - i:03b}": bit for i, bit in enumerate(prompt[:8])}
    steps, row = int(prompt[9]), prompt[10:]
    for _ in range(steps):
        ring = row[-1:] + row + row[:1]
        row = [rule["".join(ring[i : i + 3])] for i in range(len(row))]
    return row


TASKS = [
    (automata.finite_automaton, run_automaton, lambda knobs: 1 / knobs.states),
    (automata.group_word, multiply_symmetries, lambda knobs: 1 / (knobs.turns * (1 + knobs.flips))),
    (automata.cellular_automaton, run_cells, lambda knobs: 2**-knobs.width),
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
def test_every_answer_is_as_likely_and_every_letter_matters():
    for make, solve, _ in TASKS[:2]:
        task = make()
        level = task.levels.num_train - 1
        scripts = jax.jit(jax.vmap(task.sample, (0, None)))(jax.random.split(jax.random.key(5), 600), level).script
        said = [task_laws.said(*script) for script in zip(*map(np.asarray, scripts), strict=True)]
        counts = collections.Counter(answer[0] for _, answer in said)
        assert len(counts) == 6 and max(counts.values()) < 100 + 4 * 10 and min(counts.values()) > 100 - 4 * 10
        if make is automata.finite_automaton:  # no letter takes two states to one
            for prompt, _ in said:
                states = 6
                rows = [prompt[5 * i + 2 : 5 * i + 5] for i in range(states)]
                assert all(len(set(column)) == states for column in zip(*rows, strict=True))
        changed = [solve(prompt[:-2] + prompt[-1:]) != answer for prompt, answer in said]
        assert np.mean(changed) > 0.5  # without the last letter but one


@pytest.mark.slow
def test_no_cellular_answer_is_dull():
    task = automata.cellular_automaton()
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level in range(task.levels.num_levels):
        scripts = sample(jax.random.split(jax.random.key(6), 100), level).script
        for script in zip(*map(np.asarray, scripts), strict=True):
            prompt, answer = task_laws.said(*script)
            assert len(set(answer)) == 2 and answer != prompt[10:]


def test_rules_have_the_class_of_their_mirror_images_and_negatives():
    """Counts of equivalent rules from the literature: 24 rules of class 1, 26 of class 3, 14 of class 4."""
    classes = automata._wolfram_classes()
    assert [int((classes == number).sum()) for number in (1, 2, 3, 4)] == [24, 192, 26, 14]
    assert {int(classes[rule]) for rule in (110, 124, 137, 193)} == {4}
    chaotic = {18, 22, 30, 45, 60, 86, 90, 105, 122, 126, 135, 146, 149, 150}
    assert {int(classes[rule]) for rule in chaotic} == {3}
