"""Success by level, where a result has it: what several seeds solved on the levels taught and on those beyond."""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Exam(NamedTuple):
    """What was solved of one task."""

    task: str
    levels: list[str]
    num_train: int  # the first so many levels were taught
    solved: list[list[float]]  # [level][seed]; empty where not asked for
    floor: list[float]  # [level] what knowing nothing gets; empty where not told


def exams(result: Any, task: str = "", depth: int = 4) -> Iterator[Exam]:
    """All exams in a result: objects with `levels`, `num_train` and `solved`, wherever they stand in it.

    Args:
      task: its name, unless the result has a `task` of its own.
      depth: how deeply to look.
    """
    if not isinstance(result, dict) or not depth:
        return
    exam = _exam(result, task)
    if exam is not None:
        yield exam
    for name, value in result.items():
        yield from exams(value, name, depth - 1)


def _exam(result: dict[str, Any], task: str) -> Exam | None:
    """None where this is something else."""
    levels, solved, num_train = (result.get(name) for name in ("levels", "solved", "num_train"))
    if not isinstance(levels, list) or not isinstance(solved, list) or not isinstance(num_train, int):
        return None
    if not 0 < len(levels) == len(solved) <= 200 or not all(isinstance(rates, list) for rates in solved):
        return None
    name, floor = result.get("task", task), result.get("floor")
    return Exam(
        task=str(name),
        levels=[str(level) for level in levels],
        num_train=num_train,
        solved=[_rates(rates) for rates in solved],
        floor=_rates(floor) if isinstance(floor, list) and len(_rates(floor)) == len(levels) else [],
    )


def _rates(values: list[Any]) -> list[float]:
    return [float(x) for x in values if isinstance(x, int | float) and not isinstance(x, bool) and 0 <= x <= 1]
