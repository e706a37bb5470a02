"""Learning from demonstrations: the likelihood of what was to be said."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from rl_pretrain import learner
from rl_pretrain.learner import TrainState, Weights
from rl_pretrain.networks.policy import Policy
from rl_pretrain.settings import at_least


@dataclasses.dataclass(frozen=True)
class SupervisedConfig:
    """How to learn from demonstrations."""

    batch_size: int = 256
    """Demonstrations an update."""
    learning_rate: float = 1e-3
    """Peak, after a warmup of a twentieth of the updates; then it falls along a cosine to a tenth."""
    weight_decay: float = 1e-4
    """Decoupled (AdamW), on kernels only."""
    max_gradient_norm: float = 1.0
    """Gradients longer than this are shortened to it."""

    def __post_init__(self):
        at_least(1, self, "batch_size")
        at_least(0, self, "learning_rate", "weight_decay", "max_gradient_norm")


class Demonstration(NamedTuple):
    """Whole episodes, T steps of room; B of them."""

    observation: jax.Array  # int32 [T, B, n]
    action: jax.Array  # int32 [T, B]: what was to be said
    weight: jax.Array  # float32 [T, B]: 0 where nothing is to be learnt, in a prompt, in padding


def make_optimizer(config: SupervisedConfig, total_updates: int) -> optax.GradientTransformation:
    """AdamW behind gradient clipping."""
    rate = config.learning_rate
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, total_updates // 20, max(total_updates, 1), rate / 10)
    return optax.chain(
        optax.clip_by_global_norm(config.max_gradient_norm),
        optax.adamw(schedule, weight_decay=config.weight_decay, mask=lambda w: jax.tree.map(lambda x: x.ndim > 1, w)),
    )


def loss(
    policy: Policy, weights: Weights, batch: Demonstration, axis: str | None = None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean cross-entropy of the steps that count, and scalars."""
    is_first = jnp.arange(len(batch.action))[:, None] == jnp.zeros(batch.action.shape, jnp.int32)
    logits, _ = policy.unroll(weights, batch.observation, is_first)
    share = batch.weight / jnp.maximum(learner.mean_over(axis, jnp.sum(batch.weight)), 1e-6)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, batch.action)
    is_right = jnp.argmax(logits, axis=-1) == batch.action
    mean = jnp.sum(share * cross_entropy)
    return mean, {"cross_entropy": mean, "accuracy": jnp.sum(share * is_right)}


def update(
    policy: Policy,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batch: Demonstration,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One gradient step.

    Args:
      axis: name of the pmap axis whose devices share the batch, or None.
    """
    return learner.descend(optimizer, state, lambda weights: loss(policy, weights, batch, axis), axis=axis)


def learn(
    config: SupervisedConfig,
    policy: Policy,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    shown: Demonstration,
    num_updates: int,
    key: jax.Array,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """Some gradient steps, each on demonstrations drawn with replacement.

    Args:
      shown: all there are, on every device.
      axis: name of the pmap axis whose devices learn together, each from demonstrations of its own.

    Returns: the state after them, and the means of their scalars.
    """
    if axis is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(axis))

    def step(state: TrainState, key: jax.Array):
        chosen = jax.random.randint(key, (config.batch_size,), 0, shown.action.shape[1])
        return update(policy, optimizer, state, jax.tree.map(lambda x: x[:, chosen], shown), axis)

    state, scalars = jax.lax.scan(step, state, jax.random.split(key, num_updates))
    return state, jax.tree.map(jnp.mean, scalars)
