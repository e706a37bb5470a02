"""The three arms of go_9x9.py: what each needs, where it begins, what it is charged for; and the experiment on them."""

import json
import random
import re

import jax
import pytest
import scripts

from go_env import gtp_client, sgf
from rl_pretrain import checkpoint, trained

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
        (["--no-keep-value"], ["no-keep-value", "--from"]),
        (["--kl-halving=10"], ["kl_halving needs kl"]),
        (["--games.share=0.5"], ["games.share", "arm spt"]),
        (["--games.shuffle-results"], ["games.shuffle_results", "arm spt"]),
        (["--growth", "4"], ["growth", "more than 0 to 1"]),
        (["--selfplay.full-share=0.5", "--selfplay.brief-simulations=5"], ["brief_simulations", "at most the 4"]),
        (["--selfplay.random-share=0.5", "--selfplay.num-sampled-moves=0"], ["random_share", "num_sampled_moves"]),
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


def test_simulations_grow_in_equal_parts(go_9x9):
    config = go_9x9.parse(["--preset=tiny", "--iterations=6", "--growth", "0.1", "0.5", "1"])
    assert [config.simulations_at(i) for i in range(6)] == [1, 1, 2, 2, 4, 4]
    assert go_9x9.parse(["--preset=tiny"]).simulations_at(5) == 4


def test_komi_is_spread_over_games_and_kept_when_it_is_given(go_9x9):
    env = go_9x9.parse(["--preset=tiny", "--komi-spread=2"]).env
    komi = jax.vmap(env.init)(jax.random.split(jax.random.key(0), 200)).komi
    assert set(komi.tolist()) == {5.0, 6.0, 7.0, 8.0, 9.0}
    assert env.init(jax.random.key(0), komi=3.0).komi == 3.0


def test_fine_tuning_is_left_what_pretraining_did_not_spend(tmp_path, monkeypatch):
    go_arms = scripts.load("go_arms")
    members = []
    for name, flops, positions in (("rpt", 1000.0, 100), ("spt", 300.0, 50), ("dear", 1000.0, 50)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps({"spent": {"flops": flops, "positions": positions}}))
        members.append(go_arms.Member(name, 0, str(tmp_path / name)))
    config = go_arms.Config(name="x", iterations=50)
    assert go_arms.affordable(config, members[0], members[1], is_held=False) == 35  # of 20 FLOPs each
    assert go_arms.affordable(config, members[0], members[1], is_held=True) == 29  # of 20 + 2 positions · 6 / 3
    with pytest.raises(go_arms.RunError, match="nothing is left"):
        go_arms.affordable(config, members[0], members[2], is_held=True)


@pytest.mark.parametrize(("num", "earlier"), [(1, []), (3, [10, 20]), (4, [7, 14, 21])])
def test_as_many_milestones_play_as_are_asked_for(num, earlier):
    go_arms = scripts.load("go_arms")
    assert list(go_arms.earlier_milestones(go_arms.Config(name="x", iterations=30, milestones=num))) == earlier
    with pytest.raises(go_arms.SettingError, match="at most the 30 iterations, got 31"):
        go_arms.Config(name="x", iterations=30, milestones=31)


def test_what_another_experiment_trained_is_not_taken_over(tmp_path, monkeypatch):
    go_arms = scripts.load("go_arms")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs/go_9x9/cpu-spt").mkdir(parents=True)  # of go_9x9.py alone
    (tmp_path / "runs/go_9x9/cpu-rft-0.5-1").mkdir()
    monkeypatch.setattr(go_arms, "make_games", lambda config: pytest.fail("it has begun"))
    with pytest.raises(go_arms.RunError, match=r"cpu-rft-0\.5-1 is of another experiment"):
        go_arms.main(go_arms.PRESETS["cpu"])


def test_a_page_shows_tables_and_runs_nothing():
    report = scripts.load("report")
    text = "# A & B\n\n" + report.table(["arm", "Elo"], [["rpt", "10"], ["<script>", "5"]])
    page = report.page(text)
    assert page.count("<tr>") == 3 and "<td>rpt</td>" in page and "<script>" not in page


def test_points_of_rpt_count_whoever_is_named_first():
    report = scripts.load("report")
    rpt, spt = (report.Member(arm, 0, arm, {}, {}, {}) for arm in ("rpt", "spt"))
    ends = {"a": report.Player("a", rpt, 1, True), "b": report.Player("b", spt, 1, True)}
    ends |= {"c": report.Player("c", rpt, 1, False), "d": report.Player("d", spt, 1, False)}
    pairs = [{"first": "a", "second": "b", "points": 2.0}, {"first": "b", "second": "a", "points": 1.0}]
    pairs += [{"first": "c", "second": "d", "points": 0.0}, {"first": "a", "second": "d", "points": 0.0}]
    assert report.against(ends, pairs, "spt", is_searching=True).startswith("75 %")
    assert report.against(ends, pairs, "spt", is_searching=False).startswith("0 %")
    assert report.against(ends, pairs, "rft-0.1", is_searching=True) == "–"


def test_nobody_scores_against_itself():
    report = scripts.load("report")
    score = {"mean": 0.5, "num_games": 4}
    battery = {"opponent": "a", "conditions": {"as trained": score}}
    own, other = (report.Member("rpt", i, name, {}, {}, battery) for i, name in enumerate("ab"))
    assert report.score_text([own], "as trained") == "–"
    assert report.score_text([own, other], "as trained") == report.score_text([other], "as trained") != "–"


def test_a_tournament_is_shown_from_the_strongest_down_with_its_anchor():
    report = scripts.load("report")
    elos = {"random": -900.0, "gnugo:0": 0.0}
    players = {name: {"elo": elo, "low": elo - 9, "high": elo + 9, "games": 4} for name, elo in elos.items()}
    text = report.rating_table("with search", {"players": players, "anchor": {"name": "gnugo:0", "elo": 0.0}}, [])
    head, _, first, second = text.splitlines()
    assert "Elo (gnugo:0 = 0)" in head and "gnugo:0 " in first and second == "| random |  |  | -900 [-909, -891] | 4 |"


def test_depths_are_told_apart_by_arm(tmp_path):
    report = scripts.load("report")
    rpt, spt = (report.Member(arm, 0, f"runs/{arm}", {}, {}, {}) for arm in ("rpt", "spt"))
    names = {f"run:runs/{arm}@6#{n}": 100 * n for arm in ("rpt", "spt") for n in (32, 1)} | {"random": 0}
    ratings = {name: {"elo": elo, "low": elo - 9, "high": elo + 9} for name, elo in names.items()}
    (tmp_path / "ratings.json").write_text(json.dumps({"players": ratings}))
    text = report.worth_of_search([tmp_path], [rpt, spt])
    assert "| simulations | 1 | 32 |" in text and "| spt | 100 [91, 109] | 3200 [3191, 3209] |" in text
    assert report.worth_of_search([], [rpt, spt]) == ""


def test_levels_beyond_those_of_gnu_go_are_named():
    make_games = scripts.load("make_games")
    with pytest.raises(make_games.SettingError, match="0 to 10"):
        make_games.Config(levels=(0, 11))


def has_gnugo():
    try:
        return bool(gtp_client.gnugo())
    except gtp_client.EngineError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not has_gnugo(), reason="GNU Go is not installed: apt install gnugo")
def test_the_whole_experiment_from_one_command(tmp_path):
    finished = scripts.run(tmp_path / "cache", tmp_path, "go_arms", "--preset=tiny", timeout=1500)
    assert finished.returncode == 0, finished.stderr
    for name in ("make_games.py", "go_9x9.py", "tournament.py", "battery.py", "report.py"):
        assert f"$ python experiments/{name}" in finished.stdout
    text = (tmp_path / "runs/go_arms/tiny/report.md").read_text()
    for run in re.findall(r"`(runs/go_9x9/[^`]+)`", text):
        assert (tmp_path / run / "result.json").exists()
    assert "rft-0.5" in text
    for word in ("What search is worth", "What it cost", "Predicting", "Generalisation", "What was not done"):
        assert word in text
    again = scripts.run(tmp_path / "cache", tmp_path, "go_arms", "--preset=tiny", "--resume")
    assert again.returncode == 0 and "go_9x9.py" not in again.stdout
    assert (tmp_path / "runs/go_arms/tiny/report.md").read_text() == text


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
    assert "predicts" in said[0]


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
