"""`InterruptionPanel`: an interruption's date, its terms and the errors; effect, band and diagnostics answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from toolkit import style
from toolkit.interruptions import Decay, Level, Slope, interrupted_time_series
from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.design import events
from toolkit.interruptions.series import read
from toolkit.panels import pieces
from toolkit.wording import amount, change, interval

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.interruptions import InterruptedTimeSeries
    from toolkit.interruptions.terms import Term

ERRORS = {
    "AR(1) and noise (default)": "auto",
    "AR(1)": "ar1",
    "Newey-West": "hac",
    "independent (least squares)": "ols",
}
#: Only these know a population at risk.
COUNTS = {
    "quasi-Poisson": "quasi_poisson",
    "Poisson": "poisson",
    "negative binomial": "negative_binomial",
}
#: Of the figure, as shares of it: room for numbers in millions on the left, for names of lines on the right.
MARGINS = {"left": 0.155, "right": 0.88, "top": 0.86, "bottom": 0.1}


class InterruptionPanel(widgets.VBox):
    """Drag the date of an interruption, add a term, choose the errors, and see what would be concluded.

    Parameters
    ----------
    series : Series or DataFrame
        As for `interrupted_time_series`; of a frame one column at a time is asked about.
    date : date
        Where the interruption stands to begin with.
    name : str
        What happened.
    terms : collection of str
        What it is taken to do to begin with: "level", "slope", "decay".
    errors : str
        How errors are modelled to begin with.
    others : dict, optional
        Interruptions that stay as they are.
    tau : float
        Of the fading term, in periods.
    source : str
        What the series is, such as "Simulated, calibrated to public anchor points": it stands in the figure's title.
    options
        Others of `interrupted_time_series`, such as ``calendar=``.

    Attributes
    ----------
    series : Dropdown
    date : SelectionSlider
    terms : dict of str to Checkbox
        "level", "slope" and "decay".
    errors : Dropdown
    answer : HTML
    figure : Image
    result : InterruptedTimeSeries
        The same answer as plain data.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days, name="visits")
    >>> InterruptionPanel(visits, "2019-07-31", name="removed")
    InterruptionPanel: visits, removed on 2019-07-31 (level; auto): −19.4 %
    """

    def __init__(
        self,
        series: pd.Series | pd.DataFrame,
        date: Any,
        *,
        name: str = "interruption",
        terms: Collection[str] = ("level",),
        errors: str = "auto",
        others: Mapping[str, Term | Sequence[Term]] | None = None,
        tau: float = 14.0,
        source: str = "",
        **options: Any,
    ) -> None:
        checked = read(series)
        self._frame, self._name, self._others = checked.frame, name, dict(others or {})
        if name in self._others:
            raise ValueError(f"{name!r} is the name of another interruption too; rename one")
        if not terms or set(terms) - {"level", "slope", "decay"}:
            raise ValueError(f"terms are among 'level', 'slope' and 'decay', not {terms!r}")
        self._tau, self._source, self._options = tau, source, options
        self._settling = False
        clock = checked.clock
        if options.get("calendar") is not None:
            self._options["calendar"] = events(clock, options["calendar"])  # looked up once
        place = clock.place(date)
        inner = range(FEW, len(clock.periods) - FEW + 1)
        if place not in inner:
            raise ValueError(f"{date} has fewer than {FEW} periods on a side; the series runs {clock.span}")

        self.series = widgets.Dropdown(
            options=[(style.label(one, english=True), one) for one in checked.names],
            description="series",
            layout={"width": "27em", "display": "" if len(checked.names) > 1 else "none"},
        )
        self.date = widgets.SelectionSlider(
            options=[(clock.said(at), clock.times[at]) for at in inner],
            value=clock.times[place],
            description=name,
            continuous_update=False,
            style={"description_width": "9em"},
            layout={"width": "40em"},
        )
        self.terms = {
            "level": widgets.Checkbox("level" in terms, description="a jump that stays", indent=False),
            "slope": widgets.Checkbox("slope" in terms, description="a change of trend", indent=False),
            "decay": widgets.Checkbox(
                "decay" in terms, description=f"a jump that fades (tau {tau:g})", indent=False
            ),
        }
        kinds = COUNTS if options.get("offset") is not None else ERRORS
        kinds = kinds if errors in kinds.values() else {errors: errors, **kinds}
        self.errors = widgets.Dropdown(
            options=kinds, value=errors, description="errors", layout={"width": "24em"}
        )
        self.answer = widgets.HTML()
        self.figure = widgets.Image(format="png", layout={"width": "640px", "height": "400px"})
        boxes = widgets.HBox(list(self.terms.values()))
        super().__init__([self.series, self.date, boxes, self.errors, self.answer, self.figure])
        for control in (self.series, self.date, *self.terms.values(), self.errors):
            control.observe(self._update, "value")
        self._update()

    def _update(self, change_of: Any = None) -> None:
        if self._settling:
            return
        chosen = [term for term, box in self.terms.items() if box.value]
        if not chosen and change_of is not None:
            # An interruption without a term is no question: the box that was emptied is filled again.
            self._settling = True
            change_of["owner"].value = True
            self._settling = False
            return
        at = self.date.value
        made: dict[str, Term] = {"level": Level(at), "slope": Slope(at), "decay": Decay(at, self._tau)}
        self.result: InterruptedTimeSeries = interrupted_time_series(
            self._frame[self.series.value],
            {self._name: [made[term] for term in chosen], **self._others},
            errors=self.errors.value,
            **self._options,
        )
        self.effect = self.result.effect(of=self._name)
        self.answer.value = self._told()
        self.figure.value = pieces.drawn(self.result, title=self._title(), margins=MARGINS)

    def _shown(self) -> tuple[pd.Series, Callable[[float], str]]:
        """The row of the relative effect, or of the average one where nothing is relative, and how it is said."""
        rows = self.effect.table.set_index("estimand")
        share = rows.loc["relative"]
        return (rows.loc["average"], amount) if math.isnan(share["estimate"]) else (share, change)

    def _said(self) -> str:
        row, said = self._shown()
        return said(row["estimate"])

    def _title(self) -> str:
        source = f"{self._source}:\n" if self._source else ""
        return f"{source}{self._name}, {self._said()} on average since"

    def _told(self) -> str:
        row, said = self._shown()
        what = f"on average since then ({interval(row, said)}, n = {row['n']:,})"
        sentence = f"{self.result.sentence()} {self.result.diagnostics.sentence()}"
        return pieces.told([(said(row["estimate"]), what)], sentence)

    def __repr__(self) -> str:
        chosen = [term for term, box in self.terms.items() if box.value]
        when = self.date.label
        return (
            f"InterruptionPanel: {self.series.value}, {self._name} on {when} ({' and '.join(chosen)}; "
            f"{self.errors.value}): {self._said()}"
        )
