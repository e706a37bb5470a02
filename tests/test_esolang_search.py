"""The queue of the best programs, and the script that searches for programs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from esolang import priority_queue
from esolang.priority_queue import Queue


def queue_of(programs: list[str], rewards: list[float]) -> Queue:
    action = np.array([[ord(each) for each in program] for program in programs], np.int32).T
    return Queue(jnp.asarray(action[..., None]), jnp.asarray(action), jnp.asarray(action > 0), jnp.array(rewards))


def listed(queue: Queue) -> dict[str, float]:
    words = ["".join(map(chr, column)) for column in np.asarray(queue.action).T]
    return {word: float(reward) for word, reward in zip(words, queue.reward, strict=True) if np.isfinite(reward)}


def test_a_queue_keeps_the_best_program_of_each_reward():
    """As a dictionary of the shortest by reward does, whatever comes twice, in one batch or in several."""
    rng, best = np.random.default_rng(0), {}
    queue = priority_queue.empty(3, 3, 1)
    remember = jax.jit(priority_queue.remember)
    for _ in range(12):
        programs = ["".join(rng.choice(list("abcd"), rng.integers(1, 4))).ljust(3, "\0") for _ in range(6)]
        rewards = [float(ord(program[0]) * 7 % 5) for program in programs]
        queue = remember(queue, queue_of(programs, rewards))
        for program, reward in zip(programs, rewards, strict=True):
            if reward not in best or len(program.strip("\0")) < len(best[reward].strip("\0")):
                best[reward] = program
        wanted = {best[reward]: reward for reward in sorted(best, reverse=True)[:3]}
        assert listed(queue) == pytest.approx(wanted) and list(listed(queue)) == list(wanted)
    np.testing.assert_array_equal(queue.observation[..., 0], queue.action)
    assert len(best) == 4


def test_an_empty_queue_is_empty():
    assert listed(priority_queue.empty(3, 2, 1)) == {}


@pytest.mark.slow
def test_the_script_finds_a_program_and_resumes(tmp_path):
    import subprocess
    import sys
    from pathlib import Path

    script = Path(__file__).parents[1] / "experiments" / "esolang_search.py"
    command = [sys.executable, str(script), "--preset=tiny", "--iterations=40", "--save-every=10"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=500)
    (result,) = json.loads((tmp_path / "runs/esolang_search/tiny/results.json").read_text())
    assert result["problem"] == "print-1" and result["hidden"] == [1.0, 1.0]
    assert all(0 < num <= 40 * 16 for num in result["executed"])
    again = subprocess.run(
        [*command, "--resume"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=500
    )
    assert "print-1" in again.stdout
