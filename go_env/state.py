"""One game of Go as arrays."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from go_env.bitboard import Bitboard


class State(NamedTuple):
    """One game. Sets of points are packed by `go_env.bitboard.Layout`: W words, K past boards."""

    stones: jax.Array  # uint32 [2, W]: Black's and White's
    atari: jax.Array  # uint32 [W]: stones of both whose chain has exactly one liberty
    legal: jax.Array  # uint32 [W]: points where the player to move may play; all points once the game is over
    history: jax.Array  # uint32 [K, 2, W]: the stones before action i at index i mod K; the present ones are not there
    sketch: jax.Array  # uint32 [2]: `superko.sketch` of the stones
    sketches: jax.Array  # uint32 [2, K]: that of the boards in `history`; [2, 0] under the simple ko rule
    to_play: jax.Array  # int32: +1 Black, -1 White
    ply: jax.Array  # int32: actions taken so far, passes included
    passes: jax.Array  # int32: passes in a row just before
    komi: jax.Array  # float32: points for White
    reward: jax.Array  # float32: to the player who has just moved: +1 won, -1 lost, 0 draw or not over
    discount: jax.Array  # float32: -1 while the game goes on (the opponent moves next), 0 once it is over


def words(packed: jax.Array) -> Bitboard:
    """`[..., W]` → W arrays `[...]`."""
    return tuple(packed[..., i] for i in range(packed.shape[-1]))


def by_mover(stones: jax.Array, to_play: jax.Array) -> tuple[Bitboard, Bitboard]:
    """Stones of the player to move, stones of the opponent."""
    ours = jnp.where(to_play == 1, stones, stones[::-1])
    return words(ours[0]), words(ours[1])
