"""What batching, compilation, renewal and memory promise of states."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_go

from go_env import Go

EVERY_KO_RULE = pytest.mark.parametrize(
    "ko", [*(pytest.param(f"{ko}_superko", marks=pytest.mark.slow) for ko in ("positional", "situational")), "simple"]
)


GO = Go(4, komi=0.5)


def see(state):
    return state, GO.legal_actions(state), GO.observe(state), GO.area(state), GO.score(state)


@functools.cache
def games_played_alone():
    """Actions `[2, 3, plies]` of random games, and all that is seen on the way, one game at a time."""

    @jax.jit
    def alone(key):
        return random_go.play(GO, key, GO.init(), GO.move_limit, see)[1:]

    games = [alone(key) for key in jax.random.split(jax.random.key(0), 6)]
    return jax.tree.map(lambda *x: jnp.stack(x).reshape(2, 3, *x[0].shape), *games)


def replay(actions):
    def ply(state, action):
        state = GO.step(state, action)
        return state, see(state)

    return jax.lax.scan(ply, GO.init(), actions)[1]


@pytest.mark.slow
def test_games_under_nested_vmap_go_as_they_do_alone():
    actions, seen = games_played_alone()
    chex.assert_trees_all_equal(jax.jit(jax.vmap(jax.vmap(replay)))(actions), seen)


@pytest.mark.slow
def test_games_under_vmap_over_another_axis_go_as_they_do_alone():
    actions, seen = games_played_alone()
    replay_all = jax.jit(jax.vmap(jax.vmap(replay), in_axes=1, out_axes=1))
    chex.assert_trees_all_equal(replay_all(actions), seen)


def test_games_stepped_together_go_as_they_do_alone():
    """A scan of batched steps, where the tests above batch a scan."""
    actions, seen = games_played_alone()

    @jax.jit
    def replay_all(actions):  # [plies, games]
        def ply(states, actions):
            states = jax.vmap(GO.step)(states, actions)
            return states, states

        return jax.lax.scan(ply, jax.tree.map(lambda x: jnp.stack([x] * 3), GO.init()), actions)[1]

    states = jax.tree.map(lambda x: x[0].swapaxes(0, 1), seen[0])
    chex.assert_trees_all_equal(replay_all(actions[0].T), states)


def test_vmap_over_actions_of_one_state_and_over_states_under_one_action():
    step = jax.jit(GO.step)
    state = step(step(GO.init(), jnp.int32(5)), jnp.int32(10))
    actions = jnp.arange(GO.num_actions)
    each = [step(state, action) for action in actions]
    states = jax.tree.map(lambda *x: jnp.stack(x), *each)
    chex.assert_trees_all_equal(jax.jit(jax.vmap(GO.step, (None, 0)))(state, actions), states)
    then = [step(state, jnp.int32(1)) for state in each]
    expected = jax.tree.map(lambda *x: jnp.stack(x), *then)
    chex.assert_trees_all_equal(jax.jit(jax.vmap(GO.step, (0, None)))(states, jnp.int32(1)), expected)


@pytest.mark.slow
def test_without_jit_a_game_goes_the_same_way():
    state, compiled = GO.init(), GO.init()
    step = jax.jit(GO.step)
    for action in (5, 6, 9, 16, 0):
        state, compiled = GO.step(state, action), step(compiled, action)
    chex.assert_trees_all_equal(state, compiled)


@EVERY_KO_RULE
def test_one_compilation_serves_a_whole_game_and_any_start(ko):
    go = Go(3, ko=ko)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(state, action):
        return go.step(state, action)

    chex.clear_trace_counter()
    for start in (go.init(), go.from_stones(np.eye(3, dtype=np.int8), to_play=-1, komi=3), go.init(komi=1)):
        state = start
        for action in (4, 0, 8, 9, 9, 9, 9):
            state = step(state, jnp.int32(action))
        assert bool(go.is_over(state))
        chex.assert_trees_all_equal_shapes_and_dtypes(state, start)
        chex.assert_trees_all_equal_shapes_and_dtypes(go.renew(state), start)
        step(go.renew(state), jnp.int32(4))


def num_bytes(go: Go) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(jax.eval_shape(go.init)))


def test_states_are_small():
    board = 2 * 3 * 4  # bytes of two sets of 81 points in three words
    assert num_bytes(Go(9, ko="simple")) <= 300 + 5 * board  # the observation shows five moves
    sketches = 2 * 4 * 192  # room for a multiple of 32
    assert num_bytes(Go(9)) <= 300 + 162 * board + sketches
    assert num_bytes(Go(9, memory=8)) <= 300 + 8 * board + 2 * 4 * 32
    assert num_bytes(Go(19, ko="simple")) <= 2200


@EVERY_KO_RULE
def test_a_renewed_game_goes_like_a_new_one(ko):
    """The past boards of the old game, which stay in the state, play no part."""
    go = Go(3, ko=ko, komi=2.5)

    def see(state):
        return go.legal_actions(state), go.observe(state), go.score(state), state.reward, state.discount

    play = jax.jit(jax.vmap(lambda key, start: random_go.play(go, key, start, go.move_limit, see)))
    keys = jax.random.split(jax.random.key(0), 50)
    fresh = jax.vmap(lambda _: go.init(komi=-1.5))(keys)
    old, _, _ = play(keys, jax.vmap(lambda _: go.from_stones(jnp.eye(3), komi=-1.5))(keys))
    assert bool((old.discount == 0).all())
    renewed = jax.vmap(go.renew)(old)
    chex.assert_trees_all_equal(*(x._replace(history=None, sketches=None) for x in (renewed, fresh)))
    new_keys = jax.random.split(jax.random.key(1), 50)
    chex.assert_trees_all_equal(play(new_keys, renewed)[1:], play(new_keys, fresh)[1:])


def test_renewing_a_running_game_changes_nothing():
    go = Go(3)
    state = go.init()
    for action in (4, 0, 9):
        state = go.step(state, action)
    chex.assert_trees_all_equal(go.renew(state), state)


def test_64_bit_mode_changes_no_dtype():
    def everything(action):
        state = GO.step(GO.init(), action)
        return see(state), see(GO.renew(state)), GO.from_stones(GO.stones(state), -1, 0.5)

    expected = jax.eval_shape(everything, jnp.int32(3))
    with jax.enable_x64(True):
        chex.assert_trees_all_equal_shapes_and_dtypes(jax.eval_shape(everything, jnp.int64(3)), expected)
