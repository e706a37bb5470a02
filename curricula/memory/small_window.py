"""A task whose past is hidden beyond a small window, with a memory to keep what will be needed.

The paper's third direction (Han et al. 2025, section 4 and algorithm 1): a reasoner that sees little at a time, and
fetches the rest by actions that it learns from reward.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from curricula.act_pool import ActPool
from curricula.memory.memory import Memory
from curricula.pool import Pool
from curricula.vocabulary import NUM_TOKENS, Token


class Episode(NamedTuple):
    """An episode of the task, and what is known of it."""

    inner: Any  # the task's own episode
    held: Any  # what the memory holds
    window: jax.Array  # int8 [window, seen + 1]: what was seen and done last, the newest last
    waited: jax.Array  # int32: operations since the task last went on
    last_action: jax.Array  # int32: token or operation
    reward: jax.Array  # float32
    discount: jax.Array  # float32

    @property
    def row(self) -> jax.Array:
        return self.inner.row


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["rows"],
    meta_fields=["memory", "window", "patience", "is_preloaded"],
)
@dataclasses.dataclass(frozen=True)
class SmallWindow:
    """A pool behind a window, as an environment of the contract.

    Actions are the tokens and then the memory's operations. While a prompt is read an operation takes the place of PAD:
    the token shown goes by, and with WRITE, say, into the memory. While an answer is due the task waits for operations,
    and so does a task that is acted in, always. The token that an operation is about is the first one seen. What is
    illegal changes nothing and ends the episode.

    Attributes:
      rows: instances.
      memory: the memory, or None for a window alone.
      window: steps in sight, the present one included; each as the tokens seen and the action before. Operations for
        which the task waits are steps too.
      patience: operations in a row for which the task waits; then they are illegal until it goes on.
      is_preloaded: whether the facts are in the memory from the beginning, so that reading suffices. They are what a
        prompt shows before its first QUERY, or all of it if it has none; the episode begins with what comes next.
    """

    rows: Pool | ActPool
    memory: Memory | None = None
    window: int = 1
    patience: int = 4
    is_preloaded: bool = False

    def __post_init__(self):
        if self.window < 1:
            raise ValueError(f"window must be at least 1, got {self.window}")
        if self.patience < 0:
            raise ValueError(f"patience must be at least 0, got {self.patience}")
        if self.is_preloaded and self.memory is None:
            raise ValueError("is_preloaded needs a memory, got None")
        if self.is_preloaded and isinstance(self.rows, ActPool):
            raise ValueError("is_preloaded needs a task with a prompt, got one that is acted in")
        if self.num_actions > 128:  # the window holds them as int8
            raise ValueError(
                f"a memory may add at most {128 - NUM_TOKENS} operations, got {self.num_actions - NUM_TOKENS}"
            )

    @property
    def num_rows(self) -> int:
        return self.rows.num_rows

    @property
    def num_actions(self) -> int:
        return NUM_TOKENS + (len(self.memory.operations) if self.memory else 0)

    @property
    def num_tokens(self) -> int:
        """Observations are less than this: an action before may be an operation."""
        return self.num_actions

    @property
    def observation_shape(self) -> tuple[int]:
        """The window, the oldest step first, then what the memory shows."""
        return (self.window * self.rows.observation_shape[0] + (self.memory.num_shown if self.memory else 0),)

    def init(self, key: jax.Array) -> Episode:
        """The episode of a random row."""
        return self.at(jax.random.randint(key, (), 0, self.num_rows))

    def at(self, row: jax.Array) -> Episode:
        """The beginning of the episode of a row."""
        inner, held = self.rows.at(row), self.memory.empty() if self.memory else ()
        if self.is_preloaded and self.memory and not isinstance(self.rows, ActPool):
            facts, length = facts_of(self.rows, inner)
            inner, held = inner._replace(time=length), self.memory.load(facts, length)
        nothing = jnp.zeros((self.window, self.rows.observation_shape[0]), jnp.int8)
        window = self._shifted(nothing, inner, jnp.int32(Token.PAD))
        return Episode(inner, held, window, jnp.int32(0), jnp.int32(Token.PAD), jnp.float32(0), jnp.float32(1))

    def step(self, episode: Episode, action: jax.Array) -> Episode:
        """The episode after a token has been said or an operation done; an illegal one ends it."""
        action = jnp.asarray(action, jnp.int32)
        is_operation = action >= NUM_TOKENS
        is_legal = self.legal_actions(episode)[action] & (episode.discount != 0)
        is_reading = self.rows.legal_actions(episode.inner)[Token.PAD]
        said = jnp.where(is_operation, Token.PAD, action)
        is_moving = ~is_operation | is_reading
        stepped = self.rows.step(episode.inner, said)
        inner = jax.tree.map(lambda new, old: jnp.where(is_moving & is_legal, new, old), stepped, episode.inner)
        held = episode.held
        if self.memory:
            token = self.rows.observe(episode.inner)[0]
            changed = self.memory.apply(held, action - NUM_TOKENS, token)
            held = jax.tree.map(lambda new, old: jnp.where(is_operation & is_legal, new, old), changed, held)
        is_over = episode.discount == 0
        after = Episode(
            inner=inner,
            held=held,
            window=self._shifted(episode.window, inner, action),
            waited=jnp.where(is_moving, 0, episode.waited + 1),
            last_action=action,
            reward=jnp.where(is_moving & is_legal, inner.reward, 0.0),
            discount=jnp.where(is_legal, inner.discount, 0.0),
        )
        ended = episode._replace(reward=jnp.float32(0))
        return jax.tree.map(lambda new, old: jnp.where(is_over, old, new), after, ended)

    def renew(self, episode: Episode, stride: int = 1) -> Episode:
        """The episode itself, or that of the row `stride` further on if it is over, as in `curricula.pool`."""
        is_over = episode.discount == 0
        fresh = self.at((episode.inner.row + stride) % self.num_rows)
        return jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, episode)

    def observe(self, episode: Episode) -> jax.Array:
        """int32 `[...]`: the window, then what the memory shows."""
        seen = episode.window.astype(jnp.int32).ravel()
        return jnp.concatenate([seen, self.memory.show(episode.held)]) if self.memory else seen

    def legal_actions(self, episode: Episode) -> jax.Array:
        """bool `[actions]`: the task's, and the operations that would do something while the task waits for them."""
        legal = self.rows.legal_actions(episode.inner)
        if self.memory:
            is_waiting = legal[Token.PAD] | (episode.waited < self.patience)
            legal = jnp.concatenate([legal, self.memory.legal(episode.held) & is_waiting])
        return legal | (episode.discount == 0)

    def is_solved(self, episode: Episode) -> jax.Array:
        return self.rows.is_solved(episode.inner)

    def _shifted(self, window: jax.Array, inner: Any, action: jax.Array) -> jax.Array:
        """The window one step later."""
        seen = self.rows.observe(inner)[:-1]
        return jnp.concatenate([window[1:], jnp.append(seen, action).astype(jnp.int8)[None]])


def facts_of(rows: Pool, episode: Any) -> tuple[jax.Array, jax.Array]:
    """What a prompt shows before its first QUERY: tokens int32 `[T]`, and how many of them."""
    prompt, length = rows.prompt(episode)
    is_question = (prompt == Token.QUERY) | (jnp.arange(len(prompt)) >= length)
    return prompt, jnp.argmax(is_question).astype(jnp.int32)
