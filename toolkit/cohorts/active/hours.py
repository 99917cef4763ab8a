"""Active users by hour: how many in each hour of the log's clock, and the rhythm of the day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from toolkit.cohorts.groups import each_group, labelled
from toolkit.cohorts.periods import HOUR, Calendar
from toolkit.counts import refuse_taken
from toolkit.logs.times import zone
from toolkit.wording import count, counted

if TYPE_CHECKING:
    from toolkit.cohorts.question import ActivityQuestion

#: Hours in some ten years; more are a slip.
MOST_HOURS = 100_000


@dataclass(frozen=True, eq=False)
class Hours:
    """Users of each hour that is fully observed.

    Attributes
    ----------
    table : DataFrame
        `by`, `hour` (its beginning on the log's clock), `active` (distinct users).
    by : tuple of str
    """

    table: pd.DataFrame
    by: tuple[str, ...]

    columns: ClassVar = ("hour", "active")

    @cached_property
    def profile(self) -> pd.DataFrame:
        """The rhythm of the day: `by`, `clock` (0 to 23), `mean`, `least` and `most` active users, `days`."""
        frames = []
        for _, own in each_group(self.table, self.by):
            grouped = own.groupby(own["hour"].dt.hour)["active"]
            frame = (
                grouped.agg(mean="mean", least="min", most="max", days="count")
                .rename_axis("clock")
                .reset_index()
            )
            frames.append(labelled(frame, own, self.by))
        columns = [*self.by, "clock", "mean", "least", "most", "days"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def sentences(self) -> list[str]:
        """Of each group the last hour, and the busiest and the quietest hour of the day."""
        parts = []
        for (name, own), (_, day) in zip(
            each_group(self.table, self.by), each_group(self.profile, self.by), strict=True
        ):
            if not len(own):
                continue
            last = own.iloc[-1]
            text = f"{name}{': ' if name else ''}{counted(last['active'], 'user')} active in the hour from "
            text += f"{last['hour']:%Y-%m-%d %H:%M}"
            if len(day) > 1:
                most, least = day.loc[day["mean"].idxmax()], day.loc[day["mean"].idxmin()]
                text += f"; most at {_said(most)}; fewest at {_said(least)}"
            parts.append(text)
        return parts


def _said(row: pd.Series) -> str:
    return (
        f"{int(row['clock']):02}:00, {count(row['mean'])} on average ({count(row['least'])} to {count(row['most'])} "
        f"over {counted(row['days'], 'day')})"
    )


def hours(asked: ActivityQuestion) -> Hours:
    """Count the users of each hour; an hour that the clock shows twice is one, an hour that it leaves out none."""
    refuse_taken(asked.by, Hours.columns)
    clock, timezone = Calendar(asked.log.timezone), asked.log.timezone
    begin, end = (
        pd.Timestamp(at, unit="us", tz="UTC").tz_convert(zone(timezone)).tz_localize(None)
        for at in (asked.since, asked.until)
    )
    size = (end - begin) // pd.Timedelta(1, "h")
    if size > MOST_HOURS:
        raise ValueError(
            f"period='hour' makes {size:,} hours; take a shorter span, observed_from= to observed_until="
        )
    labels = pd.date_range(begin.ceil("h"), end.floor("h"), freq="h", inclusive="left")
    there = labels.tz_localize(timezone, nonexistent="NaT", ambiguous=np.ones(len(labels), bool)).notna()
    labels = labels[there].as_unit("us")
    groups = "".join(f"{name}, " for name in asked.groups)
    dated = (
        f"SELECT u, {groups}{clock.hours('t', *asked.span)} AS h FROM ({asked.source(asked.visits, by=True)})"
    )
    found = asked.frame(
        f"SELECT {groups}h, count(DISTINCT u) AS n FROM ({dated}) GROUP BY {groups}h "
        f"ORDER BY {''.join(f'{name} NULLS LAST, ' for name in asked.groups)}h"
    )
    numbers = (labels - pd.Timestamp(0)) // pd.Timedelta(HOUR, "us")
    frames = []
    for _, own in each_group(found, asked.groups):
        counts = own.set_index("h")["n"].reindex(numbers, fill_value=0).to_numpy("int64")
        frames.append(labelled(pd.DataFrame({"hour": labels, "active": counts}), own, asked.groups))
    columns = [*asked.groups, *Hours.columns]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return Hours(asked.named(table), asked.by)
