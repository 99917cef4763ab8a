"""Error propagation: Wilson's interval for one rate, the delta method far from the edges, and the guards between."""

import numpy as np
import pytest
from scipy import special, stats

from toolkit.intervals import Rate, UserSums, wilson
from toolkit.propagation import LEAST_P, Moments, Precision, correlated

Z = special.ndtri(0.975)


def rates(successes, n, correlation=None, freedom=np.inf):
    """What is known of rates, each with its size."""
    y, n = np.array(successes, float), np.array(n, float)
    p = y / n
    return Precision(
        values=p,
        sizes=n,
        freedom=np.broadcast_to(np.asarray(freedom, float), p.shape),
        errors=np.sqrt(p * (1 - p) / n),
        skewed=np.ones(len(p), bool),
        correlation=np.eye(len(p)) if correlation is None else np.array(correlation, float),
    )


def means(values, errors, correlation=None, freedom=np.inf, sizes=1e6):
    """What is known of means, each with its standard error."""
    values, errors = np.array(values, float), np.array(errors, float)
    return Precision(
        values=values,
        sizes=np.broadcast_to(float(sizes), values.shape),
        freedom=np.broadcast_to(np.asarray(freedom, float), values.shape),
        errors=errors,
        skewed=np.zeros(len(values), bool),
        correlation=np.eye(len(values)) if correlation is None else np.array(correlation, float),
    )


@pytest.mark.parametrize(("successes", "n"), [(30, 100), (4, 100), (96, 100), (0, 50), (50, 50)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_of_one_rate_the_interval_is_wilsons(successes, n, confidence):
    found = rates([successes], [n]).interval(successes / n, np.ones(1), confidence)
    assert found == pytest.approx(wilson(successes, n, confidence), abs=1e-12)


@pytest.mark.parametrize("successes", [1, 2, 3])
def test_of_one_to_three_successes_the_limit_is_lower_than_wilsons(successes):
    # Brown, Cai & DasGupta (2001), section 4.1.1: half a chi-squared with 2 y degrees of freedom over n.
    poisson = stats.chi2.ppf(0.05, 2 * successes) / 2 / 60
    found = rates([successes], [60]).interval(successes / 60, np.ones(1), 0.95)
    assert found.low == pytest.approx(poisson)
    assert found.low < wilson(successes, 60).low
    assert found.high == pytest.approx(wilson(successes, 60).high)
    mirrored = rates([60 - successes], [60]).interval(1 - successes / 60, np.ones(1), 0.95)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx(found)


def test_the_mended_limit_never_lies_above_wilsons():
    for confidence in (0.5, 0.8, 0.95):
        found = rates([3], [4]).interval(0.75, np.ones(1), confidence)
        own = wilson(3, 4, confidence)
        assert found.low <= own.low + 1e-12
        assert found.high >= own.high - 1e-12


def test_of_equal_tiers_the_interval_is_nearly_wilsons_of_their_sum():
    for tiers in (2, 6):
        found = rates([8] * tiers, [100] * tiers).interval(0.08, np.full(tiers, 1 / tiers), 0.95)
        assert found == pytest.approx(wilson(8 * tiers, 100 * tiers), abs=0.002)


def apart(known, gradient, side):
    """Distances on one side: by Zou & Donner (2008) from Wilson's own limits, and by the delta method."""
    own = Rate(known.values, known.sizes).interval(0.95)
    below, above = known.values - own.low, own.high - known.values
    reach = np.where(gradient * side > 0, above, below)
    zou, plain = (
        spread @ known.correlation @ spread for spread in (gradient * reach, gradient * Z * known.errors)
    )
    return np.sqrt(zou), np.sqrt(plain)


def test_no_side_is_shorter_than_the_shorter_of_zou_and_donner_and_the_delta_method():
    rng = np.random.default_rng(4)
    bound = 0
    for _ in range(200):
        n = rng.choice([30, 300, 3_000], 4)
        y = rng.binomial(n, rng.choice([0.05, 0.3, 0.6])) + 4
        known, gradient = rates(np.minimum(y, n - 4), n), rng.dirichlet(np.ones(4)) * rng.choice([-1, 1], 4)
        estimate = gradient @ known.values
        low, high = known.interval(estimate, gradient, 0.95)
        for side, reach in ((-1, estimate - low), (1, high - estimate)):
            least = min(apart(known, gradient, side))
            assert reach >= least - 1e-12
            bound += reach < least + 1e-12
    assert bound > 5  # the guard was needed


def test_of_means_the_interval_is_the_delta_methods_with_their_correlation():
    known = means([5, 3], [0.3, 0.4], [[1, 0.5], [0.5, 1]])
    gradient = np.array([1.0, -1.0])
    error = np.sqrt(0.09 + 0.16 - 2 * 0.5 * 0.12)
    assert known.error(gradient) == pytest.approx(error)
    assert known.interval(2, gradient, 0.95) == pytest.approx((2 - Z * error, 2 + Z * error))


def test_many_functions_are_answered_at_once():
    known, gradients = rates([20, 30], [80, 90]), np.array([[1.0, -1.0], [0.5, 0.5]])
    low, high = known.interval(gradients @ known.values, gradients, 0.9)
    for row in range(2):
        one = known.interval(gradients[row] @ known.values, gradients[row], 0.9)
        assert (low[row], high[row]) == pytest.approx(one)


def test_a_lower_limit_stops_at_the_least_that_can_be():
    known = means([0.1], [1.0])
    assert known.interval(0.1, np.ones(1), 0.95, 0.0).low == 0
    assert known.interval(0.1, np.ones(1), 0.95).low < 0


def test_few_users_take_students_quantile_and_one_user_says_nothing():
    assert means([1], [0.5], freedom=3).interval(1, np.ones(1), 0.95).high == pytest.approx(
        1 + 3.1824 * 0.5, abs=1e-4
    )
    assert means([1], [0.5], freedom=1).interval(1, np.ones(1), 0.95).high == pytest.approx(
        1 + 12.7062 * 0.5, abs=1e-4
    )
    assert means([1], [0.5], freedom=0).interval(1, np.ones(1), 0.95).low < -1e12
    assert rates([3], [9], freedom=0).interval(1 / 3, np.ones(1), 0.95) == pytest.approx((0, 1))


def test_pieces_that_move_together_cancel_and_rounding_leaves_no_root_of_less_than_nothing():
    together = np.array([[1, 0.6, -0.8], [0.6, 1, 0], [-0.8, 0, 1]])
    gradient = np.array([-0.05, 0.03, -0.04])
    assert ((gradient @ together) * gradient).sum() < 0  # what rounding makes of 0
    known = means([1, 1, 1], [1, 1, 1], together)
    assert known.error(gradient) == 0
    assert known.interval(0.0, gradient, 0.95) == pytest.approx((0, 0), abs=1e-8)


def test_shares_that_add_up_to_1_cannot_all_rise():
    known = means([0.4, 0.6], [0.1, 0.1], [[1, -1], [-1, 1]])
    free = Precision(**{**vars(known), "projection": np.eye(2) - np.array([[0.4, 0.4], [0.6, 0.6]])})
    assert free.error(np.array([3.0, 3.0])) == pytest.approx(0, abs=1e-12)
    # One share rises by d and the other falls by d: a difference of slopes is what counts.
    assert free.error(np.array([3.0, 1.0])) == pytest.approx(0.1 * 2)


@pytest.mark.parametrize("distance", [0.5, 1.959964, 4.0])
def test_of_a_mean_the_p_value_is_that_of_the_normal_test(distance):
    assert means([1], [0.5]).p(0.5 * distance, np.ones(1)) == pytest.approx(
        2 * stats.norm.sf(distance), rel=1e-6
    )
    assert means([1], [0.5]).p(-0.5 * distance, np.ones(1)) == pytest.approx(
        2 * stats.norm.sf(distance), rel=1e-6
    )


def test_p_values_end_at_1_and_at_the_smallest_that_is_told_from_0():
    assert means([1], [0.5]).p(0.0, np.ones(1)) == pytest.approx(1)
    assert LEAST_P <= means([1], [0.001]).p(1, np.ones(1)) < 2 * LEAST_P
    # Seven standard errors away is 2.6e-12, which is still told apart.
    assert means([1], [0.5]).p(3.5, np.ones(1)) == pytest.approx(2.56e-12, rel=0.01)


def test_what_is_unknown_has_no_p_value_and_no_ratio():
    known = means([1, 1], [0.5, np.nan])
    assert np.isnan(known.p(np.nan, np.array([1.0, 0.0])))
    assert np.isnan(known.p(1.0, np.array([0.0, 1.0])))
    one = np.array([1.0, 0.0])
    for first, second in ((np.nan, 1.0), (1.0, np.nan)):
        assert np.isnan(known.ratio(first, one, second, one, 0.95)).all()


def test_the_interval_of_a_ratio_of_means_is_fiellers():
    known = means([6, 3], [0.5, 0.4], [[1, 0.3], [0.3, 1]])
    first, second = np.eye(2)
    cross = Z**2 * 0.3 * 0.5 * 0.4
    roots = np.roots([9 - Z**2 * 0.16, -2 * (18 - cross), 36 - Z**2 * 0.25])
    assert known.ratio(6.0, first, 3.0, second, 0.95) == pytest.approx(sorted(roots), rel=1e-6)


def test_a_ratio_runs_from_0_or_to_infinity_where_one_of_the_two_may_be_0():
    first, second = np.eye(2)
    assert means([0.1, 3], [0.5, 0.1]).ratio(0.1, first, 3.0, second, 0.95).low == 0
    assert means([3, 0.1], [0.1, 0.5]).ratio(3.0, first, 0.1, second, 0.95).high == np.inf


def product(values):
    first, second = values
    return first * second, np.array([second, first])


def test_the_furthest_of_one_rate_is_wilsons_limit():
    found = rates([12], [60]).furthest(lambda values: (values[0], np.ones(1)), 0.95)
    assert found == pytest.approx(wilson(12, 60))
    falling = rates([12], [60]).furthest(lambda values: (-values[0], -np.ones(1)), 0.95)
    assert falling == pytest.approx([-limit for limit in wilson(12, 60)][::-1])
    few = rates([12], [60], freedom=5).furthest(lambda values: (values[0], np.ones(1)), 0.95)
    assert few == pytest.approx(Rate(0.2, 60, 5).interval())


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.6])
def test_far_from_the_edges_the_furthest_of_a_product_is_the_delta_methods(correlation):
    known = means([5, 3], [0.005, 0.004], [[1, correlation], [correlation, 1]])
    low, high = known.furthest(product, 0.95)
    error = np.sqrt((3 * 0.005) ** 2 + (5 * 0.004) ** 2 + 2 * 15 * correlation * 0.005 * 0.004)
    assert (15 - low, high - 15) == pytest.approx((Z * error, Z * error), rel=0.01)


def test_the_furthest_of_a_product_of_rates_is_the_most_that_jointly_likely_rates_make():
    # The first rate is of six users, so that its own limits are those of Student's quantile.
    known = rates([12, 20], [60, 40], freedom=[5, np.inf])
    angles = np.linspace(0, 2 * np.pi, 20_001)
    ends = []
    for p, n, z in ((0.2, 60, special.stdtrit(5, 0.975) * np.cos(angles)), (0.5, 40, Z * np.sin(angles))):
        lean = z * z / n
        ends.append((p + lean / 2 + z * np.sqrt(p * (1 - p) / n + lean / n / 4)) / (1 + lean))
    both = ends[0] * ends[1]
    assert known.furthest(product, 0.95) == pytest.approx((both.min(), both.max()), abs=1e-5)


def test_a_mean_reaches_up_as_far_as_a_lognormal_of_its_spread_and_down_on_the_log_scale():
    known = means([100.0], [20.0], sizes=50)
    low, high = known.furthest(lambda values: (values[0], np.ones(1)), 0.95)
    lean = 0.5 + 50 * 0.2**2 / 3  # Johnson (1978), with the skewness of a lognormal
    assert high == pytest.approx(100 * np.exp(0.2 * Z + lean * (0.2 * Z) ** 2))
    assert low == pytest.approx(100 * np.exp(-0.2 * Z))


def test_a_function_that_nothing_moves_stays_where_it_is():
    assert rates([12], [60]).furthest(lambda values: (7.0, np.zeros(1)), 0.95) == (7, 7)
    assert rates([12], [60]).interval(7.0, np.zeros(1), 0.95) == (7, 7)


def test_sums_over_users_are_those_of_plain_arithmetic():
    # Two users in two groups: visits, and orders among them.
    values = np.array([[[3, 2], [1, 1]], [[1, 0], [0, 0]]], float)
    found = Moments.of(values)
    assert found.users.tolist() == [[2, 1], [1, 1]]
    assert found.products[0, 0, 1, 1] == 3  # 3 visits here and 1 order there, of the first user
    assert found.shares.tolist() == [[0, 4 / 3], [0, 1]]
    longer = np.concatenate([values, values[:, :, 1:] // 2], axis=2)  # and of the orders those sent back
    assert Moments.of(longer).shares.tolist() == [[0, 4 / 3, 0.5], [0, 1, 0]]
    own = UserSums.of(values[:, :, 1].T, values[:, :, 0].T)
    for mine, theirs in zip(found.sums(values.sum(0)), own, strict=True):
        assert np.asarray(mine) == pytest.approx(np.asarray(theirs))


def test_units_that_count_once_are_their_own_users():
    counts = np.array([[9.0, 4, 1], [8, 8, 0]])
    found = Moments.once(counts)
    assert found.products[0, :, 0, :].tolist() == [[9, 4, 1], [4, 4, 1], [1, 1, 1]]
    assert not found.products[0, :, 1, :].any()
    assert found.shares.tolist() == [[0, 4, 1], [0, 8, 0]]
    one = Rate.of_users(found.sums(counts, 2))
    assert one.size.tolist() == [4, 8]
    assert one.estimate.tolist() == [0.25, 0]


def test_a_piece_without_variance_is_correlated_with_none():
    found = correlated(np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert found == pytest.approx(np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]))
    assert correlated(np.array([[0.04, 0.01], [0.01, 0.01]])) == pytest.approx(np.array([[1, 0.5], [0.5, 1]]))
    rounded = correlated(np.array([[1.0, 1.0000001], [1.0000003, 1.0]]))
    assert rounded.max() == 1
    negative = correlated(np.array([[-1e-18, 0.0], [0.0, 1.0]]))
    assert negative.tolist() == [[1, 0], [0, 1]]
