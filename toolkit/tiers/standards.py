"""Direct standardisation: crude rates, rates at one standard mix of tiers, and what the choice of the mix does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.tiers.counts import Counts
from toolkit.tiers.estimates import Estimates
from toolkit.wording import NOTHING, count, percent, percent_interval, points, points_interval, some

#: A mix that misses 1 by no more than this is rounded, not wrong.
ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Mix:
    """Shares of tiers, and the platforms' weights in them (None where the shares are given, not estimated)."""

    name: str
    shares: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True, repr=False, eq=False)
class Standardised(Estimates):
    """Directly standardised rates: each platform's rate if its tiers had one common mix. Made by `Gaps.standardised`.

    `table`: `platform`, `standard`, `crude`, `estimate`, `low`, `high`, `n`.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).standardised("pooled").table[["platform", "crude", "estimate", "low", "high"]].round(3)
      platform  crude  estimate    low   high
    0        A  0.780     0.833  0.788  0.866
    1        B  0.826     0.779  0.722  0.828
    """

    rates: ClassVar = frozenset({"crude", "estimate", "low", "high"})
    named: ClassVar = ("platform",)
    axis: ClassVar = "standardised rate, %"
    null: ClassVar = None

    def sentence(self) -> str:
        """Each platform's standardised rate beside its crude one."""
        parts = [
            f"{row.platform} {percent(row.estimate)} ({percent_interval(row.low, row.high)}; crude "
            f"{percent(row.crude)}, n = {count(row.n)})"
            for row in self.table.itertuples()
        ]
        mix = self.table["standard"].iloc[0]
        return f"At the {mix} mix of tiers: {'; '.join(parts)} ({self.level}s){self.closing()}"


@dataclass(frozen=True, repr=False, eq=False)
class Sensitivity(Estimates):
    """Gaps between platforms under each standard mix. Made by `Gaps.sensitivity`.

    `table`: `platform`, `reference`, `standard`, `estimate`, `low`, `high`, `n`, `n_reference`. "none" is the crude
    gap; "mean of the two" is the rate component of the Kitagawa decomposition.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).sensitivity().table[["standard", "estimate"]].round(3).to_numpy().tolist()
    [['none', -0.046], ['pooled', 0.054], ['A', 0.048], ['B', 0.059], ['equal', 0.053], ['mean of the two', 0.054]]
    """

    differences: ClassVar = frozenset({"estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "standard")
    axis: ClassVar = "gap, points"

    def sentence(self) -> str:
        """Over what range the choice of the standard mix moves each gap, and whether its sign depends on it."""
        parts = []
        for (platform, reference), rows in self.table.groupby(["platform", "reference"], sort=False):
            rows = rows[rows["standard"] != "none"]
            low, high = rows.loc[rows["estimate"].idxmin()], rows.loc[rows["estimate"].idxmax()]
            if high["estimate"] - low["estimate"] < NOTHING:
                parts.append(
                    f"the gap of {platform} against {reference} stays at {points(low['estimate'])} "
                    f"({points_interval(low['low'], low['high'])}), n = {count(low['n'])} and "
                    f"{count(low['n_reference'])}"
                )
                continue
            changes = ", so its sign depends on that choice" if low["estimate"] < 0 < high["estimate"] else ""
            parts.append(
                f"the gap of {platform} against {reference} runs from {points(low['estimate'])} "
                f"({points_interval(low['low'], low['high'])}; {low['standard']} mix) to {points(high['estimate'])} "
                f"({points_interval(high['low'], high['high'])}; {high['standard']} mix){changes}, n = "
                f"{count(low['n'])} and {count(low['n_reference'])}"
            )
        return f"Depending on the standard mix of tiers, {'; '.join(parts)} ({self.level}s){self.closing()}"


def mix_of(counts: Counts, standard: str | Mapping[str, float]) -> Mix:
    """The standard mix by its name, or as given."""
    totals = counts.n.sum(1)
    if isinstance(standard, Mapping):
        given = {str(tier): float(share) for tier, share in standard.items()}
        absent = [tier for tier in counts.tiers if tier not in given]
        unknown = [tier for tier in given if tier not in counts.tiers]
        if absent or unknown:
            what = f"lacks {some(absent)}" if absent else f"names {some(unknown)}"
            raise ValueError(f"the standard mix {what}; give a share to each of {some(list(counts.tiers))}")
        shares = np.array([given[tier] for tier in counts.tiers])
        if (shares < 0).any() or not abs(shares.sum() - 1) <= ROUNDING:
            raise ValueError(
                f"the shares of a standard mix are at least 0 and add up to 1; these add up to {shares.sum():.6g}"
            )
        return Mix("given", shares, None)
    if standard in counts.platforms:
        return Mix(
            standard, counts.mixes[counts.place(standard)], np.eye(len(totals))[counts.place(standard)]
        )
    if standard == "pooled":
        return Mix("pooled", counts.n.sum(0) / totals.sum(), totals / totals.sum())
    if standard == "equal":
        return Mix("equal", np.full(len(counts.tiers), 1 / len(counts.tiers)), None)
    raise ValueError(
        f"standard={standard!r}; use 'pooled', 'equal', a platform ({some(list(counts.platforms))}), or shares by tier"
    )


def standardised(counts: Counts, standard: str | Mapping[str, float], confidence: float) -> Standardised:
    """See `Gaps.standardised`."""
    mix, lines = mix_of(counts, standard), []
    for at, platform in enumerate(counts.platforms):
        estimate = float(mix.shares @ counts.rates[at])
        low, high = counts.precision.interval(estimate, gradient(counts, mix, at), confidence, 0.0)
        crude, n = counts.crude.estimate[at], int(counts.n[at].sum())
        lines.append([platform, mix.name, crude, estimate, low, min(high, 1.0), n])
    names = ["platform", "standard", "crude", "estimate", "low", "high", "n"]
    return Standardised(pd.DataFrame(lines, columns=names), confidence, (_said(mix), *counts.notes))


def gradient(counts: Counts, mix: Mix, at: int) -> np.ndarray:
    """How a platform's standardised rate moves with all rates and all shares."""
    found = np.zeros((2, *counts.n.shape))
    found[0, at] = mix.shares
    if mix.weights is not None:
        # The population's mix is known only as well as its users were counted.
        found[1] = np.outer(mix.weights, counts.rates[at])
    return found.ravel()


def crude_gap(counts: Counts, pair: tuple[int, int], confidence: float) -> tuple[float, float, float]:
    """Difference of two platforms' own rates, with its interval."""
    one, two, together = counts.crude_pair(pair)
    limits = intervals.difference(one, two, correlation=together, confidence=confidence)
    return one.estimate - two.estimate, limits.low, limits.high


def standardised_gap(
    counts: Counts, mix: Mix, pair: tuple[int, int], confidence: float
) -> tuple[float, float, float]:
    """Difference of two platforms' standardised rates, with its interval."""
    one, two = (gradient(counts, mix, at) for at in pair)
    estimate = float(mix.shares @ (counts.rates[pair[0]] - counts.rates[pair[1]]))
    limits = counts.precision.interval(estimate, one - two, confidence, -1.0)
    return estimate, float(limits.low), min(float(limits.high), 1.0)


def sensitivity(
    counts: Counts,
    pairs: Sequence[tuple[int, int]],
    standard: str | Mapping[str, float],
    confidence: float,
) -> Sensitivity:
    """See `Gaps.sensitivity`."""
    mixes = [mix_of(counts, name) for name in ("pooled", *counts.platforms, "equal")]
    mixes += [mix_of(counts, standard)] if isinstance(standard, Mapping) else []
    lines = []
    for i, j in pairs:
        half = np.zeros(len(counts.platforms))
        half[[i, j]] = 0.5
        both = Mix("mean of the two", half @ counts.mixes, half)
        common = [counts.platforms[i], counts.platforms[j]]
        sizes = [int(counts.n[i].sum()), int(counts.n[j].sum())]
        lines.append([*common, "none", *crude_gap(counts, (i, j), confidence), *sizes])
        lines += [
            [*common, mix.name, *standardised_gap(counts, mix, (i, j), confidence), *sizes]
            for mix in [*mixes, both]
        ]
    names = ["platform", "reference", "standard", "estimate", "low", "high", "n", "n_reference"]
    return Sensitivity(pd.DataFrame(lines, columns=names), confidence, counts.notes)


def _said(mix: Mix) -> str:
    if mix.weights is None:
        return "the standard mix is taken as exact"
    return "intervals allow for the standard mix being estimated too"
