"""Who buys again: one rate per definition, since definitions in use differ, and the time to the second purchase."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from toolkit.cohorts import filters
from toolkit.cohorts.curves import split
from toolkit.cohorts.periods import DAY, MOST_DAYS, whole
from toolkit.cohorts.question import way
from toolkit.counts import confidence_level
from toolkit.results import Result
from toolkit.sources import definitions
from toolkit.wording import count, counted, interval_level, percent, percent_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.cohorts.time_to_repurchase import Waits
    from toolkit.logs.events import EventLog

KINDS = ("windows", "within", "month")


@dataclass(frozen=True)
class Definition:
    """What a repurchase rate counts.

    Parameters
    ----------
    name : str
    kind : {"windows", "within", "month"}
        Buyers of `base` who bought in `again`, both in days before the end; a second purchase within `days` of the
        first; buyers of a calendar month who bought again `months` later (0: in the same month).
    base, again : (int, int)
    days : float
    months : int
    said : str
        The definition in words.
    header : str
        The platform's own word.
    source : str
    """

    name: str
    kind: str
    base: tuple[int, int] = (0, 0)
    again: tuple[int, int] = (0, 0)
    days: float = 0.0
    months: int = 0
    said: str = ""
    header: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("base", "again"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.kind not in KINDS:
            raise ValueError(
                f"definition {self.name!r}: kind={self.kind!r}; use one of {', '.join(map(repr, KINDS))}"
            )
        if self.kind == "windows" and not 1 <= self.again[0] <= self.again[1] < self.base[0] <= self.base[1]:
            raise ValueError(
                f"definition {self.name!r}: base={self.base} and again={self.again} are days before the end, (nearest, "
                "farthest), the base farther than all of again"
            )
        if self.kind == "within" and not 0 < self.days < MOST_DAYS:
            raise ValueError(
                f"definition {self.name!r}: days={self.days} must be above 0 and below {MOST_DAYS:,}"
            )
        if self.kind == "month" and (not whole(self.months) or self.months < 0):
            raise ValueError(
                f"definition {self.name!r}: months={self.months} must be a whole number from 0 on"
            )

    @property
    def length(self) -> int:
        """The window after a first purchase, in microseconds."""
        return round(self.days * DAY)


def known() -> dict[str, Definition]:
    """The definitions that come with the toolkit, by name."""
    return {row["name"]: Definition(**row) for row in definitions.read("repurchase")["definition"]}


@dataclass(frozen=True, repr=False, eq=False)
class Repurchase(Result):
    """Repurchase rates by definition. Made by `repurchase`, or by `Repurchase.from_counts`.

    Attributes
    ----------
    table : DataFrame
        `by`, `definition`, `estimate`, `low`, `high`, `n` (buyers whose time is over; buyers times months),
        `repurchased` (of these), `buyers` (all), `immature` (buyers - n), `repurchased_all` (of all, so far), `note`
        (why there is no estimate).
    by : tuple of str
    confidence : float
    path : {"sql", "index", "counts"}
        Where purchases were read from.
    """

    table: pd.DataFrame
    by: tuple[str, ...]
    confidence: float
    definitions: tuple[Definition, ...] = field(repr=False, default=())
    question: Any = field(repr=False, default=None)
    path: str = "counts"

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    @classmethod
    def from_counts(cls, frame: pd.DataFrame, *, confidence: float = 0.95) -> Repurchase:
        """The same result from counts: `definition`, `n` (buyers), `repurchased`, and columns to break down by.

        Raises
        ------
        ValueError
            For counts that are missing, negative, fractional or above their buyers.
        """
        from toolkit.cohorts.from_counts import rates_of

        table, by = rates_of(frame, confidence_level(confidence))
        return cls(table, by, confidence)

    def compare_definitions(self) -> Repurchase:
        """The same buyers under every definition that comes with the toolkit, and under this result's own."""
        from toolkit.cohorts.purchases import answer

        asked = self._need_log("a comparison of definitions")
        return answer(
            asked, tuple({each.name: each for each in (*self.definitions, *known().values())}.values())
        )

    @cached_property
    def waits(self) -> Waits:
        """Time from the first purchase to the second, with buyers who have not bought again yet (Kaplan-Meier)."""
        from toolkit.cohorts.time_to_repurchase import waits

        return waits(self._need_log("the time to a second purchase"))

    def sentence(self) -> str:
        """Each rate with its definition, and how many buyers are too recent to tell."""
        said = {each.name: each.said or each.name for each in self.definitions}
        parts = []
        for name, lines in split(self.table, self.by):
            for _, row in lines.iterrows():
                head = f"{name}{', ' if name else ''}{row['definition']}"
                if pd.isna(row["estimate"]):
                    recent = f"{counted(row['immature'], 'buyer')} too recent"
                    parts.append(f"{head} unknown ({row['note'] or f'nobody whose time is over, {recent}'})")
                    continue
                text = f"{head} {percent(row['estimate'])} ({percent_interval(row['low'], row['high'])}, "
                text += f"n = {count(row['n'])}"
                recent = f", {counted(row['immature'], 'buyer')} too recent" if row["immature"] else ""
                parts.append(f"{text}{recent})")
        told = "; ".join(f"{name}: {words}" for name, words in said.items())
        notes = f"; {told}" if told else ""
        if self.question is not None:
            notes += "".join(
                f"; {note}" for note in (*filters.left_out(self.question.log), *self.question.notes)
            )
        return f"Bought again, {interval_level(self.confidence)}s: {'; '.join(parts)}{notes}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each definition and group."""
        from toolkit.cohorts import plots

        return plots.estimates(self.table, [*self.by, "definition"], "bought again", ax)

    def _need_log(self, what: str) -> Any:
        if self.question is None:
            raise ValueError(f"{what} needs a log; a result from counts knows only its own rates")
        return self.question


def repurchase(
    log: EventLog,
    *,
    event: Any = "pay",
    definition: str | Definition | Sequence[str | Definition] = "first_30d",
    by: str | Sequence[str] | None = None,
    observed_until: Any = None,
    dedupe: str | None = None,
    path: str = "auto",
    confidence: float = 0.95,
) -> Repurchase:
    """How many buyers buy again, under a definition that has a name.

    Parameters
    ----------
    log : EventLog
    event : str, Step or list
        What a purchase is.
    definition : str, Definition or list
        A name that comes with the toolkit (`toolkit.cohorts.repurchases.known()`), a length of time such as "7d" for a
        second purchase within it, or a `Definition` of your own.
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

    Notes
    -----
    Two rows of one moment are two purchases, unless `dedupe` says otherwise. Where a definition looks back further
    than the log reaches there is no estimate, and a note.

    Examples
    --------
    >>> from toolkit import read_events
    >>> from toolkit.cohorts import repurchase
    >>> days = ["2019-11-01", "2019-11-08", "2019-11-03"]
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2], "event": "pay", "timestamp": pd.to_datetime(days)}))
    >>> repurchase(log, definition="7d", observed_until="2019-12-01").table[["definition", "repurchased", "n"]]
      definition  repurchased  n
    0         7d            1  2
    """
    from toolkit.cohorts.purchases import Buying, answer

    filters.opened(log, "repurchase")
    listed = list(definition) if isinstance(definition, list | tuple) else [definition]
    chosen = tuple(_definition(each) for each in listed)
    names = [each.name for each in chosen]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"definition={names!r}; give one name or several different ones")
    if event is None:
        raise ValueError("event=None would make every row a purchase; name the event, such as 'pay'")
    if dedupe is not None:
        log.column(dedupe, "dedupe column")
    asked = Buying(
        log=log,
        purchases=filters.matching(log, event, "event"),
        by=filters.grouping(log, by),
        until=filters.end_of(log, observed_until),
        dedupe=dedupe,
        confidence=confidence_level(confidence),
    )
    took, notes = way(asked, path)
    return answer(replace(asked, path=took, notes=notes), chosen)


def _definition(given: Any) -> Definition:
    if isinstance(given, Definition):
        return given
    if not isinstance(given, str):
        raise TypeError(
            f"a definition is a name, a length of time such as '30d', or a Definition, not {given!r}"
        )
    named = known()
    if given in named:
        return named[given]
    if re.match(r"\s*[\d.]", given):
        try:
            length = pd.Timedelta(re.sub(r"(?<=[\d\s])d(?![a-zA-Z])", "D", given))
        except ValueError:
            length = pd.NaT
        if length is not pd.NaT and re.search(r"[a-zA-Z]", given):
            days = length / pd.Timedelta(1, "D")
            return Definition(
                given, "within", days=days, said=f"bought again within {given} of their first purchase"
            )
    raise ValueError(
        f"definition={given!r}; use one of {', '.join(map(repr, named))}, or a length of time such as '7d'"
    )
