"""Runs that are stopped and go on again and again keep to their memory and their open files.

Two tiny runs in turn, Go by search and a task by policy gradients, each visit with a restore, a few iterations, metrics
and saves. SOAK_SECONDS says for how long, two minutes by default; `-s` shows what was measured:

    SOAK_SECONDS=3600 python -m pytest -s -m slow tests/test_soak.py
"""

import contextlib
import functools
import gc
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from curricula.course import Course
from curricula.schedules.staircase import Staircase
from curricula.tasks import copying
from go_env import Go
from rl_pretrain import checkpoint, learner, loop, metrics, policy_gradient, practice, replay, selfplay
from rl_pretrain.interrupt import Stop
from rl_pretrain.learner import LearnConfig
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import SelfplayConfig

SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
ITERATIONS, VISITS = 6, 10  # of a visit; of a run, before the next begins
MOST_GROWTH = (
    0.1  # MB for a save with its share of visits; TensorStore keeps 300 bytes of each array it writes or reads
)
SLACK = 16.0  # MB in all, for what allocators keep


class Measurement(NamedTuple):
    """Of this process after a visit."""

    megabytes: float  # resident, without files, whose pages the kernel takes and gives as it likes
    num_files: int  # open
    num_threads: int


def measure() -> Measurement:
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    counts = [len(os.listdir(f"/proc/self/{name}")) for name in ("fd", "task")]
    return Measurement(int(status["RssAnon"].split()[0]) / 1024, *counts)


def go() -> tuple[Any, Callable]:
    """What a run of Go begins with, and an iteration: some moves, one update."""
    env, network = Go(3, max_moves=12), ConvNet(ConvConfig(num_blocks=1, num_channels=4, num_head_channels=4), 1)
    search, config = SearchConfig(num_simulations=2, max_considered=2), SelfplayConfig(4, 3, 12)
    learn = LearnConfig(batch_size=8, num_warmup_updates=1)
    optimizer = learner.make_optimizer(learn, 1000)
    params = network.init(jax.random.key(0), jnp.zeros((1, *env.observation_shape)))
    games = selfplay.start(env, jax.random.key(1), config.num_games)

    def play(params, games, key):
        predict: Any = functools.partial(network.apply, params)
        return selfplay.play(env, predict, search, config, key, games)

    @jax.jit
    def improve(everything, i):
        state, games, memory = everything
        play_key, learn_key = jax.random.split(jax.random.fold_in(jax.random.key(2), i))
        games, seen = play(state.average, games, play_key)
        memory = replay.remember(memory, seen)
        batch = replay.sample(memory, learn_key, learn.batch_size)
        apply: Any = network.apply
        state, scalars = learner.update(apply, optimizer, learn, state, batch)
        return (state, games, memory), scalars

    seen = jax.eval_shape(play, params, games, jax.random.key(0))[1]
    return (learner.init(optimizer, params), games, replay.empty(seen, config.replay_steps)), improve


def task() -> tuple[Any, Callable]:
    """The same of a task that is read, with a curriculum."""
    copy = copying.copy()
    teacher = Course(copy, Staircase(3), num_rows=16)
    config = PolicyGradientConfig(baseline="mean", num_epochs=1, num_minibatches=1)
    policy = policies.make(TokenConfig(copy.num_actions, copy.num_actions, kind="mlp", width=8))
    optimizer = policy_gradient.make_optimizer(config, 1000)
    pupil = practice.Pupil(
        learner.init(optimizer, policy.init(jax.random.key(0), *copy.observation_shape)), teacher.init()
    )

    @jax.jit
    def improve(pupil, i):
        key = jax.random.fold_in(jax.random.key(1), i)
        return practice.by_reward(config, policy, optimizer, teacher, 8, 8, pupil, key)

    return pupil, improve


def visit(directory: Path, start: Any, improve: Callable, number: int) -> None:
    """Goes on with a run for a few iterations, and looks at what it left."""
    total = ITERATIONS * (number + 1)
    with checkpoint.open_run(directory, {"a": 1}, {}, resume=number > 0) as run:
        ended = loop.go_on(run, start, improve, total, Stop(), save_every=2)
    assert ended is not None and ended.iterations == total
    assert [row["iteration"] for row in metrics.read(directory)] == list(range(1, total + 1))
    loaded = checkpoint.load(directory)
    stored, kept = jax.tree.leaves(loaded.arrays), jax.tree.leaves(ended.everything)
    assert loaded.step == total and len(stored) == len(kept)


def slope(values: list[float]) -> float:
    """By least squares, of one value to the next."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 900)
def test_memory_and_open_files_stay_within_bounds(tmp_path):
    runs, measured, number = {"go": go(), "task": task()}, [], 0
    began = time.monotonic()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        while time.monotonic() - began < SECONDS or number < 2 * VISITS:
            for name, (start, improve) in runs.items():
                visit(tmp_path / name, start, improve, number % VISITS)
                if number % VISITS == VISITS - 1:
                    shutil.rmtree(tmp_path / name)
            number += 1
            measured.append(measure())
    settled = measured[max(VISITS, len(measured) // 3) :]  # what compiling took is given back by then
    megabytes = [each.megabytes for each in settled]
    growth = slope(megabytes) * len(settled)
    num_saves = len(settled) * len(runs) * ITERATIONS // 2
    print(
        f"\n{time.monotonic() - began:.0f} s, {number * len(runs)} visits, {num_saves} saves after the first ones; "
        f"memory {megabytes[0]:.0f} to {megabytes[-1]:.0f} MB, {1000 * growth / num_saves:+.2f} MB in 1000 saves; "
        f"open files {settled[0].num_files} to {settled[-1].num_files}, "
        f"threads {settled[0].num_threads} to {settled[-1].num_threads}"
    )
    assert growth < SLACK + MOST_GROWTH * num_saves
    assert max(each.num_files for each in settled) <= max(each.num_files for each in measured[1:VISITS]) + 2
    assert max(each.num_threads for each in settled) <= max(each.num_threads for each in measured[1:VISITS]) + 8
