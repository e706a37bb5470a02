"""Positions are counted as one if some side of the board shows them alike."""

import collections
import math

import numpy as np
import oracle_go
import pytest

from go_env import Go
from go_env.diversity import after, canonical, count

GO = Go(4, ko="simple")
CORNERS = [0, 3, 12, 15]


def sides(board: np.ndarray) -> list[tuple]:
    """The board from its 8 sides, as nested tuples."""
    turned = [np.rot90(b, k) for b in (board, board.T) for k in range(4)]
    return [tuple(map(tuple, b.tolist())) for b in turned]


def random_boards(num: int, size: int = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    boards = random.integers(-1, 2, (num, size, size)) * (random.random((num, size, size)) < 0.4)
    return boards.astype(np.int8)


def test_sides_of_one_board_have_one_canonical_form_and_other_boards_another():
    boards = random_boards(60)
    forms = [tuple(map(tuple, form.tolist())) for form in canonical(boards)]
    for board, form in zip(boards, forms, strict=True):
        assert form in sides(board)
        for side in sides(board):
            assert tuple(map(tuple, canonical(np.array([side], np.int8))[0].tolist())) == form
    kinds = {frozenset(sides(board)) for board in boards}
    assert len(set(forms)) == len(kinds) < len(boards)


def test_kinds_are_counted_by_hand():
    boards = random_boards(200)
    kinds = collections.Counter(frozenset(sides(board)) for board in boards)
    entropy = -sum(n / 200 * math.log(n / 200) for n in kinds.values())
    found = count(boards)
    assert (found.num, found.num_distinct) == (200, len(kinds))
    assert found.effective == pytest.approx(math.exp(entropy)) and 1 < found.effective < len(kinds)


def test_equal_kinds_are_as_many_as_they_are():
    black, white = np.zeros((2, 3, 3), np.int8)
    black[0, 0], white[0, 0] = 1, -1
    assert count(np.stack([black, white, np.rot90(black), np.rot90(white, 2)])) == (4, 2, pytest.approx(2.0))
    assert count(np.zeros((0, 3, 3), np.int8)) == (0, 0, 0)


def test_boards_after_moves_are_those_of_plain_rules_captures_included():
    random, games = np.random.default_rng(1), []
    for _ in range(8):
        game, moves = oracle_go.Game.start(4, GO.komi, "simple", GO.move_limit), []
        while not game.is_over and len(moves) < 20:
            moves.append(int(random.choice(np.flatnonzero(game.legal_actions()))))
            game = game.play(moves[-1])
        games.append(moves)
    moves = np.array([game + [-1] * (20 - len(game)) for game in games])
    for number in (0, 1, 7, 20):
        expected = []
        for game in games:
            if len(game) >= number:
                end = oracle_go.Game.start(4, GO.komi, "simple", GO.move_limit)
                for move in game[:number]:
                    end = end.play(move)
                expected.append(end.board)
        assert [tuple(board.ravel().tolist()) for board in after(GO, moves, number)] == expected
    assert 0 < len(after(GO, moves, 20)) < 8, "some games are shorter"


def test_four_corners_are_one_opening():
    moves = np.array([[corner, -1] for corner in CORNERS] + [[1, -1]])
    assert count(after(GO, moves, 1))[:2] == (5, 2)
    assert count(after(GO, moves, 2)).num == 0


def test_games_end_before_what_the_rules_refuse():
    assert len(after(GO, np.array([[0, 0], [0, 1]]), 2)) == 1


def test_what_is_no_set_of_games_is_refused():
    with pytest.raises(ValueError, match=r"\[games, T\].*got \[3\] and 1"):
        after(GO, np.array([0, 1, 2]), 1)
    with pytest.raises(ValueError, match=r"and -1$"):
        after(GO, np.array([[0, 1, 2]]), -1)
