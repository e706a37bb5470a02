"""The tasks behind gymnax's API, for code that was written for gymnax environments.

    env = gymnax_api.Gymnax(copying.copy())  # six values a step, as gymnax from 1.0 on
    env = gymnax_api.LegacyGymnax(copying.copy())  # five values, as gymnax 0.0 and the code written for it
    params = env.default_params._replace(level=3)

As in gymnax an episode that is over begins anew within the step, with a new instance, which costs far more than the
step itself: for speed use `curricula.pool`. Observations are one-hot, since such code expects a float Box: the tokens
seen, then the last action. Nothing is ever truncated: a task's last step is its end.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from curricula.task import Task
from curricula.vocabulary import NUM_TOKENS


class Params(NamedTuple):
    """What may differ between the episodes of a compiled rollout."""

    level: jax.Array | int = -1  # of the task; -1: a random training level for each episode
    max_steps_in_episode: int = 0  # of the longest episode; here because gymnax has it, nothing reads it


@dataclasses.dataclass(frozen=True)
class Gymnax:
    """A task as a gymnax environment, version 1.0: `step` returns obs, state, reward, terminated, truncated, info."""

    task: Task

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def num_actions(self) -> int:
        return self.task.num_actions

    @property
    def default_params(self) -> Params:
        return Params(max_steps_in_episode=self.task.max_steps)

    def reset(self, key: jax.Array, params: Params | None = None) -> tuple[jax.Array, Any]:
        """The observation and state of a new episode: float32 `[n · tokens]`."""
        level = jnp.asarray((params or self.default_params).level, jnp.int32)
        level_key, key = jax.random.split(key)
        at_random = jax.random.randint(level_key, (), 0, self.task.levels.num_train)
        state = self.task.init(key, jnp.where(level < 0, at_random, level))
        return self._observe(state), state

    def step(self, key: jax.Array, state: Any, action: jax.Array, params: Params | None = None) -> tuple[Any, ...]:
        """One step, and if it is the last one the beginning of the next episode.

        Returns: the observation and state to go on with, the reward, whether the episode is over, False, and in `info`
        `success`, `terminated`, `truncated` and the `final_observation` of the step itself.
        """
        after = self.task.step(state, action)
        is_over = after.discount == 0
        info = {
            "success": self.task.is_solved(after),
            "terminated": is_over,
            "truncated": jnp.bool_(False),
            "final_observation": self._observe(after),
        }
        fresh = self.reset(key, params)
        seen, state = jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, (self._observe(after), after))
        return seen, state, after.reward, is_over, jnp.bool_(False), info

    def action_space(self, params: Params | None = None) -> Any:
        """`gymnax.environments.spaces.Discrete`."""
        from gymnax.environments import spaces

        return spaces.Discrete(self.task.num_actions)

    def observation_space(self, params: Params | None = None) -> Any:
        """`gymnax.environments.spaces.Box`."""
        from gymnax.environments import spaces

        return spaces.Box(0.0, 1.0, (self.task.observation_shape[0] * NUM_TOKENS,), jnp.float32)

    def _observe(self, state: Any) -> jax.Array:
        return jax.nn.one_hot(self.task.observe(state), NUM_TOKENS).reshape(-1)


@dataclasses.dataclass(frozen=True)
class LegacyGymnax(Gymnax):
    """The same with five values: obs, state, reward, done, info."""

    def step(self, key: jax.Array, state: Any, action: jax.Array, params: Params | None = None) -> tuple[Any, ...]:
        seen, state, reward, is_over, _, info = super().step(key, state, action, params)
        return seen, state, reward, is_over, info
