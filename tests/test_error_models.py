"""Estimators by name: against statsmodels, dense matrices and simulated truth; gaps, constant series, few points."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import linalg

from toolkit import Level, Pulse, interrupted_time_series
from toolkit.interruptions.errors import reml
from toolkit.interruptions.errors.registry import fit

LINEAR = ["ols", "hac", "prais_winsten", "cochrane_orcutt", "ar2", "arima", "structural"]
EXACT_IN_GAPS = ["ols", "hac", "prais_winsten", "ar2", "arima", "structural"]
COUNTS = ["poisson", "quasi_poisson", "negative_binomial"]


def design(n, at=None):
    t = np.arange(n) if at is None else at
    half = n // 2
    return np.column_stack([np.ones(len(t)), t, t >= half, np.maximum(t - half, 0)]).astype(float)


def series(n, rho=0.5, effect=3.0, seed=0):
    noise = np.random.default_rng(seed).normal(0, 1, n + 100)
    errors = np.empty(n + 100)
    errors[0] = noise[0]
    for t in range(1, n + 100):
        errors[t] = rho * errors[t - 1] + noise[t]
    return design(n) @ np.array([10.0, 0.02, effect, 0.0]) + errors[100:]


@pytest.mark.parametrize("name", ["auto", "ar1", *LINEAR])
def test_a_large_level_is_found_within_its_interval(name):
    found = fit(name, design(200), series(200, effect=8.0))
    estimate, error, df = found.contrast([[0, 0, 1, 0]])
    assert estimate.shape == error.shape == df.shape == (1, 1)
    assert abs(estimate[0, 0] - 8.0) < 3.5 * error[0, 0]
    assert 0.2 < error[0, 0] < 2
    assert found.residuals.shape == found.whitened().shape == (200, 1)
    assert found.vcov().shape == (1, 4, 4)
    assert found.errors(np.arange(3), np.arange(5)).shape == (1, 3, 5)


@pytest.mark.parametrize("name", ["ols", "hac", "prais_winsten", "ar2", "arima"])
def test_innovations_are_in_standard_deviations(name):
    # The scale is their sum of squares over n - k, so that in units of it they add up to n - k.
    found = fit(name, design(60), 50 * series(60))
    assert (found.whitened() ** 2).sum() == pytest.approx(56)


@pytest.mark.parametrize("name", ["auto", "ar1", *LINEAR])
def test_residuals_are_the_series_less_its_fitted_mean(name):
    found = fit(name, design(60), series(60))
    np.testing.assert_allclose(found.residuals[:, 0], series(60) - design(60) @ found.coefficients[0])


@pytest.mark.parametrize("name", ["auto", "ar1", *LINEAR])
def test_where_a_series_begins_in_time_changes_nothing(name):
    x, y, at = design(40), series(40), np.arange(40)
    early, late = (fit(name, x, y, at + start).contrast(np.eye(4)) for start in (0, 300))
    for one, other in zip(early, late, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("name", ["prais_winsten", "cochrane_orcutt"])
def test_a_rho_next_to_1_has_a_note_and_any_other_has_none(name):
    walk = np.random.default_rng(4).standard_normal(300).cumsum()
    assert any("next to 1" in note for note in fit(name, np.ones((300, 1)), walk).notes)
    assert fit(name, design(200), series(200)).notes == ()


@pytest.mark.parametrize("name", LINEAR)
def test_a_batch_is_each_series_alone(name):
    both = np.column_stack([series(60, seed=1), 1e4 * series(60, rho=0.2, seed=2)])
    together = fit(name, design(60), both)
    for place in (0, 1):
        alone = fit(name, design(60), both[:, place])
        for a, b in zip(together.contrast(np.eye(4)), alone.contrast(np.eye(4)), strict=True):
            np.testing.assert_allclose(a[place], b[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", LINEAR)
def test_estimates_scale_with_the_series(name):
    y = series(80, seed=3)
    small, large = (fit(name, design(80), factor * y) for factor in (1.0, 2e4))
    np.testing.assert_allclose(large.coefficients, 2e4 * small.coefficients, rtol=1e-3)
    np.testing.assert_allclose(large.scale, 4e8 * small.scale, rtol=1e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_a_series_without_noise_has_no_error(name):
    found = fit(name, design(40), np.column_stack([np.full(40, 7.0), design(40) @ [1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_allclose(found.coefficients, [[7, 0, 0, 0], [1, 2, 3, 4]], atol=1e-9)
    assert (found.scale == 0).all()
    assert (found.contrast(np.eye(4))[1] < 1e-9).all()


@pytest.mark.parametrize("name", LINEAR)
def test_few_points_still_have_an_answer(name):
    found = fit(name, design(8), series(8, seed=4))
    estimate, error, df = found.contrast(np.eye(4))
    assert np.isfinite(estimate).all()
    assert (error > 0).all()
    assert (df == 4).all()


@pytest.mark.parametrize("name", [*LINEAR, *COUNTS])
def test_fewer_points_than_columns_are_refused(name):
    with pytest.raises(ValueError, match="4 points cannot tell 4 columns apart"):
        fit(name, design(4), np.ones(4))


@pytest.mark.parametrize("name", EXACT_IN_GAPS)
def test_missing_periods_are_gaps_and_not_neighbours(name):
    at = np.r_[0:20, 32:60]
    y = series(60, rho=0.7, seed=5)[at]
    gap, closed = fit(name, design(60, at), y, at), fit(name, design(60, at), y)
    assert np.isfinite(gap.contrast(np.eye(4))[1]).all()
    across = (
        gap.errors(np.array([19]), np.array([32]))[0, 0, 0],
        gap.errors(np.array([19]), np.array([20]))[0, 0, 0],
    )
    assert abs(across[0]) <= abs(across[1]) or name == "structural"
    if name != "ols":
        assert not np.allclose(gap.vcov(), closed.vcov(), rtol=1e-6)


def test_cochrane_orcutt_refuses_gaps():
    at = np.r_[0:20, 32:60]
    with pytest.raises(ValueError, match="use 'prais_winsten'"):
        fit("cochrane_orcutt", design(60, at), series(60)[at], at)


def test_ols_is_that_of_statsmodels():
    x, y = design(50), series(50)
    found, peer = fit("ols", x, y), sm.OLS(y, x).fit()
    np.testing.assert_allclose(found.coefficients[0], peer.params, rtol=1e-9)
    np.testing.assert_allclose(found.contrast(np.eye(4))[1][0], peer.bse, rtol=1e-9)


def test_hac_is_that_of_statsmodels_where_nothing_is_missing():
    x, y = design(50), series(50)
    options = {"maxlags": 3, "use_correction": True}
    peer = sm.OLS(y, x).fit(cov_type="HAC", cov_kwds=options)
    np.testing.assert_allclose(fit("hac:3", x, y).contrast(np.eye(4))[1][0], peer.bse, rtol=1e-9)


def test_the_lag_of_hac_grows_with_the_series():
    assert [fit("hac", design(n), series(n)).parameters["lag"][0] for n in (24, 100, 1000)] == [2, 3, 7]


def test_hac_weighs_real_distances():
    at = np.r_[0:15, 20:50]
    x, y = design(50, at), series(50, seed=6)[at]
    residuals = sm.OLS(y, x).fit().resid
    weight = np.maximum(1 - np.abs(np.subtract.outer(at, at)) / 5, 0)
    scores = x * residuals[:, None]
    bread = np.linalg.inv(x.T @ x)
    expected = len(at) / (len(at) - 4) * bread @ scores.T @ weight @ scores @ bread
    np.testing.assert_allclose(fit("hac:4", x, y, at).vcov()[0], expected, rtol=1e-9)


def test_prais_winsten_settles_where_residuals_regress_on_the_one_before():
    found = fit("prais_winsten", design(120), series(120, seed=7))
    rho, e = found.parameters["rho"][0], found.residuals[:, 0]
    assert rho == pytest.approx((e[1:] @ e[:-1]) / (e[:-1] @ e[:-1]), abs=1e-9)
    v = linalg.toeplitz(rho ** np.arange(120))
    half = np.linalg.solve(v, design(120))
    np.testing.assert_allclose(
        found.coefficients[0], np.linalg.solve(half.T @ design(120), half.T @ series(120, seed=7)), rtol=1e-8
    )


def test_ar2_finds_the_process_that_made_the_series():
    rng = np.random.default_rng(8)
    e = np.zeros(500)
    for t in range(2, 500):
        e[t] = 0.4 * e[t - 1] + 0.35 * e[t - 2] + rng.normal()
    found = fit("ar2", np.ones((400, 1)), e[100:])
    assert found.parameters["ar1"][0] == pytest.approx(0.4, abs=0.1)
    assert found.parameters["ar2"][0] == pytest.approx(0.35, abs=0.1)


def test_ar2_is_at_the_top_of_its_restricted_likelihood():
    x, y = design(60), series(60, seed=9)
    found = fit("ar2", x, y)

    def likelihood(one, two):
        phi1 = one / (1 - two)
        lags = [1.0, phi1]
        for _ in range(58):
            lags.append(one * lags[-1] + two * lags[-2])
        v = linalg.toeplitz(lags)
        w = np.linalg.inv(v)
        normal = x.T @ w @ x
        r = y - x @ np.linalg.solve(normal, x.T @ w @ y)
        return -0.5 * (56 * np.log(r @ w @ r) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(normal)[1])

    one, two = found.parameters["ar1"][0], found.parameters["ar2"][0]
    top = likelihood(one, two)
    for step in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        assert likelihood(one + step[0], two + step[1]) < top


def test_ar2_says_where_a_series_is_too_long():
    with pytest.raises(ValueError, match="1500 points at most, not 1501"):
        fit("ar2", np.ones((1501, 1)), np.arange(1501.0))


def test_arima_is_the_maximum_of_statsmodels_likelihood():
    x, y = design(100), series(100, seed=10)
    found = fit("arima", x, y)
    peer = sm.tsa.SARIMAX(y, exog=x, order=(1, 0, 0), trend="n").fit(disp=False, maxiter=2000)
    assert found.parameters["ar1"][0] == pytest.approx(peer.params[-2], abs=2e-3)
    np.testing.assert_allclose(found.coefficients[0], peer.params[:4], rtol=5e-3, atol=5e-3)


def test_arima_takes_an_order():
    found = fit("arima:1,0,1", design(60), series(60, seed=11))
    assert set(found.parameters) == {"ar1", "ma1"}


def test_structural_coefficients_are_those_of_the_filter():
    rng = np.random.default_rng(12)
    control = np.cumsum(rng.normal(0, 1, 150))
    y = 50 + 2.0 * control + np.cumsum(rng.normal(0, 0.3, 150)) + rng.normal(0, 1, 150)
    y[100:] += 4
    x = np.column_stack([np.ones(150), np.arange(150) >= 100, control]).astype(float)
    found = fit("structural", x, y)
    peer = sm.tsa.UnobservedComponents(y, "llevel", exog=x[:, 1:]).fit(disp=False, maxiter=500)
    np.testing.assert_allclose(found.coefficients[0, 1:], peer.params[2:], rtol=0.02)
    assert found.parameters["noise_sd"][0] ** 2 == pytest.approx(peer.params[0], rel=0.1)


def test_a_point_with_a_term_to_itself_says_nothing_of_the_errors():
    y = series(80, seed=13)
    x = np.column_stack([np.ones(80), np.arange(80)])
    own = np.column_stack([x, np.arange(80)[:, None] == np.arange(70, 80)]).astype(float)
    for name in ("structural", "arima"):
        with_terms, without = fit(name, own, y), fit(name, x[:70], y[:70])
        for key, value in without.parameters.items():
            assert with_terms.parameters[key][0] == pytest.approx(value[0], rel=0.02, abs=1e-3)


@pytest.mark.parametrize("name", ["arima", "structural"])
def test_state_space_refuses_comparison_series(name):
    at = np.r_[0:50, 10_050:10_100]
    with pytest.raises(ValueError, match="one series without comparison"):
        fit(name, np.ones((100, 1)), np.r_[series(50), series(50)], at)


@pytest.mark.parametrize("name", COUNTS)
def test_a_rate_ratio_is_found_with_an_exposure(name):
    rng = np.random.default_rng(14)
    exposure = rng.uniform(50, 150, 200)
    x = design(200)[:, :3]
    x[:, 1] /= 200
    y = rng.poisson(exposure * np.exp(x @ [-2.0, 0.3, -0.4])).astype(float)
    found = fit(name, x, y, offset=np.log(exposure))
    estimate, error, df = found.contrast([[0, 0, 1]])
    assert abs(estimate[0, 0] + 0.4) < 3.5 * error[0, 0]
    assert np.isinf(df).all()
    variance = found.errors(np.arange(200), np.arange(200))[0]
    assert (np.diag(variance) > 0).all()
    assert np.count_nonzero(variance) == 200


def test_quasi_poisson_is_wider_where_counts_vary_more():
    rng = np.random.default_rng(15)
    y = rng.negative_binomial(5, 5 / (5 + 40), 150).astype(float)
    plain, quasi, binomial = (fit(name, design(150), y) for name in COUNTS)
    assert quasi.parameters["dispersion"][0] > 4
    np.testing.assert_allclose(quasi.vcov(), plain.vcov() * quasi.scale[0], rtol=1e-9)
    assert binomial.parameters["theta"][0] == pytest.approx(5, rel=0.4)
    assert any("as much as Poisson's" in note for note in plain.notes)


def test_correlated_counts_are_said_to_be_so():
    rate = np.exp(4 + 0.3 * (series(200, rho=0.8, effect=0.0, seed=16) - 10))
    y = np.random.default_rng(17).poisson(rate).astype(float)
    assert any("residuals are correlated" in note for note in fit("quasi_poisson", design(200), y).notes)
    independent = np.random.default_rng(18).poisson(30, 200).astype(float)
    assert fit("poisson", design(200), independent).notes == ()


def test_counts_without_more_spread_than_poisson_say_so():
    y = np.random.default_rng(19).binomial(60, 0.5, 100).astype(float)
    found = fit("negative_binomial", design(100), y)
    assert any("no more than Poisson's" in note for note in found.notes)
    np.testing.assert_allclose(found.coefficients, fit("poisson", design(100), y).coefficients, atol=1e-4)


def test_a_term_that_stands_for_zeros_only_is_said_not_to_converge():
    y = np.random.default_rng(20).poisson(20, 40).astype(float)
    y[20:] = 0
    assert any("did not converge" in note for note in fit("poisson", design(40)[:, [0, 2]], y).notes)


@pytest.mark.parametrize(
    ("values", "offset", "said"),
    [
        ([-1.0, 2, 3, 4, 5, 6], None, "is for counts; the series has -1"),
        ([0.0] * 6, None, "zeros only"),
        ([1.0, 2, 3, 4, 5, 6], [1.0, 2], "one finite number for each of the 6 points"),
        ([1.0, 2, 3, 4, 5, 6], [-np.inf, 0, 0, 0, 0, 0], "one finite number"),
    ],
)
def test_what_is_no_count_is_refused(values, offset, said):
    with pytest.raises(ValueError, match=said):
        fit("poisson", np.ones((6, 1)), np.array(values), offset=offset)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sarima", r"no error model 'sarima' \(did you mean 'arima'\?\); there are: auto"),
        ("hac:x", "the lag is a whole number"),
        ("ols:3", "'ols' has no option"),
        ("arima:1,1,0", "differences are not taken"),
        ("arima:1", "the order is 'arima:p,0,q'"),
    ],
)
def test_what_is_no_estimator_is_refused_by_name(name, said):
    with pytest.raises(ValueError, match=said):
        fit(name, design(30), series(30))


def test_an_offset_is_for_counts():
    with pytest.raises(ValueError, match="offset= is for counts"):
        fit("ols", design(30), series(30), offset=np.zeros(30))


def test_auto_is_the_default_covariance():
    found, direct = fit("auto", design(60), series(60)), reml.estimate(design(60), series(60))
    np.testing.assert_array_equal(found.coefficients, direct.coefficients)


def test_the_level_that_walks_is_that_of_the_smoother():
    rng = np.random.default_rng(21)
    y = 5 + np.cumsum(rng.normal(0, 0.5, 80)) + rng.normal(0, 1, 80)
    at = np.r_[0:30, 40:80]
    found = fit("structural", np.ones((70, 1)), y[at], at)
    assert found.walks
    level, error, _ = found.predict(np.ones((80, 1)), np.arange(80))
    given = np.where(np.isin(np.arange(80), at), y, np.nan)
    peer = sm.tsa.UnobservedComponents(given, "llevel")
    parameters = [found.parameters["noise_sd"][0] ** 2, found.parameters["level_sd"][0] ** 2]
    smoothed = peer.smooth(parameters)
    np.testing.assert_allclose(level[0], smoothed.level.smoothed, rtol=1e-4)
    np.testing.assert_allclose(error[0], np.sqrt(smoothed.level.smoothed_cov), rtol=1e-3)


def test_a_level_that_does_not_walk_is_the_regression_alone():
    found = fit("prais_winsten", design(60), series(60))
    assert not found.walks
    for ours, plain in zip(found.predict(design(60), np.arange(60)), found.contrast(design(60)), strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_what_would_have_been_follows_a_level_that_walks():
    rng = np.random.default_rng(22)
    y = pd.Series(50 + np.cumsum(rng.normal(0, 2, 120)) + rng.normal(0, 1, 120))
    y.iloc[100:] += 15
    found = interrupted_time_series(
        y, {"event": Level(100)}, season=None, trend=False, scale="identity", errors="structural"
    )
    table = found.counterfactual
    assert np.corrcoef(table["fitted"], y)[0, 1] > 0.98
    np.testing.assert_allclose(table["counterfactual"][:100], table["fitted"][:100])
    gap = (table["fitted"] - table["counterfactual"])[100:]
    np.testing.assert_allclose(gap, found.table["estimate"].iloc[0])
    average, whole = (found.effect().value(name) for name in ("average", "cumulative"))
    # What is left to the noise sums to nearly nothing over the days after.
    np.testing.assert_allclose(np.array(whole) / 20, average, rtol=0.05)
    assert average[1] < 15 < average[2]


def test_a_forecast_of_a_level_that_walks_widens_with_its_distance():
    rng = np.random.default_rng(23)
    y = pd.Series(50 + np.cumsum(rng.normal(0, 2, 120)) + rng.normal(0, 1, 120))
    found = interrupted_time_series(
        y,
        {"after": [Pulse(day, day) for day in range(110, 120)]},
        season=None,
        trend=False,
        scale="identity",
        errors="structural",
    )
    table = found.counterfactual.iloc[110:]
    assert (np.diff(table["high"] - table["low"]) > 0).all()
    average, whole = (found.effect().value(name) for name in ("average", "cumulative"))
    np.testing.assert_allclose(np.array(whole) / 10, average)


@pytest.mark.parametrize("name", ["ols", "prais_winsten", "structural", "quasi_poisson"])
def test_a_series_of_a_batch_is_fitted_as_it_would_be_alone(name):
    y = np.round(np.column_stack([series(50, seed=s) + 20 for s in range(3)]))
    whole, single = fit(name, design(50), y), fit(name, design(50), y[:, 1])
    at, own = np.arange(5), np.random.default_rng(1).standard_normal((3, 2, 4))
    for a, b in zip(whole.contrast(own), single.contrast(own[1]), strict=True):
        np.testing.assert_allclose(a[[1]], b)
    np.testing.assert_allclose(whole.errors(at, at)[[1]], single.errors(at, at))
    np.testing.assert_allclose(whole.whitened()[:, [1]], single.whitened())
    for key, values in whole.parameters.items():
        assert values[1] == pytest.approx(single.parameters[key][0])


def test_a_line_search_that_gave_up_at_the_top_raises_no_alarm():
    y = np.column_stack([series(48, seed=1006), series(48, seed=1109)])
    assert fit("structural", design(48), y).notes == ()
