"""The answer of `retention`: cells with rates and status, the pooled curve, next-day retention, a split, a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from toolkit.cohorts.curves import Curve, overlooked, pooled
from toolkit.cohorts.filters import left_out
from toolkit.cohorts.from_counts import cells_of
from toolkit.cohorts.next_day import NextDay, next_day
from toolkit.cohorts.periods import shown
from toolkit.cohorts.question import RetentionQuestion
from toolkit.cohorts.split import Split, split
from toolkit.counts import COMPLETE, PARTIAL, confidence_level
from toolkit.intervals import wilson
from toolkit.results import Result
from toolkit.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: With so few cohorts an interval rests on a guess of how much cohorts differ, or on none.
FEW = 5


@dataclass(frozen=True, repr=False, eq=False)
class Retention(Result):
    """Cohorts and who of them came back at which age. Made by `retention`, or by `Retention.from_counts`.

    Attributes
    ----------
    by : tuple of str
    period : {"day", "week", "month", "period"}
    kind : {"exact", "rolling", "bracket", "counts"}
    confidence : float
    path : {"sql", "stream", "index", "counts"}
        How it was counted.
    """

    cells: pd.DataFrame = field(repr=False)
    by: tuple[str, ...]
    period: str
    kind: str
    confidence: float
    question: RetentionQuestion | None = field(default=None, repr=False)
    remarks: tuple[str, ...] = field(default=(), repr=False)
    path: str = "counts"

    rates: ClassVar = frozenset({"rate", "low", "high"})

    @classmethod
    def from_counts(
        cls, frame: pd.DataFrame, *, period: str = "period", confidence: float = 0.95
    ) -> Retention:
        """The same result from a cohort table, for those who hold no log.

        Parameters
        ----------
        frame : DataFrame
            Tidy: `cohort`, `age`, `size`, `retained` (missing where the age has not come), and any columns to break
            down by. A `status` column ("complete", "partial", "future") is kept; without one, every number counts
            as complete.
        period : str
            What an age is called.
        confidence : float

        Raises
        ------
        ValueError
            For counts that are negative, fractional, missing or above their cohort's size, sizes that differ within
            a cohort, and cells given twice; the message names the row.

        Examples
        --------
        >>> table = pd.DataFrame({"cohort": ["w1", "w1", "w2"], "age": [0, 1, 0], "size": 50, "retained": [50, 20, 50]})
        >>> Retention.from_counts(table, period="week").curve().table[["age", "estimate", "n"]]
           age  estimate    n
        0    0       1.0  100
        1    1       0.4   50
        """
        cells, by, remarks = cells_of(frame)
        return cls(cells, by, period, "counts", confidence_level(confidence), remarks=remarks)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per group, cohort and age.

        Columns: `by`, `cohort` (its first day), `age` and `age_to` (the same but for brackets), `size`, `eligible`
        (users whose period is fully observed), `retained`, `retained_eligible` (of the eligible), `rate` (retained /
        size; so far, where the cell is partial), `low`, `high` (Wilson; missing where the cell is not complete),
        `status`.
        """
        table = self.cells.copy()
        share = table["retained"].astype("Float64").to_numpy(float, na_value=float("nan")) / table[
            "size"
        ].to_numpy(float)
        whole = (table["status"] == COMPLETE).to_numpy()
        low, high = wilson(
            table["retained_eligible"].to_numpy(float), table["eligible"].to_numpy(float), self.confidence
        )
        place = list(table.columns).index("status")
        for name, values in (("rate", share), ("low", low), ("high", high)):
            table.insert(place, name, pd.Series(values, index=table.index, dtype="float64"))
            place += 1
        table.loc[~whole, ["low", "high"]] = float("nan")
        return table

    @property
    def cohorts(self) -> pd.DataFrame:
        """One row per group and cohort: `by`, `cohort`, `size`."""
        return self.cells[[*self.by, "cohort", "size"]].drop_duplicates(ignore_index=True)

    def curve(self, by: str | Sequence[str] | None = None) -> Curve:
        """Retention by age, pooled over cohorts: sum of retained / sum of eligible, complete cells only.

        Parameters
        ----------
        by
            Columns of this result to keep apart: all of them if not given, () for none.
        """
        names = self.by if by is None else (by,) if isinstance(by, str) else tuple(by)
        return self._whole if names == self.by else self._pooled(names)

    @cached_property
    def _whole(self) -> Curve:
        return self._pooled(self.by)

    def _pooled(self, names: tuple[str, ...]) -> Curve:
        for name in names:
            if name not in self.by:
                raise ValueError(
                    f"by={name!r}: the cohorts were not split by it but by {list(self.by) or 'nothing'}"
                )
        table = pooled(self.cells, names, self.confidence)
        notes = (
            ["rolling: a younger cohort has had less time to be seen again"] if self.kind == "rolling" else []
        )
        return Curve(table, names, self.period, self.kind, self.confidence, (*notes, *self._unfinished()))

    @cached_property
    def d1(self) -> NextDay:
        """Next-day retention under both definitions in use, each with its name: new users, and active users."""
        return next_day(self._need_log("next-day retention"))

    def split(self, *, mix: str = "new_or_old", before: tuple[Any, Any], after: tuple[Any, Any]) -> Split:
        """Whether retention itself changed between two spans of time, or who was active.

        Parameters
        ----------
        mix : {"new_or_old", "age"} or a column of `by`
            Groups of the active users: in their first period or not; by age up to 4 and more; by first row's value.
        before, after : (from, to)
            Spans of time; periods that lie wholly inside count.

        Returns
        -------
        Split
            Retention of active users from one period to the next: its change, as mix and rate (Kitagawa), with the
            same fixed users followed through both spans beside it.
        """
        return split(self._need_log("a split"), mix, before, after)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What would mislead a reader of the curve."""
        rising = self.kind not in ("rolling", "bracket")
        found = overlooked(self.cells, self.by, self.period, self.confidence) if rising else []
        question = self.question
        if question is not None and len(self.cells):
            first = self.cohorts[self.cohorts["cohort"] == self.cohorts["cohort"].min()]
            began = question.calendar.number(question.span[0])
            if first["cohort"].iloc[0].date() == question.calendar.first_day(began):
                later = question.calendar.first_day(began + 1)
                found.append(
                    f"the log begins in the first cohort's {self.period}, so its "
                    f"{counted(first['size'].sum(), 'user')} may be new or old: born_from='{later}' leaves them out"
                )
        return tuple(found)

    def sentence(self) -> str:
        """How many came back, how sure that is, what was left out, and what may mislead."""
        if not len(self.cells):
            return f"Nobody was born into a cohort{self._caveats()}."
        cohorts = self.cohorts
        who = f"{counted(cohorts['size'].sum(), 'user')} in "
        who += counted(cohorts["cohort"].nunique(), f"{self.period} cohort")
        curve = self.curve().sentence().removesuffix(".").split("; rolling")[0]
        text = curve.removeprefix("Retention by age, ")
        for note in self._unfinished():
            text = text.replace(f"; {note}", "")
        return f"Of {who}, came back ({self._meaning()}), {text}{self._caveats()}."

    def _meaning(self) -> str:
        """What counts as coming back, in words."""
        question = self.question
        if question is None:
            return "as the counts define it"
        ages = {
            "exact": "at that age",
            "rolling": "at that age or later",
            "bracket": "at some age of the bracket",
        }
        clock = f"by the calendar of {question.log.timezone}"
        if question.clock == "elapsed":
            clock = f"in {question.length // 3_600_000_000} hours from the first row on"
        return f"{question.returns.said} {ages[self.kind]}, {clock}"

    def _unfinished(self) -> list[str]:
        partial = int((self.cells["status"] == PARTIAL).sum())
        return [f"{counted(partial, 'partial cell')} left out"] if partial else []

    def _caveats(self) -> str:
        notes = [*self._unfinished(), *self.warnings]
        question = self.question
        if question is not None:
            if not len(self.cells):
                notes.append(f"start: {question.start.said}")
                if question.born_from is not None:
                    begin = shown(question.born_from, question.log.timezone)
                    notes.append(f"users born before {begin} are left out (born_from)")
            elif not (self.cells["status"] == COMPLETE).any():
                notes.append(
                    f"no {self.period} is complete: observation ends {shown(question.until, question.log.timezone)}"
                )
            if question.start.sql == question.returns.sql:
                notes.append("the first row itself counts as a return at age 0")
            if question.kind == "rolling":
                notes.append("rolling: a younger cohort has had less time to be seen again")
            notes += left_out(question.log)
        cohorts = self.cells["cohort"].nunique()
        if 1 <= cohorts <= FEW:
            notes.append(f"{counted(cohorts, 'cohort')} can hardly tell how much cohorts differ")
        notes += self.remarks
        return "".join(f"; {note}" for note in notes)

    def plot(self, ax: Axes | None = None) -> Axes:
        """A heat map of one group: partial cells hatched, future ones blank. Of several groups, their curves."""
        from toolkit.cohorts import plots

        groups = self.cells[list(self.by)].drop_duplicates() if self.by else [()]
        return plots.heat(self.table, self.period, ax) if len(groups) <= 1 else self.curve().plot(ax)

    def _need_log(self, what: str) -> RetentionQuestion:
        """The question behind the result, or an error that says what needs it."""
        if self.question is None:
            raise ValueError(
                f"{what} needs a log; a result from counts knows only how many of a cohort came back"
            )
        return self.question
