"""The best episodes found so far, to be learnt by likelihood: priority queue training (arXiv 1801.03526).

A policy that is rewarded for one program in a thousand forgets it before it is met again. A queue of the best
different ones keeps it; learning them pulls the policy to where good programs are.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Queue(NamedTuple):
    """K episodes of T steps, the best first; their rewards are -inf as long as there are fewer."""

    observation: jax.Array  # int32 [T, K, n]
    action: jax.Array  # int32 [T, K]
    is_choice: jax.Array  # bool [T, K]: whether there was more than one legal action
    reward: jax.Array  # float32 [K]


def empty(size: int, num_steps: int, num_seen: int) -> Queue:
    """A queue that nothing is in yet."""
    none = jnp.zeros((num_steps, size), jnp.int32)
    return Queue(
        jnp.zeros((num_steps, size, num_seen), jnp.int32), none, none > 0, jnp.full(size, -jnp.inf, jnp.float32)
    )


def remember(queue: Queue, episodes: Queue) -> Queue:
    """The best of both, each reward once, with the episode of the fewest choices.

    Episodes of one reward do the same thing as a rule, some of them with steps that change nothing. A queue of those
    would teach a single thing.
    """
    size = len(queue.reward)
    *of_steps, reward = zip(queue, episodes, strict=True)
    both = Queue(*(jnp.concatenate(pair, axis=1) for pair in of_steps), reward=jnp.concatenate(reward))
    order = jnp.lexsort((jnp.sum(both.is_choice, axis=0), -both.reward))
    reward = both.reward[order]
    is_again = jnp.concatenate([jnp.array([False]), reward[1:] == reward[:-1]])
    reward, best = jax.lax.top_k(jnp.where(is_again, -jnp.inf, reward), size)
    best = order[best]
    return Queue(both.observation[:, best], both.action[:, best], both.is_choice[:, best], reward)
