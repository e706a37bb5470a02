"""The steps of a training loop on all devices at once: where `pmap` is, and where shares of a device are known.

Every device plays its own games and learns from its own replay; gradients and scalars are averaged over devices.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rl_pretrain import evaluate, learner, reanalysis, replay, selfplay
from rl_pretrain.devices import AXIS, Devices, local
from rl_pretrain.environment import Environment
from rl_pretrain.evaluate import Match, MatchConfig
from rl_pretrain.learner import Anchor, Apply, LearnConfig, TrainState, Weights
from rl_pretrain.replay import Example, Replay
from rl_pretrain.search import SearchConfig
from rl_pretrain.selfplay import Games, SelfplayConfig, Trajectory
from rl_pretrain.settings import SettingError

Scalars = dict[str, jax.Array]

Augment = Callable[[jax.Array, Example], Example]
"""A key and one example → the same example seen in another way (a symmetry of the board, say)."""

Draw = Callable[[jax.Array, Any, int], Example]
"""A key, what is shown, a number → so many positions of it, `[number, ...]`."""


class Steps(NamedTuple):
    """The functions of a loop. Arguments and results are `[devices, ...]`; scalars are the same on every device."""

    begin: Callable[[jax.Array, Weights], tuple[Games, Replay]]
    """key, weights → fresh games, empty replay."""
    play: Callable[[jax.Array, Weights, Games, Replay], tuple[Games, Replay, Scalars]]
    """key, weights, games, replay → the games some moves later, and the replay with what was seen. Donates both."""
    learn: Callable[[jax.Array, TrainState, Replay, Weights], tuple[TrainState, Scalars]]
    """key, state, replay, weights to keep close to → the state one update later. Donates the state."""
    imitate: Callable[[jax.Array, TrainState, Any, Weights], tuple[TrainState, Scalars]]
    """The same, from what is shown in place of the replay."""
    examine: Callable[[jax.Array, Weights, Any], Scalars]
    """key, weights, what is shown → losses and accuracy on positions drawn from it."""
    match: Callable[[jax.Array, Weights, Weights], Match]
    """key, weights of the first player, of the second → every device's share of a match."""


def compile_steps(
    env: Environment,
    apply: Apply,
    optimizer: optax.GradientTransformation,
    selfplay_config: SelfplayConfig,
    learn_config: LearnConfig,
    search_config: SearchConfig,
    match_config: MatchConfig,
    max_moves: int,
    augment: Augment,
    summarise: Callable[[Trajectory], Scalars],
    devices: Devices,
    draw: Draw | None = None,
    anchor_strength: optax.Schedule | None = None,
    ending: Callable[[Any], jax.Array | None] = lambda state: None,
    apply_in_full: Apply | None = None,
) -> Steps:
    """Compiles (when first called) the steps for these devices, each with an equal share of games and batch.

    Args:
      max_moves: no match game lasts longer after its opening.
      summarise: sums over a device's trajectory, to be added up over devices.
      draw: positions out of what is shown, for `imitate` and `examine`, which cannot be called without it.
      anchor_strength: by number of updates so far, how much learning is held to the weights it is given; None for
        learning that is free.
      ending: how a finished state ended in detail, to be predicted; as for `selfplay.play`.
      apply_in_full: what learns in place of `apply`, with the same weights: a network that also says how games end.

    Raises:
      SettingError: games, batch or pairs cannot be shared out equally.
    """
    num_games = _share(selfplay_config.num_games, "num_games", devices)
    batch_size = _share(learn_config.batch_size, "batch_size", devices)
    num_pairs = _share(match_config.num_pairs, "num_pairs", devices)

    def on_all(step: Callable, donate: tuple[int, ...] = ()) -> Callable:
        return jax.pmap(step, axis_name=AXIS, devices=devices, donate_argnums=donate)

    def play_on(key, weights, games):
        predict = functools.partial(apply, weights)
        return selfplay.play(env, predict, search_config, selfplay_config, key, games, ending=ending)

    def begin(key, weights):
        games = selfplay.start(env, key, num_games)
        _, trajectory = jax.eval_shape(play_on, key, weights, games)
        return games, replay.empty(trajectory, selfplay_config.replay_steps)

    def play(key, weights, games, memory):
        games, trajectory = play_on(key, weights, games)
        memory = replay.remember(memory, trajectory)
        if num_renewed := selfplay_config.reanalysed_steps:
            num_new = selfplay_config.num_steps
            renew_key = jax.random.fold_in(key, num_new)  # the moves' own are fold_in(key, 0) to num_new - 1
            predict = functools.partial(apply, weights)
            memory = reanalysis.renew(env, predict, search_config, renew_key, memory, num_renewed, num_new)
        return games, memory, jax.lax.psum(summarise(trajectory), AXIS)

    def learn_from(batch, key, state, held):
        batch = jax.vmap(augment)(jax.random.split(key, batch_size), batch)
        anchor = None if anchor_strength is None else Anchor(held, jnp.asarray(anchor_strength(state.num_updates)))
        return learner.update(apply_in_full or apply, optimizer, learn_config, state, batch, AXIS, anchor)

    def learn(key, state, memory, held):
        sample_key, augment_key = jax.random.split(key)
        return learn_from(replay.sample(memory, sample_key, batch_size), augment_key, state, held)

    def drawn(key, shown):
        assert draw is not None, "nothing is shown without a way to draw from it"
        return draw(key, shown, batch_size)

    def imitate(key, state, shown, held):
        sample_key, augment_key = jax.random.split(key)
        return learn_from(drawn(sample_key, shown), augment_key, state, held)

    def examine(key, weights, shown):
        return jax.lax.pmean(learner.losses(apply, weights, drawn(key, shown), AXIS), AXIS)

    def match(key, first, second):
        opening_key, play_key = jax.random.split(key)
        strongest = dataclasses.replace(search_config, num_simulations=match_config.num_simulations, gumbel_scale=0.0)
        players = [evaluate.searcher(env, functools.partial(apply, w), strongest) for w in (first, second)]
        openings = evaluate.random_openings(env, opening_key, num_pairs, match_config.opening_moves)
        return evaluate.play_match(env, players[0], players[1], openings, play_key, max_moves)

    return Steps(
        begin=on_all(begin),
        play=on_all(play, donate=(2, 3)),
        learn=on_all(learn, donate=(1,)),
        imitate=on_all(imitate, donate=(1,)),
        examine=on_all(examine),
        match=on_all(match),
    )


def split(key: jax.Array, devices: Devices) -> jax.Array:
    """One key for each device: `[devices]`; of several processes each gets those of its own devices."""
    first = devices.index(local(devices)[0])
    return jax.random.split(key, len(devices))[first : first + len(local(devices))]


def _share(total: int, name: str, devices: Devices) -> int:
    if total < 1 or total % len(devices):
        raise SettingError(f"{name} must be a multiple of the {len(devices)} devices, got {total}")
    return total // len(devices)
