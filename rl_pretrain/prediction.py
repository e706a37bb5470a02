"""How well a network predicts the moves and results of games that it has not seen.

    measure = jax.jit(functools.partial(prediction.measure, num_phases=3))  # or inside a function of the weights
    seen = [measure(predict, batch, prediction.phase_of(numbers, (20, 40))) for batch, numbers in batches]
    print(prediction.means(prediction.total(seen)))

What is measured of a batch are sums, so any number of positions can be streamed through one compiled function, and sums
of parts can be put together in any way. A mean over a few phases is not the mean of their means, nor is a calibration
error: `total` and `merged` add before `means` divides.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rl_pretrain.environment import Predict
from rl_pretrain.replay import Example
from rl_pretrain.search import mask_illegal

NUM_BINS = 15
"""Bins of equal width for the calibration error, as many as Guo et al. (ICML 2017) take."""


class Sums(NamedTuple):
    """Sums over positions by their phase, float. Those of two batches are added field by field."""

    positions: Any  # [phases]: how many
    top_1: Any  # [phases]: of the chance that the move is the network's first
    top_5: Any  # [phases]: … one of its first five
    cross_entropy: Any  # [phases]: nats
    policy_entropy: Any  # [phases]: nats
    squared_error: Any  # [phases]: of the chance to win, where the result is known
    results: Any  # [phases, bins]: known results, by the chance to win that was predicted
    predicted: Any  # [phases, bins]: chances to win
    won: Any  # [phases, bins]: 1 for a win of the player to move, ½ for a draw


class Means(NamedTuple):
    """What the sums say, float64; NaN where there was nothing to count. See `means` for definitions."""

    num_positions: np.ndarray  # [phases]
    num_results: np.ndarray  # [phases]
    top_1: np.ndarray  # [phases]
    top_5: np.ndarray  # [phases]
    cross_entropy: np.ndarray  # [phases]
    policy_entropy: np.ndarray  # [phases]
    brier: np.ndarray  # [phases]
    calibration_error: np.ndarray  # [phases]


def phase_of(number: jax.typing.ArrayLike, starts: tuple[int, ...]) -> jax.Array:
    """Which phase of a game a position belongs to, int32 `[...]`: 0 before move `starts[0]`, and so on.

    Args:
      number: int `[...]`, moves played so far.
      starts: at which number each phase but the first begins, ascending; `(20, 40)` makes three phases.
    """
    if list(starts) != sorted(set(starts)):
        raise ValueError(f"the phases must begin one after the other, got {starts}")
    return jnp.searchsorted(jnp.asarray(starts, jnp.int32), jnp.asarray(number), side="right").astype(jnp.int32)


def measure(predict: Predict, batch: Example, phase: jax.Array, num_phases: int, num_bins: int = NUM_BINS) -> Sums:
    """Sums over one batch, float32: a pure function of arrays, for `jax.jit`.

    Args:
      predict: batched network, closed over its weights.
      batch: `[batch, ...]` positions; `policy` is 1 at the move that was played, which must be legal, and else 0. All
        moves count, whatever `has_policy` says of learning them.
      phase: int32 `[batch]`, from 0 to `num_phases` - 1. A position of another phase, such as -1, counts nowhere:
        the last batch can be filled up with those.
    """
    logits, values = predict(batch.observation)
    logits = mask_illegal(logits, batch.legal)
    log_policy = jax.nn.log_softmax(logits)
    move = jnp.argmax(batch.policy, axis=-1)[:, None]
    played = jnp.take_along_axis(logits, move, axis=-1)
    num_better = jnp.sum(logits > played, axis=-1)
    num_equal = jnp.sum(logits == played, axis=-1)  # the move itself is one

    chance = jnp.clip((values + 1) / 2, 0.0, 1.0)
    outcome = (batch.value + 1) / 2
    known = batch.has_value.astype(jnp.float32)
    cell = jnp.minimum(jnp.floor(chance * num_bins).astype(jnp.int32), num_bins - 1)
    bins = jax.nn.one_hot(cell, num_bins) * known[:, None]
    shares = jax.nn.one_hot(phase, num_phases)

    def sums(of: jax.Array) -> jax.Array:  # [batch, ...] → [phases, ...]
        return jnp.einsum("bp,b...->p...", shares, of, precision=jax.lax.Precision.HIGHEST)

    return Sums(
        positions=sums(jnp.ones_like(chance)),
        top_1=sums(_chance_among(1, num_better, num_equal)),
        top_5=sums(_chance_among(5, num_better, num_equal)),
        cross_entropy=sums(-jnp.take_along_axis(log_policy, move, axis=-1)[:, 0]),
        policy_entropy=sums(-jnp.sum(jnp.exp(log_policy) * jnp.where(batch.legal, log_policy, 0.0), axis=-1)),
        squared_error=sums(known * jnp.square(chance - outcome)),
        results=sums(bins),
        predicted=sums(bins * chance[:, None]),
        won=sums(bins * outcome[:, None]),
    )


def _chance_among(k: int, num_better: jax.Array, num_equal: jax.Array) -> jax.Array:
    """The chance to be among the first k where equals are ordered at random."""
    return jnp.clip((k - num_better) / num_equal, 0.0, 1.0)


def total(parts: Iterable[Sums]) -> Sums:
    """The sum of at least one, on the host and in float64, so that millions of positions lose no digits."""
    exact = [jax.tree.map(lambda x: np.asarray(x, np.float64), part) for part in parts]
    if not exact:
        raise ValueError("there must be at least one batch to add up")
    return jax.tree.map(lambda *x: np.sum(x, axis=0), *exact)


def merged(sums: Sums) -> Sums:
    """All phases as one: `[1, ...]`."""
    return jax.tree.map(lambda x: np.sum(np.asarray(x, np.float64), axis=0, keepdims=True), sums)


def means(sums: Sums) -> Means:
    """Means over the positions of each phase.

    - `top_1`, `top_5`: the share of positions in which the move that was played is among the k legal moves of the
      greatest probability. Ties are broken by chance, and it is this chance that counts: a network that gives all of
      n moves the same gets k/n, not 1.
    - `cross_entropy`: minus the logarithm of the move's probability under the policy over legal moves; nats.
    - `policy_entropy`: of that policy; nats. How sure the network is, right or wrong.
    - `brier`: the mean of (p - o)², where p = (v + 1) / 2 is the chance to win that the value v says, and o the
      result: 1 won, ½ drawn, 0 lost, all for the player to move (Brier 1950, Monthly Weather Review 78, whose sum
      over both outcomes is twice this). Always saying ½ gives ¼ where there are no draws. Only known results count.
    - `calibration_error`: Σ over bins of (share of positions in it) · |mean of p - mean of o|, with bins [i/n, (i+1)/n)
      of p, the last one closed. So Naeini, Cooper and Hauskrecht (AAAI 2015) define it for a probability of one event;
      Guo et al. (ICML 2017) do for that of the likeliest of several classes. It depends on the bins, and is biased
      upwards where they hold few positions: compare only what was measured on the same positions.

    Positions of one game resemble each other, so the number of positions overstates how sure these means are.
    """
    sums = jax.tree.map(lambda x: np.asarray(x, np.float64), sums)
    num_results = sums.results.sum(axis=-1)
    gaps = np.abs(sums.predicted - sums.won).sum(axis=-1)

    def mean(of: np.ndarray, number: np.ndarray) -> np.ndarray:
        return np.divide(of, number, out=np.full_like(of, np.nan), where=number > 0)

    return Means(
        num_positions=sums.positions,
        num_results=num_results,
        top_1=mean(sums.top_1, sums.positions),
        top_5=mean(sums.top_5, sums.positions),
        cross_entropy=mean(sums.cross_entropy, sums.positions),
        policy_entropy=mean(sums.policy_entropy, sums.positions),
        brier=mean(sums.squared_error, num_results),
        calibration_error=mean(gaps, num_results),
    )
