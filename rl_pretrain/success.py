"""How often something succeeds, and how sure that is: rates of several seeds, each over many instances."""

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


def over_seeds(rates: ArrayLike, num: int) -> Estimate:
    """The mean rate of a method, of which some seeds were tried.

    Two things make it unsure: which seeds were tried (Student's t over seeds), and which instances (Wilson's score
    over all instances). The interval is as wide as either says, so that neither five seeds that agree by chance nor
    many instances of one seed make it narrow. Of one seed it knows about instances only.

    Args:
      rates: `[seeds]`, from 0 to 1.
      num: instances of each seed.
    """
    rates = np.asarray(rates, np.float64)
    mean = float(rates.mean())
    low, high = wilson(mean, num * len(rates))
    if len(rates) > 1:
        margin = float(stats.t.ppf(0.975, len(rates) - 1) * rates.std(ddof=1) / np.sqrt(len(rates)))
        low, high = max(0.0, min(low, mean - margin)), min(1.0, max(high, mean + margin))
    return Estimate(mean, low, high, float(rates.min()))


def reach(rates: np.ndarray, least: float = 0.95) -> int:
    """How many levels from the first on are all mastered.

    Args:
      rates: `[levels]`, the easiest first; NaN, for what is not known, is not mastered.
    """
    failed = np.flatnonzero(~(np.asarray(rates) >= least))
    return int(failed[0]) if len(failed) else len(rates)
