"""Interventions that tell what a policy answers from."""

import jax
import jax.numpy as jnp

from curricula.memory.small_window import Episode, SmallWindow
from curricula.pool import Pool


def exchange_memories(world: SmallWindow, episodes: Episode, donors: jax.Array) -> tuple[Episode, jax.Array]:
    """Gives each episode what another one's memory holds, and with it what is still to come of the other's script.

    From then on the right answer follows from the memory (Han et al. 2025, section 4: a new domain by memory alone).
    Do it when the facts have been read (`facts_of` tells when), to a policy that reads them itself: one that answers
    from its memory goes on to solve the donor's row, one that answers from a state of its own, say a recurrent one,
    fails wherever the two answers differ. The window is not exchanged; with one of 1 step it holds none of the facts.

    Args:
      episodes: B episodes of the world; donors: int32 `[B]`, which of them gives its memory to each.

    Returns: the episodes, and bool `[B]`, which were changed: those that stand at the same time of their scripts as
    their donors and see the same tokens, neither of the two being over. The others stay as they are.
    """
    if not isinstance(world.rows, Pool) or world.memory is None:
        raise ValueError("exchange_memories needs a world with a memory and a task with a prompt")
    given = jax.tree.map(lambda x: x[donors], episodes)
    shown = jax.vmap(world.rows.observe)(episodes.inner)[:, :-1]
    is_fitting = (shown == shown[donors]).all(axis=1) & (episodes.inner.time == given.inner.time)
    is_fitting &= (episodes.discount != 0) & (given.discount != 0)
    changed = episodes._replace(held=given.held, inner=episodes.inner._replace(row=given.inner.row))

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(is_fitting.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, changed, episodes), is_fitting
