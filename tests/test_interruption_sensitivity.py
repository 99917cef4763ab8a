"""Sensitivity: what one more bend in the trend before does to an effect, and how large a bend would take it away."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from toolkit import Level, Slope, interrupted_time_series
from toolkit.interruptions.checks import bends
from toolkit.intervals import student

DAYS = pd.date_range("2022-01-01", periods=150)
AT = np.arange(150)
AFTER = AT >= 100
NOISE = np.random.default_rng(7).normal(size=150)
EVENT = str(DAYS[100].date())


def asked(values, terms=None, **options):
    options = {"season": None, "scale": "identity"} | options
    series = pd.Series(values, index=DAYS[: len(values)], name="visits")
    return interrupted_time_series(series, {"x": terms or Level(EVENT)}, **options)


def bent(size=0.3, effect=0.0):
    """A trend that turns upwards on the 61st day."""
    return 100 + size * np.maximum(AT - 60, 0) + effect * AFTER + NOISE


def test_a_bend_that_looks_like_an_effect_is_told_from_one():
    found = asked(bent()).sensitivity(every=12)
    assert found.bent > 0.99
    assert found.range["low"] < 0 < found.range["high"]
    assert "The data prefer a bent trend" in found.sentence()
    shown = found.shown
    assert shown["date"] == str(DAYS[60].date())
    # Of the counterfactual after the event, 119.4 on average.
    assert shown["bend_low"] < 0.3 / 119.4 < shown["bend_high"]


def test_a_real_effect_after_a_straight_trend_stays():
    found = asked(100 + NOISE - 8 * AFTER).sensitivity(every=8)
    assert found.bent < 0.9
    assert found.range["high"] < -0.05
    assert found.range["low"] < -0.08 < found.range["high"]
    assert "does not depend on a bend: both lie below 0" in found.sentence()


def test_an_effect_that_a_bend_explains_depends_on_it():
    # Forty days of a bent trend before the event: a straight line through all hundred lies too low after it.
    found = asked(bent(0.3), [Level(EVENT), Slope(EVENT)]).sensitivity(every=8)
    assert found.table["low"].iloc[0] > 0
    assert "The conclusion depends on a bend: with one in the trend, the interval holds 0" in found.sentence()


def test_a_row_is_the_model_with_that_bend_as_a_covariate():
    model = asked(bent(effect=5.0))
    row = next(
        row for row in model.sensitivity(every=1).table.to_dict("records") if row["date"] == "2022-03-02"
    )
    column = pd.Series(np.maximum(AT - 60.0, 0), index=DAYS, name="bend")
    again = model.again(covariates=column)
    wanted = again.effect().value("relative")
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx(wanted, rel=1e-6)
    bend = again.coefficients.set_index("column").loc["bend"]
    would = again.counterfactual["counterfactual"][100:].mean()
    assert row["bend"] == pytest.approx(bend["estimate"] / would, rel=1e-6)
    assert row["bend_low"] == pytest.approx(bend["low"] / would, rel=1e-6)


def test_every_date_with_twelve_points_on_both_sides_is_bent():
    short = asked(bent()[:60], Level(str(DAYS[40].date())), scale="log")
    table = short.sensitivity(every=1).table
    for scale in ("log", "identity"):
        dates = table.loc[(table["trend"] == "bend") & (table["scale"] == scale), "date"]
        assert list(dates) == [str(day.date()) for day in DAYS[12:29]]
    assert table["scale"].iloc[0] == "log"
    assert (table["n"] == 60).all()
    assert table["weight"].sum() == pytest.approx(1)


def test_the_weights_prefer_the_scale_on_which_the_trend_is_straight():
    grown = np.exp(5 + 0.02 * AT + 0.02 * NOISE)
    for scale in ("log", "identity"):
        found = asked(grown, scale=scale).sensitivity(every=10)
        by_scale = found.table.groupby("scale")["weight"].sum()
        assert by_scale["log"] > 0.99
        assert ("They prefer the log scale" in found.sentence()) == (scale == "identity")


def test_the_unit_of_the_series_changes_no_weight():
    values = np.exp(3 + 0.1 * NOISE)
    own, thousands = (asked(values * unit, scale="log").sensitivity(every=30).table for unit in (1, 1000))
    assert own["weight"].to_numpy() == pytest.approx(thousands["weight"].to_numpy())
    assert 0.05 < own.groupby("scale")["weight"].sum()["identity"] < 0.95


def test_the_bend_that_is_needed_brings_the_interval_to_0():
    model = asked(100 + NOISE - 8 * AFTER)
    found = model.sensitivity(every=8)
    date, bend = found.breakdown
    at = next(place for place, day in enumerate(DAYS) if str(day.date()) == date)
    would = model.counterfactual["counterfactual"][100:].mean()
    column = bend * would * np.maximum(AT - at, 0.0)
    rows = model.design.matrix
    moved = model.fit.held(rows, model.series.values[:, 0] - column)
    _, error, df = model.fit.contrast(np.eye(3)[[2]])
    high = moved.coefficients[0, 2] + float(student(df[0, 0], 0.95)) * error[0, 0]
    assert high == pytest.approx(0, abs=1e-8)
    needed = found.table["needed"].dropna()
    assert abs(bend) <= needed.abs().min()
    assert f"on {date} would bring the interval to 0" in found.sentence()


def test_an_interval_that_holds_0_needs_no_bend():
    found = asked(100 + NOISE).sensitivity(every=20)
    assert np.isnan(found.breakdown["bend"])
    assert "would bring" not in found.sentence()


def test_a_single_model_of_all_the_weight_gives_its_own_interval():
    rows = pd.DataFrame(
        {"estimate": [-0.2, 0.5], "low": [-0.3, 0.4], "high": [-0.1, 0.6], "weight": [1.0, 0.0]}
    )
    assert bends.averaged(rows, [False, False], 0.9).tolist() == pytest.approx([-0.2, -0.3, -0.1])


def test_two_models_far_apart_make_an_interval_that_holds_both():
    rows = pd.DataFrame(
        {"estimate": [-0.2, 0.5], "low": [-0.3, 0.4], "high": [-0.1, 0.6], "weight": [0.5, 0.5]}
    )
    _, low, high = bends.averaged(rows, [False, False], 0.95)
    assert -0.3 < low < -0.2
    assert 0.5 < high < 0.6


def test_a_comparison_series_is_bent_against():
    other = pd.Series(50 + np.random.default_rng(8).normal(size=150), index=DAYS, name="other")
    found = asked(100 + NOISE - 8 * AFTER, controls=other).sensitivity(every=20)
    assert found.range["high"] < -0.05


def test_values_below_0_have_one_scale_and_effects_in_their_units():
    found = asked(NOISE - 3 * AFTER, scale="auto").sensitivity(every=20)
    assert set(found.table["scale"]) == {"identity"}
    assert found.range["low"] < -3 < found.range["high"]
    assert "One scale only" in found.sentence()
    assert not found.relative


def test_missing_days_are_no_dates_of_a_bend():
    series = pd.Series(bent(), index=DAYS).drop(DAYS[30:35])
    found = interrupted_time_series(series, {"x": Level(EVENT)}, season=None).sensitivity(every=6)
    # The 31st to 35th day are missing: every sixth point from the 13th on.
    assert list(found.table["date"][4:12:2]) == [str(DAYS[at].date()) for at in (12, 18, 24, 35)]
    assert (found.table["n"] == 145).all()


def test_with_few_points_before_there_is_only_a_parabola():
    found = asked(bent()[85:], [Level(str(DAYS[15].date()))]).sensitivity()
    assert list(found.table["trend"].unique()) == ["straight", "parabola"]
    assert "with a parabola or neither" in found.sentence()
    assert found.plot() is not None
    plt.close("all")


def test_numbered_periods_have_numbers_for_dates():
    series = pd.Series(bent(), index=np.arange(1, 151))
    found = interrupted_time_series(series, {"x": Level(101)}, season=None).sensitivity(every=20)
    assert found.table["date"].iloc[4] == "13"
    assert found.plot().get_xlabel() == "date on which the trend is bent"
    plt.close("all")


def test_sensitivity_has_five_faces():
    found = asked(100 + NOISE - 8 * AFTER).sensitivity(every=20)
    assert repr(found).startswith("Sensitivity: Effect of x from 2022-04-11")
    assert "<table" in found._repr_html_()
    _, ax = plt.subplots()
    assert found.plot(ax) is ax
    assert "log scale" in ax.get_legend_handles_labels()[1][1]
    assert found.plot() is not ax
    plt.close("all")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: asked(bent()[90:], Level(str(DAYS[10].date()))),
            "10 points before .* fewer than 12 no bend",
        ),
        (lambda: asked(bent(), trend=False), r"again\(trend=True\)"),
        (lambda: asked(bent(), errors="ols"), r"these are 'ols'; ask it of result.again\(errors='auto'\)"),
        (
            lambda: interrupted_time_series(
                pd.DataFrame({"a": bent(), "b": bent()}, index=DAYS), {"x": Level(EVENT)}
            ),
            "about one series, and there are 2",
        ),
    ],
)
def test_what_has_no_answer_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make().sensitivity()


def test_options_are_checked():
    with pytest.raises(ValueError, match="every=0"):
        asked(bent()).sensitivity(every=0)
    with pytest.raises(ValueError, match="no interruption 'y'"):
        asked(bent()).sensitivity(of="y")
