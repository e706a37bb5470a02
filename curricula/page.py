"""The page `curricula/README.md`: a table of all tasks, and for each its definition and an episode.

python -m curricula.page > curricula/README.md
"""

import inspect
from collections.abc import Callable

import jax
import jax.numpy as jnp

from curricula.stream import Stream
from curricula.tasks import MAKERS
from curricula.text import render
from curricula.vocabulary import NUM_TOKENS

EXAMPLE_LEVEL = 1

OPENING = f"""# Synthetic reasoning tasks

Written by `python -m curricula.page`; change the tasks, not this page.

All tasks are read and answered one token at a time, over one vocabulary of {NUM_TOKENS} tokens (`curricula/vocabulary.py`). While
a prompt is shown the only legal action is PAD (a dot below); then each token has to be right, and the first wrong one
ends the episode. The return of an episode is 1 exactly if it is solved. Levels are data: the training levels come
first, then those beyond, which are for testing only.

| task | what it asks | training levels | beyond | steps at the easiest level, at the hardest, beyond |
|---|---|---|---|---|"""


def page() -> str:
    """The whole page as Markdown."""
    tasks = [(make, make()) for make in MAKERS]
    rows = [_row(make, task) for make, task in tasks]
    sections = [_section(make, task) for make, task in tasks]
    return "\n".join([OPENING, *rows, "", *sections])


def _row(make: Callable[[], Stream], task: Stream) -> str:
    levels = task.levels
    beyond = ", ".join(name for name, _ in levels.beyond)
    steps = _steps(task)
    longest = max(steps[levels.num_train :])
    asks = inspect.getdoc(make).partition("\n")[0]  # pyright: ignore[reportOptionalMemberAccess]
    lengths = f"{steps[0]}, {steps[levels.num_train - 1]}, {longest}"
    return f"| [{task.name}](#{task.name}) | {asks} | {levels.num_train} | {beyond} | {lengths} |"


def _section(make: Callable[[], Stream], task: Stream) -> str:
    instance = jax.jit(task.sample)(jax.random.key(0), jnp.int32(EXAMPLE_LEVEL))
    knobs = ", ".join(f"{name} {value}" for name, value in task.levels.rows[EXAMPLE_LEVEL]._asdict().items())
    definition = inspect.getdoc(make)
    return (
        f"## {task.name}\n\n{definition}\n\nLevel {EXAMPLE_LEVEL} ({knobs}):\n\n```\n{render(instance.script)}\n```\n"
    )


def _steps(task: Stream) -> list[int]:
    """Of one episode at each level."""
    sample = jax.jit(jax.vmap(task.sample, (None, 0)))
    return sample(jax.random.key(0), jnp.arange(task.levels.num_levels)).script.length.tolist()


if __name__ == "__main__":
    print(page())
