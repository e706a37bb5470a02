"""SGF is read as sgfmill reads it, written so that both read it back, and refused with a reason when broken."""

import dataclasses
import pathlib
import pickle
import time

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sgfmill import boards, sgf_grammar
from sgfmill import sgf as sgfmill

from go_env import Go, sgf, sgf_syntax

RECORDS = pathlib.Path(__file__).parents[2] / "shared" / "data" / "go9x9"

HAND_WRITTEN = {
    "captures and a ko": "(;FF[4]GM[1]SZ[5]KM[6.5]RU[Chinese]RE[W+2.5]"
    ";B[ba];W[ca];B[ab];W[db];B[bc];W[cc];B[ee];W[bb];B[cb];W[ea];B[de];W[bb];B[ad];W[aa];B[];W[ac];B[be])",
    "handicap": "(;FF[4]GM[1]SZ[9]HA[4]KM[0.5]AB[gc][cg][gg][cc]PL[W];W[ee];B[ed];W[de];B[dd];W[fe];B[])",
    "rectangles of setup stones": "(;SZ[5]AB[aa:ca][ac]AW[db:ed];B[ae];W[cc];B[be])",
    "setup over several nodes": "(;SZ[9];AB[aa][bb][ii];AE[bb]AW[cc];PL[B];B[dd];W[ee])",
    "capture in a corner": "(;SZ[9]AB[aa]AW[ba]PL[W];W[ab];B[bb];W[tt];B[ca])",
    "both ways to pass": "(;SZ[9];B[ee];W[];B[tt];W[ef])",
    "size 19 by default": "(;GM[1];B[pd];W[dp];B[tt];W[ss];B[aa])",
    "other capitals": "(;GaMe[1]SiZe[7]KoMi[5.5]AddBlack[aa];White[bb];Black[cc])",
    "white space everywhere": " ( ;\nSZ [9]\r\n KM\t[ 7 ] ; B\n[ee] ; W [dd]\n ) \n",
    "first variations": "(;SZ[9];B[aa](;W[bb](;B[cc];W[dd])(;B[ee]))(;W[ff];B[gg]))",
    "nothing but a root": "(;)",
    "empty nodes": "(;;;B[aa];;W[bb];)",
    "comments and markup": "(;SZ[9]C[a \\] (; B[aa\\]]TR[aa]XY[1][2];B[cc]C[\\\\];W[dd]LB[aa:1]MN[7]V[x]N[\\:])",
    "players twice in a row": "(;SZ[9];B[aa];B[bb];W[cc];W[];B[dd])",
    "the smallest board": "(;SZ[2];B[aa];W[bb];B[ab];W[tt])",
}


def by_sgfmill(game: sgfmill.Sgf_game) -> tuple:
    """Size, komi, board before the first move `[size, size]`, moves, and the final board, all by sgfmill."""
    size = game.get_size()
    board = boards.Board(size)
    setup, moves = None, []
    for node in game.main_sequence_iter():
        board.apply_setup(*node.get_setup_stones())
        colour, point = node.get_move()
        if colour:
            setup = as_array(board) if setup is None else setup
            action = size**2 if point is None else (size - 1 - point[0]) * size + point[1]
            moves.append((1 if colour == "b" else -1, action))
            if point is not None and board.get(*point) is None:
                board.play(*point, colour)
    setup = as_array(board) if setup is None else setup
    return size, game.get_komi(), setup.tolist(), moves, as_array(board).tolist()


def as_array(board: boards.Board) -> np.ndarray:
    colours = {None: 0, "b": 1, "w": -1}
    return np.array([[colours[c] for c in row] for row in reversed(board.board)], np.int8)


def check_same(game: sgf.Game, theirs: sgfmill.Sgf_game):
    size, komi, setup, moves, _ = by_sgfmill(theirs)
    assert game.size == size
    assert (game.komi or 0.0) == komi
    assert sgf.stones(game).tolist() == setup
    assert list(game.moves) == moves


@pytest.mark.parametrize("text", HAND_WRITTEN.values(), ids=HAND_WRITTEN)
def test_hand_written_games_read_as_by_sgfmill(text):
    (game,) = sgf.read(text)
    check_same(game, sgfmill.Sgf_game.from_string(text))
    check_same(game, sgfmill.Sgf_game.from_string(sgf.write(game)))
    assert sgf.read(sgf.write(game)) == [game]


@pytest.mark.parametrize(
    "name",
    [
        "captures and a ko",
        "handicap",
        "rectangles of setup stones",
        "setup over several nodes",
        "capture in a corner",
    ],
)
def test_replay_on_go_ends_on_the_board_of_sgfmill(name):
    game = sgf.with_passes(sgf.read(HAND_WRITTEN[name])[0])
    go = Go(game.size, ko="simple")
    start = go.from_stones(sgf.stones(game), game.to_play, game.komi)
    end = replay(go, start, np.pad(sgf.actions(game), (0, 30 - len(game.moves)), constant_values=go.pass_action))
    assert go.stones(end).tolist() == by_sgfmill(sgfmill.Sgf_game.from_string(HAND_WRITTEN[name]))[-1]
    assert float(end.komi) == (7.0 if game.komi is None else game.komi)


@jax.jit(static_argnums=0)
def replay(go, state, actions):
    return jax.lax.scan(lambda s, a: (go.step(s, a), None), state, actions)[0]


def lines(every: int):
    """Every so many lines of the real records, as (name, line)."""
    if not RECORDS.exists():
        pytest.skip(f"the game records are not at {RECORDS}")
    for path in sorted(RECORDS.glob("*.sgf")):
        for number, line in enumerate(path.read_text().splitlines()[::every]):
            yield f"{path.name}[{number * every}]", line


def check_real_games(every: int):
    names = set()
    for name, line in lines(every):
        (game,) = sgf.read(line, name)
        theirs = sgfmill.Sgf_game.from_string(line)
        check_same(game, theirs)
        assert sgf.read(sgf.write(game), name) == [game]
        assert {1: "b", -1: "w"}.get(sgf.outcome(game).winner or 0) == theirs.get_winner(), name
        assert sgf.outcome(game).how in ("score", "resign"), name
        assert len(sgf.actions(game)) == len(game.moves), name
        assert game.info["SO"] == name.split(".")[0]
        names.add(name)
    return len(names)


def test_hundreds_of_real_games_read_as_by_sgfmill():
    assert check_real_games(every=30) > 300


@pytest.mark.slow
def test_all_real_games_read_as_by_sgfmill():
    assert check_real_games(every=1) == 9258


def test_a_collection_has_its_games_in_order():
    texts = [text for text in HAND_WRITTEN.values()]
    games = sgf.read("From: somebody (me)\n\n" + "\n and then \n".join(texts) + "\n(bye)")
    assert games == [sgf.read(text)[0] for text in texts]
    assert sgf.read("".join(map(sgf.write, games))) == games


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\v\f"), max_size=8)


@st.composite
def games(draw) -> sgf.Game:
    size = draw(st.integers(2, 19))
    action = st.integers(0, size**2)
    stones = draw(st.dictionaries(st.integers(0, size**2 - 1), st.sampled_from([1, -1]), max_size=size // 2))
    if size < 4:  # as few as two stones may take each other's liberties here
        stones = {}
    moves = draw(st.lists(st.builds(sgf.Move, st.sampled_from([1, -1]), action), max_size=8))
    return sgf.Game(
        size=size,
        moves=tuple(moves),
        komi=draw(st.none() | st.integers(-20, 20).map(lambda n: n / 2) | st.floats(-1e4, 1e4)),
        rules=draw(TEXTS),
        result=draw(TEXTS | st.sampled_from(["B+R", "0", "W+3.5"])),
        handicap=draw(st.integers(0, 9).filter(lambda n: n <= size**2)),
        black_stones=tuple(p for p, colour in stones.items() if colour == 1),
        white_stones=tuple(p for p, colour in stones.items() if colour == -1),
        to_play=moves[0].colour if moves else draw(st.sampled_from([1, -1])),
        info=draw(st.dictionaries(st.sampled_from(sorted(sgf.INFO)), TEXTS, max_size=3)),
    )


def has_liberties(game: sgf.Game) -> bool:
    size, board = game.size, boards.Board(game.size)
    black, white = ([divmod(p, size) for p in stones] for stones in (game.black_stones, game.white_stones))
    return board.apply_setup(black, white, [])


@settings(max_examples=300, deadline=None)
@given(games().filter(has_liberties))
def test_what_we_write_reads_back_the_same_here_and_in_sgfmill(game):
    text = sgf.write(game)
    assert text.endswith(")\n") and text.count("\n") == 1
    assert sgf.read(text) == [game]
    assert sgf.read(text.encode()) == [game]
    theirs = sgfmill.Sgf_game.from_bytes(text.encode())
    size, komi, setup, moves, _ = by_sgfmill(theirs)
    assert (size, setup, moves) == (game.size, sgf.stones(game).tolist(), list(game.moves))
    assert komi == pytest.approx(game.komi or 0.0, abs=1e-4)  # sgfmill writes smaller numbers as 0
    for identifier, value in game.info.items():
        if identifier not in ("AP", "TM"):  # not plain texts to sgfmill
            assert theirs.get_root().get(identifier) == value


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_sgfmill_writes_reads_back_the_same(data):
    """Trees of variations included."""
    size = data.draw(st.integers(2, 19))
    theirs = sgfmill.Sgf_game(size, "UTF-8")
    theirs.get_root().set("KM", data.draw(st.integers(-10, 20)) / 2)
    theirs.get_root().set("PB", data.draw(TEXTS))
    nodes = [theirs.get_root()]
    for _ in range(data.draw(st.integers(0, 12))):
        node = data.draw(st.sampled_from(nodes)).new_child()
        row, column = data.draw(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)))
        node.set_move(data.draw(st.sampled_from("bw")), data.draw(st.sampled_from([None, (row, column)])))
        if data.draw(st.booleans()):
            node.add_comment_text(data.draw(TEXTS))
        nodes.append(node)
    (game,) = sgf.read(theirs.serialise(wrap=data.draw(st.sampled_from([None, 20, 79]))))
    check_same(game, theirs)
    assert game.info["PB"] == theirs.get_player_name("b")


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("ab\\\\\\]:;\n\r\t\v é"), max_size=12))
def test_texts_are_unescaped_as_by_sgfmill(raw):
    if sgf_grammar.is_valid_property_value(raw.encode()):
        assert sgf_syntax.simple_text(raw) == sgf_grammar.simpletext_value(raw.encode()).decode()
    assert sgf_grammar.is_valid_property_value(sgf_syntax.escape(raw).encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B+3.5", (1, 3.5, "score")),
        ("W+12", (-1, 12.0, "score")),
        ("w + 0,5", (-1, 0.5, "score")),
        ("B+R", (1, None, "resign")),
        ("W+Resign", (-1, None, "resign")),
        ("B+T", (1, None, "time")),
        ("W+Time", (-1, None, "time")),
        ("B+F", (1, None, "forfeit")),
        ("W+Forfeit", (-1, None, "forfeit")),
        ("0", (0, 0.0, "score")),
        ("Draw", (0, 0.0, "score")),
        ("Jigo", (0, 0.0, "score")),
        ("Void", (None, None, "void")),
        ("?", (None, None, "unknown")),
        ("", (None, None, "unknown")),
        ("B+", (1, None, "unknown")),
        ("W+illegal", (-1, None, "unknown")),
        ("B+1e3", (1, None, "unknown")),
        ("B+٣", (1, None, "unknown")),
        ("Black wins", (None, None, "unknown")),
    ],
)
def test_results(text, expected):
    result = sgf.parse_result(text)
    assert result == expected
    assert sgf.parse_result(str(result)) == result
    assert sgf.outcome(sgf.Game(9, result=text)) == result


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("(;SZ[9:9])", {"size": 9}),
        ("(;SZ[ 13 ]KM[6,5])", {"size": 13, "komi": 6.5}),
        ("(;KM[]HA[]RE[]GM[])", {"komi": None, "handicap": 0, "result": ""}),
        ("(;KM[-.5]HA[ 9 ])", {"komi": -0.5, "handicap": 9}),
        ("(;SZ[9]SZ[9]KM[7][7])", {"size": 9, "komi": 7.0}),
        ("(;SZ[9]AB[aa]AB[bb];B[ cc ])", {"black_stones": (0, 10), "to_play": 1}),
        ("(;SZ[9]AB[]AE[bb])", {"black_stones": ()}),
        ("(;SZ[9]AB[aa])", {"to_play": -1}),
        ("(;SZ[9]AB[aa]PL[b])", {"to_play": 1}),
        ("(;SZ[9]AB[aa]AW[bb])", {"to_play": 1}),
        ("(;SZ[9]PL[White])", {"to_play": -1}),
        ("(;SZ[9]PL[W];B[aa];PL[?])", {"to_play": 1}),
        ("(;PB[a\\]\\\\b\\\nc\nd]C[x]XX[y]DT[2020-01-02])", {"info": {"PB": "a]\\bc d", "DT": "2020-01-02"}}),
        ("(;SZ[9];B[aa](;W[bb])(;W[zz];AB[??]))", {"moves": ((1, 0), (-1, 10))}),
        ("\ufeff(;SZ[9]))) \x1a\0 )", {"size": 9}),
    ],
)
def test_what_is_read_beyond_the_letter(text, fields):
    (game,) = sgf.read(text)
    assert {name: getattr(game, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, 1, "no game"),
        ("hello", 1, 1, "no game"),
        ("(", 1, 1, "no game"),
        ("(;B[aa]", 1, 8, "1 ')' missing"),
        ("(;B[aa](;W[bb]", 1, 15, "2 ')' missing"),
        ("(;SZ[9]\n;B[aa", 2, 3, "has no end"),
        ("(;SZ[9]\n;B[aa\\])", 2, 3, "has no end"),
        ("(;SZ[9]\n;B)", 2, 3, "without a value"),
        ("(;SZ[9]\n;[aa])", 2, 3, "without a property"),
        ("(;SZ[9];B[aa]\n |)", 2, 2, "'|' cannot stand"),
        ("(;SZ[9];B1[aa])", 1, 10, "without a value"),
        ("(;B[aa](W[bb]))", 1, 9, "property 'W' cannot stand after '('"),
        ("(;B[aa](;W[bb]);B[cc])", 1, 16, "';' cannot stand after ')'"),
        ("(;B[aa](;W[bb])B[cc])", 1, 16, "'B' cannot stand after ')'"),
        ("(;B[aa]())", 1, 9, "')' cannot stand after '('"),
        ("(;B[aa]((;W[bb])))", 1, 9, "'(' cannot stand after '('"),
        ("(;" * 10_001 + ")" * 10_001, 1, 20_001, "more than 10000 variations"),
        ("(;b[aa])", 1, 3, "'b' is not the name"),
        ("(;" + 70 * "A" + "[])", 1, 3, "is not the name"),
        ("(;B[aa]);W[bb])", 1, 9, "outside of any game"),
        (";SZ[9])(;SZ[9])", 1, 1, "outside of any game"),
        ("(;GM[2])", 1, 6, "another game"),
        ("(;GM[x])", 1, 6, "not a number"),
        ("(;SZ[9:13])", 1, 6, "square"),
        ("(;SZ[20])", 1, 6, "2 to 19"),
        ("(;SZ[1])", 1, 6, "2 to 19"),
        ("(;SZ[])", 1, 6, "not a size"),
        ("(;SZ[nine])", 1, 6, "not a size"),
        ("(;SZ[9]SZ[13])", 1, 11, "two values"),
        ("(;KM[6\n5])", 1, 6, "not a komi"),
        ("(;KM[nan])", 1, 6, "not a komi"),
        ("(;KM[1e3])", 1, 6, "not a komi"),
        ("(;KM[10001])", 1, 6, "not a komi"),
        ("(;HA[-1])", 1, 6, "not a number"),
        ("(;SZ[2]HA[5])", 1, 2, "handicap"),
        ("(;PL[red])", 1, 6, "not a player"),
        ("(;SZ[9];B[jj])", 1, 11, "'jj' is not a point"),
        ("(;SZ[9];B[AA])", 1, 11, "'AA' is not a point"),
        ("(;SZ[9];B[a])", 1, 11, "'a' is not a point"),
        ("(;SZ[9];B[aa][bb])", 1, 15, "two values"),
        ("(;SZ[9];B[aa]W[bb])", 1, 16, "two moves"),
        ("(;SZ[9]AB[tt])", 1, 11, "not a point"),
        ("(;SZ[9]AB[])" + "(;SZ[9]AB[][aa])", 1, 23, "not a point"),
        ("(;SZ[9]AB[aa:])" + "(;SZ[9]AB[cc:aa])", 1, 26, "no rectangle"),
        ("(;SZ[9]AB[aa]AW[aa])", 1, 2, "twice"),
        ("(;SZ[9]AB[aa]AW[ab][ba])", 1, 2, "without liberties"),
        ("(;SZ[9]AB[aa:ii])", 1, 2, "without liberties"),
        ("(;SZ[9]AB[aa]B[bb])", 1, 11, "beside or after a move"),
        ("(;SZ[9];B[aa];AW[bb])", 1, 18, "beside or after a move"),
        ("(;SZ[9];B[aa];AE[aa])", 1, 18, "beside or after a move"),
    ],
)
def test_broken_texts_are_refused_with_position_and_reason(text, line, column, reason):
    with pytest.raises(sgf.SgfError) as caught:
        sgf.read(text, "some.sgf")
    error = caught.value
    assert (error.name, error.line, error.column) == ("some.sgf", line, column)
    assert reason in error.reason
    assert str(error) == f"some.sgf:{line}:{column}: {error.reason}"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # it must survive a process pool
    check_refused_or_read(text)


def test_files_are_named_in_errors_and_limited_in_length(tmp_path):
    path = tmp_path / "game.sgf"
    path.write_text("(;SZ[9];B[ee])")
    assert sgf.read_file(path) == [sgf.from_actions([40], 9)]
    with pytest.raises(sgf.SgfError, match="longer than 10 bytes"):
        sgf.read_file(path, max_bytes=10)
    path.write_text("(;SZ[9]\n;B[zz])")
    with pytest.raises(sgf.SgfError) as caught:
        sgf.read_file(path)
    assert str(caught.value) == f"{path}:2:4: 'zz' is not a point of a board of size 9"


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("ISO-8859-1", "latin-1"),
        ("Windows-1252", "cp1252"),
        ("Shift_JIS", "cp932"),
        ("EUC-JP", "euc_jp"),
        ("GB2312", "gbk"),
        ("Big5", "big5"),
        ("EUC-KR", "cp949"),
        ("KOI8-R", "koi8-r"),
    ],
)
def test_charsets(charset, codec):
    names = {"latin-1": "José", "utf-8": "Ōta 囲碁", "cp1252": "Zoë “€”", "koi8-r": "Шикшин", "cp949": "이창호"}
    name = names.get(codec, "本因坊表能" if codec != "gbk" else "吴清源")  # 表, 能 end with ] and \ in Shift_JIS, Big5
    data = f"(;CA[{charset}]SZ[9]PB[{name}];B[ee])".encode(codec)
    (game,) = sgf.read(data)
    assert game.info["PB"] == name and game.moves == ((1, 40),)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"(;PB[Jos\xe9])", "José"),
        ("(;PB[José])".encode(), "José"),
        (b"\xef\xbb\xbf" + "(;PB[José])".encode(), "José"),
        (b"(;CA[zip]PB[Jos\xe9])", "José"),
        (b"(;CA[unicode_escape]PB[\\u0041])", "u0041"),
        (b"(;CA[UTF-8]PB[Jos\xe9])", "Jos\ufffd"),
        (b"(;CA[" + 100 * b"x" + b"]PB[\xff])", "ÿ"),
    ],
)
def test_without_a_known_charset_names_are_utf_8_or_latin_1(data, name):
    assert sgf.read(data)[0].info["PB"] == name


def test_games_of_played_actions():
    stones = np.zeros((9, 9), np.int8)
    stones[2, 2], stones[6, 6] = 1, -1
    actions = np.array([40, 81, 0], np.int32)
    game = sgf.from_actions(actions, 9, stones, to_play=-1, komi=np.float32(6.5), result="W+2.5", info={"PB": "net 12"})
    assert game.moves == ((-1, 40), (1, 81), (-1, 0))
    assert sgf.actions(game).tolist() == actions.tolist() and sgf.actions(game).dtype == np.int32
    assert sgf.stones(game).tolist() == stones.tolist()
    assert sgf.write(game) == (
        "(;FF[4]GM[1]CA[UTF-8]SZ[9]KM[6.5]RE[W+2.5]PB[net 12]AB[cc]AW[gg]PL[W];W[ee];B[];W[aa])\n"
    )
    assert sgf.read(sgf.write(game)) == [game]


def test_moves_out_of_turn_are_kept_and_can_be_filled_with_passes():
    game = sgf.read(HAND_WRITTEN["players twice in a row"])[0]
    with pytest.raises(ValueError, match="move 2 is B's"):
        sgf.actions(game)
    filled = sgf.with_passes(game)
    assert filled.moves == ((1, 0), (-1, 81), (1, 10), (-1, 20), (1, 81), (-1, 81), (1, 30))
    assert sgf.actions(filled).tolist() == [move.action for move in filled.moves]
    assert sgf.with_passes(filled) == filled


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 1},
        {"size": 20},
        {"komi": float("nan")},
        {"handicap": -1},
        {"moves": ((1, 82),)},
        {"moves": ((0, 1),)},
        {"moves": ((1, -1),)},
        {"moves": ((1, 1),), "to_play": -1},
        {"to_play": 2},
        {"black_stones": (81,)},
        {"black_stones": (-1,)},
        {"black_stones": (3,), "white_stones": (3,)},
        {"black_stones": (0,), "white_stones": (1, 9)},
        {"info": {"C": "a comment"}},
    ],
)
def test_games_that_contradict_themselves_are_refused(fields):
    with pytest.raises(ValueError):
        sgf.Game(**{"size": 9, **fields})


def test_games_are_values():
    game = sgf.read(HAND_WRITTEN["handicap"])[0]
    assert {game: 1}[sgf.read(HAND_WRITTEN["handicap"])[0]] == 1
    assert dataclasses.replace(game, komi=5.5) != game
    assert pickle.loads(pickle.dumps(game)) == game


def check_refused_or_read(text: str | bytes):
    """The promise to keep on any input; and what is read, sgfmill reads as the same number of games and moves."""
    try:
        read = sgf.read(text, "fuzz")
    except sgf.SgfError as error:
        num_lines = text.count("\n" if isinstance(text, str) else b"\n") + 1
        assert 1 <= error.line <= num_lines and 1 <= error.column <= len(text) + 1
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 200 and str(error).isprintable()
        return
    trees = sgf_grammar.parse_sgf_collection(text.encode() if isinstance(text, str) else text)
    main_lines = [list(sgf_grammar.main_sequence_iter(tree)) for tree in trees]
    assert [len(game.moves) for game in read] == [sum("B" in n or "W" in n for n in nodes) for nodes in main_lines]
    assert sgf.read("".join(map(sgf.write, read))) == read


PIECES = [
    *"();[]:\\\"'|?,.-+0123456789abciszABWCEKMSZtT \n\r\t\0é囲",
    *("(;", ")(", ";B[aa]", ";W[]", "W[tt]", "AB[aa:cc]", "AW[bb]", "AE[ss]", "SZ[9]", "SZ[19:19]", "KM[6,5]", "HA[2]"),
    *("PL[W]", "C[\\]]", "XY[1][2]", "RE[B+R]", "GM[1]"),
]
EDITS = st.lists(st.tuples(st.integers(0, 999), st.sampled_from([0, 0, 1, 2, 9]), st.sampled_from(PIECES)), max_size=3)
FUZZ = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """With, at each place given in thousandths, so many characters replaced by a piece."""
    for place, num_dropped, piece in edits:
        at = place * len(text) // 1000
        text = text[:at] + piece + text[at + num_dropped :]
    return text


@pytest.fixture(scope="module")
def originals() -> list[str]:
    real = [line for _, line in lines(every=200)] if RECORDS.exists() else []
    return [*HAND_WRITTEN.values(), *(line[:200] + ")" for line in real if line[199] == "]")]


@settings(max_examples=700, **FUZZ)
@given(st.lists(st.tuples(st.integers(0, 10**6), EDITS), min_size=10, max_size=10))
def test_7000_games_with_errors_never_crash(originals, cases):
    for which, edits in cases:
        check_refused_or_read(edited(originals[which % len(originals)], edits))


@settings(max_examples=300, **FUZZ)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12), min_size=10, max_size=10))
def test_3000_heaps_of_pieces_never_crash(cases):
    for pieces in cases:
        check_refused_or_read("".join(pieces))
        check_refused_or_read("(;" + "".join(pieces) + ")")


@settings(max_examples=100, **FUZZ)
@given(st.lists(st.binary(max_size=40), min_size=10, max_size=10))
def test_1000_strings_of_bytes_never_crash(cases):
    for data in cases:
        for text in (data, b"(;" + data + b")", b"(;PB[" + data + b"]CA[gbk];B[aa])"):
            try:
                assert sgf.read(text)
            except sgf.SgfError as error:
                assert str(error).isprintable()


@pytest.mark.slow
@settings(max_examples=10_000, **FUZZ)
@given(st.lists(st.tuples(st.integers(0, 10**6), EDITS), min_size=10, max_size=10))
def test_100000_games_with_errors_never_crash(originals, cases):
    for which, edits in cases:
        check_refused_or_read(edited(originals[which % len(originals)], edits))


LARGE = {
    "parentheses": "(" * 10**5,
    "parentheses apart": "( " * 10**5,
    "closing parentheses": "(;" + ")" * 10**5,
    "games inside games": "(;" * 10**5,
    "games after games": "(;)" * 10**4,
    "variations": "(;" + "(;)" * 10**5 + ")",
    "nodes": "(" + ";" * 2 * 10**5 + ")",
    "semicolons": ";a" * 10**5,
    "semicolons apart": "; " * 10**5,
    "a value": "(;C[" + "x" * 10**6 + "])",
    "an open value": "(;C[" + "x" * 10**6,
    "escapes": "(;C[" + "\\]" * 10**6 + "])",
    "open escapes": "(;C[" + "\\]" * 10**6,
    "a player": "(;PB[" + "\\\n" * 10**5 + "])",
    "values": "(;C" + "[x]" * 10**5 + ")",
    "open values": "(;C" + "[" * 10**5 + ")",
    "a name": "(;" + "A" * 10**6 + "[x])",
    "names": "(;" + "A[]" * 10**5 + ")",
    "a komi": "(;KM[" + "9" * 10**6 + "])",
    "a long small komi": "(;KM[0." + "9" * 10**5 + "])",
    "a size": "(;SZ[" + "9" * 10**6 + "])",
    "a handicap": "(;HA[" + " " * 10**6 + "x])",
    "a result": "(;RE[B+" + "9" * 10**6 + "])",
    "a charset": b"(;" + b"CA[" * 10**5 + b"])",
    "rectangles": "(;AE" + "[aa:ss]" * 10**5 + ")",
    "nodes of rectangles": "(" + ";AE[aa:ss]" * 10**4 + ")",
    "lines": "\n" * 10**6 + "(;B[zz])",
    "moves": "(;" + ";B[aa];W[bb]" * 10**4 + ")",
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_large_texts_take_no_more_than_their_length_in_time(text):
    began = time.perf_counter()
    try:
        for game in sgf.read(text, "large"):
            sgf.outcome(game)
    except sgf.SgfError as error:
        assert len(str(error)) < 200
    assert time.perf_counter() - began < 10  # these take less than a second, and hours were time quadratic
