"""The error covariance of interrupted series: against a dense fit, published numbers, laws and edges."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.signal import lfilter

from tests.cases.segments import EFFECTS, segments
from toolkit import Level, Slope, interrupted_time_series
from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.profile_likelihood import Profile
from toolkit.interruptions.errors.reml import KINDS, estimate
from toolkit.intervals import student

CASES = Path(__file__).parents[2] / "shared" / "reference" / "its"


def simulated(n, m, rho=0.6, noise=0.5, seed=1):
    rng = np.random.default_rng(seed)
    state = lfilter([1], [1, -rho], rng.standard_normal((n + 100, m)), axis=0)[100:]
    return state + noise * rng.standard_normal((n, m))


def dense(at, rho, lam):
    distance = np.abs(np.subtract.outer(at, at))
    return np.where(distance == 0, 1.0, lam * float(rho) ** distance)


def restricted(design, y, v):
    """Restricted log-likelihood with the scale at its best, its coefficients and scale, by dense matrices."""
    n, k = design.shape
    inverse = np.linalg.inv(v)
    normal = design.T @ inverse @ design
    b = np.linalg.solve(normal, design.T @ inverse @ y)
    rest = y - design @ b
    scale = rest @ inverse @ rest / (n - k)
    dets = np.linalg.slogdet(v)[1] + np.linalg.slogdet(normal)[1]
    return -0.5 * ((n - k) * (1 + np.log(2 * np.pi * scale)) + dets), b, scale, np.linalg.inv(normal)


@pytest.mark.parametrize("gaps", [False, True])
def test_the_likelihood_is_the_dense_one_and_a_free_search_finds_hardly_a_higher(gaps):
    at = np.delete(np.arange(44), [3, 20, 21, 22]) if gaps else np.arange(40)
    design, values = segments(44)[at], simulated(44, 6)[at]
    fit, short = estimate(design, values, at), []
    for i, y in enumerate(values.T):
        found, b, scale, normal = restricted(design, y, dense(at, fit.rho[i], fit.lam[i]))
        assert fit.log_likelihood[i] == pytest.approx(found)
        assert fit.coefficients[i] == pytest.approx(b)
        assert fit.scale[i] == pytest.approx(scale)
        assert fit.vcov()[i] == pytest.approx(scale * normal)
        searches = [
            optimize.minimize(
                lambda p, y=y: -restricted(design, y, dense(at, *p))[0],
                start,
                bounds=[(-0.6, 0.996), (0.1, 1.0)],
                method="L-BFGS-B",
            )
            for start in [(0.3, 0.5), (0.8, 0.5), (-0.3, 0.9), (0.6, 0.95), (0.95, 0.2)]
        ]
        short.append(max(-search.fun for search in searches) - found)
    # An interval of (rho, lam) spans two to three units; a fifth is the flat ridge towards a random walk.
    assert np.median(short) < 0.01
    assert max(short) < 0.2


def test_a_walk_with_a_little_noise_is_fitted_at_its_top():
    design, rng = segments(365), np.random.default_rng(8)
    walks = rng.normal(size=(365, 12)).cumsum(0) + 0.5 * rng.normal(size=(365, 12))
    fit, at, short = estimate(design, walks), np.arange(365), []
    profile = Profile(fit.basis, walks - fit.basis @ (fit.basis.T @ walks), at)
    for i in range(12):

        def below(p, i=i):
            rho = np.clip(0.9999 - np.exp(p[0]), -0.6, None)
            return -profile(rho, 1 / (1 + np.exp(p[1:]) * (1 - rho**2)), np.array([i])).item()

        free = min(
            optimize.minimize(below, start, method="Nelder-Mead").fun for start in [(-4, -1.4), (-2.5, -1.4)]
        )
        short.append(-profile(fit.rho[i], fit.lam[i : i + 1], np.array([i])).item() - free)
    assert np.median(short) < 0.1
    assert max(short) < 1


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 730])
def test_a_change_of_trend_of_a_walk_is_covered(n):
    rng, design = np.random.default_rng(9), segments(n)
    walks = rng.normal(size=(n, 400)).cumsum(0) + 0.5 * rng.normal(size=(n, 400))
    estimates, errors, df = estimate(design, walks).contrast(np.eye(design.shape[1])[-1:])
    assert (np.abs(estimates) < student(df, 0.95) * errors).mean() > 0.9


def test_the_variance_around_a_mean_stays_finite_where_the_level_walks():
    walk = np.random.default_rng(3).standard_normal((300, 1)).cumsum(0)
    fit, plain = estimate(segments(300), walk), estimate(segments(300), simulated(300, 3))
    assert fit.rho[0] > 0.99
    assert fit.around[0] < 0.8 * fit.scale[0]
    assert plain.around == pytest.approx(plain.scale)


@pytest.mark.parametrize("gaps", [False, True])
def test_ar1_alone_reaches_the_top_that_a_free_search_by_dense_matrices_finds(gaps):
    at = np.delete(np.arange(44), [3, 20, 21, 22]) if gaps else np.arange(40)
    design, values = segments(44)[at], simulated(44, 20, noise=0.0)[at]
    fit = estimate(design, values, at, kind="ar1")
    for i, y in enumerate(values.T):

        def below(rho, y=y):
            return -restricted(design, y, dense(at, rho, 1.0))[0]

        grid = np.linspace(-0.9, 0.98, 48)
        start = grid[np.argmin([below(rho) for rho in grid])]
        bounds = max(start - 0.04, -0.95), min(start + 0.04, 0.9999)
        free = optimize.minimize_scalar(below, bounds=bounds, method="bounded", options={"xatol": 1e-9})
        found, b, scale, normal = restricted(design, y, dense(at, fit.rho[i], 1.0))
        # Rounded to 0.0001, so that series of a batch share their work.
        assert fit.rho[i] == pytest.approx(free.x, abs=6e-5)
        assert found >= -free.fun - 1e-6
        assert fit.log_likelihood[i] == pytest.approx(found)
        assert fit.coefficients[i] == pytest.approx(b)
        assert fit.scale[i] == pytest.approx(scale)
        assert fit.vcov()[i] == pytest.approx(scale * normal)


@pytest.mark.parametrize("kind", KINDS)
def test_the_contrast_is_kenward_rogers_by_dense_matrices_and_numerical_derivatives(kind):
    # With this many points no share of the interval is averaged over the errors.
    at = np.delete(np.arange(74), [8, 9, 25])
    design, y = segments(74)[at], simulated(74, 1, seed=5)[at, 0]
    fit = estimate(design, y, at, kind=kind)
    known = range(3 if kind == "ar1_noise" else 2)
    theta, h = np.array([1.0, fit.rho[0], fit.lam[0]]), 1e-4
    assert kind == "ar1" or 0.1 < theta[2] < 1

    def v(p):
        return p[0] * dense(at, p[1], p[2])

    steps = h * np.eye(3)[known]
    first = [(v(theta + s) - v(theta - s)) / (2 * h) for s in steps]
    second = [
        [
            (v(theta + s + r) - v(theta + s - r) - v(theta - s + r) + v(theta - s - r)) / (4 * h * h)
            for r in steps
        ]
        for s in steps
    ]
    inverse = np.linalg.inv(v(theta))
    phi = np.linalg.inv(design.T @ inverse @ design)
    project = inverse - inverse @ design @ phi @ design.T @ inverse
    information = np.array([[np.trace(project @ a @ project @ b) / 2 for b in first] for a in first])
    w = np.linalg.inv(information + np.diag([0, 1 / 0.6**2, 1 / 0.35**2])[known][:, known])
    p = [-design.T @ inverse @ a @ inverse @ design for a in first]
    middle = sum(
        w[a, b]
        * (
            design.T @ inverse @ first[a] @ inverse @ first[b] @ inverse @ design
            - p[a] @ phi @ p[b]
            - design.T @ inverse @ second[a][b] @ inverse @ design / 4
        )
        for a in known
        for b in known
    )
    adjusted = phi + 2 * phi @ middle @ phi
    middle, error, df = fit.contrast(EFFECTS)
    for i, c in enumerate(EFFECTS):
        plain = c @ phi @ c
        slope = np.array([-c @ phi @ each @ phi @ c for each in p])
        assert middle[0, i] == fit.coefficients[0, 2 + i]
        assert error[0, i] ** 2 == pytest.approx(fit.scale[0] * max(plain, c @ adjusted @ c), rel=1e-4)
        assert df[0, i] == pytest.approx(max(2, 2 * plain**2 / (slope @ w @ slope)), rel=1e-4)


@pytest.mark.skipif(not CASES.exists(), reason="the reference cases are not beside the project")
def test_ar1_gives_the_numbers_of_nlme():
    with (CASES / "green_24_months" / "data.csv").open() as file:
        y = np.array([float(row["outcome"]) for row in csv.DictReader(file)])
    fit = estimate(segments(24, 12), y, kind="ar1")
    place = {"const": 0, "t": 1, "level": 2, "slope": 3}
    checked = 0
    for check in json.loads((CASES / "green_24_months" / "expected.json").read_text())["checks"]:
        if check["estimator"] != "GLS AR(1) REML":
            continue
        ours = {
            "estimate": lambda term: fit.coefficients[0, place[term]],
            "se": lambda term: np.sqrt(fit.vcov()[0, place[term], place[term]]),
            "value": lambda _: fit.log_likelihood[0],
        }
        term, field = check["term"], check["field"]
        value = fit.rho[0] if term == "rho" else ours[field](term)
        assert value == pytest.approx(check["value"], rel=check.get("rtol", 0), abs=check.get("atol", 0)), (
            term
        )
        checked += 1
    assert checked == 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_series_of_a_batch_is_fitted_as_it_would_be_alone(kind):
    design, values = segments(36), simulated(36, 7)
    fit = estimate(design, values, kind=kind)
    for i in range(7):
        alone = estimate(design, values[:, i], kind=kind)
        assert (alone.rho[0], alone.lam[0]) == pytest.approx((fit.rho[i], fit.lam[i]), abs=1e-9)
        for together, single in zip(fit.contrast(EFFECTS), alone.contrast(EFFECTS), strict=True):
            assert together[i] == pytest.approx(single[0], rel=1e-8)
        assert fit.whitened()[:, i] == pytest.approx(alone.whitened()[:, 0], abs=1e-8)


@pytest.mark.parametrize("period", [0, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_contrasts_of_its_own_give_each_series_what_shared_ones_give(kind, period):
    design, values = segments(60), simulated(60, 5)
    fit, rng = estimate(design, values, kind=kind, period=period), np.random.default_rng(2)
    own = rng.standard_normal((5, 3, 4))
    together = fit.contrast(own)
    for i in range(5):
        for mine, shared in zip(together, fit.contrast(own[i]), strict=True):
            assert mine[i] == pytest.approx(shared[i], rel=1e-10)


def test_the_order_of_series_changes_nothing():
    design, values = segments(36), simulated(36, 6)
    order = np.array([3, 0, 5, 1, 4, 2])
    straight, mixed = (estimate(design, v).contrast(EFFECTS) for v in (values, values[:, order]))
    for a, b in zip(straight, mixed, strict=True):
        assert b == pytest.approx(a[order], rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", [1e9, 1e-9, -3.0])
def test_the_unit_of_a_series_changes_no_t_value(unit, kind):
    design, y = segments(40), simulated(40, 1)[:, 0]
    middle, error, df = estimate(design, y, kind=kind).contrast(EFFECTS)
    other, its_error, its_df = estimate(design, unit * y, kind=kind).contrast(EFFECTS)
    assert np.sign(unit) * other / its_error == pytest.approx(middle / error, rel=1e-6)
    assert its_df == pytest.approx(df, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_effect_moves_the_estimate_by_itself_and_no_error(kind):
    design, y = segments(48), simulated(48, 1)[:, 0]
    middle, error, _ = estimate(design, y, kind=kind).contrast(EFFECTS)
    moved, same, _ = estimate(design, y + 500 + design[:, 2:] @ [3, -0.25], kind=kind).contrast(EFFECTS)
    assert moved - middle == pytest.approx(np.array([[3, -0.25]]), abs=1e-6)
    assert same == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("y", [np.full(24, 7.0), 2 + 0.5 * np.arange(24)])
def test_a_series_that_the_design_fits_without_error_has_no_error(y, kind):
    fit = estimate(segments(24), y, kind=kind)
    middle, error, df = fit.contrast(EFFECTS)
    assert middle == pytest.approx(np.zeros((1, 2)), abs=1e-12)
    assert (error == 0).all()
    assert np.isfinite(df).all()
    assert np.isfinite(fit.whitened()).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 6, 7])
def test_a_point_or_two_more_than_columns_still_give_a_finite_and_guarded_answer(n, kind):
    fit = estimate(segments(n), simulated(n, 20), kind=kind)
    _, error, df = fit.contrast(EFFECTS)
    assert np.isfinite(error).all()
    assert (error > 0).all()
    assert (df >= 2).all()


def test_a_negative_correlation_is_found_and_shortens_the_interval_of_a_level():
    y = simulated(200, 40, rho=-0.5, noise=0.0)
    fit = estimate(segments(200), y, kind="ar1")
    assert fit.rho.mean() == pytest.approx(-0.5, abs=0.05)
    _, error, _ = fit.contrast(EFFECTS)
    design = segments(200)
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    independent = np.sqrt((rest**2).sum(0) / 196 * np.linalg.inv(design.T @ design)[2, 2])
    assert (error[:, 0] < independent).mean() > 0.9


def test_state_and_noise_are_told_apart_in_a_long_series():
    fit = estimate(segments(1000), simulated(1000, 20, rho=0.8, noise=1.0))
    state = 1 / (1 - 0.8**2)
    assert np.median(fit.rho) == pytest.approx(0.8, abs=0.06)
    assert np.median(fit.lam) == pytest.approx(state / (state + 1), abs=0.1)


def test_innovations_are_white_where_residuals_are_not():
    fit = estimate(segments(400), simulated(400, 10, rho=0.8, noise=0.5))
    white = fit.whitened()
    assert white.std() == pytest.approx(1, abs=0.05)
    lagged = [np.corrcoef(series[1:], series[:-1])[0, 1] for series in white.T]
    assert np.abs(np.mean(lagged)) < 0.05


def test_errors_at_the_points_themselves_are_the_fitted_covariance():
    fit = estimate(segments(30), simulated(30, 2))
    at = np.arange(30)
    for i, covariance in enumerate(fit.errors(at, at)):
        assert covariance == pytest.approx(fit.scale[i] * dense(at, fit.rho[i], fit.lam[i]))


def test_a_parameter_at_the_end_of_its_range_is_named():
    walk = np.random.default_rng(3).standard_normal((900, 1)).cumsum(0)
    design = np.ones((900, 1))
    assert "rho = 0.996" in estimate(design, walk).boundary[0]
    assert estimate(segments(1000), simulated(1000, 1, rho=0.8, noise=1.0)).boundary == [""]


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="kind='arma'; use one of 'ar1_noise', 'ar1'"):
        estimate(segments(24), np.arange(24.0), kind="arma")


@pytest.mark.slow
def test_intervals_hold_a_planted_effect_as_often_as_they_say():
    values = simulated(48, 1500, rho=0.6, noise=0.0, seed=9) + (segments(48)[:, 2:] @ [1.0, 0.05])[:, None]
    middle, error, df = estimate(segments(48), values).contrast(EFFECTS)
    held = (np.abs(middle - [1.0, 0.05]) <= stats.t.ppf(0.975, df) * error).mean(0)
    assert (held > 0.935).all()
    assert (held < 0.985).all()


@pytest.mark.parametrize(("frequency", "period"), [("D", 7), ("W-MON", 0)])
def test_the_public_function_gives_the_intervals_that_the_benchmark_counts(frequency, period):
    times = pd.date_range("2019-01-07", periods=120, freq=frequency)
    y = returning(120, 1)[:, 0] - 20
    terms = {"removed": [Level(times[60]), Slope(times[60])]}
    found = interrupted_time_series(pd.Series(y, times), terms, season=None, scale="identity")
    middle, error, df = estimate(segments(120), y, period=period).contrast(EFFECTS)
    half = stats.t.ppf(0.975, df) * error
    table = found.table.set_index("term")
    for i, term in enumerate(["level", "slope"]):
        ours = table.loc[term, ["estimate", "low", "high"]].to_numpy(float)
        assert ours == pytest.approx([middle[0, i], (middle - half)[0, i], (middle + half)[0, i]], rel=1e-5)


def returning(n, m, seed=2):
    """AR(1) errors that remember last week."""
    rng = np.random.default_rng(seed)
    lags = np.convolve([1, -0.5], np.r_[1, np.zeros(6), -0.4])
    return lfilter([1], lags, rng.standard_normal((n + 300, m)), axis=0)[300:]


@pytest.mark.parametrize("lam", [0.1, 0.6, 0.98, 1.0])
@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.5, 0.99])
def test_traces_and_innovations_are_those_of_dense_matrices(rho, lam):
    at = np.delete(np.arange(40), [4, 5, 20])
    structure, h = Structure(Correlation(at, rho), lam), 1e-6
    v = dense(at, rho, lam)
    by_rho = (dense(at, rho + h, lam) - dense(at, rho - h, lam)) / (2 * h)
    by_lam = dense(at, rho, 1.0) - np.eye(37)
    each = [np.linalg.solve(v, part) for part in (v, by_rho, by_lam)]
    expected = np.array([[np.trace(a @ b) for b in each] for a in each])
    assert structure.traces() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    if lam == 1:
        assert structure.traces(2) == pytest.approx(expected[:2, :2], rel=1e-5, abs=1e-6)
    columns = np.random.default_rng(1).standard_normal((37, 3))
    assert structure.innovations(columns) == pytest.approx(np.linalg.solve(np.linalg.cholesky(v), columns))


@pytest.mark.parametrize("gaps", [False, True])
def test_autocorrelation_at_one_and_two_weeks_widens_by_what_dense_matrices_say(gaps):
    at = np.delete(np.arange(120), [10, 11, 12, 70]) if gaps else np.arange(120)
    design, values = segments(120)[at], returning(120, 5)[at]
    plain, guarded = estimate(design, values, at), estimate(design, values, at, period=7)
    distance = np.abs(np.subtract.outer(at, at))
    for i in range(5):
        root = np.linalg.cholesky(dense(at, plain.rho[i], plain.lam[i]))
        x, z = np.linalg.solve(root, design), np.linalg.solve(root, plain.residuals[:, i])
        inverse = np.linalg.inv(x.T @ x)
        found, strength = {}, {}
        for lag in (7, 14):
            there = np.triu(distance == lag)
            own = (z @ there @ z) / (z @ z / (len(at) - 4)) / there.sum()
            taken = np.trace(there.T @ x @ inverse @ x.T) / there.sum()
            found[lag] = (own + taken) * np.sqrt(there.sum()), own + taken, np.sqrt(there.sum())
            strength[lag] = own + taken
            for _ in range(3):
                r = np.clip(strength[lag], 0, 0.8)
                strength[lag] = own + taken * (1 + r) / (1 - r)
            strength[lag] = np.clip(strength[lag], 0, 0.8)
        assert found[7][0] > 1.645
        explained = np.clip(found[7][1], 0, 1) ** 2
        second = (found[14][1] - explained) * found[14][2] > 2.326 * (1 - explained)
        near = strength[7]
        far = np.clip((strength[14] - near**2) / (1 - near**2), 0, 0.8) if second else 0.0
        near = min(near * (1 - far), 0.8 - far)
        # Yule and Walker's equations of an AR(2) of whole weeks.
        by_week = [1.0, near / (1 - far)]
        while len(by_week) <= distance.max() // 7:
            by_week.append(near * by_week[-1] + far * by_week[-2])
        correlation = np.where(distance % 7 == 0, np.array(by_week)[distance // 7], 0.0)
        g = x @ inverse @ EFFECTS.T
        ratio = np.maximum(1, np.diag(g.T @ correlation @ g) / np.diag(g.T @ g))
        assert guarded.contrast(EFFECTS)[1][i] / plain.contrast(EFFECTS)[1][i] == pytest.approx(
            np.sqrt(ratio)
        )
        assert guarded.coefficients[i] == pytest.approx(plain.coefficients[i])


@pytest.mark.slow
def test_errors_without_lag_7_autocorrelation_are_hardly_ever_widened():
    values = simulated(120, 300, seed=4)
    plain, guarded = (estimate(segments(120), values, period=p).contrast(EFFECTS)[1] for p in (0, 7))
    assert (guarded >= plain * (1 - 1e-12)).all()
    assert (guarded > plain * (1 + 1e-9)).any(axis=1).mean() < 0.08


def test_autocorrelation_is_not_sought_where_few_points_have_a_predecessor():
    values = returning(14, 30)
    plain, guarded = (estimate(segments(14), values, period=p).contrast(EFFECTS)[1] for p in (0, 7))
    assert guarded == pytest.approx(plain)
    gapped = np.arange(14) * 5
    assert np.isfinite(estimate(segments(14), values, gapped, period=7).contrast(EFFECTS)[1]).all()


@pytest.mark.parametrize("y", [np.full(60, 7.0), 2 + 0.5 * np.arange(60)])
def test_a_perfect_fit_has_no_autocorrelation_to_be_inflated_by(y):
    assert (estimate(segments(60), y, period=7).contrast(EFFECTS)[1] == 0).all()


@pytest.mark.slow
def test_the_guarded_intervals_hold_a_level_and_slope_under_lag_7_autocorrelation():
    values = returning(150, 800, seed=6)
    for period, least, most in ((0, 0.80, 0.91), (7, 0.92, 0.97)):
        middle, error, df = estimate(segments(150), values, period=period).contrast(EFFECTS)
        held = (np.abs(middle) <= stats.t.ppf(0.975, df) * error).mean()
        assert least < held < most
