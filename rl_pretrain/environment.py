"""The contract between a world and the learner, and `check`, which holds a world to it.

An environment is two sizes and four pure functions of one episode. It need not import or inherit anything; having
these attributes is enough. How many players there are is told by the sign of `discount` alone.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

import chex
import jax
import jax.numpy as jnp
import numpy as np


class State(Protocol):
    """What the learner reads from a state; the rest of the pytree is the environment's own."""

    @property
    def reward(self) -> jax.Array:
        """float32 `[]`, to the player who has just moved."""
        ...

    @property
    def discount(self) -> jax.Array:
        """float32 `[]`, worth of what follows to that player: -1 opponent moves, +1 same player moves, 0 over."""
        ...


S = TypeVar("S", bound=State)


class Environment(Protocol[S]):
    """A world. Laws, verified by `check`:

    1. Shapes, dtypes and tree structure of states never change, and no step compiles anew.
    2. A finished episode absorbs: the same state again, with reward 0 and discount 0. Nothing resets by itself.
    3. An unfinished episode has a legal action; a finished one reports all actions legal.
    4. What an illegal action does is documented, and it does it without NaN or a change of shape.
    5. Every episode ends; a move limit is a rule of the world, and it is scored.
    6. `step` is deterministic: chance enters by `init` only.
    """

    @property
    def num_actions(self) -> int: ...

    @property
    def observation_shape(self) -> tuple[int, ...]: ...

    def init(self, key: jax.Array) -> S:
        """The first state of an episode."""
        ...

    def step(self, state: S, action: jax.Array) -> S:
        """The state after the player to move has taken `action` (int32 `[]`)."""
        ...

    def observe(self, state: S) -> jax.Array:
        """Float planes or integer tokens `[*observation_shape]`, as the player to move sees them."""
        ...

    def legal_actions(self, state: S) -> jax.Array:
        """bool `[num_actions]`, True where legal."""
        ...


Predict = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
"""Observations `[batch, ...]` → logits `[batch, actions]` and values `[batch]`, both float32; values in [-1, 1] are
the expected return of the player to move."""


class ContractError(AssertionError):
    """An environment breaks a law of the contract."""


def check(env: Environment, seed: int = 0, num_episodes: int = 16, max_steps: int = 2000) -> None:
    """Plays random episodes and verifies every law of `Environment`.

    Args:
      max_steps: every random episode must have ended by then.

    Raises:
      ContractError: in one line, which law is broken and how.
    """
    keys = jax.random.split(jax.random.key(seed), num_episodes)
    num_traces = 0

    def count_traces(state, action):
        nonlocal num_traces
        num_traces += 1
        return env.step(state, action)

    step = jax.jit(jax.vmap(count_traces))
    legal_actions = jax.jit(jax.vmap(env.legal_actions))
    states = jax.jit(jax.vmap(env.init))(keys)
    _check_shapes(env, jax.tree.map(lambda x: x[0], states))

    for t in range(max_steps):
        legal = np.asarray(legal_actions(states))
        is_over = np.asarray(states.discount) == 0
        _require(legal.any(axis=1).all(), "law 3: a state has no legal action")
        _require(legal[is_over].all(), "law 3: a finished episode must report all actions legal")
        if is_over.all():
            break
        actions = _random_actions(jax.random.fold_in(jax.random.key(seed), t), legal)
        after = step(states, actions)
        _check_transition(states, after, is_over)
        _same(after, step(states, actions), "law 6: the same step gave two results")
        states = after
    _require(bool((np.asarray(states.discount) == 0).all()), f"law 5: an episode is not over after {max_steps} steps")
    for action in range(0, env.num_actions, max(1, env.num_actions // 5)):
        after = step(states, jnp.full(num_episodes, action, jnp.int32))
        _check_transition(states, after, np.ones(num_episodes, bool))
    _require(num_traces == 1, f"law 1: step was traced {num_traces} times for states of one shape")
    _check_illegal(env, jax.jit(jax.vmap(env.init))(keys), step)


def _check_shapes(env: Environment, state: State) -> None:
    spec = jax.eval_shape(lambda: state)
    after = jax.eval_shape(env.step, spec, jax.ShapeDtypeStruct((), jnp.int32))
    _require(
        jax.tree.structure(spec) == jax.tree.structure(after), "law 1: step changes the tree structure of the state"
    )
    for (path, a), b in zip(jax.tree.leaves_with_path(spec), jax.tree.leaves(after), strict=True):
        name = jax.tree_util.keystr(path)
        _require(
            (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type),
            f"law 1: step turns {name} from {a} into {b}",
        )
    for name in ("reward", "discount"):
        leaf = getattr(spec, name)
        _require((leaf.shape, leaf.dtype) == ((), jnp.float32), f"law 1: {name} must be float32 [], is {leaf}")
    observation = jax.eval_shape(env.observe, spec)
    _require(
        observation.shape == tuple(env.observation_shape),
        f"law 1: observe gives {observation.shape}, observation_shape says {tuple(env.observation_shape)}",
    )
    legal = jax.eval_shape(env.legal_actions, spec)
    _require(
        (legal.shape, legal.dtype) == ((env.num_actions,), jnp.bool_),
        f"law 1: legal_actions must be bool [{env.num_actions}], is {legal}",
    )


def _check_transition(before: State, after: State, was_over: np.ndarray) -> None:
    reward, discount = np.asarray(after.reward), np.asarray(after.discount)
    _require(bool(np.isfinite(reward).all()), "law 4: a reward is not finite")
    _require(bool((np.abs(discount) <= 1).all()), "law 1: a discount is outside [-1, 1]")
    _require(bool((reward[was_over] == 0).all()), "law 2: a step after the end pays a reward")
    _require(bool((discount[was_over] == 0).all()), "law 2: a step after the end revives the episode")
    rest = [x._replace(reward=0, discount=0) if hasattr(x, "_replace") else x for x in (before, after)]
    ended = [jax.tree.map(lambda x: np.asarray(x)[was_over] if np.ndim(x) else x, x) for x in rest]
    if hasattr(before, "_replace"):
        _same(*ended, "law 2: a step after the end changes the state")


def _check_illegal(env: Environment, states: State, step: Callable) -> None:
    legal = np.asarray(jax.vmap(env.legal_actions)(states))
    if legal.all():
        return
    after = step(states, jnp.argmin(legal, axis=1).astype(jnp.int32))
    _check_transition(states, after, np.zeros(len(legal), bool))


def _random_actions(key: jax.Array, legal: np.ndarray) -> jax.Array:
    return jax.random.categorical(key, jnp.where(legal, 0.0, -jnp.inf)).astype(jnp.int32)


def _require(holds: bool | np.bool_, otherwise: str) -> None:
    if not holds:
        raise ContractError(otherwise)


def _same(x, y, otherwise: str) -> None:
    try:
        chex.assert_trees_all_equal(x, y)
    except AssertionError as error:
        raise ContractError(f"{otherwise}: {str(error).splitlines()[0]}") from None
