"""Prompts of parts whose lengths are drawn: every part is written with room to spare, then the gaps are closed."""

import jax
import jax.numpy as jnp


def pack(*parts: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The used tokens of all parts, in order and without gaps.

    Args:
      parts: tokens and whether each of them is used, two arrays that broadcast to one shape `[...]`, read row by row.

    Returns: int32 `[P]`: the tokens, P for the room of all parts together, PAD from the length on; and the length,
      int32 `[]`.
    """
    pairs = [jnp.broadcast_arrays(jnp.asarray(tokens, jnp.int32), used) for tokens, used in parts]
    tokens = jnp.concatenate([jnp.ravel(tokens) for tokens, _ in pairs])
    is_used = jnp.concatenate([jnp.ravel(used) for _, used in pairs])
    place = jnp.where(is_used, jnp.cumsum(is_used, dtype=jnp.int32) - 1, len(tokens))
    packed = jnp.zeros(len(tokens), jnp.int32).at[place].set(tokens, mode="drop")
    return packed, jnp.sum(is_used, dtype=jnp.int32)
