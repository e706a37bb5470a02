"""How strong: matches in pairs, both colours from the same opening, with an interval around the score."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rl_pretrain import processes
from rl_pretrain.environment import Environment, Predict, State
from rl_pretrain.search import SearchConfig, evaluate, search
from rl_pretrain.settings import at_least

Player = Callable[[jax.Array, State], jax.Array]
"""A key and a batch of states → int32 `[batch]` actions."""


@dataclasses.dataclass(frozen=True)
class MatchConfig:
    """How to measure strength."""

    num_pairs: int = 64
    """Openings; each is played twice, with sides swapped."""
    opening_moves: int = 4
    """Random moves that make an opening."""
    num_simulations: int = 32
    """Search of both players."""

    def __post_init__(self):
        at_least(1, self, "num_pairs", "num_simulations")
        at_least(0, self, "opening_moves")


class Match(NamedTuple):
    """What a match of pairs brought. Of the two games of a pair the first player begins the one at index 0."""

    openings: State  # [pairs, ...]
    scores: jax.Array  # float32 [2, pairs]: 1, ½ or 0 for the first player
    actions: jax.Array  # int32 [moves, 2, pairs]; what follows the end of a game means nothing
    lengths: jax.Array  # int32 [2, pairs]: moves from the opening to the end


class Score(NamedTuple):
    """A mean score with its interval."""

    mean: float
    low: float
    high: float
    num_games: int
    num_distinct: int

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def searcher(env: Environment, predict: Predict, config: SearchConfig) -> Player:
    """A player that searches."""
    return lambda key, states: search(env, predict, config, key, states).action


def raw_policy(env: Environment, predict: Predict) -> Player:
    """A player that takes the network's likeliest legal action without search."""
    return lambda key, states: jnp.argmax(evaluate(env, predict, states)[0], axis=-1).astype(jnp.int32)


def random_player(env: Environment) -> Player:
    """A player that takes any legal action."""

    def act(key, states):
        legal = jax.vmap(env.legal_actions)(states)
        return jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)).astype(jnp.int32)

    return act


def random_openings(env: Environment, key: jax.Array, num_pairs: int, num_moves: int) -> State:
    """`[pairs, ...]` states after as many random moves: variety that players without chance need."""
    keys, choose = jax.random.split(key, num_moves + 1), random_player(env)

    def move(states: State, key: jax.Array) -> tuple[State, None]:
        return jax.vmap(env.step)(states, choose(key, states)), None

    return jax.lax.scan(move, jax.vmap(env.init)(jax.random.split(keys[0], num_pairs)), keys[1:])[0]


def play_match(
    env: Environment, first: Player, second: Player, openings: State, key: jax.Array, max_moves: int
) -> Match:
    """Plays two games from every opening, in which the players swap sides. For worlds of two players.

    At any time the first player is to move in one game of each pair and the second in the other, so every ply asks
    each player once, about half of the games.

    Args:
      openings: `[pairs, ...]`, all with the same player to move.
      max_moves: no game lasts longer than this after its opening.
    """
    num_pairs = len(openings.discount)

    def in_order(t, x, y):  # what belongs to the games begun by the first player, then the others
        return jnp.where(t % 2 == 0, jnp.stack([x, y]), jnp.stack([y, x]))

    def ply(carry: _Carry) -> _Carry:
        t, mine, theirs = carry.ply, carry.first_to_move, carry.second_to_move
        first_key, second_key = jax.random.split(jax.random.fold_in(key, t))
        a, b = first(first_key, mine.states), second(second_key, theirs.states)
        record = carry.actions.at[t].set(in_order(t, a, b))
        return _Carry(t + 1, _after(env, theirs, b, -1.0), _after(env, mine, a, 1.0), record)

    def is_running(carry: _Carry) -> jax.Array:
        alive = [jnp.any(half.states.discount != 0) for half in (carry.first_to_move, carry.second_to_move)]
        return (carry.ply < max_moves) & (alive[0] | alive[1])

    half = _Half(openings, jnp.zeros(num_pairs), jnp.zeros(num_pairs, jnp.int32))
    record = jnp.zeros((max_moves, 2, num_pairs), jnp.int32)
    end = jax.lax.while_loop(is_running, ply, _Carry(jnp.int32(0), half, half, record))
    results = in_order(end.ply, end.first_to_move.result, end.second_to_move.result)
    lengths = in_order(end.ply, end.first_to_move.length, end.second_to_move.length)
    return Match(openings, (results + 1) / 2, end.actions, lengths)


class _Half(NamedTuple):
    """One game of each pair."""

    states: State  # [pairs, ...]
    result: jax.Array  # float32 [pairs]: what the first player has won so far
    length: jax.Array  # int32 [pairs]


class _Carry(NamedTuple):
    ply: jax.Array
    first_to_move: _Half
    second_to_move: _Half
    actions: jax.Array


def _after(env: Environment, half: _Half, actions: jax.Array, sign: float) -> _Half:
    states = jax.vmap(env.step)(half.states, actions)
    return _Half(states, half.result + sign * states.reward, half.length + (half.states.discount != 0))


def gather(matches: Match) -> Match:
    """Puts together what devices played: leaves `[devices, ...]` → one match with all their pairs, on the host.

    Of several processes all must call it, and get the same.
    """
    matches = processes.whole(matches)

    def join(x: Any, pairs_axis: int) -> Any:
        return np.concatenate(list(x), axis=pairs_axis)

    return Match(
        openings=jax.tree.map(lambda x: join(x, 0), matches.openings),
        scores=join(matches.scores, 1),
        actions=join(matches.actions, 2),
        lengths=join(matches.lengths, 1),
    )


def score(*matches: Match) -> Score:
    """The first player's mean score over all games of the matches, with a 95 % interval.

    The pair is the unit: its two games share an opening. A pair's mean lies in [0, 1], so its variance is at most
    that of a coin, and Wilson's interval (1927) for as many coins as pairs is safe, at 0 and 1 too.
    """
    pairs = np.concatenate([np.asarray(match.scores, np.float64).mean(axis=0) for match in matches])
    mean = float(pairs.mean())
    low, high = wilson(mean, len(pairs))
    num_distinct = len({record for match in matches for record in _records(match)})
    return Score(mean, low, high, 2 * len(pairs), num_distinct)


def _records(match: Match) -> list[tuple[bytes, ...]]:
    """Every game as its opening and its actions: players without chance may repeat themselves."""
    openings, actions, lengths = jax.device_get((jax.tree.leaves(match.openings), match.actions, match.lengths))
    return [
        (*(leaf[pair].tobytes() for leaf in openings), actions[: lengths[game, pair], game, pair].tobytes())
        for game in (0, 1)
        for pair in range(lengths.shape[1])
    ]


def wilson(mean: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a mean of `n` values in [0, 1]."""
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    margin = z / (1 + z**2 / n) * math.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2))
    return max(0.0, centre - margin), min(1.0, centre + margin)
