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
    with pytest.raises(module.SettingError, match="games must be"):
        module.main(module.Config(name="x"))


def test_levels_are_shown_as_many_games_each(tmp_path, monkeypatch):
    module = scripts.load("imitation_scaling")
    monkeypatch.chdir(tmp_path)
    path = write_games(tmp_path / "games.sgf", 60)
    config = module.Config(**{**vars(module.PRESETS["tiny"]), "games": (path,), "rated_games": (path,)})
    half, whole = module.shares(config)
    weak, strong = module.levels(config)
    assert 2 * half.num_games == pytest.approx(whole.num_games, abs=1)
    assert (weak.name, strong.name) == ("10 kyu to 2 kyu", "1 kyu to 9 dan")
    assert weak.num_games == strong.num_games < 25 and weak.share < 0.7 and strong.share == 1
    assert weak.num_positions == pytest.approx(14 * weak.num_games, abs=14)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_everybody_makes_as_many_updates_and_foretells_the_same_games(tmp_path):
    path = write_games(tmp_path / "games.sgf", 80)
    command = ("imitation_scaling", "--preset=tiny", "--games", path, "--rated-games", path)
    finished = scripts.run(tmp_path / "cache", tmp_path, *command)
    assert finished.returncode == 0, finished.stderr
    place = tmp_path / "runs/imitation_scaling/tiny"
    results = json.loads((place / "results.json").read_text())["results"]
    assert [result["diet"]["name"] for result in results] == ["50%", "100%", "10 kyu to 2 kyu", "1 kyu to 9 dan"]
    assert all(abs(result["updates"][0] - 8) <= 4 for result in results)  # whole ones in each iteration
    assert all(0 <= result["foretold"]["top_1"][0] <= result["foretold"]["top_5"][0] <= 1 for result in results)
    assert len((place / "table.md").read_text().splitlines()) == 2 + len(results)
    again = scripts.run(tmp_path / "cache", tmp_path, *command, "--resume")
    assert again.returncode == 0 and "go_9x9.py --preset" not in again.stdout
