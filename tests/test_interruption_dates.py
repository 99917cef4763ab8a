"""Dates of a series: one form for a whole index, and errors that name the value and the fix."""

import io

import numpy as np
import pandas as pd
import pytest

from toolkit import Level, interrupted_time_series
from toolkit.interruptions.series import read

DAYS = pd.date_range("2019-06-01", periods=60)
VALUES = np.random.default_rng(4).normal(100, 2, 60) * np.where(DAYS < "2019-07-01", 1.0, 0.7)


def starts(index, values=VALUES):
    return pd.DatetimeIndex(read(pd.Series(values, index=index)).clock.times)


@pytest.mark.parametrize(
    "form",
    ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%d %b %Y", "%d/%m/%Y 00:00"],
)
def test_a_whole_index_is_read_in_the_one_form_that_all_of_it_fits(form):
    assert (starts(DAYS.strftime(form)) == DAYS).all()


def test_whole_numbers_that_are_days_or_months_are_dates():
    assert (starts(DAYS.strftime("%Y%m%d").astype(int)) == DAYS).all()
    months = pd.date_range("2015-01-01", periods=60, freq="MS")
    assert (starts(months.strftime("%Y%m").astype(int)) == months).all()


@pytest.mark.parametrize("at", ["2019-07-01", "01/07/2019", 20190701, pd.Timestamp("2019-07-01")])
def test_a_term_is_read_in_the_form_of_its_series(at):
    series = pd.Series(VALUES, index=DAYS.strftime("%d/%m/%Y"))
    found = interrupted_time_series(series, {"x": Level(at)}, season=None)
    assert found.table["estimate"].item() == pytest.approx(-0.3, abs=0.02)
    assert "read day first" in found.sentence()


def test_a_comparison_is_read_in_one_form_too():
    other = pd.Series(np.random.default_rng(5).normal(50, 1, 60), index=DAYS, name="other")
    series, text = pd.Series(VALUES, index=DAYS), other.set_axis(DAYS.strftime("%d/%m/%Y"))
    plain, written = (
        interrupted_time_series(series, {"x": Level("2019-07-01")}, controls=one) for one in (other, text)
    )
    pd.testing.assert_frame_equal(plain.table, written.table)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("01/07/2019", r"2019-07-01 \(day first\) or 2019-01-07 \(month first\); write the year first"),
        ("1/7", "has no year"),
        ("2019-13-01", "is not a date"),
        (7, "7 is not a date"),
    ],
)
def test_a_date_that_may_be_two_is_refused_with_both(at, message):
    with pytest.raises(ValueError, match=message):
        read(pd.Series(VALUES, index=DAYS)).clock.place(at)


def test_a_date_of_another_form_than_the_index_is_refused():
    with pytest.raises(ValueError, match="not a date that is day first"):
        read(pd.Series(VALUES, index=DAYS.strftime("%d/%m/%Y"))).clock.place("07/13/2019")


DAY_FIRST = DAYS.strftime("%d/%m/%Y").to_list()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (
            [f"{day:02}/01/2019" for day in range(1, 13)],
            "'02/01/2019' is 2019-01-02 or 2019-02-01; say which",
        ),
        ([*DAY_FIRST[:5], "07/13/2019", *DAY_FIRST[6:]], "no one form: '01/06/2019' .* 07/13/2019"),
        (
            [*DAY_FIRST[:5], "31/06/2019", *DAY_FIRST[6:]],
            "row 6 of the index is '31/06/2019', which is no date",
        ),
        ([*DAY_FIRST[:-1], "合计"], "row 60 of the index is '合计', which is no date"),
        ([*DAYS[:12], *DAY_FIRST[12:]], "mixes text, such as '13/06/2019', with Timestamp"),
        ([f"{day}/6" for day in range(1, 31)], "has no year"),
        ([20190601.5, 20190602, 20190603], "20190601.5, which is neither"),
        ([20190601, 20190631, 20190602], "row 2 of the index is '20190631'"),
        (DAYS.astype("datetime64[s]").astype("int64"), "pd.to_datetime"),
        (["a", "b", "c"], "holds 'a', not dates"),
    ],
)
def test_an_index_that_is_no_run_of_dates_is_refused_with_the_value(index, message):
    with pytest.raises(ValueError, match=message):
        read(pd.Series(1.0, index=pd.Index(index)))


def test_a_file_of_an_analyst_is_mended_step_by_step():
    days = DAYS.strftime("%Y-%m-%d")
    rows = [f'{day},"1,{round(value):03}"' for day, value in zip(days, VALUES, strict=True)]
    text = "\n".join(["日期,访客数", *rows, '合计,"60,000"'])
    frame = pd.read_csv(io.StringIO(text))
    with pytest.raises(ValueError, match=r"\.set_index\('日期'\)"):
        read(frame)
    with pytest.raises(ValueError, match="'合计'"):
        read(frame.set_index("日期"))
    with pytest.raises(ValueError, match="'1,099' on 2019-06-01.*thousands=','"):
        read(frame.set_index("日期").iloc[:-1])
    mended = pd.read_csv(io.StringIO(text), thousands=",").set_index("日期").iloc[:-1]
    assert read(mended.astype(float)).values.min() > 1000


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["n/a", *VALUES[1:].astype(str)], "holds 'n/a' on 2019-06-01"),
        (VALUES.astype(str), "numbers as text.*pd.to_numeric"),
        (DAYS, "holds dates"),
        (VALUES > 80, "holds bool"),
    ],
)
def test_values_that_are_no_numbers_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        read(pd.Series(values, index=DAYS, name="visits"))
