"""Asking a language model for what is not answered yet."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol

from esolang.llm import samples
from esolang.llm.samples import Completion, Question


class Unanswered(Exception):  # noqa: N818 - may be answered when asked again
    """No answer this time."""


class BackEndError(Exception):
    """No answer ever, and why, in one line: a wrong key, an unknown model, a refused setting."""


class BackEnd(Protocol):
    """Who is asked."""

    settings: dict[str, Any]  # as `samples.settings` gives them

    def ask(self, prompt: str, seed: int) -> Completion:
        """One answer. Raises Unanswered or BackEndError."""
        ...


def missing(questions: Sequence[Question], settings: dict[str, Any], path: Path) -> list[Question]:
    """The questions that the file has no answer to."""
    answered = samples.read(path)
    return [question for question in questions if question.identity(settings) not in answered]


def generate(
    back_end: BackEnd,
    questions: Sequence[Question],
    path: Path,
    num_workers: int = 1,
    num_passes: int = 3,
    is_stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda num_done: None,
) -> list[Question]:
    """Asks all questions that the file has no answer to, and adds each answer as soon as it is there.

    Args:
      num_workers: questions asked at the same time.
      num_passes: how often a question is asked that brings no answer, besides the back end's own retries.
      is_stopped: looked at after each answer; then those under way are waited for, and no more asked.
      progress: told how many of the questions are answered.

    Returns the questions that are still open. Raises BackEndError where asking on makes no sense.
    """
    settings = back_end.settings
    left = missing(questions, settings, path)
    for _ in range(num_passes):
        if not left or is_stopped():
            break
        _ask_all(back_end, left, path, num_workers, is_stopped, lambda num: progress(len(questions) - num))
        left = missing(questions, settings, path)
    return left


def _ask_all(
    back_end: BackEnd,
    questions: Sequence[Question],
    path: Path,
    num_workers: int,
    is_stopped: Callable[[], bool],
    num_left: Callable[[int], None],
) -> None:
    """One pass. Answers are written by this thread alone."""
    no_more = threading.Event()

    def ask(question: Question) -> dict[str, Any]:
        if no_more.is_set():
            raise Unanswered("stopped before it was asked")
        started = time.time()
        completion = back_end.ask(question.prompt, question.seed)
        return samples.line(question, back_end.settings, completion, started, time.time())

    left = len(questions)
    with samples.open_to_append(path) as file, ThreadPoolExecutor(num_workers) as workers:
        try:
            for done in as_completed([workers.submit(ask, question) for question in questions]):
                with contextlib.suppress(Unanswered):
                    samples.append(file, [done.result()])
                    left -= 1
                    num_left(left)
                if is_stopped():
                    no_more.set()
        finally:
            no_more.set()  # whatever it was that ended this, the rest need not be asked
