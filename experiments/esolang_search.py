"""Programs found by reward alone: reasoners from scratch that write Brainf**k until a program is right.

    python experiments/esolang_search.py
    python experiments/esolang_search.py --problems reverse echo-second-seq --capacity 16 --num-seeds 3

Each problem is a search of its own, several seeds side by side, each with its own weights, chance and queue. A program
is run on cases to train on and rewarded by how much it wrote before its first mistake, and how near that was. The best
ones so far are learnt by likelihood beside the policy gradient (priority queue training, arXiv 1801.03526;
--queue-weight=0 for policy gradients alone). A search ends when every seed has found a program that is right in all
cases; then each is run on inputs that were never met.

What counts is the number of programs executed, beside the 20 million that were allowed there. There a program had room
for 100 commands and brackets without partner; here it has room for --capacity commands, and its brackets are balanced.

What made searches find more: a queue in which every reward stands once, else it holds ten ways to do the same; weights
of the queue and of entropy that balance each other and are high, so that the policy stays near the queue but tries
much; rewards in order; and patience, since what is found at all is found within some 250,000 programs of a beginning.

Presets (every setting can be changed by its flag):
  easy     from one number to print up to copying
  coder    four of the published problems: 14 to 19 of 20 searches find a program, in 10 minutes on two CPU cores
  tiny     seconds, for tests
"""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from esolang import brainfuck_reference, env, grading, priority_queue
from esolang.env import Rules, Writing
from esolang.priority_queue import Queue
from esolang.problems import brain_coder, cases, coding, ladder, paper
from esolang.problems.coding import Coding
from esolang.status import Status
from rl_pretrain import (
    arms,
    checkpoint,
    command_line,
    devices,
    json_file,
    learner,
    loop,
    policy_gradient,
    rollout,
    supervised,
)
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.learner import TrainState, Weights
from rl_pretrain.networks import policy as policies
from rl_pretrain.networks.tokens import TokenConfig
from rl_pretrain.policy_gradient import PolicyGradientConfig
from rl_pretrain.settings import SettingError, a_name, at_least
from rl_pretrain.supervised import Demonstration

RUNS = Path("runs/esolang_search")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a search."""

    name: str
    """The run lives in runs/esolang_search/<name>. Default: the preset's name."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """The first of the seeds."""
    num_seeds: int = 3
    """Searches side by side."""
    problems: tuple[str, ...] = ("copy",)
    """Names, see esolang/problems."""
    capacity: int = 16
    """Commands that a program has room for."""
    max_steps: int = 500
    """Commands that a program may execute while it is searched for; in the last test 5000."""
    num_cases: int = 32
    """Cases that a program is rewarded for."""
    num_hidden: int = 200
    """Cases of the last test, none of them seen before."""
    reward: grading.Kind = "in_order"
    """See `esolang.env.Rules`; graded is the published one."""
    iterations: int = 4000
    """Rollouts at most."""
    num_places: int = 256
    """Programs of a rollout, for each seed."""
    kind: Literal["gru", "mlp"] = "mlp"
    """Of the network: it remembers what it wrote, or sees the last command, the open brackets and the time only."""
    width: int = 48
    """Features of its layers."""
    queue_size: int = 10
    """Best programs that are kept."""
    queue_weight: float = 1.5
    """Of their likelihood beside the policy's loss."""
    patience: int = 1000
    """Iterations without a better program after which a search begins anew, with new weights and an empty queue."""
    save_every: int = 50
    """Iterations between checkpoints, at which it is asked whether all seeds have found a program."""
    learn: PolicyGradientConfig = PolicyGradientConfig(
        baseline="mean", num_epochs=1, num_minibatches=1, learning_rate=1e-2, entropy_weight=1.5
    )
    """A rollout is learnt from once and whole, whatever this says of epochs and minibatches."""

    def __post_init__(self):
        a_name(self.name)
        at_least(1, self, "num_seeds", "capacity", "max_steps", "num_cases", "num_hidden", "iterations", "num_places")
        at_least(1, self, "width", "queue_size", "patience", "save_every")
        at_least(0, self, "queue_weight")
        for name in self.problems:
            find_problem(name)


def find_problem(name: str) -> Coding:
    """The problem of a name. Raises SettingError where there is none."""
    every = [*ladder.problems(), *brain_coder.problems(), paper.copy_five(), paper.sort_five()]
    known = {problem.name: problem for problem in every}
    if name not in known:
        raise SettingError(f"unknown problem {name!r}; choose from {', '.join(known)}")
    return known[name]


PRESETS = {
    "easy": Config(
        name="easy",
        problems=("print-1", "print-1-2", "print-1-2-3", "print-hi", "echo-one", "add-three", "swap", "copy"),
        capacity=12,
    ),
    "coder": Config(
        name="coder",
        problems=("echo-second-seq", "shift-left", "reverse", "length"),
        capacity=14,
        num_seeds=5,
        save_every=100,
    ),
    "tiny": Config(name="tiny", problems=("print-1",), num_seeds=2, capacity=4, num_places=16, iterations=4, width=8),
}


class Search(NamedTuple):
    """All that a search goes on from; of each seed."""

    train: TrainState
    queue: Queue
    best_at: jax.Array  # int32: the iteration that found the best program of the queue
    found_at: jax.Array  # int32: the iteration that found a right program, -1 as long as none has
    program: jax.Array  # int32 [C]: the first one that was


def main(config: Config) -> None:
    """Every problem, then the table."""
    devices.use_small_products()
    devices.use_compilation_cache()
    problems = [find_problem(name) for name in config.problems]
    begin, improve = make_search(config)
    bank = cases.bank(problems, "train", config.num_cases, config.seed)
    results = []
    with catch_signals() as stop:
        for i, problem in enumerate(problems):
            rows = Writing(rules_of(config), bank, jnp.full(config.num_places, i, jnp.int32))
            result = search(config, problem, begin, functools.partial(improve, rows), stop)
            if result is None:
                print(f"stopped by {stop.signal}; to go on: the same command with --resume")
                return
            results.append(result)
            print(line(result), flush=True)
    json_file.replace(RUNS / config.name / "results.json", json_file.dumps(results, indent=2) + "\n")


def search(
    config: Config,
    problem: Coding,
    begin: Callable[[jax.Array], Search],
    improve: Callable[[Search, int, jax.Array], tuple[Search, dict[str, jax.Array]]],
    stop: Stop,
) -> dict[str, Any] | None:
    """Searches in a run directory of its own; a run that has its result already does not search again."""
    with open_run(config, problem) as run:
        if (run.directory / "result.json").exists():
            return json.loads((run.directory / "result.json").read_text())
        trained = loop.go_on(
            run,
            begin(arms.seed_keys(config.seed, config.num_seeds, 0)),
            lambda search, i: improve(search, i, arms.seed_keys(config.seed, config.num_seeds, i + 1)),
            config.iterations,
            stop,
            title=problem.name,
            brief=("best", "mean", "entropy"),
            save_every=config.save_every,
            is_enough=lambda search: bool((search.found_at >= 0).all()),
        )
        if trained is None:
            return None
        found_at, programs = np.asarray(trained.everything.found_at), np.asarray(trained.everything.program)
        result = {
            "problem": problem.name,
            "capacity": config.capacity,
            "has_hidden": problem.has_hidden,
            "executed": [int(i + 1) * config.num_places if i >= 0 else None for i in found_at],
            "programs": [env.text(program) if i >= 0 else None for program, i in zip(programs, found_at, strict=True)],
            "seconds": trained.seconds,
            "iterations": trained.iterations,
        }
        result["hidden"] = [program and share_right(config, problem, program) for program in result["programs"]]
        json_file.replace(run.directory / "result.json", json_file.dumps(result, indent=2) + "\n")
        return result


def open_run(config: Config, problem: Coding) -> Run:
    """The directory of one search, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name / problem.name
    settings = dataclasses.asdict(config) | {"problem": problem.name}
    for which in ("resume", "problems"):  # of the whole, not of this part
        del settings[which]
    versions = {"jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    resume = config.resume and (directory / "config.json").exists()
    return checkpoint.open_run(directory, settings, versions, resume=resume)


def rules_of(config: Config) -> Rules:
    options = dataclasses.replace(brain_coder.DIALECT, max_steps=config.max_steps, max_output=32, cells=64)
    return Rules(config.capacity, options, reward=config.reward)


def make_search(config: Config) -> tuple[Callable[..., Search], Callable[..., tuple[Search, Any]]]:
    """The beginning, and an iteration: rows, search, number, keys → the search after it, and scalars; of all seeds."""
    rules, num_seen = rules_of(config), 4
    policy = policies.make(
        TokenConfig(rules.num_tokens(len(config.problems)), env.NUM_ACTIONS, config.kind, config.width, num_layers=1)
    )
    optimizer = policy_gradient.make_optimizer(config.learn, config.iterations)

    def begin(key: jax.Array) -> Search:
        train = learner.init(optimizer, policy.init(key, num_seen))
        queue = priority_queue.empty(config.queue_size, config.capacity, num_seen)
        return Search(train, queue, jnp.int32(0), jnp.int32(-1), jnp.zeros(config.capacity, jnp.int32))

    def improve(rows: Writing, search: Search, i: jax.Array, key: jax.Array) -> tuple[Search, dict[str, jax.Array]]:
        episodes = jax.vmap(rows.at)(jnp.arange(config.num_places))
        size = key, episodes, config.capacity
        played = rollout.play(rows, policy, search.train.params, *size, renew=rows.renew, note=rows.is_solved)
        sample = policy_gradient.prepare(config.learn, policy, played)
        is_choice = jnp.sum(played.legal, axis=-1) > 1
        new = Queue(played.observation, played.action, is_choice, played.reward[-1])
        queue = priority_queue.remember(search.queue, new)
        is_shown = queue.is_choice & jnp.isfinite(queue.reward)
        shown = Demonstration(queue.observation, queue.action, is_shown.astype(jnp.float32))

        def loss(weights: Weights) -> tuple[jax.Array, dict[str, jax.Array]]:
            total, scalars = policy_gradient.loss(config.learn, policy, weights, sample)
            return total + config.queue_weight * supervised.loss(policy, weights, shown)[0], scalars

        train, scalars = learner.descend(optimizer, search.train, loss)
        is_right = played.note[-1]
        is_first = (search.found_at < 0) & jnp.any(is_right)
        program = jnp.where(is_first, played.action[:, jnp.argmax(is_right)], search.program)
        scalars |= {"best": queue.reward[0], "mean": jnp.mean(played.reward[-1]), "right": jnp.mean(is_right)}
        best_at = jnp.where(queue.reward[0] > search.queue.reward[0], i, search.best_at)
        return Search(train, queue, best_at, jnp.where(is_first, i, search.found_at), program), scalars

    def begin_anew(search: Search, i: jax.Array, keys: jax.Array) -> Search:
        """Those that are stuck; of all seeds, so that nothing is begun where none is."""
        is_stuck = (search.found_at < 0) & (i - search.best_at > config.patience)

        def chosen(is_stuck: jax.Array, key: jax.Array, old: Search) -> Search:
            fresh = begin(key)._replace(best_at=i)
            return jax.tree.map(lambda new, old: jnp.where(is_stuck, new, old), fresh, old)

        return jax.lax.cond(jnp.any(is_stuck), lambda: jax.vmap(chosen)(is_stuck, keys, search), lambda: search)

    def improve_all(
        rows: Writing, search: Search, i: jax.Array, keys: jax.Array
    ) -> tuple[Search, dict[str, jax.Array]]:
        play_keys, begin_keys = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        search = begin_anew(search, i, begin_keys)
        return jax.vmap(improve, in_axes=(None, 0, None, 0))(rows, search, i, play_keys)

    return jax.jit(jax.vmap(begin)), jax.jit(improve_all)


def share_right(config: Config, problem: Coding, program: str) -> float:
    """Of the cases never seen, by the plain interpreter."""
    hidden = coding.cases(problem, "test", config.num_hidden, config.seed)
    outcomes = [brainfuck_reference.run(program, case.data, brain_coder.DIALECT) for case in hidden]
    right = [
        outcome.status == Status.OK and outcome.output == case.expected
        for outcome, case in zip(outcomes, hidden, strict=True)
    ]
    return sum(right) / len(right)


def line(result: dict[str, Any]) -> str:
    """A result as a line of the table."""
    executed = ", ".join("-" if num is None else f"{num / 1e6:.3f}M" for num in result["executed"])
    hidden = ", ".join("-" if share is None else f"{share:.2f}" for share in result["hidden"])
    best = min((program for program in result["programs"] if program), key=len, default="nothing found")
    kind = "hidden" if result["has_hidden"] else "all"
    return f"{result['problem']:16} executed {executed} | {kind} {hidden} | {result['seconds']:.0f} s | {best}"


if __name__ == "__main__":
    try:
        main(command_line.parse(sys.argv[1:], PRESETS, __doc__, default="easy"))
    except (SettingError, RunError, FloatingPointError) as error:
        sys.exit(f"esolang_search.py: {error}")
