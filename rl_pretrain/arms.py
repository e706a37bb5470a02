"""Ways to learn: from reward, from demonstrations, from one and then the other, with as many tokens for each.

An arm may first imitate and then practise. An iteration of either learns from as many tokens, so that arms with as many
iterations have one budget; what else they cost is counted in `Cost`. All seeds are trained side by side.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rl_pretrain import learner, ledger, policy_gradient, practice, supervised
from rl_pretrain.devices import AXIS
from rl_pretrain.learner import LearnConfig, TrainState, Weights
from rl_pretrain.networks.policy import Policy
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.practice import Pupil, Scalars, Teacher
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError, at_least
from rl_pretrain.supervised import Demonstration, SupervisedConfig


@dataclasses.dataclass(frozen=True)
class Arm:
    """What is learnt from.

    Attributes:
      imitates: whether it learns from demonstrations first.
      practises: what it learns from after them: reward alone, the search of a network that sees the present only, or
        nothing.
      kl_weight: how strongly practice is held near what imitation came to.
    """

    imitates: bool = False
    practises: Literal["reward", "search"] | None = None
    kl_weight: float = 0.0


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much of what, for each seed, over all devices.

    Attributes:
      iterations: of the arm; one that imitates and practises has half of them for each.
      num_places: episodes side by side; num_steps: of a rollout.
      demonstration_steps: of the arrays of demonstrations; how many an update takes follows from it.
      group: rows in a row that are the same instance, for the baseline `group`.
      learn, imitate, search, learn_from_search: how. The batch size of `imitate` is not used.
    """

    iterations: int
    num_places: int
    num_steps: int
    demonstration_steps: int = 1
    group: int = 1
    learn: PolicyGradientConfig = PolicyGradientConfig()
    imitate: SupervisedConfig = SupervisedConfig()
    search: SearchConfig = SearchConfig()
    learn_from_search: LearnConfig = LearnConfig()

    def __post_init__(self):
        at_least(1, self, "iterations", "num_places", "num_steps", "demonstration_steps", "group")

    @property
    def tokens(self) -> int:
        """That an iteration learns from, counted as often as they are gone through."""
        return self.num_places * self.num_steps * self.learn.num_epochs

    @property
    def num_updates(self) -> int:
        """Of an iteration of imitation, or of practice by reward."""
        return self.learn.num_epochs * self.learn.num_minibatches

    @property
    def num_demonstrations(self) -> int:
        """Of an update."""
        return max(1, round(self.tokens / (self.num_updates * self.demonstration_steps)))

    def num_imitations(self, arm: Arm) -> int:
        """How many iterations of an arm come before practice."""
        return (self.iterations // 2 if arm.practises else self.iterations) if arm.imitates else 0


class Everything(NamedTuple):
    """All that training goes on from; what a checkpoint holds. Arrays are `[seeds, ...]`; () where there is none."""

    imitator: TrainState | tuple[()]  # what learns from demonstrations
    pupil: Pupil | tuple[()]  # what learns from practice
    reference: Weights | tuple[()]  # to stay near to: the weights at the end of imitation


class Cost(NamedTuple):
    """What training costs a seed."""

    tokens: int  # learnt from
    steps: int  # played
    flops: float  # of products, rollouts included


class Training(NamedTuple):
    """An arm, ready to go; all seeds at once."""

    begin: Callable[[Weights], Everything]
    """weights `[seeds, ...]` → everything before the first iteration."""
    improve: Callable[[Everything, int, jax.Array], tuple[Everything, Scalars]]
    """everything, number of the iteration, keys → everything after it, scalars `[seeds]`."""
    cost: Callable[[Everything, int, jax.Array], Cost]
    """everything, iterations done, keys → what they cost."""


def weights_of(everything: Everything) -> Weights:
    """What there is to show: `[seeds, ...]`."""
    best = everything.pupil.train if isinstance(everything.pupil, Pupil) else everything.imitator
    return best.params  # pyright: ignore[reportAttributeAccessIssue] (one of them learns)


def prepare(
    arm: Arm,
    budget: Budget,
    policy: Policy,
    teacher: Teacher | None = None,
    world: Callable[[Any], Any] = lambda rows: rows,
    shown: Demonstration | None = None,
    num_devices: int = 1,
) -> Training:
    """Compiles, when first called, the steps of an arm.

    Args:
      teacher: of what is practised; it deals to each device.
      world: what the pupil sees of the rows, see `practice.by_reward`.
      shown: all demonstrations.
      num_devices: that share places and demonstrations; gradients are averaged over them.

    Raises SettingError where the budget cannot be shared out.
    """
    if not arm.imitates and not arm.practises:
        raise SettingError("an arm must imitate, practise, or both")
    if (arm.practises and teacher is None) or (arm.imitates and shown is None):
        raise ValueError("practice needs a teacher, and imitation demonstrations")
    shared = {"num_places": budget.num_places}
    if arm.practises == "search":
        shared["batch_size"] = budget.learn_from_search.batch_size
    for name, number in shared.items():
        if number % num_devices:
            raise SettingError(f"{name} must be a multiple of the {num_devices} devices, got {number}")
    num_imitations, axis = budget.num_imitations(arm), AXIS if num_devices > 1 else None
    optimizers = _optimizers(arm, budget)
    imitate = _over_seeds(_imitation(budget, policy, optimizers[0], num_devices, axis), (0, None, 0), num_devices)
    practise = _practice(arm, budget, policy, optimizers[1], teacher, world, num_devices, axis)
    practise = _over_seeds(practise, 0, num_devices)

    @jax.jit
    @jax.vmap
    def begin(weights: Weights) -> Everything:
        imitator = learner.init(optimizers[0], weights) if arm.imitates else ()
        pupil = Pupil(learner.init(optimizers[1], weights), teacher.init()) if arm.practises and teacher else ()
        return Everything(imitator, pupil, weights if arm.imitates and arm.practises else ())

    @jax.jit
    @jax.vmap
    def part(everything: Everything) -> Everything:
        assert isinstance(everything.imitator, TrainState) and isinstance(everything.pupil, Pupil)
        weights = everything.imitator.params
        pupil = everything.pupil._replace(train=learner.init(optimizers[1], weights))
        return everything._replace(pupil=pupil, reference=weights)

    def improve(everything: Everything, i: int, keys: jax.Array) -> tuple[Everything, Scalars]:
        if i < num_imitations:
            return imitate(everything, shown, keys)
        if arm.imitates and i == num_imitations:
            everything = part(everything)
        return practise(everything, keys)

    def cost(everything: Everything, iterations: int, keys: jax.Array) -> Cost:
        imitated, practised, flops = min(iterations, num_imitations), max(0, iterations - num_imitations), 0.0
        if imitated:
            flops += imitated * ledger.flops(imitate, everything, shown, keys)
        if practised:
            flops += practised * ledger.flops(practise, everything, keys)
        steps = practised * budget.num_places * budget.num_steps
        return Cost(iterations * budget.tokens, steps, flops / len(keys))

    return Training(begin, improve, cost)


def _optimizers(arm: Arm, budget: Budget) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
    """Of imitation and of practice."""
    num_imitations = budget.num_imitations(arm)
    num_practices = budget.iterations - num_imitations
    imitator = supervised.make_optimizer(budget.imitate, num_imitations * budget.num_updates)
    if arm.practises != "search":
        return imitator, policy_gradient.make_optimizer(budget.learn, num_practices * budget.num_updates)
    updates = practice.updates_by_search(budget.learn_from_search, budget.num_places * budget.num_steps)
    return imitator, learner.make_optimizer(budget.learn_from_search, num_practices * updates)


def _imitation(
    budget: Budget, policy: Policy, optimizer: optax.GradientTransformation, num_devices: int, axis: str | None
) -> Callable[..., tuple[Everything, Scalars]]:
    batch_size = max(1, budget.num_demonstrations // num_devices)
    config = dataclasses.replace(budget.imitate, batch_size=batch_size)

    def imitate(everything: Everything, shown: Demonstration, key: jax.Array):
        assert isinstance(everything.imitator, TrainState)
        imitator, scalars = supervised.learn(
            config, policy, optimizer, everything.imitator, shown, budget.num_updates, key, axis
        )
        return everything._replace(imitator=imitator), scalars

    return imitate


def _practice(
    arm: Arm,
    budget: Budget,
    policy: Policy,
    optimizer: optax.GradientTransformation,
    teacher: Any,
    world: Callable[[Any], Any],
    num_devices: int,
    axis: str | None,
) -> Callable[..., tuple[Everything, Scalars]]:
    places = budget.num_places // num_devices
    batch_size = budget.learn_from_search.batch_size // num_devices
    search_config = dataclasses.replace(budget.learn_from_search, batch_size=batch_size)
    reward_config = dataclasses.replace(budget.learn, kl_weight=arm.kl_weight)

    def by_search(pupil: Pupil, key: jax.Array) -> tuple[Pupil, Scalars]:
        size = places, budget.num_steps
        return practice.by_search(budget.search, search_config, policy, optimizer, teacher, *size, pupil, key, axis)

    def by_reward(pupil: Pupil, key: jax.Array, reference: Weights | None) -> tuple[Pupil, Scalars]:
        size = places, budget.num_steps
        rest = world, reference, budget.group, axis
        return practice.by_reward(reward_config, policy, optimizer, teacher, *size, pupil, key, *rest)

    def practise(everything: Everything, key: jax.Array):
        assert isinstance(everything.pupil, Pupil)
        if arm.practises == "search":
            pupil, scalars = by_search(everything.pupil, key)
        else:
            is_held = arm.imitates and arm.kl_weight > 0
            pupil, scalars = by_reward(everything.pupil, key, everything.reference if is_held else None)
        return everything._replace(pupil=pupil), scalars

    return practise


def _over_seeds(function: Callable, in_axes: Any, num_devices: int) -> Any:
    """Of all seeds. What goes in and comes out is the same on every device."""
    mapped = jax.vmap(function, in_axes)
    if num_devices == 1:
        return jax.jit(mapped)
    devices = jax.devices()[:num_devices]

    def on_device(place: jax.Array, arguments: Any) -> Any:
        del place  # a pmap needs something that differs
        return mapped(*arguments)

    parallel = jax.pmap(on_device, AXIS, in_axes=(0, None), out_axes=None, devices=devices)
    return lambda *arguments: parallel(jnp.arange(num_devices), arguments)


def seed_keys(seed: int, num_seeds: int, i: int) -> jax.Array:
    """A key for each seed and number `i`: `[num_seeds]`; those of a seed are the same whatever others there are."""
    seeds = seed + jnp.arange(num_seeds)
    return jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), i))(seeds)
