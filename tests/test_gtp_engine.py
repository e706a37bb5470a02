"""The engine script as other programs meet it: a process that speaks GTP and plays whole games."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from go_env import Go
from go_env.gtp_client import Client, CommandFailedError, EngineError, gnugo, play_game
from rl_pretrain import checkpoint
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.search import SearchConfig

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "experiments" / "gtp_engine.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """What a run of go_9x9.py leaves behind, for a network that has learnt nothing."""
    network = ConvConfig(num_blocks=1, num_channels=4, num_head_channels=4)
    seen = np.zeros((1, *Go(5).observation_shape), np.float32)
    params = jax.jit(ConvNet(network, 1).init)(jax.random.key(0), seen)
    weights = jax.tree.map(lambda x: x[None], params)
    settings = {
        "size": 5,
        "komi": 0.5,
        "ko": "positional_superko",
        "max_moves": 40,
        "network": dataclasses.asdict(network),
        "search": dataclasses.asdict(SearchConfig(num_simulations=2, max_considered=4)),
    }
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    with checkpoint.open_run(directory, settings, versions={}) as opened:
        checkpoint.save(opened, 3, {"train": {"average": weights, "params": weights}, "initial": weights})
    return directory


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    """Processes of this module share compiled programs, and nothing else with the outside."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "JAX_PLATFORMS": "cpu"}


@pytest.fixture(scope="module")
def command(run) -> list[str]:
    return [sys.executable, str(SCRIPT), f"--run={run}", "--simulations=8"]


@pytest.fixture(scope="module")
def engine(command, environ):
    """One engine for all tests, as for all games of a match."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", environ["XDG_CACHE_HOME"])
        patch.setenv("JAX_PLATFORMS", "cpu")
        client = Client(command, timeout=300, name="tiny")
    with client:
        yield client


def test_it_says_what_it_is(engine):
    assert engine.send("name") == "reward-pretraining"
    assert re.fullmatch(r"\d+\.\d+\S* tiny iteration 3", engine.send("version"))
    assert "kata-analyze" in engine.send("list_commands").split("\n")


def test_it_plays_and_judges_the_size_and_komi_of_its_run(engine):
    engine.send("clear_board")
    vertex = engine.send("genmove b")
    assert engine.send("reg_genmove b") != vertex
    assert engine.send("final_score") == "B+24.5"
    assert engine.send("undo") == ""
    assert engine.send("genmove b") == vertex  # nothing is left to chance


@pytest.mark.parametrize("colour", ["black", "white"])
def test_whole_games_against_gnu_go(engine, colour):
    try:
        opponent = Client(gnugo(level=0))
    except EngineError as error:
        pytest.skip(str(error))
    with opponent:
        players = (engine, opponent) if colour == "black" else (opponent, engine)
        game = play_game(*players, Go(5, komi=0.5))
    assert len(game.moves) >= 4 and game.result[:2] in ("B+", "W+")


def test_it_goes_on_after_the_end_and_with_either_side(engine):
    for line in ("clear_board", "play b c3", "play w pass", "play b pass", "genmove w", "genmove w", "genmove b"):
        engine.send(line)
    with pytest.raises(CommandFailedError, match="illegal move"):
        engine.send("play w c3")
    assert len(engine.send("final_status_list alive").split()) >= 2


@pytest.mark.slow
def test_one_set_of_weights_plays_other_sizes(engine):
    engine.send("boardsize 2")
    assert engine.send("genmove b") in ("A1", "A2", "B1", "B2", "pass")
    engine.send("boardsize 5")


def test_analysis_comes_in_steps_and_stops_for_the_next_command(command, environ):
    """Raw, since the client waits for answers to end. Nothing but GTP comes out."""
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        process.stdin.write("1 lz-analyze b 1\n")
        process.stdin.flush()
        assert process.stdout.readline() == "=1\n"
        lines = [process.stdout.readline() for _ in range(4)]
        visits = [sum(map(int, re.findall(r"visits (\d+)", line))) for line in lines]
        assert visits == [1, 2, 4, 8]
        for line in lines:
            assert re.fullmatch(
                r"info move \w+ visits \d+ winrate \d+ prior \d+ order 0 pv \w+( \w+)*"
                r"( info move \w+ visits \d+ winrate \d+ prior \d+ order \d+ pv \w+( \w+)*)*\n",
                line,
            )
        time.sleep(0.5)
        start = time.monotonic()
        process.stdin.write("2 name\n3 kata-genmove_analyze w\n4 kata-analyze b 1\n5 quit\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(3)] == ["\n", "=2 reward-pretraining\n", "\n"]
        assert time.monotonic() - start < 5
        rest = process.stdout.read()
        assert re.fullmatch(r"=3\ninfo move .*\nplay \w+\n\n=4\n(info move .*\n)+\n=5\n\n", rest)
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("end", ["quit", "interrupt", pytest.param("end of input", marks=pytest.mark.slow)])
def test_it_ends_quietly(command, environ, end):
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdin.write("name\n" + "quit\n" * (end == "quit"))
    process.stdin.flush()
    assert process.stdout.readline() == "= reward-pretraining\n"
    if end == "interrupt":
        process.send_signal(signal.SIGINT)
    elif end == "end of input":
        process.stdin.close()
    assert process.wait(timeout=30) == (130 if end == "interrupt" else 0)
    assert process.stderr.read() == ""
    process.stdout.close(), process.stderr.close(), process.stdin.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run=nowhere"], ["nowhere"]),
        (["--iteration=7"], ["no checkpoint 7", "3"]),
        (["--simulations=0"], ["num_simulations", "at least 1"]),
    ],
)
def test_what_cannot_be_gets_one_line(command, environ, tmp_path, arguments, words):
    finished = subprocess.run(
        [*command, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, input="name\n"
    )
    assert finished.returncode not in (0, -signal.SIGKILL) and finished.stdout == ""
    (line,) = finished.stderr.splitlines()
    assert line.startswith("gtp_engine.py: ") and all(word in line for word in words)


def test_help_tells_how_to_connect_it(environ):
    finished = subprocess.run([sys.executable, SCRIPT, "--help"], env=environ, capture_output=True, text=True)
    assert finished.returncode == 0
    assert all(word in finished.stdout for word in ("Sabaki", "--simulations", "--iteration", "--resign-below"))
