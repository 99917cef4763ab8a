"""The answer of a funnel by period of the entry: how its rates went over time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.funnels import comparison, durations
from toolkit.funnels.paths import count_units
from toolkit.funnels.periods import Period, counts_sql
from toolkit.funnels.question import Question
from toolkit.funnels.result import Funnel
from toolkit.funnels.sql import windows
from toolkit.funnels.step_counts import StepCounts
from toolkit.logs.servers.stand_in import Dialect, elsewhere
from toolkit.progress import followed
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
    questions : tuple of Question
        Each period as it would be asked for alone.

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
    questions: tuple[Question, ...] = field(default=(), repr=False)

    @cached_property
    def complete(self) -> PeriodFunnel:
        """The same of complete periods alone: those in which the windows of all who entered are over.

        Raises
        ------
        ValueError
            Where no period is complete.
        """
        kept = self._of(self.over)
        if not len(kept.groups):
            raise ValueError(
                f"no {self.period} is complete: without a window none ever is, and with one it must be over by the end "
                "of the log; take a shorter within="
            )
        number = len(self.questions)
        asked = tuple(one for one, over in zip(self.questions, self.over[:number], strict=True) if over)
        return replace(self, step_counts=kept, over=np.ones(len(kept.groups), bool), questions=asked)

    @cached_property
    def times(self) -> durations.Times:
        """How long it takes from entering to each later step, by period: each is `Funnel.times` of its entries alone.

        Only of periods whose windows are over, unless there is no window. `.table` has `period` after the `by`
        columns; a group of `.curve` is a group in a period.
        """
        whole = self if not self.over.any() else self.complete
        labels = list(dict.fromkeys(whole.step_counts.groups["period"]))
        texts = list(dict.fromkeys(text[-1] for text in whole.step_counts.texts))
        tables, curves = [], []
        for question, label, text in followed(
            list(zip(whole.questions, labels, texts, strict=True)), "periods"
        ):
            units = count_units(question, "auto")
            found = Funnel(StepCounts.of_units(units), self.confidence).times
            tables.append(found.table.assign(period=label))
            named = [f"{name} {text}".strip() for name in found.curve["group"]]
            curves.append(found.curve.assign(group=named))
        table = pd.concat(tables, ignore_index=True)
        own = [*self.by, *(name for name in table if name not in self.by)]
        return durations.Times(table[own], pd.concat(curves, ignore_index=True), self.steps, self.confidence)

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

    def sql(self, dialect: Dialect | None = None, *, table: str | None = None) -> str:
        """The query that counts this funnel by period, as an engine reads it. See `Funnel.sql`."""
        if not self.questions:
            raise ValueError("a query needs a log")
        first, last = self.questions[0].entries[0], self.questions[-1].entries[1]
        log = elsewhere(self.questions[0].log, dialect, table)
        question = replace(self.questions[0], log=log, entries=(first, last))
        entries = windows(replace(question, count="entries"))
        return question.log.engine.written(counts_sql(question, self.period, entries))

    def compare(self, to: Any = None) -> comparison.Comparison:
        """Periods and groups against one of them, as `Funnel.compare`; only periods whose window is over."""
        kept = self._of(self.over & (self.step_counts.reached[:, 0] > 0))
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

    def _of(self, rows: np.ndarray) -> StepCounts:
        """The counts of some rows of groups and periods."""
        counts, chosen = self.step_counts, np.flatnonzero(rows)
        return replace(
            counts,
            groups=counts.groups.iloc[chosen].reset_index(drop=True),
            texts=tuple(counts.texts[at] for at in chosen),
            reached=counts.reached[chosen],
            in_window=counts.in_window[chosen],
        )

    @property
    def _groups(self) -> list[str]:
        """Each row's group without its period."""
        return [group_name(text[:-1]) for text in self.step_counts.texts]
