"""Habits of the active: opens per day, time between visits, and the flows behind their number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy import special

from toolkit.cohorts.curves import headed, split
from toolkit.cohorts.filters import by_groups, left_out, sums, user_sums
from toolkit.cohorts.next_day import shares, within
from toolkit.cohorts.periods import Calendar
from toolkit.intervals import Rate
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.active_users import Visiting

#: Opens of a day that are told apart; the last stands for all above.
MOST_OPENS = 10
#: Days within which a visit is followed by another.
LENGTHS = (1, 2, 3, 7, 14, 30)


@dataclass(frozen=True, repr=False, eq=False)
class Habits(Result):
    """How often, or how soon again. Made by `Activity.opens` and `Activity.returns`.

    Attributes
    ----------
    table : DataFrame
        `by`, `opens` (in a day of an active user) or `within` (days), `estimate` (share of the active days), `low`,
        `high` (clustered by user), `n` (active days).
    means : DataFrame
        `by`, `estimate` (opens per active day), `low`, `high`, `n`; empty for returns.
    by : tuple of str
    confidence : float
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
        """The mean and the share of days with one open, or the shares that come again at once and in a week."""
        parts = []
        for place, (name, rows) in enumerate(split(self.table, self.by)):
            said = []
            if self.measure == "opens" and len(self.means):
                mean = self.means.iloc[place]
                said.append(
                    f"{mean['estimate']:.2f} opens ({mean['low']:.2f} to {mean['high']:.2f}) per active day, "
                    f"n = {count(mean['n'])} days"
                )
            wanted = rows[rows[self.measure].isin([1] if self.measure == "opens" else [1, 7])]
            for _, row in wanted[wanted["n"] > 0].iterrows():
                limits = f"{percent(row['estimate'])} ({percent_interval(row['low'], row['high'])})"
                if self.measure == "opens":
                    said.append(f"{limits} of days with a single one")
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

        return plots.habits(self, ax)


@dataclass(frozen=True, repr=False, eq=False)
class Growth(Result):
    """Flows of active users. Made by `Activity.growth`.

    Attributes
    ----------
    table : DataFrame
        `by`, `start` (first day of the period), `active`, `new` (never before), `retained` (active in the period
        before), `resurrected` (before, but not in the period before), `churned` (in the period before, not in this).
        active = new + retained + resurrected, and active = active before + new + resurrected - churned. The flows are
        missing in the log's first period, of which nothing earlier is known.
    by : tuple of str
    period : str
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    period: str
    notes: tuple[str, ...] = field(default=(), repr=False)

    def sentence(self) -> str:
        """The flows of the last period."""
        parts = []
        for name, rows in split(self.table, self.by):
            if not len(rows):
                continue
            last = rows.iloc[-1]
            text = f"{name}{': ' if name else ''}{counted(last['active'], 'user')} in the {self.period} of "
            text += str(last["start"].date())
            if not pd.isna(last["new"]):
                text += (
                    f", of whom {count(last['new'])} new, {count(last['retained'])} retained and "
                    f"{count(last['resurrected'])} back; {count(last['churned'])} of the {self.period} before are gone"
                )
            parts.append(text)
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{'; '.join(parts) or f'No {self.period} is fully observed'}{notes}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Flows as bars above and below zero."""
        from toolkit.cohorts import plots

        return plots.growth(self, ax)


def opens(asked: Visiting) -> Habits:
    """See `Activity.opens`."""
    low, high = asked.days
    inside = (
        f"SELECT * FROM ({asked.active(Calendar(asked.log.timezone))}) WHERE day BETWEEN {low} AND {high}"
    )
    unit, groups = ", ".join(["u", *asked.groups]), asked.groups
    own = ", ".join(
        f"count(*) FILTER (opens {'>=' if k == MOST_OPENS else '='} {k}) AS y{k}"
        for k in range(1, MOST_OPENS + 1)
    )
    products = "sum(o) AS o, sum(o * o) AS oo, sum(o * x) AS ox"
    chosen = [*groups, products, *(sums("x", f"y{k}", f"k{k}_") for k in range(1, MOST_OPENS + 1))]
    found = asked.frame(
        f"SELECT {', '.join(chosen)} FROM (SELECT {unit}, count(*) AS x, CAST(sum(opens) AS DOUBLE) AS o, {own} "
        f"FROM ({inside}) GROUP BY {unit}){by_groups(groups)}"
    ).rename(columns=dict(zip(groups, asked.by, strict=True)))
    lines, means = [], []
    for _, row in found.iterrows():
        names = [row[name] for name in asked.by]
        for k in range(1, MOST_OPENS + 1):
            own_sums = user_sums(row, f"k{k}_")
            rate = Rate.of_users(own_sums)
            lines.append([*names, k, rate.estimate, *rate.interval(asked.confidence), int(row[f"k{k}_x"])])
        means.append([*names, *_mean(row, user_sums(row, "k1_"), asked.confidence)])
    columns = ["estimate", "low", "high", "n"]
    table = pd.DataFrame(lines, columns=[*asked.by, "opens", *columns])
    kinds = {name: found[name].dtype for name in asked.by}
    notes = (f"{MOST_OPENS} opens stand for {MOST_OPENS} and more", *left_out(asked.log))
    return Habits(
        table.astype(kinds),
        pd.DataFrame(means, columns=[*asked.by, *columns]).astype(kinds),
        asked.by,
        asked.confidence,
        notes,
    )


def _mean(row: pd.Series, days: object, confidence: float) -> list[float]:
    """Opens per active day: a ratio of two sums over users, by its linearised variance (Cochran 1977, eq. 6.13)."""
    users, x, xx = (float(getattr(days, name)) for name in ("users", "x", "xx"))
    if not x:
        return [np.nan, np.nan, np.nan, 0]
    mean = float(row["o"]) / x
    squares = max(float(row["oo"]) - 2 * mean * float(row["ox"]) + mean * mean * xx, 0.0)
    if users < 2:
        return [mean, np.nan, np.nan, int(x)]
    half = special.stdtrit(users - 1, (1 + confidence) / 2) * np.sqrt(squares * users / (users - 1)) / x
    return [mean, max(mean - half, 1.0), mean + half, int(x)]


def returns(asked: Visiting) -> Habits:
    """See `Activity.returns`."""
    low, high = asked.days
    active = asked.active(Calendar(asked.log.timezone))
    days = f"SELECT * EXCLUDE (opens) FROM ({active}) WHERE day BETWEEN {low} AND {high}"
    found = asked.frame(within(days, asked.groups, high, LENGTHS))
    found = found.rename(columns=dict(zip(asked.groups, asked.by, strict=True)))
    table = shares(found, list(asked.by), LENGTHS, asked.confidence).drop(columns="retained")
    empty = pd.DataFrame(columns=[*asked.by, "estimate", "low", "high", "n"])
    notes = ("active days count once their days are over", *left_out(asked.log))
    return Habits(table, empty, asked.by, asked.confidence, notes)


def growth(asked: Visiting, periods: Calendar) -> Growth:
    """See `Activity.growth`."""
    unit, groups = ", ".join(["u", *asked.groups]), "".join(f"{name}, " for name in asked.groups)
    begun = periods.number(asked.span[0])
    low, high = periods.first_whole(asked.since), periods.number(asked.until)
    over = f"OVER (PARTITION BY {unit} ORDER BY day)"
    # Who churned is counted where they are missed, one period later.
    found = asked.frame(
        f"WITH flows AS (SELECT *, lag(day) {over} AS earlier, lead(day) {over} AS later "
        f"FROM ({asked.active(periods)})) "
        f"SELECT {groups}p, sum(active) AS active, sum(fresh) AS new, sum(kept) AS retained, sum(back) AS resurrected, "
        f"sum(gone) AS churned FROM (SELECT {groups}day AS p, 1 AS active, CAST(earlier IS NULL AS INT) AS fresh, "
        "CAST(coalesce(earlier = day - 1, FALSE) AS INT) AS kept, "
        "CAST(coalesce(earlier < day - 1, FALSE) AS INT) AS back, "
        f"0 AS gone FROM flows UNION ALL SELECT {groups}day + 1, 0, 0, 0, 0, 1 FROM flows WHERE later IS NULL "
        f"OR later > day + 1) GROUP BY ALL ORDER BY {''.join(f'{name} NULLS LAST, ' for name in asked.groups)}p"
    ).rename(columns=dict(zip(asked.groups, asked.by, strict=True)))
    flows = ["new", "retained", "resurrected", "churned"]
    numbers = np.arange(low, high)
    starts = pd.Series(pd.to_datetime([periods.first_day(int(number)) for number in numbers])).astype(
        "datetime64[us]"
    )
    frames = []
    for _, own in split(found, asked.by):
        counts = own.set_index("p")[["active", *flows]].reindex(numbers, fill_value=0).reset_index(drop=True)
        counts = counts.astype("int64").astype("Int64")
        counts.loc[numbers <= begun, flows] = pd.NA
        counts.insert(0, "start", starts)
        frames.append(headed(counts, own, asked.by))
    columns = [*asked.by, "start", "active", *flows]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    notes = ("users from before the log count as new when first seen", *left_out(asked.log))
    return Growth(table[columns], asked.by, periods.unit, notes)
