"""`acquisition_cost`: what one buyer costs, from a price per thousand impressions and the rates of a funnel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from toolkit.counts import confidence_level
from toolkit.results import Result
from toolkit.scenarios.assumptions import NEVER, Never, amount, plain
from toolkit.wording import counted, interval, interval_level, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Below so many at any step the posterior is used.
FEW = 10
DRAWS = 400_000


class Posterior(NamedTuple):
    """The cost of a buyer under Jeffreys' priors; mean and sd are missing where too few bought for them to exist."""

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, repr=False, eq=False)
class Cost(Result):
    """What one buyer costs. Made by `acquisition_cost`.

    Attributes
    ----------
    table : DataFrame
        One row: `method` ("delta" or "posterior"), `estimate`, `low`, `high`, `n` (first step), `buyers` (last). The
        estimate is missing where a step has none: then `low` is a one-sided limit.
    """

    table: pd.DataFrame
    cpm: float
    steps: np.ndarray
    one_funnel: bool
    confidence: float

    @property
    def estimate(self) -> float | Never:
        """Cost per thousand / 1,000 / product of rates; "never" where a step has none."""
        return self._price / self._product if self._product > 0 else NEVER

    @property
    def log_variance(self) -> float:
        """Of the logarithm of the cost; in one funnel the steps telescope to 1 / buyers - 1 / impressions."""
        n, x = self.steps.T
        return float((1 / x - 1 / n).sum()) if (x > 0).all() else np.inf

    @property
    def few(self) -> bool:
        """Whether so few reached a step that the logarithm is not near a normal."""
        return bool(self.steps[:, 1].min() < FEW)

    def delta(self) -> tuple[float, float]:
        """The interval that takes the logarithm for normal."""
        if self._product == 0:
            return np.nan, np.inf
        half = special.ndtri((1 + self.confidence) / 2) * np.sqrt(self.log_variance)
        at = self._price / self._product
        return float(at * np.exp(-half)), float(at * np.exp(half))

    def posterior(self) -> Posterior:
        """The cost under Jeffreys' prior of each rate.

        Notes
        -----
        Mean and second moment in closed form: E 1/p = n / (x - 1/2), E 1/p^2 = n (n - 1) / ((x - 1/2) (x - 3/2)); the
        interval from 400,000 draws with a fixed seed.
        """
        n, x = self._sampled.T
        mean = np.prod(n / (x - 0.5)) * self._price if (x > 0.5).all() else np.nan
        second = (
            np.prod(n * (n - 1) / ((x - 0.5) * (x - 1.5))) * self._price**2 if (x > 1.5).all() else np.nan
        )
        rng = np.random.default_rng(0)
        logs = np.zeros(DRAWS)
        for trials, successes in self._sampled:
            logs -= np.log(np.maximum(rng.beta(successes + 0.5, trials - successes + 0.5, DRAWS), 1e-300))
        tails = (1 - self.confidence) / 2, (1 + self.confidence) / 2
        low, high = np.exp(np.quantile(logs, tails)) * self._price
        return Posterior(float(mean), float(np.sqrt(second - mean**2)), float(low), float(high))

    def break_even(self, step: int, contribution: float) -> float | Never:
        """The rate of a step (from 0) at which a buyer costs just their contribution; "never" if above 1."""
        if isinstance(step, bool) or not isinstance(step, Integral) or not 0 <= step < len(self.steps):
            raise ValueError(f"step={step!r}: there are steps 0 to {len(self.steps) - 1}")
        worth = amount("contribution", contribution, positive=True)
        n, x = np.delete(self.steps, step, axis=0).T
        others = float(np.prod(x / n))
        needed = self._price / worth / others if others else np.inf
        return needed if needed <= 1 else NEVER

    def sentence(self) -> str:
        """The cost of a buyer, or that nobody bought."""
        row = self.table.iloc[0]
        rates = " x ".join(percent(x / n) for n, x in self.steps)
        where = f"{plain(self.cpm)} per thousand impressions and rates of {rates}"
        if isinstance(self.estimate, str):
            limit = f"one-sided {interval_level(self.confidence)}"
            least = f"{row['low']:,.2f} ({limit})"
            return f"At {where} nobody buys: a buyer costs at least {least}, and perhaps never comes."
        why = (
            ""
            if row["method"] == "delta"
            else f" {'Fewer than 10 stand at a step' if self.few else 'All of them buy'}, so the interval is that of "
            "Jeffreys' posterior."
        )
        apart = "one funnel" if self.one_funnel else "rates from samples apart"
        return (
            f"At {where} a buyer costs {row['estimate']:,.2f} ({interval_level(self.confidence)} "
            f"{interval(row, lambda x: f'{x:,.2f}')}, n = {counted(row['buyers'], 'buyer')}; {apart}).{why}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The cost with its interval by both methods."""
        from toolkit.scenarios import axes

        posterior = self.posterior()
        rows = [("delta", *self.delta()), ("posterior", posterior.low, posterior.high)]
        table = pd.DataFrame(rows, columns=["method", "low", "high"])
        table["estimate"] = [self._price / self._product if self._product else np.nan, posterior.mean]
        return axes.estimates(table, ["method"], "cost of a buyer", ax=ax)

    @property
    def _price(self) -> float:
        return self.cpm / 1000

    @property
    def _product(self) -> float:
        n, x = self.steps.T
        return float(np.prod(x / n))

    @property
    def _sampled(self) -> np.ndarray:
        """One funnel is a single rate from first to last; other steps are each a sample."""
        return np.array([[self.steps[0, 0], self.steps[-1, 1]]]) if self.one_funnel else self.steps


def acquisition_cost(
    cpm: float, steps: Sequence[Sequence[float]] | pd.DataFrame, *, confidence: float = 0.95
) -> Cost:
    """Say what one buyer costs.

    Parameters
    ----------
    cpm : float
        Price of a thousand impressions.
    steps : list of (n, reached)
        By step from the impression on: how many stood before it, and how many reached it. Where each n is the number
        reached before, this is one funnel; otherwise the rates come from samples apart.
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        For more reached than stood before, a fraction, and a step without anybody.

    Notes
    -----
    cpm / 1000 / product of rates. Delta method on the logarithm; below 10 at any step Jeffreys' posterior. Coverage:
    benchmarks/scenarios.md. Where nobody reached the last step, low takes its rate at 1 - (1 - confidence)^(1/n).

    Examples
    --------
    >>> round(acquisition_cost(40, [(100_000, 6_400), (6_400, 64)]).estimate, 2)
    62.5
    """
    confidence = confidence_level(confidence)
    price = amount("cpm", cpm, positive=True)
    pairs = steps.to_numpy().tolist() if isinstance(steps, pd.DataFrame) else list(steps)
    if not pairs or any(not isinstance(pair, Iterable) or len(list(pair)) != 2 for pair in pairs):
        raise ValueError(f"steps={steps!r}: give a pair (n, reached) for each step")
    found = np.array([[amount(f"steps[{i}]", one) for one in pair] for i, pair in enumerate(pairs)])
    for at, (n, x) in enumerate(found):
        if n < 1 or x > n or n != int(n) or x != int(x):
            raise ValueError(f"step {at}: {x:g} of {n:g} reached it; give whole counts, at most n")
    if (found[:-1, 1] == 0).any():
        at = int(np.flatnonzero(found[:-1, 1] == 0)[0])
        raise ValueError(f"nobody reached step {at}: the rates after it are unknown; leave later steps out")
    one = bool((found[1:, 0] == found[:-1, 1]).all())
    cost = Cost(pd.DataFrame(), price, found, one, confidence)
    n, x = found.T
    if x[-1] == 0:
        last = 1 - (1 - confidence) ** (1 / n[-1])
        method, estimate = "posterior", np.nan
        low, high = price / 1000 / (np.prod(x[:-1] / n[:-1]) * last), np.inf
    else:
        # Where all who saw it bought, the delta method would know the rate for certain.
        unsure = cost.few or cost.log_variance <= 0
        method, estimate = ("posterior" if unsure else "delta"), price / 1000 / np.prod(x / n)
        low, high = cost.posterior()[2:] if unsure else cost.delta()
    row = {"method": method, "estimate": estimate, "low": low, "high": high, "n": n[0], "buyers": x[-1]}
    return Cost(pd.DataFrame([row]), price, found, one, confidence)
