"""What the devices of a run hold, and how it is dealt anew among another number of them.

Arrays are `[devices, ...]`. What is the same on every device is stored once. What every device has its own of (games
under way, their replay) is stored whole: joined along an axis, it can be split among any number of devices that divides
that axis.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from rl_pretrain import leaves

WHOLE = -1
"""In place of an axis: an array without a devices axis."""
SAME = 0
"""In place of an axis: the same on every device."""


def axes(tree: Any, prefix: Any) -> dict[str, int]:
    """By name of each leaf the axis along which the shares of devices are joined, or WHOLE or SAME.

    Args:
      tree: arrays `[devices, ...]`.
      prefix: the axes, as `in_axes` of `jax.vmap`: a tree whose leaves may stand for subtrees of `tree`.
    """
    return leaves.named(jax.tree.broadcast(prefix, tree))


def stored(tree: Any, prefix: Any) -> dict[str, Any]:
    """What is stored of a tree, as dicts of dicts: of what is the same on every device, the first row."""
    named = axes(tree, prefix)
    return leaves.nested(
        {name: _first_row(leaf) if named[name] == SAME else leaf for name, leaf in leaves.named(tree).items()}
    )


def deal(
    arrays: Mapping[str, np.ndarray], axes: Mapping[str, int], num_devices: int, rows: slice = slice(None)
) -> dict[str, np.ndarray]:
    """Arrays `[devices, ...]` of any number of devices as those of `num_devices`, of which `rows` are returned.

    The order along the joined axis stays. Arrays without an axis in `axes` are left alone.

    Raises ValueError where an axis cannot be shared out equally.
    """
    return {name: _deal(name, array, axes.get(name, WHOLE), num_devices, rows) for name, array in arrays.items()}


def _deal(name: str, array: np.ndarray, axis: int, num_devices: int, rows: slice) -> np.ndarray:
    if axis == WHOLE:
        return array
    if array.ndim <= axis or not len(array):
        raise ValueError(f"{name} of shape {array.shape} has no shares along axis {axis}")
    if axis == SAME:
        return np.broadcast_to(array[:1], (num_devices, *array.shape[1:]))[rows]
    if len(array) == num_devices:
        return array[rows]
    joined = np.concatenate(list(array), axis=axis - 1)
    if joined.shape[axis - 1] % num_devices:
        raise ValueError(f"{joined.shape[axis - 1]} of {name} cannot be shared out equally among {num_devices} devices")
    return np.stack(np.split(joined, num_devices, axis=axis - 1)[rows])


def _first_row(leaf: Any) -> Any:
    """`[1, ...]`, without a gathering from all devices where each holds one row."""
    piece = leaf.addressable_shards[0].data if isinstance(leaf, jax.Array) else leaf
    return piece[:1] if len(piece) > 1 else piece
