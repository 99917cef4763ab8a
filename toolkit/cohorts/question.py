"""A question of retention, checked: who starts, what counts as a return, in which periods, up to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.cohorts import rows
from toolkit.cohorts.periods import LENGTHS, Calendar, calendar, shown
from toolkit.logs.times import instant

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

KINDS = ("exact", "rolling", "bracket")
CLOCKS = ("calendar", "elapsed")
#: Ages shown where `periods` does not say how many: a matrix beyond that is not read.
SHOWN = 52
MOST = 5_000


@dataclass(frozen=True)
class Question:
    """What `retention` was asked, checked against its log. Times are in microseconds."""

    log: EventLog = field(repr=False)
    start: rows.Rows
    returns: rows.Rows
    calendar: Calendar
    kind: str
    cells: tuple[tuple[int, int], ...]
    clock: str
    by: tuple[str, ...]
    born_from: int | None
    until: int
    dedupe: str | None
    confidence: float
    path: str = "auto"

    paths: ClassVar = ("sql", "stream", "index")

    @property
    def columns(self) -> set[str]:
        """Columns that the question reads, besides user, time and event."""
        held = {*self.by, *self.start.columns, *self.returns.columns}
        return held if self.dedupe is None else held | {self.dedupe}

    @property
    def length(self) -> int:
        """Length of a period of the elapsed clock."""
        return LENGTHS[self.calendar.unit]

    @property
    def bounded(self) -> bool:
        """Whether `born_from` leaves anybody out: nobody is born before the log begins."""
        return self.born_from is not None and self.born_from > self.span[0]

    @property
    def covered(self) -> bool:
        """Whether no row that counts as a return can lie before its user's birth."""
        return self.start.all or self.start.sql == self.returns.sql

    @property
    def span(self) -> tuple[int, int]:
        """First and last observed instant of the log."""
        return rows.span(self.log, self.until)

    @property
    def first(self) -> int:
        """Number of the period in which the log begins."""
        return self.calendar.number(self.span[0])


def ask(
    log: EventLog,
    *,
    start: Any,
    returns: Any,
    period: str,
    periods: int | None,
    kind: str,
    brackets: Sequence[tuple[int, int]] | None,
    clock: str,
    by: str | Sequence[str] | None,
    week_start: int,
    born_from: Any,
    observed_until: Any,
    dedupe: str | None,
    confidence: float,
    path: str,
) -> Question:
    """Check the options of `retention` against a log."""
    for value, known, option in ((kind, KINDS, "kind"), (clock, CLOCKS, "clock")):
        if value not in known:
            raise ValueError(f"{option}={value!r}; use one of {', '.join(map(repr, known))}")
    days = calendar(log.timezone, period, week_start)
    if clock == "elapsed" and period not in LENGTHS:
        raise ValueError("clock='elapsed' counts days of 24 h or weeks of 168 h; months have no such length")
    if dedupe is not None:
        log.column(dedupe, "dedupe column")
    until = rows.end_of(log, observed_until)
    born = None if born_from is None else instant(born_from, log.timezone, "born_from")
    if born is not None and born >= until:
        raise ValueError(
            f"born_from={born_from!r} is not before the end of observation, {shown(until, log.timezone)}: "
            "nobody could be born"
        )
    first, last = rows.span(log, until)
    if kind == "bracket":
        cells = _brackets(brackets)
    else:
        if brackets is not None:
            raise ValueError(f"brackets= is for kind='bracket'; kind={kind!r} has one age per cell")
        if periods is None:
            begun = max(first, born or first)
            ages = (
                days.number(last) - days.number(begun)
                if clock == "calendar"
                else (last - begun) // LENGTHS[period]
            )
            periods = min(int(ages), SHOWN)
        elif isinstance(periods, bool) or not isinstance(periods, int) or not 0 <= periods <= MOST:
            raise ValueError(
                f"periods={periods!r}; use a whole number from 0 to {MOST:,}: the last age shown"
            )
        cells = tuple((age, age) for age in range(periods + 1))
    return Question(
        log=log,
        start=rows.matching(log, start, "start"),
        returns=rows.matching(log, returns, "returns"),
        calendar=days,
        kind=kind,
        cells=cells,
        clock=clock,
        by=rows.grouping(log, by),
        born_from=born,
        until=until,
        dedupe=dedupe,
        confidence=rows.level(confidence),
        path=path,
    )


def _brackets(brackets: Sequence[tuple[int, int]] | None) -> tuple[tuple[int, int], ...]:
    if not brackets:
        raise ValueError(
            "kind='bracket' needs brackets=, such as [(0, 0), (1, 3), (4, 7)]: first and last age of each"
        )
    found = []
    for bracket in brackets:
        whole = (
            isinstance(bracket, tuple | list)
            and len(bracket) == 2
            and all(type(age) is int for age in bracket)
        )
        if not whole or not 0 <= bracket[0] <= bracket[1] <= MOST:
            raise ValueError(
                f"brackets: {bracket!r} is not (first age, last age) with 0 <= first <= last <= {MOST:,}"
            )
        found.append((bracket[0], bracket[1]))
    return tuple(found)
