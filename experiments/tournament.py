"""Plays Go players against each other and rates them: networks with and without search, GNU Go, other GTP engines.

    python experiments/tournament.py random initial:runs/go_9x9/cpu run:runs/go_9x9/cpu gnugo:0 gnugo:1 gnugo:10

Players:
  run:DIR[@ITERATION][#SIMULATIONS]   the averaged weights of a run, with search; default its newest checkpoint
  initial:DIR[#SIMULATIONS]           the run's weights before the first update, with search
  policy:DIR[@ITERATION]              the likeliest move of the averaged weights, without search
  random                              any legal move
  gnugo:LEVEL                         GNU Go at a level from 0 to 10 (apt install gnugo)
  gtp:COMMAND                         any other engine that speaks GTP

Everybody meets everybody. Two games make a pair: the same opening of a few random moves, with swapped colours. Pairs
go to runs/tournament/<name>/pairs.jsonl as they end, with every move, so a tournament that was killed goes on with
--resume and repeats nothing. The games are in games/*.sgf. At the end there are Elo ratings (Bradley-Terry, intervals
over pairs; GNU Go level 10 counts as 1800, as on CGOS) as a table, in ratings.json and in ratings.png.

All play by the rules of go_env: area scoring, positional superko, all stones alive after two passes. An engine that
dies, takes too long or makes an illegal move loses the game, and the table says so.
"""

import collections
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import re
import shlex
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import chex
import jax
import numpy as np
import tyro
from flax.errors import FlaxError
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from go_env import RULES_VERSION, Go, KoRule, State, gtp_client, match, sgf
from go_env.gtp_client import Client, CommandFailedError, EngineError
from go_env.match import Engine, Games, Pair, Player
from rl_pretrain import devices, elo, evaluate, json_file, run_directory, trained
from rl_pretrain.elo import Rating
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.networks.conv import ConvNet
from rl_pretrain.run_directory import RunError
from rl_pretrain.search import SearchConfig
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS = Path("runs/tournament")
PAIRS, GAMES, RATINGS, PLOT = "pairs.jsonl", "games", "ratings.json", "ratings.png"  # in a tournament's directory


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a tournament."""

    players: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Two or more; see above."""
    name: str = "default"
    """The tournament lives in runs/tournament/<name>."""
    resume: bool = False
    """Go on with the tournament of this name; begin it, if there is none. Players and pairs may be added."""
    seed: int = 0
    """Decides everything that is random."""

    size: int = 9
    """Edge of the board."""
    komi: float = 7.0
    """Points for White; whole numbers make draws possible."""
    ko: KoRule = "positional_superko"
    """Which repetitions the rules forbid."""
    max_moves: int | None = None
    """Actions after which a game is scored as it stands. Default: 2 · size²."""

    num_pairs: int = 16
    """Openings; any two players play two games from each."""
    opening_moves: tuple[int, int] = (2, 4)
    """Fewest and most random moves of an opening. None is on the first line of boards from 5×5 on."""
    simulations: int = 32
    """Search of networks that are not given a number of their own."""
    engines_meet: bool = True
    """Whether outside engines play each other, too: usually the slowest games."""
    anchor: str | None = None
    """The player whose rating is known. Default: gnugo:10 if it plays, else the first player."""
    anchor_elo: float | None = None
    """Its rating. Default: 1800 for gnugo:10, 0 for others."""

    batch_pairs: int = 32
    """Pairs played at the same time; each keeps up to four processes of outside engines."""
    threads: int | None = None
    """Outside engines that think at the same time. Default: as many as there are cores."""
    move_seconds: float = 120.0
    """An outside engine that takes longer for a move loses the game."""

    def __post_init__(self):
        try:
            self.go  # noqa: B018 (made to see whether there can be such rules)
        except ValueError as error:
            raise SettingError(str(error)) from None
        at_least(1, self, "num_pairs", "simulations", "batch_pairs")
        at_least(0.001, self, "move_seconds")
        if self.threads is not None:
            at_least(1, self, "threads")
        fewest, most = self.opening_moves
        if not 0 <= fewest <= most < self.go.move_limit:
            raise SettingError(f"opening_moves must be from 0 up, fewest first, got {fewest} {most}")
        a_name(self.name)
        if len(self.players) < 2:
            raise SettingError(f"players must be two or more, got {' '.join(self.players) or 'none'}; see --help")

    @property
    def go(self) -> Go:
        """The rules."""
        return Go(self.size, self.komi, self.ko, self.max_moves)


def main(config: Config, console: Console) -> None:
    """The whole tournament, top to bottom."""
    players = [enter(config, spec) for spec in config.players]
    matchups = schedule(config, players)
    anchor = choose_anchor(config, players)
    openings = draw_openings(config)
    with contextlib.ExitStack() as stack:
        record = stack.enter_context(open_record(config, players))
        missing = {(a, b): record.missing(a.name, b.name, config.num_pairs) for a, b in matchups}
        left, total = sum(map(len, missing.values())), config.num_pairs * len(matchups)
        console.print(f"{len(players)} players, {total} pairs of games, {total - left} played; in {record.directory}")
        stop = stack.enter_context(catch_signals())
        pool = stack.enter_context(ThreadPoolExecutor(config.threads or os.cpu_count()))

        for (first, second), numbers in missing.items():
            for begin in range(0, len(numbers), config.batch_pairs):
                batch = {i: openings[i] for i in numbers[begin : begin + config.batch_pairs]}
                points = meet(config, console, record, pool, stop, first, second, batch)
                if stop.requested:
                    console.print(f"stopped by {stop.signal}; to go on: {command()}")
                    return
                left -= len(batch)
                score = f"{points:g} : {2 * len(batch) - points:g}"
                console.print(f"{total - left}/{total}  {first.name} – {second.name}  {score}")
        report(config, console, record, [player.name for player in players], anchor)


def meet(
    config: Config,
    console: Console,
    record: "Record",
    pool: Executor,
    stop: Stop,
    first: Player,
    second: Player,
    openings: Mapping[int, Sequence[int]],
) -> float:
    """Plays pairs at the same time and records them; the first player's points. Gives up when asked to stop."""
    points, title = 0.0, f"{first.name} – {second.name}"
    rows = min(config.batch_pairs, config.num_pairs)  # the same for all: fewer shapes, fewer compilations
    plies = match.play(config.go, first, second, openings, pool, rows)
    with contextlib.closing(plies), console.status(title) as status:
        for number, ended in enumerate(plies, 1):
            if stop.requested:  # and then nothing counts: Ctrl-C in a terminal reaches the engines, too
                break
            for pair in ended:
                record.add(first.name, second.name, pair)
                points += sum(match.points(game, first.name) for game in pair.games)
                for note in filter(None, (game.info.get("GC") for game in pair.games)):
                    print(f"warning: game lost: {note}", file=sys.stderr, flush=True)
            status.update(f"{title}  move {number}")
    return points


@dataclasses.dataclass(frozen=True, eq=False)
class JaxPlayer:
    """A network, with or without search, or chance."""

    name: str
    mind: "Mind"
    weights: chex.ArrayTree = ()

    def choose(self, games: Games, pool: Executor) -> Callable[[], Sequence[int]]:
        """See Player. One program moves in all the games; JAX runs it in the background by itself."""
        del pool
        seeds = np.zeros(len(games.legal), np.uint32)
        seeds[: len(games.lives)] = [live.seed for live in games.lives]
        actions = think(self.mind, self.weights, seeds, games.states)
        return lambda: np.asarray(actions).tolist()


@dataclasses.dataclass(frozen=True)
class Mind:
    """All that makes a player of ours but the weights: players with the same mind share one compiled program."""

    go: Go
    seed: int
    network: ConvNet | None = None
    """None takes any legal move."""
    search: SearchConfig | None = None
    """None takes the network's likeliest move."""


@functools.partial(jax.jit, static_argnums=0)
def think(mind: Mind, weights: Any, seeds: jax.Array, states: State) -> jax.Array:
    """int32 `[batch]`. A move depends on its game and that game's seed, not on the games beside it."""
    key = jax.random.key(mind.seed)
    if mind.network is None:
        any_move = evaluate.random_player(mind.go)

        def one(seed, state):
            own_key = jax.random.fold_in(jax.random.fold_in(key, seed), state.ply)
            return any_move(own_key, jax.tree.map(lambda x: x[None], state))[0]

        return jax.vmap(one)(seeds, states)

    apply: Callable[..., Any] = mind.network.apply
    predict = functools.partial(apply, weights)
    if mind.search is None:
        return evaluate.raw_policy(mind.go, predict)(key, states)
    return evaluate.searcher(mind.go, predict, mind.search)(key, states)  # without noise: the key does not matter


def enter(config: Config, spec: str) -> Player:
    """A player by its name on the command line. Raises SettingError, in one line, where there is none."""
    kind, _, rest = spec.partition(":")
    try:
        if spec == "random":
            return JaxPlayer(spec, Mind(config.go, config.seed))
        if kind in ("run", "initial", "policy") and rest:
            return enter_network(config, kind, rest)
        if kind == "gnugo" and re.fullmatch("[0-9]|10", rest):
            return enter_engine(config, spec, lambda seed: gtp_client.gnugo(int(rest), seed))
        if kind == "gtp" and rest.strip():
            return enter_engine(config, spec, lambda seed: shlex.split(rest))
    except (SettingError, RunError, EngineError, CommandFailedError, ValueError) as error:
        raise SettingError(f"player {spec}: {error}") from error
    raise SettingError(
        f"unknown player {spec!r}; players are run:DIR[@ITERATION][#SIMULATIONS], initial:DIR[#SIMULATIONS], "
        "policy:DIR[@ITERATION], random, gnugo:LEVEL (0 to 10) and gtp:COMMAND"
    )


def enter_network(config: Config, kind: str, rest: str) -> JaxPlayer:
    """A player out of a run directory. Its name says which iteration and how much search."""
    parts = re.fullmatch(r"(?P<run>.+?)(?:@(?P<iteration>\d+))?(?:#(?P<simulations>\d+))?", rest)
    if parts is None or (kind == "initial" and parts["iteration"]) or (kind == "policy" and parts["simulations"]):
        raise SettingError("initial: takes no @ITERATION, policy: no #SIMULATIONS")
    iteration = int(parts["iteration"]) if parts["iteration"] else None
    try:
        player = trained.load(parts["run"], iteration, "initial" if kind == "initial" else "average")
        search = SearchConfig(**player.config["search"])
        jax.eval_shape(player.predict, jax.ShapeDtypeStruct((1, *config.go.observation_shape), np.float32))
    except (FlaxError, KeyError, TypeError, ValueError) as error:
        raise SettingError(f"not a run of go_9x9.py, or of another version ({str(error).splitlines()[0]})") from error
    name = f"{kind}:{parts['run']}" + ("" if kind == "initial" else f"@{player.iteration}")
    if kind == "policy":
        return JaxPlayer(name, Mind(config.go, config.seed, player.network), player.weights)
    simulations = int(parts["simulations"] or config.simulations)
    search = dataclasses.replace(search, num_simulations=simulations, gumbel_scale=0.0)
    return JaxPlayer(f"{name}#{simulations}", Mind(config.go, config.seed, player.network, search), player.weights)


def enter_engine(config: Config, name: str, command: Callable[[int], Sequence[str]]) -> Engine:
    """A player that is a program. It is started once, to see that it is there and plays on this board."""

    def start(seed: int) -> Client:
        return Client(command(seed), config.move_seconds, name)

    with start(1) as client:
        client.send(f"boardsize {config.size}")
        return Engine(name, config.go, start, f"{client.send('name')} {client.send('version')}".strip())


def schedule(config: Config, players: Sequence[Player]) -> list[tuple[Player, Player]]:
    """Who meets whom."""
    for name, count in collections.Counter(player.name for player in players).items():
        if count > 1:
            raise SettingError(f"player {name} is there {count} times")
    matchups = list(itertools.combinations(players, 2))
    if not config.engines_meet:
        matchups = [pair for pair in matchups if not all(isinstance(player, Engine) for player in pair)]
    if not matchups:
        raise SettingError("all players are outside engines, and engines_meet says that these do not meet")
    return matchups


class Anchor(NamedTuple):
    """What the ratings are relative to."""

    name: str
    elo: float


def choose_anchor(config: Config, players: Sequence[Player]) -> Anchor:
    """GNU Go level 10 at 1800, if the settings do not say otherwise."""
    names = [player.name for player in players]
    asked = config.anchor
    if asked in config.players:
        asked = names[config.players.index(asked)]
    if asked is not None and asked not in names:
        raise SettingError(f"anchor {asked} does not play; players are {', '.join(names)}")
    name = asked or ("gnugo:10" if "gnugo:10" in names else names[0])
    default = 1800.0 if name == "gnugo:10" else 0.0
    return Anchor(name, default if config.anchor_elo is None else config.anchor_elo)


def draw_openings(config: Config) -> list[list[int]]:
    """The same for all who meet, so that nobody has the easier ones."""
    try:
        return match.random_openings(config.go, config.seed, config.num_pairs, config.opening_moves)
    except ValueError as error:
        raise SettingError(f"num_pairs is {config.num_pairs}, but {error}; raise opening_moves") from error


@contextlib.contextmanager
def open_record(config: Config, players: Sequence[Player]) -> Iterator["Record"]:
    """The tournament's directory, for this process alone. Raises RunError where it holds another tournament."""
    directory = RUNS / config.name
    resume = config.resume and (directory / run_directory.CONFIG).exists()
    known = run_directory.read_config(directory)[0].get("players", {}) if resume else {}
    now = {player.name: fingerprint(player) for player in players}
    for name in now.keys() & known.keys():
        if now[name] != known[name]:
            raise RunError(f"{name} is not the player it was when {directory} began; choose another --name")
    settings = dataclasses.asdict(config) | {"players": known | now}
    for name in ("name", "resume", "threads"):
        del settings[name]
    may_differ = ("players", "num_pairs", "simulations", "engines_meet", "anchor", "anchor_elo", "batch_pairs")
    versions = {"go_rules": RULES_VERSION, "jax": jax.__version__, "reward-pretraining": version("reward-pretraining")}
    with contextlib.ExitStack() as stack:
        lock = run_directory.claim(directory, settings, versions, resume, (*may_differ, "move_seconds"))
        stack.enter_context(contextlib.closing(lock))
        yield stack.enter_context(contextlib.closing(Record(directory)))


def fingerprint(player: Player) -> str:
    """Tells players apart that have the same name: a run may have been trained anew, an engine updated."""
    if isinstance(player, Engine):
        return player.version
    weights = jax.tree.leaves(player.weights) if isinstance(player, JaxPlayer) else []
    return f"{functools.reduce(lambda crc, x: zlib.crc32(np.asarray(x).tobytes(), crc), weights, 0):08x}"


class Played(NamedTuple):
    """A pair and who played it."""

    first: str
    second: str
    pair: Pair


class Record:
    """All that was played: pairs.jsonl holds it; games/*.sgf is made from that, for people and other programs."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.played: list[Played] = []
        (directory / GAMES).mkdir(exist_ok=True)
        self._file = open(directory / PAIRS, "a+b")  # noqa: SIM115 (closed by close)
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):  # a kill left half a line
            self._file.truncate(sum(map(len, lines[:-1])))
            lines.pop()
        for number, line in enumerate(lines, 1):
            try:
                self._keep(from_json(line))
            except (ValueError, KeyError, TypeError) as error:
                self.close()
                raise RunError(f"{directory / PAIRS}, line {number}: not a pair ({error})") from error

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def missing(self, first: str, second: str, num_pairs: int) -> list[int]:
        """Numbers of the openings that these two have not played."""
        played = {pair.number for *names, pair in self.played if set(names) == {first, second}}
        return [number for number in range(num_pairs) if number not in played]

    def add(self, first: str, second: str, pair: Pair) -> None:
        """Puts a pair on the disk."""
        played = Played(first, second, pair)
        self._file.write(to_json(played).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._keep(played)

    def _keep(self, played: Played) -> None:
        for half, game in enumerate(played.pair.games):
            names = "_".join(re.sub(r"[^\w.@#+-]+", "-", game.info[colour])[-60:] for colour in ("PB", "PW"))
            path = self.directory / GAMES / f"{2 * len(self.played) + half:05}_{names}.sgf"
            if not path.exists():
                json_file.replace(path, sgf.write(game))
        self.played.append(played)


def to_json(played: Played) -> str:
    """One line."""
    first, second, pair = played
    points = sum(match.points(game, first) for game in pair.games)
    games = [sgf.write(game).strip() for game in pair.games]
    return json_file.dumps({"first": first, "second": second, "pair": pair.number, "points": points, "games": games})


def from_json(line: bytes) -> Played:
    """Raises ValueError, KeyError or TypeError where this is no line that `to_json` gave."""
    row = json.loads(line)
    begun_by_first, begun_by_second = (sgf.read(text)[0] for text in row["games"])
    return Played(row["first"], row["second"], Pair(row["pair"], (begun_by_first, begun_by_second)))


class Standing(NamedTuple):
    """A player at the end."""

    name: str
    rating: Rating
    points: float
    num_games: int
    num_distinct: int
    num_forfeits: int  # lost by dying, taking too long, or an illegal move
    against: dict[str, tuple[float, int]]  # points and games, by opponent


def report(config: Config, console: Console, record: Record, names: Sequence[str], anchor: Anchor) -> None:
    """Ratings as a table, as JSON and as a picture."""
    played = [p for p in record.played if {p.first, p.second} <= set(names)]
    pairs = [elo.Pair(a, b, sum(match.points(game, a) for game in pair.games)) for a, b, pair in played]
    ratings = elo.rate(pairs, anchor.name, anchor.elo, seed=config.seed)
    games = [game for *_, pair in played for game in pair.games]
    standings = sorted((standing(name, ratings[name], games) for name in names), key=lambda s: -s.rating.elo)
    scale = f"Elo by Bradley-Terry with 95 % intervals over pairs; {anchor.name} = {anchor.elo:g}"
    summary = f"{len(games)} games, {num_distinct(games)} of them distinct"
    if num_forfeits := sum(s.num_forfeits for s in standings):
        summary += f"; {num_forfeits} lost by engines that failed"

    console.print(ratings_table(standings))
    console.print(scores_table(standings))
    console.print(f"{summary}\n{scale}")
    result = {
        "anchor": anchor._asdict(),
        "games": len(games),
        "distinct_games": num_distinct(games),
        "players": {s.name: describe(s) for s in standings},
    }
    directory = record.directory
    json_file.replace(directory / RATINGS, json_file.dumps(result, indent=2) + "\n")
    is_drawn = draw(standings, f"{scale}\n{summary}", directory / PLOT)
    plot = directory / PLOT if is_drawn else "no plot without matplotlib: pip install 'reward-pretraining[plots]'"
    console.print(f"{directory / RATINGS}  {plot}  {directory / GAMES}")


def standing(name: str, rating: Rating, games: Sequence[sgf.Game]) -> Standing:
    """How a player did."""
    own = [game for game in games if name in (game.info["PB"], game.info["PW"])]
    against: dict[str, tuple[float, int]] = {}
    for game in own:
        (opponent,) = {game.info["PB"], game.info["PW"]} - {name}
        points, count = against.get(opponent, (0.0, 0))
        against[opponent] = (points + match.points(game, name), count + 1)
    num_forfeits = sum(sgf.outcome(game).how == "forfeit" and match.points(game, name) == 0 for game in own)
    points = sum(points for points, _ in against.values())
    return Standing(name, rating, points, len(own), num_distinct(own), num_forfeits, against)


def num_distinct(games: Sequence[sgf.Game]) -> int:
    """Games, less those that repeat all moves of another between the same players: no news for a rating."""
    return len({(game.info["PB"], game.info["PW"], game.moves) for game in games})


def describe(s: Standing) -> dict[str, Any]:
    """A standing for ratings.json."""
    against = {opponent: {"points": points, "games": count} for opponent, (points, count) in s.against.items()}
    counts = {"points": s.points, "games": s.num_games, "distinct_games": s.num_distinct, "forfeits": s.num_forfeits}
    return s.rating._asdict() | counts | {"against": against}


def ratings_table(standings: Sequence[Standing]) -> Table:
    """How strong everybody is."""
    table = Table(box=box.SIMPLE)
    for title in ("", "player", "Elo", "95 % interval", "points", "games", "distinct"):
        table.add_column(title, justify="left" if title == "player" else "right")
    for i, s in enumerate(standings, 1):
        counts = (f"{s.points:g}", f"{s.num_games}", f"{s.num_distinct}")
        table.add_row(f"{i}", Text(s.name), f"{s.rating.elo:.0f}", interval(s), *counts)
    return table


def interval(s: Standing) -> str:
    """The interval; of one who won or lost everything the end that games tell of, since the other is the prior's."""
    if s.rating.low == s.rating.high:
        return "anchor"
    if s.points == s.num_games:
        return f"above {s.rating.low:.0f}"
    return f"below {s.rating.high:.0f}" if s.points == 0 else f"{s.rating.low:.0f} to {s.rating.high:.0f}"


def scores_table(standings: Sequence[Standing]) -> Table:
    """Scores of everybody against everybody."""
    table = Table(box=box.SIMPLE)
    for title in ("", "score in % against", *map(str, range(1, len(standings) + 1))):
        table.add_column(title, justify="left" if title.startswith("score") else "right")
    for i, s in enumerate(standings, 1):
        scores = [s.against.get(other.name) for other in standings]
        table.add_row(f"{i}", Text(s.name), *("" if x is None else f"{100 * x[0] / x[1]:.0f}" for x in scores))
    return table


def draw(standings: Sequence[Standing], title: str, path: Path) -> bool:
    """A picture of the ratings with their intervals; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 1.5 + 0.35 * len(standings)), layout="constrained")
    axes = figure.subplots()
    for row, s in enumerate(reversed(standings)):
        axes.plot([s.rating.low, s.rating.high], [row, row], color="tab:blue", linewidth=2)
        axes.plot(s.rating.elo, row, "o", color="tab:blue")
    names = [s.name if len(s.name) <= 40 else f"{s.name[:39]}…" for s in reversed(standings)]
    axes.set_yticks(range(len(standings)), names)
    axes.set_xlabel("Elo")
    axes.set_title(title, fontsize="small", loc="left")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=150)
    return True


def command() -> str:
    """The command line that goes on with this tournament."""
    return shlex.join(["python", *(argument for argument in sys.argv if argument != "--resume"), "--resume"])


if __name__ == "__main__":
    try:
        config = tyro.cli(Config, description=__doc__)
        devices.use()
        devices.use_compilation_cache()
        width = None if sys.stdout.isatty() else 200  # nothing to fit into
        main(config, Console(markup=False, emoji=False, highlight=False, soft_wrap=True, width=width))
    except (SettingError, RunError) as error:
        sys.exit(f"tournament.py: {error}")
