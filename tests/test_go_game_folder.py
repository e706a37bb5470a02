"""Games of a match as files: the boards and results of plain rules, players on the right sides."""

import random
from typing import Any, NamedTuple

import jax
import numpy as np
import oracle_go
import pytest

from go_env import Go, game_folder, sgf
from go_env.state import State

GO = Go(4, komi=1.5, max_moves=24)
PASS = 16


class Match(NamedTuple):
    """What `go_env` asks of a match, and who knows of its players."""

    openings: State
    actions: Any
    lengths: Any


def random_moves(game: oracle_go.Game, chance: random.Random, num: int) -> tuple[list[int], list[oracle_go.Game]]:
    """At most `num` legal moves until the game is over, and the game after each."""
    moves, games = [], []
    while len(moves) < num and not game.is_over:
        legal = [action for action, is_legal in enumerate(game.legal_actions()) if is_legal]
        points = [action for action in legal if action != PASS] or legal
        moves.append(chance.choice(legal if chance.random() < 0.1 else points))
        game = game.play(moves[-1])
        games.append(game)
    return moves, games


@pytest.fixture(scope="module")
def played() -> tuple[Match, list[list[oracle_go.Game]]]:
    """Three pairs, the middle one with White to move; the last game is cut short. Garbage behind all ends."""
    chance, step = random.Random(0), jax.jit(GO.step)
    openings, stories = [], []
    actions, lengths = np.full((30, 2, 3), 5, np.int32), np.zeros((2, 3), np.int32)
    for pair, num_opening in enumerate((2, 3, 0)):
        start = oracle_go.Game.start(GO.size, GO.komi, GO.ko, GO.move_limit)
        state = GO.init()
        opening, games = random_moves(start, chance, num_opening)
        for move in opening:
            state = step(state, move)
        openings.append(state)
        for side in (0, 1):
            begin = games[-1] if games else start
            moves, after = random_moves(begin, chance, 6 if (pair, side) == (2, 1) else 99)
            actions[: len(moves), side, pair], lengths[side, pair] = moves, len(moves)
            stories.append([begin, *after])
    return Match(jax.tree.map(lambda *x: np.stack(x), *openings), actions, lengths), stories


@pytest.fixture(scope="module")
def replayed(played):
    return game_folder.replay(GO, played[0], ("new", "old"), most=99)


def test_every_game_is_replayed_by_the_rules(played, replayed):
    assert len(replayed) == 6
    for (_, boards), story in zip(replayed, played[1], strict=True):
        np.testing.assert_array_equal(boards.reshape(len(story), -1), [game.board for game in story])


def test_records_tell_who_won(played, replayed):
    for i, ((record, _), story) in enumerate(zip(replayed, played[1], strict=True)):
        beginner, other = ("new", "old") if i % 2 == 0 else ("old", "new")
        black, white = (beginner, other) if story[0].to_play == 1 else (other, beginner)
        assert (record.info["PB"], record.info["PW"], record.komi) == (black, white, 1.5)
        result = sgf.outcome(record)
        if i == 5:
            assert record.result == ""
        else:
            assert story[-1].is_over
            assert (result.winner or 0) * (result.margin or 0) == story[-1].score


def test_files_hold_the_games(played, replayed, tmp_path):
    pages = game_folder.write(tmp_path / "games", GO, played[0], ("new", "old"), most=5)
    assert [path.name for path in pages] == [f"game_0{i}.html" for i in range(1, 6)]
    assert sorted(path.name for path in (tmp_path / "games").glob("*.sgf")) == [f"game_0{i}.sgf" for i in range(1, 6)]
    for path, (record, _) in zip(pages, replayed, strict=False):
        assert sgf.read_file(path.with_suffix(".sgf")) == [record]
        assert f"{record.info['PB']} – {record.info['PW']}, {record.result}" in path.read_text(encoding="utf-8")


def test_records_begin_with_the_opening(played, replayed):
    for (record, _), story in zip(replayed, played[1], strict=True):
        assert tuple(sgf.stones(record).reshape(-1)) == story[0].board
        assert record.to_play == story[0].to_play
