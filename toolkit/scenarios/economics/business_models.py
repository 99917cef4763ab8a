"""`models`: self-operated shop, marketplace and advertising on one month's inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from toolkit.counts import one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, NEVER, Never, amount, plain, share, two_places
from toolkit.wording import unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAYS = 30
Model = Literal["self-operated", "marketplace", "advertising"]
#: Inputs that are shares, which no break-even may take beyond 1.
SHARES = ("gross_margin", "fulfilment", "subsidy", "take", "merchant_share", "ad_load")
MODELS = ("self-operated", "marketplace", "advertising")


@dataclass(frozen=True)
class Month:
    """One month's inputs, all assumed; amounts in one currency, shares 0 to 1."""

    gmv: float
    gross_margin: float
    fulfilment: float
    subsidy: float
    take: float
    cac: float
    new_buyers: float
    merchant_share: float
    dau: float
    impressions: float
    ad_load: float
    cpm: float

    def profit(self, model: Model) -> float:
        """Of one model in the month."""
        if model == "self-operated":
            return (
                self.gmv * (self.gross_margin - self.fulfilment - self.subsidy) - self.cac * self.new_buyers
            )
        if model == "marketplace":
            return self.gmv * self.take - self.cac * self.new_buyers * self.merchant_share
        return self.dau * DAYS * self.impressions * self.ad_load * self.cpm / 1000


@dataclass(frozen=True, repr=False, eq=False)
class Models(Result):
    """Profit of three models in a month. Made by `models`.

    Attributes
    ----------
    table : DataFrame
        `model`, `profit`, `per_daily_user` (profit over DAU).
    """

    table: pd.DataFrame
    month: Month

    def value(self, model: Model) -> float:
        """The profit of one model."""
        if model not in MODELS:
            raise ValueError(unknown("model", model, MODELS))
        return self.month.profit(model)

    def break_even(self, first: Model, second: Model, *, by: str = "gross_margin") -> float | Never:
        """The value of one input at which two models earn the same; "never" where none does."""
        for name in (first, second):
            one_of("model", name, MODELS)
        if by not in vars(self.month):
            raise ValueError(unknown("input", by, vars(self.month)))

        def ahead(value: float) -> float:
            month = replace(self.month, **{by: value})
            return month.profit(first) - month.profit(second)

        # Profits are straight lines in each input; a slope that is a rounding of equal ones is none.
        far = max(getattr(self.month, by), 1.0)
        low, high = ahead(0.0), ahead(far)
        if abs(low - high) <= 1e-12 * max(abs(low), abs(high)):
            return NEVER
        found = far * low / (low - high)
        most = 1.0 if by in SHARES else np.inf
        return found if 0 <= found <= most else NEVER

    def sentence(self) -> str:
        """The profits, and the margin at which a self-operated shop earns what a marketplace does."""
        said = ", ".join(f"{row.model} {_millions(row.profit)}" for row in self.table.itertuples())
        margin = self.break_even("self-operated", "marketplace")
        turn = (
            "at no gross margin" if isinstance(margin, str) else f"at a gross margin of {margin * 100:.1f} %"
        )
        return (
            f"Profit of the month: {said}. Self-operated and marketplace coincide {turn}. Every input is assumed. "
            f"{ARITHMETIC}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Profit by model."""
        from toolkit.scenarios.economics import plots

        return plots.bars(self.table, "model", "profit", "profit of the month", ax)


def _millions(profit: float) -> str:
    return f"{two_places(profit / 1e6)} million" if abs(profit) >= 1e5 else plain(round(profit, 2))


def models(
    *,
    gmv: float,
    gross_margin: float,
    fulfilment: float,
    subsidy: float,
    take: float,
    cac: float,
    new_buyers: float,
    merchant_share: float,
    dau: float,
    impressions: float,
    ad_load: float,
    cpm: float,
) -> Models:
    """Compare a self-operated shop, a marketplace and advertising on the same month.

    Parameters
    ----------
    gmv : float
        Of the month.
    gross_margin, fulfilment, subsidy : float
        Of the shop, as shares of GMV.
    take : float
        Of the marketplace, as a share of GMV.
    cac, new_buyers : float
        Cost of a new buyer, and their number.
    merchant_share : float
        The share of that cost which a marketplace still bears; its merchants bear the rest.
    dau, impressions, ad_load, cpm : float
        Daily users, impressions each a day, the share of them that is sold, and the price of a thousand.

    Returns
    -------
    Models

    Raises
    ------
    ValueError
        For a share outside 0 to 1, or a negative amount.

    Notes
    -----
    self-operated: gmv (gross_margin - fulfilment - subsidy) - cac new_buyers; marketplace: gmv take - cac new_buyers
    merchant_share; advertising: dau 30 impressions ad_load cpm / 1000.

    Examples
    --------
    >>> month = models(gmv=1e6, gross_margin=0.3, fulfilment=0.1, subsidy=0.05, take=0.06, cac=40, new_buyers=1000,
    ...                merchant_share=0.5, dau=20_000, impressions=30, ad_load=0.1, cpm=25)
    >>> round(month.value("marketplace")), round(month.break_even("self-operated", "marketplace"), 3)
    (40000, 0.23)
    """
    month = Month(
        gmv=amount("gmv", gmv),
        gross_margin=share("gross_margin", gross_margin),
        fulfilment=share("fulfilment", fulfilment),
        subsidy=share("subsidy", subsidy),
        take=share("take", take),
        cac=amount("cac", cac),
        new_buyers=amount("new_buyers", new_buyers),
        merchant_share=share("merchant_share", merchant_share),
        dau=amount("dau", dau),
        impressions=amount("impressions", impressions),
        ad_load=share("ad_load", ad_load),
        cpm=amount("cpm", cpm),
    )
    profits: list[tuple[str, float]] = [
        # Margins that cancel leave a rounding of the last digit.
        ("self-operated", round(month.profit("self-operated"), 6)),
        ("marketplace", month.profit("marketplace")),
        ("advertising", month.profit("advertising")),
    ]
    table = pd.DataFrame(profits, columns=["model", "profit"])
    return Models(
        table.assign(per_daily_user=table["profit"] / month.dau if month.dau else float("nan")), month
    )
