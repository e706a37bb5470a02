"""Matches give every player its due: replayed by plain rules, sides swapped, with the interval of the textbook."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tictactoe
from tictactoe import TicTacToe

from rl_pretrain import evaluate
from rl_pretrain.evaluate import Match, play_match, score, wilson
from rl_pretrain.search import SearchConfig

ENV = TicTacToe()
random_player = evaluate.random_player(ENV)
NUM_PAIRS = 40


def lowest_square(key, states):
    """Deterministic; against itself the beginner wins with its fourth mark."""
    del key
    return jnp.argmax(states.board == 0, axis=1).astype(jnp.int32)


def gives_up(key, states):
    """Plays on the centre, taken or not."""
    del key
    return jnp.full(len(states.board), 4, jnp.int32)


@functools.partial(jax.jit, static_argnums=(0, 1, 3))
def match(first, second, openings, max_moves=9, seed=0) -> Match:
    return play_match(ENV, first, second, openings, jax.random.key(seed), max_moves)


def empty_boards(num_pairs: int = NUM_PAIRS) -> tictactoe.State:
    return tictactoe.to_states([(0,) * 9] * num_pairs)


def replayed(opening: tictactoe.Board, actions) -> tuple[float, int]:
    """By the plain rules: what the player gets who moves first after the opening, and the number of moves."""
    board, beginner = opening, tictactoe.mover(opening)
    for i, action in enumerate(actions):
        mover = tictactoe.mover(board)
        if board[action] != 0:
            return (0.0 if mover == beginner else 1.0), i + 1
        board = tictactoe.after(board, int(action))
        if tictactoe.is_over(board):
            return (tictactoe.winner(board) * beginner + 1) / 2, i + 1
    return 0.5, len(actions)


@pytest.mark.parametrize(("first", "second"), [(random_player, tictactoe.perfect_player), (gives_up, random_player)])
def test_scores_and_lengths_are_those_of_the_recorded_moves(first, second):
    boards = [*tictactoe.positions(7)[:NUM_PAIRS]]
    result = match(first, second, tictactoe.to_states(boards))
    for pair, board in enumerate(boards):
        for game in (0, 1):
            actions = np.asarray(result.actions[: result.lengths[game, pair], game, pair])
            of_beginner, length = replayed(board, actions)
            assert result.lengths[game, pair] == length
            assert result.scores[game, pair] == (of_beginner if game == 0 else 1 - of_beginner)
    assert len(set(np.asarray(result.lengths).ravel())) > 2


def test_each_player_moves_when_it_is_its_turn():
    result = match(lowest_square, gives_up, empty_boards())
    np.testing.assert_array_equal(
        result.actions[:4, 0, 0], [0, 4, 1, 4]
    )  # first begins; second takes 4 again and loses
    np.testing.assert_array_equal(result.actions[:3, 1, 0], [4, 0, 4])  # second begins, and loses a move earlier
    np.testing.assert_array_equal(result.lengths[:, 0], [4, 3])
    np.testing.assert_array_equal(result.scores, 1)


def test_the_better_player_gets_the_better_score_whoever_comes_first():
    perfect_first = match(tictactoe.perfect_player, random_player, empty_boards())
    perfect_second = match(random_player, tictactoe.perfect_player, empty_boards())
    assert score(perfect_first).mean > 0.75
    assert score(perfect_second).mean < 0.25
    assert np.min(perfect_first.scores) >= 0.5
    assert np.max(perfect_second.scores) <= 0.5


def test_who_begins_wins_half_of_the_games():
    result = match(lowest_square, lowest_square, empty_boards())
    np.testing.assert_array_equal(result.scores[0], 1)
    np.testing.assert_array_equal(result.scores[1], 0)
    assert score(result).mean == 0.5


def test_two_perfect_players_draw():
    np.testing.assert_array_equal(match(tictactoe.perfect_player, tictactoe.perfect_player, empty_boards()).scores, 0.5)


def sees_the_key(key, states):
    del states
    return jax.random.randint(key, (NUM_PAIRS,), 0, 9)


def test_players_draw_from_different_keys_at_every_move():
    result = match(sees_the_key, sees_the_key, empty_boards())
    plies = np.asarray(result.actions[:2]).reshape(4, NUM_PAIRS)
    for i in range(4):
        for j in range(i):
            assert np.any(plies[i] != plies[j])
    again, other = (match(sees_the_key, sees_the_key, empty_boards(), seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(result.actions, again.actions)
    assert np.any(result.actions[0] != other.actions[0])


def test_the_same_deterministic_player_scores_exactly_half_against_itself():
    def predict(observations):
        flat = observations.reshape(len(observations), -1)
        weights = np.random.default_rng(0).normal(size=(27, 10)).astype(np.float32)
        return (flat @ weights)[:, :9], jnp.tanh(flat @ weights[:, 9])

    boards = tictactoe.positions(8) + tictactoe.positions(7)[::9]
    for player in (
        evaluate.raw_policy(ENV, predict),
        evaluate.searcher(ENV, predict, SearchConfig(num_simulations=6, gumbel_scale=0.0)),
    ):
        result = match(player, player, tictactoe.to_states(boards))
        np.testing.assert_array_equal(result.scores.sum(axis=0), 1)
        assert score(result).mean == 0.5
        assert score(result).num_distinct == len(boards)
        assert {0.0, 1.0} <= set(np.asarray(result.scores[0]))


def test_finished_games_wait_for_the_others():
    """A player who gives up early in some games: those keep their result while the rest is played."""
    boards = [(0, 0, 0, 0, 1, 0, 0, 0, 0)] * 3 + [(1, 0, 0, 0, 0, 0, 0, 0, 0)] * 3
    result = match(gives_up, tictactoe.perfect_player, tictactoe.to_states(boards))
    np.testing.assert_array_equal(result.lengths[0], [1, 1, 1, 3, 3, 3])
    np.testing.assert_array_equal(result.scores, 0)


def test_openings_that_are_over_count_as_drawn_games_of_no_moves():
    states = empty_boards(2)
    states = states._replace(discount=jnp.array([0.0, -1.0]), reward=jnp.array([1.0, 0.0]))
    result = match(lowest_square, lowest_square, states)
    np.testing.assert_array_equal(result.lengths[:, 0], 0)
    np.testing.assert_array_equal(result.scores, [[0.5, 1], [0.5, 0]])


def test_a_match_stops_at_its_move_limit():
    result = match(lowest_square, lowest_square, empty_boards(), 5)
    assert result.actions.shape == (5, 2, NUM_PAIRS)
    np.testing.assert_array_equal(result.lengths, 5)
    np.testing.assert_array_equal(result.scores, 0.5)


def test_games_are_counted_once_however_often_they_are_played():
    assert score(match(lowest_square, lowest_square, empty_boards())).num_distinct == 1
    assert score(match(lowest_square, gives_up, empty_boards())).num_distinct == 2
    boards = tictactoe.positions(8)
    assert score(match(lowest_square, lowest_square, tictactoe.to_states(boards + boards))).num_distinct == 9
    # Same actions, and after its end one game says more: not another game.
    once = match(lowest_square, gives_up, empty_boards(1))
    noisy = once._replace(actions=once.actions.at[6:].set(7))
    assert score(once, noisy).num_distinct == 2


def test_matches_add_up():
    half, whole = (match(lowest_square, other, empty_boards()) for other in (lowest_square, gives_up))
    together = score(half, whole)
    assert together.mean == 0.75
    assert together.num_games == 4 * NUM_PAIRS
    assert (together.low, together.high) == wilson(0.75, 2 * NUM_PAIRS)


def test_the_devices_matches_become_one():
    parts = [match(random_player, random_player, empty_boards(3), seed=seed) for seed in range(4)]
    of_devices = jax.tree.map(lambda *x: jnp.stack(x), *parts)
    gathered = evaluate.gather(of_devices)
    assert gathered.scores.shape == gathered.lengths.shape == (2, 12)
    assert gathered.actions.shape == (9, 2, 12)
    assert gathered.openings.board.shape == (12, 9)
    assert score(gathered) == score(*parts)
    np.testing.assert_array_equal(gathered.actions[..., 7], parts[2].actions[..., 1])


def test_openings_are_random_and_legal():
    openings = jax.jit(evaluate.random_openings, static_argnums=(0, 2, 3))(ENV, jax.random.key(0), 200, 3)
    boards = [tuple(int(mark) for mark in board) for board in openings.board]
    assert all(board.count(0) == 6 and sum(board) == 1 for board in boards)
    assert len(set(boards)) > 80
    assert evaluate.random_openings(ENV, jax.random.key(0), 5, 0).board.tolist() == empty_boards(5).board.tolist()


def test_a_random_player_takes_each_legal_action_equally_often():
    states = tictactoe.to_states([(1, -1, 0, 0, 1, 0, 0, -1, 0)] * 6000)
    counts = np.bincount(random_player(jax.random.key(0), states), minlength=9)
    np.testing.assert_array_equal(counts[[0, 1, 4, 7]], 0)
    np.testing.assert_allclose(counts[[2, 3, 5, 6, 8]], 1200, atol=5 * math.sqrt(1200))


def test_the_raw_policy_takes_the_likeliest_legal_action():
    boards = tictactoe.positions(4)[:50]
    player = evaluate.raw_policy(ENV, lambda x: (jnp.broadcast_to(jnp.arange(9.0), (len(x), 9)), jnp.zeros(len(x))))
    actions = player(jax.random.key(0), tictactoe.to_states(boards))
    np.testing.assert_array_equal(actions, [max(tictactoe.legal_squares(board)) for board in boards])
    assert actions.dtype == jnp.int32


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes, n, low, high):
    np.testing.assert_allclose(wilson(successes / n, n), (low, high), atol=5e-5)


@pytest.mark.parametrize("n", [1, 7, 64, 1000])
@pytest.mark.parametrize("mean", [0.0, 0.1, 0.5, 0.93, 1.0])
def test_wilson_holds_the_means_that_a_test_would_not_reject(mean, n):
    """Its ends solve |mean - p| = z sqrt(p (1 - p) / n)."""
    low, high = wilson(mean, n)
    assert 0 <= low <= mean <= high <= 1
    for p in (low, high):
        assert math.isclose(abs(mean - p), 1.96 * math.sqrt(p * (1 - p) / n), abs_tol=1e-9)
    np.testing.assert_allclose(wilson(1 - mean, n), (1 - high, 1 - low), atol=1e-12)


def test_a_score_reads_as_one_line():
    result = match(lowest_square, gives_up, empty_boards())
    assert str(score(result)) == f"1.00 [{wilson(1.0, NUM_PAIRS)[0]:.2f}, 1.00]"
