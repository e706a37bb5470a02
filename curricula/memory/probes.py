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
    is_fitting = jax.vmap(lambda mine, other: _fits(world, mine, other))(episodes, given)
    changed = episodes._replace(held=given.held, inner=episodes.inner._replace(row=given.inner.row))

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(is_fitting.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, changed, episodes), is_fitting


def next_fitting(world: SmallWindow, episodes: Episode) -> jax.Array:
    """For each of B episodes, in turn, the next one whose memory `exchange_memories` would give it: int32 `[B]`.

    Itself, if there is no other. Where the token seen differs from episode to episode, as a key that is asked for does,
    donors chosen without looking seldom fit.
    """
    one = jnp.arange(len(episodes.row))
    ahead = (one - one[:, None] - 1) % len(one)  # 0 for the next one, most for itself
    of_each = jax.vmap(lambda mine: jax.vmap(lambda other: _fits(world, mine, other))(episodes))
    is_fitting = of_each(episodes) | (one == one[:, None])
    return jnp.argmin(jnp.where(is_fitting, ahead, len(one)), axis=1).astype(jnp.int32)


def _fits(world: SmallWindow, mine: Episode, other: Episode) -> jax.Array:
    """Whether an episode can have another one's memory: bool `[]`."""
    shown, others = (world.rows.observe(episode.inner)[:-1] for episode in (mine, other))
    is_alike = (shown == others).all() & (mine.inner.time == other.inner.time)
    return is_alike & (mine.discount != 0) & (other.discount != 0)
