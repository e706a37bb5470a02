"""Logic tasks keep the laws of all tasks, and ask for what plain Python works out."""

import collections
import itertools

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import logic


def evaluate(prompt):
    mark = prompt.index("QUERY")
    values = {prompt[i]: int(prompt[i + 1]) for i in range(0, mark, 2)}
    for i in range(mark + 1, len(prompt), 5):
        target, equals, left, operation, right = prompt[i : i + 5]
        assert equals == "=" and left != right
        pair = {values[left], values[right]}
        values[target] = {"*": 0 not in pair, "+": 1 in pair, "-": len(pair) == 2}[operation] + 0
    return ["YES" if values[target] else "NO"]


def read_rules(prompt):
    """Bodies and heads, and what is asked."""
    rules, body, tokens = [], [], iter(prompt)
    for token in tokens:
        if token == "QUERY":
            return rules, next(tokens)
        if token == "=":
            rules.append((body, next(tokens)))
            body = []
        else:
            body.append(token)


def follow(prompt):
    rules, asked = read_rules(prompt)
    known = set()
    for _ in rules:
        known |= {head for body, head in rules if set(body) <= known}
    return ["YES" if asked in known else "NO"]


def find_knights(prompt):
    statements, people = [[]], sorted({token for token in prompt if token.islower()})
    for token in prompt:
        if token == "BLANK":
            statements.append([])
        else:
            statements[-1].append(token)
    assert statements.pop() == []
    assert {statement[0] for statement in statements} == set(people)
    worlds = []
    for kinds in itertools.product((True, False), repeat=len(people)):
        is_knight = dict(zip(people, kinds, strict=True))
        for speaker, who, word, *others in statements:
            if word in ("YES", "NO"):
                is_true = is_knight[who] == (word == "YES")
            else:
                is_true = (is_knight[who] == is_knight[others[0]]) == (word == "=")
            if is_true != is_knight[speaker]:
                break
        else:
            worlds.append(["YES" if kind else "NO" for kind in kinds])
    (world,) = worlds
    return world


TASKS = [
    (logic.circuit, evaluate, lambda knobs: 0.5),
    (logic.horn, follow, lambda knobs: 0.5),
    (logic.knights_and_knaves, find_knights, lambda knobs: 2**-knobs.people),
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


def instances(task, number):
    """For each level its knobs, and prompts and answers."""
    sample = jax.jit(jax.vmap(task.sample, (0, None)))
    for level, knobs in enumerate(task.levels.rows):
        script = sample(jax.random.split(jax.random.key(9), number), level).script
        yield knobs, [task_laws.said(*row) for row in zip(*map(np.asarray, script), strict=True)]


def check_balance(hints, knobs):
    """For each value of a hint, YES and NO come up about as often."""
    for hint, answers in hints.items():
        if len(answers) >= 20:
            assert abs(np.mean(answers) - 0.5) < 4 * 0.5 / len(answers) ** 0.5, (knobs, hint, np.mean(answers))


@pytest.mark.slow
def test_operations_do_not_tell_what_a_circuit_gives():
    for knobs, said in instances(logic.circuit(), 600):
        hints = collections.defaultdict(list)
        for prompt, answer in said:
            is_yes = answer == ["YES"]
            assert len(prompt) == 2 * knobs.variables + 1 + 5 * knobs.gates
            for hint in ("all", prompt[-2], (prompt[-7], prompt[-2])):
                hints[hint].append(is_yes)
            gates = [prompt[i : i + 5] for i in range(2 * knobs.variables + 1, len(prompt), 5)]
            assert all(a[0] in (b[2], b[4]) for a, b in itertools.pairwise(gates))  # one chain
        check_balance(hints, knobs)


@pytest.mark.slow
def test_what_follows_takes_the_whole_chain():
    for knobs, said in instances(logic.horn(), 600):
        hints = collections.defaultdict(list)
        for prompt, answer in said:
            rules, asked = read_rules(prompt)
            is_yes = answer == ["YES"]
            facts = {head for body, head in rules if not body}
            assert len(rules) - len(facts) == 2 * knobs.depth + knobs.distractors
            if is_yes:
                known, rounds = facts, 0
                while asked not in known:
                    known, rounds = known | {head for body, head in rules if set(body) <= known}, rounds + 1
                assert rounds == knobs.depth
            for hint in (
                "all",
                ("facts", len(facts)),
                ("given", sum(head == asked for _, head in rules)),
                ("needed", sum(asked in body for body, _ in rules)),
                ("needs a fact", sum(bool(facts & set(body)) for body, head in rules if head == asked)),
            ):
                hints[hint].append(is_yes)
        check_balance(hints, knobs)


@pytest.mark.slow
def test_knights_are_as_likely_as_knaves_and_drawing_is_seldom_in_vain():
    for knobs, said in instances(logic.knights_and_knaves(), 300):
        answers = np.array([[name == "YES" for name in answer] for _, answer in said])
        assert answers.shape[1] == knobs.people
        assert (abs(answers.mean(0) - 0.5) < 4 * 0.5 / 300**0.5).all(), knobs
        assert all(sum(token == "BLANK" for token in prompt) == knobs.statements for prompt, _ in said)
        if knobs.people > 2:
            about_oneself = [  # what statements look like where drawing was given up
                all(s[0] == s[1] for s in " ".join(prompt).replace(" ", "").split("BLANK") if s) for prompt, _ in said
            ]
            assert np.mean(about_oneself) < 0.02, knobs
