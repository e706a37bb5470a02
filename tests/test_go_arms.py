"""The three arms of go_9x9.py: what each needs, that one leads to the next, and what each is charged for."""

import json
import random

import pytest
import scripts

from go_env import Go, sgf
from rl_pretrain import checkpoint, trained

GO = Go(size=5, max_moves=30)
TINY = ("--preset=tiny", "--devices=2")


@pytest.fixture(scope="module")
def go_9x9():
    return scripts.load("go_9x9")


def write_games(folder, num=60):
    """Random moves, with results that say nothing."""
    folder.mkdir()
    for seed in range(num):
        choose = random.Random(seed)
        moves = choose.sample(range(25), 14)
        result = choose.choice(["B+1", "W+R"])
        game = sgf.from_actions(moves, 5, komi=7.0, rules="Chinese", result=result)
        (folder / f"{seed}.sgf").write_text(sgf.write(game))
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--arm=spt"], ["games.paths"]),
        (["--arm=rft"], ["--from"]),
        (["--kl=0.1"], ["kl", "--from"]),
        (["--arm=rft", "--from=nowhere"], ["nowhere"]),
        (["--arm=spt", "--games.paths", "nowhere"], ["games.paths", "nowhere"]),
        (["--games.share=0"], ["games.share", "more than 0"]),
        (["--keep-every=3"], ["keep_every", "multiple of save_every"]),
    ],
)
def test_what_an_arm_needs_is_named(go_9x9, arguments, words):
    with pytest.raises((go_9x9.SettingError, checkpoint.RunError)) as error:
        go_9x9.prepare(go_9x9.parse(["--preset=tiny", *arguments]))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_an_arm_is_in_the_name_unless_another_is_given(go_9x9):
    games = ["--arm=spt", "--games.paths", "x"]
    assert go_9x9.parse(["--preset=tiny"]).name == "tiny"
    assert go_9x9.parse(["--preset=tiny", *games]).name == "tiny-spt"
    assert go_9x9.parse(["--preset=tiny", *games, "--name=mine"]).name == "mine"


def test_epochs_are_shared_out_over_iterations(go_9x9):
    config = go_9x9.parse(["--preset=tiny", "--arm=spt", "--games.paths", "x", "--imitate.reuse=3", "--iterations=5"])
    assert config.updates_per_iteration(num_shown=64 * 100) == 60
    assert config.moves_per_iteration == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """spt, then rft from it on the same board, then rpt from that on another one."""
    place = tmp_path_factory.mktemp("runs")
    cache = tmp_path_factory.mktemp("cache")
    games = write_games(place / "games")
    start = "--from=runs/go_9x9/tiny-spt"
    said = []
    for arguments in (
        ["--arm=spt", "--games.paths", str(games)],
        ["--arm=rft", start, "--kl=0.5", "--keep-moments", "--games.paths", str(games)],
        ["--from=runs/go_9x9/tiny-rft", "--size=4", "--name=smaller", "--no-keep-value"],
    ):
        finished = scripts.run(cache, place, "go_9x9", *TINY, *arguments)
        assert finished.returncode == 0, finished.stderr
        said.append(finished.stdout)
    return place / "runs/go_9x9", said, cache


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_spt_learns_from_games_and_plays_none(runs):
    place, said, _ = runs
    first, *_, last = rows(place / "tiny-spt")
    assert last["moves"] == last["games"] == last["evaluations"] == 0
    assert last["positions"] == 64 * last["updates"] and last["updates"] == 6 * first["updates"]
    assert last["policy_loss"] < first["policy_loss"] and 0 < last["test_policy_accuracy"] < 1
    assert "foretells" in said[0]


@pytest.mark.slow
def test_each_is_charged_for_those_before_it(runs):
    place, _, _ = runs
    spt, rft, rpt = (json.loads((place / name / "result.json").read_text())["spent"] for name in NAMES)
    assert rft["positions"] > spt["positions"] and rpt["positions"] > rft["positions"]
    assert rft["flops"] > spt["flops"] > 0
    assert rft["moves"] == 6 * 16 * 10 and rft["evaluations"] == 5 * rft["moves"]
    assert rpt["moves"] == 2 * rft["moves"]


NAMES = ("tiny-spt", "tiny-rft", "smaller")


@pytest.mark.slow
def test_rft_begins_with_the_weights_of_spt_and_is_held_to_them(runs):
    import jax
    import numpy as np

    place, _, _ = runs
    start, end = trained.load(place / "tiny-spt"), trained.load(place / "tiny-rft", which="initial")
    jax.tree.map(np.testing.assert_array_equal, start.weights, end.weights)
    assert all(row["anchor_kl"] >= 0 for row in rows(place / "tiny-rft"))
    assert "anchor_kl" not in rows(place / "smaller")[0]
    begun, taught = trained.load(place / "smaller", which="initial"), trained.load(place / "tiny-rft")
    is_same = jax.tree.map(lambda x, y: bool((x == y).all()), begun.weights["params"], taught.weights["params"])
    assert all(jax.tree.leaves(is_same["policy"])) and not all(jax.tree.leaves(is_same["value"]))


@pytest.mark.slow
def test_another_network_is_refused(runs):
    place, _, cache = runs
    arguments = ["--from=runs/go_9x9/tiny-spt", "--network.num-channels=9", "--name=wider"]
    finished = scripts.run(cache, place.parents[1], "go_9x9", *TINY, *arguments)
    assert finished.returncode != 0 and "network must be that of" in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1
