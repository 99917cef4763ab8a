"""A funnel answered from an index: every mode and option, by the compiled kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from toolkit.funnels.kernels import unit_table
from toolkit.funnels.kernels.by_user import (
    ANY,
    EXCLUSIONS,
    KNOWN,
    ORDERED,
    STRICT,
    Links,
    Table,
    levels,
    sequences,
)
from toolkit.funnels.kernels.row_order import FOREVER, NEVER
from toolkit.funnels.question import Predicate, Question
from toolkit.logs.index import Index
from toolkit.wording import some

MODES = {"ordered": ORDERED, "strict": STRICT, "any": ANY}
NO_INDEX = "the log has no index; make one with log.index(keep=[...])"
NO_CODES, NO_WORDS = np.empty(0, np.int8), np.empty(0, np.uint32)


def refusal(question: Question) -> str | None:
    """Why the index does not offer a question, or None."""
    index = question.log.memory
    if index is None:
        return NO_INDEX
    absent = sorted(question.columns - set(index.kept))
    if absent:
        return f"the index does not keep {some(absent)}; make it with log.index(keep={sorted(question.columns)!r})"
    if len(question.exclude) > EXCLUSIONS:
        return f"it offers at most {EXCLUSIONS} exclusions"
    return None


def units(question: Question, *, sequence: bool = False) -> pa.Table:
    """The table that `toolkit.funnels.sql` defines, from the index of the question's log.

    Parameters
    ----------
    sequence
        Add the times of the matched steps, `t1` to `tk`.
    """
    index = question.log.memory
    if index is None:
        raise ValueError(NO_INDEX)
    loose = not question.held_by
    timed = sequence and question.count != "entries" and question.mode != "any"
    limits, entries = unit_table.limits(question), question.count == "entries"
    if question.plain and not timed and not loose and not entries:
        user, hold, level, start, ended = _run(question, index, levels, limits)
        rows = None
    else:
        gaps = np.array([question.gaps.get(j, FOREVER) for j in range(1, question.size + 1)])
        rules = np.array([(rule.first, rule.last) for rule in question.exclude], np.int64).reshape(-1, 2)
        # An entry, and a unit without order, has one row that matters.
        length = 1 if entries or question.mode == "any" else question.size
        width = length if loose or timed else 0
        options = (limits, Links(gaps, rules), MODES[question.mode], entries, width)
        user, hold, level, start, ended, rows = _run(question, index, sequences, *options)
    held = [values.take(pa.array(hold)) for values in index.codes(question.hold)[2]] if question.hold else []
    groups = []
    if loose:
        at = pa.array(places := _places(question, level, rows), mask=places < 0)
        groups = [index.column(name).take(at) for name in question.by]
    times = [np.where(row < 0, NEVER, index.t[row]) for row in rows.T] if rows is not None and timed else None
    return unit_table.table(
        question, index.users.take(pa.array(user)), held, groups, level, start, ended, times
    )


def _run(question: Question, index: Index, kernel: Any, *options: Any) -> list[Any]:
    """A kernel's answer for all users, who are dealt out to two threads by their rows."""
    code, words = _words(question, index)
    hold, holds, _ = index.codes(question.hold) if question.hold else (NO_CODES, 1, [])
    table = Table(index.offsets, index.t, code, words, hold, holds)
    parts = index.dealt(lambda low, high: kernel(table, low, high, *options))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _words(question: Question, index: Index) -> tuple[Any, Any]:
    """Codes of rows and the word of each code, or the words of rows and nothing."""
    bits: list[tuple[int, Predicate]] = [
        (1 << j, predicate) for j, predicate in enumerate(question.predicates)
    ]
    bits += [(1 << (16 + x), rule.predicate) for x, rule in enumerate(question.exclude)]
    strict, universe = question.mode == "strict", question.universe
    if question.dedupe is None and all(one.events for _, one in bits) and all(one.events for one in universe):
        words = np.full(len(index.events) + 1, KNOWN * (strict and not universe), np.uint32)
        for bit, predicate in (*bits, *((KNOWN, one) for one in universe)):
            for event in predicate.events:
                if event in index.events:
                    words[index.events.index(event) + 1] |= np.uint32(bit)
        return index.event, words
    known = " OR ".join(f"({one.sql})" for one in universe) or "TRUE"
    cases = [f"CASE WHEN {one.sql} THEN {bit} ELSE 0 END" for bit, one in bits]
    cases += [f"CASE WHEN {known} THEN {KNOWN} ELSE 0 END"] * strict
    read = {name for _, one in bits for name in one.columns} | {
        name for one in universe for name in one.columns
    }
    words = index.words(question.log, " + ".join(cases), read)
    if question.dedupe is not None:
        words = np.where(index.copies(question.dedupe), np.uint32(0), words)
    return words, NO_WORDS


def _places(question: Question, level: Any, rows: Any) -> Any:
    """The row whose values of `by` are a unit's, or -1."""
    if question.count == "entries" or question.mode == "any" or question.attribution == "entry":
        return rows[:, 0]
    if isinstance(question.attribution, int):
        return rows[:, question.attribution - 1]
    return np.where(level > 0, rows[np.arange(len(rows)), np.maximum(level, 1) - 1], -1)
