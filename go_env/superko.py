"""The ko rules as one question: which points would bring an earlier position back?"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from go_env.bitboard import Bitboard, Layout, difference
from go_env.board import code_planes


def repeats(
    layout: Layout,
    mine: Bitboard,
    theirs: Bitboard,
    liberties: Bitboard,
    past_mine: Bitboard,
    past_theirs: Bitboard,
    applies: jax.Array,
) -> Bitboard:
    """Points where the player to move would recreate one of the past positions for which `applies` is True.

    Exact, without trial moves and without hashes: a move adds one stone of mine and takes some of theirs away, so a
    past position can come back by one point at most, the one stone that `past_mine` has more than `mine`, and it
    does if the stones which `theirs` has more than `past_theirs` are the ones that this point captures.

    Args:
      mine, theirs: words `[]` of the present board; liberties: words `[planes]`, its `board.chain_liberties`.
      past_mine, past_theirs: words `[past]`, the stones of the same two players.
      applies: bool `[past]`.

    Returns: words `[]`.
    """
    added = difference(past_mine, mine)
    taken = _captured(layout, theirs, liberties, added)
    mismatch = functools.reduce(
        jnp.bitwise_or,
        [now & ~past for now, past in zip(mine, past_mine, strict=True)]
        + [(now & ~gone) ^ past for now, gone, past in zip(theirs, taken, past_theirs, strict=True)],
    )
    recreates = applies & (mismatch == 0) & _is_single(added)
    hits = tuple(jnp.where(recreates, w, jnp.uint32(0)) for w in added)
    return _union_of_all(hits)


def _captured(layout: Layout, theirs: Bitboard, liberties: Bitboard, points: Bitboard) -> Bitboard:
    """`board.captured` for `[past]` different points; written out plane by plane, which XLA fuses into one loop."""
    mismatch = [jnp.zeros_like(w) for w in points]
    for k in range(liberties[0].shape[0]):
        shared = [p & code[k] for p, code in zip(points, code_planes(layout), strict=True)]
        has_bit = functools.reduce(jnp.bitwise_or, shared) != 0
        expected = jnp.where(has_bit, ~jnp.uint32(0), jnp.uint32(0))
        mismatch = [m | (planes[k] ^ expected) for m, planes in zip(mismatch, liberties, strict=True)]
    return tuple(t & ~m for t, m in zip(theirs, mismatch, strict=True))


def _is_single(x: Bitboard) -> jax.Array:
    """Whether the set has exactly one member."""
    several = functools.reduce(jnp.bitwise_or, [w & (w - np.uint32(1)) for w in x])  # a word with two members
    occupied = sum((w != 0).astype(jnp.int32) for w in x)
    return (several == 0) & (occupied == 1)


def _union_of_all(words: Bitboard) -> Bitboard:
    """Union over the `[past]` axis: one reduction for all words, so that what makes them is computed once."""
    zeros = (np.uint32(0),) * len(words)
    return tuple(jax.lax.reduce(words, zeros, lambda x, y: tuple(a | b for a, b in zip(x, y, strict=True)), (0,)))
