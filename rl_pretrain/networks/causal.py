"""A causal transformer over whole episodes: all that was seen since the beginning may matter."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from rl_pretrain.networks.tokens import Block, Embed, Heads, TokenConfig


class Cache(NamedTuple):
    """What steps before have left, of episodes that began together; C steps of room."""

    keys_and_values: tuple[tuple[jax.Array, jax.Array], ...]  # of each layer, each [B, C, heads, features]
    episode: jax.Array  # int32 [B, C]: which of the episodes that follow one another a step belongs to
    cursor: jax.Array  # int32 []: steps so far


class Causal(nn.Module):
    """Observations and where episodes begin → logits and values, for a step or a whole rollout.

    A step attends to the steps of its own episode up to itself. Positions are relative, so an episode may begin at any
    step of a rollout.
    """

    config: TokenConfig

    def setup(self):
        self.embed = Embed(self.config.num_tokens, self.config.width)
        self.blocks = [Block(self.config.num_heads) for _ in range(self.config.num_layers)]
        self.norm = nn.LayerNorm()
        self.heads = Heads(self.config.num_actions)

    def initial(self, num: int, room: int) -> Cache:
        """The cache before the first step of `num` episodes, for `room` steps."""
        shape = (num, room, self.config.num_heads, self.config.width // self.config.num_heads)
        nothing = (jnp.zeros(shape), jnp.zeros(shape))
        return Cache((nothing,) * self.config.num_layers, jnp.full((num, room), -1, jnp.int32), jnp.int32(0))

    def __call__(self, observations: jax.Array, is_first: jax.Array) -> tuple[jax.Array, jax.Array]:
        """All steps at once: tokens `[T, B, n]` and bool `[T, B]` → logits `[T, B, actions]` and values `[T, B]`."""
        episode = jnp.cumsum(is_first, axis=0).T  # [B, T]
        time = jnp.arange(len(observations))
        mask = (episode[:, :, None] == episode[:, None, :]) & (time[:, None] >= time)
        x = jnp.swapaxes(self.embed(observations).sum(-2), 0, 1)  # [B, T, width]
        for block in self.blocks:
            x, _ = block(x, time.astype(jnp.float32), mask)
        logits, values = self.heads(self.norm(x))
        return jnp.swapaxes(logits, 0, 1), values.T

    def step(
        self, cache: Cache, observations: jax.Array, is_first: jax.Array
    ) -> tuple[Cache, tuple[jax.Array, jax.Array]]:
        """One step: tokens `[B, n]` and bool `[B]` → the cache after it, and logits and values."""
        before = jnp.where(cache.cursor > 0, cache.episode[:, cache.cursor - 1], 0)
        episode = cache.episode.at[:, cache.cursor].set(before + is_first)
        mask = episode == episode[:, cache.cursor][:, None]  # what is not written yet belongs to no episode
        x = self.embed(observations).sum(-2)[:, None]
        kept = []
        for block, memory in zip(self.blocks, cache.keys_and_values, strict=True):
            position = cache.cursor.astype(jnp.float32)[None]
            x, memory = block(x, position, mask[:, None], memory, cache.cursor)
            kept.append(memory)
        logits, values = self.heads(self.norm(x[:, 0]))
        return Cache(tuple(kept), episode, cache.cursor + 1), (logits, values)
