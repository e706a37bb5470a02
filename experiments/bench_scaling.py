"""How self-play and learning scale with the devices: moves and positions per second, as multiples of one device.

    python experiments/bench_scaling.py --devices 1 2 4

Strong scaling shares one number of games and one batch out among the devices; weak scaling gives each device as many
of its own. All teams live in one process and take turns; what counts is the ratio of medians. On a machine without
accelerators the devices are virtual: they share its cores, so no more than those can be gained.
"""

import dataclasses
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import tyro

from go_env import Go
from rl_pretrain import devices, learner, parallel
from rl_pretrain.devices import Devices
from rl_pretrain.evaluate import MatchConfig
from rl_pretrain.learner import LearnConfig
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import SelfplayConfig
from rl_pretrain.settings import SettingError, at_least

Scaling = Literal["strong", "weak"]


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure; defaults are those of go_9x9.py's cpu preset."""

    devices: tuple[int, ...] = (1, 2, 4)
    """Sizes of the teams; the first is what the others are compared with."""
    size: int = 9
    """Edge of the board."""
    num_games: int = 128
    """Games at a time: of a whole team in strong scaling, of each device in weak scaling."""
    batch_size: int = 256
    """Positions of an update, likewise."""
    num_steps: int = 4
    """Moves of each game per timed call."""
    num_updates: int = 8
    """Updates per timed call."""
    repeats: int = 5
    """Timed calls of each team, in turn."""
    search: SearchConfig = SearchConfig(num_simulations=16)
    network: ConvConfig = ConvConfig(num_blocks=2, num_channels=32)

    def __post_init__(self):
        at_least(1, self, "size", "num_games", "batch_size", "num_steps", "num_updates", "repeats")
        if min(self.devices, default=0) < 1:
            raise SettingError(f"devices must be some numbers from 1 up, got {self.devices}")


class Team:
    """Devices that play and learn together."""

    def __init__(self, config: Config, scaling: Scaling, pool: Devices):
        growth = len(pool) if scaling == "weak" else 1
        self.scaling, self.pool, self.num_updates = scaling, pool, config.num_updates
        self.num_moves = config.num_games * growth * config.num_steps
        self.num_positions = config.batch_size * growth * config.num_updates
        env, network = Go(config.size), ConvNet(config.network, num_other_actions=1)
        learning = LearnConfig(batch_size=config.batch_size * growth)
        optimizer = learner.make_optimizer(learning, 10_000)
        self.steps = parallel.compile_steps(
            env,
            network.apply,  # pyright: ignore[reportArgumentType] (flax types it loosely)
            optimizer,
            SelfplayConfig(num_games=config.num_games * growth, num_steps=config.num_steps),
            learning,
            config.search,
            MatchConfig(num_pairs=len(pool)),  # none is played
            max_moves=env.move_limit,
            augment=lambda key, example: example,
            summarise=lambda trajectory: {},
            devices=pool,
        )
        weights = network.init(jax.random.key(0), jnp.zeros((1, *env.observation_shape)))
        self.state = devices.replicate(learner.init(optimizer, weights), pool)
        self.initial = devices.replicate(weights, pool)
        self.games, self.replay = self.steps.begin(parallel.split(jax.random.key(1), pool), self.initial)

    def play(self, key: jax.Array) -> Any:
        """Moves all games on, with the initial weights."""
        keys = parallel.split(key, self.pool)
        self.games, self.replay, _ = self.steps.play(keys, self.initial, self.games, self.replay)
        return self.games

    def learn(self, key: jax.Array) -> Any:
        """Some updates."""
        for update_key in jax.random.split(key, self.num_updates):
            keys = parallel.split(update_key, self.pool)
            self.state, _ = self.steps.learn(keys, self.state, self.replay, self.initial)
        return self.state


def main(config: Config) -> None:
    """Prints a row for every team."""
    pool = devices.use(max(config.devices))
    devices.use_compilation_cache()
    teams = [
        Team(config, scaling, pool[:number])
        for scaling, number in itertools.product(("strong", "weak"), config.devices)
    ]
    playing = measure([team.play for team in teams], config.repeats)
    learning = measure([team.learn for team in teams], config.repeats)
    print(f"{devices.describe(pool)}, {config.size}×{config.size}, {config.num_games} games, batch {config.batch_size}")
    rows = list(zip(teams, playing, learning, strict=True))
    for scaling in ("strong", "weak"):
        report([row for row in rows if row[0].scaling == scaling])


def measure(calls: list[Callable[[jax.Array], Any]], repeats: int) -> list[float]:
    """Median seconds of each call; the first ones, which compile, are left out."""
    times: list[list[float]] = [[] for _ in calls]
    for i in range(repeats + 1):
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            jax.block_until_ready(call(jax.random.key(i)))
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken[1:]) for taken in times]


def report(rows: list[tuple[Team, float, float]]) -> None:
    """Rates of each team, and how many times those of the first they are."""
    speeds = [(team.num_moves / playing, team.num_positions / learning) for team, playing, learning in rows]
    for (team, *_), (moves, positions) in zip(rows, speeds, strict=True):
        print(
            f"  {team.scaling:6} {len(team.pool):3} devices {moves:10,.0f} moves/s {moves / speeds[0][0]:5.2f} ×"
            f" {positions:10,.0f} positions/s {positions / speeds[0][1]:5.2f} ×"
        )


if __name__ == "__main__":
    try:
        main(tyro.cli(Config, description=__doc__))
    except (SettingError, ValueError) as error:  # ValueError: of Go, for a size that no board has
        sys.exit(f"bench_scaling.py: {error}")
