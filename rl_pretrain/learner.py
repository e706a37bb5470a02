"""Gradient steps towards the targets of search and play, averaged over devices."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rl_pretrain.replay import Example
from rl_pretrain.search import mask_illegal
from rl_pretrain.settings import SettingError, at_least

Weights = Any
"""A network's parameters: a pytree of arrays, such as flax makes."""

Apply = Callable[[Weights, jax.Array], tuple[Any, ...]]
"""Weights and observations `[batch, ...]` → logits `[batch, actions]` and values `[batch]`; a third, how the game ends
(as `replay.Example.ending`), is learnt if it is there."""


@dataclasses.dataclass(frozen=True)
class LearnConfig:
    """How to learn."""

    batch_size: int = 1024
    """Positions for each update, over all devices."""
    reuse: float = 4.0
    """How often a position is learnt from, on average; decides how many updates an iteration makes."""
    learning_rate: float = 2e-3
    """Peak; reached after warmup, then falls along a cosine."""
    final_learning_rate: float = 2e-4
    """Where the cosine ends, with the last update of the run."""
    num_warmup_updates: int = 100
    weight_decay: float = 1e-4
    """Decoupled (AdamW), on kernels only."""
    max_gradient_norm: float = 1.0
    """Gradients longer than this are shortened to it."""
    value_weight: float = 1.0
    """Weight of the value loss beside the policy loss."""
    ending_weight: float = 1.0
    """Weight of the loss of how games end, in networks that predict it."""
    average_decay: float = 0.99
    """Decay per update of the moving average of the weights; self-play and evaluation use the average."""

    def __post_init__(self):
        at_least(1, self, "batch_size")
        at_least(0, self, "reuse", "learning_rate", "final_learning_rate", "num_warmup_updates", "weight_decay")
        at_least(0, self, "max_gradient_norm", "value_weight", "average_decay", "ending_weight")
        if self.average_decay >= 1:
            raise SettingError(f"average_decay must be less than 1, got {self.average_decay}")


class Anchor(NamedTuple):
    """A policy not to stray from."""

    weights: Weights
    strength: jax.Array  # float32 []: weight of the divergence in the loss


class TrainState(NamedTuple):
    """All that learning changes."""

    params: Weights
    average: Weights  # exponential moving average of params
    opt_state: optax.OptState
    num_updates: jax.Array  # int32 []


def make_schedule(config: LearnConfig, total_updates: int) -> optax.Schedule:
    """Learning rate by number of updates so far: up over the warmup, then down along a cosine."""
    warmup = min(config.num_warmup_updates, total_updates // 2)
    return optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, warmup, max(total_updates, warmup + 1), config.final_learning_rate
    )


def make_optimizer(config: LearnConfig, total_updates: int) -> optax.GradientTransformation:
    """AdamW behind gradient clipping, on `make_schedule`."""
    return optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm),
        optax.adamw(make_schedule(config, total_updates), weight_decay=config.weight_decay, mask=_kernels),
    )


def init(optimizer: optax.GradientTransformation, params: Weights) -> TrainState:
    """The state before the first update."""
    return TrainState(params, params, optimizer.init(params), jnp.int32(0))


def losses(
    apply: Apply,
    params: Weights,
    batch: Example,
    axis: str | None = None,
    reference: Weights | None = None,
) -> dict[str, jax.Array]:
    """Cross-entropy to the policy shown (that of search, or the move of a game), squared error to the outcome.

    They are means over `[batch]`. Positions whose policy is not worth learning are left out of the policy loss, those
    whose outcome is unknown out of the value loss. Each is divided by the number of the others on all devices of
    `axis`, so that the mean over devices is the mean over all positions.

    With a reference there is also `anchor_kl`, the mean KL(its policy ‖ policy) over legal actions; nothing flows back
    to its weights. Where a network says how the game ends there is `ending_loss`, the squared error of that; games of
    others do not tell.
    """
    logits, values, *more = apply(params, batch.observation)
    (ending,) = more or (None,)
    log_policy = jax.nn.log_softmax(mask_illegal(logits, batch.legal))
    taught, known = _shares(batch.has_policy, axis), _shares(batch.has_value, axis)
    cross_entropy = -jnp.sum(batch.policy * log_policy, axis=-1)
    entropy_of_target = -jnp.sum(jax.scipy.special.xlogy(batch.policy, batch.policy), axis=-1)
    entropy = -jnp.sum(jnp.exp(log_policy) * jnp.where(batch.legal, log_policy, 0.0), axis=-1)
    is_same = jnp.argmax(log_policy, axis=-1) == jnp.argmax(batch.policy, axis=-1)
    scalars = {
        "policy_loss": jnp.sum(taught * cross_entropy),
        "policy_kl": jnp.sum(taught * (cross_entropy - entropy_of_target)),
        "value_loss": jnp.sum(known * jnp.square(values - batch.value)),
        "policy_entropy": jnp.mean(entropy),
        "value_known": jnp.mean(batch.has_value.astype(jnp.float32)),
        "policy_accuracy": jnp.sum(taught * is_same),
    }
    if ending is not None and batch.ending is not None:
        error = jnp.square(ending - batch.ending.astype(jnp.float32))
        scalars["ending_loss"] = jnp.sum(known * jnp.mean(error, axis=-1))
    if reference is not None:
        held = apply(jax.lax.stop_gradient(reference), batch.observation)[0]
        held = jax.nn.log_softmax(mask_illegal(held, batch.legal))
        gaps = jnp.where(batch.legal, jnp.exp(held) * (held - log_policy), 0.0)
        scalars["anchor_kl"] = jnp.mean(jnp.sum(gaps, axis=-1))
    return scalars


def _shares(counts: jax.Array, axis: str | None) -> jax.Array:
    """Weights `[batch]` of a mean over the positions that count, on all devices."""
    counts = counts.astype(jnp.float32)
    return counts / jnp.maximum(mean_over(axis, jnp.sum(counts)), 1e-6)


def update(
    apply: Apply,
    optimizer: optax.GradientTransformation,
    config: LearnConfig,
    state: TrainState,
    batch: Example,
    axis: str | None = None,
    anchor: Anchor | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One gradient step.

    Args:
      batch: this device's `[batch, ...]` share.
      axis: name of the pmap axis to average over, or None on one device.
      anchor: adds `strength · KL(anchor ‖ policy)`, which keeps fine-tuning close to what was learnt before.

    Returns: the state after, and scalars: the losses and the gradient's norm before it, and the weights' norm after it.
    """

    def total_loss(params):
        scalars = losses(apply, params, batch, axis, anchor and anchor.weights)
        total = scalars["policy_loss"] + config.value_weight * scalars["value_loss"]
        total += config.ending_weight * scalars.get("ending_loss", 0.0)
        if anchor is not None:
            total += anchor.strength * scalars["anchor_kl"]
        return total, scalars

    return descend(optimizer, state, total_loss, config.average_decay, axis)


def descend(
    optimizer: optax.GradientTransformation,
    state: TrainState,
    loss: Callable[[Weights], tuple[jax.Array, dict[str, jax.Array]]],
    average_decay: float = 0.0,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step down the gradient of a loss, averaged over the devices of `axis`.

    Args:
      loss: weights → what is to fall, and scalars to report.
      average_decay: of the moving average of the weights; 0 for the weights themselves.

    Returns: the state after, and the scalars before it with the gradient's norm, and the weights' after it.
    """
    gradient, scalars = jax.grad(loss, has_aux=True)(state.params)
    gradient, scalars = mean_over(axis, (gradient, scalars))
    change, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, change)
    # A mean of all weights so far while there are few, so that the average never lags far behind at the start.
    decay = jnp.minimum(average_decay, state.num_updates / (state.num_updates + 1.0))
    average = optax.incremental_update(params, state.average, 1 - decay)
    scalars["gradient_norm"] = optax.tree.norm(gradient)
    scalars["weights_norm"] = optax.tree.norm(params)  # of those after the step: what is saved has been looked at
    return TrainState(params, average, opt_state, state.num_updates + 1), scalars


def _kernels(params: Weights) -> Any:
    return jax.tree.map(lambda x: x.ndim > 1, params)


def mean_over(axis: str | None, tree: Any) -> Any:
    """The mean over the devices of a pmap axis, or the tree itself without one."""
    return tree if axis is None else jax.lax.pmean(tree, axis)
