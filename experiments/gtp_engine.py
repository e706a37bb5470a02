"""A trained network as a Go engine: any program that speaks GTP can play against it or let it analyse.

    python experiments/gtp_engine.py --run=runs/go_9x9/cpu

In Sabaki: Engines, Manage Engines, Add; the path is that of python, the arguments are this script with its full path
and --run with the full path of the run. Lizzie takes the whole line as its engine-command. Boards may have any size
from 2 to 19, whatever the network has learnt on. The first move on a size compiles the search: half a minute on 9×9,
longer on 19×19; the next start finds it compiled. Only GTP goes to standard output.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Literal

import jax
import numpy as np
import tyro
from flax.errors import FlaxError

from go_env import Go, State
from go_env.gtp import Brain, Candidate, Session, serve
from rl_pretrain import devices, trained
from rl_pretrain.checkpoint import RunError
from rl_pretrain.search import Analysis, SearchConfig, analyze
from rl_pretrain.settings import SettingError
from rl_pretrain.trained import Trained


@dataclasses.dataclass(frozen=True)
class Config:
    """Who plays, and how hard it thinks."""

    run: Path
    """Directory of a run of go_9x9.py."""
    simulations: int = 100
    """Search for each move; analysis goes up to it in four steps."""
    iteration: int | None = None
    """Which checkpoint. Default: the newest."""
    weights: Literal["average", "params", "initial"] = "average"
    """The averaged weights, the raw ones, or those before the first update."""
    resign_below: float = 0.0
    """Winning rate, from 0 to 1, below which it resigns. Default: never."""


def main(config: Config, sink: BinaryIO) -> None:
    """Answers commands from standard input until `quit`."""
    devices.use_compilation_cache()
    session = begin(config)
    with open(0, "rb", buffering=0, closefd=False) as source:
        serve(session, source, sink)


def begin(config: Config) -> Session:
    """A session with the network of a run. Raises SettingError or RunError where that is none of go_9x9.py's."""
    player = trained.load(config.run, config.iteration, config.weights)
    try:
        session = Session(
            search_brain(player, search_config(player, config.simulations)),
            rules=functools.partial(rules, player.config),
            size=player.config["size"],
            komi=player.config["komi"],
            name="reward-pretraining",
            version=f"{version('reward-pretraining')} {config.run.name} iteration {player.iteration}",
            resign_below=config.resign_below,
        )
        shape = jax.ShapeDtypeStruct((1, *session.record.go.observation_shape), np.float32)
        jax.eval_shape(player.predict, shape)
    except (FlaxError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise SettingError(f"{config.run} is not a run of go_9x9.py, or of another version: {reason}") from error
    return session


def rules(settings: dict[str, Any], size: int) -> Go:
    """Those of a run; on another board with a move limit in proportion to its area."""
    limit = settings["max_moves"] and max(1, settings["max_moves"] * size**2 // settings["size"] ** 2)
    return Go(size, ko=settings["ko"], max_moves=limit)


def search_config(player: Trained, num_simulations: int) -> SearchConfig:
    """The run's search, without noise."""
    learnt_with = SearchConfig(**player.config["search"])
    return dataclasses.replace(learnt_with, num_simulations=num_simulations, gumbel_scale=0.0)


def search_brain(player: Trained, config: SearchConfig) -> Brain:
    """A brain that searches; it compiles once for each size of board."""
    compiled = functools.cache(functools.partial(compile_analysis, player, config))

    def think(go: Go, state: State, effort: float) -> list[Candidate]:
        budget = max(1, round(effort * config.num_simulations))
        analysis, legal = jax.device_get(compiled(go)(player.weights, state, budget))
        return candidates(analysis, legal)

    return think


def compile_analysis(player: Trained, config: SearchConfig, go: Go) -> Callable:
    """Weights, a state and a number of simulations → its analysis, and what is legal."""
    print(f"compiling the search for {go.size}x{go.size}", file=sys.stderr)

    def analyze_one(weights, state: State, budget: jax.Array) -> tuple[Analysis, jax.Array]:
        states = jax.tree.map(lambda x: x[None], state)
        predict = player._replace(weights=weights).predict
        found = analyze(go, predict, config, jax.random.key(0), states, budget)  # without noise any key will do
        return jax.tree.map(lambda x: x[0], found), go.legal_actions(state)

    return jax.jit(analyze_one)


def candidates(analysis: Analysis, legal: np.ndarray) -> list[Candidate]:
    """The legal moves: the one to play, then those searched most, then those that the network likes best."""

    def rank(action: int):
        return action != analysis.action, -analysis.visits[action], -analysis.priors[action]

    return [
        Candidate(
            action=action,
            visits=int(analysis.visits[action]),
            winrate=(float(analysis.values[action]) + 1) / 2,
            prior=float(analysis.priors[action]),
            variation=tuple(int(a) for a in analysis.variations[action] if a >= 0),
        )
        for action in sorted(np.flatnonzero(legal).tolist(), key=rank)
    ]


def take_stdout() -> BinaryIO:
    """Standard output for GTP alone; whatever else anybody prints goes to standard error."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink


def parse(arguments: Sequence[str]) -> Config:
    """The settings on the command line."""
    return tyro.cli(Config, args=arguments, description=__doc__)


if __name__ == "__main__":
    try:
        # Two engines that play each other share a GPU only if neither takes all of its memory.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        main(parse(sys.argv[1:]), take_stdout())
    except (SettingError, RunError) as error:
        sys.exit(f"gtp_engine.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
