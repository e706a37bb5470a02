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


def endings(ending: jax.Array, discount: jax.Array) -> jax.Array:
    """How the episode of every step ended, as far as the record shows it, from the view of the player who acts there.

    As the outcome in `returns` it passes to the opponent, and changes its sign, where discount is negative.

    Args:
      ending: `[time, ..., things]`; what counts are the rows at which an episode ends, as the player who acts there
        sees it.
      discount: float32 `[time, ...]`, in order of time.

    Returns: the like of `ending`; 0 where the end was not seen.
    """

    def backward(later, transition):
        seen, d = transition
        here = jnp.where(d[..., None] == 0, seen, jnp.sign(d)[..., None].astype(seen.dtype) * later)
        return here, here

    return jax.lax.scan(backward, jnp.zeros_like(ending[0]), (ending, discount), reverse=True)[1]
