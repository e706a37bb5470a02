"""Policies as a rollout uses them, whatever they remember: a step at a time to act, whole rollouts to learn."""

# pyright: reportArgumentType=false

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from rl_pretrain.networks.causal import Causal
from rl_pretrain.networks.recurrent import Recurrent
from rl_pretrain.networks.tokens import Mlp, TokenConfig, Window

Carry = Any
"""What a policy remembers of B episodes: a pytree."""
Outputs = tuple[jax.Array, jax.Array]
"""Logits `[..., actions]` and values `[...]`."""


class Policy(NamedTuple):
    """Functions of a network; T steps of B episodes that begin together, tokens `[T, B, n]`.

    `unroll` gives what as many calls of `step` give: a law that tests hold every network to.
    """

    init: Callable[[jax.Array, int], Any]
    """key, n → weights."""
    initial: Callable[[int, int], Carry]
    """B, T → the memory before the first step."""
    step: Callable[[Any, Carry, jax.Array, jax.Array], tuple[Carry, Outputs]]
    """weights, memory, tokens `[B, n]`, is_first bool `[B]` → the memory after, logits and values."""
    unroll: Callable[[Any, jax.Array, jax.Array], Outputs]
    """weights, tokens `[T, B, n]`, is_first bool `[T, B]` → logits `[T, B, actions]`, values `[T, B]`."""


def make(config: TokenConfig) -> Policy:
    """The policy of a configuration."""
    if config.kind in ("mlp", "window"):
        return memoryless(Mlp(config) if config.kind == "mlp" else Window(config))
    network = Causal(config) if config.kind == "causal" else Recurrent(config)

    def init(key: jax.Array, num_seen: int) -> Any:
        return network.init(key, jnp.zeros((1, 1, num_seen), jnp.int32), jnp.ones((1, 1), bool))

    def step(weights, memory, tokens, is_first):
        return network.apply(weights, memory, tokens, is_first, method="step")

    return Policy(init, network.initial, step, network.apply)


def memoryless(network: nn.Module) -> Policy:
    """A policy that sees the present only, by a network from observations `[batch, n]` to logits and values."""

    def init(key: jax.Array, num_seen: int) -> Any:
        return network.init(key, jnp.zeros((1, num_seen), jnp.int32))

    def step(weights, memory, tokens, is_first):
        del is_first
        return memory, network.apply(weights, tokens)

    def unroll(weights, tokens, is_first):
        # In one flat batch: gradients of a matrix that acts on three axes take XLA on CPU half as long again.
        outputs = network.apply(weights, tokens.reshape(-1, tokens.shape[-1]))
        return jax.tree.map(lambda x: x.reshape(*is_first.shape, *x.shape[1:]), outputs)

    return Policy(init, lambda num, room: (), step, unroll)
