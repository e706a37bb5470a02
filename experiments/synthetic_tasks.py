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
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import act_pool, demonstrations, floor, pool, room, split, traces
from curricula.act import Act
from curricula.course import Course, Mixture
from curricula.memory.memory import Memory
from curricula.memory.small_window import SmallWindow
from curricula.memory.stack import Stack
from curricula.memory.tape import Tape
from curricula.room import Room
from curricula.schedules.advantage_bandit import AdvantageBandit
from curricula.schedules.fixed import only, uniform
from curricula.schedules.learnability import Learnability
from curricula.schedules.learning_progress import LearningProgress
from curricula.schedules.schedule import Schedule
from curricula.schedules.staircase import Staircase
from curricula.scratchpad import Scratchpad
from curricula.split import Split
from curricula.stream import Stream
from curricula.tasks import every_act, every_task
from curricula.vocabulary import FIRST_SYMBOL, NUM_TOKENS
from rl_pretrain import arms, checkpoint, command_line, devices, exam, json_file, loop, success, together
from rl_pretrain.arms import Arm, Budget, Cost, Training
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.learner import LearnConfig
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import Kind, TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError, a_name, at_least
from rl_pretrain.supervised import Demonstration, SupervisedConfig

RUNS = Path("runs/synthetic_tasks")
MEMORIES: dict[str, Memory] = {"tape": Tape(80), "stack": Stack(80)}
PATIENCE = 2  # operations of a memory in a row for which a task waits
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
    at_once: int = 0
    """Trainings that go on at the same time; 0 for one on each core where there is no accelerator, else one.
    With several devices always one."""

    tasks: tuple[str, ...] = ("copy", "reverse")
    """Names of tasks, see curricula/README.md. Names joined by + are learnt together; `:tape` or `:stack` behind a name
    gives the reasoner that memory, and lets it see one token at a time."""
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
    num_places: int = 64
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
    learn: PolicyGradientConfig = PolicyGradientConfig(learning_rate=3e-3, num_minibatches=2, entropy_weight=0.05)
    imitate: SupervisedConfig = SupervisedConfig(learning_rate=2e-3)
    """Its batch size is not used: it is such that an iteration has as many tokens as one of learning from reward."""
    search: SearchConfig = SearchConfig(num_simulations=16, discount=0.97)
    learn_from_search: LearnConfig = LearnConfig(batch_size=512, num_warmup_updates=20, average_decay=0.9)

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "num_seeds", "devices", "width", "num_layers", "iterations", "num_places", "save_every")
        at_least(1, self, "num_examples", "num_exam", "max_exam_steps", "group")
        at_least(0, self, "num_steps", "noise", "at_once")
        if not self.tasks or not self.arms or not self.schedules:
            raise SettingError("tasks, arms and schedules must name at least one each")
        if self.num_places % self.devices:
            raise SettingError(f"num_places must be a multiple of the {self.devices} devices, got {self.num_places}")
        for weight in self.kl_weights:
            if weight < 0:
                raise SettingError(f"kl_weights must be at least 0, got {weight}")
        for spec, arm in itertools.product(self.tasks, self.arms):
            check_fit(read_spec(spec), arm)


class Spec(NamedTuple):
    """What is learnt together."""

    tasks: tuple[Stream | Act, ...]
    memory: str  # of the reasoner: tape, stack, or nothing

    @property
    def name(self) -> str:
        return "+".join(task.name for task in self.tasks) + (f":{self.memory}" if self.memory else "")


def read_spec(text: str) -> Spec:
    """Of `copy`, `copy+reverse`, `copy:tape`. Raises SettingError for names that mean nothing."""
    names, _, memory = text.partition(":")
    if memory not in ("", "tape", "stack"):
        raise SettingError(f"a memory is tape or stack, got {memory!r}")
    return Spec(tuple(find_task(name) for name in names.split("+")), memory)


def find_task(name: str) -> Stream | Act:
    """The task of a name. Raises SettingError where there is none."""
    known = {task.name: task for task in (*every_task(), *every_act())}
    if name not in known:
        raise SettingError(f"unknown task {name!r}; choose from {', '.join(known)}")
    return known[name]


def check_fit(spec: Spec, arm: ArmName) -> None:
    """Raises SettingError for an arm that cannot learn these tasks."""
    is_read = all(isinstance(task, Stream) for task in spec.tasks)
    if (len(spec.tasks) > 1 or spec.memory) and not is_read:
        raise SettingError(f"tasks that are acted in are learnt alone and without a memory, got {spec.name}")
    if spec.memory and arm not in ("rpt", "random"):
        raise SettingError(f"{arm} cannot use a memory, got {spec.name}")
    if arm == "search" and is_read:
        raise SettingError(f"search needs a task that is acted in, got {spec.name}")
    if arm.startswith(("spt", "rft", "rpt-pad")) and not is_read:
        raise SettingError(f"{arm} needs a task that is read, got {spec.name}")
    if arm in ("rpt-pad", "spt-trace", "spt-noisy", "rft-trace"):
        for task in spec.tasks:
            if task.name not in traces.TRACES or traces.TRACES[task.name].steps is None:
                raise SettingError(f"{arm} needs a task with steps before its answer, got {task.name}")


PRESETS = {
    "solve": Config(
        name="solve",
        tasks=(
            *("tape_copy", "tape_reverse", "tape_repeat", "swap_sort", "emit_counter", "register_fibonacci"),
            *("register_factorial", "copy:tape", "reverse:stack", "closing:stack", "stack_machine:stack", "dyck:stack"),
        ),
        num_seeds=1,
        iterations=400,
        save_every=20,
        max_exam_steps=128,
        stop_when_solved=True,
    ),
    "schedules": Config(
        name="schedules",
        tasks=("copy:tape", "tape_reverse", "swap_sort"),
        schedules=("staircase", "hardest", "uniform"),
        iterations=100,
        max_exam_steps=128,
    ),
    "arms": Config(
        name="arms",
        tasks=("group_word", "dyck", "sort", "stack_machine"),
        arms=("random", "rpt", "spt-answer", "spt-trace", "rft"),
        schedules=("uniform",),  # as the demonstrations are
        width=32,
        num_examples=2048,
        learn=PolicyGradientConfig(num_minibatches=2),
    ),
    "search": Config(
        name="search",
        tasks=("tape_copy", "swap_sort", "emit_counter"),
        arms=("search", "rpt"),
        num_seeds=3,
        iterations=60,  # each as dear as sixteen of rpt's or more: every move is searched for
    ),
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
class Way:
    """An arm on these tasks."""

    name: str
    arm: Arm | None
    variant: Literal["answer", "trace"] = "answer"
    """Of the demonstrations."""
    noise: float = 0.0
    has_pad: bool = False
    """Whether there is room to write before the answer."""


def ways_of(config: Config) -> list[Way]:
    """The arms, rft once for each weight."""
    by_reward, by_likelihood = Arm(practises="reward"), Arm(imitates=True)
    plain = {
        "rpt": Way("rpt", by_reward),
        "rpt-pad": Way("rpt-pad", by_reward, has_pad=True),
        "spt-answer": Way("spt-answer", by_likelihood),
        "spt-trace": Way("spt-trace", by_likelihood, "trace", has_pad=True),
        "spt-noisy": Way("spt-noisy", by_likelihood, "trace", config.noise, has_pad=True),
        "search": Way("search", Arm(practises="search")),
        "random": Way("random", None),
    }
    by_both = {kl: Arm(imitates=True, practises="reward", kl_weight=kl) for kl in config.kl_weights}
    tuned = {
        "rft": [Way(f"rft-kl-{kl:g}", arm) for kl, arm in by_both.items()],
        "rft-trace": [Way(f"rft-trace-kl-{kl:g}", arm, "trace", has_pad=True) for kl, arm in by_both.items()],
    }
    return [way for name in config.arms for way in tuned.get(name) or [plain[name]]]


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What one training is about."""

    spec: Spec
    way: Way
    schedule: ScheduleName

    @property
    def tasks(self) -> tuple[Stream | Act, ...]:
        return self.spec.tasks

    @property
    def practises(self) -> bool:
        return bool(self.way.arm and self.way.arm.practises)

    @property
    def name(self) -> str:
        return "-".join(
            [self.spec.name.replace(":", "-with-"), self.way.name, *([self.schedule] if self.practises else [])]
        )


def main(config: Config) -> None:
    """Every task, arm and schedule, then the table."""
    devices.use(config.devices)
    devices.use_small_products()
    devices.use_compilation_cache()
    at_once = 1 if config.devices > 1 else config.at_once or together.fitting()  # of two sums over devices one waits
    with catch_signals() as stop:
        jobs = [functools.partial(learn_and_answer, config, lesson, stop) for lesson in lessons_of(config)]
        results = together.do(jobs, at_once, stop, lambda result: print(line(result, config.num_exam), flush=True))
    if results is None:
        print(f"stopped by {stop.signal}; to go on: the same command with --resume")
    else:
        report(config, results)


def lessons_of(config: Config) -> list[Lesson]:
    """All that is to be learnt. The schedule makes no difference to arms without practice: they come once."""
    lessons = [
        Lesson(read_spec(spec), way, schedule)
        for spec, way, schedule in itertools.product(config.tasks, ways_of(config), config.schedules)
    ]
    return [lesson for lesson in lessons if lesson.practises or lesson.schedule == config.schedules[0]]


def learn_and_answer(config: Config, lesson: Lesson, stop: Stop) -> dict[str, Any] | None:
    """Learns in a run directory of its own; a run that has its result already does not learn again."""
    with open_run(config, lesson) as run:
        if (run.directory / "result.json").exists():
            return json.loads((run.directory / "result.json").read_text())
        policy, num_seen = make_policy(config, lesson)
        sizes = {task.name: room.of_levels(task, lesson.way.has_pad) for task in lesson.tasks}
        budget = make_budget(config, lesson, sizes)
        questions = make_exam(config, lesson, policy, sizes, max(budget.num_steps, 2 * budget.demonstration_steps))
        weights = jax.jit(jax.vmap(lambda key: policy.init(key, num_seen)))(keys_of(config, 0))
        schedule = lesson.schedule if lesson.practises else ""
        result: dict[str, Any] = {"task": lesson.spec.name, "arm": lesson.way.name, "schedule": schedule}
        if lesson.way.arm is None:
            chances = jax.tree.map(jnp.zeros_like, weights)  # all that is legal is equally likely
            result |= {
                "cost": Cost(0, 0, 0.0)._asdict(),
                "iterations": 0,
                "seconds": 0.0,
                "marks": questions.marks(chances),
            }
        else:
            training = make_training(config, lesson, policy, budget)
            trained = loop.go_on(
                run,
                training.begin(weights),
                lambda everything, i: training.improve(everything, i, keys_of(config, i + 1)),
                config.iterations,
                stop,
                title=lesson.name,
                brief=("success", "entropy", "accuracy", "cross_entropy"),
                save_every=config.save_every,
                is_enough=lambda everything: (
                    config.stop_when_solved and questions.is_mastered(arms.weights_of(everything))
                ),
            )
            if trained is None:
                return None
            cost = training.cost(trained.everything, trained.iterations, keys_of(config, 0))
            result |= {"cost": cost._asdict(), "iterations": trained.iterations, "seconds": trained.seconds}
            result["marks"] = questions.marks(arms.weights_of(trained.everything))
        json_file.replace(run.directory / "result.json", json_file.dumps(result, indent=2) + "\n")
        return result


def make_budget(config: Config, lesson: Lesson, sizes: dict[str, list[Room]]) -> Budget:
    """Rollouts have room for two of the longest training episodes, or as told; all arms have as many tokens.

    Episodes with a pad are longer, so fewer of them are practised side by side, or shown in an update.
    """
    taught = [sizes[task.name][level] for task in lesson.tasks for level in range(task.levels.num_train)]
    extra, times = len(lesson.tasks) > 1, 2 if lesson.spec.memory else 1  # a token to announce it; an operation each
    plain, padded = times * max(size.steps for size in taught) + extra, times * max(map(sum, taught)) + extra
    num_steps, num_places = config.num_steps or 2 * plain, config.num_places
    if lesson.practises and padded > plain:
        share = config.devices * config.learn.num_minibatches * config.group
        num_steps = 2 * padded
        num_places = max(1, round(config.num_places * plain / padded / share)) * share
    return Budget(
        config.iterations,
        num_places,
        num_steps,
        padded,
        config.group,
        config.learn,
        config.imitate,
        config.search,
        config.learn_from_search,
    )


def make_training(config: Config, lesson: Lesson, policy: Policy, budget: Budget) -> Training:
    """Of the lesson's arm."""
    arm = lesson.way.arm
    assert arm is not None
    return arms.prepare(
        arm,
        budget,
        policy,
        make_teacher(config, lesson) if arm.practises else None,
        functools.partial(make_world, lesson, pad_room=budget.num_steps // 2),
        read_demonstrations(config, lesson) if arm.imitates else None,
        config.devices,
    )


def make_policy(config: Config, lesson: Lesson) -> tuple[Policy, int]:
    """The network, and how many tokens it sees at a time."""
    is_read = isinstance(lesson.tasks[0], Stream)
    kind = ("causal" if is_read and not lesson.spec.memory else "mlp") if config.kind == "auto" else config.kind
    if lesson.way.name == "search" and kind not in ("mlp", "window"):
        raise SettingError(f"search needs a network that sees the present only, mlp or window, got {kind}")
    memory, num_seen = MEMORIES.get(lesson.spec.memory), lesson.tasks[0].observation_shape[0]
    num_actions = NUM_TOKENS + (len(memory.operations) if memory else 0)
    network = TokenConfig(num_actions, num_actions, kind, config.width, config.num_layers)
    return policies.make(network), num_seen + (memory.num_shown if memory else 0)


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
        "staircase": lambda: Staircase(num_levels, up=0.9, down=0.0, window=64),
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


def make_world(lesson: Lesson, rows: Any, pad_room: int) -> Any:
    """What the reasoner sees: the rows, behind a memory, or with a pad before the answer if the arm has one."""
    if lesson.spec.memory:
        return SmallWindow(rows, MEMORIES[lesson.spec.memory], patience=PATIENCE)
    if not lesson.way.has_pad:
        return rows
    says = {token for task in lesson.tasks if isinstance(task, Stream) for token in traces.says(task)}
    return Scratchpad(rows, tuple(sorted(says)), pad_room)


def read_demonstrations(config: Config, lesson: Lesson) -> Demonstration:
    """Of all tasks and training levels alike, from files beside the runs, written when they are first needed."""
    examples = []
    for i, task in enumerate(lesson.tasks):
        assert isinstance(task, Stream)  # as check_fit saw to
        settings = demonstrations.Settings(task, variant=lesson.way.variant, noise=lesson.way.noise)
        place = RUNS / config.name / "data"
        example = demonstrations.on_disk(settings, config.num_examples, place, config.seed)
        is_mixed = len(lesson.tasks) > 1
        examples.append(demonstrations.announce(example, FIRST_SYMBOL + i) if is_mixed else example)
    return Demonstration(*map(jnp.asarray, demonstrations.as_seen(demonstrations.join(examples))))


def keys_of(config: Config, i: int) -> jax.Array:
    return arms.seed_keys(config.seed, config.num_seeds, i)


@dataclasses.dataclass(frozen=True)
class Exam:
    """What the reasoners can do, on instances that they did not learn from."""

    config: Config
    lesson: Lesson
    sizes: dict[str, list[Room]]
    ask: Callable[..., jax.Array]
    """Number of the task, steps, weights, level, keys → bool `[seeds, instances]`."""
    num_steps: int
    """Enough for the training levels."""

    def is_mastered(self, weights: Any) -> bool:
        """Whether every seed solves 95 % at every training level of every task; the hardest is asked for first."""
        return all(
            (self.success(weights, i, level) >= 0.95).all()
            for i, task in enumerate(self.lesson.tasks)
            for level in reversed(range(task.levels.num_train))
        )

    def success(self, weights: Any, i: int, level: int) -> np.ndarray:
        """Of each seed at a level of task i: `[seeds]`; NaN where episodes are too long to be asked for."""
        task = self.lesson.tasks[i]
        is_taught, most = level < task.levels.num_train, self.config.max_exam_steps
        longest = sum(self.sizes[task.name][level])
        if longest > most and not is_taught:
            return np.full(self.config.num_seeds, np.nan)
        # A few may be longer than those looked at. Powers of two, so that few lengths have to be compiled.
        num_steps = self.num_steps if is_taught else min(most, 2 ** (5 * longest // 4).bit_length())
        num_steps *= 2 if self.lesson.spec.memory else 1
        keys = jax.vmap(lambda key: jax.random.fold_in(key, level))(keys_of(self.config, 2**30 + i))
        return np.asarray(self.ask(i, num_steps, weights, level, keys)).mean(axis=1)

    def marks(self, weights: Any) -> dict[str, Any]:
        """Of each task: success `[level][seed]`, None where not asked for, and the floor of each level."""
        return {
            task.name: {
                "levels": [task.levels.name(level) for level in range(task.levels.num_levels)],
                "num_train": task.levels.num_train,
                "solved": [
                    [None if np.isnan(rate) else float(rate) for rate in self.success(weights, i, level)]
                    for level in range(task.levels.num_levels)
                ],
                "floor": [floor_of(task, level) for level in range(task.levels.num_levels)],
                "is_split": split_of(task) is not None,
            }
            for i, task in enumerate(self.lesson.tasks)
        }


def make_exam(config: Config, lesson: Lesson, policy: Policy, sizes: dict[str, list[Room]], num_steps: int) -> Exam:
    """The most likely actions count; of what learnt nothing, random ones."""
    splits: list[Split | None] = ["test" if split_of(task) else None for task in lesson.tasks]

    def ask(i: int, num_steps: int, weights: Any, level: jax.Array, key: jax.Array) -> jax.Array:
        write_key, chance_key = jax.random.split(key)
        task, levels = lesson.tasks[i], jnp.full(config.num_exam, level)
        if isinstance(task, Act):
            rows = act_pool.write(task, write_key, levels, splits[i])
        else:
            rows = pool.write(task, write_key, levels, splits[i])
            rows = pool.announce(rows, FIRST_SYMBOL + i) if len(lesson.tasks) > 1 else rows
        env = make_world(lesson, rows, pad_room=num_steps)
        episodes = jax.vmap(env.at)(jnp.arange(config.num_exam))
        chance = None if lesson.way.arm else chance_key
        return jax.vmap(env.is_solved)(exam.take(env, policy, weights, episodes, num_steps, chance))

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def ask_seeds(i: int, num_steps: int, weights: Any, level: jax.Array, keys: jax.Array) -> jax.Array:
        return jax.vmap(functools.partial(ask, i, num_steps), (0, None, 0))(weights, level, keys)

    return Exam(config, lesson, sizes, ask_seeds, num_steps)


@functools.cache
def floor_of(task: Stream | Act, level: int) -> float:
    """The best of those who know nothing."""
    key = jax.random.key(0)
    by_chance = floor.by_chance(task, key, level, 512)
    return float(by_chance if isinstance(task, Act) else max(by_chance, floor.by_one_token(task, key, level, 512)))


def open_run(config: Config, lesson: Lesson) -> Run:
    """The directory of one training, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name / lesson.name
    settings = dataclasses.asdict(config) | {"task": lesson.spec.name, "way": dataclasses.asdict(lesson.way)}
    settings["schedule"] = lesson.schedule
    for which in ("resume", "at_once", "tasks", "arms", "schedules", "kl_weights"):  # of the whole, not of this part
        del settings[which]
    versions = {"jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    resume = config.resume and (directory / "config.json").exists()
    return checkpoint.open_run(directory, settings, versions, resume=resume)


def line(result: dict[str, Any], num: int) -> str:
    """One result in a line."""
    parts = [
        f"{title(result, task)} trained {cell(taught(marks), num * marks['num_train'])}, reach {name_of_reach(marks)}, "
        f"beyond {cell(beyond(marks), num)}"
        for task, marks in result["marks"].items()
    ]
    arm = " ".join(filter(None, (result["arm"], result["schedule"])))
    return f"{arm}: {'; '.join(parts)}; {result['cost']['steps']:,} steps, {result['seconds']:.0f} s"


def title(result: dict[str, Any], task: str) -> str:
    """Of one of the tasks learnt: with its memory, or with those that it was mixed with."""
    return result["task"] if len(result["marks"]) == 1 else f"{task} of {result['task']}"


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
            num_train, floors, cost = marks["num_train"], np.array(marks["floor"]), result["cost"]
            cells = [
                title(result, task),
                result["arm"],
                result["schedule"],
                cell(taught(marks), num_train * config.num_exam),
            ]
            cells += [f"{floors[:num_train].mean():.3f}", name_of_reach(marks), cell(beyond(marks), config.num_exam)]
            cells += [f"{floors[num_train:].mean():.3f}", f"{cost['tokens']:,}", f"{cost['steps']:,}"]
            cells += [f"{cost['flops'] / 1e9:,.0f}", f"{result['seconds']:.0f}"]
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
