"""Reward-based against supervised pretraining on Go: the paper's Figure 2, with what a fair comparison needs.

    python experiments/go_arms.py                                  # 7×7, games of GNU Go, two seeds
    python experiments/go_arms.py --preset=human --games human.sgf   # 9×9, records of people

For every seed it trains, each with `go_9x9.py` and thus with one network, one search, one loop and one evaluation:
  rpt        self-play from random weights
  spt        the moves and results of games
  rft-KL     self-play from spt's weights, held to its policy with each of these weights, 0 among them; for so many
             iterations that spt and rft together cost as many FLOPs as rpt
and controls, if asked for: shuffled (spt on games with exchanged results), engine and others (spt on one source of
games, by its name), rpt-spt (spt that begins with rpt's weights).

Then everybody meets everybody, with and without search (`tournament.py`), is examined on games and problems that it has
not seen (`battery.py`), and `report.py` puts it all on a page. Every step is a command that is shown and that a person
can run alone; those that have ended are not repeated by --resume.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rl_pretrain import command_line, commands, json_file
from rl_pretrain.run_directory import RunError
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS, GO_RUNS = Path("runs/go_arms"), Path("runs/go_9x9")
HERE = Path(__file__).parent
CONTROLS = ("shuffled", "rpt-spt")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment."""

    name: str
    """The experiment lives in runs/go_arms/<name>, its runs in runs/go_9x9/<name>-…; default: the preset's name."""
    resume: bool = False
    """Go on with the experiment of this name; begin it, if there is none."""
    num_seeds: int = 2
    """Reasoners of each arm."""
    games: tuple[str, ...] = ()
    """Folders, archives or files of game records. Default: GNU Go plays them first (`make_games.py`)."""
    num_openings: int = 400
    """Of GNU Go's games, each played twice."""
    base: str = "cpu"
    """Preset of go_9x9.py, for all that is not said here; gpu where there is one."""
    size: int = 7
    """Edge of the board."""
    iterations: int = 40
    """Of rpt."""
    imitations: int = 30
    """Iterations of spt, in which it reads all games `epochs` times."""
    epochs: float = 4.0
    """How often spt learns from each position."""
    kls: tuple[float, ...] = (0.0, 0.1, 0.5)
    """Weights of the divergence in fine-tuning."""
    controls: tuple[str, ...] = ()
    """Some of shuffled, rpt-spt, and names of sources of games."""
    num_pairs: int = 8
    """Pairs of games between any two players."""
    simulations: int = 16
    """Search of the players in the tournament."""
    depths: tuple[int, ...] = ()
    """Numbers of simulations to compare: the first seed of each arm plays with all of them. Default: they are not."""
    rivals: tuple[str, ...] = ("random", "gnugo:0")
    """Who else plays in the tournament. Elo is relative to the last one, or to random play."""
    milestones: int = 2
    """Checkpoints of each rpt run that play, the last one among them: strength against compute."""

    def __post_init__(self):
        at_least(1, self, "num_seeds", "num_openings", "iterations", "imitations", "num_pairs", "simulations")
        at_least(1, self, "milestones")
        at_least(0, self, "epochs")
        if self.milestones > self.iterations:
            raise SettingError(f"milestones must be at most the {self.iterations} iterations, got {self.milestones}")
        if min(self.depths, default=1) < 1:
            raise SettingError(f"depths must be some numbers from 1 up, got {self.depths}")
        if not self.kls or min(self.kls) < 0:
            raise SettingError(f"kls must be some numbers from 0 up, got {self.kls}")
        a_name(self.name)


PRESETS = {
    "cpu": Config(name="cpu"),
    "human": Config(
        name="human",
        size=9,
        iterations=60,
        imitations=40,
        epochs=4,
        depths=(1, 32, 200),
        rivals=("random", "gnugo:0", "gnugo:1"),
    ),
    "tiny": Config(
        name="tiny",
        base="tiny",
        size=5,
        num_seeds=2,
        num_openings=20,
        iterations=6,
        imitations=4,
        epochs=2,
        kls=(0.0, 0.5),
        num_pairs=2,
        simulations=4,
        depths=(1, 2),
        rivals=("random",),
        milestones=1,
    ),
}


class Member(NamedTuple):
    """One training, as in the experiment's experiment.json."""

    arm: str
    seed: int
    run: str


def main(config: Config) -> None:
    """The whole experiment, top to bottom."""
    free, parts = ("num_seeds", "rivals", "depths"), str(GO_RUNS / f"{config.name}-*-[0-9]*")
    with commands.directory(RUNS / config.name, config, may_differ=free, parts=parts) as directory:
        paths = config.games or (make_games(config),)
        members = [member for seed in range(config.num_seeds) for member in train(config, seed, paths)]
        tournaments = let_play(config, members)
        examine(config, members, paths)
        content = {"members": [member._asdict() for member in members], "tournaments": list(map(str, tournaments))}
        content["depths"] = [str(compare_depths(config, members))] if config.depths else []
        content["command"] = commands.line()
        json_file.replace(directory / "experiment.json", json_file.dumps(content, indent=1) + "\n")
        run("report.py", str(directory))


def make_games(config: Config) -> str:
    """GNU Go's corpus: its folder."""
    name = f"{config.name}-{config.size}x{config.size}"
    options = [f"--size={config.size}", f"--num-openings={config.num_openings}", f"--name={name}", "--resume"]
    folder = Path("runs/make_games") / name
    if len(list(folder.glob("*.sgf"))) < 2 * config.num_openings:
        run("make_games.py", *options)
    return str(folder)


def train(config: Config, seed: int, paths: Sequence[str]) -> Iterator[Member]:
    """All arms of one seed."""
    kept = earlier_milestones(config).step
    played = [f"--save-every={kept}", f"--keep-every={kept}", f"--eval-every={kept}"]
    shown = ["--games.paths", *paths]
    taught = ["--arm=spt", f"--iterations={config.imitations}", f"--imitate.reuse={config.epochs:g}"]
    taught += [f"--save-every={config.imitations}", f"--eval-every={config.imitations}"]

    rpt = go(config, "rpt", seed, f"--iterations={config.iterations}", *played, *shown)
    yield rpt
    spt = go(config, "spt", seed, *taught, *shown)
    yield spt
    for kl in config.kls:
        iterations = affordable(config, rpt, spt, is_held=kl > 0)
        options = ["--arm=rft", f"--from={spt.run}", f"--kl={kl:g}", f"--iterations={iterations}"]
        yield go(config, f"rft-{kl:g}", seed, *options, *shown)
    for control in config.controls:
        extra = {
            "shuffled": ["--games.shuffle-results"],
            "rpt-spt": [f"--from={rpt.run}"],
        }.get(control, ["--games.sources", control])
        yield go(config, f"spt-{control}" if control not in CONTROLS else control, seed, *taught, *extra, *shown)


def earlier_milestones(config: Config) -> range:
    """Iterations of rpt whose checkpoints play beside the last one, as far apart as the first is from the beginning."""
    apart = config.iterations // config.milestones
    return range(apart, apart * config.milestones, apart)


def affordable(config: Config, rpt: Member, spt: Member, is_held: bool) -> int:
    """Iterations of self-play for the FLOPs that spt has left of rpt's.

    An iteration of fine-tuning is as dear as one of rpt; if it is held to a policy, that policy looks at each position
    that is learnt from, too: a third of the learning, of which two thirds go backwards.
    """
    whole, imitation = (result(member)["spent"] for member in (rpt, spt))
    of_looking = whole["positions"] / config.iterations * imitation["flops"] / imitation["positions"] / 3
    each = whole["flops"] / config.iterations + is_held * of_looking
    left = round((whole["flops"] - imitation["flops"]) / each)
    if left < 1:
        share = imitation["flops"] / whole["flops"]
        raise RunError(f"spt costs {share:.1f} × as much as rpt: nothing is left to fine-tune it with; fewer epochs?")
    return left


def go(config: Config, arm: str, seed: int, *options: str) -> Member:
    """One training, unless it has ended already."""
    name = f"{config.name}-{arm}-{seed}"
    member = Member(arm, seed, str(GO_RUNS / name))
    settings = [f"--preset={config.base}", f"--size={config.size}", f"--seed={seed}", f"--name={name}"]
    settings += [f"--max-moves={2 * config.size**2}", "--resume"]
    commands.train(HERE / "go_9x9.py", GO_RUNS / name, [*settings, *options])
    return member


def result(member: Member) -> dict[str, Any]:
    """What a training came to."""
    return json.loads((Path(member.run) / "result.json").read_text())


def let_play(config: Config, members: Sequence[Member]) -> list[Path]:
    """Two tournaments, everybody against everybody: with search, milestones and rivals among them, and without.

    Returns: their directories.
    """
    searching = [f"run:{member.run}" for member in members]
    for member in members:
        if member.arm == "rpt":
            searching += [f"run:{member.run}@{step}" for step in earlier_milestones(config)]
    players = {
        "search": [*searching, *(config.rivals or ("random",))],
        "policy": [*(f"policy:{member.run}" for member in members), "random"],
    }
    options = [f"--size={config.size}", f"--num-pairs={config.num_pairs}", f"--simulations={config.simulations}"]
    for kind, names in players.items():
        anchored = [f"--anchor={names[-1]}", f"--name={config.name}-{kind}", "--resume"]
        run("tournament.py", *names, *options, *anchored)
    return [Path("runs/tournament") / f"{config.name}-{kind}" for kind in players]


def compare_depths(config: Config, members: Sequence[Member]) -> Path:
    """A tournament of every arm's first seed with little search and much. Returns: its directory."""
    players = [f"run:{member.run}#{depth}" for member in members if member.seed == 0 for depth in config.depths]
    options = [f"--size={config.size}", f"--num-pairs={config.num_pairs}", "--anchor=random", "--resume"]
    run("tournament.py", *players, "random", *options, f"--name={config.name}-depths")
    return Path("runs/tournament") / f"{config.name}-depths"


def examine(config: Config, members: Sequence[Member], paths: Sequence[str]) -> None:
    """What every player knows that it was not shown."""
    missing = [member.run for member in members if not (Path(member.run) / "battery.json").exists()]
    if missing:
        searches = ["--simulations", str(config.simulations), str(8 * config.simulations)]
        options = [f"--num-pairs={config.num_pairs}", "--num-positions=5000", "--num-problems=16", *searches]
        run("battery.py", *missing, f"--opponent={members[0].run}", *options, "--games", *paths)


def run(script: str, *arguments: str) -> None:
    """One step as a person would start it. Raises RunError where it fails or is stopped."""
    commands.run(HERE / script, arguments)


if __name__ == "__main__":
    try:
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, "cpu"))
    except (SettingError, RunError) as error:
        sys.exit(f"go_arms.py: {error}")
    except KeyboardInterrupt:
        sys.exit(f"stopped; to go on: {commands.to_go_on()}")
