"""Kitagawa decomposition of a gap between two platforms: composition (mix) and rate component, in all and by tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.decompositions import kitagawa
from toolkit.tiers.counts import Counts
from toolkit.tiers.estimates import Estimates
from toolkit.tiers.standards import crude_gap
from toolkit.wording import points, points_interval


@dataclass(frozen=True, repr=False, eq=False)
class TierSplit(Estimates):
    """What each tier adds to the composition (mix) and to the rate component of a gap. Made by `Gaps.by_tier`.

    `table`: `platform`, `reference`, `tier`, `part` ("mix" or "rate"), `estimate`, `low`, `high`, `n`, `n_reference`
    (in the tier).

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).by_tier().table[["tier", "part", "estimate", "low", "high"]].round(3)
        tier  part  estimate    low   high
    0  small   mix    -0.470 -0.529 -0.410
    1  large   mix     0.371  0.316  0.423
    2  small  rate     0.033 -0.007  0.063
    3  large  rate     0.021 -0.032  0.079
    """

    differences: ClassVar = frozenset({"estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "tier", "part")
    axis: ClassVar = "contribution to the gap, points"

    def sentence(self) -> str:
        """The tier that adds most to each pair's rate component, with its interval and n."""
        parts = []
        for (platform, reference), rows in self.table.groupby(["platform", "reference"], sort=False):
            own = rows[rows["part"] == "rate"]
            top = own.loc[own["estimate"].abs().idxmax()]
            parts.append(
                f"{platform} against {reference}: {_named(top['tier'])} adds most to the rate component, "
                f"{points(top['estimate'])} "
                f"({self.level} {points_interval(top['low'], top['high'])}, n = {top['n']:,} and "
                f"{top['n_reference']:,})"
            )
        single = "one tier's composition component only says how much more of it there is; read their sum"
        return f"{'; '.join(parts)}{self.closing(single)}"


def _named(tier: str) -> str:
    """A tier in a sentence; a name that says it already, such as "tier_3", stands alone."""
    return tier if tier.casefold().startswith("tier") else f"tier {tier}"


def parts(rates: np.ndarray, mixes: np.ndarray, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Kitagawa's components of a pair by component (mix, rate) and tier, and their gradient by all rates and shares."""
    order = list(reversed(pair))
    found, own = kitagawa(rates[order], mixes[order])
    slopes = np.zeros((*own.shape[:3], *rates.shape))
    slopes[:, :, :, order] = own
    return found, slopes.reshape(2, rates.shape[1], -1)


def by_tier(counts: Counts, pairs: Sequence[tuple[int, int]], confidence: float) -> TierSplit:
    """See `Gaps.by_tier`."""
    whole = pd.concat([_lines(counts, pair, confidence, np.eye(len(counts.tiers)), counts) for pair in pairs])
    largest = None
    if counts.drawn is not None:
        few, places = counts.drawn
        to = np.eye(len(few.tiers))[places]
        largest = pd.concat([_lines(counts, pair, confidence, to, few) for pair in pairs], ignore_index=True)
    return TierSplit(whole.reset_index(drop=True), confidence, counts.notes, largest=largest)


def _lines(
    counts: Counts, pair: tuple[int, int], confidence: float, to: np.ndarray, shown: Counts
) -> pd.DataFrame:
    """Rows of a pair: the contributions of its tiers, added up as the columns of `to` say, which `shown` names."""
    i, j = pair
    found, gradient = parts(counts.rates, counts.mixes, pair)
    found, gradient = found @ to, np.einsum("ptm,ta->pam", gradient, to)
    low, high = counts.precision.interval(found, gradient, confidence)
    size = len(shown.tiers)
    return pd.DataFrame(
        {
            "platform": counts.platforms[i],
            "reference": counts.platforms[j],
            "tier": list(shown.tiers) * 2,
            "part": ["mix"] * size + ["rate"] * size,
            "estimate": found.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "n": np.tile(shown.n[i], 2).astype(int),
            "n_reference": np.tile(shown.n[j], 2).astype(int),
        }
    )


def in_all(counts: Counts, pair: tuple[int, int], confidence: float) -> list[list[object]]:
    """Rows of a pair: gap, mix and rate, each with its interval and p value."""
    estimate, low, high = crude_gap(counts, pair, confidence)
    one, two, together = counts.crude_pair(pair)
    p = intervals.score_test(one, two, correlation=together)
    sizes = [int(counts.n[at].sum()) for at in pair]
    names = [counts.platforms[at] for at in pair]
    lines: list[list[object]] = [[*names, "gap", estimate, low, high, *sizes, p]]
    found, gradient = parts(counts.rates, counts.mixes, pair)
    for part, total, slope in zip(("mix", "rate"), found.sum(1), gradient.sum(1), strict=True):
        limits = counts.precision.interval(total, slope, confidence)
        lines.append([*names, part, total, *limits, *sizes, counts.precision.p(total, slope)])
    return lines
