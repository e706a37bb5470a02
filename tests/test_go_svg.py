"""Pictures of positions are valid XML that shows what it was given, and nothing else."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from go_env import svg

SVG = "{http://www.w3.org/2000/svg}"


def empty(size: int) -> np.ndarray:
    return np.zeros((size, size), np.int8)


def random_board(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(-1, 2, (size, size))


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def stones_in(picture: str, size: int) -> np.ndarray:
    """The board read back from the picture."""
    board = empty(size)
    for use in ET.fromstring(picture).iter(f"{SVG}use"):
        x, y = (round((float(use.attrib[axis]) - svg.MARGIN) / svg.CELL, 6) for axis in "xy")
        board[int(y), int(x)] = 1 if use.attrib["href"].endswith("-black") else -1
    return board


@pytest.mark.parametrize("size", [2, 3, 9, 13, 19])
def test_the_picture_has_every_stone_in_its_place(size):
    board = random_board(size)
    picture = svg.board_svg(board)
    np.testing.assert_array_equal(stones_in(picture, size), board)
    for use in ET.fromstring(picture).iter(f"{SVG}use"):
        assert f'id="{use.attrib["href"][1:]}"' in picture


def test_coordinates_are_those_of_gtp():
    labels = texts(svg.board_svg(empty(19)))
    assert sorted(labels) == sorted(2 * [*"ABCDEFGHJKLMNOPQRST", *map(str, range(1, 20))])
    drawn = list(ET.fromstring(svg.board_svg(empty(19))).iter(f"{SVG}text"))
    (first_row, _), (letter_a, _) = ([e for e in drawn if e.text == text] for text in ("1", "A"))
    assert float(first_row.attrib["y"]) == pytest.approx(svg.position(18 * 19, 19)[1], abs=0.2 * svg.CELL)
    assert float(letter_a.attrib["x"]) == svg.position(0, 19)[0]
    assert svg.point_name(0, 19) == "A19" and svg.point_name(8, 9) == "J9"
    assert svg.point_name(72, 9) == "A1" and svg.point_name(81, 9) == "pass"


@pytest.mark.parametrize(
    ("size", "stars"),
    [
        (8, set()),
        (9, {(2, 2), (2, 6), (4, 4), (6, 2), (6, 6)}),
        (13, {(3, 3), (3, 9), (6, 6), (9, 3), (9, 9)}),
        (19, {(i, j) for i in (3, 9, 15) for j in (3, 9, 15)}),
    ],
)
def test_star_points(size, stars):
    circles = [c for c in ET.fromstring(svg.board_svg(empty(size))).iter(f"{SVG}circle") if c.attrib["r"] == "4"]
    places = {tuple(int((float(c.attrib[axis]) - svg.MARGIN) / svg.CELL) for axis in ("cy", "cx")) for c in circles}
    assert places == stars


def test_the_ring_of_the_last_move_stands_out_from_its_stone():
    board = empty(9)
    board[4, 4], board[2, 6] = 1, -1
    for point, colour in ((40, "#fff"), (24, "#111")):
        rings = [c for c in ET.fromstring(svg.board_svg(board, last_move=point)).iter() if c.get("fill") == "none"]
        (ring,) = [c for c in rings if c.tag == f"{SVG}circle"]
        assert (float(ring.attrib["cx"]), float(ring.attrib["cy"])) == pytest.approx(svg.position(point, 9))
        assert ring.attrib["stroke"] == colour
    assert svg.board_svg(board, last_move=81).count("<circle") == svg.board_svg(board).count("<circle")


def test_the_policy_is_drawn_on_empty_points_and_beside_the_board():
    board, policy = empty(9), np.zeros(82)
    board[0, 0] = 1
    policy[[0, 1, 40, 81]] = 0.2, 0.004, 0.546, 0.25
    root = ET.fromstring(svg.board_svg(board, policy=policy))
    assert [title.text for title in root.iter(f"{SVG}title")] == ["E5 54.6 %", "pass 25.0 %"]
    labels = texts(svg.board_svg(board, policy=policy))
    assert labels.count("pass") == 1 and labels[-2:] == ["55", "25"]
    width = float(root.attrib["viewBox"].split()[2])
    assert svg.position(81, 9)[0] < width and svg.position(81, 9)[0] > 9 * svg.CELL + svg.MARGIN
    assert width > float(ET.fromstring(svg.board_svg(board)).attrib["viewBox"].split()[2])


def test_a_uniform_policy_is_shown_on_the_largest_board():
    picture = svg.board_svg(empty(19), policy=np.full(362, 1 / 362))
    assert len(list(ET.fromstring(picture).iter(f"{SVG}title"))) == 362


def test_ownership_is_drawn_in_the_colour_of_the_owner():
    ownership = np.zeros((9, 9))
    ownership[0, 0], ownership[8, 8], ownership[4, 4] = 1, -0.25, 1e-3
    squares = [r for r in ET.fromstring(svg.board_svg(empty(9), ownership=ownership)).iter(f"{SVG}rect")][1:]
    assert [s.attrib["fill"] for s in squares] == ["#111", "#fff"]
    assert float(squares[0].attrib["width"]) == pytest.approx(2 * float(squares[1].attrib["width"]))


def test_marks_are_text_whatever_they_say():
    marks = {0: "1", 40: "<script>alert('&')</script>", 80: '"'}
    assert texts(svg.board_svg(random_board(9), marks=marks))[-3:] == list(marks.values())


def test_pictures_on_one_page_do_not_share_names():
    pictures = [svg.board_svg(random_board(9)), svg.board_svg(-random_board(9)), svg.board_svg(empty(9))]
    ids = [e.attrib["id"] for picture in pictures for e in ET.fromstring(picture).iter() if "id" in e.attrib]
    assert len(set(ids)) == len(ids) > 0
    assert svg.board_svg(empty(9)) == pictures[2]


def test_notebooks_show_the_picture_and_programs_see_text():
    picture = svg.board_svg(empty(9), size_px=333)
    assert picture._repr_svg_() == picture._repr_html_() == str(picture)
    assert ET.fromstring(picture).attrib["width"] == "333"


@pytest.mark.parametrize(
    "arguments",
    [
        {"stones": np.zeros((9, 8))},
        {"stones": np.zeros(81)},
        {"stones": np.zeros((1, 1))},
        {"stones": np.zeros((20, 20))},
        {"stones": np.full((9, 9), 2)},
        {"stones": np.full((9, 9), np.nan)},
        {"policy": np.zeros(81)},
        {"policy": np.full(82, -0.1)},
        {"policy": np.full(82, np.nan)},
        {"ownership": np.full((9, 9), 1.5)},
        {"ownership": np.zeros(81)},
        {"last_move": 82},
        {"last_move": -1},
        {"marks": {81: "x"}},
    ],
)
def test_other_shapes_and_values_are_refused(arguments):
    with pytest.raises(ValueError):
        svg.board_svg(**{"stones": empty(9), **arguments})
