"""Episodes as readable text."""

from typing import Any

import jax
import numpy as np

from curricula.stream import Script
from curricula.task import Task
from curricula.vocabulary import Token, name


def render(script: Script) -> str:
    """Two lines: what is shown at each step, and what has to be said, a dot where nothing has to.

    >>> import jax
    >>> from curricula.tasks import copying
    >>> print(render(copying.reverse().sample(jax.random.key(0), 1).script))
    shown  f a a ANSWER . .
    said   . . . a      a f
    """
    length = int(script.length)
    shown, asked = ([name(int(token)) for token in np.asarray(x)[:length]] for x in (script.shown, script.asked))
    widths = [max(map(len, pair)) for pair in zip(shown, asked, strict=True)]
    return "\n".join(
        " ".join([title, *(token.ljust(width) for token, width in zip(tokens, widths, strict=True))]).rstrip()
        for title, tokens in (("shown ", shown), ("said  ", asked))
    )


def transcript(task: Task, instance: Any) -> str:
    """What the expert sees and does in the episode of an instance, a line for each step.

    >>> from curricula.tasks import counter
    >>> task = counter.emit_counter()
    >>> print(transcript(task, task.sample(jax.random.key(1), 0)))
    sees a a  does EMIT
    sees a d  does -
    sees d d  does EMIT
    """
    step, observe, expert = jax.jit(task.step), jax.jit(task.observe), jax.jit(task.expert)
    state, lines = task.reset(instance), []
    while state.discount != 0:
        action = expert(state)
        seen = " ".join(name(int(token)) for token in observe(state)[:-1])
        lines.append(f"sees {seen}  does {name(int(action))}")
        state = step(state, action)
    return "\n".join(lines)


def question(script: Script) -> str:
    """The tokens shown, PAD and ANSWER left out: what a data set calls the question."""
    return _sentence(np.asarray(script.shown)[: int(script.length)])


def answer(script: Script) -> str:
    """The tokens asked for."""
    return _sentence(np.asarray(script.asked)[: int(script.length)])


def _sentence(tokens: np.ndarray) -> str:
    return " ".join(name(int(token)) for token in tokens if token not in (Token.PAD, Token.ANSWER))
