"""A residual tower over board observations that plays any board size with one set of weights."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from rl_pretrain.settings import at_least


@dataclasses.dataclass(frozen=True)
class ConvConfig:
    """Size of the tower."""

    num_blocks: int = 6
    """Residual blocks of two 3×3 convolutions each."""
    num_channels: int = 64
    """Width of the trunk; cost grows with its square."""
    num_head_channels: int = 32
    """Width of the policy and value heads."""
    bfloat16: bool = False
    """Convolve in bfloat16 (fast on GPU and TPU, slow on CPU); weights, logits and values stay float32."""
    predicts_ending: bool = False
    """A head that predicts how games end (who owns each point, by how much it is won). For learning only, and from
    play: games of others do not say it."""

    def __post_init__(self):
        at_least(0, self, "num_blocks")
        at_least(1, self, "num_channels", "num_head_channels")

    @property
    def playing(self) -> "ConvConfig":
        """The network as far as it plays: without the heads that are for learning only."""
        return dataclasses.replace(self, predicts_ending=False)


class ConvNet(nn.Module):
    """Observations `[..., height, width, planes]` → logits `[..., height · width + others]` and values `[...]`.

    Every weight is a convolution or acts on pooled channels, so none depends on the board's size. Normalisation is
    over the channels of one point: no running averages, and thus the same function in search and in training. Each
    residual branch starts at zero, which makes a fresh tower the identity (Fixup, arXiv 1901.09321).
    """

    config: ConvConfig
    num_other_actions: int
    """Actions that are no point of the board, after those that are: 1 in Go (the pass), 0 in tic-tac-toe."""

    @nn.compact
    def __call__(self, observations: jax.Array, in_full: bool = False) -> tuple[Any, ...]:
        """Logits and values; `in_full` how the game ends, too, or None where the settings do not ask for it."""
        dtype = jnp.bfloat16 if self.config.bfloat16 else jnp.float32
        x = nn.Conv(self.config.num_channels, (3, 3), dtype=dtype, name="stem")(observations.astype(dtype))
        for i in range(self.config.num_blocks):
            x = Block(dtype, name=f"block_{i}")(x)
        x = nn.relu(nn.LayerNorm(dtype=dtype, name="norm")(x))
        heads = self.config.num_head_channels
        logits = PolicyHead(heads, self.num_other_actions, dtype, name="policy")(x)
        value = ValueHead(heads, dtype, name="value")(x)
        ending = None
        if self.config.predicts_ending and (in_full or self.is_initializing()):
            ending = EndingHead(heads, dtype, name="ending")(x)
        return (logits, value, ending) if in_full else (logits, value)


class Block(nn.Module):
    """Two convolutions beside the identity; what the whole board says enters between them (KataGo, 1902.10565)."""

    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = x.shape[-1]
        y = nn.relu(nn.LayerNorm(dtype=self.dtype)(x))
        y = nn.Conv(width, (3, 3), dtype=self.dtype)(y)
        y = nn.relu(y + nn.Dense(width, dtype=self.dtype)(pool(y))[..., None, None, :])
        return x + nn.Conv(width, (3, 3), dtype=self.dtype, kernel_init=nn.initializers.zeros)(y)


class PolicyHead(nn.Module):
    """One logit for every point, from its surroundings and the whole board, and one for every other action.

    A fresh head prefers nothing. With random preferences a fresh player may pass so often that all games end at once,
    the same side wins all of them, and there is nothing to learn (seen in Go at one seed of two).
    """

    width: int
    num_other_actions: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        whole = nn.Dense(self.width, dtype=self.dtype)(pool(x))
        y = nn.relu(nn.Conv(self.width, (1, 1), dtype=self.dtype)(x) + whole[..., None, None, :])
        points = nn.Conv(1, (1, 1), dtype=jnp.float32, kernel_init=nn.initializers.zeros)(y.astype(jnp.float32))
        points = points.reshape(*points.shape[:-3], -1)
        if not self.num_other_actions:
            return points
        fresh = nn.Dense(self.num_other_actions, dtype=jnp.float32, kernel_init=nn.initializers.zeros)
        others = fresh(nn.relu(whole).astype(jnp.float32))
        return jnp.concatenate([points, others], axis=-1)


class ValueHead(nn.Module):
    """Expected return of the player to move, in [-1, 1]."""

    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        y = nn.relu(nn.Conv(self.width, (1, 1), dtype=self.dtype)(x))
        y = nn.relu(nn.Dense(2 * self.width, dtype=self.dtype)(pool(y))).astype(jnp.float32)
        return jnp.tanh(nn.Dense(1, dtype=jnp.float32)(y)[..., 0])


class EndingHead(nn.Module):
    """`[..., height · width + 1]` in [-1, 1]: whose each point will be, and the margin, for the player to move."""

    width: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        whole = nn.Dense(self.width, dtype=self.dtype)(pool(x))
        y = nn.relu(nn.Conv(self.width, (1, 1), dtype=self.dtype)(x) + whole[..., None, None, :])
        points = nn.Conv(1, (1, 1), dtype=jnp.float32)(y.astype(jnp.float32))
        margin = nn.Dense(1, dtype=jnp.float32)(nn.relu(whole).astype(jnp.float32))
        return jnp.tanh(jnp.concatenate([points.reshape(*points.shape[:-3], -1), margin], axis=-1))


def pool(x: jax.Array) -> jax.Array:
    """`[..., height, width, channels]` → `[..., 3 · channels]`: mean, mean scaled by the board's edge, maximum.

    The scaled mean lets sums over the board (an area, a komi) mean the same on every size (KataGo, appendix A).
    """
    mean = jnp.mean(x, axis=(-3, -2))
    edge = (x.shape[-2] - 14) / 10
    return jnp.concatenate([mean, mean * edge, jnp.max(x, axis=(-3, -2))], axis=-1)
