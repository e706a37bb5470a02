"""A run directory is one run's, with one config, for one process at a time; every refusal is one clear line."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from rl_pretrain import run_directory
from rl_pretrain.run_directory import RunError

CONFIG = {"iterations": 10, "network": {"blocks": 6, "widths": [1, 2]}, "learning_rate": 0.01, "clip": float("inf")}
VERSIONS = {"jax": "0.10.2"}


def claim(directory, config=CONFIG, versions=VERSIONS, resume=False, may_differ=()):
    """Claims and lets go."""
    run_directory.claim(directory, config, versions, resume, may_differ).close()


def refusal(*args, **kwargs):
    with pytest.raises(RunError) as caught:
        claim(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "runs" / "go_9x9" / "first"


def test_a_new_run_records_its_config_as_strict_json(directory):
    claim(directory)
    text = (directory / "config.json").read_text()
    stored = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert stored == {"config": {**CONFIG, "clip": "Infinity"}, "versions": VERSIONS}
    assert run_directory.read_config(directory) == (stored["config"], VERSIONS)
    assert not list(directory.glob("*.tmp"))


def test_the_same_run_is_not_started_twice(directory):
    claim(directory)
    assert refusal(directory) == f"{directory} exists; add --resume to continue it or choose another --name"


@pytest.mark.parametrize("trace", ["metrics.jsonl", "checkpoints"])
def test_what_is_left_of_a_run_without_config_is_not_overwritten(directory, trace):
    (directory / trace).mkdir(parents=True)
    assert "exists; add --resume" in refusal(directory)
    assert "config.json is missing" in refusal(directory, resume=True)


def test_a_start_that_died_before_the_config_was_written_can_be_repeated(directory):
    directory.mkdir(parents=True)
    (directory / "lock").write_text("process 1 on here\n")
    (directory / "config.json.tmp").write_text('{"conf')
    claim(directory)


def test_there_must_be_something_to_resume(directory):
    assert "holds no run to resume" in refusal(directory, resume=True)
    assert not directory.exists()


def test_a_run_resumes_with_the_same_config(directory):
    claim(directory)
    claim(directory, {**CONFIG, "network": {"blocks": 6, "widths": (1, 2)}, "iterations": 10.0}, resume=True)


def test_a_run_with_another_config_is_refused_with_names_and_both_values(directory):
    claim(directory)
    before = (directory / "config.json").read_bytes()
    new = {"iterations": 10, "network": {"blocks": 8, "widths": [1, 2]}, "learning_rate": 0.02, "seed": 3}
    text = refusal(directory, new, resume=True)
    assert "network.blocks was 6, now 8" in text and "learning_rate was 0.01, now 0.02" in text
    assert 'clip was "Infinity", now absent and 1 more' in text.replace("; use", " use") and "another --name" in text
    assert (directory / "config.json").read_bytes() == before


@pytest.mark.parametrize("allowed", ["network", "network.blocks"])
def test_settings_that_may_differ_are_recorded(directory, allowed):
    claim(directory)
    new = {**CONFIG, "iterations": 20, "network": {"blocks": 8, "widths": [1, 2]}}
    claim(directory, new, resume=True, may_differ=["iterations", allowed])
    assert run_directory.read_config(directory)[0]["network"]["blocks"] == 8
    assert "iterations was 20, now 10" in refusal(directory, new | {"iterations": 10}, resume=True)


def test_a_name_allows_only_itself_and_its_group(directory):
    claim(directory, {"learn": 1, "learning": 1})
    assert "learning was 1, now 2" in refusal(directory, {"learn": 1, "learning": 2}, resume=True, may_differ=["learn"])


def test_other_versions_are_told_and_recorded(directory, capsys):
    claim(directory)
    claim(directory, versions={"jax": "0.12.0"}, resume=True)
    assert 'another jax: was "0.10.2", now "0.12.0"' in capsys.readouterr().err
    assert run_directory.read_config(directory)[1] == {"jax": "0.12.0"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b"[]", "is damaged"),
        (b'{"config": {}}', "no entry 'versions'"),
    ],
)
def test_a_config_that_cannot_be_read_is_named(directory, content, problem):
    claim(directory)
    (directory / "config.json").write_bytes(content)
    text = refusal(directory, resume=True)
    assert str(directory / "config.json") in text and problem in text
    assert (directory / "config.json").read_bytes() == content


def test_a_config_that_is_no_json_is_a_programming_error(directory):
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        claim(directory, {"f": print})


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "runs").write_text("in the way")
    text = refusal(tmp_path / "runs" / "first")
    assert text == f"cannot use {tmp_path / 'runs' / 'first'} as run directory: Not a directory"


def test_one_process_at_a_time_until_it_is_gone_however_it_goes(directory):
    script = f"""
        import pathlib, time
        from rl_pretrain import run_directory
        lock = run_directory.claim(pathlib.Path({str(directory)!r}), {{}}, {{}}, False, ())
        print("locked", flush=True)
        time.sleep(60)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    for resume in (True, False):
        assert f"is in use by process {process.pid} on " in refusal(directory, {}, {}, resume=resume)
    process.send_signal(signal.SIGKILL)
    process.wait()
    claim(directory, {}, {}, resume=True)


def test_a_refused_claim_lets_go_of_the_directory(directory):
    claim(directory)
    refusal(directory)
    refusal(directory, {}, resume=True)
    held = run_directory.claim(directory, CONFIG, VERSIONS, True, ())
    assert f"in use by process {os.getpid()}" in refusal(directory, resume=True)
    held.close()
    claim(directory, resume=True)
