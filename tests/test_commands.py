"""Experiments made of others: what is shown, what is run once, what is refused."""

import dataclasses
import shlex
import sys

import pytest

from rl_pretrain import commands
from rl_pretrain.run_directory import RunError

SCRIPT = """
import pathlib, sys
place = pathlib.Path(sys.argv[1])
place.mkdir(exist_ok=True)
with open(place / "starts", "a") as file:
    file.write("x")
if "stop" not in sys.argv:
    (place / "result.json").write_text("{}")
sys.exit(3 if "fail" in sys.argv else 0)
"""


@dataclasses.dataclass(frozen=True)
class Config:
    resume: bool = False
    size: int = 5
    num_pairs: int = 2


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["experiments/all.py", "--size=5", "--resume"])
    path = tmp_path / "one.py"
    path.write_text(SCRIPT)
    return path


def test_a_training_runs_once_and_is_shown(script, tmp_path, capsys):
    for _ in range(2):
        commands.train(script, tmp_path / "a run", [str(tmp_path / "a run"), "x y"])
    assert (tmp_path / "a run/starts").read_text() == "x"
    shown = f"$ python experiments/one.py {shlex.quote(str(tmp_path / 'a run'))} 'x y'"
    assert capsys.readouterr().out.splitlines() == ["", shown]


def test_one_that_was_stopped_or_failed_says_how_to_go_on(script, tmp_path):
    go_on = "to go on: python experiments/all.py --size=5 --resume"
    with pytest.raises(RunError, match=f"a was stopped; {go_on}"):
        commands.train(script, tmp_path / "a", [str(tmp_path / "a"), "stop"])
    with pytest.raises(RunError, match=f"one.py ended with status 3; {go_on}"):
        commands.train(script, tmp_path / "b", [str(tmp_path / "b"), "fail"])


def test_another_experiment_in_the_directory_is_refused(script, tmp_path):
    place = tmp_path / "place"
    with commands.directory(place, Config()):
        pass
    with pytest.raises(RunError, match="exists; add --resume"), commands.directory(place, Config()):
        pass
    again = Config(resume=True, num_pairs=3)
    with commands.directory(place, again, may_differ=("num_pairs",)) as found:
        assert found == place
        with pytest.raises(RunError, match="in use"), commands.directory(place, again, may_differ=("num_pairs",)):
            pass
    with pytest.raises(RunError, match="size was 5, now 6"), commands.directory(place, Config(resume=True, size=6)):
        pass


def test_parts_of_another_experiment_are_refused_at_the_beginning_only(script, tmp_path):
    (tmp_path / "runs/x-1").mkdir(parents=True)
    place, again = tmp_path / "place", Config(resume=True)
    with pytest.raises(RunError, match="runs/x-1 is of another"), commands.directory(place, again, parts="runs/x-*"):
        pass
    with commands.directory(place, Config(), parts="runs/y-*"):
        (tmp_path / "runs/y-1").mkdir()
    with commands.directory(place, again, parts="runs/y-*"):
        pass
    with pytest.raises(RunError, match="exists; add --resume"), commands.directory(place, Config(), parts="runs/y-*"):
        pass
