"""A ring of recent play on the device that made it. Outcomes are filled in when a game's end arrives."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rl_pretrain.selfplay import Trajectory
from rl_pretrain.targets import endings, returns


class Example(NamedTuple):
    """One position to learn from."""

    observation: jax.Array  # [...]
    legal: jax.Array  # bool [actions]
    policy: jax.Array  # float32 [actions], sums to 1
    has_policy: jax.Array  # bool []: whether it is worth learning
    value: jax.Array  # float32 []: the outcome for the player to move
    has_value: jax.Array  # bool []: whether the outcome is known yet
    ending: jax.Array | None = None  # float16 [things]: how the episode ended for the player to move; as `has_value`


class Replay(NamedTuple):
    """The last `capacity` steps of every game of a device. Row `cursor` is the next to be overwritten."""

    examples: Example  # [capacity, games, ...]; floats in half precision but for value
    reward: jax.Array  # float32 [capacity, games]
    discount: jax.Array  # float32 [capacity, games]
    cursor: jax.Array  # int32 []
    size: jax.Array  # int32 []: rows that hold something
    states: Any = None  # [capacity, games, ...]: to be searched anew, if self-play kept them


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
        states=jax.tree.map(ring, trajectory.state),
    )


def remember(replay: Replay, trajectory: Trajectory) -> Replay:
    """Overwrites the oldest steps, then works out anew which outcomes are known: those of all games seen to end."""
    num_steps = len(trajectory.reward)
    capacity = len(replay.reward)

    def write(ring, new):
        return jax.lax.dynamic_update_slice_in_dim(ring, new, replay.cursor, axis=0)

    examples = jax.tree.map(write, replay.examples, _examples(trajectory))
    states = jax.tree.map(write, replay.states, trajectory.state)
    reward = write(replay.reward, trajectory.reward)
    discount = write(replay.discount, trajectory.discount)
    cursor = (replay.cursor + num_steps) % capacity

    def roll(tree, by):
        return jax.tree.map(lambda x: jnp.roll(x, by, axis=0), tree)

    # Oldest first. Rows never written lie before all others then, and no sample is drawn from them.
    in_order = roll((reward, discount), -cursor)
    value, has_value = roll(returns(*in_order), cursor)
    examples = examples._replace(value=value, has_value=has_value)
    if examples.ending is not None:
        ending = endings(roll(examples.ending, -cursor), in_order[1])
        examples = examples._replace(ending=roll(ending, cursor))
    return Replay(examples, reward, discount, cursor, jnp.minimum(replay.size + num_steps, capacity), states)


def sample(replay: Replay, key: jax.Array, batch_size: int) -> Example:
    """`[batch_size, ...]` positions, uniformly and with replacement."""
    row_key, game_key = jax.random.split(key)
    rows = jax.random.randint(row_key, (batch_size,), 0, replay.size)
    games = jax.random.randint(game_key, (batch_size,), 0, replay.reward.shape[1])
    batch = jax.tree.map(lambda x: x[rows, games], replay.examples)
    return batch._replace(policy=batch.policy.astype(jnp.float32))


def _examples(trajectory: Trajectory) -> Example:
    """Half precision is enough for planes of 0 and 1, for komi, probabilities and endings, and halves the memory."""
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
        ending=None if trajectory.ending is None else trajectory.ending.astype(jnp.float16),
    )
