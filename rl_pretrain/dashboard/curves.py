"""Metrics over iterations as curves short enough for a page, and which of them count what a run has cost."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

MAX_METRICS = 80
MAX_POINTS = 400
"""Of one curve; see `thin`."""
MAX_POINTS_OF_PAGE = 150_000
LOW, HIGH = "_low", "_high"

TELLING = (
    re.compile(r"(^|[_/])(success|solved|mastered|accuracy|elo|strength|reward|return|top_?\d|best|right)"),
    re.compile(r"(^|[_/])(curriculum|frontier|level|stage)"),
    re.compile(r"(^|[_/])(loss|cross_entropy|error|brier|kl)([_/]|$)"),
    re.compile(r"_per_second$"),
)
"""What people look for first, by patterns found in names of metrics."""


class Column(NamedTuple):
    """A metric in the rows that have it."""

    index: np.ndarray  # int [values], which rows
    values: np.ndarray  # float64 [values]; what is not finite is infinite


class Columns(NamedTuple):
    """All numbers of a run."""

    num_rows: int
    found: dict[str, Column]

    def last(self, name: str) -> float | None:
        """The newest value of a metric; None where there never was one."""
        return float(self.found[name].values[-1]) if name in self.found else None


class Series(NamedTuple):
    """One metric of one run; None where it has no finite value."""

    mean: list[float | None]  # [points]
    low: list[float | None]  # [points], or empty: its interval, or the least of what a point stands for
    high: list[float | None]
    is_interval: bool  # what the band is
    num_not_finite: int


class Curves(NamedTuple):
    """All metrics of one run at the same points."""

    axes: dict[str, list[float | None]]  # iteration, time and what the run has cost, each [points]
    series: dict[str, Series]
    rows_per_point: int


def number(value: Any) -> float | None:
    """A metric's value; None for what is no number. What is not finite, or beyond all floats, becomes infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else math.inf
    except OverflowError:
        return math.inf


def columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """The rows of metrics by name."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for i, row in enumerate(rows):
        for name, value in row.items():
            if (x := number(value)) is not None:
                index, values = found.setdefault(name, ([], []))
                index.append(i)
                values.append(x)
    return Columns(len(rows), {name: Column(np.array(i), np.array(x)) for name, (i, x) in found.items()})


def totals(runs: Sequence[Columns]) -> list[str]:
    """Metrics that count what a run has cost so far, in the order in which they come; `time` is the first.

    They fall in no run. In one at least they grow, and as costs do: they are whole numbers that gain one or more an
    iteration, or their name tells of seconds.
    """
    names = dict.fromkeys(["time", *(name for run in runs for name in run.found)])
    return [name for name in names if name != "iteration" and _is_total(name, runs)]


def is_time(name: str) -> bool:
    """Whether a total is in seconds."""
    return name == "time" or name.endswith("seconds")


def drawn(runs: Sequence[Columns]) -> list[str]:
    """The metrics to be drawn, the most telling first, at most `MAX_METRICS`: no totals, and no ends of intervals.

    What has an interval was measured with care, and comes before all others; then `TELLING`, then the rest.
    """
    names = set().union(*(run.found for run in runs))
    measured = {name for name in names if {name + LOW, name + HIGH} <= names}
    left_out = {"iteration", "time", *totals(runs), *(name + end for name in measured for end in (LOW, HIGH))}

    def rank(name: str) -> int:
        found = (i for i, pattern in enumerate(TELLING) if pattern.search(name))
        return -1 if name in measured else next(found, len(TELLING))

    in_order = dict.fromkeys(name for run in runs for name in run.found if name not in left_out)
    return sorted(in_order, key=rank)[:MAX_METRICS]


def points_for(num_runs: int, num_metrics: int) -> int:
    """How many points each curve may have for the page to stay small."""
    return max(20, min(MAX_POINTS, MAX_POINTS_OF_PAGE // max(1, num_runs * num_metrics)))


def thin(run: Columns, names: Sequence[str], axes: Sequence[str], most: int) -> Curves:
    """Curves of at most so many points.

    Longer ones are cut in as many equal stretches. A point stands for one: it lies at the stretch's end, at the mean
    of its finite values; its band reaches from the lowest to the highest of them, or of the ends of their intervals.
    """
    num_points = min(most, run.num_rows)
    edges = np.array([round(i * run.num_rows / max(1, num_points)) for i in range(num_points + 1)])
    ends = {name: _dense(run, name)[edges[1:] - 1] for name in axes if name in run.found}
    return Curves(
        axes={name: _short(values, digits=8) for name, values in ends.items()},
        series={name: _series(run, name, edges) for name in names if name in run.found},
        rows_per_point=int(np.diff(edges).max(initial=1)),
    )


def _is_total(name: str, runs: Sequence[Columns]) -> bool:
    grows = False
    for run in runs:
        if name not in run.found:
            continue
        values = run.found[name].values
        if not np.isfinite(values).all() or values[0] < 0 or (np.diff(values) < 0).any():
            return False
        gain = values[-1] - values[0]
        is_count = (values == np.round(values)).all() and gain >= run.num_rows - 1
        grows |= bool(gain > 0 and (is_count or is_time(name)))
    return grows


def _series(run: Columns, name: str, edges: np.ndarray) -> Series:
    mean, least, most = _over_stretches(run, name, edges)
    is_interval = {name + LOW, name + HIGH} <= run.found.keys()
    if is_interval:
        least, most = _over_stretches(run, name + LOW, edges)[1], _over_stretches(run, name + HIGH, edges)[2]
    has_band = is_interval or bool((least < most).any())
    return Series(
        mean=_short(mean),
        low=_short(least) if has_band else [],
        high=_short(most) if has_band else [],
        is_interval=is_interval,
        num_not_finite=int((~np.isfinite(run.found[name].values)).sum()),
    )


def _over_stretches(run: Columns, name: str, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and greatest finite value of each stretch `[points]`; not finite where there is none."""
    values = _dense(run, name)
    is_finite, starts = np.isfinite(values), edges[:-1]
    count = np.add.reduceat(is_finite, starts, dtype=np.int64)
    longest = np.diff(edges).max()
    shares = np.add.reduceat(np.where(is_finite, values / longest, 0.0), starts)  # a plain sum could overflow
    mean = np.where(count > 0, shares * (longest / np.maximum(count, 1)), np.nan)
    least, most = (
        extreme.reduceat(np.where(is_finite, values, fill), starts)
        for extreme, fill in ((np.minimum, np.inf), (np.maximum, -np.inf))
    )
    return mean, least, most


def _dense(run: Columns, name: str) -> np.ndarray:
    """The metric `[rows]`, NaN in rows without it."""
    values = np.full(run.num_rows, np.nan)
    column = run.found[name]
    values[column.index] = column.values
    return values


def _short(values: np.ndarray, digits: int = 5) -> list[float | None]:
    """As short as what can be seen of the numbers."""
    return [float(f"{x:.{digits}g}") if math.isfinite(x) else None for x in values.tolist()]
