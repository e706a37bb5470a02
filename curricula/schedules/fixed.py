"""Curricula that learn nothing: always the same probabilities. What automatic ones must beat."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula.schedules import batch, distribution
from curricula.schedules.limits import check_whole


class FixedState(NamedTuple):
    """Nothing to remember."""


@dataclasses.dataclass(frozen=True)
class Fixed:
    """Levels by given weights.

    Attributes:
      weights: of each level, at least 0 and not all 0.
    """

    weights: tuple[float, ...]

    def __post_init__(self):
        weights = self.weights
        if not isinstance(weights, tuple) or not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights):
            raise ValueError(f"weights must be a tuple of numbers of at least 0 and not all 0, got {weights!r}")

    def init(self) -> FixedState:
        """See `Schedule`."""
        return FixedState()

    def probabilities(self, state: FixedState) -> jax.Array:
        """In proportion to the weights."""
        return jnp.asarray(np.array(self.weights) / sum(self.weights), jnp.float32)

    def sample(self, state: FixedState, key: jax.Array, num: int) -> jax.Array:
        """See `Schedule`."""
        return distribution.draw(key, self.probabilities(state), num)

    def update(self, state: FixedState, levels, successes, advantages=None, is_finished=None) -> FixedState:
        """The state as it was."""
        batch.check_range(batch.check(levels, successes, advantages, is_finished), len(self.weights))
        return state


def uniform(num_levels: int) -> Fixed:
    """All levels alike (domain randomization)."""
    check_whole("num_levels", num_levels, 1)
    return Fixed((1,) * num_levels)


def only(level: int, num_levels: int) -> Fixed:
    """One level and no other."""
    check_whole("num_levels", num_levels, 1)
    check_whole("level", level, 0)
    if level >= num_levels:
        raise ValueError(f"level must be from 0 to {num_levels - 1}, got {level}")
    return Fixed(tuple(int(i == level) for i in range(num_levels)))


def hardest_only(num_levels: int, num_tasks: int = 1) -> Fixed:
    """No curriculum: the last level of each task."""
    check_whole("num_tasks", num_tasks, 1)
    return Fixed(only(num_levels - 1, num_levels).weights * num_tasks)
