"""Growth accounting: active users of each period as new, retained and resurrected, and those who churned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit.cohorts.filters import left_out
from toolkit.cohorts.groups import each_group, labelled
from toolkit.results import Result
from toolkit.wording import count, counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.periods import Calendar
    from toolkit.cohorts.question import ActivityQuestion

FLOWS = ["new", "retained", "resurrected", "churned"]


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

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import activity, read_events
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-05", "2019-11-06", "2019-11-05"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2, 3], "event": "open", "timestamp": days}))
    >>> growth = activity(log, observed_from="2019-11-04", observed_until="2019-11-07").growth("day")
    >>> growth.table[["active", "new", "retained", "churned"]].tail(2)
       active  new  retained  churned
    1       2    1         1        0
    2       1    1         0        2
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    period: str
    notes: tuple[str, ...] = field(default=(), repr=False)

    def sentence(self) -> str:
        """How many were active in the last period, and the flows that make their number."""
        parts = []
        for name, rows in each_group(self.table, self.by):
            if not len(rows):
                continue
            last = rows.iloc[-1]
            when = "on" if self.period == "day" else f"in the {self.period} of"
            text = f"{name}{': ' if name else ''}{counted(last['active'], 'user')} active {when} {last['start'].date()}"
            if not pd.isna(last["new"]):
                text += (
                    f", of whom {count(last['new'])} new, {count(last['retained'])} retained and "
                    f"{count(last['resurrected'])} resurrected; {count(last['churned'])} of the {self.period} before "
                    "churned"
                )
            parts.append(text)
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{'; '.join(parts) or f'No {self.period} is fully observed'}{notes}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Flows as bars above and below zero."""
        from toolkit.cohorts import plots

        return plots.growth(self.table, self.period, ax)


def growth_accounting(asked: ActivityQuestion, periods: Calendar) -> Growth:
    """See `Activity.growth`."""
    user, groups = ", ".join(["u", *asked.groups]), "".join(f"{name}, " for name in asked.groups)
    begun = periods.number(asked.span[0])
    low, high = periods.first_whole(asked.since), periods.number(asked.until)
    over = f"OVER (PARTITION BY {user} ORDER BY day)"
    # Users who churned count in the period after their last one.
    found = asked.frame(
        f"WITH flows AS (SELECT *, lag(day) {over} AS earlier, lead(day) {over} AS later "
        f"FROM ({asked.active(periods)})) "
        f"SELECT {groups}p, sum(active) AS active, sum(fresh) AS new, sum(kept) AS retained, sum(back) AS resurrected, "
        f"sum(gone) AS churned FROM (SELECT {groups}day AS p, 1 AS active, "
        "CASE WHEN earlier IS NULL THEN 1 ELSE 0 END AS fresh, CASE WHEN earlier = day - 1 THEN 1 ELSE 0 END AS kept, "
        "CASE WHEN earlier < day - 1 THEN 1 ELSE 0 END AS back, "
        f"0 AS gone FROM flows UNION ALL SELECT {groups}day + 1, 0, 0, 0, 0, 1 FROM flows WHERE later IS NULL "
        f"OR later > day + 1) GROUP BY {groups}p ORDER BY {''.join(f'{name} NULLS LAST, ' for name in asked.groups)}p"
    )
    numbers = np.arange(low, high)
    starts = pd.Series(pd.to_datetime([periods.first_day(int(number)) for number in numbers])).astype(
        "datetime64[us]"
    )
    frames = []
    for _, own in each_group(found, asked.groups):
        counts = own.set_index("p")[["active", *FLOWS]].reindex(numbers, fill_value=0).reset_index(drop=True)
        counts = counts.astype("int64").astype("Int64")
        counts.loc[numbers <= begun, FLOWS] = pd.NA
        counts.insert(0, "start", starts)
        frames.append(labelled(counts, own, asked.groups))
    columns = [*asked.groups, "start", "active", *FLOWS]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    notes = ("users from before the log count as new when first seen", *left_out(asked.log))
    return Growth(asked.named(table[columns]), asked.by, periods.unit, notes)
