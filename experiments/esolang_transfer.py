"""Does what a reasoner learnt on synthetic tasks help it to program? Trunks pretrained by reward or by imitation, given
new tokens and actions, then taught by reward to act in the Brainf**k machine and to write programs.

    python experiments/esolang_transfer.py --preset=cpu

A source is a synthetic task and an arm, such as `stack_machine:rpt`; a target is a coding problem to be acted or
written, such as `act:copy` or `write:echo-one`. On every target the same network, budget and seeds are used; only where
its weights come from differs:
  scratch         random weights
  frozen random   the same, their trunk held still: what a random trunk is good for
  a source        its trunk, or its attention only, put into random weights; all of it goes on learning

Presets (every setting can be changed by its flag):
  cpu    four sources, four targets, three seeds: seven minutes on two CPU cores
  tiny   seconds, for tests
"""

import dataclasses
import functools
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from curricula import demonstrations, room
from curricula.course import Course
from curricula.schedules.fixed import uniform
from curricula.schedules.staircase import Staircase
from curricula.stream import Stream
from curricula.tasks import every_task
from curricula.traces import TRACES
from curricula.vocabulary import NUM_TOKENS
from esolang import bf_act, env, transfer
from esolang.lessons import Lessons
from esolang.problems import cases, ladder
from esolang.problems.coding import Coding
from esolang.transfer import Braked, Part
from rl_pretrain import arms, checkpoint, command_line, devices, json_file, loop, success, together
from rl_pretrain.arms import Arm, Budget, Everything, Training
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.settings import SettingError, a_name, at_least
from rl_pretrain.supervised import Demonstration, SupervisedConfig

RUNS = Path("runs/esolang_transfer")
NUM_SEEN = 4  # numbers in an observation of bf_act and of env
DECAY = 0.8  # of the running mean of success


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/esolang_transfer/<name>. Default: the preset's name."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """The first of the seeds."""
    num_seeds: int = 3
    """Reasoners of each kind."""
    at_once: int = 0
    """Trainings that go on at the same time; 0 for one on each core where there is no accelerator, else one."""
    sources: tuple[str, ...] = ("stack_machine:rpt", "stack_machine:spt-trace", "reverse:rpt", "reverse:spt-answer")
    """Task and arm: rpt, spt-answer or spt-trace."""
    parts: tuple[Part, ...] = ("trunk", "attention")
    """What is kept of a source."""
    targets: tuple[str, ...] = ("act:print-1-2-3", "act:copy-end", "write:echo-one", "write:print-1-2-3")
    """`act` or `write`, and a problem of esolang/problems/ladder.py."""
    threshold: float = 0.9
    """Share of solved episodes at which a target counts as learnt."""
    pretrain_iterations: int = 200
    """On a source: rollouts, or as many tokens of demonstrations."""
    iterations: int = 120
    """On a target: rollouts."""
    num_places: int = 64
    """Episodes side by side, for each reasoner."""
    capacity: int = 8
    """Commands of a written program."""
    act_steps: int = 40
    """Steps of an episode of acting."""
    num_examples: int = 1024
    """Demonstrations of each training level of a source."""
    width: int = 32
    """Features of the network's layers."""
    num_layers: int = 2
    save_every: int = 40
    """Iterations between checkpoints."""
    learn: PolicyGradientConfig = PolicyGradientConfig(
        num_epochs=2, num_minibatches=2, learning_rate=2e-3, entropy_weight=0.05
    )
    imitate: SupervisedConfig = SupervisedConfig(learning_rate=2e-3)

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "num_seeds", "pretrain_iterations", "iterations", "num_places", "capacity", "act_steps")
        at_least(1, self, "num_examples", "width", "num_layers", "save_every")
        at_least(0, self, "at_once")
        for source in self.sources:
            read_source(source)
        for target in self.targets:
            read_target(target)


class Source(NamedTuple):
    """Where weights come from."""

    task: Stream
    arm: Arm
    variant: demonstrations.Variant


class Target(NamedTuple):
    """What is to be learnt with them."""

    way: str  # act or write
    problem: Coding


class Learner(NamedTuple):
    """A kind of reasoner on a target."""

    name: str
    source: str  # or nothing
    part: Part
    is_free: bool


class Following(NamedTuple):
    """A training, and when each reasoner came up to the threshold; arrays `[reasoners]`."""

    everything: Everything
    reached: jax.Array  # int32: iterations until then; -1 before
    success: jax.Array  # float32: mean over the last iterations, the newest counting most


def read_source(text: str) -> Source:
    """Of `reverse:rpt`. Raises SettingError where it means nothing."""
    name, _, arm = text.partition(":")
    tasks = {task.name: task for task in every_task()}
    known = {"rpt": Arm(practises="reward"), "spt-answer": Arm(imitates=True), "spt-trace": Arm(imitates=True)}
    if name not in tasks:
        raise SettingError(f"unknown task {name!r}; choose from {', '.join(tasks)}")
    if arm not in known:
        raise SettingError(f"a source is task:arm with an arm of {', '.join(known)}, got {text!r}")
    if arm == "spt-trace" and name not in TRACES:
        raise SettingError(f"{name} has no trace; tasks that have one are {', '.join(sorted(TRACES))}")
    return Source(tasks[name], known[arm], "trace" if arm == "spt-trace" else "answer")


def read_target(text: str) -> Target:
    """Of `act:copy`. Raises SettingError where it means nothing."""
    way, _, name = text.partition(":")
    problems = {problem.name: problem for problem in ladder.problems()}
    if way not in ("act", "write"):
        raise SettingError(f"a target is act:problem or write:problem, got {text!r}")
    if name not in problems:
        raise SettingError(f"unknown problem {name!r}; choose from {', '.join(problems)}")
    return Target(way, problems[name])


PRESETS = {
    "cpu": Config(name="cpu"),
    "tiny": Config(
        name="tiny",
        num_seeds=2,
        sources=("reverse:rpt", "stack_machine:spt-trace"),
        parts=("trunk",),
        targets=("act:print-1", "write:print-1"),
        pretrain_iterations=2,
        iterations=4,
        num_places=8,
        capacity=4,
        act_steps=8,
        num_examples=8,
        width=16,
        num_layers=1,
        save_every=2,
    ),
}


def learners_of(config: Config) -> list[Learner]:
    """Every kind: controls first."""
    controls = [Learner("scratch", "", "nothing", True), Learner("frozen random", "", "nothing", False)]
    return controls + [
        Learner(f"{source} {part}", source, part, True) for source in config.sources for part in config.parts
    ]


def main(config: Config) -> None:
    """Every source once, then all reasoners side by side on every target, then the table."""
    devices.use_small_products()
    devices.use_compilation_cache()
    at_once = config.at_once or together.fitting()
    with catch_signals() as stop:
        sources = [functools.partial(pretrain, config, source, stop) for source in config.sources]
        weights = together.do(sources, at_once, stop, lambda _: None)
        learnt = dict(zip(config.sources, weights or (), strict=False))
        targets = [functools.partial(learn_target, config, target, learnt, stop) for target in config.targets]
        results = together.do(targets, at_once, stop, lambda result: print(line(config, result), flush=True))
    if results is None:
        print(f"stopped by {stop.signal}; to go on: the same command with --resume")
    else:
        report(config, results)


def pretrain(config: Config, name: str, stop: Stop) -> Any | None:
    """The weights of all seeds after pretraining on a source."""
    source = read_source(name)
    policy = policies.make(TokenConfig(NUM_TOKENS, NUM_TOKENS, "causal", config.width, config.num_layers))
    training = prepare_source(config, source, policy)
    weights = jax.jit(jax.vmap(lambda key: policy.init(key, 2)))(keys_of(config, 0))
    with open_run(config, f"source {name}") as run:
        trained = loop.go_on(
            run,
            training.begin(weights),
            lambda everything, i: training.improve(everything, i, keys_of(config, i + 1)),
            config.pretrain_iterations,
            stop,
            title=f"pretraining {name}",
            brief=("success", "entropy", "accuracy", "cross_entropy"),
            save_every=config.save_every,
        )
    return trained and arms.weights_of(trained.everything)


def prepare_source(config: Config, source: Source, policy: policies.Policy) -> Training:
    """The arm on the task; both kinds learn from as many tokens, on all training levels."""
    task, shown = source.task, None
    places = room.of_levels(task, with_trace=source.variant == "trace")[: task.levels.num_train]
    longest = max(sum(place) for place in places)
    if source.arm.imitates:
        settings = demonstrations.Settings(task, variant=source.variant)
        place = RUNS / config.name / "data"
        example = demonstrations.on_disk(settings, config.num_examples, place, config.seed)
        shown = Demonstration(*map(jnp.asarray, demonstrations.as_seen(example)))
    teacher = Course(task, Staircase(task.levels.num_train, up=0.9, down=0.0, window=64), 4 * config.num_places)
    iterations, num_steps = config.pretrain_iterations, 3 * longest // 2
    budget = Budget(iterations, config.num_places, num_steps, longest, learn=config.learn, imitate=config.imitate)
    return arms.prepare(source.arm, budget, policy, teacher, shown=shown)


def learn_target(config: Config, name: str, learnt: dict[str, Any], stop: Stop) -> dict[str, Any] | None:
    """All kinds of reasoners, all seeds, in one program; each seed meets the same instances."""
    target, learners = read_target(name), learners_of(config)
    policy, teacher, num_steps = make_target(config, target)
    budget = Budget(config.iterations, config.num_places, num_steps, learn=config.learn)
    training = arms.prepare(Arm(practises="reward"), budget, policy, teacher)
    fresh = jax.jit(jax.vmap(lambda key: policy.init(key, NUM_SEEN)))(keys_of(config, 0))
    begun = [begin(config, learner, fresh, learnt) for learner in learners]
    weights = jax.tree.map(lambda *x: jnp.concatenate(x), *begun)

    def keys(i: int) -> jax.Array:
        return jnp.tile(keys_of(config, 2**20 + i), len(learners))

    def improve(following: Following, i: int) -> tuple[Following, dict[str, jax.Array]]:
        everything, scalars = training.improve(following.everything, i, keys(i))
        now = jnp.where(i == 0, scalars["success"], DECAY * following.success + (1 - DECAY) * scalars["success"])
        is_first = (following.reached < 0) & (now >= config.threshold)
        return Following(everything, jnp.where(is_first, i + 1, following.reached), now), scalars

    start = Following(training.begin(weights), jnp.full(len(keys(0)), -1), jnp.zeros(len(keys(0))))
    with open_run(config, f"target {name}") as run:
        shown = ("success", "entropy")
        trained = loop.go_on(run, start, improve, config.iterations, stop, name, shown, config.save_every)
    if trained is None:
        return None
    end = trained.everything

    def by_learner(x: jax.Array) -> dict[str, list]:
        rows = np.asarray(x).reshape(len(learners), config.num_seeds).tolist()
        return dict(zip((learner.name for learner in learners), rows, strict=True))

    steps = config.num_places * num_steps
    result = {"target": name, "success": by_learner(end.success), "reached": by_learner(end.reached)}
    result |= {"steps_per_iteration": steps, "seconds": trained.seconds}
    json_file.replace(RUNS / config.name / f"target-{slug(name)}" / "result.json", json_file.dumps(result) + "\n")
    return result


def make_target(config: Config, target: Target) -> tuple[policies.Policy, Lessons, int]:
    """A network with its tokens and actions, its teacher, and the steps of a rollout."""
    bank = cases.bank([target.problem], "train", 64, config.seed)
    if target.way == "act":
        rules = bf_act.Rules(max_steps=config.act_steps)
        tokens, actions, num_steps = bf_act.NUM_TOKENS, bf_act.NUM_ACTIONS, config.act_steps
    else:
        rules = env.Rules(config.capacity, reward="graded")
        tokens, actions, num_steps = rules.num_tokens(1), env.NUM_ACTIONS, config.capacity
    network = policies.make(TokenConfig(tokens, actions, "causal", config.width, config.num_layers))
    teacher = Lessons(rules, bank, uniform(1), 4 * config.num_places, num_cases=min(8, bank.data_length.shape[1]))
    return transfer.with_brake(network), teacher, num_steps


def begin(config: Config, learner: Learner, fresh: Braked, learnt: dict[str, Any]) -> Braked:
    """The weights of all seeds of a kind before the target is met."""
    network = fresh.network
    if learner.source:
        put = functools.partial(transfer.transplant, part=learner.part)
        network = jax.vmap(put)(network, learnt[learner.source])
    return Braked(network, jnp.full(config.num_seeds, float(learner.is_free)))


def keys_of(config: Config, i: int) -> jax.Array:
    return arms.seed_keys(config.seed, config.num_seeds, i)


def slug(name: str) -> str:
    return name.replace(":", "-").replace(" ", "-")


def open_run(config: Config, name: str) -> Run:
    """The directory of one training, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name / slug(name)
    settings = dataclasses.asdict(config) | {"part": name}
    del settings["resume"], settings["at_once"]
    versions = {"jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    resume = config.resume and (directory / "config.json").exists()
    return checkpoint.open_run(directory, settings, versions, resume=resume, may_differ=("targets",))


def line(config: Config, result: dict[str, Any]) -> str:
    """One target in a line for each kind of reasoner."""
    cells = [
        f"  {name:32} success {estimate(config, rates)}; {reached(config, result, name)}"
        for name, rates in result["success"].items()
    ]
    return "\n".join([f"{result['target']} ({result['seconds']:.0f} s)", *cells])


def estimate(config: Config, rates: list[float]) -> success.Estimate:
    """Of the running mean of success, which weighs as the mean of (1 + DECAY) / (1 - DECAY) rollouts does."""
    num_rollouts = round((1 + DECAY) / (1 - DECAY))
    return success.over_seeds(np.array(rates), num_rollouts * config.num_places)


def reached(config: Config, result: dict[str, Any], name: str) -> str:
    """Steps to the threshold of the seeds that came up to it: the median, and how many they are."""
    steps = [i * result["steps_per_iteration"] for i in result["reached"][name] if i > 0]
    median = f"{np.median(steps):,.0f} steps, " if steps else ""
    return f"{median}{len(steps)} of {config.num_seeds} seeds"


def speed(config: Config, result: dict[str, Any], name: str) -> float:
    """Steps to the threshold from scratch over those of this kind; a seed that never got there counts all its steps."""

    def mean_steps(name: str) -> float:
        return float(np.mean([i if i > 0 else config.iterations for i in result["reached"][name]]))

    return mean_steps("scratch") / mean_steps(name)


def report(config: Config, results: list[dict[str, Any]]) -> None:
    """The matrix of reasoners and targets, for people and as JSON, and as a figure if matplotlib is there."""
    directory, names = RUNS / config.name, [learner.name for learner in learners_of(config)]
    json_file.replace(directory / "results.json", json_file.dumps(results, indent=2) + "\n")
    rows = [["reasoner", *(result["target"] for result in results)], ["---"] * (1 + len(results))]
    for name in names:
        rows.append([name, *(cell(config, result, name) for result in results)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    json_file.replace(directory / "table.md", table + "\n")
    draw(config, directory / "figure.png", names, results)
    print(table)
    print(
        f"{config.num_seeds} seeds; success at the end of {config.iterations} rollouts of {config.num_places} places,"
    )
    print(f"steps until {config.threshold:.0%} were solved, and how many times faster than from scratch that was")
    print(f"saved in {directory}: table.md, results.json, figure.png")


def cell(config: Config, result: dict[str, Any], name: str) -> str:
    """One kind of reasoner on one target."""
    rates = estimate(config, result["success"][name])
    return f"{rates}; {reached(config, result, name)}; ×{speed(config, result, name):.2f}"


def draw(config: Config, path: Path, names: list[str], results: list[dict[str, Any]]) -> None:
    """The matrix: how many times faster than from scratch, by colour, and the success, in numbers."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        return
    faster = np.array([[speed(config, result, name) for result in results] for name in names])
    figure, panel = plt.subplots(figsize=(2 + 2 * len(results), 1 + 0.5 * len(names)))
    bound = max(0.1, float(np.abs(np.log2(faster)).max()))
    image = panel.imshow(np.log2(faster), cmap="RdBu", vmin=-bound, vmax=bound, aspect="auto")
    for (i, k), value in np.ndenumerate(faster):
        rate = np.mean(results[k]["success"][names[i]])
        panel.text(k, i, f"×{value:.2f}\n{rate:.2f}", ha="center", va="center", fontsize="small")
    panel.set_xticks(range(len(results)), [result["target"] for result in results], rotation=20, ha="right")
    panel.set_yticks(range(len(names)), names)
    figure.colorbar(image, label="steps to the threshold, log2 of scratch over this")
    figure.savefig(path, bbox_inches="tight", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    try:
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, default="cpu"))
    except (SettingError, RunError, FloatingPointError) as error:
        sys.exit(f"esolang_transfer.py: {error}")
