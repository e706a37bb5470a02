"""Trains a Go player from random weights by self-play, and measures that it became stronger.

    python experiments/go_9x9.py --devices=4

Every iteration plays on with Gumbel search, remembers what it saw, and learns from it. Now and then the player meets
its own beginning, in pairs of games with the same opening and swapped colours. A run directory keeps everything;
--resume goes on from there as if nothing had happened, on another number of devices too.

Arms, with one network, one loss and one way of measuring:
  rpt    reward-based pretraining: self-play alone
  spt    supervised pretraining: the moves and results of --games.paths, nothing is played
  rft    self-play that begins with the weights of --from, held to their policy by --kl
Any arm may begin with the weights of another run, on another board too: --from=runs/go_9x9/seven.

    python experiments/go_9x9.py --preset=cpu --arm=spt --games.paths human.sgf archive.zip
    python experiments/go_9x9.py --preset=cpu --arm=rft --from=runs/go_9x9/cpu-spt --kl=0.1

Several processes, on one machine or many, train together: SLURM, MPI and Kubernetes tell them of one another (see
experiments/cluster), elsewhere --coordinator=HOST:PORT --process-id=I --num-processes=N do.

Presets (every setting can be changed by its flag):
  gpu    one H200 or A100
  cpu    9×9 on two CPU cores: ten minutes to beat the initial network in nearly every game
  paper  four GPUs for days: the scale of "General Intelligence Requires Reward-based Pretraining" (ICML 2025)
  tiny   5×5 in seconds, for tests
"""

import argparse
import contextlib
import dataclasses
import functools
import shlex
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from go_env import RULES_VERSION, Go, KoRule, State, game_folder, games
from go_env.symmetry import random_symmetry
from rl_pretrain import (
    checkpoint,
    devices,
    evaluate,
    json_file,
    learner,
    ledger,
    metrics,
    parallel,
    processes,
    shares,
    trained,
)
from rl_pretrain.checkpoint import Run, RunError
from rl_pretrain.devices import Devices
from rl_pretrain.evaluate import Match, MatchConfig, Score
from rl_pretrain.interrupt import Stop, catch_signals
from rl_pretrain.learner import LearnConfig, TrainState, Weights
from rl_pretrain.ledger import Spent
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.parallel import Steps
from rl_pretrain.progress import Progress
from rl_pretrain.replay import Example, Replay
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import Games, SelfplayConfig, Trajectory
from rl_pretrain.settings import SettingError, a_name, at_least

RUNS = Path("runs/go_9x9")
GAMES = Path("runs/games")  # where records that were read are kept as data sets


@dataclasses.dataclass(frozen=True)
class ManyKomis(Go):
    """Go whose games begin with different komi, so that a network learns what points are worth."""

    spread: int = 0

    def init(self, key: jax.Array | None = None, komi: jax.Array | float | None = None) -> State:
        """A game, with a komi drawn by the key if none is given."""
        if komi is None and key is not None:
            komi = self.komi + jax.random.randint(key, (), -self.spread, self.spread + 1)
        return super().init(key, komi)


@dataclasses.dataclass(frozen=True)
class GamesConfig:
    """Games of others, to learn from (spt) and to predict (all arms)."""

    paths: tuple[str, ...] = ()
    """Folders, archives, SGF files, or .npz files of many games."""
    sources: tuple[str, ...] = ()
    """Names of sources to be used. Default: all."""
    ratings: tuple[float, float] | None = None
    """Least and greatest rating of both players. Default: any, or none."""
    share: float = 1.0
    """Of the games to learn from, the share that is used; a smaller share is part of a greater one."""
    shuffle_results: bool = False
    """Give every game the result of another: a control, in which values have nothing to learn from."""

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise SettingError(f"games.share must be more than 0 and at most 1, got {self.share}")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run."""

    name: str
    """The run lives in runs/go_9x9/<name>. Default: the preset's name, and the arm's if that is not rpt."""
    arm: Literal["rpt", "spt", "rft"] = "rpt"
    """How it learns; see above."""
    source: Annotated[str, tyro.conf.arg(name="from")] = ""
    """Run whose averaged weights this one begins with. Default: random weights."""
    kl: float = 0.0
    """Weight of the divergence from the policy it began with."""
    kl_halving: int = 0
    """Updates in which that weight halves; 0 for never."""
    keep_value: bool = True
    """Whether the value head comes from the source, too; else it begins anew, and that of endings with it."""
    keep_moments: bool = False
    """Whether the optimiser's moments come from the source, too; else it begins anew."""
    devices: int | None = None
    """Devices of each process; without accelerators as many virtual CPU devices are made. Default: all accelerators."""
    resume: bool = False
    """Go on where the run of this name was last saved; begin it, if there is none."""
    seed: int = 0
    """Decides everything that is random."""

    size: int = 9
    """Edge of the board, 2 to 19. Time grows with its square or faster."""
    komi: float = 7.0
    """Points for White; whole numbers make draws possible."""
    komi_spread: int = 0
    """Games begin with a komi up to so many points lower or higher, drawn at random."""
    ko: KoRule = "positional_superko"
    """Which repetitions the rules forbid."""
    max_moves: int | None = None
    """Actions after which a game is scored as it stands. Default: 2 · size²."""

    iterations: int = 400
    """Length of the run. The learning rate falls along it, so a longer run is not the same run continued."""
    eval_every: int = 20
    """Iterations between matches against the initial network."""
    final_matches: int = 4
    """Matches of the last measurement, each of match.num_pairs pairs."""
    save_every: int = 20
    """Iterations between checkpoints: what a kill -9 can lose."""
    keep_every: int | None = None
    """Iterations between checkpoints that are kept for ever, a multiple of save_every. Default: the newest two are."""

    growth: tuple[float, ...] = ()
    """Shares of search.num_simulations by which self-play searches in equal parts of the run. Default: always all."""
    network: ConvConfig = ConvConfig()
    selfplay: SelfplayConfig = SelfplayConfig()
    search: SearchConfig = SearchConfig()
    learn: LearnConfig = LearnConfig()
    games: GamesConfig = GamesConfig()
    imitate: LearnConfig = LearnConfig(reuse=10, learning_rate=1e-3, final_learning_rate=1e-4)
    """Learning from games, spt's in place of `learn`; its reuse is the number of epochs."""
    symmetries: bool = True
    """Whether each position is learnt from in one of its eight symmetries, drawn at random."""
    match: MatchConfig = MatchConfig()

    def __post_init__(self):
        try:
            self.env  # noqa: B018 (made to see whether there can be such rules)
        except ValueError as error:
            raise SettingError(str(error)) from None
        at_least(1, self, "iterations", "eval_every", "final_matches", "save_every")
        at_least(0, self, "kl", "kl_halving", "komi_spread")
        if self.keep_every is not None and (self.keep_every < 1 or self.keep_every % self.save_every):
            raise SettingError(f"keep_every must be a multiple of save_every, {self.save_every}, got {self.keep_every}")
        self._check_arm()
        self._check_searches()
        a_name(self.name)

    def _check_arm(self) -> None:
        """Nothing is missing that the arm needs, and nothing is given that it would not heed."""
        if self.arm == "spt" and not self.games.paths:
            raise SettingError("arm spt needs games.paths: folders, archives or files of game records")
        if self.arm == "rft" and not self.source:
            raise SettingError("arm rft needs --from: the run whose weights it begins with")
        if (self.kl or self.keep_moments or not self.keep_value) and not self.source:
            raise SettingError("kl, keep_moments and no-keep-value need --from: the run whose weights it begins with")
        if self.kl_halving and not self.kl:
            raise SettingError("kl_halving needs kl: the weight that halves")
        if (self.games.share < 1 or self.games.shuffle_results) and self.arm != "spt":
            raise SettingError(
                f"games.share and games.shuffle_results are for arm spt, which learns from games, got arm {self.arm}"
            )

    def _check_searches(self) -> None:
        if not all(0 < share <= 1 for share in self.growth):
            raise SettingError(f"growth must be shares from more than 0 to 1, got {self.growth}")
        fewest = min(self.numbers_of_simulations)
        if self.selfplay.full_share < 1 and self.selfplay.brief_simulations > fewest:
            raise SettingError(
                f"selfplay.brief_simulations must be at most the {fewest} of a full search, "
                f"got {self.selfplay.brief_simulations}"
            )

    @property
    def env(self) -> Go:
        """The world."""
        rules = (self.size, self.komi, self.ko, self.max_moves)
        return ManyKomis(*rules, spread=self.komi_spread) if self.komi_spread else Go(*rules)

    @property
    def moves_per_iteration(self) -> int:
        """Moves played in all games together."""
        return 0 if self.arm == "spt" else self.selfplay.num_games * self.selfplay.num_steps

    @property
    def renewals_per_iteration(self) -> int:
        """Earlier moves that are searched anew."""
        return 0 if self.arm == "spt" else self.selfplay.num_games * self.selfplay.reanalysed_steps

    @property
    def numbers_of_simulations(self) -> list[int]:
        """Of self-play's full searches, in equal parts of the run."""
        return [max(1, round(share * self.search.num_simulations)) for share in self.growth or (1.0,)]

    def simulations_at(self, iteration: int) -> int:
        """Of an iteration's full searches."""
        numbers = self.numbers_of_simulations
        return numbers[iteration * len(numbers) // self.iterations]

    @property
    def learning(self) -> LearnConfig:
        """The arm's."""
        return self.imitate if self.arm == "spt" else self.learn

    def updates_per_iteration(self, num_shown: int) -> int:
        """Gradient steps, such that a position is learnt from `reuse` times on average: of play, or of games shown."""
        num_new = num_shown / self.iterations if self.arm == "spt" else self.moves_per_iteration
        return max(1, round(self.learning.reuse * num_new / self.learning.batch_size))


PRESETS = {
    "gpu": Config(
        name="gpu",
        network=ConvConfig(num_blocks=6, num_channels=96, bfloat16=True),
        learn=LearnConfig(batch_size=4096),
    ),
    "cpu": Config(
        name="cpu",
        devices=2,  # XLA:CPU keeps two cores busier with two programs than with one
        max_moves=120,
        growth=(0.25, 0.5, 1.0),  # 0.68 of the points against full searches, for as many FLOPs: README, ablations.py
        iterations=90,
        eval_every=10,
        save_every=10,
        network=ConvConfig(num_blocks=2, num_channels=32),
        selfplay=SelfplayConfig(num_games=128, num_steps=16, replay_steps=256),
        search=SearchConfig(num_simulations=16),
        learn=LearnConfig(batch_size=256, num_warmup_updates=50),
        imitate=LearnConfig(batch_size=256, reuse=2, num_warmup_updates=50, final_learning_rate=1e-4),
        match=MatchConfig(num_pairs=16, num_simulations=16),
    ),
    "paper": Config(
        name="paper",
        devices=4,
        iterations=6000,
        eval_every=50,
        save_every=25,
        network=ConvConfig(num_blocks=8, num_channels=128, bfloat16=True),
        selfplay=SelfplayConfig(num_games=4096, num_steps=64),
        learn=LearnConfig(batch_size=8192, average_decay=0.999),
        imitate=LearnConfig(reuse=10, learning_rate=1e-3, final_learning_rate=1e-3),
        match=MatchConfig(num_pairs=128),
    ),
    "tiny": Config(
        name="tiny",
        size=5,
        max_moves=30,
        iterations=6,
        eval_every=3,
        final_matches=2,
        save_every=2,
        network=ConvConfig(num_blocks=1, num_channels=8, num_head_channels=8),
        selfplay=SelfplayConfig(num_games=16, num_steps=10, replay_steps=60),
        search=SearchConfig(num_simulations=4, max_considered=4),
        learn=LearnConfig(batch_size=64, num_warmup_updates=4),
        imitate=LearnConfig(batch_size=64, num_warmup_updates=4),
        match=MatchConfig(num_pairs=4, num_simulations=4),
    ),
}


MAY_DIFFER = ("devices", "eval_every", "final_matches", "save_every", "keep_every", "match")
"""Settings that may change on --resume; so may `iterations` but in spt, where the epochs are shared out over them."""
NUM_EXAMS = 8  # batches of positions on which a network is examined
BRIEF = {  # metrics in a line of the display
    "played": ("games", "moves", "moves_per_second", "policy_loss", "value_loss", "game_length", "score"),
    "shown": ("updates", "policy_loss", "policy_accuracy", "value_loss", "test_policy_accuracy", "score"),
}


class Everything(NamedTuple):
    """All that a run needs to go on as if it had never stopped; what a checkpoint holds. Trees are `[devices, ...]`."""

    key: jax.Array  # [], of the whole run
    train: TrainState  # the same on every device
    initial: Weights  # weights before the first update, the same on every device
    games: Games | None  # every device its own; none in spt
    replay: Replay | None  # every device its own; none in spt


AXES = Everything(
    key=shares.WHOLE,  # pyright: ignore[reportArgumentType] (an axis in place of a tree)
    train=shares.SAME,  # pyright: ignore[reportArgumentType]
    initial=shares.SAME,
    games=1,  # pyright: ignore[reportArgumentType]
    replay=Replay(2, 2, 2, shares.SAME, shares.SAME, 2),  # pyright: ignore[reportArgumentType]
)
"""Along which the shares of devices are joined and dealt anew when their number changes; spt lacks the last two."""


class Shown(NamedTuple):
    """Games of others, `[devices, ...]`, the same on every device."""

    train: games.Rows
    test: games.Rows
    num_positions: int  # in those to learn from


class Setup(NamedTuple):
    """What the settings amount to."""

    pool: Devices
    network: ConvNet
    source: trained.Trained | None
    shown: Shown | None
    num_updates: int  # in an iteration
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    steps: Steps  # of the greatest number of simulations
    plays: dict[int, Any]  # the step of playing, by the number of simulations


def prepare(config: Config) -> Setup:
    """Raises SettingError or RunError, in one line, where settings do not go together or with this machine."""
    pool = devices.use(config.devices)
    devices.use_compilation_cache()
    network = ConvNet(config.network, num_other_actions=1)
    source = read_source(config) if config.source else None
    with processes.first_alone():  # to build the data set, if it is not there
        shown = read_games(config, pool) if config.games.paths else None
    num_updates = config.updates_per_iteration(shown.num_positions if shown else 0)
    total_updates = config.iterations * num_updates
    optimizer = learner.make_optimizer(config.learning, total_updates)
    steps = {
        number: parallel.compile_steps(
            config.env,
            network.apply,  # pyright: ignore[reportArgumentType] (flax types it loosely)
            optimizer,
            config.selfplay,
            config.learning,
            dataclasses.replace(config.search, num_simulations=number),
            config.match,
            max_moves=config.env.move_limit,
            augment=random_symmetry if config.symmetries else lambda key, example: example,
            summarise=functools.partial(summarise, config, number),
            devices=pool,
            draw=functools.partial(draw, config.env),
            anchor_strength=fading(config) if config.kl else None,
            ending=functools.partial(ending, config.env) if config.network.predicts_ending else lambda state: None,
            apply_in_full=functools.partial(network.apply, in_full=True),  # pyright: ignore[reportArgumentType]
        )
        for number in {*config.numbers_of_simulations}
    }
    plays = {number: each.play for number, each in steps.items()}
    schedule = learner.make_schedule(config.learning, total_updates)
    return Setup(pool, network, source, shown, num_updates, optimizer, schedule, steps[max(steps)], plays)


def main(config: Config, setup: Setup) -> None:
    """The whole run, top to bottom."""
    pool, steps = setup.pool, setup.steps
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(open_run(config, len(pool)))
        everything, spent, done = begin(config, setup), inherited(setup), 0
        if run.latest_step is not None:
            everything, spent, done = restore(run, everything)
        is_first = processes.index() == 0  # it alone writes
        writer = stack.enter_context(metrics.Metrics(run.directory, iteration=done)) if is_first else None
        stop = stack.enter_context(catch_signals())
        progress = stack.enter_context(show(config, everything, run, pool, done, stop))
        flops = count_flops(setup, everything)

        for i in range(done, config.iterations):
            play_key, learn_key, match_key = jax.random.split(jax.random.fold_in(everything.key, i), 3)
            started, played = time.monotonic(), {}
            if config.arm != "spt":
                everything, played = play(setup, everything, play_key, config.simulations_at(i))
            rested = time.monotonic()
            everything, learnt = learn(setup, everything, learn_key)
            seconds = time.monotonic() - started

            spent = spent.plus(cost(config, setup, config.simulations_at(i), played, seconds, flops))
            row = spent._asdict() | describe_games(played) | learnt
            if played:
                row["moves_per_second"] = config.moves_per_iteration / (rested - started)
            row["learning_rate"] = np.asarray(setup.schedule((i + 1) * setup.num_updates - 1)).item()
            metrics.check_finite(row)
            if (i + 1) % config.eval_every == 0:
                row |= describe_score(measure(steps, everything, match_key, pool, num_matches=1)[0])
                row |= examine(setup, everything)
            if writer:
                writer.write(i + 1, row)
            progress.update(i + 1, row)
            is_stopping = any(processes.gather(stop.requested))
            if is_stopping or (i + 1) % config.save_every == 0 or i + 1 == config.iterations:
                save(run, i + 1, everything, spent)
            if is_stopping:
                progress.say(
                    f"stopped by {stop.signal or 'another process'} after iteration {i + 1}; to go on: {command()}"
                )
                return

        progress.say(f"measuring: {config.final_matches * config.match.num_pairs} pairs against the initial network")
        final_key = jax.random.fold_in(everything.key, config.iterations)
        score, match = measure(steps, everything, final_key, pool, config.final_matches)
        names, go = (f"iteration {config.iterations}", "initial"), config.env
        if writer:
            game_folder.write(run.directory / "games", go, match, names)  # pyright: ignore (openings are Go's states)
        predicted = examine(setup, everything)
    if not processes.index():
        report(config, setup, run, spent, score, predicted)


def begin(config: Config, setup: Setup) -> Everything:
    """A run before its first iteration."""
    key = jax.random.key(config.seed)
    weights_key, games_key, run_key = jax.random.split(key, 3)
    params = setup.network.init(weights_key, jnp.zeros((1, *config.env.observation_shape)))
    if setup.source is not None:
        renewed = () if config.keep_value else ("value", "ending")
        params = inherit(params, setup.source.weights, renewed)
    state = learner.init(setup.optimizer, params)
    if config.keep_moments:
        state = state._replace(opt_state=with_moments(state.opt_state, config.source))
    train, initial = devices.replicate(state, setup.pool), devices.replicate(params, setup.pool)
    if config.arm == "spt":
        return Everything(run_key, train, initial, None, None)
    return Everything(run_key, train, initial, *setup.steps.begin(parallel.split(games_key, setup.pool), initial))


def inherit(fresh: Weights, source: Weights, renewed: tuple[str, ...]) -> Weights:
    """The source's weights; fresh ones for the `renewed` parts, and for heads that it does not have."""
    kept = {name: source["params"].get(name, own) for name, own in fresh["params"].items() if name not in renewed}
    return {"params": fresh["params"] | kept}


def read_source(config: Config) -> trained.Trained:
    """The run whose weights this one begins with."""
    source = trained.load(config.source)
    theirs, ours = source.network.config, config.network
    if theirs.playing != ours.playing:
        raise SettingError(f"network must be that of {config.source}, {theirs.playing}, got {ours.playing}")
    if config.keep_moments and theirs != ours:
        raise SettingError(f"keep_moments needs the heads of {config.source}, {theirs}, got {ours}")
    return source


def with_moments(opt_state: optax.OptState, source: str) -> optax.OptState:
    """The state of AdamW with the moments of another run; its schedule begins anew."""
    moments = trained.moments(source)

    def is_adams(path: Any, value: Any) -> bool:
        del value
        return getattr(path[-1], "tuple_name", "") == optax.ScaleByAdamState.__name__

    return optax.tree.set(opt_state, is_adams, **moments)


def fading(config: Config) -> optax.Schedule:
    """Weight of the divergence by number of updates."""
    if not config.kl_halving:
        return optax.constant_schedule(config.kl)
    return optax.exponential_decay(config.kl, config.kl_halving, 0.5)


def read_games(config: Config, pool: Devices) -> Shown:
    """The records as a data set, built when first asked for, and on the devices."""
    try:
        settings = games.Settings(config.env, sources=config.games.sources, ratings=config.games.ratings)
        train, test, kept = games.prepare(settings, config.games.paths, GAMES)
    except (ValueError, OSError) as error:
        raise SettingError(f"games.paths: {error}") from None
    print(kept)
    chance = np.random.default_rng(config.seed)
    train = games.part(train, config.games.share, chance)
    if config.games.shuffle_results:
        other = chance.permutation(len(train.length))
        train = train._replace(winner=train.winner[other], how=train.how[other])
    return Shown(devices.replicate(train, pool), devices.replicate(test, pool), int(train.length.sum()))


def draw(env: Go, key: jax.Array, rows: games.Rows, num: int) -> Example:
    """Positions of games, each with the move that was played and the result for the player to move."""
    seen = games.positions(env, rows, *games.draw(rows, key, num))
    policy = jax.nn.one_hot(seen.action, env.num_actions)
    return Example(seen.observation, seen.legal, policy, jnp.ones_like(seen.is_known), seen.value, seen.is_known)


def ending(env: Go, state: State) -> jax.Array:
    """How a finished game ended for the player who has just moved, float32 `[size² + 1]`: who owns each point, and last
    how far it is won, the margin over twice the board's edge squeezed by tanh."""
    mover = -state.to_play
    owners = mover * env.area(state).reshape(-1)
    margin = jnp.sum(owners) - mover * state.komi
    return jnp.append(owners.astype(jnp.float32), jnp.tanh(margin / (2 * env.size)))


def play(
    setup: Setup, everything: Everything, key: jax.Array, num_simulations: int
) -> tuple[Everything, dict[str, Any]]:
    """Moves every game on, with the averaged weights."""
    keys, move = parallel.split(key, setup.pool), setup.plays[num_simulations]
    under_way, replay, sums = move(keys, everything.train.average, everything.games, everything.replay)
    return everything._replace(games=under_way, replay=replay), jax.device_get(devices.unreplicate(sums))


def learn(setup: Setup, everything: Everything, key: jax.Array) -> tuple[Everything, dict[str, Any]]:
    """Some updates, and the means of their scalars. A Python loop: inside `scan` XLA:CPU's convolutions crawl."""
    train, history = everything.train, []
    update, content = what_is_learnt(setup, everything)
    for update_key in jax.random.split(key, setup.num_updates):
        train, scalars = update(parallel.split(update_key, setup.pool), train, content, everything.initial)
        history.append(devices.unreplicate(scalars))
    history = jax.device_get(history)
    means = {name: float(sum(scalars[name] for scalars in history) / len(history)) for name in history[0]}
    return everything._replace(train=train), means


def what_is_learnt(setup: Setup, everything: Everything) -> tuple[Any, Any]:
    """The step of learning, and what it learns from."""
    if everything.replay is None:
        assert setup.shown is not None
        return setup.steps.imitate, setup.shown.train
    return setup.steps.learn, everything.replay


def inherited(setup: Setup) -> Spent:
    """What the weights have cost that the run begins with."""
    return Spent(**setup.source.meta["spent"]) if setup.source else Spent()


class Flops(NamedTuple):
    """What an iteration costs on all devices, if all its searches are full."""

    learning: float
    playing: dict[int, float]  # by the number of simulations


def count_flops(setup: Setup, everything: Everything) -> Flops:
    """Counted from the programs."""
    keys, weights = parallel.split(everything.key, setup.pool), everything.train.average
    update, content = what_is_learnt(setup, everything)
    update_flops = ledger.flops(update, keys, everything.train, content, everything.initial)
    learning = setup.num_updates * processes.count() * update_flops  # what is counted is of the devices of this process
    if everything.replay is None:
        return Flops(learning, dict.fromkeys(setup.plays, 0.0))
    play = {
        n: processes.count() * ledger.flops(move, keys, weights, everything.games, everything.replay)
        for n, move in setup.plays.items()
    }
    return Flops(learning, play)


def cost(
    config: Config, setup: Setup, num_simulations: int, played: dict[str, Any], seconds: float, flops: Flops
) -> Spent:
    """What one iteration has cost. Nearly all operations of play are the network's, so they go with its evaluations."""
    renewed = config.renewals_per_iteration
    evaluations = int(played.get("evaluations", 0)) + renewed * (1 + num_simulations)
    share = evaluations / max(1, (config.moves_per_iteration + renewed) * (1 + num_simulations))
    return Spent(
        seconds=seconds,
        device_seconds=seconds * len(setup.pool),
        games=int(played.get("games", 0)),
        moves=config.moves_per_iteration,
        environment_steps=evaluations - renewed,  # where nothing is played, no step follows the search
        evaluations=evaluations,
        updates=setup.num_updates,
        positions=setup.num_updates * config.learning.batch_size,
        flops=flops.learning + share * flops.playing[num_simulations],
    )


def measure(
    steps: Steps, everything: Everything, key: jax.Array, pool: Devices, num_matches: int
) -> tuple[Score, Match]:
    """Score of the averaged weights against the initial network, and one of the matches."""
    matches = [
        evaluate.gather(steps.match(parallel.split(match_key, pool), everything.train.average, everything.initial))
        for match_key in jax.random.split(key, num_matches)
    ]
    return evaluate.score(*matches), matches[0]


def examine(setup: Setup, everything: Everything) -> dict[str, float]:
    """How well games that were not learnt from are predicted, if there are such; always the same positions."""
    if setup.shown is None:
        return {}
    shares = [
        setup.steps.examine(parallel.split(key, setup.pool), everything.train.average, setup.shown.test)
        for key in jax.random.split(jax.random.key(0), NUM_EXAMS)
    ]
    shares = jax.device_get([devices.unreplicate(share) for share in shares])
    names = ("policy_accuracy", "policy_loss", "value_loss")
    return {f"test_{name}": float(np.mean([share[name] for share in shares])) for name in names}


def summarise(config: Config, num_simulations: int, trajectory: Trajectory) -> dict[str, jax.Array]:
    """Sums over what one device has played."""
    is_end = trajectory.discount == 0
    length = trajectory.age + 1
    black_reward = jnp.where(trajectory.age % 2 == 0, 1, -1) * trajectory.reward  # Black begins every game
    simulations = jnp.where(trajectory.is_full, num_simulations, config.selfplay.brief_simulations)
    return {
        "moves": jnp.float32(is_end.size),
        "evaluations": jnp.sum(1 + simulations, dtype=jnp.float32),
        "passes": jnp.sum(trajectory.action == config.env.pass_action, dtype=jnp.float32),
        "games": jnp.sum(is_end, dtype=jnp.float32),
        "length": jnp.sum(is_end * length, dtype=jnp.float32),
        "capped": jnp.sum(is_end & (length == config.env.move_limit), dtype=jnp.float32),
        "black": jnp.sum(is_end * (black_reward + 1) / 2),
    }


def describe_games(played: dict[str, Any]) -> dict[str, float]:
    """The sums as means; those over finished games only where one finished."""
    if not played:
        return {}
    row = {"pass_rate": float(played["passes"] / played["moves"])}
    if played["games"]:
        row["game_length"] = float(played["length"] / played["games"])
        row["move_limit_rate"] = float(played["capped"] / played["games"])
        row["black_score"] = float(played["black"] / played["games"])
    return row


def describe_score(score: Score) -> dict[str, float]:
    """A score as metrics."""
    return {"score": score.mean, "score_low": score.low, "score_high": score.high}


def open_run(config: Config, num_devices: int) -> Run:
    """The run's directory, for this process alone. Raises RunError where it holds another run."""
    directory = RUNS / config.name
    settings = dataclasses.asdict(config) | {"devices": num_devices}
    del settings["resume"]
    return checkpoint.open_run(
        directory,
        settings,
        versions={
            "go_rules": RULES_VERSION,
            "jax": jax.__version__,
            "reward-pretraining": version("reward-pretraining"),
        },
        resume=config.resume and (directory / "config.json").exists(),
        may_differ=MAY_DIFFER if config.arm == "spt" else (*MAY_DIFFER, "iterations"),
        keep_every=config.keep_every,
        axes=AXES._replace(games=None, replay=None) if config.arm == "spt" else AXES,
    )


def restore(run: Run, like: Everything) -> tuple[Everything, Spent, int]:
    """The newest checkpoint."""
    restored = checkpoint.restore(run, like)
    return restored.tree, Spent(**restored.meta["spent"]), restored.step


def save(run: Run, iteration: int, everything: Everything, spent: Spent) -> None:
    """Everything, in the background."""
    checkpoint.save(run, iteration, everything, {"spent": spent._asdict()})


def show(config: Config, everything: Everything, run: Run, pool: Devices, done: int, stop: Stop) -> Progress:
    """The display of the run."""
    num_weights = sum(x.size for x in jax.tree.leaves(everything.train.params)) // len(devices.local(pool))
    return Progress(
        f"Go {config.size}×{config.size}, {config.arm} from {config.source or 'scratch'}",
        total=config.iterations,
        start=done,
        facts={"devices": devices.describe(pool), "weights": f"{num_weights:,}", "run": str(run.directory)},
        history=("policy_loss", "value_loss", "score"),
        past=metrics.read(run.directory) if done and processes.index() == 0 else (),
        brief=BRIEF["shown" if config.arm == "spt" else "played"],
        notice=lambda: str(stop),
    )


def command(**changes: Any) -> str:
    """The command line that goes on with this run, with some settings changed."""
    replaced = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    replaced.add_argument("--resume", action="store_true")
    for name in changes:
        replaced.add_argument(f"--{name}")
    _, kept = replaced.parse_known_args(sys.argv[1:])
    flags = [f"--{name}={value}" for name, value in changes.items()]
    return shlex.join(["python", sys.argv[0], *kept, *flags, "--resume"])


def report(config: Config, setup: Setup, run: Run, spent: Spent, score: Score, predicted: dict[str, float]) -> None:
    """The last lines, for people, and the same in result.json."""
    result = {"score": score._asdict(), "spent": spent._asdict(), "iterations": config.iterations} | predicted
    result["hardware"] = devices.describe(setup.pool)
    json_file.replace(run.directory / "result.json", json_file.dumps(result, indent=2) + "\n")
    did = f"{spent.games:,} games, {spent.moves:,} moves, " if spent.moves else ""
    print(f"{did}{spent.updates:,} updates, {spent.flops:.2g} FLOPs in {spent.seconds / 60:.1f} min")
    if predicted:
        print(f"predicts {predicted['test_policy_accuracy']:.1%} of the moves of games it has not seen")
    print(f"score vs initial network {score} over {score.num_games // 2} paired games ({score.num_distinct} distinct)")
    hint = "" if config.arm == "spt" else f"; to train on: {command(iterations=2 * config.iterations)}"
    print(f"saved in {run.directory}{hint}")


def parse(arguments: Sequence[str]) -> Config:
    """The settings on the command line, on top of a preset's. Raises SettingError where they make no sense."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--preset")
    chosen, rest = first.parse_known_args(arguments)
    preset = chosen.preset or fitting_preset(rest)
    if preset not in PRESETS:
        raise SettingError(f"unknown preset {preset!r}; choose one of {', '.join(PRESETS)}")
    config = tyro.cli(Config, default=PRESETS[preset], args=rest, description=__doc__)
    if config.arm != "rpt" and config.name == preset:
        config = dataclasses.replace(config, name=f"{preset}-{config.arm}")
    return config


def fitting_preset(arguments: Sequence[str]) -> str:
    """The gpu preset on accelerators, else the cpu preset. Looking starts JAX, so it must look with all devices."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--devices", type=int)
    chosen, _ = first.parse_known_args(arguments)
    preset = "cpu" if devices.use(chosen.devices)[0].platform == "cpu" else "gpu"
    print(f"preset {preset} (choose with --preset)")
    return preset


if __name__ == "__main__":
    with processes.ending("go_9x9.py", SettingError, RunError, FloatingPointError):
        config = parse(processes.start(sys.argv[1:]))
        setup = prepare(config)
        main(config, setup)
