"""Errors that return after a week: found where they are, left alone where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from toolkit.interruptions.covariance import estimate
from toolkit.interruptions.weekly import weekly

EFFECTS = np.eye(4)[2:]


def segments(n):
    t = np.arange(n, dtype=float)
    after = (t >= n // 2).astype(float)
    return np.column_stack([np.ones(n), t, after, after * (t - n // 2)])


def errors(n, m, weekly, seed=1):
    shocks = np.random.default_rng(seed).standard_normal((n + 300, m))
    return lfilter([1], np.convolve([1, -0.5], np.r_[1, np.zeros(6), -weekly]), shocks, axis=0)[300:]


def held(fit, truth):
    middle, error, df = fit.contrast(EFFECTS)
    return (np.abs(middle - truth) <= stats.t.ppf(0.975, df) * error).mean(0)


def test_a_weekly_memory_is_found_and_its_intervals_hold_where_the_plain_ones_fall_short():
    truth = np.array([2.0, 0.1])
    values = errors(140, 300, 0.6) + (segments(140)[:, 2:] @ truth)[:, None]
    found = weekly(segments(140), values)
    assert (found.strength > 0.4).mean() > 0.9
    assert (held(found, truth) > 0.92).all()
    assert held(found.plain, truth)[1] < 0.9


def test_without_a_weekly_memory_the_plain_fit_mostly_stands():
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
    assert found.contrast(EFFECTS)[1] == pytest.approx(estimate(segments(n), values).contrast(EFFECTS)[1])
