"""A network out of a run directory: for matches, engines and notebooks."""

import functools
import os
from typing import Any, Literal, NamedTuple

import jax

from rl_pretrain import checkpoint
from rl_pretrain.environment import Predict
from rl_pretrain.learner import Weights
from rl_pretrain.networks.conv import ConvConfig, ConvNet
from rl_pretrain.settings import SettingError


class Trained(NamedTuple):
    """A network with its weights, and where they come from."""

    network: ConvNet
    weights: Weights
    config: dict[str, Any]  # settings of the run
    iteration: int
    meta: dict[str, Any]  # what the checkpoint says of itself, what training has cost among it

    @property
    def predict(self) -> Predict:
        """The network closed over its weights."""
        return functools.partial(self.network.apply, self.weights)  # pyright: ignore[reportReturnType] (flax: Any)

    def predict_ending(self, observations: jax.Array) -> jax.Array | None:
        """How the games of a batch will end, as in `replay.Example.ending`; None where that was not learnt."""
        said: Any = self.network.apply(self.weights, observations, in_full=True)
        return said[2]


def load(
    run: str | os.PathLike,
    iteration: int | None = None,
    which: Literal["average", "params", "initial"] = "average",
    num_other_actions: int = 1,
) -> Trained:
    """Reads the weights that a run had after an iteration.

    Args:
      run: a run directory, or one checkpoint in it.
      iteration: default the newest that can be read.
      which: the averaged weights, which play; the raw ones, which learn; or those before the first update.
      num_other_actions: actions that are no point of the board: 1 in Go.

    Raises checkpoint.RunError, in one line, where there is nothing to read.
    """
    loaded = checkpoint.load(run, iteration)
    try:
        copies = loaded.arrays["initial"] if which == "initial" else loaded.arrays["train"][which]
        weights = jax.tree.map(lambda x: x[0], copies)  # [devices, ...]
        network = ConvNet(ConvConfig(**loaded.config["network"]), num_other_actions)
    except (LookupError, TypeError, SettingError) as error:
        raise checkpoint.RunError(f"{run} holds no network for a board: {error!r}") from error
    return Trained(network, weights, loaded.config, loaded.step, loaded.meta)


def moments(run: str | os.PathLike, iteration: int | None = None) -> dict[str, Any]:
    """`count`, `mu` and `nu` of Adam after an iteration of a run. Raises checkpoint.RunError as `load` does."""
    loaded = checkpoint.load(run, iteration)
    state = _holder(loaded.arrays["train"]["opt_state"], "mu")
    return {name: jax.tree.map(lambda x: x[0], state[name]) for name in ("count", "mu", "nu")}


def _holder(tree: dict[str, Any], name: str) -> dict[str, Any]:
    """The first dict on the way down that has a key of this name."""
    if name in tree:
        return tree
    return next(found for child in tree.values() if isinstance(child, dict) and (found := _holder(child, name)))
