"""A position with a question that has an exact answer, and how a game may have come there."""

from typing import NamedTuple

import numpy as np

from go_env import text
from go_env.reading import Board


class Problem(NamedTuple):
    """One problem. Who asks for a kind by name finds them in `go_env.problems.KINDS`."""

    kind: str
    name: str  # for people
    moves: tuple[int, ...]  # actions from the empty board to the position; all legal, none captures
    board: Board  # the position
    to_play: int  # +1 Black, -1 White
    right: frozenset[int]  # actions that solve it; none where nothing helps
    wrong: frozenset[int]  # all the others that are legal
    value: int  # +1 the player to move gets its way, -1 it cannot
    pair: int = -1  # the same number in two problems that differ by one stone and have different answers


def diagram(problem: Problem) -> str:
    """The problem for people: what it is, the board, and the answer."""
    size = round(len(problem.board) ** 0.5)
    answer = " ".join(text.vertex(action, size) for action in sorted(problem.right)) or "nothing helps"
    head = f"{problem.kind}: {problem.name}, {'X' if problem.to_play == 1 else 'O'} to play"
    return "\n".join([head, text.to_text(np.reshape(problem.board, (size, size))), f"right: {answer}"])


def moves_to(random: np.random.Generator, board: Board, to_play: int, last: set[int]) -> tuple[int, ...]:
    """Actions from the empty board to this one, in random order, after which `to_play` is to move.

    Without captures any order is legal: the part of a chain that is there already has a liberty where the rest is still
    to come. Who has fewer stones passes in its first turns, as in games with a handicap.

    Args:
      last: points of the other player's stones, one of which is played last.
    """
    black, white = ([p for p in random.permutation(len(board)).tolist() if board[p] == c] for c in (1, -1))
    end = white if to_play == 1 else black
    end.append(end.pop(next(i for i, point in enumerate(end) if point in last)))
    turns = max(len(white), len(black) - (to_play == -1))  # of White
    passes = [len(board)]
    black = passes * (turns + (to_play == -1) - len(black)) + black
    white = passes * (turns - len(white)) + white
    return tuple(move for both in zip(black, [*white, -1], strict=False) for move in both if move >= 0)


def mirrored(size: int, symmetry: int, row: int, column: int) -> int:
    """The point at this place of a board that is turned over: bits of `symmetry` are transposed, flipped, flipped."""
    row, column = (column, row) if symmetry & 1 else (row, column)
    row = size - 1 - row if symmetry & 2 else row
    column = size - 1 - column if symmetry & 4 else column
    return row * size + column
