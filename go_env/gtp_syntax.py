"""The words of the Go Text Protocol, version 2 draft 2: what a command line says, and how answers are written."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from go_env.text import COLUMNS

MORE_FROM_KATAGO = frozenset({
    "ownership",
    "ownershipStdev",
    "movesOwnership",
    "movesOwnershipStdev",
    "pvVisits",
    "pvEdgeVisits",
    "rootInfo",
    "noResultValue",
})  # fmt: skip
"""Options that ask `kata-analyze` to tell more."""

_COLOURS = {"b": 1, "black": 1, "w": -1, "white": -1}


class CommandError(Exception):
    """A command failed; the text is the answer."""


class Request(NamedTuple):
    """A command line."""

    id: str  # digits, or empty
    name: str
    arguments: list[str]


class AnalysisOptions(NamedTuple):
    """What follows the name of an analysis command."""

    colour: int | None = None  # +1 Black, -1 White; None the player to move
    interval: float = 1.0  # seconds between lines
    min_moves: int = 1
    max_moves: int = 1000


def parse(line: str) -> Request | None:
    """The command in a line; None where there is nothing but white space, control characters and a comment."""
    line = re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", line).partition("#")[0]
    words = [word for word in re.split(r"[ \t]", line) if word]
    if not words:
        return None
    id = words.pop(0) if re.fullmatch("[0-9]+", words[0]) else ""
    return Request(id, words[0] if words else "", words[1:])


def read_colour(word: str) -> int:
    """+1 Black, -1 White. Raises CommandError."""
    if word.lower() not in _COLOURS:
        raise CommandError("syntax error")
    return _COLOURS[word.lower()]


def read_integer(word: str) -> int:
    """Raises CommandError."""
    if not re.fullmatch("[+-]?[0-9]{1,18}", word):
        raise CommandError("syntax error")
    return int(word)


def read_number(word: str) -> float:
    """Any finite decimal number. Raises CommandError."""
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", word) or math.isinf(float(word)):
        raise CommandError("syntax error")
    return float(word)


def read_analysis_options(words: Sequence[str]) -> AnalysisOptions:
    """Reads `[colour] [interval] [option value] ...`, times in hundredths of a second. Raises CommandError."""
    options = AnalysisOptions()
    if words and words[0].lower() in _COLOURS:
        options = options._replace(colour=read_colour(words[0]))
        words = words[1:]
    if words and re.fullmatch("[0-9]+", words[0]):
        words = ["interval", *words]
    if len(words) % 2:
        raise CommandError("syntax error")
    for word, value in zip(words[::2], words[1::2], strict=True):
        match word:
            case "interval":
                options = options._replace(interval=min(max(read_integer(value), 0), 360_000) / 100)
            case "minmoves":
                options = options._replace(min_moves=max(read_integer(value), 1))
            case "maxmoves":
                options = options._replace(max_moves=max(read_integer(value), 1))
            case _ if word not in MORE_FROM_KATAGO or value not in ("true", "false"):
                raise CommandError("syntax error")
    return options


def write_score(lead: float) -> str:
    """`B+3.5`, `W+2`, or `0` for a draw."""
    return f"{'B' if lead > 0 else 'W'}+{abs(lead):.12g}" if lead else "0"


def fixed_handicaps(size: int) -> dict[int, list[str]]:
    """Vertices of the fixed handicaps by their number of stones, for the numbers that the specification allows."""
    if size < 7:
        return {}
    near = 3 if size < 13 else 4
    middle, far = (size + 1) // 2, size + 1 - near

    def vertex(column: int, row: int) -> str:
        return f"{COLUMNS[column - 1]}{row}"

    corners = [vertex(near, near), vertex(far, far), vertex(near, far), vertex(far, near)]
    patterns = {number: corners[:number] for number in (2, 3, 4)}
    if size % 2 and size > 7:
        sides = [vertex(near, middle), vertex(far, middle), vertex(middle, near), vertex(middle, far)]
        centre = [vertex(middle, middle)]
        patterns |= {5: corners + centre, 6: corners + sides[:2], 7: corners + sides[:2] + centre}
        patterns |= {8: corners + sides, 9: corners + sides + centre}
    return patterns
