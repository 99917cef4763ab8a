"""Model averaging of intervals for short series: weights, shares, laws and coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.signal import lfilter

from tests.cases.segments import EFFECTS, segments
from toolkit import Level, Slope, interrupted_time_series
from toolkit.interruptions.errors import kenward_roger, model_averaging
from toolkit.interruptions.errors.reml import estimate


def wandering(n, m, rho, seed=1):
    shocks = np.random.default_rng(seed).standard_normal((n + 100, m))
    return lfilter([1], [1, -rho], shocks, axis=0)[100:]


def test_all_of_an_interval_is_decided_so_with_eight_points_beyond_the_columns_and_nothing_with_44():
    shares = [model_averaging.share(free) for free in range(1, 200)]
    assert shares[:8] == [1.0] * 8
    assert shares[19] == pytest.approx(0.267, abs=1e-3)
    assert np.flatnonzero(shares)[-1] + 1 == 43
    assert (np.diff(shares) <= 0).all()
    assert np.abs(np.diff(shares)).max() < 0.2


def test_what_may_be_is_weighed_by_restricted_likelihoods_and_has_the_scale_that_goes_with_it():
    at = np.delete(np.arange(14), [3, 8])
    design, values = segments(14)[at], wandering(14, 3, 0.5)[at]
    basis = np.linalg.qr(design)[0]
    structures = model_averaging.possible(at)
    likely, scale = model_averaging.weighed(structures, basis, values - basis @ (basis.T @ values))
    heights, scales = [], []
    for structure in structures:
        distance = np.abs(np.subtract.outer(at, at))
        v = np.where(distance == 0, 1.0, structure.lam * structure.correlation.rho**distance)
        inverse = np.linalg.inv(v)
        normal = design.T @ inverse @ design
        rest = values - design @ np.linalg.solve(normal, design.T @ inverse @ values)
        scales.append(np.einsum("nm,nk,km->m", rest, inverse, rest) / 8)
        dets = np.linalg.slogdet(v)[1] + np.linalg.slogdet(normal)[1]
        heights.append(-0.5 * (8 * np.log(scales[-1]) + dets))
    chance = np.exp(np.array(heights) - np.max(heights, axis=0))
    assert likely == pytest.approx(chance / chance.sum(0))
    assert scale == pytest.approx(np.array(scales))


def test_an_interval_of_twelve_points_is_the_same_wherever_the_likelihood_has_its_top():
    values = wandering(12, 30, 0.5, seed=2)
    fit = estimate(segments(12), values)
    _, error, df = fit.contrast(EFFECTS)
    # Had the top been found elsewhere, all of the interval would still be what the likelihoods together say.
    moved = np.roll(np.arange(30), 1)
    other = replace(fit, rho=fit.rho[moved], lam=fit.lam[moved], scale=fit.scale[moved] * 3)
    _, same, free = other.contrast(EFFECTS)
    assert same == pytest.approx(error)
    assert free == pytest.approx(df)


@pytest.mark.parametrize("n", [12, 24])
def test_contrasts_of_their_own_are_those_that_all_share(n):
    fit = estimate(segments(n), wandering(n, 5, 0.5))
    shared, own = fit.contrast(EFFECTS), fit.contrast(np.stack([EFFECTS] * 5))
    for one, other in zip(shared, own, strict=True):
        assert one == pytest.approx(other)


def test_in_other_units_an_interval_is_the_same():
    values = wandering(16, 5, 0.5)
    first, second = (estimate(segments(16), size * values).contrast(EFFECTS) for size in (1.0, 1e6))
    assert second[1] == pytest.approx(1e6 * first[1])
    assert second[2] == pytest.approx(first[2])


def test_a_short_series_without_error_has_an_interval_of_no_width():
    middle, error, df = estimate(segments(12), segments(12) @ [1.0, 2.0, 3.0, 0.5]).contrast(EFFECTS)
    assert middle[0] == pytest.approx([3.0, 0.5])
    assert (error == 0).all()
    assert np.isfinite(df).all()


def test_the_interval_of_what_no_column_says_has_no_width():
    _, error, df = estimate(segments(12), wandering(12, 2, 0.5)).contrast(np.zeros((1, 4)))
    assert (error == 0).all()
    assert np.isfinite(df).all()


@pytest.mark.parametrize("n", [48, 200])
def test_kenward_and_rogers_variance_is_believed_up_to_half_as_much_again(n):
    walk = np.random.default_rng(3).standard_normal((n, 200)).cumsum(0)
    fit = estimate(segments(n), walk, kind="ar1")
    _, error, _ = fit.contrast(EFFECTS)
    over = error**2 / np.einsum("mii->mi", fit.vcov())[:, 2:]
    assert over.min() >= 1 - 1e-9
    assert over.max() == pytest.approx(kenward_roger.MOST)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.4, 0.8])
def test_twelve_points_hold_a_planted_effect_at_least_as_often_as_they_say(rho):
    values = wandering(12, 2000, rho, seed=11) + (segments(12)[:, 2:] @ [1.0, 0.2])[:, None]
    middle, error, df = estimate(segments(12), values).contrast(EFFECTS)
    held = (np.abs(middle - [1.0, 0.2]) <= stats.t.ppf(0.975, df) * error).mean(0)
    assert (held > 0.93).all()


@pytest.mark.slow
def test_twelve_points_hold_a_planted_cumulative_effect_at_least_as_often_as_they_say():
    index = pd.date_range("2019-01-07", periods=12, freq="W-MON")
    effect = segments(12)[:, 2:] @ [1.0, 0.2]
    frame = pd.DataFrame(20 + effect[:, None] + wandering(12, 600, 0.6, seed=12), index=index).add_prefix("s")
    terms = {"event": [Level(index[6]), Slope(index[6])]}
    table = interrupted_time_series(frame, terms, scale="identity").effect().table
    found = table[table["estimand"] == "cumulative"]
    assert ((found["low"] <= effect.sum()) & (effect.sum() <= found["high"])).mean() > 0.93
