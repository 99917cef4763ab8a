"""A funnel by period of the entry: where periods begin on the log's clock, and the counts of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from toolkit.funnels import sql, sums
from toolkit.funnels.counting_units import Path
from toolkit.funnels.paths import count_units
from toolkit.funnels.question import Question
from toolkit.funnels.step_counts import StepCounts
from toolkit.logs.times import zone

Period = Literal["hour", "day", "week", "month"]
PERIODS = ("hour", "day", "week", "month")
#: Hours in some ten years; more periods are a slip.
MOST_PERIODS = 100_000


@dataclass(frozen=True, eq=False)
class PeriodCounts:
    """Counts by group and period of the entry; periods stand last in `counts.by`.

    Attributes
    ----------
    counts : StepCounts
        Groups are those of `by`, each in all periods in order.
    period : str
    complete : array of bool
        By row of `counts`: whether the window of every entry of the period is over, and the period with it.
    questions : tuple of Question
        Each period asked for alone by its `entries`, in order.
    """

    counts: StepCounts
    period: Period
    complete: np.ndarray = field(repr=False)
    questions: tuple[Question, ...] = field(default=(), repr=False)


def by_period(question: Question, period: Period, path: Path = "auto") -> PeriodCounts:
    """Count each period's entries as if the funnel had been asked with `entries` of that period alone.

    Notes
    -----
    A user who enters in two periods counts in both, so that periods do not add up to the whole.
    """
    if question.mode == "any":
        raise ValueError("mode='any' has no first step, so no period of the entry; use mode='ordered'")
    if question.by and question.attribution != "entry":
        raise ValueError("period= is the entry's, and so are the values of by: use attribution='entry'")
    starts = _starts(question, period)
    # A period is a range of entries: every entry is followed, and the best of a user's in a period counts.
    units = count_units(replace(question, count="entries"), path)
    last = np.array([start.value // 1000 for start in starts[1:]])
    names, groups = [f"b{i}" for i in range(len(question.by))], sql.grouped(question)
    owner = {"users": ["u"], "pairs": ["u", *sql.held(question)], "entries": []}[question.count]
    rows = ", ".join(
        f"({at}, {start.value // 1000}, {end})"
        for at, (start, end) in enumerate(zip(starts, last, strict=False))
    )
    placed = (
        f"SELECT e.*, p.period FROM ({units.sql}) e JOIN (VALUES {rows}) p(period, opens, closes) "
        "ON e.entered >= p.opens AND e.entered < p.closes"
    )
    if owner:
        keys = ", ".join([*owner, "period"])
        placed = (
            f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {keys} ORDER BY level DESC, ended, "
            f"entered DESC) "
            f"AS best FROM ({placed})) WHERE best = 1"
        )
    size = question.size
    whole = [f"sum(CASE WHEN level >= {j} THEN 1 ELSE 0 END) AS reached_{j}" for j in range(1, size + 1)]
    whole += [f"sum({sums.still(question, j)}) AS open_{j}" for j in range(1, size)]
    keys = ", ".join([*groups, "period"])
    shown = ", ".join([*groups, *sums.texts(question), "period", *whole])
    frame = units.frame(f"SELECT {shown} FROM ({placed}) GROUP BY {keys}")
    texts = [f"l{i}" for i in range(len(names))]
    keys_frame = frame[[*names, *texts]].drop_duplicates(texts) if names else pd.DataFrame(index=[0])
    keys_frame = keys_frame.sort_values(names, na_position="last", ignore_index=True) if names else keys_frame
    found = _laid_out(question, period, frame, keys_frame, starts, last)
    begins = [start.value // 1000 for start in starts[:-1]]
    low, high = question.entries
    asked = (
        (begin if low is None else max(begin, low), end if high is None else min(end, high))
        for begin, end in zip(begins, last.tolist(), strict=True)
    )
    return replace(found, questions=tuple(replace(question, entries=span) for span in asked))


def _laid_out(
    question: Question,
    period: Period,
    frame: pd.DataFrame,
    keys: pd.DataFrame,
    starts: Sequence[pd.Timestamp],
    ends: np.ndarray,
) -> PeriodCounts:
    """Every group in every period, 0 where nobody entered."""
    size, number = question.size, len(ends)
    texts = [
        tuple(None if pd.isna(v) else str(v) for v in row) for row in keys.filter(regex=r"^l\d+$").to_numpy()
    ]
    texts = texts if question.by else [()]
    place = {text: at for at, text in enumerate(texts)}
    own = frame.filter(regex=r"^l\d+$").to_numpy() if question.by else [()] * len(frame)
    at = np.array([place[tuple(None if pd.isna(v) else str(v) for v in row)] for row in own], int)
    at = at * number + frame["period"].to_numpy(int)
    reached = np.zeros((len(texts) * number, size), np.int64)
    still = np.zeros((len(texts) * number, size))
    reached[at] = frame[[f"reached_{j}" for j in range(1, size + 1)]].to_numpy(np.int64)
    still[at, :-1] = frame[[f"open_{j}" for j in range(1, size)]].to_numpy(float, na_value=np.nan)
    still[:, -1] = np.nan
    labels = [start.tz_localize(None) for start in starts[:-1]]
    groups = pd.DataFrame({name: keys[f"b{i}"].array.repeat(number) for i, name in enumerate(question.by)})
    groups["period"] = labels * len(texts)
    window = question.within or 0
    over = (ends + window <= question.observed_until + 1) & (question.within is not None)
    form = "%Y-%m-%d %H:%M" if period == "hour" else "%Y-%m" if period == "month" else "%Y-%m-%d"
    counts = StepCounts(
        steps=tuple(step.name for step in question.steps),
        by=(*question.by, "period"),
        unit=question.count,
        groups=groups,
        texts=tuple((*text, label.strftime(form)) for text in texts for label in labels),
        reached=reached,
        in_window=still,
        hold=question.hold,
    )
    return PeriodCounts(counts, period, np.tile(over, len(texts)))


def _starts(question: Question, period: Period) -> list[pd.Timestamp]:
    """Where periods begin on the log's clock, from the first row's to one past the last row's."""
    facts = question.log.facts
    low, high = question.entries
    if facts.first is None or facts.last is None:
        raise ValueError(f"{question.log.source} is empty: it has no periods")
    first = facts.first if low is None else max(facts.first, low)
    last = min(facts.last, question.observed_until, facts.last if high is None else high - 1)
    local = zone(question.log.timezone)
    begin, end = (
        pd.Timestamp(at, unit="us", tz="UTC").tz_convert(local).tz_localize(None) for at in (first, last)
    )
    if end < begin:
        raise ValueError("no period has an entry: the log ends before entries= or observed_until= begin")
    unit = {"hour": "h", "day": "D", "week": "W-SUN", "month": "M"}[period]
    span = pd.period_range(begin.to_period(unit), end.to_period(unit) + 1, freq=unit)
    if len(span) > MOST_PERIODS:
        raise ValueError(
            f"period={period!r} makes {len(span):,} periods; take longer ones, or limit entries="
        )
    if len(span) < 3:
        raise ValueError(
            f"period={period!r} is as long as the log, {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: one "
            f"period has no "
            "course; take a shorter one"
        )
    starts = span.to_timestamp(how="start").tz_localize(local, ambiguous=True, nonexistent="shift_forward")
    return [start.tz_convert("UTC").tz_convert(local).as_unit("ns") for start in starts]
