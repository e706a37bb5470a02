"""Every plane of an observation is what its name says, judged by the plain-Python Go."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle_go
import pytest
import quick
import random_go

from go_env import Go
from go_env.observation import PLANES


def expected_planes(game: oracle_go.Game, actions: list[int], komi: float) -> dict[str, object]:
    """Plane by name: a set of points, or a number that holds everywhere. `actions`: all so far, the last one last."""
    points = range(game.size**2)
    mine = {p for p in points if game.board[p] == game.to_play}
    theirs = {p for p in points if game.board[p] == -game.to_play}
    in_atari = {p for p in mine | theirs if len(oracle_go.liberties(game.board, p, game.size)) == 1}
    ko_points = set() if game.is_over else game.ko_points
    newest_first = actions[::-1] + 5 * [None]
    stones = [{a} & set(points) if was_placed(game, age) else set() for age, a in enumerate(newest_first)]
    return {
        "on the board (1 everywhere)": 1,
        "stones of the player to move": mine,
        "stones of the opponent": theirs,
        "stones of the player to move in atari": mine & in_atari,
        "stones of the opponent in atari": theirs & in_atari,
        "legal points of the player to move": set(game.playable) - ko_points,
        "points forbidden by the ko rule alone": ko_points,
        "stone of the last move": stones[0],
        "stone of the move before it": stones[1],
        "stone of the third-last move": stones[2],
        "stone of the fourth-last move": stones[3],
        "stone of the fifth-last move": stones[4],
        "the last move was a pass (1 everywhere)": bool(actions and actions[-1] == game.size**2),
        "Black is to move (1 everywhere)": game.to_play == 1,
        "komi in favour of the player to move, in units of 16 points (everywhere)": -game.to_play * komi / 16,
        "share of the move limit that is used up (everywhere)": np.float32(game.ply) / np.float32(game.move_limit),
    }


def was_placed(game: oracle_go.Game, age: int) -> bool:
    """Whether the last action but `age` put a stone on the board; an illegal one, always the last, does not."""
    return not (age == 0 and game.is_over and game.past[-1][0] == game.past[-2][0])


def as_planes(size: int, expected: dict[str, object]) -> np.ndarray:
    planes = np.zeros((size**2, len(PLANES)), np.float32)
    for k, name in enumerate(PLANES):
        value = expected[name]
        planes[sorted(value) if isinstance(value, set) else slice(None), k] = 1 if isinstance(value, set) else value
    return planes.reshape(size, size, len(PLANES))


@pytest.mark.parametrize(
    ("size", "ko", "num_games"),
    quick.first(
        [
            (3, "positional_superko", 20),
            (5, "simple", 8),
            (9, "positional_superko", 10),
            (2, "situational_superko", 12),
        ],
        2,
    ),
)
def test_every_plane_agrees_with_plain_python_on_random_play(size, ko, num_games):
    go = Go(size, ko=ko, max_moves=None if size == 9 else 60)
    komi = [i / 2 - 1 for i in range(num_games)]

    @jax.jit
    @jax.vmap
    def games(key, komi):
        start = go.init(komi=komi)
        return go.observe(start), *random_go.play(go, key, start, go.move_limit, go.observe)[1:]

    seen = games(jax.random.split(jax.random.key(2), num_games), jnp.asarray(komi, jnp.float32))
    first, actions, later = jax.tree.map(np.asarray, seen)
    observations = np.concatenate([first[:, None], later], axis=1)
    assert observations.dtype == np.float32 and observations.shape[2:] == go.observation_shape

    is_met = np.zeros(len(PLANES), bool)
    for i in range(num_games):
        game = oracle_go.Game.start(size, komi[i], ko, go.move_limit)
        played = []
        for t, action in enumerate([*actions[i].tolist(), None]):
            expected = as_planes(size, expected_planes(game, played, komi[i]))
            is_met |= expected.any(axis=(0, 1))
            is_equal = np.isclose(observations[i, t], expected, rtol=1e-6, atol=0).all(axis=(0, 1))
            assert is_equal.all(), f"game {i}, ply {t}: {[PLANES[k] for k in np.flatnonzero(~is_equal)]}"
            if game.is_over:
                break
            played.append(action)
            game = game.play(action)
        assert game.is_over
    assert is_met.all(), [name for name, met in zip(PLANES, is_met, strict=True) if not met]


def test_moves_before_a_drawn_position_are_not_shown():
    go = Go(5)
    observe = jax.jit(lambda stones: go.observe(go.step(go.from_stones(stones), 3)))
    last_moves = observe(np.diag([1, -1, 1, 0, 0]))[..., PLANES.index("stone of the last move") :][..., :5]
    assert last_moves.sum() == 1 and last_moves[0, 3, 0] == 1
