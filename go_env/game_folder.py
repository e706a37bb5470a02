"""Games that arrays hold, as files for people: for each an SGF, and a page to step through.

game_folder.write("runs/go_9x9/cpu/games", go, match, names=("iteration 70", "initial"))
"""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from go_env import game_page, sgf
from go_env.env import Go
from go_env.sgf import Game, Result
from go_env.state import State


class Match(Protocol):
    """Pairs of games between two players. Of a pair the first player begins the game at index 0."""

    @property
    def openings(self) -> State: ...  # [pairs, ...]
    @property
    def actions(self) -> jax.typing.ArrayLike: ...  # int32 [moves, 2, pairs]
    @property
    def lengths(self) -> jax.typing.ArrayLike: ...  # int32 [2, pairs]: moves from the opening to the end


class Replayed(NamedTuple):
    """A game, move by move from its opening."""

    record: Game
    boards: np.ndarray  # int8 [moves + 1, size, size]


def write(folder: str | os.PathLike, go: Go, match: Match, names: tuple[str, str], most: int = 8) -> list[Path]:
    """Writes the first games of a match; files of the same names are replaced.

    Args:
      folder: made where it is missing.
      names: of the first player and the second.
      most: how many games.

    Returns the pages; beside each lies its `.sgf`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pages = []
    for number, game in enumerate(replay(go, match, names, most), start=1):
        path = folder / f"game_{number:02}.html"
        info = game.record.info
        title = f"{number}. {info['PB']} – {info['PW']}, {game.record.result or 'not finished'}"
        path.write_text(game_page.game_html(game.boards, title=title), encoding="utf-8")
        path.with_suffix(".sgf").write_text(sgf.write(game.record), encoding="utf-8")
        pages.append(path)
    return pages


def replay(go: Go, match: Match, names: tuple[str, str], most: int = 8) -> list[Replayed]:
    """The first games of a match, both of a pair one after the other; records begin with the opening set up."""
    openings, actions, lengths = jax.device_get((match.openings, match.actions, match.lengths))
    num_pairs = min(-(-most // 2), np.shape(lengths)[1])
    moves = np.asarray(actions)[:, :, :num_pairs]
    lengths = np.asarray(lengths)[:, :num_pairs]
    moves = np.where(np.arange(len(moves))[:, None, None] < lengths, moves, -1)
    openings = jax.tree.map(lambda x: np.asarray(x)[:num_pairs], openings)
    seen = _Seen(*map(np.asarray, _play(go, openings, moves)))
    games = [
        _game(go, jax.tree.map(lambda x, pair=pair: x[pair], openings), moves[:, side, pair], seen, side, pair, names)
        for pair in range(num_pairs)
        for side in (0, 1)
    ]
    return games[:most]


class _Seen(NamedTuple):
    boards: Any  # int8 [moves + 1, 2, pairs, size, size]
    is_over: Any  # bool [2, pairs], at the end
    score: Any  # float32 [2, pairs]: Black's area less White's less komi


@functools.partial(jax.jit, static_argnums=0)
def _play(go: Go, openings: State, moves: jax.Array) -> _Seen:
    """Both games of every pair: `moves` `[moves, 2, pairs]`, -1 behind the last."""
    both = jax.tree.map(lambda x: jnp.broadcast_to(x, (2, *x.shape)).reshape(-1, *x.shape[1:]), openings)

    def ply(states: State, action: jax.Array) -> tuple[State, jax.Array]:
        after = jax.vmap(go.step)(states, jnp.maximum(action, 0))
        states = jax.tree.map(
            lambda old, new: jnp.where(action.reshape(-1, *[1] * (new.ndim - 1)) < 0, old, new), states, after
        )
        return states, jax.vmap(go.stones)(states)

    start = jax.vmap(go.stones)(both)
    end, boards = jax.lax.scan(ply, both, moves.reshape(len(moves), -1))
    boards = jnp.concatenate([start[None], boards])
    shape = moves.shape[1:]
    is_over, score = jax.vmap(go.is_over)(end), jax.vmap(go.score)(end)
    return _Seen(boards.reshape(len(boards), *shape, go.size, go.size), is_over.reshape(shape), score.reshape(shape))


def _game(
    go: Go, opening: State, moves: np.ndarray, seen: _Seen, side: int, pair: int, names: Sequence[str]
) -> Replayed:
    """One game: who begins it takes the colour that is to move after the opening."""
    num_moves, to_play = int(np.sum(moves >= 0)), int(opening.to_play)
    boards = seen.boards[: num_moves + 1, side, pair]
    black, white = names if (side == 0) == (to_play == 1) else names[::-1]
    score = float(seen.score[side, pair])
    result = Result(int(np.sign(score)), abs(score), "score") if seen.is_over[side, pair] else None
    record = sgf.from_actions(
        moves[:num_moves],
        go.size,
        boards[0],
        to_play,
        komi=float(opening.komi),
        rules="Chinese",
        result=str(result or ""),
        info={"PB": black, "PW": white},
    )
    return Replayed(record, boards)
