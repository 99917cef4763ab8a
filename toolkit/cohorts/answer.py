"""`retention`: who comes back, cohort by cohort. Checks the question, counts the cells and hands them to the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toolkit.cohorts import filters
from toolkit.cohorts.cells import cells
from toolkit.cohorts.periods import LENGTHS, Calendar, Period, calendar, shown, whole
from toolkit.cohorts.question import CLOCKS, KINDS, Clock, Kind, Path, RetentionQuestion, answered
from toolkit.cohorts.result import Retention
from toolkit.counts import confidence_level, one_of
from toolkit.logs.times import instant

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

#: Period numbers shown where `periods` does not say how many, and at most: a wider matrix is not read.
SHOWN = 52
MOST = 5_000


def retention(
    log: EventLog,
    *,
    start: filters.Events = None,
    returns: filters.Events = None,
    period: Period = "week",
    periods: int | None = None,
    kind: Kind = "exact",
    brackets: Sequence[tuple[int, int]] | None = None,
    clock: Clock = "calendar",
    by: str | Sequence[str] | None = None,
    week_start: int = 0,
    born_from: Any = None,
    observed_until: Any = None,
    dedupe: str | None = None,
    path: Path = "auto",
    confidence: float = 0.95,
) -> Retention:
    """Users who come back, cohort by cohort: how many are active again in each period after their first event.

    Parameters
    ----------
    log : EventLog
        From `read_events`.
    start : str, Step or list, optional
        What makes a user one of a cohort: the first such event. Any event if not given.
    returns : str, Step or list, optional
        What counts as coming back. Any event if not given. The first event itself counts, in period 0, if it matches.
    period : {"day", "week", "month"}
        Length of a period, and of the calendar time that makes a cohort.
    periods : int, optional
        The last period number shown. As many as have begun, 52 at most, if not given.
    kind : {"exact", "rolling", "bracket"}
        Active in that period; in that period or later ("on or after", unbounded retention); or in any period of a
        bracket.
    brackets : list of (first, last), optional
        Period numbers of each bracket, ends included.
    clock : {"calendar", "elapsed"}
        Periods by the calendar of the log's zone, or by 24 hours (168 for weeks) from the user's first event on.
    by : str or list of str, optional
        Properties of the first event to split cohorts by.
    week_start : int
        0 for Monday to 6 for Sunday.
    born_from : time, optional
        Leave out users whose first event is earlier: a log cannot tell who was new when it began.
    observed_until : time, optional
        End of observation, itself not observed. A microsecond after the last row if not given.
    dedupe : str, optional
        Of rows with the same value in this column only the first counts.
    path : {"auto", "sql", "stream", "index"}
        How to count: in the log's engine; by one compiled pass over a large log, for one kind of row by calendar
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
        For an invalid or contradictory option, or an event that the log does not have; the message names the fix.
    TypeError
        If `log` is no log, or `start` or `returns` neither events' names nor Steps.

    Notes
    -----
    rate = retained / size. A cell is complete when its whole period is observed for every user of the cohort,
    future when its period has begun for none (then it is missing, not 0), else partial (right-censored): marked, and
    left out of pooled rates. Intervals of cells are Wilson's; those of pooled rates allow for cohorts that differ
    (`Retention.curve`).

    References
    ----------
    Wilson (1927), JASA 22, 209-212.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events, retention
    >>> rows = {"user_id": [1, 2, 1], "event": "open", "timestamp": pd.to_datetime(["2019-11-04", "2019-11-05",
    ...         "2019-11-12"])}
    >>> retention(read_events(pd.DataFrame(rows)), observed_until="2019-11-18").table[["age", "retained", "status"]]
       age  retained    status
    0    0         2  complete
    1    1         1  complete
    """
    filters.refuse_other_than_log(log, "retention")
    one_of("kind", kind, KINDS)
    one_of("clock", clock, CLOCKS)
    days = calendar(log.timezone, period, week_start)
    if clock == "elapsed" and period not in LENGTHS:
        raise ValueError("clock='elapsed' counts days of 24 h or weeks of 168 h; months have no such length")
    if brackets is not None and kind != "bracket":
        raise ValueError(f"brackets= is for kind='bracket'; kind={kind!r} has one period per cell")
    dedupe = filters.deduplicated(log, dedupe)
    until = filters.end_of(log, observed_until)
    born = None if born_from is None else instant(born_from, log.timezone, "born_from")
    if born is not None and born >= until:
        raise ValueError(
            f"born_from={born_from!r} is not before the end of observation, {shown(until, log.timezone)}: "
            "no user could have a first event"
        )
    begun, last = filters.span(log, until)
    if periods is None:
        periods = _begun(days, clock, max(begun, born or begun), last)
    question = RetentionQuestion(
        log=log,
        start=filters.matching(log, start, "start"),
        returns=filters.matching(log, returns, "returns"),
        calendar=days,
        kind=kind,
        cells=_brackets(brackets) if kind == "bracket" else _periods(periods),
        clock=clock,
        by=filters.grouping(log, by),
        born_from=born,
        until=until,
        dedupe=dedupe,
        confidence=confidence_level(confidence),
    )
    question = answered(question, path)
    found = cells(question)
    for rows, nothing in ((question.start, not len(found)), (question.returns, not found["retained"].sum())):
        if nothing:
            filters.refuse_absent(log, rows.events)
    return Retention(
        found, question.by, period, kind, question.confidence, question, question.notes, question.path
    )


def _begun(days: Calendar, clock: Clock, begun: int, last: int) -> int:
    """The last period number that has begun for the first users, up to `SHOWN`."""
    if clock == "elapsed":
        return min((last - begun) // LENGTHS[days.unit], SHOWN)
    return min(days.number(last) - days.number(begun), SHOWN)


def _periods(periods: Any) -> tuple[tuple[int, int], ...]:
    """A cell for each period number up to the last one shown."""
    if not whole(periods) or not 0 <= periods <= MOST:
        raise ValueError(
            f"periods={periods!r}; use a whole number from 0 to {MOST:,}: the last period number shown"
        )
    return tuple((number, number) for number in range(periods + 1))


def _brackets(brackets: Any) -> tuple[tuple[int, int], ...]:
    """A cell for each bracket of period numbers."""
    if not isinstance(brackets, list | tuple) or not brackets:
        raise ValueError(
            "kind='bracket' needs brackets=, such as [(0, 0), (1, 3), (4, 7)]: first and last period of each"
        )
    found = []
    for bracket in brackets:
        pair = isinstance(bracket, tuple | list) and len(bracket) == 2 and all(map(whole, bracket))
        if not pair or not 0 <= bracket[0] <= bracket[1] <= MOST:
            raise ValueError(
                f"brackets: {bracket!r} is not (first, last) with period numbers 0 <= first <= last <= {MOST:,}"
            )
        found.append((int(bracket[0]), int(bracket[1])))
    return tuple(found)
