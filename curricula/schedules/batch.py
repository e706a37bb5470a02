"""A batch of episodes, checked and summed up level by level."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


class Batch(NamedTuple):
    """Episodes; only those that are finished mean anything."""

    levels: jax.Array  # integer [n]: levels, or whatever else was trained on
    successes: jax.Array  # bool [n]
    advantages: jax.Array  # float32 [n]: absolute values; 0 where none were given
    is_finished: jax.Array  # bool [n]


def check(levels, successes, advantages, is_finished, needs_advantages: bool = False) -> Batch:
    """The batch that `Schedule.update` was given. Raises ValueError where shapes or dtypes are not as it says."""
    levels = jnp.asarray(levels)
    if levels.ndim != 1 or not jnp.issubdtype(levels.dtype, jnp.integer):
        raise ValueError(f"levels must be whole numbers [n], got {levels.dtype} {list(levels.shape)}")
    if needs_advantages and advantages is None:
        raise ValueError("this schedule needs advantages, got None")
    if is_finished is None:
        is_finished = jnp.ones(levels.shape, bool)
    if advantages is None:
        advantages = jnp.zeros(levels.shape, jnp.float32)
    _check_array("successes", successes, np.bool_, "bool", levels.shape)
    _check_array("advantages", advantages, np.floating, "float", levels.shape)
    _check_array("is_finished", is_finished, np.bool_, "bool", levels.shape)
    return Batch(levels, jnp.asarray(successes), jnp.abs(jnp.float32(advantages)), jnp.asarray(is_finished))


def check_range(batch: Batch, num_levels: int):
    """Raises ValueError if a level, where known, is none."""
    if isinstance(batch.levels, Tracer) or isinstance(batch.is_finished, Tracer):
        return
    levels = np.asarray(batch.levels)[np.asarray(batch.is_finished)]
    wrong = levels[(levels < 0) | (levels >= num_levels)]
    if wrong.size:
        raise ValueError(f"a level must be from 0 to {num_levels - 1}, got {wrong[0]}")


def count(batch: Batch, num_levels: int) -> tuple[jax.Array, jax.Array]:
    """Finished and solved episodes of each level: two int32 `[num_levels]`."""
    is_of_level = _is_of_level(batch, num_levels)
    episodes = jnp.sum(is_of_level, axis=0, dtype=jnp.int32)
    return episodes, jnp.sum(is_of_level & batch.successes[:, None], axis=0, dtype=jnp.int32)


def mean_advantages(batch: Batch, num_levels: int) -> jax.Array:
    """Mean absolute advantage of each level, 0 for those without finished episodes: float32 `[num_levels]`."""
    is_of_level = _is_of_level(batch, num_levels)
    # A choice and not a product, since 0 times what an unfinished episode holds may be no number.
    total = jnp.sum(jnp.where(is_of_level, batch.advantages[:, None], 0), axis=0)
    return total / jnp.maximum(jnp.sum(is_of_level, axis=0, dtype=jnp.int32), 1)


def _is_of_level(batch: Batch, num_levels: int) -> jax.Array:
    """bool `[n, num_levels]`. Comparing counts no level out of range, where an index would wrap or be clamped."""
    return (batch.levels[:, None] == jnp.arange(num_levels)) & batch.is_finished[:, None]


def _check_array(name: str, array, kind, kind_name: str, shape: tuple[int, ...]):
    if not jnp.issubdtype(jnp.result_type(array), kind) or jnp.shape(array) != shape:
        found = f"{jnp.result_type(array)} {list(jnp.shape(array))}"
        raise ValueError(f"{name} must be {kind_name} {list(shape)} like the levels, got {found}")
