"""Instances to train on and instances to test on, which never meet.

Keys alone keep two streams of instances apart only where there are many instances: of the 64 prompts of two symbols
out of eight, every key soon shows all. So an instance belongs to a split by what it shows, and `sample` draws until it
meets one that does.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from curricula.stream import Script
from curricula.task import Task

Split = Literal["train", "test"]
TEST_SHARE = 8
"""One instance in so many is for testing."""
MAX_DRAWS = 512


def is_test(script: Script) -> jax.Array:
    """Whether an instance is for testing, by a hash of the tokens shown: bool `[]`."""
    return is_for_testing(jnp.where(np.arange(len(script.shown)) < script.length, script.shown, 0))


def is_for_testing(shown: jax.Array) -> jax.Array:
    """The same of what `Task.shown` gives."""

    def mix(hashed, token):
        hashed = (hashed ^ token) * np.uint32(0x85EBCA6B)
        return hashed ^ (hashed >> np.uint32(13)), None

    hashed, _ = jax.lax.scan(mix, jnp.uint32(0x9E3779B9), shown.astype(jnp.uint32))
    hashed = hashed * np.uint32(0xC2B2AE35)
    return (hashed >> np.uint32(16)) % np.uint32(TEST_SHARE) == 0


def sample(task: Task, key: jax.Array, level: jax.Array | int, split: Split) -> tuple[Any, jax.Array]:
    """A random instance of a level that belongs to a split, and whether there is one.

    Where a level has so few instances that none of 512 drawn belongs to the split, the last one drawn comes with
    False. Use it neither to train nor to test; `curricula.split.check` finds such levels beforehand.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, got {split!r}")
    level = task.levels.check(level)
    keys = jax.random.split(key, MAX_DRAWS)

    def belongs(instance: Any) -> jax.Array:
        return is_for_testing(task.shown(instance)) == (split == "test")

    def redraw(carry):
        draw, _ = carry
        return draw + 1, task.sample(keys[draw + 1], level)

    def is_wanting(carry):
        draw, instance = carry
        return (draw < MAX_DRAWS - 1) & ~belongs(instance)

    _, instance = jax.lax.while_loop(is_wanting, redraw, (jnp.int32(0), task.sample(keys[0], level)))
    return instance, belongs(instance)


def draw(task: Task, key: jax.Array, levels: jax.Array, split: Split | None = None) -> Any:
    """A random instance for each of the `levels`, int32 `[N]`: arrays `[N, ...]`.

    Args:
      split: where they are to belong; None for instances whatever they are. `check` the task before: of a level that
        has none of a split others are drawn.
    """
    levels = task.levels.check(levels)
    keys = jax.random.split(key, len(levels))
    if split is None:
        return jax.vmap(task.sample)(keys, levels)
    return jax.vmap(lambda key, level: sample(task, key, level, split)[0])(keys, levels)


def check(task: Task) -> None:
    """Raises ValueError if a level has too few instances to train and to test on different ones."""
    levels = jnp.arange(task.levels.num_levels, dtype=jnp.int32)
    draw = jax.vmap(lambda level, split_key: sample(task, split_key, level, "test")[1])
    has_tests = np.asarray(jax.jit(draw)(levels, jax.random.split(jax.random.key(0), len(levels))))
    if not has_tests.all():
        level = task.levels.name(int(np.argmin(has_tests)))
        raise ValueError(f"{task.name}, {level} has too few instances to keep some for testing")
