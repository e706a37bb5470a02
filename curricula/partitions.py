"""Random ways to divide a sequence: into runs of neighbours, or into classes.

Tasks with repeated symbols are made from these. Symbols drawn one by one would all have come up early in a long
sequence, and its rest would not matter; here something new may come at any place.
"""

import jax
import jax.numpy as jnp


def into_runs(key: jax.Array, room: int, length: jax.Array | int, number: jax.Array | int) -> jax.Array:
    """Cuts a sequence into `number` runs, every way equally likely.

    Args:
      length: of the sequence, at most `room`; number: of runs, from 1 to `length`. Both may be traced.

    Returns: int32 `[room]`: the run that each position is in, from 0 to `number - 1`, the last one from `length` on.
    """
    place = jnp.arange(room)
    priority = jnp.where(place < length, jax.random.uniform(key, (room,)), 2.0)
    priority = jnp.where(place == 0, -1.0, priority)  # something must begin at the beginning
    is_start = jnp.argsort(jnp.argsort(priority)) < number
    return jnp.cumsum(is_start, dtype=jnp.int32) - 1


def into_classes(key: jax.Array, room: int, length: jax.Array | int, number: jax.Array | int) -> jax.Array:
    """Puts each position of a sequence into one of `number` classes, all of them used.

    Where a class comes up for the first time is as in `into_runs`; elsewhere any class seen before is as likely.

    Returns: int32 `[room]`: classes, numbered in the order in which they first come up.
    """
    first_key, again_key = jax.random.split(key)
    newest = into_runs(first_key, room, length, number)
    is_new = jnp.diff(newest, prepend=-1) > 0
    return jnp.where(is_new, newest, jax.random.randint(again_key, (room,), 0, newest + 1))
