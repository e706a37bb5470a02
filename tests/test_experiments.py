"""Every script as a person runs it: a subprocess, its output, its exit status."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GO = ROOT / "experiments" / "go_9x9.py"


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    """Scripts of this module share compiled programs, and nothing else with the outside."""
    cache = tmp_path_factory.mktemp("cache")
    return {**os.environ, "XDG_CACHE_HOME": str(cache), "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "default"}


def run(environ, cwd, *arguments, timeout=500):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=timeout)


def start(environ, cwd, *arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def weights(directory):
    """What a run has learnt, as host arrays by name."""
    from rl_pretrain import checkpoint

    loaded = checkpoint.load(directory)
    return loaded.step, loaded.arrays["train"]


def assert_same_weights(one, other):
    import jax
    import numpy as np

    assert one[0] == other[0]
    jax.tree.map(np.testing.assert_array_equal, one[1], other[1])


def assert_error(finished, *words):
    """One clear line, no traceback, non-zero exit."""
    assert finished.returncode not in (0, -signal.SIGKILL)
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, finished.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture(scope="module")
def whole_run(environ, tmp_path_factory):
    """An uninterrupted run of the tiny preset on four virtual devices."""
    cwd = tmp_path_factory.mktemp("whole")
    finished = run(environ, cwd, GO, "--preset=tiny", "--devices=4")
    assert finished.returncode == 0, finished.stderr
    return cwd, finished


def test_tiny_run_on_four_devices_reports_and_saves(whole_run):
    cwd, finished = whole_run
    assert "4 virtual CPU devices" in finished.stdout
    assert re.search(r"score vs initial network 0?\.?\d+.* over 8 paired games", finished.stdout)
    assert "--resume" in finished.stdout
    directory = cwd / "runs/go_9x9/tiny"
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["games"] > 0 and 0 <= rows[-1]["score_low"] <= rows[-1]["score"] <= rows[-1]["score_high"] <= 1
    assert json.loads((directory / "result.json").read_text())["score"]["num_games"] == 16
    assert list((directory / "tensorboard").iterdir())


def test_nothing_on_the_way_is_deprecated(whole_run):
    _, finished = whole_run
    assert "Deprecat" not in finished.stderr and "FutureWarning" not in finished.stderr


@pytest.mark.parametrize("after", [3, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_sigkill_then_resume_equals_never_stopping(whole_run, environ, tmp_path, after):
    process = start(environ, tmp_path, GO, "--preset=tiny", "--devices=4")
    for line in process.stdout:
        if line.startswith(f"iteration {after}/"):
            break
    process.kill()
    process.wait()
    finished = run(environ, tmp_path, GO, "--preset=tiny", "--devices=4", "--resume")
    assert finished.returncode == 0, finished.stderr
    assert_same_weights(weights(tmp_path / "runs/go_9x9/tiny"), weights(whole_run[0] / "runs/go_9x9/tiny"))
    rows = [json.loads(line) for line in (tmp_path / "runs/go_9x9/tiny/metrics.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_polite_signal_saves_and_says_how_to_go_on(whole_run, environ, tmp_path, number):
    process = start(environ, tmp_path, GO, "--preset=tiny", "--devices=4", "--save-every=100")
    for line in process.stdout:
        if line.startswith("iteration 1/"):
            process.send_signal(number)
            break
    rest = process.stdout.read()
    assert process.wait(timeout=120) == 0, rest
    assert number.name in rest and "--resume" in rest
    finished = run(environ, tmp_path, GO, "--preset=tiny", "--devices=4", "--resume")
    assert finished.returncode == 0, finished.stderr
    assert_same_weights(weights(tmp_path / "runs/go_9x9/tiny"), weights(whole_run[0] / "runs/go_9x9/tiny"))


@pytest.fixture(scope="module")
def go_9x9():
    spec = importlib.util.spec_from_file_location("go_9x9", GO)
    module = importlib.util.module_from_spec(spec)
    sys.modules["go_9x9"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size=20"], ["size", "2 to 19", "20"]),
        (["--preset=huge"], ["huge", "cpu", "gpu", "paper", "tiny"]),
        (["--devices=3"], ["num_games", "multiple of the 3 devices"]),
        (["--komi=7.25"], ["komi", "multiple of 0.5"]),
        (["--komi=nan"], ["komi"]),
        (["--iterations=0"], ["iterations", "at least 1"]),
        (["--selfplay.replay-steps=7"], ["replay", "multiple of the 10 num_steps"]),
        (["--search.num-simulations=0"], ["num_simulations"]),
        (["--learn.learning-rate=-1"], ["learning_rate"]),
        (["--network.num-channels=0"], ["num_channels"]),
        (["--name=../elsewhere"], ["name"]),
    ],
)
def test_settings_that_cannot_be_are_named(go_9x9, arguments, words):
    with pytest.raises(go_9x9.SettingError) as error:
        go_9x9.prepare(go_9x9.parse(["--preset=tiny", *arguments]))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("arguments", [["--size=1"], ["--devices=0"]])
def test_a_bad_setting_ends_the_script_with_one_line(environ, tmp_path, arguments):
    name, value = arguments[0].removeprefix("--").split("=")
    assert_error(run(environ, tmp_path, GO, "--preset=tiny", *arguments), name, f"got {value}")
    assert not (tmp_path / "runs").exists()


def test_the_command_to_go_on_keeps_what_was_chosen(go_9x9, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["go_9x9.py", "--preset=tiny", "--iterations", "2", "--resume"])
    assert go_9x9.command() == "python go_9x9.py --preset=tiny --iterations 2 --resume"
    assert go_9x9.command(iterations=4) == "python go_9x9.py --preset=tiny --iterations=4 --resume"


def test_another_runs_directory_is_refused(whole_run, environ):
    cwd, _ = whole_run
    before = sorted(path.name for path in (cwd / "runs/go_9x9/tiny/checkpoints").iterdir())
    assert_error(run(environ, cwd, GO, "--preset=tiny", "--devices=4"), "exists", "--resume", "--name")
    other = run(environ, cwd, GO, "--preset=tiny", "--devices=4", "--resume", "--komi=6")
    assert_error(other, "komi", "7.0", "6.0")
    assert before == sorted(path.name for path in (cwd / "runs/go_9x9/tiny/checkpoints").iterdir())


def test_a_truncated_checkpoint_is_named(whole_run, environ, tmp_path):
    shutil.copytree(whole_run[0] / "runs", tmp_path / "runs")
    checkpoints = sorted((tmp_path / "runs/go_9x9/tiny/checkpoints").iterdir(), key=lambda path: int(path.name))
    for path in (tmp_path / "runs/go_9x9/tiny/checkpoints").rglob("*"):
        if path.is_file() and path.stat().st_size > 100:
            os.truncate(path, path.stat().st_size // 2)
    finished = run(environ, tmp_path, GO, "--preset=tiny", "--devices=4", "--resume")
    assert_error(finished, str(Path("runs/go_9x9/tiny/checkpoints") / checkpoints[-1].name))


def test_help_names_every_preset_and_setting(environ, tmp_path):
    finished = run(environ, tmp_path, GO, "--help")
    assert finished.returncode == 0
    for word in ("--devices", "--size", "--preset", "--resume", "tiny", "paper", "--search.num-simulations"):
        assert word in finished.stdout


@pytest.mark.slow
def test_bench_go_env_prints_the_ratio(environ, tmp_path):
    script = ROOT / "experiments" / "bench_go_env.py"
    finished = run(environ, tmp_path, script, "--sizes", "5", "--batch-sizes", "16", "--num-steps=5", "--repeats=2")
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"go_env, positional superko .* × pgx", finished.stdout)


@pytest.mark.slow
def test_bench_selfplay_prints_moves_per_second(environ, tmp_path):
    script = ROOT / "experiments" / "bench_selfplay.py"
    options = ["--size=5", "--num-games=8", "--num-steps=2", "--repeats=1", "--search.num-simulations=2"]
    network = ["--network.num-blocks=1", "--network.num-channels=8"]
    finished = run(environ, tmp_path, script, *options, *network)
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"self-play .* moves/s", finished.stdout)


@pytest.mark.slow
def test_bench_scaling_compares_teams_of_devices(environ, tmp_path):
    script = ROOT / "experiments" / "bench_scaling.py"
    options = ["--size=5", "--num-games=4", "--batch-size=8", "--num-steps=2", "--num-updates=1", "--repeats=1"]
    network = ["--network.num-blocks=1", "--network.num-channels=8", "--search.num-simulations=2"]
    finished = run(environ, tmp_path, script, "--devices", "1", "2", *options, *network)
    assert finished.returncode == 0, finished.stderr
    rows = re.findall(r"(strong|weak) +(\d) devices .* moves/s .* positions/s", finished.stdout)
    assert rows == [("strong", "1"), ("strong", "2"), ("weak", "1"), ("weak", "2")]


@pytest.mark.slow
def test_bench_curricula_prints_the_ratio(environ, tmp_path):
    script = ROOT / "experiments" / "bench_curricula.py"
    options = ["--num-episodes=8", "--num-steps=4", "--repeats=1", "--rows-per-episode=2", "--tasks", "copy"]
    finished = run(environ, tmp_path, script, *options)
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"copy .* × CartPole", finished.stdout)


@pytest.mark.slow
def test_bench_curricula_names_the_tasks_it_knows(environ, tmp_path):
    script = ROOT / "experiments" / "bench_curricula.py"
    assert_error(run(environ, tmp_path, script, "--tasks", "chess"), "chess", "copy")


@pytest.mark.slow
def test_bench_policy_gradient_prints_the_ratios(environ, tmp_path):
    script = ROOT / "experiments" / "bench_policy_gradient.py"
    sizes = ["--num-envs=4", "--num-steps=16", "--num-epochs=1", "--num-minibatches=2", "--num-units=8"]
    finished = run(environ, tmp_path, script, *sizes, "--num-seeds=2", "--num-iterations=2", "--repeats=1")
    assert finished.returncode == 0, finished.stderr
    for line in (r"ours [\d.]+ × peer", r"by vmap [\d.]+ × in turn", r"copy from a pool .* k steps/s"):
        assert re.search(line, finished.stdout)


@pytest.mark.slow
def test_bench_esolang_prints_the_table(environ, tmp_path):
    script = ROOT / "experiments" / "bench_esolang.py"
    finished = run(environ, tmp_path, script, "--batches", "64", "--repeats=1", "--least-seconds=0")
    assert finished.returncode == 0, finished.stderr
    for word in ("sort", "balanced", "factorial", "plain Python"):
        assert word in finished.stdout


def test_every_script_is_run_by_a_test():
    scripts = {path.stem for path in (ROOT / "experiments").glob("*.py")}
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in sorted(scripts) if name not in tests] == []
