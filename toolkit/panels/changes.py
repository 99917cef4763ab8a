"""`ChangePanel`: the first day of a change, the spans compared and the properties looked into as controls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toolkit import style
from toolkit.changes import WhatChanged, plots, what_changed
from toolkit.changes.answer import compared
from toolkit.changes.daily import HoldsSteps, counted, properties
from toolkit.changes.spans import LEAST
from toolkit.counts import confidence_level
from toolkit.funnels import Step
from toolkit.logs.events import EventLog
from toolkit.panels.calls import Call
from toolkit.panels.controls import switch
from toolkit.panels.dates import Dates
from toolkit.panels.faces import painted
from toolkit.panels.panel import Panel
from toolkit.wording import count, interval_level, percent, points, points_interval

#: Segments of a property in the figure: those that add most.
MOST: Final = 3
#: Inches of the figure for each row, for the rate by day, and at the top, between the two axes and at the foot.
ROW, COURSE, TOP, BETWEEN, FOOT = 0.24, 1.9, 0.4, 0.55, 0.55


class ChangePanel(Panel):
    """Move the first day of a change and the spans on its sides, and see which step and which segment it comes from.

    Days are counted once, when the panel opens, from the log's index where it has one: moving a control counts
    nothing again.

    Parameters
    ----------
    log_or_counts, steps, within, cluster
        As for `toolkit.what_changed`.
    at : date, optional
        First day of the change to begin with; if not given, the one in the middle.
    by : str or list of str
        Properties, each with a switch; all are looked into to begin with.
    confidence : float
        Of the intervals, between 0 and 1.
    source : str
        What the counts are, such as "Simulated log": it stands in the figure's title.

    Attributes
    ----------
    date : SelectionSlider
        Through the days that have at least two with counts on each side.
    day : DatePicker
        The same, to be typed; a day without counts means the next one that has some.
    before, after : SelectionSlider
        How many days of each side are compared; the last position takes them all.
    by : dict of str to Checkbox
        By property, whether mix, rate and segments of it are asked for.
    result : WhatChanged

    Raises
    ------
    ValueError
        As `toolkit.what_changed`, and for fewer than four days with counts.

    Examples
    --------
    >>> days = pd.date_range("2024-06-01", periods=8)
    >>> rows = [(day, step, n) for at, day in enumerate(days)
    ...         for step, n in (("enter", 1000), ("click", 300 + at % 2), ("pay", (90 if at < 4 else 60) + at % 3))]
    >>> panel = ChangePanel(pd.DataFrame(rows, columns=["date", "step", "n"]), at="2024-06-05")
    >>> panel
    ChangePanel: pay of enter since 2024-06-05, −3.0 points (−3.1 to −2.8)
    >>> panel.before.value = 3
    >>> panel.code.value
    "what_changed(counts, before=('2024-06-02', '2024-06-05'), after=('2024-06-05', '2024-06-09'))"
    """

    question = "What changed: since when, at which step, in which segment?"
    result: WhatChanged

    def __init__(
        self,
        log_or_counts: EventLog | pd.DataFrame | HoldsSteps,
        steps: Sequence[str | Step] | None = None,
        *,
        at: Any = None,
        by: str | Sequence[str] = (),
        within: str | pd.Timedelta | None = None,
        cluster: str = "day",
        confidence: float = 0.95,
        source: str = "",
    ) -> None:
        self._given, self._source = log_or_counts, source
        self._confidence = confidence_level(confidence)
        self._options = {
            "steps": None if steps is None else list(steps),
            "within": str(within) if isinstance(within, pd.Timedelta) else within,
            "cluster": cluster,
            "confidence": self._confidence,
        }
        counts = "counts" if isinstance(log_or_counts, pd.DataFrame) else "export"
        self._named = "log" if isinstance(log_or_counts, EventLog) else counts
        self._counts = counted(log_or_counts, steps, by=by, within=within, cluster=cluster)
        self._days = pd.to_datetime(self._counts.days, unit="D")
        size = len(self._days)
        if size < 2 * LEAST:
            raise ValueError(
                f"there are {size} days with counts; a change needs {LEAST} or more on each side, so {2 * LEAST}"
            )
        self._first = size // 2 - LEAST if at is None else self._place(at)

        inner = self._days[LEAST : size - LEAST + 1]
        self._dates = Dates("first day after", [(f"{day:%Y-%m-%d, %a}", day) for day in inner], self._place)
        self.date, self.day = self._dates.slider, self._dates.typed
        # A span of more than half of the days differs from all of them at few dates only.
        lengths = [(f"{days} days", days) for days in range(LEAST, self._length // 2)] + [
            ("all", self._length)
        ]
        self.before, self.after = (
            widgets.SelectionSlider(
                options=lengths,
                description=f"days {side} it",
                continuous_update=False,
                layout={"width": "36em"},
            )
            for side in ("before", "after")
        )
        self.by = {name: switch(f"mix or rate by {name}") for name in properties(by)}
        boxes = widgets.HBox([*self.by.values()], layout={"flex_flow": "row wrap", "margin": "0 0 0 11.5em"})
        super().__init__([self.date, self.day, self.before, self.after, *([boxes] if self.by else [])])

    @property
    def _length(self) -> int:
        """Calendar days from the first to the last."""
        return int((self._days[-1] - self._days[0]).days) + 1

    def _place(self, at: Any) -> int:
        """The number of the first day on or after a date, if there are enough days on both sides."""
        try:
            day = pd.Timestamp(at).tz_localize(None)
        except (TypeError, ValueError) as error:
            raise ValueError(f"at={at!r} is not a date; write '2024-11-03'") from error
        place = int(np.searchsorted(self._days, day))
        if not LEAST <= place <= len(self._days) - LEAST:
            raise ValueError(
                f"{day:%Y-%m-%d} has fewer than {LEAST} days with counts on a side; they run from "
                f"{self._days[0]:%Y-%m-%d} to {self._days[-1]:%Y-%m-%d}"
            )
        return place - LEAST

    def _begin(self) -> None:
        self._dates.put(self._first)
        self.before.value = self.after.value = self._length
        for box in self.by.values():
            box.value = True

    def _follow(self, moved: widgets.Widget) -> None:
        self._dates.follow(moved)

    def _call(self) -> Call:
        day = self._days[self._dates.place() + LEAST]
        spans: dict[str, Any] = {"at": day}
        if {self.before.value, self.after.value} != {self._length}:
            lengths = [pd.Timedelta(one.value, "D") for one in (self.before, self.after)]
            end = self._days[-1] + pd.Timedelta(1, "D")
            spans = {
                "before": (max(day - lengths[0], self._days[0]), day),
                "after": (day, min(day + lengths[1], end)),
            }
        chosen = [name for name, box in self.by.items() if box.value]
        by: str | list[str] = chosen[0] if len(chosen) == 1 else chosen
        asked = partial(compared, self._counts, **spans, by=by, confidence=self._confidence)
        return Call(
            what_changed, self._given, self._named, {**self._options, **spans, "by": by or ()}, kept=asked
        )

    def _numbers(self) -> list[tuple[str, str]]:
        """The change, the step that adds most, and of each property the segment that does."""
        whole, first, last = self.result.table.iloc[0], self.result.steps[0], self.result.steps[-1]
        level = interval_level(self.result.confidence)
        n = f"n = {count(whole['n_after'])} and {count(whole['n_before'])}"
        rates = f"{percent(whole['after'])} after, {percent(whole['before'])} before"
        numbers = [(whole, f"{last} of {first}: {rates} ({level} {_range(whole)}; {n})")]
        steps = self._part("step")
        top = steps.loc[steps["estimate"].abs().idxmax()]
        numbers.append((top, f"of it from {self._from(top['name'])} to {top['name']} ({_range(top)})"))
        for name, own in self.result.table[self.result.table["property"] != ""].groupby("property"):
            mix, rate = (points(own.set_index("part").loc[part, "estimate"]) for part in ("mix", "rate"))
            top = own[own["part"] == "segment"].iloc[0]
            said = f"of it from {_label(top['name'])} ({_range(top)})"
            numbers.append((top, f"{said}; by {name} the rate adds {rate}, the mix {mix}"))
        return [(points(row["estimate"]), what) for row, what in numbers]

    def _part(self, part: str) -> pd.DataFrame:
        return self.result.table[self.result.table["part"] == part]

    def _from(self, step: str) -> str:
        return self.result.steps[self.result.steps.index(step) - 1]

    def _caveat(self) -> str:
        """Whether it is more than days differ, and how usual it is."""
        sure = int((self.result.table["p_adjusted"] < 1 - self.result.confidence).sum())
        told = "No more than days differ: none" if self.result.quiet else f"{sure}"
        return (
            f"{told} of {self.result.tests} numbers (change, steps, mix, rate, segments) "
            f"{'is' if sure < 2 else 'are'} distinguishable from 0 after Holm; intervals stand on how much days "
            f"differ. {self.result.usual()} It says when and where, not why."
        )

    def _draw(self) -> tuple[bytes, str]:
        """The rate by day; below, what steps, mix, rate and the largest segments add to the change."""
        table, answer = self.result.table, self.result
        kept = table["part"].isin(["step", "mix", "rate"])
        kept |= (table["part"] == "segment") & (table.groupby(["property", "part"]).cumcount() < MOST)
        rows = table[kept].assign(sure=table["p_adjusted"] < 1 - answer.confidence)
        rows["said"] = [_said(*row) for row in zip(rows["part"], rows["property"], rows["name"], strict=True)]
        title = f"{self._source}: {answer.finding()}" if self._source else answer.finding()
        heights = [COURSE, ROW * len(rows)]
        height = sum(heights) + TOP + BETWEEN + FOOT

        def paint(figure: Figure) -> Axes:
            above: Axes
            above, below = figure.subplots(2, height_ratios=heights)
            levels = {side: float(table.iloc[0][side]) for side in ("before", "after")}
            plots.course(answer.curve, levels=levels, title=title, steps=answer.steps, ax=above)
            plots.parts(rows, ax=below)
            return above

        margins = {"left": 0.3, "right": 0.97, "top": 1 - TOP / height, "bottom": FOOT / height}
        return painted(paint, height, margins={**margins, "hspace": BETWEEN / (sum(heights) / 2)})

    def __repr__(self) -> str:
        whole = self.result.table.iloc[0]
        return (
            f"ChangePanel: {self.result.steps[-1]} of {self.result.steps[0]} since {self.date.value:%Y-%m-%d}, "
            f"{points(whole['estimate'])} ({_range(whole)})"
        )


def _range(row: pd.Series) -> str:
    return points_interval(row["low"], row["high"])


def _label(name: str) -> str:
    return style.label(name, english=True)


def _said(part: str, column: str, name: str) -> str:
    """A row's name in the figure."""
    if part == "step":
        return f"to {name}"
    return _label(name) if part == "segment" else f"{column}: {part}"
