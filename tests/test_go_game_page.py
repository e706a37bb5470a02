"""The page of a game is well-formed, needs no network, and holds every board it was given."""

import html
import html.parser
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from go_env import game_page, svg


def capture_game() -> np.ndarray:
    """`[time, 3, 3]`: Black, White, Black takes, pass."""
    boards = np.zeros((5, 3, 3), int)
    boards[1:, 0, 1] = 1
    boards[2, 0, 0] = -1
    boards[3:, 1, 0] = 1
    return boards


def frames_in(page: str) -> list[dict]:
    return json.loads(re.search(r'<script id="frames" type="application/json">(.*?)</script>', page, re.S)[1])


class Tags(html.parser.HTMLParser):
    """Checks that elements are closed in order, and collects attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.attributes = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def everything(boards: np.ndarray) -> dict:
    time, size, _ = boards.shape
    return {
        "policies": np.full((time, size**2 + 1), 1 / (size**2 + 1)),
        "ownerships": np.full((time, size, size), 0.5),
        "values": np.linspace(-1, 1, time),
        "captions": [f"</script><b>{i}</b> @FRAMES@" for i in range(time)],
        "title": "<i>A & B</i> @BOARD@",
    }


def test_the_page_holds_every_board():
    boards = np.random.default_rng(0).integers(-1, 2, (7, 9, 9))
    colours = {".": 0, "b": 1, "w": -1}
    for page in (game_page.game_html(boards), game_page.game_html(boards, **everything(boards))):
        frames = frames_in(page)
        assert [[colours[c] for c in frame["stones"]] for frame in frames] == boards.reshape(7, 81).tolist()


def test_headlines_tell_the_moves_and_captures():
    frames = frames_in(game_page.game_html(capture_game()))
    assert [frame["move"] for frame in frames] == [
        "Start",
        "Move 1: Black B3",
        "Move 2: White A3",
        "Move 3: Black A2, takes 1",
        "Move 4: pass",
    ]
    assert ["circle" in frame["above"] for frame in frames] == [False, True, True, True, False]


def test_moves_may_be_told():
    frames = frames_in(game_page.game_html(capture_game(), last_moves=[None, 1, 0, 3, 9]))
    assert frames == frames_in(game_page.game_html(capture_game()))
    setup = np.stack([np.zeros((3, 3)), np.eye(3)])
    assert [frame["move"] for frame in frames_in(game_page.game_html(setup))] == ["Start", "Move 1"]


def test_the_page_is_well_formed_and_what_it_says_is_text():
    boards = capture_game()
    page = game_page.game_html(boards, **everything(boards))
    tags = Tags(page)
    assert "<i>" not in page and "&lt;i&gt;A &amp; B&lt;/i&gt; @BOARD@" in page
    assert [frame["caption"] for frame in frames_in(page)] == everything(boards)["captions"]
    assert not [slot for slot in re.findall("@[A-Z]+@", page) if slot not in ("@BOARD@", "@FRAMES@")]
    ids = [value for name, value in tags.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'find\("(\w+)"\)', page)) <= set(ids)
    for part in re.findall(r"<svg xmlns.*?</svg>", page, re.S):
        ET.fromstring(part)
    for frame in frames_in(page):
        ET.fromstring(f"<g>{frame['below']}{frame['above']}</g>")


def test_the_page_needs_no_network():
    boards = capture_game()
    page = game_page.game_html(boards, **everything(boards))
    assert set(re.findall(r"\w+://[^\s\"'<]*", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(src|import|fetch|url\((?!#))\b", page)
    assert all(value.startswith("#") for name, value in Tags(page).attributes if name == "href")


def test_notebooks_show_the_page_in_a_frame():
    page = game_page.game_html(capture_game())
    shown = page._repr_html_()
    assert dict(Tags(shown).attributes)["srcdoc"] == str(page)
    assert f"height:{page.height_px}px" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        {"boards": np.zeros((0, 9, 9))},
        {"boards": np.full((1, 9, 9), 3)},
        {"last_moves": [None]},
        {"policies": np.zeros((5, 9))},
        {"policies": np.zeros((4, 10))},
        {"ownerships": np.full((5, 3, 3), 2.0)},
        {"values": [0, 0, 0, 0, 1.5]},
        {"captions": ["one"]},
    ],
)
def test_other_lengths_and_values_are_refused(arguments):
    with pytest.raises(ValueError):
        game_page.game_html(**{"boards": capture_game(), **arguments})


def test_the_picture_and_the_page_agree_on_places():
    page = game_page.game_html(np.zeros((1, 9, 9)))
    places = [(float(x), float(y)) for x, y in re.findall(r'<use x="([\d.]+)" y="([\d.]+)"', page)]
    np.testing.assert_allclose(places, [svg.position(point, 9) for point in range(81)])
