"""The PPO script: its advantages by the definition, a short run, and, slowly, that it learns with both kinds of env."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gymnax", reason="gymnax is an optional extra: pip install 'reward-pretraining[peers]'")

SCRIPT = Path(__file__).parents[1] / "experiments" / "gymnax_ppo.py"
TINY = ["--total-steps=64", "--num-envs=8", "--num-steps=4", "--num-minibatches=2", "--num-units=4", "--network=mlp"]


@pytest.fixture(scope="module")
def ppo():
    spec = importlib.util.spec_from_file_location("gymnax_ppo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["gymnax_ppo"] = module
    spec.loader.exec_module(module)
    return module


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *arguments]
    environ = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=500)


def test_advantages_are_sums_of_discounted_surprises(ppo):
    """Equation 16 as it stands: the sum over l of (γλ)^l δ, up to the end of the episode or of what was played."""
    chance = np.random.default_rng(0)
    shape, gamma, gae_lambda = (9, 6), 0.9, 0.7
    reward, value, next_value = (chance.normal(size=shape).astype(np.float32) for _ in range(3))
    terminated, truncated = chance.random(shape) < 0.2, chance.random(shape) < 0.2
    is_over = terminated | truncated
    assert (terminated & ~truncated).any() and (truncated & ~terminated).any()
    expected = np.zeros(shape)
    for t, i in np.ndindex(shape):
        for later in range(t, shape[0]):
            following = 0 if terminated[later, i] else next_value[later, i]
            surprise = reward[later, i] + gamma * following - value[later, i]
            expected[t, i] += (gamma * gae_lambda) ** (later - t) * surprise
            if is_over[later, i]:
                break
    none = dict.fromkeys(ppo.Steps._fields)
    arrays = dict(reward=reward, value=value, next_value=next_value, terminated=terminated, is_over=is_over)
    found = ppo.advantages(ppo.Steps(**none | arrays), gamma, gae_lambda)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_short_run_tells_how_many_it_solved():
    finished = run("--env=copy", "--level=0", "--eval-episodes=100", *TINY)
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"iteration 2/2 .* success 0 ", finished.stdout)
    assert "copy: mean return 0.000 over 100 episodes" in finished.stdout
    assert "solved 0.0%, 95 % interval 0.0% to 3.7%" in finished.stdout  # Wilson's for 0 of 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"env": "chess"}, ["chess", "copy"]),
        ({"env": "copy", "level": 99}, ["level", "99"]),
        ({"env": "CartPole-v1", "level": 1}, ["level", "CartPole-v1"]),
        ({"num_envs": 6, "num_minibatches": 4}, ["num_envs", "multiple of num_minibatches", "6"]),
        ({"total_steps": 100}, ["total_steps", "8192"]),
        ({"num_units": 0}, ["num_units", "at least 1"]),
    ],
)
def test_settings_that_cannot_be_are_named(ppo, arguments, words):
    with pytest.raises((ppo.SettingError, ValueError)) as error:
        ppo.prepare(ppo.Config(**arguments))
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.slow
def test_an_unknown_env_ends_the_script_with_one_line():
    finished = run("--env=chess")
    assert finished.returncode == 1 and len(finished.stderr.splitlines()) == 1 and "chess" in finished.stderr


@pytest.mark.slow
def test_it_balances_the_pole_of_gymnax():
    finished = run("--env=CartPole-v1", "--network=mlp")
    assert finished.returncode == 0, finished.stderr
    assert float(re.search(r"mean return ([\d.]+)", finished.stdout)[1]) > 400
    assert "solved" not in finished.stdout  # CartPole knows no success


@pytest.mark.slow
@pytest.mark.parametrize("task", ["copy", "reverse"])
def test_it_learns_a_task_that_needs_memory(task):
    finished = run(f"--env={task}", "--level=0")
    assert finished.returncode == 0, finished.stderr
    assert float(re.search(r"interval ([\d.]+)%", finished.stdout)[1]) >= 95, finished.stdout
