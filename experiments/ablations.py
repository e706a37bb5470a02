"""What each option of self-play is worth: players trained with it against players without, for as many FLOPs.

    python experiments/ablations.py                                  # 6×6, five seeds: an hour and a half on two cores
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
import itertools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from go_env import Go
from rl_pretrain import command_line, commands, devices, evaluate, json_file, success, trained
from rl_pretrain.run_directory import RunError
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS, GO_RUNS = Path("runs/ablations"), Path("runs/go_9x9")
HERE = Path(__file__).parent
OPTIONS: dict[str, tuple[str, ...]] = {
    "brief": ("--selfplay.full-share=0.25", "--selfplay.brief-simulations=4"),  # most searches small, not learnt from
    "growing": ("--growth", "0.25", "0.5", "1"),  # shares of the simulations
    "random": ("--selfplay.random-share=0.1",),  # of the first moves
    "komi": ("--komi-spread=3",),
    "best-moves": ("--selfplay.num-sampled-moves=0",),  # from the first move on, none by its visits
    "rescaled": ("--search.rescale-values", "--search.value-scale=0.1"),
    "no-symmetries": ("--no-symmetries",),
    "endings": ("--network.predicts-ending",),  # owners of points, and the margin
    "reanalysis": ("--selfplay.reanalysed-steps=4",),  # of 16 new ones
    "smaller-board": (),  # first; --from says whose weights
}
OFF = ("--growth",)
"""Turns off what the preset has on, before an option turns on its own."""
PROBE = 3
"""Iterations that tell what one costs, as many as `growing` has parts."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment."""

    name: str
    """The experiment lives in runs/ablations/<name>, its runs in runs/go_9x9/<name>-…; default: the preset's name."""
    resume: bool = False
    """Go on with the experiment of this name; begin it, if there is none."""
    num_seeds: int = 5
    """Players of each kind."""
    options: tuple[str, ...] = tuple(OPTIONS)
    """What is tried."""
    base: str = "cpu"
    """Preset of go_9x9.py, for all that is not said here."""
    size: int = 6
    """Edge of the board."""
    komi: float = 4.0
    """Points for White. 4 is what Black wins by on 6×6, so that neither colour is lost from the start; 9 on 7×7."""
    first_komi: float = 2.0
    """The same on the board of `smaller-board`: 2 on 4×4, 25 on 5×5."""
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
        at_least(4, self, "size")  # smaller-board begins two points below
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
        options=("growing", "no-symmetries", "smaller-board"),
        iterations=6,
        num_pairs=2,
        simulations=4,
    ),
}


class Result(NamedTuple):
    """An option, seed by seed."""

    option: str
    iterations: list[int]
    flops: list[float]  # relative to the plain player's
    scores: list[list[float]]  # against each of the plain ones


def main(config: Config) -> None:
    """Trains everybody, lets them play, prints the table."""
    free = ("options", "num_seeds", "num_pairs", "simulations", "opening_moves")
    parts = str(GO_RUNS / f"{config.name}-*")
    with commands.directory(RUNS / config.name, config, may_differ=free, parts=parts) as directory:
        plain = [train(config, "plain", seed, config.iterations) for seed in range(config.num_seeds)]
        results = [judge_plain(config, plain)]
        for option in config.options:
            print(row(config, results[-1]), flush=True)
            each = price(config, option)
            runs = [train_for(config, option, seed, flops(base), each) for seed, base in enumerate(plain)]
            results.append(judge(config, option, runs, plain))
        report(config, directory, results)


def price(config: Config, option: str) -> float:
    """FLOPs of an iteration with the option, which do not depend on the seed."""
    source = source_of(config, option, 0)
    probe = train(config, option, 0, PROBE, source, prefix="probe-")
    return (flops(probe) - flops(source)) / PROBE


def train_for(config: Config, option: str, seed: int, budget: float, each: float) -> Path:
    """Trains for so many FLOPs, what it begins with included, by iterations of `each`."""
    source = source_of(config, option, seed)
    return train(config, option, seed, max(1, round((budget - flops(source)) / each)), source)


def source_of(config: Config, option: str, seed: int) -> Path | None:
    """The run whose weights a run with this option begins with."""
    if option != "smaller-board":
        return None
    board = (config.size - 2, config.first_komi)
    return train(config, "first", seed, max(1, config.iterations // 2), board=board)


def train(
    config: Config,
    option: str,
    seed: int,
    iterations: int,
    source: Path | None = None,
    prefix: str = "",
    board: tuple[int, float] | None = None,
) -> Path:
    """Runs go_9x9.py, unless it has; returns its run directory.

    Args:
      board: its edge and komi, if they are not the settings'.
    """
    run = GO_RUNS / f"{config.name}-{prefix}{option}-{seed}"
    size, komi = board or (config.size, config.komi)
    settings = {"preset": config.base, "name": run.name, "size": size, "komi": komi, "seed": seed}
    settings |= {"max-moves": 2 * size**2, "iterations": iterations, "eval-every": iterations, "final-matches": 1}
    settings |= {"from": source} if source else {}
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    commands.train(HERE / "go_9x9.py", run, [*arguments, *OFF, *OPTIONS.get(option, ()), "--resume"])
    return run


def result_of(run: Path) -> dict[str, Any]:
    """What a training came to."""
    return json.loads((run / "result.json").read_text())


def flops(run: Path | None) -> float:
    """Operations of a training; of none, 0."""
    return result_of(run)["spent"]["flops"] if run else 0.0


def judge(config: Config, option: str, runs: Sequence[Path], plain: Sequence[Path]) -> Result:
    """Lets every run play every plain one."""
    costs = [flops(run) / flops(base) for run, base in zip(runs, plain, strict=True)]
    scores = [[play(config, run, base) for base in plain] for run in runs]
    return Result(option, [result_of(run)["iterations"] for run in runs], costs, scores)


def judge_plain(config: Config, plain: Sequence[Path]) -> Result:
    """Lets the plain ones play each other: what is between them is noise."""
    scores = [[0.5] * len(plain) for _ in plain]  # of a player against itself
    for i, k in itertools.combinations(range(len(plain)), 2):
        scores[i][k] = play(config, plain[i], plain[k])
        scores[k][i] = 1 - scores[i][k]  # without chance, and from the same openings
    return Result("plain", [result_of(run)["iterations"] for run in plain], [1.0] * len(plain), scores)


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
    scores = np.array(result.scores)
    seeds = " ".join(f"{score:.2f}" for score in scores.mean(axis=1))
    cells = [result.option, str(result.iterations[0]), f"{np.mean(result.flops):.2f}", seeds]
    mean, low, high, _ = success.against_seeds(scores, config.num_pairs)
    return f"| {' | '.join([*cells, '–' if result.option == 'plain' else f'{mean:.2f} [{low:.2f}, {high:.2f}]'])} |"


def report(config: Config, directory: Path, results: list[Result]) -> None:
    """The table for people, and all numbers as JSON."""
    head = "| option | iterations | FLOPs / plain | score vs all plain, by seed | mean [95 %] |\n|---|---|---|---|---|"
    table = "\n".join([head, *(row(config, result) for result in results)]) + "\n"
    hardware = result_of(GO_RUNS / f"{config.name}-plain-0")["hardware"]
    settings = {"config": dataclasses.asdict(config), "hardware": hardware}
    kept = settings | {"results": [result._asdict() for result in results]}
    json_file.replace(directory / "results.json", json_file.dumps(kept, indent=2) + "\n")
    json_file.replace(directory / "table.md", table)
    print(f"\n{table}\n{config.size}×{config.size}, plain {config.iterations} iterations, {config.num_seeds} seeds,")
    print(f"{config.num_pairs} pairs against each plain player, {config.simulations} simulations; saved in {directory}")


if __name__ == "__main__":
    try:
        # The trainings share a GPU with this process only if neither takes all of its memory.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        devices.use_compilation_cache()
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, "cpu"))
    except (SettingError, RunError) as error:
        sys.exit(f"ablations.py: {error}")
    except KeyboardInterrupt:
        sys.exit(f"stopped; to go on: {commands.to_go_on()}")
