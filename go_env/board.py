"""Stones on points: chains, captures, who is in atari, legality without the ko rule.

All that the rules ask of a chain is whether it has exactly one liberty, so a game keeps the set of stones in atari.
A move changes it only for the mover's chain at its point, for the opponent's chains beside the point, and for the
mover's chains beside what is captured. So no chain is labelled and no liberty counted but those of five sets of
stones, which one flood finds at once.

What else was tried, by `experiments/bench_go_env.py` on two CPU cores (steps/s relative to what is here, simple ko,
9×9 × 1024 games and 19×19 × 256):
- For every stone the union of codes of its chain's liberties, of which none contains another (Sperner 1928), flooded
  anew over the whole board: 0.8 and 0.5; with positional superko 0.65 and 0.6. It also makes a state larger by 96
  and 760 bytes.
- With those codes, sweeps of one point in each direction instead of the flood below: 0.7 and 0.5 of theirs; without
  handing on from word to word 0.8 and 0.5; shifts of 1, 2 and 4 to the west, or of 1 alone, 0.8 to 0.99.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from go_env.bitboard import Bitboard, Layout, difference, intersection, union


def play(
    layout: Layout, mine: Bitboard, theirs: Bitboard, atari: Bitboard, point: Bitboard
) -> tuple[Bitboard, Bitboard, Bitboard]:
    """The stones of both and those of them in atari after a move at `point`: an empty point that is legal, or none.

    Words of `chains` are `[5, ...]`: the mover's chain at the point, the opponent's to the north, south, west and east
    of it; the same chain twice does no harm.
    """
    mine = union(mine, point)
    beside = [intersection(move(point), theirs) for move in (layout.north, layout.south, layout.west, layout.east)]
    seeds = tuple(jnp.stack(words) for words in zip(point, *beside, strict=True))
    linked = links(layout, mine, theirs)
    chains = flood(layout, seeds, *linked)
    is_captured = _any(intersection(seeds, _one_plane(atari)))  # the point was its only liberty
    captured = _together(chains, is_captured)
    theirs = difference(theirs, captured)

    threatened = _together(chains, _has_one_liberty(layout, chains, mine, theirs) & ~is_captured)
    beside_captured = intersection(layout.neighbours(captured), mine, atari)  # have a second liberty now
    freed = flood(layout, _one_plane(beside_captured), *linked)
    others = difference(atari, union(_together(chains), _together(freed)))
    return mine, theirs, union(others, threatened)


def in_atari(layout: Layout, black: Bitboard, white: Bitboard) -> Bitboard:
    """Stones whose chain has exactly one liberty, from the chain of every point: for positions, not for moves."""
    points = layout.from_points(np.eye(layout.num_points, dtype=bool))
    shape = (layout.num_points, *[1] * black[0].ndim)
    seeds = intersection(tuple(jnp.asarray(w).reshape(shape) for w in points), _one_plane(union(black, white)))
    chains = flood(layout, seeds, *links(layout, black, white))
    return _together(chains, _has_one_liberty(layout, chains, black, white))


def playable(layout: Layout, mine: Bitboard, theirs: Bitboard, atari: Bitboard) -> Bitboard:
    """Empty points where a stone of `mine` would have a liberty: legal but for the ko rule."""
    empty = _empty(layout, mine, theirs)
    breath = union(empty, difference(mine, atari), intersection(theirs, atari))
    return intersection(empty, layout.neighbours(breath))


def links(layout: Layout, black: Bitboard, white: Bitboard) -> tuple[Bitboard, Bitboard]:
    """Stones with one of their colour to their right; below them. Words `[1, ...]`."""
    east = union(*(intersection(c, layout.west(c)) for c in (black, white)))
    south = union(*(intersection(c, layout.north(c)) for c in (black, white)))
    return _one_plane(east), _one_plane(south)


def _empty(layout: Layout, black: Bitboard, white: Bitboard) -> Bitboard:
    return tuple(np.uint32(b) & ~x & ~y for b, x, y in zip(layout.board, black, white, strict=True))


def _has_one_liberty(layout: Layout, chains: Bitboard, black: Bitboard, white: Bitboard) -> jax.Array:
    """Which sets of stones touch exactly one empty point: bool `[planes, ...]`."""
    free = jnp.stack(intersection(layout.neighbours(chains), _one_plane(_empty(layout, black, white))))
    at_most_two = jnp.where(free == 0, 0, jnp.where(free & (free - np.uint32(1)) == 0, 1, 2))
    return jnp.sum(at_most_two, axis=0) == 1


def _one_plane(x: Bitboard) -> Bitboard:
    return tuple(w[None] for w in x)


def _any(x: Bitboard) -> jax.Array:
    """Which planes have a member."""
    return jnp.any(jnp.stack(x) != 0, axis=0)


def _together(planes: Bitboard, chosen: jax.Array | bool = True) -> Bitboard:
    """The union of the chosen planes."""
    kept = (jnp.where(chosen, w, np.uint32(0)) for w in planes)
    return tuple(jax.lax.reduce(w, np.uint32(0), jax.lax.bitwise_or, (0,)) for w in kept)


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

    is_any = jnp.any(functools.reduce(jnp.bitwise_or, seeds) != 0)
    flooded, _ = jax.lax.while_loop(lambda carry: carry[1], sweep, (seeds, is_any))
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
