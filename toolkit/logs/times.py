"""How a log writes its times, and the SQL that reads them as integer microseconds since 1970 UTC."""

from __future__ import annotations

import datetime as dt
import re
import statistics
from dataclasses import dataclass
from numbers import Number
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
import pandas as pd

from toolkit import dates
from toolkit.logs.engines import Engine, identifier, literal
from toolkit.logs.time_forms import COMPACT, FORMATS, NEARLY_ALL, PLAIN, ZONED, is_compact

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
# Unix times of 1973 to 5138 lie in these ranges, one range per unit, so magnitude alone tells the unit.
MAGNITUDES = {"s": (10**8, 10**11), "ms": (10**11, 10**14), "us": (10**14, 10**17), "ns": (10**17, 10**19)}
#: The first instant of the year 9999, in microseconds since 1970 UTC.
NEVER = 253_370_764_800_000_000
INTEGERS = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
}


def zone(name: str) -> ZoneInfo:
    """The IANA zone of a name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ValueError(f"unknown timezone {name!r}; use an IANA name such as 'Asia/Shanghai'") from error


@dataclass(frozen=True)
class Clock:
    """How one log's time column is read.

    kind is "instant" (time with a zone), "local" (without one), "text", "compact" (digits such as 20240618193000),
    "form" (as `form` says) or "unix"; unit is that of Unix times. Rows at or after `until`, in microseconds, have no
    time: as of that moment they do not exist. Without `tries` the engine has no cast that gives null for what it
    cannot read.
    """

    column: str
    kind: str
    timezone: str
    unit: str | None = None
    offset: int | None = None
    form: str | None = None
    until: int | None = None
    tries: bool = True

    @property
    def said(self) -> str:
        """The reading in words."""
        return {
            "instant": "times with a zone",
            "local": f"times without a zone, read in {self.timezone}",
            "text": f"text, read as ISO times; those without a zone in {self.timezone}",
            "compact": f"digits, read as year, month, day, such as 20240618 or 20240618193000, in {self.timezone}",
            "form": f"text, read by {self.form}" + ("" if "%z" in str(self.form) else f" in {self.timezone}"),
            "unix": f"Unix time in {self.unit}",
        }[self.kind]

    def sql(self) -> str:
        """SQL of the time as BIGINT microseconds; NULL where it cannot be read."""
        micros = self._micros()
        return micros if self.until is None else f"CASE WHEN {micros} < {self.until} THEN {micros} END"

    def missing_hour(self) -> str | None:
        """SQL of whether a local time is one that a change of clocks left out; None where none can be."""
        if self.kind in ("instant", "unix") or self.offset is not None or "%z" in str(self.form):
            return None
        local, there = self._local_time(), literal(self.timezone)
        zoned = f" AND NOT regexp_matches({self._text}, {literal(ZONED)})" if self.kind == "text" else ""
        return f"coalesce(timezone({there}, timezone({there}, {local})) <> {local}, FALSE){zoned}"

    def _micros(self) -> str:
        if self.kind == "instant" or "%z" in str(self.form):
            return f"epoch_us({self.column if self.kind == 'instant' else self._local_time()})"
        if self.kind == "unix":
            number = self.number("HUGEINT")
            if self.unit == "ns":
                return f"CAST({number} // 1000 AS BIGINT)"
            if self.unit == "s":  # fractions of a second are common where a program wrote time.time()
                return f"CAST(round({self.number('DECIMAL(28, 6)')} * 1000000) AS BIGINT)"
            return f"{self._cast}({number} * {UNITS[str(self.unit)]} AS BIGINT)"
        local = self._local_time()
        micros = (
            f"epoch_us(timezone({literal(self.timezone)}, {local}))"
            if self.offset is None
            else f"epoch_us({local}) - {self.offset}"
        )
        if self.kind != "text":
            return micros
        return (
            f"CASE WHEN regexp_matches({self._text}, {literal(ZONED)}) "
            f"THEN epoch_us(TRY_CAST({self._text} AS TIMESTAMPTZ)) ELSE {micros} END"
        )

    def number(self, kind: str) -> str:
        """SQL of a Unix time as a number of a SQL type."""
        return f"{self._cast}({self.column} AS {kind})"

    @property
    def _cast(self) -> str:
        return "TRY_CAST" if self.tries else "CAST"

    @property
    def _text(self) -> str:
        return f"trim(CAST({self.column} AS VARCHAR))"

    def _local_time(self) -> str:
        """SQL of the time as the log's zone writes it."""
        if self.kind == "local":
            return f"CAST({self.column} AS TIMESTAMP)"
        if self.kind == "text":
            formats = ", ".join(literal(form) for form in FORMATS)
            return (
                f"CASE WHEN regexp_matches({self._text}, {literal(PLAIN)}) THEN "
                f"coalesce(TRY_CAST({self._text} AS TIMESTAMP), try_strptime({self._text}, [{formats}])) END"
            )
        # A column of whole numbers with gaps comes as 20240618.0.
        digits = f"regexp_replace({self._text}, '\\.0+$', '')"
        if self.kind == "form":
            return f"try_strptime({digits}, {literal(self.form)})"
        cases = " ".join(
            f"WHEN {length} THEN try_strptime({digits}, {literal(form)})" for length, form in COMPACT.items()
        )
        return f"CASE length({digits}) {cases} END"


def fixed_offset(timezone: str, first: dt.datetime, last: dt.datetime) -> int | None:
    """The zone's offset from UTC in microseconds if it is one and the same from `first` to `last`, else None.

    Subtracting a constant is many times faster than asking the zone's calendar for each row.
    """
    where = zone(timezone)
    # Days before the first and after the last: local times of a change are ambiguous by up to a day.
    days = (last - first).days + 4
    if not 0 < days < 200 * 366 or first.year == dt.MINYEAR or last.year == dt.MAXYEAR:
        return None
    offsets = {where.utcoffset(first + dt.timedelta(days=day - 2)) for day in range(days + 1)}
    only = offsets.pop()
    return None if offsets or only is None else round(only / dt.timedelta(microseconds=1))


def unit_of(values: list[float]) -> str:
    """The unit of Unix times, from the magnitude of their median."""
    middle = abs(statistics.median(values))
    for unit, (low, high) in MAGNITUDES.items():
        if low <= middle < high:
            return unit
    serial = (
        "; a day of a spreadsheet is one in pd.Timestamp('1899-12-30') + pd.to_timedelta(days, unit='D')"
        if 20_000 <= middle < 80_000
        else ""
    )
    raise ValueError(
        f"{middle:.0f} is not a Unix time in s, ms, us or ns between 1973 and 5138{serial}; "
        "if it is a Unix time, name its unit with time_unit="
    )


def instant(value: Any, timezone: str, option: str) -> int:
    """A point in time as microseconds since 1970 UTC; without a zone it is read in the log's.

    Raises
    ------
    ValueError
        For what is no time, and text that may have the day or the month first, with both readings.
    """
    wrong = f"{option}={value!r} is not a time; write '2019-11-11 20:00' or a Timestamp"
    if isinstance(value, Number):
        raise ValueError(wrong)
    if isinstance(value, str) and not re.search(r"\d{4}", value):
        raise ValueError(f"{wrong}: a year has four digits")
    try:
        moment = dates.single(value, "") if isinstance(value, str) else pd.Timestamp(value)
        if moment is pd.NaT:
            raise ValueError(wrong)
    except dates.Ambiguous as error:
        raise ValueError(f"{option}: {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(wrong) from error
    try:
        moment = moment.tz_localize(timezone) if moment.tzinfo is None else moment
        return int((moment.as_unit("us") - pd.Timestamp(0, tz="UTC").as_unit("us")) // pd.Timedelta(1, "us"))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(wrong) from error


def refuse_never(end: int, source: str) -> None:
    """Refuse an end of observation, in microseconds, that only stands for "never": with it no window would be open."""
    if end >= NEVER:
        raise ValueError(
            f"{source} would be observed until the year 9999, a date that stands for 'never': leave such times empty "
            "in the source, or say until when rows were observed: observed_until="
        )


def clock(
    engine: Engine, time: str, kind: str, timezone: str, unit: str | None, form: str | None = None
) -> Clock:
    """How the times of a column of SQL type `kind` are read; `unit` and `form` are those that the caller names."""
    column = identifier(time)
    if form is not None:
        return _of_form(engine, column, kind, timezone, unit, form)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return Clock(column, "instant", timezone)
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        # Parquet answers min and max from its footer; a frame in memory in milliseconds.
        low, high = engine.rows(
            f"SELECT min(CAST({column} AS TIMESTAMP)), max(CAST({column} AS TIMESTAMP)) FROM {engine.table}"
            if kind != "TIMESTAMP"
            else f"SELECT min({column}), max({column}) FROM {engine.table}"
        )[0]
        offset = None if low is None else fixed_offset(timezone, low, high)
        return Clock(column, "local", timezone, offset=offset)
    sample = [
        row[0]
        for row in engine.rows(f"SELECT {column} FROM {engine.table} WHERE {column} IS NOT NULL LIMIT 1000")
    ]
    number = kind in INTEGERS or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL")
    if kind == "VARCHAR" and sample:
        number = sum(_is_number(value) for value in sample) * 2 > len(sample)
    if number:
        if unit is None and sample and sum(map(is_compact, sample)) >= NEARLY_ALL * len(sample):
            refuse_elsewhere(engine, time, "digits such as 20240618")
            return Clock(
                f"CAST({column} AS BIGINT)" if kind in ("DOUBLE", "FLOAT") else column, "compact", timezone
            )
        if kind == "VARCHAR" and not engine.tries:
            refuse_elsewhere(engine, time, "numbers as text")
        values = [float(value) for value in sample if _is_number(value)]
        return Clock(
            column, "unix", timezone, unit or (unit_of(values) if values else "s"), tries=engine.tries
        )
    if kind == "VARCHAR":
        if not engine.tries:
            refuse_elsewhere(engine, time, "text")
        return Clock(column, "text", timezone)
    if kind == '"NULL"':
        raise ValueError(f"column {time!r} of {engine.source} holds no time: every row is empty")
    of_day = "; a time of day has its day in another column: time=[DATE, TIME]" if kind == "TIME" else ""
    raise ValueError(
        f"column {time!r} of {engine.source} is {kind}, not a time; give timestamps, ISO text or Unix numbers{of_day}"
    )


def _of_form(engine: Engine, column: str, kind: str, timezone: str, unit: str | None, form: str) -> Clock:
    if unit is not None:
        raise ValueError(f"time_format={form!r} and time_unit={unit!r}: a column has one of the two")
    if kind.startswith("TIMESTAMP") or kind in ("DATE", "TIME"):
        raise ValueError(f"time_format={form!r} is for text; column {column} holds times already ({kind})")
    refuse_elsewhere(engine, column.strip('"'), f"times of the form {form!r}")
    if "%Z" in form:
        raise ValueError(f"time_format={form!r}: names of zones mean several; use %z for +0800, or timezone=")
    if not re.search("%[YyF]", form) or not re.search("%[djF]", form):
        raise ValueError(f"time_format={form!r} names no year or no day; write one such as '%d/%m/%Y %H:%M'")
    try:
        engine.rows(f"SELECT try_strptime('', {literal(form)})")
    except (ValueError, duckdb.Error) as error:
        raise ValueError(
            f"time_format={form!r} is no form of times; write one such as '%d/%m/%Y %H:%M'"
        ) from error
    column = f"CAST({column} AS BIGINT)" if kind in ("DOUBLE", "FLOAT") else column
    return Clock(column, "form", timezone, form=form)


def refuse_elsewhere(engine: Engine, time: str, what: str) -> None:
    """Refuse times that only DuckDB reads, or that an engine cannot try to read: the cast to write instead."""
    if engine.here:
        return
    column = identifier(time)
    cast = {
        "postgres": f"to_timestamp({column}, 'YYYY-MM-DD HH24:MI:SS')",
        "spark": f"to_timestamp({column}, 'yyyy-MM-dd HH:mm:ss')",
    }.get(engine.dialect, f"parseDateTime64BestEffort({column}, 6)")
    raise ValueError(
        f"column {time!r} of {engine.source} holds {what}, which {engine.name} is not asked to read as times: make a "
        f"view there with a column of times, such as {cast}, and read that"
    )


def _is_number(value: object) -> bool:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return number == number and abs(number) != float("inf")
