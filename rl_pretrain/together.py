"""Trainings at the same time, for networks so small that one of them leaves most of a machine idle."""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import TypeVar

import jax

from rl_pretrain.devices import num_cores
from rl_pretrain.interrupt import Stop

Result = TypeVar("Result")


def fitting() -> int:
    """How many such trainings a machine has room for: one for each core, or one where there is an accelerator."""
    return num_cores() if jax.default_backend() == "cpu" else 1


def do(
    jobs: Sequence[Callable[[], Result | None]], at_once: int, stop: Stop, tell: Callable[[Result], None]
) -> list[Result] | None:
    """Does all jobs, some at a time, in threads.

    Args:
      jobs: each returns None if `stop` was requested before its end.
      at_once: how many go on at the same time.
      stop: asked before each job begins. An error in one job requests it for the others.
      tell: is given every result as soon as it is there, one at a time.

    Returns: the results in the order of the jobs, or None if not all came to their end.
    """
    with ThreadPoolExecutor(at_once) as pool, _stopping(stop):
        futures: list[Future[Result | None]] = [
            pool.submit(lambda job=job: None if stop.requested else job()) for job in jobs
        ]
        for future in as_completed(futures):
            result = future.result()
            if result is not None:
                tell(result)
        results = [result for future in futures if (result := future.result()) is not None]
    return results if len(results) == len(jobs) else None


@contextlib.contextmanager
def _stopping(stop: Stop):
    """What leaves this block by an error leaves no job running for long: the pool waits for those under way."""
    try:
        yield
    except BaseException as error:
        stop.signal = stop.signal or type(error).__name__
        raise
