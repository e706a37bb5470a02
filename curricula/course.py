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

from curricula import act_pool, pool
from curricula.act import Act
from curricula.act_pool import ActPool
from curricula.pool import Pool
from curricula.schedules.schedule import Schedule
from curricula.split import Split
from curricula.stream import Stream
from curricula.vocabulary import symbols


@dataclasses.dataclass(frozen=True)
class Course:
    """One task and one schedule of its training levels.

    Attributes:
      task: what is taught.
      schedule: over the task's training levels.
      num_rows: instances of a pool.
      group: so many rows in a row are the same instance, for baselines that compare tries of one.
      split: which instances to deal, see `curricula.split`; all of them by default.
    """

    task: Stream | Act
    schedule: Schedule
    num_rows: int
    group: int = 1
    split: Split | None = None

    def __post_init__(self):
        if self.group < 1 or self.num_rows < 1 or self.num_rows % self.group:
            raise ValueError(f"num_rows must be a multiple of group, got {self.num_rows} and {self.group}")

    def init(self) -> Any:
        """What the schedule knows before any episode."""
        return self.schedule.init()

    def deal(self, state: Any, key: jax.Array) -> Pool | ActPool:
        """New instances of the levels that the schedule chooses."""
        level_key, write_key = jax.random.split(key)
        levels = self.schedule.sample(state, level_key, self.num_rows // self.group)
        if isinstance(self.task, Act):
            return act_pool.repeat(act_pool.write(self.task, write_key, levels, self.split), self.group)
        return pool.repeat(pool.write(self.task, write_key, levels, self.split), self.group)

    def report(
        self,
        state: Any,
        rows: Pool | ActPool,
        row: jax.Array,
        is_over: jax.Array,
        is_solved: jax.Array,
        advantage: jax.Array | None = None,
        axis: str | None = None,
    ) -> Any:
        """What the schedule knows after a rollout of T steps of B places.

        Args:
          row: int32 `[T, B]`, of the episode of each step; is_over, is_solved: bool `[T, B]`, after the step.
          advantage: float32 `[T, B]`, for schedules that want to know by how much episodes surprised.
          axis: name of the pmap axis whose devices played, each with rows of its own; all of them learn the same.
        """
        surprise = None if advantage is None else mean_so_far(jnp.abs(advantage), is_over).ravel()
        told: Any = (rows.level[row.ravel()], is_solved.ravel(), surprise, is_over.ravel())
        if axis is not None:
            told = jax.tree.map(lambda x: jax.lax.all_gather(x, axis).ravel(), told)
        return self.schedule.update(state, *told)


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Several courses at once, each with its share of the rows; a teacher like each of them.

    An episode shows first which of the tasks it is: the symbol of that number.

    Attributes:
      courses: of tasks that are read.
    """

    courses: tuple[Course, ...]

    def __post_init__(self):
        for course in self.courses:
            if isinstance(course.task, Act):
                raise ValueError(f"a mixture is of tasks that are read, got {course.task.name}")

    def init(self) -> Any:
        """What the schedules know before any episode."""
        return tuple(course.init() for course in self.courses)

    def deal(self, state: Any, key: jax.Array) -> Pool:
        """New instances of all tasks, in a random order."""
        *keys, order = jax.random.split(key, len(self.courses) + 1)
        dealt: Any = [course.deal(known, key) for course, known, key in zip(self.courses, state, keys, strict=True)]
        dealt = [pool.announce(rows, token) for rows, token in zip(dealt, symbols(len(dealt)), strict=True)]
        return pool.shuffle(pool.join(dealt), order)

    def report(
        self,
        state: Any,
        rows: Pool,
        row: jax.Array,
        is_over: jax.Array,
        is_solved: jax.Array,
        advantage: jax.Array | None = None,
        axis: str | None = None,
    ) -> Any:
        """See `Course.report`; every schedule hears of its own task."""
        return tuple(
            course.report(known, rows, row, is_over & (rows.task[row] == i), is_solved, advantage, axis)
            for i, (course, known) in enumerate(zip(self.courses, state, strict=True))
        )


@dataclasses.dataclass(frozen=True)
class Drill:
    """The same few instances over and over; a teacher that has nothing to learn.

    Attributes:
      rows: all of them.
      num_rows: of a pool that is dealt, drawn from them with replacement.
    """

    rows: Pool
    num_rows: int

    def init(self) -> tuple[()]:
        """Nothing."""
        return ()

    def deal(self, state: tuple[()], key: jax.Array) -> Pool:
        """Some of the instances."""
        del state
        return pool.take(self.rows, jax.random.randint(key, (self.num_rows,), 0, self.rows.num_rows))

    def report(self, state: tuple[()], rows, row, is_over, is_solved, advantage=None, axis=None) -> tuple[()]:
        """Nothing, whatever is told."""
        del rows, row, is_over, is_solved, advantage, axis
        return state


def mean_so_far(x: jax.Array, is_over: jax.Array) -> jax.Array:
    """Of each step, the mean over its episode's steps up to it; episodes follow one another along T: `[T, B]`."""

    def add(carry, row):
        total, num = carry
        value, is_last = row
        total, num = total + value, num + 1
        return (jnp.where(is_last, 0.0, total), jnp.where(is_last, 0.0, num)), total / num

    nothing = jnp.zeros(x.shape[1:])
    return jax.lax.scan(add, (nothing, nothing), (x, is_over))[1]
