"""The tasks, a family in each file."""

from collections.abc import Callable

from curricula.stream import Stream
from curricula.tasks import (
    arithmetic,
    automata,
    brackets,
    copying,
    expressions,
    graphs,
    logic,
    orthogonality,
    recall,
    recurrences,
    selection,
    sets,
    sorting,
    stacks,
)

MAKERS: tuple[Callable[[], Stream], ...] = (
    copying.copy,
    copying.reverse,
    selection.repeat_copy,
    selection.odds_first,
    selection.dedup,
    sets.union,
    sets.intersection,
    sets.difference,
    recall.associative_recall,
    sorting.sort,
    brackets.dyck,
    brackets.closing,
    stacks.stack_machine,
    arithmetic.addition,
    arithmetic.multiplication,
    arithmetic.factorial,
    expressions.modular_expression,
    expressions.list_operations,
    recurrences.fibonacci,
    automata.finite_automaton,
    automata.group_word,
    automata.cellular_automaton,
    graphs.reachability,
    graphs.shortest_path,
    graphs.topological_order,
    logic.circuit,
    logic.horn,
    logic.knights_and_knaves,
    orthogonality.orthogonal_choice,
    orthogonality.matrix_vector,
)
"""Each makes a task with its default settings; its docstring is the definition."""


def every_task() -> tuple[Stream, ...]:
    """All tasks with their default settings."""
    return tuple(make() for make in MAKERS)
