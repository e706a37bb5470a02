"""Self-play records true games: each goes on from call to call by the rules, and a new one follows its end."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tictactoe
from tictactoe import Corridor, TicTacToe, uniform

from rl_pretrain import selfplay
from rl_pretrain.search import SearchConfig, search
from rl_pretrain.selfplay import SelfplayConfig, Trajectory

NUM_GAMES, NUM_STEPS = 12, 13
CHANCE = SearchConfig(num_simulations=6, max_considered=4)
NO_CHANCE = SearchConfig(num_simulations=6, max_considered=4, gumbel_scale=0.0)


def prefers_low_squares(observations):
    batch = len(observations)
    return jnp.broadcast_to(-jnp.arange(9.0) / 4, (batch, 9)), jnp.zeros(batch)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def play(env, predict, search_config, config, seed, games) -> tuple[selfplay.Games, Trajectory]:
    return selfplay.play(env, predict, search_config, config, jax.random.key(seed), games)


@functools.partial(jax.jit, static_argnums=0)
def find(config: SearchConfig, states):
    return search(TicTacToe(), prefers_low_squares, config, jax.random.key(0), states)


def settings(num_steps: int, num_sampled_moves: int) -> SelfplayConfig:
    return SelfplayConfig(num_steps=num_steps, replay_steps=num_steps, num_sampled_moves=num_sampled_moves)


def start(env, num_games: int = NUM_GAMES) -> selfplay.Games:
    return selfplay.start(env, jax.random.key(7), num_games)


def one_after_another(*parts: Trajectory) -> Trajectory:
    return jax.tree.map(lambda *x: np.concatenate(x), *parts)


@pytest.fixture(scope="module")
def seen() -> Trajectory:
    """Three calls, each taking the games up where the last one left them."""
    games, parts = start(TicTacToe()), []
    for seed in range(3):
        games, part = play(TicTacToe(), prefers_low_squares, CHANCE, settings(NUM_STEPS, 3), seed, games)
        parts.append(part)
    return one_after_another(*parts)


def test_the_record_is_games_by_the_rules_one_after_another(seen):
    """Plain Python plays the actions again; nothing may differ, at the borders between calls neither."""
    for game in range(NUM_GAMES):
        board = (0,) * 9
        for t in range(3 * NUM_STEPS):
            mover, action = tictactoe.mover(board), seen.action[t, game]
            own_marks = np.array(board).reshape(3, 3) * mover
            np.testing.assert_array_equal(seen.observation[t, game, ..., 0], own_marks == 1)
            np.testing.assert_array_equal(seen.observation[t, game, ..., 1], own_marks == -1)
            np.testing.assert_array_equal(np.flatnonzero(seen.legal[t, game]), tictactoe.legal_squares(board))
            assert seen.age[t, game] == 9 - board.count(0)
            assert action in tictactoe.legal_squares(board)
            board = tictactoe.after(board, int(action))
            assert seen.reward[t, game] == tictactoe.winner(board) * mover
            assert seen.discount[t, game] == (0 if tictactoe.is_over(board) else -1)
            if tictactoe.is_over(board):
                board = (0,) * 9


def test_many_games_end_at_different_times(seen):
    """Otherwise the test above would say little."""
    ends = seen.discount == 0
    assert np.all(ends.sum(axis=0) >= 3)
    assert len({tuple(column) for column in ends.T}) > 3


def test_the_policy_is_of_legal_actions_only(seen):
    np.testing.assert_allclose(seen.policy.sum(axis=-1), 1, rtol=1e-5)
    assert not np.any(seen.policy[~seen.legal])


@pytest.mark.slow
def test_two_calls_are_one_call_of_twice_the_length():
    """Where nothing is left to chance, the keys do not matter."""
    games = start(TicTacToe())
    parts = []
    for seed in (1, 2):
        games, part = play(TicTacToe(), prefers_low_squares, NO_CHANCE, settings(NUM_STEPS, 0), seed, games)
        parts.append(part)
    at_once = play(TicTacToe(), prefers_low_squares, NO_CHANCE, settings(2 * NUM_STEPS, 0), 3, start(TicTacToe()))
    jax.tree.map(np.testing.assert_array_equal, (games, one_after_another(*parts)), at_once)


@pytest.mark.slow
def test_first_moves_are_drawn_by_visits_and_later_ones_are_the_best():
    num_games = 2048
    config = SearchConfig(num_simulations=24, gumbel_scale=0.0)
    _, seen = play(TicTacToe(), prefers_low_squares, config, settings(2, 1), 0, start(TicTacToe(), num_games))
    boards = [(0,) * 9, *(tictactoe.after((0,) * 9, square) for square in range(9))]
    find = jax.jit(functools.partial(search, TicTacToe(), prefers_low_squares, config))
    best = find(jax.random.key(0), tictactoe.to_states(boards))
    np.testing.assert_allclose(seen.policy[0], np.tile(best.policy[0], (num_games, 1)), rtol=1e-5)
    np.testing.assert_allclose(seen.search_value[0], np.tile(best.value[0], num_games), atol=1e-6)

    visits = np.asarray(best.visits[0])
    assert np.sum(visits > 0) > 2
    drawn = np.bincount(seen.action[0], minlength=9) / num_games
    assert np.all(np.abs(drawn - visits) <= 5 * np.sqrt(visits * (1 - visits) / num_games))
    np.testing.assert_array_equal(seen.action[1], np.asarray(best.action)[1 + np.asarray(seen.action[0])])


def test_brief_searches_come_for_all_games_at_once_and_say_so():
    config = SelfplayConfig(num_steps=20, replay_steps=20, num_sampled_moves=0, full_share=0.5, brief_simulations=1)
    brief = SearchConfig(num_simulations=1, max_considered=4, gumbel_scale=0.0)
    _, seen = play(TicTacToe(), prefers_low_squares, NO_CHANCE, config, 0, start(TicTacToe()))
    assert np.all(seen.is_full == seen.is_full[:, :1]) and 0 < np.sum(seen.is_full[:, 0]) < 20
    for search_config, is_meant in ((NO_CHANCE, seen.is_full[:, 0]), (brief, ~seen.is_full[:, 0])):
        for t in np.flatnonzero(is_meant)[:3]:
            marks = seen.observation[t, 0, ..., 0] - seen.observation[t, 0, ..., 1]
            mover = 1 if seen.age[t, 0] % 2 == 0 else -1
            states = tictactoe.to_states([tuple(np.asarray(mover * marks, int).ravel())])
            found = find(search_config, states)
            np.testing.assert_allclose(found.policy[0], seen.policy[t, 0], rtol=1e-5)


def test_without_brief_searches_all_are_full(seen):
    assert np.all(seen.is_full)


def test_a_random_share_of_the_first_moves_is_any_legal_one():
    num_games = 400
    config = SelfplayConfig(num_steps=2, replay_steps=2, num_sampled_moves=1, random_share=0.5)
    _, seen = play(TicTacToe(), prefers_low_squares, NO_CHANCE, config, 0, start(TicTacToe(), num_games))
    visits = find(NO_CHANCE, start(TicTacToe(), 1).states).visits
    expected = 0.5 * np.asarray(visits[0]) + 0.5 / 9
    shares = np.bincount(seen.action[0], minlength=9) / num_games
    np.testing.assert_allclose(shares, expected, atol=5 * np.sqrt(0.25 / num_games))
    after_first = [seen.action[1][seen.action[0] == square] for square in range(9)]
    assert all(len(set(actions.tolist())) == 1 for actions in after_first)  # the second is the best one again


def test_without_sampling_every_move_is_the_one_that_search_proposes(seen):
    """`seen` samples three moves and searches with noise, so that its games differ; these do not."""
    _, alike = play(TicTacToe(), prefers_low_squares, NO_CHANCE, settings(NUM_STEPS, 0), 0, start(TicTacToe()))
    assert np.all(alike.action == alike.action[:, :1])
    assert np.any(seen.action != seen.action[:, :1])


def test_every_new_episode_draws_its_own_chance():
    env = Corridor()
    games = start(env, 64)
    _, seen = play(env, uniform(2), CHANCE, settings(40, 40), 0, games)
    is_first = np.asarray(seen.age) == 0
    np.testing.assert_array_equal(is_first[1:], seen.discount[:-1] == 0)
    cells, ages = np.moveaxis(np.asarray(seen.observation), -1, 0)
    np.testing.assert_array_equal(ages, seen.age)
    first_cells = cells[1:][is_first[1:]]
    shares = np.bincount(first_cells, minlength=5) / len(first_cells)
    assert np.all(np.abs(shares - 1 / 5) < 5 * np.sqrt(0.2 * 0.8 / len(first_cells)))
    for chances, new in ((cells[1:], is_first[1:]), (cells[1:].T, is_first[1:].T)):  # of a moment, of a game
        starts = [set(cell[is_new]) for cell, is_new in zip(chances, new, strict=True) if is_new.sum() >= 4]
        assert np.mean([len(different) > 1 for different in starts]) > 0.9
    assert seen.observation.dtype == jnp.int32
