"""A task taught by a schedule: which instances to play next, and what was learnt from how they went.

course = Course(copying.reverse(), Staircase(7), num_rows=512)
state = course.init()
rows = course.deal(state, key)  # a pool to play
state = course.report(state, rows, row, is_over, is_solved)
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from curricula import pool
from curricula.pool import Pool
from curricula.schedules.schedule import Schedule
from curricula.stream import Stream


@dataclasses.dataclass(frozen=True)
class Course:
    """One task and one schedule of its training levels.

    Attributes:
      task: what is taught.
      schedule: over the task's training levels.
      num_rows: instances of a pool.
      group: so many rows in a row are the same instance, for baselines that compare tries of one.
    """

    task: Stream
    schedule: Schedule
    num_rows: int
    group: int = 1

    def __post_init__(self):
        if self.group < 1 or self.num_rows < 1 or self.num_rows % self.group:
            raise ValueError(f"num_rows must be a multiple of group, got {self.num_rows} and {self.group}")

    def init(self) -> Any:
        """What the schedule knows before any episode."""
        return self.schedule.init()

    def deal(self, state: Any, key: jax.Array) -> Pool:
        """New instances of the levels that the schedule chooses."""
        level_key, write_key = jax.random.split(key)
        levels = self.schedule.sample(state, level_key, self.num_rows // self.group)
        dealt = pool.write(self.task, write_key, levels)
        return pool.repeat(dealt, self.group) if self.group > 1 else dealt

    def report(self, state: Any, rows: Pool, row: jax.Array, is_over: jax.Array, is_solved: jax.Array) -> Any:
        """What the schedule knows after a rollout of any shape.

        Args:
          row: int32 `[...]`, of the episode of each step; is_over, is_solved: bool `[...]`, after the step.
        """
        levels = rows.level[row.ravel()]
        return self.schedule.update(state, levels, is_solved.ravel(), None, is_over.ravel())


def success(rows: Pool, row: jax.Array, is_over: jax.Array, is_solved: jax.Array, num_levels: int) -> jax.Array:
    """Finished and solved episodes of each level in a rollout: int32 `[2, num_levels]`."""
    is_of_level = (rows.level[row.ravel()][:, None] == jnp.arange(num_levels)) & is_over.ravel()[:, None]
    return jnp.stack([jnp.sum(is_of_level, 0), jnp.sum(is_of_level & is_solved.ravel()[:, None], 0)])
