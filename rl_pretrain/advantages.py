"""How much better an action turned out than expected, by three kinds of expectation."""

import jax
import jax.numpy as jnp


def generalised(
    reward: jax.Array, discount: jax.Array, value: jax.Array, last_value: jax.Array, decay: float
) -> jax.Array:
    """Generalised advantage estimates (Schulman et al. 2016, arXiv 1506.02438, equation 16).

    Args:
      reward, discount, value: float32 `[T, B]`; discounts are 0 at an episode's end.
      last_value: float32 `[B]`, of what follows the last step.
      decay: λ; 0 trusts the values, 1 the returns.

    Returns: float32 `[T, B]`.
    """

    def step(carry, row):
        following, next_value = carry
        reward, discount, value = row
        advantage = reward + discount * next_value - value + decay * discount * following
        return (advantage, value), advantage

    start = (jnp.zeros_like(last_value), last_value)
    return jax.lax.scan(step, start, (reward, discount, value), reverse=True)[1]


def episode_returns(reward: jax.Array, discount: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What the whole episode that a step belongs to has paid, undiscounted, and whether it was seen to end.

    Args:
      reward, discount: float32 `[T, B]`, from an episode's beginning on.

    Returns: float32 `[T, B]` and bool `[T, B]`; where it did not end, the return means nothing.
    """

    def forwards(so_far, row):
        reward, discount = row
        total = so_far + reward
        return jnp.where(discount == 0, 0.0, total), total

    def backwards(carry, row):
        total, has_ended = carry
        here, discount = row
        is_last = discount == 0
        carry = jnp.where(is_last, here, total), is_last | has_ended
        return carry, carry

    nothing = jnp.zeros(reward.shape[1])
    totals = jax.lax.scan(forwards, nothing, (reward, discount))[1]
    start = (nothing, jnp.zeros(reward.shape[1], bool))
    return jax.lax.scan(backwards, start, (totals, discount), reverse=True)[1]


def relative(
    returns: jax.Array,
    has_ended: jax.Array,
    is_last: jax.Array,
    group: jax.Array,
    num: int,
    axis: str | None = None,
) -> jax.Array:
    """Returns less the mean over the finished episodes of a group, divided by their standard deviation (Shao et al.
    2024, arXiv 2402.03300, section 4.1.2); 0 for episodes that have not ended and for groups that all fared alike.

    Args:
      returns: float32 `[T, B]`, of the step's episode; has_ended, is_last: bool `[T, B]`.
      group: int32 `[T, B]`, from 0 to num - 1, of the step's episode.
      axis: name of the pmap axis over which groups may be spread.
    """

    def total(x):
        sums = jnp.zeros(num).at[group].add(jnp.where(is_last, x, 0.0))
        return sums if axis is None else jax.lax.psum(sums, axis)

    size = jnp.maximum(total(1.0), 1)
    centred = returns - (total(returns) / size)[group]
    spread = jnp.sqrt(total(centred**2) / size)[group]
    # Returns that are equal differ from their mean by what rounding leaves.
    is_alike = spread <= 1e-6 * jnp.maximum(jnp.abs(returns), 1)
    return jnp.where(has_ended & ~is_alike, centred / (spread + 1e-3), 0.0)
