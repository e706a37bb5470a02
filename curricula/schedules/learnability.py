"""Levels that are sometimes solved and sometimes not."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.schedules import batch, distribution
from curricula.schedules.limits import check_positive, check_share, check_whole


class LearnabilityState(NamedTuple):
    """What is remembered of each level, at most `window` episodes' worth."""

    episodes: jax.Array  # float32 [levels]
    successes: jax.Array  # float32 [levels]


@dataclasses.dataclass(frozen=True)
class Learnability:
    """Levels in proportion to p (1 - p) for their success rates p, and a share of uniform ones.

    p (1 - p) is the learnability of Rutherford et al. 2024 (SFL): the variance of a success, hence what a group of
    episodes has to compare. They estimate it anew by rollouts and keep the best of thousands of instances; here the
    training episodes of a few levels estimate it, the older ones counting less as new ones come.

    Attributes:
      num_levels: levels.
      window: episodes' worth of each level that are remembered; k new ones count for k / (window + k).
      prior: made-up episodes of each level, half of them solved. A level never tried has learnability 1 / 4, the
        greatest there is, and one failure does not rule it out.
      explore: share of uniform probability.
    """

    num_levels: int
    window: int = 64
    prior: float = 2.0
    explore: float = 0.1

    def __post_init__(self):
        check_whole("num_levels", self.num_levels, 1)
        check_whole("window", self.window, 1)
        check_positive("prior", self.prior)
        check_share("explore", self.explore)

    def init(self) -> LearnabilityState:
        """See `Schedule`."""
        none = jnp.zeros(self.num_levels, jnp.float32)
        return LearnabilityState(none, none)

    def success_rates(self, state: LearnabilityState) -> jax.Array:
        """Estimates with the prior: float32 `[levels]`."""
        return (state.successes + self.prior / 2) / (state.episodes + self.prior)

    def probabilities(self, state: LearnabilityState) -> jax.Array:
        """By p (1 - p)."""
        rates = self.success_rates(state)
        return distribution.explore(distribution.normalize(rates * (1 - rates)), self.explore)

    def sample(self, state: LearnabilityState, key: jax.Array, num: int) -> jax.Array:
        """See `Schedule`."""
        return distribution.draw(key, self.probabilities(state), num)

    def update(
        self, state: LearnabilityState, levels, successes, advantages=None, is_finished=None
    ) -> LearnabilityState:
        """See `Schedule`."""
        seen = batch.check(levels, successes, advantages, is_finished)
        batch.check_range(seen, self.num_levels)
        more_episodes, more_solved = batch.count(seen, self.num_levels)
        episodes, solved = state.episodes + more_episodes, state.successes + more_solved
        # Exactly 1 where there is room, which keeps levels that were not seen as they are.
        kept = jnp.where(episodes > self.window, self.window / jnp.maximum(episodes, 1), 1)
        return LearnabilityState(episodes * kept, solved * kept)
