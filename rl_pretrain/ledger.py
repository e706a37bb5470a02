"""What a computation costs, counted from the program itself."""

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax


class Spent(NamedTuple):
    """What a training has cost so far, and all the trainings before it whose weights it began with."""

    seconds: float = 0.0  # of playing and learning, compilation included
    device_seconds: float = 0.0
    games: int = 0  # played to their end
    moves: int = 0  # made in games
    environment_steps: int = 0  # those of search included
    evaluations: int = 0  # positions that a network looked at in order to play
    updates: int = 0
    positions: int = 0  # learnt from, as often as they were
    flops: float = 0.0  # see `flops`

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        return jax.tree.map(operator.add, self, other)


def flops(function: Callable[..., Any], *arguments: Any) -> float:
    """Floating-point operations of the matrix products and convolutions of one call, two for each multiplication.

    All else, a few operations for each number, is left out. Loops count as often as they turn, but those of unknown
    length once; of the branches of a condition the dearest one counts. It is the mathematics that is counted, whatever
    the compiler makes of it. Nothing runs; of a jitted function the program is the one that a call would use.

    Args:
      arguments: of the function, or `jax.ShapeDtypeStruct`s like them.
    """
    return _of_program(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_program(program: Any) -> float:
    return sum((_of_equation(equation) for equation in program.eqns), 0.0)


def _of_equation(equation: Any) -> float:
    name, parameters = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        return 2.0 * equation.outvars[0].aval.size * math.prod(equation.invars[0].aval.shape[i] for i in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval
        features = kernel.shape[parameters["dimension_numbers"].rhs_spec[0]]
        return 2.0 * equation.outvars[0].aval.size * kernel.size / features
    inner = [_of_program(program) for program in _programs(tuple(parameters.values()))]
    if name == "cond":
        return max(inner)
    repeats = 1
    if name == "scan":
        repeats = parameters["length"]
    elif name == "shard_map":  # what a pmap is made of
        repeats = parameters["mesh"].size
    return repeats * sum(inner)


def _programs(value: Any) -> Iterator[Any]:
    """Programs among the parameters of an equation."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _programs(item)
    elif hasattr(value, "eqns"):
        yield value
    elif hasattr(value, "jaxpr"):
        yield value.jaxpr
