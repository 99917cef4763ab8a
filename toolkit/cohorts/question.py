"""What was asked of a log, checked: of any question its rows, groups and end; of retention its periods and ages too."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.cohorts import filters
from toolkit.cohorts.periods import LENGTHS, Calendar, calendar, shown, whole
from toolkit.counts import confidence_level
from toolkit.logs.times import instant

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit.logs.events import EventLog

KINDS = ("exact", "rolling", "bracket")
CLOCKS = ("calendar", "elapsed")
#: Ages shown where `periods` does not say how many: a matrix beyond that is not read.
SHOWN = 52
MOST = 5_000
#: From this many rows on, one streamed pass repays the second that loading numba takes once.
STREAM_ROWS = 5_000_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What all questions of cohorts have, checked against their log; `path` says where rows are read from."""

    log: EventLog = field(repr=False)
    by: tuple[str, ...]
    until: int
    dedupe: str | None = None
    confidence: float
    path: str = "sql"
    notes: tuple[str, ...] = ()

    paths: ClassVar[tuple[str, ...]] = ("sql", "index")

    @property
    def kinds(self) -> tuple[filters.Rows, ...]:
        """The rows that it tells apart."""
        raise NotImplementedError

    @property
    def groups(self) -> list[str]:
        """Names of the `by` columns inside a query."""
        return [f"b{i}" for i in range(len(self.by))]

    @property
    def columns(self) -> set[str]:
        """Columns that it reads, besides user, time and event."""
        held = {*self.by, *(name for kind in self.kinds for name in kind.columns)}
        return held if self.dedupe is None else held | {self.dedupe}

    @property
    def span(self) -> tuple[int, int]:
        """First and last observed instant of the log."""
        return filters.span(self.log, self.until)

    @cached_property
    def _memory(self) -> pa.Table:
        from toolkit.cohorts.kernels.indexed import observed

        return observed(self)

    def source(self, kind: filters.Rows, *, by: bool = False, ordered: bool = False) -> str:
        """SQL of the observed rows of a kind: u and t, `by` as b0.. where wanted, the arrival `seq` if `ordered`."""
        names = self.by if by else ()
        if self.path != "index":
            return filters.select(
                self.log, [], self.until, by=names, dedupe=self.dedupe, ordered=ordered, where=kind.sql
            )
        values = "".join(f", CAST(b{i} AS {self.log.columns[name]}) AS b{i}" for i, name in enumerate(names))
        return f"SELECT u, t, seq{values} FROM memory WHERE kinds & {1 << self.kinds.index(kind)} <> 0"

    def frame(self, sql: str) -> pd.DataFrame:
        """The answer of a query over `source`."""
        if self.path == "index":
            return self.log.engine.over(self._memory, sql).df()
        return self.log.engine.frame(sql)

    def tuples(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer of a query over `source`, for a few values of any type."""
        if self.path == "index":
            return self.log.engine.over(self._memory, sql).fetchall()
        return self.log.engine.rows(sql)


@dataclass(frozen=True, kw_only=True)
class Question(Asked):
    """What `retention` was asked, checked against its log. Times are in microseconds."""

    start: filters.Rows
    returns: filters.Rows
    calendar: Calendar
    kind: str
    cells: tuple[tuple[int, int], ...]
    clock: str
    born_from: int | None

    paths: ClassVar[tuple[str, ...]] = ("sql", "stream", "index")

    @property
    def kinds(self) -> tuple[filters.Rows, ...]:
        """Births and returns."""
        return self.start, self.returns

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
    def first(self) -> int:
        """Number of the period in which the log begins."""
        return self.calendar.number(self.span[0])

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """See `Calendar.edges`, over the span of the log."""
        return self.calendar.edges(*self.span)

    @property
    def forward(self) -> bool:
        """Whether no row is of an earlier period than a row before it, as where a clock goes back over midnight."""
        numbers = [number for _, number in self.edges]
        return numbers == sorted(numbers)


def way(asked: Asked, path: str) -> tuple[str, tuple[str, ...]]:
    """The path that answers a question, and a note where the log has an index that cannot."""
    log = asked.log
    if path not in ("auto", *asked.paths):
        raise ValueError(f"path={path!r}; use one of {', '.join(map(repr, ('auto', *asked.paths)))}")
    if path != "auto":
        if reason := _refusal(asked, path):
            raise ValueError(f"path={path!r} cannot answer this: {reason}")
        return path, ()
    notes: tuple[str, ...] = ()
    if log.memory is not None:
        reason = _refusal(asked, "index")
        if reason is None:
            return "index", ()
        notes = (f"{reason}: answered from {log.source}",)
    large = "stream" in asked.paths and log.facts.rows >= STREAM_ROWS
    return "stream" if large and _refusal(asked, "stream") is None else "sql", notes


def _refusal(asked: Asked, path: str) -> str | None:
    """Why a path does not offer a question, or None."""
    if path == "sql":
        return None
    if path == "index" and asked.log.memory is None:
        return "the log has no index; make one with log.index(keep=[...])"
    if not importlib.util.find_spec("numba"):
        return "numba is not installed for this Python"
    reason: str | None = importlib.import_module(
        f"toolkit.cohorts.kernels.{'indexed' if path == 'index' else path}"
    ).refusal(asked)
    return reason


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
) -> Question:
    """Check the options of `retention` against a log."""
    filters.opened(log, "retention")
    for value, known, option in ((kind, KINDS, "kind"), (clock, CLOCKS, "clock")):
        if value not in known:
            raise ValueError(f"{option}={value!r}; use one of {', '.join(map(repr, known))}")
    days = calendar(log.timezone, period, week_start)
    if clock == "elapsed" and period not in LENGTHS:
        raise ValueError("clock='elapsed' counts days of 24 h or weeks of 168 h; months have no such length")
    if dedupe is not None:
        log.column(dedupe, "dedupe column")
    until = filters.end_of(log, observed_until)
    born = None if born_from is None else instant(born_from, log.timezone, "born_from")
    if born is not None and born >= until:
        raise ValueError(
            f"born_from={born_from!r} is not before the end of observation, {shown(until, log.timezone)}: "
            "nobody could be born"
        )
    first, last = filters.span(log, until)
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
        elif not whole(periods) or not 0 <= periods <= MOST:
            raise ValueError(
                f"periods={periods!r}; use a whole number from 0 to {MOST:,}: the last age shown"
            )
        cells = tuple((age, age) for age in range(periods + 1))
    return Question(
        log=log,
        start=filters.matching(log, start, "start"),
        returns=filters.matching(log, returns, "returns"),
        calendar=days,
        kind=kind,
        cells=cells,
        clock=clock,
        by=filters.grouping(log, by),
        born_from=born,
        until=until,
        dedupe=dedupe,
        confidence=confidence_level(confidence),
    )


def _brackets(brackets: Sequence[tuple[int, int]] | None) -> tuple[tuple[int, int], ...]:
    if not isinstance(brackets, list | tuple) or not brackets:
        raise ValueError(
            "kind='bracket' needs brackets=, such as [(0, 0), (1, 3), (4, 7)]: first and last age of each"
        )
    found = []
    for bracket in brackets:
        pair = isinstance(bracket, tuple | list) and len(bracket) == 2 and all(map(whole, bracket))
        if not pair or not 0 <= bracket[0] <= bracket[1] <= MOST:
            raise ValueError(
                f"brackets: {bracket!r} is not (first age, last age) with 0 <= first <= last <= {MOST:,}"
            )
        found.append((int(bracket[0]), int(bracket[1])))
    return tuple(found)
