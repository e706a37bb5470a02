"""How different games are: positions that they pass through, counted up to the symmetries of the board.

for number in (2, 4, 8, 16):
    print(number, count(after(go, moves, number)))
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from go_env import games
from go_env.env import Go


class Diversity(NamedTuple):
    """How many kinds of positions there are. All three depend on how many were looked at: compare equal numbers."""

    num: int  # positions
    num_distinct: int  # kinds: those that look the same from some side of the board are one
    effective: float  # as many kinds, all equally frequent, would be as diverse


def after(go: Go, moves: np.ndarray, number: int) -> np.ndarray:
    """The boards after `number` moves of the games that are so long: int8 `[games, size, size]`.

    Args:
      moves: int `[games, T]`, actions from the empty board; -1 behind the last. Moves that `go` refuses end a game.
    """
    moves = np.asarray(moves)
    if number < 0 or moves.ndim != 2:
        raise ValueError(f"moves are [games, T] and their number 0 or more, got {list(moves.shape)} and {number}")
    is_long = (moves >= 0).sum(axis=1) >= number
    boards, num_played = _boards(go, moves, np.where(is_long, number, 0))
    return np.asarray(boards)[np.asarray(num_played) == number]


def count(boards: np.ndarray) -> Diversity:
    """The diversity of boards `[N, size, size]`, all with the same player to move.

    `effective` is the exponential of the entropy of the kinds' frequencies: Hill's number of order 1 (Hill 1973,
    Ecology 54). Unlike `num_distinct` it is not moved much by kinds seen once.
    """
    kinds = np.unique(canonical(boards), axis=0, return_counts=True)[1]
    shares = kinds / max(len(boards), 1)
    effective = float(np.exp(-np.sum(shares * np.log(shares)))) if len(kinds) else 0.0
    return Diversity(len(boards), len(kinds), effective)


def canonical(boards: np.ndarray) -> np.ndarray:
    """One and the same of the 8 images of each board, whichever of them it is: int8 `[N, size, size]`."""
    points = np.arange(boards.shape[1] ** 2).reshape(boards.shape[1:])
    sides = np.stack([np.rot90(side, turns).ravel() for side in (points, points.T) for turns in range(4)])
    images = np.asarray(boards, np.int8).reshape(-1, points.size)[:, sides]
    least = [min(image, key=bytes) for image in images]
    return np.array(least, np.int8).reshape(boards.shape)


@functools.partial(jax.jit, static_argnums=0)
def _boards(go: Go, moves: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array]:
    states, num_played = games.replay(go, moves, jnp.full(len(moves), jnp.nan), number)
    return jax.vmap(go.stones)(states), num_played
