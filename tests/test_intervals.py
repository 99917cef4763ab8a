"""Published numbers, laws and edges of toolkit.intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    test_proportions_2indep,
)

from toolkit.intervals import (
    CrossSums,
    Rate,
    UserSums,
    correlation,
    design_effect,
    difference,
    quantile_ranks,
    ratio,
    score_test,
    wilson,
)
from toolkit.multiplicity import benjamini_hochberg, holm

pytestmark = pytest.mark.filterwarnings("error")
# Not a test of ours, though its name looks like one.
test_proportions_2indep.__test__ = False

users = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30).map(
    lambda pairs: tuple(np.array([(min(p), max(p)) for p in pairs]).T)
)


def counts(k: int, n: int) -> Rate:
    return Rate.of_counts(k, n)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_1998_table_i(k, n, low, high):
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("k", "n", "other", "m", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1),
        (10, 10, 0, 10, 0.6075, 1),
    ],
)
def test_difference_gives_newcombes_1998_table_ii_method_10(k, n, other, m, low, high):
    assert difference(counts(k, n), counts(other, m)) == pytest.approx((low, high), abs=6e-5)


def test_ratio_gives_koopmans_1984_example():
    assert ratio(counts(36, 40), counts(16, 80)) == pytest.approx((2.940, 7.152), abs=5e-4)


def test_ratio_gives_the_example_of_fagerland_lydersen_and_laake_2015():
    # Statistical Methods in Medical Research 24, 224-254: 7 of 34 survived against 1 of 34.
    low, high = ratio(counts(7, 34), counts(1, 34))
    assert (round(low, 2), round(high)) == (1.22, 43)


def test_ratio_is_statsmodels_score_interval_where_that_has_one():
    for k, n, other, m in [(7, 34, 1, 34), (81, 263, 15, 148), (3, 10, 4, 12)]:
        theirs = confint_proportions_2indep(k, n, other, m, method="score", compare="ratio", correction=False)
        assert ratio(counts(k, n), counts(other, m)) == pytest.approx(theirs, rel=1e-6)


def test_the_score_test_is_pearsons_chi_squared():
    table = [[20, 30], [35, 25]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert score_test(counts(20, 50), counts(35, 60)) == pytest.approx(expected)
    theirs = test_proportions_2indep(20, 50, 35, 60, method="score", compare="ratio", correction=False)
    assert score_test(counts(20, 50), counts(35, 60)) == pytest.approx(theirs.pvalue)


# Benjamini & Hochberg (1995), section 3.3: fifteen endpoints after myocardial infarction.
ENDPOINTS = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]


def test_benjamini_hochberg_finds_four_endpoints_and_holm_three():
    assert (benjamini_hochberg(ENDPOINTS) <= 0.05).sum() == 4
    assert benjamini_hochberg(ENDPOINTS)[3] == pytest.approx(0.0095 * 15 / 4)
    assert (holm(ENDPOINTS) <= 0.05).sum() == 3
    assert holm(ENDPOINTS)[2] == pytest.approx(0.0019 * 13)


def test_a_missing_p_value_stays_missing_and_makes_the_family_no_larger():
    for adjust in (holm, benjamini_hochberg):
        with_gap = adjust([0.01, np.nan, 0.04])
        assert np.isnan(with_gap[1])
        assert with_gap[[0, 2]] == pytest.approx(adjust([0.01, 0.04]))
        assert np.isnan(adjust([np.nan])).all()
        assert adjust([]).size == 0


@pytest.mark.parametrize(("n", "low", "high"), [(6, 1, 6), (10, 2, 9), (15, 4, 12), (20, 6, 15), (25, 8, 18)])
def test_ranks_of_the_median_are_those_of_the_sign_test_tables(n, low, high):
    assert quantile_ranks(0.5, n) == (low, high)


@given(st.integers(1, 300), st.floats(0.02, 0.98), st.sampled_from([0.8, 0.95, 0.99]))
def test_each_rank_errs_no_more_often_than_promised_and_the_next_one_would(n, q, confidence):
    low, high = quantile_ranks(q, n, confidence=confidence)
    below, tail = stats.binom(n, q), (1 - confidence) / 2
    if not math.isnan(low):
        assert below.cdf(low - 1) <= tail * (1 + 1e-9)
    assert below.cdf(0 if math.isnan(low) else low) > tail * (1 - 1e-9)
    if not math.isnan(high):
        assert below.sf(high - 1) <= tail * (1 + 1e-9)
    assert below.sf(n - 1 if math.isnan(high) else high - 2) > tail * (1 - 1e-9)


def test_too_few_observations_leave_a_limit_open():
    assert np.isnan(quantile_ranks(0.5, 5)).all()
    assert np.isnan(quantile_ranks(0.5, 0)).all()
    low, high = quantile_ranks(0.9, 20)
    assert low == 15
    assert math.isnan(high)


def test_observations_that_come_in_fours_have_the_ranks_of_a_quarter_as_many():
    low, high = quantile_ranks(0.5, 20)
    # The sixth and the fifteenth foursome: from the first of the one to the last of the other.
    assert quantile_ranks(0.5, 80, design_effect=4) == (4 * (low - 1) + 1, 4 * high)


@given(st.integers(0, 40), st.integers(1, 40), st.sampled_from([0.8, 0.95, 0.999]))
def test_wilson_agrees_with_statsmodels_and_holds_its_estimate(k, extra, confidence):
    n = k + extra
    low, high = wilson(k, n, confidence)
    theirs = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    assert (low, high) == pytest.approx(theirs, abs=1e-12)
    assert 0 <= low <= k / n <= high <= 1
    assert low < high


@settings(deadline=None)
@given(*[st.integers(0, 12)] * 2, *[st.integers(12, 30)] * 2)
def test_two_rates_can_be_compared_in_either_order(k, other, n, m):
    a, b = counts(k, n), counts(other, m)
    low, high = difference(a, b)
    assert difference(b, a) == pytest.approx((-high, -low))
    assert -1 <= low < high <= 1
    assert low <= k / n - other / m <= high
    low, high = ratio(a, b)
    turned = ratio(b, a)
    assert low == pytest.approx(1 / turned.high if turned.high else np.inf, rel=1e-6)
    assert (high == np.inf) == (other == 0)
    assert score_test(a, b) == pytest.approx(score_test(b, a))


@settings(deadline=None)
@given(*[st.integers(0, 12)] * 2, *[st.integers(12, 30)] * 2, st.floats(-0.9, 0.9))
def test_the_p_value_is_small_exactly_where_the_ratio_leaves_out_one(k, other, n, m, r):
    a, b = counts(k, n), counts(other, m)
    p = score_test(a, b, correlation=r)
    low, high = ratio(a, b, correlation=r)
    if abs(p - 0.05) > 1e-6:
        assert (p > 0.05) == (low <= 1 <= high)


def test_nothing_or_everything_still_gives_intervals_with_a_width():
    none, all_, some = counts(0, 10), counts(10, 10), counts(4, 10)
    for rate in (none, all_):
        low, high = rate.interval()
        assert high - low > 0.2
    assert ratio(none, none) == (0, np.inf)
    assert ratio(none, some).low == 0
    assert ratio(some, none).high == np.inf
    assert ratio(all_, all_)[0] < 1 < ratio(all_, all_)[1]
    assert score_test(none, none) == score_test(all_, all_) == 1
    low, high = difference(none, all_)
    assert (low, high) == (-1, pytest.approx(-0.6075, abs=5e-5))


def test_ratio_of_certain_successes_ends_where_the_score_test_rejects():
    # statsmodels 0.15 stops at 1.333 here, where its own test has p = 0.075.
    low, high = ratio(counts(10, 10), counts(5, 10))
    for limit in (low, high):
        theirs = test_proportions_2indep(
            5, 10, 10, 10, value=1 / limit, compare="ratio", method="score", correction=False
        )
        assert theirs.pvalue == pytest.approx(0.05, abs=1e-6)


def test_without_trials_everything_is_unknown_and_nothing_warns():
    empty, some = counts(0, 0), counts(4, 10)
    nobody = Rate.of_users(UserSums.of([0], [0]))
    for rate in (empty, nobody):
        assert np.isnan(rate.interval()).all()
        for compare in (difference, ratio):
            assert np.isnan(compare(rate, some)).all()
            assert np.isnan(compare(some, rate)).all()
        assert math.isnan(score_test(rate, some))


def test_counts_that_rise_and_impossible_confidences_are_refused():
    with pytest.raises(ValueError, match="here are 5 of 4"):
        wilson([1, 5], [3, 4])
    with pytest.raises(ValueError, match="here are -1 of 4"):
        wilson(-1, 4)
    with pytest.raises(ValueError, match="confidence=95 lies outside"):
        wilson(1, 3, confidence=95)
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile_ranks(1.0, 10)


def test_one_trial_per_user_gives_wilson_exactly():
    sums = UserSums.of([1, 0, 0, 1, 0], [1, 1, 1, 1, 1])
    assert design_effect(sums) == 1
    assert Rate.of_users(sums).interval() == wilson(2, 5)


def test_a_user_repeated_in_full_counts_once():
    # Ten users, each five times the same: the size is ten, not fifty.
    y = np.array([5, 0, 0, 5, 5, 0, 0, 0, 5, 0])
    rate = Rate.of_users(UserSums.of(y, np.full(10, 5)))
    assert (rate.size, rate.freedom) == (pytest.approx(10), 9)


@pytest.mark.parametrize(
    ("y", "x", "larger"),
    [([3, 0, 2, 1, 4], [4, 3, 2, 5, 4], "correlation"), ([9, 1, 0, 1, 0], [10, 4, 4, 5, 3], "residuals")],
)
def test_the_design_effect_is_the_larger_of_residuals_and_analysis_of_variance(y, x, larger):
    y, x = np.array(y), np.array(x)
    rows = [np.repeat([1.0, 0.0], [k, n - k]) for k, n in zip(y, x, strict=True)]
    everyone = np.concatenate(rows)
    between = sum(len(r) * (r.mean() - everyone.mean()) ** 2 for r in rows) / (len(rows) - 1)
    within = sum(((r - r.mean()) ** 2).sum() for r in rows) / (len(everyone) - len(rows))
    typical = (x.sum() - (x**2).sum() / x.sum()) / (len(rows) - 1)
    r = (between - within) / (between + (typical - 1) * within)
    p = y.sum() / x.sum()
    answers = {
        "residuals": ((y - p * x) ** 2).sum() / (x.sum() * p * (1 - p)),
        "correlation": 1 + r * ((x**2).sum() / x.sum() - 1),
    }
    assert max(answers, key=answers.get) == larger
    assert design_effect(UserSums.of(y, x)) == pytest.approx(answers[larger])


def test_where_nobody_converted_the_interval_is_as_wide_as_for_users_of_one_mind():
    sums = UserSums.of(np.zeros(4), np.array([7, 1, 1, 1]))
    assert Rate.of_users(sums).size == pytest.approx(10**2 / 52)
    low, high = Rate.of_users(sums).interval()
    assert low == 0
    assert high > wilson(0, 10).high


def test_a_single_user_with_several_trials_tells_nothing():
    alone, many = Rate.of_users(UserSums.of([2], [3])), counts(50, 100)
    assert alone.interval() == pytest.approx((0, 1), abs=1e-6)
    assert difference(alone, many)[0] < -0.4
    assert ratio(alone, many) == (0, np.inf)
    assert score_test(alone, many) == 1


@settings(deadline=None)
@given(users)
def test_sums_over_users_give_an_interval_inside_0_and_1_around_the_rate(pair):
    y, x = pair
    sums = UserSums.of(y, x)
    low, high = Rate.of_users(sums).interval()
    if x.sum() == 0:
        assert math.isnan(low)
        return
    assert 0 <= low <= y.sum() / x.sum() <= high <= 1
    assert low < high
    assert design_effect(sums) >= 1
    # Users who never entered change nothing.
    assert Rate.of_users(UserSums.of([*y, 0], [*x, 0])).interval() == pytest.approx((low, high))
    # Success and failure are two names of one thing.
    mirrored = Rate.of_users(UserSums.of(x - y, x)).interval()
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_users_who_are_alike_have_one_degree_of_freedom_less_than_they_are():
    sums = UserSums.of(np.arange(10) % 5, np.full(10, 4))
    assert Rate.of_users(sums, 10 * 4**4).freedom == pytest.approx(9)
    assert Rate.of_users(sums).freedom == 9


def test_a_user_who_makes_most_of_the_trials_leaves_few_degrees_of_freedom():
    x, y = np.array([100, *[2] * 50]), np.array([60, *[1] * 50])
    sums = UserSums.of(y, x)
    frequent, alike = Rate.of_users(sums, (x**4).sum()), Rate.of_users(sums)
    assert frequent.freedom < 1.1 < 49 < alike.freedom
    assert frequent.size == alike.size
    assert np.ptp(frequent.interval()) > 2 * np.ptp(alike.interval())


@pytest.mark.slow
@pytest.mark.parametrize(("tail", "least"), [(2.0, 0.93), (1.3, 0.9)])
def test_intervals_hold_the_truth_where_frequent_users_convert_otherwise(tail, least):
    rng = np.random.default_rng(7)
    x = np.floor((1 - rng.random((3000, 100))) ** (-1 / tail))
    often = 1 - sum(k * (k**-tail - (k + 1) ** -tail) for k in range(1, 5)) / special.zeta(tail)
    truth = 0.3 * (1 - often) + 0.6 * often
    y = rng.binomial(x.astype(np.int64), np.where(x >= 5, 0.6, 0.3))
    low, high = Rate.of_users(UserSums.of(y, x), (x**4).sum(1)).interval()
    assert np.mean((low <= truth) & (truth <= high)) > least


def test_arrays_give_the_answers_of_their_elements():
    rng = np.random.default_rng(4)
    x = rng.poisson(2, (3, 40))
    y = rng.binomial(x, 0.3)
    together = Rate.of_users(UserSums.of(y, x)).interval()
    for i in range(3):
        assert (together.low[i], together.high[i]) == pytest.approx(
            Rate.of_users(UserSums.of(y[i], x[i])).interval()
        )
    assert isinstance(wilson(1, 3).low, float)
    assert wilson([1, 2], 3).low.shape == (2,)
    assert np.isnan(wilson([0, 0], [0, 3]).high).tolist() == [True, False]


def test_a_group_compared_with_itself_has_no_room_to_differ():
    y, x = np.array([1, 0, 2, 0, 1, 1]), np.array([2, 1, 3, 1, 1, 2])
    sums, cross = UserSums.of(y, x), CrossSums.of(y, x, y, x)
    r = correlation(sums, sums, cross)
    assert r == pytest.approx(0.999)
    low, high = difference(Rate.of_users(sums), Rate.of_users(sums), correlation=r)
    apart = difference(Rate.of_users(sums), Rate.of_users(sums))
    assert high - low < 0.2 * (apart.high - apart.low)


def test_groups_that_share_no_user_and_rates_that_cannot_move_are_uncorrelated():
    y, x = np.array([1, 0, 2, 0]), np.array([2, 1, 0, 0])
    y[2], z, w = 0, np.array([0, 0, 1, 0]), np.array([0, 0, 2, 1])
    assert correlation(UserSums.of(y, x), UserSums.of(z, w), CrossSums.of(y, x, z, w)) == 0
    still = np.zeros(4)
    assert correlation(UserSums.of(y, x), UserSums.of(still, x), CrossSums.of(y, x, still, x)) == 0


def test_the_correlation_of_shared_users_is_that_of_their_residuals():
    y, x = np.array([1, 0, 2, 0, 3]), np.array([2, 1, 3, 0, 3])
    z, w = np.array([1, 0, 1, 1, 0]), np.array([1, 2, 1, 2, 0])
    e, f = y - y.sum() / x.sum() * x, z - z.sum() / w.sum() * w
    expected = (e * f).sum() / math.sqrt((e**2).sum() * (f**2).sum())
    found = correlation(UserSums.of(y, x), UserSums.of(z, w), CrossSums.of(y, x, z, w))
    assert found == pytest.approx(expected)


def test_one_trial_each_in_both_groups_nearly_gives_mcnemar():
    # 30 users succeed in both, 18 only in the first, 8 only in the second, 44 in neither.
    y, z = np.repeat([1, 1, 0, 0], [30, 18, 8, 44]), np.repeat([1, 0, 1, 0], [30, 18, 8, 44])
    once = np.ones(100)
    a, b = UserSums.of(y, once), UserSums.of(z, once)
    r = correlation(a, b, CrossSums.of(y, once, z, once))
    mcnemar = 2 * stats.norm.sf((18 - 8) / math.sqrt(18 + 8))
    assert score_test(Rate.of_users(a), Rate.of_users(b), correlation=r) == pytest.approx(mcnemar, abs=0.005)


def test_heavy_users_need_the_clustered_interval():
    rng = np.random.default_rng(7)
    x = np.floor(rng.random((400, 300)) ** (-1 / 1.3))
    y = rng.binomial(x.astype(int), rng.beta(0.1, 0.9, x.shape))
    sums = UserSums.of(y, x)

    def coverage(interval):
        return ((interval.low <= 0.1) & (interval.high >= 0.1)).mean()

    assert coverage(Rate.of_users(sums).interval()) > 0.93
    assert coverage(wilson(sums.y, sums.x)) < 0.6
