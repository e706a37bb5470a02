"""A ring of recent play on the device that made it. Outcomes are filled in when a game's end arrives."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from rl_pretrain.selfplay import Trajectory
from rl_pretrain.targets import returns


class Example(NamedTuple):
    """One position to learn from."""

    observation: jax.Array  # [...]
    legal: jax.Array  # bool [actions]
    policy: jax.Array  # float32 [actions], sums to 1
    has_policy: jax.Array  # bool []: whether it is worth learning
    value: jax.Array  # float32 []: the outcome for the player to move
    has_value: jax.Array  # bool []: whether the outcome is known yet


class Replay(NamedTuple):
    """The last `capacity` steps of every game of a device. Row `cursor` is the next to be overwritten."""

    examples: Example  # [capacity, games, ...]; floats in half precision but for value
    reward: jax.Array  # float32 [capacity, games]
    discount: jax.Array  # float32 [capacity, games]
    cursor: jax.Array  # int32 []
    size: jax.Array  # int32 []: rows that hold something


def empty(trajectory: Trajectory, capacity: int) -> Replay:
    """A ring without content for what self-play makes.

    Args:
      trajectory: one as it will be remembered; shapes and dtypes suffice (`jax.eval_shape`).
      capacity: steps kept for each game; a multiple of the trajectory's.

    Raises:
      ValueError: capacity is no such multiple.
    """
    num_steps, num_games = trajectory.reward.shape
    if capacity <= 0 or capacity % num_steps:
        raise ValueError(f"the replay's capacity must be a multiple of {num_steps} steps, got {capacity}")

    def ring(x):
        return jnp.zeros((capacity, num_games, *x.shape[2:]), x.dtype)

    examples = jax.eval_shape(_examples, trajectory)
    return Replay(
        examples=jax.tree.map(ring, examples),
        reward=ring(trajectory.reward),
        discount=ring(trajectory.discount),
        cursor=jnp.int32(0),
        size=jnp.int32(0),
    )


def remember(replay: Replay, trajectory: Trajectory) -> Replay:
    """Overwrites the oldest steps, then works out anew which outcomes are known: those of all games seen to end."""
    num_steps = len(trajectory.reward)
    capacity = len(replay.reward)

    def write(ring, new):
        return jax.lax.dynamic_update_slice_in_dim(ring, new, replay.cursor, axis=0)

    examples = jax.tree.map(write, replay.examples, _examples(trajectory))
    reward = write(replay.reward, trajectory.reward)
    discount = write(replay.discount, trajectory.discount)
    cursor = (replay.cursor + num_steps) % capacity
    # Oldest first. Rows never written lie before all others then, and no sample is drawn from them.
    value, has_value = returns(jnp.roll(reward, -cursor, axis=0), jnp.roll(discount, -cursor, axis=0))
    examples = examples._replace(value=jnp.roll(value, cursor, axis=0), has_value=jnp.roll(has_value, cursor, axis=0))
    return Replay(examples, reward, discount, cursor, jnp.minimum(replay.size + num_steps, capacity))


def sample(replay: Replay, key: jax.Array, batch_size: int) -> Example:
    """`[batch_size, ...]` positions, uniformly and with replacement."""
    row_key, game_key = jax.random.split(key)
    rows = jax.random.randint(row_key, (batch_size,), 0, replay.size)
    games = jax.random.randint(game_key, (batch_size,), 0, replay.reward.shape[1])
    batch = jax.tree.map(lambda x: x[rows, games], replay.examples)
    return batch._replace(policy=batch.policy.astype(jnp.float32))


def _examples(trajectory: Trajectory) -> Example:
    """Half precision is enough for planes of 0 and 1, for komi and for probabilities, and halves the memory."""
    observation = trajectory.observation
    if jnp.issubdtype(observation.dtype, jnp.floating):
        observation = observation.astype(jnp.float16)
    return Example(
        observation=observation,
        legal=trajectory.legal,
        policy=trajectory.policy.astype(jnp.float16),
        has_policy=trajectory.is_full,
        value=jnp.zeros_like(trajectory.reward),
        has_value=jnp.zeros(trajectory.reward.shape, bool),
    )
