"""`newcomer`: how likely a budget takes a creator over a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, NEVER, Never, amount, plain, share
from toolkit.wording import count, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Fans from views are summed exactly up to this shortfall; every creator band lies below.
MOST = 2_000_000
#: No budget buys more views: a million times all people.
MOST_VIEWS = 1e16


@dataclass(frozen=True, repr=False, eq=False)
class Newcomer(Result):
    """The chance to reach a threshold. Made by `newcomer`.

    Attributes
    ----------
    table : DataFrame
        One row: `budget`, `views`, `probability`.
    curve : DataFrame
        The same for budgets from nothing to twice the one asked.
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    fans: int
    threshold: int
    cost_per_view: float
    follow: float | tuple[float, float]
    organic: float

    @property
    def probability(self) -> float:
        """At the budget asked."""
        return float(self.table["probability"].iloc[0])

    @property
    def certain(self) -> bool:
        """Whether the rate to follow was given as a number without doubt."""
        return not isinstance(self.follow, tuple)

    def budget_for(self, probability: float) -> float | Never:
        """The budget at which the threshold is reached with this probability; "never" where no budget does."""
        wanted = share("probability", probability)

        def chance(budget: float) -> float:
            return _chance(
                self.threshold - self.fans, int(budget / self.cost_per_view), self.follow, self.organic
            )

        if chance(0) >= wanted:
            return 0.0
        if self.follow == 0:
            return NEVER
        high = self.cost_per_view * 100
        while chance(high) < wanted:
            high *= 2
            if high / self.cost_per_view > MOST_VIEWS:
                return NEVER
        low = 0.0
        while high - low > self.cost_per_view:
            middle = (low + high) / 2
            low, high = (low, middle) if chance(middle) >= wanted else (middle, high)
        return float(np.ceil(high / self.cost_per_view - 1e-9) * self.cost_per_view)

    def sentence(self) -> str:
        """The chance, the budgets for one half and nine tenths, and what a certain rate hides."""
        row = self.table.iloc[0]
        budgets = []
        for p in (0.5, 0.9):
            need = self.budget_for(p)
            budgets.append(f"{percent(p, 0)}: {'never' if isinstance(need, str) else plain(need)}")
        hides = " The rate to follow is taken as certain, which hides its own doubt." if self.certain else ""
        return (
            f"From {count(self.fans)} to {count(self.threshold)} fans with a budget of {plain(row['budget'])} "
            f"({count(row['views'])} views): {percent(self.probability)}. Budget for {', for '.join(budgets)}.{hides} "
            f"{ARITHMETIC}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The chance over the budget."""
        from toolkit.scenarios import axes

        row = self.table.iloc[0]
        return axes.curves(
            self.curve,
            "budget",
            ["probability"],
            ("budget", f"probability to reach {count(self.threshold)} fans"),
            marks=[(row["budget"], row["probability"], "asked")],
            ax=ax,
        )


def newcomer(
    fans: int,
    threshold: int,
    budget: float,
    *,
    cost_per_view: float,
    follow: float | tuple[float, float],
    organic: float = 0.0,
) -> Newcomer:
    """Work out how likely a budget takes a creator to a threshold of fans.

    Parameters
    ----------
    fans, threshold : int
        Now, and wanted.
    budget, cost_per_view : float
        In one currency; the budget buys budget / cost_per_view views.
    follow : (a, b) or float
        Beta(a, b) of a test in which a viewers of a + b followed; or a rate that is taken as certain.
    organic : float
        Fans expected without the budget.

    Returns
    -------
    Newcomer

    Raises
    ------
    ValueError
        For a negative number, a cost of 0, and a rate outside 0 to 1.

    Notes
    -----
    Fans won: beta-binomial of the views plus Poisson of the organic ones; the sum over both is exact.

    Examples
    --------
    >>> round(newcomer(4000, 5000, 400, cost_per_view=0.01, follow=(30, 970)).probability, 3)
    0.819
    """
    for name, value in (("fans", fans), ("threshold", threshold)):
        if amount(name, value) != int(value):
            raise ValueError(f"{name}={value!r}: give a whole number")
    now, goal = int(fans), int(threshold)
    cost = amount("cost_per_view", cost_per_view, positive=True)
    money, extra = amount("budget", budget), amount("organic", organic)
    if isinstance(follow, tuple | list):
        if len(follow) != 2:
            raise ValueError(f"follow={follow!r}: give (a, b) of a Beta distribution, or a rate")
        rate: float | tuple[float, float] = (
            amount("follow[0]", follow[0], positive=True),
            amount("follow[1]", follow[1], positive=True),
        )
    else:
        rate = share("follow", follow)
    if goal - now > MOST:
        raise ValueError(f"{goal - now:,} fans are missing; at most {MOST:,} are summed")
    budgets = [money, *np.linspace(0, 2 * money, 41)]
    # A budget of a whole number of views must not lose one to rounding.
    views = [int(one / cost + 1e-6) for one in budgets]
    rows = [
        (one, seen, _chance(goal - now, seen, rate, extra)) for one, seen in zip(budgets, views, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["budget", "views", "probability"])
    return Newcomer(table[:1], table[1:].reset_index(drop=True), now, goal, cost, rate, extra)


def _chance(needed: int, views: int, follow: float | tuple[float, float], organic: float) -> float:
    if needed <= 0:
        return 1.0
    if views == 0:
        return float(stats.poisson.sf(needed - 1, organic)) if organic else 0.0
    won = stats.betabinom(views, *follow) if isinstance(follow, tuple) else stats.binom(views, follow)
    if not organic:
        return float(won.sf(needed - 1))
    # P(both < needed) summed over the organic fans, as far as they have any chance.
    most = min(needed - 1, int(stats.poisson.isf(1e-14, organic)) + 1)
    k = np.arange(most + 1)
    short = float(stats.poisson.pmf(k, organic) @ won.cdf(needed - 1 - k))
    return float(np.clip(1 - short, 0, 1))
