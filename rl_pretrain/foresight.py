"""What a network may say beside policy and value, so that a game teaches more than who won it (KataGo, 1902.10565)."""

from typing import NamedTuple

import jax


class Foresight(NamedTuple):
    """Further predictions of a batch; None for those that the network does not make."""

    ending: jax.Array | None = None  # float32 [batch, things], in [-1, 1]: of `replay.Example.ending`
    soft_logits: jax.Array | None = None  # float32 [batch, actions]: of a flatter policy
