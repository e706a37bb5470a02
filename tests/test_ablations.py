"""The script that asks what options of self-play are worth."""

import json

import pytest
import scripts


def test_what_makes_no_sense_is_named():
    module = scripts.load("ablations")
    with pytest.raises(module.SettingError, match="unknown option 'magic'; choose from brief, growing"):
        module.Config(name="x", options=("magic",))
    with pytest.raises(module.SettingError, match="name must be"):
        module.Config(name="../x")
    with pytest.raises(module.SettingError, match="num_seeds must be at least 2"):
        module.Config(name="x", num_seeds=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_option_is_trained_as_long_as_it_costs_the_same_and_meets_the_plain_player(tmp_path):
    finished = scripts.run(tmp_path / "cache", tmp_path, "ablations", "--preset=tiny")
    assert finished.returncode == 0, finished.stderr
    results = json.loads((tmp_path / "runs/ablations/tiny/results.json").read_text())["results"]
    assert [result["option"] for result in results] == ["plain", "growing", "no-symmetries", "smaller-board"]
    plain, growing, whole, smaller = results
    assert growing["iterations"][0] > whole["iterations"][0] == plain["iterations"][0] == 6
    assert "--from=runs/go_9x9/tiny-first-1" in finished.stdout and smaller["iterations"][0] < 6
    (itself, score), (other, _) = plain["scores"]
    assert itself == 0.5 and score + other == pytest.approx(1), "two that meet each other alone"
    assert all(0.6 < cost < 1.4 for result in results for cost in result["flops"])
    assert all(0 <= score <= 1 for result in results for row in result["scores"] for score in row)
    again = scripts.run(tmp_path / "cache", tmp_path, "ablations", "--preset=tiny", "--resume")
    assert again.returncode == 0 and "go_9x9.py --preset" not in again.stdout
    assert json.loads((tmp_path / "runs/ablations/tiny/results.json").read_text())["results"] == results
    refused = scripts.run(tmp_path / "cache", tmp_path, "ablations", "--preset=tiny")
    assert refused.returncode == 1 and "exists; add --resume" in refused.stderr.splitlines()[-1]
