"""Errors that return after a week: found where they are, left alone where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.signal import lfilter
from statsmodels.tsa.arima_process import arma_acovf

from tests.cases.segments import EFFECTS, segments
from toolkit import Level, interrupted_time_series
from toolkit.interruptions.errors.reml import estimate
from toolkit.interruptions.errors.weekly import STRENGTHS, weekly


def errors(n, m, weekly, seed=1):
    shocks = np.random.default_rng(seed).standard_normal((n + 300, m))
    return lfilter([1], np.convolve([1, -0.5], np.r_[1, np.zeros(6), -weekly]), shocks, axis=0)[300:]


def held(fit, truth):
    middle, error, df = fit.contrast(EFFECTS)
    return (np.abs(middle - truth) <= stats.t.ppf(0.975, df) * error).mean(0)


@pytest.mark.slow
def test_lag_7_autocorrelation_is_found_and_its_intervals_hold_where_the_plain_ones_fall_short():
    truth = np.array([2.0, 0.1])
    values = errors(140, 300, 0.6) + (segments(140)[:, 2:] @ truth)[:, None]
    found = weekly(segments(140), values)
    assert (found.strength > 0.4).mean() > 0.9
    assert (held(found, truth) > 0.92).all()
    assert held(estimate(segments(140), values), truth)[1] < 0.9


@pytest.mark.slow
def test_without_lag_7_autocorrelation_the_plain_fit_mostly_stands():
    found = weekly(segments(100), errors(100, 200, 0.0))
    assert (found.strength > 0).mean() < 0.12
    untouched = found.strength == 0
    for ours, plain in zip(found.contrast(EFFECTS), found.plain.contrast(EFFECTS), strict=True):
        assert (ours[untouched] == plain[untouched]).all()


def test_differencing_leaves_the_coefficients_of_a_line_as_they_are():
    values = errors(140, 3, 0.6)
    shifted = values + (segments(140) @ [100, 1, 20, -2])[:, None]
    first, second = weekly(segments(140), values), weekly(segments(140), shifted)
    assert (first.strength == second.strength).all()
    assert second.contrast(EFFECTS)[0] - first.contrast(EFFECTS)[0] == pytest.approx(
        np.tile([20.0, -2.0], (3, 1)), abs=1e-6
    )


def test_a_missing_day_takes_only_itself_and_the_day_a_week_later_away():
    at = np.delete(np.arange(140), 50)
    found = weekly(segments(140)[at], errors(140, 1, 0.6)[at], at)
    assert found.fits[0].n == 140 - 7 - 2


@pytest.mark.parametrize("n", [12, 18])
def test_a_short_series_says_nothing_of_weeks(n):
    values = errors(n, 2, 0.6)
    found = weekly(segments(n), values)
    assert (found.strength == 0).all()
    assert found.contrast(EFFECTS)[1] == pytest.approx(
        estimate(segments(n), values, period=7).contrast(EFFECTS)[1]
    )


# ---- what a result asks of it

DAYS = pd.date_range("2019-01-01", periods=180)
REMOVED = "2019-05-01"


def visits(m=1, weekly=0.6, seed=2, n=180):
    """A hundred a day whose errors return after a week; twenty fewer from the removal on."""
    after = (DAYS[:n] >= REMOVED).astype(float)
    values = 100 - 20 * after[:, None] + errors(n, m, weekly, seed)
    frame = pd.DataFrame(values, index=DAYS[:n], columns=[f"s{i}" for i in range(m)])
    return frame["s0"] if m == 1 else frame


def asked(series, **options):
    options = {"errors": "weekly", "scale": "identity"} | options
    return interrupted_time_series(series, {"removed": Level(REMOVED)}, **options)


@pytest.mark.parametrize("strength", [0.3, 0.8])
@pytest.mark.parametrize("rho", [-0.4, 0.6])
def test_the_covariance_of_the_errors_is_that_of_the_process(strength, rho):
    fit = weekly(segments(140), errors(140, 1, 0.6))
    place = STRENGTHS.index(strength)
    one = replace(fit.fits[place], rho=np.array([rho]), lam=np.array([1.0]), scale=1 / np.array([1 - rho**2]))
    fits = (*fit.fits[:place], one, *fit.fits[place + 1 :])
    ours = replace(fit, strength=np.array([strength]), fits=fits)
    lags = np.convolve([1, -rho], np.r_[1, np.zeros(6), -strength])
    [covariance] = ours.errors(np.arange(40), np.array([0, 10]))
    expected = arma_acovf(lags, [1.0], 40)
    assert covariance[:, 0] == pytest.approx(expected, rel=1e-6)
    assert covariance[:, 1] == pytest.approx(expected[np.abs(np.arange(40) - 10)], rel=1e-6)
    assert ours.scale == pytest.approx(expected[:1], rel=1e-6)


def test_without_autocorrelation_every_member_is_that_of_the_plain_fit():
    values = errors(100, 30, 0.0)
    fit = weekly(segments(100), values)
    [i] = np.flatnonzero(fit.strength == 0)[:1]
    at = np.arange(20)
    for name in ("coefficients", "rho", "lam", "scale", "log_likelihood"):
        assert getattr(fit, name)[i] == pytest.approx(getattr(fit.plain, name)[i]), name
    assert fit.vcov()[i] == pytest.approx(fit.plain.vcov()[i])
    assert fit.errors(at, at + 3)[i] == pytest.approx(fit.plain.errors(at, at + 3)[i])
    assert fit.residuals[:, i] == pytest.approx(fit.plain.residuals[:, i])
    assert fit.whitened()[:, i] == pytest.approx(fit.plain.whitened()[:, i])


def test_innovations_have_no_autocorrelation_left_and_a_spread_of_one():
    fit = weekly(segments(300), errors(300, 8, 0.6))
    found = fit.whitened()
    assert found.shape == (300, 8)
    assert found.std() == pytest.approx(1, abs=0.05)

    def autocorrelation(innovations, lag):
        return np.mean([np.corrcoef(one[lag:], one[:-lag])[0, 1] for one in innovations.T])

    assert abs(autocorrelation(found, 1)) < 0.08
    assert abs(autocorrelation(found, 7)) < 0.08
    assert autocorrelation(fit.plain.whitened(), 7) > 0.25
    assert found[:7].std() == pytest.approx(1, abs=0.3)


def test_the_residuals_of_every_day_are_the_values_less_the_design():
    at = np.delete(np.arange(150), [40, 41, 90])
    design, values = segments(150)[at], errors(150, 4, 0.6)[at]
    fit = weekly(design, values, at)
    assert fit.coefficients.shape == (4, 4)
    assert fit.residuals == pytest.approx(values - design @ fit.coefficients.T)
    assert fit.contrast(np.eye(4))[0] == pytest.approx(fit.coefficients)
    assert np.isfinite(fit.whitened()).all()


def test_a_batch_is_what_its_series_are_alone():
    design, values = segments(140), np.hstack([errors(140, 3, 0.6), errors(140, 3, 0.0)])
    batch, at = weekly(design, values), np.arange(30)
    for i in range(6):
        alone = weekly(design, values[:, i])
        assert alone.strength[0] == batch.strength[i]
        assert alone.coefficients[0] == pytest.approx(batch.coefficients[i])
        for ours, theirs in zip(alone.contrast(EFFECTS), batch.contrast(EFFECTS), strict=True):
            assert ours[0] == pytest.approx(theirs[i])
        assert alone.vcov()[0] == pytest.approx(batch.vcov()[i])
        assert alone.errors(at, at)[0] == pytest.approx(batch.errors(at, at)[i])
        assert alone.whitened()[:, 0] == pytest.approx(batch.whitened()[:, i])
        assert alone.boundary[0] == batch.boundary[i]


def test_lag_7_autocorrelation_is_said_and_widens_the_intervals_of_yesterdays_alone():
    found, plain = asked(visits()), asked(visits(), errors="ar1")
    [strength] = found.fit.strength
    assert strength > 0.3
    assert f"Lag-7 autocorrelation of {strength:g} was found" in found.sentence()
    assert "lag-7 autocorrelation by REML" in found.sentence()
    for one in (found.table, found.effect().table):
        assert (one["low"] < one["estimate"]).all()
        assert (one["estimate"] < one["high"]).all()
    _, low, high = found.effect().value("cumulative")
    _, others_low, others_high = plain.effect().value("cumulative")
    assert high - low > others_high - others_low
    assert found.table["n"][0] == 180


def test_a_series_without_one_says_that_none_was_found():
    found = asked(visits(weekly=0.0))
    assert "No lag-7 autocorrelation was found" in found.sentence()
    assert found.table["low"][0] == pytest.approx(
        asked(visits(weekly=0.0), errors="ar1_noise").table["low"][0]
    )


@pytest.mark.parametrize("scale", ["identity", "log"])
def test_every_question_of_a_result_has_an_answer(scale):
    series = visits()
    series.iloc[[30, 31, 100]] = np.nan
    found = asked(series, scale=scale)
    frame = found.counterfactual
    frame = frame() if callable(frame) else frame
    assert (frame["predicted_low"] < frame["low"]).all()
    assert frame.loc[frame["time"] >= "2019-05-10", "counterfactual"].mean() == pytest.approx(100, abs=4)
    assert found.effect(at="2019-06-01").value("relative")[0] == pytest.approx(-0.2, abs=0.04)
    assert found.recovery(margin=0.05).table["recovered"][0] is None
    net = found.net(("2019-06-01", "2019-06-02"), 2, 2).table.set_index("what")
    assert (net["low"] < net["high"]).all()
    assert found.diagnostics.table["strength"][0] == found.fit.strength[0]
    assert found.diagnostics.table["n"][0] == 177


def test_many_series_are_counted():
    frame = pd.concat([visits(3), visits(2, weekly=0.0, seed=5).add_prefix("none ")], axis=1)
    found = asked(frame)
    share = f"was found in {(found.fit.strength > 0).sum()} of 5 series"
    assert share in found.sentence()
    alone = asked(frame["s1"])
    assert alone.table["low"][0] == pytest.approx(found.table.set_index("series").loc["s1", "low"])


def test_diagnostics_suggest_it_where_errors_return_after_a_week():
    assert 'errors="weekly"' in asked(visits(), errors="ar1_noise").diagnostics.sentence()
    assert 'errors="weekly"' not in asked(visits(weekly=0.0), errors="ar1_noise").diagnostics.sentence()
    assert 'errors="weekly"' not in asked(visits()).diagnostics.sentence()


def test_gaps_are_no_neighbours_of_a_week():
    series = visits()
    series.iloc[::3] = np.nan
    whole = asked(series, errors="ols", season=None).diagnostics
    kept = series.dropna()
    kept_at = np.flatnonzero(series.notna())
    apart = whole.innovations.iloc[:, 0].to_numpy()
    apart = apart - apart.mean()
    pairs = [
        (i, int(np.flatnonzero(kept_at == at + 7)[0])) for i, at in enumerate(kept_at) if at + 7 in kept_at
    ]
    expected = np.mean([apart[i] * apart[j] for i, j in pairs]) / apart.var()
    assert len(pairs) < len(kept) - 7
    assert whole.table["last_week"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (pd.date_range("2018-01-01", periods=40, freq="MS"), "one value a month"),
        (pd.date_range("2018-01-07", periods=80, freq="W"), "one value a week"),
        (pd.RangeIndex(60), "numbers for dates"),
    ],
)
def test_only_days_return_after_a_week(index, said):
    series = pd.Series(errors(len(index), 1, 0.0)[:, 0], index=index)
    with pytest.raises(ValueError, match=f"errors='weekly' is for daily series.*{said}.*use 'auto'"):
        interrupted_time_series(series, {"turn": Level(index[20])}, errors="weekly", scale="identity")
