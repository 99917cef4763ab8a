"""`ReturnsPanel`: who comes back, by period, kind, definition and platform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from toolkit import style
from toolkit.cohorts.curves import aged
from toolkit.panels import pieces
from toolkit.scenarios.returns import DEFINITIONS, WhoReturns, offered, who_returns
from toolkit.wording import count, percent, percent_interval

if TYPE_CHECKING:
    from toolkit.logs.events import EventLog

PERIODS = ("day", "week", "month")
KINDS = (("at that age", "exact"), ("at that age or later", "rolling"), ("in a bracket of ages", "bracket"))


class ReturnsPanel(widgets.VBox):
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
    period, kind, definition, platform : Dropdown
    answer : HTML
    figure : Image
    result : WhoReturns
        The same answer as plain data.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit import read_events
    >>> days = pd.to_datetime(["2019-11-04", "2019-11-12", "2019-11-05", "2019-11-18"])
    >>> log = read_events(pd.DataFrame({"user_id": [1, 1, 2, 3], "event": "open", "timestamp": days}))
    >>> ReturnsPanel(log)
    ReturnsPanel: came back, 50.0 % in week 1 (n = 2)
    """

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
        self._definitions = offered(log, definitions)
        self._source = source
        platforms: list[Any] = []
        if self._column is not None:
            assert self._log.memory is not None
            values = self._log.memory.codes([self._column])[2][0].to_pylist()
            platforms = sorted(str(value) for value in values)
        self.period = self._choice("period", PERIODS, "week")
        self.kind = self._choice("came back", KINDS, "exact")
        self.definition = self._choice("definition", list(self._definitions), next(iter(self._definitions)))
        options = [("all", None), *((style.label(name, english=True), name) for name in platforms)]
        self.platform = self._choice("platform", options, None)
        self.platform.layout.display = "" if platforms else "none"
        self.answer = widgets.HTML()
        self.figure = widgets.Image(format="png", layout={"width": "640px", "height": "400px"})
        controls = (self.period, self.kind, self.definition, self.platform)
        super().__init__([widgets.VBox(controls), self.answer, self.figure])
        for control in controls:
            control.observe(self._update, "value")
        self._update()

    @staticmethod
    def _choice(name: str, options: Any, value: Any) -> widgets.Dropdown:
        return widgets.Dropdown(
            options=options,
            value=value,
            description=name,
            style={"description_width": "9em"},
            layout={"width": "27em"},
        )

    def _update(self, _: object = None) -> None:
        self.result = who_returns(
            self._log,
            definition=self.definition.value,
            period=self.period.value,
            kind=self.kind.value,
            platform=self.platform.value,
            column=self._column or "",
            definitions=self._definitions,
            source=self._source,
        )
        self.answer.value = pieces.told(_numbers(self.result), self.result.sentence())
        self.figure.value = pieces.drawn(self.result)

    def __repr__(self) -> str:
        later = self.result.later
        if later.empty:
            return f"ReturnsPanel: {self.result.name}, nothing to see after the first {self.period.value}"
        row = later.iloc[0]
        when = aged(self.period.value, row)
        return (
            f"ReturnsPanel: {self.result.name}, {percent(row['estimate'])} in {when} (n = {count(row['n'])})"
        )


def _numbers(result: WhoReturns) -> list[tuple[str, str]]:
    """The first and the last age with a rate, in large type."""
    later, numbers = result.later, []
    for at in sorted({0, len(later) - 1} if len(later) else ()):
        row = later.iloc[at]
        limits = percent_interval(row["low"], row["high"])
        numbers.append(
            (
                percent(row["estimate"]),
                f"{aged(result.cohorts.period, row)} ({limits}, n = {count(row['n'])})",
            )
        )
    return numbers
