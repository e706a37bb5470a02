"""Trains a Go player from random weights by self-play, and measures that it became stronger.

    python experiments/go_9x9.py --devices=4

Every iteration plays on with Gumbel search, remembers what it saw, and learns from it. Now and then the player meets
its own random beginning, in pairs of games with the same opening and swapped colours. A run directory keeps
everything; --resume goes on from there as if nothing had happened.

Presets (every setting can be changed by its flag):
  gpu    one H200 or A100
  cpu    9×9 on two CPU cores: ten minutes to beat the initial network in nearly every game
  paper  four GPUs for days: the scale of "General Intelligence Requires Reward-based Pretraining" (ICML 2025)
  tiny   5×5 in seconds, for tests
"""

import argparse
import contextlib
import dataclasses
import functools
import re
import shlex
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from go_env import RULES_VERSION, Go, KoRule
from go_env.symmetry import random_symmetry
from rl_pretrain import checkpoint, devices, evaluate, json_file, learner, metrics, parallel
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.devices import Devices
from rl_pretrain.evaluate import MatchConfig, Score
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.learner import LearnConfig, TrainState, Weights
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.parallel import Steps
from rl_pretrain.progress import Progress
from rl_pretrain.replay import Replay
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import Games, SelfplayConfig, Trajectory
from rl_pretrain.settings import SettingError, at_least

RUNS = Path("runs/go_9x9")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/go_9x9/<name>. Default: the preset's name."""
    devices: int | None = None
    """Devices to train on; without accelerators as many virtual CPU devices are made. Default: all accelerators."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """Decides everything that is random."""

    size: int = 9
    """Edge of the board, 2 to 19. Time grows with its square or faster."""
    komi: float = 7.0
    """Points for White; whole numbers make draws possible."""
    ko: KoRule = "positional_superko"
    """Which repetitions the rules forbid."""
    max_moves: int | None = None
    """Actions after which a game is scored as it stands. Default: 2 · size²."""

    iterations: int = 400
    """Length of the run. The learning rate falls along it, so a longer run is not the same run continued."""
    eval_every: int = 20
    """Iterations between matches against the initial network."""
    final_matches: int = 4
    """Matches of the last measurement, each of match.num_pairs pairs."""
    save_every: int = 20
    """Iterations between checkpoints: what a kill -9 can lose."""

    network: ConvConfig = ConvConfig()
    selfplay: SelfplayConfig = SelfplayConfig()
    search: SearchConfig = SearchConfig()
    learn: LearnConfig = LearnConfig()
    match: MatchConfig = MatchConfig()

    def __post_init__(self):
        try:
            self.env  # noqa: B018 (made to see whether there can be such rules)
        except ValueError as error:
            raise SettingError(str(error)) from None
        at_least(1, self, "iterations", "eval_every", "final_matches", "save_every")
        if not re.fullmatch(r"[\w.+-]*\w[\w.+-]*", self.name):
            raise SettingError(f"name must be letters, digits and any of . + - _, got {self.name!r}")

    @property
    def env(self) -> Go:
        """The world."""
        return Go(self.size, self.komi, self.ko, self.max_moves)

    @property
    def moves_per_iteration(self) -> int:
        """Moves played in all games together."""
        return self.selfplay.num_games * self.selfplay.num_steps

    @property
    def updates_per_iteration(self) -> int:
        """Gradient steps, such that a position is learnt from `learn.reuse` times on average."""
        return max(1, round(self.learn.reuse * self.moves_per_iteration / self.learn.batch_size))


PRESETS = {
    "gpu": Config(
        name="gpu",
        network=ConvConfig(num_blocks=6, num_channels=96, bfloat16=True),
        learn=LearnConfig(batch_size=4096),
    ),
    "cpu": Config(
        name="cpu",
        devices=2,  # XLA:CPU keeps two cores busier with two programs than with one
        max_moves=120,
        iterations=70,
        eval_every=10,
        save_every=10,
        network=ConvConfig(num_blocks=2, num_channels=32),
        selfplay=SelfplayConfig(num_games=128, num_steps=16, replay_steps=256),
        search=SearchConfig(num_simulations=16),
        learn=LearnConfig(batch_size=256, num_warmup_updates=50),
        match=MatchConfig(num_pairs=16, num_simulations=16),
    ),
    "paper": Config(
        name="paper",
        devices=4,
        iterations=6000,
        eval_every=50,
        save_every=25,
        network=ConvConfig(num_blocks=8, num_channels=128, bfloat16=True),
        selfplay=SelfplayConfig(num_games=4096, num_steps=64),
        learn=LearnConfig(batch_size=8192, average_decay=0.999),
        match=MatchConfig(num_pairs=128),
    ),
    "tiny": Config(
        name="tiny",
        size=5,
        max_moves=30,
        iterations=6,
        eval_every=3,
        final_matches=2,
        save_every=2,
        network=ConvConfig(num_blocks=1, num_channels=8, num_head_channels=8),
        selfplay=SelfplayConfig(num_games=16, num_steps=10, replay_steps=60),
        search=SearchConfig(num_simulations=4, max_considered=4),
        learn=LearnConfig(batch_size=64, num_warmup_updates=4),
        match=MatchConfig(num_pairs=4, num_simulations=4),
    ),
}


class Everything(NamedTuple):
    """All that a run needs to go on as if it had never stopped; what a checkpoint holds. Trees are `[devices, ...]`."""

    key: jax.Array  # [], of the whole run
    train: TrainState  # the same on every device
    initial: Weights  # weights before the first update, the same on every device
    games: Games  # every device its own
    replay: Replay  # every device its own


class Totals(NamedTuple):
    """What the run has cost so far."""

    seconds: float = 0.0
    moves: int = 0
    games: int = 0
    updates: int = 0

    def plus(self, config: Config, played: dict[str, Any], seconds: float) -> "Totals":
        """After one more iteration."""
        return Totals(
            self.seconds + seconds,
            self.moves + config.moves_per_iteration,
            self.games + int(played["games"]),
            self.updates + config.updates_per_iteration,
        )


class Setup(NamedTuple):
    """What the settings amount to."""

    pool: Devices
    network: ConvNet
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    steps: Steps


def prepare(config: Config) -> Setup:
    """Raises SettingError, in one line, where settings do not go together or with this machine."""
    pool = devices.use(config.devices)
    devices.use_compilation_cache()
    network = ConvNet(config.network, num_other_actions=1)
    total_updates = config.iterations * config.updates_per_iteration
    optimizer = learner.make_optimizer(config.learn, total_updates)
    steps = parallel.compile_steps(
        config.env,
        network.apply,  # pyright: ignore[reportArgumentType] (flax types it loosely)
        optimizer,
        config.selfplay,
        config.learn,
        config.search,
        config.match,
        max_moves=config.env.move_limit,
        augment=random_symmetry,
        summarise=functools.partial(summarise, config),
        devices=pool,
    )
    return Setup(pool, network, optimizer, learner.make_schedule(config.learn, total_updates), steps)


def main(config: Config, setup: Setup) -> None:
    """The whole run, top to bottom."""
    pool, network, optimizer, schedule, steps = setup
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(open_run(config, len(pool)))
        everything, totals, done = begin(config, network, optimizer, steps, pool), Totals(), 0
        if run.latest_step is not None:
            everything, totals, done = restore(run, everything)
        writer = stack.enter_context(metrics.Metrics(run.directory, iteration=done))
        stop = stack.enter_context(catch_signals())
        progress = stack.enter_context(show(config, everything, run, pool, done, stop))

        for i in range(done, config.iterations):
            play_key, learn_key, match_key = jax.random.split(jax.random.fold_in(everything.key, i), 3)
            started = time.monotonic()
            everything, played = play(steps, everything, play_key, pool)
            rested = time.monotonic()
            everything, learnt = learn(steps, everything, learn_key, pool, config.updates_per_iteration)
            seconds = time.monotonic() - started

            totals = totals.plus(config, played, seconds)
            row = totals._asdict() | describe_games(played) | learnt
            row["moves_per_second"] = config.moves_per_iteration / (rested - started)
            row["learning_rate"] = np.asarray(schedule(totals.updates - 1)).item()
            metrics.check_finite(row)
            if (i + 1) % config.eval_every == 0:
                row |= describe_score(measure(steps, everything, match_key, pool, num_matches=1))
            writer.write(i + 1, row)
            progress.update(i + 1, row)
            if stop.requested or (i + 1) % config.save_every == 0 or i + 1 == config.iterations:
                save(run, i + 1, everything, totals)
            if stop.requested:
                progress.say(f"stopped by {stop.signal} after iteration {i + 1}; to go on: {command()}")
                return

        progress.say(f"measuring: {config.final_matches * config.match.num_pairs} pairs against the initial network")
        final_key = jax.random.fold_in(everything.key, config.iterations)
        score = measure(steps, everything, final_key, pool, config.final_matches)
    report(config, run, totals, score)


def begin(
    config: Config, network: ConvNet, optimizer: optax.GradientTransformation, steps: Steps, pool: Devices
) -> Everything:
    """A run before its first iteration."""
    key = jax.random.key(config.seed)
    weights_key, games_key, run_key = jax.random.split(key, 3)
    params = network.init(weights_key, jnp.zeros((1, *config.env.observation_shape)))
    train = devices.replicate(learner.init(optimizer, params), pool)
    initial = devices.replicate(params, pool)
    games, replay = steps.begin(parallel.split(games_key, pool), initial)
    return Everything(run_key, train, initial, games, replay)


def play(steps: Steps, everything: Everything, key: jax.Array, pool: Devices) -> tuple[Everything, dict[str, Any]]:
    """Moves every game on, with the averaged weights."""
    keys = parallel.split(key, pool)
    games, replay, sums = steps.play(keys, everything.train.average, everything.games, everything.replay)
    return everything._replace(games=games, replay=replay), jax.device_get(devices.unreplicate(sums))


def learn(
    steps: Steps, everything: Everything, key: jax.Array, pool: Devices, num_updates: int
) -> tuple[Everything, dict[str, Any]]:
    """Some updates, and the means of their scalars. A Python loop: inside `scan` XLA:CPU's convolutions crawl."""
    train, history = everything.train, []
    for update_key in jax.random.split(key, num_updates):
        train, scalars = steps.learn(parallel.split(update_key, pool), train, everything.replay)
        history.append(devices.unreplicate(scalars))
    history = jax.device_get(history)
    means = {name: float(sum(scalars[name] for scalars in history) / num_updates) for name in history[0]}
    return everything._replace(train=train), means


def measure(steps: Steps, everything: Everything, key: jax.Array, pool: Devices, num_matches: int) -> Score:
    """Score of the averaged weights against the initial network."""
    matches = [
        evaluate.gather(steps.match(parallel.split(match_key, pool), everything.train.average, everything.initial))
        for match_key in jax.random.split(key, num_matches)
    ]
    return evaluate.score(*matches)


def summarise(config: Config, trajectory: Trajectory) -> dict[str, jax.Array]:
    """Sums over what one device has played."""
    is_end = trajectory.discount == 0
    length = trajectory.age + 1
    black_reward = jnp.where(trajectory.age % 2 == 0, 1, -1) * trajectory.reward  # Black begins every game
    return {
        "moves": jnp.float32(is_end.size),
        "passes": jnp.sum(trajectory.action == config.env.pass_action, dtype=jnp.float32),
        "games": jnp.sum(is_end, dtype=jnp.float32),
        "length": jnp.sum(is_end * length, dtype=jnp.float32),
        "capped": jnp.sum(is_end & (length == config.env.move_limit), dtype=jnp.float32),
        "black": jnp.sum(is_end * (black_reward + 1) / 2),
    }


def describe_games(played: dict[str, Any]) -> dict[str, float]:
    """The sums as means; those over finished games only where one finished."""
    row = {"pass_rate": float(played["passes"] / played["moves"])}
    if played["games"]:
        row["game_length"] = float(played["length"] / played["games"])
        row["move_limit_rate"] = float(played["capped"] / played["games"])
        row["black_score"] = float(played["black"] / played["games"])
    return row


def describe_score(score: Score) -> dict[str, float]:
    """A score as metrics."""
    return {"score": score.mean, "score_low": score.low, "score_high": score.high}


def open_run(config: Config, num_devices: int) -> Run:
    """The run's directory, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name
    settings = dataclasses.asdict(config) | {"devices": num_devices}
    del settings["resume"]
    return checkpoint.open_run(
        directory,
        settings,
        versions={
            "go_rules": RULES_VERSION,
            "jax": jax.__version__,
            "reward-pretraining": version("reward-pretraining"),
        },
        resume=config.resume and (directory / "config.json").exists(),
        may_differ=("iterations", "eval_every", "final_matches", "save_every", "match"),
    )


def restore(run: Run, like: Everything) -> tuple[Everything, Totals, int]:
    """The newest checkpoint."""
    restored = checkpoint.restore(run, like)
    return restored.tree, Totals(**restored.meta["totals"]), restored.step


def save(run: Run, iteration: int, everything: Everything, totals: Totals) -> None:
    """Everything, in the background."""
    checkpoint.save(run, iteration, everything, {"totals": totals._asdict()})


def show(config: Config, everything: Everything, run: Run, pool: Devices, done: int, stop: Stop) -> Progress:
    """The display of the run."""
    num_weights = sum(x.size for x in jax.tree.leaves(everything.train.params)) // len(pool)
    return Progress(
        f"Go {config.size}×{config.size} from scratch",
        total=config.iterations,
        start=done,
        facts={"devices": devices.describe(pool), "weights": f"{num_weights:,}", "run": str(run.directory)},
        history=("policy_loss", "value_loss", "score"),
        past=metrics.read(run.directory) if done else (),
        brief=("games", "moves", "moves_per_second", "policy_loss", "value_loss", "game_length", "score"),
        notice=lambda: str(stop),
    )


def command(**changes: Any) -> str:
    """The command line that goes on with this run, with some settings changed."""
    replaced = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    replaced.add_argument("--resume", action="store_true")
    for name in changes:
        replaced.add_argument(f"--{name}")
    _, kept = replaced.parse_known_args(sys.argv[1:])
    flags = [f"--{name}={value}" for name, value in changes.items()]
    return shlex.join(["python", sys.argv[0], *kept, *flags, "--resume"])


def report(config: Config, run: Run, totals: Totals, score: Score) -> None:
    """The last lines, for people, and the same in result.json."""
    result = {"score": score._asdict(), "totals": totals._asdict(), "iterations": config.iterations}
    json_file.replace(run.directory / "result.json", json_file.dumps(result, indent=2) + "\n")
    print(
        f"{totals.games:,} games, {totals.moves:,} moves, {totals.updates:,} updates in {totals.seconds / 60:.1f} min"
    )
    print(f"score vs initial network {score} over {score.num_games // 2} paired games ({score.num_distinct} distinct)")
    print(f"saved in {run.directory}; to train on: {command(iterations=2 * config.iterations)}")


def parse(arguments: Sequence[str]) -> Config:
    """The settings on the command line, on top of a preset's. Raises SettingError where they make no sense."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset")
    chosen, rest = first.parse_known_args(arguments)
    preset = chosen.preset or fitting_preset(rest)
    if preset not in PRESETS:
        raise SettingError(f"unknown preset {preset!r}; choose one of {', '.join(PRESETS)}")
    return tyro.cli(Config, default=PRESETS[preset], args=rest, description=__doc__)


def fitting_preset(arguments: Sequence[str]) -> str:
    """The gpu preset on accelerators, else the cpu preset. Looking starts JAX, so it must look with all devices."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--devices", type=int)
    chosen, _ = first.parse_known_args(arguments)
    preset = "cpu" if devices.use(chosen.devices)[0].platform == "cpu" else "gpu"
    print(f"preset {preset} (choose with --preset)")
    return preset


if __name__ == "__main__":
    try:
        config = parse(sys.argv[1:])
        setup = prepare(config)
        main(config, setup)
    except (SettingError, RunError, FloatingPointError) as error:
        sys.exit(f"go_9x9.py: {error}")
