"""Random histories of a stack: how high it stands after each push and pop, and what lies on it."""

import jax
import jax.numpy as jnp


def heights(
    key: jax.Array, length: jax.Array | int, end: jax.Array | int, depth: jax.Array | int, room: int
) -> jax.Array:
    """A random walk from height 0 to `end` by steps of 1 up or down, never below 0 and never above `depth`.

    Up and down are equally likely wherever both can still reach the end.

    Args:
      length: steps of the walk, at most `room`. end: at most `depth` and `length`, even exactly if `length` is.

    Returns: the height after each step: int32 `[room]`, `end` from `length` on.
    """

    def step(height, inputs):
        time, is_up = inputs
        rest = length - time - 1
        may_rise = (height < depth) & (jnp.abs(height + 1 - end) <= rest)
        may_fall = (height > 0) & (jnp.abs(height - 1 - end) <= rest)
        after = height + jnp.where(may_rise & (is_up | ~may_fall), 1, -1)
        height = jnp.where(time < length, after, height)
        return height, height

    coins = jax.random.bernoulli(key, shape=(room,))
    return jax.lax.scan(step, jnp.int32(0), (jnp.arange(room), coins))[1]


def random_end(key: jax.Array, length: jax.Array | int, depth: jax.Array | int) -> jax.Array:
    """A random height of 1 to `depth` at which a walk of `length` steps can end: int32 `[]`. Needs 2 steps of room."""
    odd = length % 2
    highest = jnp.minimum(length, depth)
    return 2 * jax.random.randint(key, (), 1, (highest + odd) // 2 + 1) - odd


def replay(heights: jax.Array, pushed: jax.Array, depth: int) -> tuple[jax.Array, jax.Array]:
    """What lies on the stack as its height goes up and down.

    Args:
      heights: after each step, `[T]`. pushed: what a step up puts there, `[T]`. depth: room of the stack.

    Returns: at each step the item pushed or popped, `[T]`, and the stack at the end from the bottom, `[depth]`, entries
      above its height without meaning.
    """

    def step(carry, inputs):
        stack, before = carry
        height, item = inputs
        is_push = height > before
        place = jnp.maximum(height, before) - 1
        touched = jnp.where(is_push, item, stack[place])
        return (stack.at[place].set(touched), height), touched

    start = (jnp.zeros(depth, pushed.dtype), jnp.int32(0))
    (stack, _), touched = jax.lax.scan(step, start, (heights, pushed))
    return touched, stack
