"""Problems of Go with exact answers, as states and arrays: what a player can read, apart from how well it plays.

    problems = stack(go, make(go, seed=0, num_life=16, num_ladders=16))
    logits, values = predict(jax.vmap(go.observe)(problems.states))
    action = jnp.argmax(jnp.where(jax.vmap(go.legal_actions)(problems.states), logits, -jnp.inf), axis=-1)
    is_solved = problems.right[jnp.arange(len(action)), action]

See `go_env.life` and `go_env.ladders` for what is guaranteed. In problems of life and death the whole game is decided,
so that the sign of a network's value can be right or wrong too; nothing is right there where all is lost, and such
problems ask for the value alone. In ladders `value` tells about the chain, not about the game.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from go_env import games, ladders, life
from go_env.env import Go
from go_env.problem import Problem
from go_env.state import State

KINDS = life.KINDS + ladders.KINDS
"""Names by `Problems.kind`."""


class Problems(NamedTuple):
    """P problems."""

    states: State  # [P, ...]
    right: jax.Array  # bool [P, actions]: what solves them
    value: jax.Array  # float32 [P]: +1 the player to move gets its way, -1 it cannot
    kind: jax.Array  # int32 [P]: index into `KINDS`
    pair: jax.Array  # int32 [P]: the same number for two that are to be told apart; -1 for those that stand alone


def make(go: Go, seed: int, num_life: int, num_ladders: int) -> list[Problem]:
    """`num_life` problems of each kind of life and death, then `num_ladders` pairs of ladders of each of two sorts.

    There are no ladders where the board is smaller than `ladders.LEAST_SIZE`.

    Raises:
      ValueError: so many cannot be found for such a board and komi.
    """
    has_room = go.size >= ladders.LEAST_SIZE
    return life.make(go, seed, num_life) + (ladders.make(go, seed, num_ladders) if has_room else [])


def stack(go: Go, problems: Sequence[Problem]) -> Problems:
    """The problems as games of `go` in which their moves have been played, so that a network sees a game, not a setup.

    Raises:
      ValueError: `go` is not what they were made for: it has another size or allows other actions.
    """
    misfit = ValueError(f"the problems were not made for {go}")
    if any(len(problem.board) != go.num_points for problem in problems):
        raise misfit
    room = max(len(problem.moves) for problem in problems)
    moves = np.array([(*problem.moves, *[-1] * (room - len(problem.moves))) for problem in problems], np.int32)
    length = np.array([len(problem.moves) for problem in problems], np.int32)
    states, legal, num_legal = jax.device_get(_play(go, moves, length))
    right, wrong = (
        np.array([[action in actions for action in range(go.num_actions)] for actions in sets])
        for sets in ([problem.right for problem in problems], [problem.wrong for problem in problems])
    )
    if (num_legal < length).any() or (legal != (right | wrong)).any():
        raise misfit
    return Problems(
        states=jax.tree.map(jnp.asarray, states),
        right=jnp.asarray(right),
        value=jnp.array([problem.value for problem in problems], jnp.float32),
        kind=jnp.array([KINDS.index(problem.kind) for problem in problems], jnp.int32),
        pair=jnp.array([problem.pair for problem in problems], jnp.int32),
    )


@functools.partial(jax.jit, static_argnums=0)
def _play(go: Go, moves: jax.Array, length: jax.Array) -> tuple[State, jax.Array, jax.Array]:
    """Games after their moves, what is legal then, and how many moves were."""
    states, num_legal = games.replay(go, moves, jnp.full(len(moves), go.komi), length)
    return states, jax.vmap(go.legal_actions)(states), num_legal
