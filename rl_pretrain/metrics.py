"""The numbers of a run over time: one JSON object a line in `metrics.jsonl`, and the same for TensorBoard.

A line is `{"iteration": 12, "time": 345.6, "policy_loss": 2.31, ...}`; `time` is in seconds since the start of the run,
without the time between a stop and the resume. JSON knows no NaN or infinity: they are written
as the strings "NaN", "Infinity" and "-Infinity", and `read` makes numbers of them again.
"""

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

from rl_pretrain import json_file
from rl_pretrain.run_directory import METRICS, TENSORBOARD, RunError

_SPECIAL = ("NaN", "Infinity", "-Infinity")


class Metrics:
    """Writes the metrics of a run, in order. Close it, or use it in a `with` statement.

    Args:
      directory: of the run.
      iteration: the last one that counts, when a run is resumed; what was written for later ones is dropped, so that
        no iteration appears twice. None starts from nothing.

    Raises RunError where the disk is full, or metrics that are there are damaged.
    """

    def __init__(self, directory: str | os.PathLike, iteration: int | None = None):
        self._path = Path(directory) / METRICS
        with _writing(self._path):
            kept = truncate(self._path, iteration)
            self._last = kept[-1]["iteration"] if kept else None
            self._start = time.monotonic() - (kept[-1]["time"] if kept else 0.0)
            self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115 (open as long as the run)
            self._tensorboard = _Tensorboard(Path(directory) / TENSORBOARD, 0 if self._last is None else self._last + 1)

    def write(self, iteration: int, metrics: Mapping[str, Any]) -> dict[str, int | float]:
        """Adds a line, hands it to the operating system at once, and returns it.

        Args:
          iteration: greater than that of the line before.
          metrics: numbers, or arrays of one number, by name. A name such as `loss/policy` makes a group in TensorBoard.

        Raises ValueError for an iteration or name that would be there twice, TypeError for what is not a number,
        RunError when the disk is full.
        """
        if self._last is not None and iteration <= self._last:
            raise ValueError(f"metrics of iteration {iteration} come after those of iteration {self._last}")
        row: dict[str, int | float] = {"iteration": iteration, "time": round(time.monotonic() - self._start, 3)}
        if taken := row.keys() & metrics.keys():
            raise ValueError(f"no metric can be called {min(taken)}")
        row |= {name: _number(name, value) for name, value in metrics.items()}
        with _writing(self._path):
            self._file.write(json_file.dumps(row) + "\n")
            self._file.flush()
            self._tensorboard.write(iteration, {name: row[name] for name in metrics})
        self._last = iteration
        return row

    def close(self) -> None:
        """Raises RunError when the disk is full."""
        try:
            with _writing(self._path):
                self._file.close()  # tries again what could not be written
        finally:
            with contextlib.suppress(OSError):
                self._tensorboard.close()

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        with contextlib.suppress(*[RunError] if kind else []):  # what ended the run matters more
            self.close()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write metrics to {path.parent}: {error.strerror or error}") from error


class _Tensorboard:
    """Scalars in an event file. tensorboardX's own writer would hang on a full disk: its thread dies, its queue fills.

    Args:
      directory: of the event files; every start of the run adds one.
      step: TensorBoard hides what earlier files have for this step and later ones.
    """

    def __init__(self, directory: Path, step: int):
        directory.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(directory / "events"), f".{time.time_ns()}")
        self._write(Event(step=step, session_log=SessionLog(status=SessionLog.START)))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        finite = {name: value for name, value in scalars.items() if math.isfinite(value)}
        values = [Summary.Value(tag=name, simple_value=value) for name, value in finite.items()]
        self._write(Event(step=step, summary=Summary(value=values)))

    def close(self) -> None:
        self._writer.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.write_event(event)
        self._writer.flush()


def read(path: str | os.PathLike) -> list[dict[str, Any]]:
    """The lines of a run directory or of its metrics.jsonl, also while the run goes on.

    A half-written last line is left out. Raises RunError where there is none or another line is damaged.
    """
    path = Path(path)
    return [row for row, _ in _parse(path / METRICS if path.is_dir() else path)]


def truncate(path: Path, iteration: int | None) -> list[dict[str, Any]]:
    """Drops the lines after `iteration` (all of them if None), and a half-written last line; returns what stays.

    Lines that stay are not changed by a byte, and a crash leaves either the old file or the new. Raises RunError where
    a line is damaged.
    """
    kept = [] if iteration is None or not path.exists() else _parse(path)
    kept = [(row, line) for row, line in kept if iteration is not None and row["iteration"] <= iteration]
    if path.exists():
        json_file.replace(path, "".join(line + "\n" for _, line in kept))
    return [row for row, _ in kept]


def check_finite(metrics: Mapping[str, Any]) -> None:
    """Raises FloatingPointError naming the first metric that is NaN or infinite. Values that are no numbers pass."""
    for name, value in metrics.items():
        if value is None or isinstance(value, str):
            continue
        array = np.asarray(value, float)
        if not np.isfinite(array).all():
            raise FloatingPointError(f"{name} is {array[~np.isfinite(array)][0]}")


def _parse(path: Path) -> list[tuple[dict[str, Any], str]]:
    """Rows with the text they came from."""
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no regular file")
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    parsed = []
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline is half a line, or nothing
        try:
            row = {name: float(value) if value in _SPECIAL else value for name, value in json_file.loads(line).items()}
            row["iteration"], row["time"] = int(row["iteration"]), float(row["time"])
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise RunError(f"{path}, line {number}, is damaged ({error!r}); mend or delete that line") from error
        parsed.append((row, line))
    return parsed


def _number(name: str, value: Any) -> int | float:
    number = value if isinstance(value, int | float) else np.asarray(value)
    if isinstance(number, np.ndarray):
        number = number.item() if number.size == 1 else None
    if not isinstance(number, int | float):
        raise TypeError(f"metric {name} must be one number, got {value!r}")
    return int(number) if isinstance(number, bool) else number
