"""Rates of small tiers, drawn towards their platform's rate as far as its tiers resemble each other."""

from __future__ import annotations

import numpy as np
from scipy import special

from toolkit.intervals import Interval

#: How strongly tiers may resemble each other: the prior's weight in the tier of middle size, evenly spread.
PULLS = np.linspace(0.01, 0.99, 50)


def shrunk(n: np.ndarray, y: np.ndarray, confidence: float) -> tuple[np.ndarray, Interval]:
    """Rates and intervals of one platform's tiers, from trials and successes; nan where none or all converted.

    Notes
    -----
    Beta-binomial: a tier's rate is beta around the platform's rate m with a weight of s trials, so that it is
    estimated as (y + s m) / (n + s). How much weight is averaged over what the tiers' own rates tell of it, with
    an even prior on s / (s + median n), as Daniels (1999), Canadian Journal of Statistics 27, 567-578, does
    for normal data. Intervals are right on average over tiers that are drawn alike. For a tier
    unlike all others they are not.
    """
    centre = y.sum() / n.sum()
    if not 0 < centre < 1 or len(n) < 2:
        unknown = np.full(len(n), np.nan)
        return unknown, Interval(unknown, unknown)
    weight = np.median(n) * PULLS / (1 - PULLS)
    prior = weight[:, None] * np.array([centre, 1 - centre])
    a, b = y + prior[:, :1], n - y + prior[:, 1:]
    told = (special.betaln(a, b) - special.betaln(prior[:, :1], prior[:, 1:])).sum(1)
    belief = np.exp(told - told.max())
    belief /= belief.sum()
    tail = (1 - confidence) / 2
    return belief @ (a / (a + b)), Interval(*(_quantile(belief, a, b, q) for q in (tail, 1 - tail)))


def _quantile(belief: np.ndarray, a: np.ndarray, b: np.ndarray, q: float) -> np.ndarray:
    """A quantile of a mixture of beta distributions, by halving."""
    low, high = np.zeros(a.shape[1]), np.ones(a.shape[1])
    for _ in range(50):
        middle = (low + high) / 2
        short = belief @ special.betainc(a, b, middle) < q
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return (low + high) / 2
