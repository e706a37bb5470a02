"""Levels that move the policy most, as told by their advantages."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.schedules import batch, distribution
from curricula.schedules.limits import check_positive, check_rate, check_share, check_whole


class AdvantageBanditState(NamedTuple):
    """What a level is worth to the bandit; 0 before the first episode."""

    value: jax.Array  # float32 [levels]: moving average of mean absolute advantages


@dataclasses.dataclass(frozen=True)
class AdvantageBandit:
    """Softmax over moving averages of the mean absolute advantage of each level: SEC (arXiv 2505.14970).

        Q ← Q + rate · (mean |advantage| in the batch - Q)      probability ∝ exp(Q / temperature)

    Attributes:
      num_levels: levels.
      rate: of TD(0), above 0.
      temperature: in units of advantages. The default suits advantages normalized to variance 1, as PPO and GRPO
        have them; less than that prefers more clearly.
      explore: share of uniform probability; none in the paper.
    """

    num_levels: int
    rate: float = 0.5
    temperature: float = 1.0
    explore: float = 0.0

    def __post_init__(self):
        check_whole("num_levels", self.num_levels, 1)
        check_positive("temperature", self.temperature)
        check_share("explore", self.explore)
        check_rate("rate", self.rate)

    def init(self) -> AdvantageBanditState:
        """See `Schedule`."""
        return AdvantageBanditState(jnp.zeros(self.num_levels, jnp.float32))

    def probabilities(self, state: AdvantageBanditState) -> jax.Array:
        """See `Schedule`."""
        return distribution.explore(jax.nn.softmax(state.value / self.temperature), self.explore)

    def sample(self, state: AdvantageBanditState, key: jax.Array, num: int) -> jax.Array:
        """See `Schedule`."""
        return distribution.draw(key, self.probabilities(state), num)

    def update(
        self, state: AdvantageBanditState, levels, successes, advantages=None, is_finished=None
    ) -> AdvantageBanditState:
        """See `Schedule`; needs advantages."""
        seen = batch.check(levels, successes, advantages, is_finished, needs_advantages=True)
        batch.check_range(seen, self.num_levels)
        episodes, _ = batch.count(seen, self.num_levels)
        value = state.value + self.rate * (batch.mean_advantages(seen, self.num_levels) - state.value)
        return AdvantageBanditState(jnp.where(episodes > 0, value, state.value))
