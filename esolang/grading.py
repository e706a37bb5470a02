"""Programs run on their problems' cases, all that end at one step of a rollout in one batch.

An environment's `step` is of one episode, and a rollout maps it over its places: an interpreter inside would be run at
every step, for places that have nothing to run too. So `grader` tells `vmap` what to do instead: to put the episodes
side by side, and to run the interpreter only if one of them has finished a program.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp

from esolang import brainfuck
from esolang.brainfuck_reference import Options
from esolang.problems import reward
from esolang.problems.cases import Cases
from esolang.status import Status

Kind = Literal["terminal", "graded", "in_order"]


class Marks(NamedTuple):
    """What programs are worth; all 0 where none was finished."""

    is_right: jax.Array  # bool [B]: in all cases
    reward: jax.Array  # float32 [B]


Grade = Callable[[jax.Array, jax.Array, jax.Array, Cases], Marks]
"""is_finished bool `[B]`, linked int32 `[B, C]` as `brainfuck.link` makes them, problem int32 `[B]`, cases → marks."""


def run(linked: jax.Array, problem: jax.Array, cases: Cases, options: Options) -> tuple[brainfuck.Results, Cases]:
    """Results `[B, N, ...]` of programs on all N cases of their problems, and those cases."""
    of_each = jax.tree.map(lambda x: x[problem], cases)
    num, num_cases = of_each.data_length.shape
    data = of_each.data.reshape(num * num_cases, -1)
    results = brainfuck.run(linked, data, of_each.data_length.ravel(), options)
    return jax.tree.map(lambda x: x.reshape(num, num_cases, *x.shape[1:]), results), of_each


@functools.cache
def grader(options: Options, kind: Kind, prefers_short: bool) -> Grade:
    """The function that grades under these options, see `esolang.env.Rules`."""

    @jax.jit  # else it is traced again for each of its several callers
    def run_and_judge(is_finished: jax.Array, linked: jax.Array, problem: jax.Array, cases: Cases) -> Marks:
        linked = jnp.where(is_finished[:, None], linked, 0)
        results, of_each = run(linked, problem, cases, options)
        told = (results.output, results.output_length, results.status == Status.OK, of_each)
        is_right = is_finished & reward.is_right(*told)
        if kind == "terminal":
            worth = is_right.astype(jnp.float32)
        else:
            brevity = 1 - jnp.mean(linked != 0, axis=1) if prefers_short else 1.0
            worth = jnp.maximum(reward.graded(*told, brevity, kind == "in_order"), -1)
        return Marks(is_right, jnp.where(is_finished, worth, 0.0))

    @jax.custom_batching.custom_vmap
    def grade(is_finished: jax.Array, linked: jax.Array, problem: jax.Array, cases: Cases) -> Marks:
        nothing = Marks(jnp.zeros_like(is_finished), jnp.zeros(len(is_finished), jnp.float32))
        args = is_finished, linked, problem, cases
        return jax.lax.cond(jnp.any(is_finished), run_and_judge, lambda *_: nothing, *args)

    @grade.def_vmap
    def side_by_side(num: int, in_batched: Any, is_finished, linked, problem, cases):
        """Batches of batches as one batch; their problems too, where they have problems of their own."""

        def filled(is_batched, x):
            return x if is_batched else jnp.broadcast_to(x, (num, *x.shape))

        *of_programs, of_cases = in_batched
        programs = [filled(*pair) for pair in zip(of_programs, (is_finished, linked, problem), strict=True)]
        if any(jax.tree.leaves(of_cases)):
            cases = jax.tree.map(filled, of_cases, cases)
            programs[2] = programs[2] + len(cases.base[0]) * jnp.arange(num, dtype=jnp.int32)[:, None]
            cases = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), cases)
        size = programs[0].shape
        marks = grade(*(x.reshape(-1, *x.shape[2:]) for x in programs), cases)
        return jax.tree.map(lambda x: x.reshape(size), marks), jax.tree.map(lambda _: True, marks)

    return cast(Grade, grade)
