"""Coding problems taught by a schedule, to writers of programs and to those who act in the machine."""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from curricula.course import mean_so_far
from curricula.schedules.schedule import Schedule
from esolang.problems import cases
from esolang.problems.cases import Cases


class Rules(Protocol):
    """What rows are made of."""

    def rows(self, cases: Cases, problem: jax.Array) -> Any:
        """A row for each of these problems: int32 `[N]`."""
        ...


@dataclasses.dataclass(frozen=True)
class Lessons:
    """Teaches problems by a schedule: a teacher of `rl_pretrain.practice`. Every pool has other cases of the bank.

    Attributes:
      rules: of the rows: `env.Rules` to write programs, `bf_act.Rules` to act.
      bank: cases to train on, of all problems.
      schedule: over problems, the easiest first.
      num_rows: programs of a pool.
      group: so many rows in a row are the same problem, for baselines that compare tries of one.
      num_cases: of each problem in a pool.
    """

    rules: Rules
    bank: Cases
    schedule: Schedule
    num_rows: int
    group: int = 1
    num_cases: int = 8

    def __post_init__(self):
        if self.group < 1 or self.num_rows < 1 or self.num_rows % self.group:
            raise ValueError(f"num_rows must be a multiple of group, got {self.num_rows} and {self.group}")

    def init(self) -> Any:
        """What the schedule knows before any program."""
        return self.schedule.init()

    def deal(self, state: Any, key: jax.Array) -> Any:
        """Rows of the problems that the schedule chooses."""
        case_key, problem_key = jax.random.split(key)
        problem = self.schedule.sample(state, problem_key, self.num_rows // self.group)
        return self.rules.rows(cases.draw(self.bank, case_key, self.num_cases), jnp.repeat(problem, self.group))

    def report(
        self,
        state: Any,
        rows: Any,
        row: jax.Array,
        is_over: jax.Array,
        is_solved: jax.Array,
        advantage: jax.Array | None = None,
        axis: str | None = None,
    ) -> Any:
        """See `curricula.course.Course.report`."""
        surprise = None if advantage is None else mean_so_far(jnp.abs(advantage), is_over).ravel()
        told: Any = (rows.level[row.ravel()], is_solved.ravel(), surprise, is_over.ravel())
        if axis is not None:
            told = jax.tree.map(lambda x: jax.lax.all_gather(x, axis).ravel(), told)
        return self.schedule.update(state, *told)
