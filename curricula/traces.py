"""The steps by which a task can be solved, said before the answer: what a demonstration with working shows.

A traced script asks for the steps, then for ANSWER, then for the answer. So a network that learnt traces is played as
any other, on the traced script. Steps are written here out of the tokens shown, by plain Python on their names: they
are made once, on the host, and are there to be read.

- Steps of their own: addition, multiplication, factorial, modular_expression, list_operations, finite_automaton,
  group_word, cellular_automaton, stack_machine, closing, dyck, sort, circuit, horn, reachability, shortest_path,
  topological_order, orthogonal_choice, matrix_vector. The function of that name here says which.
- The answer already says every step, and the traced script is the script: copy, reverse, repeat_copy, odds_first,
  fibonacci.
- All other tasks have no trace: nothing is worked out on the way (associative_recall, dedup, the sets), or working it
  out is a search much longer than the answer (knights_and_knaves).
"""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from curricula import vocabulary
from curricula.stream import Stream
from curricula.vocabulary import NUM_TOKENS, Token

Names = list[str]
BLANK, EQUALS = vocabulary.name(Token.BLANK), vocabulary.name(Token.EQUALS)
PLUS, MINUS, TIMES = (vocabulary.name(token) for token in (Token.PLUS, Token.MINUS, Token.TIMES))
OPEN, CLOSE, QUERY = (vocabulary.name(token) for token in (Token.OPEN, Token.CLOSE, Token.QUERY))
DIGITS = tuple(vocabulary.name(token) for token in vocabulary.digits())
SYMBOLS = tuple(vocabulary.name(token) for token in vocabulary.symbols())


class Trace(NamedTuple):
    """How a task is worked out."""

    steps: Callable[[Names], Names] | None  # tokens shown → tokens to say before the answer; None: the answer is all
    says: tuple[str, ...] = ()  # what the steps may hold


def says(task: Stream) -> tuple[int, ...]:
    """Tokens that a traced script of a task may ask for. Raises ValueError where the task has no trace."""
    trace = _trace(task)
    if trace.steps is None:
        return task.answers
    return tuple(sorted({*task.answers, int(Token.ANSWER), *(_number_of()[name] for name in trace.says)}))


def write(task: Stream, shown: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A script with its steps: tokens shown and tokens asked for, int8 `[steps]` each, as long as the script is.

    Args:
      shown, asked: the script without padding, int8 `[length]`.

    Raises ValueError where the task has no trace.
    """
    trace = _trace(task)
    if trace.steps is None:
        return shown, asked
    is_prompt = (shown != Token.PAD) & (shown != Token.ANSWER)
    steps = trace.steps([vocabulary.name(int(token)) for token in shown[is_prompt]])
    said = [_number_of()[name] for name in steps] + [int(Token.ANSWER)]
    start = int(np.argmax(asked != Token.PAD))
    traced_asked = np.concatenate([asked[:start], said, asked[start:]]).astype(np.int8)
    return np.pad(shown, (0, len(said)), constant_values=int(Token.PAD)), traced_asked


def addition(prompt: Names) -> Names:
    """For each column, the lowest first: both digits, the carry, EQUALS, then the sum as digit and carry."""
    one, other = (_digits(piece) for piece in _pieces(prompt, PLUS))
    steps, carry = [], 0
    for x, y in zip(one, other, strict=True):
        total = x + y + carry
        steps += [str(x), str(y), str(carry), EQUALS, str(total % 10), str(total // 10)]
        carry = total // 10
    return steps


def multiplication(prompt: Names) -> Names:
    """For each digit of the second number, the lowest first: for each column of the first number its digit, that
    digit, the carry, EQUALS, the result as digit and carry; at the end BLANK, the sum of all so far, BLANK."""
    one, other = (_digits(piece) for piece in _pieces(prompt, TIMES))
    steps, total = [], 0
    for place, factor in enumerate(other):
        carry = 0
        for digit in one:
            product = digit * factor + carry
            steps += [str(digit), str(factor), str(carry), EQUALS, str(product % 10), str(product // 10)]
            carry = product // 10
        total += _value(one) * factor * 10**place
        steps += [BLANK, *_numeral(total), BLANK]
    return steps


def factorial(prompt: Names) -> Names:
    """For each factor n, n - 1, …, 1: the number so far times the factor, modulo p, then BLANK."""
    product, prime = _pieces(prompt, EQUALS)
    value, number = (_value(_digits(piece)) for piece in _pieces(product, TIMES))
    steps = []
    for factor in range(number, 0, -1):
        value = value * factor % _value(_digits(prime))
        steps += [*_numeral(value), BLANK]
    return steps


def modular_expression(prompt: Names) -> Names:
    """For each pair of brackets, as it closes: what stands in it, worked out inside, EQUALS, its value, BLANK."""
    modulus = int(prompt[0]) or 10

    def evaluate(items: Names) -> int:
        x, operator, y = int(items[0]), items[1], int(items[2])
        return {PLUS: x + y, MINUS: x - y, TIMES: x * y}[operator] % modulus

    return _reductions(prompt[1:], evaluate)


def list_operations(prompt: Names) -> Names:
    """For each list, as it closes: its operator, its arguments, worked out, EQUALS, its value, BLANK."""

    def evaluate(items: Names) -> int:
        numbers = [int(item) for item in items[1:]]
        return {"a": max(numbers), "b": min(numbers), "c": sum(numbers) % 10}[items[0]]

    return _reductions(prompt, evaluate)


def finite_automaton(prompt: Names) -> Names:
    """The state after each letter of the word."""
    rules, (state, *word) = _pieces(prompt, QUERY)
    table = {row[0]: row[2:] for row in _rows(rules, len(rules) // rules.count(EQUALS))}
    return [state := table[state][int(letter)] for letter in word]


def group_word(prompt: Names) -> Names:
    """The product of the elements so far, after each of them."""
    corners, product, steps = int(prompt[1]), 0, []
    for element in map(SYMBOLS.index, prompt[2:]):
        turn, flip = product % corners, product // corners
        turn = (turn + (-element if flip else element)) % corners
        product = turn + corners * ((flip + element // corners) % 2)
        steps.append(SYMBOLS[product])
    return steps


def cellular_automaton(prompt: Names) -> Names:
    """The row after each step, and BLANK."""
    rule, times, row = prompt[:8], int(prompt[9]), [int(cell) for cell in prompt[10:]]
    steps = []
    for _ in range(times):
        around = [4 * row[i - 1] + 2 * cell + row[(i + 1) % len(row)] for i, cell in enumerate(row)]
        row = [int(rule[7 - neighbourhood]) for neighbourhood in around]
        steps += [*map(str, row), BLANK]
    return steps


def stack_machine(prompt: Names) -> Names:
    """The stack from the top after each instruction, and BLANK."""
    stack, steps = [], []
    for instruction in prompt:
        stack = stack[1:] if instruction == MINUS else [instruction, *stack]
        steps += [*stack, BLANK]
    return steps


def closing(prompt: Names) -> Names:
    """The closing brackets that are owed after each bracket, the innermost first, and BLANK.

    For `dyck` these end at the first bracket that closes what is not open.
    """
    kinds = len(SYMBOLS) // 2
    owed, steps = [], []
    for bracket in prompt:
        kind = SYMBOLS.index(bracket)
        if kind < kinds:
            owed = [SYMBOLS[kind + kinds], *owed]
        elif owed[:1] == [bracket]:
            owed = owed[1:]
        else:
            break
        steps += [*owed, BLANK]
    return steps


dyck = closing


def sort(prompt: Names) -> Names:
    """The symbols so far in order, after each of them, and BLANK: sorting by insertion."""
    return [token for end in range(1, len(prompt) + 1) for token in [*sorted(prompt[:end]), BLANK]]


def circuit(prompt: Names) -> Names:
    """For each gate: the variable it writes to, and the value."""
    inputs, gates = _pieces(prompt, QUERY)
    values = {name: int(value) for name, value in _rows(inputs, 2)}
    steps = []
    for target, _, left, operation, right in _rows(gates, 5):
        x, y = values[left], values[right]
        values[target] = {TIMES: x & y, PLUS: x | y, MINUS: x ^ y}[operation]
        steps += [target, str(values[target])]
    return steps


def horn(prompt: Names) -> Names:
    """What the rules give, in passes over the rules as told until one gives nothing new: each rule that gave
    something new."""
    rest, lines = prompt[: prompt.index(QUERY)], []
    while rest:
        end = rest.index(EQUALS) + 2
        lines, rest = [*lines, rest[:end]], rest[end:]
    known = {line[-1] for line in lines if len(line) == 2}
    steps, before = [], -1
    while len(known) > before:
        before = len(known)
        for line in lines:
            if len(line) == 4 and {line[0], line[1]} <= known and line[-1] not in known:
                known.add(line[-1])
                steps += line
    return steps


def shortest_path(prompt: Names) -> Names:
    """The edges by which a search in breadth meets new nodes, edges of a node as told, until it meets the target."""
    told, (start, target) = _pieces(prompt, QUERY)
    edges = list(_rows(told, 2))
    queue, steps = [start], []
    for node in queue:
        for source, met in edges:
            if source == node and met not in queue and target not in queue:
                queue.append(met)
                steps += [source, met]
    return steps


reachability = shortest_path


def topological_order(prompt: Names) -> Names:
    """Before each node of the answer: all nodes that could be next, in alphabetical order, and BLANK."""
    edges = list(_rows(_pieces(prompt, QUERY)[0], 2))
    left, steps = sorted({node for edge in edges for node in edge}), []
    while left:
        free = [node for node in left if not any(target == node and source in left for source, target in edges)]
        steps += [*free, BLANK]
        left.remove(free[0])
    return steps


def orthogonal_choice(prompt: Names) -> Names:
    """For each candidate: the inner product so far, after each entry, and BLANK."""
    vectors, row, sign = [], [], 1
    for token in prompt:
        if token == BLANK:
            vectors, row = [*vectors, row], []
        elif token == MINUS:
            sign = -1
        else:
            row, sign = [*row, sign * int(token)], 1
    steps = []
    for candidate in vectors[1:]:
        for total in np.cumsum(np.multiply(vectors[0], candidate)).tolist():
            steps += [*([MINUS] if total < 0 else []), *_numeral(abs(total)), BLANK]
    return steps


def matrix_vector(prompt: Names) -> Names:
    """For each row: the inner product so far, modulo the number, after each entry; then BLANK."""
    modulus, vector, *rows = (_digits(piece) for piece in _pieces(prompt[:-1], BLANK))
    steps = []
    for row in rows:
        steps += [str(total) for total in (np.cumsum(np.multiply(vector, row)) % modulus[0]).tolist()] + [BLANK]
    return steps


def _trace(task: Stream) -> Trace:
    if task.name not in TRACES:
        raise ValueError(f"{task.name} has no trace; tasks that have one are {', '.join(sorted(TRACES))}")
    return TRACES[task.name]


def _reductions(tokens: Names, evaluate: Callable[[Names], int]) -> Names:
    """What every list holds as it closes, with the values of the lists within it, EQUALS, its own value, BLANK."""
    steps, open_lists = [], [[]]
    for token in tokens:
        if token == OPEN:
            open_lists.append([])
        elif token == CLOSE:
            items = open_lists.pop()
            value = str(evaluate(items))
            steps += [*items, EQUALS, value, BLANK]
            open_lists[-1].append(value)
        else:
            open_lists[-1].append(token)
    return steps


def _rows(tokens: Names, width: int) -> Iterator[Names]:
    return (tokens[i : i + width] for i in range(0, len(tokens), width))


def _pieces(tokens: Names, between: str) -> list[Names]:
    """The tokens before, between and after all those that are `between`."""
    ends = [i for i, token in enumerate(tokens) if token == between]
    return [tokens[a + 1 : b] for a, b in zip([-1, *ends], [*ends, len(tokens)], strict=True)]


def _digits(tokens: Names) -> list[int]:
    return [int(token) for token in tokens]


def _value(digits: list[int]) -> int:
    return sum(digit * 10**place for place, digit in enumerate(digits))


def _numeral(number: int) -> Names:
    """Digits, the least significant first."""
    return list(str(number)[::-1])


@functools.cache
def _number_of() -> dict[str, int]:
    return {vocabulary.name(token): token for token in range(NUM_TOKENS)}


TRACES = {
    "copy": Trace(None),
    "reverse": Trace(None),
    "repeat_copy": Trace(None),
    "odds_first": Trace(None),
    "fibonacci": Trace(None),
    "addition": Trace(addition, (*DIGITS, EQUALS)),
    "multiplication": Trace(multiplication, (*DIGITS, BLANK, EQUALS)),
    "factorial": Trace(factorial, (*DIGITS, BLANK)),
    "modular_expression": Trace(modular_expression, (*DIGITS, BLANK, PLUS, MINUS, TIMES, EQUALS)),
    "list_operations": Trace(list_operations, (*DIGITS, BLANK, "a", "b", "c", EQUALS)),
    "finite_automaton": Trace(finite_automaton, SYMBOLS),
    "group_word": Trace(group_word, SYMBOLS),
    "cellular_automaton": Trace(cellular_automaton, ("0", "1", BLANK)),
    "stack_machine": Trace(stack_machine, (*SYMBOLS, BLANK)),
    "closing": Trace(closing, (*SYMBOLS[len(SYMBOLS) // 2 :], BLANK)),
    "dyck": Trace(dyck, (*SYMBOLS[len(SYMBOLS) // 2 :], BLANK)),
    "sort": Trace(sort, (*SYMBOLS, BLANK)),
    "circuit": Trace(circuit, (*SYMBOLS, "0", "1")),
    "horn": Trace(horn, (*SYMBOLS, EQUALS)),
    "reachability": Trace(reachability, SYMBOLS),
    "shortest_path": Trace(shortest_path, SYMBOLS),
    "topological_order": Trace(topological_order, (*SYMBOLS, BLANK)),
    "orthogonal_choice": Trace(orthogonal_choice, (*DIGITS, BLANK, MINUS)),
    "matrix_vector": Trace(matrix_vector, (*DIGITS, BLANK)),
}
"""Of each task that has one, by its name."""
