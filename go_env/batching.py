"""From a kernel with the batch axis last to a function of one game that `jax.vmap` turns into that kernel."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap


def batch_last(kernel: Callable) -> Callable:
    """Lets `kernel` see all games at once, however deep the caller's `vmap`s are nested.

    Plain `vmap` batches a kernel's loops and conditionals game by game: every trip selects old or new for each of
    them, and both branches of every `cond` run. A kernel that knows of the batch asks once, for all.

    Args:
      kernel: function of pytrees of arrays whose trailing axis, if they have one more than for a single game, is the
        batch; returns such pytrees.

    Returns: the same function for one game; under `vmap` batch axes come first, as usual.
    """

    @custom_vmap
    def one(*args):
        return kernel(*args)

    @one.def_vmap
    def _(axis_size, in_batched, *args):
        out = many(*_broadcast(axis_size, in_batched, args))
        return out, jax.tree.map(lambda _: True, out)

    @custom_vmap
    def many(*args):
        out = kernel(*jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), args))
        return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), out)

    @many.def_vmap
    def _(axis_size, in_batched, *args):
        args = _broadcast(axis_size, in_batched, args)
        out = many(*jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), args))
        return jax.tree.map(lambda x: x.reshape(axis_size, -1, *x.shape[1:]), out), jax.tree.map(lambda _: True, out)

    return one


def _broadcast(axis_size: int, in_batched, args):
    def to_batch(is_batched, x):
        return x if is_batched else jnp.broadcast_to(x, (axis_size, *jnp.shape(x)))

    return jax.tree.map(to_batch, tuple(in_batched), args)
