"""What a network keeps of one world when it meets another: some of its weights, with new tokens and new actions.

Weights are flax's: a dictionary with a part for each module. The trunk is all between the tables of tokens and the
heads; attention is what of it lets places of an episode look at one another (Han et al. 2025, section 4.3: a prior
learnt on synthetic tasks is carried over by swapping the embedding; controls as in procedural pretraining,
arXiv 2505.22308).
"""

from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from rl_pretrain.networks.policy import Policy

Part = Literal["nothing", "attention", "trunk"]
OWN = ("embed", "heads")
"""Modules whose shapes are those of a world's tokens and actions."""
ATTENTION = ("query", "key", "value", "out", "norm_attention")


class Braked(NamedTuple):
    """Weights some of which may be held still; a pytree like any other."""

    network: Any
    is_free: jax.Array  # float32 []: 1 where all learns, 0 where the part is held


def transplant(fresh: Any, learnt: Any, part: Part) -> Any:
    """Fresh weights with a part of learnt ones in their place.

    Raises ValueError where the two networks are not alike in that part, or for an unknown part.
    """
    if part not in get_args(Part):
        raise ValueError(f"a part is {', '.join(get_args(Part))}, got {part!r}")
    known = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(learnt)}

    def choose(path, leaf):
        if not is_in(path, part):
            return leaf
        other = known.get(jax.tree_util.keystr(path))
        if other is None or other.shape != leaf.shape:
            raise ValueError(f"the networks differ in {jax.tree_util.keystr(path)}: one cannot be put into the other")
        return other

    return jax.tree_util.tree_map_with_path(choose, fresh)


def is_in(path: tuple, part: Part) -> bool:
    """Whether a leaf of the weights, by its path, is in a part."""
    modules = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
    if part == "nothing" or any(name in OWN for name in modules):
        return False
    return part == "trunk" or any(name in ATTENTION for name in modules)


def with_brake(policy: Policy) -> Policy:
    """The same policy, over weights whose trunk may be held still while the rest learns."""

    def held(weights: Braked) -> Any:
        is_free = jax.lax.stop_gradient(weights.is_free)

        def hold(path, leaf):
            return is_free * leaf + (1 - is_free) * jax.lax.stop_gradient(leaf) if is_in(path, "trunk") else leaf

        return jax.tree_util.tree_map_with_path(hold, weights.network)

    return Policy(
        lambda key, num_seen: Braked(policy.init(key, num_seen), jnp.float32(1)),
        policy.initial,
        lambda weights, memory, tokens, is_first: policy.step(weights.network, memory, tokens, is_first),
        lambda weights, tokens, is_first: policy.unroll(held(weights), tokens, is_first),
    )
