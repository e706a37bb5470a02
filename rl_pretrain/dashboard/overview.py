"""Every run at a glance: how good it is, how far, and what it has cost. Few runs as cards, many as lines of a table."""

from collections.abc import Sequence

from rl_pretrain.dashboard import curves, tables
from rl_pretrain.dashboard.curves import Columns
from rl_pretrain.dashboard.records import Record
from rl_pretrain.dashboard.tables import label, run_name, text
from rl_pretrain.progress import number

MAX_CARDS = 6
"""Runs that fit side by side as cards."""


def cards(runs: Sequence[Record], columns: Sequence[Columns], metrics: Sequence[str], totals: Sequence[str]) -> str:
    """A card for each run; of a single one with all totals."""
    shown = totals if len(runs) == 1 else totals[:3]
    each = [_card(i, run, columns[i], metrics, shown) for i, run in enumerate(runs)]
    return f"<section class='cards{' single' * (len(runs) == 1)}' aria-label='Runs'>{''.join(each)}</section>"


def table(runs: Sequence[Record], columns: Sequence[Columns], metrics: Sequence[str], totals: Sequence[str]) -> str:
    """The ledger of all runs, with their two most telling metrics."""
    facts = [
        _progress(run, each)
        | {label(name): _rounded(each.last(name)) if name in each.found else "–" for name in metrics[:2]}
        for run, each in zip(runs, columns, strict=True)
    ]
    return tables.ledger(runs, columns, totals, facts)


def _card(index: int, run: Record, columns: Columns, metrics: Sequence[str], totals: Sequence[str]) -> str:
    headline = next((name for name in metrics if name in columns.found), None)
    big, what = "–", "no iterations yet"
    if headline is not None:
        low, high = (columns.last(headline + end) for end in (curves.LOW, curves.HIGH))
        interval = "" if low is None or high is None else f", {_rounded(low)} to {_rounded(high)}"
        big, what = _rounded(columns.last(headline)), label(headline) + interval
    facts = _progress(run, columns) | {label(name): tables.amount(name, columns.last(name)) for name in totals}
    lines = "".join(f"<div><dt>{text(name)}</dt><dd>{text(fact)}</dd></div>" for name, fact in facts.items())
    share = f"<div class='done'><div style='width:{100 * _share_done(run, columns):.1f}%'></div></div>"
    return (
        f"<article class='card' style='--c:var(--run{index % 8})'><h3>{run_name(index, run, 2)}</h3>"
        f"<div><p class='big'>{text(big)}</p><p class='what'>{text(what)}</p></div><dl>{lines}</dl>{share}</article>"
    )


def _progress(run: Record, columns: Columns) -> dict[str, str]:
    done, total = columns.last("iteration") or 0, curves.number(run.config.get("iterations"))
    return {
        "iteration": f"{done:,.0f} of {total:,.0f}" if total else f"{done:,.0f}",
        "state": "finished" if run.result is not None else "no result yet",
    }


def _share_done(run: Record, columns: Columns) -> float:
    """From 0 to 1."""
    done, total = columns.last("iteration") or 0, curves.number(run.config.get("iterations"))
    return min(1.0, max(0.0, done / total)) if total and done < float("inf") else float(run.result is not None)


def _rounded(value: float | None) -> str:
    """As one says it: rates with two decimals."""
    return f"{value:.2f}" if value is not None and 0.005 <= value <= 1 else number(value)
