"""What docstrings of interrupted series promise, held where it could break: margins, thresholds, doors, figures."""

from __future__ import annotations

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

import toolkit
from tests.cases.segments import EFFECTS, segments
from toolkit import Decay, Level, Slope, interrupted_time_series
from toolkit.interruptions import caveats
from toolkit.interruptions.errors import registry
from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.least_squares import ols
from toolkit.interruptions.errors.registry import error_model
from toolkit.interruptions.errors.reml import estimate
from toolkit.interruptions.errors.variance_inflation import inflation

DAYS = pd.date_range("2019-05-01", periods=120)
REMOVED = "2019-07-31"


def visits(level=-20.0, sd=1.0, seed=1):
    noise = np.random.default_rng(seed).normal(0, sd, 120)
    return pd.Series(100 + level * (DAYS >= REMOVED) + noise, index=DAYS, name="visits")


def asked(series=None, terms=None, **options):
    options = {"scale": "identity", "season": None} | options
    series = visits() if series is None else series
    return interrupted_time_series(series, {"removed": terms or Level(REMOVED)}, **options)


# ---- recovery


def test_a_gap_whose_estimate_is_within_the_margin_but_not_its_interval_has_not_recovered():
    found = asked(visits(level=-4.0, sd=6.0), errors="ols").recovery(0.05)
    row = found.table.iloc[0]
    assert row["low"] < -0.05 < row["estimate"]
    assert row["recovered"] is None
    assert "did not recover to within 5 % by the end of the data" in found.sentence()


def test_a_rise_is_no_recovery_and_a_fourth_series_is_said_to_be_in_the_table():
    rise = {f"room {i}": visits(level=30.0, seed=i) for i in range(4)}
    found = interrupted_time_series(
        pd.DataFrame(rise), {"removed": Level(REMOVED)}, season=None, scale="identity"
    )
    said = found.recovery(0.05).sentence()
    assert "room 0, removed: never more than 5 % below the counterfactual since 2019-07-31" in said
    assert "recovered" not in said
    assert "1 more series: see .table" in said
    assert "1 more series: see .table" in found.effect().sentence()


def test_slips_in_terms_and_error_models_are_refused_by_name():
    with pytest.raises(ValueError, match="interruption 'removed' has Level.* twice; give it once"):
        asked(terms=[Level(REMOVED), Level(REMOVED)])
    with pytest.raises(TypeError, match="tau is a number of periods above 0, not 'x'"):
        asked(terms=Decay(REMOVED, tau="x"))
    with pytest.raises(ValueError, match="no error model 'arma' .did you mean 'arima'.."):
        asked().multiverse(errors=["arma"])


def test_a_share_of_a_lift_that_may_be_none_is_not_given():
    said = asked(visits(level=0.0)).net((DAYS[60], DAYS[62])).sentence()
    assert said.startswith("Net effect ")
    assert "of the lift" not in said


def test_a_recovery_begins_where_the_whole_interval_stays_above_the_margin_to_the_end():
    closing = visits(level=0.0, sd=0.6)
    since = np.maximum(np.arange(120) - 91, 0)
    closing += np.where(DAYS >= REMOVED, np.minimum(0, -20 + 1.0 * since), 0.0)
    found = asked(closing, terms=[Level(REMOVED), Slope(REMOVED)], errors="ols").recovery(0.05)
    gaps = found.gaps.set_index("time")
    day = pd.Timestamp(found.table["recovered"][0])
    before = day - pd.Timedelta(days=1)
    assert (gaps.loc[day:, "low"] > -0.05).all()
    assert gaps.loc[before, "low"] <= -0.05 < gaps.loc[before, "gap"]
    assert f"recovered to within 5 % on {day.date()}" in found.sentence()


# ---- variance inflation for lag-7 autocorrelation


def independent(n):
    return Structure(Correlation(np.arange(n), 0.0), 1.0)


def returning(n, share):
    """Residuals of a design, of which so much comes back each week."""
    rng = np.random.default_rng(3)
    y = share * np.tile(rng.normal(0, 1, 7), n // 7 + 1)[:n] + (1 - share) * rng.normal(0, 1, n)
    x = segments(n)
    return (y - x @ np.linalg.lstsq(x, y, rcond=None)[0])[:, None]


def autocorrelation(n, residuals):
    """At lag 7, with what fitting the design took from it; and the projection of the design."""
    x, z = segments(n), residuals[:, 0]
    own = (z[7:] @ z[:-7]) / (z @ z / (n - 4)) / (n - 7)
    taken = np.trace((x @ np.linalg.inv(x.T @ x) @ x.T)[7:, :-7]) / (n - 7)
    return own, taken


def test_lag_7_autocorrelation_is_sought_from_two_pairs_of_days_per_column_on():
    for n, sought in ((14, False), (15, True)):
        ratio = inflation(independent(n), segments(n), returning(n, 1.0), np.eye(4), 7)
        assert (ratio > 1).any() == sought, n


@pytest.mark.parametrize("n", [60, 120])
def test_intervals_are_inflated_from_a_one_sided_test_at_5_percent_on(n):
    inflated = []
    for share in np.linspace(0, 0.7, 29):
        residuals = returning(n, share)
        own, taken = autocorrelation(n, residuals)
        ratio = inflation(independent(n), segments(n), residuals, np.eye(4), 7)
        inflated.append((ratio > 1).any())
        assert inflated[-1] == (own + taken > 1.645 / np.sqrt(n - 7)), share
        assert (ratio >= 1).all()
    assert {True, False} == set(inflated)


def test_autocorrelation_above_four_fifths_counts_as_four_fifths():
    n, residuals = 120, returning(120, 1.0)
    own, taken = autocorrelation(n, residuals)
    assert own + taken > 0.8
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    correlation = np.where(distance % 7 == 0, 0.8 ** (distance / 7), 0.0)
    x = segments(n)
    g = x @ np.linalg.inv(x.T @ x) @ EFFECTS.T
    expected = np.maximum(1, np.diag(g.T @ correlation @ g) / np.diag(g.T @ g))
    found = inflation(independent(n), x, residuals, EFFECTS, 7)
    assert found[0] == pytest.approx(expected, rel=1e-5)


def test_memory_at_two_weeks_without_any_at_one_is_inflated_by_its_own_strength():
    n, shocks = 400, np.random.default_rng(2).standard_normal(1800)
    y, x = lfilter([1], np.r_[1, np.zeros(13), -0.5], shocks)[1400:], segments(400)
    residuals = (y - x @ np.linalg.lstsq(x, y, rcond=None)[0])[:, None]
    own, taken = autocorrelation(n, residuals)
    assert own + taken < 1.645 / np.sqrt(n - 7)
    z = residuals[:, 0]
    found = (z[14:] @ z[:-14]) / (z @ z / (n - 4)) / (n - 14)
    ratio = inflation(independent(n), x, residuals, EFFECTS, 7)[0]
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    g = x @ np.linalg.inv(x.T @ x) @ EFFECTS.T

    def expected(strength):
        correlation = np.where(distance % 14 == 0, strength ** (distance / 14), 0.0)
        return np.diag(g.T @ correlation @ g) / np.diag(g.T @ g)

    # The strength is what is found, and what fitting four columns took from it.
    assert (ratio > expected(found)).all()
    assert (ratio < expected(found + 0.1)).all()


def test_a_short_series_is_averaged_over_its_errors_and_then_inflated():
    shocks = np.random.default_rng(1).standard_normal((342, 1))
    values = lfilter([1], np.convolve([1, -0.5], np.r_[1, np.zeros(6), -0.7]), shocks, axis=0)[300:]
    plain, guarded = (estimate(segments(42), values, period=period) for period in (0, 7))
    structure = Structure(Correlation(np.arange(42), float(plain.rho[0])), float(plain.lam[0]))
    ratio = inflation(structure, segments(42), plain.residuals, np.eye(4), 7)
    assert ratio.max() > 1.1
    assert guarded.contrast(np.eye(4))[1] ** 2 == pytest.approx(ratio * plain.contrast(np.eye(4))[1] ** 2)


# ---- effective number of observations


def crowded(days):
    """A removal and, so many days later, a rule: the level of the first has so many days to itself."""
    terms = {"removed": Level(REMOVED), "rule": Level(DAYS[91 + days])}
    return interrupted_time_series(visits(), terms, trend=False, season=None, scale="identity")


@pytest.mark.parametrize(("days", "said"), [(1, True), (2, True), (3, False), (5, False)])
def test_a_level_with_two_days_to_itself_has_a_caveat_and_with_three_has_none(days, said):
    assert any("'removed: level' rests on" in note for note in crowded(days).notes) == said


def test_the_effective_number_is_kishs():
    plan = crowded(4).design
    weights = np.linalg.pinv(plan.matrix)[1] ** 2
    [(number, heaviest)] = caveats.effective_number(plan, np.ones(120, bool), [1])
    assert number == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert weights[heaviest] == weights.max()
    assert number == pytest.approx(4, abs=0.5)


# ---- doors and faces


def test_one_more_error_model_is_one_function_with_a_name(monkeypatch):
    monkeypatch.setattr(registry, "MODELS", dict(registry.MODELS))

    @error_model("twice", "least squares, written twice")
    def twice(regression, option):
        return ols(regression, option)

    new, old = asked(errors="twice"), asked(errors="ols")
    pd.testing.assert_frame_equal(new.table, old.table)
    assert "least squares, written twice" in new.sentence()
    pd.testing.assert_frame_equal(new.counterfactual, old.counterfactual)
    pd.testing.assert_frame_equal(new.diagnostics.table, old.diagnostics.table)
    pd.testing.assert_frame_equal(new.placebo().table, old.placebo().table)
    with pytest.raises(ValueError, match="two error models are called 'ols'"):
        error_model("ols", "again")(ols)


@pytest.mark.parametrize(
    ("name", "parameters"), [("hac:4", ["lag"]), ("ar2", ["ar1", "ar2"]), ("ar1", ["rho", "lam"])]
)
def test_diagnostics_show_the_parameters_of_every_error_model(name, parameters):
    found = asked(errors=name).diagnostics
    assert list(found.table.columns[: len(parameters) + 1]) == [*parameters, "boundary"]
    assert all(f"{one} = " in found.sentence() for one in parameters)


@pytest.mark.parametrize(
    "method", ["effect", "recovery", "net", "placebo", "multiverse", "where_is_the_break"]
)
def test_every_question_of_a_result_shows_its_options(method):
    function = getattr(toolkit.InterruptedTimeSeries, method)
    kinds = {option.kind for option in inspect.signature(function).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert "Parameters\n" in inspect.getdoc(function)


def test_a_break_can_be_asked_of_a_series_at_the_door():
    assert toolkit.where_is_the_break(visits(), replicates=99).date == REMOVED


def test_a_figure_is_new_unless_axes_are_given():
    figure, ax = plt.subplots()
    found = asked()
    for answer in (found, found.effect(), found.recovery(), found.diagnostics):
        assert answer.plot().figure is not figure
        assert answer.plot(ax) is ax
        ax.clear()
    plt.close("all")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"errors": "atuo"}, ValueError, "did you mean 'auto'"),
        ({"errors": 4}, TypeError, "errors= is the name of an error model"),
        ({"errors": "ols:3"}, ValueError, "'ols' has no option"),
        ({"confidence": "high"}, TypeError, "is no number"),
        ({"terms": "soon"}, TypeError, "say what it does"),
    ],
)
def test_a_wrong_value_is_a_value_error_and_a_wrong_type_a_type_error(options, error, words):
    with pytest.raises(error, match=words):
        asked(**options)


def test_an_interruption_without_terms_or_names_is_refused():
    with pytest.raises(ValueError, match="'removed' has no term"):
        interrupted_time_series(visits(), {"removed": []})
    with pytest.raises(ValueError, match="interruptions= is empty"):
        interrupted_time_series(visits(), {})
    with pytest.raises(TypeError, match="interruptions= names what happened"):
        interrupted_time_series(visits(), [Level(REMOVED)])
    with pytest.raises(ValueError, match="no option 'error'.*did you mean 'errors'"):
        asked().again(error="ols")


def test_a_default_fit_loads_neither_statsmodels_nor_scipys_statistics():
    code = (
        "import sys, numpy as np, pandas as pd\n"
        "from toolkit import Level, interrupted_time_series\n"
        "found = interrupted_time_series(pd.Series(np.arange(40.0) % 7), {'a': Level(20)})\n"
        "found.sentence(), found.effect(), found.recovery(), found.counterfactual\n"
        "print(sorted({'statsmodels', 'scipy.stats', 'matplotlib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def weeks(days):
    """A level that falls, and weekends that are half as much again; the errors are small."""
    when = pd.date_range("2019-05-06", periods=days)
    values = 100 - 20 * (np.arange(days) >= days // 2) + 50 * (when.day_of_week >= 5)
    noise = np.random.default_rng(4).normal(0, 1, days)
    return pd.Series(values + noise, index=when, name="visits"), when[days // 2]


@pytest.mark.parametrize(("days", "steps"), [(140, "weekdays"), (147, "one")])
def test_lines_of_a_long_series_are_of_an_average_weekday_and_say_so(days, steps):
    series, date = weeks(days)
    found = interrupted_time_series(series, {"removed": Level(date)}, scale="identity")
    ax = found.plot()
    fitted = ax.get_lines()[1].get_ydata()
    # Weekends are drawn, or left out; the points stay.
    jumps = int((np.abs(np.diff(fitted)) > 10).sum())
    assert (jumps == 1) == (steps == "one")
    assert (jumps > 30) == (steps == "weekdays")
    assert ("lines: average weekday" in ax.get_ylabel()) == (steps == "one")
    assert ax.get_lines()[0].get_ydata() == pytest.approx(series.to_numpy())
    if steps == "one":
        assert fitted[0] == pytest.approx(series[: days // 2].mean(), abs=1)
        assert found.counterfactual["fitted"].iloc[5] > 140
    plt.close("all")


def test_lines_of_many_hours_are_of_an_average_hour():
    hours = pd.date_range("2023-03-01", periods=24 * 25, freq="h")
    values = 100 + 30 * np.sin(np.arange(600) / 24 * 2 * np.pi) + np.random.default_rng(2).normal(size=600)
    ax = interrupted_time_series(pd.Series(values, index=hours), {"x": Level(hours[300])}).plot()
    assert np.ptp(ax.get_lines()[1].get_ydata()) < 10
    assert "average hour of the day" in ax.get_ylabel()
    assert "weekday" not in ax.get_ylabel()
    plt.close("all")
