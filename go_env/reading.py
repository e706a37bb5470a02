"""The rules on one board in plain Python, to read problems out to the end: slow, and plain to see.

A board is a tuple with a number for every point, +1 Black, -1 White, 0 empty; a graph says which points are neighbours.
On any graph the rules are the same, so a chain that stays as it is may be one point of it.
"""

import functools
from collections.abc import Sequence

Board = tuple[int, ...]
Graph = tuple[tuple[int, ...], ...]
"""For every point its neighbours."""


@functools.cache
def grid(size: int) -> Graph:
    """The points of a board, row by row as `Go` counts them."""

    def around(row: int, column: int) -> tuple[int, ...]:
        near = ((row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column))
        return tuple(r * size + c for r, c in near if 0 <= r < size and 0 <= c < size)

    return tuple(around(*divmod(point, size)) for point in range(size**2))


def chain(graph: Graph, board: Sequence[int], point: int) -> tuple[set[int], set[int]]:
    """The points of one colour connected with `point`, and the points around them."""
    inside, border, todo = {point}, set(), [point]
    while todo:
        for near in graph[todo.pop()]:
            if board[near] != board[point]:
                border.add(near)
            elif near not in inside:
                inside.add(near)
                todo.append(near)
    return inside, border


def liberties(graph: Graph, board: Sequence[int], point: int) -> set[int]:
    """Empty points around the chain of `point`."""
    return {near for near in chain(graph, board, point)[1] if board[near] == 0}


def is_connected(graph: Graph, points: set[int]) -> bool:
    """Whether from any of the points each other can be reached over neighbours; True of none."""
    found = chain(graph, [p in points for p in range(len(graph))], min(points))[0] if points else set()
    return found == points


def place(graph: Graph, board: Board, point: int, colour: int) -> Board | None:
    """The board after a stone and its captures; None where the point is taken or the move is suicide."""
    if board[point] != 0:
        return None
    after = list(board)
    after[point] = colour
    for near in graph[point]:
        if after[near] == -colour and not liberties(graph, after, near):
            for taken in chain(graph, after, near)[0]:
                after[taken] = 0
    return tuple(after) if liberties(graph, after, point) else None
