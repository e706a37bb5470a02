"""A GTP session answers as the specification, GNU Go, Sabaki and Lizzie expect, whatever it is sent."""

import os
import re
import threading
import tracemalloc

import jax
import numpy as np
import pytest
import quick
from gtp_brains import Scripted, random_brain
from hypothesis import example, given, settings
from hypothesis import strategies as st

from go_env import Go, text
from go_env.gtp import COMMANDS, EFFORTS, Session, serve
from go_env.gtp_client import Client, CommandFailedError, EngineError, gnugo

SMALL = Go(5, komi=0.5)
PASS = SMALL.pass_action


def small(size: int) -> Go:
    """One set of rules for all tests, so that they share compiled functions."""
    return Go(size, komi=0.5)


@pytest.fixture
def session() -> Session:
    return Session(random_brain(), small, size=5, komi=0.5, name="tester", version="1.2")


def ask(session: Session, *lines: str) -> str:
    """The last answer."""
    answers = ["".join(session.reply(line)) for line in lines]
    return answers[-1]


def says(session: Session, *lines: str) -> str:
    """The text of the last answer, which must be a success."""
    answer = ask(session, *lines)
    assert answer.startswith("=") and answer.endswith("\n\n"), answer
    return answer[1:].strip()


def setup(session: Session, *moves: str) -> None:
    """Moves of Black and White in turn."""
    for i, move in enumerate(moves):
        says(session, f"play {'bw'[i % 2]} {move}")


def board(session: Session) -> str:
    return "\n".join(line[3:] for line in ask(session, "showboard").splitlines() if re.match(r" *\d+ ", line))


def actions(*vertices: str) -> list[int]:
    return [text.action(vertex, 5) for vertex in vertices]


WELL_FORMED = {
    "protocol_version": "",
    "name": "",
    "version": "",
    "known_command": "x",
    "list_commands": "",
    "quit": "",
    "boardsize": "5",
    "clear_board": "",
    "komi": "-3.25",
    "fixed_handicap": "2",
    "place_free_handicap": "20",
    "set_free_handicap": "C3 D4",
    "play": "WHITE c3",
    "genmove": "b",
    "reg_genmove": "Black",
    "kgs-genmove_cleanup": "w",
    "undo": "",
    "final_score": "",
    "final_status_list": "dead",
    "showboard": "",
    "time_settings": "0 5 1",
    "time_left": "b -1 0",
    "lz-analyze": "b 10 minmoves 2",
    "lz-genmove_analyze": "",
    "kata-analyze": "interval 5 ownership true",
    "kata-genmove_analyze": "w",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_works_is_listed_and_is_strict_about_arguments(name):
    session = Session(random_brain(), small, size=7 if "handicap" in name else 5)
    if name == "undo":
        says(session, "play b c3")
    says(session, f"{name} {WELL_FORMED[name]}")
    assert says(session, f"known_command {name}") == "true"
    assert ask(session, f"{name} {WELL_FORMED[name]} {'x ' * 6}") == "? syntax error\n\n"
    assert name in says(session, "list_commands").split("\n")


def test_unknown_commands_are_unknown(session):
    assert ask(session, "7 explode C3") == "?7 unknown command\n\n"
    assert ask(session, "PLAY b c3") == "? unknown command\n\n"
    assert ask(session, "12") == "?12 unknown command\n\n"
    assert says(session, "known_command explode") == "false"


def test_who_it_is(session):
    assert [says(session, line) for line in ("protocol_version", "name", "version")] == ["2", "tester", "1.2"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("protocol_version", "= 2\n\n"),
        ("1 protocol_version", "=1 2\n\n"),
        ("007 protocol_version\r", "=007 2\n\n"),
        ("9999999999999999999999 clear_board", "=9999999999999999999999\n\n"),
        ("  \t 5\tknown_command  play\t", "=5 true\n\n"),
        ("8 proto\x00col_\x07version\x7f", "=8 2\n\n"),
        ("3 protocol_version # with a remark # and more", "=3 2\n\n"),
        ("3 protocol_version#", "=3 2\n\n"),
        ("-3 protocol_version", "? unknown command\n\n"),
        ("", ""),
        ("\r", ""),
        (" \t ", ""),
        ("# 1 quit", ""),
        ("\x01", ""),
    ],
)
def test_ids_white_space_control_characters_and_comments(session, line, answer):
    assert ask(session, line) == answer


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("boardsize 1", "unacceptable size"),
        ("boardsize 20", "unacceptable size"),
        ("boardsize -5", "unacceptable size"),
        ("boardsize 9.0", "syntax error"),
        ("boardsize", "syntax error"),
        ("boardsize 9 9", "syntax error"),
        ("boardsize " + "9" * 5000, "syntax error"),
        ("komi", "syntax error"),
        ("komi seven", "syntax error"),
        ("komi nan", "syntax error"),
        ("komi inf", "syntax error"),
        ("komi 1e999", "syntax error"),
        ("komi 1_000", "syntax error"),
        ("komi ٣", "syntax error"),
        ("play", "syntax error"),
        ("play c3", "syntax error"),
        ("play green c3", "syntax error"),
        ("play b f1", "syntax error"),
        ("play b i1", "syntax error"),
        ("play b a0", "syntax error"),
        ("play b a6", "syntax error"),
        ("play b resign", "syntax error"),
        ("genmove", "syntax error"),
        ("genmove x", "syntax error"),
        ("undo", "cannot undo"),
        ("fixed_handicap 2", "invalid number of stones"),  # the board is too small
        ("fixed_handicap x", "syntax error"),
        ("place_free_handicap 1", "invalid number of stones"),
        ("set_free_handicap", "bad vertex list"),
        ("set_free_handicap c3", "bad vertex list"),
        ("set_free_handicap c3 C3", "bad vertex list"),
        ("set_free_handicap c3 pass", "bad vertex list"),
        ("set_free_handicap c3 z9", "syntax error"),
        ("set_free_handicap " + " ".join(text.vertex(a, 5) for a in range(25)), "bad vertex list"),
        ("final_status_list", "syntax error"),
        ("final_status_list doomed", "syntax error"),
        ("time_settings 1 2", "syntax error"),
        ("time_settings 1 2 three", "syntax error"),
        ("time_left b 1", "syntax error"),
        ("time_left x 1 2", "syntax error"),
        ("lz-analyze x", "syntax error"),
        ("lz-analyze b 10 20", "syntax error"),
        ("lz-analyze interval", "syntax error"),
        ("lz-analyze avoid b c3 5", "syntax error"),
        ("kata-analyze ownership maybe", "syntax error"),
        ("kata-analyze -5", "syntax error"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(session, line, message):
    before = session.record
    assert ask(session, f"4 {line}") == f"?4 {message}\n\n"
    assert session.record is before


def test_stones_are_captured_and_suicide_is_illegal(session):
    setup(session, "b1", "a1", "a2")
    assert says(session, "final_status_list alive") == "A2 B1"
    assert ask(session, "play w a1") == "? illegal move\n\n"
    assert ask(session, "play w b1") == "? illegal move\n\n"


def test_the_board_is_shown(session):
    setup(session, "b1", "a1", "a2")
    diagram = """=
   A B C D E
 5 . . . . .
 4 . . . . .
 3 . . . . .
 2(X). . . .
 1 . X . . .
O to play, komi 0.5

"""
    assert ask(session, "showboard").replace("= \n", "=\n") == diagram


KO = ("c4", "b4", "d3", "a3", "c2", "b2", "e5", "c3", "b3")
"""Black's b3 takes c3."""


def test_repetition_is_illegal_also_after_passes(session):
    setup(session, *KO)
    assert ask(session, "play w c3") == "? illegal move\n\n"
    setup(session, "pass")
    assert ask(session, "play w c3", "play w pass", "play b pass", "play w c3") == "? illegal move\n\n"
    says(session, "play b a1", "play w c3")
    assert ask(session, "play b b3") == "? illegal move\n\n"


def test_a_side_may_move_twice(session):
    says(session, "play b c3", "play b d3", "play b c2", "play w a1", "play w a2")
    assert says(session, "final_status_list alive") == "C3 D3 A2 C2 A1"
    says(session, "undo", "undo")
    assert says(session, "final_status_list alive") == "C3 D3 C2"
    says(session, "undo", "undo", "undo")
    assert says(session, "final_status_list alive") == ""
    assert ask(session, "undo") == "? cannot undo\n\n"
    says(session, "genmove w", "genmove w", "genmove b")
    assert len(says(session, "final_status_list alive").split()) == 3


def test_undo_takes_back_to_the_beginning_and_play_goes_on(session):
    setup(session, *KO)
    for _ in KO:
        says(session, "undo")
    assert ask(session, "undo") == "? cannot undo\n\n"
    setup(session, *KO)
    says(session, "undo")
    says(session, "play b b3")
    assert "C3" not in says(session, "final_status_list alive")


def test_setup_commands_start_anew_and_keep_the_komi(session):
    says(session, "komi 3.5", "play b c3", "clear_board")
    assert says(session, "final_score") == "W+3.5"
    says(session, "play b c3", "boardsize 3")
    assert ask(session, "undo") == "? cannot undo\n\n"
    assert says(session, "final_score") == "W+3.5"
    assert says(session, "play b c3", "final_score") == "B+5.5"


def test_every_size_can_be_had(session):
    for size in range(2, 20):
        says(session, f"boardsize {size}")
        assert board(session).count(".") == size**2


@pytest.mark.parametrize(
    ("komi", "score"),
    [
        ("7", "B+18"),
        ("25", "0"),
        ("25.0", "0"),
        ("26.5", "W+1.5"),
        ("-1", "B+26"),
        (".25", "B+24.75"),
        ("1e3", "W+975"),
        ("+1000000", "W+999975"),
        ("0.1", "B+24.9"),
    ],
)
def test_scores(session, komi, score):
    assert says(session, "play b c3", f"komi {komi}", "final_score") == score


def test_all_stones_are_alive(session):
    setup(session, "a1", "c3", "a2", "d3")
    assert says(session, "final_status_list alive") == "C3 D3 A2 A1"
    assert says(session, "final_status_list dead") == says(session, "final_status_list seki") == ""


def test_handicap_stones_stay_and_white_begins():
    session = Session(Scripted(0), small, size=9)
    assert says(session, "fixed_handicap 3") == "C3 G7 C7"
    assert "O to play" in ask(session, "showboard")
    assert ask(session, "undo") == "? cannot undo\n\n"
    assert ask(session, "fixed_handicap 2") == "? board not empty\n\n"
    assert ask(session, "set_free_handicap a1 a2") == "? board not empty\n\n"
    says(session, "clear_board", "set_free_handicap a1 A2 j9")
    assert says(session, "final_status_list alive") == "J9 A2 A1"
    assert says(session, "clear_board", "place_free_handicap 80").count(" ") == 8


def test_the_brain_decides_within_the_rules(session):
    def moves(*vertices, prepare=(), line="genmove w"):
        session = Session(Scripted(*actions(*vertices)), small, size=5)
        setup(session, *prepare)
        return says(session, line)

    assert moves("d4", "a1") == "D4"
    assert moves("c3", "c4", "a1", prepare=KO) == "A1"  # a ko that this brain does not see, and a stone
    assert moves("c3", prepare=KO) == "pass"
    assert moves("c3", prepare=KO, line="reg_genmove w") == "pass"
    assert moves("pass") == "pass"


def test_genmove_plays_and_reg_genmove_does_not(session):
    vertex = says(session, "genmove b")
    assert says(session, "final_status_list alive") == vertex
    says(session, "reg_genmove w")
    assert says(session, "final_status_list alive") == vertex


def test_a_lost_game_is_resigned_only_if_wished():
    for threshold, answer in ((0.0, "C3"), (0.05, "C3"), (0.2, "resign")):
        session = Session(Scripted(*actions("c3"), winrate=0.1), small, size=5, resign_below=threshold)
        assert says(session, "genmove b") == answer
        assert bool(session.record.plies) == (answer != "resign")


def test_play_goes_on_after_two_passes():
    brain = Scripted(*actions("c3", "d4", "pass"))
    session = Session(brain, small, size=5)
    setup(session, "b2", "pass", "pass")
    assert says(session, "final_score") == "B+18"
    assert says(session, "genmove w") == "C3"
    assert says(session, "genmove b") == "D4"
    assert all(state.discount == -1 for state in brain.states)
    assert [int(state.passes) for state in brain.states] == [0, 0]
    for expected in (1, 0, 1, 0):  # it takes two more passes to end the game again
        says(session, "play w pass", "reg_genmove b") if expected else says(session, "play b pass", "reg_genmove w")
        assert int(brain.states[-1].passes) == expected


def test_an_implied_pass_does_not_end_the_game():
    brain = Scripted(PASS)
    session = Session(brain, small, size=5)
    says(session, "play b c3", "genmove b")
    assert int(brain.states[-1].passes) == 0
    says(session, "reg_genmove b")
    assert int(brain.states[-1].passes) == 0
    says(session, "reg_genmove w")
    assert int(brain.states[-1].passes) == 1


def test_cleaning_up_passes_only_where_that_wins():
    def answer(komi, *vertices, prepare=("c3", "a1")):
        session = Session(Scripted(*actions(*vertices)), small, size=5, komi=komi)
        setup(session, *prepare)
        vertex = says(session, "kgs-genmove_cleanup b")
        assert session.record.plies[-1].action == text.action(vertex, 5)
        return vertex

    assert answer(-3.0, "pass", "b2") == "pass"
    assert answer(3.0, "pass", "b2") == "B2"
    assert answer(0.0, "pass", "b2") == "B2"
    assert answer(3.0, "pass", "c3") == "pass"
    assert answer(-3.0, "b2", "pass") == "B2"


def test_games_longer_than_any_move_limit_go_on():
    """The brain is shown a game in which the limit lies ahead, whatever has been played."""
    brain = Scripted(*range(9), 9)
    session = Session(brain, lambda size: Go(size, max_moves=12), size=3)
    for i in range(40):
        says(session, f"genmove {'bw'[i % 2]}")
        assert brain.states[-1].discount == -1
        assert int(brain.states[-1].ply) == min(i, 9)


def test_the_brain_is_shown_the_game():
    brain = Scripted(0)
    go = small(5)
    session = Session(brain, small, size=5)
    setup(session, *KO)
    says(session, "komi 6.5", "reg_genmove w")
    state, step = go.init(komi=6.5), jax.jit(go.step)
    for action in actions(*KO):
        state = step(state, action)
    for name, shown, real in zip(state._fields, brain.states[0], state, strict=True):
        np.testing.assert_array_equal(shown, real, err_msg=name)
    says(session, "reg_genmove b", "komi 1e30", "reg_genmove w")
    np.testing.assert_array_equal(go.stones(brain.states[1]), go.stones(state))
    assert int(brain.states[1].to_play) == 1 and float(brain.states[2].komi) == 26


def variations_of_sabaki(line: str) -> list[dict]:
    """As src/modules/enginesyncer.js reads them."""
    found = []
    for part in re.split(r"\s*info\s+", line)[1:]:
        match = re.search(r"(pass|[A-Za-z]\d+)(\s+(pass|[A-Za-z]\d+))*$", part.strip())
        tokens = part.strip()[: match.start()].strip().split()[:-1]
        values = dict(zip(tokens[::2], tokens[1::2], strict=True))
        winrate = float(values["winrate"]) * 100 if "." in values["winrate"] else float(values["winrate"]) / 100
        if re.fullmatch(r"[A-Za-z]\d+", values["move"]):
            found.append({"move": values["move"], "visits": int(values["visits"]), "winrate": winrate})
    return found


def variations_of_lizzie(line: str) -> list[dict]:
    """As MoveData.fromInfo reads them."""
    found = []
    for part in line[5:].split(" info "):
        data = part.strip().split(" ")
        end = data.index("pv")
        values = dict(zip(data[:end:2], data[1:end:2], strict=True))
        found.append({"move": values["move"], "visits": int(values["visits"]), "pv": data[end + 1 :]})
        assert 0 <= int(values["winrate"]) <= 10000
    return found


@pytest.mark.parametrize("name", ["lz-analyze", "kata-analyze"])
def test_analysis_reads_well_in_sabaki_and_lizzie(name):
    session = Session(random_brain(3), small, size=5)
    first, *lines, end = ask(session, f"8 {name} w 10").split("\n")[:-1]
    assert (first, end, len(lines)) == ("=8", "", 1)
    (line,) = lines
    sabaki = variations_of_sabaki(line)
    assert [part["visits"] for part in sabaki] == [10, 5, 2, 1]
    assert all(0 <= part["winrate"] <= 100 for part in sabaki)
    if name == "lz-analyze":
        lizzie = variations_of_lizzie(line)
        assert [part["move"] for part in lizzie] == [part["move"] for part in sabaki]
        assert all(part["pv"][0] == part["move"] and part["pv"][1] == "pass" for part in lizzie)
    assert re.findall(r"order (\d)", line) == ["0", "1", "2", "3"]
    assert session.record.plies == ()


def test_analysis_shows_as_many_moves_as_asked_for():
    session = Session(random_brain(3), small, size=5)
    expected = {"": 4, "maxmoves 2": 2, "minmoves 9": 9, "maxmoves 0": 1, "minmoves 9 maxmoves 3": 3}
    assert {words: ask(session, f"lz-analyze {words}").count("info") for words in expected} == expected


def test_analysis_goes_on_until_another_command_comes():
    brain, waits = Scripted(3), []

    def is_interrupted(seconds):
        waits.append(seconds)
        return len(waits) > 7

    answer = list(Session(brain, small, size=5).reply("lz-analyze b 25", is_interrupted))
    assert len(answer) == 2 + len(EFFORTS) and answer[0] == "=\n" and answer[-1] == "\n"
    assert tuple(brain.efforts) == EFFORTS and EFFORTS[-1] == 1
    assert waits[:4] == [0.25] * 4 and len(waits) == 8


@pytest.mark.parametrize("name", ["lz-genmove_analyze", "kata-genmove_analyze"])
def test_genmove_with_analysis_tells_and_plays(session, name):
    first, info, play, end, _ = ask(session, f"2 {name} b 10").split("\n")
    assert (first, end) == ("=2", "") and info.startswith("info move ")
    assert play == f"play {says(session, 'final_status_list alive')}" and f" {play[5:]} " in info


class Pipe:
    """A session that is served through pipes, as a process would be."""

    def __init__(self, session: Session):
        there, self._commands = os.pipe()
        self._answers, back = os.pipe()
        self._thread = threading.Thread(target=self._serve, args=(session, there, back), daemon=True)
        self._thread.start()

    @staticmethod
    def _serve(session, there, back):
        with open(there, "rb", buffering=0) as source, open(back, "wb") as sink:
            serve(session, source, sink)

    def write(self, data: bytes) -> None:
        os.write(self._commands, data)

    def read(self, num_bytes: int = 1000) -> bytes:
        return os.read(self._answers, num_bytes)

    def finish(self) -> bytes:
        """Closes the commands and returns the rest of the answers."""
        os.close(self._commands)
        rest = b""
        while data := self.read():
            rest += data
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()
        os.close(self._answers)
        return rest


def test_served_lines_may_come_in_pieces_and_in_heaps(session):
    pipe = Pipe(session)
    pipe.write(b"1 proto")
    pipe.write(b"col_version\r\n\n\n# remark\n2 name\n3 komi 5")
    assert pipe.finish() == b"=1 2\n\n=2 tester\n\n=3\n\n"


def test_serving_ends_with_quit(session):
    pipe = Pipe(session)
    pipe.write(b"name\nquit\nname\n")
    assert pipe.finish() == b"= tester\n\n=\n\n"


def test_a_line_without_end_does_no_harm(session):
    tracemalloc.start()
    pipe = Pipe(session)
    for _ in range(600):  # 18 MB
        pipe.write(b"1 set_free_handicap " + b"a1 " * 10_000)
    pipe.write(b"\n2 name\n")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 6_000_000  # not all of it is kept; other threads of the process allocate something too
    assert pipe.finish() == b"?1 syntax error\n\n=2 tester\n\n"


def test_a_served_analysis_stops_for_the_next_line(session):
    pipe = Pipe(session)
    pipe.write(b"1 lz-analyze 1\n")
    seen = b""
    while seen.count(b"info move") < 4 * len(EFFORTS) and seen.count(b"\ninfo") < len(EFFORTS):
        seen += pipe.read()
    pipe.write(b"2 name\n")
    rest = pipe.finish()
    assert (seen + rest).startswith(b"=1\ninfo ") and (seen + rest).endswith(b"\n\n=2 tester\n\n")


def test_a_controller_that_goes_away_ends_the_session(session):
    there, commands = os.pipe()
    answers, back = os.pipe()
    os.close(answers)
    os.write(commands, b"name\nname\n")
    with open(there, "rb", buffering=0) as source, open(back, "wb", buffering=0) as sink:
        serve(session, source, sink)
    os.close(commands)


WORDS = [*COMMANDS, "b", "w", "black", "White", "a1", "C3", "e5", "pass", "resign", "0", "1", "2", "5", "19", "-1"]
WORDS += ["interval", "minmoves", "ownership", "true", "#", "1e9", "nan", "\x00", "99999999999999999999", "é", "٣", "²"]
ANY_LINE = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40).map(lambda data: data.decode("latin-1")),
    st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join),
    st.builds(
        "{} {}{}{}".format,
        st.sampled_from(COMMANDS),
        st.sampled_from(["", "b ", "b c3", "5 ", "3 3 3"]),
        st.text(max_size=8),
        st.sampled_from(["", " pass", "\r", " 7"]),
    ),
)
LINES_EACH, NUM_EXAMPLES = 25, 420  # more than 10,000 lines


@settings(max_examples=NUM_EXAMPLES)
@given(st.lists(ANY_LINE, min_size=LINES_EACH, max_size=LINES_EACH + 5))
@example(["boardsize 2", "genmove b", "genmove b", "genmove w", "play w a1", "undo", "undo", "komi -.5e-300"] * 4)
def test_any_lines_whatever_get_well_formed_answers(lines):
    """Boards stay small, for the sake of time."""
    session = Session(random_brain(), lambda size: small(size if size <= 3 else 5), size=3)
    for line in lines:
        answer = ask(session, line)
        assert re.fullmatch(r"|[=?][0-9]*\n?( ?\n?[ -~]+(\n[ -~]+)*)?\n\n", answer), (line, answer)
        is_blank = not re.sub(r"[\x00-\x1f\x7f ]", "", line.partition("#")[0])
        assert is_blank == (answer == ""), (line, answer)


@st.composite
def malformed_lines(draw) -> str:
    """A command that does not exist, has an argument too many, or one that nothing can be."""
    junk = draw(st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="#\x7f"), min_size=1))
    name = draw(st.sampled_from([n for n in COMMANDS if n not in ("known_command", "set_free_handicap")]))
    kind = draw(st.sampled_from(["unknown", "too many", "impossible"]))
    if kind == "unknown":
        return f"{name}{junk} {WELL_FORMED[name]}"
    if kind == "impossible" and WELL_FORMED[name]:
        return f"{name} {'_' * len(WELL_FORMED[name].split())}{junk}"
    return f"{name} {WELL_FORMED[name]} {junk} {junk} x y z"


@settings(max_examples=NUM_EXAMPLES)
@given(st.lists(malformed_lines(), min_size=LINES_EACH, max_size=LINES_EACH + 5))
def test_malformed_commands_get_errors_and_change_nothing(lines):
    session = Session(random_brain(), small, size=5)
    before = session.record
    for line in lines:
        assert re.fullmatch(r"\? [a-z ]+\n\n", ask(session, line)), line
    assert session.record is before and not session.has_quit


@pytest.fixture(scope="module")
def gnu():
    try:
        command = gnugo(level=0)
    except EngineError as error:
        pytest.skip(str(error))
    with Client(command) as client:
        yield client


def answer_of(client: Client, line: str) -> str | None:
    """None where it failed."""
    try:
        return client.send(line)
    except CommandFailedError:
        return None


DIALOGUE = """
protocol_version; known_command play; known_command nonsense; nonsense
boardsize 5; clear_board; komi 3.5; komi; komi x; boardsize 30; boardsize x; boardsize
play b a1; play b a1; play w a1; play b z9; play x a2; play b; play
play w b1; play b b2; play w a2; play b a1; play b c1; play w a1; play w b1; play b e5
undo; undo; undo; undo; undo; undo; undo; undo
play b c3; play b c3; play w c3; play b pass; play w pass; play b pass; play b c4; genmove x; genmove
clear_board; play b c4; play w b4; play b d3; play w a3; play b c2; play w b2; play b e5; play w c3; play b b3
play w c3; play w pass; play b pass; play w c3; play w a1; play b a5; play w c3; play b b3
play w e1; play b e2; play b b3; undo; undo
clear_board; fixed_handicap 2; set_free_handicap a1
clear_board; set_free_handicap a1 b2; play b c3; fixed_handicap 2; undo; undo
boardsize 9; clear_board; fixed_handicap 5; fixed_handicap 3; undo; play w a1
clear_board; fixed_handicap 1; fixed_handicap 10; fixed_handicap 9
time_settings 1 2; time_settings 1 2 3; time_left b 1; time_left b 1 2; final_status_list what
final_status_list dead; final_status_list seki
"""


def test_a_dialogue_goes_as_with_gnu_go(gnu, session):
    """Where GNU Go succeeds or fails so do we, with the same text, and the same stones result."""
    for line in re.split("[;\n]+", DIALOGUE.strip()):
        expected, answer = answer_of(gnu, line.strip()), ask(session, line)
        assert answer[0] == ("?" if expected is None else "="), (line, expected, answer)
        if expected is not None:
            assert sorted(answer[1:].split()) == sorted(expected.split()), line
        stones = " ".join(gnu.send(f"list_stones {colour}") for colour in ("black", "white"))
        assert sorted(says(session, "final_status_list alive").split()) == sorted(stones.split()), line


@pytest.mark.parametrize("size", [size for size in range(2, 20) if size != 12])
def test_fixed_handicaps_are_those_of_gnu_go(gnu, size):
    """But for 12x12, where GNU Go goes to the fourth line; the specification begins with that at 13x13."""
    session = Session(Scripted(0), small, size)
    gnu.send(f"boardsize {size}")
    for number in range(11):
        gnu.send("clear_board")
        says(session, "clear_board")
        expected, answer = answer_of(gnu, f"fixed_handicap {number}"), ask(session, f"fixed_handicap {number}")
        assert answer[0] == ("?" if expected is None else "="), (number, expected, answer)
        assert expected is None or sorted(answer[1:].split()) == sorted(expected.split())


KO_RULES = {"positional_superko": "--positional-superko", "situational_superko": "--situational-superko"}
KO_RULES |= {"simple": "--simple-ko"}


@pytest.mark.parametrize("ko", KO_RULES)
@pytest.mark.parametrize("size", quick.first([3, 5]))
def test_random_play_in_any_order_goes_as_with_gnu_go(gnu, ko, size):
    """Both sides in any order, taken points, suicide, repetitions, passes, and moves taken back."""
    generator = np.random.default_rng(0)
    session = Session(Scripted(0), lambda size: Go(size, ko=ko), size)
    num_illegal = 0
    command = [KO_RULES[ko] if word == "--positional-superko" else word for word in gnugo(level=0)]
    with Client(command) as gnu:
        gnu.send(f"boardsize {size}")
        for _ in range(10):
            says(session, "clear_board")
            gnu.send("clear_board")
            for _ in range(100):
                vertex = text.vertex(generator.integers(size**2 + 1), size)
                line = "undo" if generator.random() < 0.05 else f"play {generator.choice(['b', 'w'])} {vertex}"
                expected, answer = answer_of(gnu, line), ask(session, line)
                assert (answer[0] == "?") == (expected is None), (line, session.record)
                num_illegal += expected is None
            stones = " ".join(gnu.send(f"list_stones {colour}") for colour in ("black", "white"))
            assert sorted(says(session, "final_status_list alive").split()) == sorted(stones.split())
    assert num_illegal > 300
