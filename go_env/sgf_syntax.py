"""SGF text as nodes of properties, whatever game they tell of: `main_lines`; `go_env.sgf` gives them meaning."""

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_DEPTH = 10_000
"""Most variations one inside the other."""
MAX_NODES = 100_000
"""Most nodes of a main line."""


class Value(NamedTuple):
    """What stands between the brackets of a property, escapes and all; `at` is where in the text."""

    at: int
    raw: str


class Node(NamedTuple):
    """Property names, capitals only, with their values, one at least; `at` is where in the text."""

    at: int
    properties: dict[str, list[Value]]


class SgfError(ValueError):
    """A text is not the SGF of Go games: `str()` is one line, `name:line:column: reason`."""

    def __init__(self, name: str, line: int, column: int, reason: str):
        super().__init__(name, line, column, reason)
        self.name, self.line, self.column, self.reason = name, line, column, reason

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}: {self.reason}"


class PositionError(Exception):
    """Something is wrong at character `at` of the text; for `SgfError` to say where that is."""

    def __init__(self, at: int, reason: str):
        super().__init__(at, reason)
        self.at, self.reason = at, reason

    def in_text(self, text: str, name: str) -> SgfError:
        line = text.count("\n", 0, self.at) + 1
        return SgfError(name, line, self.at - text.rfind("\n", 0, self.at), self.reason)


def decode(data: bytes) -> str:
    """Text of bytes: in the charset that the first `CA` property names, if it is a common one; otherwise UTF-8, or
    Latin-1 where that fails. Letters that do not fit their charset become U+FFFD."""
    declared = re.search(rb"(?<![A-Za-z])CA\s*+\[([^]]{1,40})\]", data[:4096])
    charset = re.sub(r"[^a-z0-9]", "", declared[1].decode("latin-1").lower()) if declared else ""
    for codec, names in _CHARSETS.items():
        if charset in names:
            return data.decode(codec, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def main_lines(text: str) -> Iterator[list[Node]]:
    """Of each game in `text`, the nodes of its first variations, root first: one at least.

    Raises:
      PositionError: a game is broken, or there is none.
    """
    start, end = None, 0
    while start := _START.search(text, end):
        _check_outside(text, end, start.start())
        nodes, end = _main_line(text, start.start())
        yield nodes
    _check_outside(text, end, len(text))
    if end == 0:
        raise PositionError(0, "no game in this text: '(;' is nowhere")


def simple_text(raw: str) -> str:
    """FF[4]'s SimpleText: a backslash keeps the next character and hides a line break; white space is spaces."""
    return _ESCAPE.sub(lambda found: "" if found["hidden"] else found["kept"] or " ", raw)


def escape(text: str) -> str:
    """A value that `simple_text` turns into `text`, white space being spaces."""
    return re.sub(r"([\\\]])", r"\\\1", _LINE_BREAKS.sub(" ", text))


def quote(text: str) -> str:
    """In quotes, on one line, and short: for messages."""
    return ascii(text if len(text) <= 20 else text[:20] + "...")


_LINE_BREAKS = re.compile(r"\n\r|\r\n|[\n\r\t\f\v]")
_ESCAPE = re.compile(r"\\(?P<hidden>\n\r|\r\n|[\n\r])|\\(?P<kept>[^\t\f\v])|\\?(?:\n\r|\r\n|[\n\r\t\f\v])", re.DOTALL)

# A list, since a name from an untrusted file must not choose among all of Python's codecs. Where a charset has
# grown, the wider one is meant: files that say gb2312 are full of gbk.
_CHARSETS = {
    "utf-8": ("utf8",),
    "latin-1": ("iso88591", "latin1", "ascii", "usascii"),
    "cp1252": ("cp1252", "windows1252"),
    "iso8859-2": ("iso88592", "latin2"),
    "iso8859-15": ("iso885915", "latin9"),
    "cp1251": ("cp1251", "windows1251"),
    "koi8-r": ("koi8r",),
    "cp932": ("shiftjis", "sjis", "cp932", "windows31j", "mskanji"),
    "euc_jp": ("eucjp",),
    "iso2022_jp": ("iso2022jp",),
    "gb18030": ("gb2312", "gbk", "gb18030", "cp936", "euccn"),
    "big5hkscs": ("big5", "big5hkscs", "cp950"),
    "cp949": ("euckr", "cp949", "ksc56011987"),
}

# Possessive quantifiers (`*+`) never try again what they have matched: time is linear in the text, whatever it is.
_START = re.compile(r"\(\s*+;", re.ASCII)
_LOST_NODE = re.compile(r";\s*+[A-Za-z]++\s*+\[", re.ASCII)
_TOKEN = re.compile(
    r"""\s*+ (?: \[ (?P<value> [^\\\]]*+ (?: \\. [^\\\]]*+ )*+ ) \]
      | (?P<name> [A-Za-z]++ ) | (?P<mark> [;()] ) | (?P<end> \Z ) | (?P<stray> . ) )""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_FOLLOWERS = {
    "(": (";",),
    ";": ("name", ";", "(", ")"),
    "name": ("value",),
    "value": (";", "name", "value", "(", ")"),
    ")": ("(", ")"),
}


def _check_outside(text: str, begin: int, end: int):
    if lost := _LOST_NODE.search(text, begin, end):
        raise PositionError(lost.start(), "a node outside of any game")


def _main_line(text: str, at: int) -> tuple[list[Node], int]:
    """The main line of the game that starts at `at`, and where the game ends.

    All of the game is checked for its form. But the main line is what stands before the first `)`, and since a node
    cannot follow a variation, a count of open parentheses is all the memory that the check needs.
    """
    nodes: list[Node] = []
    values: list[Value] = []
    depth, before, is_main = 0, "", True
    while True:
        token = _TOKEN.match(text, at)
        assert token is not None and token.lastgroup is not None  # its last branch takes any character
        start, at = token.start(token.lastgroup), token.end()
        kind = token["mark"] if token.lastgroup == "mark" else token.lastgroup
        if before and kind not in _FOLLOWERS[before]:
            raise PositionError(start, _unexpected(kind, token[token.lastgroup], before, depth))
        before = kind
        if kind == "(":
            depth += 1
            if depth > MAX_DEPTH:
                raise PositionError(start, f"more than {MAX_DEPTH} variations one inside the other")
        elif kind == ")":
            depth, is_main = depth - 1, False
            if depth == 0:
                return nodes, at
        elif kind == "name":
            name = _capitals(start, token["name"])
            values = nodes[-1].properties.setdefault(name, []) if is_main else []
        elif is_main and kind == ";":
            if len(nodes) == MAX_NODES:
                raise PositionError(start, f"more than {MAX_NODES} nodes in a game")
            nodes.append(Node(start, {}))
        elif is_main:
            values.append(Value(start, token["value"]))


def _unexpected(kind: str, found: str, before: str, depth: int) -> str:
    if kind == "stray" and found == "[":
        return "the value that starts here has no end"
    if kind == "end":
        return f"the text ends inside a game: {depth} ')' missing"
    if before == "name":
        return "a property without a value"
    if kind == "value":
        return "a value without a property"
    what = f"property {quote(found)}" if kind == "name" else quote(found)
    return f"{what} cannot stand after {'a value' if before == 'value' else quote(before)}"


def _capitals(at: int, name: str) -> str:
    """FF[4] names have capitals only; older ones are what remains without their other letters."""
    capitals = name if name.isupper() else "".join(c for c in name if c.isupper())
    if not capitals or len(name) > 64:
        raise PositionError(at, f"{quote(name)} is not the name of a property")
    return capitals
