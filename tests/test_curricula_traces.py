"""The steps of traces are right: by hand for a prompt of each task, by an interpreter in plain Python for many."""

import bisect
import itertools
import math
import re

import numpy as np
import pytest
import task_laws

from curricula import tasks, traces, vocabulary
from curricula.tasks import copying, logic, selection, stacks

BY_HAND = {
    "addition": ("8 9 + 5 7", "8 5 0 = 3 1 9 7 1 = 7 1"),
    "multiplication": (
        "7 2 * 4 1",
        "7 4 0 = 8 2 2 4 2 = 0 1 BLANK 8 0 1 BLANK 7 1 0 = 7 0 2 1 0 = 2 0 BLANK 8 7 3 BLANK",
    ),
    "factorial": ("2 1 * 3 = 3 1", "0 1 BLANK 7 BLANK 7 BLANK"),
    "modular_expression": ("5 ( 3 - ( 1 * 4 ) )", "1 * 4 = 4 BLANK 3 - 4 = 4 BLANK"),
    "list_operations": ("( c 3 ( a 1 4 ) ( b 9 5 ) )", "a 1 4 = 4 BLANK b 9 5 = 5 BLANK c 3 4 5 = 2 BLANK"),
    "finite_automaton": ("a = b c b = a a c = c b QUERY b 0 1 1", "a c b"),
    "group_word": ("* 3 b d b", "b e d"),  # a turn and a flip, then a turn the other way
    "cellular_automaton": ("0 0 0 1 1 1 1 0 QUERY 2 0 1 0 0", "1 1 1 0 BLANK 1 0 0 0 BLANK"),  # rule 30
    "stack_machine": ("a b - c", "a BLANK b a BLANK a BLANK c a BLANK"),
    "closing": ("a b j a", "i BLANK j i BLANK i BLANK i i BLANK"),
    "dyck": ("a b i j", "i BLANK j i BLANK"),
    "sort": ("c a b", "c BLANK a c BLANK a b c BLANK"),
    "circuit": ("a 1 b 0 QUERY b = a + b a = b - a", "b 1 a 0"),
    "horn": ("c b = d = a a b = c = b f a = g QUERY d", "a b = c c b = d"),
    "reachability": ("b c a b c d QUERY a c", "a b b c"),
    "shortest_path": ("a b b c a d d c c e QUERY a c", "a b a d b c"),
    "topological_order": ("c a b a QUERY", "b c BLANK c BLANK a BLANK"),
    "orthogonal_choice": (
        "1 2 BLANK 2 - 1 BLANK - 2 - 9 BLANK 1 1 BLANK 0 1 BLANK",
        "2 BLANK 0 BLANK - 2 BLANK - 0 2 BLANK 1 BLANK 3 BLANK 0 BLANK 2 BLANK",
    ),
    "matrix_vector": ("5 BLANK 2 3 BLANK 1 4 BLANK 0 2 BLANK", "2 4 BLANK 0 1 BLANK"),
}


@pytest.mark.parametrize("task", BY_HAND)
def test_steps_are_those_that_one_would_write_by_hand(task):
    prompt, steps = BY_HAND[task]
    function = getattr(traces, task)
    assert traces.TRACES[task].steps is function
    assert function(prompt.split()) == steps.split()


def test_a_bracket_that_closes_what_is_not_open_ends_the_steps():
    assert traces.dyck(["a", "i", "i", "a"]) == ["i", "BLANK", "BLANK"]


def test_a_search_that_never_meets_its_target_goes_on_to_the_end():
    assert traces.reachability(["a", "b", "c", "d", "b", "e", "QUERY", "a", "d"]) == ["a", "b", "b", "e"]


def test_every_task_has_a_trace_or_is_known_to_have_none():
    names = {task.name for task in tasks.every_task()}
    whole = {"copy", "reverse", "repeat_copy", "odds_first", "fibonacci"}
    none = {"dedup", "union", "intersection", "difference", "associative_recall", "knights_and_knaves"}
    assert {name for name, trace in traces.TRACES.items() if trace.steps is None} == whole
    assert traces.TRACES.keys() == BY_HAND.keys() | whole
    assert not none & traces.TRACES.keys()
    assert none | traces.TRACES.keys() <= names


@pytest.mark.parametrize("make", [selection.dedup, logic.knights_and_knaves])
def test_a_task_without_a_trace_is_named(make):
    task = make()
    with pytest.raises(ValueError, match=f"{task.name} has no trace"):
        traces.says(task)
    with pytest.raises(ValueError, match=f"{task.name} has no trace"):
        traces.write(task, np.zeros(2, np.int8), np.zeros(2, np.int8))


def test_a_script_that_says_every_step_is_its_own_trace():
    task = copying.copy()
    a, b = vocabulary.symbols(2)
    shown = np.array([a, b, vocabulary.Token.ANSWER, 0], np.int8)
    asked = np.array([0, 0, a, b], np.int8)
    assert traces.write(task, shown, asked) == (shown, asked)
    assert traces.says(task) == task.answers


# The interpreters. Each gets a prompt and an answer, in names, and gives the steps as the definitions of the tasks have
# them; an assertion in it fails where the answer is not what the steps lead to.


def number(digits):
    return int("".join(digits)[::-1])


def numeral(value):
    return [*str(value)[::-1]]


def split_at(tokens, *marks):
    pieces = [[]]
    for token in tokens:
        if token in marks:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def column(*numbers, total):
    return [*map(str, numbers), "=", str(total % 10), str(total // 10)]


def addition(prompt, answer):
    one, other = map(number, split_at(prompt, "+"))
    steps = []
    for place in range(len(str(one))):
        carry = (one % 10**place + other % 10**place) // 10**place
        x, y = one // 10**place % 10, other // 10**place % 10
        steps += column(x, y, carry, total=x + y + carry)
    assert number(answer[:-1]) == one + other
    return steps


def multiplication(prompt, answer):
    one, other = map(number, split_at(prompt, "*"))
    steps = []
    for row in range(len(str(other))):
        factor = other // 10**row % 10
        for place in range(len(str(one))):
            carry = one % 10**place * factor // 10**place
            x = one // 10**place % 10
            steps += column(x, factor, carry, total=x * factor + carry)
        steps += ["BLANK", *numeral(other % 10 ** (row + 1) * one), "BLANK"]
    assert steps[-len(answer) : -1] == answer[:-1]
    return steps


def factorial(prompt, answer):
    start, n, prime = map(number, split_at(prompt, "*", "="))
    steps = []
    for factor in range(n, 0, -1):
        steps += [*numeral(start * math.perm(n, n - factor + 1) % prime), "BLANK"]
    assert steps[-len(answer) : -1] == answer[:-1]
    return steps


def reductions(text, modulus, evaluate):
    """Rewrites the first innermost list again and again."""
    steps = []
    while match := re.search(r"\(([^()]*)\)", text):
        inner, value = match.group(1).split(), evaluate(match.group(1)) % modulus
        steps += [*inner, "=", str(value), "BLANK"]
        text = f"{text[: match.start()]}{value}{text[match.end() :]}"
    return steps


def modular_expression(prompt, answer):
    steps = reductions(" ".join(prompt[1:]), int(prompt[0]) or 10, eval)
    assert [steps[-2]] == answer
    return steps


def list_operations(prompt, answer):
    operations = {"a": max, "b": min, "c": sum}

    def evaluate(text):
        name, *numbers = text.split()
        return operations[name](map(int, numbers))

    steps = reductions(" ".join(prompt), 10, evaluate)
    assert [steps[-2]] == answer
    return steps


def finite_automaton(prompt, answer):
    text = "".join(prompt[: prompt.index("QUERY")])
    table = {row[0]: row[2:] for row in re.findall(r"[a-p]=[a-p]*?(?=[a-p]=|$)", text)}
    state, *word = prompt[prompt.index("QUERY") + 1 :]
    states = list(itertools.accumulate(word, lambda state, letter: table[state][int(letter)], initial=state))
    assert [states[-1]] == answer
    return states[1:]


def group_word(prompt, answer):
    """As permutations of the corners of the polygon, or of a circle with more corners where two are too few."""
    n = int(prompt[1])
    corners = 2 * n if n < 3 else n
    motion = {}
    for element in range(2 * n if prompt[0] == "*" else n):
        turn, sign = element % n * (corners // n), 1 - 2 * (element // n)
        motion["abcdefghijklmnop"[element]] = tuple((turn + sign * c) % corners for c in range(corners))
    name = {permutation: element for element, permutation in motion.items()}
    so_far, steps = tuple(range(corners)), []
    for element in prompt[2:]:
        so_far = tuple(so_far[c] for c in motion[element])
        steps.append(name[so_far])
    assert [steps[-1]] == answer
    return steps


def cellular_automaton(prompt, answer):
    rule = {f"{7 - i:03b}": cell for i, cell in enumerate(prompt[:8])}
    row, steps = "".join(prompt[10:]), []
    for _ in range(int(prompt[9])):
        ring = f"{row[-1]}{row}{row[0]}"
        row = "".join(rule[ring[i : i + 3]] for i in range(len(row)))
        steps += [*row, "BLANK"]
    assert [*row] == answer
    return steps


def stack_machine(prompt, answer):
    stack, steps = [], []
    for instruction in prompt:
        stack.pop() if instruction == "-" else stack.append(instruction)
        steps += [*reversed(stack), "BLANK"]
    assert [*reversed(stack), "END"] == answer
    return steps


def owed(prompt):
    """What each beginning of the word owes, as strings; up to the first one that cannot be closed."""
    for end in range(1, len(prompt) + 1):
        text, before = "".join(prompt[:end]), None
        while text != before:
            text, before = re.sub("ai|bj|ck|dl|em|fn|go|hp", "", text), text
        if re.search("[i-p]", text):
            return
        yield text[::-1].translate(str.maketrans("abcdefgh", "ijklmnop"))


def closing(prompt, answer):
    all_owed = list(owed(prompt))
    assert [*all_owed[-1], "END"] == answer
    return [token for text in all_owed for token in [*text, "BLANK"]]


def dyck(prompt, answer):
    all_owed = list(owed(prompt))
    assert answer == ["YES" if len(all_owed) == len(prompt) and not all_owed[-1] else "NO"]
    return [token for text in all_owed for token in [*text, "BLANK"]]


def sort(prompt, answer):
    done, steps = [], []
    for token in prompt:
        bisect.insort(done, token)
        steps += [*done, "BLANK"]
    assert done == answer
    return steps


def circuit(prompt, answer):
    text = " ".join(prompt)
    inputs, gates = text.split(" QUERY ")
    values = {name: int(value) for name, value in re.findall(r"(\w) (\d)", inputs)}
    steps = []
    for target, expression in re.findall(r"(\w) = (\w \S \w)", gates):
        values[target] = eval(expression.replace("*", "&").replace("+", "|").replace("-", "^"), {}, values)
        steps += [target, str(values[target])]
    assert answer == ["YES" if steps[-1] == "1" else "NO"]
    return steps


def horn(prompt, answer):
    text = "".join(prompt[: prompt.index("QUERY")])
    rules = re.findall(r"(\w\w)?=(\w)", text)
    known = {head for body, head in rules if not body}
    news = [rule for rule in rules if rule[0]]
    steps = []
    while any(set(body) <= known and head not in known for body, head in news):
        for body, head in news:
            if set(body) <= known and head not in known:
                steps += [*body, "=", head]
                known |= {head}
    assert answer == ["YES" if prompt[-1] in known else "NO"]
    return steps


def search(prompt):
    """Edges that met something new, and of each node met the way to it."""
    end = prompt.index("QUERY")
    edges = list(zip(prompt[:end:2], prompt[1:end:2], strict=True))
    start, target = prompt[end + 1 :]
    ways, steps, frontier = {start: []}, [], [start]
    while frontier:
        node = frontier.pop(0)
        for source, met in edges:
            if source == node and met not in ways:
                ways[met] = [*ways[node], met]
                steps += [node, met]
                frontier.append(met)
                if met == target:
                    return ways, steps
    return ways, steps


def reachability(prompt, answer):
    ways, steps = search(prompt)
    assert answer == ["YES" if prompt[-1] in ways else "NO"]
    return steps


def shortest_path(prompt, answer):
    ways, steps = search(prompt)
    assert answer == ways[prompt[-1]]
    return steps


def topological_order(prompt, answer):
    edges = set(zip(prompt[:-1:2], prompt[1:-1:2], strict=True))
    steps = []
    for i in range(len(answer) - 1):
        waiting = {after for before, after in edges if before not in answer[:i]}
        free = sorted(set(answer[i:-1]) - waiting)
        assert free[0] == answer[i]
        steps += [*free, "BLANK"]
    return steps


def orthogonal_choice(prompt, answer):
    lines = " ".join(prompt).replace("- ", "-").split(" BLANK")[:-1]
    vector, *choices = [[int(entry) for entry in line.split()] for line in lines]
    steps, products = [], []
    for choice in choices:
        for end in range(1, len(vector) + 1):
            product = sum(x * y for x, y in zip(vector[:end], choice[:end], strict=True))
            steps += [*re.sub("-", "", str(product))[::-1], "BLANK"] if product >= 0 else []
            steps += ["-", *str(-product)[::-1], "BLANK"] if product < 0 else []
        products.append(product)
    assert [products[int(answer[0])], products.count(0)] == [0, 1]
    return steps


def matrix_vector(prompt, answer):
    modulus, vector, *rows = [[int(entry) for entry in line] for line in split_at(prompt, "BLANK")[:-1]]
    steps = []
    for row, product in zip(rows, answer, strict=True):
        for end in range(1, len(row) + 1):
            steps.append(str(sum(row[i] * vector[i] for i in range(end)) % modulus[0]))
        assert steps[-1] == product
        steps.append("BLANK")
    return steps


def check(task, levels):
    interpret = globals()[task.name]
    says = {vocabulary.name(token) for token in traces.says(task)}
    for level in levels:
        script = task_laws.instances_of(task, level).script
        for shown, asked, length in zip(*map(np.asarray, script), strict=True):
            shown, asked = shown[:length], asked[:length]
            prompt, answer = task_laws.said(shown, asked, length)
            traced_shown, traced_asked = traces.write(task, shown, asked)
            steps = interpret(prompt, answer)
            silence = ["."] * len(prompt)
            said = [vocabulary.name(int(token)) for token in traced_asked]
            assert said == [*silence, *steps, "ANSWER", *answer], f"{task.name}: {' '.join(prompt)}"
            assert {*steps, "ANSWER", *answer} <= says
            assert len(traced_shown) == len(traced_asked)
            assert traced_shown.tolist()[:length] == shown.tolist() and not traced_shown[length:].any()
            assert traced_shown.dtype == traced_asked.dtype == np.int8


def test_a_plain_interpreter_takes_the_same_steps():
    check(stacks.stack_machine(), (0, 5, 11))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [make for make in tasks.MAKERS if make().name in BY_HAND], ids=lambda make: make.__name__
)
def test_plain_interpreters_take_the_same_steps_at_every_level(make):
    check(make(), range(make().levels.num_levels))
