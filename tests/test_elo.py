"""Elo finds the ratings that made the games, agrees with what is known in closed form, and its intervals hold."""

import itertools
import math

import numpy as np
import pytest

from rl_pretrain import elo
from rl_pretrain.elo import Pair, rate


def expected(difference):
    return 1 / (1 + 10 ** (-difference / 400))


def simulate(random, ratings, num_pairs, side=0.0, draws=0.0):
    """Round robin; `side`: Elo that the opening is worth to either side, at random; `draws`: share of the games."""
    pairs = []
    for (a, rating_a), (b, rating_b) in itertools.combinations(ratings.items(), 2):
        favour = side * random.choice([-1, 1], size=(num_pairs, 1)) * [1, -1]
        p = expected(rating_a - rating_b + favour)
        p_draw = 2 * draws * np.minimum(p, 1 - p)
        chance = random.random(p.shape)
        points = np.where(chance < p - p_draw / 2, 1.0, np.where(chance < p + p_draw / 2, 0.5, 0.0))
        pairs += [Pair(a, b, total) for total in points.sum(axis=1).tolist()]
    return pairs


LADDER = {"a": 0.0, "b": 150.0, "c": 400.0, "d": 550.0, "e": 900.0}


@pytest.mark.parametrize("draws", [0.0, 0.4])
def test_recovers_the_ratings_that_made_the_games(draws):
    pairs = simulate(np.random.default_rng(0), LADDER, num_pairs=4000, draws=draws)
    ratings = rate(pairs, "a", num_resamples=100)
    for name, true in LADDER.items():
        assert abs(ratings[name].elo - true) < 15, (name, ratings)


@pytest.mark.parametrize("wins", [1, 5, 10, 19])
def test_two_players_differ_by_the_log_odds_of_their_score(wins):
    pairs = [Pair("x", "y", 2.0)] * wins + [Pair("y", "x", 2.0)] * (20 - wins)
    plain, p = rate(pairs, "y", virtual_draws=0, num_resamples=10), wins / 20
    assert plain["x"].elo == pytest.approx(400 * math.log10(p / (1 - p)), abs=1e-6)
    assert plain["y"] == (0, 0, 0)
    with_prior, p = rate(pairs, "y", num_resamples=10), (2 * wins + 0.5) / 41  # one more game, a draw
    assert with_prior["x"].elo == pytest.approx(400 * math.log10(p / (1 - p)), abs=1e-6)


def test_a_draw_is_half_a_win():
    drawn = [Pair("x", "y", 1.0)] * 2 + [Pair("x", "y", 1.5)] * 6
    decided = [Pair("x", "y", 2.0)] * 5 + [Pair("x", "y", 1.0)] + [Pair("x", "y", 0.0)] * 2
    assert sum(pair.points for pair in drawn) == sum(pair.points for pair in decided)
    drawn, decided = (rate(pairs, "y") for pairs in (drawn, decided))
    assert drawn["x"].elo == pytest.approx(decided["x"].elo)
    assert drawn["x"].high - drawn["x"].low < decided["x"].high - decided["x"].low


def test_it_is_the_maximum_of_the_likelihood():
    pairs = simulate(np.random.default_rng(1), LADDER, num_pairs=30, draws=0.2)
    ratings = {name: rating.elo for name, rating in rate(pairs, "a", virtual_draws=0, num_resamples=10).items()}

    def log_likelihood(ratings):
        return sum(
            points * math.log(expected(ratings[a] - ratings[b]))
            + (2 - points) * math.log(expected(ratings[b] - ratings[a]))
            for a, b, points in pairs
        )

    best = log_likelihood(ratings)
    for name, change in itertools.product(ratings, (-3, 3)):
        assert log_likelihood({**ratings, name: ratings[name] + change}) < best


def test_another_anchor_shifts_all_ratings_alike():
    pairs = simulate(np.random.default_rng(2), LADDER, num_pairs=10)
    by_a, by_d = rate(pairs, "a"), rate(pairs, "d", anchor_elo=1800)
    assert by_d["d"] == (1800, 1800, 1800)
    shifts = [by_d[name].elo - by_a[name].elo for name in LADDER]
    np.testing.assert_allclose(shifts, shifts[0], atol=1e-4)
    moved = rate(pairs, "a", anchor_elo=1000)
    for name in LADDER:
        np.testing.assert_allclose(np.subtract(moved[name], by_a[name]), 1000, atol=1e-6)


def test_neither_order_nor_naming_matters():
    pairs = simulate(np.random.default_rng(3), LADDER, num_pairs=6, draws=0.2)
    mixed = [Pair(b, a, 2 - points) if i % 2 else Pair(a, b, points) for i, (a, b, points) in enumerate(pairs)][::-1]
    assert rate(pairs, "b") == rate(pairs[::-1], "b")
    for name, rating in rate(mixed, "b").items():
        assert rating.elo == pytest.approx(rate(pairs, "b")[name].elo, abs=1e-4)


def test_perfect_scores_are_finite_with_an_honest_interval():
    ratings = rate([Pair("best", "middle", 2.0)] * 8 + [Pair("middle", "worst", 2.0)] * 8, "middle")
    for name, sign in (("best", 1), ("worst", -1)):
        nearer, farther = sorted(map(abs, ratings[name][1:]))
        assert 400 * math.log10(16 / 4) < nearer < sign * ratings[name].elo < farther < 5000
    assert ratings["best"].elo == pytest.approx(-ratings["worst"].elo)


def test_one_opponent_and_a_perfect_score_give_jeffreys_interval():
    rating = rate([Pair("x", "y", 2.0)] * 200, "y", num_resamples=20000)["x"]
    share = np.random.default_rng(6).beta(400.5, 0.5, size=100_000)
    low, high = np.quantile(400 * np.log10(share / (1 - share)), [0.025, 0.975])
    assert rating.low == pytest.approx(low, rel=0.03)
    assert rating.high == pytest.approx(high, rel=0.1)


def test_newton_never_runs_away():
    random = np.random.default_rng(7)
    points = 10 ** random.uniform(-9, 4, size=(300, 8, 8))  # hopeless scores, where full steps overshoot
    points[:, np.arange(8), np.arange(8)] = 0
    strengths = elo.fit(points, 0)
    share = 1 / (1 + np.exp(strengths[:, None, :] - strengths[:, :, None]))
    games = points + np.swapaxes(points, 1, 2)
    np.testing.assert_allclose(np.sum(games * share, axis=2), np.sum(points, axis=2), atol=1e-3)


def test_long_ladders_of_perfect_scores_are_solved():
    names = [f"{i:02}" for i in range(30)]
    pairs = [Pair(strong, weak, 2.0) for weak, strong in itertools.pairwise(names) for _ in range(100)]
    ratings = rate(pairs, names[0], num_resamples=100)
    steps = np.diff([ratings[name].elo for name in names])
    assert np.all(steps > 800)
    assert np.isfinite([bound for rating in ratings.values() for bound in rating]).all()


@pytest.mark.parametrize("side", [0.0, 200.0], ids=["fair openings", "openings that favour a side"])
def test_intervals_contain_the_truth_about_as_often_as_they_say(side):
    random = np.random.default_rng(4)
    true = {"a": 0.0, "b": 120.0, "c": 300.0}
    # With a side favoured by chance, scores are nearer to even than by these ratings: what counts is their limit.
    goal, hits = limit(true, side), []
    for seed in range(150):
        ratings = rate(simulate(random, true, num_pairs=25, side=side, draws=0.2), "a", num_resamples=300, seed=seed)
        hits += [ratings[name].low <= goal[name] <= ratings[name].high for name in ("b", "c")]
    assert 0.90 <= np.mean(hits) <= 0.99


def limit(ratings, side):
    """Ratings that infinitely many games would give."""
    pairs = simulate(np.random.default_rng(5), ratings, num_pairs=50000, side=side, draws=0.2)
    return {name: rating.elo for name, rating in rate(pairs, "a", num_resamples=10).items()}


def test_pairs_that_balance_make_narrow_intervals():
    """One win each in every pair tells more than as many wins of both scattered over the pairs."""
    balanced = rate([Pair("x", "y", 1.0)] * 20, "y")
    scattered = rate([Pair("x", "y", 2.0)] * 10 + [Pair("x", "y", 0.0)] * 10, "y")
    width = {"balanced": balanced["x"].high - balanced["x"].low, "scattered": scattered["x"].high - scattered["x"].low}
    assert width["balanced"] < width["scattered"] / 2


def test_players_without_common_games_are_named():
    pairs = [Pair("a", "b", 1.0), Pair("c", "d", 1.0)]
    with pytest.raises(elo.UnconnectedError, match="a, b to c, d"):
        rate(pairs, "a")
    rate([*pairs, Pair("b", "c", 2.0)], "a")


def test_without_virtual_draws_a_perfect_score_has_no_rating():
    pairs = [Pair("a", "b", 2.0)] * 3
    with pytest.raises(elo.UnconnectedError, match="a to b"):
        rate(pairs, "a", virtual_draws=0)
    with pytest.raises(elo.UnconnectedError, match="no common scale"):
        rate(pairs, "b", virtual_draws=0)


@pytest.mark.parametrize(
    ("pairs", "anchor", "message"),
    [
        ([Pair("a", "b", 1.0)], "c", "anchor 'c' has played no game; players are a, b"),
        ([Pair("a", "a", 1.0)], "a", "against itself"),
        ([Pair("a", "b", 2.5)], "a", "0 to 2, got 2.5"),
        ([Pair("a", "b", float("nan"))], "a", "0 to 2, got nan"),
        ([], "a", "played no game"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(pairs, anchor, message):
    with pytest.raises(ValueError, match=message) as error:
        rate(pairs, anchor)
    assert "\n" not in str(error.value)
