"""The answer of a funnel: counts, rates with intervals, times to convert, users, sentence and figure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level
from toolkit.funnels import comparison, durations
from toolkit.funnels.from_counts import step_counts
from toolkit.funnels.paths import count_units
from toolkit.funnels.step_counts import ALONE, StepCounts
from toolkit.logs.engines import identifier
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.funnels.counting_units import CountingUnits
    from toolkit.funnels.question import Question
    from toolkit.logs.engines import Relation

#: Groups that a sentence names one by one; of more it names the highest and the lowest.
NAMED_GROUPS = 5


@dataclass(frozen=True, repr=False, eq=False)
class Funnel(Result):
    """How many users reached each step, by group. Made by `funnel`, or by `Funnel.from_counts`.

    Attributes
    ----------
    step_counts : StepCounts
        Counts by group and step, and sums over users.
    confidence : float
        Of every interval.
    excluded : int or None
        Counting units that reached less because of `exclude`; None where nothing is excluded.

    Examples
    --------
    >>> counts = pd.DataFrame({"step": ["enter", "cart", "pay"], "n": [200, 60, 20]})
    >>> Funnel.from_counts(counts).table[["step", "reached", "from_previous", "from_first"]]
        step  reached  from_previous  from_first
    0  enter      200            NaN         1.0
    1   cart       60       0.300000         0.3
    2    pay       20       0.333333         0.1
    """

    step_counts: StepCounts
    confidence: float
    excluded: int | None = None

    rates: ClassVar = frozenset({"from_previous", "low", "high", "from_first", "first_low", "first_high"})

    @classmethod
    def from_counts(
        cls, frame: pd.DataFrame, *, cluster: str | None = None, confidence: float = 0.95
    ) -> Funnel:
        """A funnel from a table of counts, for those who hold no log.

        Parameters
        ----------
        frame : DataFrame
            Tidy: `step`, `n` (or `reached`), and any columns to break down by, steps in order. An `open` column
            is kept. A funnel's own `.table` is read too.
        cluster : str, optional
            Column of the day, or of the session, that a row of counts is of. Counts are added up over it, and
            intervals stand on how much days (sessions) differ: see `toolkit.clusters`.
        confidence : float

        Returns
        -------
        Funnel
            Without a cluster its intervals know only the chance of single people. What needs a log says so.

        Raises
        ------
        ValueError
            For counts that rise along a funnel, are negative, fractional or missing, and for groups whose
            steps differ, for a cluster column that is not there, and for a group with a single cluster; the
            message names the row.

        Examples
        --------
        >>> print(Funnel.from_counts(pd.DataFrame({"step": ["enter", "pay"], "n": [200, 20]})).sentence())
        10.0 % (95 % interval 6.6 to 14.9 %) of 200 counted at enter reached pay; intervals know only the chance \
of single people: if days or sessions differ they are too narrow and p values too small (give the counts by day, and \
cluster=).
        """
        return cls(step_counts(frame, cluster), confidence_level(confidence))

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the steps."""
        return self.step_counts.steps

    @property
    def by(self) -> tuple[str, ...]:
        """What the funnel is broken down by."""
        return self.step_counts.by

    @property
    def unit(self) -> str:
        """What was counted: "users", "pairs", "entries", or "counts" where only a table of counts is known."""
        return self.step_counts.unit

    @property
    def question(self) -> Question | None:
        """What was asked of the log; None for a result from counts."""
        units = self.step_counts.units
        return None if units is None else units.question

    @property
    def path(self) -> str | None:
        """How the log was counted; None for a result from counts."""
        units = self.step_counts.units
        return None if units is None else units.path

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how the counts came about."""
        return self.step_counts.notes

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per group and step.

        Columns: `by`, `step`, `reached`, `open` (those at this step who are still in window, right-censored;
        missing at the last step and where it has no meaning), `from_previous` with `low` and `high`,
        `from_first` with `first_low` and `first_high`. Intervals are Wilson's, at the effective number of
        observations where users count more than once.
        """
        counts = self.step_counts
        groups, size = counts.reached.shape
        nothing = np.full(groups, np.nan)
        rates = [[nothing, nothing, nothing, np.ones(groups), nothing, nothing]]
        for step in self.steps[1:]:
            of = [counts.rate(step, base) for base in (None, self.steps[0])]
            rates.append([part for rate in of for part in (rate.estimate, *rate.interval(self.confidence))])
        measures = ["from_previous", "low", "high", "from_first", "first_low", "first_high"]
        at = np.repeat(np.arange(groups), size)
        return pd.DataFrame(
            {name: counts.groups[name].array.take(at) for name in self.by}
            | {"step": list(self.steps) * groups, "reached": counts.reached.ravel()}
            | {"open": pd.array(counts.in_window.ravel()).astype("Int64")}
            | dict(zip(measures, np.array(rates).transpose(1, 2, 0).reshape(len(measures), -1), strict=True))
        )

    @cached_property
    def times(self) -> pd.DataFrame:
        """Quantiles of the time from entering to each later step, among those who reached the last step.

        Columns: `by`, `step`, `quantile`, `estimate`, `low`, `high`, `n`. Times are those of the
        sequence of steps that is complete first, from its latest entry: the user's shortest way through.
        Intervals come from order statistics, widened for users who count more than once (Woodruff 1952). For
        entries only the last step's time is known.

        Raises
        ------
        ValueError
            For a result from counts, and for mode "any".
        """
        units = self.step_counts.need_log("times to convert")
        if units.question.mode == "any":
            raise ValueError("mode='any' has no first step, so no time to convert; use mode='ordered'")
        return durations.quantiles(self.step_counts, self._with_times(units), self.confidence)

    def users(self) -> Relation:
        """Who got how far and when: a lazy relation that stays in the engine (`.df()` brings it out).

        Columns: the log's user column, those held constant, `by`, `depth` (the furthest step, 0 for none), and
        one column per step, named as the step, with its time in the matched sequence. For entries `entered` and
        `ended` stand instead of these; for mode "any", which has no order, nothing does.
        """
        units = self._with_times(self.step_counts.need_log("users"))
        question, log = units.question, units.question.log
        columns = [f"u AS {identifier(log.user)}"]
        columns += [f"h{i} AS {identifier(name)}" for i, name in enumerate(question.hold)]
        columns += [
            f"b{i} AS {identifier(name)}" for i, name in enumerate(question.by) if name not in question.hold
        ]
        columns.append("level AS depth")
        taken = {log.user, "depth", *question.hold, *question.by}
        if question.count == "entries":
            columns += ["make_timestamptz(entered) AS entered", "make_timestamptz(ended) AS ended"]
        elif question.mode != "any":
            columns += [
                f"make_timestamptz(t{j}) AS {identifier(f'{step} (time)' if step in taken else step)}"
                for j, step in enumerate(self.steps, 1)
            ]
        return units.relation(f"SELECT {', '.join(columns)} FROM ({units.counted})")

    def _with_times(self, units: CountingUnits) -> CountingUnits:
        """The units with the times of their steps, where these have an order and a unit more than one row."""
        question = units.question
        sequence = question.mode != "any" and question.count != "entries"
        return count_units(question, "index" if units.path == "index" else "windows", sequence=sequence)

    def compare(self, to: Any = None) -> comparison.Comparison:
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
        return comparison.compare(self.step_counts, to, self.confidence)

    def sentence(self) -> str:
        """The share that got through, its interval, of how many; where most are lost; and what a reader must know."""
        named = self._named()
        ways = [self._way(at, first=at == named[0]) for at in named]
        entered, groups = self.step_counts.reached[:, 0], len(self.step_counts.groups)
        first, last = self.steps[0], self.steps[-1]
        if not entered.sum():
            text = f"None of the {self._units()} is at {first}"
        elif not self.by:
            text = f"{ways[0]} of {count(entered[0])} {self._units(entered[0])} at {first} reached {last}"
            text += self._within() + self._loss()
        else:
            text = (
                f"Share of {self._units()} at {first} that reached {last}{self._within()}: {'; '.join(ways)}"
            )
            text += f" (the highest and the lowest of {groups} groups)" if groups > len(ways) else ""
        return f"{text}{self._caveats()}."

    def _units(self, number: float = 2) -> str:
        held = " and ".join(self.step_counts.hold)
        one, many = {
            "users": ("user", "users"),
            "pairs": (f"pair of user and {held}", f"pairs of user and {held}"),
            "entries": ("entry", "entries"),
            "counts": ("counted", "those counted"),
        }[self.unit]
        return one if number == 1 or (self.unit == "counts" and not self.by) else many

    def _named(self) -> list[int]:
        """Places of the groups that a sentence names."""
        reached = self.step_counts.reached
        if len(reached) <= NAMED_GROUPS:
            return list(range(len(reached)))
        entered = np.flatnonzero(reached[:, 0] > 0)
        if not len(entered):
            return []
        share = reached[entered, -1] / reached[entered, 0]
        return [int(entered[share.argmax()]), int(entered[share.argmin()])]

    def _way(self, at: int, *, first: bool) -> str:
        counts = self.step_counts
        rate = counts.rate(self.steps[-1], self.steps[0], at=at)
        level = f"{interval_level(self.confidence)} " if first else ""
        interval = f"({level}{percent_interval(*rate.interval(self.confidence))}"
        if not self.by:
            return f"{percent(rate.estimate)} {interval})"
        n = count(counts.reached[at, 0])
        return f"{counts.names[at]} {percent(rate.estimate)} {interval}, n = {n})"

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
        whole = [counted(number, name) for number, name in parts if number]
        seconds = (length - length.floor("min")).total_seconds()
        if seconds or not whole:
            whole.append(f"{seconds:g} second{'s' * (seconds != 1)}")
        return f" within {' '.join(whole)}"

    def _loss(self) -> str:
        if len(self.steps) < 3:
            return ""
        reached = self.step_counts.reached[0].astype(float)
        before = reached[:-1]
        shares = np.divide(reached[1:], before, out=np.ones(len(before)), where=before > 0)
        worst = int(shares.argmin())
        step, onward = self.steps[worst], self.steps[worst + 1]
        return f"; fewest go on from {step} to {onward} ({percent(float(shares[worst]))})"

    def _caveats(self) -> str:
        parts = []
        still = int(np.nansum(self.step_counts.in_window))
        if still:
            are = "is" if still == 1 else "are"
            parts.append(f"{count(still)} {are} still in window (right-censored) and may go on")
        if self.excluded is not None:
            parts.append(
                f"{count(self.excluded)} {self._units(self.excluded)} would have got further without the excluded "
                "events"
            )
        if self.step_counts.clusters is not None:
            parts.append(f"intervals are {self.step_counts.clusters.words()}")
        elif self.unit == "counts":
            parts.append(f"intervals know {ALONE}")
        elif self.step_counts.clustered:
            parts.append("intervals are clustered by user")
        parts += self.notes
        return f"; {'; '.join(parts)}" if parts else ""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share that reached each step: bars for one group, hatched where still in window; lines for several."""
        from toolkit.funnels import plots

        names = self.step_counts.names if self.by else []
        return plots.funnel(self.table, names=names, unit=self.unit, ax=ax)
