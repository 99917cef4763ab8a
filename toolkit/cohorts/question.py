"""Checked questions to a log: what all of cohorts have in common, and those of retention, purchases and activity."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, get_args

from toolkit.cohorts.filters import Filter, observed, select, span
from toolkit.cohorts.periods import DAY, LENGTHS, MOST_DAYS, Calendar
from toolkit.counts import one_of
from toolkit.logs.engines import WHOLE, in_order, ties
from toolkit.wording import some

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from toolkit.logs.events import EventLog
    from toolkit.logs.index import Index

Kind = Literal["exact", "rolling", "bracket"]
Clock = Literal["calendar", "elapsed"]
Path = Literal["auto", "sql", "stream", "index"]
TwoPaths = Literal["auto", "sql", "index"]
KINDS: tuple[Kind, ...] = get_args(Kind)
CLOCKS: tuple[Clock, ...] = get_args(Clock)

#: From this many rows on, one streamed pass repays the second that loading numba takes once.
STREAM_ROWS = 5_000_000
#: Bits of a BIGINT that are free of its sign: periods that one word tells apart.
BITS = 63
#: Cohorts times groups times periods beyond which counts would no longer be small beside the rows.
MOST_CELLS = 1 << 22

Asked = TypeVar("Asked", bound="Question")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every question of cohorts has, checked against its log; `path` says where rows are read from."""

    log: EventLog = field(repr=False)
    by: tuple[str, ...]
    until: int
    dedupe: str | None = None
    confidence: float
    path: str = "sql"
    notes: tuple[str, ...] = ()

    paths: ClassVar[tuple[str, ...]] = ("sql", "index")

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The rows that the question tells apart."""
        raise NotImplementedError

    @property
    def groups(self) -> list[str]:
        """Names of the `by` columns inside a query."""
        return [f"b{i}" for i in range(len(self.by))]

    @property
    def order(self) -> str:
        """SQL by which rows of one user stand in order of time and arrival."""
        return "t, seq" if self.path == "index" else f"t, {in_order(self.log.engine, self.groups)}"

    @property
    def columns(self) -> set[str]:
        """Columns that the question reads, besides user, time and event."""
        read = {*self.by, *(name for each in self.filters for name in each.columns)}
        return read if self.dedupe is None else read | {self.dedupe}

    @property
    def by_first(self) -> tuple[str, ...]:
        """Columns whose value is that of a first row, so that it matters which row of a moment came first."""
        return self.by if self.dedupe is None else (*self.by, self.dedupe)

    @property
    def span(self) -> tuple[int, int]:
        """First and last observed instant of the log."""
        return span(self.log, self.until)

    @property
    def index(self) -> Index:
        """The index of the log; `answered` has seen that there is one where `path` says so."""
        if self.log.memory is None:
            raise ValueError("the log has no index; make one with log.index(keep=[...])")
        return self.log.memory

    @cached_property
    def _rows(self) -> pa.Table:
        return observed(self.log, self.index, self.filters, self.until, by=self.by, dedupe=self.dedupe)

    def source(self, rows: Filter, *, by: bool = False, ordered: bool = False) -> str:
        """SQL of the observed rows of one filter: u, t, `by` as b0.. where wanted, the arrival `seq` if `ordered`."""
        names = self.by if by else ()
        if self.path != "index":
            return select(
                self.log, [], self.until, by=names, dedupe=self.dedupe, ordered=ordered, where=rows.sql
            )
        values = "".join(f", CAST(b{i} AS {self.log.columns[name]}) AS b{i}" for i, name in enumerate(names))
        return f"SELECT u, t, seq{values} FROM memory WHERE kinds & {1 << self.filters.index(rows)} <> 0"

    def frame(self, sql: str) -> pd.DataFrame:
        """The answer of a query over `source`."""
        if self.path == "index":
            return self.log.engine.over(self._rows, sql).df()
        return self.log.engine.frame(sql)

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """A finished table with the `by` columns under their own names, which may be those of a query's columns."""
        return table.rename(columns=dict(zip(self.groups, self.by, strict=True)))

    def tuples(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer of a query over `source`, for a few values of any type."""
        if self.path == "index":
            return self.log.engine.over(self._rows, sql).fetchall()
        return self.log.engine.rows(sql)

    def refusal(self, path: str) -> str | None:
        """Why a path cannot answer the question, or None."""
        if path == "sql":
            return None
        if path == "stream" and not self.log.engine.here:
            return f"the rows are in {self.log.engine.name}, which counts them itself: use path='sql'"
        if path == "index":
            if self.log.memory is None:
                return "the log has no index; make one with log.index(keep=[...])"
            if absent := sorted(self.columns - set(self.log.memory.kept)):
                return f"the index does not keep {some(absent)}"
        return None if importlib.util.find_spec("numba") else "numba is not installed for this Python"


def answered(question: Asked, path: str) -> Asked:
    """The question with the path that answers it, and a note where the log has an index that cannot."""
    one_of("path", path, ("auto", *question.paths))
    if path != "auto":
        if reason := question.refusal(path):
            raise ValueError(f"path={path!r} cannot answer this: {reason}")
        return replace(question, path=path, notes=ties(question.log.engine, question.by_first))
    log = question.log
    notes = ties(log.engine, question.by_first)
    if log.memory is not None:
        reason = question.refusal("index")
        if reason is None:
            return replace(question, path="index", notes=())
        notes = (f"{reason}: answered from {log.source}", *notes)
    large = "stream" in question.paths and log.facts.rows >= STREAM_ROWS
    streamed = large and question.refusal("stream") is None
    return replace(question, path="stream" if streamed else "sql", notes=notes)


@dataclass(frozen=True, kw_only=True)
class RetentionQuestion(Question):
    """What `retention` was asked. Times are in microseconds, cells are (first, last) period numbers."""

    start: Filter
    returns: Filter
    calendar: Calendar
    kind: Kind
    cells: tuple[tuple[int, int], ...]
    clock: Clock
    born_from: int | None

    paths: ClassVar[tuple[str, ...]] = ("sql", "stream", "index")

    @property
    def filters(self) -> tuple[Filter, ...]:
        """Rows that start a user's cohort, and returns."""
        return self.start, self.returns

    @property
    def length(self) -> int:
        """Length of a period of the elapsed clock."""
        return LENGTHS[self.calendar.unit]

    @property
    def bounded(self) -> bool:
        """Whether `born_from` leaves anybody out: no first event is earlier than the log."""
        return self.born_from is not None and self.born_from > self.span[0]

    @property
    def covered(self) -> bool:
        """Whether no row that counts as a return can precede its user's first event."""
        return self.start.all or self.start.sql == self.returns.sql

    @property
    def first(self) -> int:
        """Number of the period in which the log begins."""
        return self.calendar.number(self.span[0])

    @property
    def log_periods(self) -> int:
        """Number of the log's periods, the first and the last in part."""
        return self.calendar.number(self.span[1]) - self.first + 1

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """See `Calendar.edges`, over the span of the log."""
        return self.calendar.edges(*self.span)

    @property
    def forward(self) -> bool:
        """Whether no row is of an earlier period than a row before it, as where a clock goes back over midnight."""
        numbers = [number for _, number in self.edges]
        return numbers == sorted(numbers)

    @property
    def oldest(self) -> int | None:
        """The first cohort that `born_from` leaves in, or None if it parts one."""
        born = self.born_from
        if born is None or not self.bounded:
            return self.first
        numbers = dict(self.edges)
        before = [number for at, number in numbers.items() if at < born]
        return numbers[born] if born in numbers and numbers[born] > before[-1] else None

    def refusal(self, path: str) -> str | None:
        """Why a path cannot answer the question, or None."""
        reason = super().refusal(path)
        if reason is not None or path == "sql":
            return reason
        return self._too_large_for_index() if path == "index" else self._too_varied_for_stream()

    def _too_large_for_index(self) -> str | None:
        first, last = self.span
        if (last - first) // DAY > MOST_DAYS:
            return f"the log spans more than {MOST_DAYS // 366} years"
        groups = math.prod(self.index.codes([name])[1] + 1 for name in self.by)
        cells = groups * self.log_periods * len(self.cells)
        return None if cells <= MOST_CELLS else f"{cells:,} cells are more than the index counts"

    def _too_varied_for_stream(self) -> str | None:
        log = self.log
        if self.clock != "calendar" or self.by or self.dedupe is not None:
            return "it offers calendar periods without by or dedupe"
        if self.start.sql != self.returns.sql:
            return "it offers one kind of row, as start and as return"
        if log.columns[log.user] not in WHOLE:
            return f"it offers users that are whole numbers; {log.user!r} is {log.columns[log.user]}"
        if self.log_periods > BITS:
            return f"it offers logs of {BITS} periods at most"
        if not self.forward:
            return f"it offers clocks that do not go back over midnight, as that of {log.timezone} does"
        if self.oldest is None:
            return "it offers born_from at the start of a period"
        return None


@dataclass(frozen=True, kw_only=True)
class PurchaseQuestion(Question):
    """What `repurchase` was asked."""

    purchases: Filter

    @property
    def filters(self) -> tuple[Filter, ...]:
        """Purchases alone."""
        return (self.purchases,)

    @property
    def days_back(self) -> int:
        """Calendar days from the log's first row to the end of observation."""
        days = Calendar(self.log.timezone)
        return days.number(self.until) - days.number(self.span[0])


@dataclass(frozen=True, kw_only=True)
class ActivityQuestion(Question):
    """What `activity` was asked."""

    visits: Filter
    since: int

    @property
    def by_first(self) -> tuple[str, ...]:
        """None: a visit counts where it is."""
        return ()

    @property
    def filters(self) -> tuple[Filter, ...]:
        """Visits alone."""
        return (self.visits,)

    @property
    def days(self) -> tuple[int, int]:
        """Numbers of the first and of the last fully observed day."""
        days = Calendar(self.log.timezone)
        return days.first_whole(self.since), days.number(self.until) - 1

    def active(self, periods: Calendar) -> str:
        """SQL of u, b0.. and `day`, the number of a period, once for each user active in it; `opens` rows."""
        user = ", ".join(["u", *self.groups])
        number, visits = periods.sql("t", *self.span), self.source(self.visits, by=True)
        dated = f"SELECT {user}, {number} AS day FROM ({visits})"
        return f"SELECT {user}, day, count(*) AS opens FROM ({dated}) GROUP BY {user}, day"
