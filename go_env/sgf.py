"""Go games as SGF text, read and written: `read` gives `Game` records, `write` gives FF[4] text.

A game is its main line, that is the first variation at every branching. Replaying one takes three lines:

    game = sgf.read(text)[0]
    state = Go(game.size).from_stones(sgf.stones(game), game.to_play, game.komi)
    state, _ = jax.lax.scan(lambda s, a: (go.step(s, a), None), state, sgf.actions(game))

What is read, beyond the letter of FF[4]:

- FF[1] to FF[4]; lower-case letters in property names are skipped (`AddBlack` is `AB`).
- A pass is `[]` or `[tt]`. Points may be given as rectangles (`AB[aa:cc]`).
- Text outside the games is skipped, unless it holds a node (`;B[`), which would be a game cut in two.
- `SZ` is 19 where missing, `9:9` is 9. `KM` and `RE` may have a decimal comma; empty, they count as missing.
- A property given twice has the values of both; one that takes a single value must then say the same twice.
- Setup stones (`AB`, `AW`, `AE`) may stand in several nodes, all before the first move.
- Comments, markup, unknown properties, and all values in side variations are skipped unread.

What is refused, with file, line, column and reason in one line (`SgfError`): broken brackets, other games than Go,
rectangular boards and sizes outside 2 … 19, points off the board, two moves or a move and setup stones in one node,
setup stones after a move, a setup that leaves a chain without liberties, texts and nesting beyond the limits below.
Whether moves are legal is for `Go` to say; moves of one colour in a row are kept as they are, see `with_passes`.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from go_env.sgf_syntax import Node, PositionError, SgfError, Value, decode, escape, main_lines, quote, simple_text

MAX_BYTES = 16 * 2**20
"""Longest text that `read` and `read_file` take unless told otherwise: some 40,000 games of 9×9."""
MAX_GAMES = 100_000
"""Most games in a text. In memory the smallest take sixty times their room in it."""
_PLAYERS = ("PB", "PW", "BR", "WR", "BT", "WT")
INFO = frozenset([*_PLAYERS, "DT", "PC", "EV", "RO", "GN", "ON", "TM", "OT", "AN", "AP", "CP", "GC", "SO", "US"])
"""Root properties kept in `Game.info`: who played, where and when."""


class Move(NamedTuple):
    """`colour` +1 Black or -1 White; `action` as in `Go`: row · size + column from the top left, size² a pass."""

    colour: int
    action: int


class Result(NamedTuple):
    """What an `RE` property says; `str()` is the text for one.

    Attributes:
      winner: +1 Black, -1 White, 0 a draw, None not known or no result.
      margin: points between the players, komi included; None where not counted.
      how: what decided the game. `void` has no result; `unknown` covers every text this module does not know.
    """

    winner: int | None
    margin: float | None
    how: Literal["score", "resign", "time", "forfeit", "void", "unknown"]

    def __str__(self) -> str:
        if self.winner is None:
            return "Void" if self.how == "void" else "?"
        if self.winner == 0:
            return "Draw"
        reason = {"resign": "Resign", "time": "Time", "forfeit": "Forfeit"}.get(self.how, "")
        return f"{'B' if self.winner == 1 else 'W'}+{reason if self.margin is None else _decimal(self.margin)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Game:
    """A game of Go as a record tells it.

    Attributes:
      size: edge of the board, 2 to 19.
      moves: the main line.
      komi: points for White; None where the record does not say.
      rules: text of `RU`, such as `Chinese`; empty where missing. So `result`, text of `RE`; see `outcome`.
      handicap: number in `HA`, 0 where missing. It puts no stone on the board: those are in `black_stones`.
      black_stones, white_stones: points set up before the first move, ascending.
      to_play: +1 or -1, who moves first: the colour of the first move; without one, what `PL` says; without that,
        White after Black's stones alone, else Black. Left out, it follows from the other fields in the same way.
      info: other root properties, such as `{"PB": "Shusaku", "DT": "1846-09-11"}`; names from `INFO`.

    Raises:
      ValueError: a field is out of range or contradicts another.
    """

    size: int
    moves: tuple[Move, ...] = ()
    komi: float | None = None
    rules: str = ""
    result: str = ""
    handicap: int = 0
    black_stones: tuple[int, ...] = ()
    white_stones: tuple[int, ...] = ()
    to_play: int = 0
    info: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self):
        if not 2 <= self.size <= 19:
            raise ValueError(f"size {self.size} is outside 2 to 19")
        if self.komi is not None and not abs(self.komi) <= 10_000:
            raise ValueError(f"komi {self.komi} is outside -10000 to 10000")
        if not 0 <= self.handicap <= self.size**2:
            raise ValueError(f"handicap {self.handicap} is outside 0 to {self.size**2}")
        moves = tuple(Move(int(colour), int(action)) for colour, action in self.moves)
        is_handicap = bool(len(self.black_stones)) and not len(self.white_stones)
        plain = {
            "komi": None if self.komi is None else float(self.komi),
            "moves": moves,
            "black_stones": tuple(sorted(map(int, self.black_stones))),
            "white_stones": tuple(sorted(map(int, self.white_stones))),
            "to_play": self.to_play or (moves[0].colour if moves else -1 if is_handicap else 1),
            "info": dict(self.info),
        }
        for field, value in plain.items():  # numbers may come as NumPy's or JAX's
            object.__setattr__(self, field, value)
        _check_moves(self)
        _check_setup(self)
        if unknown := sorted(self.info.keys() - INFO):
            raise ValueError(f"info takes the properties {' '.join(sorted(INFO))}, got {' '.join(unknown)}")


def read(text: str | bytes, name: str = "<string>", max_bytes: int = MAX_BYTES) -> list[Game]:
    """The games in `text`, at least one.

    Args:
      text: SGF. Bytes are decoded as their first `CA` property says if it names a common charset; otherwise as
        UTF-8, or Latin-1 where that fails. Letters that do not fit their charset become U+FFFD.
      name: stands for the text in error messages.
      max_bytes: longest text accepted, in bytes (characters of a `str`).

    Raises:
      SgfError: the text is no SGF, or no game of Go.
    """
    if len(text) > max_bytes:
        raise SgfError(name, 1, 1, f"longer than {max_bytes} bytes")
    if not isinstance(text, str):
        text = decode(bytes(text))
    try:
        games = []
        for nodes in main_lines(text):
            if len(games) == MAX_GAMES:
                raise PositionError(nodes[0].at, f"more than {MAX_GAMES} games")
            games.append(_game(nodes))
        return games
    except PositionError as error:
        raise error.in_text(text, name) from None


def read_file(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> list[Game]:
    """The games in a file, as `read` reads them; errors begin with the path.

    Raises:
      SgfError: the file is no SGF, or no game of Go.
      OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return read(file.read(max_bytes + 1), os.fspath(path), max_bytes)


def write(game: Game) -> str:
    """The game as one line of FF[4], newline at its end; so a file of games is the lines of `map(write, games)`.

    `read` gives the same `Game` back, but for line breaks and tabs in texts, which become spaces.
    """
    has_setup = bool(game.black_stones or game.white_stones)
    root = {
        "FF": ["4"],
        "GM": ["1"],
        "CA": ["UTF-8"],
        "SZ": [str(game.size)],
        "KM": [] if game.komi is None else [_decimal(game.komi)],
        "HA": [str(game.handicap)] if game.handicap else [],
        "RU": [escape(game.rules)] if game.rules else [],
        "RE": [escape(game.result)] if game.result else [],
        **{identifier: [escape(value)] for identifier, value in sorted(game.info.items())},
        "AB": [_point_text(point, game.size) for point in game.black_stones],
        "AW": [_point_text(point, game.size) for point in game.white_stones],
        "PL": [_letter(game.to_play)] if has_setup or game.to_play == -1 else [],
    }
    head = "".join(identifier + "".join(f"[{v}]" for v in values) for identifier, values in root.items() if values)
    moves = "".join(f";{_letter(colour)}[{_point_text(action, game.size)}]" for colour, action in game.moves)
    return f"(;{head}{moves})\n"


def from_actions(
    actions: Sequence[int] | np.ndarray, size: int, stones: np.ndarray | None = None, to_play: int = 1, **fields
) -> Game:
    """The record of a game that was played with `Go`.

    Args:
      actions: what `Go.step` was given, in order.
      size: edge of the board.
      stones: `[size, size]`, +1 Black, -1 White, 0 empty: the board at the start, if not empty.
      to_play: +1 or -1, who moved first.
      **fields: further fields of `Game`: komi, rules, result, info …
    """
    colours = np.zeros(size**2) if stones is None else np.asarray(stones).reshape(size**2)
    moves = (Move(to_play * (-1) ** i, int(action)) for i, action in enumerate(np.asarray(actions)))
    setup = {"black_stones": np.flatnonzero(colours > 0), "white_stones": np.flatnonzero(colours < 0)}
    return Game(size, tuple(moves), to_play=to_play, **setup, **fields)  # type: ignore[arg-type]


def stones(game: Game) -> np.ndarray:
    """int8 `[size, size]`: the board before the first move, +1 Black, -1 White, 0 empty."""
    colours = np.zeros(game.size**2, np.int8)
    colours[list(game.black_stones)] = 1
    colours[list(game.white_stones)] = -1
    return colours.reshape(game.size, game.size)


def actions(game: Game) -> np.ndarray:
    """int32 `[moves]` for `Go.step`, which takes its two players in turn.

    Raises:
      ValueError: one player moves twice in a row; `with_passes` helps.
    """
    for number, (before, after) in enumerate(zip(game.moves, game.moves[1:], strict=False), start=2):
        if before.colour == after.colour:
            raise ValueError(f"move {number} is {_letter(after.colour)}'s, as was the one before it")
    return np.array([move.action for move in game.moves], np.int32)


def with_passes(game: Game) -> Game:
    """The game with a pass of the other player between two moves of one: to `Go`, what such a record means."""
    moves: list[Move] = []
    for move in game.moves:
        if moves and moves[-1].colour == move.colour:
            moves.append(Move(-move.colour, game.size**2))
        moves.append(move)
    return dataclasses.replace(game, moves=tuple(moves))


def outcome(game: Game) -> Result:
    """What `game.result` means. Never fails: a text that says nothing known has `how` `unknown`."""
    return parse_result(game.result)


def parse_result(text: str) -> Result:
    """What the text of an `RE` property means: `B+3.5`, `W+Resign`, `Draw` and their like, in any case."""
    text = "".join(text.lower().split())
    if text in ("0", "draw", "jigo"):
        return Result(0, 0.0, "score")
    if text == "void":
        return Result(None, None, "void")
    if text[:2] not in ("b+", "w+"):
        return Result(None, None, "unknown")
    winner, rest = 1 if text[0] == "b" else -1, text[2:]
    if _POINTS.fullmatch(rest):
        return Result(winner, float(rest.replace(",", ".")), "score")
    for how, words in _WORDS.items():
        if rest in words:
            return Result(winner, None, how)
    return Result(winner, None, "unknown")


_POINTS = re.compile(r"[0-9]{1,6}+(?:[.,][0-9]{0,6}+)?|[.,][0-9]{1,6}")
_WORDS: dict[Literal["resign", "time", "forfeit"], tuple[str, ...]] = {
    "resign": ("r", "resign", "resignation"),
    "time": ("t", "time", "timeout"),
    "forfeit": ("f", "forfeit"),
}


def _check_moves(game: Game):
    for number, (colour, action) in enumerate(game.moves, start=1):
        if colour not in (1, -1) or not 0 <= action <= game.size**2:
            raise ValueError(f"move {number} has colour {colour} and action {action} on a board of size {game.size}")
    if game.to_play not in (1, -1) or (game.moves and game.to_play != game.moves[0].colour):
        raise ValueError(f"to_play {game.to_play} is not the colour of the first move")


def _check_setup(game: Game):
    points = game.black_stones + game.white_stones
    if not points:
        return
    if len(set(points)) < len(points) or min(points) < 0 or max(points) >= game.size**2:
        raise ValueError("setup stones must be on distinct points of the board")
    if _has_dead_chain(stones(game)):
        raise ValueError("the setup leaves a chain without liberties")


def _has_dead_chain(board: np.ndarray) -> bool:
    """Whether some chain on `board`, `[size, size]`, has no liberty."""
    breathing = board == 0
    while True:
        spread = breathing.copy()
        for there, here in _NEIGHBOURS:
            spread[here] |= breathing[there] & ((board[there] == 0) | (board[there] == board[here]))
        if (spread == breathing).all():
            return not breathing.all()
        breathing = spread


_ALL, _TAIL, _HEAD = slice(None), slice(1, None), slice(None, -1)
_NEIGHBOURS = [((_TAIL, _ALL), (_HEAD, _ALL)), ((_ALL, _TAIL), (_ALL, _HEAD))]
_NEIGHBOURS += [(here, there) for there, here in _NEIGHBOURS]


def _decimal(number: float) -> str:
    """The shortest decimal that reads back as `number`, without an exponent: 7, 6.5."""
    return np.format_float_positional(number, trim="-")


def _letter(colour: int) -> str:
    return "B" if colour == 1 else "W"


def _point_text(action: int, size: int) -> str:
    if action == size**2:
        return ""
    row, column = divmod(action, size)
    return _LETTERS[column] + _LETTERS[row]


_LETTERS = "abcdefghijklmnopqrs"


def _game(nodes: list[Node]) -> Game:
    root = nodes[0].properties
    if _number(root, "GM", 1) != 1:
        raise PositionError(root["GM"][0].at, f"GM is {quote(root['GM'][0].raw)}, another game than Go")
    size = _size(root)
    colours, moves, to_play = _setup_and_moves(nodes, size)
    try:
        return Game(
            size=size,
            moves=moves,
            komi=_komi(root),
            rules=_text(root, "RU"),
            result=_text(root, "RE"),
            handicap=_number(root, "HA", 0),
            black_stones=tuple(np.flatnonzero(colours == 1).tolist()),
            white_stones=tuple(np.flatnonzero(colours == -1).tolist()),
            to_play=to_play,
            info={identifier: simple_text(root[identifier][0].raw) for identifier in INFO & root.keys()},
        )
    except ValueError as error:
        raise PositionError(nodes[0].at, str(error)) from None


def _size(root: Mapping[str, list[Value]]) -> int:
    value = _single(root, "SZ")
    if value is None:
        return 19
    numbers = re.fullmatch(r"\s*([0-9]{1,4})\s*(?::\s*([0-9]{1,4})\s*)?", value.raw)
    if not numbers:
        raise PositionError(value.at, f"SZ is {quote(value.raw)}, not a size")
    columns, rows = int(numbers[1]), int(numbers[2] or numbers[1])
    if columns != rows:
        raise PositionError(value.at, f"a board of {columns}:{rows} points; only square ones are read")
    if not 2 <= columns <= 19:
        raise PositionError(value.at, f"a board of size {columns}; 2 to 19 are read")
    return columns


def _komi(root: Mapping[str, list[Value]]) -> float | None:
    value = _single(root, "KM")
    if value is None or not value.raw.strip():
        return None
    number = value.raw.strip().replace(",", ".")
    if not re.fullmatch(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]*)?|\.[0-9]+)", number) or abs(float(number)) > 10_000:
        raise PositionError(value.at, f"KM is {quote(value.raw)}, not a komi")
    return float(number)


def _number(root: Mapping[str, list[Value]], identifier: str, missing: int) -> int:
    value = _single(root, identifier)
    if value is None or not value.raw.strip():
        return missing
    if not re.fullmatch(r"[0-9]{1,4}", value.raw.strip()):
        raise PositionError(value.at, f"{identifier} is {quote(value.raw)}, not a number")
    return int(value.raw)


def _text(root: Mapping[str, list[Value]], identifier: str) -> str:
    value = _single(root, identifier)
    return "" if value is None else simple_text(value.raw)


def _single(properties: Mapping[str, list[Value]], identifier: str) -> Value | None:
    """The value of a property that takes one."""
    values = properties.get(identifier)
    if not values:
        return None
    for value in values[1:]:
        if value.raw != values[0].raw:
            raise PositionError(value.at, f"{identifier} has two values in one node")
    return values[0]


def _setup_and_moves(nodes: list[Node], size: int) -> tuple[np.ndarray, tuple[Move, ...], int]:
    """The board before the first move `[size, size]`, the moves, and what `Game.to_play` shall be."""
    board, moves, declared = np.zeros((size, size), np.int8), [], 0
    for node in nodes:
        properties = node.properties
        move = _move(node, size)
        setup = next((properties[i][0] for i in ("AB", "AW", "AE") if i in properties), None)
        if setup and (moves or move):
            raise PositionError(setup.at, "setup stones beside or after a move")
        if setup:
            _set_up(board, node)
        if move:
            moves.append(move)
        if "PL" in properties and not moves:
            declared = _player(properties)
    return board, tuple(moves), 0 if moves else declared


def _move(node: Node, size: int) -> Move | None:
    black, white = _single(node.properties, "B"), _single(node.properties, "W")
    if black and white:
        raise PositionError(white.at, "two moves in one node")
    value = black or white
    if value is None:
        return None
    raw = value.raw.strip()
    action = size**2 if raw in ("", "tt") else _point(raw, value.at, size)
    return Move(1 if black else -1, action)


def _set_up(board: np.ndarray, node: Node):
    """Puts a node's setup stones on `board`, `[size, size]`, in place."""
    size = len(board)
    named = np.zeros_like(board, bool)
    for identifier, colour in (("AB", 1), ("AW", -1), ("AE", 0)):
        points = np.zeros_like(named)
        values = node.properties.get(identifier, [])
        for value in values if [value.raw.strip() for value in values] != [""] else []:
            corner, _, other = value.raw.strip().partition(":")
            top, left = divmod(_point(corner, value.at, size), size)
            bottom, right = divmod(_point(other or corner, value.at, size), size)
            if bottom < top or right < left:
                raise PositionError(value.at, f"{quote(value.raw)} is no rectangle from top left to bottom right")
            points[top : bottom + 1, left : right + 1] = True
        if (points & named).any():
            raise PositionError(node.at, "a point is set up twice in one node")
        named |= points
        board[points] = colour


def _point(raw: str, at: int, size: int) -> int:
    point = _points(size).get(raw)
    if point is None:
        raise PositionError(at, f"{quote(raw)} is not a point of a board of size {size}")
    return point


@functools.cache
def _points(size: int) -> dict[str, int]:
    return {_point_text(point, size): point for point in range(size**2)}


def _player(properties: Mapping[str, list[Value]]) -> int:
    value = _single(properties, "PL")
    letter = value.raw.strip().lower() if value else ""
    if value and letter not in ("b", "w", "black", "white", ""):
        raise PositionError(value.at, f"PL is {quote(value.raw)}, not a player")
    return {"b": 1, "w": -1, "": 0}[letter[:1]]
