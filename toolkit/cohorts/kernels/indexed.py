"""Cohorts answered from an index: first events, returns and cells in one compiled pass over users' rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from toolkit.cohorts.filters import words
from toolkit.cohorts.periods import DAY, Calendar, offsets
from toolkit.cohorts.question import RetentionQuestion
from toolkit.compiled import compiled
from toolkit.logs.index import Index

#: Bits of a row's word, in the order of `RetentionQuestion.filters`: it may be a first event, it counts as a return.
START, RETURN = 1, 2
NEVER, FOREVER = -(1 << 62), 1 << 62
EXACT, ROLLING, BRACKET = range(3)
KINDS = {"exact": EXACT, "rolling": ROLLING, "bracket": BRACKET}


class Table(NamedTuple):
    """Rows by user and time: where users begin, times, codes of rows, each code's word, groups and their number."""

    offsets: Any
    t: Any
    code: Any
    words: Any
    group: Any
    groups: int


class Clock(NamedTuple):
    """A row's period from its time: offsets of the zone from instants on; each local day's period and the next's start.

    With a `length` above 0 periods are elapsed: so many microseconds each, from the user's first event on.
    """

    since: Any
    offset: Any
    first_day: int
    periods: Any
    next_day: Any
    number: int
    length: int


class Cells(NamedTuple):
    """Period numbers of each cell (first, last, last that counts), the kind, and which users and rows are observed."""

    low: Any
    high: Any
    counts: Any
    kind: int
    born_from: int
    until: int


def cells(question: RetentionQuestion) -> pd.DataFrame:
    """The counts of `bitmaps.cells`, from the index of the question's log."""
    index = question.index
    code, word = words(question.log, index, question.filters, question.dedupe)
    group, groups = _groups(question, index)
    table = Table(index.offsets, index.t, code, word, group, groups)
    clock, asked = _clock(question), _asked(question)
    parts = index.dealt(lambda low, high: _count(table, clock, asked, low, high))
    size, *counts = (sum(found) for found in zip(*parts, strict=True))
    places = np.flatnonzero(size)
    found = {"c": places % clock.number + question.first, "size": size[places]}
    for letter, values in zip("reag" if clock.length else "r", counts, strict=False):
        found |= {f"{letter}{i}": values[places, i] for i in range(len(question.cells))}
    frame = pd.DataFrame(found)
    return _named(question, index, frame, places // clock.number) if question.by else frame


def _groups(question: RetentionQuestion, index: Index) -> tuple[Any, int]:
    """A number for each row's values of `by`, 0 where all are null, and how many numbers there are."""
    if not question.by:
        return np.zeros(0, np.int32), 1
    key = ("groups", *question.by)
    if key not in index.memory:
        together, count = np.zeros(len(index.t), np.int64), 1
        for name in question.by:
            codes, size, _ = index.codes([name])
            together, count = together * (size + 1) + codes + 1, count * (size + 1)
        index.memory[key] = together.astype(np.int32 if count < 1 << 31 else np.int64), count
    found: tuple[Any, int] = index.memory[key]
    return found


def _clock(question: RetentionQuestion) -> Clock:
    calendar, (first, last) = question.calendar, question.span
    changes = np.array(offsets(calendar.timezone, first, last), np.int64)
    days = [Calendar(calendar.timezone).number(at) for at in (first, last)]
    # A zone's offset may go back over midnight, so that the first instant is not of the first day.
    numbers = np.arange(days[0] - 1, days[1] + 2)
    periods = {
        "day": numbers,
        "week": (numbers + 3 - calendar.week_start) // 7,
        "month": numbers.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12,
    }[calendar.unit] - question.first
    next_day = numbers[0] + np.searchsorted(periods, periods, side="right")
    length = question.length if question.clock == "elapsed" else 0
    since, offset = (column.copy() for column in changes.T)
    return Clock(since, offset, days[0] - 1, periods, next_day, question.log_periods, length)


def _asked(question: RetentionQuestion) -> Cells:
    low, high = (np.array(ends, np.int64) for ends in zip(*question.cells, strict=True))
    counts = np.full(len(low), FOREVER) if question.kind == "rolling" else high
    born = NEVER if question.born_from is None else question.born_from
    return Cells(low, high, counts, KINDS[question.kind], born, question.until)


def _named(question: RetentionQuestion, index: Index, frame: pd.DataFrame, group: Any) -> pd.DataFrame:
    """The counts with the values of their groups, in the engine's order and types."""
    columns = {name: pa.array(frame[name].to_numpy()) for name in frame}
    chosen: list[str] = []
    order: list[str] = []
    for i, name in reversed(list(enumerate(question.by))):
        _, size, values = index.codes([name])
        own, group = group % (size + 1), group // (size + 1)
        columns[f"b{i}"] = values[0].take(pa.array(own - 1, mask=own == 0)).cast(values[0].type.value_type)
        chosen.insert(0, f"CAST(b{i} AS {question.log.columns[name]}) AS b{i}")
        order.insert(0, f"b{i} NULLS LAST")
    sql = f"SELECT * REPLACE ({', '.join(chosen)}) FROM memory ORDER BY {', '.join(order)}, c"
    return question.log.engine.over(pa.table(columns), sql).df()


@compiled
def _count(table: Table, clock: Clock, cells: Cells, first: int, past: int) -> Any:
    """For users `first` up to `past`, by group and cohort: size; and by cell retained, whole, both, begun."""
    t, code, words, length = table.t, table.code, table.words, clock.length
    n, places = len(cells.low), table.groups * clock.number
    size = np.zeros(places, np.int64)
    retained = np.zeros((places, n), np.int64)
    shape = (places, n) if length else (0, 0)
    whole, kept, begun = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    seen = np.full(n, -1, np.int64)
    for u in range(first, past):
        row, end = table.offsets[u], table.offsets[u + 1]
        while end > row and t[end - 1] >= cells.until:
            end -= 1
        while row < end and not words[code[row]] & START:
            row += 1
        if row == end or t[row] < cells.born_from:
            continue
        began, k = t[row], 0
        while k + 1 < len(clock.since) and clock.since[k + 1] <= began:
            k += 1
        cohort = clock.periods[(began + clock.offset[k]) // DAY - clock.first_day]
        place = cohort if table.groups == 1 else table.group[row] * clock.number + cohort
        size[place] += 1
        if length:
            for j in range(n):
                whole[place, j] += began + (cells.high[j] + 1) * length <= cells.until
                begun[place, j] += began + cells.low[j] * length < cells.until
        # Rows of the same moment that arrived before the first event are returns too.
        while row > table.offsets[u] and t[row - 1] == began:
            row -= 1
        # No row before `over` is of another period than the return before it: most rows need no more than that.
        latest, over = -1, NEVER
        for i in range(row, end):
            if t[i] < over or not words[code[i]] & RETURN:
                continue
            if length:
                number = (t[i] - began) // length
                over = began + (number + 1) * length
            else:
                while k + 1 < len(clock.since) and clock.since[k + 1] <= t[i]:
                    k += 1
                day = (t[i] + clock.offset[k]) // DAY - clock.first_day
                number, over = clock.periods[day] - cohort, clock.next_day[day] * DAY - clock.offset[k]
                if k + 1 < len(clock.since):
                    over = min(over, clock.since[k + 1])
            latest = max(latest, number)
            if cells.kind != ROLLING:
                _mark(cells, length, began, number, u, place, seen, retained, kept)
        if cells.kind == ROLLING:
            _mark(cells, length, began, latest, u, place, seen, retained, kept)
    return size, retained, whole, kept, begun


@compiled
def _mark(
    cells: Cells,
    length: int,
    began: int,
    number: int,
    u: int,
    place: int,
    seen: Any,
    retained: Any,
    kept: Any,
) -> None:
    """Count a user who is active in a period in each cell that holds its number, once; exact cells are in a row."""
    if number < 0:
        return
    only = number - cells.low[0]
    low, high = (only, only + 1) if cells.kind == EXACT else (0, len(seen))
    for j in range(max(low, 0), min(high, len(seen))):
        if cells.low[j] <= number <= cells.counts[j] and seen[j] != u:
            seen[j] = u
            retained[place, j] += 1
            if length:
                kept[place, j] += began + (cells.high[j] + 1) * length <= cells.until
