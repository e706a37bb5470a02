"""Reasoners that learn synthetic tasks from reward, from demonstrations, or from both, and what they can do afterwards.

    python experiments/synthetic_tasks.py --preset=solve
    python experiments/synthetic_tasks.py --tasks copy reverse+odds_first --arms rpt spt-answer --schedules learnability

Every training is one task (or a mixture, joined by +), one arm and one schedule, with several seeds side by side; all
arms of a task have one network, one vocabulary, one stream of instances and as many tokens to learn from. Then each is
asked for instances it never met: of the levels it was trained on, and beyond them.

Arms:
  rpt         reward from scratch                   rpt-pad    the same, with room to write before the answer
  spt-answer  likelihood of right answers           spt-trace  likelihood of every step to the answer, then the answer
  spt-noisy   of steps with wrong tokens in them
  rft         spt-answer for half of the tokens, then reward, held near by a divergence of each weight in --kl-weights
  rft-trace   the same after spt-trace, with room to write
  search      reward from scratch by Gumbel search, for tasks that are acted in
  random      says anything legal, learns nothing: the floor

Presets (every setting can be changed by its flag):
  solve      tasks from scratch by reward until they are solved
  schedules  staircase, hardest level only and all levels alike, five seeds each
  arms       all arms on tasks that have traces, five seeds each
  search     three tasks by search
  tiny       seconds, for tests
"""

import dataclasses
import functools
import itertools
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import act_pool, demonstrations, floor, pool, split, traces
from curricula.act import Act
from curricula.act_pool import ActPool
from curricula.course import Course, Mixture
from curricula.pool import Pool
from curricula.schedules.advantage_bandit import AdvantageBandit
from curricula.schedules.fixed import only, uniform
from curricula.schedules.learnability import Learnability
from curricula.schedules.learning_progress import LearningProgress
from curricula.schedules.schedule import Schedule
from curricula.schedules.staircase import Staircase
from curricula.scratchpad import Scratchpad
from curricula.stream import Script, Stream
from curricula.tasks import every_act, every_task
from curricula.vocabulary import FIRST_SYMBOL, NUM_TOKENS, Token
from rl_pretrain import (
    checkpoint,
    command_line,
    devices,
    exam,
    json_file,
    learner,
    ledger,
    loop,
    policy_gradient,
    practice,
    success,
    supervised,
)
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.devices import AXIS
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.learner import LearnConfig, TrainState
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import Kind, TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.practice import Pupil
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError, at_least
from rl_pretrain.supervised import Demonstration, SupervisedConfig

RUNS = Path("runs/synthetic_tasks")
ArmName = Literal["rpt", "rpt-pad", "spt-answer", "spt-trace", "spt-noisy", "rft", "rft-trace", "search", "random"]
ScheduleName = Literal["staircase", "uniform", "hardest", "learnability", "progress", "advantage"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/synthetic_tasks/<name>. Default: the preset's name."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """The first of the seeds."""
    num_seeds: int = 5
    """Reasoners trained side by side, each from its own weights and on its own instances."""
    devices: int = 1
    """Devices that share the episodes and the demonstrations of every reasoner, gradients averaged over them."""

    tasks: tuple[str, ...] = ("copy", "reverse")
    """Names of tasks, see curricula/README.md; names joined by + are learnt together."""
    arms: tuple[ArmName, ...] = ("rpt",)
    schedules: tuple[ScheduleName, ...] = ("staircase",)
    """Which training levels come when, for learning from reward. Demonstrations are of all levels alike."""
    kl_weights: tuple[float, ...] = (0.0, 0.01, 0.1, 0.5)
    """Of the arms that begin as spt and go on by reward."""

    kind: Kind | Literal["auto"] = "auto"
    """Of the network; auto sees the whole episode of tasks that are read, and the present of those acted in."""
    width: int = 64
    """Features of its layers."""
    num_layers: int = 2
    iterations: int = 300
    """Rollouts, or as many tokens of demonstrations; of rft half and half."""
    num_places: int = 128
    """Episodes side by side, for each seed."""
    group: int = 1
    """Tries of each instance; more than one for the baseline `group`."""
    num_steps: int = 0
    """Steps of a rollout; 0 for twice the longest training episode."""
    stop_when_solved: bool = False
    """End a training when every seed solves 95 % at every training level, asked at every checkpoint."""
    save_every: int = 50
    """Iterations between checkpoints."""
    num_examples: int = 512
    """Demonstrations of each training level."""
    noise: float = 0.1
    """Share of wrong tokens in the demonstrations of spt-noisy."""
    num_exam: int = 100
    """Instances of each level, for each seed, that the last measurement asks for."""
    max_exam_steps: int = 512
    """Levels beyond those trained on are not asked for where episodes may be longer."""
    learn: PolicyGradientConfig = PolicyGradientConfig(num_minibatches=2)
    imitate: SupervisedConfig = SupervisedConfig(learning_rate=2e-3)
    """Its batch size is not used: it is such that an iteration has as many tokens as one of learning from reward."""
    search: SearchConfig = SearchConfig(num_simulations=16)
    learn_from_search: LearnConfig = LearnConfig(batch_size=512, num_warmup_updates=20, average_decay=0.9)

    def __post_init__(self):
        at_least(1, self, "num_seeds", "devices", "width", "num_layers", "iterations", "num_places", "save_every")
        at_least(1, self, "num_examples", "num_exam", "max_exam_steps", "group")
        at_least(0, self, "num_steps", "noise")
        if not self.tasks or not self.arms or not self.schedules:
            raise SettingError("tasks, arms and schedules must name at least one each")
        if self.num_places % self.devices:
            raise SettingError(f"num_places must be a multiple of the {self.devices} devices, got {self.num_places}")
        for weight in self.kl_weights:
            if weight < 0:
                raise SettingError(f"kl_weights must be at least 0, got {weight}")
        for names, arm in itertools.product(self.tasks, self.arms):
            check_fit(names, [find_task(name) for name in names.split("+")], arm)


def find_task(name: str) -> Stream | Act:
    """The task of a name. Raises SettingError where there is none."""
    known = {task.name: task for task in (*every_task(), *every_act())}
    if name not in known:
        raise SettingError(f"unknown task {name!r}; choose from {', '.join(known)}")
    return known[name]


def check_fit(names: str, tasks: list[Stream | Act], arm: ArmName) -> None:
    """Raises SettingError for an arm that cannot learn these tasks."""
    is_read = [isinstance(task, Stream) for task in tasks]
    if len(tasks) > 1 and not all(is_read):
        raise SettingError(f"tasks that are acted in cannot be mixed, got {names}")
    if arm == "search" and any(is_read):
        raise SettingError(f"search needs a task that is acted in, got {names}")
    if arm.startswith(("spt", "rft", "rpt-pad")) and not all(is_read):
        raise SettingError(f"{arm} needs a task that is read, got {names}")
    if arm in ("rpt-pad", "spt-trace", "spt-noisy", "rft-trace"):
        for task in tasks:
            if task.name not in traces.TRACES or traces.TRACES[task.name].steps is None:
                raise SettingError(f"{arm} needs a task with steps before its answer, got {task.name}")


SOLVED = ("tape_copy", "tape_reverse", "emit_counter", "swap_sort")
PRESETS = {
    "solve": Config(name="solve", tasks=SOLVED, num_seeds=1, stop_when_solved=True),
    "schedules": Config(name="schedules", schedules=("staircase", "hardest", "uniform")),
    "arms": Config(
        name="arms",
        tasks=("addition", "sort", "finite_automaton", "group_word"),
        arms=("random", "rpt", "spt-answer", "spt-trace", "spt-noisy", "rft", "rft-trace"),
    ),
    "search": Config(name="search", tasks=("emit_counter", "swap_sort", "countdown"), arms=("search", "rpt")),
    "tiny": Config(
        name="tiny",
        arms=("rpt", "spt-answer"),
        tasks=("copy",),
        num_seeds=2,
        width=16,
        num_layers=1,
        iterations=4,
        num_places=8,
        save_every=2,
        num_examples=8,
        num_exam=4,
    ),
}


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way of learning."""

    name: str
    variant: Literal["answer", "trace"] | None = None
    """Of the demonstrations that it learns from first."""
    noise: float = 0.0
    then: Literal["reward", "search"] | None = None
    """What it learns from after them."""
    has_pad: bool = False
    """Whether it may write before it answers."""
    kl_weight: float = 0.0


def arms_of(config: Config) -> list[Arm]:
    """The arms, rft once for each weight."""
    plain = {
        "rpt": Arm("rpt", then="reward"),
        "rpt-pad": Arm("rpt-pad", then="reward", has_pad=True),
        "spt-answer": Arm("spt-answer", "answer"),
        "spt-trace": Arm("spt-trace", "trace", has_pad=True),
        "spt-noisy": Arm("spt-noisy", "trace", config.noise, has_pad=True),
        "search": Arm("search", then="search"),
        "random": Arm("random"),
    }
    tuned = {
        "rft": [Arm(f"rft-kl-{kl:g}", "answer", then="reward", kl_weight=kl) for kl in config.kl_weights],
        "rft-trace": [
            Arm(f"rft-trace-kl-{kl:g}", "trace", then="reward", has_pad=True, kl_weight=kl) for kl in config.kl_weights
        ],
    }
    return [arm for name in config.arms for arm in tuned.get(name, [plain[name]] if name in plain else [])]


class Everything(NamedTuple):
    """All that training goes on from; what a checkpoint holds. Arrays are `[seeds, ...]`."""

    imitator: TrainState  # what learns from demonstrations
    pupil: Pupil  # what learns from reward
    reference: Any  # weights to stay near to: those at the end of imitation


class Steps(NamedTuple):
    """The functions of a training, compiled; all seeds at once, on all devices."""

    begin: Any  # keys → Everything
    imitate: Any  # Everything, demonstrations, keys → Everything, scalars
    part: Any  # Everything → the same, with imitation behind it
    practise: Any  # Everything, keys → Everything, scalars
    examine: Any  # weights, level, keys, num_steps → bool [seeds, num_exam]


def main(config: Config) -> None:
    """Every task, arm and schedule, then the table."""
    devices.use(config.devices)
    devices.use_small_products()
    devices.use_compilation_cache()
    results = []
    with catch_signals() as stop:
        for lesson in lessons_of(config):
            result = train_and_examine(config, lesson, stop)
            if result is None:
                print(f"stopped by {stop.signal}; to go on: the same command with --resume")
                return
            results.append(result)
            print(line(result, config.num_exam), flush=True)
    report(config, results)


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What one training is about."""

    tasks: tuple[Stream | Act, ...]
    arm: Arm
    schedule: ScheduleName

    @property
    def name(self) -> str:
        schedule = f"-{self.schedule}" if self.arm.then else ""
        return f"{self.task_name}-{self.arm.name}{schedule}"

    @property
    def task_name(self) -> str:
        return "+".join(task.name for task in self.tasks)


def lessons_of(config: Config) -> list[Lesson]:
    """All that is to be trained. The schedule makes no difference to arms without reward: they come once."""
    lessons = [
        Lesson(tuple(find_task(name) for name in names.split("+")), arm, schedule)
        for names, arm, schedule in itertools.product(config.tasks, arms_of(config), config.schedules)
    ]
    return [lesson for lesson in lessons if lesson.arm.then or lesson.schedule == config.schedules[0]]


class Size(NamedTuple):
    """What episodes of a level need room for."""

    script: int  # steps without the pad
    pad: int  # tokens on the pad


def train_and_examine(config: Config, lesson: Lesson, stop: Stop) -> dict[str, Any] | None:
    """Trains in a run directory of its own; a run that has its result already is not trained again."""
    with open_run(config, lesson) as run:
        if (run.directory / "result.json").exists():
            return json.loads((run.directory / "result.json").read_text())
        plan = make_plan(config, lesson)
        steps = compile_steps(config, lesson, plan)
        shown = read_demonstrations(config, lesson) if lesson.arm.variant else None

        def improve(everything: Everything, i: int):
            if i < plan.num_imitate:
                return steps.imitate(everything, shown, keys_of(config, i + 1))
            if lesson.arm.variant and i == plan.num_imitate:
                everything = steps.part(everything)
            return steps.practise(everything, keys_of(config, i + 1))

        trained = loop.go_on(
            run,
            steps.begin(keys_of(config, 0)),
            improve,
            plan.num_imitate + plan.num_practise,
            stop,
            title=lesson.name,
            brief=("success", "entropy", "accuracy", "cross_entropy"),
            save_every=config.save_every,
            is_enough=lambda everything: config.stop_when_solved and is_solved(config, lesson, plan, steps, everything),
        )
        if trained is None:
            return None
        result = describe(config, lesson, plan, steps, shown, trained) | measure(
            config, lesson, plan, steps, trained.everything
        )
        json_file.replace(run.directory / "result.json", json_file.dumps(result, indent=2) + "\n")
        return result


class Plan(NamedTuple):
    """How much of what a training does; numbers are of one seed and all devices."""

    sizes: dict[str, list[Size]]  # of each task, level by level
    num_imitate: int  # iterations
    num_practise: int
    num_steps: int  # of a rollout
    batch_size: int  # demonstrations of an update
    num_updates: int  # in an iteration of imitation
    tokens: int  # learnt from in an iteration, counted as often as they are gone through


def make_plan(config: Config, lesson: Lesson) -> Plan:
    """Iterations of both kinds learn from as many tokens, those of prompts and padding included."""
    sizes = {task.name: sizes_of(task, lesson.arm) for task in lesson.tasks}
    is_mixed = len(lesson.tasks) > 1
    longest = is_mixed + max(
        sum(sizes[task.name][level]) for task in lesson.tasks for level in range(task.levels.num_train)
    )
    num_steps = config.num_steps or 2 * longest
    tokens = config.num_places * num_steps * config.learn.num_epochs
    num_updates = config.learn.num_epochs * config.learn.num_minibatches
    batch_size = max(1, round(tokens / (num_updates * longest)))
    num_imitate = (config.iterations // 2 if lesson.arm.then else config.iterations) if lesson.arm.variant else 0
    num_practise = config.iterations - num_imitate if lesson.arm.then else 0
    return Plan(sizes, num_imitate, num_practise, num_steps, batch_size, num_updates, tokens)


def compile_steps(config: Config, lesson: Lesson, plan: Plan) -> Steps:
    """Jitted, mapped over seeds, and on several devices in parallel."""
    axis = AXIS if config.devices > 1 else None
    policy, num_seen = make_policy(config, lesson)
    teacher = make_teacher(config, lesson)
    imitate_config = dataclasses.replace(config.imitate, batch_size=max(1, plan.batch_size // config.devices))
    imitate_optimizer = supervised.make_optimizer(imitate_config, plan.num_imitate * plan.num_updates)
    places = config.num_places // config.devices
    learn_config = dataclasses.replace(config.learn, kl_weight=lesson.arm.kl_weight)
    search_config = dataclasses.replace(
        config.learn_from_search, batch_size=config.learn_from_search.batch_size // config.devices
    )
    if lesson.arm.then == "search":
        updates = practice.updates_by_search(search_config, places * plan.num_steps)
        optimizer = learner.make_optimizer(search_config, plan.num_practise * updates)
    else:
        optimizer = policy_gradient.make_optimizer(learn_config, plan.num_practise * plan.num_updates)

    def begin(key: jax.Array) -> Everything:
        weights = policy.init(key, num_seen)
        if lesson.arm.name == "random":
            weights = jax.tree.map(jnp.zeros_like, weights)  # all that is legal is equally likely
        pupil = Pupil(learner.init(optimizer, weights), teacher.init())
        return Everything(learner.init(imitate_optimizer, weights), pupil, weights if lesson.arm.kl_weight else ())

    def imitate(everything: Everything, shown: Demonstration, key: jax.Array):
        imitator, scalars = supervised.learn(
            imitate_config, policy, imitate_optimizer, everything.imitator, shown, plan.num_updates, key, axis
        )
        return everything._replace(imitator=imitator), scalars

    def part(everything: Everything) -> Everything:
        weights = everything.imitator.params
        pupil = everything.pupil._replace(train=learner.init(optimizer, weights))
        return everything._replace(pupil=pupil, reference=weights if lesson.arm.kl_weight else ())

    def practise(everything: Everything, key: jax.Array):
        common = (policy, optimizer, teacher, places, plan.num_steps, everything.pupil, key)
        if lesson.arm.then == "search":
            pupil, scalars = practice.by_search(config.search, search_config, *common, axis)
        else:
            world = functools.partial(make_world, lesson, room=plan.num_steps // 2)
            reference = everything.reference if lesson.arm.kl_weight else None
            pupil, scalars = practice.by_reward(learn_config, *common, world, reference, config.group, axis)
        return everything._replace(pupil=pupil), scalars

    def examine(task: int, num_steps: int, weights: Any, level: jax.Array, key: jax.Array) -> jax.Array:
        write_key, chance_key = jax.random.split(key)
        levels = jnp.full(config.num_exam, level)
        rows = write_rows(lesson, task, write_key, levels)
        env = make_world(lesson, rows, room=num_steps)
        episodes = jax.vmap(env.at)(jnp.arange(config.num_exam))
        chance = chance_key if lesson.arm.name == "random" else None
        return jax.vmap(env.is_solved)(exam.take(env, policy, weights, episodes, num_steps, chance))

    def on_devices(function: Any, in_axes: Any = 0) -> Any:
        """Of all seeds; what goes in and comes out is the same on every device."""
        mapped = jax.vmap(function, in_axes)
        if axis is None:
            return jax.jit(mapped)
        return jax.pmap(mapped, axis, in_axes=None, out_axes=None, devices=jax.devices()[: config.devices])

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def examine_seeds(task: int, num_steps: int, weights: Any, level: jax.Array, keys: jax.Array) -> jax.Array:
        return jax.vmap(functools.partial(examine, task, num_steps), (0, None, 0))(weights, level, keys)

    return Steps(
        begin=jax.jit(jax.vmap(begin)),
        imitate=on_devices(imitate, in_axes=(0, None, 0)),
        part=jax.jit(jax.vmap(part)),
        practise=on_devices(practise),
        examine=examine_seeds,
    )


def make_policy(config: Config, lesson: Lesson) -> tuple[Policy, int]:
    """The network, and how many tokens it sees at a time."""
    is_read = isinstance(lesson.tasks[0], Stream)
    kind = ("causal" if is_read else "mlp") if config.kind == "auto" else config.kind
    if lesson.arm.then == "search" and kind not in ("mlp", "window"):
        raise SettingError(f"search needs a network that sees the present only, mlp or window, got {kind}")
    network = TokenConfig(NUM_TOKENS, NUM_TOKENS, kind, config.width, config.num_layers)
    return policies.make(network), lesson.tasks[0].observation_shape[0]


def make_teacher(config: Config, lesson: Lesson) -> Course | Mixture:
    """A course for each task, on this device."""
    num_rows = 4 * config.num_places // config.devices // len(lesson.tasks)
    num_rows = max(1, num_rows // config.group) * config.group
    courses = tuple(
        Course(task, make_schedule(lesson.schedule, task.levels.num_train), num_rows, config.group, split_of(task))
        for task in lesson.tasks
    )
    return courses[0] if len(courses) == 1 else Mixture(courses)


def make_schedule(name: ScheduleName, num_levels: int) -> Schedule:
    """Of a task with so many training levels."""
    return {
        "staircase": lambda: Staircase(num_levels, up=0.9, window=64),
        "uniform": lambda: uniform(num_levels),
        "hardest": lambda: only(num_levels - 1, num_levels),
        "learnability": lambda: Learnability(num_levels),
        "progress": lambda: LearningProgress(num_levels),
        "advantage": lambda: AdvantageBandit(num_levels),
    }[name]()


@functools.cache
def split_of(task: Stream | Act) -> Literal["train"] | None:
    """Instances to train on. Of a task that has too few to keep some for testing there is no split."""
    try:
        split.check(task)
    except ValueError:
        return None
    return "train"


def write_rows(lesson: Lesson, task: int, key: jax.Array, levels: jax.Array) -> Pool | ActPool:
    """Instances to test on."""
    which, of = lesson.tasks[task], "test" if split_of(lesson.tasks[task]) else None
    if isinstance(which, Act):
        return act_pool.write(which, key, levels, of)
    rows = pool.write(which, key, levels, of)
    return pool.announce(rows, FIRST_SYMBOL + task) if len(lesson.tasks) > 1 else rows


def make_world(lesson: Lesson, rows: Any, room: int) -> Any:
    """What the reasoner sees: the rows, with a pad of so much room before the answer or without."""
    if not lesson.arm.has_pad:
        return rows
    says = {token for task in lesson.tasks if isinstance(task, Stream) for token in traces.says(task)}
    return Scratchpad(rows, tuple(sorted(says)), room)


def sizes_of(task: Stream | Act, arm: Arm) -> list[Size]:
    """Of the longest of some instances of each level."""
    levels, keys = jnp.arange(task.levels.num_levels), jax.random.split(jax.random.key(0), 64)
    instances = jax.jit(jax.vmap(jax.vmap(task.sample, (0, None)), (None, 0)))(keys, levels)
    if isinstance(task, Act):
        limits = jax.vmap(jax.vmap(task.rules.limit))(instances.puzzle)
        return [Size(int(longest), 0) for longest in jnp.max(limits, axis=1)]
    script = jax.device_get(instances.script)
    pads = [longest_trace(task, Script(*row)) if arm.has_pad else 0 for row in zip(*script, strict=True)]
    return [Size(int(longest), pad) for longest, pad in zip(script.length.max(axis=1), pads, strict=True)]


def longest_trace(task: Stream, scripts: Script) -> int:
    """Tokens before the answer in the longest of some traces."""
    rows = zip(*scripts, strict=True)
    return max(len(traces.write(task, shown[:length], asked[:length])[0]) - length for shown, asked, length in rows)


def read_demonstrations(config: Config, lesson: Lesson) -> Demonstration:
    """Of all tasks and levels alike, from files beside the runs that are written when they are first needed."""
    arrays = []
    for i, task in enumerate(lesson.tasks):
        assert isinstance(task, Stream) and lesson.arm.variant  # as check_fit saw to
        settings = demonstrations.Settings(task, variant=lesson.arm.variant, noise=lesson.arm.noise)
        builder = demonstrations.Demonstrations(
            settings, num_train=config.num_examples, num_test=1, data_dir=RUNS / config.name / "data", seed=config.seed
        )
        builder.download_and_prepare()
        example = demonstrations.read(builder.as_data_source("train"))  # pyright: ignore[reportCallIssue]
        shown, asked = example.shown.T.astype(np.int32), example.asked.T.astype(np.int32)
        if len(lesson.tasks) > 1:
            shown = np.pad(shown, ((1, 0), (0, 0)), constant_values=FIRST_SYMBOL + i)
            asked = np.pad(asked, ((1, 0), (0, 0)))
        arrays.append((shown, asked))
    room = max(len(shown) for shown, _ in arrays)
    shown, asked = (
        np.concatenate([np.pad(x, ((0, room - len(x)), (0, 0))) for x in column], axis=1)
        for column in zip(*arrays, strict=True)
    )
    before = np.pad(asked[:-1], ((1, 0), (0, 0)))
    return Demonstration(jnp.stack([shown, before], axis=-1), jnp.asarray(asked), jnp.float32(asked != Token.PAD))


def keys_of(config: Config, i: int) -> jax.Array:
    """A key for each seed."""
    seeds = config.seed + np.arange(config.num_seeds)
    return jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(seed), i + 1))(seeds)


def is_solved(config: Config, lesson: Lesson, plan: Plan, steps: Steps, everything: Everything) -> bool:
    """Whether every seed solves 95 % at every training level of every task."""
    return all(
        (solved(config, lesson, plan, steps, everything, i, level) >= 0.95).all()
        for i, task in enumerate(lesson.tasks)
        for level in reversed(range(task.levels.num_train))
    )


def solved(
    config: Config, lesson: Lesson, plan: Plan, steps: Steps, everything: Everything, task: int, level: int
) -> np.ndarray:
    """How often each seed solves instances of a level: `[seeds]`; NaN where episodes are too long to be asked for."""
    script, pad = plan.sizes[lesson.tasks[task].name][level]
    is_taught = level < lesson.tasks[task].levels.num_train
    if script + pad > config.max_exam_steps and not is_taught:
        return np.full(config.num_seeds, np.nan)
    num_steps = plan.num_steps if is_taught else config.max_exam_steps  # two lengths, two compilations
    weights = everything.pupil.train.params if lesson.arm.then or not lesson.arm.variant else everything.imitator.params
    keys = jax.vmap(lambda key: jax.random.fold_in(key, level))(keys_of(config, 2**30 + task))
    return np.asarray(steps.examine(task, num_steps, weights, level, keys)).mean(axis=1)


def measure(config: Config, lesson: Lesson, plan: Plan, steps: Steps, everything: Everything) -> dict[str, Any]:
    """What the reasoners can do: success `[level, seed]` of each task, with the floor of each level."""
    return {
        "marks": {
            task.name: {
                "levels": [task.levels.name(level) for level in range(task.levels.num_levels)],
                "num_train": task.levels.num_train,
                "solved": [  # [level, seed], None where not asked for
                    [None if np.isnan(rate) else rate for rate in solved(config, lesson, plan, steps, everything, i, k)]
                    for k in range(task.levels.num_levels)
                ],
                "floor": [floor_of(task, level) for level in range(task.levels.num_levels)],
                "is_split": split_of(task) is not None,
            }
            for i, task in enumerate(lesson.tasks)
        }
    }


@functools.cache
def floor_of(task: Stream | Act, level: int) -> float:
    """The best of those who know nothing."""
    key = jax.random.key(0)
    by_chance = floor.by_chance(task, key, level, 512)
    return float(by_chance if isinstance(task, Act) else max(by_chance, floor.by_one_token(task, key, level, 512)))


def describe(
    config: Config, lesson: Lesson, plan: Plan, steps: Steps, shown: Demonstration | None, trained: loop.Trained
) -> dict[str, Any]:
    """What a training was, and what it cost each seed: tokens, rollouts, operations, and its share of the seconds."""
    practised = max(0, trained.iterations - plan.num_imitate)
    imitated = trained.iterations - practised
    keys, flops = keys_of(config, 0), 0.0
    if practised:
        flops += practised * ledger.flops(steps.practise, trained.everything, keys) / config.num_seeds
    if imitated:
        flops += imitated * ledger.flops(steps.imitate, trained.everything, shown, keys) / config.num_seeds
    return {
        "task": lesson.task_name,
        "arm": lesson.arm.name,
        "schedule": lesson.schedule if lesson.arm.then else "",
        "seeds": config.num_seeds,
        "iterations": trained.iterations,
        "tokens": trained.iterations * plan.tokens,
        "steps": practised * config.num_places * plan.num_steps,
        "flops": flops,
        "seconds": trained.seconds,
    }


def open_run(config: Config, lesson: Lesson) -> Run:
    """The directory of one training, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name / lesson.name
    settings = dataclasses.asdict(config) | {"task": lesson.task_name, "arm": dataclasses.asdict(lesson.arm)}
    settings["schedule"] = lesson.schedule
    for which in ("resume", "tasks", "arms", "schedules", "kl_weights"):  # of the whole, not of this part
        del settings[which]
    versions = {"jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    resume = config.resume and (directory / "config.json").exists()
    return checkpoint.open_run(directory, settings, versions, resume=resume)


def line(result: dict[str, Any], num: int) -> str:
    """One result in a line."""
    parts = [
        f"{task} trained {cell(taught(marks), num * marks['num_train'])}, reach {name_of_reach(marks)}, "
        f"beyond {cell(beyond(marks), num)}"
        for task, marks in result["marks"].items()
    ]
    arm = " ".join(filter(None, (result["arm"], result["schedule"])))
    return f"{arm}: {'; '.join(parts)}; {result['steps']:,} steps, {result['seconds']:.0f} s"


def taught(marks: dict[str, Any]) -> np.ndarray:
    """Success of each seed over the levels that it was trained on."""
    return np.array(marks["solved"], float)[: marks["num_train"]].mean(axis=0)


def beyond(marks: dict[str, Any]) -> np.ndarray:
    """The same over the levels beyond that were asked for."""
    rates = np.array(marks["solved"], float)[marks["num_train"] :]
    asked = ~np.isnan(rates).any(axis=1)
    return rates[asked].mean(axis=0) if asked.any() else np.full(rates.shape[1], np.nan)


def cell(rates: np.ndarray, num: int) -> str:
    """An estimate, or a dash where nothing was asked for."""
    return "–" if np.isnan(rates).any() else str(success.over_seeds(rates, num))


def name_of_reach(marks: dict[str, Any]) -> str:
    """The hardest level up to which all are mastered, on the way that gets longer; by the mean of all seeds."""
    num_train, axis = marks["num_train"], marks["levels"][marks["num_train"]].split(" ×")[0]
    way = [name.split(" ×")[0] == axis and "," not in name for name in marks["levels"][num_train:]]
    last = num_train + (way.index(False) if False in way else len(way))
    reached = success.reach(np.array(marks["solved"], float)[:last].mean(axis=1))
    return marks["levels"][reached - 1] if reached else "none"


def report(config: Config, results: list[dict[str, Any]]) -> None:
    """The table, for people and as JSON, and a figure if matplotlib is there."""
    directory = RUNS / config.name
    json_file.replace(directory / "results.json", json_file.dumps(results, indent=2) + "\n")
    heads = ["task", "arm", "schedule", "training levels", "floor", "reach", "beyond", "floor", "tokens learnt from"]
    heads += ["steps played", "GFLOP", "seconds"]
    rows = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for result in results:
        for task, marks in result["marks"].items():
            num_train, floors = marks["num_train"], np.array(marks["floor"])
            cells = [task, result["arm"], result["schedule"], cell(taught(marks), num_train * config.num_exam)]
            cells += [f"{floors[:num_train].mean():.3f}", name_of_reach(marks), cell(beyond(marks), config.num_exam)]
            cells += [f"{floors[num_train:].mean():.3f}", f"{result['tokens']:,}", f"{result['steps']:,}"]
            cells += [f"{result['flops'] / 1e9:,.0f}", f"{result['seconds']:.0f}"]
            rows.append("| " + " | ".join(cells) + " |")
    json_file.replace(directory / "table.md", "\n".join(rows) + "\n")
    draw(directory / "figure.png", results)
    print("\n".join(rows))
    print(f"{config.num_seeds} seeds, {config.num_exam} instances a level and seed; costs are of one seed, its seconds")
    print("those of all seeds, which train side by side, compilation included")
    print(f"saved in {directory}: table.md, results.json, figure.png")


def draw(path: Path, results: list[dict[str, Any]]) -> None:
    """Success by level: a panel for each task, a line for each arm and schedule, a band over its seeds."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        return
    all_marks = [(task, result, marks) for result in results for task, marks in result["marks"].items()]
    tasks = list(dict.fromkeys(task for task, _, _ in all_marks))
    figure, panels = plt.subplots(1, len(tasks), figsize=(6 * len(tasks), 4), squeeze=False, sharey=True)
    for panel, task in zip(panels[0], tasks, strict=True):
        for _, result, marks in (part for part in all_marks if part[0] == task):
            rates, label = np.array(marks["solved"], float), f"{result['arm']} {result['schedule']}"
            panel.plot(rates.mean(axis=1), marker=".", label=label)
            panel.fill_between(range(len(rates)), rates.min(axis=1), rates.max(axis=1), alpha=0.15)
            panel.set_xticks(range(len(rates)), marks["levels"], rotation=60, ha="right")
            panel.axvline(marks["num_train"] - 0.5, color="grey", linestyle=":")
        panel.set_title(task)
    panels[0][0].set_ylabel("solved")
    panels[0][0].legend(fontsize="x-small")
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    try:
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, default="solve"))
    except (SettingError, RunError, FloatingPointError) as error:
        sys.exit(f"synthetic_tasks.py: {error}")
