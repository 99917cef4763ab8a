"""One pass over a log in time order: DuckDB scans, and every batch moves the units on while the next is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from toolkit.funnels import sql
from toolkit.funnels.kernels import by_time, unit_table
from toolkit.funnels.kernels.row_order import LAST_TIME, Limits
from toolkit.funnels.question import Question
from toolkit.logs.codes import Codes, Pairs, UnlistedError, as_kind
from toolkit.logs.engines import WHOLE, identifier, literals

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

#: Rows that wait in a bucket until they are applied together.
WAITING = 4096
THREADS = 2
NO_ROWS = [np.empty(0, kind) for kind in (np.int64, np.int64, np.int64, np.uint16, np.int32)]


class OutOfOrder(Exception):
    """The rows of a source are not in time order, which only a pass over them can tell."""


class Pass:
    """Units of an ordered funnel, moved on by rows in time order.

    Parameters
    ----------
    limits
        Steps and window.
    at
        Step (from 1) whose row gives a unit its group, 0 for the last row of the matched sequence.
    groups, per_entry
        Whether rows have a group, and whether every first step counts by itself.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        at: int = 1,
        groups: bool = False,
        per_entry: bool = False,
        waiting: int = WAITING,
    ) -> None:
        self.threads = [
            _Thread(by_time.empty(limits.k, groups=groups, waiting=waiting), limits, at, per_entry)
            for _ in range(THREADS)
        ]
        self.tail: list[by_time.Rows] = []
        self.latest = -LAST_TIME

    def __enter__(self) -> Pass:
        return self

    def __exit__(self, *error: object) -> None:
        for thread in self.threads:
            thread.pool.shutdown(cancel_futures=True)

    def feed(self, rows: by_time.Rows) -> None:
        """Take rows: int64 users, held codes and times, uint16 masks, int32 groups; without codes, empty arrays."""
        if not len(rows.t):
            return
        if self.tail:
            # Rows of the last time so far wait for the rest of their time.
            more = int(np.searchsorted(rows.t, self.tail[0].t[0], "right"))
            self.tail.append(_cut(rows, 0, more))
            rows = _cut(rows, more, len(rows.t))
            if not len(rows.t):
                return
            self._deal(self._joined())
        last = int(np.searchsorted(rows.t, rows.t[-1]))
        self._deal(_cut(rows, 0, last))
        self.tail = [_cut(rows, last, len(rows.t))]

    def finish(self) -> dict[str, Any]:
        """All units, or entries: arrays of user, hold, level, start, ended and group; those of a user together."""
        if self.tail:
            self._deal(self._joined())
        tasks = [thread.pool.submit(thread.finish) for thread in self.threads]
        parts = [task.result() for task in tasks]
        names = ("user", "hold", "level", "start", "ended", "group")
        return {
            name: np.concatenate(column) for name, column in zip(names, zip(*parts, strict=True), strict=True)
        }

    def _joined(self) -> by_time.Rows:
        pieces, self.tail = self.tail, []
        return by_time.Rows(*(np.concatenate(column) for column in zip(*pieces, strict=True)))

    def _deal(self, rows: by_time.Rows) -> None:
        if not len(rows.t):
            return
        fine, *parts = by_time.route(rows.user, rows.t, rows.mask)
        if not fine or rows.t[0] <= self.latest:
            raise OutOfOrder
        self.latest = int(rows.t[-1])
        for thread, chosen in zip(self.threads, parts, strict=True):
            if len(chosen):
                thread.take(rows, chosen)


class _Thread:
    """Half of the units, and the one thread that moves them on, batch after batch."""

    def __init__(self, state: by_time.Buckets, limits: Limits, at: int, per_entry: bool) -> None:
        self.buckets, self.entered = state, 0
        self.limits, self.at, self.per_entry = limits, at, per_entry
        self.pool, self.tasks = ThreadPoolExecutor(1), deque[Future[None]]()

    def take(self, rows: by_time.Rows, chosen: Any) -> None:
        """Move units on by the chosen rows, some time later; wait while two batches are already waiting."""
        while len(self.tasks) > 2:
            self.tasks.popleft().result()
        self.tasks.append(self.pool.submit(self._move, rows, chosen))

    def finish(self) -> Any:
        """What `by_time.collect` gives, once all batches are in."""
        while self.tasks:
            self.tasks.popleft().result()
        self._move(by_time.Rows(*NO_ROWS), np.empty(0, np.int32))
        return by_time.collect(self.buckets, self.entered, self.per_entry)

    def _move(self, rows: by_time.Rows, chosen: Any) -> None:
        self.buckets, self.entered = by_time.advance(
            rows, chosen, self.buckets, self.entered, self.limits, self.at, self.per_entry
        )


def _cut(rows: by_time.Rows, low: int, high: int) -> by_time.Rows:
    return by_time.Rows(*(column[low:high] for column in rows))


def refusal(question: Question) -> str | None:
    """Why one pass does not offer a question, or None."""
    if not question.plain:
        return "it offers ordered funnels without gaps, exclude or dedupe"
    return None


def units(question: Question, *, sequence: bool = False) -> pa.Table | None:
    """The table that `toolkit.funnels.sql` defines, by one pass over a log in time order; it keeps no sequences.

    None as soon as rows turn out not to be in time order.
    """
    if sequence:
        raise ValueError("a streamed pass keeps no sequences; ask the path 'windows' or 'index' for them")
    try:
        try:
            return _scan(question, few=True)
        except UnlistedError:
            return _scan(question, few=False)
    except OutOfOrder:
        return None


def _scan(question: Question, *, few: bool) -> pa.Table:
    log = question.log
    user, hold = _Key(log, [log.user], few=False, nulls=False), _Key(log, question.hold, few=few, nulls=False)
    group = _Key(log, () if question.held_by else question.by, few=few, nulls=True)
    matching, code, masks = _steps(question)
    columns = [f"{log.at} AS t", f"{code} AS m", *user.sql, *hold.sql, *group.sql]
    whole = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in (log.user, *question.hold))
    rows = f"SELECT {', '.join(columns)} FROM {log.engine.table} WHERE ({matching}) AND {whole}"
    at = {"entry": 1, "last": 0}.get(str(question.attribution), question.attribution)
    batches = log.engine.batches(f"SELECT * FROM ({rows}) WHERE t IS NOT NULL")
    limits = unit_table.limits(question)
    one_pass = Pass(limits, at=int(at), groups=bool(group.sql), per_entry=question.count == "entries")
    with one_pass, batches:
        for batch in batches:
            t, codes, *rest = batch.columns
            users = user.encode(rest[:1])
            held = hold.encode(rest[1 : 1 + len(hold.sql)])
            groups = group.encode(rest[1 + len(hold.sql) :]).astype(np.int32)
            one_pass.feed(by_time.Rows(users, held, t.to_numpy(), masks[codes.to_numpy()], groups))
        units = one_pass.finish()
    return unit_table.table(
        question,
        user.decode(units["user"])[0],
        hold.decode(units["hold"]),
        group.decode(np.maximum(units["group"], 0)),
        units["level"],
        units["start"],
        units["ended"],
    )


def _steps(question: Question) -> tuple[str, str, Any]:
    """SQL of "a row matches a step" and of a row's code, and the step mask of every code."""
    named, predicates = question.log.named, question.predicates
    if not all(predicate.events for predicate in predicates):
        matching = " OR ".join(f"({predicate.sql})" for predicate in predicates)
        return matching, f"CAST({sql.mask(question)} AS USMALLINT)", np.arange(1 << 16, dtype=np.uint16)
    # Names alone decide: Parquet's statistics can answer IN, and one look at a short list is all that a row costs.
    names = list(dict.fromkeys(name for predicate in predicates for name in predicate.events))
    masks = np.zeros(len(names) + 1, np.uint16)
    for step, predicate in enumerate(predicates):
        for name in predicate.events:
            masks[names.index(name) + 1] |= np.uint16(1 << step)
    return f"{named} IN ({literals(names)})", f"list_position([{literals(names)}], {named})", masks


class _Key:
    """Some columns' values as one int64 per row, and back: whole numbers as they are, all else by codes."""

    def __init__(self, log: EventLog, names: Sequence[str], *, few: bool, nulls: bool) -> None:
        self.log, self.names = log, names
        self.plain = len(names) == 1 and log.columns[names[0]] in WHOLE and not nulls
        self.codes = [Codes(log, name, few=few, nulls=nulls) for name in names]
        self.sql = [codes.sql for codes in self.codes]
        self.pairs = Pairs(len(names))

    def encode(self, columns: list[pa.Array]) -> Any:
        if self.plain:
            return columns[0].to_numpy()
        if not columns:
            return np.empty(0, np.int64)
        parts = [codes.encode(column) for codes, column in zip(self.codes, columns, strict=True)]
        return self.pairs.encode(parts).astype(np.int64)

    def decode(self, keys: Any) -> list[pa.Array]:
        if self.plain:
            return [as_kind(self.log.engine, pa.array(keys), self.log.columns[self.names[0]])]
        if not self.codes:
            return []
        return [codes.decode(part) for codes, part in zip(self.codes, self.pairs.decode(keys), strict=True)]
