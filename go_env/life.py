"""Life and death: an eye space that a chain without outside liberties encloses, and who lives or dies in it.

A problem fills the board. A chain of the defender encloses an eye space; the attacker's wall encloses the chain; what
else there is belongs to a settled zone of the attacker, the wall, or of the defender (`go_env.zones`). The zones are so
large that with the komi of `Go` the defender wins by at most 2 points if all of the eye space and its chain are its
own in the end, and so loses if the chain is captured. What is guaranteed, moves in the zones included:

- An action is right if and only if the player to move wins the game after it whatever the opponent does, and wrong if
  and only if then the opponent wins whatever the player does. Positions with an action that is neither, as it hangs on
  a ko, are left out: the winner needs to bring back no position, even if the loser may. There are no draws.
- So the answer is the same under each ko rule of `Go`. It takes for granted that the move limit does not come first.

Why what `go_env.eyespace` finds holds on the whole board. The winner plays nowhere else, and the loser can but fill
eyes of its own zone: a few waiting moves, which change the board for good. What came before forbids nothing, as the
stone that was played last, outside the eye space, was on no board before. Once the chain is captured at least four
empty points lie beside the wall, of which the attacker gets two, as the players take them in turn. A stone there is
part of the wall for good, and two points more are enough to win.
"""

from typing import NamedTuple

import numpy as np

from go_env import zones
from go_env.env import Go
from go_env.eyespace import Position, outcomes, value
from go_env.problem import Problem, mirrored, moves_to
from go_env.reading import Graph, grid, is_connected

SHAPES = {
    "straight three": "###",
    "bent three": "## #.",
    "straight four": "####",
    "bent four": "### #..",
    "zigzag four": "##. .##",
    "pyramid four": "### .#.",
    "square four": "## ##",
    "straight five": "#####",
    "bulky five": "### ##.",
    "crossed five": ".#. ### .#.",
    "rectangular six": "### ###",
    "rabbity six": "##. ### .#.",
}
"""Eye spaces by the names they have among players; rows from the top, divided by spaces."""

KINDS = ("kill", "live", "dead", "alive")
"""Who plays first decides: the attacker is to play (kill) or the defender (live). Or it does not: whoever plays."""

_NUM_TRIES = 1000  # for each problem of a kind
_LEAST_OPPONENT_EYES, _LEAST_EYES = 2, 3  # the player to move may fill one of its own and still live


class Spot(NamedTuple):
    """A shape somewhere on a board."""

    space: tuple[int, ...]
    ring: frozenset[int]  # the chain around it
    graph: Graph  # of the space and its chain, see `eyespace.Position`
    where: str


def make(go: Go, seed: int, num: int) -> list[Problem]:
    """`num` different problems of each kind; asking for more gives the same ones first.

    Raises:
      ValueError: so many cannot be found on such a board with such a komi.
    """
    random, found, seen = np.random.default_rng(seed), {kind: [] for kind in KINDS}, set()
    for _ in range(_NUM_TRIES * num):
        problem = _draw(go, random)
        if problem and (problem.board, problem.to_play) not in seen and len(found[problem.kind]) < num:
            seen.add((problem.board, problem.to_play))
            found[problem.kind].append(problem)
        if all(len(problems) == num for problems in found.values()):
            return [problem for problems in found.values() for problem in problems]
    counts = ", ".join(f"{len(problems)} {kind}" for kind, problems in found.items())
    raise ValueError(f"{num} problems of life and death of each kind were not found for {go}, only {counts}")


def _kind(graph: Graph, position: Position) -> str | None:
    """One of `KINDS`; None where somebody's move leads to nothing sure."""
    values = value(graph, position.left_to(1)), value(graph, position.left_to(-1))
    kinds = {(1, -1): "kill" if position.to_play == 1 else "live", (1, 1): "dead", (-1, -1): "alive"}
    return kinds.get(values)


def _draw(go: Go, random: np.random.Generator) -> Problem | None:
    """A problem if chance makes one."""
    name = list(SHAPES)[random.integers(len(SHAPES))]
    spot = _spot(go.size, random, SHAPES[name].split())
    if spot is None:
        return None
    position, has_stone = _position(random, spot)
    kind, attacker = _kind(spot.graph, position), int(random.choice([1, -1]))
    settled = _settle(go, random, spot, attacker, position.to_play) if kind else None
    if kind is None or settled is None:
        return None
    stones, own_eyes = settled
    board = dict.fromkeys(range(go.num_points), 0) | stones
    board |= {point: stone * attacker for point, stone in zip(spot.space, position.board, strict=False)}
    board, to_play = tuple(board.values()), position.to_play * attacker
    found = outcomes(spot.graph, position)
    winners = dict(zip((*spot.space, go.pass_action), found, strict=False)) | dict.fromkeys(own_eyes, found[-1])
    right, wrong = (frozenset(a for a, w in winners.items() if w == s) for s in (position.to_play, -position.to_play))
    outside = {point for point in stones if board[point] == -to_play}
    return Problem(
        kind=kind,
        name=f"{name}{' with a stone in it' if has_stone else ''}, {spot.where}",
        moves=moves_to(random, board, to_play, outside),
        board=board,
        to_play=to_play,
        right=right,
        wrong=wrong,
        value=1 if right else -1,
    )


def _position(random: np.random.Generator, spot: Spot) -> tuple[Position, bool]:
    """An empty eye space, or one with a stone in it, which makes it another shape."""
    board = [0] * len(spot.space) + [-1]
    has_stone = bool(random.random() < 0.5)
    if has_stone:
        board[random.integers(len(spot.space))] = int(random.choice([1, -1]))
    return Position(tuple(board), int(random.choice([1, -1])), 0), has_stone


def _spot(size: int, random: np.random.Generator, rows: list[str]) -> Spot | None:
    """A shape at a place by chance: as likely as not at each of two borders; None where no chain can enclose it."""
    top, left = (
        0 if random.random() < 0.5 else int(random.integers(1, max(2, size - length)))
        for length in (len(rows), len(rows[0]))
    )
    cells = [(top + i, left + j) for i, row in enumerate(rows) for j, mark in enumerate(row) if mark == "#"]
    around = {(i + di, j + dj) for i, j in cells for di in (-1, 0, 1) for dj in (-1, 0, 1)} - set(cells)
    around = {(i, j) for i, j in around if 0 <= i < size and 0 <= j < size}
    symmetry = int(random.integers(8))
    space = tuple(mirrored(size, symmetry, *cell) for cell in cells if max(cell) < size)
    ring = frozenset(mirrored(size, symmetry, *cell) for cell in around)
    if len(space) < len(cells) or not is_connected(grid(size), set(ring)):
        return None
    number = {point: i for i, point in enumerate(space)}
    near = [sorted({number.get(q, len(space)) for q in grid(size)[point]}) for point in space]
    beside = [i for i, points in enumerate(near) if len(space) in points]
    num_borders = sum(any(cell[axis] in (0, size - 1) for cell in cells) for axis in (0, 1))
    where = ("in the centre", "at the edge", "in the corner")[num_borders]
    return Spot(space, ring, (*map(tuple, near), tuple(beside)), where)


def _settle(
    go: Go, random: np.random.Generator, spot: Spot, attacker: int, to_play: int
) -> tuple[dict[int, int], set[int]] | None:
    """All stones outside the eye space by their points, and the eyes in the zone of the player to move.

    None where the zones do not fit in, as it is of the shape and the komi how large they are.
    """
    graph, region = grid(go.size), spot.ring | set(spot.space)
    outside = set(range(go.num_points)) - region
    wall = {q for p in spot.ring for q in graph[p]} - region
    joints = {p for p in spot.ring if set(graph[p]) & wall}
    num_attackers = _attackers_zone(go, attacker)
    num_defenders = len(outside) - num_attackers
    if len(joints) < 4 or num_defenders < 0 or outside <= wall:
        return None
    far = divmod(int(random.choice(sorted(outside - wall))), go.size)
    cost = [np.hypot(p // go.size - far[0], p % go.size - far[1]) + random.random() for p in range(go.num_points)]
    theirs = zones.grow(graph, cost, outside - wall, num_defenders)
    if theirs is None or not is_connected(graph, outside - theirs):
        return None
    eyes = {}
    for side, zone in ((1, outside - theirs), (-1, theirs)):
        least = _LEAST_EYES if side == to_play else _LEAST_OPPONENT_EYES
        most = int(random.integers(least, max(least, len(zone) // 4) + 1))
        eyes[side] = zones.eyes(random, graph, zone, least, most) if zone else set()
        if eyes[side] is None:
            return None
    stones = dict.fromkeys(outside - theirs - eyes[1], attacker) | dict.fromkeys(theirs - eyes[-1], -attacker)
    return stones | dict.fromkeys(spot.ring, -attacker), eyes[to_play]


def _attackers_zone(go: Go, attacker: int) -> int:
    """How many points make the attacker lose by 2 at most if it has no others: its lead grows by 2 with each."""
    return int(np.ceil((go.num_points + attacker * go.komi) / 2)) - 1
