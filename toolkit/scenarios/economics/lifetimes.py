"""`payback` and `lifetime_value`: when a buyer has earned their cost back, and what they are worth in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from toolkit.cohorts import Retention
from toolkit.cohorts.curves import Curve
from toolkit.counts import one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, NEVER, Never, amount, finite, plain, share
from toolkit.wording import counted, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

First = Literal["now", "end of period"]
#: The table follows no buyer for longer; beyond, periods are worked out.
MOST_PERIODS = 10_000


@dataclass(frozen=True, repr=False, eq=False)
class Payback(Result):
    """When a buyer has earned their cost back. Made by `payback`.

    Attributes
    ----------
    table : DataFrame
        `period` (1, 2, ...), `margin` (discounted, of a buyer won) and `earned` up to then.
    periods : int or "never"
    """

    table: pd.DataFrame
    cost: float
    periods: int | Never
    most: float

    def sentence(self) -> str:
        """The period, or that it never comes."""
        if isinstance(self.periods, str):
            all_of_it = f"{self.most:,.2f} is all they bring"
            return f"A buyer who costs {plain(self.cost)} never earns it back: {all_of_it}. {ARITHMETIC}"
        when = counted(self.periods, "period")
        return f"A buyer who costs {plain(self.cost)} has earned it back in {when}. {ARITHMETIC}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """What is earned up to each period, beside the cost."""
        from toolkit.scenarios import axes

        frame = self.table.assign(cost=self.cost)
        return axes.curves(frame, "period", ["earned", "cost"], ("period", "per buyer won"), ax=ax)


@dataclass(frozen=True, repr=False, eq=False)
class LifetimeValue(Result):
    """What a buyer is worth. Made by `lifetime_value`.

    Attributes
    ----------
    table : DataFrame
        `part` ("observed", "beyond") and `value`; with one retention rate all lies beyond what was observed.
    """

    table: pd.DataFrame
    margin: float
    first: First
    observed_periods: int

    @property
    def value(self) -> float:
        """In the currency of the margin."""
        return float(self.table["value"].sum())

    @property
    def multiple(self) -> float:
        """The value in margins of a period."""
        return self.value / self.margin

    def sentence(self) -> str:
        """The value, and how much of it lies beyond what was observed."""
        tail = ""
        if self.observed_periods:
            beyond = float(self.table["value"].iloc[-1]) / self.value if self.value else 0.0
            tail = f"; {percent(beyond)} of it lies beyond the {counted(self.observed_periods, 'period')} observed"
        return (
            f"A buyer with a margin of {plain(self.margin)} a period is worth {self.value:,.2f}, the first margin paid "
            f"{'at once' if self.first == 'now' else 'at the end of the first period'}{tail}. {ARITHMETIC}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The parts of the value."""
        from toolkit.scenarios.economics import plots

        return plots.bars(self.table, "part", "value", "value of a buyer", ax)


#: A rate from period to period, shares still buying, or a measured curve.
Kept = float | Sequence[float] | Retention | Curve


def payback(cost: float, margin: float, retention: Kept, discount: float = 0.0) -> Payback:
    """Work out after how many periods a buyer has earned their cost back.

    Parameters
    ----------
    cost, margin : float
        Of winning a buyer, and what one brings in a period while they buy; the first margin comes at once.
    retention : float, list of float, Retention or its curve
        The share that goes on from one period to the next; or a curve of shares still buying from period 0 (1) on.
    discount : float
        By period.

    Returns
    -------
    Payback

    Raises
    ------
    ValueError
        For a retention outside 0 to 1, a curve that does not start at 1, and a negative amount.

    Examples
    --------
    >>> payback(100, 40, 0.7).periods, payback(100, 40, 0.6).periods
    (4, 'never')
    """
    spent, each = amount("cost", cost), amount("margin", margin)
    curve, last = _curve(retention)
    rate = _discount(discount)
    # Without an end to the value every cost comes back, if there is a margin at all.
    endless = last >= 1 + rate and curve[-1] > 0
    most = np.inf if endless and each else _value(each, curve, last, rate, "now")[1] if not endless else 0.0
    # A tail comes near its sum and never to it; buyers who are all gone have paid it.
    tail = last > 0 and curve[-1] > 0 and each > 0
    enough = most > spent * (1 + 1e-12) if tail else most >= spent * (1 - 1e-12)
    earned, rows, alive = 0.0, [], 1.0
    for period in range(MOST_PERIODS):
        alive = curve[period] if period < len(curve) else alive * last
        paid = each * alive / (1 + rate) ** period
        earned += paid
        rows.append((period + 1, paid, earned))
        if enough and earned >= spent * (1 - 1e-12):
            return Payback(_frame(rows), spent, period + 1, most)
        if not enough and (period >= 24 or paid < 1e-9 * each):
            break
    if not enough:
        return Payback(_frame(rows), spent, NEVER, most)
    return Payback(
        _frame(rows), spent, MOST_PERIODS + _further(spent - earned, paid, last / (1 + rate)), most
    )


def _further(missing: float, paid: float, ratio: float) -> int:
    """How many more periods bring what is missing, each `ratio` times the one before."""
    if ratio == 1:
        return int(np.ceil(missing / paid))
    return int(np.ceil(np.log1p(-missing * (1 - ratio) / (paid * ratio)) / np.log(ratio)))


def lifetime_value(margin: float, retention: Kept, discount: float, *, first: First = "now") -> LifetimeValue:
    """Work out what a buyer is worth.

    Parameters
    ----------
    margin : float
        What one brings in a period while they buy.
    retention : float, list of float, Retention or its curve
        The share that goes on from one period to the next; or an observed curve of shares still buying from period 0
        (1) on, which is then continued at its last ratio, and the share of the value that lies there is said.
    discount : float
        By period.
    first : {"now", "end of period"}
        When the first margin is paid: margin (1 + d) / (1 + d - r), or margin / (1 + d - r).

    Returns
    -------
    LifetimeValue

    Raises
    ------
    ValueError
        For a retention outside 0 to 1, and where neither retention nor discount lets the value end.

    Notes
    -----
    Never an annuity over the mean lifetime 1 / (1 - r): the value of the mean is above the mean of the value.

    References
    ----------
    Gupta & Lehmann (2003), Journal of Interactive Marketing 17 (1), 9-24; their multiple counts from the second
    margin on.

    Examples
    --------
    >>> round(lifetime_value(1000, 0.8, 0.05, first="end of period").value, 2)
    4000.0
    """
    one_of("first", first, ("now", "end of period"))
    each = amount("margin", margin, positive=True)
    curve, last = _curve(retention)
    rate = _discount(discount)
    seen, total = _value(each, curve, last, rate, first)
    observed = 0 if len(curve) == 1 else len(curve)
    rows = [("observed", seen), ("beyond", total - seen)] if observed else [("beyond", total)]
    return LifetimeValue(pd.DataFrame(rows, columns=["part", "value"]), each, first, observed)


def _value(
    margin: float, curve: np.ndarray, last: float, discount: float, first: First
) -> tuple[float, float]:
    """The value of the periods observed, and of all."""
    if last >= 1 + discount:
        how = (
            f"a curve that ends without a fall ({curve[-2]:g} to {curve[-1]:g})"
            if len(curve) > 1
            else "retention of 1"
        )
        raise ValueError(f"{how} at a discount of {discount:g}: the value has no end")
    shift = 0 if first == "now" else 1
    weights = (1 + discount) ** -(np.arange(len(curve)) + float(shift))
    seen = margin * float(curve @ weights)
    return seen, seen + margin * float(curve[-1] * weights[-1]) * last / (1 + discount - last)


def _curve(retention: Any) -> tuple[np.ndarray, float]:
    """Shares still buying by period, and the retention from there on."""
    if isinstance(retention, Retention | Curve):
        retention = _of_cohorts(retention)
    if np.ndim(retention) == 0:
        return np.ones(1), share("retention", retention)
    curve = np.array([share(f"retention[{at}]", float(one)) for at, one in enumerate(retention)])
    if len(curve) < 2 or abs(curve[0] - 1) > 1e-9:
        raise ValueError(
            "a retention curve starts with 1, all buyers of period 0, and holds two periods or more"
        )
    if curve[-2] == 0:
        return curve, 0.0
    return curve, min(float(curve[-1] / curve[-2]), 1.0)


def _of_cohorts(retention: Retention | Curve) -> np.ndarray:
    """The shares of a measured curve, as far as it is observed."""
    table = (retention.curve() if isinstance(retention, Retention) else retention).table
    if table["age"].duplicated().any():
        raise ValueError(
            "the retention is that of several groups: ask for one of them, or for all as one, with by=()"
        )
    known = table.loc[table["n"] > 0, "estimate"]
    return np.asarray(known, float)


def _discount(discount: Any) -> float:
    rate = finite("discount", discount)
    if rate < 0:
        raise ValueError(f"discount={discount!r}: give 0 or more")
    return rate


def _frame(rows: list[tuple[int, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["period", "margin", "earned"])
