"""Self-play: a batch of episodes that live on from one call to the next."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rl_pretrain.environment import Environment, Predict, State
from rl_pretrain.search import Found, SearchConfig, search
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
    random_share: float = 0.0
    """Share of those first moves that are any legal ones instead, for more variety."""
    full_share: float = 1.0
    """Share of steps at which games are searched in full. At the others all are searched briefly, which makes more
    games for the same time, and their policies are not learnt from (playout cap randomisation, KataGo, 1902.10565,
    section 3.1; there each game draws for itself, here all together, since a batch takes as long as its longest)."""
    brief_simulations: int = 4
    """Of a brief search, which has no noise at the root."""
    reanalysed_steps: int = 0
    """Earlier moves of each game that are searched anew with each iteration's network, to learn from the better policy
    (MuZero Reanalyse, Schrittwieser et al., Nature 2020). The replay then keeps the states, too, which makes it about
    three times as large in 9×9 Go with superko."""

    def __post_init__(self):
        at_least(1, self, "num_games", "num_steps", "replay_steps", "brief_simulations")
        at_least(0, self, "num_sampled_moves", "random_share", "full_share", "reanalysed_steps")
        if self.random_share > 1 or not 0 < self.full_share <= 1:
            raise SettingError(
                f"random_share must be at most 1, full_share more than 0 and at most 1, got {self.random_share} and "
                f"{self.full_share}"
            )
        if self.random_share and not self.num_sampled_moves:
            raise SettingError("random_share needs num_sampled_moves: the moves that it is a share of")
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
    is_full: jax.Array  # bool [time, games]: whether search was full, and its policy worth learning
    search_value: jax.Array  # float32 [time, games], from search
    action: jax.Array  # int32 [time, games]
    age: jax.Array  # int32 [time, games]: steps of the episode before this one
    reward: jax.Array  # float32 [time, games], to the player who took the action
    discount: jax.Array  # float32 [time, games], after the action: the environment's times the search's
    note: Any = ()  # [time, games, ...]: whatever `note` gave of the state after the action
    ending: jax.Array | None = None  # float32 [time, games, things]: what `ending` gave; says something at an end
    state: Any = None  # [time, games, ...]: before the action, if it is kept


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
    ending: Callable[[Any], jax.Array | None] = lambda state: None,
) -> tuple[Games, Trajectory]:
    """Moves every game `config.num_steps` times; a finished one makes room for a new one at once.

    Args:
      note: of one state after a move: what to keep of it.
      ending: of one finished state: how it ended in detail, to the player who has just moved; see `targets.endings`.
    """

    def move(games: Games, key: jax.Array):
        search_key, sample_key, init_key = jax.random.split(key, 3)
        legal = jax.vmap(env.legal_actions)(games.states)
        found, is_full = _find(env, predict, search_config, config, search_key, games.states)
        sampled = _sample(config, sample_key, found.visits, legal)
        action = jnp.where(games.age < config.num_sampled_moves, sampled, found.action)
        states = jax.vmap(env.step)(games.states, action)
        seen = Trajectory(
            observation=jax.vmap(env.observe)(games.states),
            legal=legal,
            policy=found.policy,
            is_full=jnp.broadcast_to(is_full, action.shape),
            search_value=found.value,
            action=action,
            age=games.age,
            reward=states.reward,
            discount=search_config.discount * states.discount,
            note=jax.vmap(note)(states),
            ending=jax.vmap(ending)(states),
            state=games.states if config.reanalysed_steps else None,
        )
        return _renew(env, init_key, Games(states, games.age + 1)), seen

    return jax.lax.scan(move, games, jax.random.split(key, config.num_steps))


def _find(
    env: Environment, predict: Predict, search_config: SearchConfig, config: SelfplayConfig, key: jax.Array, states: Any
) -> tuple[Found, jax.Array]:
    """Search, full or brief for all games alike, and which of the two it was: bool `[]`."""
    full = functools.partial(search, env, predict, search_config)
    if config.full_share == 1:
        return full(key, states), jnp.bool_(True)
    brief_config = dataclasses.replace(search_config, num_simulations=config.brief_simulations, gumbel_scale=0.0)
    brief = functools.partial(search, env, predict, brief_config)
    search_key, choice_key = jax.random.split(key)
    is_full = jax.random.bernoulli(choice_key, config.full_share)
    return jax.lax.cond(is_full, full, brief, search_key, states), is_full


def _sample(config: SelfplayConfig, key: jax.Array, visits: jax.Array, legal: jax.Array) -> jax.Array:
    """An action of each game, int32 `[games]`, in proportion to its visits, or at times any legal one."""
    shares = visits
    if config.random_share:
        key, choice_key = jax.random.split(key)
        is_random = jax.random.bernoulli(choice_key, config.random_share, (len(legal), 1))
        shares = jnp.where(is_random, legal.astype(jnp.float32), visits)
    return jax.random.categorical(key, jnp.log(shares)).astype(jnp.int32)


def _renew(env: Environment, key: jax.Array, games: Games) -> Games:
    """Puts fresh episodes in the place of finished ones."""
    is_over = games.states.discount == 0
    fresh = start(env, key, len(games.age))

    def select(new, old):
        return jnp.where(is_over.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return jax.tree.map(select, fresh, games)
