"""Instances that the policy has still to learn from, met before and kept by their ids."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from curricula.schedules import batch, distribution
from curricula.schedules.batch import Batch
from curricula.schedules.limits import check_positive, check_share, check_whole


class Entries(NamedTuple):
    """Instances in a buffer, or on their way into it."""

    ids: jax.Array  # uint32 [k]
    scores: jax.Array  # float32 [k]: mean absolute advantage when last played
    times: jax.Array  # int32 [k]: when last played
    is_used: jax.Array  # bool [k]: whether there is anything


class LevelReplayState(NamedTuple):
    """The buffer."""

    entries: Entries  # [capacity]; the used ones first
    time: jax.Array  # int32: updates so far


@dataclasses.dataclass(frozen=True)
class PrioritizedLevelReplay:
    """Replays instances with large advantages and those not played for long (Jiang et al. 2021).

    What is sampled here are no levels but ids of instances, uint32, new ones at random. An id is for the caller to
    make an instance of, always the same one; all levels of a task are covered by
    `task.sample(jax.random.fold_in(key, id), id % num_levels)`.

    The probability to replay entry i of the buffer is

        (1 - staleness) · rank_i^(-1 / temperature) / Σ + staleness · age_i / Σ

    with rank 1 for the highest score, and the age counted in updates. Where jaxued asks whether a newcomer beats the
    entry least likely to be replayed, one newcomer after the other, a batch is put in at once here: of the entries
    and the newcomers together, those most likely to be replayed stay. Also the time of an entry is that of its last
    update, since sampling changes no state.

    As a `Schedule` it has ids for levels, and its `probabilities` are those of entries given that one is replayed.

    Attributes:
      capacity: entries.
      replay: share of the samples taken from the buffer; the rest is new.
      staleness: weight of the ages against the scores.
      temperature: of the ranks; the less, the more the first ranks are preferred.
      min_filled: share of the buffer that must be filled before anything is replayed.
    """

    capacity: int = 4000
    replay: float = 0.8
    staleness: float = 0.3
    temperature: float = 0.3
    min_filled: float = 0.5

    def __post_init__(self):
        check_whole("capacity", self.capacity, 1)
        check_share("replay", self.replay)
        check_share("staleness", self.staleness)
        check_positive("temperature", self.temperature)
        check_share("min_filled", self.min_filled)

    def init(self) -> LevelReplayState:
        """See `Schedule`."""
        entries = Entries(
            ids=jnp.zeros(self.capacity, jnp.uint32),
            scores=jnp.zeros(self.capacity, jnp.float32),
            times=jnp.zeros(self.capacity, jnp.int32),
            is_used=jnp.zeros(self.capacity, bool),
        )
        return LevelReplayState(entries, jnp.int32(0))

    def probabilities(self, state: LevelReplayState) -> jax.Array:
        """Of each entry, if one is replayed: float32 `[capacity]`. All 0 while the buffer is empty."""
        return self._weights(state.entries, state.time)

    def replay_probability(self, state: LevelReplayState) -> jax.Array:
        """Whether a sample is a replayed one: float32 `[]`."""
        filled = jnp.sum(state.entries.is_used, dtype=jnp.int32)
        is_ready = (filled > 0) & (filled >= self.min_filled * self.capacity)
        return jnp.where(is_ready, self.replay, 0).astype(jnp.float32)

    def sample(self, state: LevelReplayState, key: jax.Array, num: int) -> jax.Array:
        """Ids of instances to play: uint32 `[num]`, each replayed or new independently of the others."""
        replay_key, entry_key, new_key = jax.random.split(key, 3)
        replayed = state.entries.ids[distribution.draw(entry_key, self.probabilities(state), num)]
        is_replayed = jax.random.bernoulli(replay_key, self.replay_probability(state), (num,))
        return jnp.where(is_replayed, replayed, jax.random.bits(new_key, (num,), jnp.uint32))

    def update(self, state: LevelReplayState, levels, successes, advantages=None, is_finished=None) -> LevelReplayState:
        """Scores what was played, and puts newcomers into the buffer.

        Args and errors as for `Schedule`, but that `levels` are ids, all of which are allowed. Needs advantages; give
        max(advantage, 0) for positive value loss. Episodes of one instance share the mean of their scores.
        """
        seen = batch.check(levels, successes, advantages, is_finished, needs_advantages=True)
        seen = seen._replace(levels=seen.levels.astype(jnp.uint32))
        if not len(seen.levels):
            return state
        time = state.time + jnp.any(seen.is_finished).astype(jnp.int32)
        old, new = _rescore(state.entries, seen, time), _newcomers(state.entries, seen, time)
        both = jax.tree.map(lambda *parts: jnp.concatenate(parts), old, new)
        # Scores decide between equal weights, as where rank hardly matters beside age.
        order = jnp.lexsort((-both.scores, -self._weights(both, time), ~both.is_used))
        stays = both.is_used & (_places(order) < self.capacity)
        return LevelReplayState(_replace(old, new, stays), time)

    def _weights(self, entries: Entries, time: jax.Array) -> jax.Array:
        """Probabilities to replay, float32 `[k]`; all 0 if nothing is used."""
        is_used = entries.is_used
        rank = _places(jnp.argsort(jnp.where(is_used, -entries.scores, jnp.inf))) + 1
        by_score = jnp.where(is_used, rank.astype(jnp.float32) ** (-1 / self.temperature), 0)
        age = jnp.where(is_used, time - entries.times, 0).astype(jnp.float32)
        by_age = jnp.where(jnp.any(age > 0), age, is_used.astype(jnp.float32))  # all just played: all alike
        return (1 - self.staleness) * _share(by_score) + self.staleness * _share(by_age)


def _rescore(entries: Entries, seen: Batch, time: jax.Array) -> Entries:
    """The entries, with new scores and times for those that have been played."""
    is_same = (entries.ids[:, None] == seen.levels) & entries.is_used[:, None] & seen.is_finished
    is_seen = jnp.any(is_same, axis=1)
    return entries._replace(
        scores=jnp.where(is_seen, _mean(seen.advantages, is_same), entries.scores),
        times=jnp.where(is_seen, time, entries.times),
    )


def _newcomers(entries: Entries, seen: Batch, time: jax.Array) -> Entries:
    """An entry for each episode `[n]`, used for the first finished one of each id that is not in the buffer."""
    is_same = (seen.levels[:, None] == seen.levels) & seen.is_finished
    is_first = jnp.argmax(is_same, axis=1) == jnp.arange(len(seen.levels))
    is_known = jnp.any((seen.levels[:, None] == entries.ids) & entries.is_used, axis=1)
    return Entries(
        ids=seen.levels,
        scores=_mean(seen.advantages, is_same),
        times=jnp.full(len(seen.levels), time),
        is_used=seen.is_finished & is_first & ~is_known,
    )


def _replace(old: Entries, new: Entries, stays: jax.Array) -> Entries:
    """The buffer with those newcomers that stay, in place of entries that do not: `[capacity]`."""
    capacity = len(old.ids)
    enters = stays[capacity:]
    free_first = jnp.argsort(stays[:capacity])
    slot = jnp.where(enters, free_first[jnp.cumsum(enters) - 1], capacity)
    return jax.tree.map(lambda o, n: o.at[slot].set(n, mode="drop"), old, new)


def _places(order: jax.Array) -> jax.Array:
    """The place of each index in an order: int32 `[k]`."""
    return jnp.zeros(len(order), jnp.int32).at[order].set(jnp.arange(len(order), dtype=jnp.int32))


def _mean(values: jax.Array, is_chosen: jax.Array) -> jax.Array:
    """Means of the values `[n]` chosen in each row of bool `[k, n]`; 0 where none is."""
    total = jnp.sum(jnp.where(is_chosen, values, 0), axis=1)
    return total / jnp.maximum(jnp.sum(is_chosen, axis=1, dtype=jnp.int32), 1)


def _share(weights: jax.Array) -> jax.Array:
    """Weights ≥ 0 in proportion to their sum; 0 if all are."""
    return weights / jnp.maximum(jnp.sum(weights), jnp.finfo(weights.dtype).tiny)
