"""The answer of a funnel: counts, rates with intervals, times to convert, users, sentence and figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.funnels import sql
from toolkit.intervals import Rate, UserSums
from toolkit.logs.engines import identifier
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, percent_interval, some

if TYPE_CHECKING:
    import duckdb
    from matplotlib.axes import Axes

    from toolkit.funnels.answer import Units
    from toolkit.funnels.comparison import Comparison
    from toolkit.funnels.steps import Question

#: Groups that a sentence names one by one; of more it names the highest and the lowest.
NAMED_GROUPS = 5


@dataclass(frozen=True, repr=False, eq=False)
class Funnel(Result):
    """How far units got, by group. Made by `funnel`, or by `Funnel.from_counts`.

    Attributes
    ----------
    steps : tuple of str
    by : tuple of str
    unit : {"users", "pairs", "entries", "counts"}
        What was counted; "counts" where only a table of counts is known.
    confidence : float
    excluded : int or None
        Units that reached less because of `exclude`; None where nothing is excluded.
    """

    steps: tuple[str, ...]
    by: tuple[str, ...]
    counts: pd.DataFrame = field(repr=False)
    unit: str
    confidence: float
    excluded: int | None = None
    question: Question | None = field(default=None, repr=False)
    units: Units | None = field(default=None, repr=False)

    rates: ClassVar = frozenset({"from_previous", "low", "high", "from_first", "first_low", "first_high"})

    @classmethod
    def from_counts(cls, frame: pd.DataFrame, *, confidence: float = 0.95) -> Funnel:
        """The same result from a table of counts, for those who hold no log.

        Parameters
        ----------
        frame : DataFrame
            Tidy: `step`, `n`, and any columns to break down by, steps in order. An `open` column is kept.
        confidence : float

        Returns
        -------
        Funnel
            Its intervals assume independent entries. What needs a log says so.

        Raises
        ------
        ValueError
            For counts that rise along a funnel, are negative, fractional or missing, and for groups whose
            steps differ; the message names the row.

        Examples
        --------
        >>> print(Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [200, 20]})).sentence())
        Of 200 counted at enter, 10.0 % (95 % interval 6.6 to 14.9 %) reached pay; the interval assumes independent \
entries.
        """
        from toolkit.funnels.counts import counts_of

        steps, by, counts = counts_of(frame)
        return cls(steps=steps, by=by, counts=counts, unit="counts", confidence=confidence)

    @property
    def path(self) -> str | None:
        """How the log was counted; None for a result from counts."""
        return None if self.units is None else self.units.path

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how the counts came about."""
        notes = () if self.units is None else self.units.notes
        if self.question is not None and self.question.log.facts.unusable:
            rows = self.question.log.facts.unusable
            left = f"{counted(rows, 'row')} without a user or a time {'is' if rows == 1 else 'are'} left out"
            notes = (left, *notes)
        return notes

    def once(self, row: Mapping[str, Any] | pd.Series) -> bool:
        """Whether each user counts at most once in a group, so that its units are independent."""
        return self.unit in ("users", "counts") or bool(row["q1"] == row["n1"])

    @cached_property
    def clustered(self) -> bool:
        """Whether intervals allow for users who count more than once."""
        return not all(self.once(row) for row in self.counts.to_dict("records"))

    def rate(self, row: Mapping[str, Any] | pd.Series, j: int, base: int) -> Rate:
        """The rate of step j (from 1) over step `base` in one row of `counts`, or in columns of many."""
        if self.unit in ("users", "counts"):
            return Rate.of_counts(row[f"n{j}"], row[f"n{base}"])
        return Rate.of_users(self.sums(row, j, base))

    def sums(self, row: Mapping[str, Any] | pd.Series, j: int, base: int) -> UserSums:
        """Sums over users for the rate of step j over step `base`, which is 1 or j-1."""
        product, share = ("f", "s") if base == 1 else ("a", "r")
        return UserSums(
            users=row[f"u{base}"],
            x=row[f"n{base}"],
            y=row[f"n{j}"],
            xx=row[f"q{base}"],
            xy=row[f"{product}{j}"],
            yy=row[f"q{j}"],
            yy_per_x=row[f"{share}{j}"],
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per group and step.

        Columns: `by`, `step`, `reached`, `open` (may still go on; missing at the last step and where it has no
        meaning), `from_previous` with `low` and `high`, `from_first` with `first_low` and `first_high`.
        """
        groups, size = len(self.counts), len(self.steps)
        sums = {name: values.to_numpy(float) for name, values in self.counts.items() if name not in self.by}
        nothing = np.full(groups, np.nan)
        rates = [[nothing, nothing, nothing, np.ones(groups), nothing, nothing]]
        for j in range(2, size + 1):
            of = [self.rate(sums, j, base) for base in (j - 1, 1)]
            rates.append([part for rate in of for part in (rate.estimate, *rate.interval(self.confidence))])
        measures = ["from_previous", "low", "high", "from_first", "first_low", "first_high"]
        reached, opened = (
            np.stack([sums.get(f"{letter}{j}", nothing) for j in range(1, size + 1)], axis=1).ravel()
            for letter in "no"
        )
        at = np.repeat(np.arange(groups), size)
        return pd.DataFrame(
            {name: self.counts[name].array.take(at) for name in self.by}
            | {"step": list(self.steps) * groups, "reached": reached.astype("int64")}
            | {"open": pd.array(opened).astype("Int64")}
            | dict(zip(measures, np.array(rates).transpose(1, 2, 0).reshape(len(measures), -1), strict=True))
        )

    @cached_property
    def times(self) -> pd.DataFrame:
        """Quantiles of the time from entering to each later step, among those who reached the last step.

        Columns: `by`, `step`, `quantile`, `estimate`, `low`, `high`, `n`. Times are those of the reported chain:
        of a user's fastest way through. Intervals come from order statistics, widened for users who count
        more than once. For entries only the last step's time is known.

        Raises
        ------
        ValueError
            For a result from counts, and for mode "any".
        """
        from toolkit.funnels.durations import quantiles

        return quantiles(self, self.need_log("times to convert"))

    def users(self) -> duckdb.DuckDBPyRelation:
        """Who got how far and when: a lazy relation that stays in the engine (`.df()` brings it out).

        Columns: the log's user column, the held ones, `by`, `depth`, and one column per step, named as the
        step, with the time in the reported chain. For entries `entered` and `ended` stand instead of these; for
        mode "any", which has no chain, nothing does.
        """
        from toolkit.funnels.answer import count_units

        question = self.need_log("users")
        path = "index" if self.path == "index" else "windows"
        chained = question.mode != "any" and question.count != "entries"
        units = count_units(question, path, chain=chained)
        log = question.log
        columns = [f"u AS {identifier(log.user)}"]
        columns += [f"h{i} AS {identifier(name)}" for i, name in enumerate(question.hold)]
        columns += [
            f"b{i} AS {identifier(name)}" for i, name in enumerate(question.by) if name not in question.hold
        ]
        columns.append("level AS depth")
        taken = {log.user, "depth", *question.hold, *question.by}
        if chained:
            columns += [
                f"make_timestamptz(t{j}) AS {identifier(f'{step} (time)' if step in taken else step)}"
                for j, step in enumerate(self.steps, 1)
            ]
        elif question.count == "entries":
            columns += ["make_timestamptz(entered) AS entered", "make_timestamptz(ended) AS ended"]
        return units.relation(f"SELECT {', '.join(columns)} FROM ({sql.users(question, units.sql)})")

    def compare(self, to: Any = None) -> Comparison:
        """Differences and ratios of each step's rate between every group and one of them.

        Parameters
        ----------
        to
            The reference group: a value of `by`, or a tuple of values where there are several columns. The
            largest group if not given.

        Returns
        -------
        Comparison
            With intervals, and p values adjusted by Holm over all of them.
        """
        from toolkit.funnels.comparison import compare

        return compare(self, to)

    def sentence(self) -> str:
        """How many got through, where most are lost, how sure that is, and what was left out."""
        ways = [self._way(row) for _, row in self._named().iterrows()]
        first, last = self.steps[0], self.steps[-1]
        if not len(self.counts) or not self.counts["n1"].sum():
            text = f"None of the {self._units()} is at {first}"
        elif not self.by:
            row = self.counts.iloc[0]
            text = f"Of {count(row['n1'])} {self._units(row['n1'])} at {first}, {ways[0]} reached {last}"
            text += self._within() + self._loss(row)
        else:
            text = f"Of {self._units()} at {first} reached {last}{self._within()}: {'; '.join(ways)}"
            hidden = len(self.counts) - len(ways)
            text += f" (the highest and the lowest of {len(self.counts)} groups)" if hidden else ""
        return f"{text}{self._caveats()}."

    def _units(self, number: float = 2) -> str:
        held = " and ".join(self.question.hold) if self.question is not None else ""
        one, many = {
            "users": ("user", "users"),
            "pairs": (f"pair of user and {held}", f"pairs of user and {held}"),
            "entries": ("entry", "entries"),
            "counts": ("counted", "those counted"),
        }[self.unit]
        return one if number == 1 or (self.unit == "counts" and not self.by) else many

    def _named(self) -> pd.DataFrame:
        if len(self.counts) <= NAMED_GROUPS:
            return self.counts
        entered = self.counts[self.counts["n1"] > 0]
        share = entered[f"n{len(self.steps)}"] / entered["n1"]
        return entered.loc[[share.astype(float).idxmax(), share.astype(float).idxmin()]]

    def _way(self, row: pd.Series) -> str:
        rate = self.rate(row, len(self.steps), 1)
        low, high = rate.interval(self.confidence)
        level = f"{interval_level(self.confidence)} "
        named = self.by and row.name != self._named().index[0]
        interval = f"({'' if named else level}{percent_interval(low, high)}"
        if not self.by:
            return f"{percent(rate.estimate)} {interval})"
        group = " ".join("<null>" if pd.isna(row[name]) else str(row[name]) for name in self.by)
        return f"{group} {percent(rate.estimate)} {interval}, n = {count(row['n1'])})"

    def _within(self) -> str:
        if self.question is None:
            return ""
        if self.question.within is None:
            return " with no limit of time"
        length = pd.Timedelta(self.question.within, "us")
        parts = [
            (length.components.days, "day"),
            (length.components.hours, "hour"),
            (length.components.minutes, "minute"),
        ]
        whole = [f"{number} {name}{'s' * (number != 1)}" for number, name in parts if number]
        seconds = (length - length.floor("min")).total_seconds()
        if seconds or not whole:
            whole.append(f"{seconds:g} seconds")
        return f" within {' '.join(whole)}"

    def _loss(self, row: pd.Series) -> str:
        if len(self.steps) < 3:
            return ""
        shares = [
            float(row[f"n{j}"]) / float(row[f"n{j - 1}"]) if row[f"n{j - 1}"] else 1.0
            for j in range(2, len(self.steps) + 1)
        ]
        worst = int(np.argmin(shares))
        before, after = self.steps[worst], self.steps[worst + 1]
        return f"; fewest go on from {before} to {after} ({percent(shares[worst])})"

    def _caveats(self) -> str:
        parts = []
        opened = [f"o{j}" for j in range(1, len(self.steps)) if f"o{j}" in self.counts]
        still = int(self.counts[opened].fillna(0).sum().sum()) if opened else 0
        if still:
            parts.append(f"{count(still)} {'is' if still == 1 else 'are'} still open (window not over)")
        if self.excluded is not None:
            parts.append(
                f"{count(self.excluded)} {self._units(self.excluded)} reached less because of exclude"
            )
        if self.unit == "counts":
            parts.append("the interval assumes independent entries")
        elif self.clustered:
            parts.append("intervals are clustered by user")
        parts += self.notes
        return f"; {'; '.join(parts)}" if parts else ""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share that reached each step: bars for one group, hatched where still open; lines for several."""
        from toolkit.funnels import plots

        return plots.funnel(self, ax)

    def need_log(self, what: str) -> Question:
        """The question behind the result, or an error that says what needs it."""
        if self.question is None:
            raise ValueError(f"{what} need a log; a result from counts knows only how many reached each step")
        return self.question

    def group(self, value: Any) -> pd.Series:
        """The row of `counts` of one group."""
        if not self.by:
            raise ValueError("the funnel has no groups; ask it with by=")
        values = value if isinstance(value, tuple) else (value,)
        if len(values) != len(self.by):
            raise ValueError(
                f"a group here is {' and '.join(self.by)}: give {len(self.by)} values, not {value!r}"
            )
        same = np.ones(len(self.counts), dtype=bool)
        for name, wanted in zip(self.by, values, strict=True):
            column = self.counts[name]
            same &= (column.isna() if pd.isna(wanted) else column.eq(wanted).fillna(False)).to_numpy(
                dtype=bool
            )
        if not same.any():
            raise ValueError(f"no group {value!r}; there are {some(self.group_names())}")
        return self.counts[same].iloc[0]

    def group_names(self) -> list[str]:
        """Groups as text, in the order of `table`."""
        return [name_of(row, self.by) for _, row in self.counts.iterrows()]


def name_of(row: pd.Series, by: Sequence[str]) -> str:
    """A group as text."""
    return " ".join("<null>" if pd.isna(row[name]) else str(row[name]) for name in by)
