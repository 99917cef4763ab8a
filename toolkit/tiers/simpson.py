"""Simpson's paradox: whether the order of two platforms turns round inside tiers."""

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

#: A smaller gap is none: sums of rates that cancel out leave the rounding of their last digits.
EQUAL = 1e-12


@dataclass(frozen=True, repr=False, eq=False)
class Reversal(Estimates):
    """Gaps in all tiers together, in each tier, and at one common mix.

    `table`: `platform`, `reference`, `tier` ("all" is the crude gap, "all, standardised" the one at a common
    mix), `rate`, `rate_reference`, `estimate`, `low`, `high`, `n`, `n_reference`.

    Attributes
    ----------
    flags : DataFrame
        One row per pair: `platform`, `reference`, `reverses` (the crude and the standardised gap have opposite
        signs), `sure` (and neither interval holds 0), `tiers_opposite` of `tiers` (gaps against the crude one).
    standard : str
        Whose mix.
    """

    flags: pd.DataFrame = field(repr=False)
    standard: str

    rates: ClassVar = frozenset({"rate", "rate_reference"})
    points: ClassVar = frozenset({"estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "tier")
    axis: ClassVar = "gap, points"

    def __bool__(self) -> bool:
        """Whether any pair reverses."""
        return bool(self.flags["reverses"].any())

    def sentence(self) -> str:
        """Which pairs turn round, how surely, and in how many tiers."""
        found = self.flags[self.flags["reverses"]]
        if not len(found):
            n = len(self.flags)
            none = "the order does not turn round" if n == 1 else f"none of {n} orders turns round"
            return f"At the {self.standard} mix of tiers {none}{self.closing()}"
        parts = []
        for row in found.itertuples():
            lines = self.table[
                (self.table["platform"] == row.platform) & (self.table["reference"] == row.reference)
            ].set_index("tier")
            crude, fixed = lines.loc["all"], lines.loc["all, standardised"]
            sure = "" if row.sure else ", though an interval holds 0"
            parts.append(
                f"{row.platform} against {row.reference}: {points(crude['estimate'])} "
                f"({points_interval(crude['low'], crude['high'])}) in all, {points(fixed['estimate'])} "
                f"({points_interval(fixed['low'], fixed['high'])}) at the {self.standard} mix of tiers, and against "
                f"the crude gap in {row.tiers_opposite} of {row.tiers} tiers{sure}, n = {count(crude['n'])} and "
                f"{count(crude['n_reference'])}"
            )
        return f"The order reverses inside tiers. {'; '.join(parts)} ({self.level}s){self.closing()}"


def reversal(counts: Counts, pairs: Sequence[tuple[int, int]], mix: Mix, confidence: float) -> Reversal:
    """See `Gaps.reversal`."""
    lines, flags = [], []
    for i, j in pairs:
        names = [counts.platforms[i], counts.platforms[j]]
        crude, fixed = (
            crude_gap(counts, (i, j), confidence),
            standardised_gap(counts, mix, (i, j), confidence),
        )
        sizes = counts.n.sum(1).astype(int)[[i, j]]
        totals = (counts.y.sum(1) / counts.n.sum(1))[[i, j]]
        lines.append([*names, "all", *totals, *crude, *sizes])
        own = tier_gaps(counts, (i, j), confidence)
        for tier, rates, limits, n in zip(
            counts.tiers, counts.rates[[i, j]].T, own.T, counts.n[[i, j]].T.astype(int), strict=True
        ):
            lines.append([*names, tier, *rates, *limits, *n])
        common = [mix.shares @ counts.rates[at] for at in (i, j)]
        lines.append([*names, "all, standardised", *common, *fixed, *sizes])
        turned = opposite(crude[0], fixed[0])
        sure = turned and crude[1] * crude[2] > 0 and fixed[1] * fixed[2] > 0
        against = int((own[0] * crude[0] < 0).sum())
        flags.append([*names, turned, sure, against, len(counts.tiers)])
    columns = [
        "platform",
        "reference",
        "tier",
        "rate",
        "rate_reference",
        "estimate",
        "low",
        "high",
        "n",
        "n_reference",
    ]
    told = ["platform", "reference", "reverses", "sure", "tiers_opposite", "tiers"]
    return Reversal(
        table=pd.DataFrame(lines, columns=columns),
        confidence=confidence,
        caveats=counts.notes,
        flags=pd.DataFrame(flags, columns=told),
        standard=mix.name,
    )


def opposite(gap: float, other: float) -> bool:
    """Whether one platform leads by one gap and the other by the other; of equal ones neither leads."""
    return gap * other < 0 and min(abs(gap), abs(other)) > EQUAL


def tier_gaps(counts: Counts, pair: tuple[int, int], confidence: float) -> np.ndarray:
    """Difference of two platforms' rates in each tier, with its limits: 3 x tiers."""
    size = len(counts.tiers)
    cells = [np.arange(size) + at * size for at in pair]
    together = counts.precision.correlation[cells[0], cells[1]]
    one, two = (counts.cell_rates.at(cell) for cell in cells)
    limits = intervals.difference(one, two, correlation=together, confidence=confidence)
    return np.array([one.estimate - two.estimate, *limits])


def in_words(result: Reversal) -> str:
    """Which pairs reverse, as part of a longer sentence."""
    found = result.flags[result.flags["reverses"]]
    pairs = [f"{row.platform} and {row.reference}" for row in found.itertuples()]
    return f"at the {result.standard} mix of tiers the order of {some(pairs)} reverses" if pairs else ""
