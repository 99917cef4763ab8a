"""`fees`: who bears the risk of a session under a slot fee, a commission, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy import special, stats

from toolkit.counts import one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import ARITHMETIC, NEVER, Never, amount, share
from toolkit.wording import amount as signed
from toolkit.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Deal = Literal["slot", "commission", "mixed"]
DEALS = ("slot", "commission", "mixed")
#: The part of the worst sessions that is averaged.
WORST = 0.05


@dataclass(frozen=True)
class Poisson:
    """Orders of a session, Poisson with this mean."""

    mean: float


@dataclass(frozen=True)
class NegativeBinomial:
    """Orders of a session with variance mean + mean^2 / k."""

    mean: float
    k: float


@dataclass(frozen=True)
class LogNormal:
    """GMV of a session, log-normal with this mean and coefficient of variation."""

    mean: float
    cv: float


Demand = Poisson | NegativeBinomial | LogNormal


@dataclass(frozen=True, repr=False, eq=False)
class Fees(Result):
    """A session's result by party. Made by `fees`.

    Attributes
    ----------
    table : DataFrame
        `party` ("brand", "creator"), `mean`, `sd`, `p_loss`, `worst` (mean of the 5 % worst sessions).
    """

    table: pd.DataFrame
    demand: Demand
    margin: float
    slot_fee: float
    commission: float
    deal: Deal

    rates: ClassVar = frozenset({"p_loss"})

    def value(self, party: Literal["brand", "creator"], what: str) -> float:
        """One number of one party."""
        one_of("party", party, tuple(self.table["party"]))
        one_of("what", what, tuple(self.table.columns[1:]))
        return float(self.table.set_index("party").loc[party, what])

    @property
    def equal_slot_fee(self) -> float:
        """The slot fee that pays the creator as much in the mean as the commission: F = c E[N]."""
        return self.commission * self.demand.mean

    def slot_fee_for(self, p_loss: float) -> float | Never:
        """The slot fee alone at which the brand loses with this probability; "never" where no fee does."""
        wanted = share("p_loss", p_loss)
        if not 0 < wanted < 1:
            raise ValueError(f"p_loss={p_loss!r}: give one between 0 and 1")
        fee = float(_distribution(self.demand).ppf(wanted)) * self.margin
        return fee if fee > 0 else NEVER

    def premium(self, p_loss: float) -> float | Never:
        """What the creator gives up of the commission's mean to leave the brand a loss with this probability only."""
        fee = self.slot_fee_for(p_loss)
        return NEVER if isinstance(fee, str) else self.equal_slot_fee - fee

    def sentence(self) -> str:
        """Mean and risk of both parties."""
        parts = [
            f"{row.party} {signed(round(row.mean))} in the mean "
            f"(sd {row.sd:,.0f}, loss in {percent(row.p_loss)} of sessions)"
            for row in self.table.itertuples()
        ]
        brand = self.table.iloc[0]
        odd = ""
        if brand["mean"] >= 0 and brand["p_loss"] > 0.5:
            odd = " The brand loses in most sessions although it does not in the mean: a few sessions make the mean."
        return f"Under {_said(self.deal)}: {'; '.join(parts)}.{odd} {ARITHMETIC}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean and spread of both parties."""
        from toolkit.scenarios import axes

        frame = self.table.assign(
            estimate=self.table["mean"],
            low=self.table["mean"] - self.table["sd"],
            high=self.table["mean"] + self.table["sd"],
        )
        return axes.estimates(
            frame, ["party"], "result of a session, mean and one sd", null=0, title=_said(self.deal), ax=ax
        )


def fees(
    orders: Demand, *, margin: float, slot_fee: float = 0.0, commission: float = 0.0, deal: Deal = "slot"
) -> Fees:
    """Work out what brand and creator get of a session, and who bears its risk.

    Parameters
    ----------
    orders : Poisson, NegativeBinomial or LogNormal
        Orders of a session; or its GMV (LogNormal).
    margin : float
        Of the brand before the creator is paid: per order, or per unit of GMV.
    slot_fee : float
        Fixed, per session.
    commission : float
        Per order, or per unit of GMV.
    deal : {"slot", "commission", "mixed"}
        What is paid.

    Returns
    -------
    Fees

    Raises
    ------
    ValueError
        For a mean of 0, a negative amount, and a deal whose fee is not given.

    Notes
    -----
    Slot: brand margin N - F, creator F. Commission: brand (margin - c) N, creator c N. Exact for the distribution
    given; P(loss) is that of a result below 0.

    Examples
    --------
    >>> fees(Poisson(200), margin=30, slot_fee=4000, commission=20).value("brand", "mean")
    2000.0
    """
    one_of("deal", deal, DEALS)
    each, fixed, part = (
        amount("margin", margin),
        amount("slot_fee", slot_fee),
        amount("commission", commission),
    )
    if not isinstance(orders, Poisson | NegativeBinomial | LogNormal):
        raise TypeError(
            f"orders={orders!r}: give Poisson(mean), NegativeBinomial(mean, k) or LogNormal(mean, cv)"
        )
    for name, value in vars(orders).items():
        amount(f"orders.{name}", value, positive=True)
    if deal != "commission" and not fixed:
        raise ValueError(f"deal={deal!r} pays a slot fee: give slot_fee=")
    if deal != "slot" and not part:
        raise ValueError(f"deal={deal!r} pays a commission: give commission=")
    paid_fixed = 0.0 if deal == "commission" else fixed
    paid_part = 0.0 if deal == "slot" else part
    rows = [
        ("brand", *_result(orders, each - paid_part, -paid_fixed)),
        ("creator", *_result(orders, paid_part, paid_fixed)),
    ]
    table = pd.DataFrame(rows, columns=["party", "mean", "sd", "p_loss", "worst"])
    return Fees(table, orders, each, fixed, part, deal)


def _result(orders: Demand, slope: float, fixed: float) -> tuple[float, float, float, float]:
    """Mean, sd, P(below 0) and mean of the worst 5 % of fixed + slope N."""
    law = _distribution(orders)
    mean, sd = fixed + slope * orders.mean, abs(slope) * float(law.std())
    if slope == 0:
        return mean, 0.0, float(fixed < 0), mean
    if slope > 0:
        limit = -fixed / slope
        # P(N < limit), not at it: a result of 0 is no loss.
        p = float(law.cdf(np.ceil(limit) - 1)) if not isinstance(orders, LogNormal) else float(law.cdf(limit))
        return mean, sd, p if limit > 0 else 0.0, fixed + slope * _lowest_mean(law, orders)
    limit = -fixed / slope
    p = float(law.sf(limit if isinstance(orders, LogNormal) else np.floor(limit)))
    # Each order loses, so that the sessions with the most orders are the worst.
    most = (orders.mean - (1 - WORST) * _lowest_mean(law, orders, 1 - WORST)) / WORST
    return mean, sd, p, fixed + slope * most


def _lowest_mean(law: stats.rv_frozen, orders: Demand, part: float = WORST) -> float:
    """The mean of the lowest part of N."""
    if isinstance(orders, LogNormal):
        sigma = float(np.sqrt(np.log1p(orders.cv**2)))
        return float(orders.mean * special.ndtr(special.ndtri(part) - sigma) / part)
    last = float(law.ppf(part))
    # E[N; N < last] is the mean times the chance of one order less in the same law, or one more in k.
    if isinstance(orders, Poisson):
        below = orders.mean * float(law.cdf(last - 2))
    else:
        more = stats.nbinom(orders.k + 1, orders.k / (orders.k + orders.mean))
        below = orders.mean * float(more.cdf(last - 2))
    # The value at the limit counts only as far as it fills the part.
    return (below + last * (part - float(law.cdf(last - 1)))) / part


def _distribution(orders: Demand) -> stats.rv_frozen:
    if isinstance(orders, Poisson):
        return stats.poisson(orders.mean)
    if isinstance(orders, NegativeBinomial):
        return stats.nbinom(orders.k, orders.k / (orders.k + orders.mean))
    sigma = float(np.sqrt(np.log1p(orders.cv**2)))
    return stats.lognorm(sigma, scale=orders.mean * np.exp(-(sigma**2) / 2))


def _said(deal: Deal) -> str:
    return {"slot": "a slot fee", "commission": "a commission", "mixed": "a slot fee and a commission"}[deal]
