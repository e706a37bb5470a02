"""The page `curricula/README.md`: a table of all tasks, and for each its definition and an episode.

python -m curricula.page > curricula/README.md
"""

import inspect
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp

from curricula.stream import Stream
from curricula.task import Task
from curricula.tasks import ACT_MAKERS, MAKERS
from curricula.text import render, transcript
from curricula.vocabulary import NUM_TOKENS

EXAMPLE_LEVEL = 1

OPENING = f"""# Synthetic reasoning tasks

Written by `python -m curricula.page`; change the tasks, not this page.

All tasks share one vocabulary of {NUM_TOKENS} tokens, which are their actions and what is seen
(`curricula/vocabulary.py`). The return of an episode is 1 exactly if it is solved. Levels are data: the training levels
come first, then those beyond, which are for testing only.
"""

READ = """## Tasks that are read

One token is shown at a time. While it is a prompt, the only legal action is PAD (a dot below); then each token said has
to be right, and the first wrong one ends the episode (`curricula/stream.py`).
"""

ACTED = """## Tasks that are acted in

Actions change what is seen next (`curricula/act.py`). Steps are those of the shortest solution.
"""

HEAD = """| task | what it asks | training levels | beyond | steps at the easiest level, at the hardest, beyond |
|---|---|---|---|---|"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([OPENING, *_part(READ, MAKERS), "", *_part(ACTED, ACT_MAKERS)])


def _part(opening: str, makers: Iterable[Callable[[], Task]]) -> list[str]:
    tasks = [(make, make()) for make in makers]
    rows = [_row(make, task) for make, task in tasks]
    return [opening, HEAD, *rows, "", *(_section(make, task) for make, task in tasks)]


def _row(make: Callable[[], Task], task: Task) -> str:
    levels = task.levels
    beyond = ", ".join(name for name, _ in levels.beyond)
    steps = _steps(task)
    longest = max(steps[levels.num_train :])
    asks = inspect.getdoc(make).partition("\n")[0]  # pyright: ignore[reportOptionalMemberAccess]
    lengths = f"{steps[0]}, {steps[levels.num_train - 1]}, {longest}"
    return f"| [{task.name}](#{task.name}) | {asks} | {levels.num_train} | {beyond} | {lengths} |"


def _section(make: Callable[[], Task], task: Task) -> str:
    instance = jax.jit(task.sample)(jax.random.key(0), jnp.int32(EXAMPLE_LEVEL))
    knobs = ", ".join(f"{name} {value}" for name, value in task.levels.rows[EXAMPLE_LEVEL]._asdict().items())
    episode = render(instance.script) if isinstance(task, Stream) else transcript(task, instance)
    return f"### {task.name}\n\n{inspect.getdoc(make)}\n\nLevel {EXAMPLE_LEVEL} ({knobs}):\n\n```\n{episode}\n```\n"


def _steps(task: Task) -> list[int]:
    """Of one episode at each level."""

    def steps(level):
        return task.min_steps(task.sample(jax.random.key(0), level))

    return jax.jit(jax.vmap(steps))(jnp.arange(task.levels.num_levels)).tolist()


if __name__ == "__main__":
    print(page())
