"""A game in progress as people play it: either side may move, moves are taken back, and nothing ends it.

`Go` alternates colours and stops after two passes or at the move limit. Players at a board, and programs that speak
GTP, do not always: a `Record` takes what they do, under the same rules for captures, suicide and ko, and `state`
shows it to a player as a game of `Go`.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from go_env.env import Go
from go_env.state import State


class IllegalMoveError(ValueError):
    """The rules do not allow this move."""


class Ply(NamedTuple):
    """A move and the board after it."""

    colour: int
    action: int
    board: np.ndarray  # int8 [size, size]
    is_implied: bool = False


class Record(NamedTuple):
    """A game so far. Colours alternate: where a player moves twice, the other is taken to have passed in between."""

    go: Go
    komi: float
    start: np.ndarray  # int8 [size, size]: empty, or the handicap stones
    first: int = 1  # +1 or -1: who moves first
    plies: tuple[Ply, ...] = ()

    @property
    def board(self) -> np.ndarray:
        """int8 `[size, size]`, +1 Black, -1 White, 0 empty; not to be written to."""
        return self.plies[-1].board if self.plies else self.start

    @property
    def to_play(self) -> int:
        """+1 or -1."""
        return -self.plies[-1].colour if self.plies else self.first


def begin(go: Go, komi: float | None = None, black_stones: tuple[int, ...] = ()) -> Record:
    """A new game, White to move first if there are handicap stones. `komi` may be any number; default that of `go`."""
    start = np.zeros(go.num_points, np.int8)
    start[list(black_stones)] = 1
    return Record(go, go.komi if komi is None else komi, start.reshape(go.size, go.size), -1 if black_stones else 1)


def play(record: Record, colour: int, action: int) -> Record:
    """The game after a move of either side. Raises IllegalMoveError."""
    record = pass_to(record, colour)
    if action == record.go.pass_action:
        return _add(record, Ply(colour, action, record.board))
    rules = _rules(record.go)
    state = rules.from_stones(record.board, colour, 0.0)
    if not rules.legal_actions(state)[action]:
        raise IllegalMoveError("the point is taken, or the stone would have no liberty")
    board = np.asarray(rules.stones(rules.step(state, action)))
    if any(np.array_equal(board, past) for past in _protected(record)):
        raise IllegalMoveError("an earlier position would come back")
    return _add(record, Ply(colour, action, board))


def undo(record: Record) -> Record:
    """The game before its last move, without the pass that this move may have implied."""
    plies = record.plies[:-1]
    while plies and plies[-1].is_implied:
        plies = plies[:-1]
    return record._replace(plies=plies)


def pass_to(record: Record, colour: int) -> Record:
    """The game with this colour to move, after an implied pass if need be."""
    if record.to_play == colour:
        return record
    return _add(record, Ply(-colour, record.go.pass_action, record.board, is_implied=True))


def score(record: Record) -> float:
    """Black's area less White's less komi as the board stands: all stones are alive."""
    rules = _rules(record.go)
    return int(np.sum(rules.area(rules.from_stones(record.board, 1, 0.0)), dtype=int)) - record.komi


def num_passes(record: Record) -> int:
    """Passes in a row just before, without implied ones."""
    count = 0
    while count < len(record.plies) and _is_pass(record, record.plies[-1 - count]):
        count += 1
    return count


def state(record: Record) -> State:
    """The game as a `State` that is not over, for players that search.

    Two passes have stopped a game that somebody wants to go on with, so the next two have to stop it again. A move
    limit has no place here, but players may have learnt with one: the state begins as late in the game as it takes
    for a quarter of the limit to lie ahead. What the ko rule forbids by yet earlier positions is for `play` to say.
    """
    go, rules = record.go, _rules(record.go)
    start = max(0, len(record.plies) - 3 * go.move_limit // 4)
    before = record._replace(plies=record.plies[:start])
    most = go.num_points + 1.0  # more komi than this decides the game no more surely, but looks odd to a network
    now = rules.from_stones(before.board, before.to_play, float(np.clip(record.komi, -most, most)))
    for ply in record.plies[start:]:
        now = rules.step(now._replace(passes=np.int32(0)), ply.action)
    return now._replace(passes=np.int32(num_passes(record) % 2))


class _Rules(NamedTuple):
    """Functions of `Go`, compiled: one game on the host would otherwise be computed operation by operation."""

    from_stones: Callable
    step: Callable
    legal_actions: Callable
    stones: Callable
    area: Callable


@functools.cache
def _rules(go: Go) -> _Rules:
    return _Rules(*map(jax.jit, (go.from_stones, go.step, go.legal_actions, go.stones, go.area)))


def _protected(record: Record) -> list[np.ndarray]:
    """Boards that a stone of the player to move must not bring back."""
    boards = [record.start, *(ply.board for ply in record.plies)]
    if record.go.ko == "positional_superko":
        return boards
    before_the_opponent = boards[-2::-2]  # then, too, the opponent was to move next
    return before_the_opponent if record.go.ko == "situational_superko" else before_the_opponent[:1]


def _add(record: Record, ply: Ply) -> Record:
    return record._replace(plies=(*record.plies, ply))


def _is_pass(record: Record, ply: Ply) -> bool:
    return ply.action == record.go.pass_action and not ply.is_implied
