"""Time to a second purchase with right-censored buyers: Kaplan-Meier curves, and a log-rank test between groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy import special

from toolkit.cohorts.groups import each_group, labelled
from toolkit.cohorts.periods import DAY
from toolkit.cohorts.purchases import first_purchases
from toolkit.intervals import wilson
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, p_value, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.question import PurchaseQuestion


#: Days since the first purchase of which the sentence speaks.
SOON, LATE = 30, 90


@dataclass(frozen=True, repr=False, eq=False)
class TimeToRepurchase(Result):
    """Share of buyers who have bought again, by days since their first purchase. Made by `Repurchase.waits`.

    Attributes
    ----------
    table : DataFrame
        `by`, `day` (whole days since the first purchase, the end included), `estimate` (bought again by then), `low`,
        `high` (pointwise), `n` (still at risk), `events`. Days without a second purchase have no row.
    by : tuple of str
    confidence : float
    days : DataFrame
        `by`, `day`, `again`, `censored`: buyers by the day of their second purchase, or of the end of observation.

    Notes
    -----
    1 - S(t), with S the Kaplan-Meier estimate of the share who have not bought again: buyers whose observation ends
    first are right-censored, which takes them to be like those who are followed longer.

    References
    ----------
    Kaplan & Meier (1958), JASA 53, 457-481.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events, repurchase
    >>> days = pd.to_datetime(["2019-11-01", "2019-11-08", "2019-11-03", "2019-11-10"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2, 3], "event": "pay", "timestamp": days}))
    >>> repurchase(log, observed_until="2019-11-30").waits.table[["day", "estimate", "n", "events"]].round(2)
       day  estimate  n  events
    0    7      0.33  3       1
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    days: pd.DataFrame = field(repr=False)

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    def at(self, day: int) -> pd.DataFrame:
        """The curve at a number of days: `by`, `estimate`, `low`, `high`, `n` (still at risk).

        Missing beyond the day to which the last buyer is followed. Where nobody has bought again the interval is
        Wilson's, of 0 among those followed that long: Greenwood's variance is then 0.
        """
        if not day >= 0:
            raise ValueError(f"day={day!r}: days since the first purchase are 0 or more")
        lines = []
        for _, rows in each_group(self.days, self.by):
            steps = _curve(rows, self.confidence)
            known = steps[steps["day"] <= day]
            n = int((rows["again"] + rows["censored"])[rows["day"] >= day].sum())
            values = [np.nan] * 3
            if n and known.empty:
                values = [0.0, *(float(limit) for limit in wilson(0, n, confidence=self.confidence))]
            elif n:
                values = known[["estimate", "low", "high"]].iloc[-1].tolist()
            lines.append([*rows[list(self.by)].iloc[0], *values, n])
        return pd.DataFrame(lines, columns=[*self.by, "estimate", "low", "high", "n"])

    @cached_property
    def log_rank(self) -> tuple[float, float]:
        """Chi-squared and p value of the log-rank test that all groups have the same curve.

        References
        ----------
        Mantel (1966), Cancer Chemotherapy Reports 50, 163-170.
        """
        from statsmodels.duration.survfunc import survdiff

        if len(list(each_group(self.days, self.by))) < 2:
            raise ValueError("a log-rank test compares groups; ask repurchase with by=")
        time, status, group = [], [], []
        for place, (_, rows) in enumerate(each_group(self.days, self.by)):
            for column, event in (("again", 1), ("censored", 0)):
                repeats = rows[column].to_numpy()
                time.append(np.repeat(rows["day"].to_numpy(), repeats))
                status.append(np.full(repeats.sum(), event))
                group.append(np.full(repeats.sum(), place))
        chi, p = survdiff(*(np.concatenate(parts) for parts in (time, status, group)))
        return float(chi), float(p)

    def sentence(self) -> str:
        """How many have bought again by 30 and 90 days, group by group, and whether groups differ."""
        parts = []
        for place, (name, rows) in enumerate(each_group(self.days, self.by)):
            longest = int(rows["day"].max()) if len(rows) else 0
            said = []
            for day in [SOON, LATE][: 1 + (longest >= LATE)] if longest >= SOON else [longest]:
                row = self.at(day).iloc[place]
                said.append(
                    f"{percent(row['estimate'])} within {counted(day, 'day')} "
                    f"({percent_interval(row['low'], row['high'])}, n = {count(row['n'])} followed that long)"
                )
            parts.append(f"{name}{': ' if name else ''}{' and '.join(said)}")
        text = (
            f"Bought again (Kaplan-Meier, pointwise {interval_level(self.confidence)}s): {'; '.join(parts)}"
        )
        if len(parts) > 1:
            chi, p = self.log_rank
            text += f"; log-rank test of equal curves: chi-squared {chi:.1f}, p {_equals(p)}"
        return f"{text}; recent buyers are assumed to behave like earlier ones."

    def plot(self, ax: Axes | None = None) -> Axes:
        """A rising step for each group, with its interval, level from the last second purchase on to day 90."""
        from toolkit.cohorts import plots

        return plots.time_to_repurchase(self._followed(), self.by, ax)

    def _followed(self) -> pd.DataFrame:
        """The curves on to the last day that the sentence speaks of, as far as buyers were followed."""
        if self.days.empty:
            return self.table
        last = max(LATE, *self.table["day"]) if len(self.table) else LATE
        lines = []
        for place, (_, rows) in enumerate(each_group(self.days, self.by)):
            day = min(last, int(rows["day"].max()))
            steps = labelled(_curve(rows, self.confidence), rows, self.by)
            lines += [steps, self.at(day).iloc[[place]].assign(day=day)]
        return pd.concat(lines, ignore_index=True)


def time_to_repurchase(asked: PurchaseQuestion) -> TimeToRepurchase:
    """See `Repurchase.waits`."""
    groups = asked.groups
    # A second purchase counts on the day whose end it precedes, if that day was observed to its end.
    follow = f"(({asked.until} - 1 - first) // {DAY})"
    wait = f"((second - first + {DAY - 1}) // {DAY})"
    again = f"second IS NOT NULL AND {wait} <= {follow}"
    order = ", ".join([*(f"{group} NULLS LAST" for group in groups), "day"])
    days = asked.frame(
        f"SELECT {', '.join([*groups, 'day'])}, count(*) FILTER (again) AS again, "
        f"count(*) FILTER (NOT again) AS censored "
        f"FROM (SELECT *, {again} AS again, "
        f"CASE WHEN {again} THEN {wait} ELSE {follow} END AS day "
        f"FROM ({first_purchases(asked)})) GROUP BY {', '.join([*groups, 'day'])} ORDER BY {order}"
    )
    days = asked.named(days.astype(dict.fromkeys(("day", "again", "censored"), "int64")))
    frames = []
    for _, rows in each_group(days, asked.by):
        frames.append(labelled(_curve(rows, asked.confidence), rows, asked.by))
    columns = [*asked.by, "day", "estimate", "low", "high", "n", "events"]
    table = pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
    return TimeToRepurchase(table, asked.by, asked.confidence, days)


def _curve(days: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """One group's Kaplan-Meier curve, with intervals on the complementary log-log scale of Greenwood's variance.

    References
    ----------
    Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data, section 1.4.1.
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    time = np.repeat(days["day"].to_numpy(), 2)
    weights = days[["again", "censored"]].to_numpy().ravel()
    kept = weights > 0
    if not days["again"].sum():
        return pd.DataFrame({"day": [], "estimate": [], "low": [], "high": [], "n": [], "events": []}).astype(
            {"day": "int64", "n": "int64", "events": "int64"}
        )
    found = SurvfuncRight(time[kept], np.tile([1, 0], len(days))[kept], freq_weights=weights[kept])
    n, d, s = (np.asarray(value, float) for value in (found.n_risk, found.n_events, found.surv_prob))
    # With weights statsmodels 0.15 gives the error of the cumulative hazard, so Greenwood's is added up here.
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(d / (n * (n - d)))) / np.abs(np.log(s))
        z = special.ndtri((1 + confidence) / 2)
        low, high = (1 - s ** np.exp(sign * z * error) for sign in (-1, 1))
    ended = s <= 0
    low, high = np.where(ended, np.nan, low), np.where(ended, np.nan, high)
    return pd.DataFrame(
        {
            "day": found.surv_times.astype("int64"),
            "estimate": 1 - s,
            "low": low,
            "high": high,
            "n": n.astype("int64"),
            "events": d.astype("int64"),
        }
    )


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"
