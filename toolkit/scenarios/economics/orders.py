"""`order`: whether one order earns money, and for whom."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import pandas as pd

from toolkit.counts import one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, NEVER, Never, amount, plain, share, two_places
from toolkit.wording import amount as signed
from toolkit.wording import counted, percent, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CommissionOn = Literal["kept", "paid"]
#: Who gets something of an order, beside who ships it.
PARTIES = ("platform", "mcn", "creator", "supplier", "brand")
What = Literal["orders", "price", "return_rate", "commission"]


@dataclass(frozen=True)
class Terms:
    """What is agreed and assumed for an order; amounts in one currency, shares 0 to 1."""

    price: float
    cost: float
    platform_fee: float
    commission: float
    return_rate: float
    shipping: float
    return_shipping: float
    salvage: float
    slot_fee: float
    orders: float | None
    ads: float
    commission_on: CommissionOn

    def parts(self) -> dict[str, float]:
        """What an average paid order brings and costs: revenue, and every cost as a positive number."""
        kept = 1 - self.return_rate
        return {
            "revenue": self.price * kept,
            "goods": self.cost * (1 - self.return_rate * self.salvage),
            "shipping": self.shipping + self.return_rate * self.return_shipping,
            "platform_fee": self.platform_fee * self.price * kept,
            "commission": self.commission * self.price * (kept if self.commission_on == "kept" else 1.0),
            "slot_fee": self.slot_fee / self.orders if self.slot_fee and self.orders else 0.0,
            "ads": self.ads,
        }

    def contribution(self) -> float:
        """Revenue less all costs of an average paid order."""
        parts = self.parts()
        return parts.pop("revenue") - sum(parts.values())


@dataclass(frozen=True, repr=False, eq=False)
class Split(Result):
    """The kept revenue of an order by party. Made by `Order.split`.

    Attributes
    ----------
    table : DataFrame
        `party`, `amount` and `share` of kept revenue; the amounts add up to kept revenue.
    """

    table: pd.DataFrame
    revenue: float

    rates = frozenset({"share"})

    def value(self, party: str) -> float:
        """What one party gets."""
        named = self.table.set_index("party")["amount"]
        if party not in named:
            raise ValueError(unknown("party", party, named.index))
        return float(named[party])

    def sentence(self) -> str:
        """What each party gets of an order."""
        said = ", ".join(f"{row.party} {two_places(row.amount)}" for row in self.table.itertuples())
        return f"Of {self.revenue:,.2f} kept per paid order: {said}. {ARITHMETIC}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """A bar for each party."""
        from toolkit.scenarios.economics import plots

        return plots.bars(self.table, "party", "amount", "of an average paid order", ax)


@dataclass(frozen=True, repr=False, eq=False)
class Order(Result):
    """What an average paid order contributes. Made by `order`.

    Attributes
    ----------
    table : DataFrame
        `part`, `amount`: revenue above 0, costs below, and the contribution.
    terms : Terms
    """

    table: pd.DataFrame
    terms: Terms

    @property
    def contribution(self) -> float:
        """Revenue less all costs."""
        return self.terms.contribution()

    def value(self, part: str) -> float:
        """One part, costs as positive numbers."""
        parts = self.terms.parts() | {"contribution": self.contribution}
        if part not in parts:
            raise ValueError(unknown("part", part, parts))
        return parts[part]

    def break_even(self, what: What) -> float | Never:
        """The number of orders, price, return rate or commission at which the contribution is 0; "never" if none is."""
        one_of("what", what, ("orders", "price", "return_rate", "commission"))
        if what == "orders":
            each = replace(self.terms, slot_fee=0.0).contribution()
            return self.terms.slot_fee / each if each > 0 else NEVER
        # The contribution is a straight line in each of the others.
        at_0, at_1 = (self._at(what, end) for end in (0.0, 1.0))
        if at_0 == at_1:
            return NEVER
        found = at_0 / (at_0 - at_1)
        return found if found >= 0 and (what == "price" or found <= 1) else NEVER

    def _at(self, what: Literal["price", "return_rate", "commission"], value: float) -> float:
        if what == "price":
            return replace(self.terms, price=value).contribution()
        if what == "return_rate":
            return replace(self.terms, return_rate=value).contribution()
        return replace(self.terms, commission=value).contribution()

    def split(self, *, mcn_share: float = 0.0, carrier: str = "carrier") -> Split:
        """Who gets what of an order.

        Parameters
        ----------
        mcn_share : float
            The share of commission and slot fee that the creator's agency keeps.
        carrier : str
            The name of who ships.

        Examples
        --------
        >>> sold = order(100, 45, platform_fee=0.05, commission=0.2, return_rate=0.3, shipping=6, return_shipping=8,
        ...              salvage=0.9)
        >>> parties = sold.split(mcn_share=0.3)
        >>> round(parties.value("creator"), 2), round(float(parties.table["amount"].sum()), 2)
        (9.8, 70.0)
        """
        kept = share("mcn_share", mcn_share)
        if carrier in PARTIES:
            raise ValueError(f"carrier={carrier!r} is a party of its own: name who ships otherwise")
        parts = self.terms.parts()
        pay = parts["commission"] + parts["slot_fee"]
        rows = {
            "platform": parts["platform_fee"] + parts["ads"],
            "mcn": kept * pay,
            "creator": (1 - kept) * pay,
            carrier: parts["shipping"],
            "supplier": parts["goods"],
            "brand": self.contribution,
        }
        table = pd.DataFrame({"party": list(rows), "amount": list(rows.values())})
        revenue = parts["revenue"]
        return Split(table.assign(share=table["amount"] / revenue if revenue else float("nan")), revenue)

    def sentence(self) -> str:
        """The contribution, and where it turns."""
        rate, orders = self.break_even("return_rate"), self.break_even("orders")
        turns = "at no return rate" if isinstance(rate, str) else f"at a return rate of {percent(rate)}"
        fee = ""
        if self.terms.slot_fee:
            need = (
                "no number of orders earns"
                if isinstance(orders, str)
                else counted(math.ceil(round(orders, 6)), "order earns", "orders earn")
            )
            fee = f"; {need} the slot fee back"
        return (
            f"An average paid order of {plain(self.terms.price)} contributes {_cents(self.contribution)} at "
            f"a return "
            f"rate of {percent(self.terms.return_rate)}; it breaks even {turns}{fee}. {ARITHMETIC}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """From the price kept down to the contribution."""
        from toolkit.scenarios.economics import plots

        title = f"An order contributes {_cents(self.contribution)}"
        return plots.waterfall(self.table, "part", "amount", title, ax)


def _cents(value: float) -> str:
    """An amount to the cent, or to four figures where it is less than a cent."""
    return signed(round(value, 2) if abs(value) >= 0.01 else value)


def order(
    price: float,
    cost: float,
    *,
    platform_fee: float,
    commission: float,
    return_rate: float,
    shipping: float,
    return_shipping: float,
    salvage: float,
    commission_on: CommissionOn = "kept",
    slot_fee: float = 0.0,
    orders: float | None = None,
    ads: float = 0.0,
) -> Order:
    """Work out what an average paid order contributes.

    Parameters
    ----------
    price, cost : float
        What the buyer pays, and what the goods cost.
    platform_fee, commission : float
        Shares of the price of kept orders, 0 to 1.
    return_rate : float
        The share of paid orders that comes back, 0 to 1.
    shipping, return_shipping : float
        There, for every order, and back, for a returned one.
    salvage : float
        The share of the cost that a returned piece is still worth.
    commission_on : {"kept", "paid"}
        Whether the commission is paid on returned orders too.
    slot_fee, orders : float
        A fixed fee, spread over so many orders.
    ads : float
        Advertising per paid order.

    Returns
    -------
    Order

    Raises
    ------
    ValueError
        For a share outside 0 to 1, a negative amount, and a slot fee without orders.

    Notes
    -----
    contribution = price (1 - r) - cost (1 - r salvage) - shipping - r return_shipping - fees on the kept price -
    slot_fee / orders - ads, with r the return rate.

    Examples
    --------
    >>> sold = order(100, 45, platform_fee=0.05, commission=0.2, return_rate=0.3, shipping=6, return_shipping=8,
    ...              salvage=0.9, slot_fee=2000, orders=200, ads=4)
    >>> round(sold.contribution, 2), round(sold.break_even("return_rate"), 4)
    (-2.75, 0.2353)
    """
    one_of("commission_on", commission_on, ("kept", "paid"))
    fee = amount("slot_fee", slot_fee)
    if fee and orders is None:
        raise ValueError("slot_fee= is spread over orders=: give their number")
    terms = Terms(
        price=amount("price", price),
        cost=amount("cost", cost),
        platform_fee=share("platform_fee", platform_fee),
        commission=share("commission", commission),
        return_rate=share("return_rate", return_rate),
        shipping=amount("shipping", shipping),
        return_shipping=amount("return_shipping", return_shipping),
        salvage=share("salvage", salvage),
        slot_fee=fee,
        orders=None if orders is None else amount("orders", orders, positive=fee > 0),
        ads=amount("ads", ads),
        commission_on=commission_on,
    )
    parts = terms.parts()
    rows = [(name, value if name == "revenue" else -value) for name, value in parts.items()]
    table = pd.DataFrame([*rows, ("contribution", terms.contribution())], columns=["part", "amount"])
    return Order(table, terms)
