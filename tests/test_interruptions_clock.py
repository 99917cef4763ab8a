"""Dates of interrupted series: a wrong step or time zone is named with its place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from toolkit import Level, interrupted_time_series
from toolkit.interruptions.series import read

SHANGHAI = pd.date_range("2019-01-01", periods=60, tz="Asia/Shanghai")
MONTHS = pd.date_range("2010-01-01", periods=60, freq="MS")
WEEKS = pd.date_range("2019-01-02", periods=60, freq="7D")


def on(index: pd.Index, seed: int = 1) -> pd.Series:
    return pd.Series(np.random.default_rng(seed).normal(100, 1, len(index)), index=index, name="visits")


def moved(index: pd.DatetimeIndex, place: int, days: int) -> pd.DatetimeIndex:
    times = index.to_list()
    times[place] += pd.Timedelta(days=days)
    return pd.DatetimeIndex(times)


def place_of(series: pd.Series, date: object) -> str:
    clock = read(series).clock
    return clock.said(clock.place(date))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (moved(MONTHS, 30, 14), "most points are months, .* 2012-07-15, point 31"),
        (moved(WEEKS, 40, 1), "most points are weeks that begin on Wednesday: 2019-10-10, point 41"),
        (pd.date_range("2000-01-01", periods=40, freq="2MS"), "a point every 2 months, from 2000-01-01 on"),
        (pd.date_range("2019-01-01", periods=40, freq="14D"), "a point every 2 weeks"),
        (pd.date_range("2019-01-01", periods=40, freq="2D"), "a point every 2 days"),
        (pd.period_range("2000-01", periods=120, freq="M")[::3], "a point every 3 months"),
        (
            pd.DatetimeIndex([*pd.date_range("2019-01-01", periods=9), pd.Timestamp("2019-03-01")]),
            "1 day apart",
        ),
        (pd.DatetimeIndex(["2019-01-01", pd.NaT, "2019-01-03"]), "a time of the index is missing"),
    ],
)
def test_a_wrong_step_is_refused_and_its_place_named(index, message):
    with pytest.raises(ValueError, match=message):
        read(on(index))


@pytest.mark.parametrize("index", [MONTHS, WEEKS, pd.date_range("2019-01-01", periods=60), pd.RangeIndex(60)])
def test_periods_that_are_absent_are_missing_and_said(index):
    found = read(on(index.delete([7, 8, 30])))
    assert np.flatnonzero(np.isnan(found.values[:, 0])).tolist() == [7, 8, 30]
    assert f"3 of 60 {found.clock.unit}s are missing" in found.notes[0]


def test_working_days_are_a_daily_series_without_weekends():
    assert read(on(pd.bdate_range("2019-01-01", periods=60))).clock.kind == "D"


def test_a_date_lies_in_the_week_or_month_that_holds_it():
    assert place_of(on(WEEKS), "2019-08-20") == "2019-08-14"
    assert place_of(on(MONTHS), "2012-03-20") == "2012-03-01"
    assert place_of(on(MONTHS), pd.Period("2012-03", "M")) == "2012-03-01"


def test_a_date_in_another_time_zone_is_the_day_that_it_was_there():
    assert place_of(on(SHANGHAI), pd.Timestamp("2019-02-01 17:00", tz="UTC")) == "2019-02-02"
    assert place_of(on(SHANGHAI), "2019-02-01") == "2019-02-01"
    objects = pd.Index(list(SHANGHAI), dtype=object)
    assert place_of(on(objects), pd.Timestamp("2019-02-01 17:00", tz="UTC")) == "2019-02-02"


def test_a_date_with_a_time_zone_needs_a_series_with_one():
    with pytest.raises(ValueError, match="has a time zone and the series has none"):
        place_of(on(SHANGHAI.tz_localize(None)), pd.Timestamp("2019-02-01", tz="Asia/Shanghai"))


def test_days_that_begin_in_another_time_zone_are_refused_with_the_fix():
    with pytest.raises(ValueError, match=r"in UTC; if days begin elsewhere, use \.tz_convert"):
        read(on(SHANGHAI.tz_convert("UTC")))


@pytest.mark.parametrize(("zone", "said"), [(None, "no time zone"), ("UTC", "UTC")])
@pytest.mark.parametrize("option", ["controls", "covariates"])
def test_series_of_different_time_zones_are_not_compared(zone, said, option):
    other = on(SHANGHAI.tz_localize(None).tz_localize(zone), seed=2).rename("other")
    with pytest.raises(ValueError, match=f"the series is in Asia/Shanghai, the .* in {said}"):
        interrupted_time_series(on(SHANGHAI), {"x": Level("2019-02-01")}, **{option: other})


@pytest.mark.parametrize(
    ("index", "date", "message"),
    [
        (SHANGHAI, None, "None is not a date"),
        (SHANGHAI, "soon", "'soon' is not a date"),
        (pd.RangeIndex(60), 12.5, "12.5 is not a whole number"),
        (pd.RangeIndex(60), "2019-02-01", "is not a whole number"),
        (pd.RangeIndex(60), 60, "60 is outside the series, which runs from 0 to 59"),
    ],
)
def test_what_is_no_date_of_the_series_is_refused(index, date, message):
    with pytest.raises(ValueError, match=message):
        place_of(on(index), date)


def test_several_rows_of_a_covariate_in_one_week_are_refused():
    rain = pd.Series(1.0, index=pd.date_range("2018-12-01", periods=600), name="rain")
    with pytest.raises(ValueError, match="the covariates have two rows in the week"):
        interrupted_time_series(on(WEEKS), {"x": Level("2019-08-20")}, covariates=rain)
