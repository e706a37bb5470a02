"""A training loop that a person can watch and stop, and that goes on as if it had never stopped."""

import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np

from rl_pretrain import checkpoint, metrics
from rl_pretrain.checkpoint import Run
from rl_pretrain.interrupt import Stop
from rl_pretrain.progress import Progress

Everything = TypeVar("Everything")


class Trained(NamedTuple, Generic[Everything]):
    """What training came to."""

    everything: Everything
    iterations: int
    seconds: float  # in iterations, their compilation included, over all starts


def go_on(
    run: Run,
    everything: Everything,
    improve: Callable[[Everything, int], tuple[Everything, dict[str, jax.Array]]],
    total: int,
    stop: Stop,
    title: str = "",
    brief: Sequence[str] = (),
    save_every: int = 50,
    is_enough: Callable[[Everything], bool] = lambda everything: False,
) -> Trained[Everything] | None:
    """Improves until `total` iterations are done, from the newest checkpoint of the run if there is one.

    Args:
      run: where metrics and checkpoints go.
      everything: all that training goes on from, before its first iteration.
      improve: everything and the number of the iteration → everything after it, and scalars; arrays of several seeds
        are reported as their mean. Random keys must come from the number alone, or a resumed run would differ.
      brief: scalars for a display of one line.
      save_every: iterations between checkpoints; the last one is always saved.
      is_enough: whether to stop early, asked before each checkpoint.

    Returns: None if a signal came before the end, after a last checkpoint.

    Raises FloatingPointError, before anything is saved, if a scalar is not finite.
    """
    done, seconds, is_done = 0, 0.0, False
    if run.latest_step is not None:
        restored = checkpoint.restore(run, everything)
        everything, done = restored.tree, restored.step
        seconds, is_done = restored.meta["seconds"], restored.meta["is_done"]
    with (
        metrics.Metrics(run.directory, iteration=done) as writer,
        Progress(title, total, done, brief=brief, label=title, notice=lambda: str(stop)) as progress,
    ):
        for i in range(done, done if is_done else total):
            started = time.monotonic()
            everything, scalars = improve(everything, i)
            row = {name: float(np.mean(value)) for name, value in jax.device_get(scalars).items()}
            seconds, done = seconds + time.monotonic() - started, i + 1
            metrics.check_finite(row)
            writer.write(done, row)
            progress.update(done, row)
            is_due = done % save_every == 0 or done == total
            is_done = is_done or (is_due and is_enough(everything))
            if stop.requested or is_due:
                checkpoint.save(run, done, everything, {"seconds": seconds, "is_done": is_done})
            if is_done:
                break
            if stop.requested and done < total:
                return None
    return Trained(everything, done, seconds)
