"""`shrink`: anchors' rates drawn towards what they share, as far as chance explains their differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from toolkit.counts import confidence_level, one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import column, known_names, side_by_side
from toolkit.scenarios.creators.anchor_effects import AnchorModel, anchor_model
from toolkit.wording import count, interval_level, p_value, percent, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Method = Literal["beta_binomial", "james_stein"]
METHODS = ("beta_binomial", "james_stein")
#: The largest a + b of the Beta that is looked at.
NO_SPREAD = 1e6
#: Values of the mean and of the spread that intervals average over, and draws of them.
GRID, DRAWS = 40, 4000
#: A spread that raises the log-likelihood by less than this is none.
GAIN = 1e-3
#: James and Stein's estimator gains from this many on.
FEWEST = 4


@dataclass(frozen=True, repr=False, eq=False)
class Shrunk(Result):
    """Anchors' rates, as observed and shrunk. Made by `shrink`.

    Attributes
    ----------
    table : DataFrame
        `anchor`, `conversions`, `n`, `rate`, `estimate` (shrunk), `low`, `high`.
    factor : float
        The share of a typical anchor's deviation that is kept; 0 where chance explains all of it.
    chi2, freedom, p : float
        Of all anchors having one rate.
    anchors : AnchorModel or None
        The spread of anchors net of traffic, where `traffic` was given.
    """

    table: pd.DataFrame
    mean: float
    factor: float
    chi2: float
    freedom: int
    p: float
    method: Method
    note: str
    anchors: AnchorModel | None
    confidence: float

    rates: ClassVar = frozenset({"rate", "estimate", "low", "high"})

    def value(self, anchor: Any) -> float:
        """The shrunk rate of one anchor."""
        rows = self.table.loc[self.table["anchor"] == anchor, "estimate"]
        if not len(rows):
            raise ValueError(unknown("anchor", anchor, self.table["anchor"]))
        return float(rows.iloc[0])

    def sentence(self) -> str:
        """How much of the spread is chance, and the anchors' spread net of traffic."""
        spread = (
            f"no spread beyond chance is shown (chi-square {self.chi2:.1f} on {self.freedom}, p {p_value(self.p)})"
            if self.p >= 0.05
            else f"anchors differ beyond chance (chi-square {self.chi2:.1f} on {self.freedom}, p {p_value(self.p)})"
        )
        net = "" if self.anchors is None else f" {self.anchors.sentence()}"
        at = self.table["estimate"].idxmax()
        best, name = self.table.loc[at], self.table["anchor"].loc[at]
        ends = (
            ""
            if np.isnan(best["low"])
            else (f", {interval_level(self.confidence)} {percent(best['low'])} to {percent(best['high'])}")
        )
        kept = (
            "rates are kept as they are"
            if self.method == "james_stein" and len(self.table) < FEWEST
            else f"{percent(self.factor)} of a deviation from the mean of {percent(self.mean)} is kept"
        )
        return (
            f"Of {count(len(self.table))} anchors with {count(self.table['n'].sum())} visits, {spread}: {kept}. "
            f"Highest: {name}, {percent(best['rate'])} observed, {percent(best['estimate'])} shrunk{ends}, "
            f"n = {count(best['n'])}.{self.note}{net}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shrunk rates, the highest on top."""
        from toolkit.scenarios import axes

        ordered = self.table.sort_values("estimate", ascending=False)
        return axes.estimates(ordered, ["anchor"], "conversion, shrunk", null=self.mean, rate=True, ax=ax)


def shrink(
    conversions: Any,
    n: Any,
    *,
    anchor: Any = None,
    method: Method = "beta_binomial",
    traffic: pd.DataFrame | None = None,
    confidence: float = 0.95,
) -> Shrunk:
    """Draw each anchor's rate towards the mean, as far as chance explains their differences.

    Parameters
    ----------
    conversions, n : list or Series of int
        By anchor, or by session where `anchor` names repeat: sessions of one anchor are added up.
    anchor : list or Series, optional
        Names; the index of `conversions` if not given.
    method : {"beta_binomial", "james_stein"}
        "james_stein" (positive part) wants equal n and four anchors.
    traffic : DataFrame, optional
        By row: what the visits were like (log visits, share paid, category). Adds the spread of anchors net of it.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Shrunk

    Raises
    ------
    ValueError
        For more conversions than visits, and unequal n with James and Stein's method.

    Notes
    -----
    Beta-binomial by marginal likelihood; the interval of one anchor is its Beta posterior, averaged over what the mean
    and the spread of anchors may be. James-Stein: mean + B (rate - mean), B = 1 - (k - 3) v / sum (rate - mean)^2, v =
    mean (1 - mean) / n, never below 0; it has no intervals here.

    References
    ----------
    Efron & Morris (1977), Scientific American 236 (5), 119-127.

    Examples
    --------
    >>> hits = [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7]  # of 45: Efron & Morris
    >>> found = shrink(hits, [45] * 18, method="james_stein")
    >>> round(float(found.factor), 3), round(found.mean, 3), round(found.value(0), 3)
    (0.212, 0.265, 0.294)
    """
    confidence = confidence_level(confidence)
    one_of("method", method, METHODS)
    y, trials = column("conversions", conversions, whole=True), column("n", n, whole=True)
    side_by_side(conversions=conversions, n=n, anchor=anchor)
    names = (
        anchor
        if anchor is not None
        else conversions.index
        if isinstance(conversions, pd.Series)
        else range(len(y))
    )
    frame = pd.DataFrame({"anchor": known_names("anchor", names), "conversions": y, "n": trials})
    over = frame["conversions"] > frame["n"]
    if over.any() or (trials == 0).any():
        row = frame[over | (frame["n"] == 0)].iloc[0]
        raise ValueError(
            f"anchor {row['anchor']!r}: {row['conversions']:g} conversions of {row['n']:g} visits"
        )
    table = frame.groupby("anchor", sort=False, as_index=False, dropna=False).sum()
    y, trials = table["conversions"].to_numpy(float), table["n"].to_numpy(float)
    if len(table) < 2:
        raise ValueError("one anchor has nobody to be compared with")
    pooled = y.sum() / trials.sum()
    chi2 = (
        float(((y - trials * pooled) ** 2 / (trials * pooled * (1 - pooled))).sum())
        if 0 < pooled < 1
        else 0.0
    )
    freedom = len(table) - 1
    if method == "james_stein":
        mean, factor, estimate, low, high, note = _james_stein(y, trials)
    else:
        mean, factor, estimate, low, high, note = _beta_binomial(y, trials, confidence)
    table = table.assign(rate=y / trials, estimate=estimate, low=low, high=high)
    model = None if traffic is None else anchor_model(frame, traffic, confidence)
    p = float(stats.chi2.sf(chi2, freedom))
    return Shrunk(table, mean, factor, chi2, freedom, p, method, note, model, confidence)


Answer = tuple[float, float, np.ndarray, np.ndarray, np.ndarray, str]


def _james_stein(y: np.ndarray, n: np.ndarray) -> Answer:
    if len(np.unique(n)) > 1:
        raise ValueError(
            f"James and Stein's method wants equal n, not {n.min():g} to {n.max():g}: use beta_binomial"
        )
    rate = y / n
    mean, nothing = float(rate.mean()), np.full(len(y), np.nan)
    if len(y) < FEWEST:
        note = f" With {len(y)} anchors James and Stein's method says nothing."
        return mean, 0.0, rate, nothing, nothing, note
    spread = float(((rate - mean) ** 2).sum())
    factor = max(0.0, 1 - (len(y) - 3) * mean * (1 - mean) / n[0] / spread) if spread else 0.0
    return mean, factor, mean + factor * (rate - mean), nothing, nothing, ""


def _beta_binomial(y: np.ndarray, n: np.ndarray, confidence: float) -> Answer:
    def surprise(at: np.ndarray) -> float:
        total = np.exp(at[1])
        a, b = total * special.expit(at[0]), total * special.expit(-at[0])
        return float(-(special.betaln(a + y, b + n - y) - special.betaln(a, b)).sum())

    pooled = (y.sum() + 0.5) / (n.sum() + 1)
    bounds = [(-20, 20), (-5, np.log(NO_SPREAD) + 1)]
    starts = [(special.logit(pooled), size) for size in (2.0, 5.0, 9.0)]
    best = min(
        (optimize.minimize(surprise, at, bounds=bounds) for at in starts), key=lambda one: float(one.fun)
    ).x
    total, mean = float(np.exp(best[1])), float(special.expit(best[0]))
    common = y.sum() / n.sum()
    flat = -float((special.xlogy(y, common) + special.xlogy(n - y, 1 - common)).sum())
    low, high = _credible(y, n, confidence)
    if surprise(best) > flat - GAIN:
        return (
            float(common),
            0.0,
            np.full(len(y), common),
            low,
            high,
            " All anchors are given the common rate.",
        )
    a = total * mean
    return mean, float(np.median(n / (n + total))), (a + y) / (total + n), low, high, ""


def _credible(y: np.ndarray, n: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Each anchor's interval over all that the mean and the spread of anchors may be.

    Taken as known at their likeliest values they leave intervals that are far too short for twenty anchors. Their
    prior is flat in the mean and in the share of a typical deviation that is kept (Daniels 1999, Canadian Journal of
    Statistics 27, 567-578).
    """
    kept = (np.arange(GRID) + 0.5) / GRID
    totals = n.mean() * (1 - kept) / kept
    pooled = special.logit((y.sum() + 0.5) / (n.sum() + 1))
    spread = max(
        1.0, float(np.std(y / n)) / np.sqrt(np.mean(y / n) * (1 - np.mean(y / n)) / n.mean() + 1e-12)
    )
    error = np.sqrt(1 / (y.sum() + 0.5) + 1 / ((n - y).sum() + 0.5)) * spread
    means = special.expit(pooled + error * np.linspace(-4, 4, GRID))
    a = (totals[:, None] * means).ravel()
    b = (totals[:, None] * (1 - means)).ravel()
    fits = (special.betaln(a[:, None] + y, b[:, None] + n - y) - special.betaln(a, b)[:, None]).sum(1)
    # Flat in the mean, not in its logarithm of odds.
    weights = np.exp(fits - fits.max()) * np.tile(means * (1 - means), GRID)
    rng = np.random.default_rng(0)
    drawn = rng.choice(len(a), DRAWS, p=weights / weights.sum())
    rates = rng.beta(a[drawn, None] + y, b[drawn, None] + n - y)
    low, high = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high
