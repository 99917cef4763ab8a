"""`ReturnsPanel`: who comes back, by period, kind, definition and platform."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from toolkit import style
from toolkit.cohorts.curves import aged
from toolkit.panels.calls import Call
from toolkit.panels.controls import choice
from toolkit.panels.faces import drawn
from toolkit.panels.panel import Panel
from toolkit.scenarios.returns import DEFINITIONS, WhoReturns, offered, who_returns
from toolkit.wording import count, percent, percent_interval

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

#: Of the figure, as shares of it: room for per cent on the left and a name below.
MARGINS: Final = {"left": 0.1, "right": 0.97, "top": 0.9, "bottom": 0.13}
PERIODS: Final = ("day", "week", "month")
KINDS: Final = (
    ("in that very period", "exact"),
    ("in that period or later", "rolling"),
    ("in a bracket of periods", "bracket"),
)


class Everyone(Enum):
    """The choice of no platform: an option whose value is None would show as an empty box."""

    ALL = "all platforms"


class ReturnsPanel(Panel):
    """Change what coming back means, and see the curve change.

    Parameters
    ----------
    log : EventLog
        It is indexed here if it is not yet.
    column : str, optional
        The property that tells platforms apart; None, or a log without it, hides the choice.
    definitions : dict of str to (start, returns)
        As for `toolkit.scenarios.who_returns`; those whose events the log lacks are left out.
    source : str
        What the log is, such as "Simulated log": it stands in the figure's title.

    Attributes
    ----------
    period, kind, definition : RadioButtons, or SelectionSlider through many
    platform : RadioButtons, or SelectionSlider through many
        Its values are platforms, and `Everyone.ALL`.
    result : WhoReturns

    Raises
    ------
    ValueError
        For definitions none of whose events is in the log.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-05", "2019-11-18"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2, 3], "event": "open", "timestamp": days}))
    >>> panel = ReturnsPanel(log)
    >>> panel
    ReturnsPanel: came back, 50.0 % in week 1 (n = 2)
    >>> panel.kind.value = "rolling"
    >>> panel.code.value
    "who_returns(log, kind='rolling')"
    """

    question = "Who comes back, and when?"
    result: WhoReturns

    def __init__(
        self,
        log: EventLog,
        *,
        column: str | None = "platform",
        definitions: Mapping[str, tuple[Any, Any]] = DEFINITIONS,
        source: str = "",
    ) -> None:
        self._column = column if column in log.columns else None
        held = [] if self._column is None else [self._column]
        indexed = log.memory is not None and set(held) <= set(log.memory.kept)
        self._log = log if indexed else log.index(keep=held)
        self._source = source
        self._definitions = offered(log, definitions)
        if not self._definitions:
            raise ValueError(
                "the log has the events of none of the definitions; give definitions= of its own"
            )
        platforms: list[str] = []
        if self._column is not None and self._log.memory is not None:
            values = self._log.memory.codes([self._column])[2][0].to_pylist()
            platforms = sorted(str(value) for value in values)

        self.period = choice("period", PERIODS, "week")
        self.kind = choice("came back", KINDS, "exact")
        self.definition = choice("definition", self._definitions)
        everyone: list[tuple[str, Any]] = [(Everyone.ALL.value, Everyone.ALL)]
        named = [(style.label(name), name) for name in platforms]
        self.platform = choice(column or "platform", everyone + named)
        self.platform.layout.display = "" if platforms else "none"
        super().__init__([self.period, self.kind, self.definition, self.platform])

    def _begin(self) -> None:
        self.period.value, self.kind.value = "week", "exact"
        self.definition.index = self.platform.index = 0

    def _call(self) -> Call:
        platform, name = self.platform.value, self.definition.value
        asked = {
            "definition": name,
            "period": self.period.value,
            "kind": self.kind.value,
            "platform": None if platform is Everyone.ALL else platform,
            "column": self._column or "platform",
            "source": self._source,
        }
        known = DEFINITIONS.get(name) == self._definitions[name]
        written = {} if known else {"definitions": {name: self._definitions[name]}}
        return Call(
            who_returns,
            self._log,
            "log",
            {**asked, "definitions": self._definitions},
            {"definitions": DEFINITIONS, **written},
        )

    def _numbers(self) -> list[tuple[str, str]]:
        """The first and the last period with a rate."""
        later, numbers = self.result.later, []
        for at in sorted({0, len(later) - 1} if len(later) else ()):
            row = later.iloc[at]
            limits = percent_interval(row["low"], row["high"])
            when = aged(self.result.cohorts.period, row)
            numbers.append((percent(row["estimate"]), f"{when} ({limits}, n = {count(row['n'])})"))
        return numbers

    def _draw(self) -> tuple[bytes, str]:
        return drawn(self.result, margins=MARGINS)

    def __repr__(self) -> str:
        later = self.result.later
        if later.empty:
            return f"ReturnsPanel: {self.result.name}, nothing to see after the first {self.period.value}"
        row = later.iloc[0]
        when = aged(self.period.value, row)
        return (
            f"ReturnsPanel: {self.result.name}, {percent(row['estimate'])} in {when} (n = {count(row['n'])})"
        )
