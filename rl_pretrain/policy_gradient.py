"""Learning from rewards without search: proximal policy optimisation and its simpler kin, averaged over devices."""

import dataclasses
import functools
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import optax

from rl_pretrain import advantages, learner
from rl_pretrain.learner import TrainState, Weights
from rl_pretrain.networks.policy import Policy
from rl_pretrain.rollout import Rollout
from rl_pretrain.search import mask_illegal
from rl_pretrain.settings import SettingError, at_least

Baseline = Literal["critic", "group", "mean"]


@dataclasses.dataclass(frozen=True)
class PolicyGradientConfig:
    """How to learn from a rollout."""

    baseline: Baseline = "critic"
    """critic: generalised advantages of a learnt value; group: returns relative to other tries of the same instance;
    mean: returns relative to all episodes of the rollout (REINFORCE with a baseline). Only critic learns a value."""
    num_epochs: int = 4
    """Passes over a rollout."""
    num_minibatches: int = 4
    """Updates a pass; each with an equal share of the places of a rollout, whole in time."""
    learning_rate: float = 1e-3
    """Falls linearly to a tenth over the run."""
    max_gradient_norm: float = 0.5
    """Gradients longer than this are shortened to it."""
    discount: float = 1.0
    """Worth to the critic of a reward one step later; less than 1 prefers short episodes."""
    decay: float = 0.95
    """λ of generalised advantages: 0 trusts the critic, 1 the returns."""
    clip: float = 0.2
    """Ratios of probabilities outside 1 ± this give no gradient away from 1."""
    entropy_weight: float = 0.02
    """Worth of a nat of entropy beside the policy's advantage."""
    value_weight: float = 0.5
    """Weight of the critic's loss beside the policy loss."""
    kl_weight: float = 0.0
    """Weight of the Kullback-Leibler divergence from the policy to a frozen reference, for fine-tuning."""
    average_decay: float = 0.0
    """Decay per update of the moving average of the weights, 0 for the weights themselves."""

    def __post_init__(self):
        if self.baseline not in get_args(Baseline):
            raise SettingError(f"baseline must be one of {', '.join(get_args(Baseline))}, got {self.baseline!r}")
        at_least(1, self, "num_epochs", "num_minibatches")
        at_least(0, self, "learning_rate", "max_gradient_norm", "discount", "decay", "clip", "entropy_weight")
        at_least(0, self, "value_weight", "kl_weight", "average_decay")
        for name in ("discount", "decay"):
            if getattr(self, name) > 1:
                raise SettingError(f"{name} must be at most 1, got {getattr(self, name)}")
        if self.average_decay >= 1:
            raise SettingError(f"average_decay must be less than 1, got {self.average_decay}")


class Sample(NamedTuple):
    """What an update learns from: T steps of B places."""

    rollout: Rollout
    advantage: jax.Array  # float32 [T, B]
    target: jax.Array  # float32 [T, B]: what the value should have been
    weight: jax.Array  # float32 [T, B]: 0 for steps to leave out
    reference: jax.Array  # float32 [T, B, actions]: log probabilities of the reference; [T, B, 0] without one


def make_optimizer(config: PolicyGradientConfig, total_updates: int) -> optax.GradientTransformation:
    """Adam behind gradient clipping, its rate falling linearly to a tenth."""
    schedule = optax.linear_schedule(config.learning_rate, 0.1 * config.learning_rate, max(total_updates, 1))
    return optax.chain(optax.clip_by_global_norm(config.max_gradient_norm), optax.adam(schedule, eps=1e-5))


def prepare(
    config: PolicyGradientConfig,
    policy: Policy,
    rollout: Rollout,
    group: jax.Array | None = None,
    num_groups: int = 0,
    reference: Weights | None = None,
    axis: str | None = None,
) -> Sample:
    """Advantages and targets of a rollout, and what a frozen reference would have done.

    Args:
      group: int32 `[T, B]`: which instance a step's episode is of, less than `num_groups`; for the baseline `group`.
      reference: weights that `kl_weight` keeps the policy near to.
      axis: name of the pmap axis whose devices share the batch; tries of an instance may be spread over them.
    """
    discount = config.discount * rollout.discount
    if config.baseline == "critic":
        advantage = advantages.generalised(rollout.reward, discount, rollout.value, rollout.last_value, config.decay)
        target, weight = advantage + rollout.value, jnp.ones_like(advantage)
    else:
        target, has_ended = advantages.episode_returns(rollout.reward, rollout.discount)
        if config.baseline == "group":
            if group is None or num_groups < 1:
                raise ValueError("the baseline group needs to be told the group of every step, got none")
        else:
            group, num_groups = jnp.zeros(target.shape, jnp.int32), 1
        is_last = rollout.discount == 0
        advantage = advantages.relative(target, has_ended, is_last, group, num_groups, axis)
        weight = has_ended.astype(jnp.float32)
    if reference is None:
        log_reference = jnp.zeros((*rollout.action.shape, 0))
    else:
        logits, _ = policy.unroll(reference, rollout.observation, rollout.is_first)
        log_reference = jax.nn.log_softmax(mask_illegal(logits, rollout.legal))
    return Sample(rollout, advantage, target, weight, log_reference)


def loss(
    config: PolicyGradientConfig, policy: Policy, weights: Weights, sample: Sample, axis: str | None = None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The clipped surrogate (Schulman et al. 2017, arXiv 1707.06347, equation 9), and scalars.

    The value's error is a mean over steps, all else one over choices: steps with more than one legal action. Where
    nothing can be chosen there is nothing to learn for the policy, and many such steps would drown the others.

    Args:
      axis: name of the pmap axis whose devices share the batch; means are over all of them, and so is the
        normalisation of the critic's advantages. Those of returns are relative already, and of mean 0 over episodes.
    """
    rollout = sample.rollout
    logits, values = policy.unroll(weights, rollout.observation, rollout.is_first)
    log_policy = jax.nn.log_softmax(mask_illegal(logits, rollout.legal))
    log_prob = jnp.take_along_axis(log_policy, rollout.action[..., None], axis=-1)[..., 0]
    value_loss = jnp.sum(_share(sample.weight, axis) * jnp.square(values - sample.target)) / 2
    share = _share(jnp.where(jnp.sum(rollout.legal, axis=-1) > 1, sample.weight, 0.0), axis)
    is_critic = config.baseline == "critic"
    advantage = _normalised(sample.advantage, share, axis) if is_critic else sample.advantage
    change = log_prob - rollout.log_prob
    ratio = jnp.exp(change)
    clipped = jnp.clip(ratio, 1 - config.clip, 1 + config.clip)
    policy_loss = -jnp.sum(share * jnp.minimum(ratio * advantage, clipped * advantage))
    probability = jnp.exp(log_policy)
    entropy = -jnp.sum(share * jnp.sum(jnp.where(rollout.legal, probability * log_policy, 0.0), axis=-1))
    scalars = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
    total = policy_loss - config.entropy_weight * entropy
    if is_critic:
        total = total + config.value_weight * value_loss
    if sample.reference.shape[-1]:
        gap = jnp.where(rollout.legal, probability * (log_policy - sample.reference), 0.0)
        scalars["reference_kl"] = jnp.sum(share * jnp.sum(gap, axis=-1))
        total = total + config.kl_weight * scalars["reference_kl"]
    scalars["clipped"] = jnp.sum(share * (jnp.abs(ratio - 1) > config.clip))
    scalars["policy_change"] = jnp.sum(share * (ratio - 1 - change))  # estimates the divergence from the old
    return total, scalars


def learn(
    config: PolicyGradientConfig,
    policy: Policy,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    sample: Sample,
    key: jax.Array,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """All updates that a rollout is good for.

    Args:
      sample: of this device, with a number of places that `num_minibatches` divides.

    Returns: the state after them, and the means of their scalars.
    """
    num = sample.advantage.shape[1]
    if num % config.num_minibatches:
        raise SettingError(f"num_minibatches must divide the {num} places of a rollout, got {config.num_minibatches}")

    def update(state: TrainState, places: jax.Array):
        part = jax.tree.map(lambda x: x[:, places], sample._replace(rollout=sample.rollout._replace(last_value=())))
        of_part = functools.partial(loss, config, policy, sample=part, axis=axis)
        return learner.descend(optimizer, state, of_part, config.average_decay, axis)

    def epoch(state: TrainState, key: jax.Array):
        places = jax.random.permutation(key, num).reshape(config.num_minibatches, -1)
        return jax.lax.scan(update, state, places)

    state, scalars = jax.lax.scan(epoch, state, jax.random.split(key, config.num_epochs))
    return state, jax.tree.map(jnp.mean, scalars)


def _share(weight: jax.Array, axis: str | None) -> jax.Array:
    """Of each step, so that the sum over a device's steps of share times x, averaged over devices, is the mean of x."""
    return weight / jnp.maximum(learner.mean_over(axis, jnp.sum(weight)), 1e-6)


def _normalised(advantage: jax.Array, share: jax.Array, axis: str | None) -> jax.Array:
    """With mean 0 and variance 1 over the steps that count, on all devices."""

    def mean(x):
        return learner.mean_over(axis, jnp.sum(share * x))

    centred = advantage - mean(advantage)
    return centred * jax.lax.rsqrt(mean(centred**2) + 1e-8)
