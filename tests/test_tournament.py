"""The tournament as a person runs it: complete, resumable, rated, and clear about what it cannot do."""

import importlib.util
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from go_env import Go, sgf
from go_env.gtp_client import EngineError, gnugo
from rl_pretrain import checkpoint
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.settings import SettingError

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "experiments" / "tournament.py"
OURS = ["random", "initial:net#2", "policy:net", "run:net@7#2"]
NAMES = ["random", "initial:net#2", "policy:net@7", "run:net@7#2"]
OPTIONS = ["--size=5", "--num-pairs=2", "--max-moves=30"]


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return {**os.environ, "XDG_CACHE_HOME": str(cache), "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "default"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with a run in it, such as go_9x9.py leaves: random weights, which is enough to play."""
    place = tmp_path_factory.mktemp("place")
    config = ConvConfig(num_blocks=1, num_channels=4, num_head_channels=4)
    network = ConvNet(config, num_other_actions=1)
    weights = [
        jax.tree.map(lambda x: x[None], network.init(jax.random.key(seed), jnp.zeros((1, *Go(5).observation_shape))))
        for seed in (0, 1)
    ]
    settings = {"network": {"num_blocks": 1, "num_channels": 4, "num_head_channels": 4}, "search": {}, "size": 5}
    with checkpoint.open_run(place / "net", settings, versions={}) as run:
        checkpoint.save(run, 7, {"initial": weights[0], "train": {"average": weights[1]}})
    with checkpoint.open_run(place / "other", {"task": "maze"}, versions={}) as run:
        checkpoint.save(run, 1, {"train": {"average": np.zeros(3)}})
    return place


def command(*arguments):
    return [sys.executable, str(SCRIPT), *map(str, arguments)]


def run(environ, cwd, *arguments, timeout=200):
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environ, capture_output=True, text=True, timeout=timeout, check=False
    )


def rows(directory):
    return [json.loads(line) for line in (directory / "pairs.jsonl").read_text().splitlines()]


def played(directory):
    return Counter((*sorted((row["first"], row["second"])), row["pair"]) for row in rows(directory))


def everybody(names, num_pairs):
    return Counter((*sorted(two), i) for two in itertools.combinations(names, 2) for i in range(num_pairs))


@pytest.fixture(scope="module")
def whole(environ, place):
    """An uninterrupted tournament of our own players."""
    finished = run(environ, place, *OURS, *OPTIONS, "--name=whole")
    assert finished.returncode == 0, finished.stderr
    return finished, place / "runs/tournament/whole"


@pytest.mark.slow
def test_everybody_meets_everybody_and_the_table_says_how_it_went(whole):
    finished, directory = whole
    assert played(directory) == everybody(NAMES, 2)
    assert "24 games, 24 of them distinct" in finished.stdout
    assert "random = 0" in finished.stdout
    for name in NAMES:
        assert re.search(rf"\d +{re.escape(name)} +-?\d+ .* 12 +12\b", finished.stdout), finished.stdout
    ratings = json.loads((directory / "ratings.json").read_text())
    assert ratings["anchor"] == {"name": "random", "elo": 0}
    assert (ratings["games"], ratings["distinct_games"]) == (24, 24)
    for name, player in ratings["players"].items():
        assert name in NAMES
        assert player["low"] <= player["elo"] <= player["high"]
        assert (player["games"], player["distinct_games"], player["forfeits"]) == (12, 12, 0)
        assert sum(opponent["points"] for opponent in player["against"].values()) == player["points"]
    assert sum(player["points"] for player in ratings["players"].values()) == 24
    assert (directory / "ratings.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_nothing_on_the_way_is_deprecated(whole):
    assert "Warning" not in whole[0].stderr, whole[0].stderr


STEP, LEGAL = jax.jit(Go.step, static_argnums=0), jax.jit(Go.legal_actions, static_argnums=0)


def assert_replays(path):
    """Every move is legal and the result is what the rules say of the last position."""
    (game,) = sgf.read_file(path)
    go = Go(game.size, game.komi, max_moves=30)
    state = go.init()
    for action in sgf.actions(game):
        assert not go.is_over(state) and LEGAL(go, state)[action], path
        state = STEP(go, state, int(action))
    outcome = sgf.outcome(game)
    if outcome.how == "score":
        assert go.is_over(state) and float(go.score(state)) == (outcome.winner or 0) * (outcome.margin or 0), path
    else:
        assert outcome.how == "resign" and not go.is_over(state), path


@pytest.mark.slow
def test_every_game_is_there_as_sgf_and_replays_to_its_result(whole):
    _, directory = whole
    paths = sorted((directory / "games").glob("*.sgf"))
    assert len(paths) == 24
    for path in paths:
        assert_replays(path)
    assert [path.read_text().strip() for path in paths] == [game for row in rows(directory) for game in row["games"]]


@pytest.mark.slow
def test_pairs_share_openings_and_swap_colours(whole):
    openings = {}
    for row in rows(whole[1]):
        one, other = (sgf.read(text)[0] for text in row["games"])
        assert (one.info["PB"], one.info["PW"]) == (other.info["PW"], other.info["PB"])
        assert {one.info["PB"], one.info["PW"]} == {row["first"], row["second"]}
        assert one.moves[:2] == other.moves[:2]
        openings.setdefault(row["pair"], set()).add(one.moves[:2])
    assert all(len(first_moves) == 1 for first_moves in openings.values())
    assert openings[0] != openings[1]


@pytest.mark.slow
def test_sigkill_then_resume_equals_never_stopping(whole, environ, place):
    directory = place / "runs/tournament/killed"
    process = subprocess.Popen(
        command(*OURS, *OPTIONS, "--name=killed"), cwd=place, env=environ, stdout=subprocess.DEVNULL
    )
    while not (directory / "pairs.jsonl").exists() or not rows_so_far(directory):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = (directory / "pairs.jsonl").read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert 0 < kept.count(b"\n") < 12
    (directory / "pairs.jsonl").write_bytes(kept + b'{"first": "random", "sec')  # killed in the middle of a line
    for path in list((directory / "games").iterdir())[:1]:  # and before a game was written
        path.unlink()

    finished = run(environ, place, *OURS, *OPTIONS, "--name=killed", "--resume")
    assert finished.returncode == 0, finished.stderr
    kept_pairs = kept.count(b"\n")
    assert f"12 pairs of games, {kept_pairs} played" in finished.stdout
    assert (directory / "pairs.jsonl").read_bytes().startswith(kept)
    assert sorted(map(str, rows(directory))) == sorted(map(str, rows(whole[1])))
    assert (directory / "ratings.json").read_text() == (whole[1] / "ratings.json").read_text()
    assert len(list((directory / "games").iterdir())) == 24


def rows_so_far(directory):
    return (directory / "pairs.jsonl").read_bytes().count(b"\n")


def gnugo_problem():
    try:
        gnugo()
    except EngineError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.skipif(bool(gnugo_problem()), reason=gnugo_problem() or "gnugo is there")
def test_gnu_go_joins_a_finished_tournament(whole, environ, place):
    _, directory = whole
    before = (directory / "pairs.jsonl").read_bytes()
    arguments = [*OURS, "gnugo:0", *OPTIONS, "--name=whole", "--resume", "--anchor=gnugo:0", "--anchor-elo=1000"]
    finished = run(environ, place, *arguments)
    assert finished.returncode == 0, finished.stderr
    assert "20 pairs of games, 12 played" in finished.stdout
    assert (directory / "pairs.jsonl").read_bytes().startswith(before)
    assert played(directory) == everybody([*NAMES, "gnugo:0"], 2)
    for path in (directory / "games").glob("*.sgf"):
        assert_replays(path)
    ratings = json.loads((directory / "ratings.json").read_text())
    assert ratings["players"]["gnugo:0"]["elo"] == 1000
    assert ratings["players"]["random"]["elo"] < 1000
    assert ratings["players"]["gnugo:0"]["forfeits"] == 0


ENGINE = """
    import sys, time
    for line in sys.stdin:
        id, command, *arguments = line.split()
        if command == "genmove":
            {}
        print(f"={{id}} {{'pass' if command == 'genmove' else ''}}\\n", flush=True)
"""


def engine(path, on_genmove):
    path.write_text(textwrap.dedent(ENGINE.format(on_genmove)))
    return f"gtp:{sys.executable} -S {path}"


@pytest.mark.slow
def test_engines_that_fail_lose_and_are_reported(environ, tmp_path):
    dies = engine(tmp_path / "dies.py", "sys.exit('out of ideas')")
    hangs = engine(tmp_path / "hangs.py", "time.sleep(1000)")
    passes = engine(tmp_path / "passes.py", "pass")
    options = [*OPTIONS, "--no-engines-meet", "--move-seconds=2", "--threads=4"]
    finished = run(environ, tmp_path, "random", dies, hangs, passes, *options)
    assert finished.returncode == 0, finished.stderr
    assert "12 games, 12 of them distinct; 8 lost by engines that failed" in finished.stdout
    assert finished.stderr.count("warning: game lost") == 8
    assert finished.stderr.count("out of ideas") == 4
    assert finished.stderr.count("gave no answer to 'genmove") == 4
    ratings = json.loads((tmp_path / "runs/tournament/default/ratings.json").read_text())
    assert [ratings["players"][name]["forfeits"] for name in ("random", dies, hangs, passes)] == [0, 4, 4, 0]
    assert ratings["players"][dies]["points"] == ratings["players"][hangs]["points"] == 0


@pytest.mark.slow
def test_ctrl_c_stops_it_without_harm_and_says_how_to_go_on(environ, tmp_path):
    """In a terminal the engines get the signal, too, and die of it: that must not count as games lost."""
    moves = tmp_path / "moves"
    passes = engine(tmp_path / "passes.py", f"time.sleep(0.05); open({str(moves)!r}, 'a').write('.')")
    arguments = ["random", passes, *OPTIONS, "--num-pairs=200", "--batch-pairs=2"]
    process = subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = iter(process.stdout.readline, "")
    assert any(line.startswith("2/200") for line in lines)
    num_moves = moves.stat().st_size
    while moves.stat().st_size < num_moves + 4:  # the next games have begun
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    rest = "".join(lines)
    assert process.wait(timeout=60) == 0
    assert "stopped by SIGINT" in rest and "--resume" in rest
    assert "lost" not in rest
    assert 2 <= len(rows(tmp_path / "runs/tournament/default")) < 200
    assert "Forfeit" not in (tmp_path / "runs/tournament/default/pairs.jsonl").read_text()


@pytest.fixture(scope="module")
def script():
    """The script as a module: what it refuses can be seen without starting Python every time."""
    spec = importlib.util.spec_from_file_location("tournament", SCRIPT)
    sys.modules["tournament"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["tournament"]


@pytest.mark.parametrize(
    ("players", "settings", "words"),
    [
        (["random", "gnugo:11"], {}, ["unknown player 'gnugo:11'", "0 to 10"]),
        (["random", "random:1"], {}, ["unknown player 'random:1'"]),
        (["random", "run:"], {}, ["unknown player 'run:'", "run:DIR[@ITERATION][#SIMULATIONS]"]),
        (["random", "run:net@8"], {}, ["run:net@8", "no checkpoint 8; it has 7"]),
        (["random", "policy:net#5"], {}, ["policy:net#5", "no #SIMULATIONS"]),
        (["random", "initial:net@7"], {}, ["initial:net@7", "no @ITERATION"]),
        (["random", "run:net#0"], {}, ["run:net#0", "num_simulations must be at least 1, got 0"]),
        (["random", "run:other"], {}, ["run:other", "not a run of go_9x9.py"]),
        (["random", "random"], {}, ["player random is there 2 times"]),
        (["random", "run:net", "run:net@7#32"], {}, ["player run:net@7#32 is there 2 times"]),
        (["random", "gtp:no-such-engine"], {}, ["cannot start no-such-engine"]),
        (["random", "gtp:'"], {}, ["player gtp:'", "quotation"]),
        (["random", "policy:net"], {"anchor": "gnugo:10"}, ["anchor gnugo:10 does not play", "random, policy:net@7"]),
        (["random", "policy:net"], {"size": 2, "num_pairs": 99}, ["num_pairs is 99", "different openings", "raise"]),
        (["random", "policy:net"], {"opening_moves": (3, 2)}, ["opening_moves", "3 2"]),
        (["random", "policy:net"], {"num_pairs": 0}, ["num_pairs must be at least 1, got 0"]),
        (["random", "policy:net"], {"threads": 0}, ["threads must be at least 1, got 0"]),
        (["random", "policy:net"], {"move_seconds": float("nan")}, ["move_seconds"]),
        (["random", "policy:net"], {"name": "../up"}, ["name must be", "'../up'"]),
        (["random"], {}, ["two or more", "random"]),
    ],
)
def test_what_cannot_be_played_is_said_in_one_line(script, place, monkeypatch, players, settings, words):
    monkeypatch.chdir(place)
    with pytest.raises(SettingError) as error:
        script.main(script.Config(players=tuple(players), **{"size": 5, "name": "wrong", **settings}), None)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)
    assert not (place / "runs/tournament/wrong").exists()


def test_chance_depends_on_the_game_and_on_nothing_beside_it(script):
    mind = script.Mind(Go(5, max_moves=30), seed=0)
    seeds = np.arange(1, 9, dtype=np.uint32)
    states = jax.tree.map(lambda x: jnp.broadcast_to(x, (8, *x.shape)), mind.go.init())
    moves = np.asarray(script.think(mind, (), seeds, states))
    assert len(set(moves.tolist())) > 3
    np.testing.assert_array_equal(script.think(mind, (), seeds[::-1].copy(), states), moves[::-1])


def test_the_anchor_is_gnu_go_at_1800_if_it_plays(script):
    gnu_go, random = (script.Engine(name, Go(5), list) for name in ("gnugo:10", "gtp:random"))
    for settings, expected in [
        ({}, ("gnugo:10", 1800)),
        ({"anchor": "gtp:random"}, ("gtp:random", 0)),
        ({"anchor": "gtp:random", "anchor_elo": 7.0}, ("gtp:random", 7)),
        ({"anchor_elo": 1700.0}, ("gnugo:10", 1700)),
    ]:
        config = script.Config(players=("gtp:random", "gnugo:10"), **settings)
        assert script.choose_anchor(config, [random, gnu_go]) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["random", "alphago"], ["unknown player 'alphago'", "run:DIR", "policy:DIR", "random", "gnugo:LEVEL"]),
        (["random", "run:nowhere"], ["run:nowhere", "nowhere/config.json is missing"]),
        (["random", "gnugo:0", "--komi=7.2"], ["komi", "multiple of 0.5"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_the_line_is_all_that_a_person_sees(environ, place, arguments, words):
    assert_one_line(run(environ, place, *arguments, "--size=5", "--name=wrong"), words)


def assert_one_line(finished, words):
    lines = finished.stderr.splitlines()
    assert finished.returncode == 1 and len(lines) == 1, finished.stderr
    for word in words:
        assert word in lines[0]


def test_without_gnu_go_the_line_says_how_to_install_it(script, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(SettingError, match=r"player gnugo:10: .*`apt install gnugo`") as error:
        script.main(script.Config(players=("random", "gnugo:10")), None)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.slow
def test_other_rules_and_changed_players_need_another_name(whole, environ, place):
    arguments = ["random", "policy:net", "--size=5", "--name=whole"]
    again = run(environ, place, *arguments, "--max-moves=30")
    assert_one_line(again, ["exists", "--resume", "--name"])
    other_rules = run(environ, place, *arguments, "--resume")
    assert_one_line(other_rules, ["max_moves was 30, now null"])
    config = place / "runs/tournament/whole/config.json"
    text = config.read_text()
    try:
        config.write_text(re.sub(r'("policy:net@7": ")[0-9a-f]+', r"\g<1>00000000", text))
        changed = run(environ, place, *arguments, "--max-moves=30", "--resume")
    finally:
        config.write_text(text)
    assert_one_line(changed, ["policy:net@7 is not the player it was", "--name"])
