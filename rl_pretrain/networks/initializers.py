"""How weights begin, where flax's own way cannot be used as it is."""

import flax.linen as nn
import jax
import jax.numpy as jnp


def orthogonal(scale: float = 1.0) -> nn.initializers.Initializer:
    """As `nn.initializers.orthogonal`; under vmap one matrix after another.

    On CPUs jaxlib 0.10 shares the matrices of a batched QR decomposition out among the threads of a pool and waits for
    them in a thread of the same pool: as many such decompositions at once as there are threads wait for ever (seen in
    `lapack_sgeqrf_ffi` with two trainings on two cores). One matrix alone is not shared out.
    """
    draw = nn.initializers.orthogonal(scale)

    def init(key: jax.Array, shape, dtype=jnp.float32, out_sharding=None) -> jax.Array:
        del out_sharding
        return jax.custom_batching.sequential_vmap(lambda key: draw(key, shape, dtype))(key)

    return init
