"""Tromp-Taylor area: a point counts for a colour if it is a stone of it, or empty and reaches that colour only."""

import jax
import jax.numpy as jnp
import numpy as np

from go_env.bitboard import Bitboard, Layout, count, difference, intersection, union
from go_env.board import flood


def area(layout: Layout, black: Bitboard, white: Bitboard) -> tuple[Bitboard, Bitboard]:
    """Points owned by Black and by White; the rest is neutral. All stones count as alive."""
    empty = tuple(np.uint32(b) & ~x & ~y for b, x, y in zip(layout.board, black, white, strict=True))
    beside = tuple(jnp.stack(pair) for pair in zip(layout.neighbours(black), layout.neighbours(white), strict=True))
    seeds = tuple(w & e[None] for w, e in zip(beside, empty, strict=True))
    east = tuple(w[None] for w in intersection(empty, layout.west(empty)))
    south = tuple(w[None] for w in intersection(empty, layout.north(empty)))
    reached = flood(layout, seeds, east, south)
    by_black, by_white = (tuple(w[colour] for w in reached) for colour in (0, 1))
    return union(black, difference(by_black, by_white)), union(white, difference(by_white, by_black))


def lead(layout: Layout, black: Bitboard, white: Bitboard) -> jax.Array:
    """Black's area less White's, without komi: int32."""
    black_area, white_area = area(layout, black, white)
    return count(black_area) - count(white_area)
