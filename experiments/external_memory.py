"""A reasoner that sees one token at a time, with an external memory, beside reasoners that see or remember everything.

    python experiments/external_memory.py --preset=demo

All learn from reward alone, on short prompts, and are then asked for much longer ones. The training loop is algorithm 1
of "General Intelligence Requires Reward-based Pretraining" (ICML 2025) as far as the paper tells it: stages ordered by
what they need of the memory, promotion on success; see `learn_stage_by_stage`.

Presets (every setting can be changed by its flag):
  demo       copy and reverse with a tape, window 1, five seeds: under two minutes on two CPU cores, peers included
  retriever  values of keys that are in the memory from the beginning, found by queries that are learnt, beside no
             memory; window 1, five seeds
  grid       windows 1, 2, 4 with every memory
  tiny       seconds, for tests
"""

import dataclasses
import functools
import itertools
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from curricula import cues, pool
from curricula.act_pool import ActPool
from curricula.course import Course
from curricula.memory.buffer import PushBuffer
from curricula.memory.key_value import KeyValue
from curricula.memory.memory import Memory
from curricula.memory.probes import exchange_memories, next_fitting
from curricula.memory.retriever import MAX_DIMENSION, Retriever
from curricula.memory.small_window import SmallWindow
from curricula.memory.stack import Stack
from curricula.memory.tape import Tape
from curricula.pool import Pool
from curricula.schedules.staircase import Staircase
from curricula.stream import Stream
from curricula.tasks import every_task
from curricula.vocabulary import Token
from rl_pretrain import (
    arms,
    checkpoint,
    command_line,
    devices,
    exam,
    json_file,
    learner,
    loop,
    policy_gradient,
    practice,
    success,
    together,
)
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.practice import Pupil
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS = Path("runs/external_memory")
MemoryKind = Literal["none", "tape", "stack", "buffer", "key_value", "retriever"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/external_memory/<name>. Default: the preset's name."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """The first of the seeds."""
    num_seeds: int = 5
    """Reasoners trained side by side, each from its own weights and on its own instances."""
    at_once: int = 0
    """Trainings that go on at the same time; 0 for one on each core where there is no accelerator, else one."""

    tasks: tuple[str, ...] = ("copy", "reverse")
    """Names of tasks that are read, see curricula/README.md."""
    windows: tuple[int, ...] = (1,)
    """Steps in sight of the reasoners with a small window."""
    memories: tuple[MemoryKind, ...] = ("tape",)
    """What they are given beside it."""
    with_cue: bool = False
    """Show, long before each answer, a token that tells how it begins: true in training, false in the measurement."""
    with_peers: bool = True
    """Whether to train reasoners that see the whole episode (causal transformer) or carry a state (gru), too."""
    capacity: int = 80
    """Tokens that a tape or a stack has room for, or entries of a retriever; a buffer has room for 4 tokens."""
    query_signs: int = 4
    """Signs of a retriever's queries, which are 2 to that power: 4 tell all symbols apart, 6 all tokens."""
    patience: int = 2
    """Memory operations in a row for which the task waits."""

    read_iterations: int = 40
    """Rollouts in which the prompt is in the memory already, so that looking things up is learnt first. 0 leaves this
    stage out; reasoners without a memory have none."""
    iterations: int = 100
    """All rollouts, each learnt from at once. The learning rate falls along them. With as many `read_iterations` the
    prompt is in the memory in the measurement, too, and nothing is ever written."""
    num_places: int = 64
    """Episodes played side by side, for each seed."""
    num_steps: int = 48
    """Steps of a rollout: enough for the longest training episode with its memory operations. Reasoners without a
    memory play half as many, which are about as many episodes."""
    promotion: float = 0.9
    """Success rate at which a stage is mastered."""
    save_every: int = 50
    """Iterations between checkpoints."""
    num_exam: int = 200
    """Instances of each level, for each seed, that the last measurement asks for."""
    width: int = 64
    """Features of the networks' layers."""
    learn: PolicyGradientConfig = PolicyGradientConfig(learning_rate=3e-3, num_minibatches=2, entropy_weight=0.05)

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "num_seeds", "capacity", "iterations", "num_places", "num_steps", "save_every", "num_exam")
        at_least(0, self, "patience", "read_iterations", "at_once")
        if not 1 <= self.query_signs <= MAX_DIMENSION:
            raise SettingError(f"query_signs must be from 1 to {MAX_DIMENSION}, got {self.query_signs}")
        known = [task.name for task in every_task()]
        for name in self.tasks:
            if name not in known:
                raise SettingError(f"unknown task {name!r}; choose from {', '.join(known)}")
        for window in self.windows:
            if window < 1:
                raise SettingError(f"windows must be at least 1, got {window}")

    @property
    def only_reads(self) -> bool:
        """Whether nothing has to be written."""
        return self.read_iterations >= self.iterations


PRESETS = {
    "demo": Config(name="demo", num_exam=50, iterations=60, read_iterations=24, width=32),
    "retriever": Config(
        name="retriever",
        tasks=("associative_recall",),
        memories=("none", "retriever"),
        with_peers=False,
        read_iterations=300,
        iterations=300,
        promotion=0.85,
        num_exam=50,
        learn=PolicyGradientConfig(learning_rate=3e-3, num_minibatches=2, entropy_weight=0.02),
    ),
    "grid": Config(name="grid", windows=(1, 2, 4), memories=get_args(MemoryKind)),
    "tiny": Config(
        name="tiny",
        tasks=("copy",),
        num_seeds=2,
        read_iterations=2,
        iterations=4,
        num_places=8,
        save_every=2,
        num_exam=4,
        width=16,
    ),
}


@dataclasses.dataclass(frozen=True)
class Reasoner:
    """A network and what it sees."""

    kind: Literal["mlp", "window", "causal", "gru"]
    window: int = 1
    memory: MemoryKind = "none"

    @property
    def name(self) -> str:
        if self.kind in ("causal", "gru"):
            return {"causal": "whole episode (transformer)", "gru": "recurrent (gru)"}[self.kind]
        return f"window {self.window}" + ("" if self.memory == "none" else f" + {self.memory}")


class Steps(NamedTuple):
    """The functions of a reasoner on a task, compiled; all seeds at once."""

    begin: Any  # keys → Pupil
    restart: Any  # Pupil → the same at the first level
    deal: Any  # Pupil, keys → rows
    read: Any  # Pupil, rows, keys → Pupil, scalars: with the prompt in the memory
    learn: Any  # Pupil, rows, keys → Pupil, scalars
    write: Any  # level, keys → rows for an exam
    examine: Any  # weights, rows → bool [seeds, num_exam]
    follow: Any  # weights, rows → share of those who answer from an exchanged memory [seeds]


def main(config: Config) -> None:
    """Every reasoner on every task, then the table."""
    devices.use_small_products()
    devices.use_compilation_cache()
    tasks = [next(task for task in every_task() if task.name == name) for name in config.tasks]
    with catch_signals() as stop:
        jobs = [
            functools.partial(train_and_examine, config, task, reasoner, stop)
            for task, reasoner in itertools.product(tasks, reasoners(config))
        ]
        results = together.do(jobs, config.at_once or together.fitting(), stop, lambda result: print(line(result)))
    if results is None:
        print(f"stopped by {stop.signal}; to go on: the same command with --resume")
    else:
        report(config, results)


def reasoners(config: Config) -> list[Reasoner]:
    """Small windows with each memory, and the peers that need none."""
    small = [
        Reasoner("mlp" if window == 1 else "window", window, memory)
        for window, memory in itertools.product(config.windows, config.memories)
    ]
    return small + ([Reasoner("causal"), Reasoner("gru")] if config.with_peers else [])


def train_and_examine(config: Config, task: Stream, reasoner: Reasoner, stop: Stop) -> dict[str, Any] | None:
    """Trains in a run directory of its own; a run that has its result already is not trained again."""
    directory = RUNS / config.name / f"{task.name}-{reasoner.name}".replace(" ", "_")
    with open_run(config, directory, task, reasoner) as run:
        if (directory / "result.json").exists():
            return json.loads((directory / "result.json").read_text())
        started = time.monotonic()
        steps = compile_steps(config, task, reasoner)
        trained = learn_stage_by_stage(config, steps, run, f"{task.name}, {reasoner.name}", stop)
        if trained is None:
            return None
        pupil = trained.everything
        solved = examine(config, task, steps, pupil.train.params)
        result = {
            "task": task.name,
            "reasoner": reasoner.name,
            "levels": [task.levels.name(level) for level in range(task.levels.num_levels)],
            "num_train": task.levels.num_train,
            "solved": solved.mean(axis=2).tolist(),  # [level, seed]
            "num_exam": config.num_exam,
            "follows": follows(config, task, steps, pupil.train.params),
            "steps": config.iterations * config.num_places * num_steps(config, reasoner),
            "frontier": np.asarray(pupil.lessons.frontier)[:, 0].tolist(),
            "train_seconds": trained.seconds,
            "seconds": time.monotonic() - started,
        }
        json_file.replace(directory / "result.json", json_file.dumps(result, indent=2) + "\n")
        return result


def learn_stage_by_stage(config: Config, steps: Steps, run: Run, title: str, stop: Stop) -> loop.Trained[Pupil] | None:
    """Algorithm 1: at every stage act, look things up in the memory, be rewarded, improve; go on when it is mastered.

    First the prompt is in the memory already, and only reading it is learnt; then it has to be written, too. In both a
    stage is a level of the task, which needs about as many operations as its prompt is long. `Staircase` is the stage
    of each seed: one level up when `promotion` of its last episodes were solved, with a fifth of the episodes from
    stages before. All seeds learn at once, each at its own stage.
    """
    num_read = config.read_iterations if steps.read else 0

    def improve(pupil: Pupil, i: int):
        if i == num_read:
            pupil = steps.restart(pupil)
        keys = keys_of(config, i + 1)
        return (steps.read if i < num_read else steps.learn)(pupil, steps.deal(pupil, keys), keys)

    begin = steps.begin(keys_of(config, 0))
    brief = ("success", "stage", "entropy")
    return loop.go_on(run, begin, improve, config.iterations, stop, title, brief, config.save_every)


def compile_steps(config: Config, task: Stream, reasoner: Reasoner) -> Steps:
    """Jitted, and mapped over seeds.

    Instances are written by programs of their own: the others do not know the task, and one found in the compilation
    cache serves the next task, too.
    """
    course = Course(task, Staircase(task.levels.num_train, up=config.promotion, window=64), 8 * config.num_places)
    world, has_memory = functools.partial(make_world, config, reasoner), reasoner.memory != "none"
    asked_of = functools.partial(world, is_preloaded=config.only_reads and has_memory)
    shapes = world(jax.eval_shape(lambda: pool.write(task, jax.random.key(0), jnp.zeros(1, jnp.int32))))
    policy = policies.make(TokenConfig(shapes.num_tokens, shapes.num_actions, reasoner.kind, config.width))
    updates = config.iterations * config.learn.num_epochs * config.learn.num_minibatches
    optimizer = policy_gradient.make_optimizer(config.learn, updates)

    def begin(key: jax.Array) -> Pupil:
        return Pupil(learner.init(optimizer, policy.init(key, shapes.observation_shape[0])), course.init())

    def deal(pupil: Pupil, key: jax.Array) -> Pool | ActPool:
        deal_key, _, _ = jax.random.split(key, 3)  # the others are `learn`'s
        rows = course.deal(pupil.lessons, deal_key)
        return cues.plant(rows, jax.random.fold_in(deal_key, 1)) if config.with_cue and isinstance(rows, Pool) else rows

    def learn(
        pupil: Pupil, rows: Pool, key: jax.Array, is_preloaded: bool = False
    ) -> tuple[Pupil, dict[str, jax.Array]]:
        _, play_key, learn_key = jax.random.split(key, 3)
        size, env = (
            (config.num_places, num_steps(config, reasoner)),
            functools.partial(world, is_preloaded=is_preloaded),
        )
        chance = play_key, learn_key
        pupil, scalars = practice.on_rows(config.learn, policy, optimizer, course, rows, *size, pupil, *chance, env)
        scalars["stage"] = pupil.lessons.frontier[0].astype(jnp.float32)
        return pupil, scalars

    def write(level: jax.Array, key: jax.Array) -> Pool:
        write_key, cue_key = jax.random.split(key)
        rows = pool.write(task, write_key, jnp.full(config.num_exam, level))
        return cues.plant(rows, cue_key, share_true=0.0) if config.with_cue else rows

    def examine(weights: Any, rows: Pool) -> jax.Array:
        env = asked_of(rows)
        episodes = jax.vmap(env.at)(jnp.arange(config.num_exam))
        return jax.vmap(env.is_solved)(exam.take(env, policy, weights, episodes, exam_steps(task, reasoner)))

    def follow(weights: Any, rows: Pool) -> jax.Array:
        """Once all have read their prompts, each is given the memory of another; does it answer the other's prompt?"""
        env = asked_of(rows)
        num_read = task.max_steps // 2  # no prompt is longer; what waits for its answer is left as it is
        episodes = read_prompts(env, policy, weights, jax.vmap(env.at)(jnp.arange(config.num_exam)), num_read)
        donors = next_fitting(env, episodes)
        episodes, is_changed = exchange_memories(env, episodes, donors)
        is_changed &= donors != jnp.arange(config.num_exam)  # where no other fits it keeps its own
        end = exam.take(env, policy, weights, episodes, exam_steps(task, reasoner))
        is_right = jax.vmap(env.is_solved)(end) & is_changed
        return jnp.sum(is_right) / jnp.maximum(jnp.sum(is_changed), 1)

    def on_seeds(function: Any, in_axes: Any = 0) -> Any:
        return jax.jit(jax.vmap(function, in_axes), compiler_options=devices.compile_soon())

    return Steps(
        begin=on_seeds(begin),
        restart=on_seeds(lambda pupil: pupil._replace(lessons=course.init())),
        deal=on_seeds(deal),
        read=on_seeds(functools.partial(learn, is_preloaded=True)) if has_memory else None,
        learn=on_seeds(learn),
        write=on_seeds(write, in_axes=(None, 0)),
        examine=on_seeds(examine),
        follow=on_seeds(follow) if has_memory else None,
    )


def read_prompts(env: SmallWindow, policy: Policy, weights: Any, episodes: Any, num_steps: int) -> Any:
    """The episodes as their answers become due; each stops there."""

    def step(episodes: Any, _: None):
        is_reading = jax.vmap(lambda episode: env.rows.legal_actions(episode.inner)[Token.PAD])(episodes)
        after = exam.take(env, policy, weights, episodes, 1)
        keep = is_reading & (episodes.discount != 0)
        return jax.tree.map(
            lambda new, old: jnp.where(keep.reshape(-1, *[1] * (new.ndim - 1)), new, old), after, episodes
        ), None

    return jax.lax.scan(step, episodes, None, length=num_steps)[0]


def make_world(config: Config, reasoner: Reasoner, rows: Pool, is_preloaded: bool = False) -> SmallWindow:
    """What the reasoner sees of the task."""
    memory: dict[MemoryKind, Memory | None] = {
        "none": None,
        "tape": Tape(config.capacity),
        "stack": Stack(config.capacity),
        "buffer": PushBuffer(),
        "key_value": KeyValue(),
        "retriever": Retriever(config.capacity, dimension=config.query_signs),
    }
    return SmallWindow(rows, memory[reasoner.memory], reasoner.window, config.patience, is_preloaded)


def num_steps(config: Config, reasoner: Reasoner) -> int:
    """Of a rollout."""
    return config.num_steps // 2 if reasoner.memory == "none" else config.num_steps


def exam_steps(task: Stream, reasoner: Reasoner) -> int:
    """Enough for two memory operations before each token of the answer."""
    return task.max_steps if reasoner.memory == "none" else 2 * task.max_steps + 8


def examine(config: Config, task: Stream, steps: Steps, weights: Any) -> np.ndarray:
    """Which instances are solved by the most likely actions: bool `[level, seed, instance]`."""
    keys = keys_of(config, -1)
    levels = range(task.levels.num_levels)
    return np.stack([np.asarray(steps.examine(weights, steps.write(level, keys))) for level in levels])


def follows(config: Config, task: Stream, steps: Steps, weights: Any) -> list[float] | None:
    """How often each seed answers from an exchanged memory, at the hardest training level."""
    if steps.follow is None:
        return None
    rows = steps.write(task.levels.num_train - 1, keys_of(config, -1))
    return np.asarray(steps.follow(weights, rows)).tolist()


def keys_of(config: Config, i: int) -> jax.Array:
    return arms.seed_keys(config.seed, config.num_seeds, i + 1)


def open_run(config: Config, directory: Path, task: Stream, reasoner: Reasoner) -> Run:
    """The directory of one training, for this process alone. Raises RunError where it holds another run."""
    settings = dataclasses.asdict(config) | {"task": task.name, "reasoner": dataclasses.asdict(reasoner)}
    for which in ("resume", "at_once", "tasks", "windows", "memories", "with_peers"):  # of the whole, not of this part
        del settings[which]
    versions = {"jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    resume = config.resume and (directory / "config.json").exists()
    return checkpoint.open_run(directory, settings, versions, resume=resume, may_differ=("save_every",))


def line(result: dict[str, Any]) -> str:
    """One result in a line: training levels together, then each level beyond, as the mean and the worst seed."""
    solved = np.array(result["solved"])
    num_train = result["num_train"]
    cells = [f"trained on {success.over_seeds(solved[:num_train].mean(axis=0), result['num_exam'] * num_train)}"]
    cells += [
        f"{name} {success.over_seeds(rates, result['num_exam'])}"
        for name, rates in zip(result["levels"][num_train:], solved[num_train:], strict=True)
    ]
    if result["follows"]:
        cells.append(f"answers from an exchanged memory {success.over_seeds(result['follows'], result['num_exam'])}")
    return f"{result['task']}, {result['reasoner']} ({result['seconds']:.0f} s): " + "; ".join(cells)


def report(config: Config, results: list[dict[str, Any]]) -> None:
    """The table, for people and as JSON, and a figure if matplotlib is there."""
    directory = RUNS / config.name
    json_file.replace(directory / "results.json", json_file.dumps(results, indent=2) + "\n")
    rows = ["| task | reasoner | steps a seed | seconds | training levels | " + " | ".join(beyond(results[0])) + " |"]
    rows.append("|---" * (5 + len(beyond(results[0]))) + "|")
    for result in results:
        solved, num_train = np.array(result["solved"]), result["num_train"]
        cells = [str(success.over_seeds(solved[:num_train].mean(axis=0), result["num_exam"] * num_train))]
        cells += [str(success.over_seeds(rates, result["num_exam"])) for rates in solved[num_train:]]
        start = f"| {result['task']} | {result['reasoner']} | {result['steps']:,} | {result['seconds']:.0f} | "
        rows.append(start + " | ".join(cells) + " |")
    json_file.replace(directory / "table.md", "\n".join(rows) + "\n")
    draw(directory / "figure.png", results)
    print(f"success over {config.num_seeds} seeds and {config.num_exam} instances a level and seed")
    print(f"saved in {directory}: table.md, results.json, figure.png")


def beyond(result: dict[str, Any]) -> list[str]:
    return result["levels"][result["num_train"] :]


def draw(path: Path, results: list[dict[str, Any]]) -> None:
    """Success by level: a panel for each task, a line for each reasoner, a band from the worst seed to the best."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        return
    tasks = list(dict.fromkeys(result["task"] for result in results))
    figure, panels = plt.subplots(1, len(tasks), figsize=(6 * len(tasks), 4), squeeze=False, sharey=True)
    for panel, task in zip(panels[0], tasks, strict=True):
        for result in (result for result in results if result["task"] == task):
            solved = np.array(result["solved"])
            panel.plot(solved.mean(axis=1), marker=".", label=result["reasoner"])
            panel.fill_between(range(len(solved)), solved.min(axis=1), solved.max(axis=1), alpha=0.2)
            panel.set_xticks(range(len(solved)), result["levels"], rotation=60, ha="right")
            panel.axvline(result["num_train"] - 0.5, color="grey", linestyle=":")
        panel.set_title(task)
    panels[0][0].set_ylabel("solved")
    panels[0][0].legend(fontsize="small")
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    try:
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, default="demo"))
    except (SettingError, RunError, FloatingPointError) as error:
        sys.exit(f"external_memory.py: {error}")
