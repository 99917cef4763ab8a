"""A series by hour, day, week or month out of any table: its dates are found, its gaps stay missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.inputs.cells import Cell, is_missing, number, plain, ratio
from toolkit.inputs.columns import ZONE
from toolkit.inputs.definitions import Definition, canonical
from toolkit.inputs.exports.fields import TOTALS
from toolkit.inputs.exports.frames import Table
from toolkit.inputs.exports.headers import below, headers_of
from toolkit.inputs.exports.kinds import normal
from toolkit.inputs.faults import ExportError, Notes
from toolkit.inputs.files.opening import open_file
from toolkit.inputs.files.sheets import Row, Sheet
from toolkit.inputs.times import Period, YearMissing, moment, period_in
from toolkit.wording import counted, some, unknown

#: Columns that are taken for the time where several could be.
TIMES = ("日期", "时间", "统计日期", "date", "day", "time", "timestamp", "month", "week", "datetime")
_DAY_OR_MONTH_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_MONTH = re.compile(r"(\d{4})[-/.年](\d{1,2})月?")
#: Share of a column's filled cells that must be times for it to be the time.
MOSTLY = 0.9


def read_series(
    path: str | Path,
    value: str,
    *,
    time: str | None = None,
    where: Mapping[str, Any] | None = None,
) -> pd.Series:
    r"""Read one series out of a table: CSV, workbook, page or Parquet.

    Parameters
    ----------
    path : str or Path
    value : str
        The column of values, as its header stands; "3,400.00", "1.2万" and "5.2%" are numbers.
    time : str, optional
        The column of times. Found by its cells if not given.
    where : dict, optional
        Columns and the value, or list of values, that rows must have: ``{"载体类型": "直播"}``.

    Returns
    -------
    pandas.Series
        By hour, day, week or month, in order of time, every period from the first to the last; a period without a
        row, and a cell without a number, is missing. `attrs["notes"]` says what was set aside.

    Raises
    ------
    ValueError
        For a column that is not there, no or several columns of times, days that may be day first or month first,
        two rows of one time, and a value that is no number; the message names the fix.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "days.csv"
    >>> _ = file.write_text("日期,支付金额\n2026-03-01,\"3,400.00\"\n2026-03-03,1.2万\n合计,\"15,400.00\"\n")
    >>> read_series(file, "支付金额").tolist()
    [3400.0, nan, 12000.0]
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"path is a str or a Path, not {type(path).__name__}")
    place = Path(path)
    if place.suffix.lower() in (".parquet", ".pq"):
        headers, rows = _parquet(place)
        period = None
    else:
        headers, rows, period = _sheet(place, value)
    at = _column(headers, value, str(place))
    for name, wanted in (where or {}).items():
        rows = _kept(rows, _column(headers, name, str(place)), name, wanted)
    clock = _clock(headers, rows, at, period) if time is None else _column(headers, time, str(place))
    return _series(rows, clock, at, headers, period)


def series_of(table: Table, column: str) -> pd.Series:
    """A column of an export by day; amounts and times are added up, people and rates never.

    Raises
    ------
    ValueError
        Where a day has several rows whose values cannot be added, and for a table without a time.
    """
    known = table.definitions
    if column not in known:
        raise ValueError(unknown("column", column, known, of=f"the table {table.name}"))
    definition = known[column]
    if not definition.measures:
        raise ValueError(f"{column} is {definition.unit}, not a measure")
    times = next((name for name in ("date", "start", "paid_at", "published") if name in known), None)
    if times is None:
        raise ValueError(f"the table {table.name} has no time; it has {some(list(known))}")
    frame = table.frame.loc[table.frame[times].notna(), [times, column]]
    if not len(frame):
        raise ValueError(f"no row of the table {table.name} has a {times}")
    day = frame[times].dt.tz_localize(None).dt.normalize()
    _addable(definition, day, table)
    values = frame[column].astype("float64")
    sums = values.groupby(day).sum(min_count=1)
    # A day with one value missing has no sum: a part of it is not known.
    sums[values.isna().groupby(day).any()] = np.nan
    series = sums.reindex(pd.date_range(sums.index.min(), sums.index.max(), freq="D", name="day"))
    series.name = column
    series.attrs = {"definition": definition.said()}
    return series


def _addable(definition: Definition, day: pd.Series, table: Table) -> None:
    twice = day[day.duplicated()]
    if definition.additive or not len(twice):
        return
    why = (
        "people are not added up: one person may be in several rows"
        if definition.counts == "people"
        else "it is no sum"
    )
    raise ValueError(
        f"{twice.iloc[0].date()} has several rows of {table.name}, and {definition.name} cannot be added ({why}); take "
        "a table of one row a day, or a measure such as gmv"
    )


def _parquet(place: Path) -> tuple[tuple[str, ...], list[Row]]:
    frame = pd.read_parquet(place)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    rows = [
        [None if pd.isna(cell) else cell for cell in row] for row in frame.itertuples(index=False, name=None)
    ]
    return tuple(map(str, frame.columns)), rows


def _sheet(place: Path, value: str) -> tuple[tuple[str, ...], list[Row], Period | None]:
    notes = Notes(place.name)
    sheets = open_file(place, notes)
    seen: list[str] = []
    for sheet in sheets:
        for at, row in enumerate(sheet.rows[:300]):
            headers = headers_of(row)
            if any(normal(header) == normal(value) for header in headers if header):
                if at and not all(headers):
                    headers = below(headers_of(sheet.rows[at - 1]), headers)
                above = " ".join(str(raw) for line in sheet.rows[:at] for raw in line if raw is not None)
                return headers, _rows(sheet, at), period_in(place.name) or period_in(above)
            if not seen and sum(map(bool, headers)) > 1:
                seen = [header for header in headers if header]
    if not seen:
        raise ExportError(
            "not_an_export",
            f"{place} holds no table: no row has two cells; a text sets them apart by commas, tabs or semicolons",
            found="no table",
        )
    own = (
        f". A column of an export by its own name: read_export(path).series({value!r})"
        if value in canonical()
        else ""
    )
    raise ValueError(unknown("column", value, seen, of=str(place)) + own)


def _rows(sheet: Sheet, header: int) -> list[Row]:
    rows = [row for _, block in sheet.blocks() for row in block]
    return [row for row in rows[header + 1 :] if any(raw is not None for raw in row)]


def _column(headers: Sequence[str], name: str, where: str) -> int:
    places = [i for i, header in enumerate(headers) if header and normal(header) == normal(name)]
    if not places:
        raise ValueError(unknown("column", name, [header for header in headers if header], of=where))
    if len(places) > 1:
        raise ValueError(f"{where} has {len(places)} columns {name!r}; rename one")
    return places[0]


def _kept(rows: list[Row], at: int, name: str, wanted: Any) -> list[Row]:
    listed = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    texts = {str(one) for one in listed}
    there = {str(row[at]).strip() for row in rows if at < len(row) and row[at] is not None}
    for text in texts - there:
        raise ValueError(unknown(f"value of {name}", text, sorted(there)))
    return [row for row in rows if at < len(row) and str(row[at]).strip() in texts]


def _clock(headers: Sequence[str], rows: list[Row], value: int, period: Period | None) -> int:
    """The column of times: the one whose cells are times, by name where there are several."""
    found = [at for at, header in enumerate(headers) if header and at != value and _is_time(rows, at, period)]
    if len(found) > 1:
        named = [at for at in found if normal(headers[at]) in {normal(name) for name in TIMES}]
        found = named if len(named) == 1 else found
    if len(found) == 1:
        return found[0]
    listed = some([headers[at] for at in found] or [header for header in headers if header])
    what = f"several columns hold times ({listed})" if found else f"no column holds times; there are {listed}"
    raise ValueError(f"{what}; name it with time=")


def _is_time(rows: list[Row], at: int, period: Period | None) -> bool:
    filled = [row[at] for row in rows[:200] if at < len(row) and not is_missing(row[at])]
    filled = [raw for raw in filled if str(raw).strip() not in TOTALS]
    # Plain numbers are times only where they are whole days, such as 20260301.
    good = [raw for raw in filled if not (isinstance(raw, int | float) and raw < 19_000_000)]
    good = [raw for raw in good if not re.fullmatch(r"[\d,]{1,6}(?:\.\d+)?", str(raw).strip())]
    return bool(filled) and sum(_may_be(raw, period) for raw in good) >= MOSTLY * len(filled)


def _may_be(raw: Any, period: Period | None) -> bool:
    if isinstance(raw, str) and (_DAY_OR_MONTH_FIRST.match(plain(raw)) or _MONTH.fullmatch(plain(raw))):
        return True
    try:
        return moment(raw, period).value is not None
    except YearMissing:
        return True


def _series(rows: list[Row], clock: int, at: int, headers: Sequence[str], period: Period | None) -> pd.Series:
    name = headers[at]
    notes: list[str] = []
    times, values = [], []
    first = _which_first(
        [str(row[clock]) for row in rows if clock < len(row) and isinstance(row[clock], str)]
    )
    totals = 0
    for line, row in enumerate(rows, start=1):
        raw = row[clock] if clock < len(row) else None
        if is_missing(raw) or str(raw).strip() in TOTALS:
            totals += 1
            continue
        when = _when(raw, first, period)
        if when is None:
            raise ValueError(
                f"row {line} under the header: {headers[clock]} holds {raw!r}, no time that can be read"
            )
        cell = _value(row[at] if at < len(row) else None)
        if cell.fault:
            raise ValueError(f"{when}: {name} holds {row[at]!r}, no number; mend it or make it empty")
        times.append(when)
        values.append(np.nan if cell.value is None else cell.value)
    if totals:
        notes.append(f"{counted(totals, 'row')} without a time, such as totals, set aside")
    if not times:
        raise ValueError("no row has a time; is it the right column? name it with time=")
    series = pd.Series(
        values, index=pd.DatetimeIndex(times, name=headers[clock]), name=name, dtype=float
    ).sort_index()
    if series.index.has_duplicates:
        twice = series.index[series.index.duplicated()][0]
        others = [header for i, header in enumerate(headers) if header and i not in (at, clock)]
        times_said = f"{twice:%Y-%m-%d %H:%M} stands {int((series.index == twice).sum())} times"
        raise ValueError(f"{times_said}; choose rows with where=, by one of {some(others)}")
    return _whole(series, notes)


def _value(raw: Any) -> Cell:
    if isinstance(raw, str) and plain(raw).endswith("%"):
        return ratio(raw, "percent")
    if isinstance(raw, np.generic):
        raw = raw.item()
    return number(raw)


def _when(raw: Any, first: str, period: Period | None) -> pd.Timestamp | None:
    if isinstance(raw, pd.Timestamp):
        stamp = raw.tz_convert(ZONE).tz_localize(None) if raw.tzinfo else raw
        return pd.Timestamp(stamp)
    if isinstance(raw, str):
        text = plain(raw)
        if found := _MONTH.fullmatch(text):
            return pd.Timestamp(int(found[1]), int(found[2]), 1)
        if found := _DAY_OR_MONTH_FIRST.match(text):
            form = "%d/%m/%Y" if first == "day" else "%m/%d/%Y"
            day = pd.to_datetime("/".join(found.groups()), format=form, errors="coerce")
            rest = text[found.end() :].strip()
            return None if pd.isna(day) else pd.Timestamp(f"{day.date()} {rest}".strip())
    try:
        value = moment(raw, period).value
    except YearMissing:
        raise ValueError(
            f"{raw!r} has no year, and the file's name tells no period; put it into the name, as "
            "..._2025-12-20_2026-01-05"
        ) from None
    return None if value is None else pd.Timestamp(value)


def _which_first(texts: list[str]) -> str:
    """Whether days such as 13/07/2019 are day first or month first, where the column itself decides it."""
    pairs = [found.groups() for text in texts if (found := _DAY_OR_MONTH_FIRST.match(plain(text)))]
    if not pairs:
        return ""
    day_first = any(int(one) > 12 for one, _, _ in pairs)
    month_first = any(int(two) > 12 for _, two, _ in pairs)
    if day_first == month_first:
        example = "/".join(pairs[0])
        why = "both occur" if day_first else "no day is above 12"
        raise ValueError(
            f"days such as {example!r} may be day first or month first ({why}); write them as 2019-07-01"
        )
    return "day" if day_first else "month"


def _whole(series: pd.Series, notes: list[str]) -> pd.Series:
    """Every period from the first to the last."""
    frequency = _frequency(series.index)
    if frequency == "MS":
        series.index = pd.DatetimeIndex(series.index.to_period("M").to_timestamp(), name=series.index.name)
    full = pd.date_range(series.index[0], series.index[-1], freq=frequency, name=series.index.name)
    missing = len(full) - len(series)
    result = series.reindex(full)
    if missing:
        notes.append(f"{missing} of {len(full)} periods have no row and stay missing")
    result.attrs = {"notes": notes}
    return result


def _frequency(index: pd.DatetimeIndex) -> str:
    """Hour, day, week or month: the longest step on which all times lie."""
    if (index != index.normalize()).any():
        if (index != index.floor("h")).any():
            raise ValueError(
                f"{index[index != index.floor('h')][0]} is no whole hour: one row per event is a log; use read_events, "
                "or add the rows up by day first"
            )
        return "h"
    steps = np.diff(index.to_numpy()).astype("timedelta64[D]").astype(int)
    if len(steps) and (steps >= 28).all() and index.day.nunique() == 1:
        return "MS"
    if len(steps) and (steps % 7 == 0).all():
        return f"W-{index[0].day_name()[:3].upper()}"
    return "D"
