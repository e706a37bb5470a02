"""Our Go behind pgx's API: pgx's own test passes, games agree with pgx's step by step, and its training loop runs."""

import importlib
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pgx = pytest.importorskip("pgx", reason="pgx is an optional extra: pip install 'reward-pretraining[pgx]'")

import mctx  # noqa: E402
import optax  # noqa: E402
from pgx.experimental import auto_reset  # noqa: E402
from pgx.go import Go as PgxGo  # noqa: E402

from go_env import pgx_api  # noqa: E402


def fast(function):
    """Compiled in a hurry: that takes most of the time here."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def test_pgx_api_test_passes(monkeypatch):
    # pgx 2.6.0 draws along axis 1 of a mask that has but one, which JAX refuses since 0.10 (pgx pull request 1314).
    module = importlib.import_module("pgx._src.api_test")
    monkeypatch.setattr(module, "act_randomly", fast(lambda key, mask: jax.random.categorical(key, jnp.log(mask))))
    pgx.api_test(pgx_api.make("go_9x9"), 10)


class Seen(NamedTuple):
    """What a state shows its users, and what an observer on the other side sees."""

    observation: jax.Array
    other_observation: jax.Array
    legal_action_mask: jax.Array
    rewards: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    current_player: jax.Array
    step_count: jax.Array


def see(env, state) -> Seen:
    return Seen(
        observation=state.observation,
        other_observation=env._observe(state, 1 - state.current_player),
        legal_action_mask=state.legal_action_mask,
        rewards=state.rewards,
        terminated=state.terminated,
        truncated=state.truncated,
        current_player=state.current_player,
        step_count=state._step_count,
    )


class Steps(NamedTuple):
    """Games in step: `[steps, games, ...]`."""

    action: jax.Array
    pgx: Seen
    simple: Seen  # ours with simple ko
    superko: Seen  # ours with positional superko
    punished: jax.Array  # bool [..., num_actions]: what pgx would end as a repetition; no actions unless probed


def play_in_step(size: int, num_games: int, num_steps: int, wrap, choose, is_probed=True, **settings) -> Steps:
    """The same actions and keys in pgx and in ours; `choose(key, states)` gives an action for the three states."""
    envs = (
        PgxGo(size=size, **settings),
        pgx_api.Go(size=size, ko="simple", **settings),
        pgx_api.Go(size=size, ko="positional_superko", **settings),
    )
    theirs = envs[0]
    probes = jnp.arange(size**2 + 1 if is_probed else 0)

    def step(states, key):
        action = choose(key, states)
        states = tuple(wrap(env)(state, action, key) for env, state in zip(envs, states, strict=True))
        punished = jax.vmap(lambda a: theirs._game.step(states[0]._x, a).is_psk)(probes)
        return states, Steps(action, *(see(env, state) for env, state in zip(envs, states, strict=True)), punished)

    def play(key):
        return jax.lax.scan(step, tuple(env.init(key) for env in envs), jax.random.split(key, num_steps))[1]

    keys = jax.random.split(jax.random.PRNGKey(size), num_games)
    return jax.tree.map(np.asarray, fast(jax.vmap(play, out_axes=1))(keys))


def rarely_pass(key, mask):
    """Random in `mask`; a pass in 3 % of the moves, so that boards fill up and stones are taken."""
    logits = jnp.where(mask, 0.0, -jnp.inf).at[-1].set(jnp.log(0.03 * mask.sum()))
    return jax.random.categorical(key, logits)


def assert_same(ours: Seen, theirs: Seen, but: tuple[str, ...] = ()):
    for name in Seen._fields:
        if name not in but:
            x, y = getattr(ours, name), getattr(theirs, name)
            assert x.dtype == y.dtype, name
            assert np.array_equal(x, y), f"{name} differs first in step {np.argwhere(x != y)[0][0]}"


@pytest.mark.parametrize(
    ("size", "num_games", "num_steps", "settings"),
    [
        pytest.param(3, 16, 200, {"komi": 0.5, "max_terminal_steps": 80, "history_length": 13}, marks=pytest.mark.slow),
        pytest.param(5, 16, 150, {"komi": 0.5, "max_terminal_steps": 100}, marks=pytest.mark.slow),
        (9, 6, 165, {"komi": 7.5, "is_probed": False}),
    ],
)
@pytest.mark.slow
def test_games_with_auto_reset_agree_with_pgx_at_every_step(size, num_games, num_steps, settings):
    def choose(key, states):
        return rarely_pass(key, states[2].legal_action_mask)  # no repetitions, which pgx punishes and simple ko allows

    def wrap(env):
        return auto_reset(env.step, env.init)

    steps = play_in_step(size, num_games, num_steps, wrap, choose, **settings)
    assert_same(steps.simple, steps.pgx)
    assert_same(steps.superko, steps.pgx, but=("legal_action_mask",))
    theirs, ours = steps.pgx.legal_action_mask, steps.superko.legal_action_mask
    if size <= 5:
        assert np.array_equal(ours, theirs & ~steps.punished)
    else:
        assert not (ours & ~theirs).any()

    assert set(steps.pgx.rewards[steps.pgx.terminated][:, 0]) == {-1, 1}, "did each player win a game?"
    if size == 3:
        assert (theirs & steps.punished).sum() > 50, "did games meet superko?"


@pytest.mark.slow
def test_a_repetition_is_lost_as_in_pgx_and_finished_games_stay_as_they_are():
    def choose(key, states):
        return rarely_pass(key, states[0].legal_action_mask)

    limit = 60
    settings = {"komi": 0.5, "max_terminal_steps": limit, "is_probed": False}
    steps = play_in_step(3, 32, limit + 10, lambda env: env.step, choose, **settings)
    # The repeated position is on the board in pgx; in ours the move counts as any illegal one and is not played.
    assert_same(steps.superko, steps.pgx, but=("observation", "other_observation", "legal_action_mask"))

    is_end = np.diff(steps.pgx.terminated.astype(int), axis=0, prepend=0) == 1
    is_repetition = is_end & (steps.action != 9) & (steps.pgx.step_count < limit)
    assert is_end.sum() == 32 and 0 < is_repetition.sum() < 32
    for ours in (steps.simple, steps.superko):
        assert ours.legal_action_mask[ours.terminated].all()


def both(size: int, **settings) -> list:
    """pgx's environment and ours, with methods compiled."""
    envs = [PgxGo(size=size, **settings), pgx_api.Go(size=size, **settings)]
    return [(env, fast(env.init), fast(env.step)) for env in envs]


def after(init, step, actions: list[int], seed: int = 0):
    state = init(jax.random.PRNGKey(seed))
    for action in actions:
        state = step(state, action)
    return state


@pytest.mark.slow
def test_an_illegal_action_is_lost_as_in_pgx_and_a_state_that_a_wrapper_ended_stays_as_it_is():
    envs = both(5)
    for seed in range(3):  # so that either player makes the mistake
        theirs, ours = (see(env, after(init, step, [12, 7, 12], seed)) for env, init, step in envs)
        assert_same(ours, theirs, but=("observation", "other_observation"))  # the mistake is on the board in pgx
        assert ours.terminated and sorted(ours.rewards) == [-1, 1]

    for flag in ("terminated", "truncated"):
        ended = [after(init, step, [12, 7]).replace(**{flag: jnp.bool_(True)}) for _, init, step in envs]
        theirs, ours = (see(env, step(state, 3)) for (env, _, step), state in zip(envs, ended, strict=True))
        assert_same(ours, theirs, but=("legal_action_mask",))  # pgx keeps that of a truncated game
        assert ours.step_count == 2 and ours.legal_action_mask.all()


def test_a_tie_is_a_draw_where_pgx_lets_white_win():
    theirs, ours = (after(init, step, [4, 4]) for _, init, step in both(2, komi=0))
    assert ours.terminated and theirs.terminated
    assert np.abs(theirs.rewards).tolist() == [1, 1]
    assert ours.rewards.tolist() == [0, 0]


@pytest.mark.slow
def test_pictures_are_those_of_pgx():
    theirs, ours = (after(init, step, [40, 41, 31, 3]) for _, init, step in both(9))
    assert ours.to_svg() == theirs.to_svg()


def test_sizes_and_names_are_those_of_pgx():
    for env_id in ("go_9x9", "go_19x19"):
        theirs, ours = pgx.make(env_id), pgx_api.make(env_id)
        for name in ("id", "num_players", "num_actions", "observation_shape"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert isinstance(ours, pgx.Env) and ours.version != theirs.version
    assert pgx_api.make("tic_tac_toe").id == "tic_tac_toe"


def test_states_have_the_sizes_that_the_docstring_names():
    envs = {
        size: [
            PgxGo(size=size),
            pgx_api.Go(size=size),
            pgx_api.Go(size=size, memory=8),
            pgx_api.Go(size=size, ko="simple"),
        ]
        for size in (9, 19)
    }
    for size, (theirs, *ours) in envs.items():
        row = f"{size}×{size}" + "".join(f" {num_bytes(env):,}" for env in (theirs, *ours))
        assert row in " ".join(pgx_api.Go.__doc__.split())


def num_bytes(env) -> int:
    state = jax.eval_shape(env.init, jax.random.PRNGKey(0))
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True])
def test_an_impossible_history_length_is_refused_in_one_line(wrong):
    with pytest.raises(ValueError, match="history_length must be a whole number from 1 on"):
        pgx_api.Go(history_length=wrong)


def test_without_pgx_importing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pgx", None)
    monkeypatch.delitem(sys.modules, "go_env.pgx_api")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'reward-pretraining\[pgx\]'"):
        importlib.import_module("go_env.pgx_api")


class Played(NamedTuple):
    """Self-play `[steps, games, ...]`."""

    observation: jax.Array
    policy: jax.Array
    reward: jax.Array
    discount: jax.Array


def train_for_one_iteration(pgx, num_games=4, num_steps=170, num_simulations=2):
    """The training loop that pgx ships, in small: search, self-play with auto-reset, value targets, an update.

    Args:
      pgx: what the name `pgx` stands for in the loop: pgx, or our module in its place.

    Returns: what was played, and the losses before and after some updates on it.
    """
    env = pgx.make("go_9x9")
    optimizer = optax.adam(1e-3)

    def apply(params, observation):
        x = observation.reshape(len(observation), -1).astype(jnp.float32)
        outputs = x @ params
        return outputs[:, :-1], jnp.tanh(outputs[:, -1])

    def recurrent_fn(params, key, action, state: pgx.State):
        actor = state.current_player
        state = jax.vmap(env.step)(state, action)
        logits, value = apply(params, state.observation)
        output = mctx.RecurrentFnOutput(
            reward=state.rewards[jnp.arange(len(actor)), actor],
            discount=jnp.where(state.terminated, 0.0, -1.0),
            prior_logits=jnp.where(state.legal_action_mask, logits, jnp.finfo(jnp.float32).min),
            value=jnp.where(state.terminated, 0.0, value),
        )
        return output, state

    def play(params, state, key):
        search_key, reset_key = jax.random.split(key)
        logits, value = apply(params, state.observation)
        found = mctx.gumbel_muzero_policy(
            params,
            search_key,
            mctx.RootFnOutput(prior_logits=logits, value=value, embedding=state),
            recurrent_fn,
            num_simulations,
            invalid_actions=~state.legal_action_mask,
        )
        actor, observation = state.current_player, state.observation
        state = jax.vmap(auto_reset(env.step, env.init))(state, found.action, jax.random.split(reset_key, num_games))
        reward = state.rewards[jnp.arange(num_games), actor]
        return state, Played(observation, found.action_weights, reward, jnp.where(state.terminated, 0.0, -1.0))

    def loss(params, played, value_target, is_known):
        logits, value = jax.vmap(apply, in_axes=(None, 0))(params, played.observation)
        policy_loss = optax.softmax_cross_entropy(logits, played.policy).mean()
        return policy_loss + (optax.l2_loss(value, value_target) * is_known).mean()

    @fast
    def iteration(params, key):
        init_key, play_key = jax.random.split(key)
        state = jax.vmap(env.init)(jax.random.split(init_key, num_games))
        played = jax.lax.scan(
            lambda state, key: play(params, state, key), state, jax.random.split(play_key, num_steps)
        )[1]

        def backward(value, step):
            value = step.reward + step.discount * value
            return value, value

        value_target = jax.lax.scan(backward, jnp.zeros(num_games), played, reverse=True)[1]
        is_known = jnp.cumsum(played.discount[::-1] == 0, axis=0)[::-1] > 0  # the game ends within what was played

        def update(carry, _):
            params, opt_state = carry
            value, gradient = jax.value_and_grad(loss)(params, played, value_target, is_known)
            updates, opt_state = optimizer.update(gradient, opt_state)
            return (optax.apply_updates(params, updates), opt_state), value

        losses = jax.lax.scan(update, (params, optimizer.init(params)), length=5)[1]
        return played, losses

    params = jnp.zeros((np.prod(env.observation_shape), env.num_actions + 1))
    return jax.tree.map(np.asarray, iteration(params, jax.random.PRNGKey(1)))


@pytest.mark.slow
def test_a_training_loop_written_for_pgx_plays_and_learns_the_same_with_one_import_changed():
    played, losses = train_for_one_iteration(pgx_api)
    assert ((played.discount == 0).sum(axis=0) >= 1).all(), "every game ends within its move limit"
    assert np.array_equal(played.reward != 0, played.discount == 0), "who wins hears of it when the game ends"
    assert losses[-1] < losses[0]

    played_in_pgx, losses_in_pgx = train_for_one_iteration(pgx)
    for name in Played._fields:  # no superko comes up in these games, where the rules would differ
        assert np.array_equal(getattr(played, name), getattr(played_in_pgx, name)), name
    assert np.allclose(losses, losses_in_pgx)
