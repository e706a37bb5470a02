"""Graph tasks keep the laws of all tasks, and ask for what plain Python works out."""

import collections
import itertools

import jax
import numpy as np
import pytest
import task_laws

from curricula.tasks import graphs


def read(prompt):
    """Edges, and what is asked."""
    mark = prompt.index("QUERY")
    edges = list(zip(prompt[:mark:2], prompt[1:mark:2], strict=True))
    assert len(set(edges)) == len(edges) and all(a != b for a, b in edges)
    return edges, prompt[mark + 1 :]


def paths(edges, start, end):
    """All shortest paths, by growing every path by every edge."""
    grown = [[start]]
    for _ in range(17):
        if any(path[-1] == end for path in grown):
            break
        grown = [[*path, b] for path in grown for a, b in edges if a == path[-1] and b not in path]
    return [path for path in grown if path[-1] == end]


def reached(edges, start):
    nodes, size = {start}, 0
    while len(nodes) > size:
        size = len(nodes)
        nodes |= {b for a, b in edges if a in nodes}
    return nodes


def say_whether_reached(prompt):
    edges, (start, end) = read(prompt)
    return ["YES" if end in reached(edges, start) else "NO"]


def go(prompt):
    edges, (start, end) = read(prompt)
    (path,) = paths(edges, start, end)
    return path[1:]


def put_in_order(prompt):
    edges, nothing = read(prompt)
    assert nothing == []
    left, order = sorted({node for edge in edges for node in edge}), []
    if len(left) <= 5:
        orders = itertools.permutations(left)
        return [*min(o for o in orders if all(o.index(a) < o.index(b) for a, b in edges)), "END"]
    while left:
        order.append(min(b for b in left if not any(a in left for a, c in edges if c == b)))
        left.remove(order[-1])
    return [*order, "END"]


TASKS = [
    (graphs.reachability, say_whether_reached, lambda knobs: 0.5),
    (graphs.shortest_path, go, lambda knobs: 16**-knobs.distance),
    (graphs.topological_order, put_in_order, lambda knobs: 17 ** -(knobs.nodes + 1)),
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


@pytest.mark.slow
def test_graphs_have_the_size_their_level_says():
    for knobs, said in instances(graphs.reachability(), 30):
        for prompt, answer in said:
            edges, (start, end) = read(prompt)
            assert len(edges) == knobs.edges
            if answer == ["YES"]:
                assert len(paths(edges, start, end)[0]) == knobs.distance + 1
    for knobs, said in instances(graphs.shortest_path(), 30):
        for prompt, answer in said:
            edges, (start, _) = read(prompt)
            assert len(edges) == knobs.nodes - 1 + knobs.extra and len(answer) == knobs.distance
            assert len({node for edge in edges for node in edge}) == knobs.nodes
            assert sum(a == start for a, _ in edges) > 1  # the first step is a choice
    for knobs, said in instances(graphs.topological_order(), 30):
        for prompt, answer in said:
            assert len(read(prompt)[0]) == knobs.edges and len(answer) == knobs.nodes + 1


@pytest.mark.slow
def test_neither_degrees_nor_what_hangs_together_tell_whether_a_node_is_reached():
    """For each value of a hint, YES and NO come up about as often."""
    for knobs, said in instances(graphs.reachability(), 800):
        hints = collections.defaultdict(list)
        for prompt, answer in said:
            edges, (start, end) = read(prompt)
            is_yes = answer == ["YES"]
            degrees = [sum(edge[way] == node for edge in edges) for node in (start, end) for way in range(2)]
            for hint in ("all", tuple(degrees), *enumerate(degrees)):
                hints[hint].append(is_yes)
            back = [(b, a) for a, b in edges]
            assert end in reached(edges + back, start)
            assert all(len(path) > knobs.distance for path in paths(back, start, end))
        for hint, answers in hints.items():
            if len(answers) >= 20:
                assert abs(np.mean(answers) - 0.5) < 4 * 0.5 / len(answers) ** 0.5, (knobs, hint)


@pytest.mark.slow
def test_the_alphabet_alone_is_seldom_the_order():
    for knobs, said in instances(graphs.topological_order(), 100):
        assert np.mean([sorted(answer[:-1]) == answer[:-1] for _, answer in said]) < (0.6 if knobs.nodes < 5 else 0.2)
