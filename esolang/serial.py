"""Programs one after another on CPUs, as the interpreters of both languages run them there.

XLA:CPU calls a kernel for every few operations, each at the cost of some thirty commands of Brainf**k. It compiles
loops that touch little memory into a single function instead, and so any call that is marked as it marks those.
No program then waits for another, and what it needs is in the nearest cache. Without the mark all is right, and slow.

One run uses one core. Two threads of Python with half of a batch each use two, and so do two devices.

What is to be quick obeys two rules. There is no scatter and no sort in it. And what a turn of a loop reads of a memory
is read after the last write of the turn before: else XLA copies the memory.
"""

from typing import TypeVar, cast

import jax
import jax.numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata

Tree = TypeVar("Tree")


def in_one_function(outputs: Tree) -> Tree:
    """Marks the call of a jitted function that gave these outputs, so that XLA:CPU compiles it into one function."""
    return cast(Tree, set_xla_metadata(outputs, xla_cpu_small_call="true", inlineable="false"))


def get(array: jax.Array, index: jax.Array) -> jax.Array:
    """An element, or a row, at an index that is in bounds; unsigned, as no one need then ask whether it is negative."""
    return jax.lax.dynamic_index_in_dim(array, index.astype(jnp.uint32), keepdims=False)


def put(array: jax.Array, index: jax.Array, value: jax.Array) -> jax.Array:
    """An array with another element, or row, at an index that is in bounds."""
    return jax.lax.dynamic_update_index_in_dim(array, value, index.astype(jnp.uint32), 0)
