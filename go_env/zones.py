"""Settled parts of a board: ground that one player owns for good, so that a problem elsewhere decides the game.

A zone is full of one player's stones but for eyes of one point each. The stones are one chain with two eyes at least,
which is unconditionally alive (Benson 1976): the opponent can play nowhere in it, and its owner need not.
"""

from collections.abc import Sequence

import numpy as np

from go_env.reading import Graph, is_connected


def grow(graph: Graph, cost: Sequence[float], free: set[int], num: int) -> set[int] | None:
    """A connected zone of `num` points out of `free`, the cheapest in reach first; None where it gets stuck."""
    zone, reach = set(), {min(free, key=cost.__getitem__)} if free else set()
    while len(zone) < num:
        if not reach:
            return None
        point = min(reach, key=cost.__getitem__)
        zone.add(point)
        reach = (reach | set(graph[point]) & free) - zone
    return zone


def eyes(random: np.random.Generator, graph: Graph, zone: set[int], least: int, most: int) -> set[int] | None:
    """From `least` to `most` points of a zone to leave empty; None where so many cannot be found.

    Each is surrounded by stones of the zone, and all those stones are one chain.
    """
    found: set[int] = set()
    for point in random.permutation(sorted(zone)).tolist():
        around = set(graph[point])
        if around <= zone - found and is_connected(graph, zone - found - {point}):
            found.add(point)
        if len(found) == most:
            break
    return found if len(found) >= least else None
