"""Go in plain Python with sets and flood fill: slow, obvious, and the judge of `go_env`.

Points and actions are numbered as in `go_env`: `row * size + column`, pass = `size**2`. A board is a tuple of
`size**2` numbers, +1 Black, -1 White, 0 empty.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

Board = tuple[int, ...]


@functools.cache
def neighbours(point: int, size: int) -> tuple[int, ...]:
    row, column = divmod(point, size)
    around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return tuple(r * size + c for r, c in around if 0 <= r < size and 0 <= c < size)


def region(board: Sequence[int], point: int, size: int) -> tuple[set[int], set[int]]:
    """Points of equal colour connected with `point`, and the points of other colours around them."""
    inside, border, todo = {point}, set(), [point]
    while todo:
        for near in neighbours(todo.pop(), size):
            if board[near] != board[point]:
                border.add(near)
            elif near not in inside:
                inside.add(near)
                todo.append(near)
    return inside, border


def liberties(board: Sequence[int], point: int, size: int) -> set[int]:
    """Empty points around the chain at `point`."""
    return {p for p in region(board, point, size)[1] if board[p] == 0}


def has_liberty(board: Sequence[int], point: int, size: int) -> bool:
    return any(board[p] == 0 for p in neighbours(point, size)) or bool(liberties(board, point, size))


def is_legal_position(board: Sequence[int], size: int) -> bool:
    return all(has_liberty(board, p, size) for p in range(size**2) if board[p] != 0)


def place(board: Board, point: int, colour: int, size: int) -> Board | None:
    """The board after a stone and its captures; None where the point is occupied or the move is suicide."""
    if board[point] != 0:
        return None
    after = list(board)
    after[point] = colour
    for near in neighbours(point, size):
        if after[near] == -colour and not has_liberty(after, near, size):
            for p in region(after, near, size)[0]:
                after[p] = 0
    return tuple(after) if has_liberty(after, point, size) else None


def area(board: Board, size: int) -> Board:
    """Tromp-Taylor owner of every point."""
    owner = list(board)
    todo = {p for p in range(size**2) if board[p] == 0}
    while todo:
        empty, border = region(board, min(todo), size)
        colours = {board[p] for p in border}
        for p in empty:
            owner[p] = min(colours) if len(colours) == 1 else 0
        todo -= empty
    return tuple(owner)


@dataclass(frozen=True)
class Game:
    """A game under one of the ko rules; `play` returns the next one."""

    size: int
    komi: float
    ko: str
    move_limit: int
    board: Board
    to_play: int = 1
    memory: int | None = None  # a superko rule looks back so many plies; None: all
    past: tuple[tuple[Board, int], ...] = field(default=(), repr=False)  # (board, player to move), start and now too
    passes: int = 0
    is_over: bool = False
    reward: float = 0.0

    @staticmethod
    def start(size: int, komi: float, ko: str, move_limit: int, memory: int | None = None) -> "Game":
        board = (0,) * size**2
        return Game(size, komi, ko, move_limit, board, memory=memory, past=((board, 1),))

    @property
    def ply(self) -> int:
        return len(self.past) - 1

    @functools.cached_property
    def area(self) -> Board:
        return area(self.board, self.size)

    @property
    def score(self) -> float:
        return sum(self.area) - self.komi

    @functools.cached_property
    def playable(self) -> dict[int, Board]:
        """Points that are legal but for the ko rule, with the board after a stone there."""
        boards = {p: place(self.board, p, self.to_play, self.size) for p in range(self.size**2)}
        return {p: board for p, board in boards.items() if board is not None}

    @functools.cached_property
    def forbidden(self) -> set[Board]:
        """Positions that the player to move may not bring back by playing a stone."""
        past = self.past if self.memory is None else self.past[-1 - self.memory : -1]
        if self.ko == "positional_superko":
            return {board for board, _ in past}
        if self.ko == "situational_superko":
            return {board for board, mover in past if mover == -self.to_play}
        assert self.ko == "simple"
        return {board for board, _ in self.past[-2:-1]}  # as it was before the opponent's last action

    @property
    def ko_points(self) -> set[int]:
        """Points that the ko rule alone forbids."""
        return {p for p, board in self.playable.items() if board in self.forbidden}

    def is_legal(self, action: int) -> bool:
        is_pass = action == self.size**2
        return is_pass or (action in self.playable and self.playable[action] not in self.forbidden)

    def legal_actions(self) -> list[bool]:
        return [self.is_over or self.is_legal(action) for action in range(self.size**2 + 1)]

    def play(self, action: int) -> "Game":
        if self.is_over:
            return replace(self, reward=0.0)
        is_legal, is_pass = self.is_legal(action), action == self.size**2
        board = self.playable[action] if is_legal and not is_pass else self.board
        after = replace(
            self,
            board=board,
            to_play=-self.to_play,
            past=(*self.past, (board, -self.to_play)),
            passes=self.passes + 1 if is_pass else 0,
        )
        if not is_legal:
            return replace(after, is_over=True, reward=-1.0)
        if after.passes < 2 and after.ply < self.move_limit:
            return after
        sign = (after.score > 0) - (after.score < 0)
        return replace(after, is_over=True, reward=float(sign * self.to_play))
