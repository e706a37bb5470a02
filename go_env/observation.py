"""What a player sees: `PLANES` lists the planes of an observation by index."""

import functools

import jax
import jax.numpy as jnp

from go_env import board
from go_env.batching import batch_last
from go_env.bitboard import Layout, difference, intersection
from go_env.state import State

NUM_LAST_MOVES = 5
"""How many past moves have a plane of their own."""

KOMI_UNIT = 16.0
"""Komi is observed in these units: half-integer komi stays exact even in bfloat16."""

PLANES = (
    "on the board (1 everywhere)",
    "stones of the player to move",
    "stones of the opponent",
    "stones of the player to move in atari",
    "stones of the opponent in atari",
    "legal points of the player to move",
    "points forbidden by the ko rule alone",
    "stone of the last move",
    "stone of the move before it",
    "stone of the third-last move",
    "stone of the fourth-last move",
    "stone of the fifth-last move",
    "the last move was a pass (1 everywhere)",
    "Black is to move (1 everywhere)",
    "komi in favour of the player to move, in units of 16 points (everywhere)",
    "share of the move limit that is used up (everywhere)",
)


def observe(go, state: State) -> jax.Array:
    """float32 `[size, size, len(PLANES)]`."""
    layout = go.layout
    present = batch_last(functools.partial(_present, layout))(state.stones, state.atari, state.legal, state.to_play)
    packed = jnp.concatenate([present, _last_moves(go, state)])
    planes = layout.unpack(packed).astype(jnp.float32)
    scalars = jnp.stack([
        (state.passes > 0).astype(jnp.float32),
        (state.to_play == 1).astype(jnp.float32),
        -state.komi * state.to_play.astype(jnp.float32) / KOMI_UNIT,
        state.ply.astype(jnp.float32) / go.move_limit,
    ])  # fmt: skip
    everywhere = jnp.broadcast_to(scalars[:, None], (scalars.size, go.num_points))
    planes = jnp.concatenate([jnp.ones((1, go.num_points), jnp.float32), planes, everywhere])
    return planes.T.reshape(go.observation_shape)


def _present(layout: Layout, stones: jax.Array, atari: jax.Array, legal: jax.Array, to_play: jax.Array):
    """The sets of points that the present board shows: uint32 `[sets, W, ...]`, arguments with the batch last.

    They are computed in a branch that is always taken. XLA on CPU would otherwise compute them anew for each of the
    points that are unpacked from them, which takes more than twice as long.
    """

    def sets() -> jax.Array:
        mine, theirs = (tuple(jnp.where(to_play == 1, *pair)) for pair in (stones, stones[::-1]))
        playable = board.playable(layout, mine, theirs, tuple(atari))
        each = [
            mine,
            theirs,
            intersection(mine, tuple(atari)),
            intersection(theirs, tuple(atari)),
            intersection(tuple(legal), playable),
            difference(playable, tuple(legal)),
        ]
        return jnp.stack([jnp.stack(x) for x in each])

    shape = jax.eval_shape(sets)
    return jax.lax.cond(jnp.any(to_play != 0), sets, lambda: jnp.zeros(shape.shape, shape.dtype))


def _last_moves(go, state: State) -> jax.Array:
    """uint32 `[NUM_LAST_MOVES, W]`: the stone that each of the last moves added, newest first."""
    plies = state.ply - jnp.arange(NUM_LAST_MOVES, dtype=jnp.int32)  # after each of the last moves
    before = state.history[(plies - 1) % go.num_past_boards]  # [moves, 2, W]
    after = jnp.concatenate([state.stones[None], before[:-1]])
    mover_is_black = (jnp.arange(NUM_LAST_MOVES) % 2 == 0) == (state.to_play == -1)
    is_black = mover_is_black[:, None]
    added = jnp.where(is_black, after[:, 0] & ~before[:, 0], after[:, 1] & ~before[:, 1])
    return jnp.where((plies > 0)[:, None], added, jnp.uint32(0))
