"""Calendar days, weeks and months of a zone: a row's period as SQL, a period's first day and first instant."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, Literal, get_args

import pandas as pd

from toolkit.counts import one_of
from toolkit.logs.engines import literal
from toolkit.logs.times import zone

Period = Literal["day", "week", "month"]
UNITS: tuple[Period, ...] = get_args(Period)
MICROSECOND = dt.timedelta(microseconds=1)
HOUR = 3_600_000_000
DAY = 24 * HOUR
LENGTHS = {"day": DAY, "week": 7 * DAY}
EPOCH = dt.date(1970, 1, 1)
#: Days in 400 years: from so long before 1970 days are counted, since SQL's division rounds towards zero.
ERA = 146_097
#: Longest log of which the changes of a zone's offset are looked up one by one.
MOST_DAYS = 100 * 366


@dataclass(frozen=True)
class Calendar:
    """Periods of one unit in one zone, numbered; weeks begin on `week_start` (0 = Monday)."""

    timezone: str
    unit: Period = "day"
    week_start: int = 0

    def number(self, at: int) -> int:
        """The period in which an instant (microseconds since 1970 UTC) lies."""
        local = dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC).astimezone(zone(self.timezone))
        day = (local.date() - EPOCH).days
        if self.unit == "day":
            return day
        if self.unit == "week":
            return (day + 3 - self.week_start) // 7  # 1 January 1970 was a Thursday
        return local.year * 12 + local.month - 1

    def first_day(self, number: int) -> dt.date:
        """The first day of a period."""
        if self.unit == "month":
            return dt.date(number // 12, number % 12 + 1, 1)
        return EPOCH + dt.timedelta(days=self._days(number))

    def start(self, number: int) -> int:
        """The first instant of a period, in microseconds since 1970 UTC."""
        # Where midnight does not exist or comes twice, fold=0 gives the first instant of the day.
        local = dt.datetime.combine(self.first_day(number), dt.time(), zone(self.timezone))
        return (local.astimezone(dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // MICROSECOND

    def first_whole(self, at: int) -> int:
        """The first period that begins at or after an instant."""
        number = self.number(at)
        return number if self.start(number) >= at else number + 1

    def edges(self, first: int, last: int) -> list[tuple[int, int]]:
        """(from, number): instants from which on rows are of a period, where it begins or the zone's offset changes."""
        changes = offsets(self.timezone, first, last)
        found = []
        for (since, offset), (until, _) in pairwise([*changes, (last + 1, 0)]):
            at, number = since, self.number(since)
            while at < until:
                found.append((at, number))
                number += 1
                at = (self.first_day(number) - EPOCH).days * DAY - offset
        return found

    def sql(self, at: str, first: int, last: int, since: int | None = None) -> str:
        """SQL of the period of each row, given the SQL of its instant and the log's first and last one.

        With `since` periods are counted from that one on, which the first instant must not precede.
        """
        if self.unit == "month":
            day = f"({self._local(at, first, last, -ERA)}) // {DAY} - {ERA}"
            date = f"(DATE '1970-01-01' + CAST({day} AS INTEGER))"
            month = f"CAST(date_part('year', {date}) AS BIGINT) * 12 + date_part('month', {date}) - 1"
            return f"({month})" if since is None else f"({month} - {since})"
        length = LENGTHS[self.unit] // DAY
        origin = -ERA // length if since is None else since
        text = f"({self._local(at, first, last, self._days(origin))}) // {length * DAY}"
        return f"({text})" if since is not None else f"({text} + {origin})"

    def hours(self, at: str, first: int, last: int) -> str:
        """SQL of the hour of each row on the local clock, counted from 1970; see `sql`."""
        return f"(({self._local(at, first, last, -ERA)}) // {HOUR} - {24 * ERA})"

    def _days(self, number: int) -> int:
        """Days from 1970 to the first one of a day or a week, however far back."""
        return number if self.unit == "day" else number * 7 - 3 + self.week_start

    def _local(self, at: str, first: int, last: int, origin: int) -> str:
        """SQL of local time since a day. Offsets are constants between two changes: no row asks the zone's calendar."""
        begun = origin * DAY
        if (last - first) // DAY > MOST_DAYS:
            return f"epoch_us(timezone({literal(self.timezone)}, make_timestamptz({at}))) - {begun}"
        changes = offsets(self.timezone, first, last)
        text = str(changes[-1][1] - begun)
        for (_, offset), (until, _) in reversed(list(pairwise(changes))):
            text = f"CASE WHEN {at} < {until} THEN {offset - begun} ELSE {text} END"
        return f"{at} + {text}"


def offsets(timezone: str, first: int, last: int) -> list[tuple[int, int]]:
    """When a zone's offset from UTC changes between two instants: (from, offset), in microseconds."""
    where = zone(timezone)

    def offset(second: int) -> int:
        return (
            dt.datetime.fromtimestamp(second, dt.UTC).astimezone(where).utcoffset() or dt.timedelta()
        ) // (MICROSECOND)

    low, end = first // 1_000_000, last // 1_000_000 + 1
    found = [(first, offset(low))]
    while low < end:
        high = min(low + 86_400, end)
        if offset(high) != found[-1][1]:
            left, right = low, high
            while right - left > 1:
                middle = (left + right) // 2
                left, right = (middle, right) if offset(middle) == found[-1][1] else (left, middle)
            found.append((right * 1_000_000, offset(right)))
        low = high
    return found


def calendar(timezone: str, unit: Any, week_start: Any = 0) -> Calendar:
    """A checked calendar."""
    one_of("period", unit, UNITS)
    if not whole(week_start) or not 0 <= week_start <= 6:
        raise ValueError(f"week_start={week_start!r}; use 0 (Monday) to 6 (Sunday)")
    return Calendar(timezone, unit, int(week_start))


def whole(value: Any) -> bool:
    """Whether a value is a whole number, of NumPy's too."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def shown(at: int, timezone: str) -> str:
    """An instant as a reader writes it in a zone: the day alone where it is midnight."""
    local = pd.Timestamp(at, unit="us", tz="UTC").tz_convert(timezone).tz_localize(None)
    return str(local.date()) if local == local.normalize() else str(local.floor("s"))
