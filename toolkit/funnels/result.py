"""The answer of a funnel: counts, rates with intervals, times to convert, users, sentence and figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level
from toolkit.funnels import comparison, durations, order, sums
from toolkit.funnels.from_counts import step_counts
from toolkit.funnels.paths import count_units, lost_to_exclusions
from toolkit.funnels.sentence import MANY_IN_WINDOW, Sentence
from toolkit.funnels.sql import windows
from toolkit.funnels.step_counts import StepCounts
from toolkit.logs.engines import identifier
from toolkit.logs.servers.stand_in import Dialect, elsewhere
from toolkit.results import Result
from toolkit.wording import interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.funnels.counting_units import CountingUnits, Path
    from toolkit.funnels.question import Question
    from toolkit.logs.engines import Relation

#: Up to so many rows of a log a sentence looks for losses that are only order, which takes one more pass.
ORDER_ROWS = 2_000_000


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

    Notes
    -----
    A rate is the share of those at one step who reached a later one, those still in window (right-censored) in the
    denominator. Intervals: Wilson's score interval where each unit counts once; where users count more than once, the
    same at the effective number of observations, n over the design effect of users as clusters.

    References
    ----------
    Wilson (1927), JASA 22, 209-212.

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
            is kept. A funnel's own `.table` is read too. With a cluster, a column `half_width` says how far a
            count that was rounded may be off (500 for 1.2万): intervals are as much wider.
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
        return _rates(self.step_counts, self.confidence)

    @cached_property
    def times(self) -> durations.Times:
        """How long it takes from entering to each later step: quantiles of those who converted, and the curve of all.

        Times are those of the sequence of steps that is complete first, from its latest entry: the user's shortest way
        through. Intervals of quantiles come from order statistics, widened for users who count more than once
        (Woodruff 1952). For entries only the last step's time is known. `.plot()` draws the share converted by time
        since the entry, users still in window as censored.

        Raises
        ------
        ValueError
            For a result from counts, and for mode "any".
        """
        units = self.step_counts.need_log("times to convert")
        if units.question.mode == "any":
            raise ValueError("mode='any' has no first step, so no time to convert; use mode='ordered'")
        return durations.times(self.step_counts, self._with_times(units), self.confidence)

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

    def sql(self, dialect: Dialect | None = None, *, table: str | None = None) -> str:
        """The query that counts this funnel, as an engine reads it: to be pasted into its console.

        Parameters
        ----------
        dialect : {"duckdb", "spark", "clickhouse", "postgres"}, optional
            The log's own engine, if not given. Databricks, EMR and Sail read Spark's.
        table
            What the log's rows are called on another engine, such as "shop.live_events": a table or view with the log's
            columns under their names. No server is asked.

        Notes
        -----
        By nested window functions, the way that every engine has; counts are those of any other path. The columns are
        those of `toolkit.funnels.sums.reduce`: `reached_1` to `reached_k` by group, `open_1` .. still in window.
        A log of files names them; rows of a frame are called `frame`. On another engine rows of one user and moment
        that match the same step stand in the order of their values of `by`, since a table there keeps no order.

        Raises
        ------
        ValueError
            For a result from counts, another engine without `table`, and what that engine has no words for.

        Examples
        --------
        >>> from toolkit import funnel, read_events
        >>> rows = {"user_id": [1, 1], "timestamp": [1_573_473_600, 1_573_473_900], "event": ["enter", "pay"]}
        >>> found = funnel(read_events(pd.DataFrame(rows)), ["enter", "pay"], within="1d")
        >>> 'FROM "shop"."live_events"' in found.sql("postgres", table="shop.live_events")
        True
        """
        question = self.step_counts.need_log("a query").question
        question = replace(question, log=elsewhere(question.log, dialect, table))
        return question.log.engine.written(sums.reduce(question, windows(question)))

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
            largest group if not given. Or another funnel with the same steps, neither of them with groups, taken to
            be of other people.

        Returns
        -------
        Comparison
            With intervals, and p values adjusted by Holm over all of them.

        Raises
        ------
        ValueError
            For an unknown group, a funnel without groups or with one, and two funnels of other steps; the message
            names them.

        Notes
        -----
        Differences of rates by Newcombe's hybrid of Wilson limits, ratios by the score interval (Koopman), clustered
        by user where users count more than once. What each step adds to the end-to-end gap is Das Gupta's
        decomposition of a product, its Shapley value.

        References
        ----------
        Newcombe (1998), Statistics in Medicine 17, 873-890. Koopman (1984), Biometrics 40, 513-517. Holm (1979),
        Scandinavian Journal of Statistics 6, 65-70. Das Gupta (1993), US Census Bureau P23-186, chapter 2.
        """
        if isinstance(to, Funnel):
            both = comparison.side_by_side(self.step_counts, to.step_counts)
            return comparison.compare(both, "reference", self.confidence)
        return comparison.compare(self.step_counts, to, self.confidence)

    @cached_property
    def complete(self) -> Funnel:
        """The same funnel of complete windows alone: entries from which the window is over by the end of observation.

        Raises
        ------
        ValueError
            For a result from counts, for a question without a window, and for mode "any", which has no entry.
        """
        units = self.step_counts.need_log("complete windows")
        question = units.question
        if question.within is None:
            raise ValueError("complete windows need a window: with within=None none is ever complete")
        if question.mode == "any":
            raise ValueError("mode='any' has no first step, so no entry whose window is complete")
        # The window's end is inclusive, so it is complete when entry + window <= end of observation.
        low, high = question.entries
        over = question.observed_until - question.within + 1
        bounded = replace(question, entries=(low, over if high is None else min(high, over)))
        path: Path = "index" if units.path == "index" else "auto"
        found = count_units(bounded, path)
        counts = StepCounts.of_units(found)
        counts = replace(counts, notes=("only entries whose window is complete are counted", *counts.notes))
        excluded = None if self.excluded is None else lost_to_exclusions(found)
        return Funnel(counts, self.confidence, excluded)

    @cached_property
    def out_of_order(self) -> pd.DataFrame:
        """How much of the loss is only order: who did all steps up to one inside a window, though not in order.

        Columns: `step`, `lost` (at the first step, but not at this one in order), `out_of_order` (of these, who did
        every step up to this one inside one window in another order). Over all groups together.

        Raises
        ------
        ValueError
            For a result from counts, and for a question in which more than the order decides.
        """
        units = self.step_counts.need_log("other orders of steps")
        return order.out_of_order(self.step_counts, units.question)

    def sentence(self) -> str:
        """The share that got through, its interval, of how many; where most are lost; and what a reader must know."""
        question = self.question
        complete = disorder = None
        if question is not None:
            entered = self.step_counts.reached[:, 0].sum()
            many = np.nansum(self.step_counts.in_window) > MANY_IN_WINDOW * entered
            if many and question.within is not None and question.mode != "any":
                complete = self.complete.step_counts
            if question.log.facts.rows <= ORDER_ROWS and order.refusal(question) is None:
                disorder = self.out_of_order
        return str(Sentence(self.step_counts, question, self.confidence, self.excluded, complete, disorder))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share that reached each step: bars for one group, hatched where still in window; lines for several.

        Of more than 12 groups the largest are drawn, and all others together as one line.
        """
        from toolkit.funnels import plots

        counts, places = self.step_counts, self.step_counts.places_drawn()
        if places is not None:
            counts = counts.drawn(places)
        table = self.table if places is None else _rates(counts, self.confidence)
        if self.question is not None and self.question.within is None:
            # Without a window everybody may still go on, which a hatch would not tell apart.
            table = table.assign(open=pd.NA)
        names = counts.names if self.by else []
        level = interval_level(self.confidence)
        return plots.funnel(table, names=names, unit=self.unit, level=level, others=places is not None, ax=ax)


def _rates(counts: StepCounts, confidence: float) -> pd.DataFrame:
    """Counts and rates by group and step. See `Funnel.table`."""
    groups, size = counts.reached.shape
    nothing = np.full(groups, np.nan)
    rates = [[nothing, nothing, nothing, np.ones(groups), nothing, nothing]]
    for step in counts.steps[1:]:
        of = [counts.rate(step, base) for base in (None, counts.steps[0])]
        rates.append([part for rate in of for part in (rate.estimate, *rate.interval(confidence))])
    measures = ["from_previous", "low", "high", "from_first", "first_low", "first_high"]
    at = np.repeat(np.arange(groups), size)
    return pd.DataFrame(
        {name: counts.groups[name].array.take(at) for name in counts.by}
        | {"step": list(counts.steps) * groups, "reached": counts.reached.ravel()}
        | {"open": pd.array(counts.in_window.ravel()).astype("Int64")}
        | dict(zip(measures, np.array(rates).transpose(1, 2, 0).reshape(len(measures), -1), strict=True))
    )
