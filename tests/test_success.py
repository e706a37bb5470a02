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


def test_the_same_instances_for_all_seeds_are_not_more_instances():
    assert success.over_seeds(np.ones(5), 20, is_shared=True)[1:3] == pytest.approx(wilson(1.0, 20))


def test_players_that_met_are_counted_and_not_their_meetings():
    """Rates that differ by our player alone say as much as our players alone, however many the others are."""
    ours = np.array([0.3, 0.5, 0.4])
    met = success.against_seeds(np.tile(ours[:, None], (1, 4)), 10_000)
    assert met == pytest.approx(success.over_seeds(ours, 10_000))
    assert success.against_seeds(np.tile(ours, (4, 1)), 10_000)[:3] == pytest.approx(met[:3])


def test_what_either_side_brings_adds_up():
    """Against means of players drawn anew: the interval must hold the truth about as often as it says."""
    chance = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        ours, theirs = chance.normal(0, 0.05, (6, 1)), chance.normal(0, 0.05, (1, 6))
        _, low, high, _ = success.against_seeds(0.5 + ours + theirs, 10_000)
        hits += low <= 0.5 <= high
    assert 930 <= hits <= 985


def test_one_meeting_says_what_its_instances_say():
    assert success.against_seeds([[0.5]], 100)[1:3] == wilson(0.5, 100)


def test_it_stays_a_rate():
    estimate = success.over_seeds(np.array([0.0, 1.0]), 50)
    assert (estimate.low, estimate.high) == (0, 1)


@pytest.mark.parametrize(
    ("rates", "reached"),
    [([1, 0.96, 0.94, 1], 2), ([0.5, 1], 0), ([1, 1], 2), ([1, np.nan, 1], 1), ([], 0)],
)
def test_the_reach_ends_before_the_first_level_that_is_not_mastered(rates, reached):
    assert success.reach(np.array(rates)) == reached
