"""Who buys again: one rate per definition, since definitions in use differ, and the time to the second purchase."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.cohorts import filters
from toolkit.cohorts.comparison import PAIR, CohortComparison, compare_repurchase
from toolkit.cohorts.from_counts import COLUMNS, rates_of
from toolkit.cohorts.groups import each_group, user_sums
from toolkit.cohorts.pairs import repurchase_pair
from toolkit.cohorts.purchases import Definition, counts_sql, definition_of, known_definitions
from toolkit.cohorts.question import PurchaseQuestion, TwoPaths, answered
from toolkit.cohorts.time_to_repurchase import TimeToRepurchase, time_to_repurchase
from toolkit.counts import confidence_level
from toolkit.intervals import Rate, UserSums
from toolkit.logs.servers.stand_in import Dialect, elsewhere
from toolkit.results import Result
from toolkit.wording import count, counted, interval_level, percent, percent_interval, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.logs.events import EventLog

#: Columns of sums over users in the answer to `counts_sql`.
SUMS = [f"m{name}" for name in UserSums._fields]


@dataclass(frozen=True, repr=False, eq=False)
class Repurchase(Result):
    """Repurchase rates by definition. Made by `repurchase`, or by `Repurchase.from_counts`.

    Attributes
    ----------
    table : DataFrame
        `by`, `definition`, `estimate` (repurchased / n), `low`, `high`, `n` (buyers whose window is complete; for
        calendar months buyers times months), `repurchased` (of these), `buyers` (all), `immature` (buyers - n: their
        window is not complete yet), `repurchased_all` (of all, so far), `note` (why there is no estimate).
    by : tuple of str
    confidence : float
    path : {"sql", "index", "counts"}
        Where purchases were read from.

    Examples
    --------
    >>> import pandas as pd
    >>> Repurchase.from_counts(pd.DataFrame({"definition": ["30 days"], "n": [263], "repurchased": [81]}))
    Repurchase: Bought again (95 % intervals): 30 days 30.8 % (25.5 to 36.6 %, n = 263).
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    definitions: tuple[Definition, ...] = field(repr=False, default=())
    question: PurchaseQuestion | None = field(repr=False, default=None)
    path: str = "counts"
    sums: UserSums = field(repr=False, default=UserSums(*[()] * 7))

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    @classmethod
    def from_counts(cls, frame: pd.DataFrame, *, confidence: float = 0.95) -> Repurchase:
        """The same result from counts, for those who hold no log.

        Parameters
        ----------
        frame : DataFrame
            Tidy: `definition`, `n` (buyers whose window is complete), `repurchased` (of these), and any columns to
            break down by.
        confidence : float

        Raises
        ------
        TypeError
            If `frame` is no DataFrame.
        ValueError
            For a missing column, counts that are missing, negative, fractional or above their buyers, and a
            definition given twice.
        """
        table, by = rates_of(frame, confidence_level(confidence))
        n, again = table["n"].to_numpy(float), table["repurchased"].to_numpy(float)
        once = UserSums(users=n, x=n, y=again, xx=n, xy=again, yy=again, yy_per_x=again)
        return cls(table, by, confidence, sums=once)

    def compare_definitions(self, definitions: Sequence[str | Definition] | None = None) -> Repurchase:
        """The same buyers under several definitions, this result's own first.

        Parameters
        ----------
        definitions : list of str or Definition, optional
            As for `repurchase`; all that come with the toolkit if not given.
        """
        question = self._need_log("a comparison of definitions")
        others = known_definitions().values() if definitions is None else map(definition_of, definitions)
        return answer(question, tuple({each.name: each for each in (*self.definitions, *others)}.values()))

    def compare(self, to: Any = None) -> CohortComparison:
        """Differences and ratios, definition by definition, of every group and one of them, or of two results.

        Parameters
        ----------
        to
            The reference group: a value of `by`, or a tuple of values where there are several columns. The largest
            group if not given. Or another `Repurchase` under the same definitions, neither of them with groups: buyers
            whom both hold, if they are of one log, are allowed for.

        Returns
        -------
        CohortComparison
            With intervals, and p values adjusted by Holm over all of them.

        Raises
        ------
        ValueError
            For an unknown group, a result compared with itself, and results under other definitions; the message
            names them.
        TypeError
            If `to` is a result of another kind.
        """
        by, table, sums = self.by, self.table, self.sums
        together: dict[str, float] = {}
        notes = self._told
        if isinstance(to, Result):
            if not isinstance(to, Repurchase):
                raise TypeError(f"Repurchase.compare takes a group or a Repurchase, not {type(to).__name__}")
            table, sums, together, more = repurchase_pair(self, to)
            by, to, notes = ("repurchase",), PAIR[1], (*notes, *more)
        rate = Rate.of_users(sums)
        known = table["estimate"].notna().to_numpy()
        rate = Rate(np.where(known, rate.estimate, np.nan), rate.size, rate.freedom)
        return compare_repurchase(
            table, rate, by, to, confidence=self.confidence, together=together, notes=notes
        )

    @cached_property
    def waits(self) -> TimeToRepurchase:
        """Time from the first purchase to the second (Kaplan-Meier: buyers who have not bought again are censored)."""
        return time_to_repurchase(self._need_log("the time to a second purchase"))

    def sentence(self) -> str:
        """Each rate with its interval, n and definition, and how many buyers are too recent to tell."""
        parts = []
        for name, lines in each_group(self.table, self.by):
            for _, row in lines.iterrows():
                head = f"{name}{', ' if name else ''}{row['definition']}"
                if pd.isna(row["estimate"]):
                    recent = f"no window is complete, {counted(row['immature'], 'buyer')} too recent"
                    parts.append(f"{head} unknown ({row['note'] or recent})")
                    continue
                text = f"{head} {percent(row['estimate'])} ({percent_interval(row['low'], row['high'])}, "
                text += f"n = {count(row['n'])}"
                recent = f", {counted(row['immature'], 'buyer')} too recent" if row["immature"] else ""
                parts.append(f"{text}{recent})")
        notes = "".join(f"; {note}" for note in self._told)
        return f"Bought again ({interval_level(self.confidence)}s): {'; '.join(parts)}{notes}."

    @property
    def _told(self) -> tuple[str, ...]:
        """The definitions in words, and what was left out of the log."""
        told = [f"{each.name}: {each.said or each.name}" for each in self.definitions]
        if self.question is not None:
            told += [*filters.left_out(self.question.log), *self.question.notes]
        return tuple(told)

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each definition and group."""
        from toolkit.cohorts import plots

        return plots.estimates(self.table, [*self.by, "definition"], "bought again", ax)

    def sql(self, dialect: Dialect | None = None, *, table: str | None = None) -> str:
        """The query of each definition, as an engine reads them, one by one: see `Funnel.sql` for the options.

        Columns: b0.. by group, `buyers` and `again_all`, and with m before them sums over complete windows: `mx` the
        buyers, `my` of these those who bought again.
        """
        question = self._need_log("a query")
        question = replace(question, log=elsewhere(question.log, dialect, table), path="sql")
        queries = (counts_sql(question, definition) for definition in self.definitions)
        return ";\n".join(map(question.log.engine.written, queries))

    def _need_log(self, what: str) -> PurchaseQuestion:
        if self.question is None:
            raise ValueError(f"{what} needs a log; a result from counts knows only its own rates")
        return self.question


def repurchase(
    log: EventLog,
    *,
    event: filters.Events = "pay",
    definition: str | Definition | Sequence[str | Definition] = "first_30d",
    by: str | Sequence[str] | None = None,
    observed_until: Any = None,
    dedupe: str | None = None,
    path: TwoPaths = "auto",
    confidence: float = 0.95,
) -> Repurchase:
    """Buyers who buy again: their share, under a definition that has a name.

    Parameters
    ----------
    log : EventLog
    event : str, Step or list
        What a purchase is.
    definition : str, Definition or list
        A name that comes with the toolkit (see `toolkit.cohorts.purchases.known_definitions`), a length of time such
        as "7d" for a second purchase within it, or a `Definition` of your own.
    by : str or list of str, optional
        Properties of the buyer's first purchase; later ones count wherever they are made.
    observed_until : time, optional
        End of observation, itself not observed. A microsecond after the last row if not given.
    dedupe : str, optional
        Of rows with the same value in this column only the first counts: retries of one order.
    path : {"auto", "sql", "index"}
        Whether purchases are read from the source, or from an index of the log that keeps what is asked.
    confidence : float

    Returns
    -------
    Repurchase

    Raises
    ------
    ValueError
        For an unknown definition, an event that the log does not have, or a log without rows.
    TypeError
        If `log` is no log, or a definition neither text nor a `Definition`.

    Notes
    -----
    A window is closed: a second purchase at its last moment counts. Only buyers whose window is complete count. Two
    rows of one moment are two purchases, unless `dedupe` says otherwise. Where a definition looks back further than
    the log reaches there is no estimate, and a note. Intervals are Wilson's where a buyer counts once, clustered by
    buyer elsewhere. Buyers whose window is not complete are right-censored: `Repurchase.waits` has them too, in a
    Kaplan-Meier curve.

    References
    ----------
    Wilson (1927), JASA 22, 209-212. Kaplan & Meier (1958), JASA 53, 457-481.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events, repurchase
    >>> days = ["2019-11-01", "2019-11-08", "2019-11-03"]
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2], "event": "pay", "timestamp": pd.to_datetime(days)}))
    >>> repurchase(log, definition="7d", observed_until="2019-12-01").table[["definition", "repurchased", "n"]]
      definition  repurchased  n
    0         7d            1  2
    """
    filters.refuse_other_than_log(log, "repurchase")
    listed = list(definition) if isinstance(definition, list | tuple) else [definition]
    chosen = tuple(definition_of(each) for each in listed)
    names = [each.name for each in chosen]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"definition={names!r}; give one name or several different ones")
    if event is None:
        raise ValueError(
            f"event=None would make every row a purchase; name the event that is one: {some(list(log.events))}"
        )
    question = PurchaseQuestion(
        log=log,
        purchases=filters.matching(log, event, "event"),
        by=filters.grouping(log, by),
        until=filters.end_of(log, observed_until),
        dedupe=filters.deduplicated(log, dedupe),
        confidence=confidence_level(confidence),
    )
    return answer(answered(question, path), chosen)


def answer(question: PurchaseQuestion, definitions: tuple[Definition, ...]) -> Repurchase:
    """Rates under each definition, group by group."""
    groups, lines = question.groups, []
    for place, definition in enumerate(definitions):
        # Records, since rows of a frame would have one type for groups and sums.
        for row in question.frame(counts_sql(question, definition)).to_dict("records"):
            own = (float(row[name]) for name in SUMS)
            lines.append([*(row[name] for name in groups), *_line(question, definition, row), *own, place])
    table = pd.DataFrame(lines, columns=[*groups, *COLUMNS, *SUMS, "place"])
    if groups:
        # Groups stand in the order of the engine, which puts null last, each with its definitions together.
        order = table.groupby(groups, dropna=False, sort=True).ngroup()
        table = table.iloc[np.lexsort([table["place"], order])]
    sums = UserSums(*(table[name].to_numpy(float) for name in SUMS))
    table = question.named(table.drop(columns=["place", *SUMS]).reset_index(drop=True))
    if not len(table) or not table["buyers"].sum():
        filters.refuse_absent(question.log, question.purchases.events)
    table[["estimate", "low", "high"]] = table[["estimate", "low", "high"]].astype("float64")
    return Repurchase(table, question.by, question.confidence, definitions, question, question.path, sums)


def _line(question: PurchaseQuestion, definition: Definition, row: dict[Hashable, Any]) -> list[Any]:
    """One definition's columns of the table, from the sums of one group."""
    n, again, buyers = int(row["mx"]), int(row["my"]), int(row["buyers"])
    reach, needed = question.days_back, definition.base[1] if definition.kind == "windows" else 0
    note = f"the log reaches {reach} days back, the definition {needed}" if reach < needed else ""
    rate = Rate.of_users(user_sums(pd.Series(row), "m"))
    estimates = [np.nan] * 3 if note else [rate.estimate, *rate.interval(question.confidence)]
    return [definition.name, *estimates, n, again, buyers, buyers - n, int(row["again_all"]), note]
