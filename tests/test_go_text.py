"""Diagrams and GTP vertices say what they should, are read back, and name what they cannot read."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import go_env
from go_env import Go, from_text, text, to_text

boards = st.integers(2, 19).flatmap(
    lambda size: st.lists(st.sampled_from([-1, 0, 1]), min_size=size**2, max_size=size**2).map(
        lambda stones: np.array(stones, np.int8).reshape(size, size)
    )
)


def test_diagram_has_gtp_coordinates_and_marks_the_last_move():
    board = np.zeros((9, 9), np.int8)
    board[5, 3], board[0, 8], board[8, 0] = 1, -1, 1
    assert to_text(board, last_action=5 * 9 + 3).splitlines() == [
        "   A B C D E F G H J",
        " 9 . . . . . . . . O",
        " 8 . . . . . . . . .",
        " 7 . . . . . . . . .",
        " 6 . . . . . . . . .",
        " 5 . . . . . . . . .",
        " 4 . . .(X). . . . .",
        " 3 . . . . . . . . .",
        " 2 . . . . . . . . .",
        " 1 X . . . . . . . .",
    ]


def test_marks_in_the_corners_and_of_a_pass():
    board = np.array([[1, 0], [0, -1]])
    assert to_text(board, 0).splitlines() == ["   A B", " 2(X).", " 1 . O"]
    assert to_text(board, 3).splitlines() == ["   A B", " 2 X .", " 1 .(O)"]
    assert to_text(board, 4) == to_text(board) == "   A B\n 2 X .\n 1 . O"


@given(boards, st.integers(0, 361))
@settings(max_examples=60)
def test_a_diagram_is_read_back(board, last_action):
    for diagram in (to_text(board), to_text(board, last_action)):
        read = from_text(diagram)
        assert read.dtype == np.int8
        np.testing.assert_array_equal(read, board)


def test_bare_diagrams_are_read():
    expected = [[0, 1, -1], [0, 0, 0], [1, 1, 0]]
    assert from_text(".XO\n...\nXX.").tolist() == expected
    assert (
        from_text("""

            . X O

            . . .
            X X .
        """).tolist()
        == expected
    )
    assert from_text("  a b c\n3 .XO 3\n2 ...2\n1 XX. 1\n  A B C\n").tolist() == expected


def test_a_state_goes_through_text_and_back():
    go = Go(5)
    state = go.from_stones(from_text("....." + "\n.XO..\n.....\n.....\n....X"))
    np.testing.assert_array_equal(from_text(to_text(go.stones(state))), go.stones(state))


@pytest.mark.parametrize(
    ("diagram", "message"),
    [
        (".X\n.#", r"row 2 from the top, column 2: '#' is none of X, O and \."),
        (".X\nx.", r"row 2 from the top, column 1: 'x' is none of X, O and \."),
        ("ABX\n...\n...", r"row 1 from the top, column 1: 'A' is none of X, O and \."),
        (".X.\n..\n...", "row 2 from the top has 2 points, but the board has 3 rows"),
        ("..\n..\n..", "row 1 from the top has 2 points, but the board has 3 rows"),
        ("", "a board has 2 to 19 rows, got 0"),
        (".", "a board has 2 to 19 rows, got 1"),
        ("\n".join(["." * 20] * 20), "a board has 2 to 19 rows, got 20"),
    ],
)
def test_a_diagram_that_cannot_be_read_gives_one_line(diagram, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        from_text(diagram)


@pytest.mark.parametrize("board", [np.zeros((2, 3)), np.zeros(4), np.full((2, 2), 2)])
def test_what_is_no_board_has_no_diagram(board):
    with pytest.raises(ValueError, match=r"^a board is square and holds -1, 0 and 1, got (float64|int64) \["):
        to_text(board)


def test_vertices_known_by_heart():
    assert text.vertex(0, 9) == "A9" and text.vertex(8, 9) == "J9" and text.vertex(72, 9) == "A1"
    assert text.vertex(40, 9) == "E5" and text.vertex(5 * 9 + 3, 9) == "D4" and text.vertex(81, 9) == "pass"
    assert text.vertex(3 * 19 + 15, 19) == "Q16" and text.vertex(360, 19) == "T1"
    assert text.action("q16", 19) == 3 * 19 + 15 and text.action(" Pass ", 19) == 361


@pytest.mark.parametrize("size", range(2, 20))
def test_vertices_are_read_back(size):
    for action in range(size**2 + 1):
        vertex = text.vertex(action, size)
        assert text.action(vertex, size) == text.action(vertex.lower(), size) == action


@pytest.mark.parametrize("vertex", ["I5", "K1", "A10", "A0", "A", "5", "", "D4 D5", "-1", "resign", "A01", "Ａ1"])
def test_a_vertex_that_is_none_gives_one_line(vertex):
    message = "^a vertex on a 9×9 board is a letter from A to J without I and a number from 1 to 9, or pass; got '"
    with pytest.raises(ValueError, match=message):
        text.action(vertex, 9)


@pytest.mark.parametrize("action", [-1, 82])
def test_an_action_that_is_none_has_no_vertex(action):
    with pytest.raises(ValueError, match=f"^an action on a 9×9 board is a number from 0 to 81, got {action}$"):
        text.vertex(action, 9)


def test_the_example_of_the_package_is_true():
    assert doctest.testmod(go_env).attempted > 0
    assert doctest.testmod(go_env).failed == 0
