"""Steps per second of random Go, ours beside pgx, in one process.

    python experiments/bench_go_env.py --sizes 9 19 --batch-sizes 64 1024

Both play uniformly random legal moves, pass included, with finished games starting anew inside the step. Variants
take turns, and what counts is the ratio of medians: machines are noisy, and lone times say little. Ours is measured
with positional superko exact in the legal mask, which pgx does not offer, and with simple ko.

Needs pgx: pip install 'reward-pretraining[pgx]'
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import tyro
from pgx.experimental import auto_reset
from pgx.go import Go as PgxGo

from go_env import Go


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure."""

    sizes: tuple[int, ...] = (9,)
    """Board sizes; pgx's 9 and 19 are official, others work too."""
    batch_sizes: tuple[int, ...] = (1024,)
    """Games at a time."""
    num_steps: int = 50
    """Steps per call."""
    repeats: int = 7
    """Timed calls of each variant, in turn."""


class Loop:
    """A compiled scan of `step(states, key)` that goes on where the last call ended."""

    def __init__(self, step: Callable, states: Any, num_steps: int):
        self.states, self.num_steps = states, num_steps
        self.run = jax.jit(lambda states, keys: jax.lax.scan(step, states, keys)[0], donate_argnums=0)

    def seconds(self, seed: int) -> float:
        """Wall time of one call."""
        keys = jax.block_until_ready(jax.random.split(jax.random.key(seed), self.num_steps))
        started = time.perf_counter()
        self.states = jax.block_until_ready(self.run(self.states, keys))
        return time.perf_counter() - started


def main(config: Config) -> None:
    """Prints a table for every size and batch size."""
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, median of {config.repeats} calls in turn")
    for size in config.sizes:
        for batch_size in config.batch_sizes:
            loops = {
                "pgx (simple ko in the mask)": pgx_loop(size, batch_size, config.num_steps),
                "go_env, positional superko": go_env_loop(Go(size), batch_size, config.num_steps),
                "go_env, simple ko": go_env_loop(Go(size, ko="simple"), batch_size, config.num_steps),
            }
            seconds = measure(loops, config.repeats)
            report(size, batch_size, {name: t / (batch_size * config.num_steps) for name, t in seconds.items()})


def go_env_loop(env: Go, batch_size: int, num_steps: int) -> Loop:
    """Random play on our environment."""

    def step(states, key):
        legal = jax.vmap(env.legal_actions)(states)
        states = jax.vmap(env.step)(states, random_actions(key, legal))
        return jax.vmap(env.renew)(states), None

    return Loop(step, jax.vmap(lambda _: env.init())(jnp.arange(batch_size)), num_steps)


def pgx_loop(size: int, batch_size: int, num_steps: int) -> Loop:
    """Random play on pgx's, as its documentation does it."""
    env = PgxGo(size=size, komi=7.5)
    step_and_reset = jax.vmap(auto_reset(env.step, env.init))

    def step(states, key):
        actions = random_actions(key, states.legal_action_mask)
        return step_and_reset(states, actions, jax.random.split(key, batch_size)), None

    return Loop(step, jax.vmap(env.init)(jax.random.split(jax.random.key(0), batch_size)), num_steps)


def random_actions(key: jax.Array, legal: jax.Array) -> jax.Array:
    """Uniform over the legal actions, pass included."""
    return jnp.argmax(jnp.where(legal, jax.random.uniform(key, legal.shape), -1.0), axis=-1).astype(jnp.int32)


def measure(loops: dict[str, Loop], repeats: int) -> dict[str, float]:
    """Median seconds of each loop; they take turns, after calls that compile and that mix up the games."""
    for loop in loops.values():
        for seed in range(3):
            loop.seconds(seed)
    times = {name: [] for name in loops}
    for seed in range(repeats):
        for name, loop in loops.items():
            times[name].append(loop.seconds(100 + seed))
    return {name: statistics.median(each) for name, each in times.items()}


def report(size: int, batch_size: int, seconds_per_step: dict[str, float]) -> None:
    """One table, the first row being the peer."""
    peer = next(iter(seconds_per_step.values()))
    print(f"\n{size}×{size}, {batch_size} games")
    for name, seconds in seconds_per_step.items():
        print(f"  {name:32} {1 / seconds:12,.0f} steps/s {peer / seconds:7.1f} × pgx")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
