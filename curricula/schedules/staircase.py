"""One level after the other, up when it is mastered, down when it is too hard."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.schedules import batch, distribution
from curricula.schedules.limits import check_share, check_whole


class StaircaseState(NamedTuple):
    """Where each task stands, and what the window at this frontier holds so far."""

    frontier: jax.Array  # int32 [tasks]: the level being learnt
    episodes: jax.Array  # int32 [tasks]: finished at the frontier since the last decision
    successes: jax.Array  # int32 [tasks]: of these


@dataclasses.dataclass(frozen=True)
class Staircase:
    """A frontier that moves by at most one level an update, and easier levels now and then against forgetting.

    Once a window of episodes at the frontier is full, their success rate decides, and a new window begins. Windows
    do not overlap, and one of large batches may hold more than `window`. Episodes of other levels do not count.

    Thresholds and window are those of reasoning-gym's curriculum trainer, the replayed share is that of "combined"
    curricula (Zaremba and Sutskever 2014), who draw it from all levels and not from the easier ones only.

    Attributes:
      num_levels: of each task.
      num_tasks: each with a frontier of its own, all trained alike often.
      up: a higher success rate goes a level up.
      down: a lower one goes a level down; 0 never does.
      window: episodes at the frontier before a decision.
      replay: share of the levels below the frontier, uniformly.
      start: first frontier.
    """

    num_levels: int
    num_tasks: int = 1
    up: float = 0.7
    down: float = 0.1
    window: int = 20
    replay: float = 0.2
    start: int = 0

    def __post_init__(self):
        check_whole("num_levels", self.num_levels, 1)
        check_whole("num_tasks", self.num_tasks, 1)
        check_share("up", self.up)
        check_share("down", self.down)
        check_whole("window", self.window, 1)
        check_share("replay", self.replay)
        check_whole("start", self.start, 0)
        if not self.down <= self.up < 1:
            raise ValueError(f"down must be at most up and up below 1, got down {self.down} and up {self.up}")
        if self.start >= self.num_levels:
            raise ValueError(f"start must be from 0 to {self.num_levels - 1}, got {self.start}")

    def init(self) -> StaircaseState:
        """See `Schedule`."""
        none = jnp.zeros(self.num_tasks, jnp.int32)
        return StaircaseState(jnp.full(self.num_tasks, self.start, jnp.int32), none, none)

    def probabilities(self, state: StaircaseState) -> jax.Array:
        """float32 `[num_tasks · num_levels]`: `replay` below the frontier, the rest at it."""
        level, frontier = jnp.arange(self.num_levels), state.frontier[:, None]
        replay = jnp.where(frontier > 0, self.replay, 0).astype(jnp.float32)
        below = jnp.where(level < frontier, replay / jnp.maximum(frontier, 1), 0)
        return (jnp.where(level == frontier, 1 - replay, below) / self.num_tasks).ravel()

    def sample(self, state: StaircaseState, key: jax.Array, num: int) -> jax.Array:
        """See `Schedule`."""
        return distribution.draw(key, self.probabilities(state), num)

    def update(self, state: StaircaseState, levels, successes, advantages=None, is_finished=None) -> StaircaseState:
        """See `Schedule`."""
        num = self.num_tasks * self.num_levels
        seen = batch.check(levels, successes, advantages, is_finished)
        batch.check_range(seen, num)
        at_frontier = jnp.arange(self.num_tasks) * self.num_levels + state.frontier
        more_episodes, more_successes = batch.count(seen, num)
        episodes = state.episodes + more_episodes[at_frontier]
        solved = state.successes + more_successes[at_frontier]
        is_full = episodes >= self.window
        rate = solved / jnp.maximum(episodes, 1)
        step = jnp.where(rate > self.up, 1, jnp.where(rate < self.down, -1, 0))
        frontier = jnp.clip(state.frontier + jnp.where(is_full, step, 0), 0, self.num_levels - 1)
        return StaircaseState(frontier, jnp.where(is_full, 0, episodes), jnp.where(is_full, 0, solved))
