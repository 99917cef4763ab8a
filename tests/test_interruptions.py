"""Interrupted series: planted effects are found, bad input is named, and every answer has its interval, n and words."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from toolkit import (
    Decay,
    InterruptedTimeSeries,
    Level,
    Pulse,
    Ramp,
    Slope,
    interrupted_time_series,
)
from toolkit.interruptions.series import read

DAYS = pd.date_range("2019-05-01", periods=120)
REMOVED = "2019-07-31"


def noise(n: int, seed: int = 1, rho: float = 0.5, sd: float = 1.0) -> np.ndarray:
    return sd * lfilter([1], [1, -rho], np.random.default_rng(seed).standard_normal(n + 100))[100:]


def dropping(index: pd.Index = DAYS, level: float = -20.0, seed: int = 1, **more: float) -> pd.Series:
    """A hundred a day with noise, and a level that falls on the day of the removal."""
    fallen = level * (index >= REMOVED)
    return pd.Series(100 + fallen + noise(len(index), seed, **more), index=index, name="visits")


def asked(
    series: pd.Series | pd.DataFrame | None = None, terms: object = None, **options: object
) -> InterruptedTimeSeries:
    options.setdefault("scale", "identity")
    series = dropping() if series is None else series
    return interrupted_time_series(series, {"removed": terms or Level(REMOVED)}, **options)


# ---- what is found


def test_a_planted_level_is_inside_its_interval():
    row = asked().table.iloc[0]
    assert row["low"] < -20 < row["high"] < 0
    assert row["n"] == 120


def test_a_level_without_autocorrelation_is_a_difference_of_means_adjusted_for_the_trend():
    series = dropping(rho=0.0)
    found = asked(series, errors="ols", season=None)
    t = np.arange(120)
    x = np.column_stack([np.ones(120), t, DAYS >= REMOVED]).astype(float)
    expected = np.linalg.lstsq(x, series.to_numpy(), rcond=None)[0][2]
    assert found.table["estimate"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("term", "shape"),
    [
        (Slope(REMOVED), lambda t: np.maximum(t - 91, 0)),
        (Pulse(REMOVED, "2019-08-06"), lambda t: (t >= 91) & (t <= 97)),
        (Ramp(REMOVED, "2019-08-10"), lambda t: np.clip((t - 91) / 10, 0, 1)),
        (Decay(REMOVED, 5), lambda t: np.where(t >= 91, np.exp(-(t - 91) / 5), 0)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_term_has_the_shape_that_it_says(term, shape):
    found = asked(terms=term)
    place = found.design.names.index(f"removed: {term.name}")
    assert found.design.matrix[:, place] == pytest.approx(shape(np.arange(120)).astype(float))


def test_a_slope_counts_periods_of_the_series_not_days():
    weeks = pd.date_range("2018-01-07", periods=80, freq="W")
    t = np.arange(80)
    series = pd.Series(10 + 2.0 * np.maximum(t - 40, 0) + noise(80, sd=0.1), index=weeks)
    found = interrupted_time_series(series, {"turn": Slope(weeks[40])}, scale="identity", season=None)
    assert found.table["estimate"][0] == pytest.approx(2.0, abs=0.05)


def test_on_the_log_scale_an_effect_is_a_ratio_whatever_the_unit():
    series = np.exp(dropping() / 50)
    one = asked(series, scale="auto")
    thousand = asked(series * 1000, scale="auto")
    assert one.scale.name == "log"
    assert one.table["estimate"][0] == pytest.approx(thousand.table["estimate"][0])
    assert one.table["low"][0] < np.exp(-20 / 50) - 1 < one.table["high"][0]
    assert "%" in one.sentence()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([0.1, 0.9], "identity"),
        ([-1, 2], "identity"),
        ([3, 4], "log"),
        ([0, 4], "log(y + 0.5)"),
        ([0, 4.5], "identity"),
    ],
)
def test_the_scale_is_chosen_by_the_values(values, name):
    series = pd.Series(np.resize(values, 60), index=DAYS[:60], dtype=float)
    found = interrupted_time_series(series, {"x": Level("2019-06-01")}, season=None)
    assert found.scale.name == name


# ---- effects


def test_average_and_cumulative_of_a_level_are_the_level_and_its_sum():
    found = asked()
    effect = found.effect()
    level = found.table.iloc[0]
    assert effect.value("average") == pytest.approx(tuple(level[["estimate", "low", "high"]]))
    whole = effect.table.set_index("estimand").loc["cumulative"]
    assert whole["low"] < -20 * 29 < whole["high"]
    assert whole["n"] == 29


def test_a_cumulative_effect_is_observed_less_counterfactual():
    found = asked()
    after = found.counterfactual[found.counterfactual["time"] >= REMOVED]
    expected = (after["observed"] - after["counterfactual"]).sum()
    assert found.effect().value("cumulative")[0] == pytest.approx(expected)


def test_a_relative_effect_is_the_ratio_of_sums_not_a_sum_of_ratios():
    found = asked(terms=[Level(REMOVED), Slope(REMOVED)])
    after = found.counterfactual[found.counterfactual["time"] >= REMOVED]
    expected = after["fitted"].sum() / after["counterfactual"].sum() - 1
    assert found.effect().value("relative")[0] == pytest.approx(expected)


def test_an_effect_before_the_interruption_is_refused():
    with pytest.raises(ValueError, match="no term that acts from 2019-05-01 to 2019-05-20"):
        asked().effect(over=("2019-05-01", "2019-05-20"))


def test_missing_days_are_counted_and_left_out_of_the_sum():
    series = dropping()
    series.loc["2019-08-10":"2019-08-12"] = np.nan
    effect = asked(series).effect()
    assert effect.table["n"].tolist() == [26, 26, 26]
    assert "3 days without data are not in the cumulative effect" in effect.sentence()


def test_missing_days_give_the_answer_of_a_series_without_those_rows():
    series = dropping()
    holes = series.drop(series.index[[20, 21, 50]])
    marked = series.where(~series.index.isin(series.index[[20, 21, 50]]))
    pd.testing.assert_frame_equal(asked(holes).table, asked(marked).table)


def test_one_of_two_interruptions_can_be_taken_away_alone():
    found = interrupted_time_series(
        dropping(), {"rule": Level("2019-06-15"), "removed": Level(REMOVED)}, scale="identity"
    )
    one = found.effect(of="removed", over=(REMOVED, "2019-08-28")).value("average")[0]
    both = found.effect(over=(REMOVED, "2019-08-28")).value("average")[0]
    levels = found.table.set_index("interruption")["estimate"]
    assert one == pytest.approx(levels["removed"])
    assert both == pytest.approx(levels.sum())


def test_a_gap_that_closes_is_recovered_and_one_that_stays_is_not():
    days = pd.date_range("2019-05-01", periods=200)
    t = np.arange(200)
    closing = np.where(t >= 91, np.minimum(0, -20 + 0.4 * (t - 91)), 0)
    series = pd.Series(100 + closing + noise(200, sd=0.3), index=days)
    terms = [Level(REMOVED), Slope(REMOVED)]
    back = interrupted_time_series(series.loc[:"2019-09-15"], {"removed": terms}, scale="identity").recovery(
        0.05
    )
    assert back.table["recovered"][0] is not None
    assert pd.Timestamp(back.table["recovered"][0]) > pd.Timestamp("2019-08-25")
    stays = asked().recovery(0.05)
    assert stays.table["recovered"][0] is None
    assert "did not recover to within 5 % by the end of the data" in stays.sentence()


def test_what_a_festival_borrowed_is_taken_off_its_lift():
    days = pd.date_range("2019-09-01", periods=120)
    shape = np.select(
        [(days >= "2019-11-01") & (days <= "2019-11-10"), days == "2019-11-11"], [-3.0, 50.0], 0.0
    )
    series = pd.Series(100 + shape + noise(120, sd=0.2), index=days)
    found = interrupted_time_series(series, {"festival": Pulse("2019-11-11", "2019-11-11")}, scale="identity")
    net = found.net(("2019-11-11", "2019-11-11"), before=10, after=7)
    rows = net.table.set_index("what")
    for what, truth in {"window": 50, "before": -30, "net": 20}.items():
        assert rows.loc[what, "low"] < truth < rows.loc[what, "high"], what


def test_days_around_a_festival_may_not_share_a_day_with_it():
    with pytest.raises(ValueError, match="share days"):
        asked().net(("2019-08-01", "2019-08-03"), before=("2019-07-28", "2019-08-01"))


# ---- comparison, calendar, covariates, phase-in


def test_what_the_comparison_did_too_is_not_the_effect():
    shock = 5.0 * (DAYS >= REMOVED)
    treated = dropping() + shock
    control = pd.Series(50 + shock + noise(120, 7), index=DAYS, name="control")
    row = asked(treated, controls=control).table.iloc[0]
    assert row["low"] < -20 < row["high"]
    assert asked(treated).table["low"][0] > -20


def test_days_that_are_left_out_do_not_move_the_estimate():
    series = dropping()
    spoilt = series.copy()
    spoilt.loc["2019-07-29":"2019-07-31"] = 1e6
    left = [("2019-07-29", "2019-07-31")]
    pd.testing.assert_frame_equal(asked(series, leave_out=left).table, asked(spoilt, leave_out=left).table)
    assert asked(series, leave_out=left).table["n"][0] == 117


def test_a_movable_event_is_kept_apart_from_the_interruption():
    series = dropping()
    holidays = pd.DataFrame(
        {"event": ["festival"], "start": ["2019-08-02"], "end": ["2019-08-04"], "before": [1], "after": [0]}
    )
    series.loc["2019-08-02":"2019-08-04"] += 40
    found = asked(series, calendar=holidays)
    assert {"festival", "before festival"} <= set(found.design.names)
    assert found.table["low"][0] < -20 < found.table["high"][0]


def test_a_missing_covariate_names_its_day():
    covariate = pd.Series(1.0, index=DAYS, name="rain").where(DAYS != "2019-06-02", np.nan)
    with pytest.raises(ValueError, match="'rain' is missing on 2019-06-02"):
        asked(covariates=covariate + np.arange(120) % 3)


# ---- many series


def test_a_batch_gives_each_series_its_own_answer_and_names_the_family():
    frame = pd.DataFrame({name: dropping(seed=seed) for name, seed in (("a", 1), ("b", 2), ("c", 3))})
    frame.loc["2019-05-20", "b"] = np.nan
    batch = asked(frame)
    for name in frame:
        alone = asked(frame[name]).table
        mine = batch.table[batch.table["series"] == name].drop(columns=["series", "p_adjusted"])
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), alone)
    assert "Holm" in batch.sentence()
    effects = batch.effect().table
    for name in frame:
        mine = effects[effects["series"] == name].drop(columns="series").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, asked(frame[name]).effect().table, rtol=1e-7)
    largest = batch.diagnostics.table.set_index("series")["largest_on"]
    assert largest.tolist() == [asked(frame[name]).diagnostics.table["largest_on"][0] for name in frame]


# ---- the five faces


def test_names_from_the_data_are_text():
    name = "<script>alert('x')</script> $a$"
    found = interrupted_time_series(dropping().rename(name), {name: Level(REMOVED)}, scale="identity")
    assert "<script>" not in found._repr_html_()
    found.plot().figure.canvas.draw()


@pytest.mark.parametrize("index", [DAYS, pd.RangeIndex(120)], ids=["days", "numbers"])
def test_every_answer_can_be_drawn_and_said(index):
    series = pd.Series(dropping().to_numpy(), index=index)
    at = index[91]
    found = interrupted_time_series(series, {"removed": [Level(at), Slope(at)]}, scale="identity")
    for answer in (
        found,
        found.effect(),
        found.recovery(),
        found.diagnostics,
        found.net((index[95], index[97])),
    ):
        assert answer.sentence().endswith(".")
        assert "n" in answer.table
        assert answer._repr_html_().startswith("<p>")
        assert repr(answer) == f"{type(answer).__name__}: {answer.sentence()}"
        answer.plot().figure.clear()


def test_diagnostics_name_the_largest_residual_and_autocorrelation_that_is_left():
    series = dropping()
    series.loc["2019-06-10"] += 15
    said = asked(series, errors="ols").diagnostics
    assert said.table["largest_on"][0] == "2019-06-10"
    weekly = dropping()
    weekly += 8 * np.repeat(np.random.default_rng(3).standard_normal(18), 7)[:120]
    assert "autocorrelation is left" in asked(weekly, errors="ols").diagnostics.sentence()


def test_the_question_can_be_asked_again_with_something_changed():
    found = asked()
    assert found.again(confidence=0.9).table["low"][0] > found.table["low"][0]
    with pytest.raises(ValueError, match="no option 'error'"):
        found.again(error="ols")


# ---- bad input


def test_unsorted_times_are_sorted_and_said():
    series = dropping()
    found = asked(series.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(found.table, asked(series).table)
    assert "was sorted" in found.sentence()


def test_a_constant_series_before_the_interruption_is_said():
    series = dropping()
    series.loc[:"2019-07-30"] = 0.0
    found = asked(series)
    after = series["2019-07-31":]
    assert "constant at 0 before 2019-07-31" in found.sentence()
    assert f"{after.mean():.4g} on average, from {after.min():.4g} to" in found.sentence()


def test_a_series_that_never_changes_has_nothing_to_estimate():
    found = asked(pd.Series(5.0, index=DAYS), scale="log")
    assert "constant at 5 throughout: there is nothing to estimate" in found.sentence()
    assert "level +0.0 %" in found.sentence()


def test_constant_series_of_a_batch_are_named():
    frame = pd.DataFrame({"a": dropping(), "b": dropping(seed=2)})
    frame.loc[:"2019-07-30", "b"] = 0.0
    assert [note for note in asked(frame).notes if "'b' is constant at 0" in note]
    assert not [note for note in asked(frame).notes if "'a' is constant" in note]


def test_few_points_on_a_side_are_said():
    short = dropping().loc["2019-06-20":"2019-08-07"]
    assert "only 8 points on a side of 'removed'" in asked(short).notes[0]


def test_few_points_after_an_event_late_in_a_long_series_are_no_caveat():
    assert not asked(dropping().loc[:"2019-08-07"]).notes


def test_a_gap_across_the_interruption_is_said():
    series = dropping()
    series.loc["2019-07-25":"2019-08-03"] = np.nan
    assert "no data for 10 days around 'removed'" in asked(series).sentence().lower()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"terms": Level("2021-01-01")},
            "2021-01-01 is outside the series, which runs from 2019-05-01 to 2019-08-28",
        ),
        ({"terms": Level("2019-08-27")}, "has 2 points from it on; it needs 3"),
        ({"terms": Level("2019-05-02")}, "has 1 point before"),
        ({"terms": "2019-07-31"}, r"say what it does: Level\(date\)"),
        ({"terms": Level("soon")}, "'soon' is not a date"),
        ({"terms": Pulse("2019-08-02", "2019-08-01")}, "ends before it starts"),
        ({"terms": Ramp(REMOVED, REMOVED)}, "use Level"),
        ({"terms": Decay(REMOVED, 0)}, "tau is a number of periods above 0"),
        (
            {"terms": [Level(REMOVED), Pulse(REMOVED, "2019-08-28")]},
            "'removed: pulse' cannot be told from 'removed: level'",
        ),
        (
            {"terms": [Level(REMOVED), Pulse(REMOVED, REMOVED), Decay(REMOVED, 0.1)]},
            "'removed: pulse' cannot be told from 'removed: decay'",
        ),
        ({"scale": "ln"}, "use one of 'auto', 'identity', 'log'"),
        ({"season": "month"}, "season='month'"),
        ({"confidence": 95}, "lies outside 0 to 1"),
        ({"leave_out": ["2019-07-31"]}, "pairs of dates"),
        ({"errors": "best"}, "best"),
        ({"offset": pd.Series(1.0, index=DAYS)}, "offset= is for counts, errors='auto' is not"),
        ({"calendar": "double_12th"}, "no event 'double_12th' in the calendar"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused_with_the_fix(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        asked(**options)


def test_a_control_that_is_the_series_itself_is_refused():
    with pytest.raises(ValueError, match="is the series 'visits' itself"):
        asked(controls=dropping().rename("copy"))
    with pytest.raises(ValueError, match="is the series 'visits' in other units"):
        asked(controls=dropping().mul(0.001).rename("thousands"))
    with pytest.raises(ValueError, match="share 2 points"):
        asked(controls=dropping(seed=2).iloc[:2].rename("short"))


def test_a_logarithm_of_a_negative_is_refused_by_name_and_day():
    series = dropping()
    series.loc["2019-06-03"] = -1
    with pytest.raises(ValueError, match="'visits' is negative on 2019-06-03"):
        asked(series, scale="log")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2, 3], "not list"),
        (dropping().iloc[:0], "empty"),
        (pd.concat([dropping(), dropping().iloc[[3]]]), "2019-05-04 comes twice"),
        (dropping().where(DAYS != "2019-05-09", np.inf), "infinite on 2019-05-09"),
        (dropping().astype(str), "numbers as text"),
        (dropping(DAYS + pd.Timedelta(hours=3)), "has a time of day"),
        (
            dropping(DAYS).rename(index=str).rename({"2019-05-01 00:00:00": "first"}),
            "row 1 of the index is .first., which is no date",
        ),
        (pd.DataFrame({"a": dropping(), "b": dropping().iloc[10:]}), "series 'b' runs from 2019-05-11"),
        (
            dropping(
                pd.DatetimeIndex(
                    [*pd.date_range("2019-01-01", periods=60, freq="3D"), pd.Timestamp("2019-06-29")]
                )
            ),
            "3 days apart",
        ),
        (dropping().set_axis(pd.period_range("2019-05-01", periods=120, freq="min")), "not min"),
        (
            pd.Series(
                1.0,
                index=pd.Index(
                    [pd.Timestamp("2019-05-01", tz="UTC"), pd.Timestamp("2019-05-02", tz="Asia/Shanghai")],
                    dtype=object,
                ),
            ),
            "mixes time zones",
        ),
    ],
    ids=[
        "list",
        "empty",
        "twice",
        "infinite",
        "text",
        "hour",
        "names",
        "spans",
        "irregular",
        "hourly",
        "zones",
    ],
)
def test_a_series_that_is_none_is_refused(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read(given)


@pytest.mark.parametrize(
    ("index", "kind"),
    [
        (pd.date_range("2019-01-31", periods=30, freq="ME"), "M"),
        (pd.date_range("2019-01-02", periods=30, freq="7D"), "W"),
        (pd.period_range("2019-01", periods=30, freq="M"), "M"),
        (pd.date_range("2019-01-01", periods=30, tz="Asia/Shanghai"), "D"),
    ],
)
def test_days_weeks_and_months_are_told_apart(index, kind):
    assert read(pd.Series(1.0, index=index)).clock.kind == kind


def test_a_counterfactual_that_may_be_of_any_size_overflows_nowhere():
    values = pd.Series(np.exp(np.random.default_rng(0).normal(size=100)), index=DAYS[:100])
    # Told from the pulse by the day after alone, of which it is a hundredth.
    terms = {"sale": Pulse(DAYS[60], DAYS[60]), "fades": Decay(DAYS[60], tau=0.2)}
    found = interrupted_time_series(values, terms, season=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, low, high = found.effect(of="fades").value("relative")
    assert low < 0
    assert 1e9 < high < np.inf


def test_names_beside_the_curves_of_a_recovery_never_lie_on_one_another():
    days = pd.date_range("2019-01-01", periods=60, name="date")
    noise = np.random.default_rng(3).normal(0, 1, (60, 4))
    many = pd.DataFrame(100 + noise, days, ["kuaishou", "douyin", "taobao_live", "xiaohongshu"])
    ax = interrupted_time_series(many, {"rule": Level("2019-02-10")}).recovery().plot()
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 5  # four series and the margin
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
