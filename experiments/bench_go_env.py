"""Steps per second of random Go, ours beside pgx and OpenSpiel, in one process.

    python experiments/bench_go_env.py --sizes 9 19 --batch-sizes 64 1024

All play uniformly random legal moves, pass included, and start anew as soon as a game is over. Variants take turns,
and what counts is the ratio of medians: machines are noisy, and lone times say little. Ours is measured with
positional superko exact in the legal mask, which no peer offers, and with simple ko, which is what they have. pgx
makes its observation at every step, ours on demand; a row shows ours with it. OpenSpiel plays one game at a time on
one core, called from Python.

Needs the peers: pip install 'reward-pretraining[peers]'
"""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyspiel
import tyro
from pgx.experimental import auto_reset
from pgx.go import Go as PgxGo

from go_env import Go


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure."""

    sizes: tuple[int, ...] = (9, 19)
    """Board sizes; pgx's 9 and 19 are official, others work too."""
    batch_sizes: tuple[int, ...] = ()
    """Games at a time; default 64, 1024 and 4096 on boards to 9×9, and 256 on larger ones."""
    num_steps: int = 20
    """Steps per call."""
    repeats: int = 7
    """Timed calls of each variant, in turn."""

    def batches(self, size: int) -> tuple[int, ...]:
        return self.batch_sizes or ((64, 1024, 4096) if size <= 9 else (256,))


class Loop:
    """A compiled scan of `step(states, key)` that goes on where the last call ended."""

    def __init__(self, step: Callable, states: Any, num_games: int, num_steps: int):
        self.states, self.num_steps, self.steps_per_call = states, num_steps, num_games * num_steps
        self.run = jax.jit(lambda states, keys: jax.lax.scan(step, states, keys)[0], donate_argnums=0)

    def seconds(self, seed: int) -> float:
        """Wall time of one call."""
        keys = jax.block_until_ready(jax.random.split(jax.random.key(seed), self.num_steps))
        started = time.perf_counter()
        self.states = jax.block_until_ready(self.run(self.states, keys))
        return time.perf_counter() - started


class OpenSpielLoop:
    """Random play on OpenSpiel's Go, a game at a time."""

    def __init__(self, size: int, num_steps: int):
        self.game = pyspiel.load_game(f"go(board_size={size},komi=7.5)")
        self.state, self.num_steps, self.steps_per_call = self.game.new_initial_state(), num_steps, num_steps

    def seconds(self, seed: int) -> float:
        """Wall time of one call."""
        draws = np.random.default_rng(seed).random(self.num_steps).tolist()
        started = time.perf_counter()
        for draw in draws:
            actions = self.state.legal_actions()
            self.state.apply_action(actions[int(draw * len(actions))])
            if self.state.is_terminal():
                self.state = self.game.new_initial_state()
        return time.perf_counter() - started


def main(config: Config) -> None:
    """Prints a table for every size and batch size."""
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, median of {config.repeats} calls in turn")
    for size in config.sizes:
        for num_games in config.batches(size):
            loops = {
                "pgx (simple ko in the mask)": pgx_loop(size, num_games, config.num_steps),
                "OpenSpiel (simple ko, one core)": OpenSpielLoop(size, 20_000 if size <= 9 else 4_000),
                "go_env, positional superko": go_env_loop(Go(size), num_games, config.num_steps),
                "go_env, simple ko": go_env_loop(Go(size, ko="simple"), num_games, config.num_steps),
                "go_env, simple ko, observed": go_env_loop(Go(size, ko="simple"), num_games, config.num_steps, True),
            }
            warm_up = max(1, size**2 // config.num_steps)  # so that games of all ages are under way
            seconds = measure(loops, warm_up, config.repeats)
            report(size, num_games, {name: t / loops[name].steps_per_call for name, t in seconds.items()})


def go_env_loop(env: Go, num_games: int, num_steps: int, is_observed: bool = False) -> Loop:
    """Random play on our environment."""

    def step(carry, key):
        states, seen = carry
        legal = jax.vmap(env.legal_actions)(states)
        states = jax.vmap(env.step)(states, random_actions(key, legal))
        states = jax.vmap(env.renew)(states)
        if is_observed:  # summed up, lest XLA leave it out
            seen += jax.vmap(env.observe)(states).sum()
        return (states, seen), None

    states = jax.vmap(lambda _: env.init())(jnp.arange(num_games))
    return Loop(step, (states, jnp.float32(0)), num_games, num_steps)


def pgx_loop(size: int, num_games: int, num_steps: int) -> Loop:
    """Random play on pgx's, as its documentation does it."""
    env = PgxGo(size=size, komi=7.5)
    step_and_reset = jax.vmap(auto_reset(env.step, env.init))

    def step(states, key):
        actions = random_actions(key, states.legal_action_mask)
        return step_and_reset(states, actions, jax.random.split(key, num_games)), None

    return Loop(step, jax.vmap(env.init)(jax.random.split(jax.random.key(0), num_games)), num_games, num_steps)


def random_actions(key: jax.Array, legal: jax.Array) -> jax.Array:
    """Uniform over the legal actions, pass included: the time is to be the games'.

    One random number a game says which of the legal actions it is, counted in groups of about √actions, then in one.
    """
    num_games, num_actions = legal.shape
    width = math.isqrt(num_actions - 1) + 1
    groups = jnp.pad(legal, ((0, 0), (0, width**2 - num_actions))).reshape(num_games, width, width)
    counts = sums_up_to(jnp.sum(groups, axis=-1, dtype=jnp.int32))
    drawn = (jax.random.uniform(key, (num_games,)) * counts[:, -1]).astype(jnp.int32)[:, None]
    is_passed = counts <= drawn
    group = jnp.sum(is_passed, axis=-1, dtype=jnp.int32)
    rest = drawn - jnp.max(jnp.where(is_passed, counts, 0), axis=-1, keepdims=True)
    chosen = groups[jnp.arange(num_games), group].astype(jnp.int32)
    return group * width + jnp.sum(sums_up_to(chosen) <= rest, axis=-1, dtype=jnp.int32)


def sums_up_to(x: jax.Array) -> jax.Array:
    """Cumulative sums of short rows, in one step where `jnp.cumsum` takes several."""
    return jnp.sum(jnp.where(np.tri(x.shape[-1], dtype=bool), x[:, None], 0), axis=-1)


def measure(loops: dict[str, Any], warm_up: int, repeats: int) -> dict[str, float]:
    """Median seconds of each loop; they take turns, after calls that compile and that mix up the games."""
    for loop in loops.values():
        for seed in range(warm_up):
            loop.seconds(seed)
    times = {name: [] for name in loops}
    for seed in range(repeats):
        for name, loop in loops.items():
            times[name].append(loop.seconds(10_000 + seed))
    return {name: statistics.median(each) for name, each in times.items()}


def report(size: int, num_games: int, seconds_per_step: dict[str, float]) -> None:
    """One table; the first two rows are the peers."""
    pgx, openspiel, *_ = seconds_per_step.values()
    print(f"\n{size}×{size}, {num_games} games")
    for name, seconds in seconds_per_step.items():
        ratios = f"{pgx / seconds:7.1f} × pgx {openspiel / seconds:6.2f} × OpenSpiel"
        print(f"  {name:32} {1 / seconds:12,.0f} steps/s {ratios}")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
