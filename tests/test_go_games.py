"""Game records as data: what is kept and why the rest is not, splits that never meet, positions as self-play sees them.

Random games are made with sgfmill's board, which knows no superko: boards that were there are found by comparing.
"""

import collections
import itertools
import json
import os
import pathlib
import random
import re
import sys
import tarfile
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds
from sgfmill import boards

from go_env import Go, game_files, games, sgf
from go_env.games import Games, How, Settings

GO = Go(size=5, komi=0.5, max_moves=30)
SETTINGS = Settings(GO, min_moves=4)
PASS = 25
FOLDER = pathlib.Path(os.environ.get("GO9X9_GAMES") or pathlib.Path(__file__).parents[2] / "shared" / "data" / "go9x9")


def random_moves(seed: int, num: int = 20, size: int = 5) -> list[int]:
    """Legal moves, a pass now and then, no two in a row."""
    choose, board, moves = random.Random(seed), boards.Board(size), []
    seen = {str(board.board)}
    while len(moves) < num:
        point = choose.randrange(size**2) if choose.random() < 0.95 else size**2
        if point == size**2:
            if not moves or moves[-1] != point:
                moves.append(point)
            continue
        after = played(board, point, len(moves), size)
        if after is not None and str(after.board) not in seen:
            seen.add(str(after.board))
            board = after
            moves.append(point)
    return moves


def played(board: boards.Board, point: int, number: int, size: int) -> boards.Board | None:
    """The board after a stone that survives, or None. Rows count from the top, unlike sgfmill's."""
    row, column = point // size, point % size
    if board.get(row, column) is not None:
        return None
    after = board.copy()
    after.play(row, column, "bw"[number % 2])
    return after if after.get(row, column) is not None else None


def board_after(moves: list[int], size: int = 5) -> np.ndarray:
    """+1 Black, -1 White, 0 empty."""
    board = boards.Board(size)
    for number, move in enumerate(moves):
        if move < size**2:
            board.play(move // size, move % size, "bw"[number % 2])
    return np.array([[{"b": 1, "w": -1, None: 0}[stone] for stone in row] for row in board.board])


def text(moves: list[int], root: str = "KM[0.5]RE[B+R]", size: int = 5) -> str:
    letters = "abcdefghijklmnopqrs"
    points = ["" if m == size**2 else letters[m % size] + letters[m // size] for m in moves]
    nodes = "".join(f";{'BW'[i % 2]}[{point}]" for i, point in enumerate(points))
    return f"(;GM[1]SZ[{size}]{root}{nodes})\n"


def write(path: pathlib.Path, content: str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def mirrored(moves: list[int], index: int, size: int = 5) -> list[int]:
    """Through one of the 8 symmetries of the square."""

    def image(move: int) -> int:
        row, column = divmod(move, size)
        row, column = (column, row) if index & 1 else (row, column)
        row = size - 1 - row if index & 2 else row
        column = size - 1 - column if index & 4 else column
        return row * size + column

    return [move if move == size**2 else image(move) for move in moves]


def contents(cleaned: games.Cleaned) -> list[str]:
    """All that is in the rows, sources and rulesets by name; as texts, since NaN is not NaN."""
    return [
        str((row.moves.tolist(), *map(float, row[1:8]), cleaned.sources[row.source], cleaned.rules[row.rules]))
        for row in cleaned.rows
    ]


def source(builder: tfds.core.DatasetBuilder, split: str):
    return builder.as_data_source(split)  # pyright: ignore[reportCallIssue]


DROPPED = {
    "broken": "(;SZ[5]KM[0.5]\n;B[zz])",
    "size": text(random_moves(0)).replace("SZ[5]", "SZ[9]"),
    "handicap": text([], "AB[aa]RE[B+R]"),
    "turns": "(;SZ[5]RE[B+R];W[aa];B[bb];W[cc];B[dd])",
    "komi": text(random_moves(0), "KM[375]RE[B+R]"),
    "result": text(random_moves(0), "RE[?]"),
    "rating": text(random_moves(0), "RE[B+R]BR[1500]WR[2400]"),
    "illegal": text([0, 1, 2, 3, 3, 4], "RE[B+R]BR[2300]WR[2400]"),
    "short": text([0, 1, 2], "RE[B+R]BR[2300]WR[2400]"),
}


def test_every_reason_to_drop_a_game(tmp_path):
    for reason, content in DROPPED.items():
        write(tmp_path / "in" / "bad" / f"{reason}.sgf", content)
    good = text(random_moves(0), "RE[B+R]BR[2300]WR[2400]")
    write(tmp_path / "in" / "good" / "a.sgf", good + text(mirrored(random_moves(0), 3), "RE[W+2]BR[2300]WR[2400]"))
    write(tmp_path / "in" / "other" / "a.sgf", good)
    settings = Settings(GO, min_moves=4, ratings=(2300, 3000), sources=("in/good", "in/bad"))
    report = games.clean(settings, [tmp_path / "in"]).report
    assert report.counts == {
        "in/bad": dict.fromkeys(DROPPED, 1),
        "in/good": {"kept": 1, "duplicate": 1},
        "in/other": {"source": 1},
    }
    assert report.notes == [
        "in/bad/broken.sgf:2:4: 'zz' is not a point of a board of size 5",
        "in/bad/illegal.sgf[0]: move 5 is illegal",
        "in/good/a.sgf[1]: the game in in/good/a.sgf[0]",
    ]
    assert json.loads(report.as_json())["total"] == {
        "kept": 1,
        "duplicate": 1,
        "source": 1,
        **dict.fromkeys(DROPPED, 1),
    }
    first, *_, last = report.table().splitlines()
    assert first.split() == ["source", "kept", *games.get_args(games.Reason)]
    assert last.split() == ["total", "1", *"11111111111"]


def test_dropped_games_would_be_kept_but_for_the_reason(tmp_path):
    """So each file above is dropped for one reason alone."""
    for reason in ("result", "rating", "illegal", "short"):
        write(tmp_path / f"{reason}.sgf", DROPPED[reason])
    lenient = Settings(GO, min_moves=3, results=tuple(How), illegal="cut")
    cleaned = games.clean(lenient, [tmp_path / f"{name}.sgf" for name in ("illegal", "short", "rating", "result")])
    assert [row.moves.tolist() for row in cleaned.rows] == [[0, 1, 2, 3], [0, 1, 2], random_moves(0)]
    assert cleaned.report.counts["illegal"] == {"kept": 1, "cut": 1}
    assert cleaned.report.counts["result"] == {"duplicate": 1}
    assert cleaned.report.notes[0] == "illegal.sgf[0]: cut before move 5, which is illegal"


def test_moves_after_the_end_are_cut_and_passes_stay(tmp_path):
    stones, long = random_moves(1, 6), random_moves(2, 40)
    write(tmp_path / "a.sgf", text([*stones, PASS, PASS, 24]) + text(long) + text([0, PASS, 1, 2, PASS]))
    cleaned = games.clean(SETTINGS, [tmp_path / "a.sgf"])
    end = stones.index(PASS) if PASS in stones[-1:] else len(stones)
    assert [row.moves.tolist() for row in cleaned.rows] == [
        [*stones[:end], PASS, PASS],
        long[: GO.move_limit],
        [0, PASS, 1, 2, PASS],
    ]
    assert cleaned.report.counts["a"] == {"kept": 3, "cut": 2}


def test_what_a_row_says_of_its_game(tmp_path):
    roots = {
        "KM[6.5]RE[W+2.5]RU[Chinese]BR[3d]WR[2k]": (6.5, -1, How.SCORE, 2.5, 3.0, -1.0, "Chinese"),
        "RE[B+Resign]BR[2374?]WR[7p]": (None, 1, How.RESIGN, None, 2374.0, 107.0, ""),
        "KM[-3]RE[Draw]RU[Japanese]": (-3.0, 0, How.SCORE, 0.0, None, None, "Japanese"),
        "RE[W+T]BR[strong]": (None, -1, How.TIME, None, None, None, ""),
        "RE[B+F]": (None, 1, How.FORFEIT, None, None, None, ""),
        "RE[B+]": (None, 1, How.WON, None, None, None, ""),
        "RE[Void]": (None, 0, How.VOID, None, None, None, ""),
        "": (None, 0, How.UNKNOWN, None, None, None, ""),
    }
    write(tmp_path / "a.sgf", "".join(text(random_moves(i), root) for i, root in enumerate(roots)))
    cleaned = games.clean(Settings(GO, results=tuple(How)), [tmp_path / "a.sgf"])
    for i, (row, expected) in enumerate(zip(cleaned.rows, roots.values(), strict=True)):
        said = [None if np.isnan(x) else x for x in (row.komi, row.winner, row.how, row.margin, *row[6:8])]
        assert (*said, cleaned.rules[row.rules]) == expected
        assert row.moves.tolist() == random_moves(i) and row.length == 20


def test_a_collection_is_read_on_behind_a_broken_game(tmp_path):
    lines = [text(random_moves(i)) for i in range(100)]
    lines[7] = lines[7][:30] + "\n"
    lines[50] = lines[50].replace(";W[", ";W[[x", 1).replace("]", "", 1)
    path = write(tmp_path / "many.sgf", "".join(lines))
    found = list(game_files.find(path))
    broken = [i for i, record in enumerate(found) if record.game is None]
    assert len(found) == 100 and broken == [7, 50]
    assert [found[i].problem.split(":")[:2] for i in broken] == [["many.sgf", "8"], ["many.sgf", "51"]]
    assert games.clean(SETTINGS, [path]).report.total == {"kept": 98, "broken": 2}


def test_folders_and_archives_of_the_same_files_give_the_same_games(tmp_path):
    folder = tmp_path / "x" / "games"
    for i in range(6):
        write(folder / "ab"[i % 2] / f"{i}.{'sgf' if i else 'SGF'}", text(random_moves(i)))
    write(folder / "a" / "readme.txt", "no game")
    files = [path for path in sorted(folder.rglob("*"), reverse=True) if path.is_file()]
    archives = [tmp_path / f"games.{suffix}" for suffix in ("zip", "tar.gz", "tgz")]
    with zipfile.ZipFile(archives[0], "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    for name in archives[1:]:
        with tarfile.open(name, "w:gz") as archive:
            for path in files:
                archive.add(path, f"./{path.relative_to(folder)}")
    expected = list(game_files.find(folder))
    assert [record.name for record in expected] == [
        *("games/a/0.SGF[0]", "games/a/2.sgf[0]", "games/a/4.sgf[0]"),
        *("games/b/1.sgf[0]", "games/b/3.sgf[0]", "games/b/5.sgf[0]"),
    ]
    for archive in archives:
        assert list(game_files.find(archive)) == expected


def test_broken_archives_and_files_that_are_too_long_are_reported(tmp_path, monkeypatch):
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a\n\x1b.sgf", text(random_moves(0)))
        archive.writestr("b.sgf", text(random_moves(1)))
    data = whole.read_bytes()
    spoilt = data.index(b";B[", data.index(b"b.sgf"))
    (tmp_path / "spoilt.zip").write_bytes(data[:spoilt] + b"?" + data[spoilt + 1 :])  # its checksum is wrong
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    with tarfile.open(tmp_path / "whole.tgz", "w:gz") as archive:
        for i in range(40):
            archive.add(write(tmp_path / f"{i}.sgf", text(random_moves(i))), f"{i}.sgf")
    data = (tmp_path / "whole.tgz").read_bytes()
    (tmp_path / "half.tgz").write_bytes(data[: len(data) // 2])
    (tmp_path / "no.npz").write_bytes(b"nothing")
    names = ["spoilt.zip", "half.zip", "half.tgz", "no.npz"]
    report = games.clean(SETTINGS, [tmp_path / name for name in names]).report
    assert report.total["broken"] >= 4 and report.counts["spoilt"] == {"kept": 1, "broken": 1}
    assert {note.partition(":")[0] for note in report.notes} >= {"spoilt/b.sgf", "half.zip", "half.tgz", "no.npz"}
    assert all(note.isprintable() for note in report.notes)
    monkeypatch.setattr(sgf, "MAX_BYTES", 40)
    assert [record.game for record in game_files.find(tmp_path / "0.sgf")] == [None]


def test_packed_arrays(tmp_path):
    moves = [random_moves(i, 30, size=9) for i in range(3)]
    columns: dict[str, Any] = {
        "moves": np.concatenate(moves).astype(np.uint8),
        "offs": np.array([0, 30, 60, 90], np.int32),
        "komi2": [11, 15, -3],
        "winner": [1, -1, 0],
        "how": [0, 3, 0],
        "margin2": [7, 32767, 0],
        "rb": [3, 0, -999],
        "rw": [-20, 109, 1],
        "rules": [0, 1, 2],
    }
    np.savez(tmp_path / "a.npz", **columns)
    found = [record.game for record in game_files.find(tmp_path / "a.npz") if record.game]
    assert [sgf.actions(game).tolist() for game in found] == moves
    assert [(game.komi, game.result, game.rules, game.info) for game in found] == [
        (5.5, "B+3.5", "Chinese", {"BR": "3d", "WR": "21k"}),
        (7.5, "W+", "Japanese", {"BR": "1k", "WR": "9p"}),
        (-1.5, "Draw", "", {"WR": "1d"}),
    ]
    columns["moves"][31] = columns["winner"][2] = 82
    np.savez(tmp_path / "b.npz", **columns)
    report = games.clean(SETTINGS, [tmp_path / "b.npz"]).report
    assert report.notes[0] == "b.npz[1]: move 2 has colour -1 and action 82 on a board of size 9"
    assert report.notes[1] == "b.npz[2]: winner is 82, not 1, 0 or -1"
    for wrong in ([0, 30, 60], [0, 30, 60, 89], [0, 30, 60, 75, 90], [[0, 30, 60, 90]]):
        np.savez(tmp_path / "c.npz", **(columns | {"offs": wrong}))  # pyright: ignore[reportArgumentType]
        (record,) = game_files.find(tmp_path / "c.npz")
        assert record.game is None and record.problem.startswith("c.npz: ")


def test_no_game_is_on_both_sides_of_the_split(tmp_path):
    """Nor its mirror images, nor a copy with other players and more passes at its end."""
    moves = [random_moves(seed, 12) for seed in range(200)]
    ends = ([], [PASS], [PASS, PASS])

    def copy(i: int) -> str:
        image = mirrored(moves[i], i % 8)
        return text(image + ends[i % 3 if image[-1] != PASS else 0], f"RE[W+{i}]BR[{i}]")

    first = write(tmp_path / "first.sgf", "".join(map(text, moves)))
    second = write(tmp_path / "second.sgf", "".join(map(copy, reversed(range(200)))))
    settings = Settings(GO, test_share=0.3)
    one, other = (games.clean(settings, [path]) for path in (first, second))
    assert one.is_test == other.is_test[::-1] and len(one.rows) == len(other.rows) == 200
    assert 30 <= sum(one.is_test) <= 90
    both = games.clean(settings, [second, first])
    assert contents(both) == contents(other)
    assert both.report.counts["first"] == {"duplicate": 200}
    sides = [set(games.clean(Settings(GO, test_share=share), [first]).is_test) for share in (0.0, 1.0)]
    assert sides == [{False}, {True}]


def test_built_twice_the_files_are_the_same_and_no_tensorflow_is_needed(tmp_path):
    for i in range(50):
        content = text(random_moves(i), f"RE[{'BW'[i % 2]}+{i}]RU[{'abc'[i % 3]}]")
        write(tmp_path / "games" / "xy"[i % 2] / f"{i}.sgf", content[:-9] if i == 20 else content)
    settings = Settings(GO, test_share=0.2)
    builders = [Games(settings, [tmp_path / "games"], data_dir=tmp_path / name) for name in "ab"]
    for builder in builders:
        builder.download_and_prepare()
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    assert sum("array_record" in path.name for path in first) == 2
    assert not any(module.partition(".")[0] == "tensorflow" for module in sys.modules)
    cleaned = games.clean(settings, [tmp_path / "games"])
    elsewhere = tfds.builder_from_directory(builders[0].data_dir)
    for split, wanted in (("train", False), ("test", True)):
        rows = [row for row, is_test in zip(cleaned.rows, cleaned.is_test, strict=True) if is_test == wanted]
        for got, expected in zip(games.read(source(elsewhere, split)), games.stack(rows), strict=True):
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == expected.dtype
    metadata: Any = elsewhere.info.metadata
    assert metadata["sources"] == ["games/x", "games/y"] and metadata["rules"] == ["a", "b", "c"]
    assert json.loads(metadata["report"])["total"] == {"kept": 49, "broken": 1}
    assert "total" in metadata["table"]
    write(tmp_path / "games" / "x" / "0.sgf", text(random_moves(99)))
    assert Games(settings, [tmp_path / "games"], data_dir=tmp_path / "a").data_dir != builders[0].data_dir


def test_nothing_to_build(tmp_path):
    builder = Games(SETTINGS, [write(tmp_path / "a.sgf", text([0]))], data_dir=tmp_path / "data")
    with pytest.raises(ValueError, match=r"no game is kept:\nsource\s+kept\s+short"):
        builder.download_and_prepare()


def test_positions_are_those_of_games_stepped_by_hand(tmp_path):
    roots = ["KM[2.5]RE[B+R]", "RE[W+1]", "RE[?]", "KM[3]RE[Draw]", "RE[Void]"]
    moves = [[*random_moves(i, 10 + 2 * i), PASS] for i in range(5)]
    write(tmp_path / "a.sgf", "".join(map(text, moves, roots)))
    rows = games.stack(games.clean(Settings(GO, results=tuple(How)), [tmp_path / "a.sgf"]).rows)
    places = [(i, number) for i, game in enumerate(moves) for number in range(len(game))]
    index, number = (np.array(column) for column in zip(*places, strict=True))
    seen = jax.device_get(jax.jit(games.positions, static_argnums=0)(GO, rows, index, number))
    look_and_step = jax.jit(lambda state, action: (GO.observe(state), GO.legal_actions(state), GO.step(state, action)))
    at = itertools.count()
    for game, komi, winner, is_known in zip(
        moves, [2.5, 0.5, 0.5, 3, 0.5], [1, -1, 0, 0, 0], [1, 1, 0, 1, 0], strict=True
    ):
        state = GO.init(komi=komi)
        for number, action in enumerate(game):
            i, to_play = next(at), (-1) ** number
            observation, legal, state = look_and_step(state, action)
            np.testing.assert_array_equal(seen.observation[i], observation)
            np.testing.assert_array_equal(seen.legal[i], legal)
            stones = seen.observation[i, :, :, 1] - seen.observation[i, :, :, 2]
            np.testing.assert_array_equal(stones * to_play, board_after(game[:number]))
            assert (seen.action[i], seen.value[i], seen.is_known[i]) == (action, winner * to_play, is_known)


def test_every_move_is_drawn_as_often_as_any_other():
    rows = games.Rows(np.zeros((3, 4), np.int16), np.array([1, 4, 2], np.int32), *[None] * 8)
    index, number = jax.jit(games.draw, static_argnums=2)(rows, jax.random.key(0), 7000)
    counts = collections.Counter(zip(index.tolist(), number.tolist(), strict=True))
    assert sorted(counts) == [(0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)]
    assert all(850 < count < 1150 for count in counts.values())  # 1000 expected; 5 standard deviations


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"min_moves": 0}, "min_moves must be"),
        ({"sources": "human"}, "sources must be"),
        ({"ratings": (2000, 1000)}, "ratings must be"),
        ({"results": ()}, "results must be"),
        ({"results": ("score",)}, "results must be"),
        ({"illegal": "keep"}, "illegal must be"),
        ({"test_share": 2}, "test_share must be"),
    ],
)
def test_bad_settings(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(GO, **wrong)


def test_bad_paths(tmp_path):
    with pytest.raises(ValueError, match="there is no"):
        game_files.find(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"\.tgz \.sgf"):
        game_files.find(write(tmp_path / "a.txt", ""))
    with pytest.raises(ValueError, match="at least one path"):
        Games(SETTINGS, [], data_dir=tmp_path)
    with pytest.raises(ValueError, match="room for 3 moves"):
        games.stack([games.Rows(np.zeros(4, np.int16), *[np.int32(4)] * 9)], room=3)


@pytest.mark.slow
def test_real_games():
    paths = [FOLDER / f"{name}.sgf" for name in ("human", "engine", "professional", "selfplay")]
    if not all(path.exists() for path in paths):
        pytest.skip(f"there are no records in {FOLDER}; GO9X9_GAMES may name another folder")
    go = Go(9)
    cleaned = games.clean(Settings(go), paths)
    print("\n" + cleaned.report.table())
    total = cleaned.report.total
    assert total["illegal"] == 14 and total["broken"] == 0  # those of test_go_real_games that repeat a position
    assert total.total() == 9258 and total["kept"] == len(cleaned.rows)
    rows = games.stack(cleaned.rows)
    index, number = games.draw(rows, jax.random.key(0), 512)
    seen = jax.device_get(
        jax.jit(games.positions, static_argnums=0)(go, jax.tree.map(jnp.asarray, rows), index, number)
    )
    assert np.take_along_axis(seen.legal, seen.action[:, None], axis=1).all()
    for i, (row, before) in enumerate(zip(index.tolist(), number.tolist(), strict=True)):
        stones = (seen.observation[i, :, :, 1] - seen.observation[i, :, :, 2]) * (-1) ** before
        np.testing.assert_array_equal(stones, board_after(rows.moves[row, :before].tolist(), 9))


@pytest.mark.slow
def test_packed_real_games(tmp_path):
    """Illegal are the games that, by another engine's word, repeat a position, if not behind two passes."""
    if not (FOLDER / "ogs.npz").exists():
        pytest.skip(f"there is no {FOLDER / 'ogs.npz'}; GO9X9_GAMES may name another folder")
    with np.load(FOLDER / "ogs.npz") as file:
        columns: dict[str, Any] = {name: file[name][:20_000] for name in file.files if name not in ("moves", "offs")}
        offsets = columns["offs"] = file["offs"][:20_001]
        moves = columns["moves"] = file["moves"][: offsets[-1]]
    np.savez(tmp_path / "part.npz", **columns)
    report = games.clean(Settings(Go(9), results=tuple(How), min_moves=1), [tmp_path / "part.npz"]).report
    print("\n" + report.table())
    illegal = {int(note[len("part.npz[") :].partition("]")[0]) for note in report.notes if "illegal" in note}
    repeats = set(np.flatnonzero(columns["psk"]).tolist())
    assert illegal and illegal <= repeats
    for number in repeats - illegal:
        is_pass = moves[offsets[number] : offsets[number + 1]] == 81
        assert (is_pass[:-2] & is_pass[1:-1]).any()


def test_prepare_reads_both_splits_and_says_where_one_is_empty(tmp_path, capsys):
    folder = tmp_path / "games"
    folder.mkdir()
    for seed in range(40):
        game = sgf.from_actions(random_moves(seed), 5, komi=0.5, result="B+1")
        (folder / f"{seed}.sgf").write_text(sgf.write(game))
    settings = Settings(GO, min_moves=4, test_share=0.3)
    prepared = games.prepare(settings, [folder], tmp_path / "data")
    assert len(prepared.train.length) + len(prepared.test.length) == 40 and len(prepared.test.length) > 0
    assert "total" in prepared.table
    assert re.fullmatch(r"reading game records .*, kept in .*5x5-.*\n", capsys.readouterr().out)
    again = games.prepare(settings, [folder], tmp_path / "data")
    jax.tree.map(np.testing.assert_array_equal, prepared[:2], again[:2])
    assert not capsys.readouterr().out
    with pytest.raises(ValueError, match="40 games are too few: all of them fell into the split train"):
        games.prepare(Settings(GO, min_moves=4, test_share=0.0), [folder], tmp_path / "data")
