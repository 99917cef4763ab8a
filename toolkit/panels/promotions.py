"""`PromotionPanel`: spend, margin and holdout as controls; what is added, beside what is reported, as the answer."""

from __future__ import annotations

from typing import Final

import ipywidgets as widgets

from toolkit.panels.calls import Call
from toolkit.panels.controls import number, share
from toolkit.panels.faces import drawn
from toolkit.panels.panel import Panel
from toolkit.scenarios.assumptions import two_places
from toolkit.scenarios.promotion import Budget, Holdout, Saturation, budget
from toolkit.wording import amount as signed
from toolkit.wording import count, interval

MOST_HELD: Final = 0.5
MARGINS: Final = {"left": 0.1, "right": 0.97, "top": 0.9, "bottom": 0.14}


class PromotionPanel(Panel):
    """Move the spend on each promoted note, and see what it adds beside what whoever counts all would report.

    Parameters
    ----------
    curve : Saturation
        What each promoted gained over its spend.
    test : Holdout
        The test that it is read from.
    margin : float
        What one unit of the outcome is worth, to begin with. An assumption.
    spend : float, optional
        On each promoted, to begin with; half of the largest if not given.
    promoted : int
        How many are promoted, to begin with; as many as in the test if not given.
    held : float
        The share held out by the next test, to begin with, 0 to 1.
    currency : str
        Of spend and margin.
    source : str
        What the test is, such as "Simulated notes": it stands in the figure's title.

    Attributes
    ----------
    spend : FloatSlider
        From 0 to the largest spend of the data.
    margin, promoted : BoundedFloatText
    held : FloatSlider
    result : Budget

    Raises
    ------
    ValueError
        For what `budget` refuses.

    Examples
    --------
    >>> import pandas as pd
    >>> from toolkit.scenarios.promotion import holdout, saturation
    >>> arms = pd.DataFrame({"arm": ["promoted", "held"], "n": [1000, 1000], "orders": [900, 500],
    ...                      "squares": [2600, 1100]})
    >>> test = holdout(arms, arm="arm", outcome="orders", n="n", squares="squares", held="held")
    >>> curve = saturation([0, 20, 50, 100, 150], [0, 0.21, 0.38, 0.52, 0.61], randomised=True)
    >>> panel = PromotionPanel(curve, test, margin=100)
    >>> panel.spend.value = 50
    >>> panel
    PromotionPanel: a spend of 50 brings 0.76 of margin a unit, reported as 1.76
    >>> panel.code.value
    'budget(curve, test=test, spend=50.0, margin=100.0, promoted=1000.0)'
    """

    question = "What does a budget add, and what would be reported?"
    result: Budget

    def __init__(
        self,
        curve: Saturation,
        test: Holdout,
        *,
        margin: float,
        spend: float | None = None,
        promoted: float | None = None,
        held: float = 0.3,
        currency: str = "CNY",
        source: str = "",
    ) -> None:
        most = curve.largest
        begin = most / 2 if spend is None else spend
        many = test.treated.n if promoted is None else promoted
        # The function checks what the panel is given before a slider cuts it down.
        budget(curve, test=test, spend=begin, margin=margin, promoted=many, held=held)
        self._first = float(begin), float(margin), float(many), float(held)
        self._curve, self._test, self._currency, self._source = curve, test, currency, source
        self.spend = widgets.FloatSlider(
            min=0,
            max=most,
            step=most / 200,
            continuous_update=False,
            description=f"spend on each, {currency}",
        )
        self.spend.layout.width, self.spend.readout_format = "36em", ",.4g"
        self.margin = number(f"margin of one of {test.outcome}, {currency}")
        self.promoted = number("how many are promoted", least=1)
        self.held = share("held out by the next test", max(MOST_HELD, held))
        super().__init__([self.spend, self.margin, self.promoted, self.held])

    def _begin(self) -> None:
        self.spend.value, self.margin.value, self.promoted.value, self.held.value = self._first

    def _call(self) -> Call:
        # A slider adds its steps up in floating point.
        asked = {
            "test": self._test,
            "spend": round(self.spend.value, 9),
            "margin": self.margin.value,
            "promoted": self.promoted.value,
            "held": round(self.held.value, 9),
        }
        return Call(budget, self._curve, "curve", asked)

    def _numbers(self) -> list[tuple[str, str]]:
        rows, outcome = self.result.table.set_index("quantity"), self._test.outcome
        numbers = []
        if "roi" in rows.index:
            back, told = rows.loc["roi"], rows.loc["reported_roi"]
            unit = f"margin for each {self._currency} of spend"
            numbers.append((two_places(back["estimate"]), f"{unit}, added ({interval(back, two_places)})"))
            numbers.append(
                (two_places(told["estimate"]), f"{unit}, as reported ({interval(told, two_places)})")
            )
        total = rows.loc["incremental_total"]
        numbers.append(
            (signed(round(total["estimate"])), f"{outcome} added ({interval(total, lambda one: count(one))})")
        )
        rise = self.result.detectable
        found = "–" if rise != rise else two_places(rise)
        return [*numbers, (found, f"{outcome} each: the smallest rise that the next test would find")]

    def _draw(self) -> tuple[bytes, str]:
        added, told = (two_places(self.result.value(name)) for name in ("incremental", "reported"))
        title = f"Each adds {added} {self._test.outcome}; {told} are reported"
        title = f"{self._source}: {title[0].lower()}{title[1:]}" if self._source else title
        return drawn(self.result, title=title, margins=MARGINS)

    def __repr__(self) -> str:
        if not self.result.spend:
            return "PromotionPanel: nothing is spent, nothing is added"
        back, told = (two_places(self.result.value(name)) for name in ("roi", "reported_roi"))
        return f"PromotionPanel: a spend of {self.result.spend:,g} brings {back} of margin a unit, reported as {told}"
