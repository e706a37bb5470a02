"""Intervals over seeds and instances, and how far a reasoner reaches."""

import numpy as np
import pytest
from scipy import stats

from rl_pretrain import success
from rl_pretrain.evaluate import wilson


def test_seeds_that_differ_make_it_wide():
    """Against scipy's own interval of a mean."""
    rates = np.array([0.2, 0.5, 0.6, 0.4, 0.5])
    estimate = success.over_seeds(rates, 10_000)
    low, high = stats.t.interval(0.95, 4, rates.mean(), stats.sem(rates))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))
    assert estimate.mean == pytest.approx(0.44) and estimate.worst == 0.2


def test_few_instances_make_it_wide_even_if_seeds_agree():
    estimate = success.over_seeds(np.ones(5), 20)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(1.0, 100))
    assert estimate.low < 0.97
    assert success.over_seeds(np.array([0.5]), 100)[1:3] == wilson(0.5, 100)
    assert str(success.over_seeds(np.array([0.5]), 100)) == "0.500 [0.404, 0.596], worst 0.500"


def test_it_stays_a_rate():
    estimate = success.over_seeds(np.array([0.0, 1.0]), 50)
    assert (estimate.low, estimate.high) == (0, 1)


@pytest.mark.parametrize(
    ("rates", "reached"),
    [([1, 0.96, 0.94, 1], 2), ([0.5, 1], 0), ([1, 1], 2), ([1, np.nan, 1], 1), ([], 0)],
)
def test_the_reach_ends_before_the_first_level_that_is_not_mastered(rates, reached):
    assert success.reach(np.array(rates)) == reached
