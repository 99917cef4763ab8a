"""The result of `retention`: cells with rates and status; pooled curve, next-day retention and a split of a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.cohorts import bitmaps
from toolkit.cohorts.comparison import FEW, PAIR, CohortComparison, compare_retention
from toolkit.cohorts.curves import Curve, overlooked, pooled
from toolkit.cohorts.filters import left_out, silent
from toolkit.cohorts.from_counts import cells_of
from toolkit.cohorts.groups import each_group
from toolkit.cohorts.next_day import NextDay, next_day
from toolkit.cohorts.pairs import retention_pair
from toolkit.cohorts.periods import shown
from toolkit.cohorts.question import RetentionQuestion
from toolkit.cohorts.split import Split, split
from toolkit.counts import COMPLETE, PARTIAL, confidence_level
from toolkit.intervals import wilson
from toolkit.logs.servers.stand_in import Dialect, elsewhere
from toolkit.results import Result
from toolkit.wording import count, counted, percent, percent_interval, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MEANINGS = {"exact": "in that {}", "rolling": "in that {} or later", "bracket": "in some {} of the bracket"}


@dataclass(frozen=True, repr=False, eq=False)
class Retention(Result):
    """Cohorts and how many of each came back, period by period. Made by `retention`, or by `Retention.from_counts`.

    Attributes
    ----------
    cells : DataFrame
        The counts of `table`, without rates and intervals.
    by : tuple of str
    period : {"day", "week", "month", "period"}
    kind : {"exact", "rolling", "bracket", "counts"}
    confidence : float
    path : {"sql", "stream", "index", "counts"}
        How rows were counted.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events, retention
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-05", "2019-11-12", "2019-11-13"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 2, 1, 3], "event": "open", "timestamp": days}))
    >>> retention(log, observed_until="2019-11-25").curve().table[["age", "estimate", "n"]]
       age  estimate  n
    0    0  1.000000  3
    1    1  0.333333  3
    2    2  0.000000  2
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
            Tidy: `cohort`, `age` (period number), `size`, `retained` (missing where the period has not come), and any
            columns to break down by. In place of `size`, or beside it, `eligible`: of each cell the users whose
            period is fully observed, of whom `retained` is then the count. A `status` column ("complete", "partial",
            "future") is kept; without one, every cell with a count is taken as complete, and the sentence says so.
            Zeros that fill exactly the periods that later cohorts cannot have reached are read as not observed.
        period : str
            What a period is called.
        confidence : float

        Raises
        ------
        TypeError
            If `frame` is no DataFrame.
        ValueError
            For a missing column, a column for each period (the message says how to melt it), counts that are
            negative, fractional, missing or above their cohort's size or eligible users, sizes that differ within a
            cohort, and cells given twice; the message names the row.

        Examples
        --------
        >>> import pandas as pd
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
        """One row per group, cohort and period.

        Columns: `by`, `cohort` (its first day), `age` and `age_to` (period numbers, the same but for brackets),
        `size`, `eligible` (users whose period is fully observed), `retained`, `retained_eligible` (of the eligible),
        `rate` (of the eligible; of the whole cohort so far, where the cell is partial), `low`, `high` (Wilson; missing
        where the cell is not complete), `status`.
        """
        table = self.cells.copy()
        whole = (table["status"] == COMPLETE).to_numpy()
        of = np.where(whole, table["eligible"], table["size"]).astype(float)
        share = table["retained"].astype("Float64").to_numpy(float, na_value=np.nan) / np.where(
            of > 0, of, np.nan
        )
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
        """Retention by period number, pooled over cohorts: sum of retained / sum of eligible, complete cells only.

        Parameters
        ----------
        by
            Columns of this result to keep apart: all of them if not given, () for none.

        Returns
        -------
        Curve

        Raises
        ------
        ValueError
            For a column that the cohorts are not broken down by.

        Notes
        -----
        Cells that are observed for some of their users only (right-censored) are left out. Wilson intervals, with n
        divided by a design effect, since users of one cohort resemble each other (Rao and Scott).

        References
        ----------
        Wilson (1927), JASA 22, 209-212. Rao & Scott (1992), Biometrics 48, 577-585.
        """
        names = self.by if by is None else (by,) if isinstance(by, str) else tuple(by)
        return self._whole if names == self.by else self._pooled(names)

    @cached_property
    def _whole(self) -> Curve:
        return self._pooled(self.by)

    def _pooled(self, names: tuple[str, ...]) -> Curve:
        for name in names:
            if name not in self.by:
                now = f"; they are by {some(self.by)}" if self.by else ""
                raise ValueError(
                    f"the cohorts are not broken down by {name!r}{now}: ask retention with by={name!r}"
                )
        table = pooled(self.cells, names, self.confidence)
        return Curve(table, names, self.period, self.kind, self.confidence, self._censored)

    def compare(self, to: Any = None) -> CohortComparison:
        """Differences and ratios, period by period, of every group and one of them, or of two results.

        Parameters
        ----------
        to
            The reference group: a value of `by`, or a tuple of values where there are several columns. The largest
            group if not given. Or another `Retention` of the same periods and kind, neither of them with groups:
            users whom both hold, if they are of one log, are allowed for.

        Returns
        -------
        CohortComparison
            Of the pooled rates of `curve`, with intervals, and p values adjusted by Holm over all of them.

        Raises
        ------
        ValueError
            For an unknown group, a result compared with itself, and results of other periods, kinds, clocks or
            brackets; the message names them.
        TypeError
            If `to` is a result of another kind.
        """
        notes = tuple(dict.fromkeys((self._meaning(), *self.warnings, *self.remarks)))
        compared = partial(compare_retention, period=self.period, confidence=self.confidence)
        if not isinstance(to, Result):
            return compared(self.cells, self.by, to, notes=notes)
        if not isinstance(to, Retention):
            raise TypeError(f"Retention.compare takes a group or a Retention, not {type(to).__name__}")
        pair = retention_pair(self, to)
        both = [
            note if note in own else f"{name}: {note}"
            for side, other, name in ((self, to, PAIR[0]), (to, self, PAIR[1]))
            for own in ((other._meaning(), *other.warnings, *other.remarks),)
            for note in (side._meaning(), *side.warnings, *side.remarks)
        ]
        notes = tuple(dict.fromkeys((*both, *pair.notes)))
        return compared(
            pair.cells, ("retention",), PAIR[1], alike=pair.alike, shared=pair.shared, notes=notes
        )

    @cached_property
    def d1(self) -> NextDay:
        """Next-day retention under both definitions in use, each with its name: new users, and active users."""
        return next_day(self._need_log("next-day retention"))

    def split(self, *, mix: str = "new_or_old", before: tuple[Any, Any], after: tuple[Any, Any]) -> Split:
        """Whether retention itself changed between two spans of time, or the composition of the active users.

        Parameters
        ----------
        mix : {"new_or_old", "age"} or a column of `by`
            Groups of the active users: in the period of their first event or a later one; by period number, 4 and
            above together; or by the value of their first row.
        before, after : (from, to)
            Spans of time; periods that lie wholly inside count.

        Returns
        -------
        Split
            Retention of active users from one period to the next: its change and the composition and rate component
            of that (Kitagawa decomposition), with the same fixed users followed through both spans beside it.

        Raises
        ------
        ValueError
            For a result from counts, a column that the cohorts are not broken down by, spans that overlap, and a span
            without a whole period.

        Notes
        -----
        With shares w and retention r of groups, 0 before and 1 after: mix = sum (w1 - w0) (r1 + r0) / 2 and
        rate = sum (r1 - r0) (w1 + w0) / 2, which add up to the change. That retention can rise while that of every
        group falls is Simpson's paradox.

        References
        ----------
        Kitagawa (1955), JASA 50, 1168-1194.
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
            if first["cohort"].iloc[0].date() == question.calendar.first_day(question.first):
                later = question.calendar.first_day(question.first + 1)
                found.append(
                    f"warning: the log begins in the first cohort's {self.period}, so its "
                    f"{counted(first['size'].sum(), 'user')} may be new or old: born_from='{later}' leaves them out"
                )
        return tuple(found)

    def sentence(self) -> str:
        """How many came back, how sure that is, of how many, what that means, and what may mislead."""
        if not len(self.cells):
            return f"No user has a first event{self._caveats()}."
        cohorts = self.cohorts
        who = f"{counted(cohorts['size'].sum(), 'user')} in "
        who += f"{counted(cohorts['cohort'].nunique(), 'cohort')} by {self.period}"
        return f"Came back: {self._whole.in_words}; of {who}; {self._meaning()}{self._caveats()}."

    def _meaning(self) -> str:
        """What counts as coming back, in words."""
        question = self.question
        if question is None:
            return "coming back is what the counts define"
        clock = f"by the calendar of {question.log.timezone}"
        if question.clock == "elapsed":
            clock = f"each of {question.length // 3_600_000_000} hours from the first event on"
        when = MEANINGS[self.kind].format(self.period)
        return f"coming back is {question.returns.said} {when}, {clock}"

    @property
    def _censored(self) -> tuple[str, ...]:
        """Notes on cells that are observed in part, and on what the end of observation does to the others."""
        partial = int((self.cells["status"] == PARTIAL).sum())
        notes = [f"{counted(partial, 'partial cell')} left out (right-censored)"] if partial else []
        if self.kind == "rolling":
            notes.append("on or after: younger cohorts have had less time to be seen again")
        return tuple(notes)

    def _caveats(self) -> str:
        notes = [*self._censored, *self.warnings]
        question = self.question
        if question is not None:
            if not len(self.cells):
                notes = [f"start: {question.start.said}"]
                if question.born_from is not None:
                    begin = shown(question.born_from, question.log.timezone)
                    notes.append(f"users whose first event is before {begin} are left out (born_from)")
            elif not (self.cells["status"] == COMPLETE).any():
                notes.append(
                    f"no {self.period} is complete: observation ends {shown(question.until, question.log.timezone)}"
                )
            if len(self.cells):
                notes += self._started(question)
            notes += [*silent(question.log, question.until), *left_out(question.log)]
        cohorts = self.cells["cohort"].nunique()
        if 1 <= cohorts <= FEW:
            notes.append(f"{counted(cohorts, 'cohort')} can hardly tell how much cohorts differ")
        notes += self.remarks
        return "".join(f"; {note}" for note in notes)

    def _started(self, question: RetentionQuestion) -> list[str]:
        """What period 0 holds, and where returns are other events, who returned without ever starting."""
        start, returns = question.start, question.returns
        if start.sql == returns.sql or returns.all:
            return [f"the first event itself counts as a return in {self.period} 0"]
        known = self._whole.table
        known = known[(known["age"] == 0) & (known["age_to"] == 0) & (known["n"] > 0)]
        rates = [
            f"{name}{': ' if name else ''}{percent(row['estimate'])} ({percent_interval(row['low'], row['high'])}, "
            f"n = {count(row['n'])})"
            for name, rows in each_group(known, self.by)
            for _, row in rows.iterrows()
        ]
        when = f"{self.period} 0{' or later' if self.kind == 'rolling' else ''}"
        told = [f"in {when} {returns.said} after the first {start.said}: {', '.join(rates)}"] if rates else []
        if self.never_started:
            told.append(
                f"{counted(self.never_started, 'user')} with {returns.said} never had {start.said}: in no cohort"
            )
        return told

    @cached_property
    def never_started(self) -> int:
        """Users with an event that counts as a return, who never had one that starts a cohort."""
        question = self._need_log("users who never started")
        return int(question.tuples(bitmaps.never_started(question))[0][0])

    def plot(self, ax: Axes | None = None) -> Axes:
        """A heat map of one group: partial cells hatched, future ones blank. Of several groups, their curves."""
        from toolkit.cohorts import plots

        groups = self.cells[list(self.by)].drop_duplicates() if self.by else [()]
        return plots.heat(self.table, self.period, ax) if len(groups) <= 1 else self.curve().plot(ax)

    def sql(self, dialect: Dialect | None = None, *, table: str | None = None) -> str:
        """The query that counts the cells, as an engine reads it: see `Funnel.sql` for the options.

        Columns: `c`, the number of the cohort's period; b0.. by group; `size`; and r0.., who was active in each cell.
        """
        question = self._need_log("a query")
        question = replace(question, log=elsewhere(question.log, dialect, table), path="sql")
        return question.log.engine.written(bitmaps.cells(question))

    def _need_log(self, what: str) -> RetentionQuestion:
        """The question behind the result, or an error that says what needs it."""
        if self.question is None:
            raise ValueError(
                f"{what} needs a log; a result from counts knows only how many of a cohort came back"
            )
        return self.question
