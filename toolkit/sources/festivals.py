"""Festivals: the Chinese holidays and sales that move daily series, 2015 to 2027, with the days around them.

calendar     events between two days, with their windows and sources
festivals    what each event is, and why its windows are so wide
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import pandas as pd

from toolkit.sources import definitions
from toolkit.wording import unknown

YEARS = range(2015, 2028)
_ONE_DAY = timedelta(days=1)
#: First and last day of an event, and where they were read.
Dated = tuple[date, date, str]
_TOLD = ("header", "part_of", "before", "after", "reason")


def calendar(
    start: str | date | pd.Timestamp,
    end: str | date | pd.Timestamp,
    *,
    events: str | Sequence[str] | None = None,
) -> pd.DataFrame:
    """Holidays and sales whose days, or the days around them, fall between two days.

    Parameters
    ----------
    start, end
        First and last day, both included.
    events
        A name as `festivals` lists them, or several; all by default. The name of a festival brings its phases too:
        ``"double_11"`` is the day itself, the days of its presales and, since 2020, those of their payment.

    Returns
    -------
    pandas.DataFrame
        One row per event and year in order of time: event, start and end (both included), before and after (days
        around it that are unlike ordinary ones), source; a phase that comes in several spans has a row for each.
        ``attrs["unknown"]`` names events in that time whose dates no source gave, such as
        ``"double_11_presale 2023"``: they are missing, not absent.

    Raises
    ------
    ValueError
        An event without an entry; a day outside 2015 to 2027; an end before the start.

    Notes
    -----
    A public holiday is the whole run of days off around its day, weekends and swapped days included, as the
    `holidays` package has them. Where the State Council has not yet published the swaps of a year, the source
    says so. Two holidays in one run (Mid-Autumn within National Day's) do not share it: the lesser has its own
    day only. Days that are worked in return (调休) are not marked.

    Examples
    --------
    >>> calendar("2019-09-20", "2019-11-30").iloc[:, :5]
                   event      start        end  before  after
    0       national_day 2019-10-01 2019-10-07       3      3
    1  double_11_presale 2019-10-21 2019-11-10       0      0
    2          double_11 2019-11-11 2019-11-11      10     14
    """
    first, last = _day(start, "start"), _day(end, "end")
    if last < first:
        raise ValueError(f"the calendar ends on {last} before it starts on {first}; swap them")
    tables = definitions.read("festivals")
    names = list(tables) if events is None else [events] if isinstance(events, str) else list(events)
    for name in names:
        if name not in tables:
            raise ValueError(unknown("event", name, tables, of="the calendar"))
    rows, undated = [], []
    for name, table in tables.items():
        if name not in names and table.get("part_of") not in names:
            continue
        before, after = timedelta(table["before"]), timedelta(table["after"])
        # New Year's run of days off may begin in the year before.
        for year in range(first.year, min(last.year + 1, YEARS[-1]) + 1):
            if (known := _dates(name, year)) is None:
                begins, ends = _usual(name, year)
                if begins <= last and ends >= first:
                    undated.append(f"{name} {year}")
                continue
            for begins, ends, source in known:
                if begins - before <= last and ends + after >= first:
                    rows.append((name, begins, ends, before.days, after.days, source))
    frame = pd.DataFrame(rows, columns=["event", "start", "end", "before", "after", "source"])
    frame = frame.astype({"event": "str", "before": "int64", "after": "int64", "source": "str"})
    frame[["start", "end"]] = frame[["start", "end"]].astype("datetime64[us]")
    frame = frame.sort_values(["start", "end"], kind="stable", ignore_index=True)
    frame.attrs["unknown"] = undated
    return frame


def festivals() -> pd.DataFrame:
    """Every event of the calendar: event, header, part_of (the festival of a phase), before, after, reason."""
    tables = definitions.read("festivals")
    blank = {"part_of": ""}
    rows = [{"event": name} | {key: (blank | table)[key] for key in _TOLD} for name, table in tables.items()]
    return pd.DataFrame(rows)


def _day(value: Any, name: str) -> date:
    day = pd.Timestamp(value)
    if day is pd.NaT or day.year not in YEARS:
        raise ValueError(f"the calendar covers {YEARS[0]} to {YEARS[-1]}; {name} is {value!r}")
    return date(day.year, day.month, day.day)


@cache
def _dates(name: str, year: int) -> tuple[Dated, ...] | None:
    """First day, last day and source of each span of an event in a year; None where no source was read."""
    table = definitions.read("festivals")[name]
    if "holiday" in table:
        return (_run(name, year),)
    if "day" in table:
        day = date.fromisoformat(f"{year}-{table['day']}")
        return ((day, day, table["source"]),)
    found = [row for row in table["dates"] if row["year"] == year]
    if not found and table.get("since", YEARS[0]) <= year <= table.get("until", YEARS[-1]):
        return None
    return tuple((row["start"], row["end"], row["source"]) for row in found if row.get("held", True))


def _usual(name: str, year: int) -> tuple[date, date]:
    """The earliest and the latest day that an event had in any year, in the year that is meant."""
    held = [row for row in definitions.read("festivals")[name]["dates"] if row.get("held", True)]
    return min(row["start"].replace(year=year) for row in held), max(
        row["end"].replace(year=year) for row in held
    )


def _run(name: str, year: int) -> Dated:
    """The days off around a public holiday, as one run."""
    off, version = _days_off(year)
    day = _named(off, definitions.read("festivals")[name]["holiday"], year)
    source = f"holidays {version}, after the State Council's yearly notice"
    if not any("substituted" in text for at, text in off.items() if at.year == year):
        source += f"; the swapped days off of {year} are not yet in it"
    first = last = day
    while not off.is_working_day(first - _ONE_DAY):
        first -= _ONE_DAY
    while not off.is_working_day(last + _ONE_DAY):
        last += _ONE_DAY
    if name == "mid_autumn" and first <= _named(off, "National Day", year) <= last:
        first = last = day
    return first, last, source


@cache
def _days_off(year: int) -> tuple[Any, str]:
    from importlib.metadata import version

    import holidays

    # The neighbours too: a run at New Year crosses the year.
    years = range(year - 1, year + 2)
    return holidays.country_holidays("CN", years=years, language="en_US"), version("holidays")


def _named(off: Any, name: str, year: int) -> date:
    """The first day of a year that a holiday gives its name to."""
    days: list[date] = [at for at, text in off.items() if at.year == year and name in text.split("; ")]
    return min(days)
