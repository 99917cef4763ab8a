"""Series as the models take them: one value per day, week, month or numbered period, missing periods kept as missing.

Clock    consecutive periods of one length, and the number of the period that holds a date
Series   values of one or many series on a clock
per      "an hour", "a day"
read     checks a pandas Series or DataFrame and puts it on its clock
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.wording import counted

NAMES = {"h": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter", "Y": "year", "": "period"}
#: A week that begins on day 0, a Monday, ends on Sunday.
ENDS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: Numbered periods for each point beyond which they are no numbers of periods.
SPARSE = 100
THOUSANDS = re.compile(r"[-−]?\d{1,3}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True, eq=False)
class Clock:
    """Consecutive periods of one length: days, weeks, months, or plain numbers.

    `zone` is their time zone, if any; `form` is that of dates which were given as text.
    """

    index: pd.PeriodIndex | pd.RangeIndex
    zone: Any = None
    form: dates.Form = ""

    @property
    def dated(self) -> bool:
        """Whether the periods are calendar periods, not plain numbers."""
        return isinstance(self.index, pd.PeriodIndex)

    @property
    def kind(self) -> str:
        """h, D, W, M, Q or Y; empty for plain numbers."""
        return str(self.index.freqstr)[0] if isinstance(self.index, pd.PeriodIndex) else ""

    @property
    def unit(self) -> str:
        """The name of a period: hour, day, week, month, quarter, year or period."""
        return NAMES[self.kind]

    @property
    def periods(self) -> np.ndarray:
        """Numbers of the periods, counted from 0."""
        return np.arange(len(self.index))

    @cached_property
    def times(self) -> pd.Index:
        """The start of each period."""
        return self.index.to_timestamp() if isinstance(self.index, pd.PeriodIndex) else self.index

    def place(self, date: Any) -> int:
        """The number of the period that contains a date.

        Raises
        ------
        ValueError
            For a value that is not a date, a date outside the series, or a date with a time zone for a series without.
        """
        try:
            if isinstance(self.index, pd.PeriodIndex):
                stamp = dates.single(date, self.form)
            elif (found := int(date)) != date:
                raise ValueError("a fraction")
        except (TypeError, ValueError) as error:
            if str(error).startswith(repr(date)):  # its reason is known
                raise
            wanted = "a date; write '2019-07-31'" if self.dated else "a whole number, as the series' index is"
            raise ValueError(f"{date!r} is not {wanted}") from error
        if isinstance(self.index, pd.PeriodIndex):
            if stamp.tz is not None and self.zone is None:
                raise ValueError(
                    f"{date} has a time zone and the series has none; give the date as the series has it"
                )
            stamp = stamp.tz_convert(self.zone).tz_localize(None) if stamp.tz is not None else stamp
            found = pd.Period(stamp, self.index.freq).ordinal - self.index[0].ordinal
        else:
            found -= int(self.index[0])
        if not 0 <= found < len(self.index):
            raise ValueError(f"{date} is outside the series, which runs {self.span}")
        return found

    def elapsed(self, date: Any) -> tuple[float, str]:
        """Share of its period that lies before a date, and the first day of that period as text."""
        place = self.place(date)
        if not isinstance(self.index, pd.PeriodIndex) or isinstance(date, pd.Period):
            return 0.0, self.said(place)
        period, stamp = self.index[place], dates.single(date, self.form).tz_localize(None)
        return (stamp - period.start_time) / (period.end_time - period.start_time), self.said(place)

    def said(self, place: int) -> str:
        """A period as text: its first day, its hour, or its number."""
        if self.kind == "h":
            return f"{self.times[place]:%Y-%m-%d %H:%M}"
        return str(self.times[place].date()) if self.dated else str(self.index[place])

    @property
    def span(self) -> str:
        """The first and the last period as text."""
        return f"from {self.said(0)} to {self.said(len(self.index) - 1)}"


def per(unit: str) -> str:
    """One period, with its article."""
    return f"an {unit}" if unit == "hour" else f"a {unit}"


@dataclass(frozen=True, eq=False)
class Series:
    """Values on a clock, periods x series, nan where missing, with notes on how they were read."""

    clock: Clock
    values: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """Values by period and series."""
        return pd.DataFrame(self.values, index=self.clock.times, columns=list(self.names))


def read(given: Any) -> Series:
    """Check one series, or a frame with a column for each series.

    Raises
    ------
    TypeError
        For what is neither a Series nor a DataFrame.
    ValueError
        For an index that holds no times, duplicated times, times of day, a step that is neither a day, a week nor a
        month, series of different spans in one frame, or values that are infinite or not numbers.
    """
    if not isinstance(given, pd.Series | pd.DataFrame):
        raise TypeError(
            f"a series is a pandas Series or DataFrame with dates as its index, not {type(given).__name__}"
        )
    frame = (
        given.to_frame(given.name if given.name is not None else "series")
        if isinstance(given, pd.Series)
        else given
    )
    if frame.shape[1] == 0 or frame.empty:
        raise ValueError("the series is empty")
    names = tuple(map(str, frame.columns))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"the frame has two series called {repeated[0]!r}; rename one")
    _dates_elsewhere(frame)
    read_index, form = dates.index(frame.index)
    index, notes = _index(read_index), []
    for name in frame.columns:
        _numeric(frame[name])
    if form in ("day first", "month first"):
        notes.append(f"dates of the index were read {form}")
    if index.has_duplicates:
        raise ValueError(f"{_said(index[index.duplicated()][0])} comes twice; add such rows up, or drop one")
    if not index.is_monotonic_increasing:
        order = index.argsort()
        index, frame = index[order], frame.iloc[order]
        notes.append("the series was not in order of time and was sorted")
    zone = getattr(index, "tz", None)
    index = index if zone is None else index.tz_localize(None)
    if index.has_duplicates:
        raise ValueError(
            f"the clocks of {zone} were set back on {_said(index[index.duplicated()][0])}; use .tz_convert('UTC')"
        )
    clock = Clock(_periods(index), zone, form)
    places = (
        pd.PeriodIndex(index, freq=clock.index.freq).asi8 - clock.index[0].ordinal
        if isinstance(clock.index, pd.PeriodIndex)
        else index.to_numpy(np.int64) - int(clock.index[0])
    )
    values = np.full((len(clock.index), len(names)), np.nan)
    values[places] = frame.to_numpy(float, na_value=np.nan)
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        row, column = infinite[0]
        raise ValueError(
            f"series {names[column]!r} is infinite on {clock.said(row)}; mark it missing or mend it"
        )
    _one_span(clock, values, names)
    missing = int(np.isnan(values).all(1).sum())
    if missing:
        notes.append(f"{missing} of {len(values)} {clock.unit}s are missing and stay so")
    return Series(clock, values, names, tuple(notes))


def _index(index: pd.Index) -> pd.Index:
    if index.hasnans:
        raise ValueError("a time of the index is missing; drop that row or mend it")
    if isinstance(index, pd.PeriodIndex):
        return index
    if isinstance(index, pd.DatetimeIndex) and (index != index.normalize()).any() and not _hourly(index):
        at = index[index != index.normalize()][0]
        elsewhere = "" if index.tz is None else f" in {index.tz}; if days begin elsewhere, use .tz_convert"
        raise ValueError(
            f"{at} has a time of day{elsewhere}; add the series up to days first, series.resample('D').sum(), or "
            "to hours"
        )
    return index


def _hourly(index: pd.DatetimeIndex) -> bool:
    """Whether most points are an hour apart, each on the hour."""
    steps = np.diff(np.sort(index.to_numpy())) / np.timedelta64(1, "h")
    return bool((index == index.floor("h")).all() and len(steps) and np.median(steps) == 1)


def _dates_elsewhere(frame: pd.DataFrame) -> None:
    """An error where row numbers are the index and the dates stand in a column."""
    if isinstance(frame.index, pd.RangeIndex):
        for name in frame.columns:
            if dates.looks_like(frame[name]):
                raise ValueError(
                    f"the dates stand in column {name!r}, and the index holds row numbers; make them the index: "
                    f".set_index({name!r})"
                )


def _numeric(column: pd.Series) -> None:
    """An error that names the value by which a column does not hold numbers."""
    kind = column.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        return
    said, known = f"series {column.name!r}", column.dropna()
    if pd.api.types.is_datetime64_any_dtype(kind):
        raise ValueError(f"{said} holds dates, not numbers; drop it, or make it the index with .set_index")
    if pd.api.types.is_bool_dtype(kind):
        raise ValueError(f"{said} holds {kind}, not numbers; convert it with .astype(float)")
    wrong = known[pd.to_numeric(known, errors="coerce").isna()]
    if not len(wrong):
        raise ValueError(f"{said} holds numbers as text, not numbers; convert it with pd.to_numeric")
    first, at = wrong.iloc[0], wrong.index[0]
    if THOUSANDS.fullmatch(str(first).strip()):
        fix = "which has thousands marks; read the file with thousands=','"
    else:
        fix = "which is no number; mark it missing (na_values= of pd.read_csv), or mend it"
    raise ValueError(f"{said} holds {first!r} on {_said(at)}, {fix}")


def _periods(index: pd.Index) -> pd.PeriodIndex | pd.RangeIndex:
    """All periods from the first to the last; an error unless the step is a day, a week or a month."""
    if isinstance(index, pd.PeriodIndex):
        if index.freqstr[0] not in NAMES or index.freqstr.startswith(("min", "ms")):
            raise ValueError(
                f"periods are hours, days, weeks, months, quarters or years, not {index.freqstr}; sum up with .resample"
            )
        return _every(index)
    if not isinstance(index, pd.DatetimeIndex):
        first, last = int(index[0]), int(index[-1])
        if last - first >= SPARSE * len(index):
            raise ValueError(
                f"the index holds whole numbers from {first} to {last} for {counted(len(index), 'point')}; where these "
                "are times, make them dates with pd.to_datetime(index, unit='s') or 'ms'"
            )
        return pd.RangeIndex(first, last + 1)
    if _hourly(index):
        return _every(index.to_period("h"))
    days = np.diff(index.to_numpy().astype("datetime64[D]").astype(np.int64))
    if len(days) == 0:
        raise ValueError("one point is no series")
    usual = int(np.bincount(days).argmax())
    if usual >= 28 and (days % 7).any():
        wrong = min((~index.is_month_start, ~index.is_month_end), key=np.sum)
        months = np.diff(index.to_period("M").asi8)
        for length, freq in ((12, "Y"), (3, "Q")):
            if not wrong.any() and len(months) and not (months % length).any():
                # A year or quarter ends with the month before its first, or with that of its last day.
                last = index[0] if index.is_month_end[0] else index[0] - pd.Timedelta(days=1)
                return _every(index.to_period(f"{freq}-{last:%b}".upper()))
        if wrong.mean() < 0.5:
            _refuse(index, wrong, "months, but not on the same day of the month")
            return _every(index.to_period("M"))
    if usual % 7 == 0 or not (days % 7).any():
        weekday = int(np.bincount(index.day_of_week).argmax())
        _refuse(
            index,
            index.day_of_week != weekday,
            f"weeks that begin on {index.day_name()[index.day_of_week == weekday][0]}",
        )
        return _every(index.to_period(f"W-{ENDS[weekday]}"))
    # A daily series may lack days, but not most of them.
    wrong = days % usual != 0 if usual > 1 else days > 1
    if wrong.any() and (usual > 1 or len(index) * 2 < days.sum() + 1):
        at = index[1:][wrong][0]
        raise ValueError(
            f"most points are {counted(usual, 'day')} apart, but not {_said(at)}: neither days, weeks nor months; "
            "mend that date, or resample to one of these"
        )
    return _every(index.to_period("D"))


def _refuse(index: pd.DatetimeIndex, wrong: np.ndarray, said: str) -> None:
    if wrong.any():
        raise ValueError(
            f"most points are {said}: {_said(index[wrong][0])}, point {int(wrong.argmax()) + 1}; mend that date, or "
            "resample"
        )


def _every(index: pd.PeriodIndex) -> pd.PeriodIndex:
    """All periods from the first to the last; refused where most would be missing because the step is longer."""
    step = int(np.gcd.reduce(np.diff(index.asi8))) if len(index) > 1 else 1
    if step > 1:
        unit = NAMES[index.freqstr[0]]
        raise ValueError(
            f"there is a point every {step} {unit}s, from {_said(index[0].start_time)} on, and none between; number "
            "the points instead, series.reset_index(drop=True), and give interruptions as these numbers"
        )
    return pd.period_range(index[0], index[-1], freq=index.freq)


def _one_span(clock: Clock, values: np.ndarray, names: Sequence[str]) -> None:
    known = ~np.isnan(values)
    empty = [name for name, some_known in zip(names, known.any(0), strict=True) if not some_known]
    if empty:
        raise ValueError(f"series {empty[0]!r} has no values")
    first, last = known.argmax(0), len(values) - 1 - known[::-1].argmax(0)
    for name, begin, end in zip(names, first, last, strict=True):
        if (begin, end) != (first[0], last[0]):
            raise ValueError(
                f"series {name!r} runs from {clock.said(begin)} to {clock.said(end)}, but {names[0]!r} from "
                f"{clock.said(first[0])} to {clock.said(last[0])}; cut all to one span, or fit them apart"
            )


def _said(time: Any) -> str:
    return str(time.date()) if isinstance(time, pd.Timestamp) else str(time)
