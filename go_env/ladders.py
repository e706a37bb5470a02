"""Ladders: a chain that is chased across the board from atari to atari, and whether a stone in its way saves it.

A problem is one of a pair. In both a stone of the chased player stands out in the open, and where it stands decides:

- `chase` and `refrain`: the chain has two liberties, and the hunter is to play. In one a ladder captures the chain. In
  the other nothing does, and every move is right but the two ataris, which only help the chain out.
- `run` and `stay`: the chain is in atari, and its owner is to play. In one there is a way out. In the other every move
  is right but those that look for one, which only add to what is lost.

So no habit solves both problems of a pair, only reading does. Count pairs: the second problem alone is easy by chance.
Off the path of the ladder lie settled zones (`go_env.zones`); where the ladder runs the board is open.

What is guaranteed: `is_captured` is a full reading of the ladder, in which the hunter, whose moves are liberties of the
chain, gives up once the chain has three of them on its turn, while the chain may take any liberty, capture any
stones in atari around it, or wait. Every legal action is read, the pass too, and positions where a ko decides are left
out. So an action is right in `chase` if the chain is captured in a ladder after it, and in `run` if it is not. What is
not: that nothing on the board is bigger. No search of the whole board has been made. But the settled zones alone decide
no game here, the chain cuts the hunter's stones, and the ladder runs across most of what is open.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from go_env import text, zones
from go_env.env import Go
from go_env.problem import Problem, mirrored, moves_to
from go_env.reading import Board, Graph, chain, grid, liberties, place

KINDS = ("chase", "refrain", "run", "stay")

LEAST_SIZE = 9
"""Of a board with room for a ladder between two settled zones."""

_LEAST_DISTANCE = 3  # from the chain to the stone that decides: otherwise there is little to read
_NUM_TRIES = 500  # for each pair

Pair = tuple[Problem, Problem]


class Start(NamedTuple):
    """A chain that may be chased, before a stone is put in its way."""

    board: Board
    prey: int  # a point of the chain
    hunter: int  # +1 or -1
    atari: int  # the liberty from which it is driven
    open: frozenset[int]  # where a stone may decide


def is_captured(graph: Graph, board: Board, prey: int, mover: int, bound: int, past: frozenset[Board]) -> bool:
    """Whether the chain at `prey` is captured in a ladder; the definition stands above.

    Args:
      mover: who plays next, +1 or -1.
      bound: the player who may bring back no board of `past` or of the ladder; the other one may.
    """
    free = liberties(graph, board, prey)
    is_hunter = mover != board[prey]
    if is_hunter and len(free) > 2:
        return False
    boards = [place(graph, board, point, mover) for point in (free if is_hunter else _ways_out(graph, board, prey))]
    boards = [after for after in boards if after and not (mover == bound and after in past)]
    results = (after[prey] == 0 or is_captured(graph, after, prey, -mover, bound, past | {after}) for after in boards)
    if is_hunter:
        return any(results)
    return all(results) and (len(free) == 1 or is_captured(graph, board, prey, -mover, bound, past))


def is_lost(graph: Graph, board: Board, prey: int, mover: int) -> bool | None:
    """Whether a chain is captured in a ladder; None where that depends on a ko."""
    hunter = -board[prey]
    if is_captured(graph, board, prey, mover, hunter, frozenset([board])):
        return True
    return None if is_captured(graph, board, prey, mover, -hunter, frozenset([board])) else False


def _ways_out(graph: Graph, board: Board, prey: int) -> set[int]:
    """Liberties of a chain, and of the opponent's chains around it that are in atari."""
    around = {p for p in chain(graph, board, prey)[1] if board[p] == -board[prey]}
    ataris = [free for free in (liberties(graph, board, p) for p in around) if len(free) == 1]
    return liberties(graph, board, prey).union(*ataris)


def make(go: Go, seed: int, num: int) -> list[Problem]:
    """`num` pairs of chasing and refraining, then as many of running and staying; the same for the same seed.

    Raises:
      ValueError: so many different ones cannot be found on such a board.
    """
    random, seen = np.random.default_rng(seed), set()
    sorts: tuple[list[Pair], list[Pair]] = ([], [])
    for i in range(_NUM_TRIES * num if go.size >= LEAST_SIZE else 0):
        found = sorts[i % 2]
        pair = _draw(go, random, is_running=bool(i % 2)) if len(found) < num else None
        if pair and not seen & {problem.board for problem in pair}:
            seen |= {problem.board for problem in pair}
            found.append(pair)
    if any(len(found) < num for found in sorts):
        counts = " and ".join(str(len(found)) for found in sorts)
        raise ValueError(f"{num} pairs of ladders of both sorts were not found for {go}, only {counts}")
    return [problem._replace(pair=i) for i, pair in enumerate([*sorts[0], *sorts[1]]) for problem in pair]


def _draw(go: Go, random: np.random.Generator, is_running: bool) -> Pair | None:
    """A pair if chance makes one: stones in the way that save the chain or do not, as near to each other as may be."""
    start = _start(go, random)
    if start is None:
        return None
    saving, vain = [], []
    for point in random.permutation(sorted(start.open)).tolist():
        board = _with(_with(start.board, point, -start.hunter), start.atari, start.hunter)
        (vain if is_lost(grid(go.size), board, start.prey, -start.hunter) else saving).append(point)
    if not saving or not vain:
        return None
    near = min(vain, key=lambda point: np.hypot(*np.subtract(divmod(point, go.size), divmod(saving[0], go.size))))
    first, second = (_pose(go, random, start, point, is_running) for point in (saving[0], near))
    return (first, second) if first and second and first.value != second.value else None


def _start(go: Go, random: np.random.Generator) -> Start | None:
    """A chain that an atari drives into a ladder, and settled zones; None where chance makes none.

    Drawn as if the ladder ran to the upper left. The chain is a column of one to three stones with two liberties, above
    it and to its left. The hunter's stone at the lower left sees to it that, after an atari from above, the stone that
    runs to the left has two liberties again and no more.
    """
    size, graph = go.size, grid(go.size)
    hunter, symmetry, length = int(random.choice([1, -1])), int(random.integers(8)), int(random.integers(1, 4))
    row, column = (int(x) for x in random.integers(size // 2, size - 1, 2))
    cells = [(i, j) for i in range(size) for j in range(size)]

    def points(cells: Iterable[tuple[int, int]]) -> list[int]:
        return [mirrored(size, symmetry, i, j) for i, j in cells if i < size and j < size]

    walls = {(row, column + 1), (row + 1, column - 1), (row + length, column)}
    walls |= {(row + k, j) for k in range(1, length) for j in (column - 1, column + 1)}
    stones = dict.fromkeys(points((row + k, column) for k in range(length)), -hunter)
    stones |= dict.fromkeys(points(walls), hunter)
    ahead = set(points((i, j) for i, j in cells if max(row - i, column - j) >= _LEAST_DISTANCE))
    lead = -go.komi
    for side in (1, -1):
        owner, offset = int(random.choice([1, -1])), int(random.integers(4, 6))
        zone = set(points((i, j) for i, j in cells if side * ((j - i) - (column - row)) >= offset)) - stones.keys()
        eyes = zones.eyes(random, graph, zone, 2, 2 + len(zone) // 6) if zone else None
        if eyes is None:
            return None
        stones |= dict.fromkeys(zone - eyes, owner)
        ahead -= zone
        lead += owner * len(zone)
    board = tuple(stones.get(point, 0) for point in range(size**2))
    is_legal = all(stone == 0 or liberties(graph, board, p) for p, stone in enumerate(board))
    if row + length > size or not is_legal or abs(lead) > board.count(0):
        return None
    prey, atari = points([(row, column), (row - 1, column)])
    return Start(board, prey, hunter, atari, frozenset(ahead))


def _with(board: Board, point: int, stone: int) -> Board:
    """The board with another stone, where it captures nothing."""
    return (*board[:point], stone, *board[point + 1 :])


def _pose(go: Go, random: np.random.Generator, start: Start, point: int, is_running: bool) -> Problem | None:
    """One of a pair, with a stone of the chased player at a point; None where a ko decides anything.

    Args:
      is_running: whether the first atari has been played and the chain is to answer, or the hunter is to play it.
    """
    board, to_play, last = _with(start.board, point, -start.hunter), start.hunter, point
    tries = liberties(grid(go.size), board, start.prey)
    if is_running:
        board, to_play, last = _with(board, start.atari, start.hunter), -start.hunter, start.atari
        tries = _ways_out(grid(go.size), board, start.prey)
    lost = _read(go, board, start.prey, to_play)
    if None in lost.values():
        return None
    helpful = frozenset(action for action, is_lost in lost.items() if is_lost != is_running)
    right = helpful or frozenset(lost) - tries
    return Problem(
        kind=KINDS[2 * is_running + (not helpful)],
        name=f"the chain at {text.vertex(start.prey, go.size)}",
        moves=moves_to(random, board, to_play, {last}),
        board=board,
        to_play=to_play,
        right=right,
        wrong=frozenset(lost) - right,
        value=1 if helpful else -1,
    )


def _read(go: Go, board: Board, prey: int, mover: int) -> dict[int, bool | None]:
    """For every legal action whether the chain is lost after it."""
    graph = grid(go.size)
    boards = {point: place(graph, board, point, mover) for point in range(go.num_points)} | {go.pass_action: board}
    return {action: is_lost(graph, after, prey, -mover) for action, after in boards.items() if after}
