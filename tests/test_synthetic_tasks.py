"""The experiments on synthetic tasks: settings, and, slowly, whole runs, killed and resumed."""

import json
import subprocess
import time

import jax
import numpy as np
import pytest
import scripts

from curricula.room import Room
from rl_pretrain import checkpoint, command_line
from rl_pretrain.settings import SettingError

RUNS = "runs/synthetic_tasks"


@pytest.fixture(scope="module")
def synthetic_tasks():
    return scripts.load("synthetic_tasks")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset=huge"], "unknown preset 'huge'; choose one of solve, schedules, arms"),
        (["--tasks", "copi"], "unknown task 'copi'; choose from copy, reverse"),
        (
            ["--tasks", "copy+swap_sort"],
            "tasks that are acted in are learnt alone and without a memory, got copy.swap_sort",
        ),
        (["--tasks", "copy", "--arms", "search"], "search needs a task that is acted in, got copy"),
        (["--tasks", "swap_sort", "--arms", "spt-answer"], "spt-answer needs a task that is read, got swap_sort"),
        (["--tasks", "copy", "--arms", "spt-trace"], "spt-trace needs a task with steps before its answer, got copy"),
        (["--kl-weights", "0.1", "-1"], "kl_weights must be at least 0, got -1"),
        (["--num-places=10", "--devices=4"], "num_places must be a multiple of the 4 devices, got 10"),
        (["--iterations=0"], "iterations must be at least 1, got 0"),
    ],
)
def test_bad_settings_are_named_in_one_line(synthetic_tasks, arguments, message):
    with pytest.raises(SettingError, match=message):
        command_line.parse(arguments, synthetic_tasks.PRESETS, "", default="tiny")


def test_every_arm_comes_once_and_rft_once_for_each_weight(synthetic_tasks):
    arguments = ["--tasks", "sort", "--arms", "random", "rpt", "spt-trace", "rft", "--kl-weights", "0", "0.5"]
    arguments += ["--schedules", "staircase", "uniform"]
    config = command_line.parse(arguments, synthetic_tasks.PRESETS, "", default="tiny")
    names = [lesson.name for lesson in synthetic_tasks.lessons_of(config)]
    practised = [f"sort-{arm}-{plan}" for arm in ("rpt", "rft-kl-0", "rft-kl-0.5") for plan in ("staircase", "uniform")]
    assert sorted(names) == sorted(["sort-random", "sort-spt-trace", *practised])


def test_every_arm_has_as_many_tokens_to_learn_from(synthetic_tasks):
    arguments = ["--tasks", "group_word", "--arms", "rpt", "rpt-pad", "spt-answer", "spt-trace", "rft-trace"]
    config = command_line.parse([*arguments, "--num-places=64"], synthetic_tasks.PRESETS, "", default="tiny")
    sizes = {"group_word": [Room(12 + i, 20 + i) for i in range(13)]}
    budgets = {
        lesson.way.name: synthetic_tasks.make_budget(config, lesson, sizes)
        for lesson in synthetic_tasks.lessons_of(config)
    }
    for budget in budgets.values():
        assert budget.tokens == pytest.approx(budgets["rpt"].tokens, rel=0.05)
        shown = budget.num_demonstrations * budget.demonstration_steps * budget.num_updates
        assert shown == pytest.approx(budgets["rpt"].tokens, rel=0.05)
    longest = 18 + 26  # of the last training level
    assert budgets["rpt-pad"].num_steps == 2 * longest and budgets["spt-trace"].demonstration_steps == longest


def test_every_preset_has_tasks_that_its_arms_can_learn(synthetic_tasks):
    assert {"solve", "schedules", "arms", "search", "tiny"} == set(synthetic_tasks.PRESETS)


@pytest.mark.parametrize(
    ("solved", "name"),
    [
        ([1, 1, 0.9, 1], "level 1"),
        ([1, 1, 0.96, None], "length ×1.5"),
        ([0.2, 1, 1, 1], "none"),
        ([1] * 4, "length ×2"),
    ],
)
def test_the_reach_is_named(synthetic_tasks, solved, name):
    levels = ["level 0", "level 1", "length ×1.5", "length ×2", "alphabet ×2"]
    marks = {"levels": levels, "num_train": 2, "solved": [[rate] for rate in [*solved, 1]]}
    assert synthetic_tasks.name_of_reach(marks) == name


def weights(place, name):
    """What a run has learnt."""
    return checkpoint.load(place / RUNS / name).arrays


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.slow
def test_all_arms_leave_a_table_with_costs(cache, tmp_path):
    arms = ["random", "rpt", "rpt-pad", "spt-answer", "spt-trace", "spt-noisy", "rft", "rft-trace"]
    arguments = ["--preset=tiny", "--tasks", "group_word", "--arms", *arms, "--kl-weights", "0.1"]
    finished = scripts.run(cache, tmp_path, "synthetic_tasks", *arguments)
    assert finished.returncode == 0, finished.stderr
    results = json.loads((tmp_path / RUNS / "tiny/results.json").read_text())
    costs = {result["arm"]: result["cost"] for result in results}
    assert len(costs) == 8 and costs["random"]["tokens"] == 0
    assert costs["spt-answer"]["tokens"] == costs["rpt"]["tokens"] == costs["rft-kl-0.1"]["tokens"]
    assert costs["rpt"]["flops"] > costs["rft-kl-0.1"]["flops"] > costs["spt-answer"]["flops"] > 0
    assert costs["rft-kl-0.1"]["steps"] == costs["rpt"]["steps"] / 2 and costs["spt-answer"]["steps"] == 0
    for result in results:
        marks = result["marks"]["group_word"]
        assert np.shape(marks["solved"]) == (len(marks["levels"]), 2)
    table = (tmp_path / RUNS / "tiny/table.md").read_text()
    assert table.count("\n") == 2 + 8 and (tmp_path / RUNS / "tiny/figure.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_killed_run_ends_where_an_uninterrupted_one_does(cache, tmp_path):
    """SIGKILL at three moments of one training, then the end."""
    arguments = ["--preset=tiny", "--tasks", "copy", "--arms", "rft", "--kl-weights", "0.1", "--iterations=30"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    finished = scripts.run(cache, whole, "synthetic_tasks", *arguments)
    assert finished.returncode == 0, finished.stderr
    metrics = parts / RUNS / "tiny/copy-rft-kl-0.1-staircase/metrics.jsonl"
    for rows in (4, 11, 20):
        process = subprocess.Popen(
            scripts.command("synthetic_tasks", *arguments, "--resume"),
            cwd=parts,
            env=scripts.environment(cache),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while not (metrics.exists() and len(metrics.read_text().splitlines()) >= rows):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.wait()
    finished = scripts.run(cache, parts, "synthetic_tasks", *arguments, "--resume")
    assert finished.returncode == 0, finished.stderr
    name = "tiny/copy-rft-kl-0.1-staircase"
    assert_same(weights(whole, name), weights(parts, name))


@pytest.mark.slow
def test_devices_share_the_places_and_stay_alike(cache, tmp_path):
    arguments = ["--preset=tiny", "--devices=2", "--arms", "rpt", "spt-answer"]
    finished = scripts.run(cache, tmp_path, "synthetic_tasks", *arguments)
    assert finished.returncode == 0, finished.stderr
    alone = json.loads((tmp_path / RUNS / "tiny/results.json").read_text())
    assert [result["arm"] for result in alone] == ["rpt", "spt-answer"]
    assert alone[0]["cost"]["tokens"] == 4 * 8 * 32 * 4  # iterations, places of both devices, steps, epochs


@pytest.mark.slow
def test_a_mixture_is_learnt_by_one_network(cache, tmp_path):
    arguments = ["--preset=tiny", "--tasks", "copy+reverse", "--arms", "rpt", "spt-answer"]
    finished = scripts.run(cache, tmp_path, "synthetic_tasks", *arguments)
    assert finished.returncode == 0, finished.stderr
    for result in json.loads((tmp_path / RUNS / "tiny/results.json").read_text()):
        assert set(result["marks"]) == {"copy", "reverse"}


@pytest.mark.slow
def test_orthogonality_tells_every_arm_in_both_regimes(cache, tmp_path):
    finished = scripts.run(cache, tmp_path, "orthogonality", "--preset=tiny")
    assert finished.returncode == 0, finished.stderr
    results = json.loads((tmp_path / "runs/orthogonality/tiny/results.json").read_text())
    assert len(results) == 2 * 6 and {result["regime"] for result in results} == {"fresh", "fixed"}
    kinds = ["learnt from", "new", "one dimension more", "twice the dimensions", "range 9"]
    assert all(list(result["solved"]) == kinds for result in results)
    assert (tmp_path / "runs/orthogonality/tiny/table.md").read_text().count("\n") == 2 + 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset=big"], "unknown preset 'big'; choose one of cpu, tiny"),
        (["--range=9"], "range must be from 1 to 8, got 9"),
        (["--dimension=1"], "dimension must be at least 2, got 1"),
    ],
)
def test_bad_settings_of_orthogonality_are_named(arguments, message):
    with pytest.raises(SettingError, match=message):
        command_line.parse(arguments, scripts.load("orthogonality").PRESETS, "", default="tiny")
