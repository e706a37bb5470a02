"""A gated recurrent network: what it remembers is one vector of fixed size."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from rl_pretrain.networks.initializers import orthogonal
from rl_pretrain.networks.tokens import Embed, Heads, TokenConfig


class Recurrent(nn.Module):
    """Observations and where episodes begin → logits and values, for a step or a whole rollout."""

    config: TokenConfig

    def setup(self):
        self.embed = Embed(self.config.num_tokens, self.config.width)
        self.cells = [
            nn.GRUCell(self.config.width, recurrent_kernel_init=orthogonal()) for _ in range(self.config.num_layers)
        ]
        self.heads = Heads(self.config.num_actions)

    def initial(self, num: int, room: int = 0) -> tuple[jax.Array, ...]:
        """The state of `num` episodes before their first step; it has room for any number of steps."""
        del room
        return tuple(jnp.zeros((num, self.config.width)) for _ in range(self.config.num_layers))

    def __call__(self, observations: jax.Array, is_first: jax.Array) -> tuple[jax.Array, jax.Array]:
        """All steps, from the initial state on: tokens `[T, B, n]` and bool `[T, B]` → logits and values."""
        steps = nn.scan(
            lambda self, carry, seen: self._advance(carry, *seen),
            variable_broadcast="params",
            split_rngs={"params": False},
        )
        _, x = steps(self, self.initial(observations.shape[1]), (self.embed(observations).sum(-2), is_first))
        return self.heads(x)

    def step(self, carry: tuple[jax.Array, ...], observations: jax.Array, is_first: jax.Array):
        """One step: tokens `[B, n]` and bool `[B]` → the state after it, and logits and values."""
        carry, x = self._advance(carry, self.embed(observations).sum(-2), is_first)
        return carry, self.heads(x)

    def _advance(self, carry: tuple[jax.Array, ...], x: jax.Array, is_first: jax.Array):
        """One step on features `[B, width]`; an episode's first step forgets what was before."""
        kept = []
        for cell, memory in zip(self.cells, carry, strict=True):
            memory, x = cell(jnp.where(is_first[:, None], 0.0, memory), x)
            kept.append(memory)
        return tuple(kept), x
