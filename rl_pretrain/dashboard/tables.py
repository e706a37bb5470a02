"""The tables of the page, as HTML: what runs cost, how they were set, what came of them, what they solved."""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from rl_pretrain.dashboard import curves
from rl_pretrain.dashboard.curves import Columns
from rl_pretrain.dashboard.exams import Exam, exams
from rl_pretrain.dashboard.records import RESULT, Record, flat
from rl_pretrain.progress import duration, number

MAX_LINES = 300
"""Of a table of settings or results."""


def ledger(
    runs: Sequence[Record],
    columns: Sequence[Columns],
    totals: Sequence[str],
    facts: Sequence[dict[str, str]] | None = None,
) -> str:
    """What the runs have cost so far: totals among the metrics, and what a result counts at the end.

    Of a single run only the latter, since its card tells the rest.

    Args:
      facts: of each run what to tell before that, the same of all.
    """
    totals = totals if len(runs) > 1 else []
    facts = facts or [{} for _ in runs]
    costs = [
        {name: each.last(name) for name in totals} | _costs(run.result) for run, each in zip(runs, columns, strict=True)
    ]
    names = list(dict.fromkeys(name for cost in costs for name in cost))
    if not names and not facts[0]:
        return ""
    most = {name: max((cost.get(name) or 0.0 for cost in costs), default=0.0) for name in names}
    head = "".join(f"<th scope='col'>{text(label(name))}</th>" for name in (*facts[0], *names))
    lines = [
        f"<tr><th scope='row'>{run_name(i, run, len(runs))}</th>"
        + "".join(f"<td>{text(fact)}</td>" for fact in facts[i].values())
        + "".join(_cost(name, costs[i].get(name), most[name] if len(runs) > 1 else 0.0) for name in names)
        + "</tr>"
        for i, run in enumerate(runs)
    ]
    body = f"<table class='count'><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f"<section><h2>{'Runs' if facts[0] else 'Costs'}</h2>\n<div class='box scroll'>{body}</div></section>"


def settings(runs: Sequence[Record]) -> str:
    """Settings and versions that differ between the runs, then all of each."""
    found = [dict(flat({**run.config, "versions": run.versions})) for run in runs]
    names = list(dict.fromkeys(name for each in found for name in each))
    absent = object()
    differing = [n for n in names if any(each.get(n, absent) != found[0].get(n, absent) for each in found)]
    parts = ["<section><h2>Settings</h2>"]
    if len(runs) > 1:
        heads = "".join(f"<th scope='col'>{run_name(i, run, len(runs))}</th>" for i, run in enumerate(runs))
        lines = [
            f"<tr><th scope='row'>{text(name)}</th>"
            + "".join(f"<td>{text(plain(each[name])) if name in each else '–'}</td>" for each in found)
            + "</tr>"
            for name in differing[:MAX_LINES]
        ]
        table = f"<table><thead><tr><th>what differs</th>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        parts.append(f"<div class='box scroll'>{table}</div>" if lines else "<p class='note'>All have the same.</p>")
    for i, (run, each) in enumerate(zip(runs, found, strict=True)):
        title = f"All settings of {run_name(i, run, len(runs))}" if len(runs) > 1 else "All settings"
        parts.append(_folded(title, list(each.items())))
    return "\n".join(parts) + "</section>"


def results(runs: Sequence[Record]) -> str:
    """What `result.json` of each run says, folded."""
    found = [(i, run, list(flat(run.result))) for i, run in enumerate(runs) if run.result is not None]
    if not found:
        return ""
    titles = [f"{RESULT} of {run_name(i, run, len(runs))}" if len(runs) > 1 else RESULT for i, run, _ in found]
    folded = "\n".join(_folded(title, lines) for title, (_, _, lines) in zip(titles, found, strict=True))
    return f"<section><h2>Results</h2>\n{folded}</section>"


def solved(runs: Sequence[Record]) -> str:
    """Success by level, a table for each task and its levels, with a line for each run that was asked."""
    tables: dict[tuple, list[tuple[int, Exam]]] = {}
    for i, run in enumerate(runs):
        for exam in exams(run.result):
            tables.setdefault((exam.task, *exam.levels, exam.num_train), []).append((i, exam))
    if not tables:
        return ""
    boxes = "\n".join(_levels(runs, lines) for lines in tables.values())
    return (
        "<section><h2>Solved by level</h2>\n<p class='note'>Percent at the end of training, mean over seeds; point at "
        f"a number to see the worst and the best seed.</p>\n<div class='exams'>{boxes}</div></section>"
    )


def run_name(index: int, run: Record, num_runs: int) -> str:
    """The run's name behind its colour, where there are several."""
    name = re.sub(r"([_/])", r"\1<wbr>", text(run.name))  # where a long name may go on in the next line
    return (swatch(index) if num_runs > 1 else "") + f"<span>{name}</span>"


def swatch(index: int) -> str:
    """The line with which a run is drawn; as in page.js."""
    dashes = ("", "7 4", "2 3", "9 3 2 3")[index // 8 % 4]
    style = f"stroke:var(--run{index % 8})" + (f";stroke-dasharray:{dashes}" if dashes else "")
    return f"<svg class='swatch' aria-hidden='true'><line x1='0' x2='20' y1='5' y2='5' style='{style}'></line></svg> "


def text(value: str, most: int = 120) -> str:
    """Escaped, and cut where it is long."""
    return escape(value if len(value) <= most else value[: most - 1] + "…")


def label(name: str) -> str:
    """A metric's name for people."""
    return name.replace("_", " ")


def amount(name: str, value: float | None) -> str:
    """A cost as a person reads it."""
    if value is None:
        return "–"
    if curves.is_time(name) and abs(value) < 1e9:
        return duration(value)
    for size, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G")):
        if size <= abs(value) < 1e18:
            return f"{value / size:.4g} {letter}"
    return number(round(value)) if value == round(value) and abs(value) < 1e9 else number(value)


def plain(value: Any) -> str:
    """A setting or result as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _costs(result: Any) -> dict[str, float]:
    """Numbers in the result under `cost`, where an experiment has counted at the end."""
    found = result.get("cost") if isinstance(result, dict) else None
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(name): x for name, value in pairs if (x := curves.number(value)) is not None and 0 <= x < 1e300}


def _cost(name: str, value: float | None, most: float) -> str:
    share = 100 * value / most if value and most else 0.0
    bar = f" class='bar' style='--share:{share:.1f}%'" if share else ""
    return f"<td{bar}>{amount(name, value)}</td>"


def _folded(title: str, lines: Sequence[tuple[str, Any]]) -> str:
    """Names and values, to be unfolded. The title is HTML."""
    rows = "".join(
        f"<tr><th scope='row'>{text(name)}</th><td>{text(plain(x))}</td></tr>" for name, x in lines[:MAX_LINES]
    )
    rest = f"<p class='note'>and {len(lines) - MAX_LINES:,} more</p>" if len(lines) > MAX_LINES else ""
    return f"<details><summary>{title}</summary><div class='box scroll'><table>{rows}</table>{rest}</div></details>"


def _levels(runs: Sequence[Record], lines: Sequence[tuple[int, Exam]]) -> str:
    exam = lines[0][1]
    num_train = min(max(exam.num_train, 0), len(exam.levels))
    num_beyond = len(exam.levels) - num_train
    heads = "".join(f"<th scope='col'{_edge(i, num_train)}>{text(x, 40)}</th>" for i, x in enumerate(exam.levels))
    over = f"<th colspan='{num_train}' class='over'>taught</th>" if num_train else ""
    over += f"<th colspan='{num_beyond}' class='over beyond'>beyond</th>" if num_beyond else ""
    rows = [
        f"<tr><th scope='row'>{run_name(i, runs[i], len(runs))}</th>"
        + "".join(_rate(rates, _edge(level, num_train)) for level, rates in enumerate(each.solved))
        + "</tr>"
        for i, each in lines
    ]
    if floor := next((each.floor for _, each in lines if each.floor), None):
        cells = "".join(f"<td{_edge(i, num_train)}>{100 * rate:.0f}</td>" for i, rate in enumerate(floor))
        rows.append(f"<tr class='floor'><th scope='row'>knowing nothing</th>{cells}</tr>")
    return (
        f"<div class='box scroll'><h3>{text(exam.task)}</h3><table class='heat'><thead><tr><th></th>{over}</tr>"
        f"<tr><th></th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _edge(level: int, num_train: int) -> str:
    return " class='beyond'" if level == num_train and level else ""


def _rate(rates: Sequence[float], edge: str) -> str:
    if not rates:
        return f"<td{edge}>–</td>"
    mean = sum(rates) / len(rates)
    title = (
        f" title='{100 * min(rates):.0f} to {100 * max(rates):.0f} over {len(rates)} seeds'" if len(rates) > 1 else ""
    )
    return f"<td{edge}{title} style='--share:{0.04 + 0.5 * mean:.2f}'>{100 * mean:.0f}</td>"
