"""From what happened to what should have been predicted."""

import jax
import jax.numpy as jnp


def returns(reward: jax.Array, discount: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The outcome of every step, as far as the record shows the end of its episode.

    `G[t] = reward[t] + discount[t] · G[t+1]`, from the view of the player who acts at t: a discount of -1 hands the
    outcome over to the opponent.

    Args:
      reward, discount: float32 `[time, ...]`, in order of time; an episode ends where discount is 0.

    Returns:
      float32 `[time, ...]` outcomes, and bool `[time, ...]`, whether the end was seen; outcomes are 0 where not.
    """

    def backward(carry, transition):
        later, is_known = carry
        r, d = transition
        is_known = is_known | (d == 0)
        outcome = jnp.where(is_known, r + d * later, 0.0)
        return (outcome, is_known), (outcome, is_known)

    unknown = jnp.zeros(reward.shape[1:], jnp.float32), jnp.zeros(reward.shape[1:], bool)
    _, (outcome, is_known) = jax.lax.scan(backward, unknown, (reward, discount), reverse=True)
    return outcome, is_known
