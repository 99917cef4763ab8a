"""Next-day retention under both definitions in use, each number with its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from toolkit.cohorts import bitmaps
from toolkit.cohorts.cells import cells
from toolkit.cohorts.curves import pooled
from toolkit.cohorts.filters import left_out
from toolkit.cohorts.groups import each_group, per_group, user_sums, user_sums_sql
from toolkit.cohorts.periods import Calendar
from toolkit.cohorts.question import RetentionQuestion, answered
from toolkit.intervals import Rate
from toolkit.results import Result
from toolkit.wording import count, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


NEW, ACTIVE = "new users", "active users"
MEANINGS = {
    NEW: "of users on their first day, those active the day after",
    ACTIVE: "of all users active on a day, those active the day after",
}


@dataclass(frozen=True, repr=False, eq=False)
class NextDay(Result):
    """Next-day retention (次日留存率) under each definition. Made by `Retention.d1`.

    Attributes
    ----------
    table : DataFrame
        `by`, `definition` ("new users" or "active users"), `estimate`, `low`, `high`, `n` (users on their first
        day; active days of users), `retained`, `meaning`.
    by : tuple of str
    confidence : float

    Notes
    -----
    New users: pooled over the days of first events, the interval as for `Retention.curve`. The log's first day is
    left out unless `born_from` says who was new. Active users: one trial per active day, clustered by user.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events, retention
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-05", "2019-11-06", "2019-11-05"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 1, 2], "event": "open", "timestamp": days}))
    >>> retention(log, observed_until="2019-11-07").d1.table[["definition", "retained", "n"]]
         definition  retained  n
    0     new users         0  1
    1  active users         2  3
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    notes: tuple[str, ...] = field(default=(), repr=False)

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    def sentence(self) -> str:
        """Both numbers, each with its definition."""
        parts = []
        for name, rows in each_group(self.table, self.by):
            said = [
                f"{percent(row['estimate'])} ({percent_interval(row['low'], row['high'])}, n = {count(row['n'])}) of "
                f"{row['definition']}"
                for _, row in rows.iterrows()
            ]
            parts.append(f"{name}{': ' if name else ''}{' and '.join(said)}")
        end = "".join(f"; {note}" for note in self.notes)
        return f"Active again the next day ({interval_level(self.confidence)}s): {'; '.join(parts)}{end}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each definition and group."""
        from toolkit.cohorts import plots

        return plots.estimates(self.table, [*self.by, "definition"], "active again the next day", ax)


def next_day(question: RetentionQuestion) -> NextDay:
    """See `Retention.d1`."""
    days = replace(
        question,
        calendar=Calendar(question.log.timezone, "day"),
        clock="calendar",
        kind="exact",
        cells=((1, 1),),
    )
    # A path that can answer by weeks need not be able to answer by days.
    days = answered(days, "sql" if question.path == "sql" else "auto")
    new = cells(days)
    notes = []
    if question.born_from is None:
        # On that day new users cannot be told from old ones, who come back more often.
        began = pd.Timestamp(days.calendar.first_day(days.first))
        new = new[new["cohort"] > began]
        notes.append(
            f"new users of {began.date()}, when the log begins, cannot be told from old ones and are left out"
        )

    fresh = pooled(new, question.by, question.confidence)
    fresh = fresh.assign(definition=NEW)[
        [*question.by, "definition", "estimate", "low", "high", "n", "retained"]
    ]
    last = days.calendar.number(question.until) - 1
    groups = question.groups
    values = "".join(f", born.{name} AS {name}" for name in groups)
    rows = f"SELECT DISTINCT u, p AS day FROM ({bitmaps.returning(days)})"
    if groups:
        born = bitmaps.first_events(days)
        rows = f"SELECT r.u AS u, r.day AS day{values} FROM ({rows}) r JOIN ({born}) born ON r.u = born.u"
    found = days.frame(within(rows, groups, last, [1]))
    old = shares(found, groups, [1], question.confidence).drop(columns="within")
    old = question.named(old).assign(definition=ACTIVE)
    table = pd.concat([fresh, old], ignore_index=True)[list(fresh.columns)]
    if question.by:
        # Both definitions of a group stand together, groups in the order of the first.
        order = table.groupby(list(question.by), dropna=False, sort=False).ngroup()
        table = table.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    table["meaning"] = table["definition"].map(MEANINGS)
    return NextDay(table, question.by, question.confidence, (*notes, *left_out(question.log)))


def within(days: str, groups: Sequence[str], last: int, lengths: Sequence[int]) -> str:
    """SQL of sums over users: their active days, and those of them that another one follows within k days.

    Parameters
    ----------
    days
        SQL of u, `groups` and `day`, each active day once.
    last
        The last fully observed day; an active day counts if its k days are over by then.
    """
    user = ", ".join(["u", *groups])
    own = ", ".join(
        f"count(*) FILTER (day + {k} <= {last}) AS x{k}, "
        f"count(*) FILTER (day + {k} <= {last} AND later - day <= {k}) AS y{k}"
        for k in lengths
    )
    chosen = ", ".join([*groups, *(user_sums_sql(f"x{k}", f"y{k}", f"k{k}_") for k in lengths)])
    return (
        f"SELECT {chosen} FROM (SELECT {user}, {own} FROM (SELECT *, lead(day) OVER (PARTITION BY {user} ORDER BY day) "
        f"AS later FROM ({days})) GROUP BY {user}){per_group(groups)}"
    )


def shares(found: pd.DataFrame, by: Sequence[str], lengths: Sequence[int], confidence: float) -> pd.DataFrame:
    """The answer of `within` as a table of estimates, clustered by user."""
    lines = []
    for _, row in found.iterrows():
        for k in lengths:
            rate = Rate.of_users(user_sums(row, f"k{k}_"))
            limits = rate.interval(confidence)
            lines.append(
                [
                    *(row[name] for name in by),
                    k,
                    rate.estimate,
                    *limits,
                    int(row[f"k{k}_x"]),
                    int(row[f"k{k}_y"]),
                ]
            )
    table = pd.DataFrame(lines, columns=[*by, "within", "estimate", "low", "high", "n", "retained"])
    return table.astype({name: found[name].dtype for name in by})
