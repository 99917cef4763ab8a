"""Placebo in time and the multiverse: what the same model says elsewhere, and what other models say here."""

from pathlib import Path
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import Level, Pulse, Slope, interrupted_time_series
from toolkit.interruptions.errors import reml

NILE = Path(__file__).parents[2] / "shared" / "data" / "its_nile_flow" / "Nile.csv"


def daily(effect=0.0, n=120, rho=0.4, seed=1, start="2019-05-01", at=80, weekly=3.0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n)
    for t in range(1, n):
        noise[t] += rho * noise[t - 1]
    days = pd.date_range(start, periods=n)
    values = 100 + noise + weekly * (days.day_of_week == 5) + effect * (np.arange(n) >= at)
    return pd.Series(values, index=days, name="visits")


def asked(series, at=80, **options):
    return interrupted_time_series(series, {"removed": Level(series.index[at])}, scale="identity", **options)


def test_a_real_jump_stands_out_among_placebos():
    found = asked(daily(effect=-8)).placebo()
    assert found.share == 0
    assert found.share_raw == 0
    assert found.real["high"] < 0


def test_without_an_effect_many_placebos_are_as_large():
    assert max(asked(daily(seed=seed)).placebo().share for seed in range(5)) > 0.2


def test_every_date_with_twelve_points_on_each_side_is_asked():
    found = asked(daily()).placebo()
    days = daily().index
    # 80 days before; the effect is averaged over 12 days from the date, all of them before the interruption.
    assert list(found.placebos["date"]) == [str(day.date()) for day in days[12:69]]
    assert (found.placebos["n"] == 80).all()
    assert found.real["date"] == str(days[80].date())


def test_nothing_after_the_interruption_enters_a_placebo():
    series, other = daily(effect=-8), daily(effect=-8)
    other.iloc[80:] += 500
    first, second = asked(series).placebo().placebos, asked(other).placebo().placebos
    pd.testing.assert_frame_equal(first, second)


def test_the_real_effect_is_the_one_of_the_result():
    result = asked(daily(effect=-8))
    days = result.series.clock.times
    over = result.effect(over=(days[80], days[91])).value("average")
    row = result.placebo().real
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx(over)


def test_held_errors_give_what_least_squares_of_whitened_values_gives():
    n = 60
    t = np.arange(n)
    values = daily(n=n, seed=3).to_numpy()
    base = np.column_stack([np.ones(n), t])
    fit = reml.estimate(base, values)
    matrix = np.column_stack([base, t >= 30]).astype(float)
    rho, lam = float(fit.rho[0]), float(fit.lam[0])
    distance = np.abs(np.subtract.outer(t, t))
    v = np.where(distance == 0, 1.0, lam * rho**distance)
    inverse = np.linalg.inv(v)
    wanted = np.linalg.solve(matrix.T @ inverse @ matrix, matrix.T @ inverse @ values)
    held = fit.held(matrix, values)
    assert held.coefficients[0] == pytest.approx(wanted)
    rest = values - matrix @ wanted
    assert held.scale[0] == pytest.approx(rest @ inverse @ rest / (n - 3))


def test_a_placebo_of_a_planted_earlier_jump_finds_it():
    series = daily(effect=-3, weekly=0, rho=0)
    series.iloc[40:] += 6
    found = asked(series, season=None, trend=False).placebo()
    top = found.placebos.loc[found.placebos["t"].abs().idxmax()]
    assert top["date"] == str(series.index[40].date())
    assert found.share > 0


def test_several_terms_move_together_and_keep_their_distance():
    series = daily(effect=-8)
    at, end = series.index[80], series.index[85]
    terms = {"sale": [Level(at), Slope(at), Pulse(series.index[83], end)]}
    found = interrupted_time_series(series, terms, scale="identity").placebo()
    assert len(found.placebos) > 30
    assert found.share < 0.1


def test_a_pulse_is_averaged_over_its_own_length():
    series = daily()
    series.iloc[80:83] += 12
    result = interrupted_time_series(
        series, {"sale": Pulse(series.index[80], series.index[82])}, scale="identity"
    )
    found = result.placebo()
    assert found.periods == 3
    assert found.share == 0
    assert found.real["estimate"] == pytest.approx(12, abs=3)


@pytest.mark.parametrize("errors", ["ar1", "ols", "hac"])
def test_other_estimators_have_placebos_too(errors):
    found = asked(daily(effect=-8, n=60, at=45), at=45, errors=errors).placebo()
    assert found.share == 0


def test_with_a_comparison_the_placebo_is_of_the_difference():
    series = daily(effect=-8)
    shared = pd.Series(np.where(np.arange(120) >= 40, 10.0, 0.0), index=series.index)
    beside = daily(seed=9) + shared
    result = asked(series + shared, controls=beside.rename("others"))
    assert result.placebo().share == 0


def test_missing_days_are_no_dates_and_no_points():
    series = daily(effect=-8).drop(daily().index[20:25])
    found = asked(pd.concat([series]), at=75).placebo()
    assert str(daily().index[22].date()) not in set(found.placebos["date"])
    assert (found.placebos["n"] == 75).all()


def test_placebo_has_five_faces_and_says_what_it_cannot_tell():
    found = asked(daily(effect=-8)).placebo()
    assert "no p values of independent trials" in found.sentence()
    assert "57 earlier dates" in found.sentence()
    assert repr(found).startswith("Placebo: ")
    assert "<table" in found._repr_html_()
    _, ax = plt.subplots()
    assert found.plot(ax) is ax
    plt.close("all")


def test_placebo_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="leave no earlier date with 12 points"):
        asked(daily(n=40, at=20), at=20).placebo()
    with pytest.raises(ValueError, match="no interruption 'launch'"):
        asked(daily()).placebo(of="launch")
    with pytest.raises(ValueError, match="periods=90"):
        asked(daily()).placebo(periods=90)
    both = pd.DataFrame({"a": daily(), "b": daily(seed=2)})
    with pytest.raises(ValueError, match="about one series, and there are 2"):
        asked(both).placebo()
    flat = daily(effect=-8)
    flat.iloc[:80] = 100.0
    with pytest.raises(ValueError, match="does not vary before"):
        asked(flat, season=None).placebo()


def test_a_large_effect_does_not_depend_on_the_choice():
    found = asked(daily(effect=-20)).multiverse(errors=["auto", "ols", "hac"])
    assert "The estimate does not depend on season and window" in found.sentence()
    assert f"leave out 0 in {len(found.fitted)}" in found.sentence()
    assert found.moved.empty


def test_a_wider_interval_of_a_narrower_window_is_no_other_estimate():
    found = asked(daily(effect=-3, n=150, at=80)).multiverse(
        errors=["auto"], seasons=["auto"], windows=[None, 12]
    )
    assert (found.fitted["high"] > 0).tolist() == [False, True]
    assert "does not depend on season and window" in found.sentence()


def test_a_trend_that_bends_moves_the_estimate_of_a_narrower_window():
    series = daily(n=365, weekly=0)
    series += 0.03 * np.maximum(np.arange(365) - 140, 0)
    found = asked(series, at=220, season=None).multiverse(errors=["auto"], windows=[None, 70])
    assert found.moved["window"].tolist() == ["70 each side"]
    assert "The estimate depends on season and window: with window 70 each side" in found.sentence()
    assert "ask .sensitivity() whether its trend bends" in found.sentence()


def test_the_test_of_a_difference_is_hausmans():
    result = asked(daily(effect=-8))
    table = result.multiverse(errors=["auto", "ols"], seasons=["auto"], windows=[None, 20]).table
    first, row = (
        table.iloc[0],
        table[(table["errors"] == "auto") & (table["window"] == "20 each side")].iloc[0],
    )
    variances = [((one["high"] - one["low"]) / 2 / 1.959964) ** 2 for one in (first, row)]
    z = abs(row["estimate"] - first["estimate"]) / np.sqrt(variances[1] - variances[0])
    assert row["p"] == pytest.approx(2 * NormalDist().cdf(-z), rel=1e-5)
    assert table.loc[table["errors"] == "ols", "p"].isna().all()


def test_the_first_row_is_what_was_asked():
    result = asked(daily(effect=-8), errors="ar1")
    found = result.multiverse(errors=["ols"], windows=[None])
    row, days = found.table.iloc[0], result.series.clock.times
    wanted = result.effect(over=(days[80], days[-1])).value("relative")
    assert (row["errors"], row["window"]) == ("ar1", "all")
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx(wanted)


def test_all_choices_are_asked_about_the_same_periods():
    found = asked(daily(effect=-8)).multiverse(errors=["ols"], windows=[None, 15])
    assert (found.start, found.end) == (str(daily().index[80].date()), str(daily().index[94].date()))
    assert list(found.table["n"]) == [120, 120, 30, 120, 30]


def test_each_choice_is_the_result_asked_anew():
    result = asked(daily(effect=-8))
    found = result.multiverse(errors=["ols"], seasons=[None], windows=[None])
    days = result.series.clock.times
    again = result.again(errors="ols", season=None).effect(over=(days[80], days[-1])).value("relative")
    assert found.table.iloc[1][["estimate", "low", "high"]].tolist() == pytest.approx(again)


def test_a_choice_that_fails_is_listed_with_its_reason():
    found = asked(daily(effect=-8)).multiverse(errors=["ols", "arima:9"], seasons=[None], windows=[None])
    row = found.table.iloc[-1]
    assert np.isnan(row["estimate"])
    assert "arima" in row["note"]
    assert "1 more choice could not be fitted" in found.sentence()


def test_other_errors_are_told_by_the_width_of_their_interval():
    found = asked(daily(effect=1.5, rho=0.8)).multiverse(errors=["ols"], windows=[None])
    rows = found.fitted
    width = (rows["high"] - rows["low"]).to_numpy()
    assert f"this many times as wide: {width[1] / width[0]:.2g} (ols)" in found.sentence()
    assert "No choice by the errors that were asked is left to compare with" in found.sentence()


def test_multiverse_has_five_faces():
    found = asked(daily(effect=-8)).multiverse(errors=["ols", "hac"])
    assert repr(found).startswith("Multiverse: ")
    assert "<table" in found._repr_html_()
    _, ax = plt.subplots()
    assert found.plot(ax) is ax
    assert len(ax.get_yticklabels()) == len(found.fitted)
    plt.close("all")


def test_counts_are_asked_as_counts_too():
    rng = np.random.default_rng(4)
    series = pd.Series(
        rng.poisson(np.where(np.arange(80) < 50, 40, 20)), index=pd.date_range("2019-01-01", periods=80)
    )
    result = interrupted_time_series(series, {"removed": Level(series.index[50])})
    found = result.multiverse(seasons=[None], windows=[None])
    assert {"quasi_poisson", "negative_binomial"} <= set(found.table["errors"])
    assert found.fitted["estimate"].between(-0.65, -0.35).all()


def test_choices_that_come_to_the_same_model_are_fitted_once():
    result = asked(daily(effect=-8))
    same = [None, "auto", "week", ["week"]]
    found = result.multiverse(errors=["auto", "ar1_noise", "ols"], seasons=same, windows=[None])
    assert found.table[["errors", "season"]].apply(tuple, axis=1).tolist() == [
        ("auto", "auto"),
        ("auto", "none"),
        ("ols", "none"),
        ("ols", "auto"),
    ]


def test_windows_are_numbers_of_periods():
    with pytest.raises(ValueError, match="3 at least, or None, not 2"):
        asked(daily()).multiverse(windows=[2])


@pytest.mark.skipif(not NILE.exists(), reason="the river's flow lies beside the project, not in it")
def test_the_first_dam_at_aswan_has_placebos_only_where_twelve_years_lie_on_each_side():
    flow = pd.read_csv(NILE).set_index("time")["value"]
    found = interrupted_time_series(flow, {"dam": Level(1903)}, scale="identity", trend=False).placebo()
    # The flow fell in 1899, four years before: too late for a placebo, so the placebos cannot see it.
    assert (found.placebos["date"].iloc[0], found.placebos["date"].iloc[-1]) == ("1883", "1891")
    assert "9 earlier dates (1883 to 1891)" in found.sentence()
