"""Search finds what exhaustive search finds, for either side, and never looks at an illegal action."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tictactoe
from tictactoe import Corridor, TicTacToe, Walk

from go_env import Go
from rl_pretrain.search import Found, SearchConfig, evaluate, mask_illegal, search

EXACT = SearchConfig(num_simulations=200, gumbel_scale=0.0)
QUICK = SearchConfig(num_simulations=24, gumbel_scale=0.0)
NOISY = SearchConfig(num_simulations=24, gumbel_scale=1.0)

TICTACTOE = TicTacToe()
NOT_KNOWING = np.zeros((27, 10), np.float32)
# Outputs of these weights are multiples of 1/8 with 8 bits: exact in bfloat16, whatever the order of summation.
OPINIONATED = np.random.default_rng(0).integers(-2, 3, NOT_KNOWING.shape).astype(np.float32) / 8


@functools.partial(jax.jit, static_argnums=(0, 1))
def found(env, config, weights, seed, states) -> Found:
    """Search with a linear network, weights `[inputs, actions + 1]`, that answers in the dtype of its weights."""

    def predict(observations):
        outputs = (observations.reshape(len(observations), -1) @ weights).astype(weights.dtype)
        return outputs[:, :-1], jnp.clip(outputs[:, -1], -1, 1)

    return search(env, predict, config, jax.random.key(seed), states)


class Endings(NamedTuple):
    boards: list
    values: np.ndarray  # [batch], by minimax
    result: Found


@pytest.fixture(scope="module")
def endings() -> Endings:
    boards = tictactoe.positions(3)[::6] + tictactoe.positions(4)[::6]
    values = np.array([tictactoe.value(board) for board in boards])
    return Endings(boards, values, found(TICTACTOE, EXACT, NOT_KNOWING, 0, tictactoe.to_states(boards)))


def test_plays_tictactoe_endings_like_minimax(endings):
    assert all(a in tictactoe.best_squares(b) for a, b in zip(endings.result.action, endings.boards, strict=True))


@pytest.mark.parametrize("mover", [1, -1], ids=["beginner to move", "other to move"])
def test_the_value_is_that_of_the_player_to_move(endings, mover):
    moves = np.array([tictactoe.mover(board) == mover for board in endings.boards])
    value = np.asarray(endings.result.value)
    won, drawn, lost = (value[moves & (endings.values == v)] for v in (1, 0, -1))
    assert np.all(won > 0.9)
    assert np.all(lost < 0)
    assert np.mean(lost) < -0.9
    assert np.mean(np.abs(drawn)) < 0.1


def outcomes_of_actions(step, legal_actions, states, depth: int) -> np.ndarray:
    """`[batch, actions]`, with best play afterwards, by looking at every way to the end in `depth` steps or less."""
    legal = np.asarray(legal_actions(states))
    outcomes = np.full(legal.shape, -np.inf)
    for action in range(legal.shape[1]):
        after = step(states, jnp.full(len(legal), action))
        reward, discount = np.asarray(after.reward), np.asarray(after.discount)
        assert depth > 1 or np.all(discount == 0)
        later = outcomes_of_actions(step, legal_actions, after, depth - 1).max(axis=1) if depth > 1 else 0.0
        outcomes[:, action] = np.where(legal[:, action], reward + discount * later, -np.inf)
    return outcomes


@pytest.mark.parametrize(
    ("go", "num_steps", "depth"),
    [
        pytest.param(Go(2, komi=0.5, max_moves=7), 4, 3, id="2x2, Black to move", marks=pytest.mark.slow),
        pytest.param(Go(3, komi=2.0, max_moves=9), 7, 2, id="3x3, White to move, draws"),
    ],
)
def test_plays_go_endings_like_exhaustive_search(go, num_steps, depth):
    step, legal_actions = (jax.jit(jax.vmap(f)) for f in (go.step, go.legal_actions))
    states = jax.vmap(go.init)(jax.random.split(jax.random.key(0), 48))
    for key in jax.random.split(jax.random.key(1), num_steps):
        states = step(states, jax.random.categorical(key, jnp.where(legal_actions(states), 0.0, -jnp.inf)))
    running = np.asarray(states.discount) != 0
    outcomes = outcomes_of_actions(step, legal_actions, states, depth)
    best = outcomes.max(axis=1)
    assert np.sum(running & (best == 1)) > 4
    assert np.sum(running & (best == -1)) > 4
    weights = np.zeros((np.prod(go.observation_shape), go.num_actions + 1), np.float32)
    result = found(go, EXACT, weights, 0, states)
    np.testing.assert_array_equal(outcomes[np.arange(48), result.action], best)
    assert np.all(np.asarray(result.value)[running & (best == 1)] > 0.5)
    assert np.all(np.asarray(result.value)[running & (best == -1)] < -0.5)


def test_one_player_is_told_by_the_discount():
    env = Corridor()
    cells, ages = np.array([0, 1, 3, 4, 0, 1, 2]), np.array([3, 4, 6, 7, 4, 5, 6])
    zeros = np.zeros(len(cells), np.float32)
    states = jax.tree.map(jnp.asarray, Walk(cells.astype(np.int32), ages.astype(np.int32), zeros, zeros + 1))
    result = found(env, EXACT, np.zeros((2, 3), np.float32), 0, states)
    in_time = env.num_cells - 1 - cells <= env.max_steps - ages
    assert set(in_time) == {True, False}
    assert np.all(np.asarray(result.action)[in_time] == 1)
    assert np.all(np.asarray(result.value)[in_time] > 0.5)
    assert np.all(np.asarray(result.value)[~in_time] < -0.9)


def test_with_a_discount_below_1_the_sooner_is_the_better():
    env = Corridor()
    cells, zeros = np.arange(env.num_cells - 1, dtype=np.int32), np.zeros(env.num_cells - 1, np.float32)
    states = jax.tree.map(jnp.asarray, Walk(cells, cells, zeros, zeros + 1))
    hasty = dataclasses.replace(EXACT, discount=0.5)
    result = found(env, hasty, np.zeros((2, 3), np.float32), 0, states)
    assert np.all(np.asarray(result.action) == 1)
    np.testing.assert_allclose(result.value, 0.5 ** (env.num_cells - 2 - cells), atol=0.1)


class IllegalWins(TicTacToe):
    """The rules of a child who cheats: playing on a taken square wins. It is illegal all the same."""

    def step(self, state, action):
        after = super().step(state, action)
        return after._replace(reward=jnp.abs(after.reward))


def test_illegal_actions_are_never_tried_anywhere_in_the_tree():
    boards = tictactoe.positions(5)[::90] + tictactoe.positions(4)[::160]
    states = tictactoe.to_states(boards)
    loves_taken_squares = OPINIONATED.copy()
    loves_taken_squares.reshape(9, 3, 10)[np.arange(9), :2, np.arange(9)] = 1e4
    result = found(TICTACTOE, NOISY, loves_taken_squares, 0, states)
    is_illegal = np.array(boards) != 0
    assert not np.any(is_illegal[np.arange(len(boards)), result.action])
    assert not np.any(np.asarray(result.policy)[is_illegal])
    assert not np.any(np.asarray(result.visits)[is_illegal])
    # Were one tried below the root, these two worlds would differ.
    in_cheating_world = found(IllegalWins(), NOISY, loves_taken_squares, 0, states)
    jax.tree.map(np.testing.assert_array_equal, result, in_cheating_world)


def test_masked_logits_are_finite_and_without_probability():
    logits = jnp.array([[3.0, -2.0, 1e30, -1e30, jnp.inf]], jnp.bfloat16)
    masked = mask_illegal(logits, jnp.array([[True, True, False, True, False]]))
    assert masked.dtype == jnp.float32
    assert np.all(np.isfinite(masked))
    np.testing.assert_array_equal(jax.nn.softmax(masked)[0, jnp.array([2, 4])], 0)


def test_what_the_network_says_of_a_finished_game_is_worth_nothing():
    states = tictactoe.to_states(tictactoe.positions(4)[:3])
    states = states._replace(discount=jnp.array([-1.0, 0.0, -1.0]))
    logits, values = evaluate(TICTACTOE, lambda x: (jnp.zeros((len(x), 9)), jnp.full(len(x), np.nan)), states)
    np.testing.assert_array_equal(np.isnan(values), [True, False, True])
    assert values[1] == 0
    np.testing.assert_array_equal(logits == 0, jax.vmap(TICTACTOE.legal_actions)(states))


@pytest.fixture(scope="module")
def sixteen() -> tictactoe.State:
    return tictactoe.to_states(tictactoe.positions(5)[::48])


def test_policy_and_visits_are_distributions(sixteen):
    result = found(TICTACTOE, QUICK, OPINIONATED, 0, sixteen)
    np.testing.assert_allclose(jnp.sum(result.policy, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(jnp.sum(result.visits, axis=1), 1, rtol=1e-6)
    assert np.all(np.asarray(result.policy) >= 0)
    np.testing.assert_array_equal(np.asarray(result.visits) * 24 % 1, 0)


def test_finished_games_in_the_batch_do_no_harm(sixteen):
    over = np.arange(16) % 3 == 0
    mixed = sixteen._replace(
        discount=jnp.where(over, 0.0, sixteen.discount), reward=jnp.where(over, 1.0, sixteen.reward)
    )
    result = found(TICTACTOE, QUICK, OPINIONATED, 0, mixed)
    assert all(np.all(np.isfinite(x)) for x in result)
    np.testing.assert_array_equal(np.asarray(result.value)[over], 0)
    undisturbed = found(TICTACTOE, QUICK, OPINIONATED, 0, sixteen)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x[~over], y[~over]), result, undisturbed)


def test_without_noise_a_state_is_searched_alone_as_in_company(sixteen):
    together = found(TICTACTOE, QUICK, OPINIONATED, 0, sixteen)
    for row in range(0, 16, 3):
        alone = found(TICTACTOE, QUICK, OPINIONATED, 0, jax.tree.map(lambda x, i=row: x[i : i + 1], sixteen))
        jax.tree.map(lambda x, y, i=row: np.testing.assert_array_equal(x[0], y[i]), alone, together)


def test_without_noise_the_key_does_not_matter(sixteen):
    results = [found(TICTACTOE, QUICK, OPINIONATED, i, sixteen) for i in (0, 1)]
    jax.tree.map(np.testing.assert_array_equal, *results)


def test_with_noise_a_state_does_not_depend_on_the_company_it_keeps(sixteen):
    """The noise of a row comes from the key and the row's number, thus the rest of the batch may be anything."""
    in_other_company = jax.tree.map(lambda x: jnp.roll(x, 5, axis=0).at[2].set(x[2]), sixteen)
    results = [found(TICTACTOE, NOISY, OPINIONATED, 0, states) for states in (sixteen, in_other_company)]
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x[2], y[2]), *results)
    assert not np.array_equal(results[0].policy[3], results[1].policy[3])


def test_noise_differs_from_row_to_row_and_from_key_to_key():
    states = tictactoe.to_states([(0,) * 9] * 16)
    actions = [np.asarray(found(TICTACTOE, NOISY, NOT_KNOWING, i, states).action) for i in (0, 1)]
    assert len(set(actions[0])) > 3
    assert np.any(actions[0] != actions[1])


def test_a_network_in_bfloat16_is_searched_in_float32(sixteen):
    result = found(TICTACTOE, QUICK, jnp.asarray(OPINIONATED, jnp.bfloat16), 0, sixteen)
    assert {x.dtype for x in (result.policy, result.visits, result.value)} == {jnp.dtype(jnp.float32)}
    in_float32 = found(TICTACTOE, QUICK, OPINIONATED, 0, sixteen)
    jax.tree.map(np.testing.assert_array_equal, result, in_float32)
