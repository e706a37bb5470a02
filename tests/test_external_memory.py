"""The experiment with a small window and a memory: a tiny run, resumed, and, slowly, what it promises."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scripts

from rl_pretrain import command_line
from rl_pretrain.settings import SettingError

SCRIPT = Path(__file__).parents[1] / "experiments" / "external_memory.py"


def run(place, *arguments, timeout=600):
    environ = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    place = tmp_path_factory.mktemp("external_memory")
    finished = run(place, "--preset=tiny", "--no-with-peers")
    assert finished.returncode == 0, finished.stderr
    return place, finished.stdout


@pytest.mark.slow
def test_a_tiny_run_leaves_a_table_and_results(tiny):
    place, said = tiny
    directory = place / "runs/external_memory/tiny"
    assert re.search(r"copy, window 1 \+ tape \(\d+ s\): trained on 0\.\d+", said)
    table = (directory / "table.md").read_text()
    assert "| copy | window 1 + tape |" in table and "length ×8" in table
    (result,) = json.loads((directory / "results.json").read_text())
    assert np.shape(result["solved"]) == (12, 2)  # levels, seeds
    assert result["steps"] == 4 * 8 * 48
    assert len(result["follows"]) == 2 and "exchanged memory" in said
    assert (directory / "figure.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_finished_run_is_shown_again_and_another_is_refused(tiny):
    place, said = tiny
    again = run(place, "--preset=tiny", "--no-with-peers", "--resume")
    assert again.returncode == 0, again.stderr
    assert said.splitlines()[-3] in again.stdout
    other = run(place, "--preset=tiny", "--no-with-peers", "--resume", "--seed=5")
    assert other.returncode == 1
    assert "seed" in other.stderr and other.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset=huge"], "unknown preset 'huge'; choose one of demo, retriever, grid, tiny"),
        (["--preset=tiny", "--tasks", "copi"], "unknown task 'copi'; choose from copy, reverse"),
        (["--preset=tiny", "--windows", "0"], "windows must be at least 1, got 0"),
        (["--preset=tiny", "--num-seeds=0"], "num_seeds must be at least 1, got 0"),
    ],
)
def test_bad_settings_are_named_in_one_line(arguments, message):
    with pytest.raises(SettingError, match=message):
        command_line.parse(arguments, scripts.load("external_memory").PRESETS, "", default="demo")


@pytest.mark.slow
def test_a_window_of_one_with_a_tape_copies_and_reverses_eight_times_the_length(tmp_path):
    finished = run(tmp_path, "--preset=demo", "--no-with-peers", timeout=900)
    assert finished.returncode == 0, finished.stderr
    for result in json.loads((tmp_path / "runs/external_memory/demo/results.json").read_text()):
        solved = np.array(result["solved"])
        assert (solved[result["levels"].index("length ×8")] >= 0.99).all(), result["task"]
        assert min(result["follows"]) > 0.95, "with another's memory it answers the other's prompt"


@pytest.mark.slow
def test_queries_by_content_are_learnt_from_reward_and_what_they_find_is_the_answer(tmp_path):
    finished = run(tmp_path, "--preset=retriever", timeout=900)
    assert finished.returncode == 0, finished.stderr
    results = json.loads((tmp_path / "runs/external_memory/retriever/results.json").read_text())
    bare, with_memory = sorted(results, key=lambda result: len(result["reasoner"]))
    assert with_memory["reasoner"] == "window 1 + retriever" and bare["reasoner"] == "window 1"
    on_training_levels = [np.mean(x["solved"][: x["num_train"]], axis=0) for x in (bare, with_memory)]
    assert max(on_training_levels[0]) < 0.1 and min(on_training_levels[1]) >= 0.95
    assert min(with_memory["follows"]) > 0.95, "with another's memory it tells the other's values"


@pytest.mark.slow
def test_cues_lie_when_it_is_asked(tmp_path):
    finished = run(tmp_path, "--preset=tiny", "--no-with-peers", "--with-cue")
    assert finished.returncode == 0, finished.stderr
    (result,) = json.loads((tmp_path / "runs/external_memory/tiny/results.json").read_text())
    assert np.shape(result["solved"]) == (12, 2)
