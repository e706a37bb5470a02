"""The inside of a chain without outside liberties, read out to the end: who lives and who dies there.

The chain and the points that it encloses are a small graph, with the chain as one point. All its positions are listed
and solved backwards from the end, with every move in the space for both players. What is found holds on a whole board
on which the rest is settled (`go_env.life` says why), whatever ko rule is in force and whatever threats there are:

- The winner brings back no position that was there before; the loser may, as if no rule forbade it.
- The loser may wait at any time by a move somewhere else, as often as a board has room for; the winner never does.

Positions that nobody wins like that, for instance those that hang on a ko, stay without an answer.
"""

import functools
from typing import NamedTuple

from go_env.reading import Board, Graph, liberties, place


class Position(NamedTuple):
    """What somebody in the eye space sees: the attacker is +1, the defender -1."""

    board: Board  # the points of the space, then the whole chain around it as one
    to_play: int
    passes: int

    def left_to(self, player: int) -> "Position":
        """The same with a player to move after a stone, wherever it was put."""
        return self._replace(to_play=player, passes=0)


def outcomes(graph: Graph, position: Position) -> list[int | None]:
    """Who wins after each action, +1 or -1: points of the space, a pass, and a move in one's own zone.

    None where a point is illegal, 0 where nobody can be sure.
    """
    board, to_play, _ = position
    winners, found = solve(graph), []
    for point in range(len(graph) - 1):
        after = place(graph, board, point, to_play)
        found.append(None if after is None else winners.get(Position(after, -to_play, 0), 0) if after[-1] else 1)
    waits = [winners.get(Position(board, -to_play, passes), 0) for passes in (1, 0)]
    return [*found, *waits]


def value(graph: Graph, position: Position) -> int:
    """Who wins with the player to move playing best: +1, -1, or 0 where that is not sure."""
    found = outcomes(graph, position)
    other = -position.to_play
    return 0 if 0 in found else position.to_play if position.to_play in found else other


@functools.cache
def solve(graph: Graph) -> dict[Position, int]:
    """Who wins in an eye space: +1 the attacker, -1 the defender; what neither can be sure of is missing.

    The attacker wins once the chain is captured, and if the game ends by two passes with a stone of it left: that costs
    the defender three points or more, two for the stone and one for its liberty. Without one all of the space is the
    defender's then, and it wins. Every position is looked at with both players to move.
    """
    follow = {position: _after(graph, position) for position in _positions(graph)}
    return {position: side for side in (1, -1) for position in _sure(follow, side)}


def _positions(graph: Graph) -> list[Position]:
    """All that may come up while the chain is there."""
    boards = [()]
    for _ in graph[:-1]:
        boards = [(*board, stone) for board in boards for stone in (0, 1, -1)]
    boards = [(*board, -1) for board in boards]
    legal = [b for b in boards if all(b[p] == 0 or liberties(graph, b, p) for p in range(len(b)))]
    return [Position(board, to_play, passes) for board in legal for to_play in (1, -1) for passes in (0, 1)]


def _after(graph: Graph, position: Position) -> list[Position | int]:
    """Where moves lead, the pass last: positions, or who has won."""
    board, to_play, passes = position
    stones = [place(graph, board, point, to_play) for point in range(len(graph) - 1)]
    after = [Position(b, -to_play, 0) if b[-1] else 1 for b in stones if b is not None]
    end = 1 if 1 in board else -1
    return [*after, end if passes else Position(board, -to_play, 1)]


def _sure(follow: dict[Position, list[Position | int]], side: int) -> set[Position]:
    """Positions that `side` wins without repeating one, though the other may, and may also wait elsewhere."""
    plies, before = _plies(follow, side, set(follow)), 0
    while len(plies) != before:  # an answer to waiting must itself be sure
        before = len(plies)
        plies = _plies(follow, side, set(plies))
    later: dict[Position, set[Position]] = {}  # what may come after each if `side` wins as fast as it can
    for position in sorted(plies, key=plies.__getitem__):
        after = [q for q in follow[position] if isinstance(q, Position) and q in plies]
        if position.to_play == side:
            after = [] if side in follow[position] else [min(after, key=plies.__getitem__)]
        later[position] = {position}.union(*(later[q] for q in after))
    steps = [(p, q) for p in follow for q in follow[p] if isinstance(q, Position) and q in plies]
    repeating = {q for p, q in steps if p.left_to(-side) in later[q] - {q}}
    return {p for p in plies if not repeating & _waited(later, p, side)}


def _waited(later: dict[Position, set[Position]], position: Position, side: int) -> set[Position]:
    """What may come after a position if the other player may also wait, time and again."""
    found, todo = set(later[position]), list(later[position])
    while todo:
        if (q := todo.pop()).to_play != side:
            new = later[q.left_to(side)] - found
            found |= new
            todo += new
    return found


def _plies(follow: dict[Position, list[Position | int]], side: int, answers: set[Position]) -> dict[Position, int]:
    """Where `side` forces a win, and within how many plies, if it is its turn in one of `answers` after waiting."""
    plies: dict[Position | int, int] = {side: 0}
    todo, num = set(follow), 0
    while True:
        num += 1
        won = {
            p
            for p in todo
            if (
                any(q in plies for q in follow[p])
                if p.to_play == side
                else p.left_to(side) in answers and all(q in plies for q in follow[p])
            )
        }
        if not won:
            return {p: n for p, n in plies.items() if isinstance(p, Position)}
        plies |= dict.fromkeys(won, num)
        todo -= won
