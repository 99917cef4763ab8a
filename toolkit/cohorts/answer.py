"""`retention`: checks the question, counts in the engine, marks every cell, and hands the cells to the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit.cohorts import bitmaps
from toolkit.cohorts.filters import refuse_absent
from toolkit.cohorts.question import Question, ask, way

if TYPE_CHECKING:
    from toolkit.cohorts.result import Retention
    from toolkit.logs.events import EventLog

COMPLETE, PARTIAL, FUTURE = "complete", "partial", "future"


def retention(
    log: EventLog,
    *,
    start: Any = None,
    returns: Any = None,
    period: str = "week",
    periods: int | None = None,
    kind: str = "exact",
    brackets: Sequence[tuple[int, int]] | None = None,
    clock: str = "calendar",
    by: str | Sequence[str] | None = None,
    week_start: int = 0,
    born_from: Any = None,
    observed_until: Any = None,
    dedupe: str | None = None,
    path: str = "auto",
    confidence: float = 0.95,
) -> Retention:
    """Follow users from their first event, cohort by cohort, and count who comes back at which age.

    Parameters
    ----------
    log : EventLog
        From `read_events`.
    start : str, Step or list, optional
        What makes a user one of a cohort: the first such row. Any event if not given.
    returns : str, Step or list, optional
        What counts as coming back. Any event if not given. The first row itself counts, at age 0, if it matches.
    period : {"day", "week", "month"}
        Length of an age, and of a cohort.
    periods : int, optional
        The last age shown. As many as have begun, 52 at most, if not given.
    kind : {"exact", "rolling", "bracket"}
        Active at that age; at that age or later; or at any age of a bracket.
    brackets : list of (first, last), optional
        Ages of each bracket, ends included.
    clock : {"calendar", "elapsed"}
        Ages by calendar periods of the log's zone, or by 24 hours (168 for weeks) from the user's first row on.
    by : str or list of str, optional
        Properties of the first row to split cohorts by.
    week_start : int
        0 for Monday to 6 for Sunday.
    born_from : time, optional
        Leave out users whose first row is earlier: a log cannot tell who was new when it began.
    observed_until : time, optional
        End of observation, itself not observed. A microsecond after the last row if not given.
    dedupe : str, optional
        Of rows with the same value in this column only the first counts.
    path : {"auto", "sql", "stream", "index"}
        How to count: in the log's engine; by one pass of our own over a large log, for one kind of row by calendar
        periods; or from the arrays of `log.index(keep=[...])`, where the log has one that keeps what is asked. All
        give the same counts; the result says which one ran.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    Retention

    Raises
    ------
    ValueError
        For an option that cannot be meant, or an event that the log does not have; the message names the fix.

    Notes
    -----
    rate = retained / size. A cell is complete when its whole period is observed for every user of the cohort,
    future when it has begun for none (then it is missing, not 0), else partial: marked, and left out of means.

    Examples
    --------
    >>> from toolkit import read_events
    >>> from toolkit.cohorts import retention
    >>> rows = {"user_id": [1, 2, 1], "event": "open", "timestamp": pd.to_datetime(["2019-11-04", "2019-11-05",
    ...         "2019-11-12"])}
    >>> retention(read_events(pd.DataFrame(rows)), observed_until="2019-11-18").table[["age", "retained", "status"]]
       age  retained    status
    0    0         2  complete
    1    1         1  complete
    """
    from toolkit.cohorts.result import Retention

    question = ask(
        log,
        start=start,
        returns=returns,
        period=period,
        periods=periods,
        kind=kind,
        brackets=brackets,
        clock=clock,
        by=by,
        week_start=week_start,
        born_from=born_from,
        observed_until=observed_until,
        dedupe=dedupe,
        confidence=confidence,
    )
    took, notes = way(question, path)
    question = replace(question, path=took, notes=notes)
    cells = marked(question, counted(question))
    for rows, nothing in ((question.start, not len(cells)), (question.returns, not cells["retained"].sum())):
        if nothing:
            refuse_absent(log, rows.events)
    return Retention(
        cells=cells,
        by=question.by,
        period=period,
        kind=kind,
        confidence=confidence,
        question=question,
        path=took,
        remarks=notes,
    )


def counted(question: Question) -> pd.DataFrame:
    """Counts of each cohort, one row per cohort and group (see `bitmaps.cells`), by the path of the question."""
    if question.path == "sql":
        return question.log.engine.frame(bitmaps.cells(question))
    if question.path == "stream":
        from toolkit.cohorts.kernels import stream

        return stream.cells(question)
    from toolkit.cohorts.kernels import indexed

    return indexed.cells(question)


def marked(question: Question, counts: pd.DataFrame) -> pd.DataFrame:
    """One row per cohort and cell, with its status."""
    days, elapsed = question.calendar, question.clock == "elapsed"
    starts: dict[int, int] = {}

    def begins(number: int) -> int:
        if number not in starts:
            starts[number] = days.start(number)
        return starts[number]

    lines = []
    for row in counts.to_dict("records"):
        cohort, size = int(row["c"]), int(row["size"])
        for i, (low, high) in enumerate(question.cells):
            if elapsed:
                eligible, begun, kept = int(row[f"e{i}"]), int(row[f"g{i}"]), int(row[f"a{i}"])
            else:
                whole = begins(cohort + high + 1) <= question.until
                begun = size if begins(cohort + low) < question.until else 0
                eligible, kept = (size, int(row[f"r{i}"])) if whole else (0, 0)
            status = COMPLETE if eligible == size else PARTIAL if begun else FUTURE
            retained = pd.NA if status == FUTURE else int(row[f"r{i}"])
            groups = [row[f"b{k}"] for k in range(len(question.by))]
            lines.append([*groups, days.first_day(cohort), low, high, size, eligible, retained, kept, status])
    names = ["cohort", "age", "age_to", "size", "eligible", "retained", "retained_eligible", "status"]
    cells = pd.DataFrame(lines, columns=[*question.by, *names])
    numbers = ["age", "age_to", "size", "eligible", "retained_eligible"]
    cells = cells.astype(dict.fromkeys(numbers, "int64") | {"retained": "Int64", "cohort": "datetime64[us]"})
    for i, name in enumerate(question.by):
        cells[name] = cells[name].astype(counts[f"b{i}"].dtype)
    return cells
