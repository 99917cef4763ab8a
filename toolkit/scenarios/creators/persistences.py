"""`persistence`: whether those who did well do well again."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special, stats

from toolkit.counts import confidence_level
from toolkit.results import Result
from toolkit.scenarios.assumptions import (
    as_series,
    column,
    names_of,
    or_missing,
    share,
    side_by_side,
    two_places,
)
from toolkit.wording import count, counted, interval, interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Fewer pairs give no correlation worth the name.
FEWEST = 4
#: Fewer pairs give no interval that holds.
FEWEST_FOR_INTERVAL = 10


@dataclass(frozen=True, repr=False, eq=False)
class Persistence(Result):
    """How a first score and a later one go together. Made by `persistence`.

    Attributes
    ----------
    table : DataFrame
        `measure` ("rank correlation", "linear correlation", "corrected for noise"), `estimate`, `low`, `high`, `n`.
    pairs : DataFrame
        `first` and `later` of those who have both.
    never_later : int
        Those who have a first score and no later one.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    never_later: int
    reliability: float | None
    confidence: float

    def best(self, k: int) -> dict[str, float]:
        """The best k at first, ties with the k-th included: their mean then, later, and as shrinkage predicted."""
        if isinstance(k, bool) or not isinstance(k, Integral) or not 1 <= k <= len(self.pairs):
            raise ValueError(f"k={k!r}: give a whole number, 1 to {len(self.pairs)}")
        first = self.pairs["first"]
        top = self.pairs[first >= first.nlargest(k).iloc[-1]]
        mean = float(first.mean())
        kept = np.nan if self.reliability is None else self.reliability
        was = float(top["first"].mean())
        return {
            "n": len(top),
            "first": was,
            "later": float(top["later"].mean()),
            "predicted": mean + kept * (was - mean),
        }

    def sentence(self) -> str:
        """The rank correlation, and who is not in it."""
        row = self.table.iloc[0]
        who = counted(self.never_later, "creator has", "creators have")
        lost = f" {who} no later score: this speaks of survivors only." if self.never_later else ""
        ends = f"{interval_level(self.confidence)} {interval(row, two_places)}"
        if np.isnan(row["low"]):
            few = f"fewer than {FEWEST_FOR_INTERVAL} pairs"
            ends = f"no interval: {few if row['n'] < FEWEST_FOR_INTERVAL else 'the order is the same, or turned round'}"
        return (
            f"First and later scores have a rank correlation of {two_places(row['estimate'])} "
            f"({ends}, n = {count(row['n'])}).{lost}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Later against first scores."""
        from toolkit.scenarios.creators import plots

        return plots.pairs(self.pairs, ("first score", "later score"), ax)


def persistence(first: Any, later: Any, *, reliability: Any = None, confidence: float = 0.95) -> Persistence:
    """Say how far a first score foretells a later one.

    Parameters
    ----------
    first, later : list or Series of float
        By creator in one order; a missing later score is one who has none.
    reliability : float or pair of float, optional
        The share of the first score's variance (and of the later's) that is not noise, such as `Shrunk.factor`.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Persistence

    Raises
    ------
    ValueError
        For fewer than four pairs, and a reliability outside 0 to 1.

    Notes
    -----
    Spearman's correlation with the interval of Bonett and Wright (n of 10 and more): Fisher's z with variance
    (1 + r^2 / 2) / (n - 3). Pearson's with Fisher's. Corrected for noise: r / sqrt(reliability of both), Spearman
    (1904); its interval takes reliabilities as known, and may pass 1.

    References
    ----------
    Bonett & Wright (2000), Psychometrika 65, 23-28.

    Examples
    --------
    >>> spring = [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    >>> autumn = [7, 9, 8, 3, 5, 6, 1, None, 2, 4, 0]
    >>> persistence(spring, autumn).table.round(2)
                  measure  estimate   low  high   n
    0    rank correlation      0.81  0.26  0.96  10
    1  linear correlation      0.79  0.33  0.95  10
    """
    confidence = confidence_level(confidence)
    start = column("first", first, negative=True)
    after = or_missing("later", as_series("later", later))
    side_by_side(first=first, later=later)
    known = ~np.isnan(after)
    pairs = pd.DataFrame({"first": start[known], "later": after[known]})
    n = len(pairs)
    if n < FEWEST:
        raise ValueError(f"{n} creators have both scores; {FEWEST} are the least for a correlation")
    if pairs.nunique().min() < 2:
        raise ValueError("all scores of one time are equal: they order nobody")
    rank = float(stats.spearmanr(pairs["first"], pairs["later"]).statistic)
    line = float(np.corrcoef(pairs["first"], pairs["later"])[0, 1])
    rows = [
        ("rank correlation", rank, *_ends(rank, (1 + rank**2 / 2) / (n - 3), n, confidence)),
        ("linear correlation", line, *_ends(line, 1 / (n - 3), n, confidence)),
    ]
    kept = None
    if reliability is not None:
        both = names_of(reliability) if np.ndim(reliability) else [reliability, 1.0]
        if len(both) != 2:
            raise ValueError(
                f"reliability={reliability!r}: give one share, or two: of the first and of the later score"
            )
        kept, later_kept = (share("reliability", one) for one in both)
        if not kept * later_kept:
            raise ValueError("a reliability of 0 leaves nothing but noise: there is nothing to correct")
        scale = np.sqrt(kept * later_kept)
        rows.append(("corrected for noise", *(value / scale for value in rows[1][1:])))
    table = pd.DataFrame(rows, columns=["measure", "estimate", "low", "high"]).assign(n=n)
    return Persistence(table, pairs, int((~known).sum()), kept, confidence)


def _ends(r: float, variance: float, n: int, confidence: float) -> tuple[float, float]:
    if n < FEWEST_FOR_INTERVAL or abs(r) > 1 - 1e-12:
        return np.nan, np.nan
    half = special.ndtri((1 + confidence) / 2) * np.sqrt(variance)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))
