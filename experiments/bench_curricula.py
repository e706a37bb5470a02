"""Steps per second of the synthetic tasks, beside gymnax's CartPole, in one process.

    python experiments/bench_curricula.py

1024 episodes in one scan, a finished one beginning anew at once: tasks from a pool of instances, CartPole as gymnax
does it. Chance is drawn before the clock runs. CartPole takes random actions; tasks that are read take the right one
nine times in ten, so that episodes get past their prompts; tasks that are acted in take random ones of their own
actions, legal or not. Variants take turns; what counts is the ratio of medians.

Needs gymnax: pip install 'reward-pretraining[peers]'. Measures popgym too if it is there: pip install popgym
"""

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import tyro

from curricula import act_pool, pool
from curricula.act import Act
from curricula.stream import Stream
from curricula.tasks import every_act, every_task
from curricula.vocabulary import NUM_TOKENS


@dataclasses.dataclass(frozen=True)
class Config:
    """What to measure."""

    num_episodes: int = 1024
    """Episodes at a time."""
    num_steps: int = 400
    """Steps per call."""
    rows_per_episode: int = 16
    """Instances in the pool for each episode."""
    repeats: int = 7
    """Timed calls of each variant, in turn."""
    tasks: tuple[str, ...] = ()
    """Names of the tasks to measure; default all."""


def main(config: Config) -> None:
    """Prints a row for each task."""
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, gymnax {version('gymnax')}")
    print(f"{config.num_episodes} episodes, median of {config.repeats} calls in turn; compiling apart\n")
    loops = {"gymnax CartPole-v1": cartpole_loop(config)}
    loops |= popgym_loops(config)
    loops |= {task.name: task_loop(config, task) for task in chosen_tasks(config)}
    times = {name: [] for name in loops}
    compiling = {name: loop(0) for name, loop in loops.items()}
    for seed in range(config.repeats):
        for name, loop in loops.items():
            times[name].append(loop(seed))
    steps = config.num_episodes * config.num_steps
    seconds = {name: statistics.median(each) for name, each in times.items()}
    peer = next(iter(seconds.values()))
    for name, each in seconds.items():
        speed = f"{steps / each / 1e6:8.2f} M steps/s {peer / each:6.2f} × CartPole"
        print(f"  {name:24} {speed}   first call {compiling[name]:5.2f} s")
    worst = min((name for name in seconds if "popgym" not in name), key=lambda name: peer / seconds[name])
    print(f"\nslowest: {worst}, {peer / seconds[worst]:.2f} × CartPole")


def chosen_tasks(config: Config) -> list[Stream | Act]:
    """Exits with one line where a name is unknown."""
    tasks = {task.name: task for task in (*every_task(), *every_act())}
    unknown = [name for name in config.tasks if name not in tasks]
    if unknown:
        sys.exit(f"error: unknown task {unknown[0]!r}; tasks are {', '.join(tasks)}")
    return [tasks[name] for name in config.tasks or tasks]


Loop = Callable[[int], float]
"""Seed → seconds of one call."""


def task_loop(config: Config, task: Stream | Act) -> Loop:
    """A pool with all training levels."""
    is_read = not isinstance(task, Act)

    def rollout(pool: Any, episodes: Any, chances: jax.Array) -> Any:
        def step(episodes, chance):
            actions = jnp.where(chance < 0, jax.vmap(pool.expert)(episodes), chance) if is_read else chance
            after = jax.vmap(pool.step)(episodes, actions)
            seen = jnp.sum(jax.vmap(pool.observe)(after), dtype=jnp.int32)  # summed up, lest XLA leave it out
            return jax.vmap(lambda e: pool.renew(e, config.num_episodes))(after), (seen, jnp.sum(after.reward))

        return jax.lax.scan(step, episodes, chances)

    levels = jnp.arange(config.num_episodes * config.rows_per_episode, dtype=jnp.int32) % task.levels.num_train
    write = pool.write if is_read else act_pool.write
    instances = jax.jit(write, static_argnums=0)(task, jax.random.key(0), levels)
    episodes = jax.vmap(instances.at)(jnp.arange(config.num_episodes))
    run = jax.jit(rollout)

    shape = (config.num_steps, config.num_episodes)

    def draw(seed: int) -> jax.Array:
        key = jax.random.key(seed)
        return (
            jax.random.choice(key, jnp.array(own_actions(task)), shape) if isinstance(task, Act) else slips(key, shape)
        )

    return timed(lambda chances: run(instances, episodes, chances), draw)


def slips(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """One random token in ten, else -1: the right one."""
    when_key, what_key = jax.random.split(key)
    is_slip = jax.random.uniform(when_key, shape) > 0.9
    return jnp.where(is_slip, jax.random.randint(what_key, shape, 0, NUM_TOKENS), -1)


def own_actions(task: Act) -> list[int]:
    """The tokens that the task's rules know."""
    state = task.init(jax.random.key(0))
    return [int(token) for token, _ in task.rules.choices(state.instance.puzzle, state.place)]


def cartpole_loop(config: Config) -> Loop:
    """Random actions; gymnax draws a new episode at every step and takes it where the old one is over."""
    env, params = gymnax.make("CartPole-v1")
    reset_key = jax.random.key(0)

    def rollout(states: Any, actions: jax.Array) -> Any:
        def step(carry, actions):
            key, states = carry
            keys = jax.random.split(key, config.num_episodes + 1)
            seen, states, reward, *_ = jax.vmap(env.step, (0, 0, 0, None))(keys[1:], states, actions, params)
            return (keys[0], states), (jnp.sum(seen), jnp.sum(reward))

        return jax.lax.scan(step, (reset_key, states), actions)

    _, states = jax.vmap(env.reset, (0, None))(jax.random.split(reset_key, config.num_episodes), params)
    run = jax.jit(rollout)
    shape = (config.num_steps, config.num_episodes)

    def draw(seed: int) -> jax.Array:
        return jax.random.randint(jax.random.key(seed), shape, 0, env.num_actions)

    return timed(lambda actions: run(states, actions), draw)


def popgym_loops(config: Config) -> dict[str, Loop]:
    """POPGym's kin of `copy` with random actions, one episode at a time as it is written; nothing without it."""
    try:
        from popgym.envs.repeat_previous import RepeatPreviousEasy  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return {}
    env, num_steps = RepeatPreviousEasy(), 2000
    env.reset()

    def seconds(seed: int) -> float:
        actions = np.random.default_rng(seed).integers(0, env.action_space.n, num_steps)
        started = time.perf_counter()
        for action in actions:
            _, _, is_over, is_cut, _ = env.step(action)
            if is_over or is_cut:
                env.reset()
        return (time.perf_counter() - started) * config.num_episodes * config.num_steps / num_steps

    return {"popgym RepeatPrevious": seconds}


def timed(run: Callable[[jax.Array], Any], draw: Callable[[int], jax.Array]) -> Loop:
    """Draws before the clock runs."""

    def seconds(seed: int) -> float:
        drawn = jax.block_until_ready(draw(seed))
        started = time.perf_counter()
        jax.block_until_ready(run(drawn))
        return time.perf_counter() - started

    return seconds


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
