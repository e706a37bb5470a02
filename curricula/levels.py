"""Difficulty as data: a table with a row of knobs for each level, looked up by a traced number.

One compilation serves all levels of a task, since a level changes numbers and never shapes.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Levels:
    """The levels of a task.

    Attributes:
      train: knobs of the levels to train on, the easiest first; level i is `train[i]`. Knobs are a NamedTuple of ints,
        one type for the whole task, and no knob gets easier from a level to the next.
      beyond: levels to test on only, after the training levels: what is different, and the knobs. Lengths 1.5, 2, 4
        and 8 times the longest trained on, and at least one change that is not length.
    """

    train: tuple[Any, ...]
    beyond: tuple[tuple[str, Any], ...] = ()

    @property
    def num_train(self) -> int:
        return len(self.train)

    @property
    def num_levels(self) -> int:
        """Levels 0 … num_levels - 1: those to train on, then those beyond."""
        return len(self.train) + len(self.beyond)

    @property
    def rows(self) -> tuple[Any, ...]:
        """The knobs of every level."""
        return self.train + tuple(knobs for _, knobs in self.beyond)

    def name(self, level: int) -> str:
        """`level 3`, or what is different beyond the training levels."""
        return f"level {level}" if level < self.num_train else self.beyond[level - self.num_train][0]

    def at(self, level: jax.Array) -> Any:
        """The knobs of a level, each int32 `[]`."""
        columns = zip(*self.rows, strict=True)
        return type(self.train[0])(*(jnp.asarray(np.array(column, np.int32))[level] for column in columns))

    def most(self, knob: str) -> int:
        """The greatest value of a knob over all levels: what arrays must have room for."""
        return max(getattr(knobs, knob) for knobs in self.rows)

    def check(self, level: Any) -> jax.Array:
        """The level as int32. Raises ValueError where it is no whole number or, if it is known, no level."""
        if not jnp.issubdtype(jnp.result_type(level), jnp.integer) or isinstance(level, bool):
            raise ValueError(f"a level must be a whole number, got {jnp.result_type(level)}")
        if not isinstance(level, jax.core.Tracer):  # pyright: ignore[reportAttributeAccessIssue]
            wrong = [int(x) for x in np.ravel(level) if not 0 <= x < self.num_levels]
            if wrong:
                raise ValueError(f"a level must be from 0 to {self.num_levels - 1}, got {wrong[0]}")
        return jnp.asarray(level, jnp.int32)
