"""Moves per second of self-play, and where the time goes: network, search, environment.

    python experiments/bench_selfplay.py --num-games=128 --search.num-simulations=16

The same search runs with the network, and with a stand-in that costs nothing; and the environment steps alone, as
often as the search steps it. Variants take turns; shares are ratios of medians.
"""

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import tyro

from go_env import Go
from rl_pretrain import selfplay
from rl_pretrain.environment import Environment
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import Games, SelfplayConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure; defaults are those of go_9x9.py's cpu preset."""

    size: int = 9
    """Edge of the board."""
    num_games: int = 128
    """Games at a time."""
    num_steps: int = 4
    """Moves of each game per timed call."""
    repeats: int = 5
    """Timed calls of each variant, in turn."""
    search: SearchConfig = SearchConfig(num_simulations=16)
    network: ConvConfig = ConvConfig(num_blocks=2, num_channels=32)


def main(config: Config) -> None:
    """Prints moves per second and shares."""
    env = Go(config.size)
    network = ConvNet(config.network, num_other_actions=1)
    params = network.init(jax.random.key(0), jnp.zeros((1, *env.observation_shape)))
    games = selfplay.start(env, jax.random.key(1), config.num_games)
    variants = {
        "self-play": play_loop(env, functools.partial(network.apply, params), config),
        "search alone (free network)": play_loop(env, functools.partial(free_network, env), config),
        "environment alone": step_loop(env, config),
    }
    seconds = measure(variants, games, config.repeats)
    num_moves = config.num_games * config.num_steps
    whole = seconds["self-play"]
    print(f"{jax.devices()[0].device_kind}, {config.size}×{config.size}, {config.num_games} games, {config.search}")
    for name, t in seconds.items():
        print(f"  {name:30} {num_moves / t:12,.0f} moves/s {t / whole:7.1%} of self-play's time")


def free_network(env: Environment, observations: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Different logits for different positions, from next to no arithmetic."""
    seen = jnp.sum(observations, axis=(1, 2))  # [batch, planes]
    return jnp.sin(seen[:, :1] * jnp.arange(env.num_actions)), jnp.tanh(seen[:, 1] - seen[:, 2])


def play_loop(env: Environment, predict: Callable, config: Config) -> Callable[[jax.Array, Games], Games]:
    """Self-play as training does it."""
    settings = SelfplayConfig(num_games=config.num_games, num_steps=config.num_steps)
    return jax.jit(lambda key, games: selfplay.play(env, predict, config.search, settings, key, games)[0])


def step_loop(env: Environment, config: Config) -> Callable[[jax.Array, Games], Games]:
    """As many steps, observations and masks as self-play's: one for each simulation, and one for the move."""

    def step(states, key):
        legal = jax.vmap(env.legal_actions)(states)
        observed = jnp.sum(jax.vmap(env.observe)(states), axis=(1, 2, 3))
        noise = jax.random.uniform(key, legal.shape) + 1e-9 * observed[:, None]
        return jax.vmap(env.step)(states, jnp.argmax(jnp.where(legal, noise, -1.0), axis=-1)), None

    def run(key, games):
        keys = jax.random.split(key, config.num_steps * (config.search.num_simulations + 1))
        return games._replace(states=jax.lax.scan(step, games.states, keys)[0])

    return jax.jit(run)


def measure(variants: dict[str, Callable], games: Games, repeats: int) -> dict[str, float]:
    """Median seconds of a call; the first calls, which compile, are left out."""
    times = {name: [] for name in variants}
    for i in range(repeats + 1):
        for name, run in variants.items():
            started = time.perf_counter()
            jax.block_until_ready(run(jax.random.key(i), games))
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(each[1:]) for name, each in times.items()}


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
