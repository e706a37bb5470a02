"""The tasks, a family in each file."""

from collections.abc import Callable

from curricula.act import Act
from curricula.stream import Stream
from curricula.tasks import (
    arithmetic,
    automata,
    brackets,
    copying,
    countdown,
    counter,
    expressions,
    graphs,
    logic,
    orthogonal_vector,
    orthogonality,
    recall,
    recurrences,
    registers,
    selection,
    sets,
    sorting,
    stacks,
    swapping,
    tape,
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
"""Each makes a task that is read, with its default settings; its docstring is the definition."""

ACT_MAKERS: tuple[Callable[[], Act], ...] = (
    tape.tape_copy,
    tape.tape_reverse,
    tape.tape_odds_first,
    tape.tape_repeat,
    swapping.swap_sort,
    counter.emit_counter,
    registers.register_fibonacci,
    registers.register_factorial,
    countdown.countdown,
    orthogonal_vector.orthogonal_vector,
)
"""The same of the tasks that are acted in."""


def every_task() -> tuple[Stream, ...]:
    """All tasks that are read, with their default settings."""
    return tuple(make() for make in MAKERS)


def every_act() -> tuple[Act, ...]:
    """All tasks that are acted in, with their default settings."""
    return tuple(make() for make in ACT_MAKERS)
