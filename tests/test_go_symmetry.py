"""Go looks the same from all 8 sides, and with colours and komi exchanged."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_go

from go_env import Go, State
from go_env.observation import PLANES
from go_env.symmetry import (
    NUM_SYMMETRIES,
    inverse,
    random_symmetry,
    transform_action,
    transform_board,
    transform_policy,
)

INDICES = range(NUM_SYMMETRIES)


class View(NamedTuple):
    """All that `Go` says of a state."""

    stones: jax.Array
    area: jax.Array
    legal: jax.Array
    observation: jax.Array
    score: jax.Array
    reward: jax.Array
    discount: jax.Array
    to_play: jax.Array
    ply: jax.Array


def view(go: Go, state: State) -> View:
    return View(
        stones=go.stones(state),
        area=go.area(state),
        legal=go.legal_actions(state),
        observation=go.observe(state),
        score=go.score(state),
        reward=state.reward,
        discount=state.discount,
        to_play=state.to_play,
        ply=state.ply,
    )


def transform_view(view: View, index: jax.Array) -> View:
    return view._replace(
        stones=transform_board(view.stones, index),
        area=transform_board(view.area, index),
        observation=transform_board(view.observation, index),
        legal=transform_policy(view.legal, index),
    )


def replay(go: Go, start: State, actions: jax.Array) -> View:
    """What is seen after each of `actions`: `[plies, ...]`."""

    def ply(state, action):
        state = go.step(state, action)
        return state, view(go, state)

    return jax.lax.scan(ply, start, actions)[1]


def assert_equal(ours: View, theirs: View):
    for name, x, y in zip(View._fields, ours, theirs, strict=True):
        np.testing.assert_array_equal(x, y, err_msg=name)


@pytest.mark.parametrize(
    ("size", "ko", "num_games"),
    [(3, "positional_superko", 16), pytest.param(9, "positional_superko", 4, marks=pytest.mark.slow)],
)
def test_a_game_seen_through_a_symmetry_is_the_game_of_the_transformed_moves(size, ko, num_games):
    go = Go(size, komi=0.5, ko=ko)
    keys = jax.random.split(jax.random.key(0), num_games)

    @jax.jit
    @jax.vmap
    def games(key):
        _, actions, _ = random_go.play(go, key, go.init(), go.move_limit)
        indices = jnp.arange(NUM_SYMMETRIES)
        moved = jax.vmap(lambda index: transform_action(actions, index, size))(indices)
        seen = jax.vmap(lambda actions: replay(go, go.init(), actions))(moved)
        plain = jax.tree.map(lambda x: x[0], seen)
        expected = jax.vmap(lambda index: jax.vmap(transform_view, (0, None))(plain, index))(indices)
        return seen, expected

    seen, expected = games(keys)
    assert_equal(seen, expected)
    assert np.asarray(seen.stones != 0).any()


@pytest.mark.parametrize(
    "ko",
    ["positional_superko", *(pytest.param(ko, marks=pytest.mark.slow) for ko in ("situational_superko", "simple"))],
)
@pytest.mark.slow
def test_exchanging_colours_and_komi_changes_nothing_but_the_sign(ko):
    go = Go(5, ko=ko)
    keys = jax.random.split(jax.random.key(1), 12)

    @jax.jit
    @jax.vmap
    def games(key):
        opening_key, game_key, komi_key = jax.random.split(key, 3)
        komi = jax.random.randint(komi_key, (), -6, 7) / 2
        opening, _, _ = random_go.play(go, opening_key, go.init(), 15)
        stones = go.stones(opening)
        start = go.from_stones(stones, to_play=1, komi=komi)
        swapped = go.from_stones(-stones, to_play=-1, komi=-komi)
        _, actions, seen = random_go.play(go, game_key, start, go.move_limit, functools.partial(view, go))
        return seen, replay(go, swapped, actions)

    seen, swapped = games(keys)
    black_to_move = PLANES.index("Black is to move (1 everywhere)")
    observation = seen.observation.at[..., black_to_move].set(1 - seen.observation[..., black_to_move])
    expected = seen._replace(
        stones=-seen.stones, area=-seen.area, score=-seen.score, to_play=-seen.to_play, observation=observation
    )
    assert_equal(swapped, expected)


@pytest.mark.parametrize("size", [2, 3, 9])
def test_symmetries_are_a_group_of_eight(size):
    points = jnp.arange(size**2).reshape(size, size)
    seen = {index: transform_board(points, index).tolist() for index in INDICES}
    assert seen[0] == points.tolist()
    for i, j in itertools.combinations(INDICES, 2):
        assert seen[i] != seen[j]
    for i, j in itertools.product(INDICES, repeat=2):
        assert transform_board(transform_board(points, i), j).tolist() in seen.values()
    for i in INDICES:
        assert transform_board(transform_board(points, i), inverse(i)).tolist() == points.tolist()
        assert transform_board(transform_board(points, inverse(i)), i).tolist() == points.tolist()


def test_symmetries_keep_neighbours_together():
    size = 5
    rows, columns = np.divmod(np.arange(size**2), size)
    distance = abs(rows[:, None] - rows) + abs(columns[:, None] - columns)
    for index in INDICES:
        target = np.asarray(transform_action(jnp.arange(size**2), index, size))
        assert (distance[target][:, target] == distance).all()


def test_actions_go_where_the_policy_and_the_board_go():
    size = 4
    for index, action in itertools.product(INDICES, range(size**2 + 1)):
        policy = jnp.zeros(size**2 + 1).at[action].set(1.0)
        moved = transform_policy(policy, index)
        assert moved.argmax() == transform_action(action, index, size) and moved.sum() == 1
        if action < size**2:
            board = transform_board(policy[:-1].reshape(size, size), index)
            np.testing.assert_array_equal(board.reshape(-1), moved[:-1])


def test_a_pass_and_what_is_no_action_stay():
    for index, action in itertools.product(INDICES, [-1, 81, 82, 1000]):
        assert transform_action(action, index, 9) == action


class Example(NamedTuple):
    observation: jax.Array
    policy: jax.Array
    legal: jax.Array
    value: jax.Array


def test_random_symmetry_moves_all_of_an_example_alike_and_draws_all_eight():
    size = 3
    marks = jnp.arange(1, size**2 + 2)
    board = marks[:-1].reshape(size, size)
    example = Example(jnp.stack([board, -board], axis=-1), marks, marks % 3 == 0, jnp.float32(0.25))
    keys = jax.random.split(jax.random.key(0), 100)
    seen = jax.jit(jax.vmap(random_symmetry, (0, None)))(keys, example)
    np.testing.assert_array_equal(seen.observation[..., 0].reshape(-1, size**2), seen.policy[:, :-1])
    np.testing.assert_array_equal(seen.observation[..., 1], -seen.observation[..., 0])
    np.testing.assert_array_equal(seen.legal, seen.policy % 3 == 0)
    np.testing.assert_array_equal(seen.value, np.full(100, 0.25))
    assert (seen.policy[:, -1] == marks[-1]).all()
    assert len(np.unique(seen.policy, axis=0)) == NUM_SYMMETRIES


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\[size, size, \.\.\.\], got \[3, 4\]"):
        transform_board(jnp.zeros((3, 4)), 0)
    with pytest.raises(ValueError, match=r"\[size² \+ 1\], got \[81\]"):
        transform_policy(jnp.zeros(81), 0)
