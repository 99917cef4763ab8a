"""Simpson's paradox: one platform leads over all tiers together, the other at one common mix of tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.tiers.counts import Counts
from toolkit.tiers.estimates import Estimates
from toolkit.tiers.standards import Mix, crude_gap, standardised_gap
from toolkit.wording import count, points, points_interval, some

#: A smaller gap is no gap: sums of rates that cancel out leave the rounding of their last digits.
EQUAL = 1e-12


@dataclass(frozen=True, repr=False, eq=False)
class Reversal(Estimates):
    """Simpson's paradox: gaps over all tiers together, in each tier, and at one common mix. Made by `Gaps.reversal`.

    `table`: `platform`, `reference`, `tier` ("all" is the crude gap, "all, standardised" the one at a common
    mix), `rate`, `rate_reference`, `estimate`, `low`, `high`, `n`, `n_reference`.

    Attributes
    ----------
    flags : DataFrame
        One row per pair: `platform`, `reference`, `reverses` (the crude and the standardised gap have opposite
        signs), `sure` (and neither interval holds 0), `tiers_opposite` of `tiers` (gaps against the crude one).
    standard : str
        Whose mix.

    Notes
    -----
    The order of a pair reverses where its crude gap and its gap at the common mix have opposite signs. In the
    paradox as Simpson tells it the gap of every tier is against the crude one: `tiers_opposite` equals `tiers`.

    References
    ----------
    Simpson (1951), Journal of the Royal Statistical Society B 13, 238-241.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).reversal().flags.iloc[0, 2:].to_dict()
    {'reverses': True, 'sure': False, 'tiers_opposite': 2, 'tiers': 2}
    """

    flags: pd.DataFrame = field(repr=False)
    standard: str

    rates: ClassVar = frozenset({"rate", "rate_reference"})
    differences: ClassVar = frozenset({"estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "tier")
    axis: ClassVar = "gap, points"

    def __bool__(self) -> bool:
        """Whether any pair reverses."""
        return bool(self.flags["reverses"].any())

    def sentence(self) -> str:
        """Which pairs reverse, both gaps with intervals, in how many tiers, and n."""
        found = self.flags[self.flags["reverses"]]
        if not len(found) and len(self.flags) > 1:
            none = f"none of {len(self.flags)} pairs reverses its order at the {self.standard} mix of tiers"
            return f"No Simpson's paradox: {none}{self.closing()}"
        shown = found if len(found) else self.flags
        pairs = "; ".join(self._pair(row.platform, row.reference) for row in shown.itertuples())
        lead = "Simpson's paradox, the order reverses" if len(found) else "No Simpson's paradox"
        sure = (
            "; where an interval contains 0 the order itself is not sure" if not found["sure"].all() else ""
        )
        return f"{lead}. {pairs} ({self.level}s{sure}){self.closing()}"

    def _pair(self, platform: str, reference: str) -> str:
        own = (self.table["platform"] == platform) & (self.table["reference"] == reference)
        # The crude gap comes first and the standardised one last, whatever the tiers are called.
        crude, *_, fixed = (row for _, row in self.table[own].iterrows())
        told = [
            f"{points(row['estimate'])} ({points_interval(row['low'], row['high'])})"
            for row in (crude, fixed)
        ]
        flag = self.flags[(self.flags["platform"] == platform) & (self.flags["reference"] == reference)]
        opposite, tiers = flag["tiers_opposite"].iloc[0], flag["tiers"].iloc[0]
        return (
            f"{platform} against {reference}: {told[0]} over all tiers, {told[1]} at the {self.standard} mix of tiers, "
            f"opposite to the crude gap in {opposite} of {tiers} tiers, n = {count(crude['n'])} and "
            f"{count(crude['n_reference'])}"
        )


def reversal(counts: Counts, pairs: Sequence[tuple[int, int]], mix: Mix, confidence: float) -> Reversal:
    """See `Gaps.reversal`."""
    flags = []
    for i, j in pairs:
        crude, fixed = _both(counts, (i, j), mix, confidence)
        reverses = opposite(crude[0], fixed[0])
        sure = reverses and crude[1] * crude[2] > 0 and fixed[1] * fixed[2] > 0
        against = int(((counts.rates[i] - counts.rates[j]) * crude[0] < 0).sum())
        flags.append([counts.platforms[i], counts.platforms[j], reverses, sure, against, len(counts.tiers)])
    told = ["platform", "reference", "reverses", "sure", "tiers_opposite", "tiers"]
    few = None if counts.drawn is None else counts.drawn[0]
    return Reversal(
        table=_lines(counts, counts, pairs, mix, confidence),
        confidence=confidence,
        caveats=counts.notes,
        flags=pd.DataFrame(flags, columns=told),
        standard=mix.name,
        largest=None if few is None else _lines(counts, few, pairs, mix, confidence),
    )


def _lines(
    counts: Counts, shown: Counts, pairs: Sequence[tuple[int, int]], mix: Mix, confidence: float
) -> pd.DataFrame:
    """Rows of all pairs: the crude gap, that of each tier as `shown` has them, and the standardised one."""
    lines = []
    for i, j in pairs:
        names = [counts.platforms[i], counts.platforms[j]]
        crude, fixed = _both(counts, (i, j), mix, confidence)
        sizes = counts.n.sum(1).astype(int)[[i, j]]
        totals = (counts.y.sum(1) / counts.n.sum(1))[[i, j]]
        lines.append([*names, "all", *totals, *crude, *sizes])
        own = tier_gaps(shown, (i, j), confidence)
        for tier, rates, limits, n in zip(
            shown.tiers, shown.rates[[i, j]].T, own.T, shown.n[[i, j]].T.astype(int), strict=True
        ):
            lines.append([*names, tier, *rates, *limits, *n])
        common = [mix.shares @ counts.rates[at] for at in (i, j)]
        lines.append([*names, "all, standardised", *common, *fixed, *sizes])
    rates = ["rate", "rate_reference", "estimate", "low", "high", "n", "n_reference"]
    return pd.DataFrame(lines, columns=["platform", "reference", "tier", *rates])


def _both(
    counts: Counts, pair: tuple[int, int], mix: Mix, confidence: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """The crude gap of a pair and the standardised one, with their limits."""
    return crude_gap(counts, pair, confidence), standardised_gap(counts, mix, pair, confidence)


def opposite(gap: float, other: float) -> bool:
    """Whether one platform leads by one gap and the other by the other; of equal ones neither leads."""
    return gap * other < 0 and min(abs(gap), abs(other)) > EQUAL


def tier_gaps(counts: Counts, pair: tuple[int, int], confidence: float) -> np.ndarray:
    """Difference of two platforms' rates in each tier, with its limits: 3 x tiers."""
    size = len(counts.tiers)
    cells = [np.arange(size) + at * size for at in pair]
    together = counts.precision.correlation[cells[0], cells[1]]
    one, two = (counts.cell_rates.at(cell) for cell in cells)
    if counts.clusters is not None and not together.any():
        one, two = intervals.welch(one, two)
    limits = intervals.difference(one, two, correlation=together, confidence=confidence)
    return np.array([one.estimate - two.estimate, *limits])


def in_words(result: Reversal) -> str:
    """Which pairs reverse, as a sentence after another one."""
    found = result.flags[result.flags["reverses"]]
    pairs = [f"{row.platform} and {row.reference}" for row in found.itertuples()]
    order = f"at the {result.standard} mix of tiers the order of {some(pairs)} reverses"
    return f". Simpson's paradox: {order}" if pairs else ""
