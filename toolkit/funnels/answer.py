"""`funnel`: checks the question, chooses how to count, counts, and hands the counts to the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of, refuse_taken
from toolkit.funnels import question as asked
from toolkit.funnels.by_period import PeriodFunnel
from toolkit.funnels.counting_units import Path
from toolkit.funnels.paths import count_units, lost_to_exclusions
from toolkit.funnels.periods import PERIODS, Period, by_period
from toolkit.funnels.question import COUNTS, MODES, OWN, Count, Mode, Question
from toolkit.funnels.result import Funnel
from toolkit.funnels.step import Step, step_of, steps_of
from toolkit.funnels.step_counts import StepCounts
from toolkit.logs.engines import identifier
from toolkit.logs.events import EventLog
from toolkit.wording import unknown


def funnel(
    log: EventLog,
    steps: Sequence[str | Step],
    *,
    within: str | pd.Timedelta | None,
    by: str | Sequence[str] | None = None,
    attribution: str = "entry",
    mode: Mode = "ordered",
    universe: Sequence[str | Step] | None = None,
    hold: str | Sequence[str] | None = None,
    count: Count = "users",
    exclude: Sequence[Any] = (),
    gaps: Mapping[str, str | pd.Timedelta] | None = None,
    entries: tuple[Any, Any] | None = None,
    observed_until: Any = None,
    dedupe: str | None = None,
    path: Path = "auto",
    period: Period | None = None,
    confidence: float = 0.95,
) -> Funnel:
    """Count who gets how far through steps, in order, within a time of entering.

    Each user is scored from the entry that leads furthest, not only from the first one.

    Parameters
    ----------
    log : EventLog
        From `read_events`.
    steps : list of str or Step
        Two or more, in order.
    within : str, Timedelta or None
        Longest time from the first step to the last, its end included: "1d", "30min". None sets no limit.
    by : str or list of str, optional
        Properties to break the counts down by.
    attribution : {"entry", "last", "step:NAME"}
        Where a user's value of `by` is read in the matched sequence of steps: at its entry, at its last step,
        or at a step by name, which leaves out users who did not reach that step.
    mode : {"ordered", "any", "strict"}
        Ordered: other rows may lie between two steps. Strict: none may. Any: the largest number of different
        steps in one window, whatever their order.
    universe : list of str or Step, optional
        Rows that break a strict sequence. All rows of the user if not given.
    hold : str or list of str, optional
        Properties held constant from step to step, such as the session.
    count : {"users", "pairs", "entries"}
        The counting unit: users; pairs of a user and a value held constant; or every entry.
    exclude : list of str, Step or (str or Step, from, to)
        Events that void the link between two consecutive steps when they lie strictly between them: on all
        links, or on those between two steps by name. The user keeps the step reached before.
    gaps : dict of str to str or Timedelta, optional
        By step: the longest time since the step before.
    entries : (from, to), optional
        Range of the first step's time, `from` included and `to` not; later steps may lie outside.
    observed_until : time, optional
        As of when: rows at or after it do not exist. Just after the last row if not given.
    dedupe : str, optional
        Of rows with the same value in this column only the first counts, as with retries of one order.
    path : {"auto", "asof", "windows", "stream", "index"}
        How to count. All paths give the same counts; `Funnel.path` says which one ran.
    period : {"hour", "day", "week", "month"}, optional
        Count by period of the entry, on the log's clock, weeks from Monday on: a row a period, step and group, a
        line over time, and `series` of a rate. Each period is counted as if it were asked for alone by `entries`.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    Funnel
        With `period`, a `PeriodFunnel`.

    Raises
    ------
    ValueError
        For an invalid or contradictory option, an event that the log does not have, or an empty log; the
        message names the value and the fix.
    TypeError
        For a log that is none, and for steps that are neither names nor steps.

    Notes
    -----
    A matched sequence of L steps is L rows r1 < r2 < ... < rL of one user, ordered by time, then by step, then
    by arrival, where rj matches step j and time(rL) - time(r1) <= within. A user's furthest step is the length
    of the longest such sequence. One row fills one step. Rows of the same moment are taken in the order of the
    steps.

    The log is all that is known: a user who enters before it begins, or converts after it ends, is not seen.
    `open` counts those still in window at their furthest step (right-censored): they may yet go on. They are in the
    denominators of all rates; `Funnel.complete` leaves them out.

    References
    ----------
    ClickHouse's `windowFunnel` gives the same counts for ordered steps that cannot match one row twice.

    Examples
    --------
    >>> from toolkit import funnel, read_events
    >>> rows = {"user_id": [1, 1, 2, 3], "event": ["enter", "pay", "enter", "pay"],
    ...         "timestamp": pd.to_datetime(["2019-11-11 20:00", "2019-11-11 20:09"] * 2)}
    >>> funnel(read_events(pd.DataFrame(rows)), ["enter", "pay"], within="1d").table[["step", "reached", "open"]]
        step  reached  open
    0  enter        2     1
    1    pay        1  <NA>
    """
    if not isinstance(log, EventLog):
        raise TypeError(f"funnel takes a log from read_events, not {type(log).__name__}")
    chosen = steps_of(steps)
    names = [step.name for step in chosen]
    until = asked.observed_until(log, observed_until)
    log = log.as_of(until + 1)
    question = Question(
        log=log,
        steps=chosen,
        within=None if within is None else asked.duration(within, "within"),
        by=asked.columns_of(log, by, "by"),
        attribution=asked.attribution_of(attribution, names),
        mode=one_of("mode", mode, MODES),
        universe=tuple(asked.predicate_of(log, step_of(step)) for step in universe or ()),
        hold=asked.columns_of(log, hold, "hold"),
        count=one_of("count", count, COUNTS),
        exclude=asked.exclusions_of(log, exclude, names),
        gaps=asked.gaps_of(gaps, names),
        entries=asked.entries_of(entries, log.timezone),
        observed_until=until,
        dedupe=None if dedupe is None else asked.columns_of(log, dedupe, "dedupe")[0],
    )
    refuse_taken(question.by, OWN)
    confidence = confidence_level(confidence)
    _refuse_unknown_names(question)
    if period is not None:
        one_of("period", period, PERIODS)
        refuse_taken(question.by, ["period", "complete"])
        found = by_period(question, period, path)
        _refuse_unknown_steps(question, found.counts)
        return PeriodFunnel(
            found.counts, confidence, period=period, over=found.complete, questions=found.questions
        )
    units = count_units(question, path)
    counts = StepCounts.of_units(units)
    _refuse_unknown_steps(question, counts)
    note = _one_row_each(question, counts)
    counts = replace(counts, notes=(note, *counts.notes)) if note else counts
    excluded = lost_to_exclusions(units) if question.exclude else None
    return Funnel(counts, confidence, excluded)


def _one_row_each(question: Question, counts: StepCounts) -> str | None:
    """What to do where nobody goes on because each unit is one row with a column for each step."""
    reached = counts.reached.sum(axis=0)
    if question.disjoint or not reached[0] or reached[1:].all():
        return None
    at = int(np.flatnonzero(reached == 0)[0])
    unit = ", ".join(map(identifier, (question.log.user, *question.hold)))
    here, earlier = question.predicates[at].sql, [predicate.sql for predicate in question.predicates[:at]]
    alone = f"({here}) AND NOT ({' OR '.join(f'({sql})' for sql in earlier)})"
    rows, units, apart = question.log.engine.rows(
        f"SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {unit} FROM {question.log.engine.table})), "
        f"coalesce(sum(CASE WHEN {alone} THEN 1 ELSE 0 END), 0) FROM {question.log.engine.table}"
    )[0]
    if rows != units or apart:
        return None
    step, what = counts.steps[at], " and ".join(("user", *question.hold))
    return (
        f"nobody can reach {step} here: each {what} has one row, every row of {step} is a row of an earlier step too, "
        "and one row fills one step; where columns of 0 and 1 say who did what, add them up by step and ask "
        "Funnel.from_counts"
    )


def _refuse_unknown_names(question: Question) -> None:
    """Names whose absence would not show as a step of zero: alternatives, exclusions, the universe."""
    others = [rule.predicate.events for rule in question.exclude]
    others += [rule.events for rule in question.universe]
    others += [step.events for step in question.steps if len(step.events) > 1]
    names = {name for events in others for name in events}
    if names:
        _refuse_absent(question.log, sorted(names))


def _refuse_unknown_steps(question: Question, counts: StepCounts) -> None:
    """Names of steps that nobody reached: a slip of the pen, or a true zero."""
    total = counts.reached.sum(axis=0)
    if question.mode == "any":
        total = np.minimum(total, total[-1])  # the n-th place is any n of the steps
    empty = [name for step, n in zip(question.steps, total, strict=True) if not n for name in step.events]
    if empty:
        _refuse_absent(question.log, empty)


def _refuse_absent(log: EventLog, names: Sequence[str]) -> None:
    absent = [name for name in names if name not in log.vocabulary]
    if absent and log.facts.rows:
        raise ValueError(unknown("event", absent[0], log.events, of=log.source))
