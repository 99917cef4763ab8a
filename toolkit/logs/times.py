"""How a log writes its times, and the SQL that reads them as integer microseconds since 1970 UTC."""

from __future__ import annotations

import datetime as dt
import statistics
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from toolkit.logs.engines import Engine, identifier, literal

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
# Unix times of 1973 to 5138 lie in these ranges, one range per unit, so magnitude alone tells the unit.
MAGNITUDES = {"s": (10**8, 10**11), "ms": (10**11, 10**14), "us": (10**14, 10**17), "ns": (10**17, 10**19)}
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
# A zone is read only behind a time of day: the end of 2019-01-01 is not one.
ZONED = r":\d{2}(\.\d+)?\s*(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
# Forms that DuckDB's own cast does not read; Chinese exports use the slashes, Tianchi's logs the bare hour.
FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d %H", "%Y/%m/%d")


def zone(name: str) -> ZoneInfo:
    """The IANA zone of a name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ValueError(f"unknown timezone {name!r}; use an IANA name such as 'Asia/Shanghai'") from error


@dataclass(frozen=True)
class Clock:
    """How one log's time column is read.

    kind is "instant" (time with a zone), "local" (without one), "text" or "unix"; unit is that of unix times.
    """

    column: str
    kind: str
    timezone: str
    unit: str | None = None
    offset: int | None = None

    @property
    def said(self) -> str:
        """The reading in words."""
        return {
            "instant": "times with a zone",
            "local": f"times without a zone, read in {self.timezone}",
            "text": f"text, read as ISO times; those without a zone in {self.timezone}",
            "unix": f"Unix time in {self.unit}",
        }[self.kind]

    def sql(self) -> str:
        """SQL of the time as BIGINT microseconds; NULL where it cannot be read."""
        if self.kind == "instant":
            return f"epoch_us({self.column})"
        if self.kind == "local":
            return self._local(f"CAST({self.column} AS TIMESTAMP)")
        if self.kind == "unix":
            number = f"TRY_CAST({self.column} AS HUGEINT)"
            if self.unit == "ns":
                return f"CAST({number} // 1000 AS BIGINT)"
            if self.unit == "s":  # fractions of a second are common where a program wrote time.time()
                return f"CAST(round(TRY_CAST({self.column} AS DECIMAL(28, 6)) * 1000000) AS BIGINT)"
            return f"TRY_CAST({number} * {UNITS[str(self.unit)]} AS BIGINT)"
        text = f"trim(CAST({self.column} AS VARCHAR))"
        formats = ", ".join(literal(form) for form in FORMATS)
        local = f"coalesce(TRY_CAST({text} AS TIMESTAMP), try_strptime({text}, [{formats}]))"
        return (
            f"CASE WHEN regexp_matches({text}, {literal(ZONED)}) THEN epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)) "
            f"ELSE {self._local(local)} END"
        )

    def _local(self, timestamp: str) -> str:
        if self.offset is not None:
            return f"epoch_us({timestamp}) - {self.offset}"
        return f"epoch_us(timezone({literal(self.timezone)}, {timestamp}))"


def fixed_offset(timezone: str, first: dt.datetime, last: dt.datetime) -> int | None:
    """The zone's offset from UTC in microseconds if it is one and the same from `first` to `last`, else None.

    Subtracting a constant is many times faster than asking the zone's calendar for each row.
    """
    where = zone(timezone)
    # Days before the first and after the last: local times of a change are ambiguous by up to a day.
    days = (last - first).days + 4
    if not 0 < days < 200 * 366:
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
    raise ValueError(
        f"{middle:.0f} is not a Unix time in s, ms, us or ns between 1973 and 5138; "
        "if it is one, name its unit with time_unit="
    )


def instant(value: Any, timezone: str, option: str) -> int:
    """A point in time as microseconds since 1970 UTC; without a zone it is read in the log's."""
    wrong = f"{option}={value!r} is not a time; write '2019-11-11 20:00' or a Timestamp"
    if isinstance(value, int | float):
        raise ValueError(wrong)
    try:
        moment = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise ValueError(wrong) from error
    if moment is pd.NaT:
        raise ValueError(wrong)
    moment = moment.tz_localize(timezone) if moment.tzinfo is None else moment
    return int((moment.as_unit("us") - pd.Timestamp(0, tz="UTC").as_unit("us")) // pd.Timedelta(1, "us"))


def clock(engine: Engine, time: str, kind: str, timezone: str, unit: str | None) -> Clock:
    """How the times of a column of SQL type `kind` are read; `unit` is that of Unix times, where it is known."""
    column = identifier(time)
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
        values = [float(value) for value in sample if _is_number(value)]
        return Clock(column, "unix", timezone, unit or (unit_of(values) if values else "s"))
    if kind == "VARCHAR":
        return Clock(column, "text", timezone)
    if kind == '"NULL"':
        raise ValueError(f"column {time!r} of {engine.source} holds no time: every row is empty")
    raise ValueError(
        f"column {time!r} of {engine.source} is {kind}, not a time; give timestamps, ISO text or Unix numbers"
    )


def _is_number(value: object) -> bool:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return number == number and abs(number) != float("inf")
