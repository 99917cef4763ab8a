"""Dates as people write them, in one form for a whole index: year first, day first or month first.

index        the dates of an index, or its periods as plain numbers
single       one date, in the form of the index it is asked of
looks_like   whether a column holds dates, for the advice to make it the index
day_numbers  labels as days since 1970, where all of them are days
in_order     labels in the order of the calendar, where they are days
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from toolkit.wording import some

Form = Literal["", "year first", "day first", "month first"]
#: Where year, month and day stand among three numbers.
ORDERS: dict[Form, tuple[int, int, int]] = {
    "year first": (0, 1, 2),
    "day first": (2, 1, 0),
    "month first": (2, 0, 1),
}
_NUMBERS = re.compile(r"(\d{1,4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,4})\s*日?(\D.*)?", re.DOTALL)
_FULL = re.compile(r"\d{4}")
_YEARLESS = re.compile(r"\d{1,2}\s*[-/.月]\s*\d{1,2}\s*日?")
_SOLID = re.compile(r"\d{8}")
_MONTHS = re.compile(r"\d{6}")
_CHINESE_MONTH = re.compile(r"(\d{4})\s*年\s*(\d{1,2})\s*月")
#: Years that a whole number may begin with for it to be a date.
YEARS = range(1900, 2100)


class Ambiguous(ValueError):
    """A date that is another day with the day first than with the month first; the message has both."""


def index(given: pd.Index) -> tuple[pd.Index, Form]:
    """Dates of an index in the one form that all of them fit, or whole numbers that are no dates, as they are.

    Raises
    ------
    ValueError
        For a value that is no date, dates in two forms, and dates that two forms read differently.

    Examples
    --------
    >>> index(pd.Index(["01/07/2019", "13/07/2019"]))
    (DatetimeIndex(['2019-07-01', '2019-07-13'], dtype='datetime64[us]', freq=None), 'day first')
    """
    if isinstance(given, pd.DatetimeIndex | pd.PeriodIndex):
        return given, ""
    if pd.api.types.is_numeric_dtype(given.dtype) and not pd.api.types.is_bool_dtype(given.dtype):
        return _numbers(given), ""
    written = [isinstance(value, str) for value in given]
    if not any(written):
        return _stamps(given), ""
    if not all(written):
        # What a spreadsheet leaves of days first: it turns the 3rd of April into 4 March, and 13 April into text.
        raise ValueError(
            f"the index mixes text, such as {given[written.index(True)]!r}, with "
            f"{type(given[written.index(False)]).__name__}, such as {given[written.index(False)]}; read all dates as "
            "text, then pd.to_datetime with format="
        )
    texts = [text.strip() for text in given]
    for solid, layout, name in ((_SOLID, "%Y%m%d", "20190701"), (_MONTHS, "%Y%m", "201907")):
        if all(solid.fullmatch(text) for text in texts):
            found = pd.to_datetime(texts, format=layout, errors="coerce")
            _refuse(texts, np.asarray(found.isna()), f"is no date such as {name}")
            return pd.DatetimeIndex(found), ""
    numbered = [_NUMBERS.fullmatch(text) for text in texts]
    if all(one is None for one in numbered):
        return _words(texts), ""
    _refuse(
        texts, np.array([one is None for one in numbered]), f"is no date as {_first(texts, numbered)!r} is"
    )
    fits = _fits([one.groups() for one in numbered if one is not None])
    if not fits:
        _refuse_all(texts)
    # Two forms that read every value alike are one.
    form, found = next(iter(fits.items()))
    for other, differently in fits.items():
        differs = np.asarray(found != differently)
        if differs.any():
            place = int(differs.argmax())
            letters = dict(
                zip(ORDERS[form], ("%Y" if _FULL.search(texts[place]) else "%y", "%m", "%d"), strict=True)
            )
            pattern = re.sub(r"\d+", "{}", texts[place], count=3).format(*(letters[at] for at in range(3)))
            raise ValueError(
                f"the index may be {form} or {other}: {texts[place]!r} is {found[place].date()} or "
                f"{differently[place].date()}; say which, as in pd.to_datetime(index, format={pattern!r})"
            )
    return found, form


def single(date: Any, form: Form) -> pd.Timestamp:
    """One date; text of three numbers is read in the form of the index, where that has one.

    Raises
    ------
    ValueError
        For what is no date, a date without a year, and text that may be day first or month first.
    """
    if isinstance(date, pd.Period):
        return date.start_time
    if isinstance(date, int | np.integer) and not isinstance(date, bool):
        date = str(date)
        if not (_SOLID.fullmatch(date) and int(date[:4]) in YEARS):
            raise ValueError(f"{date} is not a date; write '2019-07-31'")
    text = date.strip() if isinstance(date, str) else ""
    if _YEARLESS.fullmatch(text):
        raise ValueError(f"{date!r} is not a date: it has no year; write '2019-07-31'")
    if (numbers := _NUMBERS.fullmatch(text)) is None:
        stamp = pd.Timestamp(date)
        if pd.isna(stamp):
            raise ValueError("a missing date")
        return stamp
    fits = _fits([numbers.groups()])
    readings = {name: found[0] for name, found in fits.items()}
    if form in readings and len(readings) > 1:
        return pd.Timestamp(readings[form])
    if not readings:
        raise ValueError(f"{date!r} is not a date; write '2019-07-31'")
    if form and form not in readings and "year first" not in readings:
        raise ValueError(f"{date!r} is not a date that is {form}, as those of the series are")
    if len(set(readings.values())) > 1:
        said = " or ".join(f"{stamp.date()} ({name})" for name, stamp in readings.items())
        raise Ambiguous(f"{date!r} is {said}; write the year first")
    return pd.Timestamp(next(iter(readings.values())))


def looks_like(column: pd.Series) -> bool:
    """Whether most values of a column are dates."""
    known = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    if (
        not len(known)
        or pd.api.types.is_float_dtype(column.dtype)
        or pd.api.types.is_bool_dtype(column.dtype)
    ):
        return False
    texts = known.astype(str).str.strip()
    dates = texts.str.fullmatch(_NUMBERS) | (
        texts.str.fullmatch(_SOLID) & pd.to_datetime(texts, format="%Y%m%d", errors="coerce").notna()
    )
    return bool(dates.mean() > 0.5)


def _fits(parts: Sequence[Sequence[str | None]]) -> dict[Form, pd.DatetimeIndex]:
    """The forms that every value fits, and what they read."""
    found: dict[Form, pd.DatetimeIndex] = {}
    for form, order in ORDERS.items():
        year, month, day = ([str(one[place]) for one in parts] for place in order)
        if len({len(text) for text in year} - {4, 2}) or len(set(map(len, year))) > 1:
            continue
        if max(map(len, day)) > 2 or max(map(len, month)) > 2:
            continue
        years = [text if len(text) == 4 else f"20{text}" for text in year]
        texts = [
            f"{y}-{int(m):02}-{int(d):02}{(one[3] or '').rstrip()}"
            for y, m, d, one in zip(years, month, day, parts, strict=True)
        ]
        whole = pd.to_datetime([text[:10] for text in texts], format="%Y-%m-%d", errors="coerce")
        if whole.isna().any():
            continue
        if any(one[3] and one[3].strip() for one in parts):
            whole = pd.to_datetime(pd.Index(texts), format="mixed", errors="coerce")
            if whole.isna().any():
                continue
        found[form] = pd.DatetimeIndex(whole)
    return found


def _first(texts: Sequence[str], found: Sequence[Any]) -> str:
    return next(text for text, one in zip(texts, found, strict=True) if one is not None)


def _refuse(texts: Sequence[str], wrong: np.ndarray, said: str) -> None:
    """An error that names the first value that is wrong, and its row."""
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"row {row + 1} of the index is {texts[row]!r}, which {said}; drop that row or mend it"
        )


def _refuse_all(texts: Sequence[str]) -> None:
    """An error for dates of which each form that fits the most has one that it does not fit."""
    alone = [set(_fits([found.groups()])) for text in texts if (found := _NUMBERS.fullmatch(text))]
    none = np.array([not one for one in alone])
    _refuse(texts, none, "is no date")
    common = max(ORDERS, key=lambda form: sum(form in one for one in alone))
    wrong = [text for text, one in zip(texts, alone, strict=True) if common not in one]
    right = next(text for text, one in zip(texts, alone, strict=True) if common in one)
    raise ValueError(
        f"the dates of the index have no one form: {right!r} may be {common}, {some(wrong, most=3)} not; mend these"
    )


def _numbers(given: pd.Index) -> pd.Index:
    """Whole numbers such as 20190701 as days, 201907 as months; others stay numbers."""
    values = given.to_numpy(float)
    if (values != np.round(values)).any():
        raise ValueError(
            f"the index holds {given[values != np.round(values)][0]}, which is neither a date nor a whole number"
        )
    whole = given.astype(np.int64)
    for low, form in ((10_000, "%Y%m%d"), (100, "%Y%m")):
        if values.min() >= YEARS.start * low and values.max() < YEARS.stop * low:
            found = pd.to_datetime(whole.astype(str), format=form, errors="coerce")
            if found.notna().mean() > 0.5:
                _refuse([str(one) for one in whole], np.asarray(found.isna()), "is no date")
                return pd.DatetimeIndex(found)
    return whole


def _words(texts: Sequence[str]) -> pd.DatetimeIndex:
    """Dates with month names and the like, which pandas reads in one way only."""
    _refuse(texts, np.array([bool(_YEARLESS.fullmatch(text)) for text in texts]), "has no year")
    texts = [_CHINESE_MONTH.sub(r"\1-\2", text) for text in texts]
    found = pd.to_datetime(pd.Series(texts), format="mixed", errors="coerce")
    if found.isna().all():
        raise ValueError(
            f"the index holds {texts[0]!r}, not dates; make the dates the index, with .set_index"
        )
    _refuse(texts, found.isna().to_numpy(), "is no date")
    return pd.DatetimeIndex(found)


def _stamps(given: pd.Index) -> pd.DatetimeIndex:
    zones = {getattr(value, "tzinfo", None) for value in given}
    if len(zones) > 1:
        raise ValueError(f"the index mixes time zones ({some(sorted(map(str, zones)))}); convert it to one")
    try:
        return pd.DatetimeIndex(given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the index holds {given[0]!r}, not dates; use pd.to_datetime") from error


def day_numbers(labels: Sequence[Any]) -> np.ndarray | None:
    """Labels as days since 1970, or None where they are not calendar days, each of them once.

    Examples
    --------
    >>> day_numbers(["1970-01-02", "19700105"]), day_numbers([101, 102])
    (array([1, 4]), None)
    """
    values = pd.Series(list(labels))
    if pd.api.types.is_numeric_dtype(values) and not values.between(19_000_101, 21_001_231).all():
        return None
    try:
        # A text is a day only if it is written as one: a session called "s7" or "12" is not.
        if not pd.api.types.is_datetime64_any_dtype(values):
            texts = values.astype(str).str.strip()
            if not texts.str.fullmatch(r"\d{4}([-/.年]?)\d{1,2}([-/.月]?)\d{1,2}日?( 00:00:00.*)?").all():
                return None
            texts = texts.str.replace(r"[/.年月]", "-", regex=True).str.replace("日", "").str.slice(0, 10)
            values = pd.to_datetime(texts.str.strip(), format="mixed")
    except (ValueError, TypeError):
        return None
    times = pd.DatetimeIndex(values).tz_localize(None)
    if (times != times.normalize()).any():
        return None
    days = (times - pd.Timestamp(0)).days.to_numpy(np.int64)
    return days if len(set(days.tolist())) == len(days) else None


def in_order(labels: Sequence[Any]) -> tuple[np.ndarray, np.ndarray | None]:
    """The order of labels, days by the calendar and all others as they come; and the days in that order."""
    days = day_numbers(labels)
    if days is None:
        return np.arange(len(labels)), None
    order = np.argsort(days, kind="stable")
    return order, days[order]
