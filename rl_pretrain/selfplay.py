"""Self-play: a batch of episodes that live on from one call to the next."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rl_pretrain.environment import Environment, Predict, State
from rl_pretrain.search import SearchConfig, search
from rl_pretrain.settings import SettingError, at_least


@dataclasses.dataclass(frozen=True)
class SelfplayConfig:
    """How much to play between updates, and how play explores. Totals are over all devices."""

    num_games: int = 2048
    """Games under way at any time."""
    num_steps: int = 32
    """Moves of each game per iteration."""
    replay_steps: int = 512
    """Moves of each game that are kept to learn from; a multiple of num_steps."""
    num_sampled_moves: int = 12
    """First moves of a game that are drawn in proportion to the visits, for variety; later the best is played."""

    def __post_init__(self):
        at_least(1, self, "num_games", "num_steps", "replay_steps")
        at_least(0, self, "num_sampled_moves")
        if self.replay_steps % self.num_steps:
            raise SettingError(
                f"replay_steps must be a multiple of the {self.num_steps} num_steps, got {self.replay_steps}"
            )


class Games(NamedTuple):
    """Episodes under way."""

    states: State  # [games, ...]
    age: jax.Array  # int32 [games]: steps since the episode began


class Trajectory(NamedTuple):
    """What happened, step by step. Episodes follow one another along time, each ends where discount is 0."""

    observation: jax.Array  # [time, games, ...], before the action
    legal: jax.Array  # bool [time, games, actions]
    policy: jax.Array  # float32 [time, games, actions], from search
    search_value: jax.Array  # float32 [time, games], from search
    action: jax.Array  # int32 [time, games]
    age: jax.Array  # int32 [time, games]: steps of the episode before this one
    reward: jax.Array  # float32 [time, games], to the player who took the action
    discount: jax.Array  # float32 [time, games], as the environment's after the action
    note: Any = ()  # [time, games, ...]: whatever `note` gave of the state after the action


def start(env: Environment, key: jax.Array, num_games: int) -> Games:
    """Fresh episodes."""
    return Games(jax.vmap(env.init)(jax.random.split(key, num_games)), jnp.zeros(num_games, jnp.int32))


def play(
    env: Environment,
    predict: Predict,
    search_config: SearchConfig,
    config: SelfplayConfig,
    key: jax.Array,
    games: Games,
    note: Callable[[Any], Any] = lambda state: (),
) -> tuple[Games, Trajectory]:
    """Moves every game `config.num_steps` times; a finished one makes room for a new one at once.

    Args:
      note: of one state after a move: what to keep of it.
    """

    def move(games: Games, key: jax.Array):
        search_key, sample_key, init_key = jax.random.split(key, 3)
        found = search(env, predict, search_config, search_key, games.states)
        sampled = jax.random.categorical(sample_key, jnp.log(found.visits)).astype(jnp.int32)
        action = jnp.where(games.age < config.num_sampled_moves, sampled, found.action)
        states = jax.vmap(env.step)(games.states, action)
        seen = Trajectory(
            observation=jax.vmap(env.observe)(games.states),
            legal=jax.vmap(env.legal_actions)(games.states),
            policy=found.policy,
            search_value=found.value,
            action=action,
            age=games.age,
            reward=states.reward,
            discount=states.discount,
            note=jax.vmap(note)(states),
        )
        return _renew(env, init_key, Games(states, games.age + 1)), seen

    return jax.lax.scan(move, games, jax.random.split(key, config.num_steps))


def _renew(env: Environment, key: jax.Array, games: Games) -> Games:
    """Puts fresh episodes in the place of finished ones."""
    is_over = games.states.discount == 0
    fresh = start(env, key, len(games.age))

    def select(new, old):
        return jnp.where(is_over.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return jax.tree.map(select, fresh, games)
