"""Games that were played, to learn from without a reward: cleaned, told apart, and replayed by `Go` when read.

>>> from go_env import Go, games
>>> settings = games.Settings(Go(size=9), results=(games.How.SCORE, games.How.RESIGN))
>>> builder = games.Games(settings, ["human.sgf", "archive.zip", "folder"], data_dir="data")
>>> builder.download_and_prepare()  # once; array_record files, no TensorFlow
>>> print(builder.info.metadata["table"])  # what was kept of each source, and why the rest was not
>>> rows = games.read(builder.as_data_source("train"))
>>> index, number = games.draw(rows, key, 1024)  # from here on under `jax.jit`
>>> seen = games.positions(settings.go, rows, index, number)

A row is a game: its moves, and what its record says of it. Positions are not stored. `positions` plays the moves with
`Go.step` and looks with `Go.observe`, as self-play does, so a network sees the same before the same move in both.

What is decided for a record, in this order, and counted under these reasons in the `Report`:

- `broken`: no SGF of Go, see `go_env.sgf`; a file of many games is read on where the next one surely starts.
- `source`, `size`: not asked for. `handicap`: stones set up, or a number in `HA`. `turns`: Black does not begin, or a
  player moves twice in a row. `komi`: more points than the board has. `result`, `rating`: not asked for.
- `illegal`: `Go` refuses a move, superko included. The game is dropped, or cut before that move: `Settings.illegal`.
- Moves after two passes in a row, or beyond the move limit, are cut from any game: to `Go` it is over. Passes stay.
- `short`: of what is left.
- `duplicate`: two records are one game if their moves are the same up to the symmetries of the board, passes at the
  end left out; players, komi and result do not count. The first one is kept. So short games that were played twice
  are one. A record that breaks off earlier is another game, which may fall on the other side of the split.

Whether a game is for testing is drawn by a hash of what makes it one game, after the cuts. It depends on no other game,
so a game, its mirror images and its copies are on the same side in all data sets with the same cuts. Openings are
shared by both sides, as they are by people.
"""

import collections
import contextlib
import dataclasses
import enum
import functools
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import absl.logging
import jax
import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds

from go_env import game_files, sgf
from go_env.env import RULES_VERSION, Go
from go_env.state import State

Reason = Literal[
    "broken", "source", "size", "handicap", "turns", "komi", "result", "rating", "illegal", "short", "duplicate"
]
Split = Literal["train", "test"]
_CHUNK = 256  # games checked at once


class How(enum.IntEnum):
    """What decided a game. From `VOID` on nobody has won or drawn."""

    SCORE = 0
    RESIGN = 1
    TIME = 2
    FORFEIT = 3
    WON = 4  # the record names the winner and no more
    VOID = 5
    UNKNOWN = 6


class Rows(NamedTuple):
    """Games. On disk, and as made by `clean`, `moves` of a row is as long as the game."""

    moves: Any  # int16 [N, T]: actions, Black's first; -1 behind the last
    length: Any  # int32 [N]
    komi: Any  # float32 [N]: points for White; NaN where the record does not say
    winner: Any  # int8 [N]: +1 Black, -1 White, 0 a draw or not known
    how: Any  # int8 [N]: `How`
    margin: Any  # float32 [N]: points, komi included, that the winner had more; NaN where not counted
    black_rating: Any  # float32 [N]: see `rating`
    white_rating: Any  # float32 [N]
    source: Any  # int32 [N]: index into the metadata's `sources`
    rules: Any  # int32 [N]: index into the metadata's `rules`: texts of `RU`


_SCALARS = {
    "length": np.int32,
    "komi": np.float32,
    "winner": np.int8,
    "how": np.int8,
    "margin": np.float32,
    "black_rating": np.float32,
    "white_rating": np.float32,
    "source": np.int32,
    "rules": np.int32,
}


class Positions(NamedTuple):
    """What players saw, and what they did."""

    observation: jax.Array  # float32 [B, size, size, planes]: `Go.observe`
    legal: jax.Array  # bool [B, actions]
    action: jax.Array  # int32 [B]: the move that was played
    value: jax.Array  # float32 [B]: +1 the player to move won the game, -1 lost, 0 a draw or not known
    is_known: jax.Array  # bool [B]: whether `value` is anything to learn


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which games are kept.

    Attributes:
      go: the rules they are replayed by; its size is that of the games, its komi stands in where a record has none.
      min_moves: shortest game.
      sources: names of sources; all where empty.
      ratings: least and greatest `rating` that both players must have; None for any, or none.
      results: how games may have ended. Draws are `How.SCORE`.
      illegal: what happens to a game with a move that `go` refuses.
      test_share: from 0 to 1.
    """

    go: Go
    min_moves: int = 10
    sources: tuple[str, ...] = ()
    ratings: tuple[float, float] | None = None
    results: tuple[How, ...] = (How.SCORE, How.RESIGN, How.TIME, How.FORFEIT, How.WON)
    illegal: Literal["drop", "cut"] = "drop"
    test_share: float = 0.1

    def __post_init__(self):
        if not isinstance(self.min_moves, int) or self.min_moves < 1:
            raise ValueError(f"min_moves must be a whole number from 1 on, got {self.min_moves!r}")
        if isinstance(self.sources, str):
            raise ValueError(f"sources must be a tuple of names, got {self.sources!r}")
        if self.ratings is not None and not self.ratings[0] <= self.ratings[1]:
            raise ValueError(f"ratings must be the least and the greatest, got {self.ratings}")
        if not self.results or not all(isinstance(how, How) for how in self.results):
            raise ValueError(f"results must be some of {', '.join(map(str, How))}, got {self.results!r}")
        if self.illegal not in ("drop", "cut"):
            raise ValueError(f"illegal must be drop or cut, got {self.illegal!r}")
        if not 0 <= self.test_share <= 1:
            raise ValueError(f"test_share must be from 0 to 1, got {self.test_share!r}")


@dataclasses.dataclass
class Report:
    """What became of the games: `print(report.table())`.

    Attributes:
      counts: by source, how many were kept, how many were not for each `Reason`, and of the kept ones how many lost
        moves at their end (`cut`). What is broken may be a file.
      notes: a line for each that is broken, illegal or a duplicate: where, and what.
    """

    counts: dict[str, collections.Counter[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    notes: list[str] = dataclasses.field(default_factory=list)

    def count(self, source: str, reason: str, note: str = ""):
        self.counts[source][reason] += 1
        if note:
            self.notes.append(note)

    @property
    def total(self) -> collections.Counter[str]:
        return sum(self.counts.values(), collections.Counter())

    def table(self) -> str:
        """A line a source and one for all of them; columns in which there is nothing are left out."""
        total = self.total
        columns = ["kept", *(name for name in (*get_args(Reason), "cut") if total[name])]
        lines = [["source", *columns]]
        lines += [[name, *(str(counts[column]) for column in columns)] for name, counts in self.counts.items()]
        lines += [["total", *(str(total[column]) for column in columns)]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in lines)
        return "\n".join("  ".join(row).rstrip() for row in rows)

    def as_json(self) -> str:
        counts = {name: dict(counts) for name, counts in self.counts.items()}
        return json.dumps({"total": dict(self.total), "sources": counts, "notes": self.notes}, indent=1)


class Cleaned(NamedTuple):
    """All that was kept, in the order in which it was found."""

    rows: list[Rows]  # one game each
    is_test: list[bool]
    sources: list[str]  # names, by `Rows.source`
    rules: list[str]
    report: Report


def clean(settings: Settings, paths: Iterable[str | os.PathLike]) -> Cleaned:
    """The games at some paths that are to be kept, and a report on all: the same for the same files and settings."""
    report, sources, rules, seen = Report(), {}, {}, {}
    names, found = _gather(settings, paths, report, sources, rules)
    texts, rows, is_test = list(sources), [], []
    for name, row, num_legal in zip(names, found, _num_legal(settings.go, [row.moves for row in found]), strict=True):
        source, moves = texts[row.source], row.moves[:num_legal]
        is_refused = num_legal < len(row.moves) and not _is_over(settings.go, moves)
        identity = _identity(moves, settings.go.size)
        if is_refused and settings.illegal == "drop":
            report.count(source, "illegal", f"{name}: move {num_legal + 1} is illegal")
        elif num_legal < settings.min_moves:
            report.count(source, "short")
        elif identity in seen:
            report.count(source, "duplicate", f"{name}: the game in {seen[identity]}")
        else:
            seen[identity] = name
            report.count(source, "kept")
            if num_legal < len(row.moves):
                why = f"{name}: cut before move {num_legal + 1}, which is illegal" if is_refused else ""
                report.count(source, "cut", why)
            rows.append(row._replace(moves=moves, length=np.int32(num_legal)))
            is_test.append(int.from_bytes(identity[:8], "big") < settings.test_share * 2**64)
    return Cleaned(rows, is_test, texts, list(rules), report)


def rating(text: str) -> float:
    """A number for what stands in `BR` or `WR`: NaN where it says nothing.

    A number is kept as it is. Ranks: n dan is n, k kyu is 1 - k, p dan professional is 100 + p. So the ratings of one
    source can be compared, those of different ones mostly not.
    """
    found = re.match(r"\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*(k|d|p|\??\s*$)", text.lower())
    if not found:
        return float("nan")
    number = float(found[1])
    return {"k": 1 - number, "p": 100 + number}.get(found[2], number)


class Prepared(NamedTuple):
    """A data set in memory."""

    train: Rows
    test: Rows
    table: str  # what was kept of each source, and why the rest was not


def prepare(settings: Settings, paths: Iterable[str | os.PathLike], data_dir: str | os.PathLike) -> Prepared:
    """The games at some paths, from `data_dir` if they have been cleaned before; else a line says what goes on.

    Raises:
      ValueError: one of the splits would be empty.
    """
    tfds.disable_progress_bar()  # it is of writing, which is over before one can read it
    absl.logging.set_verbosity(absl.logging.ERROR)  # that settings are not among those of a catalogue is no news
    builder = Games(settings, paths, data_dir=data_dir)
    if not builder.is_prepared():
        print(
            f"reading game records (minutes, if they are a hundred thousand), kept in {builder.data_path}", flush=True
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it would speak of a download of unknown size
            builder.download_and_prepare()
    metadata, splits = builder.info.metadata, builder.info.splits
    assert metadata is not None
    if len(splits) < 2:
        num_kept = sum(split.num_examples for split in splits.values())
        raise ValueError(f"{num_kept} games are too few: all of them fell into the split {next(iter(splits))}")
    train, test = (read(builder.as_data_source(split)) for split in ("train", "test"))  # pyright: ignore (decorated)
    return Prepared(train, test, metadata["table"])


def read(source: Sequence[Mapping[str, Any]], room: int | None = None) -> Rows:
    """All games of a data source."""
    return stack((Rows(**source[i]) for i in range(len(source))), room)


def stack(rows: Iterable[Rows], room: int | None = None) -> Rows:
    """Single games as arrays with room for so many moves, by default for those of the longest."""
    rows = list(rows)
    longest = max(len(row.moves) for row in rows)
    room = longest if room is None else room
    if longest > room:
        raise ValueError(f"room for {room} moves is too small: the longest game has {longest}")
    moves = np.full((len(rows), room), -1, np.int16)
    for i, row in enumerate(rows):
        moves[i, : len(row.moves)] = row.moves
    scalars = {name: np.array([getattr(row, name) for row in rows], dtype) for name, dtype in _SCALARS.items()}
    return Rows(moves, **scalars)


def part(rows: Rows, share: float, chance: np.random.Generator) -> Rows:
    """A share of the games, drawn by chance and rounded up; a smaller share of the same draw is part of a greater."""
    num = math.ceil(round(share * len(rows.length), 6))  # 0.28 of 25 are 7, though the product is a little more
    chosen = chance.permutation(len(rows.length))[:num]
    return jax.tree.map(lambda column: column[chosen], rows)


def draw(rows: Rows, key: jax.Array, num: int) -> tuple[jax.Array, jax.Array]:
    """Rows and numbers of moves for `positions`, int32 `[num]`: every move of every game is equally likely."""
    length = jnp.asarray(rows.length)
    ends = jnp.cumsum(length)
    chosen = jax.random.randint(key, (num,), 0, ends[-1])
    index = jnp.searchsorted(ends, chosen, side="right").astype(jnp.int32)
    return index, chosen - (ends - length)[index]


def positions(go: Go, rows: Rows, index: jax.typing.ArrayLike, number: jax.typing.ArrayLike) -> Positions:
    """What the player to move saw and did after `number` moves of games: a pure function, for `jax.jit`.

    Args:
      rows: `[N, …]`, games on boards of this size.
      index: int32 `[B]`, which rows.
      number: int32 `[B]`, from 0 to the length of the game less 1.
    """
    number = jnp.asarray(number, jnp.int32)
    rows = jax.tree.map(lambda column: jnp.asarray(column)[jnp.asarray(index)], rows)
    state, _ = replay(go, rows.moves, rows.komi, number)
    return Positions(
        observation=jax.vmap(go.observe)(state),
        legal=jax.vmap(go.legal_actions)(state),
        action=jnp.take_along_axis(rows.moves, number[:, None], axis=1)[:, 0].astype(jnp.int32),
        value=rows.winner.astype(jnp.float32) * state.to_play.astype(jnp.float32),
        is_known=rows.how < How.VOID,
    )


def replay(go: Go, moves: jax.Array, komi: jax.Array, number: jax.Array) -> tuple[State, jax.Array]:
    """Games after some of their moves.

    Args:
      moves: int `[B, T]`.
      komi: float32 `[B]`; NaN for that of `go`.
      number: int32 `[B]`, how many moves to play, T at most.

    Returns: the states `[B]`, and how many moves were legal and found the game not over, int32 `[B]`.
    """
    moves, komi = jnp.asarray(moves, jnp.int32), jnp.asarray(komi, jnp.float32)

    def ply(i: jax.Array, games: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        return jax.vmap(functools.partial(_play, go))(*games, moves[:, i], i < number)

    start = jax.vmap(lambda komi: go.init(komi=komi))(jnp.where(jnp.isnan(komi), go.komi, komi))
    return jax.lax.fori_loop(0, jnp.max(number), ply, (start, jnp.zeros(len(moves), jnp.int32)))


class Games(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What `clean` keeps as a data set of TensorFlow Datasets, with the splits `train` and `test`.

    A split without games is left out. The data of different settings or files lie in different folders of `data_dir`.
    The metadata hold the report, as `table` and as JSON (`report`), and the names of `sources` and `rules`.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, settings: Settings, paths: Iterable[str | os.PathLike], *, data_dir: Any):
        self.settings, self.paths = settings, [game_files.check(path) for path in paths]
        if not self.paths:
            raise ValueError("there must be at least one path to read games from")
        config = tfds.core.BuilderConfig(name=self._config_name(), description=str(settings))
        super().__init__(config=config, data_dir=data_dir, file_format="array_record")  # the default needs TensorFlow

    def _info(self) -> tfds.core.DatasetInfo:
        moves = tfds.features.Tensor(shape=(None,), dtype=np.int16)
        scalars = {name: tfds.features.Scalar(dtype=dtype) for name, dtype in _SCALARS.items()}
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=tfds.features.FeaturesDict({"moves": moves, **scalars}),
            disable_shuffling=True,
            metadata=tfds.core.MetadataDict(settings=str(self.settings), how=[how.name for how in How]),
        )

    def _split_generators(self, dl_manager: Any):
        del dl_manager
        cleaned = clean(self.settings, self.paths)
        if not cleaned.rows:
            raise ValueError(f"no game is kept:\n{cleaned.report.table()}")
        assert self.info.metadata is not None
        self.info.metadata.update(
            table=cleaned.report.table(),
            report=cleaned.report.as_json(),
            sources=cleaned.sources,
            rules=cleaned.rules,
        )
        splits = {"train": False, "test": True}
        return {
            split: self._generate_examples(
                [row for row, is_test in zip(cleaned.rows, cleaned.is_test, strict=True) if is_test == wanted]
            )
            for split, wanted in splits.items()
            if wanted in cleaned.is_test
        }

    def _generate_examples(self, rows: list[Rows]):
        return ((i, row._asdict()) for i, row in enumerate(rows))

    def _config_name(self) -> str:
        """Readable, and different where anything is that the files depend on."""
        names = self.settings, RULES_VERSION, [game_files.digest(path) for path in self.paths]
        return (
            f"{self.settings.go.size}x{self.settings.go.size}-{hashlib.sha256(repr(names).encode()).hexdigest()[:12]}"
        )


def _gather(
    settings: Settings,
    paths: Iterable[str | os.PathLike],
    report: Report,
    sources: dict[str, int],
    rules: dict[str, int],
) -> tuple[list[str], list[Rows]]:
    """Names and rows of what need not be refused unplayed; the others go to the report, new names to the two lists."""
    names, rows = [], []
    for record in (record for path in paths for record in game_files.find(path)):
        source = sources.setdefault(record.source, len(sources))
        if reason := _refusal(settings, record):
            report.count(record.source, reason, record.problem)
            continue
        assert record.game is not None
        ruleset = rules.setdefault(record.game.rules, len(rules))
        names.append(record.name)
        rows.append(_row(record.game)._replace(source=np.int32(source), rules=np.int32(ruleset)))
    return names, rows


def _refusal(settings: Settings, record: game_files.Found) -> Reason | Literal[""]:
    """Why a record is not kept, as far as that can be said without playing its moves."""
    game, size = record.game, settings.go.size
    if game is None:
        return "broken"
    if settings.sources and record.source not in settings.sources:
        return "source"
    if game.size != size:
        return "size"
    if game.handicap or game.black_stones or game.white_stones:
        return "handicap"
    if any(move.colour != (-1) ** i for i, move in enumerate(game.moves)):
        return "turns"
    if game.komi is not None and abs(game.komi) > size**2:
        return "komi"
    if _how(sgf.outcome(game)) not in settings.results:
        return "result"
    if settings.ratings is not None:
        least, greatest = settings.ratings
        if not all(least <= rating(game.info.get(name, "")) <= greatest for name in ("BR", "WR")):
            return "rating"
    return ""


def _row(game: sgf.Game) -> Rows:
    """A game, but for its source and ruleset."""
    outcome = sgf.outcome(game)
    return Rows(
        moves=sgf.actions(game).astype(np.int16),
        length=np.int32(len(game.moves)),
        komi=np.float32(np.nan if game.komi is None else game.komi),
        winner=np.int8(outcome.winner or 0),
        how=np.int8(_how(outcome)),
        margin=np.float32(np.nan if outcome.margin is None else outcome.margin),
        black_rating=np.float32(rating(game.info.get("BR", ""))),
        white_rating=np.float32(rating(game.info.get("WR", ""))),
        source=np.int32(0),
        rules=np.int32(0),
    )


def _how(outcome: sgf.Result) -> How:
    if outcome.how == "unknown":
        return How.UNKNOWN if outcome.winner is None else How.WON
    return How[outcome.how.upper()]


def _num_legal(go: Go, games: list[np.ndarray]) -> np.ndarray:
    """How many moves of each game come before the first that `go` refuses, or before its end: int `[games]`."""
    lengths = np.array([min(len(moves), go.move_limit) for moves in games], np.int32)
    order, found = np.argsort(lengths, kind="stable"), np.zeros(len(games), np.int32)  # equal lengths side by side
    for chunk in np.split(order, range(_CHUNK, len(order), _CHUNK)):
        moves, number = np.zeros((_CHUNK, go.move_limit), np.int16), np.zeros(_CHUNK, np.int32)
        number[: len(chunk)] = lengths[chunk]
        for i, game in enumerate(chunk):
            moves[i, : lengths[game]] = games[game][: lengths[game]]
        found[chunk] = np.asarray(_check(go, moves, number))[: len(chunk)]
    return found


@functools.partial(jax.jit, static_argnums=0)
def _check(go: Go, moves: jax.Array, number: jax.Array) -> jax.Array:
    return replay(go, moves, jnp.zeros(len(moves)), number)[1]


def _is_over(go: Go, moves: np.ndarray) -> bool:
    """Whether legal moves have ended the game."""
    return len(moves) >= go.move_limit or moves[-2:].tolist() == [go.pass_action] * 2


def _identity(moves: np.ndarray, size: int) -> bytes:
    """The same for what counts as one game."""
    is_stone = np.flatnonzero(moves != size**2)
    images = _images(size)[:, moves[: is_stone[-1] + 1 if len(is_stone) else 0]]
    return hashlib.sha256(min(image.tobytes() for image in images)).digest()


@functools.cache
def _images(size: int) -> np.ndarray:
    """int16 `[8, size² + 1]`: where actions land under each symmetry of the board."""
    points = np.arange(size**2).reshape(size, size)
    boards = [np.rot90(board, turns).ravel() for board in (points, points.T) for turns in range(4)]
    return np.array([[*board, size**2] for board in boards], "<i2")


def _play(go: Go, state: State, played: jax.Array, action: jax.Array, is_asked: jax.Array) -> tuple[State, jax.Array]:
    """One game after a move, or as it was where none is asked for.

    `Go.step` writes nothing into the past boards of a game that is over: cheaper than a choice between two games.
    """
    goes_on = is_asked & ~go.is_over(state)
    played += goes_on & go.legal_actions(state)[action]
    after = go.step(state._replace(discount=jnp.where(is_asked, state.discount, 0)), action)
    chosen = {name: jnp.where(is_asked, getattr(after, name), getattr(state, name)) for name in _CHANGED_WHEN_OVER}
    return after._replace(**chosen), played


_CHANGED_WHEN_OVER = ("legal", "reward", "discount")
