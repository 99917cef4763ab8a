"""`RatesPanel`: step rates as sliders; buyers, GMV and the break-even rate as the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import pandas as pd

from toolkit import style
from toolkit.panels.calls import Call
from toolkit.panels.controls import choice, number, slider
from toolkit.panels.faces import HEIGHT, drawn
from toolkit.panels.panel import Panel
from toolkit.scenarios.rates import WhatIf, broken_down_by, checked, groups, what_if
from toolkit.tiers import split_product
from toolkit.wording import count, group_name, percent, unknown

if TYPE_CHECKING:
    from toolkit.funnels import Funnel

#: Inches of the figure for each step and around them: two lines of a label do not touch the next two.
STEP, AROUND = 0.46, 1.1


class RatesPanel(Panel):
    """Move a step's rate and see how many would buy, all other rates as observed.

    Parameters
    ----------
    counts : Funnel or DataFrame
        As for `toolkit.scenarios.what_if`.
    amount_per_buyer : float, dict or str, optional
        What a buyer pays: one amount, an amount by group, or the column of the funnel's log that holds amounts. If
        not given, the log's column "amount" where the funnel is broken down by one column of such a log.
        Without any amount there is no GMV until one is set.
    group : value or tuple of values, optional
        Whose funnel to begin with; the first one if not given.
    currency : str
        Of the amount.
    source : str
        What the counts are, such as "Simulated log": it stands in the figure's title.

    Attributes
    ----------
    group : RadioButtons, or SelectionSlider through many
        Whose funnel; its values are tuples of the `by` columns' values. Each group keeps what was set for it.
    rates : dict of str to FloatSlider
        By step. A rate that was never observed stands at 0 until it is set.
    amount : BoundedFloatText
        What a buyer pays; 0 where that is not known.
    goal : BoundedFloatText
        GMV, or buyers where no amount is known, at which the group breaks even; the observed one to begin with.
    lever : RadioButtons, or SelectionSlider through many
        The step whose rate would have to reach it alone.
    break_even : float
        That rate, with the other rates as set; above 1 where this step alone cannot reach the goal.
    result : WhatIf

    Raises
    ------
    ValueError
        For a group that is not there or lacks an amount, groups of different steps, and fewer than two steps.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"step": ["enter", "cart", "pay"], "reached": [1000, 200, 50]})
    >>> panel = RatesPanel(counts, amount_per_buyer=80)
    >>> panel.rates["cart"].value = 0.3
    >>> panel
    RatesPanel: 75 buyers (observed 50), GMV CNY 6,000
    >>> panel.code.value
    "what_if(counts, rates={'cart': 0.3}, amount_per_buyer=80.0)"
    >>> round(panel.break_even, 3)
    0.167
    """

    question = "How many would buy, and for how much, if a step's rate were another one?"
    result: WhatIf

    def __init__(
        self,
        counts: Funnel | pd.DataFrame,
        *,
        amount_per_buyer: float | Mapping[Any, float] | str | None = None,
        group: Any = None,
        currency: str = "CNY",
        source: str = "",
    ) -> None:
        self._counts = checked(counts)
        self._currency, self._source = currency, source
        options = groups(self._counts)
        first = options[0] if group is None else group if isinstance(group, tuple) else (group,)
        if first not in options:
            raise ValueError(unknown("group", group_name(first), [group_name(one) for one in options]))
        steps = [str(step) for step in self._counts["step"].drop_duplicates()]
        amounts = _amounts(counts, amount_per_buyer, options)
        self._one_amount = len(set(amounts.values())) == 1
        self._observed: dict[tuple[Any, ...], WhatIf] = {
            whose: self._asked(whose, {}, amounts[whose]).result() for whose in options
        }
        self._rates = {whose: _rates(answer) for whose, answer in self._observed.items()}
        if any(list(rates) != steps[1:] for rates in self._rates.values()):
            raise ValueError("the groups have different steps: make a panel for each")

        names = [(" · ".join(style.label(part) for part in one), one) for one in options]
        by = " · ".join(map(str, broken_down_by(self._counts)))
        self.group = choice(by, names, first)
        self.group.layout.display = "" if options[0] else "none"
        self.rates = {
            step: slider(f"to {step}", [rates[step] for rates in self._rates.values()]) for step in steps[1:]
        }
        self.amount = number(f"{currency} a buyer")
        self.goal = number("break-even at")
        self.lever = choice("by the rate to", steps[1:], steps[-1])
        self._set: dict[tuple[Any, ...], dict[str, float]] = {}
        self._amount_set: dict[tuple[Any, ...], float] = {
            whose: amount or 0.0 for whose, amount in amounts.items()
        }
        self._amounts_at_first = dict(self._amount_set)
        self._goals: dict[tuple[Any, ...], float] = {}
        super().__init__([self.group, *self.rates.values(), self.amount, self.goal, self.lever])

    def _asked(self, whose: tuple[Any, ...], rates: dict[str, float], amount: float | None) -> Call:
        options = {"currency": self._currency, "source": self._source}
        group = whose[0] if len(whose) == 1 else whose or None
        return Call(
            what_if,
            self._counts,
            "counts",
            {"rates": rates, "group": group, "amount_per_buyer": amount or None, **options},
        )

    def _call(self) -> Call:
        observed = self._rates[self.group.value]
        assumed = {step: one.value for step, one in self.rates.items() if one.value != _start(observed[step])}
        return self._asked(self.group.value, assumed, self.amount.value)

    def _begin(self) -> None:
        whose = self.group.value
        self._set.pop(whose, None)
        self._goals.pop(whose, None)
        self.lever.index = len(self.rates) - 1
        self._remember_amount(self._amounts_at_first[whose])
        self._show()

    def _follow(self, moved: widgets.Widget) -> None:
        whose = self.group.value
        if moved is self.group:
            self._show()
        elif moved is self.amount:
            self._remember_amount(moved.value)
            self._show_goal()
        elif moved is self.goal:
            self._goals[whose] = moved.value
        else:
            self._set[whose] = {step: one.value for step, one in self.rates.items()}

    def _remember_amount(self, amount: float) -> None:
        """One amount for all groups stays one for all; otherwise each group has its own."""
        for whose in self._amount_set if self._one_amount else [self.group.value]:
            self._amount_set[whose] = amount

    def _show(self) -> None:
        """Put into the controls what was set for the chosen group, or was observed."""
        whose = self.group.value
        observed, chosen = self._rates[whose], self._set.get(whose, {})
        for step, control in self.rates.items():
            control.value = chosen.get(step, _start(observed[step]))
            never = " (never observed)" if math.isnan(observed[step]) else ""
            control.description = f"to {step}{never}"
        self.amount.value = self._amount_set[whose]
        self._show_goal()

    def _show_goal(self) -> None:
        """The goal, in money where an amount is known, and the observed one until another is set."""
        whose, amount = self.group.value, self.amount.value
        self.goal.description = f"break-even at GMV, {self._currency}" if amount else "break-even at buyers"
        if whose not in self._goals:
            self.goal.value = round(self._observed[whose].buyers_now * (amount or 1), 2)

    @property
    def break_even(self) -> float:
        """The rate to the chosen step at which the goal is reached, all other rates as set."""
        return break_even(self.result, self.lever.value, self.goal.value)

    def _numbers(self) -> list[tuple[str, str]]:
        answer, numbers = self.result, []
        for name, then, now in [
            ("buyers", answer.buyers, answer.buyers_now),
            (f"GMV, {answer.currency}", answer.gmv, answer.gmv_now),
        ]:
            if then is not None and now is not None:
                change = (
                    f", {100 * (then / now - 1):+,.0f} %".replace("-", "−") if now and then != now else ""
                )
                numbers.append((count(then), f"{name} (observed {count(now)}{change})"))
        step, rate = self.lever.value, self.break_even
        aimed = count(self.goal.value)
        goal = f"{aimed} buyers" if answer.gmv is None else f"a GMV of {answer.currency} {aimed}"
        if rate <= 1:
            numbers.append((percent(rate), f"break-even rate to {step}, for {goal}"))
        else:
            numbers.append(("–", f"no rate to {step} alone reaches {goal}"))
        return numbers

    def _draw(self) -> tuple[bytes, str]:
        return drawn(self.result, max(HEIGHT, AROUND + STEP * len(self.result.table)))

    def __repr__(self) -> str:
        answer = self.result
        whose = f"{answer.name}, " if answer.name else ""
        gmv = "" if answer.gmv is None else f", GMV {answer.currency} {count(answer.gmv)}"
        return f"RatesPanel: {whose}{count(answer.buyers)} buyers (observed {count(answer.buyers_now)}){gmv}"


def break_even(answer: WhatIf, step: str, goal: float) -> float:
    """The rate to a step at which a goal is reached, all other rates as assumed.

    Parameters
    ----------
    answer : WhatIf
    step : str
        Any step after the first.
    goal : float
        GMV, or buyers where the answer has no amount.

    Returns
    -------
    float
        Above 1 where the step alone cannot reach the goal; infinite where another rate is 0 or unknown.

    Notes
    -----
    goal / (amount a buyer x reached(1) x product of the other assumed rates).

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"step": ["enter", "cart", "pay"], "reached": [1000, 200, 50]})
    >>> break_even(what_if(counts, {"cart": 0.4}), "pay", 50)
    0.125
    """
    table = answer.table
    others = table.loc[table["step"].astype(str) != step, "assumed"].iloc[1:]
    reached = (
        float(table["reached"].iloc[0]) * float(others.prod(skipna=False)) * (answer.amount_per_buyer or 1)
    )
    return goal / reached if reached > 0 else math.inf


def _start(rate: float) -> float:
    """Where a slider stands for a rate: a rate that was never observed at 0, which is no assumption."""
    return 0.0 if math.isnan(rate) else rate


def _rates(answer: WhatIf) -> dict[str, float]:
    observed = answer.table.iloc[1:]
    return dict(zip(map(str, observed["step"]), observed["from_previous"], strict=True))


def _amounts(
    counts: Funnel | pd.DataFrame, given: Any, options: list[tuple[Any, ...]]
) -> dict[tuple[Any, ...], float | None]:
    """What a buyer pays, by group; None where that is not known."""
    if given is None or isinstance(given, str):
        baskets = _baskets(counts, given)
        # To a hundredth of a cent: the box shows no more digits than a reader can use.
        return {
            whose: round(baskets[group_name(whose)], 4) if group_name(whose) in baskets else None
            for whose in options
        }
    if not isinstance(given, Mapping):
        return dict.fromkeys(options, given)
    amounts = {}
    for whose in options:
        key = whose[0] if len(whose) == 1 else whose
        if key not in given:
            raise ValueError(f"amount_per_buyer has no amount for {key!r}; add it")
        amounts[whose] = given[key]
    return amounts


def _baskets(counts: Funnel | pd.DataFrame, column: str | None) -> dict[str, float]:
    """The mean amount of a buyer in the funnel's log, by group; empty where it tells none and none was asked for."""
    by = () if isinstance(counts, pd.DataFrame) else counts.by
    log = None if isinstance(counts, pd.DataFrame) or counts.question is None else counts.question.log
    if isinstance(counts, pd.DataFrame) or log is None or len(by) != 1:
        if column is None:
            return {}
        raise ValueError(
            f"amount_per_buyer={column!r}: amounts are read from a funnel of a log, broken down by one column; "
            "give a number"
        )
    if column is None and "amount" not in log.columns:
        return {}
    try:
        rows = split_product(counts, platform=by[0], amount=column or "amount").table
    except ValueError:
        if column is not None:
            raise
        return {}
    rows = rows[rows["step"] == "basket"]
    reference = rows[["reference", "factor_reference"]].iloc[:1].to_numpy().tolist()
    return dict([*rows[["platform", "factor"]].to_numpy().tolist(), *reference])
