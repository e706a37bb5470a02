"""Table 3 of "General Intelligence Requires Reward-based Pretraining" (ICML 2025), from scratch: which of four vectors
is orthogonal to another, learnt from answers, from working, from reward, or from one and then the other.

    python experiments/orthogonality.py

The paper fine-tunes a language model, once, on 100 instances, and asks for 100 more. Here a small transformer starts
from random weights, many times; it learns either from thousands of instances (fresh) or from the same 100 (fixed), and
is asked for new ones of the same kind and for harder ones. Every arm has as many tokens to learn from.

The paper's vectors have three dimensions and, by its one example, entries up to 5 (--dimension=3 --range=5). From
scratch 100 rollouts of those, or as many tokens of answers, leave everybody who is shown no working at chance. So the
vectors are smaller here: two dimensions, and entries of -1 and 1, of candidates 0 too. What "range 9" asks for is then
written in digits that training never showed.

Arms:
  rpt            reward for the right answer             rpt-pad   the same, with room to write before it
  spt-answer     likelihood of answers                   spt-trace likelihood of the working, then the answer
  spt-answer, rft  half of the tokens each, held near to what was imitated by a divergence of the weight given
  spt-trace, rft   the same, with room to write

Presets (every setting can be changed by its flag):
  cpu    five seeds
  tiny   seconds, for tests
"""

import dataclasses
import functools
import itertools
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from curricula import demonstrations, floor, pool, room, traces
from curricula.course import Drill
from curricula.demonstrations import Example
from curricula.levels import Levels
from curricula.pool import Pool
from curricula.scratchpad import Scratchpad
from curricula.stream import Instance, Script, Stream
from curricula.tasks.orthogonality import ChoiceKnobs, orthogonal_choice
from curricula.vocabulary import NUM_TOKENS
from rl_pretrain import arms, checkpoint, command_line, devices, exam, json_file, loop, success, together
from rl_pretrain.arms import Arm, Budget
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.policy import Policy
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.settings import SettingError, a_name, at_least
from rl_pretrain.supervised import Demonstration, SupervisedConfig

RUNS = Path("runs/orthogonality")
Regime = Literal["fresh", "fixed"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/orthogonality/<name>. Default: the preset's name."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """The first of the seeds."""
    num_seeds: int = 5
    """Reasoners trained side by side."""
    at_once: int = 0
    """Trainings that go on at the same time; 0 for one on each core where there is no accelerator, else one."""
    dimension: int = 2
    """Entries of a vector."""
    range: int = 1
    """Entries are from -range to range; those of the vector that is asked about are not 0."""
    regimes: tuple[Regime, ...] = get_args(Regime)
    num_fixed: int = 100
    """Instances of the regime `fixed`."""
    num_fresh: int = 8192
    """Instances of the regime `fresh`: so many that they come up a few times each."""
    kl_weights: tuple[float, ...] = (0.5,)
    """Of the arms that begin as spt and go on by reward; the paper has 0.5."""
    iterations: int = 200
    """Rollouts, or as many tokens of demonstrations."""
    num_places: int = 64
    """Episodes side by side, for each seed."""
    width: int = 32
    """Features of the network's layers."""
    num_layers: int = 2
    save_every: int = 100
    """Iterations between checkpoints."""
    num_exam: int = 200
    """Instances of each kind, for each seed, that the last measurement asks for."""
    learn: PolicyGradientConfig = PolicyGradientConfig(learning_rate=2e-3, num_epochs=2, num_minibatches=2)
    imitate: SupervisedConfig = SupervisedConfig(learning_rate=2e-3)

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "num_seeds", "num_fixed", "num_fresh", "iterations", "num_places", "width", "num_layers")
        at_least(1, self, "save_every", "num_exam")
        at_least(0, self, "at_once")
        at_least(2, self, "dimension")
        if not 1 <= self.range <= 8:
            raise SettingError(f"range must be from 1 to 8, got {self.range}")
        for weight in self.kl_weights:
            if weight < 0:
                raise SettingError(f"kl_weights must be at least 0, got {weight}")


PRESETS = {
    "cpu": Config(name="cpu"),
    "tiny": Config(
        name="tiny",
        num_seeds=2,
        num_fixed=8,
        num_fresh=16,
        kl_weights=(0.5,),
        iterations=4,
        num_places=8,
        width=16,
        num_layers=1,
        save_every=2,
        num_exam=4,
    ),
}


@dataclasses.dataclass(frozen=True)
class Way:
    """An arm on this task."""

    name: str
    arm: Arm
    has_pad: bool


def ways_of(config: Config) -> list[Way]:
    """All arms."""
    reward, likelihood = Arm(practises="reward"), Arm(imitates=True)
    ways = [Way("rpt", reward, False), Way("rpt-pad", reward, True)]
    for variant, has_pad in (("answer", False), ("trace", True)):
        ways.append(Way(f"spt-{variant}", likelihood, has_pad))
        for weight in config.kl_weights:
            arm = Arm(imitates=True, practises="reward", kl_weight=weight)
            ways.append(Way(f"spt-{variant}, rft {weight:g}", arm, has_pad))
    return ways


class World(NamedTuple):
    """The task, and what there is to learn from."""

    task: Stream
    says: tuple[int, ...]  # what the working may hold
    answers: Example  # all demonstrations, by regime
    workings: Example
    steps: int  # of the longest episode of each kind
    pad: int


def main(config: Config) -> None:
    """Every arm in every regime, then the table."""
    devices.use_small_products()
    devices.use_compilation_cache()
    worlds = {regime: make_world(config, regime) for regime in config.regimes}
    with catch_signals() as stop:
        jobs = [
            functools.partial(learn_and_answer, config, worlds[regime], regime, way, stop)
            for regime, way in itertools.product(config.regimes, ways_of(config))
        ]
        at_once = config.at_once or together.fitting()
        results = together.do(jobs, at_once, stop, lambda result: print(" | ".join(cells(config, result)), flush=True))
    if results is None:
        print(f"stopped by {stop.signal}; to go on: the same command with --resume")
    else:
        report(config, results)


def make_world(config: Config, regime: Regime) -> World:
    """The task at one level, with harder ones beyond, and demonstrations of it."""
    here = ChoiceKnobs(config.dimension, config.range)
    beyond = (
        ("one dimension more", here._replace(dimension=config.dimension + 1)),
        ("twice the dimensions", here._replace(dimension=2 * config.dimension)),
        ("range 9", here._replace(range=9)),
    )
    task = orthogonal_choice(Levels((here,), beyond))

    def read(variant: demonstrations.Variant) -> Example:
        settings = demonstrations.Settings(task, variant=variant, regime=regime)
        num = config.num_fixed if regime == "fixed" else config.num_fresh
        return demonstrations.on_disk(settings, num, RUNS / config.name / "data", config.seed)

    longest = [max(column) for column in zip(*room.of_levels(task, with_trace=True), strict=True)]
    return World(task, traces.says(task), read("answer"), read("trace"), *longest)


def learn_and_answer(config: Config, world: World, regime: Regime, way: Way, stop: Stop) -> dict[str, Any] | None:
    """Learns in a run directory of its own; a run that has its result already does not learn again."""
    with open_run(config, regime, way) as run:
        if (run.directory / "result.json").exists():
            return json.loads((run.directory / "result.json").read_text())
        policy = policies.make(TokenConfig(NUM_TOKENS, NUM_TOKENS, "causal", config.width, config.num_layers))
        training = arms.prepare(
            way.arm,
            make_budget(config, world, way),
            policy,
            make_teacher(config, world),
            functools.partial(see, world, way),
            Demonstration(*map(jnp.asarray, demonstrations.as_seen(world.workings if way.has_pad else world.answers))),
        )
        weights = jax.jit(jax.vmap(lambda key: policy.init(key, 2)))(keys_of(config, 0))
        trained = loop.go_on(
            run,
            training.begin(weights),
            lambda everything, i: training.improve(everything, i, keys_of(config, i + 1)),
            config.iterations,
            stop,
            title=f"{regime}, {way.name}",
            brief=("success", "entropy", "accuracy", "cross_entropy"),
            save_every=config.save_every,
        )
        if trained is None:
            return None
        result = {
            "regime": regime,
            "arm": way.name,
            "solved": examine(config, world, way, policy, arms.weights_of(trained.everything)),
            "cost": training.cost(trained.everything, trained.iterations, keys_of(config, 0))._asdict(),
            "seconds": trained.seconds,
        }
        json_file.replace(run.directory / "result.json", json_file.dumps(result, indent=2) + "\n")
        return result


def make_budget(config: Config, world: World, way: Way) -> Budget:
    """Rollouts have room for one of the longest training episodes and a half."""
    steps = world.answers.shown.shape[1]
    if way.has_pad:
        steps = world.workings.shown.shape[1]
    iterations, num_steps = config.iterations, 3 * steps // 2
    return Budget(iterations, config.num_places, num_steps, steps, learn=config.learn, imitate=config.imitate)


def make_teacher(config: Config, world: World) -> Drill:
    """Of the instances that the demonstrations show: to write others would take most of an arm's time."""
    return Drill(as_pool(world), 2 * config.num_places)


def as_pool(world: World) -> Pool:
    """The demonstrated instances, to be answered."""
    shown, asked, length = (jnp.asarray(x) for x in (world.answers.shown, world.answers.asked, world.answers.length))
    return pool.from_instances(world.task, Instance(Script(shown, asked, length), jnp.asarray(world.answers.level)))


def see(world: World, way: Way, rows: Pool) -> Any:
    """The rows, with room for the longest working if the arm may write."""
    return Scratchpad(rows, world.says, world.pad) if way.has_pad else rows


def examine(config: Config, world: World, way: Way, policy: Policy, weights: Any) -> dict[str, list[float]]:
    """Success of each seed on instances that were learnt from, on new ones, and beyond, by the most likely actions."""
    num_steps = world.steps + (world.pad + 1 if way.has_pad else 0)

    @jax.jit
    def ask(weights: Any, rows: Pool) -> jax.Array:
        env = see(world, way, rows)

        def answer(weights: Any) -> jax.Array:
            episodes = jax.vmap(env.at)(jnp.arange(config.num_exam))
            return jax.vmap(env.is_solved)(exam.take(env, policy, weights, episodes, num_steps))

        return jnp.mean(jax.vmap(answer)(weights), axis=1)

    def of_level(level: int) -> Pool:
        levels = jnp.full(config.num_exam, level)
        return pool.write(world.task, jax.random.key(config.seed + 1), levels, split="test")

    known = pool.take(as_pool(world), jnp.arange(config.num_exam) % len(world.answers.level))
    room_for_all = jax.eval_shape(of_level, 0)
    known = known._replace(scripts=widen(known, len(room_for_all.scripts)))
    names = [world.task.levels.name(level) for level in range(1, world.task.levels.num_levels)]
    sets = {"learnt from": known, "new": of_level(0), **{name: of_level(i + 1) for i, name in enumerate(names)}}
    return {name: np.asarray(ask(weights, rows)).tolist() for name, rows in sets.items()}


def widen(rows: Pool, size: int) -> jax.Array:
    """The scripts of the rows with more room each, so that one compilation serves all pools."""
    scripts = rows.scripts.reshape(rows.num_rows, -1)
    return jnp.pad(scripts, ((0, 0), (0, size // rows.num_rows - scripts.shape[1]))).reshape(-1)


def keys_of(config: Config, i: int) -> jax.Array:
    return arms.seed_keys(config.seed, config.num_seeds, i)


def open_run(config: Config, regime: Regime, way: Way) -> Run:
    """The directory of one training, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name / f"{regime}-{way.name}".replace(", ", "-").replace(" ", "-")
    settings = dataclasses.asdict(config) | {"regime": regime, "way": dataclasses.asdict(way)}
    for which in ("resume", "at_once", "regimes", "kl_weights"):  # of the whole, not of this part
        del settings[which]
    versions = {"jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    return checkpoint.open_run(
        directory, settings, versions, resume=config.resume and (directory / "config.json").exists()
    )


def cells(config: Config, result: dict[str, Any]) -> list[str]:
    """A row of the table."""
    cost = result["cost"]
    marks = [str(success.over_seeds(np.array(rates), config.num_exam)) for rates in result["solved"].values()]
    costs = [f"{cost['tokens']:,}", f"{cost['steps']:,}", f"{cost['flops'] / 1e9:,.0f}", f"{result['seconds']:.0f}"]
    return [result["regime"], result["arm"], *marks, *costs]


def report(config: Config, results: list[dict[str, Any]]) -> None:
    """The table, for people and as JSON, and a figure if matplotlib is there."""
    directory = RUNS / config.name
    json_file.replace(directory / "results.json", json_file.dumps(results, indent=2) + "\n")
    heads = ["regime", "arm", *results[0]["solved"], "tokens learnt from", "steps played", "GFLOP", "seconds"]
    rows = [heads, ["---"] * len(heads), *(cells(config, result) for result in results)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    json_file.replace(directory / "table.md", table + "\n")
    draw(directory / "figure.png", results)
    print(table)
    by_chance = floor.by_chance(make_world(config, "fresh").task, jax.random.key(0), 0, 512)
    print(f"{config.num_seeds} seeds, {config.num_exam} instances of each kind and seed; by chance {by_chance:.2f}")
    print("tokens, steps and GFLOP are of one seed, seconds of all, which train side by side")
    print("the paper, one run: base 0.89, spt then rft 0.80, rft only 0.93 on 100 new instances")
    print(f"saved in {directory}: table.md, results.json, figure.png")


def draw(path: Path, results: list[dict[str, Any]]) -> None:
    """A panel for each regime: bars of every arm, learnt from, new and beyond; a dot for each seed."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        return
    regimes = list(dict.fromkeys(result["regime"] for result in results))
    size = (12, 3.5 * len(regimes))
    figure, panels = plt.subplots(len(regimes), 1, figsize=size, squeeze=False, sharey=True, layout="constrained")
    for panel, regime in zip(panels[:, 0], regimes, strict=True):
        of_regime = [result for result in results if result["regime"] == regime]
        kinds = list(of_regime[0]["solved"])
        for (i, result), (k, kind) in itertools.product(enumerate(of_regime), enumerate(kinds)):
            place, rates = i + 0.8 * k / len(kinds), result["solved"][kind]
            panel.bar(place, np.mean(rates), 0.8 / len(kinds), color=f"C{k}", label=kind if i == 0 else None)
            panel.plot([place] * len(rates), rates, "k.", markersize=3)
        panel.set_xticks([i + 0.4 - 0.4 / len(kinds) for i in range(len(of_regime))], [r["arm"] for r in of_regime])
        panel.axhline(0.25, color="grey", linestyle=":", label="by chance")
        panel.set_ylim(0, 1.03)
        panel.set_ylabel("solved")
        panel.set_title(f"{regime} instances")
    panels[0][0].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    try:
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, default="cpu"))
    except (SettingError, RunError, FloatingPointError) as error:
        sys.exit(f"orthogonality.py: {error}")
