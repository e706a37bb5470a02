"""Endings and reanalysis in go_9x9.py: what is said, what it costs, what is inherited and resumed."""

import json
import types

import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from go_env import Go
from rl_pretrain import checkpoint

ALL = ("--network.predicts-ending", "--selfplay.reanalysed-steps=2")


@pytest.fixture(scope="module")
def go_9x9():
    return scripts.load("go_9x9")


@pytest.mark.parametrize("num_passes", [2, 3])
def test_the_ending_is_that_of_the_player_who_has_just_moved(go_9x9, num_passes):
    """Black owns the left half and one point more of 5×5; whoever passes last sees it from their side."""
    env = Go(5, komi=2.5)
    stones = np.zeros((5, 5), int)
    stones[:, 2], stones[:, 3] = 1, -1
    state = env.from_stones(stones, to_play=1 if num_passes == 2 else -1)
    for _ in range(2):
        state = env.step(state, env.pass_action)
    mover = -1 if num_passes == 2 else 1  # two passes end the game; the second is of the one who did not begin
    owners = np.repeat([[1, 1, 1, -1, -1]], 5, axis=0).reshape(-1)
    margin = mover * (15 - 10 - 2.5)
    assert np.sign(margin) == state.reward and state.discount == 0
    said = go_9x9.ending(env, state)
    np.testing.assert_array_equal(said[:-1], mover * owners)
    np.testing.assert_allclose(said[-1], np.tanh(margin / 10), rtol=1e-6)


def test_an_iteration_costs_what_its_programs_say_if_all_searches_are_full(go_9x9):
    config, setup = go_9x9.parse(["--preset=tiny", *ALL]), types.SimpleNamespace(pool=(0, 1), num_updates=7)
    moves, renewed = 16 * 10, 16 * 2
    flops = go_9x9.Flops(learning=100.0, playing={4: 1000.0})
    spent = go_9x9.cost(config, setup, 4, {"evaluations": 5.0 * moves, "games": 3.0}, 1.0, flops)
    assert spent.flops == pytest.approx(1100)
    assert spent.evaluations == 5 * (moves + renewed) and spent.environment_steps == 5 * moves + 4 * renewed
    assert spent.moves == moves


def test_heads_that_the_source_lacks_begin_anew(go_9x9):
    fresh = {"params": {name: jnp.zeros(1) for name in ("stem", "value", "policy", "ending")}}
    source = {"params": {name: jnp.ones(1) for name in ("stem", "value", "policy", "other")}}
    kept = go_9x9.inherit(fresh, source, renewed=())["params"]
    assert {name: int(x[0]) for name, x in kept.items()} == {"stem": 1, "value": 1, "policy": 1, "ending": 0}
    kept = go_9x9.inherit(fresh, source, renewed=("value", "ending"))["params"]
    assert {name: int(x[0]) for name, x in kept.items()} == {"stem": 1, "value": 0, "policy": 1, "ending": 0}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_with_all_of_it_resumes_on_another_number_of_devices_and_hands_its_weights_on(tmp_path):
    def run(*arguments: str) -> str:
        finished = scripts.run(tmp_path / "cache", tmp_path, "go_9x9", "--preset=tiny", *arguments)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    run(*ALL, "--devices=2", "--iterations=4", "--eval-every=4")
    run(*ALL, "--devices=1", "--iterations=6", "--eval-every=4", "--resume")
    rows = [json.loads(line) for line in (tmp_path / "runs/go_9x9/tiny/metrics.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["evaluations"] == 6 * 5 * (16 * 10 + 16 * 2)
    assert all(0 <= row["ending_loss"] < 2 for row in rows)
    assert rows[0]["ending_loss"] == 0 < rows[-1]["ending_loss"], "no game is over after ten moves"
    states = checkpoint.load(tmp_path / "runs/go_9x9/tiny").arrays["replay"]["states"]
    assert states["stones"].shape[:3] == (1, 60, 16)

    source = "--from=runs/go_9x9/tiny"
    run("--arm=rft", source, "--kl=0.1", "--iterations=2", "--name=without")
    run("--arm=rft", "--from=runs/go_9x9/without", ALL[0], "--iterations=2", "--name=again")
    assert "ending" not in checkpoint.load(tmp_path / "runs/go_9x9/without").arrays["initial"]["params"]
    refused = scripts.run(
        tmp_path / "cache", tmp_path, "go_9x9", "--preset=tiny", "--arm=rft", source, "--keep-moments", "--name=no"
    )
    assert refused.returncode != 0 and "keep_moments needs the heads of" in refused.stderr
