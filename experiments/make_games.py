"""Makes a corpus of games where none is at hand: GNU Go against itself, or two other engines, as SGF files.

    python experiments/make_games.py --size=7 --num-openings=500

Every opening of a few random moves is played twice, by different levels with swapped colours. The games lie in
runs/make_games/<name>, one file each, and are what `--games.paths` of go_9x9.py takes. A file is there whole or not at
all; --resume makes those that are missing. GNU Go: apt install gnugo (Debian, Ubuntu), brew install gnu-go (macOS).
"""

import contextlib
import dataclasses
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import tyro

from go_env import RULES_VERSION, Go, KoRule, gtp_client, match, sgf
from go_env.gtp_client import Client, EngineError
from go_env.match import Engine, Pair
from rl_pretrain import devices, json_file, run_directory
from rl_pretrain.interrupt import catch_signals
from rl_pretrain.progress import Progress
from rl_pretrain.run_directory import RunError
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS = Path("runs/make_games")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a corpus."""

    name: str = "gnugo"
    """The games are put into runs/make_games/<name>."""
    resume: bool = False
    """Make the games that are missing from the corpus of this name; begin it, if there is none."""
    seed: int = 0
    """Decides the openings, and all chance in the engines."""

    size: int = 9
    """Edge of the board."""
    komi: float = 7.0
    """Points for White."""
    ko: KoRule = "positional_superko"
    """Which repetitions the rules forbid."""

    num_openings: int = 1000
    """Half as many as games."""
    opening_moves: tuple[int, int] = (2, 6)
    """Fewest and most random moves of an opening."""
    levels: tuple[int, int] = (0, 3)
    """Of the two sides, if both are GNU Go."""
    engines: tuple[str, str] | None = None
    """Commands of two programs that speak GTP, to play in place of GNU Go."""
    move_seconds: float = 60.0
    """An engine that takes longer for a move loses the game."""
    batch: int = 16
    """Openings played at the same time; each keeps up to four processes of engines."""

    def __post_init__(self):
        try:
            self.go  # noqa: B018 (made to see whether there can be such rules)
        except ValueError as error:
            raise SettingError(str(error)) from None
        at_least(1, self, "num_openings", "batch")
        at_least(0.001, self, "move_seconds")
        if not all(0 <= level <= 10 for level in self.levels):
            raise SettingError(f"levels must be from 0 to 10, got {self.levels}")
        a_name(self.name)

    @property
    def go(self) -> Go:
        """The rules."""
        return Go(self.size, self.komi, self.ko)


def main(config: Config) -> None:
    """All the games, top to bottom."""
    sides = [enter(config, number) for number in (0, 1)]
    openings = match.random_openings(config.go, config.seed, config.num_openings, config.opening_moves)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(open_directory(config))
        missing = [number for number in range(config.num_openings) if not is_there(directory, number)]
        done = config.num_openings - len(missing)
        stop = stack.enter_context(catch_signals())
        pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
        progress = Progress("games of engines", config.num_openings, start=done, notice=lambda: str(stop))
        progress = stack.enter_context(progress)
        for begin in range(0, len(missing), config.batch):
            batch = {number: openings[number] for number in missing[begin : begin + config.batch]}
            plies = match.play(config.go, sides[0], sides[1], batch, pool, config.batch)
            for ended in stack.enter_context(contextlib.closing(plies)):
                if stop.requested:
                    progress.say(f"stopped by {stop.signal}; to go on: {command()}")
                    return
                for pair in ended:
                    write(directory, pair)
                    done += 1
                    progress.update(done, {"games": 2 * done})
    print(f"{2 * config.num_openings:,} games in {directory}; to learn from them: --games.paths {directory}")


def enter(config: Config, number: int) -> Engine:
    """One side. It is started once, to see that it is there and plays on this board."""

    def start(seed: int) -> Client:
        if config.engines:
            return Client(shlex.split(config.engines[number]), config.move_seconds)
        return Client(gtp_client.gnugo(config.levels[number], seed), config.move_seconds)

    with start(1) as client:
        client.send(f"boardsize {config.size}")
        name = config.engines[number] if config.engines else f"gnugo:{config.levels[number]}"
        return Engine(f"{name} ({'ab'[number]})", config.go, start, client.send("version"))


@contextlib.contextmanager
def open_directory(config: Config):
    """The corpus, for this process alone. Raises RunError where the directory holds another one."""
    directory = RUNS / config.name
    settings = dataclasses.asdict(config)
    for name in ("name", "resume", "batch", "move_seconds"):
        del settings[name]
    resume = config.resume and (directory / run_directory.CONFIG).exists()
    versions = {"go_rules": RULES_VERSION, "reward-pretraining": version("reward-pretraining")}
    lock = run_directory.claim(directory, settings, versions, resume, ("num_openings",))
    with contextlib.closing(lock):
        yield directory


def path_of(directory: Path, number: int, half: int) -> Path:
    return directory / f"{number:06}{'ab'[half]}.sgf"


def is_there(directory: Path, number: int) -> bool:
    """Whether both games of an opening are."""
    return all(path_of(directory, number, half).exists() for half in (0, 1))


def write(directory: Path, pair: Pair) -> None:
    """Both games of an opening."""
    for half, game in enumerate(pair.games):
        json_file.replace(path_of(directory, pair.number, half), sgf.write(game))


def command() -> str:
    """The command line that makes the games that are missing."""
    return shlex.join(["python", *(argument for argument in sys.argv if argument != "--resume"), "--resume"])


if __name__ == "__main__":
    try:
        config = tyro.cli(Config, description=__doc__)
        devices.use()
        devices.use_compilation_cache()
        main(config)
    except (SettingError, RunError, EngineError, ValueError) as error:
        sys.exit(f"make_games.py: {error}")
