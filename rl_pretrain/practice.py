"""One iteration of practice: a teacher deals instances, the pupil tries them and learns, the teacher hears how it went.

`curricula.course` makes teachers for the tasks there; any other that keeps to the contract will do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from rl_pretrain import learner, policy_gradient, replay, rollout, selfplay
from rl_pretrain.learner import LearnConfig, TrainState, Weights
from rl_pretrain.networks.policy import Policy
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import Games, SelfplayConfig
from rl_pretrain.settings import SettingError

Rows = Any
"""Instances, numbered from 0: an environment of the contract whose episodes know their `row`, with `at(row)`,
`renew(episode, stride)` and `is_solved(episode)`."""
Scalars = dict[str, jax.Array]


class Teacher(Protocol):
    """Chooses what to practise next. What it knows is a pytree whose shapes never change."""

    def init(self) -> Any:
        """What it knows before any episode."""
        ...

    def deal(self, state: Any, key: jax.Array) -> Rows:
        """New instances."""
        ...

    def report(
        self,
        state: Any,
        rows: Rows,
        row: jax.Array,
        is_over: jax.Array,
        is_solved: jax.Array,
        advantage: jax.Array | None,
        axis: str | None,
    ) -> Any:
        """What it knows after a rollout: arrays `[T, B]`, of each step; `axis` as for `by_reward`."""
        ...


class Pupil(NamedTuple):
    """What practice changes."""

    train: TrainState
    lessons: Any  # what the teacher knows


def by_reward(
    config: PolicyGradientConfig,
    policy: Policy,
    optimizer: optax.GradientTransformation,
    teacher: Teacher,
    num_places: int,
    num_steps: int,
    pupil: Pupil,
    key: jax.Array,
    world: Callable[[Rows], Any] = lambda rows: rows,
    reference: Weights | None = None,
    group: int = 1,
    axis: str | None = None,
) -> tuple[Pupil, Scalars]:
    """Plays a rollout by the policy alone and learns from it by policy gradients.

    Args:
      num_places: episodes side by side, on this device; num_steps: of a rollout.
      world: what the pupil sees of the rows: the rows themselves, or a wrapper with the same functions.
      reference: weights that `config.kl_weight` keeps the policy near to.
      group: so many rows in a row are the same instance, for the baseline `group`.
      axis: name of the pmap axis whose devices practise together, each on rows of its own.

    Returns: the pupil after, and scalars, `success` over the episodes that ended among them.
    """
    deal_key, play_key, learn_key = _keys(key, axis)
    rows = teacher.deal(pupil.lessons, deal_key)
    rest = play_key, learn_key, world, reference, group, axis
    return on_rows(config, policy, optimizer, teacher, rows, num_places, num_steps, pupil, *rest)


def on_rows(
    config: PolicyGradientConfig,
    policy: Policy,
    optimizer: optax.GradientTransformation,
    teacher: Teacher,
    rows: Rows,
    num_places: int,
    num_steps: int,
    pupil: Pupil,
    play_key: jax.Array,
    learn_key: jax.Array,
    world: Callable[[Rows], Any] = lambda rows: rows,
    reference: Weights | None = None,
    group: int = 1,
    axis: str | None = None,
) -> tuple[Pupil, Scalars]:
    """`by_reward` on rows that were dealt already: a program that is the same for all tasks of one size."""
    env = world(rows)
    played = rollout.play(
        env,
        policy,
        pupil.train.params,
        play_key,
        jax.vmap(env.at)(jnp.arange(num_places)),
        num_steps,
        renew=lambda episode: env.renew(episode, stride=num_places),
        note=lambda episode: (episode.row, env.is_solved(episode)),
    )
    (row, is_solved), is_over = played.note, played.discount == 0
    shared = None if config.baseline == "group" else axis  # tries of an instance are all on one device
    groups = (row // group, rows.num_rows // group)
    sample = policy_gradient.prepare(config, policy, played, *groups, reference, shared)
    train, scalars = policy_gradient.learn(config, policy, optimizer, pupil.train, sample, learn_key, axis)
    lessons = teacher.report(pupil.lessons, rows, row, is_over, is_solved, sample.advantage, axis)
    return Pupil(train, lessons), scalars | _success(is_over, is_solved, axis)


def by_search(
    search_config: SearchConfig,
    config: LearnConfig,
    policy: Policy,
    optimizer: optax.GradientTransformation,
    teacher: Teacher,
    num_places: int,
    num_steps: int,
    pupil: Pupil,
    key: jax.Array,
    axis: str | None = None,
) -> tuple[Pupil, Scalars]:
    """Plays by Gumbel search and learns what it found, as in Go; with one player discounts are 1 instead of -1.

    Args:
      config: `batch_size` of one device; every step is learnt from `reuse` times on average.
      policy: of a network that sees the present only.
      num_places, num_steps, axis: as for `by_reward`.
    """
    deal_key, play_key, learn_key = _keys(key, axis)
    rows = teacher.deal(pupil.lessons, deal_key)

    def predict(observations):
        return policy.step(pupil.train.average, (), observations, jnp.ones(len(observations), bool))[1]

    episodes = jax.vmap(rows.at)(jnp.arange(num_places))
    _, seen = selfplay.play(
        rows,
        predict,
        search_config,
        SelfplayConfig(num_places, num_steps, num_steps, num_sampled_moves=0),
        play_key,
        Games(episodes, jnp.zeros(num_places, jnp.int32)),
        note=lambda episode: (episode.row, rows.is_solved(episode)),
    )
    memory = replay.remember(replay.empty(seen, num_steps), seen)

    def apply(weights, observations):
        return policy.step(weights, (), observations, jnp.ones(len(observations), bool))[1]

    def update(state: TrainState, key: jax.Array):
        return learner.update(apply, optimizer, config, state, replay.sample(memory, key, config.batch_size), axis)

    num_updates = updates_by_search(config, num_places * num_steps)
    train, scalars = jax.lax.scan(update, pupil.train, jax.random.split(learn_key, num_updates))
    (row, is_solved), is_over = seen.note, seen.discount == 0
    lessons = teacher.report(pupil.lessons, rows, row, is_over, is_solved, None, axis)
    return Pupil(train, lessons), jax.tree.map(jnp.mean, scalars) | _success(is_over, is_solved, axis)


def updates_by_search(config: LearnConfig, num_steps: int) -> int:
    """How many updates `by_search` makes of so many steps in all places."""
    if config.batch_size > num_steps:
        raise SettingError(f"batch_size must be at most the {num_steps} steps of a rollout, got {config.batch_size}")
    return max(1, round(config.reuse * num_steps / config.batch_size))


def _keys(key: jax.Array, axis: str | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """To deal, to play, to learn; of each device its own."""
    if axis is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(axis))
    deal, play, learn = jax.random.split(key, 3)
    return deal, play, learn


def _success(is_over: jax.Array, is_solved: jax.Array, axis: str | None) -> Scalars:
    solved, episodes = jnp.sum(is_over & is_solved), jnp.sum(is_over)
    if axis is not None:
        solved, episodes = jax.lax.psum((solved, episodes), axis)
    return {"success": solved / jnp.maximum(episodes, 1), "episodes": episodes.astype(jnp.float32)}
