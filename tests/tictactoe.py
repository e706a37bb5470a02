"""Two tiny worlds with known best play, for tests: tic-tac-toe for two players, and a corridor for one."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))

Board = tuple[int, ...]
"""Nine squares, row by row: +1 the beginner's marks, -1 the other's, 0 empty."""


class State(NamedTuple):
    board: jax.Array  # int8 [9], as `Board`
    to_play: jax.Array  # int8 []: +1 or -1
    reward: jax.Array
    discount: jax.Array


class TicTacToe:
    """The game as an environment. Whoever plays on a taken square loses at once."""

    num_actions = 9
    observation_shape = (3, 3, 3)

    def init(self, key: jax.Array) -> State:
        del key
        return State(jnp.zeros(9, jnp.int8), jnp.int8(1), jnp.float32(0), jnp.float32(-1))

    def step(self, state: State, action: jax.Array) -> State:
        was_over = state.discount == 0
        is_legal = state.board[action] == 0
        board = state.board.at[action].set(jnp.where(is_legal, state.to_play, state.board[action]))
        has_won = jnp.any(jnp.all(board[np.array(LINES)] == state.to_play, axis=1)) & is_legal
        is_over = has_won | ~is_legal | jnp.all(board != 0)
        reward = jnp.where(has_won, jnp.float32(1), jnp.where(is_legal, jnp.float32(0), jnp.float32(-1)))
        return State(
            board=jnp.where(was_over, state.board, board),
            to_play=jnp.where(was_over, state.to_play, -state.to_play),
            reward=jnp.where(was_over, jnp.float32(0), reward),
            discount=jnp.where(was_over | is_over, jnp.float32(0), jnp.float32(-1)),
        )

    def observe(self, state: State) -> jax.Array:
        """float32 `[3, 3, 3]`: own marks, the other's marks, ones if the beginner is to move."""
        mine, theirs = state.board == state.to_play, state.board == -state.to_play
        begins = jnp.broadcast_to(state.to_play == 1, (9,))
        return jnp.stack([mine, theirs, begins], axis=-1).reshape(3, 3, 3).astype(jnp.float32)

    def legal_actions(self, state: State) -> jax.Array:
        return (state.board == 0) | (state.discount == 0)


def to_states(boards: Sequence[Board]) -> State:
    """Unfinished games at these boards, as a batch."""
    array = np.array(boards, np.int8).reshape(-1, 9)
    to_play = np.array([mover(board) for board in boards], np.int8)
    zeros = np.zeros(len(array), np.float32)
    return jax.tree.map(jnp.asarray, State(board=array, to_play=to_play, reward=zeros, discount=zeros - 1))


def mover(board: Board) -> int:
    return 1 if sum(board) == 0 else -1


def winner(board: Board) -> int:
    """+1 or -1 who has a line, 0 nobody."""
    for line in LINES:
        marks = {board[square] for square in line}
        if len(marks) == 1 and marks != {0}:
            return marks.pop()
    return 0


def is_over(board: Board) -> bool:
    return winner(board) != 0 or 0 not in board


def after(board: Board, square: int) -> Board:
    return (*board[:square], mover(board), *board[square + 1 :])


@functools.cache
def value(board: Board) -> int:
    """What the player to move gets with best play on both sides: +1, 0 or -1."""
    if is_over(board):
        return winner(board) * mover(board)
    return max(-value(after(board, square)) for square in legal_squares(board))


def best_squares(board: Board) -> list[int]:
    """All moves that keep the value."""
    return [square for square in legal_squares(board) if -value(after(board, square)) == value(board)]


def legal_squares(board: Board) -> list[int]:
    return [square for square in range(9) if board[square] == 0]


def positions(num_empty: int) -> list[Board]:
    """All unfinished positions with so many empty squares that play can reach, in a fixed order."""
    return sorted(board for board in _reachable() if board.count(0) == num_empty)


@functools.cache
def _reachable() -> frozenset[Board]:
    found: set[Board] = set()
    ahead = [(0,) * 9]
    while ahead:
        board = ahead.pop()
        if board not in found and not is_over(board):
            found.add(board)
            ahead += [after(board, square) for square in legal_squares(board)]
    return frozenset(found)


def perfect_player(key: jax.Array, states: State) -> jax.Array:
    """Plays a best move everywhere; its first one in the order of squares."""
    del key
    codes = jnp.sum((states.board.astype(jnp.int32) + 1) * 3 ** np.arange(9), axis=1)
    return jnp.asarray(_best_square_of_code())[codes]


@functools.cache
def _best_square_of_code() -> np.ndarray:
    table = np.zeros(3**9, np.int32)
    for board in _reachable():
        table[sum((mark + 1) * 3**i for i, mark in enumerate(board))] = best_squares(board)[0]
    return table


class Walk(NamedTuple):
    cell: jax.Array  # int32 []
    age: jax.Array  # int32 []
    reward: jax.Array
    discount: jax.Array


class Corridor:
    """One player walks along cells 0 ... 5 from a cell of chance: +1 in the last cell, -1 if 8 steps do not reach it.

    Action 0 goes left, 1 right. Left of cell 0 is a wall: going there is illegal, and spends a step.
    """

    num_actions = 2
    observation_shape = (2,)
    num_cells = 6
    max_steps = 8

    def init(self, key: jax.Array) -> Walk:
        cell = jax.random.randint(key, (), 0, self.num_cells - 1, jnp.int32)
        return Walk(cell, jnp.int32(0), jnp.float32(0), jnp.float32(1))

    def step(self, state: Walk, action: jax.Array) -> Walk:
        was_over = state.discount == 0
        cell = jnp.where(was_over, state.cell, jnp.maximum(state.cell + 2 * action - 1, 0))
        age = jnp.where(was_over, state.age, state.age + 1)
        has_arrived = cell == self.num_cells - 1
        is_over = has_arrived | (age == self.max_steps)
        reward = jnp.where(has_arrived, jnp.float32(1), jnp.where(is_over, jnp.float32(-1), jnp.float32(0)))
        return Walk(
            cell=cell,
            age=age,
            reward=jnp.where(was_over, jnp.float32(0), reward),
            discount=jnp.where(is_over, jnp.float32(0), jnp.float32(1)),
        )

    def observe(self, state: Walk) -> jax.Array:
        """int32 `[2]`: cell and age."""
        return jnp.stack([state.cell, state.age])

    def legal_actions(self, state: Walk) -> jax.Array:
        return jnp.stack([(state.cell > 0) | (state.discount == 0), jnp.bool_(True)])


def uniform(num_actions: int):
    """A network that knows nothing: equal logits, value 0."""

    def predict(observations: jax.Array) -> tuple[jax.Array, jax.Array]:
        batch = observations.shape[0]
        return jnp.zeros((batch, num_actions)), jnp.zeros(batch)

    return predict
