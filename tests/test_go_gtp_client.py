"""The client gets answers from engines that behave, and one clear line about those that do not."""

import os
import sys
import time

import pytest

from go_env import Go, sgf
from go_env.gtp_client import Client, CommandFailedError, EngineError, gnugo, play_game

ENGINE = """
import sys, time
{first}
for line in sys.stdin:
    id, command, *arguments = line.split()
    def say(text, sign="="):
        print(sign + id + " " + text + "\\n", flush=True)
    {answer}
"""


def engine(answer: str, first: str = "") -> list[str]:
    """A program that runs the statement `answer` for each command."""
    return [sys.executable, "-c", ENGINE.format(answer=answer, first=first)]


def player(*moves: str) -> list[str]:
    """An engine that generates these moves and accepts all others."""
    return engine("say(moves.pop(0) if command == 'genmove' else '')", f"moves = {list(moves)!r}")


def test_answers_come_back_in_order():
    with Client(engine("say(' '.join([command, *arguments]))")) as client:
        assert client.send("name") == "name"
        assert client.send("play b c3") == "play b c3"
        assert [client.send(f"echo {i}") for i in range(50)] == [f"echo {i}" for i in range(50)]
    assert not client.is_running


def test_an_answer_may_have_several_lines_or_none():
    with Client(engine("say({'show': '\\n  A B\\n1 . .', 'nothing': ''}[command])")) as client:
        assert client.send("show") == "  A B\n1 . ."
        assert client.send("nothing") == ""


def test_a_failure_is_told_and_the_engine_can_be_asked_on():
    with Client(engine("say('unknown command', '?') if command == 'x' else say('yes')"), name="tester") as client:
        with pytest.raises(CommandFailedError, match=r"^tester failed at 'x': unknown command$"):
            client.send("x")
        assert client.send("y") == "yes"


def test_an_engine_that_hangs_is_killed():
    client = Client(engine("time.sleep(100)"), timeout=30, name="sleeper")
    start = time.monotonic()
    with pytest.raises(EngineError, match=r"^sleeper gave no answer to 'genmove b' in 0\.3 s and was killed$"):
        client.send("genmove b", timeout=0.3)
    assert time.monotonic() - start < 5
    assert not client.is_running
    for _ in range(3):
        with pytest.raises(EngineError, match="ended before it answered"):
            client.send("name")
    client.close()


def test_an_engine_that_does_not_quit_is_killed():
    start = time.monotonic()
    with Client(engine("say('ok') if command != 'quit' else time.sleep(100)")) as client:
        client.send("name")
    assert time.monotonic() - start < 10
    assert not client.is_running


def test_the_last_words_of_an_engine_that_dies_are_told():
    client = Client(engine("sys.exit('out of memory')"), name="mortal")
    with pytest.raises(EngineError, match=r"^mortal ended before it answered 'name'; its last words: out of memory$"):
        client.send("name")
    client.close()


@pytest.mark.parametrize("junk", ["hello", "=2 wrong id", "=", "?x", "1"])
def test_answers_that_break_the_protocol_are_errors(junk):
    with Client(engine(f"print({junk!r} + '\\n', flush=True)"), name="odd") as client:
        with pytest.raises(EngineError, match=r"^odd answered "):
            client.send("name")
        assert not client.is_running


def test_an_engine_that_writes_much_to_stderr_does_not_stop():
    with Client(engine("sys.stderr.write('debug ' * 100 + '\\n'); sys.stderr.flush(); say('ok')")) as client:
        assert all(client.send("name") == "ok" for _ in range(500))


@pytest.mark.parametrize("command", ["", "  ", "name\nquit", "7 name", "name # remark", "name\r", "name\0"])
def test_what_is_no_command_is_not_sent(command):
    with Client(engine("say('ok')")) as client:
        with pytest.raises(ValueError, match="one line"):
            client.send(command)
        assert client.send("name") == "ok"


def test_a_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EngineError, match=r"^cannot start .*/nobody.*: No such file or directory$"):
        Client([tmp_path / "nobody", "--gtp"])


def test_how_to_install_gnu_go_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("shutil.which", lambda program, path: None)
    with pytest.raises(EngineError, match=r"^GNU Go is not installed: `apt install gnugo` .*`brew install gnu-go`"):
        gnugo()


def test_a_game_ends_by_two_passes_and_is_scored():
    with Client(player("c3", "PASS"), name="B. Lack") as black, Client(player("a1", "pass"), name="W. Hite") as white:
        game = play_game(black, white, Go(5, komi=3.5))
    assert sgf.write(game) == sgf.write(sgf.read(sgf.write(game))[0])
    assert [move.action for move in game.moves] == [12, 20, 25, 25]
    assert (game.result, game.komi, game.info) == ("W+3.5", 3.5, {"PB": "B. Lack", "PW": "W. Hite"})


@pytest.mark.parametrize(("black", "white", "result"), [("c3", "resign", "B+Resign"), ("Resign", "a1", "W+Resign")])
def test_a_game_ends_by_resignation(black, white, result):
    with Client(player(black)) as one, Client(player(white)) as other:
        assert play_game(one, other, Go(5)).result == result


def test_a_game_ends_at_the_move_limit():
    with Client(player("c3", "d3")) as black, Client(player("a1")) as white:
        game = play_game(black, white, Go(5, komi=0.5, max_moves=3))
    assert (len(game.moves), game.result) == (3, "B+0.5")


@pytest.mark.parametrize("move", ["c3", "z1", "", "a1 a2"])
def test_an_illegal_move_is_named(move):
    with (
        Client(player("c3")) as black,
        Client(player(move), name="cheat") as white,
        pytest.raises(EngineError, match=rf"^cheat played {move}: "),
    ):
        play_game(black, white, Go(5))


def test_an_engine_that_cannot_play_the_size_is_named():
    with (
        Client(player()) as black,
        Client(engine("say('unacceptable size', '?')"), name="small") as white,
        pytest.raises(EngineError, match=r"^small failed at 'boardsize 9': unacceptable size$"),
    ):
        play_game(black, white, Go(9))


def test_gnu_go_plays_whole_games():
    try:
        command = gnugo(level=0, seed=1)
    except EngineError as error:
        pytest.skip(str(error))
    assert os.path.basename(command[0]) == "gnugo"
    with Client(command) as black, Client(gnugo(level=0, seed=2)) as white:
        assert "GNU Go" in black.send("name")
        game = play_game(black, white, Go(5, komi=0.5))
    assert game.result.startswith(("B+", "W+")) and len(game.moves) >= 6
