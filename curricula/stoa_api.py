"""The tasks behind stoa's API: an environment for its wrappers, and for what is built on them, such as Stoix.

    env = stoa_api.Stoa(copying.copy(), level=3)
    state, timestep = env.reset(key)
    state, timestep = env.step(state, action)

A task's last step is its end: TERMINATED, discount 0. TRUNCATED is for wrappers that limit steps. Levels are chosen
when an environment is made, since stoa's wrappers that begin a new episode hand no parameters on. Observations are
one-hot, as in `gymnax_api`. Needs stoa-env; importing that starts JAX's devices, so it is imported when an
environment is made.
"""

import dataclasses
import importlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from curricula.stream import State, Stream
from curricula.vocabulary import NUM_TOKENS


class Episode(NamedTuple):
    """A task's episode, and what stoa's wrappers draw the next one from."""

    state: State
    rng_key: jax.Array  # stoa's name


@dataclasses.dataclass(frozen=True)
class Stoa:
    """A task as an environment of stoa, which asks for the methods alone.

    Attributes:
      task: what to play.
      level: of every episode; None: a random training level for each.
    """

    task: Stream
    level: int | None = None

    def __post_init__(self):
        _stoa()  # now: under `jit` the arrays it makes when imported would be tracers
        if self.level is not None:
            self.task.levels.check(self.level)

    def reset(self, rng_key: jax.Array, env_params: Any = None) -> tuple[Episode, Any]:
        """A new episode and its first timestep. There are no `env_params`; what is given is ignored, as in `step`."""
        key, next_key = jax.random.split(rng_key)
        state = self.task.init(key, self.level)
        return Episode(state, next_key), self._timestep(state, _stoa().StepType.FIRST)

    def step(self, state: Episode, action: jax.Array, env_params: Any = None) -> tuple[Episode, Any]:
        """The episode and the timestep after an action; `extras` tell `success`."""
        after = self.task.step(state.state, action)
        step_type = jnp.where(after.discount == 0, _stoa().StepType.TERMINATED, _stoa().StepType.MID)
        return state._replace(state=after), self._timestep(after, step_type)

    def _timestep(self, state: State, step_type: jax.Array) -> Any:
        seen = jax.nn.one_hot(self.task.observe(state), NUM_TOKENS).reshape(-1)
        extras = {"success": self.task.is_solved(state)}
        return _stoa().TimeStep(
            step_type, reward=state.reward, discount=state.discount, observation=seen, extras=extras
        )

    def action_space(self, env_params: Any = None) -> Any:
        """`stoa.spaces.DiscreteSpace`."""
        return _stoa().DiscreteSpace(NUM_TOKENS, dtype=jnp.int32)

    def observation_space(self, env_params: Any = None) -> Any:
        """`stoa.spaces.BoundedArraySpace`, as are the next two."""
        return self._bounded((2 * NUM_TOKENS,), "observation")

    def reward_space(self, env_params: Any = None) -> Any:
        return self._bounded((), "reward")

    def discount_space(self, env_params: Any = None) -> Any:
        return self._bounded((), "discount")

    def _bounded(self, shape: tuple[int, ...], name: str) -> Any:
        """Of float32 from 0 to 1."""
        return _stoa().BoundedArraySpace(shape, jnp.float32, 0.0, 1.0, name)

    @property
    def unwrapped(self) -> "Stoa":
        return self

    def close(self) -> None:
        """There is nothing to free."""


def _stoa() -> Any:
    try:
        return importlib.import_module("stoa")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("curricula.stoa_api needs stoa: pip install stoa-env") from error
