"""Numbers, intervals, p values, groups and changes in words: the one place that turns them into text."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

#: A missing group's name wherever a group is named; a real value of "missing" is text and stays apart from it.
NULL = "<null>"
#: Relative changes smaller than this are rounding.
NOTHING = 1e-9


def count(number: float) -> str:
    """A count with thousands set apart."""
    return f"{number:,.0f}"


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """A count with its noun in the right number."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def duration(time: pd.Timedelta) -> str:
    """A length of time in days, hours, minutes and seconds.

    Examples
    --------
    >>> duration(pd.Timedelta("90min")), duration(pd.Timedelta("1s"))
    ('1 hour 30 minutes', '1 second')
    """
    parts = [
        (time.components.days, "day"),
        (time.components.hours, "hour"),
        (time.components.minutes, "minute"),
    ]
    whole = [counted(number, name) for number, name in parts if number]
    seconds = (time - time.floor("min")).total_seconds()
    if seconds or not whole:
        whole.append(f"{seconds:g} second{'s' * (seconds != 1)}")
    return " ".join(whole)


def some(names: Sequence[Any], most: int = 12) -> str:
    """Names as a list in a sentence, cut where it grows long."""
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def group_name(values: Iterable[Any]) -> str:
    """A group's name from the values of its `by` columns; a midnight is its day."""
    return " ".join(NULL if pd.isna(value) else str(value).removesuffix(" 00:00:00") for value in values)


def unknown(what: str, name: Any, known: Iterable[Any], of: str = "", most: int = 12) -> str:
    """The text of an error about a name that is not there, with the nearest one that is.

    Examples
    --------
    >>> unknown("event", "pya", ["enter", "pay"], of="the log")
    "no event 'pya' in the log (did you mean 'pay'?); it has: enter, pay"
    """
    names = [str(one) for one in known]
    there = f"{'it has' if of else 'there are'}: {some(names, most)}" if names else "there are none"
    return f"no {what} {name!r}{f' in {of}' if of else ''}{nearest(name, names)}; {there}"


def nearest(name: Any, known: Iterable[Any]) -> str:
    """A hint at the known name that is most like a misspelt one; empty where none is like it."""
    folded = {str(one).lower(): str(one) for one in known}
    near = difflib.get_close_matches(str(name).lower(), folded, 1, 0.6)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def percent(rate: float | None, digits: int | None = None) -> str:
    """A rate as per cent; small rates keep two significant figures."""
    if rate is None or math.isnan(rate):
        return "–"
    return f"{rate * 100:.{_digits(rate) if digits is None else digits}f} %"


def percent_interval(low: float, high: float) -> str:
    """An interval of a rate as per cent."""
    if math.isnan(low):
        return "unknown"
    if low == 0:
        return f"0 to {percent(high)}"
    digits = 1 if low >= 0.01 else 2 if low >= 0.001 or high >= 0.01 else None
    return f"{percent(low, digits).removesuffix(' %')} to {percent(high, digits)}"


def points(difference: float, sign: bool = True) -> str:
    """A difference of rates in percentage points; small ones keep two significant figures."""
    if math.isnan(difference):
        return "unknown"
    return _signed(f"{difference * 100:{'+' if sign else ''}.{_digits(difference)}f} points")


def points_interval(low: float, high: float) -> str:
    """An interval of a difference of rates, in percentage points."""
    if math.isnan(low) or math.isnan(high):
        return "no interval: too few"
    digits = min(_digits(low), _digits(high))
    limits = []
    for limit in (low, high):
        # A limit that is rounded to 0 would hide on which side of it the interval ends.
        lost = limit != 0 and round(limit * 100, digits) == 0
        limits.append(f"{limit * 100:.{_digits(limit) if lost else digits}f}")
    return _signed(" to ".join(limits))


def change(share: float) -> str:
    """A relative change as per cent, with its sign."""
    if math.isnan(share):
        return "unknown"
    share = 0.0 if abs(share) < NOTHING else share
    return _signed(f"{share * 100:+,.{0 if abs(share) >= 1 else _digits(share)}f} %")


def amount(value: float) -> str:
    """A difference in the units of its series, with its sign and about four figures."""
    if math.isnan(value):
        return "unknown"
    return _signed(f"{value:+,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:+.4g}")


def interval(row: Any, said: Callable[[float], str]) -> str:
    """The interval of a row of a table with `low` and `high`, or that there is none.

    Examples
    --------
    >>> interval({"low": 0.07, "high": 0.083}, points), interval({"low": 7.0, "high": 8.5}, amount)
    ('7.0 to 8.3', '+7 to +8.5')
    """
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return "no interval"
    if said is points:  # the estimate before it has named the unit
        return points_interval(row["low"], row["high"])
    return f"{said(row['low'])} to {said(row['high'])}"


def interval_level(confidence: float) -> str:
    """The level of an interval, as "95 % interval"."""
    return f"{confidence * 100:g} % interval"


def p_value(p: float) -> str:
    """A p value; far below any threshold its digits say nothing."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _digits(rate: float) -> int:
    """Decimals of a rate as per cent: one, and for less than 1 % two significant figures."""
    size = abs(rate) * 100
    return 1 if size >= 1 or size == 0 else min(6, 1 - math.floor(math.log10(size)))


def _signed(text: str) -> str:
    return text.replace("-", "−")
