"""Random play agrees ply by ply with a slow plain-Python Go: all sizes 2-9 and 19, every ko rule."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
import oracle_go
import pytest
import random_go

from go_env import Go

KO_RULES = ("positional_superko", "situational_superko", "simple")

NUM_GAMES = {2: 24, 3: 24, 4: 16, 5: 8, 6: 6, 7: 5, 8: 4, 9: 4, 19: 1}
MAX_MOVES = {2: 60, 3: 80, 4: 90, 5: 110, 19: 440}  # beyond the default on small boards, where superko then decides


class Record(NamedTuple):
    """What `Go` says after each ply: `[games, plies, ...]`."""

    legal: jax.Array
    stones: jax.Array
    area: jax.Array
    score: jax.Array
    reward: jax.Array
    discount: jax.Array
    to_play: jax.Array
    ply: jax.Array


def random_games(go: Go, num_games: int, num_plies: int, seed: int) -> tuple[np.ndarray, Record]:
    """The actions `[games, plies]`, and what was seen."""

    def see(state):
        return Record(
            legal=go.legal_actions(state),
            stones=go.stones(state),
            area=go.area(state),
            score=go.score(state),
            reward=state.reward,
            discount=state.discount,
            to_play=state.to_play,
            ply=state.ply,
        )

    games = jax.vmap(lambda key: random_go.play(go, key, go.init(), num_plies, see)[1:])
    # Compiling takes nearly all the time of these tests, so it is done in a hurry.
    games = jax.jit(games, compiler_options={"xla_backend_optimization_level": 0})
    return jax.tree.map(np.asarray, games(jax.random.split(jax.random.key(seed), num_games)))


class Met(NamedTuple):
    """How often the games met what the rules differ in."""

    ko_points: int  # points forbidden by the ko rule alone
    rules_differ: dict[str, int]  # positions of small boards in which this ko rule, unbounded, forbids other points


def compare(size: int, ko: str, memory: int | None = None) -> Met:
    """Replays random games in the oracle ply by ply."""
    komi = 0.5 * size  # whole for even sizes, so that draws occur
    go = Go(size, komi=komi, ko=ko, max_moves=MAX_MOVES.get(size), memory=memory)
    num_plies = go.move_limit + 2
    actions, record = random_games(go, NUM_GAMES[size], num_plies, seed=size)
    met = Met(0, dict.fromkeys(KO_RULES, 0))
    for i in range(NUM_GAMES[size]):
        game = oracle_go.Game.start(size, komi, ko, go.move_limit, memory)
        for t in range(num_plies):
            was_over = game.is_over
            game = game.play(int(actions[i, t]))
            assert_equal(game, Record(*(x[i, t] for x in record)), f"size {size}, {ko}, game {i}, ply {t + 1}")
            if was_over:
                break
            met = count_ko(met, game)
    return met


def count_ko(met: Met, game: oracle_go.Game) -> Met:
    if game.is_over:
        return met
    differ = met.rules_differ
    if game.size <= 3:
        others = {ko: dataclasses.replace(game, ko=ko, memory=None) for ko in KO_RULES}
        differ = {ko: differ[ko] + (other.ko_points != game.ko_points) for ko, other in others.items()}
    return Met(met.ko_points + len(game.ko_points), differ)


def assert_equal(game: oracle_go.Game, ours: Record, where: str):
    assert tuple(ours.stones.ravel()) == game.board, f"stones: {where}"
    assert ours.legal.tolist() == game.legal_actions(), f"legal actions: {where}"
    assert tuple(ours.area.ravel()) == game.area, f"area: {where}"
    assert ours.score == game.score, f"score: {where}"
    assert ours.reward == game.reward, f"reward: {where}"
    assert ours.discount == (0.0 if game.is_over else -1.0), f"discount: {where}"
    assert ours.to_play == game.to_play, f"to_play: {where}"
    assert ours.ply == game.ply, f"ply: {where}"


@pytest.mark.parametrize(
    ("size", "ko"),
    [
        pytest.param(size, ko, marks=pytest.mark.slow if size > 3 and (size not in (5, 9) or ko != KO_RULES[0]) else ())
        for size in NUM_GAMES
        for ko in KO_RULES
    ],
)
def test_random_play_agrees_with_plain_python_at_every_ply(size, ko):
    met = compare(size, ko)
    if size <= 5:
        is_ko_possible = (size, ko) != (2, "simple")  # on 2×2 nothing can be taken back at once
        assert (met.ko_points > 0) == is_ko_possible, "did the games meet the ko rule?"
    if size <= 3:
        assert all(met.rules_differ[other] > 0 for other in KO_RULES if other != ko), f"nothing told rules apart: {met}"


@pytest.mark.parametrize("memory", [1, pytest.param(4, marks=pytest.mark.slow), 7])
@pytest.mark.parametrize("ko", ["positional_superko", pytest.param("situational_superko", marks=pytest.mark.slow)])
def test_memory_bounds_how_many_plies_superko_looks_back(ko, memory):
    met = compare(3, ko, memory)
    assert met.ko_points > 0 and met.rules_differ[ko] > 0, "did the bounded rule forbid anything, and too little?"
