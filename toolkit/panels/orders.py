"""`OrderPanel`: what is agreed for an order as controls; what it contributes, and to whom, as the answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import ipywidgets as widgets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toolkit.panels.calls import Call
from toolkit.panels.controls import choice, number, share
from toolkit.panels.faces import painted
from toolkit.panels.panel import Panel
from toolkit.scenarios.assumptions import share as checked
from toolkit.scenarios.assumptions import two_places
from toolkit.scenarios.economics import Order, order, plots
from toolkit.wording import count, percent

#: The largest shares on the sliders: live commerce sees returns of a half and more, commissions of up to a half.
MOST: Final = {"return_rate": 0.8, "commission": 0.5}
HEIGHT: Final = 5.4
MARGINS: Final = {"left": 0.17, "right": 0.95, "top": 0.93, "bottom": 0.1, "hspace": 0.4}


class OrderPanel(Panel):
    """Move price, cost, returns and fees of an order, and see what is left of it and who gets the rest.

    Parameters
    ----------
    start : Order
        Where the controls begin, made by `toolkit.scenarios.economics.order`. What has no control stays as it is
        there: the platform's fee, shipping there and back, and salvage.
    mcn_share : float
        To begin with, the share of commission and slot fee that the creator's agency keeps, 0 to 1.
    currency : str
        Of the amounts.
    source : str
        What the numbers are, such as "Assumed": it stands in the figure's title.

    Attributes
    ----------
    amounts : dict of str to BoundedFloatText
        "price", "cost", "ads", "slot_fee" and "orders"; 0 orders: their number is not known.
    shares : dict of str to FloatSlider
        "return_rate" and "commission".
    commission_on : RadioButtons
        Whether the commission is paid on returned orders too.
    mcn_share : FloatSlider
    split : Split
        Who gets what of the order: `result.split(mcn_share=...)`.
    result : Order

    Examples
    --------
    >>> from toolkit.scenarios.economics import order
    >>> panel = OrderPanel(order(100, 45, platform_fee=0.05, commission=0.2, return_rate=0.3, shipping=6,
    ...                          return_shipping=8, salvage=0.9, slot_fee=2000, orders=200, ads=4))
    >>> panel.shares["return_rate"].value = 0.2
    >>> panel
    OrderPanel: contributes CNY 1.50 an order, breaks even at a return rate of 23.5 %
    """

    question = "Does an order earn money, and for whom?"
    result: Order

    def __init__(
        self, start: Order, *, mcn_share: float = 0.0, currency: str = "CNY", source: str = ""
    ) -> None:
        if not isinstance(start, Order):
            raise TypeError(f"start={start!r} is no Order: give what order() answers")
        self._terms, self._source, self._currency = asdict(start.terms), source, currency
        self._first_share = checked("mcn_share", mcn_share)
        names = {
            "price": f"price, {currency}",
            "cost": f"cost of goods, {currency}",
            "ads": f"ads an order, {currency}",
            "slot_fee": f"slot fee, {currency}",
            "orders": "orders of the slot",
        }
        self.amounts = {name: number(said) for name, said in names.items()}
        self.shares = {
            name: share(said, max(MOST[name], self._terms[name]), step=0.005)
            for name, said in (("return_rate", "return rate"), ("commission", "commission"))
        }
        self.commission_on = choice(
            "commission on", [("kept orders", "kept"), ("all paid orders", "paid")], start.terms.commission_on
        )
        self.mcn_share = share("agency's share of the creator's pay")
        for control in (*self.shares.values(), self.mcn_share):
            control.layout.width = "29em"
        columns = [
            widgets.VBox([*self.amounts.values()], layout={"margin": "0 2em 0 0"}),
            widgets.VBox([*self.shares.values(), self.commission_on, self.mcn_share]),
        ]
        super().__init__([widgets.HBox(columns, layout={"flex_flow": "row wrap"})])

    def _begin(self) -> None:
        for name, control in (self.amounts | self.shares).items():
            control.value = self._terms[name] or 0.0
        self.commission_on.value = self._terms["commission_on"]
        self.mcn_share.value = self._first_share

    def _call(self) -> Call:
        # A slider adds its steps up in floating point.
        moved: dict[str, Any] = {
            name: round(one.value, 9) for name, one in (self.amounts | self.shares).items()
        }
        moved["orders"] = moved["orders"] or None
        terms = self._terms | moved | {"commission_on": self.commission_on.value}
        price = terms.pop("price")
        return Call(order, price, repr(price), terms)

    def _take(self, result: Order) -> None:
        self.split = result.split(mcn_share=round(self.mcn_share.value, 9))
        self.result = result

    def _numbers(self) -> list[tuple[str, str]]:
        answer, unit = self.result, f"{self._currency} "
        rate, price, orders = (answer.break_even(what) for what in ("return_rate", "price", "orders"))
        numbers = [
            (f"{unit}{two_places(answer.contribution)}", "left of an average paid order"),
            (rate if isinstance(rate, str) else percent(rate), "of returns: breaks even"),
            (price if isinstance(price, str) else f"{unit}{two_places(price)}", "price: breaks even"),
        ]
        if answer.terms.slot_fee:
            needed = orders if isinstance(orders, str) else count(orders)
            numbers.append(
                (needed, f"orders earn the slot fee back (assumed {count(answer.terms.orders or 0)})")
            )
        creator = self.split.value("creator")
        return [*numbers, (f"{unit}{two_places(creator)}", "to the creator, of an average paid order")]

    def _draw(self) -> tuple[bytes, str]:
        title = f"An order contributes {self._currency} {two_places(self.result.contribution)}"
        title = f"{self._source}: {title[0].lower()}{title[1:]}" if self._source else title

        def paint(figure: Figure) -> Axes:
            above: Axes
            above, below = figure.subplots(2, height_ratios=[8, 6])
            plots.waterfall(self.result.table, "part", "amount", "", above)
            above.set_title(title.replace("$", r"\$"), y=1.0)
            above.set_xlabel(f"{self._currency}, of an average paid order")
            axis = f"{self._currency} to each party, of an average paid order"
            plots.bars(self.split.table, "party", "amount", axis.replace("$", r"\$"), below)
            return above

        return painted(paint, HEIGHT, margins=MARGINS)

    def __repr__(self) -> str:
        rate = self.result.break_even("return_rate")
        even = (
            "never breaks even"
            if isinstance(rate, str)
            else f"breaks even at a return rate of {percent(rate)}"
        )
        return f"OrderPanel: contributes {self._currency} {two_places(self.result.contribution)} an order, {even}"
