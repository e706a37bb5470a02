"""A game as a web page to step through: one HTML text that needs no network; notebooks show it in place."""

import json
import re
from collections.abc import Sequence
from html import escape

import numpy as np

from go_env import svg

_NAME = "board"


class Page(str):
    """HTML text of a whole page, to be written to a file; notebooks show it in a frame of its own."""

    height_px: int

    def __new__(cls, text: str, height_px: int):
        page = super().__new__(cls, text)
        page.height_px = height_px
        return page

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self)}" sandbox="allow-scripts" title="Go game" '
            f'style="width:100%;height:{self.height_px}px;border:0;border-radius:8px"></iframe>'
        )


def game_html(
    boards: np.ndarray,
    last_moves: Sequence[int | None] | None = None,
    policies: np.ndarray | None = None,
    ownerships: np.ndarray | None = None,
    values: Sequence[float] | None = None,
    captions: Sequence[str] | None = None,
    title: str = "",
    size_px: int = 480,
) -> Page:
    """A page that shows one board at a time: buttons, arrow keys, a slider, and play by itself.

    Args:
      boards: `[time, size, size]`, +1 Black, -1 White, 0 empty.
      last_moves: the move that led to each board, `None` where none did; default what changed between the boards.
      policies: `[time, size² + 1]`, drawn on the board that each was computed for.
      ownerships: `[time, size, size]` from +1, Black's, to -1, White's.
      values: `[time]` from +1, Black will win, to -1, White will: a curve below the board; click to go there.
      captions: a line of text for each board, below the number of the move.
      title: above the board.
      size_px: width of the board on the screen; smaller where the window is.

    Raises:
      ValueError: arrays differ in length, or hold something else than said above.
    """
    boards = np.stack([svg.check_stones(board) for board in boards])
    if last_moves is None:
        last_moves = [None, *map(_move_between, boards[:-1], boards[1:])]
    arrays = {"last_moves": last_moves, "policies": policies, "ownerships": ownerships, "values": values}
    for name, array in {**arrays, "captions": captions}.items():
        if array is not None and len(array) != len(boards):
            raise ValueError(f"{len(boards)} boards need as many {name}, got {len(array)}")
    frames = [
        {
            "stones": "".join(".bw"[stone] for stone in board.reshape(-1)),
            "below": "" if policies is None else svg.draw_policy(policies[i], board),
            "above": _above(board, last_moves[i], None if ownerships is None else ownerships[i]),
            "move": _headline(i, boards, last_moves[i]),
            "caption": "" if captions is None else str(captions[i]),
        }
        for i, board in enumerate(boards)
    ]
    size, has_pass = boards.shape[1], policies is not None
    slots = {
        "TITLE": escape(title),
        "HEADING": f"<h1>{escape(title)}</h1>" if title else "",
        "BOARD": svg.frame(size, _layers(size), _NAME, size_px, has_pass),
        "CURVE": "" if values is None else _curve(values),
        "LAST": str(len(boards) - 1),
        "NAME": _NAME,
        "WIDTH": str(round(size_px * (1.2 if has_pass else 1))),
        "FRAMES": json.dumps(frames, separators=(",", ":")).replace("<", "\\u003c"),
    }
    height = size_px + 130 + (50 if title else 0) + (90 if values is not None else 0) + (25 if captions else 0)
    return Page(re.sub("@([A-Z]+)@", lambda slot: slots[slot[1]], _PAGE), height)


def _above(board: np.ndarray, last_move: int | None, ownership: np.ndarray | None) -> str:
    squares = "" if ownership is None else svg.draw_ownership(ownership, len(board))
    return squares + ("" if last_move is None else svg.draw_last_move(last_move, board))


def _move_between(before: np.ndarray, after: np.ndarray) -> int | None:
    """The point where a stone came, the pass where none did, None where several did."""
    came = np.flatnonzero((after != 0) & (after != before))
    if len(came) > 1:
        return None
    return int(came[0]) if len(came) else before.size


def _headline(time: int, boards: np.ndarray, move: int | None) -> str:
    if move is None:
        return f"Move {time}" if time else "Start"
    board, size = boards[time], boards.shape[1]
    player = {1: "Black ", -1: "White "}.get(int(board.flat[move]) if move < size**2 else 0, "")
    num_taken = int(((boards[time - 1] != 0) & (board == 0)).sum()) if time else 0
    return f"Move {time}: {player}{svg.point_name(move, size)}" + (f", takes {num_taken}" if num_taken else "")


def _layers(size: int) -> str:
    """Groups that the script fills: all points as stones to be switched on, and what is above and below them."""
    places = (svg.position(point, size) for point in range(size**2))
    stones = "".join(f'<use x="{x:g}" y="{y:g}" visibility="hidden"/>' for x, y in places)
    return f'<g id="below"></g><g id="stones">{stones}</g><g id="above"></g>'


def _curve(values: Sequence[float]) -> str:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not (np.abs(numbers) <= 1).all():
        raise ValueError("values must be a list of numbers from -1 to 1")
    steps = max(len(numbers) - 1, 1)
    points = " ".join(f"{1000 * i / steps:.1f},{50 - 46 * value:.1f}" for i, value in enumerate(numbers))
    return (
        '<svg id="curve" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 100" preserveAspectRatio="none">'
        f'<polygon points="0,100 {points} 1000,100" class="area"/><path d="M0 50H1000" class="middle"/>'
        f'<polyline points="{points}" class="line"/><path id="cursor" d="M0 0V100"/></svg>'
        '<p class="legend">Who will win: the dark part is for Black, the light one for White</p>'
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>@TITLE@</title>
<style>
:root { color-scheme: light dark; --ink: #33291a; --faint: #8a7a62; --ground: #faf7f1; --button: #fff; --line: #d9ccb4;
  --accent: #b3541e; --black: #3d362c; }
@media (prefers-color-scheme: dark) { :root { --ink: #ece4d6; --faint: #a4977f; --ground: #1d1a16; --button: #2b2620;
  --line: #4a4136; --accent: #e08a4b; --black: #0c0a08; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 12px; background: var(--ground); color: var(--ink);
  font: 16px/1.45 "Helvetica Neue", Helvetica, Arial, sans-serif; }
main { max-width: @WIDTH@px; margin: 0 auto; }
h1 { font-size: 1.15rem; font-weight: 600; margin: 2px 0 10px; }
main > svg { display: block; width: 100%; height: auto; }
.controls { display: flex; align-items: center; gap: 6px; margin: 12px 0 8px; }
button { display: flex; width: 38px; height: 34px; padding: 0; align-items: center; justify-content: center;
  border: 1px solid var(--line); border-radius: 8px; background: var(--button); color: var(--ink); cursor: pointer; }
button:hover { border-color: var(--accent); color: var(--accent); }
#play { background: var(--accent); border-color: var(--accent); color: #fff; }
button svg { width: 16px; height: 16px; fill: currentColor; }
input { flex: 1; min-width: 60px; margin: 0 4px 0 8px; accent-color: var(--accent); }
output { min-width: 4.6em; text-align: right; color: var(--faint); font-variant-numeric: tabular-nums; }
#move { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
#caption { margin: 0; color: var(--faint); min-height: 1.45em; }
main > svg#curve { height: 64px; border-radius: 6px; background: #e9e3d8; cursor: pointer; margin-top: 8px; }
#curve .area { fill: var(--black); }
#curve .middle { stroke: #a89a83; stroke-width: 1; vector-effect: non-scaling-stroke; stroke-dasharray: 4 4; }
#curve .line { fill: none; stroke: #8a7a62; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
#cursor { stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; }
.legend { margin: 2px 0 0; font-size: 0.75rem; color: var(--faint); }
</style>
</head>
<body>
<main>
@HEADING@
@BOARD@
<div class="controls">
<button id="first" title="First (Home)"><svg viewBox="0 0 16 16">
<path d="M2 2h2.4v12H2zM14 2v12L5.4 8z"/></svg></button>
<button id="back" title="Back (left arrow)"><svg viewBox="0 0 16 16">
<path d="M10 2 4 8l6 6 1.7-1.7L7.4 8l4.3-4.3z"/></svg></button>
<button id="play" title="Play (space)"><svg viewBox="0 0 16 16">
<path d=""/></svg></button>
<button id="next" title="Next (right arrow)"><svg viewBox="0 0 16 16">
<path d="M6 2l6 6-6 6-1.7-1.7L8.6 8 4.3 3.7z"/></svg></button>
<button id="last" title="Last (End)"><svg viewBox="0 0 16 16">
<path d="M11.6 2H14v12h-2.4zM2 2v12l8.6-6z"/></svg></button>
<input id="slider" type="range" min="0" max="@LAST@" value="0" aria-label="Move"><output id="count"></output>
</div>
<p id="move"></p><p id="caption"></p>
@CURVE@
</main>
<script id="frames" type="application/json">@FRAMES@</script>
<script>
const frames = JSON.parse(document.getElementById("frames").textContent);
const find = (id) => document.getElementById(id);
const stones = find("stones").children, last = frames.length - 1;
const images = { b: "#@NAME@-black", w: "#@NAME@-white" };
let now = 0, timer = null;

function show(index) {
  now = Math.min(Math.max(index, 0), last);
  const frame = frames[now];
  for (let i = 0; i < stones.length; i++) {
    const image = images[frame.stones[i]];
    if (image) stones[i].setAttribute("href", image);
    stones[i].setAttribute("visibility", image ? "visible" : "hidden");
  }
  for (const id of ["below", "above"]) find(id).innerHTML = frame[id];
  for (const id of ["move", "caption"]) find(id).textContent = frame[id];
  find("count").textContent = `${now} / ${last}`;
  find("slider").value = now;
  if (find("cursor")) {
    const x = 1000 * now / Math.max(last, 1);
    find("cursor").setAttribute("d", `M${x} 0V100`);
  }
}

function play(isOn) {
  clearInterval(timer);
  timer = isOn ? setInterval(() => { if (now < last) show(now + 1); else play(false); }, 700) : null;
  find("play").querySelector("path").setAttribute("d", isOn ? "M3 2h3.6v12H3zM9.4 2H13v12H9.4z" : "M4 1.5v13l10-6.5z");
}

function toggle() {
  if (timer === null && now === last) show(0);
  play(timer === null);
}

function go(index) { play(false); show(index); }

const actions = {
  first: () => go(0), back: () => go(now - 1), play: toggle, next: () => go(now + 1), last: () => go(last),
};
for (const id in actions) find(id).addEventListener("click", actions[id]);
find("slider").addEventListener("input", (event) => go(Number(event.target.value)));
if (find("curve")) find("curve").addEventListener("click", (event) => {
  const box = find("curve").getBoundingClientRect();
  go(Math.round(last * (event.clientX - box.left) / box.width));
});
const keys = {
  ArrowLeft: actions.back, ArrowRight: actions.next, Home: actions.first, End: actions.last, " ": toggle,
  ArrowUp: () => go(now - 10), ArrowDown: () => go(now + 10),
};
document.addEventListener("keydown", (event) => {
  if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  keys[event.key]();
});
play(false);
show(0);
</script>
</body>
</html>
"""
