"""Checkpoints of a run: saved in the background, checked bit for bit when restored.

    with checkpoint.open_run(directory, config, versions, resume=True) as run:
        start, tree, meta = checkpoint.restore(run, like=tree)
        checkpoint.save(run, step, tree, meta)

Orbax writes them, into a temporary directory that gets its name when all is written. What is stored are host arrays
by name with their checksums, so that a checkpoint can be read without the code that wrote it (`load`).

A tree that says which of its arrays are shares of devices (`open_run`'s `axes`) can be restored on another number of
devices. Where several processes train together, each writes the shares of its devices, and the directory gets its name
when all have done so.
"""

import contextlib
import dataclasses
import itertools
import math
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, EveryNSteps, LatestN

from rl_pretrain import checkpoint_file, json_file, leaves, processes, run_directory, shares
from rl_pretrain.run_directory import CHECKPOINTS, RunError

SET_ASIDE = "set_aside"
"""Where checkpoints go, in the run directory, that a restore passed over."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run directory that this process may write. Close it, or use it in a `with` statement."""

    directory: Path
    config: dict[str, Any]
    _manager: ocp.CheckpointManager
    _lock: IO[str]
    _axes: Any

    @property
    def latest_step(self) -> int | None:
        """The newest checkpoint, or None before the first."""
        return max(steps(self.directory), default=None)

    def wait(self) -> None:
        """Returns when the last checkpoint is on the disk. Raises RunError if it could not be written."""
        with _writing(self):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for the last checkpoint, then lets the directory go. Raises RunError as `wait` does."""
        try:
            self.wait()
        finally:
            with contextlib.suppress(Exception):  # the error of the save itself came out of wait
                self._manager.close()
            self._lock.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        try:
            self.close()
        except RunError as failure:
            if error is None:
                raise
            print(f"warning: {failure}", file=sys.stderr)  # what ended the run matters more


class Restored(NamedTuple):
    """A checkpoint in the form of the training state."""

    step: int
    tree: Any
    meta: dict[str, Any]


class Loaded(NamedTuple):
    """A checkpoint as plain data."""

    config: dict[str, Any]
    step: int
    arrays: dict[str, Any]  # dicts of dicts of NumPy arrays, named by field, dict key or position; keys as their data
    meta: dict[str, Any]
    metrics: dict[str, float]


def open_run(
    directory: str | os.PathLike,
    config: dict[str, Any],
    versions: dict[str, Any],
    resume: bool = False,
    may_differ: Collection[str] = (),
    best: str | None = None,
    keep_every: int | None = None,
    axes: Any = shares.WHOLE,
) -> Run:
    """Starts a run in a new directory, or continues the one that is there. Starts JAX: call `devices.use` before.

    Args:
      directory: such as `runs/go_9x9/first`.
      config: every setting, kept in config.json; a resumed run must have the same.
      versions: of code and libraries, kept in config.json; a change is told when the run is resumed.
      resume: continue the run in the directory.
      may_differ: settings that may change on resume, by dotted name.
      best: a metric given to `save`, more is better: the checkpoint where it was highest is kept besides the latest 2.
      keep_every: checkpoints at multiples of so many steps are kept, too.
      axes: of the arrays of the tree, in part `[devices, ...]`, as `rl_pretrain.shares` has them. Default: all arrays
        are stored as they are, and come back for as many devices only.

    Of several processes all must call it, and `save` and `restore`, with the same arguments.

    Raises RunError, one line for the person at the terminal, when the directory cannot be this run's.
    """
    directory = Path(directory)
    checkpoint_file.quiet_orbax()
    with processes.first_alone():
        if processes.index() == 0:
            lock = run_directory.claim(directory, config, versions, resume, may_differ)
        else:
            lock = open(os.devnull)  # noqa: SIM115 (the first process holds it for all)
    if len(set(processes.gather(1 + max(steps(directory), default=-1)))) > 1:
        raise RunError(f"{directory} must lie where all processes see it, but they see different checkpoints there")
    try:
        manager = _make_manager((directory / CHECKPOINTS).absolute(), best, keep_every)
    except OSError as error:
        lock.close()
        raise RunError(f"cannot use {directory / CHECKPOINTS}: {error.strerror or error}") from error
    return Run(directory, json_file.plain(config), manager, lock, axes)


def save(
    run: Run, step: int, tree: Any, meta: Mapping[str, Any] | None = None, metrics: Mapping[str, float] | None = None
) -> bool:
    """Saves the tree and the JSON values of `meta` as checkpoint `step`, in the background.

    The tree is copied before this returns: it may be donated or changed. Returns False when that step is saved
    already.

    Raises RunError when this checkpoint, or the one before it, could not be written (the disk is full, say).
    """
    latest = run._manager.latest_step()
    if latest is not None and step <= latest:
        if step == latest:
            return False
        raise ValueError(f"checkpoint {step} would come before checkpoint {latest}, which exists")
    numbers = {name: float(value) for name, value in (metrics or {}).items()}
    mine, axes = shares.stored(tree, run._axes), shares.axes(tree, run._axes)
    content = checkpoint_file.pack(mine, meta or {}, numbers, [name for name in axes if axes[name] > shares.SAME])
    with _writing(run):
        run._manager.save(step, args=content, metrics=numbers)
    return True


def restore(run: Run, like: Any, step: int | None = None) -> Restored:
    """Reads checkpoint `step`, or the newest that can be read, into the structure and the placement of `like`.

    Arrays come back bit for bit. The restored step becomes the newest of the run: damaged checkpoints after it, and
    later ones given up by naming a step, are moved to `set_aside/`.

    Raises RunError when there is none, none that can be read, or when `like` differs from what was saved.
    """
    run.wait()
    step, content = _read_newest(run.directory, step, _read_together)
    place = run.directory / CHECKPOINTS / str(step)
    try:
        content = _deal(content, shares.axes(like, run._axes), like)
        problem = leaves.mismatch(content.kinds, leaves.kinds(like))
    except ValueError as error:
        problem = str(error)
    if problem:
        raise RunError(f"{place} was written by another version or config: {problem}; choose another --name")
    try:
        tree = leaves.from_host(like, content.arrays, content.impls)
    except (TypeError, ValueError) as error:  # signed by a stranger: checksums are right, keys are none
        raise RunError(f"{place} is damaged ({checkpoint_file.reason(error)})") from error
    with processes.first_alone():
        for later in steps(run.directory):
            if later > step:
                _set_aside(run.directory, later)
    run._manager.reload()
    return Restored(step, tree, content.meta)


def load(path: str | os.PathLike, step: int | None = None) -> Loaded:
    """Reads a checkpoint as plain data on the host, without the types of the code; changes nothing.

    Args:
      path: a run directory, or one checkpoint in it.
      step: which checkpoint of the run directory; default the newest that can be read.

    Raises RunError where there is none or none that can be read.
    """
    path = Path(path)
    if path.absolute().parent.name == CHECKPOINTS and path.name.isdecimal():
        path, step = path.absolute().parent.parent, int(path.name)
    checkpoint_file.quiet_orbax()
    config, _ = run_directory.read_config(path)
    step, content = _read_newest(path, step)
    return Loaded(config, step, leaves.nested(content.arrays), content.meta, content.metrics)


def steps(directory: str | os.PathLike) -> list[int]:
    """The checkpoints of a run directory, oldest first."""
    place = Path(directory) / CHECKPOINTS
    names = [entry.name for entry in place.iterdir()] if place.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))


def _read_newest(
    directory: Path, step: int | None, read: Callable[[Path], checkpoint_file.Content] = checkpoint_file.read
) -> tuple[int, checkpoint_file.Content]:
    """Reads `step`, or else the newest readable checkpoint, with a warning for each newer one that is damaged."""
    available = steps(directory)
    if step is not None and step not in available:
        raise RunError(f"{directory} has no checkpoint {step}; it has {', '.join(map(str, available)) or 'none'}")
    if not available:
        raise RunError(f"{directory} has no checkpoint yet")
    problems = []
    for candidate in available[::-1] if step is None else [step]:
        place = directory / CHECKPOINTS / str(candidate)
        try:
            content = read(place)
        except checkpoint_file.DamagedError as error:
            problems.append(f"{place} is damaged ({error})")
        except ValueError as error:
            raise RunError(str(error)) from error
        else:
            for problem in problems:
                print(f"warning: {problem}; using checkpoint {candidate} instead", file=sys.stderr)
            return candidate, content
    advice = "name another step" if len(available) > len(problems) else "bring back a copy or choose another --name"
    raise RunError(f"{'; '.join(problems)}; {advice}")


def _read_together(place: Path) -> checkpoint_file.Content:
    """The checkpoint, if every process can read it."""
    problem = ""
    try:
        content = checkpoint_file.read(place)
    except checkpoint_file.DamagedError as error:
        problem = str(error)
    if not all(processes.gather(not problem)):
        raise checkpoint_file.DamagedError(problem or "another process cannot read it")
    return content  # pyright: ignore[reportPossiblyUnboundVariable] (all could read it, this one too)


def _deal(content: checkpoint_file.Content, axes: Mapping[str, int], like: Any) -> checkpoint_file.Content:
    """The shares in it as those of the devices of `like`."""
    num_devices = next((leaf.shape[0] for name, leaf in leaves.named(like).items() if axes[name] != shares.WHOLE), 1)
    total, first = processes.count() * num_devices, processes.index() * num_devices
    arrays = shares.deal(content.arrays, axes, total, slice(first, first + num_devices))
    kinds = {
        name: leaves.Leaf(kind.dtype, arrays[name].shape[: len(kind.shape)]) for name, kind in content.kinds.items()
    }
    return content._replace(arrays=arrays, kinds=kinds)


def _make_manager(directory: Path, best: str | None, keep_every: int | None) -> ocp.CheckpointManager:
    def rank(metrics: Mapping[str | None, float]) -> float:
        value = metrics.get(best, math.nan)
        return -math.inf if math.isnan(value) else value

    keep: list[Any] = [LatestN(2)]
    if best is not None:
        keep.append(BestN(get_metric_fn=rank, n=1, keep_checkpoints_without_metrics=False))
    if keep_every is not None:
        keep.append(EveryNSteps(keep_every))
    options = ocp.CheckpointManagerOptions(
        preservation_policy=AnyPreservationPolicy(keep),
        best_fn=None if best is None else rank,  # without it Orbax would not store the metrics
        cleanup_tmp_directories=True,  # what a killed process left
    )
    handlers = {"arrays": ocp.PyTreeCheckpointHandler(), "info": ocp.JsonCheckpointHandler()}
    return ocp.CheckpointManager(directory, options=options, item_handlers=handlers)


@contextlib.contextmanager
def _writing(run: Run) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Orbax passes on whatever its threads met
        run._manager.reload()  # it has written off what this checkpoint was to replace
        place, problem = run.directory / CHECKPOINTS, checkpoint_file.reason(error)
        raise RunError(f"cannot write a checkpoint to {place}: {problem}; the earlier ones are intact") from error


def _set_aside(directory: Path, step: int) -> None:
    """Moves a checkpoint out of the line of the run. Never deletes: it may be all that is left of some hours."""
    (directory / SET_ASIDE).mkdir(exist_ok=True)
    names = itertools.chain([str(step)], (f"{step}-{i}" for i in itertools.count(2)))
    target = next(path for path in (directory / SET_ASIDE / name for name in names) if not path.exists())
    (directory / CHECKPOINTS / str(step)).rename(target)
    print(f"warning: checkpoint {step} moved to {target}", file=sys.stderr)
