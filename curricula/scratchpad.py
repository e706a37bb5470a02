"""Room to work something out before the answer: a reasoner may write what it likes, and says ANSWER when it is done."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import pool
from curricula.pool import Pool
from curricula.vocabulary import NUM_TOKENS, Token


class Episode(NamedTuple):
    """An episode of the pool, and what was written."""

    inner: pool.Episode
    written: jax.Array  # int32: tokens on the pad, ANSWER not counted
    is_done: jax.Array  # bool: ANSWER was said
    last_action: jax.Array  # int32
    reward: jax.Array  # float32
    discount: jax.Array  # float32

    @property
    def row(self) -> jax.Array:
        return self.inner.row


@functools.partial(jax.tree_util.register_dataclass, data_fields=["rows"], meta_fields=["says", "room"])
@dataclasses.dataclass(frozen=True)
class Scratchpad:
    """A pool whose answers wait until ANSWER was said, as an environment of the contract.

    What is written before it is free, is paid nothing, and costs a step each. A policy that learnt the traces of
    `curricula.demonstrations` sees here exactly what it saw there; but it may also come to the answer in another way.

    Attributes:
      rows: instances of tasks that first show a whole prompt and then ask.
      says: tokens that may be written.
      room: tokens that the pad has room for; when it is full only ANSWER is legal.
    """

    rows: Pool
    says: tuple[int, ...]
    room: int

    def __post_init__(self):
        if self.room < 0:
            raise ValueError(f"room must be at least 0, got {self.room}")

    @property
    def num_rows(self) -> int:
        return self.rows.num_rows

    @property
    def num_actions(self) -> int:
        return NUM_TOKENS

    @property
    def observation_shape(self) -> tuple[int]:
        return (2,)

    def init(self, key: jax.Array) -> Episode:
        """The episode of a random row."""
        return self.at(jax.random.randint(key, (), 0, self.num_rows))

    def at(self, row: jax.Array) -> Episode:
        """The beginning of the episode of a row."""
        pad, zero, one = jnp.int32(Token.PAD), jnp.float32(0), jnp.float32(1)
        return Episode(self.rows.at(row), jnp.int32(0), jnp.bool_(False), pad, zero, one)

    def step(self, episode: Episode, action: jax.Array) -> Episode:
        """The episode after a token was written or said; what may not be written ends it."""
        action = jnp.asarray(action, jnp.int32)
        is_going_on, is_writing = episode.discount != 0, self._is_writing(episode)
        stepped = self.rows.step(episode.inner, action)
        inner = jax.tree.map(lambda new, old: jnp.where(is_writing, old, new), stepped, episode.inner)
        is_legal = self.legal_actions(episode)[action]
        after = Episode(
            inner=inner,
            written=episode.written + (is_writing & (action != Token.ANSWER)),
            is_done=episode.is_done | (is_writing & (action == Token.ANSWER)),
            last_action=action,
            reward=jnp.where(is_writing, 0.0, inner.reward),
            discount=jnp.where(is_writing, is_legal.astype(jnp.float32), inner.discount),
        )
        ended = episode._replace(reward=jnp.float32(0))
        return jax.tree.map(lambda new, old: jnp.where(is_going_on, new, old), after, ended)

    def renew(self, episode: Episode, stride: int = 1) -> Episode:
        """The episode itself, or that of the row `stride` further on if it is over, as in `curricula.pool`."""
        fresh = self.at((episode.inner.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(episode.discount == 0, new, old), fresh, episode)

    def observe(self, episode: Episode) -> jax.Array:
        """int32 `[2]`: the token shown, which the pool shows until something is written, and the last action."""
        shown = self.rows.observe(episode.inner)[0]
        has_passed = (episode.written > 0) & self._is_writing(episode)
        has_passed |= episode.is_done & (episode.last_action == Token.ANSWER)
        shown = jnp.where(has_passed | (episode.discount == 0), Token.PAD, shown)
        return jnp.stack([shown, episode.last_action])

    def legal_actions(self, episode: Episode) -> jax.Array:
        """bool `[tokens]`: what may be written and ANSWER while the answer waits, else the pool's."""
        tokens = np.arange(NUM_TOKENS)
        may_be_written = np.isin(tokens, self.says) & (episode.written < self.room)
        writable = may_be_written | (tokens == Token.ANSWER)
        legal = jnp.where(self._is_writing(episode), writable, self.rows.legal_actions(episode.inner))
        return legal | (episode.discount == 0)

    def is_solved(self, episode: Episode) -> jax.Array:
        return self.rows.is_solved(episode.inner)

    def _is_writing(self, episode: Episode) -> jax.Array:
        """Whether the answer is due, but waits."""
        return ~episode.is_done & ~self.rows.legal_actions(episode.inner)[Token.PAD]
