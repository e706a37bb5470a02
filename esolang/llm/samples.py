"""Questions, what was answered, and the file of answers: JSON lines, only ever appended to.

A sample is known by the hash of everything that could change it: question, prompt and the model's settings. What is in
the file is never asked again. A line that a kill cut short is passed over, and asked again.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, NamedTuple

from rl_pretrain import json_file


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How answers are drawn. None leaves a setting to the model."""

    temperature: float | None = 0.8
    top_p: float | None = 0.95
    max_tokens: int = 2048


def settings(model: str, sampling: Sampling) -> dict[str, Any]:
    """What could change an answer beside the question, and hence tells samples apart."""
    return {"model": model, **dataclasses.asdict(sampling)}


class Completion(NamedTuple):
    """What a model answered."""

    text: str
    finish_reason: str  # stop: it had finished; length: it was cut off
    num_prompt_tokens: int
    num_completion_tokens: int  # those thought included


@dataclasses.dataclass(frozen=True)
class Question:
    """One sample to be drawn.

    Attributes:
      language, task, problem: their names.
      version: of the problems.
      num_examples: worked examples in the prompt.
      seed: tells samples of the same prompt apart.
      prompt: the text.
    """

    language: str
    task: str
    problem: str
    version: int
    num_examples: int
    seed: int
    prompt: str

    @property
    def prompt_hash(self) -> str:
        return hashlib.sha256(self.prompt.encode()).hexdigest()[:16]

    def identity(self, settings: dict[str, Any]) -> str:
        """A hash of the question and of the settings of who is asked."""
        text = json.dumps([dataclasses.astuple(self), json_file.plain(settings)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def line(question: Question, settings: dict[str, Any], completion: Completion, started: float, ended: float) -> dict:
    """What is kept of a sample; the prompt by its hash."""
    asked = {name: value for name, value in dataclasses.asdict(question).items() if name != "prompt"}
    return {
        "id": question.identity(settings),
        **asked,
        "prompt_hash": question.prompt_hash,
        "settings": settings,
        "completion": completion.text,
        "finish_reason": completion.finish_reason,
        "usage": {"prompt": completion.num_prompt_tokens, "completion": completion.num_completion_tokens},
        "started": started,  # seconds since 1970
        "ended": ended,
    }


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Samples by their identity; of two of the same, the first. Lines that are none are passed over."""
    samples: dict[str, dict[str, Any]] = {}
    if not path.exists():
        return samples
    for row in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            sample = json.loads(row)
            if _is_sample(sample):
                samples.setdefault(sample["id"], sample)
    return samples


def _is_sample(value: Any) -> bool:
    """Whether there is, of the right kind, what is ever looked at."""
    if not isinstance(value, dict) or not isinstance(usage := value.get("usage"), dict):
        return False
    texts = [value.get(name) for name in ("id", "problem", "completion", "finish_reason")]
    counts = [usage.get(name) for name in ("prompt", "completion")]
    return all(isinstance(text, str) for text in texts) and all(type(count) is int for count in counts)


def append(file: IO[bytes], samples: Iterable[dict[str, Any]]) -> None:
    """Adds lines and sees them onto the disk."""
    for sample in samples:
        file.write(json_file.dumps(sample).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def open_to_append(path: Path) -> IO[bytes]:
    """The file, ending with a whole line: what a kill cut short is closed off, so that the next line is its own."""
    file = open(path, "a+b")  # noqa: SIM115 - the caller closes it
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file
