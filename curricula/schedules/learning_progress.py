"""Levels whose success rate is changing, for better or worse."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.schedules import batch, distribution
from curricula.schedules.limits import check_rate, check_share, check_whole


class LearningProgressState(NamedTuple):
    """Moving averages of success rates; 0 before the first episode."""

    fast: jax.Array  # float32 [levels]
    slow: jax.Array  # float32 [levels]: follows the fast one


@dataclasses.dataclass(frozen=True)
class LearningProgress:
    """Levels in proportion to absolute learning progress, and a share of uniform ones.

    Progress is the gap of two moving averages of a level's success rate in batches, one following the other:

        fast ← fast + fast_rate · (rate - fast)      slow ← slow + slow_rate · (fast - slow)

    This is the "online" teacher of Matiisen et al. 2017 (TSCL) for the scores x = fast, whose
    Q ← slow_rate · (x - previous x) + (1 - slow_rate) · Q is the gap times slow_rate / (1 - slow_rate). Absolute
    values also bring back what is being forgotten. TSCL draws the best level but for a share of ε; here a whole batch
    is drawn at once, so it is shared out in proportion to |Q|.

    Attributes:
      num_levels: levels.
      fast_rate: above 0; 1 takes the last batch's rate for the average.
      slow_rate: above 0 and below 1.
      explore: share of uniform probability, ε.
    """

    num_levels: int
    fast_rate: float = 0.3
    slow_rate: float = 0.1
    explore: float = 0.1

    def __post_init__(self):
        check_whole("num_levels", self.num_levels, 1)
        check_share("explore", self.explore)
        check_rate("fast_rate", self.fast_rate)
        check_rate("slow_rate", self.slow_rate)
        if self.slow_rate == 1:
            raise ValueError("slow_rate must be below 1, or there is no gap, got 1")

    def init(self) -> LearningProgressState:
        """See `Schedule`."""
        none = jnp.zeros(self.num_levels, jnp.float32)
        return LearningProgressState(none, none)

    def probabilities(self, state: LearningProgressState) -> jax.Array:
        """By |fast - slow|; uniform while there is no progress anywhere."""
        return distribution.explore(distribution.normalize(jnp.abs(state.fast - state.slow)), self.explore)

    def sample(self, state: LearningProgressState, key: jax.Array, num: int) -> jax.Array:
        """See `Schedule`."""
        return distribution.draw(key, self.probabilities(state), num)

    def update(
        self, state: LearningProgressState, levels, successes, advantages=None, is_finished=None
    ) -> LearningProgressState:
        """See `Schedule`."""
        seen = batch.check(levels, successes, advantages, is_finished)
        batch.check_range(seen, self.num_levels)
        episodes, solved = batch.count(seen, self.num_levels)
        fast = state.fast + self.fast_rate * (solved / jnp.maximum(episodes, 1) - state.fast)
        slow = state.slow + self.slow_rate * (fast - state.slow)
        return LearningProgressState(
            jnp.where(episodes > 0, fast, state.fast), jnp.where(episodes > 0, slow, state.slow)
        )
