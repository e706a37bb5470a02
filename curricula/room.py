"""How long the episodes of a task are, level by level: what rollouts and scratch pads need room for."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from curricula import traces
from curricula.act import Act
from curricula.stream import Script, Stream


class Room(NamedTuple):
    """What the longest episodes of a level take."""

    steps: int  # without the pad
    pad: int  # tokens of the trace before the answer, ANSWER included


def of_levels(task: Stream | Act, with_trace: bool = False, num: int = 64) -> list[Room]:
    """Of each level, as far as `num` random instances show; a few may need more.

    Args:
      with_trace: whether to write traces too, which takes a while. Raises ValueError where the task has none.
    """
    levels, keys = jnp.arange(task.levels.num_levels), jax.random.split(jax.random.key(0), num)
    instances: Any = jax.jit(jax.vmap(jax.vmap(task.sample, (0, None)), (None, 0)))(keys, levels)
    if isinstance(task, Act):
        limits = jax.vmap(jax.vmap(task.rules.limit))(instances.puzzle)
        return [Room(int(limit), 0) for limit in jnp.max(limits, axis=1)]
    scripts = jax.device_get(instances.script)
    pads = [int(_longest_trace(task, Script(*row))) if with_trace else 0 for row in zip(*scripts, strict=True)]
    return [Room(int(steps), pad) for steps, pad in zip(scripts.length.max(axis=1), pads, strict=True)]


def _longest_trace(task: Stream, scripts: Script) -> int:
    rows = zip(*scripts, strict=True)
    return max(len(traces.write(task, shown[:length], asked[:length])[0]) - length for shown, asked, length in rows)
