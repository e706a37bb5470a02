"""The ko rules as one question: which points would bring an earlier position back?

`repeated` answers it exactly for one past board, without trial moves and without hashes of boards. Asking it of every
past board of a long 19×19 game would read 110 kB a step, so they are first narrowed down by their *sketches*, 8 bytes
each: a move can recreate a board only if the mover's two sketches differ by the code of one point. No repetition is
missed, since the test is necessary; a false alarm, about one in 2²³, costs time only. `pack` and `pop` then hand out
the few boards left, nearly all of them the one before the last action, to a loop that ends when no game has any.

What else was tried, by `experiments/bench_go_env.py` on two CPU cores (steps/s relative to what is here, positional
superko, 9×9 × 1024 games and 19×19 × 256):
- `repeated` of all past boards at every step: 0.6 and 0.2.
- Past boards written after the move instead of before: 0.3 at 19×19. A new game then has to overwrite the first, so
  the history is written twice a step, and XLA copies all of it to keep reads and writes apart.
- The candidates as a bool array, searched by argmax in the loop: 0.5 and 0.7; by a maximum of indices: 0.8.
- The exact test on tuples of words as in `go_env.board`: 0.7 and 0.5, because XLA computes it anew for each word.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from go_env.bitboard import Bitboard, Layout


def sketch(layout: Layout, stones: Bitboard) -> jax.Array:
    """Sum of the codes of the points of a set, modulo 2³²: uint32, the shape of a word.

    Bit `b` of all codes is one set of points, so the sum takes a population count for every bit and word, not a look
    at every point.
    """
    codes = _codes(np.arange(layout.num_points, dtype=np.uint32))
    with_bit: tuple[Any, ...] = layout.from_points((codes[:, None] >> np.arange(32, dtype=np.uint32) & 1).astype(bool))
    total = jnp.zeros_like(stones[0])
    for bit in range(32):
        members = [jax.lax.population_count(w & mask[bit]) for w, mask in zip(stones, with_bit, strict=True)]
        total += functools.reduce(jnp.add, members) << np.uint32(bit)
    return total


def is_one_more(now: jax.Array, past: jax.Array) -> jax.Array:
    """Whether the past set may be the present one and one point more, to go by their sketches."""
    gained = past - now
    return (gained != 0) & (gained == _codes((gained & np.uint32(511)) - np.uint32(1)))  # 0: nothing gained


def _codes(points: Any) -> Any:
    """Codes of points: point + 1 in the 9 low bits, above them a hash of it that no sum of others should meet."""
    number = points + np.uint32(1)
    mixed = number * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    mixed = mixed ^ (mixed >> np.uint32(16))
    return (mixed & ~np.uint32(511)) | number


def pack(is_member: jax.Array) -> jax.Array:
    """A set of indices, bool `[32 · n]`, as uint32 `[n]`: index i is bit i // n of number i % n."""
    rows = is_member.reshape(32, -1).astype(jnp.uint32) << np.arange(32, dtype=np.uint32)[:, None]
    return jax.lax.reduce(rows, np.uint32(0), jax.lax.bitwise_or, (0,))


def pop(indices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """A member of a set that `pack` has made, and the set without it; of the empty set, any index.

    `indices`: uint32 `[n, ...]`; returns int32 `[...]`, uint32 `[n, ...]`.
    """
    number = np.arange(len(indices), dtype=np.int32).reshape(-1, *[1] * (indices.ndim - 1))
    first = jnp.min(jnp.where(indices != 0, number, np.int32(len(indices) - 1)), axis=0)
    bits = jnp.max(jnp.where(number == first, indices, np.uint32(0)), axis=0)
    lowest = bits & -bits
    bit = jnp.minimum(jax.lax.population_count(lowest - np.uint32(1)), np.uint32(31)).astype(jnp.int32)
    return bit * len(indices) + first, jnp.where(number == first, indices & ~lowest, indices)


def repeated(
    layout: Layout,
    mine: jax.Array,
    theirs: jax.Array,
    atari: jax.Array,
    past_mine: jax.Array,
    past_theirs: jax.Array,
) -> jax.Array:
    """The point where the player to move would recreate a past position; the empty set if there is none.

    Exact, without trial moves and without hashes: a move adds one stone of mine and takes some of theirs away, so a
    past position can come back by one point at most, the one stone that `past_mine` has more than `mine`, and it does
    if the stones which `theirs` has more than `past_theirs` are the ones that this point captures. They are if they
    are whole chains in atari, touch no empty point but this one, and leave out no chain in atari beside it.

    Args:
      mine, theirs: uint32 `[W, ...]`, the present board; atari: `[W, ...]`, stones whose chain has one liberty.
      past_mine, past_theirs: `[W, ...]`, the stones of the same two players.

    Returns: uint32 `[W, ...]`.
    """
    added, taken = past_mine & ~mine, theirs & ~past_theirs
    others = theirs & ~taken
    beside_taken, beside_added = (jnp.stack(layout.neighbours(tuple(x))) for x in (taken, added))
    empty = np.array(layout.board).reshape(-1, *[1] * (mine.ndim - 1)) & ~mine & ~theirs
    wrong = (mine & ~past_mine) | (past_theirs & ~theirs) | (taken & ~atari)
    wrong |= (beside_taken & (others | (empty & ~added))) | (beside_added & others & atari)
    num_added = jnp.sum(jax.lax.population_count(added), axis=0)
    is_same = jnp.all(wrong == 0, axis=0) & (num_added == 1)
    return jnp.where(is_same, added, jnp.uint32(0))
