"""Networks over integer tokens that see one observation at a time: what they remember, the world must show them."""

import dataclasses
from typing import Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from rl_pretrain.networks.initializers import orthogonal
from rl_pretrain.settings import SettingError, at_least

Kind = Literal["mlp", "window", "causal", "gru"]


@dataclasses.dataclass(frozen=True)
class TokenConfig:
    """Size of a network over tokens."""

    num_tokens: int
    """Tokens are 0 … num_tokens - 1."""
    num_actions: int
    kind: Kind = "mlp"
    """mlp and window see what is before them only; causal sees the whole episode; gru carries a state."""
    width: int = 64
    """Features of a token, and of every hidden layer."""
    num_layers: int = 2
    num_heads: int = 4
    """Of attention; width must be a multiple of twice as many."""

    def __post_init__(self):
        at_least(1, self, "num_tokens", "num_actions", "width", "num_layers", "num_heads")
        if self.kind not in get_args(Kind):
            raise SettingError(f"kind must be one of {', '.join(get_args(Kind))}, got {self.kind!r}")
        if self.kind in ("window", "causal") and self.width % (2 * self.num_heads):
            raise SettingError(f"width must be a multiple of twice num_heads, got {self.width} and {self.num_heads}")


class Embed(nn.Module):
    """Tokens `[..., n]` → features `[..., n, width]`; each of the n places has a table of its own."""

    num_tokens: int
    width: int

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        num_places = tokens.shape[-1]
        table = self.param("table", nn.initializers.normal(1.0), (num_places, self.num_tokens, self.width))
        return table[jnp.arange(num_places), tokens]


class Heads(nn.Module):
    """Features `[..., width]` → logits `[..., actions]` and values `[...]`, both near zero at first."""

    num_actions: int

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits = nn.Dense(self.num_actions, kernel_init=orthogonal(0.01), name="policy")(x)
        return logits, nn.Dense(1, kernel_init=orthogonal(0.1), name="value")(x)[..., 0]


class Mlp(nn.Module):
    """Tokens `[..., n]` → logits and values."""

    config: TokenConfig

    @nn.compact
    def __call__(self, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = Embed(self.config.num_tokens, self.config.width, name="embed")(tokens).sum(-2)
        for i in range(self.config.num_layers):
            x = nn.relu(nn.Dense(self.config.width, name=f"layer_{i}")(x))
        return Heads(self.config.num_actions, name="heads")(x)


class Block(nn.Module):
    """Attention and a hidden layer beside the identity, each after a normalisation."""

    num_heads: int

    @nn.compact
    def __call__(self, x: jax.Array, position: jax.Array, mask: jax.Array, memory=None, cursor: jax.Array | int = 0):
        """Args:
          x: `[..., queries, width]`; position: float32 `[queries]`; mask: bool `[..., queries, keys]`.
          memory: keys and values `[..., keys, heads, features]` of what came before, to be written at `cursor`; None
            if the queries are all there is.

        Returns: x, and the keys and values of all.
        """
        width, shape = x.shape[-1], (self.num_heads, x.shape[-1] // self.num_heads)
        y = nn.LayerNorm(name="norm_attention")(x)
        query, key, value = (nn.DenseGeneral(shape, use_bias=False, name=name)(y) for name in ("query", "key", "value"))
        query, key = rotate(query, position), rotate(key, position)
        if memory is not None:
            key, value = (
                jax.lax.dynamic_update_slice_in_dim(old, new, cursor, axis=-3)
                for old, new in zip(memory, (key, value), strict=True)
            )
        attended = attend(query, key, value, mask)
        x = x + nn.DenseGeneral(width, axis=(-2, -1), use_bias=False, name="out")(attended)
        y = nn.relu(nn.Dense(2 * width, name="hidden")(nn.LayerNorm(name="norm_hidden")(x)))
        return x + nn.Dense(width, name="back")(y), (key, value)


def attend(query: jax.Array, key: jax.Array, value: jax.Array, mask: jax.Array) -> jax.Array:
    """Scaled dot products: `[..., queries, heads, features]`."""
    scores = jnp.einsum("...qhf,...khf->...hqk", query, key) / jnp.sqrt(query.shape[-1])
    weights = jax.nn.softmax(jnp.where(mask[..., None, :, :], scores, -1e9), axis=-1)
    return jnp.einsum("...hqk,...khf->...qhf", weights, value)


def rotate(x: jax.Array, position: jax.Array) -> jax.Array:
    """Rotary positions (arXiv 2104.09864): products of queries and keys depend on how far apart they are.

    Args:
      x: `[..., n, heads, features]`; position: float32 `[n]`.
    """
    half = x.shape[-1] // 2
    angle = position[:, None, None] * 1000.0 ** (-jnp.arange(half) / half)  # [n, 1, half]
    first, second = x[..., :half], x[..., half:]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


class Window(nn.Module):
    """A transformer over the tokens of one observation `[..., n]`, such as the last n tokens of a stream."""

    config: TokenConfig

    @nn.compact
    def __call__(self, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = Embed(self.config.num_tokens, self.config.width, name="embed")(tokens)
        position = jnp.arange(tokens.shape[-1], dtype=jnp.float32)
        everything = jnp.ones((tokens.shape[-1],) * 2, bool)
        for i in range(self.config.num_layers):
            x, _ = Block(self.config.num_heads, name=f"block_{i}")(x, position, everything)
        return Heads(self.config.num_actions, name="heads")(nn.LayerNorm(name="norm")(x[..., -1, :]))
