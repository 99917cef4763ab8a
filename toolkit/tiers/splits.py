"""A gap between two platforms, split into mix and rate, tier by tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.intervals import Rate
from toolkit.tiers.answers import Answer, points, points_between
from toolkit.tiers.counts import Counts


@dataclass(frozen=True, repr=False, eq=False)
class TierSplit(Answer):
    """What each tier adds to the mix part and to the rate part of a gap.

    `table`: `platform`, `reference`, `tier`, `part` ("mix" or "rate"), `estimate`, `low`, `high`, `n`, `n_reference`
    (in the tier).
    """

    rates: ClassVar = frozenset({"estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "tier", "part")
    axis: ClassVar = "contribution to the gap, points"

    def sentence(self) -> str:
        """The tier that adds most to each pair's rate part."""
        parts = []
        for (platform, reference), rows in self.table.groupby(["platform", "reference"], sort=False):
            own = rows[rows["part"] == "rate"]
            top = own.loc[own["estimate"].abs().idxmax()]
            parts.append(
                f"{platform} against {reference}: {top['tier']} adds most to the rate part, {points(top['estimate'])} "
                f"({self.level} {points_between(top['low'], top['high'])}, n = {top['n']:,} and {top['n_reference']:,})"
            )
        single = "a tier's mix part says how much more of it there is, so only their sum can be read alone"
        return f"{'; '.join(parts)}{self.closing(single)}"


def parts(rates: np.ndarray, mixes: np.ndarray, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """By part (mix, rate) and tier: contribution, and its gradient by all rates and all shares.

    References
    ----------
    Kitagawa (1955), JASA 50, 1168-1194, eq. 4: mean weights, so no interaction is left over.
    """
    i, j = pair
    shift, gap = mixes[i] - mixes[j], rates[i] - rates[j]
    rate, mix = (rates[i] + rates[j]) / 2, (mixes[i] + mixes[j]) / 2
    tiers = np.arange(rates.shape[1])
    gradient = np.zeros((2, len(tiers), 2, *rates.shape))
    for at, side in ((i, 1), (j, -1)):
        gradient[0, tiers, 1, at, tiers] = side * rate
        gradient[0, tiers, 0, at, tiers] = shift / 2
        gradient[1, tiers, 0, at, tiers] = side * mix
        gradient[1, tiers, 1, at, tiers] = gap / 2
    return np.stack([shift * rate, gap * mix]), gradient.reshape(2, len(tiers), -1)


def by_tier(counts: Counts, pairs: Sequence[tuple[int, int]], confidence: float) -> TierSplit:
    """See `Gaps.tiers`."""
    frames = []
    for i, j in pairs:
        found, gradient = parts(counts.rates, counts.mixes, (i, j))
        low, high = counts.precision.interval(found, gradient, confidence)
        size = len(counts.tiers)
        frames.append(
            pd.DataFrame(
                {
                    "platform": counts.platforms[i],
                    "reference": counts.platforms[j],
                    "tier": list(counts.tiers) * 2,
                    "part": ["mix"] * size + ["rate"] * size,
                    "estimate": found.ravel(),
                    "low": low.ravel(),
                    "high": high.ravel(),
                    "n": np.tile(counts.n[i], 2).astype(int),
                    "n_reference": np.tile(counts.n[j], 2).astype(int),
                }
            )
        )
    return TierSplit(pd.concat(frames, ignore_index=True), confidence, counts.notes)


def in_all(counts: Counts, pair: tuple[int, int], confidence: float) -> list[list[object]]:
    """Lines of a pair: gap, mix and rate, each with its interval and p value."""
    i, j = pair
    estimate, low, high = crude_gap(counts, pair, confidence)
    one, two = (platform_rate(counts, at) for at in pair)
    p = intervals.score_test(one, two, correlation=counts.crude_correlation[i, j])
    sizes = [int(counts.n[at].sum()) for at in pair]
    names = [counts.platforms[at] for at in pair]
    lines: list[list[object]] = [[*names, "gap", estimate, low, high, *sizes, p]]
    found, gradient = parts(counts.rates, counts.mixes, pair)
    for part, total, slope in zip(("mix", "rate"), found.sum(1), gradient.sum(1), strict=True):
        limits = counts.precision.interval(total, slope, confidence)
        lines.append([*names, part, total, *limits, *sizes, counts.precision.p(total, slope)])
    return lines


def crude_gap(counts: Counts, pair: tuple[int, int], confidence: float) -> tuple[float, float, float]:
    """Difference of two platforms' own rates, with its interval."""
    one, two = (platform_rate(counts, at) for at in pair)
    together = counts.crude_correlation[pair]
    limits = intervals.difference(one, two, correlation=together, confidence=confidence)
    return one.estimate - two.estimate, limits.low, limits.high


def platform_rate(counts: Counts, at: int) -> Rate:
    """One platform's rate over all its tiers."""
    values = (
        np.broadcast_to(value, len(counts.platforms))[at]
        for value in (counts.crude.estimate, counts.crude.size, counts.crude.freedom)
    )
    return Rate(*(float(value) for value in values))
