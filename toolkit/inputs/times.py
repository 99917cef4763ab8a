"""Days and times as dashboards write them, and the period that a file says it covers."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from toolkit.inputs.cells import EMPTY, Cell, is_missing, plain
from toolkit.inputs.files.sheets import Raw

Period = tuple[date, date]

_FULL = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})日?"
    r"(?:[\sT_]*(\d{1,2})\s*[:时_-]\s*(\d{1,2})(?:\s*[:分_-]\s*(\d{1,2})(?:\.\d+)?秒?)?分?)?"
)
_SOLID = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[\sT_]?(\d{2}):?(\d{2})(?::?(\d{2}))?)?")
_YEARLESS = re.compile(r"(\d{1,2})\s*[-/.月]\s*(\d{1,2})日?(?:[\sT_]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?)?")
_DAY = r"\d{4}[-./年]?\d{1,2}[-./月]?\d{1,2}日?"
_PERIOD = re.compile(rf"(?<!\d)({_DAY})\s*(?:~|_|至|到|-{{1,2}}|\s)\s*({_DAY})(?!\d)")
_SPAN = re.compile(r"\s*(?:~|至|到)\s*")
#: Serial days of a spreadsheet that can be meant: 1990 to 2099.
_SERIALS = range(32874, 73051)


class YearMissing(ValueError):
    """A day without a year, in a file that says no period."""


def moment(raw: Raw, period: Period | None = None, *, from_1904: bool = False) -> Cell:
    """A time as a naive datetime of the platform's zone; `fault` says serial or yearless where it was.

    Examples
    --------
    >>> moment("2026年02月20日20时15分07秒").value
    datetime.datetime(2026, 2, 20, 20, 15, 7)
    >>> moment("01-02 19:30", (date(2025, 12, 20), date(2026, 1, 5))).value
    datetime.datetime(2026, 1, 2, 19, 30)
    """
    if is_missing(raw):
        return EMPTY
    if isinstance(raw, datetime):
        return Cell(raw.replace(microsecond=0, tzinfo=None))
    if isinstance(raw, date):
        return Cell(datetime(raw.year, raw.month, raw.day))
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        if int(raw) in _SERIALS:
            return Cell(_serial(float(raw), from_1904), fault="serial")
        if float(raw) != int(raw):
            return Cell(None, fault="unreadable")
        raw = str(int(raw))
    text = plain(raw)
    try:
        for form in (_FULL, _SOLID):
            if found := form.fullmatch(text):
                return Cell(_made(found.groups()))
        if found := _YEARLESS.fullmatch(text):
            return Cell(_in_period(found.groups(), period), fault="yearless")
        if re.fullmatch(r"\d{5}(?:\.\d+)?", text) and int(float(text)) in _SERIALS:
            return Cell(_serial(float(text), from_1904), fault="serial")
    except YearMissing:
        raise
    except ValueError:
        pass  # the 31st of a short month, the 25th hour
    return Cell(None, fault="unreadable")


def span(raw: Raw) -> tuple[Cell, Cell]:
    """Both times of one cell, as "2026-03-05_19-30-12~2026-03-05_23-02-11"."""
    if is_missing(raw):
        return EMPTY, EMPTY
    parts = _SPAN.split(plain(raw))
    if len(parts) != 2:
        return Cell(None, fault="unreadable"), Cell(None, fault="unreadable")
    return moment(parts[0]), moment(parts[1])


def period_in(text: str) -> Period | None:
    """The period that a file's name or a line above its table tells; None where it tells none.

    Examples
    --------
    >>> period_in("小红书_商家数据_20260301-20260305.xlsx")
    (datetime.date(2026, 3, 1), datetime.date(2026, 3, 5))
    """
    for found in _PERIOD.finditer(plain(text)):
        first, last = moment(found[1]).value, moment(found[2]).value
        if first is not None and last is not None and first <= last:
            return first.date(), last.date()
    return None


def _made(parts: tuple[str | None, ...]) -> datetime:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    extra = timedelta(days=1) if hour == 24 and minute == second == 0 else timedelta()
    return datetime(year, month, day, 0 if extra else hour, minute, second) + extra


def _in_period(parts: tuple[str | None, ...], period: Period | None) -> datetime:
    month, day, hour, minute, second = (int(part or 0) for part in parts)
    if period is None:
        raise YearMissing(f"{month}-{day}")
    made = []
    for year in range(period[0].year, period[1].year + 1):
        try:
            made.append(datetime(year, month, day, hour, minute, second))
        except ValueError:
            continue  # 29 February of another year
    inside = [one for one in made if period[0] <= one.date() <= period[1]]
    if len(inside) != 1:
        raise ValueError(
            f"{month}-{day} lies {'twice' if inside else 'not'} within {period[0]} to {period[1]}"
        )
    return inside[0]


def _serial(days: float, from_1904: bool) -> datetime:
    start = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)
    return start + timedelta(seconds=round(days * 86400))
