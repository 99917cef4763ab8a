"""Rates by platform and tier: as counted with Wilson intervals, and shrunk towards the platform's (empirical Bayes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import special

from toolkit.intervals import Interval
from toolkit.tiers.counts import Counts
from toolkit.tiers.estimates import Estimates
from toolkit.wording import count, counted, percent, percent_interval

#: With fewer conversions, or fewer non-conversions, a tier is marked.
FEW = 10
#: Candidate weights of the prior in the tier of median size, evenly spread: how alike tiers may be.
WEIGHTS = np.linspace(0.01, 0.99, 50)


@dataclass(frozen=True, repr=False, eq=False)
class Rates(Estimates):
    """Rates by platform and tier, as counted and shrunk towards the platform's rate. Made by `Gaps.rates_by_tier`.

    `table`: `platform`, `tier` ("all" for the platform), `estimate`, `low`, `high`, `n`, `converted`, `shrunk`,
    `shrunk_low`, `shrunk_high`, `few` (fewer than 10 conversions or non-conversions).

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).rates_by_tier().table.loc[:2, ["tier", "estimate", "low", "high", "n", "shrunk"]].round(3)
        tier  estimate    low   high    n  shrunk
    0    all     0.780  0.734  0.820  350     NaN
    1  small     0.931  0.858  0.968   87   0.892
    2  large     0.730  0.673  0.780  263   0.736
    """

    rates: ClassVar = frozenset({"estimate", "low", "high", "shrunk", "shrunk_low", "shrunk_high"})
    axis: ClassVar = "rate, %"
    null: ClassVar = None

    def sentence(self) -> str:
        """Each platform's rate, and how many tiers are small."""
        whole = self.table.drop_duplicates("platform")  # its row for all tiers comes first
        parts = [
            f"{row.platform} {percent(row.estimate)} ({percent_interval(row.low, row.high)}, n = {count(row.n)})"
            for row in whole.itertuples()
        ]
        few = int(self.table["few"].sum())
        small = f"{counted(few, 'rate')} with fewer than {FEW} conversions or non-conversions" if few else ""
        return f"Over all tiers: {'; '.join(parts)} ({self.level}s){self.closing(small)}"


def rates_by_tier(counts: Counts, confidence: float) -> Rates:
    """See `Gaps.rates_by_tier`."""
    largest = None if counts.drawn is None else _lines(counts.drawn[0], confidence)
    return Rates(_lines(counts, confidence), confidence, counts.notes, largest=largest)


def _lines(counts: Counts, confidence: float) -> pd.DataFrame:
    lines = []
    n, y = counts.effective
    low, high = (end.reshape(counts.n.shape) for end in counts.cell_rates.interval(confidence))
    for i, platform in enumerate(counts.platforms):
        rate = counts.crude.at(i)
        sizes = counts.n[i].sum(), counts.y[i].sum()
        lines.append([platform, "all", rate.estimate, *rate.interval(confidence), *sizes, *[np.nan] * 3])
        towards, limits = shrunk(n[i], y[i], confidence)
        own = zip(
            counts.tiers,
            *(counts.rates[i], low[i], high[i], counts.n[i], counts.y[i], towards, *limits),
            strict=True,
        )
        lines += [[platform, *values] for values in own]
    names = [
        "platform",
        "tier",
        "estimate",
        "low",
        "high",
        "n",
        "converted",
        "shrunk",
        "shrunk_low",
        "shrunk_high",
    ]
    table = pd.DataFrame(lines, columns=names).astype({"n": "int64", "converted": "int64"})
    table["few"] = np.minimum(table["converted"], table["n"] - table["converted"]) < FEW
    return table


def shrunk(n: np.ndarray, y: np.ndarray, confidence: float) -> tuple[np.ndarray, Interval]:
    """Rates and intervals of one platform's tiers, from trials and successes; nan where none or all converted.

    Notes
    -----
    Beta-binomial shrinkage: a tier's rate is beta distributed around the platform's rate m with a weight of s
    trials, so that it is estimated as (y + s m) / (n + s). The estimate is averaged over s by its marginal
    likelihood, with a uniform prior on s / (s + median n), as Daniels (1999), Canadian Journal of Statistics 27,
    567-578, does for normal data. Intervals hold on average over exchangeable tiers. For a tier unlike all
    others they do not.
    """
    centre = y.sum() / n.sum()
    if not 0 < centre < 1 or len(n) < 2:
        unknown = np.full(len(n), np.nan)
        return unknown, Interval(unknown, unknown)
    weight = np.median(n) * WEIGHTS / (1 - WEIGHTS)
    prior = weight[:, None] * np.array([centre, 1 - centre])
    a, b = y + prior[:, :1], n - y + prior[:, 1:]
    told = (special.betaln(a, b) - special.betaln(prior[:, :1], prior[:, 1:])).sum(1)
    belief = np.exp(told - told.max())
    belief /= belief.sum()
    tail = (1 - confidence) / 2
    return belief @ (a / (a + b)), Interval(*(_quantile(belief, a, b, q) for q in (tail, 1 - tail)))


def _quantile(belief: np.ndarray, a: np.ndarray, b: np.ndarray, q: float) -> np.ndarray:
    """A quantile of a mixture of beta distributions, by bisection."""
    low, high = np.zeros(a.shape[1]), np.ones(a.shape[1])
    for _ in range(50):
        middle = (low + high) / 2
        short = belief @ special.betainc(a, b, middle) < q
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return (low + high) / 2
