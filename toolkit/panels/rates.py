"""`RatesPanel`: step rates as sliders, buyers and GMV as the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from toolkit import style
from toolkit.panels import pieces
from toolkit.scenarios.rates import WhatIf, broken_down_by, checked, groups, what_if
from toolkit.wording import count, some

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.funnels import Funnel


class RatesPanel(widgets.VBox):
    """Move a step's rate and see how many would buy, all other rates as observed.

    Parameters
    ----------
    counts : Funnel or DataFrame
        As for `toolkit.scenarios.what_if`.
    amount_per_buyer : float or dict
        What a buyer pays, or that by group.
    group : value or tuple of values, optional
        Whose funnel to begin with; the first one if not given.
    currency : str
        Of the amount.
    source : str
        What the counts are, such as "Simulated log": it stands in the figure's title.

    Attributes
    ----------
    group : Dropdown
        Whose funnel; its values are tuples of the `by` columns' values.
    rates : dict of str to FloatSlider
        By step.
    amount : BoundedFloatText
    reset : Button
        Back to the observed rates.
    answer : HTML
        Buyers and GMV, and what they rest on.
    figure : Image
    result : WhatIf
        The same answer as plain data.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"step": ["enter", "cart", "pay"], "reached": [1000, 200, 50]})
    >>> panel = RatesPanel(counts, amount_per_buyer=80)
    >>> panel.rates["cart"].value = 0.3
    >>> panel
    RatesPanel: 75 buyers (observed 50), GMV CNY 6,000
    """

    def __init__(
        self,
        counts: Funnel | pd.DataFrame,
        *,
        amount_per_buyer: float | Mapping[Any, float],
        group: Any = None,
        currency: str = "CNY",
        source: str = "",
    ) -> None:
        self._counts = checked(counts)
        self._settling = False
        options = groups(self._counts)
        first = options[0] if group is None else group if isinstance(group, tuple) else (group,)
        if first not in options:
            raise KeyError(
                f"no group {group!r}; there are {some([' · '.join(map(str, g)) for g in options])}"
            )
        self._observed = {
            whose: what_if(
                self._counts,
                {},
                group=whose or None,
                amount_per_buyer=_amount(amount_per_buyer, whose),
                currency=currency,
                source=source,
            )
            for whose in options
        }
        self._rates = {whose: _rates(answer) for whose, answer in self._observed.items()}
        steps = list(self._rates[first])
        if any(list(rates) != steps for rates in self._rates.values()):
            raise ValueError("the groups have different steps: make a panel for each")

        self.group = widgets.Dropdown(
            options=[
                (" · ".join(style.label(part, english=True) for part in whose), whose) for whose in options
            ],
            value=first,
            description=" · ".join(map(str, broken_down_by(self._counts))),
            style={"description_width": "9em"},
            layout={"width": "27em", "display": "" if options[0] else "none"},
        )
        self.rates = {
            step: pieces.rate_slider(f"to {step}", (rates[step] for rates in self._rates.values()))
            for step in steps
        }
        self.amount = widgets.BoundedFloatText(
            min=0,
            max=1e12,
            description=f"{currency} a buyer",
            style={"description_width": "9em"},
            layout={"width": "17em"},
        )
        self.reset = widgets.Button(description="observed rates", layout={"width": "9.5em"})
        self.answer = widgets.HTML()
        self.figure = widgets.Image(format="png", layout={"width": "640px", "height": "400px"})
        controls = [self.group, *self.rates.values(), widgets.HBox([self.amount, self.reset])]
        super().__init__([widgets.VBox(controls), self.answer, self.figure])

        self.group.observe(self._start_again, "value")
        self.reset.on_click(self._start_again)
        for control in (*self.rates.values(), self.amount):
            control.observe(self._update, "value")
        self._start_again()

    def _start_again(self, _: object = None) -> None:
        """Put the chosen group's observed rates and amount into the controls."""
        self._settling = True
        try:
            for step, rate in self._rates[self.group.value].items():
                self.rates[step].value = 0.0 if math.isnan(rate) else rate
            self.amount.value = self._observed[self.group.value].amount_per_buyer
        finally:
            self._settling = False
        self._update()

    def _update(self, _: object = None) -> None:
        if self._settling:
            return
        observed = self._rates[self.group.value]
        assumed = {
            step: slider.value for step, slider in self.rates.items() if slider.value != observed[step]
        }
        if not any(assumed.values()):
            # Rates never observed stand at 0, which is no assumption until another slider makes them matter.
            assumed = {step: rate for step, rate in assumed.items() if not math.isnan(observed[step])}
        self.result = what_if(
            self._counts,
            assumed,
            group=self.group.value or None,
            amount_per_buyer=self.amount.value,
            currency=self._observed[self.group.value].currency,
            source=self._observed[self.group.value].source,
        )
        self.answer.value = _told(self.result)
        self.figure.value = pieces.drawn(self.result)

    def __repr__(self) -> str:
        answer = self.result
        whose = f"{answer.name}, " if answer.name else ""
        gmv = f"GMV {answer.currency} {count(answer.gmv or 0)}"
        return (
            f"RatesPanel: {whose}{count(answer.buyers)} buyers (observed {count(answer.buyers_now)}), {gmv}"
        )


def _amount(amounts: float | Mapping[Any, float], group: tuple[Any, ...]) -> float:
    if not isinstance(amounts, Mapping):
        return amounts
    whose = group[0] if len(group) == 1 else group
    if whose not in amounts:
        raise KeyError(f"amount_per_buyer has no amount for {whose!r}")
    return amounts[whose]


def _rates(answer: WhatIf) -> dict[str, float]:
    observed = answer.table.iloc[1:]
    return dict(zip(map(str, observed["step"]), observed["from_previous"], strict=True))


def _told(answer: WhatIf) -> str:
    """Two large numbers and the sentence."""
    numbers = []
    for name, then, now in [
        ("buyers", answer.buyers, answer.buyers_now),
        (f"GMV, {answer.currency}", answer.gmv or 0, answer.gmv_now or 0),
    ]:
        change = f", {100 * (then / now - 1):+,.0f} %" if now and then != now else ""
        numbers.append((count(then), f"{name} (observed {count(now)}{change})"))
    return pieces.told(numbers, answer.sentence())
