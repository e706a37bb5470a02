"""Elo ratings out of pairs of games, with intervals: Bradley-Terry by maximum likelihood. Knows no game.

A player rated d points above another is expected to score 1 / (1 + 10^(-d/400)) against it. A draw counts as half a
win, as in Elo's own definition. Davidson's model (1970), which gives draws a probability of their own, has the same
sufficient statistic (wins plus half the draws) but one more parameter, and with it an assumption: that all equal
opponents draw equally often. Go with a whole-number komi breaks it, since strong players draw more. Half wins assume
nothing about draws (Glickman 1999, section 2; quasi-likelihood in the sense of Wedderburn 1974), and the intervals
come from resampling, not from the likelihood, so they see how often there were draws.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NATURAL = 400 / np.log(10)
"""Elo points in one unit of natural log odds."""

_LEAST_POINTS = 1e-9  # what resampling may leave of a virtual draw; less would mean tens of thousands of Elo


class UnconnectedError(ValueError):
    """Some players cannot be compared with others: no chain of games leads from one to the other."""


class Pair(NamedTuple):
    """Two games of one opening with swapped sides: the unit of sampling, since the opening may favour a side."""

    first: str
    second: str
    points: float  # of the first player, 0 to 2: a win is 1, a draw ½


class Rating(NamedTuple):
    """Elo with a 95 % interval, relative to the anchor. The anchor's own interval is a point, by definition."""

    elo: float
    low: float
    high: float


def rate(
    pairs: Sequence[Pair],
    anchor: str,
    anchor_elo: float = 0.0,
    virtual_draws: float = 1.0,
    num_resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Rating]:
    """Rates all players of the pairs.

    Args:
      pairs: in any order; which of its players is named first does not matter.
      anchor: the player whose rating is known, `anchor_elo`.
      virtual_draws: prior games that end in a draw, so that perfect scores stay finite: this many for each player on
        average, spread evenly over the opponents it met. 0 gives the plain maximum likelihood.
      num_resamples: for the intervals.
      seed: of the resampling.

    The intervals are percentiles of a Bayesian bootstrap (Rubin 1981): each pair counts with a random weight of mean
    1. So do the virtual wins and losses, without which a perfect score would have an interval of no width; for one
    opponent and perfect scores this is Jeffreys' interval.

    Raises:
      UnconnectedError: no ratings, or no finite ones, follow from these games.
      ValueError: a pair that cannot be.
    """
    _check(pairs)
    names = sorted({name for pair in pairs for name in (pair.first, pair.second)})
    if anchor not in names:
        raise ValueError(f"the anchor {anchor!r} has played no game; players are {', '.join(names)}")
    number = {name: i for i, name in enumerate(names)}
    counts = dict(sorted(collections.Counter(pairs).items()))
    table = np.zeros((len(counts), len(names), len(names)))  # for each kind of pair the points of i against j
    for row, (first, second, points) in zip(table, counts, strict=True):
        row[number[first], number[second]] = points
        row[number[second], number[first]] = 2 - points
    played = np.tensordot(list(counts.values()), table, axes=1)
    prior = _virtual_points(played, virtual_draws)
    points = played + prior
    _check_connected(points, names)
    strengths = fit(points, number[anchor])

    random = np.random.default_rng(seed)
    weights = random.gamma(list(counts.values()), size=(num_resamples, len(counts)))  # sums of exponential ones
    resampled = np.tensordot(weights, table, axes=1) + random.gamma(prior, size=(num_resamples, *prior.shape))
    floor = np.where(points > 0, _LEAST_POINTS, 0.0)
    spread = fit(np.maximum(resampled, floor), number[anchor])
    low, high = np.quantile(spread, [0.025, 0.975], axis=0)
    elo = np.stack([strengths, low, high], axis=1) * NATURAL + anchor_elo
    return {name: Rating(*row) for name, row in zip(names, elo.tolist(), strict=True)}


def fit(points: np.ndarray, anchor: int, max_steps: int = 1000) -> np.ndarray:
    """Strengths of greatest likelihood, as natural logarithms, 0 for the anchor: float64 `[..., players]`.

    Args:
      points: `[..., players, players]`, entry i, j what player i has scored against player j. From each player one
        must lead to each other by positive entries, or there is no maximum (Ford 1957).
      anchor: index of the player with strength 0.

    Newton's method on a concave likelihood. No step changes the difference of two players by more than 1: over such
    a step the curvature grows at most e-fold, which makes the likelihood rise with every step (Bach 2010, lemma 1).
    """
    num_players = points.shape[-1]
    others = np.delete(np.arange(num_players), anchor)
    strengths = np.zeros(points.shape[:-1])
    for _ in range(max_steps):
        expected = np.exp(-np.logaddexp(0, strengths[..., None, :] - strengths[..., :, None]))  # score of i against j
        against = np.swapaxes(expected, -1, -2)
        # Like this, and not as points less expected points, nothing cancels when a score is nearly perfect.
        gradient = np.sum(points * against - np.swapaxes(points, -1, -2) * expected, axis=-1)
        curvature = (points + np.swapaxes(points, -1, -2)) * expected * against
        hessian = np.sum(curvature, axis=-1)[..., None] * np.eye(num_players) - curvature
        step = np.zeros_like(strengths)
        free = hessian[..., others[:, None], others]
        step[..., others] = np.linalg.solve(free, gradient[..., others, None])[..., 0]
        step /= np.maximum(1, np.ptp(step, axis=-1, keepdims=True))
        strengths = strengths + step
        if np.abs(step).max(initial=0) < 1e-8:
            return strengths
    raise UnconnectedError(f"no maximum found in {max_steps} steps: some scores are too one-sided")


def _virtual_points(points: np.ndarray, virtual_draws: float) -> np.ndarray:
    """What players score in virtual draws: `[players, players]`."""
    have_met = (points + points.T) > 0
    share = virtual_draws / np.maximum(1, have_met.sum(axis=1))  # of a player's draws for each of its opponents
    return np.where(have_met, (share[:, None] + share) / 2, 0.0) / 2


def _check(pairs: Sequence[Pair]) -> None:
    for first, second, points in pairs:
        if first == second:
            raise ValueError(f"{first} cannot be rated by games against itself")
        if not 0 <= points <= 2:
            raise ValueError(f"the points of a pair are 0 to 2, got {points} ({first} against {second})")


def _check_connected(points: np.ndarray, names: Sequence[str]) -> None:
    """Raises UnconnectedError unless every player leads to every other by scores above 0."""
    leads = (points > 0) | np.eye(len(names), dtype=bool)
    for _ in names:
        leads = leads @ leads
    for tied in (leads[0], leads[:, 0]):
        if not tied.all():
            here, there = (", ".join(np.array(names)[group]) for group in (tied, ~tied))
            raise UnconnectedError(f"no common scale: no chain of wins and draws ties {here} to {there}")
