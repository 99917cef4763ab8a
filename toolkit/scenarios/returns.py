"""`who_returns`: the retention curve of one platform under a definition that has a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from toolkit import style
from toolkit.cohorts import Retention, retention
from toolkit.funnels import Step
from toolkit.logs.engines import identifier, literal
from toolkit.results import Result
from toolkit.wording import unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.logs.events import EventLog

#: What makes a user one of a cohort, and what counts as coming back; None is any event.
DEFINITIONS: dict[str, tuple[str | None, str | None]] = {
    "came back": (None, None),
    "bought again": ("pay", "pay"),
    "bought, from the first visit on": (None, "pay"),
}
#: Brackets of periods double, as retention falls ever more slowly.
BRACKETS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 31))


@dataclass(frozen=True, repr=False, eq=False)
class WhoReturns(Result):
    """A retention curve and its definition. `table` is that of `Retention.curve`.

    Examples
    --------
    >>> from toolkit import read_events
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-05", "2019-11-18"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2, 3], "event": "open", "timestamp": days}))
    >>> who_returns(log, source="By hand").name
    'By hand · came back'
    """

    table: pd.DataFrame
    definition: str
    platform: str | None
    cohorts: Retention = field(repr=False)
    source: str = ""

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    @property
    def name(self) -> str:
        """Source, platform and definition as a reader calls them."""
        whose = "" if self.platform is None else style.label(self.platform)
        return " · ".join(filter(None, (self.source, whose, self.definition)))

    @property
    def later(self) -> pd.DataFrame:
        """The periods after the first that have a rate."""
        return self.table[(self.table["age"] > 0) & (self.table["n"] > 0)]

    def sentence(self) -> str:
        """The curve in words, with its definition and caveats."""
        return f"{self.name}: {self.cohorts.sentence().removeprefix('Came back: ')}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curve with its interval; the title says whose it is."""
        from toolkit.scenarios import plots

        return plots.named(self.cohorts.curve().plot(ax), platform=self.platform, title=self.name)


def who_returns(
    log: EventLog,
    *,
    definition: str = "came back",
    period: Literal["day", "week", "month"] = "week",
    kind: Literal["exact", "rolling", "bracket"] = "exact",
    platform: str | None = None,
    column: str = "platform",
    definitions: Mapping[str, tuple[Any, Any]] = DEFINITIONS,
    source: str = "",
) -> WhoReturns:
    """Follow one platform's users, or everybody's, under a definition chosen by its name.

    Parameters
    ----------
    log : EventLog
        On `log.index(keep=[column])` the answer takes milliseconds.
    definition : str
        A name in `definitions`.
    period : {"day", "week", "month"}
    kind : {"exact", "rolling", "bracket"}
        As for `toolkit.retention`: in the period, on or after it (unbounded), or in a bracket of periods that
        doubles: 1, 2 to 3, 4 to 7 and so on.
    platform : value, optional
        Only rows with this value in `column` count, as starts and as returns.
    column : str
    definitions : dict of str to (start, returns)
        Events' names, or None for any event.
    source : str
        What the log is, such as "Simulated log": it stands in the figure's title.

    Returns
    -------
    WhoReturns

    Raises
    ------
    ValueError
        For a definition or a column that is not there; the message names those that are.

    Examples
    --------
    >>> from toolkit import read_events
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-05", "2019-11-18"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2, 3], "event": "open", "timestamp": days}))
    >>> who_returns(log).table[["age", "estimate", "n"]].head(2)
       age  estimate  n
    0    0       1.0  2
    1    1       0.5  2
    """
    if definition not in definitions:
        raise ValueError(unknown("definition", definition, definitions))
    start, returns = (_rows(log, events, platform, column) for events in definitions[definition])
    brackets = BRACKETS if kind == "bracket" else None
    cohorts = retention(log, start=start, returns=returns, period=period, kind=kind, brackets=brackets)
    return WhoReturns(cohorts.curve().table, definition, platform, cohorts, source)


def offered(
    log: EventLog, definitions: Mapping[str, tuple[Any, Any]] = DEFINITIONS
) -> dict[str, tuple[Any, Any]]:
    """The definitions whose events a log has."""
    return {
        name: events
        for name, events in definitions.items()
        if all(event is None or event in log.vocabulary for event in events)
    }


def _rows(log: EventLog, event: str | None, platform: str | None, column: str) -> Any:
    if platform is None:
        return event
    log.column(column, "platform column")
    return Step(event or "any event", event=event, where=f"{identifier(column)} = {literal(platform)}")
