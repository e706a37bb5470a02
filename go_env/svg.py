"""Pictures of Go positions: SVG text built from NumPy arrays, shown by notebooks and browsers as it is."""

import zlib
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

import numpy as np

COLUMNS = "ABCDEFGHJKLMNOPQRST"
"""Letters of the columns, left to right, as in GTP: there is no I. Rows count from the bottom, starting with 1."""

CELL = 40
"""Distance between two lines in a picture's own units; `size_px` scales it."""
MARGIN = 1.15 * CELL
GAP = 0.3 * CELL

_WOOD = (("0", "#f3dcae"), ("1", "#e5c186"))
_INK = "#5b4426"
_PALE, _DEEP = (222, 231, 235), (13, 74, 170)
_FONT = 'font-family="Helvetica Neue, Helvetica, Arial, sans-serif" text-anchor="middle"'


class Picture(str):
    """SVG text that notebooks show as a picture; otherwise a `str`, to be written to a file."""

    def _repr_svg_(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return str(self)


def board_svg(
    stones: np.ndarray,
    last_move: int | None = None,
    policy: np.ndarray | None = None,
    ownership: np.ndarray | None = None,
    marks: Mapping[int, str] | None = None,
    size_px: int = 400,
) -> Picture:
    """A picture of one position. Points count as in `Go`: row · size + column from the top left, then the pass.

    Args:
      stones: `[size, size]`, +1 Black, -1 White, 0 empty.
      last_move: point that gets a ring; a pass gets none.
      policy: `[size² + 1]` probabilities, drawn as a heat map with percentages on empty points; that of the pass
        stands beside the board.
      ownership: `[size, size]` from +1, Black's for sure, to -1, White's: small squares.
      marks: short texts on points.
      size_px: width of the board on the screen; a pass beside it adds to that.

    Raises:
      ValueError: an array has another shape or values than said above.
    """
    stones = check_stones(stones)
    size = len(stones)
    name = f"go{zlib.crc32(repr((stones.tolist(), last_move, marks, size_px, policy, ownership)).encode()):08x}"
    layers = [
        "" if policy is None else draw_policy(policy, stones),
        draw_stones(stones, name),
        "" if ownership is None else draw_ownership(ownership, size),
        "" if last_move is None else draw_last_move(last_move, stones),
        draw_marks(marks or {}, stones),
    ]
    return Picture(frame(size, "".join(layers), name, size_px, has_pass=policy is not None))


def check_stones(stones: np.ndarray) -> np.ndarray:
    """`stones` as int8 `[size, size]`."""
    stones = np.asarray(stones)
    if stones.ndim != 2 or stones.shape[0] != stones.shape[1] or not 2 <= len(stones) <= 19:
        raise ValueError(f"stones must be [size, size] with size 2 to 19, got {list(stones.shape)}")
    if not np.isin(stones, (-1, 0, 1)).all():
        raise ValueError("stones must be +1, -1 or 0")
    return stones.astype(np.int8)


def frame(size: int, content: str, name: str, size_px: int, has_pass: bool) -> str:
    """A whole picture: the empty board with `content` on it.

    Args:
      size: edge of the board.
      content: SVG elements, in units of `CELL`; the top left point of the board is at `position(0, size)`.
      name: begins the names of all that this picture defines; another picture on the same page needs another.
      size_px: width of the board on the screen.
      has_pass: whether there is a field for the pass beside the board.
    """
    edge = (size - 1) * CELL + 2 * MARGIN
    width = edge + (GAP + 1.6 * CELL if has_pass else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(edge)}" '
        f'width="{_n(size_px * width / edge)}" height="{_n(size_px)}" role="img" aria-label="Go board">'
        f"{_definitions(name)}{_wood(0, edge, edge, name)}{_grid(size)}{_coordinates(size)}"
        f"{_pass_field(edge, name) if has_pass else ''}{content}</svg>"
    )


def position(point: int, size: int) -> tuple[float, float]:
    """Where in the picture a point is, x and y; the pass is beside the board."""
    if point == size**2:
        return (size - 1) * CELL + 2 * MARGIN + GAP + 0.8 * CELL, (size - 1) * CELL / 2 + MARGIN + 0.2 * CELL
    row, column = divmod(point, size)
    return MARGIN + column * CELL, MARGIN + row * CELL


def point_name(point: int, size: int) -> str:
    """The point in GTP style, such as `D4`, or `pass`."""
    if point == size**2:
        return "pass"
    row, column = divmod(point, size)
    return f"{COLUMNS[column]}{size - row}"


def draw_stones(stones: np.ndarray, name: str) -> str:
    """`stones` `[size, size]` with what `frame` has defined under `name`."""
    uses = []
    for point in np.flatnonzero(stones):
        x, y = position(int(point), len(stones))
        uses.append(f'<use href="#{name}-{"black" if stones.flat[point] > 0 else "white"}" x="{_n(x)}" y="{_n(y)}"/>')
    return "".join(uses)


def draw_last_move(point: int, stones: np.ndarray) -> str:
    size = len(stones)
    if not 0 <= point <= size**2:
        raise ValueError(f"last_move must be a point of the board or the pass, got {point}")
    if point == size**2:
        return ""
    x, y = position(point, size)
    colour = {1: "#fff", -1: "#111"}.get(int(stones.flat[point]), "#d0342c")
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(0.25 * CELL)}" fill="none" stroke="{colour}" stroke-width="2.6"/>'


def draw_policy(policy: np.ndarray, stones: np.ndarray) -> str:
    """Heat map of `policy` `[size² + 1]`, the deepest colour for its largest entry; with percentages."""
    size = len(stones)
    policy = np.asarray(policy, np.float64)
    if policy.shape != (size**2 + 1,) or not (np.isfinite(policy) & (policy >= 0)).all():
        raise ValueError(f"policy must be {size**2 + 1} numbers from 0 upwards, got {list(policy.shape)}")
    largest = policy.max() or 1.0
    is_shown = np.append(stones.reshape(-1) == 0, True) & (policy >= min(0.005, largest / 2))
    return "".join(_heat(int(p), float(policy[p]), float(policy[p] / largest), size) for p in np.flatnonzero(is_shown))


def draw_ownership(ownership: np.ndarray, size: int) -> str:
    """Squares whose area is how sure a point is: `ownership` `[size, size]` from +1 Black's to -1 White's."""
    ownership = np.asarray(ownership, np.float64)
    if ownership.shape != (size, size) or not (np.abs(ownership) <= 1).all():
        raise ValueError(f"ownership must be [{size}, {size}] from -1 to 1, got {list(ownership.shape)}")
    squares = []
    for point, owner in enumerate(ownership.reshape(-1)):
        edge = 0.4 * CELL * abs(owner) ** 0.5
        if edge < 2:
            continue
        x, y = position(point, size)
        fill, stroke = ("#111", "#fff") if owner > 0 else ("#fff", "#111")
        squares.append(
            f'<rect x="{_n(x - edge / 2)}" y="{_n(y - edge / 2)}" width="{_n(edge)}" height="{_n(edge)}" rx="1.5" '
            f'fill="{fill}" stroke="{stroke}" stroke-opacity="0.55"/>'
        )
    return "".join(squares)


def draw_marks(marks: Mapping[int, str], stones: np.ndarray) -> str:
    size, texts = len(stones), []
    for point, text in marks.items():
        if not 0 <= point < size**2:
            raise ValueError(f"marks must be on points 0 to {size**2 - 1}, got {point}")
        x, y = position(point, size)
        stone = int(stones.flat[point])
        ground = "" if stone else f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(0.36 * CELL)}" fill="#ecce98"/>'
        colour = {1: "#fff", -1: "#111"}.get(stone, "#a3241c")
        texts.append(ground + _label(x, y, str(text), colour, (19, 19, 17, 14)[min(len(str(text)), 3)], "bold"))
    return "".join(texts)


def _heat(point: int, probability: float, strength: float, size: int) -> str:
    x, y = position(point, size)
    edge, percent = 0.86 * CELL, 100 * probability
    red, green, blue = (round(a + (b - a) * strength**0.6) for a, b in zip(_PALE, _DEEP, strict=True))
    label = _label(x, y, f"{percent:.0f}", "#fff" if strength > 0.5 else "#0c2f66", 16, "bold")
    return (
        f'<g><title>{point_name(point, size)} {percent:.1f} %</title><rect x="{_n(x - edge / 2)}" '
        f'y="{_n(y - edge / 2)}" width="{_n(edge)}" height="{_n(edge)}" rx="6" '
        f'fill="rgb({red},{green},{blue})" fill-opacity="0.94"/>{label if percent >= 0.5 else ""}</g>'
    )


def _label(x: float, y: float, text: str, colour: str, height: int, weight: str = "normal") -> str:
    """Text around a point; digits and capitals are some 0.72 of the font's height."""
    return (
        f'<text x="{_n(x)}" y="{_n(y + 0.36 * height)}" font-size="{height}" font-weight="{weight}" '
        f"fill={quoteattr(colour)} {_FONT}>{escape(text)}</text>"
    )


def _definitions(name: str) -> str:
    radius = 0.475 * CELL
    shadow = f'<circle cx="1.2" cy="2.2" r="{_n(radius)}" fill="#3a2a10" fill-opacity="0.28"/>'
    black = f'<circle r="{_n(radius)}" fill="url(#{name}-b)"/>'
    white = f'<circle r="{_n(radius - 0.4)}" fill="url(#{name}-w)" stroke="#8f8b84" stroke-width="0.8"/>'
    return (
        "<defs>"
        f'<linearGradient id="{name}-wood" x2="1" y2="1">{_stops(*_WOOD)}</linearGradient>'
        f'<radialGradient id="{name}-b" cx="0.36" cy="0.3" r="0.75">'
        f"{_stops(('0', '#70706e'), ('0.35', '#3a3a3a'), ('1', '#0d0d0d'))}</radialGradient>"
        f'<radialGradient id="{name}-w" cx="0.36" cy="0.3" r="0.85">'
        f"{_stops(('0', '#ffffff'), ('0.55', '#f6f5f2'), ('1', '#cfccc5'))}</radialGradient>"
        f'<g id="{name}-black">{shadow}{black}</g><g id="{name}-white">{shadow}{white}</g>'
        "</defs>"
    )


def _stops(*stops: tuple[str, str]) -> str:
    return "".join(f'<stop offset="{offset}" stop-color="{colour}"/>' for offset, colour in stops)


def _wood(x: float, width: float, height: float, name: str, y: float = 0) -> str:
    return (
        f'<rect x="{_n(x + 0.5)}" y="{_n(y + 0.5)}" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="7" '
        f'fill="url(#{name}-wood)" stroke="#c39a5b"/>'
    )


def _grid(size: int) -> str:
    first, last = MARGIN, MARGIN + (size - 1) * CELL
    inner = "".join(
        f"M{_n(first)} {_n(at)}H{_n(last)}M{_n(at)} {_n(first)}V{_n(last)}"
        for at in (MARGIN + i * CELL for i in range(1, size - 1))
    )
    edge = f"M{_n(first)} {_n(first)}H{_n(last)}V{_n(last)}H{_n(first)}Z"
    stars = "".join(
        '<circle cx="{}" cy="{}" r="4"/>'.format(*map(_n, position(row * size + column, size)))
        for row, column in _star_points(size)
    )
    return (
        f'<path d="{inner}" stroke="{_INK}" stroke-width="1.1" fill="none"/>'
        f'<path d="{edge}" stroke="{_INK}" stroke-width="2" fill="none" stroke-linejoin="round"/>'
        f'<g fill="{_INK}">{stars}</g>'
    )


def _star_points(size: int) -> list[tuple[int, int]]:
    lines = {9: (2, 4, 6), 13: (3, 6, 9), 19: (3, 9, 15)}.get(size, ())
    return [(i, j) for i in lines for j in lines if size == 19 or (i == size // 2) == (j == size // 2)]


def _coordinates(size: int) -> str:
    near, far = 0.44 * CELL, (size - 1) * CELL + 2 * MARGIN - 0.44 * CELL
    labels = []
    for i in range(size):
        at = MARGIN + i * CELL
        labels += [_label(at, side, COLUMNS[i], _INK, 15) for side in (near, far)]
        labels += [_label(side, at, str(size - i), _INK, 15) for side in (near, far)]
    return f'<g fill-opacity="0.8">{"".join(labels)}</g>'


def _pass_field(edge: float, name: str) -> str:
    x, top = edge + GAP, edge / 2 - CELL
    return _wood(x, 1.6 * CELL, 2 * CELL, name, top) + _label(x + 0.8 * CELL, top + 0.4 * CELL, "pass", _INK, 15)


def _n(number: float) -> str:
    """Short decimal: a hundredth of a unit is nothing to see."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
