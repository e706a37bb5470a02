"""Experiments that are made of others: each step is a command that is shown, and that a person can run alone."""

import contextlib
import dataclasses
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rl_pretrain import run_directory
from rl_pretrain.run_directory import RunError


@contextlib.contextmanager
def directory(place: Path, config: Any, may_differ: Collection[str] = (), parts: str | None = None) -> Iterator[Path]:
    """The directory of an experiment, for this process alone.

    Args:
      config: settings, a dataclass with `resume`: whether to go on with what is there, and to begin if nothing is.
      may_differ: settings that may have changed since.
      parts: pattern of the paths that the experiment makes elsewhere, and must not find when it begins.

    Raises RunError where the directory holds another experiment, or there are such paths of one.
    """
    settings = dataclasses.asdict(config)
    has_begun = (place / run_directory.CONFIG).exists()
    resume = settings.pop("resume") and has_begun
    if parts and not has_begun and (found := sorted(Path().glob(parts))):
        raise RunError(f"{found[0]} is of another experiment; remove it or choose another --name")
    versions = {"reward-pretraining": version("reward-pretraining")}
    with contextlib.closing(run_directory.claim(place, settings, versions, resume, may_differ)):
        yield place


def run(script: Path, arguments: Sequence[str]) -> None:
    """Runs a script, its output on this screen. Raises RunError where it fails or is stopped."""
    print(f"\n$ {shlex.join(['python', f'experiments/{script.name}', *arguments])}", flush=True)
    finished = subprocess.run([sys.executable, str(script), *arguments], check=False)
    if finished.returncode:
        raise RunError(f"{script.name} ended with status {finished.returncode}; to go on: {to_go_on()}")


def train(script: Path, place: Path, arguments: Sequence[str]) -> None:
    """Runs a script that trains, unless it has ended already and left a result. Raises RunError as `run` does.

    Args:
      place: the run directory that the arguments lead to.
    """
    if not (place / "result.json").exists():
        run(script, arguments)
    if not (place / "result.json").exists():
        raise RunError(f"{place} was stopped; to go on: {to_go_on()}")


def line() -> str:
    """The command line of this process's experiment, as one begins it."""
    return shlex.join(["python", *(argument for argument in sys.argv if argument != "--resume")])


def to_go_on() -> str:
    """The command line that goes on with this process's experiment."""
    return f"{line()} --resume"
