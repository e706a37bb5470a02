"""What each option of self-play is worth: players trained with it against players without, for as many FLOPs.

    python experiments/ablations.py                                  # 6×6, three seeds
    python experiments/ablations.py --options brief growing --size=7 --komi=9

For every seed `go_9x9.py` trains a player with none of the options and one with each. A run of a few iterations first
tells what an iteration costs with an option; its player then trains for as many iterations as cost what the plain
player's did (`smaller-board` begins with a player of a board two points smaller and is charged for it). At the end each
meets all plain players, both colours on the same random openings; the plain ones, who differ by seed alone, meet each
other and tell what is noise. Every training is a command that is shown; those that have ended are not repeated by
--resume.
"""

import dataclasses
import functools
import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from go_env import Go
from rl_pretrain import command_line, devices, evaluate, json_file, success, trained
from rl_pretrain.run_directory import RunError
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS, GO_RUNS = Path("runs/ablations"), Path("runs/go_9x9")
OPTIONS: dict[str, tuple[str, ...]] = {
    "brief": ("--selfplay.full-share=0.25", "--selfplay.brief-simulations=4"),  # most searches small, not learnt from
    "growing": ("--growth", "4", "8", "16"),  # simulations
    "random": ("--selfplay.random-share=0.1",),  # of the first moves
    "komi": ("--komi-spread=3",),
    "best-moves": ("--selfplay.num-sampled-moves=0",),  # from the first move on, none by its visits
    "rescaled": ("--search.rescale-values", "--search.value-scale=0.1"),
    "no-symmetries": ("--no-symmetries",),
    "endings": ("--network.foretells-ending",),  # owners of points, and the margin
    "soft-policy": ("--network.has-soft-policy",),
    "reanalysis": ("--selfplay.reanalysed-steps=4",),  # of 16 new ones
    "smaller-board": (),  # first; --from says whose weights
}
PROBE = 3
"""Iterations that tell what one costs, as many as `growing` has parts."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment."""

    name: str
    """The experiment lives in runs/ablations/<name>, its runs in runs/go_9x9/<name>-…; default: the preset's name."""
    resume: bool = False
    """Go on with the experiment of this name; begin it, if there is none."""
    num_seeds: int = 3
    """Players of each kind."""
    options: tuple[str, ...] = tuple(OPTIONS)
    """What is tried."""
    base: str = "cpu"
    """Preset of go_9x9.py, for all that is not said here."""
    size: int = 6
    """Edge of the board."""
    komi: float = 4.0
    """Points for White. 4 is what Black wins by on 6×6, so that neither colour is lost from the start; 9 on 7×7."""
    iterations: int = 20
    """Of the plain player, and half as many on the smaller board."""
    num_pairs: int = 32
    """Pairs of games of a player against each of the plain ones."""
    simulations: int = 16
    """Search of both in these games."""
    opening_moves: int = 4
    """Random moves before them."""

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "iterations", "num_pairs", "simulations")
        at_least(2, self, "num_seeds")  # a plain player meets the other ones
        at_least(0, self, "opening_moves")
        at_least(4, self, "size")
        for option in self.options:
            if option not in OPTIONS:
                raise SettingError(f"unknown option {option!r}; choose from {', '.join(OPTIONS)}")


PRESETS = {
    "cpu": Config(name="options"),
    "tiny": Config(
        name="tiny",
        base="tiny",
        size=5,
        num_seeds=2,
        options=("brief", "no-symmetries", "smaller-board"),
        iterations=3,
        num_pairs=2,
        simulations=4,
    ),
}


class Result(NamedTuple):
    """An option, seed by seed."""

    option: str
    iterations: list[int]
    flops: list[float]  # relative to the plain player's
    scores: list[float]  # against all plain ones, or the other ones


def main(config: Config) -> None:
    """Trains everybody, lets them play, prints the table."""
    directory = RUNS / config.name
    plain = [train(config, "plain", seed, config.iterations) for seed in range(config.num_seeds)]
    results = [judge(config, "plain", plain, plain)]
    for option in config.options:
        each = price(config, option)
        runs = [train_for(config, option, seed, flops(base), each) for seed, base in enumerate(plain)]
        results.append(judge(config, option, runs, plain))
        print(row(config, results[-1]), flush=True)
    report(config, directory, results)


def price(config: Config, option: str) -> float:
    """FLOPs of an iteration with the option, which do not depend on the seed."""
    first = start_of(config, option, 0)
    probe = train(config, option, 0, PROBE, first, prefix="probe-")
    return (flops(probe) - flops(first)) / PROBE


def train_for(config: Config, option: str, seed: int, budget: float, each: float) -> Path:
    """Trains for so many FLOPs, what it begins with included, by iterations of `each`."""
    first = start_of(config, option, seed)
    return train(config, option, seed, max(1, round((budget - flops(first)) / each)), first)


def start_of(config: Config, option: str, seed: int) -> Path | None:
    """The run whose weights a run with this option begins with."""
    if option != "smaller-board":
        return None
    smaller = dataclasses.replace(config, size=config.size - 2)
    return train(smaller, "first", seed, max(1, config.iterations // 2))


def train(config: Config, option: str, seed: int, iterations: int, first: Path | None = None, prefix: str = "") -> Path:
    """Runs go_9x9.py, unless it has; returns its run directory."""
    run = GO_RUNS / f"{config.name}-{prefix}{option}-{seed}"
    settings = {"preset": config.base, "name": run.name, "size": config.size, "komi": config.komi, "seed": seed}
    settings |= {"max-moves": 2 * config.size**2, "iterations": iterations, "eval-every": iterations}
    command = [*(f"--{name}={value}" for name, value in settings.items()), *OPTIONS.get(option, ())]
    command += [*([f"--from={first}"] if first else []), "--final-matches=1", "--resume"]
    if run.exists() and not config.resume:
        raise RunError(f"{run} exists; go on with --resume, or choose another --name")
    if not (run / "result.json").exists():
        print(f"\n$ {shlex.join(['python', 'experiments/go_9x9.py', *command])}", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name("go_9x9.py")), *command], check=True)
    return run


def result_of(run: Path) -> dict[str, Any]:
    """What a training came to."""
    return json.loads((run / "result.json").read_text())


def flops(run: Path | None) -> float:
    """Operations of a training; of none, 0."""
    return result_of(run)["spent"]["flops"] if run else 0.0


def judge(config: Config, option: str, runs: Sequence[Path], plain: Sequence[Path]) -> Result:
    """Lets every run play every plain one but itself."""
    costs = [flops(run) / flops(base) for run, base in zip(runs, plain, strict=True)]
    scores = [statistics.mean(play(config, run, base) for base in plain if base != run) for run in runs]
    return Result(option, [result_of(run)["iterations"] for run in runs], costs, scores)


def play(config: Config, run: Path, other: Path) -> float:
    """Score of a run's player against another's; all matches have the same openings."""
    first, second = trained.load(run), trained.load(other)
    networks, weights = (first.network, second.network), (first.weights, second.weights)
    return evaluate.score(match(config, networks, weights)).mean


@functools.partial(jax.jit, static_argnums=(0, 1))
def match(config: Config, networks: Any, weights: Any) -> evaluate.Match:
    """Pairs of games between two networks with the same search."""
    env = Go(config.size, config.komi)
    search = SearchConfig(num_simulations=config.simulations, gumbel_scale=0.0)
    players = [
        evaluate.searcher(env, functools.partial(network.apply, w), search)
        for network, w in zip(networks, weights, strict=True)
    ]
    opening_key, play_key = jax.random.split(jax.random.key(0))
    openings = evaluate.random_openings(env, opening_key, config.num_pairs, config.opening_moves)
    return evaluate.play_match(env, players[0], players[1], openings, play_key, env.move_limit)


def row(config: Config, result: Result) -> str:
    """A line of the table."""
    estimate = success.over_seeds(result.scores, config.num_pairs * (config.num_seeds - (result.option == "plain")))
    seeds = " ".join(f"{score:.2f}" for score in result.scores)
    cost = sum(result.flops) / len(result.flops)
    return f"| {result.option} | {result.iterations[0]} | {cost:.2f} | {seeds} | {estimate} |"


def report(config: Config, directory: Path, results: list[Result]) -> None:
    """The table for people, and all numbers as JSON."""
    head = "| option | iterations | FLOPs / plain | score vs plain, by seed | mean [95 %] |\n|---|---|---|---|---|"
    table = "\n".join([head, *(row(config, result) for result in results)]) + "\n"
    directory.mkdir(parents=True, exist_ok=True)
    hardware = result_of(GO_RUNS / f"{config.name}-plain-0")["hardware"]
    settings = {"config": dataclasses.asdict(config), "hardware": hardware}
    kept = settings | {"results": [result._asdict() for result in results]}
    json_file.replace(directory / "results.json", json_file.dumps(kept, indent=2) + "\n")
    json_file.replace(directory / "table.md", table)
    print(f"\n{table}\n{config.size}×{config.size}, plain {config.iterations} iterations, {config.num_seeds} seeds,")
    print(f"{config.num_pairs} pairs against each plain player, {config.simulations} simulations; saved in {directory}")


if __name__ == "__main__":
    try:
        devices.use_compilation_cache()
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, "cpu"))
    except (SettingError, RunError) as error:
        sys.exit(f"ablations.py: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"ablations.py: go_9x9.py ended with {error.returncode}; to go on: the same command with --resume")
    except KeyboardInterrupt:
        sys.exit("stopped; to go on: the same command with --resume")
