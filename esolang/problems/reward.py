"""What a program's outputs are worth: all or nothing, or the graded reward of arXiv 1801.03526.

Arrays are of one program, or of any number of them in front: `[..., N]` for its N cases.
"""

import jax
import jax.numpy as jnp

from esolang.problems.cases import Cases

BONUS = 2.0
"""For a case that is exactly right."""
FAILURE = -2.0
"""In place of all rewards, if a program does not end by itself in some case."""


def is_right(output: jax.Array, output_length: jax.Array, has_ended: jax.Array, cases: Cases) -> jax.Array:
    """The verifier: whether a program has ended and written what was expected, in every case.

    Args:
      output: uint8 `[..., N, K]`, 0 from output_length `[..., N]` on.
      has_ended: bool `[..., N]`, whether the program ended by itself.
      cases: of the program's problem: arrays `[..., N, ...]`.

    Returns: bool `[...]`.
    """
    return jnp.all(has_ended & _is_exact(output, output_length, cases), axis=-1)


def graded(
    output: jax.Array,
    output_length: jax.Array,
    has_ended: jax.Array,
    cases: Cases,
    brevity: jax.Array | float = 1.0,
    in_order: bool = False,
) -> jax.Array:
    """How near to right a program is: float32 `[...]`, 1 exactly if it is right and as brief as can be.

    In every case the distance of output and answer is the sum of differences, a missing or an extra number counting as
    the base, and the reward is 1 - distance / (base · numbers of the answer); 2 more if it is exact, and then
    `brevity` more. The sum over cases is divided by the greatest possible. One case that does not end makes it -2.
    There, numbers are below the base; here, where they may be above it, no difference counts more than the base.

    Args:
      output, output_length, has_ended, cases: as of `is_right`; `cases.base` is `[...]`.
      brevity: `[...]`, from 0 to 1: the bonus for short programs. 1 where their length does not matter.
      in_order: whether numbers count only as far as they are right, and the first that is wrong by how near it is; not
        of the paper. What is written by chance behind it is worth nothing, and every number more that is right is
        worth more than that.
    """
    base = cases.base[..., None, None].astype(jnp.int32)
    room = max(output.shape[-1], cases.expected.shape[-1])
    written, expected = (_pad(each, room).astype(jnp.int32) for each in (output, cases.expected))
    position = jnp.arange(room)
    is_written = position < output_length[..., None]
    is_expected = position < cases.expected_length[..., None]
    difference = jnp.minimum(jnp.abs(written - expected), base)
    difference = jnp.where(is_written & is_expected, difference, jnp.where(is_written ^ is_expected, base, 0))
    if in_order:
        counts = is_written | is_expected
        closeness = jnp.where(counts, 1 - difference / base, 0.0)
        is_past = jnp.cumsum(difference > 0, axis=-1) - (difference > 0) > 0
        near = jnp.sum(jnp.where(is_past, 0.0, closeness), axis=-1) / jnp.maximum(jnp.sum(counts, axis=-1), 1)
        near = jnp.where(jnp.any(counts, axis=-1), near, 1.0)
    else:
        unit = base[..., 0] * jnp.maximum(cases.expected_length, 1)
        near = 1 - jnp.sum(difference, axis=-1) / unit
    brevity = jnp.asarray(brevity, jnp.float32)[..., None]
    exact = jnp.where(_is_exact(output, output_length, cases), BONUS + brevity, 0.0)
    total = jnp.where(jnp.all(has_ended, axis=-1), jnp.sum(near + exact, axis=-1), FAILURE)
    num_cases = cases.expected_length.shape[-1]
    return (total / ((1 + BONUS + 1) * num_cases)).astype(jnp.float32)


def _is_exact(output: jax.Array, output_length: jax.Array, cases: Cases) -> jax.Array:
    room = max(output.shape[-1], cases.expected.shape[-1])
    is_same = jnp.all(_pad(output, room) == _pad(cases.expected, room), axis=-1)
    return is_same & (output_length == cases.expected_length)


def _pad(x: jax.Array, room: int) -> jax.Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, room - x.shape[-1])])
