"""What imitation gains from more games, and from games of better players, with as many updates for all.

    python experiments/imitation_scaling.py --games human.sgf --rated-games ogs.npz

Trains `go_9x9.py --arm=spt` on shares of --games, and on as many --rated-games of each of some --levels of players.
Everybody then predicts the same games, some of --games that nobody was shown: moves and results, by the network alone.
Every training is a command that is shown; those that have ended are not repeated by --resume.
"""

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from go_env import Go, games
from rl_pretrain import command_line, commands, devices, json_file, metrics, prediction, success, trained
from rl_pretrain.replay import Example
from rl_pretrain.run_directory import RunError
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS, GO_RUNS, GAMES = Path("runs/imitation_scaling"), Path("runs/go_9x9"), Path("runs/games")
MEASURES = ("top_1", "top_5", "cross_entropy", "brier")
CHUNK = 500  # positions predicted at once


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment."""

    name: str
    """Of the experiment, in runs/imitation_scaling, and of its runs, in runs/go_9x9."""
    resume: bool = False
    """Go on with the experiment of this name; begin it, if there is none."""
    games: tuple[str, ...] = ()
    """Folders, archives or files of game records: shown in shares, and predicted."""
    shares: tuple[float, ...] = (0.01, 0.08, 0.64, 1.0)
    """Of the games that are not kept for testing."""
    rated_games: tuple[str, ...] = ()
    """Records with ratings of both players. Default: levels are not compared."""
    levels: tuple[tuple[float, float], ...] = ((-29.0, -12.0), (-11.0, -6.0), (-5.0, -1.0), (0.0, 9.0))
    """Least and greatest rating of both players; n dan is n, k kyu is 1 - k."""
    num_updates: int = 1000
    """Of each training."""
    batch_size: int = 256
    """Positions for each update."""
    num_seeds: int = 2
    """Trainings on each share and level."""
    size: int = 9
    """Edge of the board."""
    base: str = "cpu"
    """Preset of go_9x9.py, for all that is not said here."""
    num_positions: int = 10_000
    """To be predicted."""

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "num_updates", "batch_size", "num_seeds", "num_positions")
        if not all(0 < share <= 1 for share in self.shares):
            raise SettingError(f"shares must be more than 0 and at most 1, got {self.shares}")
        if not all(low <= high for low, high in self.levels):
            raise SettingError(f"levels must be pairs of the least and the greatest rating, got {self.levels}")
        for name in ("shares", "levels"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise SettingError(f"{name} must differ from one another, got {getattr(self, name)}")

    @property
    def go(self) -> Go:
        """The rules by which games are replayed."""
        return Go(self.size, max_moves=2 * self.size**2)


PRESETS = {
    "cpu": Config(name="scaling"),
    "tiny": Config(
        name="tiny",
        shares=(0.5, 1.0),
        levels=((-9.0, -1.0), (0.0, 9.0)),
        num_updates=8,
        batch_size=64,
        num_seeds=1,
        size=5,
        base="tiny",
        num_positions=100,
    ),
}


class Diet(NamedTuple):
    """What a network is shown."""

    name: str
    paths: tuple[str, ...]
    ratings: tuple[float, float] | None
    share: float


class Result(NamedTuple):
    """What became of those who were shown it: a number for each seed."""

    diet: Diet
    runs: list[str]
    games: list[int]
    positions: list[int]
    updates: list[int]
    own: list[float]  # accuracy on the games learnt from, while learning
    predicted: dict[str, list[float]]  # by measure, on the games for all


def main(config: Config) -> None:
    """Trains everybody, lets them predict the same games, prints the table."""
    if not config.games:
        raise SettingError("games must be folders, archives or files of game records")
    free, parts = ("shares", "num_seeds", "num_positions"), str(GO_RUNS / f"{config.name}-*")
    with commands.directory(RUNS / config.name, config, may_differ=free, parts=parts) as directory:
        results = []
        for diet in [*shares(config), *levels(config)]:
            runs = [train(config, diet, seed) for seed in range(config.num_seeds)]
            results.append(measure(config, diet, runs))
            print(row(config, results[-1]), flush=True)
        report(config, directory, results)


def shares(config: Config) -> list[Diet]:
    """Parts of the games."""
    return [Diet(f"{100 * share:g} %", config.games, None, share) for share in config.shares]


def levels(config: Config) -> list[Diet]:
    """As many games of each level as of the one with the fewest."""
    if not config.rated_games:
        return []
    nums = [len(prepare(config, config.rated_games, level).train.length) for level in config.levels]
    names = [f"{rank(low)} to {rank(high)}" for low, high in config.levels]
    return [
        Diet(name, config.rated_games, level, min(nums) / num)
        for name, level, num in zip(names, config.levels, nums, strict=True)
    ]


def rank(rating: float) -> str:
    """As people say it, where it is one: numbers beyond 9 are a server's."""
    return f"{rating:g}" if rating > 9 else f"{rating:g} dan" if rating > 0 else f"{1 - rating:g} kyu"


@functools.cache
def prepare(config: Config, paths: tuple[str, ...], ratings: tuple[float, float] | None) -> games.Prepared:
    """The data set, as go_9x9.py will find it."""
    try:
        return games.prepare(games.Settings(config.go, ratings=ratings), paths, GAMES)
    except (ValueError, OSError) as error:
        raise SettingError(f"games: {error}") from None


def shown(config: Config, diet: Diet, seed: int) -> games.Rows:
    """The games that go_9x9.py draws with this seed."""
    rows = prepare(config, diet.paths, diet.ratings).train
    return games.part(rows, diet.share, np.random.default_rng(seed))


def train(config: Config, diet: Diet, seed: int) -> Path:
    """Runs go_9x9.py, unless it has; returns its run directory."""
    run = GO_RUNS / f"{config.name}-{diet.name.replace(' %', '').replace(' ', '-')}-{seed}"
    reuse = config.num_updates * config.batch_size / int(shown(config, diet, seed).length.sum())
    settings = {"preset": config.base, "arm": "spt", "name": run.name, "size": config.size, "seed": seed}
    settings |= {"max-moves": config.go.move_limit, "iterations": 4, "eval-every": 4, "final-matches": 1}
    settings |= {"games.share": diet.share, "imitate.batch-size": config.batch_size, "imitate.reuse": reuse}
    arguments = [*(f"--{name}={value}" for name, value in settings.items()), "--games.paths", *diet.paths]
    arguments += ["--games.ratings", *map(str, diet.ratings)] if diet.ratings else []
    commands.train(Path(__file__).with_name("go_9x9.py"), run, [*arguments, "--resume"])
    return run


def measure(config: Config, diet: Diet, runs: Sequence[Path]) -> Result:
    """How well the averaged weights of some runs predict games that nobody is shown."""
    means = []
    for run in runs:
        player = trained.load(run)
        sums = prediction.total(predict(player.network, player.weights, batch) for batch in exam(config))
        means.append(prediction.means(sums))
    last = [metrics.read(run)[-1] for run in runs]
    lengths = [shown(config, diet, seed).length for seed in range(config.num_seeds)]
    return Result(
        diet,
        list(map(str, runs)),
        [len(each) for each in lengths],
        [int(each.sum()) for each in lengths],
        [row["updates"] for row in last],
        [row["policy_accuracy"] for row in last],
        {name: [float(getattr(mean, name)[0]) for mean in means] for name in MEASURES},
    )


@functools.cache
def exam(config: Config) -> list[Example]:
    """Positions of games that nobody is shown, `[CHUNK, ...]` at a time, the same for everybody."""
    rows = prepare(config, config.games, None).test
    look = jax.jit(functools.partial(games.positions, config.go))

    def batch(i: int) -> Example:
        seen = look(rows, *games.draw(rows, jax.random.key(i), CHUNK))
        policy = jax.nn.one_hot(seen.action, config.go.num_actions)
        return Example(seen.observation, seen.legal, policy, jnp.ones_like(seen.is_known), seen.value, seen.is_known)

    return [batch(i) for i in range(-(-config.num_positions // CHUNK))]


@functools.partial(jax.jit, static_argnums=0)
def predict(network: Any, weights: Any, batch: Example) -> prediction.Sums:
    """Sums over a batch; all of it is one phase."""
    phase = jnp.zeros(len(batch.value), jnp.int32)
    return prediction.measure(functools.partial(network.apply, weights), batch, phase, num_phases=1)


def row(config: Config, result: Result) -> str:
    """A line of the table: means over seeds."""
    top_1 = success.over_seeds(result.predicted["top_1"], CHUNK * len(exam(config)), is_shared=True)
    num_games, num_positions = np.mean(result.games), np.mean(result.positions)
    epochs = np.mean(result.updates) * config.batch_size / num_positions
    cells = [result.diet.name, f"{num_games:,.0f}", f"{num_positions:,.0f}", f"{epochs:.1f}"]
    cells += [f"{np.mean(result.own):.3f}", f"{top_1.mean:.3f} [{top_1.low:.3f}, {top_1.high:.3f}]"]
    return f"| {' | '.join([*cells, *(f'{np.mean(result.predicted[name]):.3f}' for name in MEASURES[1:])])} |"


def report(config: Config, directory: Path, results: Sequence[Result]) -> None:
    """The table for people, and all numbers as JSON."""
    heads = ["games", "number", "positions", "epochs", "its own moves", "move found [95 %]", "among five"]
    heads += ["cross-entropy", "Brier score"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *(row(config, result) for result in results)]
    table = "\n".join(lines) + "\n"
    hardware = json.loads((Path(results[0].runs[0]) / "result.json").read_text())["hardware"]
    kept = {"config": dataclasses.asdict(config), "hardware": hardware}
    kept["results"] = [result._asdict() | {"diet": result.diet._asdict()} for result in results]
    json_file.replace(directory / "results.json", json_file.dumps(kept, indent=2) + "\n")
    json_file.replace(directory / "table.md", table)
    print(f"\n{table}\n{config.num_seeds} seeds, {config.num_updates} updates each; predicted are moves and results of")
    print(f"games in {', '.join(config.games)} that nobody was shown; saved in {directory}")


if __name__ == "__main__":
    try:
        # The trainings share a GPU with this process only if neither takes all of its memory.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        devices.use_compilation_cache()
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, "cpu"))
    except (SettingError, RunError) as error:
        sys.exit(f"imitation_scaling.py: {error}")
    except KeyboardInterrupt:
        sys.exit(f"stopped; to go on: {commands.to_go_on()}")
