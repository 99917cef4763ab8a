"""Power: what a planned study would find, held against simulated studies."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from toolkit import Level, Slope, interrupted_time_series, power
from toolkit.interruptions.errors import reml


def smallest(found, effect):
    return found.table.set_index("effect").loc[effect]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "rho", "lam"), [(24, 0.4, 1.0), (50, 0.4, 0.7), (100, 0.6, 1.0)])
def test_the_smallest_effect_is_found_about_as_often_as_it_says(n, rho, lam):
    rng, t = np.random.default_rng(20), np.arange(2 * n)
    matrix = np.column_stack([np.ones(2 * n), t, t >= n, np.maximum(t - n, 0)]).astype(float)
    distance = np.abs(np.subtract.outer(t, t))
    factor = np.linalg.cholesky(np.where(distance == 0, 1.0, lam * rho**distance))
    row = smallest(power(n, rho=rho, lam=lam), "level")
    values = row["rise"] * matrix[:, [2]] + factor @ rng.standard_normal((2 * n, 400))
    estimate, error, df = reml.estimate(matrix, values).contrast([[0, 0, 1, 0]])
    found = (np.abs(estimate / error) > stats.t.ppf(0.975, df)).mean()
    # Other studies than those that power() simulated; 400 know a share of 0.8 to 0.04, it to 0.02.
    assert pytest.approx(found, abs=0.085) == 0.8


def test_with_white_noise_and_no_trend_it_is_a_little_more_than_the_two_sample_test_asks():
    row = smallest(power(200, terms=["level"], trend=False), "level")
    textbook = (1.96 + 0.8416) * np.sqrt(2 / 200)
    assert textbook < row["rise"] < 1.35 * textbook
    assert row["low"] < row["rise"] < row["high"]


def test_longer_studies_find_smaller_effects_and_persistent_errors_hide_larger_ones():
    longer = power([20, 40, 80], rho=0.4, draws=400).table
    for _, rows in longer.groupby("effect"):
        assert rows["rise"].is_monotonic_decreasing
    wilder = [smallest(power(40, rho=rho, draws=400), "average")["rise"] for rho in (0.0, 0.3, 0.6, 0.9)]
    assert wilder == sorted(wilder)


def test_effects_are_proportional_to_the_standard_deviation():
    one, ten = (power(30, rho=0.3, sd=sd, draws=200).table for sd in (1, 10))
    assert ten["rise"].to_numpy() == pytest.approx(10 * one["rise"].to_numpy())
    assert (one["fall"] == -one["rise"]).all()


def test_a_fitted_series_lends_its_errors_its_scale_and_its_week():
    rng = np.random.default_rng(2)
    days = pd.date_range("2019-01-01", periods=120)
    series = pd.Series(np.exp(5 + rng.normal(0, 0.1, 120)), index=days)
    result = interrupted_time_series(series, {"removed": [Level(days[60]), Slope(days[60])]})
    planned = power(60, like=result, draws=200)
    assert planned.ratio
    assert planned.sd == pytest.approx(float(np.sqrt(result.fit.scale[0])))
    row = smallest(planned, "level")
    assert (1 + row["rise"]) * (1 + row["fall"]) == pytest.approx(1)


def test_more_probability_or_confidence_asks_a_larger_effect():
    base = smallest(power(30, draws=400), "level")["rise"]
    assert smallest(power(30, share=0.9, draws=400), "level")["rise"] > base
    assert smallest(power(30, confidence=0.99, draws=400), "level")["rise"] > base


def test_power_has_five_faces_and_warns_of_short_studies():
    found = power([6, (90, 30)], rho=0.4, sd=0.2, draws=200)
    assert "fewer than 12" in found.sentence()
    assert "90 periods before and 30 after" in found.sentence()
    assert repr(found).startswith("Power: ")
    assert "<table" in found._repr_html_()
    _, ax = plt.subplots()
    assert found.plot(ax) is ax
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"periods": 2}, "3 on each side at least"),
        ({"periods": 3, "season": "week"}, "too few for"),
        ({"periods": 30, "draws": 10}, "fewer than 100"),
        ({"periods": 30, "rho": 1.0}, "rho lies between -1 and 1"),
        ({"periods": 30, "lam": 1.5}, "lam is a share"),
        ({"periods": 30, "sd": 0}, "sd is a standard deviation above 0"),
        ({"periods": 30, "share": 0.01}, "share=0.01"),
        ({"periods": 30, "terms": ["pulse"]}, "use a list of 'level' and 'slope'"),
        ({"periods": 30, "season": "year"}, "season='year'"),
    ],
)
def test_power_refuses_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        power(options.pop("periods"), **options)


@pytest.mark.parametrize("periods", ["x", 30.5, True, (30, 30, 30), [30, "x"]])
def test_lengths_of_a_study_are_whole_numbers_or_pairs(periods):
    with pytest.raises(TypeError, match="give a whole number, a pair .before, after., or a list of these"):
        power(periods)
