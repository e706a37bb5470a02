"""Runs as one HTML page. Whatever a run says, in names, settings, results and games, stays text and does nothing."""

import importlib.resources
import itertools
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rl_pretrain.dashboard import curves, overview, tables
from rl_pretrain.dashboard.curves import Columns, Curves
from rl_pretrain.dashboard.records import GAMES, Game, Record
from rl_pretrain.dashboard.tables import label, run_name, text
from rl_pretrain.progress import number

MAX_GAMES_BYTES = 8 * 2**20
"""Of all pages of games that are copied into one page; the others are linked to."""


def render(runs: Sequence[Record], folder: Path) -> str:
    """The page.

    Args:
      runs: at least one.
      folder: where the page will lie; links to games that are not copied start there.
    """
    columns = [curves.columns(run.rows) for run in runs]
    metrics, totals = curves.drawn(columns), curves.totals(columns)
    axes, most = ["iteration", *totals], curves.points_for(len(runs), len(metrics))
    thinned = [curves.thin(each, metrics, axes, most) for each in columns]
    copied, is_few = _choose_games(runs), len(runs) <= overview.MAX_CARDS
    slots = {
        "TITLE": text(runs[0].name if len(runs) == 1 else f"{len(runs)} runs"),
        "STYLE": _asset("page.css"),
        "SUBTITLE": text(_subtitle(runs)),
        "OVERVIEW": overview.cards(runs, columns, metrics, totals)
        if is_few
        else overview.table(runs, columns, metrics, totals),
        "TOOLBAR": _toolbar(runs, axes),
        "CURVES": _panels(metrics, columns, thinned),
        "SOLVED": tables.solved(runs),
        "GAMES": _games(runs, copied, folder),
        "LEDGER": tables.ledger(runs, columns, totals) if is_few else "",
        "SETTINGS": tables.settings(runs),
        "RESULTS": tables.results(runs),
        "NOTES": "\n".join(f"<p>{text(note, 400)}</p>" for note in _notes(runs, thinned)),
        "DATA": _json(_data(runs, metrics, thinned, copied)),
        "SCRIPT": _asset("page.js"),
    }
    page = re.sub("@([A-Z]+)@", lambda slot: slots[slot[1]], _asset("page.html"))
    return page.encode("utf-8", "replace").decode("utf-8")  # JSON may hold halves of characters


def _asset(name: str) -> str:
    return importlib.resources.files("rl_pretrain.dashboard").joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that no text in it can end."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(
    runs: Sequence[Record], metrics: Sequence[str], thinned: Sequence[Curves], copied: Sequence[Game]
) -> dict[str, Any]:
    """What the script draws from."""
    return {
        "metrics": metrics,
        "runs": [
            {
                "name": run.name[:120],
                "axes": curve.axes,
                "series": {name: series._asdict() for name, series in curve.series.items()},
            }
            for run, curve in zip(runs, thinned, strict=True)
        ],
        "games": [
            {"title": game.title, "kind": "picture" if game.path.suffix == ".svg" else "page", "content": game.content}
            for game in copied
        ],
    }


def _subtitle(runs: Sequence[Record]) -> str:
    if len(runs) == 1:
        return f"{runs[0].directory}"
    return f"in {os.path.commonpath([run.directory for run in runs])}"


def _toolbar(runs: Sequence[Record], axes: Sequence[str]) -> str:
    chips = "".join(
        f"<button class='chip' data-run='{i}' aria-pressed='true'>{run_name(i, run, 2)}</button>"
        for i, run in enumerate(runs)
    )
    options = "".join(f"<option value='{text(name)}'>{text(label(name))}</option>" for name in axes)
    return (
        "<div class='toolbar'>"
        + (f"<div class='chips' role='group' aria-label='Runs shown'>{chips}</div>" if len(runs) > 1 else "")
        + f"<div class='choices'><label>over <select id='axis'>{options}</select></label>"
        "<label><input type='checkbox' id='smooth' checked> smooth</label></div></div>"
    )


def _panels(metrics: Sequence[str], runs: Sequence[Columns], thinned: Sequence[Curves]) -> str:
    figures = "\n".join(_panel(name, i, runs, thinned) for i, name in enumerate(metrics))
    return f"<section class='panels' aria-label='Curves'>{figures}</section>"


def _panel(name: str, index: int, runs: Sequence[Columns], thinned: Sequence[Curves]) -> str:
    newest = f"<b>{_with_interval(runs[0], name)}</b>" if len(runs) == 1 else ""
    num_bad = sum(curve.series[name].num_not_finite for curve in thinned if name in curve.series)
    warning = f"<p class='warning'>{num_bad:,} values are NaN or infinite</p>" if num_bad else ""
    size = "" if index else " large"
    return (
        f"<figure class='panel{size}' data-metric='{index}' tabindex='0'><figcaption>"
        f"<span class='name'>{text(label(name))}</span><span class='now'>{newest}</span></figcaption>"
        f"{warning}<div class='plot'></div></figure>"
    )


def _with_interval(run: Columns, name: str) -> str:
    low, high = (run.last(name + end) for end in (curves.LOW, curves.HIGH))
    return number(run.last(name)) + ("" if low is None or high is None else f" [{low:.3g}, {high:.3g}]")


def _choose_games(runs: Sequence[Record]) -> list[Game]:
    """Games to be copied into the page, the first of every run before the second of any."""
    chosen, room = [], MAX_GAMES_BYTES
    for game in itertools.chain(*itertools.zip_longest(*(run.games for run in runs))):
        if game is not None and game.content and len(game.content) <= room:
            chosen.append(game)
            room -= len(game.content)
    return chosen


def _games(runs: Sequence[Record], copied: Sequence[Game], folder: Path) -> str:
    if not any(run.games for run in runs):
        return ""
    number_of = {game.path: i for i, game in enumerate(copied)}
    lists = []
    for i, run in enumerate(runs):
        if not run.games:
            continue
        items = "".join(_game(game, number_of.get(game.path), folder) for game in run.games)
        more = run.num_games - len(run.games)
        rest = f"<p class='note'>and {more:,} more in {text(str(run.directory / GAMES))}</p>" if more else ""
        head = f"<h3>{run_name(i, run, len(runs))}</h3>" if len(runs) > 1 else ""
        lists.append(f"{head}<ul>{items}</ul>{rest}")
    return (
        f"<section><h2>Games</h2>\n<div class='games'><div class='box list'>{''.join(lists)}</div>"
        "<div class='box viewer'></div></div></section>"
    )


def _game(game: Game, index: int | None, folder: Path) -> str:
    if index is not None:
        shown = f"<button data-game='{index}' aria-pressed='false'>{text(game.title)}</button>"
    else:
        shown = f"<a href='{quote(os.fsencode(os.path.relpath(game.path, folder)))}'>{text(game.title)}</a>"
    save = ""
    if game.record:
        link = "data:application/x-go-sgf;charset=utf-8," + quote(game.record.encode("utf-8", "replace"))
        save = f"<a href='{link}' download='{text(game.path.stem)}.sgf'>sgf</a>"
    return f"<li>{shown}{save}</li>"


def _notes(runs: Sequence[Record], thinned: Sequence[Curves]) -> list[str]:
    notes = ["Bands are intervals where a metric has them (95 % unless the run says otherwise)."]
    longest = max((curve.rows_per_point for curve in thinned), default=1)
    if longest > 1:
        notes = [
            f"Long curves are thinned: a point stands for up to {longest:,} iterations and lies at their last, at the "
            "mean of their values; the band reaches from their lowest to their highest, or over all of their intervals."
        ]
    notes.append(
        "Smooth draws a mean over neighbours, weighted by a bell a fortieth of the curve wide; the values stay "
        "visible behind it. Values with an interval are not smoothed. Point at a curve, or use arrow keys, to read it."
    )
    return notes
