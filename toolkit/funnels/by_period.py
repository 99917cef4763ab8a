"""The answer of a funnel by period of the entry: how its rates went over time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.funnels import comparison
from toolkit.funnels.periods import Period
from toolkit.funnels.result import Funnel
from toolkit.funnels.step_counts import StepCounts
from toolkit.wording import count, counted, group_name, interval_level, percent, percent_interval, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class PeriodFunnel(Funnel):
    """A funnel by period of the entry. Made by `funnel(..., period=)`.

    `table` has a row for each group, period and step, and says in `complete` whether the window of all who entered in
    the period is over: the rates of others may yet rise.

    Attributes
    ----------
    period : {"hour", "day", "week", "month"}
    over : array of bool
        By group and period: whether the windows of all its entries are over.

    Examples
    --------
    >>> from toolkit import funnel, read_events
    >>> rows = {"user_id": [1, 1, 2, 3, 3], "event": ["enter", "pay", "enter", "enter", "pay"],
    ...         "timestamp": pd.to_datetime([f"2019-11-{time}" for time in (
    ...             "11 20:00", "11 20:09", "12 08:00", "13 09:00", "13 23:59")])}
    >>> days = funnel(read_events(pd.DataFrame(rows)), ["enter", "pay"], within="1h", period="day")
    >>> days.series("pay").tolist()
    [1.0, 0.0]
    """

    period: Period = "day"
    over: np.ndarray = field(default_factory=lambda: np.ones(0, bool), repr=False)

    @cached_property
    def table(self) -> pd.DataFrame:
        """As `Funnel.table`, with `period` after the `by` columns, and `complete`."""
        return super().table.assign(complete=np.repeat(self.over, len(self.steps)))

    def series(self, step: str | None = None, base: str | None = None) -> pd.Series | pd.DataFrame:
        """A rate by period, as `interrupted_time_series` takes it; periods whose window is not over are left out.

        Parameters
        ----------
        step : str, optional
            The last step, if not given.
        base : str, optional
            What it is a share of; the first step, if not given.

        Returns
        -------
        Series
            By period; with groups a DataFrame with a column each. Periods without entries are nan. The entries behind
            it are `reached` of `table`.
        """
        counts = self.step_counts
        rate = counts.rate(self.steps[-1] if step is None else step, self.steps[0] if base is None else base)
        values = np.where(self.over, rate.estimate, np.nan)
        frame = pd.DataFrame({"group": self._groups, "period": counts.groups["period"], "rate": values})
        frame = frame[self.over]
        wide = frame.pivot(index="period", columns="group", values="rate")
        freq = {"hour": "h", "day": "D", "week": "W-MON", "month": "MS"}[self.period]
        wide = wide[list(dict.fromkeys(frame["group"]))].asfreq(freq)
        wide.columns.name = None
        name = f"{self.steps[-1] if step is None else step} per {self.steps[0] if base is None else base}"
        return wide if len(self.by) > 1 else wide.iloc[:, 0].rename(name)

    def compare(self, to: Any = None) -> comparison.Comparison:
        """Periods and groups against one of them, as `Funnel.compare`; only periods whose window is over."""
        chosen = np.flatnonzero(self.over & (self.step_counts.reached[:, 0] > 0))
        counts = self.step_counts
        kept: StepCounts = replace(
            counts,
            groups=counts.groups.iloc[chosen].reset_index(drop=True),
            texts=tuple(counts.texts[at] for at in chosen),
            reached=counts.reached[chosen],
            in_window=counts.in_window[chosen],
        )
        if not isinstance(to, tuple) and to is not None and len(self.by) == 1:
            to = dates.single(to, "")
        return comparison.compare(kept, to, self.confidence)

    def sentence(self) -> str:
        """The range of the rate end to end over complete periods, the last of them, and how many are not over."""
        counts, parts = self.step_counts, []
        rate = counts.rate(self.steps[-1], self.steps[0])
        low, high = rate.interval(self.confidence)
        for name in dict.fromkeys(self._groups):
            known = np.flatnonzero(
                self.over & (counts.reached[:, 0] > 0) & np.array([own == name for own in self._groups])
            )
            if not len(known):
                parts.append(f"{name} has no complete {self.period}".strip())
                continue
            last, values = known[-1], rate.estimate[known]
            parts.append(
                f"{name + ' ' if name else ''}{percent(values.min())} to {percent(values.max())} over "
                f"{counted(len(known), self.period)}, {percent(rate.estimate[last])} "
                f"({interval_level(self.confidence)} "
                f"{percent_interval(low[last], high[last])}, n = {count(counts.reached[last, 0])}) in the last, "
                f"{counts.texts[last][-1]}"
            )
        unfinished = len(set(counts.groups["period"][~self.over]))
        still = (
            f"; the windows of {counted(unfinished, self.period)} at the end are not over, so that their rates "
            f"may yet rise"
            if unfinished
            else ""
        )
        return (
            f"Share of those at {self.steps[0]} that reached {self.steps[-1]}, by {self.period} of the entry: "
            f"{'; '.join(parts)}{still}; whoever enters in several periods counts in each."
        )

    def plot(self, ax: Axes | None = None, step: str | None = None) -> Axes:
        """The rate to a step from the first one over time: a line with a band a group, hollow where not complete."""
        from toolkit.funnels import axes

        chosen = self.steps[-1] if step is None else step
        if chosen not in self.steps:
            raise ValueError(unknown("step", chosen, self.steps, of="the funnel"))
        rows = (self.table["step"] == chosen).to_numpy()
        frame = self.table.loc[rows, ["period", "from_first", "first_low", "first_high", "complete"]]
        frame = frame.assign(group=self._groups)
        return axes.course(frame, step=chosen, first=self.steps[0], ax=ax)

    @property
    def _groups(self) -> list[str]:
        """Each row's group without its period."""
        return [group_name(text[:-1]) for text in self.step_counts.texts]
