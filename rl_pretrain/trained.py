"""A network out of a run directory: for matches, engines and notebooks."""

import functools
import os
from typing import Any, Literal, NamedTuple

import jax

from rl_pretrain import checkpoint
from rl_pretrain.environment import Predict
from rl_pretrain.learner import Weights
from rl_pretrain.networks.conv import ConvConfig, ConvNet


class Trained(NamedTuple):
    """A network with its weights, and where they come from."""

    network: ConvNet
    weights: Weights
    config: dict[str, Any]  # settings of the run
    iteration: int

    @property
    def predict(self) -> Predict:
        """The network closed over its weights."""
        return functools.partial(self.network.apply, self.weights)  # pyright: ignore[reportReturnType] (flax: Any)


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
    weights = loaded.arrays["initial"] if which == "initial" else loaded.arrays["train"][which]
    network = ConvNet(ConvConfig(**loaded.config["network"]), num_other_actions)
    return Trained(network, jax.tree.map(lambda x: x[0], weights), loaded.config, loaded.step)  # [devices, ...]
