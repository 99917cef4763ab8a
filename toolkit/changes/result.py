"""The answer of `what_changed`: table, sentence and figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, points, points_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: With fewer earlier pairs of spans nothing is said of how usual a change is.
LEAST_PAIRS = 4


@dataclass(frozen=True, repr=False, eq=False)
class WhatChanged(Result):
    """What a change of a rate consists of. Made by `what_changed`.

    Attributes
    ----------
    table : DataFrame
        `part` ("change", "step", "mix", "rate", "segment"), `property`, `name`, `before` and `after` (the rate: of a
        step from the one before, else end to end), `estimate` (what it adds to the change), `low`, `high`, `share` of
        the change, `n_before`, `n_after`, `p` and `p_adjusted` (Holm).
    steps : tuple of str
    placebo : array
        Sizes of the changes between neighbouring earlier spans of the same length.
    days : (int, int)
        Before and after.
    curve : DataFrame
        `day`, `rate`, `n`, `side`.
    left_out : int
        Days at the end whose window is not over.
    notes : tuple of str
        What a reader must know of how the counts came about.

    Examples
    --------
    >>> from toolkit import what_changed
    >>> days = pd.date_range("2024-06-01", periods=8).astype(str)
    >>> rows = [(day, step, n) for at, day in enumerate(days)
    ...         for step, n in (("enter", 1000), ("pay", (90 if at < 4 else 60) + at % 3))]
    >>> found = what_changed(pd.DataFrame(rows, columns=["date", "step", "n"]), at="2024-06-05")
    >>> found.sentence().partition(";")[0]
    'Of those at enter, 6.1 % reached pay after and 9.1 % before: it fell by 3.0 points (95 % interval 2.8 to 3.1'
    """

    table: pd.DataFrame
    steps: tuple[str, ...]
    confidence: float
    placebo: np.ndarray = field(repr=False)
    days: tuple[int, ...]
    curve: pd.DataFrame = field(repr=False)
    left_out: int = 0
    notes: tuple[str, ...] = ()

    rates: ClassVar = frozenset({"before", "after", "share"})
    differences: ClassVar = frozenset({"estimate", "low", "high"})

    @property
    def quiet(self) -> bool:
        """Whether no change of a step or segment is distinguishable from none, after Holm."""
        return not bool((self.table["p_adjusted"] < 1 - self.confidence).any())

    @property
    def tests(self) -> int:
        """How many p values were adjusted together."""
        return int(self.table["p"].notna().sum())

    def sentence(self) -> str:
        """The change with its interval, the step and segments it comes from, and whether such swings are usual."""
        whole = self.table.iloc[0]
        moved = "rose" if whole["estimate"] > 0 else "fell"
        text = (
            f"Of those at {self.steps[0]}, {percent(whole['after'])} reached {self.steps[-1]} after and "
            f"{percent(whole['before'])} before: it {moved} by {points(abs(whole['estimate']), sign=False)} "
            f"({self._moved(whole)}; n = {count(whole['n_after'])} in {counted(self.days[1], 'day')} and "
            f"{count(whole['n_before'])} in {self.days[0]})"
        )
        if self.quiet:
            text += (
                f", no more than days differ: no step and no segment changed distinguishably (Holm over "
                f"{self.tests} tests)"
            )
        else:
            text += f". {self._steps()}{self._segments()} (Holm over {self.tests} tests, intervals over days)"
        return f"{text}. {self.usual()}"

    def usual(self) -> str:
        """How often neighbouring earlier spans differed as much, and what is to be known of the counts."""
        open_days = (
            f". {counted(self.left_out, 'day')} at the end {'is' if self.left_out == 1 else 'are'} left out: "
            f"windows not over"
            if self.left_out
            else ""
        )
        told = "".join(f"; {note}" for note in self.notes)
        return f"{self._usual(abs(float(self.table.iloc[0]['estimate'])))}{open_days}{told}."

    def finding(self) -> str:
        """The step that most of the change is, or that there is none, in a few words: the figure's title."""
        return "no more than days differ" if self.quiet else self._steps().partition(" (")[0]

    def plot(self, ax: Axes | None = None) -> Axes:
        """The rate by day, before and after, and each side's level."""
        from toolkit.changes import plots

        levels = {side: float(self.table.iloc[0][side]) for side in ("before", "after")}
        return plots.course(self.curve, levels=levels, title=self.finding(), steps=self.steps, ax=ax)

    def _moved(self, row: pd.Series) -> str:
        """The interval of a rise or a fall as such: a fall by 3 points lies between 2.8 and 3.1."""
        low, high = (row["low"], row["high"]) if row["estimate"] > 0 else (-row["high"], -row["low"])
        return f"{interval_level(self.confidence)} {points_interval(low, high)}"

    def _range(self, row: pd.Series) -> str:
        return points_interval(row["low"], row["high"])

    def _steps(self) -> str:
        steps = self.table[self.table["part"] == "step"]
        top = steps.loc[steps["estimate"].abs().idxmax()]
        before = self.steps[self.steps.index(top["name"]) - 1]
        sure = "" if top["p_adjusted"] < 1 - self.confidence else ", not distinguishable from 0 by itself"
        return (
            f"{_share(top['share'])} of the change is {before} to {top['name']} ({percent(top['before'])} before, "
            f"{percent(top['after'])} after; it adds {points(top['estimate'])}, {self._range(top)}{sure})"
        )

    def _segments(self) -> str:
        said = []
        for name, own in self.table[self.table["property"] != ""].groupby("property", sort=False):
            own = own.set_index("part")
            more = max(("mix", "rate"), key=lambda part: abs(own.loc[part, "estimate"]))
            top = own.loc[["segment"]].iloc[0]
            said.append(
                f"by {name} it is {more}, {points(own.loc[more, 'estimate'])} "
                f"({self._range(own.loc[more])}), "
                f"and most of all {top['name']}, {points(top['estimate'])} ({self._range(top)})"
            )
        return f"; {'; '.join(said)}" if said else ""

    def _usual(self, change: float) -> str:
        pairs = self.placebo[~np.isnan(self.placebo)]
        if len(pairs) < LEAST_PAIRS:
            return (
                f"How usual such a change is cannot be told: there are {counted(len(pairs), 'earlier pair')} of "
                f"neighbouring spans as long, and {LEAST_PAIRS} are needed"
            )
        as_much = int((pairs >= change).sum())
        usual = ": an ordinary swing" if as_much / len(pairs) > 0.1 else ""
        return (
            f"Of {len(pairs)} earlier pairs of neighbouring spans as long, {as_much} differed as much{usual}"
        )


def _share(share: float) -> str:
    return "Most" if np.isnan(share) else percent(share, 0).replace("-", "−")
