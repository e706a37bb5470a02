"""The 8 symmetries of the square, for boards, observations, policies and actions.

A symmetry is an index 0 … 7, which may be traced: bit 0 mirrors at the main diagonal, then bit 1 turns the board
upside down, then bit 2 swaps left and right. 0 leaves everything in place.
"""

import functools
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

NUM_SYMMETRIES = 8

Example = TypeVar("Example", bound=Any)


def transform_board(board: jax.Array, index: jax.Array | int) -> jax.Array:
    """`[size, size, ...]` (stones, area, observation) → the same, seen through symmetry `index`."""
    size = board.shape[0]
    if board.ndim < 2 or board.shape[1] != size:
        raise ValueError(f"a board has the shape [size, size, ...], got {list(board.shape)}")
    source = jnp.asarray(_sources(size))[index]
    return board.reshape(size**2, *board.shape[2:])[source].reshape(board.shape)


def transform_policy(policy: jax.Array, index: jax.Array | int) -> jax.Array:
    """`[size² + 1]` (probabilities, logits, visits, legal actions) → the same; the pass stays last."""
    size = _size_of(policy)
    source = jnp.asarray(_sources(size))[index]
    return jnp.append(policy[:-1][source], policy[-1])


def transform_action(action: jax.Array | int, index: jax.Array | int, size: int) -> jax.Array:
    """Where `action` lands, int32. The pass, and what is no action at all, stays what it is."""
    action = jnp.asarray(action, jnp.int32)
    is_point = (action >= 0) & (action < size**2)
    target = jnp.asarray(_targets(size))[index, jnp.where(is_point, action, 0)]
    return jnp.where(is_point, target, action)


def inverse(index: jax.Array | int) -> jax.Array:
    """The symmetry that undoes `index`. Only the two quarter turns are not their own."""
    return jnp.asarray(np.array([0, 1, 2, 5, 4, 3, 6, 7], np.int32))[index]


def random_symmetry(key: jax.Array, example: Example) -> Example:
    """One example seen through a symmetry drawn at random.

    Args:
      key: for the draw.
      example: any NamedTuple with fields `observation` (`[size, size, planes]`), `policy` and `legal` (`[size² + 1]`);
        where there is a field `ending`, it is `[size² + 1]`, too, points and something that no symmetry changes; other
        fields are kept as they are.
    """
    index = jax.random.randint(key, (), 0, NUM_SYMMETRIES)
    ending = getattr(example, "ending", None)
    moved = {} if ending is None else {"ending": transform_policy(ending, index)}
    return example._replace(
        **moved,
        observation=transform_board(example.observation, index),
        policy=transform_policy(example.policy, index),
        legal=transform_policy(example.legal, index),
    )


@functools.cache
def _sources(size: int) -> np.ndarray:
    """int32 `[8, size²]`: point from which each point of the transformed board comes."""
    points = np.arange(size**2, dtype=np.int32).reshape(size, size)
    boards = []
    for index in range(NUM_SYMMETRIES):
        board = points.T if index & 1 else points
        board = board[::-1] if index & 2 else board
        board = board[:, ::-1] if index & 4 else board
        boards.append(board.reshape(-1))
    return np.stack(boards)


@functools.cache
def _targets(size: int) -> np.ndarray:
    """int32 `[8, size²]`: point to which each point goes."""
    return np.argsort(_sources(size), axis=1).astype(np.int32)


def _size_of(policy: jax.Array) -> int:
    size = round((policy.shape[0] - 1) ** 0.5) if policy.ndim == 1 else 0
    if policy.ndim != 1 or size**2 + 1 != policy.shape[0]:
        raise ValueError(f"a policy has the shape [size² + 1], got {list(policy.shape)}")
    return size
