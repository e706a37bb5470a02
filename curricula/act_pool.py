"""Instances of a task that is acted in, written beforehand: what `curricula.pool` is for streams.

An episode holds its place and the row of its puzzle, not the puzzle: nothing of the pool is copied from step to step.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from curricula import split as splits
from curricula.act import Act, Instance, State
from curricula.split import Split


class Episode(NamedTuple):
    """An episode of a pool: `curricula.act.State` with the row of the instance in place of the instance."""

    row: jax.Array  # int32
    place: Any
    time: jax.Array  # int32
    last_action: jax.Array  # int32
    reward: jax.Array  # float32
    discount: jax.Array  # float32


@functools.partial(jax.tree_util.register_dataclass, data_fields=["instances"], meta_fields=["task"])
@dataclasses.dataclass(frozen=True)
class ActPool:
    """N instances of one task, as an environment of the contract.

    A pytree: pass it to `jit` as an argument, so that a new pool of the same task and size compiles nothing.
    """

    task: Act
    instances: Instance  # arrays [N, ...]

    @property
    def num_rows(self) -> int:
        return len(self.level)

    @property
    def level(self) -> jax.Array:
        """Of each row: int32 `[N]`."""
        return self.instances.level

    @property
    def num_actions(self) -> int:
        return self.task.num_actions

    @property
    def observation_shape(self) -> tuple[int]:
        return self.task.observation_shape

    def init(self, key: jax.Array) -> Episode:
        """The episode of a random row."""
        return self.at(jax.random.randint(key, (), 0, self.num_rows))

    def at(self, row: jax.Array) -> Episode:
        """The beginning of the episode of a row."""
        row = jnp.asarray(row, jnp.int32)
        return _without_instance(row, self.task.reset(self._instance(row)))

    def step(self, episode: Episode, action: jax.Array) -> Episode:
        """What `Act.step` does."""
        return _without_instance(episode.row, self.task.step(self._whole(episode), action))

    def renew(self, episode: Episode, stride: int = 1) -> Episode:
        """The episode itself, or that of the row `stride` further on if it is over, as in `curricula.pool`."""
        is_over = episode.discount == 0
        fresh = self.at((episode.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, episode)

    def observe(self, episode: Episode) -> jax.Array:
        """What `Act.observe` gives."""
        return self.task.observe(self._whole(episode))

    def legal_actions(self, episode: Episode) -> jax.Array:
        """What `Act.legal_actions` gives."""
        return self.task.legal_actions(self._whole(episode))

    def is_solved(self, episode: Episode) -> jax.Array:
        return self.task.is_solved(self._whole(episode))

    def expert(self, episode: Episode) -> jax.Array:
        """What `Act.expert` gives."""
        return self.task.expert(self._whole(episode))

    def _instance(self, row: jax.Array) -> Instance:
        return jax.tree.map(lambda x: x[row], self.instances)

    def _whole(self, episode: Episode) -> State:
        return State(self._instance(episode.row), *episode[1:])


def _without_instance(row: jax.Array, state: State) -> Episode:
    return Episode(row, *state[1:])


def write(task: Act, key: jax.Array, levels: jax.Array, split: Split | None = None) -> ActPool:
    """A pool with a new instance for each of the `levels`: int32 `[N]`.

    Args:
      split: which instances to draw from, see `curricula.split`; all of them by default.
    """
    return ActPool(task, splits.draw(task, key, levels, split))


def repeat(pool: ActPool, times: int) -> ActPool:
    """Each row several times, one after another."""
    return ActPool(pool.task, jax.tree.map(lambda x: jnp.repeat(x, times, axis=0), pool.instances))
