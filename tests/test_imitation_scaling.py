"""The script that asks what more games, and games of better players, are worth to imitation."""

import json
import random

import pytest
import scripts

from go_env import sgf


def write_games(path, num: int) -> str:
    """Random moves on 5×5 by players of both levels of the tiny preset: a third strong ones."""
    texts = []
    for seed in range(num):
        moves = random.Random(seed).sample(range(25), 14)
        game = sgf.from_actions(moves, 5, komi=7.0, rules="Chinese", result="B+1")
        rank = "5k" if seed % 3 else "3d"
        texts.append(sgf.write(game).replace("RE[", f"BR[{rank}]WR[{rank}]RE[", 1))
    path.write_text("\n".join(texts))
    return str(path)


def test_what_makes_no_sense_is_named():
    module = scripts.load("imitation_scaling")
    with pytest.raises(module.SettingError, match="shares must be more than 0 and at most 1, got"):
        module.Config(name="x", shares=(0.0,))
    with pytest.raises(module.SettingError, match="levels must be pairs"):
        module.Config(name="x", levels=((3, 1),))
    with pytest.raises(module.SettingError, match="shares must differ"):
        module.Config(name="x", shares=(0.5, 0.5))
    with pytest.raises(module.SettingError, match="games must be"):
        module.main(module.Config(name="x"))


def test_levels_are_shown_as_many_games_each(tmp_path, monkeypatch):
    module = scripts.load("imitation_scaling")
    monkeypatch.chdir(tmp_path)
    path = write_games(tmp_path / "games.sgf", 60)
    config = module.Config(**{**vars(module.PRESETS["tiny"]), "games": (path,), "rated_games": (path,)})
    half, whole = (module.shown(config, diet, seed=0) for diet in module.shares(config))
    assert len(half.length) == -(-len(whole.length) // 2)
    diets = module.levels(config)
    assert [diet.name for diet in diets] == ["10 kyu to 2 kyu", "1 kyu to 9 dan"]
    weak, strong = (module.shown(config, diet, seed=1) for diet in diets)
    assert len(weak.length) == len(strong.length) < 25
    assert (weak.black_rating == -4).all() and (strong.white_rating == 3).all()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_everybody_makes_as_many_updates_and_predicts_the_same_games(tmp_path):
    path = write_games(tmp_path / "games.sgf", 80)
    command = ("imitation_scaling", "--preset=tiny", "--games", path, "--rated-games", path)
    finished = scripts.run(tmp_path / "cache", tmp_path, *command)
    assert finished.returncode == 0, finished.stderr
    place = tmp_path / "runs/imitation_scaling/tiny"
    results = json.loads((place / "results.json").read_text())["results"]
    assert [result["diet"]["name"] for result in results] == ["50 %", "100 %", "10 kyu to 2 kyu", "1 kyu to 9 dan"]
    assert [result["updates"] for result in results] == [[8]] * 4
    for result, run in ((result, result["runs"][0]) for result in results):
        settings = json.loads((tmp_path / run / "config.json").read_text())["config"]["games"]
        assert settings["share"] == result["diet"]["share"]
        assert result["positions"][0] == pytest.approx(14 * result["games"][0], abs=14)
    assert all(0 <= result["predicted"]["top_1"][0] <= result["predicted"]["top_5"][0] <= 1 for result in results)
    assert len((place / "table.md").read_text().splitlines()) == 2 + len(results)
    again = scripts.run(tmp_path / "cache", tmp_path, *command, "--resume")
    assert again.returncode == 0 and "go_9x9.py --preset" not in again.stdout
