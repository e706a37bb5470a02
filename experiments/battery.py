"""What players know that nobody showed them: games they have not seen, problems, other boards, other komi.

    python experiments/battery.py runs/go_9x9/a runs/go_9x9/b --opponent=runs/go_9x9/a --games human.sgf

Of each run, its averaged weights:
  prediction   moves and results of games that are split off for testing, by phase: top 1 and 5, cross-entropy, Brier
               score, calibration error; without search
  problems     ladders, and life and death, with exact answers: the likeliest move, and that of search
  conditions   points against the opponent in the world it was trained in and in others: komi, board, odd openings
  habits       in the games it learns from: how sure search is, how openings differ, how often it passes or goes on
               to the move limit
It goes to RUN/battery.json, and to a table on the screen.
"""

import dataclasses
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from go_env import Go, diversity, games, life, problems
from go_env.env import KoRule
from go_env.problems import Problems
from rl_pretrain import devices, evaluate, json_file, prediction, selfplay, trained
from rl_pretrain.evaluate import Match
from rl_pretrain.replay import Example
from rl_pretrain.run_directory import RunError
from rl_pretrain.search import SearchConfig, search
from rl_pretrain.search import evaluate as evaluate_network
from rl_pretrain.selfplay import SelfplayConfig
from rl_pretrain.settings import SettingError, at_least
from rl_pretrain.trained import Trained

GAMES = Path("runs/games")
PHASES = ("opening", "middle", "end")
NUM_OPENING_MOVES = 8  # after which positions are compared


@dataclasses.dataclass(frozen=True)
class Config:
    """What is asked."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Directories of runs of go_9x9.py, all on boards of one size."""
    opponent: Path
    """The run that all play against."""
    games: tuple[str, ...] = ()
    """Folders, archives or files of records. Default: nothing is predicted."""
    num_positions: int = 20_000
    """Of games, to be predicted."""
    num_problems: int = 24
    """Of each kind."""
    simulations: tuple[int, ...] = (32, 200)
    """Searches that are tried on the problems; the first also plays."""
    num_pairs: int = 32
    """Of games, in each condition."""
    seed: int = 0
    """Of problems, openings and positions."""

    def __post_init__(self):
        if not self.runs:
            raise SettingError("runs must be one or more directories of runs")
        if not self.simulations or min(self.simulations) < 1:
            raise SettingError(f"simulations must be some numbers from 1 up, got {self.simulations}")
        at_least(1, self, "num_positions", "num_problems", "num_pairs")


def main(config: Config) -> None:
    """Everybody's battery, one after the other; compiled programs are shared."""
    opponent = trained.load(config.opponent)
    players = {run: trained.load(run) for run in config.runs}
    worlds = {world_of(player) for player in [opponent, *players.values()]}
    if len(worlds) > 1:
        raise SettingError(f"runs and opponent must be of one world, got {' and '.join(map(str, worlds))}")
    (go,) = worlds
    shown = list(batches(config, go)) if config.games else []
    asked = ask(config, go)
    for run, player in players.items():
        result = {
            "opponent": str(config.opponent),
            "iteration": player.iteration,
            "prediction": predict(player, shown) if shown else {},
            "problems": solve(config, go, player, asked) if asked else {},
            "conditions": dict(play_conditions(config, go, player, opponent)),
            "habits": observe_habits(config, go, player),
        }
        json_file.replace(run / "battery.json", json_file.dumps(result, indent=1) + "\n")
        show(run, result)


def world_of(player: Trained) -> Go:
    """What it was trained in."""
    ko: KoRule = player.config["ko"]
    return Go(player.config["size"], player.config["komi"], ko, player.config["max_moves"])


def batches(config: Config, go: Go, size: int = 500) -> Iterator[tuple[Example, jax.Array]]:
    """Positions of games for testing, the same ones for everybody, with their phases: thirds of a usual game."""
    try:
        rows = games.prepare(games.Settings(go), config.games, GAMES).test
    except (ValueError, OSError) as error:
        raise SettingError(f"games: {error}") from None
    third = float(np.median(rows.length)) / 3
    starts = (round(third), round(2 * third))
    look = jax.jit(functools.partial(games.positions, go))
    for i in range(-(-config.num_positions // size)):
        index, number = games.draw(rows, jax.random.fold_in(jax.random.key(config.seed), i), size)
        seen = look(rows, index, number)
        policy = jax.nn.one_hot(seen.action, go.num_actions)
        example = Example(seen.observation, seen.legal, policy, jnp.ones_like(seen.is_known), seen.value, seen.is_known)
        yield example, prediction.phase_of(number, starts)


def predict(player: Trained, shown: Sequence[tuple[Example, jax.Array]]) -> dict[str, dict[str, float]]:
    """Means for all positions and by phase."""
    sums = prediction.total(measure(player.network, player.weights, *batch) for batch in shown)
    by_phase, overall = prediction.means(sums), prediction.means(prediction.merged(sums))
    rows = {"all": {name: float(x[0]) for name, x in overall._asdict().items()}}
    for i, phase in enumerate(PHASES):
        rows[phase] = {name: float(x[i]) for name, x in by_phase._asdict().items()}
    return rows


@functools.partial(jax.jit, static_argnums=0)
def measure(network: Any, weights: Any, batch: Example, phase: jax.Array) -> prediction.Sums:
    return prediction.measure(functools.partial(network.apply, weights), batch, phase, len(PHASES))


def ask(config: Config, go: Go) -> Problems | None:
    """Problems of all kinds; None where the board or the komi leaves no room for them."""
    try:
        return problems.stack(go, problems.make(go, config.seed, config.num_problems, config.num_problems // 2))
    except ValueError as error:
        print(f"no problems: {error}", file=sys.stderr)
        return None


def solve(config: Config, go: Go, player: Trained, asked: Problems) -> dict[str, dict[str, dict[str, int]]]:
    """How many problems of each kind are solved, by how much is searched; and how often the value says who wins."""
    ways: dict[str, Any] = {"policy": likeliest(player.network, go, player.weights, asked.states)}
    for number in config.simulations:
        searching = dataclasses.replace(search_of(player), num_simulations=number)
        ways[f"{number} simulations"] = best(player.network, go, searching, player.weights, asked.states)
    right, kinds, pair = (np.asarray(x) for x in (asked.right, asked.kind, asked.pair))
    hits = {name: right[np.arange(len(right)), np.asarray(actions)] for name, actions in ways.items()}
    solved = {}
    for i, kind in enumerate(problems.KINDS):
        is_asked = (kinds == i) & right.any(axis=1)
        if is_asked.any():
            solved[kind] = {name: count(hit[is_asked]) for name, hit in hits.items()}
    if pairs := sorted({*pair.tolist()} - {-1}):  # one habit solves half of each
        solved["both of a pair"] = {
            name: count(np.array([hit[pair == i].all() for i in pairs])) for name, hit in hits.items()
        }
    values = np.asarray(evaluate_states(player.network, go, player.weights, asked.states))
    is_decided = kinds < len(life.KINDS)
    solved["who wins"] = {"value": count((np.sign(values) == np.asarray(asked.value))[is_decided])}
    return solved


def count(hits: np.ndarray) -> dict[str, int]:
    return {"solved": int(hits.sum()), "num": len(hits)}


def search_of(player: Trained) -> SearchConfig:
    """As it was trained with, but without noise."""
    return SearchConfig(**{**player.config["search"], "gumbel_scale": 0.0})


@functools.partial(jax.jit, static_argnums=(0, 1))
def likeliest(network: Any, go: Go, weights: Any, states: Any) -> jax.Array:
    """int32 `[batch]`: the network's choice."""
    return evaluate.raw_policy(go, functools.partial(network.apply, weights))(jax.random.key(0), states)


@functools.partial(jax.jit, static_argnums=(0, 1))
def evaluate_states(network: Any, go: Go, weights: Any, states: Any) -> jax.Array:
    """float32 `[batch]`: what the network expects for the player to move."""
    return evaluate_network(go, functools.partial(network.apply, weights), states)[1]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def best(network: Any, go: Go, config: SearchConfig, weights: Any, states: Any) -> jax.Array:
    """int32 `[batch]`: the choice of search."""
    return search(go, functools.partial(network.apply, weights), config, jax.random.key(0), states).action


def play_conditions(
    config: Config, go: Go, player: Trained, opponent: Trained
) -> Iterator[tuple[str, dict[str, float]]]:
    """Points against the opponent, world by world. One compiled program for each size of board."""
    worlds = {"as trained": (go, 4), "16 random moves": (go, 16)}
    worlds |= {f"komi {komi:g}": (dataclasses.replace(go, komi=komi), 4) for komi in (go.komi - 4, go.komi + 3)}
    sizes = [size for size in (go.size - 2, go.size + 2) if 4 <= size <= 19]
    worlds |= {f"{n}×{n}": (dataclasses.replace(go, size=n, max_moves=None), 4) for n in sizes}
    searching = dataclasses.replace(search_of(player), num_simulations=config.simulations[0])
    networks, weights = (player.network, opponent.network), (player.weights, opponent.weights)
    for name, (world, num_moves) in worlds.items():
        openings = random_openings(world, config.num_pairs, num_moves, config.seed)
        rules = dataclasses.replace(world, komi=go.komi)  # the komi that counts is that of the states
        match = jax.device_get(play(networks, rules, searching, weights, openings, config.seed))
        yield name, evaluate.score(match)._asdict()


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def random_openings(go: Go, num_pairs: int, num_moves: int, seed: jax.Array) -> Any:
    """States `[pairs]`."""
    return evaluate.random_openings(go, jax.random.key(seed), num_pairs, num_moves)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def play(networks: Any, go: Go, config: SearchConfig, weights: Any, openings: Any, seed: jax.Array) -> Match:
    """Pairs of games between two networks with the same search."""
    sides = [
        evaluate.searcher(go, functools.partial(network.apply, w), config)
        for network, w in zip(networks, weights, strict=True)
    ]
    return evaluate.play_match(go, sides[0], sides[1], openings, jax.random.key(seed), go.move_limit)


def observe_habits(config: Config, go: Go, player: Trained) -> dict[str, float]:
    """Of the first game in each of 2 · num_pairs places, as it played to learn."""
    like = SelfplayConfig(**player.config["selfplay"])
    playing = dataclasses.replace(
        like, num_games=2 * config.num_pairs, num_steps=go.move_limit, replay_steps=go.move_limit, full_share=1.0
    )
    searching = SearchConfig(**player.config["search"])
    seen = jax.device_get(play_alone(player.network, go, searching, playing, player.weights, config.seed))
    is_played = np.cumsum(seen.discount == 0, axis=0) - (seen.discount == 0) == 0
    lengths, num_moves = is_played.sum(axis=0), is_played.sum()
    entropy = -np.sum(seen.policy * np.log(np.where(seen.policy > 0, seen.policy, 1)), axis=-1)
    boards = diversity.after(go, np.where(is_played, seen.action, -1).T, NUM_OPENING_MOVES)
    return {
        "game_length": float(lengths.mean()),
        "pass_rate": float(((seen.action == go.pass_action) & is_played).sum() / num_moves),
        "move_limit_rate": float((lengths == go.move_limit).mean()),
        "entropy_of_search": float(entropy[is_played].mean()),
        "kinds_of_openings": float(diversity.count(boards).effective),
    }


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def play_alone(
    network: Any, go: Go, search: SearchConfig, config: SelfplayConfig, weights: Any, seed: jax.Array
) -> Any:
    """A trajectory of self-play from the empty board."""
    games_key, key = jax.random.split(jax.random.key(seed))
    begun = selfplay.start(go, games_key, config.num_games)
    return selfplay.play(go, functools.partial(network.apply, weights), search, config, key, begun)[1]


def show(run: Path, result: dict[str, Any]) -> None:
    """One run's results, for people."""
    table = Table(title=f"{run}, iteration {result['iteration']}", title_justify="left", show_header=False)
    if result["prediction"]:
        means = result["prediction"]["all"]
        table.add_row("moves predicted", f"{means['top_1']:.1%}, {means['top_5']:.1%} among five")
        table.add_row("results", f"Brier {means['brier']:.3f}, calibration error {means['calibration_error']:.3f}")
    for kind, ways in result["problems"].items():
        table.add_row(kind, ", ".join(f"{name} {x['solved']} of {x['num']}" for name, x in ways.items()))
    for name, score in result["conditions"].items():
        table.add_row(
            f"against {result['opponent']}, {name}", f"{score['mean']:.2f} [{score['low']:.2f}, {score['high']:.2f}]"
        )
    table.add_row("habits", ", ".join(f"{name.replace('_', ' ')} {x:.3g}" for name, x in result["habits"].items()))
    Console().print(table)


if __name__ == "__main__":
    try:
        devices.use()
        devices.use_compilation_cache()
        main(tyro.cli(Config, description=__doc__))
    except (SettingError, RunError) as error:
        sys.exit(f"battery.py: {error}")
