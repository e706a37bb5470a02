"""What those get who know nothing, by chance or by always saying the same: to be printed beside any result."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from curricula.act import Act
from curricula.stream import Stream
from curricula.vocabulary import NUM_TOKENS, Token


@functools.partial(jax.jit, static_argnums=(0, 3))
def by_chance(task: Stream | Act, key: jax.Array, level: jax.Array, num: int) -> jax.Array:
    """How often uniformly random legal actions solve a task: float32 `[]`.

    Of a task that is read it is the mean probability over `num` random instances, however small; one that is acted in
    is played, once each.
    """
    sample_key, play_key = jax.random.split(key)
    instances: Any = jax.vmap(task.sample, (0, None))(jax.random.split(sample_key, num), level)
    if isinstance(task, Stream):
        num_asked = jnp.sum(instances.script.asked != Token.PAD, axis=1)
        return jnp.mean(jnp.float32(len(task.answers)) ** -num_asked)

    def is_going_on(carry):
        return jnp.any(carry[1].discount != 0)

    def step(carry):
        time, states = carry
        legal = jax.vmap(task.legal_actions)(states)
        actions = jax.random.categorical(jax.random.fold_in(play_key, time), jnp.where(legal, 0.0, -jnp.inf))
        return time + 1, jax.vmap(task.step)(states, actions.astype(jnp.int32))

    _, states = jax.lax.while_loop(is_going_on, step, (jnp.int32(0), jax.vmap(task.reset)(instances)))
    return jnp.mean(jax.vmap(task.is_solved)(states))


@functools.partial(jax.jit, static_argnums=(0, 3))
def by_one_token(task: Stream, key: jax.Array, level: jax.Array, num: int) -> jax.Array:
    """How often the best single token, said whenever something is asked, solves a task: float32 `[]`."""
    asked = jax.vmap(task.sample, (0, None))(jax.random.split(key, num), level).script.asked
    is_right = (asked[:, :, None] == jnp.arange(NUM_TOKENS)) | (asked == Token.PAD)[:, :, None]
    return jnp.max(jnp.mean(jnp.all(is_right, axis=1)[:, 1:], axis=0))
