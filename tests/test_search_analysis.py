"""`analyze` tells what `search` has seen: the same move, and lines that are lines of play."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tictactoe
from tictactoe import Corridor, TicTacToe, Walk

from rl_pretrain.search import Analysis, SearchConfig, analyze, evaluate, search

CONFIG = SearchConfig(num_simulations=64, gumbel_scale=0.0)
ENV = TicTacToe()
KEY = jax.random.key(0)
BOARDS = tictactoe.positions(4)[::60] + tictactoe.positions(5)[::120]
STATES = tictactoe.to_states(BOARDS)
WEIGHTS = np.random.default_rng(0).normal(size=(27, 10)).astype(np.float32)


def predict(observations):
    outputs = observations.reshape(len(observations), -1) @ WEIGHTS
    return outputs[:, :-1], jnp.tanh(outputs[:, -1])


@functools.partial(jax.jit, static_argnums=0)
def analysis_within(env, states, budget) -> Analysis:
    return analyze(env, predict if env is ENV else tictactoe.uniform(2), CONFIG, KEY, states, budget, length=6)


@pytest.fixture(scope="module")
def whole() -> Analysis:
    return jax.device_get(analysis_within(ENV, STATES, CONFIG.num_simulations))


def line(variation) -> list[int]:
    length = int(np.sum(variation >= 0))
    assert np.all(variation[length:] == -1)
    return variation[:length].tolist()


@pytest.mark.slow
def test_it_is_the_search_that_plays(whole):
    found = search(ENV, predict, CONFIG, KEY, STATES)
    np.testing.assert_array_equal(whole.action, found.action)
    np.testing.assert_array_equal(whole.visits / CONFIG.num_simulations, found.visits)


def test_priors_are_those_of_the_network(whole):
    logits, _ = evaluate(ENV, predict, STATES)
    np.testing.assert_allclose(whole.priors, jax.nn.softmax(logits), rtol=1e-5)
    np.testing.assert_array_equal(whole.priors[np.array(BOARDS) != 0], 0)


def test_values_are_those_of_the_player_to_move(whole):
    wins = 0
    for board, values, visits in zip(BOARDS, whole.values, whole.visits, strict=True):
        assert not np.any(values[visits == 0])
        for square in np.flatnonzero(visits):
            after = tictactoe.after(board, square)
            if tictactoe.is_over(after):
                wins += 1
                assert values[square] == tictactoe.winner(after) * tictactoe.mover(board)
    assert wins > 5


def test_variations_are_lines_of_play_that_end_with_the_game(whole):
    finished = 0
    for board, visits, variations in zip(BOARDS, whole.visits, whole.variations, strict=True):
        for square, variation in enumerate(variations):
            moves = line(variation)
            assert moves[:1] == ([square] if visits[square] else [])
            position = board
            for move in moves:
                assert not tictactoe.is_over(position)
                assert move in tictactoe.legal_squares(position)
                position = tictactoe.after(position, move)
            finished += tictactoe.is_over(position)
    assert finished > 20


def test_a_winning_line_wins():
    """X has two lines open after the fork at 4, whatever O does."""
    board = (1, 0, 0, 0, 0, -1, 1, -1, 0)
    assert tictactoe.value(board) == 1
    result = jax.device_get(analysis_within(ENV, tictactoe.to_states([board]), CONFIG.num_simulations))
    position = board
    for move in line(result.variations[0, result.action[0]]):
        position = tictactoe.after(position, move)
    assert tictactoe.winner(position) == 1


def test_one_player_has_lines_too():
    zero = jnp.zeros(1)
    states = Walk(jnp.array([2]), jnp.array([5]), zero, zero + 1)
    result = jax.device_get(analysis_within(Corridor(), states, CONFIG.num_simulations))
    assert line(result.variations[0, 1]) == [1, 1, 1]
    assert result.values[0, 1] > 0 > result.values[0, 0]


@pytest.mark.parametrize("budget", [1, 7, 64, 1000])
def test_a_budget_ends_the_search_early(whole, budget):
    result = jax.device_get(analysis_within(ENV, STATES, budget))
    np.testing.assert_array_equal(result.visits.sum(axis=1), min(budget, CONFIG.num_simulations))
    assert np.all(result.visits[np.arange(len(BOARDS)), result.action] > 0)
    if budget >= CONFIG.num_simulations:
        jax.tree.map(np.testing.assert_array_equal, result, whole)


def test_budgets_share_one_compilation(whole):
    before = analysis_within._cache_size()
    analysis_within(ENV, STATES, 3)
    analysis_within(ENV, STATES, 5)
    assert analysis_within._cache_size() == before
