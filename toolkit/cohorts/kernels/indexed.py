"""Cohorts answered from an index: births, ages and cells in one compiled pass over users' rows; and purchases."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numba import njit

from toolkit.cohorts.periods import DAY, MOST_DAYS, Calendar, offsets
from toolkit.cohorts.question import Question
from toolkit.logs.index import Index
from toolkit.wording import some

if TYPE_CHECKING:
    from toolkit.cohorts.question import Asked

#: Bits of a row's word, in the order of `Question.kinds`: it may be a birth, it counts as a return.
START, RETURN = 1, 2
#: Cohorts times groups times ages beyond which counts would no longer be small beside the rows.
MOST_CELLS = 1 << 22
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

    With a `length` above 0 ages are elapsed: so many microseconds each, from the birth on.
    """

    since: Any
    offset: Any
    first_day: int
    periods: Any
    next_day: Any
    number: int
    length: int


class Cells(NamedTuple):
    """Ages of each cell (first, last, and the last that counts), the kind, and whose births and rows are observed."""

    low: Any
    high: Any
    counts: Any
    kind: int
    born_from: int
    until: int


def refusal(asked: Asked) -> str | None:
    """Why the index does not offer a question, or None."""
    index = asked.log.memory
    assert index is not None
    absent = sorted(asked.columns - set(index.kept))
    if absent:
        return f"the index does not keep {some(absent)}"
    if not isinstance(asked, Question):
        return None
    first, last = asked.span
    if (last - first) // DAY > MOST_DAYS:
        return f"the log spans more than {MOST_DAYS // 366} years"
    cells = math.prod((_groups(asked, index)[1], _periods(asked), len(asked.cells)))
    return None if cells <= MOST_CELLS else f"{cells:,} cells are more than the index counts"


def cells(question: Question) -> pd.DataFrame:
    """The counts of `bitmaps.cells`, from the index of the question's log."""
    index = question.log.memory
    assert index is not None
    code, words = _words(question, index)
    group, groups = _groups(question, index)
    table = Table(index.offsets, index.t, code, words, group, groups)
    clock, asked = _clock(question), _asked(question)
    parts = index.dealt(lambda low, high: _count(table, clock, asked, low, high))
    size, *counts = (sum(found) for found in zip(*parts, strict=True))
    places = np.flatnonzero(size)
    found = {"c": places % clock.number + question.first, "size": size[places]}
    for letter, values in zip("reag" if clock.length else "r", counts, strict=False):
        found |= {f"{letter}{i}": values[places, i] for i in range(len(question.cells))}
    frame = pd.DataFrame(found)
    return _named(question, index, frame, places // clock.number) if question.by else frame


def _periods(question: Question) -> int:
    return question.calendar.number(question.span[1]) - question.first + 1


def observed(asked: Asked) -> pa.Table:
    """The observed rows by user, time and arrival: u, t, seq, `kinds` (a bit for each that it is of), `by` as b0.."""
    index = asked.log.memory
    assert index is not None
    code, words = _words(asked, index)
    rows = np.flatnonzero((words[code] > 0) & (index.t < asked.until))
    users = np.searchsorted(index.offsets, rows, side="right") - 1
    values = {f"b{i}": index.column(name).take(pa.array(rows)) for i, name in enumerate(asked.by)}
    plain = {k: v.cast(v.type.value_type) if pa.types.is_dictionary(v.type) else v for k, v in values.items()}
    return pa.table({"u": users, "t": index.t[rows], "seq": rows, "kinds": words[code[rows]], **plain})


def _words(asked: Asked, index: Index) -> tuple[Any, Any]:
    """Codes of rows, and the word of each code: of events where nothing else is asked, else of the rows' own words.

    A word has a bit for each kind of row.
    """
    if asked.dedupe is None and not any(kind.conditional for kind in asked.kinds):
        words = np.zeros(len(index.events) + 1, np.uint8)
        for place, kind in enumerate(asked.kinds):
            for code, event in enumerate([None, *index.events]):
                words[code] |= (kind.all or event in kind.events) << place
        return index.event, words
    kinds = enumerate(asked.kinds)
    word = " + ".join(f"CASE WHEN {kind.sql} THEN {1 << place} ELSE 0 END" for place, kind in kinds)
    columns = {name for kind in asked.kinds for name in kind.columns}
    own = index.words(asked.log, word, columns).astype(np.uint8)
    if asked.dedupe is not None:
        own[index.copies(asked.dedupe)] = 0
    return own, np.arange(START + RETURN + 1, dtype=np.uint8)


def _groups(question: Question, index: Index) -> tuple[Any, int]:
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
    return index.memory[key]


def _clock(question: Question) -> Clock:
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
    return Clock(since, offset, days[0] - 1, periods, next_day, _periods(question), length)


def _asked(question: Question) -> Cells:
    low, high = (np.array(ends, np.int64) for ends in zip(*question.cells, strict=True))
    counts = np.full(len(low), FOREVER) if question.kind == "rolling" else high
    born = NEVER if question.born_from is None else question.born_from
    return Cells(low, high, counts, KINDS[question.kind], born, question.until)


def _named(question: Question, index: Index, frame: pd.DataFrame, group: Any) -> pd.DataFrame:
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


@njit(cache=True, nogil=True)
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
        birth, k = t[row], 0
        while k + 1 < len(clock.since) and clock.since[k + 1] <= birth:
            k += 1
        cohort = clock.periods[(birth + clock.offset[k]) // DAY - clock.first_day]
        place = cohort if table.groups == 1 else table.group[row] * clock.number + cohort
        size[place] += 1
        if length:
            for j in range(n):
                whole[place, j] += birth + (cells.high[j] + 1) * length <= cells.until
                begun[place, j] += birth + cells.low[j] * length < cells.until
        # Rows of the moment of birth that arrived before it are returns too.
        while row > table.offsets[u] and t[row - 1] == birth:
            row -= 1
        # No row before `over` has another age than the return before it: most rows need no more than that.
        oldest, over = -1, NEVER
        for i in range(row, end):
            if t[i] < over or not words[code[i]] & RETURN:
                continue
            if length:
                age = (t[i] - birth) // length
                over = birth + (age + 1) * length
            else:
                while k + 1 < len(clock.since) and clock.since[k + 1] <= t[i]:
                    k += 1
                day = (t[i] + clock.offset[k]) // DAY - clock.first_day
                age, over = clock.periods[day] - cohort, clock.next_day[day] * DAY - clock.offset[k]
                if k + 1 < len(clock.since):
                    over = min(over, clock.since[k + 1])
            oldest = max(oldest, age)
            if cells.kind != ROLLING:
                _mark(cells, length, birth, age, u, place, seen, retained, kept)
        if cells.kind == ROLLING:
            _mark(cells, length, birth, oldest, u, place, seen, retained, kept)
    return size, retained, whole, kept, begun


@njit(cache=True, nogil=True)
def _mark(
    cells: Cells, length: int, birth: int, age: int, u: int, place: int, seen: Any, retained: Any, kept: Any
) -> None:
    """Count a user who is active at an age in each cell that the age belongs to, once; exact cells are in a row."""
    if age < 0:
        return
    only = age - cells.low[0]
    low, high = (only, only + 1) if cells.kind == EXACT else (0, len(seen))
    for j in range(max(low, 0), min(high, len(seen))):
        if cells.low[j] <= age <= cells.counts[j] and seen[j] != u:
            seen[j] = u
            retained[place, j] += 1
            if length:
                kept[place, j] += birth + (cells.high[j] + 1) * length <= cells.until
