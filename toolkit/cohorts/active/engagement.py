"""Engagement of active users: sessions a day, and time between visits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy import special

from toolkit.cohorts.filters import left_out
from toolkit.cohorts.groups import each_group, per_group, user_sums, user_sums_sql
from toolkit.cohorts.next_day import shares, within
from toolkit.cohorts.periods import Calendar
from toolkit.intervals import Rate
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.question import ActivityQuestion

#: Sessions of a day that are told apart; the last number stands for all above.
MOST_OPENS = 10
#: Days within which a visit is followed by another.
LENGTHS = (1, 2, 3, 7, 14, 30)


@dataclass(frozen=True, repr=False, eq=False)
class Engagement(Result):
    """How often users come on an active day, or how soon again. Made by `Activity.opens` and `Activity.returns`.

    Attributes
    ----------
    table : DataFrame
        `by`, `opens` (sessions on an active day; 10 stands for 10 and more) or `within` (days), `estimate` (share of
        the active days), `low`, `high` (clustered by user), `n` (active days; for `within` those whose days are over).
    means : DataFrame
        `by`, `estimate` (sessions per active day), `low`, `high`, `n`; empty for `Activity.returns`.
    by : tuple of str
    confidence : float

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import activity, read_events
    >>> days = pd.to_datetime(["2019-11-01", "2019-11-01", "2019-11-02", "2019-11-01"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 1, 2], "event": "open", "timestamp": days}))
    >>> active = activity(log, observed_from="2019-11-01", observed_until="2019-11-03")
    >>> active.opens.table[["opens", "estimate", "n"]].head(2).round(2)
       opens  estimate  n
    0      1      0.67  3
    1      2      0.33  3
    """

    table: pd.DataFrame
    means: pd.DataFrame = field(repr=False)
    by: tuple[str, ...]
    confidence: float
    notes: tuple[str, ...] = field(default=(), repr=False)

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    @property
    def measure(self) -> str:
        """What the rows of `table` tell apart: "opens" or "within"."""
        return "opens" if "opens" in self.table else "within"

    def sentence(self) -> str:
        """The mean and the share of days with one session, or the shares that come again within a day and a week."""
        parts = []
        for place, (name, rows) in enumerate(each_group(self.table, self.by)):
            said = []
            if self.measure == "opens" and len(self.means):
                mean = self.means.iloc[place]
                said.append(
                    f"{mean['estimate']:.2f} sessions per active day ({mean['low']:.2f} to {mean['high']:.2f}, "
                    f"n = {count(mean['n'])} active days)"
                )
            wanted = rows[rows[self.measure].isin([1] if self.measure == "opens" else [1, 7])]
            for _, row in wanted[wanted["n"] > 0].iterrows():
                limits = f"{percent(row['estimate'])} ({percent_interval(row['low'], row['high'])})"
                if self.measure == "opens":
                    said.append(f"{limits} of these with a single one")
                else:
                    days = counted(row["within"], "day")
                    said.append(
                        f"{limits} of {count(row['n'])} active days followed by another within {days}"
                    )
            parts.append(f"{name}{': ' if name else ''}{', '.join(said) or 'too few days'}")
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{'; '.join(parts)} ({interval_level(self.confidence)}s, clustered by user){notes}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shares with their intervals, a line for each group."""
        from toolkit.cohorts import plots

        return plots.engagement(self.table, self.by, self.measure, ax)


def opens_per_day(asked: ActivityQuestion) -> Engagement:
    """See `Activity.opens`."""
    low, high = asked.days
    inside = (
        f"SELECT * FROM ({asked.active(Calendar(asked.log.timezone))}) WHERE day BETWEEN {low} AND {high}"
    )
    user, groups = ", ".join(["u", *asked.groups]), asked.groups
    own = ", ".join(
        f"count(*) FILTER (opens {'>=' if k == MOST_OPENS else '='} {k}) AS y{k}"
        for k in range(1, MOST_OPENS + 1)
    )
    products = "sum(o) AS o, sum(o * o) AS oo, sum(o * x) AS ox"
    chosen = [*groups, products, *(user_sums_sql("x", f"y{k}", f"k{k}_") for k in range(1, MOST_OPENS + 1))]
    found = asked.frame(
        f"SELECT {', '.join(chosen)} FROM (SELECT {user}, count(*) AS x, CAST(sum(opens) AS DOUBLE) AS o, {own} "
        f"FROM ({inside}) GROUP BY {user}){per_group(groups)}"
    )
    lines, means = [], []
    for _, row in found.iterrows():
        names = [row[name] for name in groups]
        for k in range(1, MOST_OPENS + 1):
            own_sums = user_sums(row, f"k{k}_")
            rate = Rate.of_users(own_sums)
            lines.append([*names, k, rate.estimate, *rate.interval(asked.confidence), int(row[f"k{k}_x"])])
        means.append([*names, *_mean(row, asked.confidence)])
    columns = ["estimate", "low", "high", "n"]
    kinds = {name: found[name].dtype for name in groups}
    table = pd.DataFrame(lines, columns=[*groups, "opens", *columns]).astype(kinds)
    mean = pd.DataFrame(means, columns=[*groups, *columns]).astype(kinds)
    notes = (f"each row of {asked.visits.said} counts as a session", *left_out(asked.log))
    return Engagement(asked.named(table), asked.named(mean), asked.by, asked.confidence, notes)


def _mean(row: pd.Series, confidence: float) -> list[float]:
    """Opens per active day: a ratio of two sums over users, by its linearised variance (Cochran 1977, eq. 6.13)."""
    users, x, xx = (float(row[f"k1_{name}"]) for name in ("users", "x", "xx"))
    if not x:
        return [np.nan, np.nan, np.nan, 0]
    mean = float(row["o"]) / x
    squares = max(float(row["oo"]) - 2 * mean * float(row["ox"]) + mean * mean * xx, 0.0)
    if users < 2:
        return [mean, np.nan, np.nan, int(x)]
    half = special.stdtrit(users - 1, (1 + confidence) / 2) * np.sqrt(squares * users / (users - 1)) / x
    return [mean, max(mean - half, 1.0), mean + half, int(x)]


def time_between_visits(asked: ActivityQuestion) -> Engagement:
    """See `Activity.returns`."""
    low, high = asked.days
    active = asked.active(Calendar(asked.log.timezone))
    days = f"SELECT * EXCLUDE (opens) FROM ({active}) WHERE day BETWEEN {low} AND {high}"
    found = asked.frame(within(days, asked.groups, high, LENGTHS))
    table = asked.named(shares(found, asked.groups, LENGTHS, asked.confidence).drop(columns="retained"))
    empty = pd.DataFrame(columns=[*asked.by, "estimate", "low", "high", "n"])
    notes = ("an active day counts once the days after it are observed", *left_out(asked.log))
    return Engagement(table, empty, asked.by, asked.confidence, notes)
