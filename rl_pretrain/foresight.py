"""What a network may say beside policy and value, so that a game teaches more than who won it (KataGo, 1902.10565)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from rl_pretrain.replay import Example
from rl_pretrain.search import mask_illegal


class Foresight(NamedTuple):
    """Further predictions of a batch; None for those that the network does not make."""

    ending: jax.Array | None = None  # [batch, things], in [-1, 1]: of `Example.ending`
    soft_logits: jax.Array | None = None  # [batch, actions]: of a flatter policy


def losses(
    foresight: Foresight, batch: Example, taught: jax.Array, known: jax.Array, temperature: float
) -> dict[str, jax.Array]:
    """Squared error to how the game ended, and cross-entropy to the flatter policy: of each prediction that is made.

    Args:
      taught, known: float32 `[batch]`, weights of the means over positions whose policy is worth learning, and over
        those whose end is known.
      temperature: 1 leaves the policy as it is; more makes the unlikely actions count for more (KataGo's methods,
        «auxiliary soft policy target»: the policy to the power of 1/4, made to sum to 1).
    """
    scalars = {}
    if foresight.ending is not None and batch.ending is not None:  # games of others come without
        error = jnp.square(foresight.ending - batch.ending.astype(jnp.float32))
        scalars["ending_loss"] = jnp.sum(known * jnp.mean(error, axis=-1))
    if foresight.soft_logits is not None:
        soft = jnp.where(batch.legal, batch.policy ** (1 / temperature), 0.0)
        soft = soft / jnp.maximum(jnp.sum(soft, axis=-1, keepdims=True), 1e-6)
        log_policy = jax.nn.log_softmax(mask_illegal(foresight.soft_logits, batch.legal))
        scalars["soft_policy_loss"] = -jnp.sum(taught * jnp.sum(soft * log_policy, axis=-1))
    return scalars
