"""What a person sees while a run goes on: a live display in a terminal, one line an iteration elsewhere.

with Progress("go_9x9", total=1000, facts={"devices": "4 × NVIDIA H200"}, history=["strength"]) as progress:
    progress.update(1, {"policy_loss": 2.31, "strength": 0.62, "strength_low": 0.55, "strength_high": 0.69})
    progress.say("saved checkpoint 1")
"""

import functools
import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich import box, get_console
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

LEVELS = "▁▂▃▄▅▆▇█"
ASCII_LEVELS = "_.-=+*#@"


class Progress:
    """Shows how far a run is and its latest numbers. Use it in a `with` statement.

    Args:
      title: the experiment.
      total: iterations of the whole run.
      start: iterations done already, when a run is resumed.
      facts: what stays the same, by label: devices, parameters, run directory.
      history: metrics drawn as a small curve beside their latest value.
      past: metrics of iterations done already, oldest first, to go on with the curves of a resumed run.
      brief: metrics in the line for each iteration where there is no terminal; default all.
      label: put before the line for each iteration where there is no terminal, to tell runs from one another that go
        on at the same time.
      notice: asked several times a second for a line to show in the terminal, such as `lambda: str(stop)`.
      console: where to show it; default rich's own on standard output, which shows several displays at once.
    """

    def __init__(
        self,
        title: str,
        total: int,
        start: int = 0,
        facts: Mapping[str, str] | None = None,
        history: Sequence[str] = (),
        past: Iterable[Mapping[str, Any]] = (),
        brief: Sequence[str] | None = None,
        label: str = "",
        notice: Callable[[], str] = str,
        console: Console | None = None,
    ):
        self._title, self._total, self._done, self._facts = title, total, start, dict(facts or {})
        self._history, self._brief, self._notice = {name: [] for name in history}, brief, notice
        self._label = f"{label}: " if label else ""
        self._console = console or get_console()
        self._is_unicode = self._console.encoding.lower().startswith("utf")
        self._spinner = Spinner("dots" if self._is_unicode else "line")
        self._activity = ""
        self._clock = Clock(start)
        self._latest: dict[str, Any] = {}
        for metrics in past:
            self._remember({name: value for name, value in metrics.items() if name not in ("iteration", "time")})
        has_screen = self._console.is_terminal and not self._console.is_dumb_terminal
        self._screen = _screen(self._console) if has_screen else None

    def __enter__(self) -> "Progress":
        if self._screen is not None:
            self._screen.show(self)
        else:
            self.say("  ".join([self._title, *(f"{label}: {fact}" for label, fact in self._facts.items())]))
        return self

    def __exit__(self, *_: Any) -> None:
        self._activity = ""
        if self._screen is not None:
            self._screen.leave(self)  # gives the cursor back, also when an exception passes

    def update(self, iteration: int, metrics: Mapping[str, Any]) -> None:
        """Takes in that `iteration` iterations are done, with their numbers, or text, by name.

        A number with companions `<name>_low` and `<name>_high` is shown with that interval. What is left out keeps
        its last value in the live display.
        """
        self._done = iteration
        self._clock.tick(iteration)
        self._remember(metrics)
        if self._screen is None:
            names = [name for name in (metrics if self._brief is None else self._brief) if name in metrics]
            numbers = [f"{_label(name)} {_value(metrics, name)}" for name in _without_bounds(names)]
            self.say("  ".join([f"{self._label}iteration {iteration}/{self._total}", *numbers, self._times()]))

    def doing(self, activity: str) -> None:
        """Tells what is going on within an iteration, such as `self-play`; shown in a terminal only."""
        self._activity = activity

    def say(self, message: str) -> None:
        """Prints a line that stays, above the live display."""
        if self._screen is not None:
            self._console.print(self._text(message))
        else:
            print(self._text(message).plain, file=self._console.file, flush=True)

    def _remember(self, metrics: Mapping[str, Any]) -> None:
        self._latest = {**self._latest, **metrics}  # a new dict: the display's thread may be going through the old one
        for name, values in self._history.items():
            if isinstance(metrics.get(name), int | float):
                values.append(float(metrics[name]))

    def render(self) -> RenderableType:
        """The present state, for a terminal."""
        parts: list[RenderableType] = [self._facts_table(), self._bar(), self._numbers()]
        if self._activity:
            self._spinner.update(text=self._text(self._activity))
            parts.append(self._spinner)
        if notice := self._notice():
            parts.append(self._text(notice, "bold yellow"))
        return Panel(Group(*parts), title=self._text(self._title, "bold"), title_align="left", box=box.ROUNDED)

    def _facts_table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for label, fact in self._facts.items():
            table.add_row(self._text(label, "dim"), self._text(fact))
        return table

    def _bar(self) -> Table:
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True)
        bar = ProgressBar(total=max(self._total, 1), completed=self._done)
        row.add_row(Text(f"iteration {self._done:,} of {self._total:,}", "bold"), bar, self._text(self._times()))
        return row

    def _numbers(self) -> Table:
        """Curves on the right of plain numbers, or below them where the terminal is narrow."""
        latest = self._latest
        plain, curves = Table.grid(padding=(0, 2)), Table.grid(padding=(0, 2))
        names = [name for name in _without_bounds(latest) if name not in self._history]
        drawn = [name for name in self._history if name in latest]
        for name in names:
            plain.add_row(self._text(_label(name), "dim"), self._text(_value(latest, name)))
        levels = LEVELS if self._is_unicode else ASCII_LEVELS
        for name in drawn:
            curve = Text(sparkline(self._history[name][:], levels=levels), "cyan")
            curves.add_row(self._text(_label(name), "dim"), self._text(_value(latest, name)), curve)
        table = Table.grid(padding=(0, 4))
        if self._console.width < 90:
            table.add_row(plain)
            table.add_row(curves)
        else:
            table.add_row(plain, curves)
        return table

    def _times(self) -> str:
        left = self._clock.left(self._total)
        return f"elapsed {duration(self._clock.elapsed)}  left {'?' if left is None else duration(left)}"

    def _text(self, text: str, style: str = "") -> Text:
        """Text without markup that the terminal can show, whatever its encoding."""
        return Text(text.encode(self._console.encoding, "replace").decode(self._console.encoding), style)


class Screen:
    """The live display of a terminal, shared by all runs that go on at the same time: rich has a stack of displays, of
    which the first must be the last to end."""

    def __init__(self, console: Console):
        self._console, self._lock = console, threading.Lock()
        self._shown: list[Progress] = []
        self._live: Live | None = None

    def show(self, progress: Progress) -> None:
        """Adds a run below the others."""
        with self._lock:
            self._shown.append(progress)
            if self._live is None:
                live = Live(get_renderable=self._render, console=self._console, refresh_per_second=4)
                live.start()
                self._live = live

    def leave(self, progress: Progress) -> None:
        """Leaves the last state of a run where it is, above those that go on."""
        with self._lock:
            if self._live is not None and self._shown == [progress]:
                self._live.stop()  # shows it once more
                self._live = None
                self._shown.remove(progress)
            else:
                self._shown.remove(progress)
                self._console.print(progress.render())

    def _render(self) -> RenderableType:
        # The refreshing thread takes no lock: `leave` holds it while that thread ends.
        return Group(*(progress.render() for progress in tuple(self._shown)))


@functools.cache
def _screen(console: Console) -> Screen:
    return Screen(console)


class Clock:
    """Time spent, and the time left if iterations go on taking as long as the latest did.

    Args:
      start: iterations done already.
      now: seconds from any fixed point.
    """

    def __init__(self, start: int, now: Callable[[], float] = time.monotonic):
        self._now, self._begin = now, now()
        self._ticks = [(self._begin, start)]
        self._is_first = True

    def tick(self, iteration: int) -> None:
        """Tells that `iteration` iterations are done."""
        self._ticks.append((self._now(), iteration))
        if len(self._ticks) > 20 or (self._is_first and len(self._ticks) > 2):
            self._ticks.pop(0)  # the first iteration compiles: it says little about the others
            self._is_first = False

    @property
    def elapsed(self) -> float:
        return self._now() - self._begin

    def left(self, total: int) -> float | None:
        """Seconds until `total` iterations are done; None before the first."""
        (first_time, first), (last_time, last) = self._ticks[0], self._ticks[-1]
        if last <= first:
            return None
        per_iteration = (last_time - first_time) / (last - first)
        return max(0.0, (total - last) * per_iteration - (self._now() - last_time))


def sparkline(values: Sequence[float], width: int = 30, levels: str = LEVELS) -> str:
    """A curve of one line, from the smallest value to the largest.

    More than `width` values are averaged in as many equal parts. A part without a finite value is blank.
    """
    num_parts = min(width, len(values))
    edges = [round(i * len(values) / num_parts) for i in range(num_parts + 1)] if values else []
    parts = [[x for x in values[a:b] if math.isfinite(x)] for a, b in itertools.pairwise(edges)]
    means = [math.fsum(part) / len(part) if part else None for part in parts]
    finite = [mean for mean in means if mean is not None]
    if not finite:
        return " " * len(means)
    low, span = min(finite), max(finite) - min(finite)

    def level(mean: float | None) -> str:
        if mean is None:
            return " "
        return levels[round((mean - low) / span * (len(levels) - 1)) if span > 0 else len(levels) // 2]

    return "".join(map(level, means))


def number(value: Any) -> str:
    """A number as a person reads it: four digits, or whole with thousands set apart. Other things as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (math.isfinite(value) and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as `1:02:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _without_bounds(names: Iterable[str]) -> list[str]:
    """The names but for those that are the interval of another."""
    names = list(names)
    bounds = {name + end for name in names for end in ("_low", "_high")}
    return [name for name in names if name not in bounds]


def _label(name: str) -> str:
    return name.replace("_", " ").replace("/", " ")


def _value(metrics: Mapping[str, Any], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    interval = "" if low is None or high is None else f" ({number(low)} to {number(high)})"
    return number(metrics[name]) + interval
