"""A task as a vector environment of gymnasium: many episodes side by side, numpy in, numpy out.

    envs = gymnasium_api.TaskVectorEnv(copying.copy(), num_envs=64)
    tokens, infos = envs.reset(seed=0, options={"level": 3})
    tokens, rewards, terminated, truncated, infos = envs.step(actions)

An episode that is over begins anew within the step (`AutoresetMode.SAME_STEP`): no step is wasted on a reset, so every
action counts, and code that knows nothing of modes learns from true transitions, since nothing is ever truncated.
Instances come from a `Pool`, handed out in turn to whichever episode is over, so that none is played twice; when they
run out new ones are written, and episodes in progress go on. Needs the extra `peers`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from curricula import pool
from curricula.pool import Episode, Pool
from curricula.stream import Stream
from curricula.vocabulary import NUM_TOKENS

try:
    from gymnasium import error, spaces
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ModuleNotFoundError as missing:
    message = "curricula.gymnasium_api needs gymnasium: pip install 'reward-pretraining[peers]'"
    raise ModuleNotFoundError(message) from missing


class TaskVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Episodes of one task side by side.

    Observations are int32 `[num_envs, 2]`, the token shown and the last action; rewards float32 `[num_envs]`. Each
    episode is of a random training level, or of the level that `reset` was told.

    Args:
      task: what to play.
      num_envs: episodes side by side.
      instances_per_env: how many instances to write at a time for each of them, at least 2. More cost memory and make
        writing rarer.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (gymnasium's own)

    def __init__(self, task: Stream, num_envs: int = 1, instances_per_env: int = 16):
        for name, number, least in (("num_envs", num_envs, 1), ("instances_per_env", instances_per_env, 2)):
            if not isinstance(number, int | np.integer) or number < least:
                raise ValueError(f"{name} must be a whole number, at least {least}, got {number!r}")
        self.task, self.num_envs, self.instances_per_env = task, int(num_envs), int(instances_per_env)
        self.single_observation_space = spaces.MultiDiscrete([NUM_TOKENS, NUM_TOKENS], dtype=np.int32)
        self.single_action_space = spaces.Discrete(NUM_TOKENS)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._episodes: Any = None  # an Episode [num_envs] from the first reset on

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """New episodes. All that is random follows from the latest seed given.

        Args:
          options: `level`: of these episodes and all that follow until the next reset; without it each is of a random
            training level.
        """
        self._check_open()
        level = self._check_level(options or {})
        super().reset(seed=seed)
        self._level = level
        self._key = jax.random.key(int(self.np_random.integers(2**32)))
        instances = self._write()
        self._episodes = jax.vmap(instances.at)(jnp.arange(self.num_envs))
        self._pool = _put_first(instances, self._episodes, instances)
        self._next_row = 2 * self.num_envs  # the first instances are there twice now
        return np.array(_observe(self._pool, self._episodes)), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One step of every episode, and the beginning of the next one where it was the last.

        Returns: observations to go on with, rewards, whether episodes ended, False, and infos: `success`, whether an
        episode ended with every token right. Where any ended also what gymnasium asks for in this mode: `final_obs`,
        an object array with the last observation of those that ended, and `final_info`.
        """
        self._check_open()
        if self._episodes is None:
            raise error.ResetNeeded("call reset before the first step")
        actions = self._check_actions(actions)
        if self._next_row + self.num_envs > self._pool.num_rows:
            self._refill()
        self._episodes, results = _step(self._pool, self._episodes, self._next_row, actions)
        seen, final, rewards, is_over, is_solved = (np.array(x) for x in results)  # ours to change, unlike JAX's
        self._next_row += int(np.sum(is_over))
        infos: dict[str, Any] = {"success": is_solved, "_success": is_over}
        if np.any(is_over):
            infos |= {"final_obs": _where(is_over, final), "_final_obs": is_over.copy()}
            infos["final_info"] = {"success": is_solved.copy(), "_success": is_over.copy()}
            infos["_final_info"] = is_over.copy()
        return seen, rewards, is_over, np.zeros(self.num_envs, bool), infos

    def _write(self) -> Pool:
        """New instances."""
        self._key, key = jax.random.split(self._key)
        return _write(self.task, self.num_envs * self.instances_per_env, key, self._level)

    def _refill(self) -> None:
        """New instances, behind those of the episodes in progress."""
        self._pool = _put_first(self._pool, self._episodes, self._write())
        self._episodes = self._episodes._replace(row=jnp.arange(self.num_envs, dtype=jnp.int32))
        self._next_row = self.num_envs

    def _check_open(self) -> None:
        if self.closed:
            raise error.ClosedEnvironmentError("this environment has been closed")

    def _check_actions(self, actions: np.ndarray) -> np.ndarray:
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions must have the shape ({self.num_envs},), got {actions.shape}")
        if actions.dtype.kind not in "iu":
            raise ValueError(f"actions must be whole numbers, got {actions.dtype}")
        wrong = actions[(actions < 0) | (actions >= NUM_TOKENS)]
        if wrong.size:
            raise ValueError(f"an action must be a token, 0 to {NUM_TOKENS - 1}, got {wrong[0]}")
        return actions.astype(np.int32)

    def _check_level(self, options: dict[str, Any]) -> int:
        """The level, -1 for random ones."""
        unknown = options.keys() - {"level"}
        if unknown:
            raise ValueError(f"the only option of reset is level, got {min(unknown, key=str)!r}")
        level = options.get("level")
        if level is None:
            return -1
        if np.ndim(level) or np.asarray(level).dtype.kind not in "iu":
            raise ValueError(f"level must be one whole number, got {level!r}")
        return int(self.task.levels.check(int(level)))


@functools.partial(jax.jit, static_argnames=("task", "num_rows"))
def _write(task: Stream, num_rows: int, key: jax.Array, level: jax.Array | int) -> Pool:
    """Instances of a level, or of random training levels where it is -1."""
    level_key, key = jax.random.split(key)
    at_random = jax.random.randint(level_key, (num_rows,), 0, task.levels.num_train)
    return pool.write(task, key, jnp.where(level < 0, at_random, level))


@jax.jit
def _put_first(old: Pool, episodes: Episode, new: Pool) -> Pool:
    """The instances of B episodes of `old`, then those of `new`."""

    def rows(of: Pool) -> Pool:
        return of._replace(scripts=of.scripts.reshape(of.num_rows, -1), answers=())

    both = jax.tree.map(lambda x, y: jnp.concatenate([x[episodes.row], y]), rows(old), rows(new))
    return both._replace(scripts=both.scripts.reshape(-1), answers=new.answers)


@jax.jit
def _observe(instances: Pool, episodes: Episode) -> jax.Array:
    return jax.vmap(instances.observe)(episodes)


@jax.jit
def _step(
    instances: Pool, episodes: Episode, next_row: int, actions: jax.Array
) -> tuple[Episode, tuple[jax.Array, ...]]:
    """Episodes to go on with, and arrays `[B, ...]`: what they show, what the step showed, reward, is over, is solved.

    The episodes that are over go on with `next_row` and the rows after it, one each.
    """
    after = jax.vmap(instances.step)(episodes, actions)
    is_over = after.discount == 0
    fresh = jax.vmap(instances.at)(next_row + jnp.cumsum(is_over) - 1)
    going_on = jax.tree.map(lambda new, old: jnp.where(is_over, new, old), fresh, after)
    final = jax.vmap(instances.observe)(after)
    seen = jax.vmap(instances.observe)(going_on)
    return going_on, (seen, final, after.reward, is_over, jax.vmap(instances.is_solved)(after))


def _where(mask: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows where the mask is set, else None: an object array `[B]`, which is how gymnasium hands them over."""
    chosen = np.full(len(rows), None, dtype=object)
    for i in np.flatnonzero(mask):
        chosen[i] = rows[i]
    return chosen
