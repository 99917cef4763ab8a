"""Active users by day, in 7 days and in 30 (DAU, WAU, MAU), and their stickiness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from toolkit.cohorts import filters
from toolkit.cohorts.active.engagement import Engagement, opens_per_day, time_between_visits
from toolkit.cohorts.active.growth import Growth, growth_accounting
from toolkit.cohorts.active.hours import Hours, hours
from toolkit.cohorts.from_counts import days_of
from toolkit.cohorts.groups import each_group, labelled
from toolkit.cohorts.periods import Calendar, Period, calendar, shown
from toolkit.cohorts.question import ActivityQuestion, TwoPaths, answered
from toolkit.counts import confidence_level, one_of
from toolkit.intervals import Rate
from toolkit.logs.servers.stand_in import Dialect, elsewhere
from toolkit.logs.times import instant
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.logs.events import EventLog

TRAILING = {"wau": 7, "mau": 30}


@dataclass(frozen=True, repr=False, eq=False)
class Activity(Result):
    """Active users day by day. Made by `activity`, or by `Activity.from_counts`.

    Attributes
    ----------
    table : DataFrame
        `by`, `day`, `dau`, `wau` and `mau` (distinct users of the day and of the 7 and 30 days that end with it;
        missing until these fit into the log), `stickiness` (dau / mau) with `low` and `high` (Wilson).
    by : tuple of str
    confidence : float
    path : {"sql", "index", "counts"}
        Where rows were read from.

    Examples
    --------
    >>> import pandas as pd
    >>> Activity.from_counts(pd.DataFrame({"day": ["2019-11-30"], "dau": [81], "mau": [263]}))
    Activity: 81 users active on 2019-11-30, 30.8 % (95 % interval 25.5 to 36.6 %) of 263 in the last 30 days.
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    question: ActivityQuestion | None = field(default=None, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    path: str = "counts"

    rates: ClassVar = frozenset({"stickiness", "low", "high"})

    @classmethod
    def from_counts(cls, frame: pd.DataFrame, *, confidence: float = 0.95) -> Activity:
        """The same result from counts, for those who hold no log.

        Parameters
        ----------
        frame : DataFrame
            `day`, `dau`, and if there are any `wau`, `mau` (distinct users of the 7 and 30 days that end with the day),
            and columns to break down by.
        confidence : float

        Raises
        ------
        TypeError
            If `frame` is no DataFrame.
        ValueError
            For a missing column, counts below 0 or fractional, a day given twice, and a day with more users than its
            week or month.
        """
        table, by = days_of(frame)
        return Activity(_sticky(table, confidence_level(confidence)), by, confidence)

    @cached_property
    def opens(self) -> Engagement:
        """Sessions a day of active users, a session being a row: their distribution and mean."""
        return opens_per_day(self._need_log("sessions a day"))

    @cached_property
    def returns(self) -> Engagement:
        """Time between visits: the share of active days that another one follows within 1, 2, ... 30 days."""
        return time_between_visits(self._need_log("the time between visits"))

    def growth(self, period: Period = "week", *, week_start: int = 0) -> Growth:
        """Active users of each whole period as new, retained and resurrected, and those who churned since the last one.

        Parameters
        ----------
        period : {"day", "week", "month"}
        week_start : int
            0 for Monday to 6 for Sunday.

        Returns
        -------
        Growth
            Counts of users: active = new + retained + resurrected, and churned of the period before.

        Raises
        ------
        ValueError
            For a result from counts, an unknown period, or a week_start that is no weekday.
        """
        asked = self._need_log("growth accounting")
        return growth_accounting(asked, calendar(asked.log.timezone, period, week_start))

    def sentence(self) -> str:
        """Active users of the last day, their stickiness, and the mean of the first and of the last 7 days."""
        parts = []
        for name, lines in each_group(self.table, self.by):
            if not len(lines):
                continue
            last = lines.iloc[-1]
            text = (
                f"{name}{': ' if name else ''}{counted(last['dau'], 'user')} active on {last['day'].date()}"
            )
            if pd.isna(last["mau"]):
                text += ", 30 days not observed yet"
            else:
                limits = f"{interval_level(self.confidence)} {percent_interval(last['low'], last['high'])}"
                text += (
                    f", {percent(last['stickiness'])} ({limits}) of {count(last['mau'])} in the last 30 days"
                )
            weeks = lines["dau"].astype(float)
            if len(weeks) >= 14:
                ends = count(weeks[:7].mean()), count(weeks[-7:].mean())
                text += f"; {ends[0]} a day in the first 7 days, {ends[1]} in the last 7"
            parts.append(text)
        notes = "".join(f"; {note}" for note in self.notes)
        if not parts:
            return f"No day is fully observed{notes}."
        return f"{'; '.join(parts)}{notes}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Daily, weekly and monthly active users of one group; of several groups the daily ones."""
        from toolkit.cohorts import plots

        return plots.active_users(self.table, self.by, ax)

    def sql(self, dialect: Dialect | None = None, *, table: str | None = None) -> str:
        """The query of the daily counts, as an engine reads it: see `Funnel.sql` for the options.

        Columns: b0.. by group, `d` the day's number since 1970, `what` ("dau", "wau" or "mau"), and `n`, by which that
        many more (or fewer) were active.
        """
        asked = self._need_log("a query")
        asked = replace(asked, log=elsewhere(asked.log, dialect, table), path="sql")
        return asked.log.engine.written(_daily(asked))

    def _need_log(self, what: str) -> ActivityQuestion:
        if self.question is None:
            raise ValueError(f"{what} needs a log; a result from counts knows only how many were active")
        return self.question


@dataclass(frozen=True, repr=False, eq=False)
class HourlyActivity(Activity):
    """Active users hour by hour. Made by `activity(period="hour")`.

    Attributes
    ----------
    table : DataFrame
        `by`, `hour` (its beginning on the log's clock), `active` (distinct users of the hour). An hour that the clock
        shows twice is one.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import activity, read_events
    >>> times = pd.to_datetime(["2019-11-01 20:05", "2019-11-01 20:50", "2019-11-01 21:10"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 2, 1], "event": "open", "timestamp": times}))
    >>> activity(log, period="hour", observed_from="2019-11-01 20:00", observed_until="2019-11-01 22:00").table
                     hour  active
    0 2019-11-01 20:00:00       2
    1 2019-11-01 21:00:00       1
    """

    rates: ClassVar = frozenset()

    @property
    def profile(self) -> pd.DataFrame:
        """The rhythm of the day: `by`, `clock` (0 to 23), `mean`, `least` and `most` active users, `days`."""
        return self._hours.profile

    def sentence(self) -> str:
        """Active users of the last hour, and the busiest and the quietest hour of the day."""
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{'; '.join(self._hours.sentences()) or 'No hour is fully observed'}{notes}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """A line for each group over time."""
        from toolkit.cohorts import plots

        return plots.active_by_hour(self.table, self.by, ax)

    @cached_property
    def _hours(self) -> Hours:
        return Hours(self.table, self.by)


def activity(
    log: EventLog,
    *,
    event: filters.Events = None,
    by: str | Sequence[str] | None = None,
    period: Literal["day", "hour"] = "day",
    observed_from: Any = None,
    observed_until: Any = None,
    path: TwoPaths = "auto",
    confidence: float = 0.95,
) -> Activity:
    """Active users: how many on each day, in the 7 days and in the 30 days that end with it.

    Parameters
    ----------
    log : EventLog
    event : str, Step or list, optional
        What makes a user active. Any event if not given.
    by : str or list of str, optional
        Properties of the row: a user active on two platforms is active on each.
    period : {"day", "hour"}
        Users by day, in 7 and in 30 days; or by hour of the log's clock.
    observed_from, observed_until : time, optional
        Span of observation, its end not observed. From the first row to just after the last one if not given, so
        that the days (hours) of both, which may be observed in part, are left out.
    path : {"auto", "sql", "index"}
        Whether rows are read from the source, or from an index of the log that keeps what is asked.
    confidence : float

    Returns
    -------
    Activity
        By hour an `HourlyActivity`, which has the same further questions.

    Raises
    ------
    ValueError
        For an event that the log does not have, or an `observed_from` that is not before the end.
    TypeError
        If `log` is no log.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import activity, read_events
    >>> days = pd.to_datetime(["2019-11-01", "2019-11-01", "2019-11-02"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 2, 1], "event": "open", "timestamp": days}))
    >>> activity(log, observed_until="2019-11-03").table[["day", "dau"]]
             day  dau
    0 2019-11-01    2
    1 2019-11-02    1
    """
    filters.refuse_other_than_log(log, "activity")
    one_of("period", period, ("day", "hour"))
    until = filters.end_of(log, observed_until)
    first, _ = filters.span(log, until)
    since = first if observed_from is None else instant(observed_from, log.timezone, "observed_from")
    if since >= until:
        raise ValueError(
            f"observed_from={observed_from!r} is not before the end, {shown(until, log.timezone)}"
        )
    asked = ActivityQuestion(
        log=log,
        visits=filters.matching(log, event, "event"),
        by=filters.grouping(log, by),
        since=since,
        until=until,
        confidence=confidence_level(confidence),
    )
    asked = answered(asked, path)
    table, counted_users = (_table(asked), "dau") if period == "day" else (hours(asked).table, "active")
    if not table[counted_users].sum():
        filters.refuse_absent(log, asked.visits.events)
    notes = [*asked.notes]
    if observed_from is None or observed_until is None:
        ends = [("first", observed_from), ("last", observed_until)]
        named = " and ".join(name for name, given in ends if given is None)
        notes.append(f"the log's {named} {period} may be observed in part: left out unless whole")
    notes += [*filters.silent(log, until), *filters.left_out(log)]
    kind = Activity if period == "day" else HourlyActivity
    return kind(table, asked.by, asked.confidence, asked, tuple(notes), asked.path)


def _daily(asked: ActivityQuestion) -> str:
    """SQL of how many more were active from a day on: on it, in the 7 and in the 30 days that end with it."""
    user = ", ".join(["u", *asked.groups])
    groups = "".join(f"{name}, " for name in asked.groups)
    # An active day d counts in the k days from d on, up to the user's next active day, which then counts itself.
    ends = "".join(
        f" UNION ALL SELECT {groups}least(day + {k}, later) AS d, '{name}' AS what, -1 AS n FROM active"
        for name, k in TRAILING.items()
    )
    starts = "".join(
        f" UNION ALL SELECT {groups}day AS d, '{name}' AS what, 1 AS n FROM active" for name in TRAILING
    )
    return (
        f"WITH active AS (SELECT {user}, day, coalesce(lead(day) OVER (PARTITION BY {user} ORDER BY day), 1000000000) "
        f"AS later FROM ({asked.active(Calendar(asked.log.timezone))})) SELECT {groups}d, what, sum(n) AS n FROM "
        f"(SELECT {groups}day AS d, 'dau' AS what, 1 AS n FROM active{starts}{ends}) GROUP BY {groups}d, what "
        f"ORDER BY {''.join(f'{name} NULLS LAST, ' for name in asked.groups)}d"
    )


def _table(asked: ActivityQuestion) -> pd.DataFrame:
    low, high = asked.days
    found = asked.frame(_daily(asked))
    numbers = np.arange(low, high + 1)
    days = pd.to_datetime([Calendar(asked.log.timezone).first_day(int(number)) for number in numbers])
    frames = []
    for _, own in each_group(found, asked.groups):
        columns: dict[str, Any] = {"day": pd.Series(days).astype("datetime64[us]")}
        for what, length in {"dau": 1, **TRAILING}.items():
            steps = own[own["what"] == what].groupby("d")["n"].sum()
            if what == "dau":
                values = steps.reindex(numbers, fill_value=0).to_numpy()
            else:
                running = steps.sort_index().cumsum()
                at = np.searchsorted(running.index.to_numpy(), numbers, side="right") - 1
                counts = running.to_numpy() if len(running) else np.zeros(1)
                values = np.where(at >= 0, counts[np.maximum(at, 0)], 0)
            columns[what] = pd.array(values.astype("int64"), dtype="Int64")
            columns[what][: length - 1] = pd.NA
        frame = pd.DataFrame(columns)
        frames.append(labelled(frame, own, asked.groups))
    if not frames:
        frames = [pd.DataFrame(columns=[*asked.groups, "day", "dau", "wau", "mau"])]
    return _sticky(asked.named(pd.concat(frames, ignore_index=True)), asked.confidence)


def _sticky(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    dau, mau = (table[name].astype("Float64").to_numpy(float, na_value=np.nan) for name in ("dau", "mau"))
    known = mau > 0
    rate = Rate.of_counts(np.where(known, dau, 0), np.where(known, mau, 0))
    low, high = rate.interval(confidence)
    return table.assign(stickiness=rate.estimate, low=low, high=high)
