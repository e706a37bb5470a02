"""What a policy can do when nothing is learnt any more: whole episodes, by its best action or by chance."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from rl_pretrain.environment import Environment, State
from rl_pretrain.networks.policy import Policy
from rl_pretrain.search import mask_illegal

S = TypeVar("S", bound=State)


def take(
    env: Environment[S], policy: Policy, weights: Any, episodes: S, num_steps: int, key: jax.Array | None = None
) -> S:
    """The episodes some steps later; those that are over stay as they are.

    Args:
      episodes: `[B, ...]`, all of them beginnings.
      num_steps: enough for the longest of them.
      key: for sampled actions; without it the most likely one is taken.
    """
    num = len(jax.tree.leaves(episodes)[0])

    def is_on(carry):
        t, _, episodes = carry
        return (t < num_steps) & jnp.any(episodes.discount != 0)

    def step(carry):
        t, memory, episodes = carry
        is_first = jnp.full(num, t == 0)
        memory, (logits, _) = policy.step(weights, memory, jax.vmap(env.observe)(episodes), is_first)
        logits = mask_illegal(logits, jax.vmap(env.legal_actions)(episodes))
        if key is None:
            actions = jnp.argmax(logits, axis=-1)
        else:
            actions = jax.random.categorical(jax.random.fold_in(key, t), logits)
        return t + 1, memory, jax.vmap(env.step)(episodes, actions.astype(jnp.int32))

    start = (jnp.int32(0), policy.initial(num, num_steps), episodes)
    return jax.lax.while_loop(is_on, step, start)[2]
