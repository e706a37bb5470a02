"""How often something succeeds, and how sure that is: rates of several seeds, each over many instances."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from rl_pretrain.evaluate import wilson


class Estimate(NamedTuple):
    """A mean with its interval of 95 %, and the worst seed."""

    mean: float
    low: float
    high: float
    worst: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}], worst {self.worst:.3f}"


def over_seeds(rates: ArrayLike, num: int, is_shared: bool = False) -> Estimate:
    """The mean rate of a method, of which some seeds were tried.

    Two things make it unsure: which seeds were tried (Student's t over seeds), and which instances (Wilson's score
    over all instances). The interval is as wide as either says, so that neither five seeds that agree by chance nor
    many instances of one seed make it narrow. Of one seed it knows about instances only.

    Args:
      rates: `[seeds]`, from 0 to 1.
      num: instances of each seed.
      is_shared: whether all seeds were tried on the same instances; then more seeds are not more instances.
    """
    rates = np.asarray(rates, np.float64)
    num_all = num if is_shared else num * len(rates)
    return _estimate(rates, num_all, [_spread(rates)])


def against_seeds(rates: ArrayLike, num: int) -> Estimate:
    """The mean rate of one method against another, where some seeds of either met all of the other's.

    Rates that share a player are not independent, so it is the players that are counted: the mean has the variance that
    the choice of our seeds brings and that of theirs, the degrees of freedom are Satterthwaite's (Biometrics 2, 1946).
    Each of the two holds the noise of single meetings, too, so the interval is rather too wide than too narrow. As in
    `over_seeds`, Wilson's score may make it wider, and of one seed nothing is known about seeds.

    Args:
      rates: `[our seeds, their seeds]`, from 0 to 1.
      num: instances of each meeting, the same for all of them.
    """
    rates = np.asarray(rates, np.float64)
    ours, theirs = rates.mean(axis=1), rates.mean(axis=0)
    return _estimate(ours, num, [_spread(ours), _spread(theirs)])


class _Spread(NamedTuple):
    """Variance of a mean over seeds."""

    variance: float
    freedom: int


def _spread(rates: np.ndarray) -> _Spread:
    freedom = len(rates) - 1
    return _Spread(float(rates.var(ddof=1)) / len(rates) if freedom else 0.0, freedom)


def _estimate(rates: np.ndarray, num: int, spreads: Sequence[_Spread]) -> Estimate:
    """Wilson's interval over instances, or Student's over seeds where that is wider."""
    mean, variance = float(rates.mean()), sum(spread.variance for spread in spreads)
    low, high = wilson(mean, num)
    if variance:
        freedom = variance**2 / sum(spread.variance**2 / spread.freedom for spread in spreads if spread.freedom)
        margin = float(stats.t.ppf(0.975, freedom)) * variance**0.5
        low, high = max(0.0, min(low, mean - margin)), min(1.0, max(high, mean + margin))
    return Estimate(mean, low, high, float(rates.min()))


def reach(rates: np.ndarray, least: float = 0.95) -> int:
    """How many levels from the first on are all mastered.

    Args:
      rates: `[levels]`, the easiest first; NaN, for what is not known, is not mastered.
    """
    failed = np.flatnonzero(~(np.asarray(rates) >= least))
    return int(failed[0]) if len(failed) else len(rates)
