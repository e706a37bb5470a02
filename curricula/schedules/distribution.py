"""Probabilities of levels: out of weights, mixed with uniform ones, and drawn from."""

import jax
import jax.numpy as jnp

from curricula.schedules.limits import check_whole


def normalize(weights: jax.Array) -> jax.Array:
    """Probabilities in proportion to weights ≥ 0, float32 `[levels]`; uniform if all weights are 0."""
    total = jnp.sum(weights)
    return jnp.where(total > 0, weights / jnp.where(total > 0, total, 1), 1 / len(weights))


def explore(probabilities: jax.Array, share: float) -> jax.Array:
    """A share of uniform probability, the rest as given, so that no level is ever lost sight of."""
    return (1 - share) * probabilities + share / len(probabilities)


def draw(key: jax.Array, probabilities: jax.Array, num: int) -> jax.Array:
    """Indices drawn independently: int32 `[num]`. Raises ValueError unless num ≥ 1."""
    check_whole("num", num, 1)
    return jax.random.choice(key, len(probabilities), (num,), p=probabilities).astype(jnp.int32)
