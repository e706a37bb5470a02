"""Stones on points: chains, their liberties, captures, legality without the ko rule.

All that the rules ask of a chain is whether it has exactly one liberty, and which. Both can be read from the union
of the `sperner_codes` of its liberties, so no chain is ever labelled and no liberty counted: code bit `k` of all
liberties is one bitboard, spread over the chains by a flood, for all `k` and both colours at once.

The flood is most of a step. On two CPU cores, simple ko, what is here makes a step 1.4 times as fast on 9×9 (1024
games) and 2.1 times on 19×19 (256) as sweeps of one point in each direction, and 1.3 and 2.0 times as the same
without handing on from word to word; shifts of 1, 2 and 4 to the west, or of 1 alone, lose 1 to 20 %.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from go_env.bitboard import Bitboard, Layout, difference, intersection, sperner_codes, union


@functools.cache
def code_planes(layout: Layout) -> tuple[Any, ...]:
    """Per word, uint32 `[planes]`: the points whose code has bit `k`."""
    return layout.from_points(sperner_codes(layout.num_points))


@functools.cache
def code_weight(layout: Layout) -> int:
    """Number of bits of every point's code."""
    return int(sperner_codes(layout.num_points)[0].sum())


def _codes(layout: Layout, ndim: int) -> Bitboard:
    """`code_planes` shaped to broadcast against words of `ndim` batch axes."""
    return tuple(w.reshape(-1, *[1] * ndim) for w in code_planes(layout))


def _has_code(layout: Layout, point: Bitboard) -> jax.Array:
    """Code of the single member of `point`: bool `[planes, ...]`; all False for the empty set."""
    shared = intersection(tuple(w[None] for w in point), _codes(layout, point[0].ndim))
    return functools.reduce(jnp.bitwise_or, shared) != 0


def captured(layout: Layout, liberties: Bitboard, theirs: Bitboard, point: Bitboard) -> Bitboard:
    """Stones of `theirs` whose chain has `point` as its only liberty. `liberties`: `[planes, ...]` a word."""
    differs = jnp.where(_has_code(layout, point), jnp.uint32(0), ~jnp.uint32(0))
    return tuple(
        t & jax.lax.reduce(planes ^ differs, ~np.uint32(0), jax.lax.bitwise_and, (0,))
        for t, planes in zip(theirs, liberties, strict=True)
    )


def chain_liberties(layout: Layout, black: Bitboard, white: Bitboard) -> Bitboard:
    """For every stone the union of the codes of its chain's liberties: uint32 `[planes, ...]` a word."""
    stones = union(black, white)
    codes = _codes(layout, black[0].ndim)
    empty = tuple((np.uint32(b) & ~s)[None] & c for b, s, c in zip(layout.board, stones, codes, strict=True))
    seeds = intersection(layout.neighbours(empty), tuple(s[None] for s in stones))
    east = union(*(intersection(c, layout.west(c)) for c in (black, white)))
    south = union(*(intersection(c, layout.north(c)) for c in (black, white)))
    return flood(layout, seeds, tuple(w[None] for w in east), tuple(w[None] for w in south))


def flood(layout: Layout, seeds: Bitboard, east: Bitboard, south: Bitboard) -> Bitboard:
    """Spreads `seeds` over links until nothing changes.

    `east` holds the points linked to their right neighbour, `south` those linked to the one below. A sweep goes as
    far as it can in each direction, so most chains are done after a few. The loop ends when no word of any game
    changes.
    """
    links_west = _links_west(east)

    def sweep(carry):
        x, _ = carry
        y = _spread_west(_spread_east(x, east), links_west)
        y = _spread_north(layout, _spread_south(layout, y, south), south)
        changed = functools.reduce(jnp.bitwise_or, (a ^ b for a, b in zip(x, y, strict=True)))
        return y, jnp.any(changed != 0)

    flooded, _ = jax.lax.while_loop(lambda carry: carry[1], sweep, (seeds, jnp.bool_(True)))
    return flooded


def _spread_east(x: Bitboard, east: Bitboard) -> Bitboard:
    """To the end of each row of links, by one addition.

    A member that is added to the links it stands on carries from link to link, and the carry ends in the first point
    without a link to its right, the last one reached; what has flipped is what has been passed. No carry leaves its
    row, whose last point has no link.
    """
    return tuple(w | ((links + (w & links)) ^ links) for w, links in zip(x, east, strict=True))


def _links_west(east: Bitboard) -> list[Bitboard]:
    """Points with a row of 1, of 2 links to the points right of them: how members move 1 and 2 to the left."""
    return [east, tuple(links & (links >> 1) for links in east)]


def _spread_west(x: Bitboard, links_west: list[Bitboard]) -> Bitboard:
    """Three points far: carries go one way only, and more shifts save no more sweeps than they cost."""
    for distance, links in zip((1, 2), links_west, strict=True):
        x = tuple(w | ((w >> distance) & to) for w, to in zip(x, links, strict=True))
    return x


def _spread_south(layout: Layout, x: Bitboard, south: Bitboard) -> Bitboard:
    """To the last row: each word takes from the one above what has just arrived there."""
    words = []
    for i, links in enumerate(south):
        word = x[i]
        if i > 0:
            word |= (words[-1] & south[i - 1]) >> layout.last_row
        for _ in range(layout.rows_per_word - 1):
            word |= ((word & links) << layout.size) & layout.board[i]
        words.append(word)
    return tuple(words)


def _spread_north(layout: Layout, x: Bitboard, south: Bitboard) -> Bitboard:
    """To the first row, likewise."""
    words = []
    for i, links in reversed(list(enumerate(south))):
        word = x[i]
        if words:
            word |= (words[-1] << layout.last_row) & links
        for _ in range(layout.rows_per_word - 1):
            word |= (word >> layout.size) & links
        words.append(word)
    return tuple(reversed(words))


def in_atari(layout: Layout, liberties: Bitboard) -> Bitboard:
    """Stones whose chain has exactly one liberty: those whose planes hold as many bits as one code."""
    weight = code_weight(layout)
    stones = []
    for planes in liberties:
        digits = [jnp.zeros_like(planes[0])] * weight.bit_length()  # a binary counter for each point, bit-sliced
        overflow = jnp.zeros_like(planes[0])
        for k in range(planes.shape[0]):
            carry = planes[k]
            for d, digit in enumerate(digits):
                digits[d], carry = digit ^ carry, digit & carry
            overflow |= carry
        equal = [digit if weight >> d & 1 else ~digit for d, digit in enumerate(digits)]
        stones.append(functools.reduce(jnp.bitwise_and, equal) & ~overflow)
    return tuple(stones)


def playable(layout: Layout, mine: Bitboard, theirs: Bitboard, liberties: Bitboard) -> Bitboard:
    """Empty points where a stone of `mine` would have a liberty: legal but for the ko rule."""
    atari = in_atari(layout, liberties)
    empty = tuple(np.uint32(b) & ~m & ~t for b, m, t in zip(layout.board, mine, theirs, strict=True))
    breath = union(empty, difference(mine, atari), intersection(theirs, atari))
    return intersection(empty, layout.neighbours(breath))
