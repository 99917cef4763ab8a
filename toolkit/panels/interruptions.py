"""`InterruptionPanel`: an interruption's date, its terms and the errors; effect, band and diagnostics answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets
import pandas as pd

from toolkit import style
from toolkit.interruptions import Decay, Level, Pulse, Slope, interrupted_time_series
from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.series import read
from toolkit.panels.calls import Call
from toolkit.panels.controls import choice, number
from toolkit.panels.dates import Dates
from toolkit.panels.faces import drawn
from toolkit.panels.panel import Panel
from toolkit.wording import amount, change, count, interval, interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions import InterruptedTimeSeries
    from toolkit.interruptions.terms import Term

TERMS: Final = {
    "level": "a jump that stays (level)",
    "slope": "a change of trend (slope)",
    "pulse": "something that ends (pulse)",
    "decay": "a jump that fades (decay)",
}
ERRORS: Final = {
    "AR(1) and noise (default)": "auto",
    "AR(1)": "ar1",
    "Newey-West": "hac",
    "independent (least squares)": "ols",
}
#: Only these know a population at risk.
COUNTS: Final = {
    "quasi-Poisson": "quasi_poisson",
    "Poisson": "poisson",
    "negative binomial": "negative_binomial",
}
#: Of the figure, as shares of it: room for numbers in millions on the left, for names of lines on the right.
MARGINS: Final = {"left": 0.155, "right": 0.88, "top": 0.86, "bottom": 0.13}


class InterruptionPanel(Panel):
    """Move the date of an interruption, add a term, choose the errors, and see what would be concluded.

    Parameters
    ----------
    series : Series or DataFrame
        As for `interrupted_time_series`; of a frame one column at a time is asked about.
    date : date
        Where the interruption stands to begin with.
    name : str
        What happened.
    terms : collection of str
        What it is taken to do to begin with: "level", "slope", "pulse", "decay".
    errors : str
        How errors are modelled to begin with.
    others : dict, optional
        Interruptions that stay as they are.
    tau : float
        Periods after which a third (1/e) of the jump that fades is left, to begin with.
    lasts : int
        Periods of the pulse, to begin with.
    source : str
        What the series is, such as "Simulated, calibrated to public anchor points": it stands in the figure's title.
    options
        Others of `interrupted_time_series`, such as ``calendar=``.

    Attributes
    ----------
    series : RadioButtons, or SelectionSlider through many
    date : SelectionSlider
    day : DatePicker, or IntText where periods are plain numbers
        The same date, to be typed.
    terms : dict of str to Checkbox
        "level", "slope", "pulse" and "decay".
    lasts, tau : BoundedIntText, BoundedFloatText
        Periods of the pulse, and of the decay; each can be set while its term is ticked.
    errors : RadioButtons
    effect : Effect
        Of the interruption, from its date on; of a pulse alone, while it lasts.
    result : InterruptedTimeSeries

    Raises
    ------
    ValueError
        For a date with fewer than 12 periods on a side, unknown terms or none, and a name that is taken.

    Examples
    --------
    >>> import numpy as np
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days, name="visits")
    >>> panel = InterruptionPanel(visits, "2019-07-31", name="removed")
    >>> panel
    InterruptionPanel: visits, removed on 2019-07-31 (level; auto): −19.4 %
    >>> panel.code.value
    "interrupted_time_series(series, interruptions={'removed': Level(at='2019-07-31')})"
    """

    question = "What did an event do, and how sure is that?"
    result: InterruptedTimeSeries

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
        lasts: int = 7,
        source: str = "",
        **options: Any,
    ) -> None:
        checked = read(series)
        self._series, self._frame, self._clock = series, checked.frame, checked.clock
        self._name, self._others, self._source, self._options = name, dict(others or {}), source, options
        if name in self._others:
            raise ValueError(f"{name!r} is the name of another interruption too; rename one")
        if not terms or set(terms) - set(TERMS):
            raise ValueError(f"terms are among {', '.join(map(repr, TERMS))}, not {terms!r}")
        clock = self._clock
        self._first = self._place(date)
        self._chosen, self._errors, self._tau, self._lasts = set(terms), errors, tau, lasts

        self.series = choice("series", [(style.label(one), one) for one in checked.names])
        self.series.layout.display = "" if len(checked.names) > 1 else "none"
        inner = range(FEW, len(clock.periods) - FEW + 1)
        self._dates = Dates(
            f"{name}, first {clock.unit}",
            [(clock.said(at), clock.times[at]) for at in inner],
            lambda value: self._place(value) - FEW,
            dated=clock.dated,
        )
        self.date, self.day = self._dates.slider, self._dates.typed
        self.terms = {
            term: widgets.Checkbox(description=said, indent=False, layout={"width": "18em"})
            for term, said in TERMS.items()
        }
        periods = len(clock.periods)
        self.lasts = widgets.BoundedIntText(
            min=1, max=periods, description=f"pulse lasts, {clock.unit}s", continuous_update=False
        )
        self.tau = number(f"decay's tau, {clock.unit}s", 0.1, periods)
        self.lasts.layout.width = self.tau.layout.width
        kinds = COUNTS if options.get("offset") is not None else ERRORS
        kinds = kinds if errors in kinds.values() else {errors: errors, **kinds}
        self.errors = choice("errors", kinds.items())
        wrapped = {"flex_flow": "row wrap", "max_width": "44em"}
        boxes = widgets.HBox(list(self.terms.values()), layout=wrapped)
        lengths = widgets.HBox([self.lasts, self.tau], layout=wrapped)
        super().__init__([self.series, self.date, self.day, boxes, lengths, self.errors])

    def _heading(self) -> str:
        return f"What did “{self._name}” do, and how sure is that?"

    def _place(self, date: Any) -> int:
        """The number of the period in which a date lies, if there are enough on both sides."""
        clock = self._clock
        place = clock.place(date)
        if not FEW <= place <= len(clock.periods) - FEW:
            raise ValueError(
                f"{date} has fewer than {FEW} {clock.unit}s on a side; the series runs {clock.span}"
            )
        return place

    def _begin(self) -> None:
        self._dates.put(self._first - FEW)
        for term, box in self.terms.items():
            box.value = term in self._chosen
        self.lasts.value, self.tau.value, self.errors.value = self._lasts, self._tau, self._errors
        self._unlock()

    def _follow(self, moved: widgets.Widget) -> None:
        self._dates.follow(moved)
        self._unlock()

    def _unlock(self) -> None:
        """A length can be set where its term is chosen."""
        self.lasts.disabled = not self.terms["pulse"].value
        self.tau.disabled = not self.terms["decay"].value

    def _call(self) -> Call:
        place, times = self._dates.place() + FEW, self._clock.times
        at = times[place]
        self._end = times[min(place + self.lasts.value, len(times)) - 1]
        made: dict[str, Term] = {
            "level": Level(at),
            "slope": Slope(at),
            "pulse": Pulse(at, self._end),
            "decay": Decay(at, self.tau.value),
        }
        chosen = [made[term] for term in self._ticked()]
        if not chosen:
            raise ValueError(
                "an interruption that does nothing cannot be estimated; tick what it may have done"
            )
        asked = {self._name: chosen[0] if len(chosen) == 1 else chosen, **self._others}
        one = self.series.value
        data = f"series[{one!r}]" if len(self.series.options) > 1 else "series"
        options = {"errors": self.errors.value, **self._options}
        return Call(interrupted_time_series, self._frame[one], data, {"interruptions": asked, **options})

    def _ticked(self) -> list[str]:
        return [term for term, box in self.terms.items() if box.value]

    def _take(self, result: InterruptedTimeSeries) -> None:
        over = (self.date.value, self._end) if self._ticked() == ["pulse"] else None
        self.effect = result.effect(of=self._name, over=over)
        self.result = result

    def _shown(self) -> tuple[pd.Series, Callable[[float], str]]:
        """The row of the relative effect, or of the average one where nothing is relative, and how it is said."""
        rows = self.effect.table.set_index("estimand")
        share = rows.loc["relative"]
        return (rows.loc["average"], amount) if math.isnan(share["estimate"]) else (share, change)

    def _when(self) -> str:
        return "while it lasted" if self._ticked() == ["pulse"] else "since then"

    def _numbers(self) -> list[tuple[str, str]]:
        row, said = self._shown()
        limits = f"{interval_level(self.result.confidence)} {interval(row, said)}"
        what = f"on average {self._when()}, against the counterfactual ({limits}, n = {count(row['n'])})"
        return [(said(row["estimate"]), what)]

    def _caveat(self) -> str:
        return f"{self.result.sentence()} {self.result.diagnostics.sentence()}"

    def _draw(self) -> tuple[bytes, str]:
        row, said = self._shown()
        source = f"{self._source}:\n" if self._source else ""
        title = f"{source}{self._name}, {said(row['estimate'])} on average {self._when()}"
        return drawn(self.result, title=title, margins=MARGINS, finish=_hold_band)

    def __repr__(self) -> str:
        row, said = self._shown()
        return (
            f"InterruptionPanel: {self.series.value}, {self._name} on {self.date.label} "
            f"({' and '.join(self._ticked())}; {self.errors.value}): {said(row['estimate'])}"
        )


def _hold_band(ax: Axes) -> None:
    """Widen the axis until it holds the whole band, with room for names at the top."""
    low, high = ax.get_ylim()
    least, most = ax.dataLim.y0, ax.dataLim.y1
    if math.isfinite(least) and least < low:
        low = least - 0.05 * (high - least)
    if math.isfinite(most) and most > high:
        high = most + 0.15 * (most - low)
    ax.set_ylim(low, high)
