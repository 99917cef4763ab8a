"""The calendar of festivals: days against the published notices, windows, and what is not known."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from toolkit.sources.festivals import YEARS, calendar, festivals


def days(event, year):
    row = calendar(f"{year}-01-01", f"{year}-12-31", events=[event]).query(
        "event == @event and end.dt.year == @year"
    )
    return row["start"].item().strftime("%m-%d"), row["end"].item().strftime("%m-%d")


#: The State Council's notices on the holidays of the year.
NOTICES = [
    ("spring_festival", 2018, "02-15", "02-21"),
    ("spring_festival", 2019, "02-04", "02-10"),
    # Extended to 2 February by the notice of 27 January 2020.
    ("spring_festival", 2020, "01-24", "02-02"),
    ("spring_festival", 2025, "01-28", "02-04"),
    ("qingming", 2019, "04-05", "04-07"),
    ("labour_day", 2018, "04-29", "05-01"),
    # Lengthened to four days by the notice of 22 March 2019.
    ("labour_day", 2019, "05-01", "05-04"),
    ("labour_day", 2020, "05-01", "05-05"),
    ("mid_autumn", 2019, "09-13", "09-15"),
    ("national_day", 2019, "10-01", "10-07"),
    ("national_day", 2020, "10-01", "10-08"),
    ("national_day", 2023, "09-29", "10-06"),
]


@pytest.mark.parametrize(("event", "year", "start", "end"), NOTICES)
def test_a_public_holiday_is_the_run_of_days_off_that_was_published(event, year, start, end):
    assert days(event, year) == (start, end)


def test_mid_autumn_within_national_day_has_its_own_day_only():
    assert days("mid_autumn", 2020) == ("10-01", "10-01")
    assert days("mid_autumn", 2025) == ("10-06", "10-06")


#: Kinds of days whose dates are known year by year.
BY_YEAR = ["618_presale", "618_payments", "double_11_presale", "double_11_payments", "victory_day"]


def test_every_year_has_every_holiday_and_sale():
    table = calendar(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31")
    counts = table["event"].value_counts()
    assert (counts.drop(BY_YEAR) == len(YEARS)).all()
    assert set(counts.index) == set(festivals()["event"])
    assert (table["start"] <= table["end"]).all()
    assert table["start"].is_monotonic_increasing
    assert (table[["before", "after"]] >= 0).all(axis=None)
    assert (table["source"] != "").all()


def test_days_of_one_event_lie_near_each_other_in_the_solar_year():
    table = calendar(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31")
    lunar = {"spring_festival": 32, "mid_autumn": 32, "dragon_boat": 32}
    for event, rows in table.groupby("event"):
        if event in ("new_year", *BY_YEAR):
            continue
        of_year = rows["start"].dt.day_of_year
        assert of_year.max() - of_year.min() <= lunar.get(event, 4), event


def spans(event, *years):
    rows = calendar(f"{years[0]}-01-01", f"{years[-1]}-12-31", events=event)
    return [(row.event, f"{row.start:%Y-%m-%d}", f"{row.end:%m-%d}") for row in rows.itertuples()]


def test_double_11_counts_from_its_presale_since_2020_and_is_paid_in_two_waves():
    assert spans("double_11", 2019, 2020) == [
        ("double_11_presale", "2019-10-21", "11-10"),
        ("double_11", "2019-11-11", "11-11"),
        ("double_11_presale", "2020-10-21", "10-31"),
        ("double_11_payments", "2020-11-01", "11-03"),
        ("double_11_presale", "2020-11-04", "11-10"),
        ("double_11", "2020-11-11", "11-11"),
    ]


def test_the_phases_of_618_move_from_year_to_year_and_have_no_presale_in_2024():
    assert spans("618", 2024, 2025) == [
        ("618_payments", "2024-05-20", "05-30"),
        ("618", "2024-06-18", "06-18"),
        ("618_presale", "2025-05-13", "05-15"),
        ("618_payments", "2025-05-16", "05-26"),
        ("618", "2025-06-18", "06-18"),
    ]
    assert calendar("2024-05-01", "2024-06-30", events="618").attrs["unknown"] == []


def test_what_no_source_gives_is_named_and_not_invented():
    table = calendar("2023-01-01", "2023-12-31")
    phases = ["618_presale", "618_payments", "double_11_presale", "double_11_payments"]
    assert table.attrs["unknown"] == [f"{phase} 2023" for phase in phases]
    assert not set(phases) & set(table["event"])
    # There was no wave of payments before 2020: nothing is unknown.
    assert calendar("2018-01-01", "2018-12-31").attrs["unknown"] == []
    assert "swapped days off of 2027" in calendar("2027-10-01", "2027-10-02")["source"].iloc[0]


def test_days_far_from_an_unknown_event_do_not_name_it():
    assert calendar("2023-01-01", "2023-05-12").attrs["unknown"] == []
    assert calendar("2023-01-01", "2023-06-03", events="618").attrs["unknown"] == [
        "618_presale 2023",
        "618_payments 2023",
    ]


def test_a_holiday_of_one_year_is_there_in_that_year_alone():
    assert days("victory_day", 2015) == ("09-03", "09-05")
    other = calendar("2016-01-01", "2027-12-31", events="victory_day")
    assert other.empty
    assert other.attrs["unknown"] == []


@pytest.mark.parametrize("festival", ["618", "double_11"])
def test_phases_of_a_festival_do_not_overlap(festival):
    table = calendar(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31", events=[festival])
    assert (table["start"].iloc[1:].to_numpy() > table["end"].iloc[:-1].to_numpy()).all()


def test_an_event_is_there_as_long_as_the_days_around_it_touch_the_period():
    assert calendar("2019-11-25", "2019-11-30")["event"].tolist() == ["double_11"]
    assert calendar("2019-11-26", "2019-11-30").empty
    assert calendar("2019-11-26", "2019-11-30")["start"].dtype == "datetime64[us]"


def test_a_run_of_days_off_that_begins_in_the_old_year_is_found_there():
    assert calendar("2018-12-20", "2018-12-31")["event"].tolist() == ["new_year"]


def test_days_may_be_timestamps_and_cover_both_ends():
    table = calendar(pd.Timestamp("2019-06-18"), pd.Timestamp("2019-06-18"), events=["618"])
    assert table[["start", "end"]].iloc[0].tolist() == [pd.Timestamp("2019-06-18")] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2014-12-31", "2015-02-01"), "the calendar covers 2015 to 2027; start is '2014-12-31'"),
        (("2019-01-01", "2028-01-01"), "the calendar covers 2015 to 2027; end is '2028-01-01'"),
        (("2019-02-01", "2019-01-01"), "ends on 2019-01-01 before it starts on 2019-02-01"),
    ],
)
def test_a_period_it_does_not_cover_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        calendar(*arguments)


def test_an_event_it_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(
        ValueError, match="no event 'christmas' in the calendar; it has: new_year, spring_festival"
    ):
        calendar("2019-01-01", "2019-02-01", events=["christmas"])


def test_every_event_says_why_its_windows_are_so_wide():
    table = festivals()
    assert (table["reason"].str.len() > 20).all()
    assert set(table["part_of"]) == {"", "618", "double_11"}
