"""The contract between a world and the learner, and `check`, which holds a world to it.

An environment is two sizes and four pure functions of one episode. It need not import or inherit anything; having
these attributes is enough. How many players there are is told by the sign of `discount` alone.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

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
    4. No action makes NaN in state, reward or observation. What an illegal one does is documented.
    5. Every episode begins unfinished and ends; a move limit is a rule of the world, and it is scored.
    6. `step` is deterministic, and `init` given its key: chance enters by that key only.
    """

    @property
    def num_actions(self) -> int: ...

    @property
    def observation_shape(self) -> tuple[int, ...]: ...

    def init(self, key: jax.Array, /) -> S:
        """The first state of an episode."""
        ...

    def step(self, state: S, action: jax.Array, /) -> S:
        """The state after the player to move has taken `action` (int32 `[]`)."""
        ...

    def observe(self, state: S, /) -> jax.Array:
        """Float planes or integer tokens `[*observation_shape]`, as the player to move sees them."""
        ...

    def legal_actions(self, state: S, /) -> jax.Array:
        """bool `[num_actions]`, True where legal."""
        ...


Predict = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
"""Observations `[batch, ...]` → logits `[batch, actions]` and values `[batch]`, both float32; values in [-1, 1] are
the expected return of the player to move."""


class ContractError(AssertionError):
    """An environment breaks a law of the contract."""


def check(env: Environment, seed: int = 0, num_episodes: int = 16, max_steps: int = 2000) -> None:
    """Plays random episodes and verifies every law of `Environment`, illegal actions included.

    Args:
      max_steps: every random episode must have ended by then.

    Raises:
      ContractError: in one line, which law is broken and how.
    """
    _check_shapes(env)
    _check_traces(env)
    world = _Batched(*(jax.jit(jax.vmap(f)) for f in (env.init, env.step, env.observe, env.legal_actions)))
    init_key, play_key = jax.random.split(jax.random.key(seed))
    states = world.init(jax.random.split(init_key, num_episodes))
    _require(not _is_over(states).any(), "law 5: an episode is over before it began")
    for t in range(max_steps):
        legal = _check_states(world, states)
        if _is_over(states).all():
            break
        legal_key, illegal_key = jax.random.split(jax.random.fold_in(play_key, t))
        _checked_step(world, states, _random_actions(illegal_key, _unless_none(~legal)))
        states = _checked_step(world, states, _random_actions(legal_key, legal))
    _require(_is_over(states).all(), f"law 5: an episode is not over after {max_steps} steps")
    for action in range(0, env.num_actions, max(1, env.num_actions // 5)):
        _checked_step(world, states, jnp.full(num_episodes, action, jnp.int32))


class _Batched(NamedTuple):
    """The functions of an environment, compiled for a batch of episodes."""

    init: Callable
    step: Callable
    observe: Callable
    legal_actions: Callable


def _check_shapes(env: Environment) -> None:
    state = jax.eval_shape(env.init, jax.random.key(0))
    after = jax.eval_shape(env.step, state, jax.ShapeDtypeStruct((), jnp.int32))
    _require(
        jax.tree.structure(state) == jax.tree.structure(after), "law 1: step changes the tree structure of the state"
    )
    # What step gives is what it takes, thus one compilation serves all steps. A weak type would change under vmap.
    for (path, a), b in zip(jax.tree.leaves_with_path(state), jax.tree.leaves(after), strict=True):
        name = jax.tree_util.keystr(path)
        _require((a.shape, a.dtype) == (b.shape, b.dtype), f"law 1: step turns {name} from {a} into {b}")
        _require(not a.weak_type, f"law 1: init gives {name} a weak type; name its dtype")
        _require(not b.weak_type, f"law 1: step gives {name} a weak type; name its dtype")
    for name in ("reward", "discount"):
        leaf = getattr(state, name)
        _require((leaf.shape, leaf.dtype) == ((), jnp.float32), f"law 1: {name} must be float32 [], is {leaf}")
    seen = jax.eval_shape(env.observe, state)
    _require(
        seen.shape == tuple(env.observation_shape),
        f"law 1: observe gives {seen.shape}, observation_shape says {tuple(env.observation_shape)}",
    )
    is_number = jnp.issubdtype(seen.dtype, jnp.floating) or jnp.issubdtype(seen.dtype, jnp.integer)
    _require(is_number, f"law 1: observe must give floats or integers, gives {seen.dtype}")
    legal = jax.eval_shape(env.legal_actions, state)
    _require(
        (legal.shape, legal.dtype) == ((env.num_actions,), jnp.bool_),
        f"law 1: legal_actions must be bool [{env.num_actions}], is {legal}",
    )


def _check_traces(env: Environment) -> None:
    """Chance drawn while tracing, as by numpy.random, becomes a constant that no run of one compilation shows."""
    key, action = jax.random.key(0), jax.ShapeDtypeStruct((), jnp.int32)
    state = jax.eval_shape(env.init, key)
    for function, args in ((env.init, (key,)), (env.step, (state, action))):
        # A new lambda each time, since JAX remembers what it has traced.
        first, second = (jax.make_jaxpr(lambda *x, f=function: f(*x))(*args) for _ in range(2))
        address = re.compile("0x[0-9a-f]+")
        is_same_program = address.sub("", str(first)) == address.sub("", str(second))
        is_same = is_same_program and _first_difference(first.consts, second.consts) is None
        _require(is_same, f"law 6: {function.__name__} is another program each time it is traced")


def _check_states(world: _Batched, states: State) -> np.ndarray:
    """Returns what is legal."""
    legal = np.asarray(world.legal_actions(states))
    _require(legal.any(axis=1).all(), "law 3: a state has no legal action")
    _require(legal[_is_over(states)].all(), "law 3: a finished episode must report all actions legal")
    for path, leaf in jax.tree.leaves_with_path(states):
        is_float = jnp.issubdtype(leaf.dtype, jnp.floating)
        _require(not (is_float and jnp.isnan(leaf).any()), f"law 4: NaN in the state's {jax.tree_util.keystr(path)}")
    _require(np.isfinite(np.asarray(world.observe(states))).all(), "law 4: an observation is not finite")
    return legal


def _checked_step(world: _Batched, states: State, actions: jax.Array) -> State:
    after = world.step(states, actions)
    reward, discount = np.asarray(after.reward), np.asarray(after.discount)
    was_over = _is_over(states)
    _require(np.isfinite(reward).all(), "law 4: a reward is not finite")
    _require((np.abs(discount) <= 1).all(), "law 1: a discount is outside [-1, 1]")
    _require((reward[was_over] == 0).all(), "law 2: a step after the end pays a reward")
    _require((discount[was_over] == 0).all(), "law 2: a step after the end revives the episode")
    before, same = (jax.tree.map(lambda x: _numpy(x)[was_over], s) for s in (states, after))
    changed = _first_difference(before, same, besides=("reward", "discount"))
    _require(changed is None, f"law 2: a step after the end changes {changed}")
    changed = _first_difference(after, world.step(states, actions))
    _require(changed is None, f"law 6: the same step twice gives two results in {changed}")
    _check_states(world, after)
    return after


def _is_over(states: State) -> np.ndarray:
    return np.asarray(states.discount) == 0


def _unless_none(choices: np.ndarray) -> np.ndarray:
    """`[batch, actions]`, with all actions in rows that have no choice."""
    return choices | ~choices.any(axis=1, keepdims=True)


def _random_actions(key: jax.Array, choices: np.ndarray) -> jax.Array:
    return jax.random.categorical(key, jnp.where(choices, 0.0, -jnp.inf)).astype(jnp.int32)


def _first_difference(x, y, besides: tuple[str, ...] = ()) -> str | None:
    """Path of the first leaf in which two trees of one structure differ."""
    for (path, a), b in zip(jax.tree.leaves_with_path(x), jax.tree.leaves(y), strict=True):
        is_compared = jax.tree_util.keystr(path, simple=True) not in besides
        if is_compared and not np.array_equal(_numpy(a), _numpy(b), equal_nan=True):
            return jax.tree_util.keystr(path)
    return None


def _numpy(x) -> np.ndarray:
    is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(x) if is_key else x)


def _require(holds: bool | np.bool_, otherwise: str) -> None:
    if not holds:
        raise ContractError(otherwise)
