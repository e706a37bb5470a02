"""What is learnt beside policy and value: how each game ended."""

import jax
import jax.numpy as jnp
import numpy as np
import tictactoe
from tictactoe import TicTacToe, uniform

from go_env import Go
from go_env.symmetry import random_symmetry
from rl_pretrain import learner, replay, selfplay
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.replay import Example
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import SelfplayConfig

NUM_ACTIONS, NUM_GAMES, NUM_STEPS, NUM_CALLS = 4, 6, 5, 6
SMALL = {"num_blocks": 1, "num_channels": 8, "num_head_channels": 8}


def examples(chance: np.random.Generator, size: int) -> Example:
    legal = chance.random((size, NUM_ACTIONS)) < 0.6
    legal[:, 0] = True
    policy = chance.dirichlet(np.ones(NUM_ACTIONS), size) * legal
    return Example(
        observation=jnp.float32(chance.normal(size=(size, 3))),
        legal=jnp.asarray(legal),
        policy=jnp.float32(policy / policy.sum(axis=1, keepdims=True)),
        has_policy=jnp.asarray(np.arange(size) % 3 != 0),
        value=jnp.zeros(size),
        has_value=jnp.asarray(np.arange(size) % 2 == 0),
        ending=jnp.float16(chance.choice([-1, 0, 1], (size, 5))),
    )


def predicting(ending):
    """A network that says this, whatever it sees."""

    def apply(params, observation):
        return jnp.zeros((len(observation), NUM_ACTIONS)), jnp.zeros(len(observation)), ending

    return apply


def test_the_loss_is_the_mean_over_what_is_known():
    """Against NumPy, position by position, in double precision."""
    chance = np.random.default_rng(0)
    batch, said = examples(chance, 40), np.float32(chance.uniform(-1, 1, (40, 5)))
    known = np.flatnonzero(batch.has_value)
    errors = [np.mean((np.float64(said[i]) - np.float64(batch.ending[i])) ** 2) for i in known]
    found = learner.losses(predicting(jnp.asarray(said)), {}, batch)["ending_loss"]
    np.testing.assert_allclose(found, np.mean(errors), rtol=1e-5)


def test_what_a_network_does_not_say_and_what_games_do_not_tell_costs_nothing():
    batch = examples(np.random.default_rng(0), 4)
    assert "ending_loss" not in learner.losses(predicting(None), {}, batch)
    assert "ending_loss" not in learner.losses(predicting(jnp.zeros((4, 5))), {}, batch._replace(ending=None))


def test_the_head_is_for_learning_only():
    net = ConvNet(ConvConfig(**SMALL, predicts_ending=True), num_other_actions=1)
    plain = ConvNet(ConvConfig(**SMALL), num_other_actions=1)
    boards = jax.random.normal(jax.random.key(0), (3, 5, 5, 4))
    params = net.init(jax.random.key(1), boards)
    said = net.apply(params, boards, in_full=True)[2]
    assert said.shape == (3, 26) and np.all(np.abs(said) <= 1)
    for more, less in zip(net.apply(params, boards), plain.apply(params, boards), strict=True):
        np.testing.assert_array_equal(more, less)
    assert plain.apply(params, boards, in_full=True)[2] is None
    assert set(params["params"]) - {"ending"} == set(plain.init(jax.random.key(1), boards)["params"])


def marks(state) -> jax.Array:
    """The end of a game of tic-tac-toe for who has just moved: whose mark is where, and who won."""
    return jnp.append(-state.to_play * state.board, state.reward).astype(jnp.float32)


def test_every_position_of_a_game_learns_how_it_ended_for_the_player_to_move():
    """Plain Python plays the recorded actions; endings come through calls of self-play and the replay's ring, whose
    oldest rows have been written over."""
    env, capacity = TicTacToe(), NUM_STEPS * (NUM_CALLS - 2)
    config = SelfplayConfig(num_steps=NUM_STEPS, replay_steps=capacity)
    search = SearchConfig(num_simulations=2, max_considered=2)
    play = jax.jit(lambda key, games: selfplay.play(env, uniform(9), search, config, key, games, ending=marks))
    games, seen = selfplay.start(env, jax.random.key(0), NUM_GAMES), []
    memory = None
    for i in range(NUM_CALLS):
        games, part = play(jax.random.key(i), games)
        memory = replay.remember(memory or replay.empty(part, config.replay_steps), part)
        seen.append(part)
    actions = np.concatenate([part.action for part in seen])
    expected = np.zeros((len(actions), NUM_GAMES, 10))
    for game in range(NUM_GAMES):
        board, movers = (0,) * 9, []
        for t, action in enumerate(actions[:, game]):
            movers.append(tictactoe.mover(board))
            board = tictactoe.after(board, int(action))
            if tictactoe.is_over(board):
                for back, mover in enumerate(reversed(movers)):
                    expected[t - back, game] = mover * np.array([*board, tictactoe.winner(board)])
                board, movers = (0,) * 9, []
    in_order = np.roll(memory.examples.ending, -int(memory.cursor), axis=0)
    np.testing.assert_array_equal(in_order, expected[-capacity:])
    assert 0 < int(memory.cursor) < capacity and np.any(expected[-capacity:] != 0, axis=-1).sum() > 80


def test_an_ending_is_seen_through_the_same_symmetry_as_the_board():
    """Whoever owns a stone's point in the end owns it from every side."""
    env = Go(3)
    stones = jnp.array([[1, 0, 0], [-1, 1, 0], [0, 0, -1]])
    board = env.observe(env.from_stones(stones))
    example = Example(board, jnp.ones(10, bool), jnp.ones(10) / 10, True, 0.0, True, jnp.append(stones.reshape(-1), 7))
    keys = jax.random.split(jax.random.key(0), 40)
    seen = jax.vmap(random_symmetry, (0, None))(keys, example)
    difference = seen.observation[..., 1] - seen.observation[..., 2]  # own stones, the other's
    np.testing.assert_array_equal(difference.reshape(40, -1), seen.ending[:, :-1])
    assert len(np.unique(seen.ending, axis=0)) == 8 and (seen.ending[:, -1] == 7).all()
