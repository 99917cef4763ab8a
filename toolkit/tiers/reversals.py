"""Whether the order of two platforms turns round inside tiers (Simpson's paradox), and the table that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.intervals import Rate
from toolkit.results import some
from toolkit.tiers.answers import Answer, points, points_between
from toolkit.tiers.counts import Counts
from toolkit.tiers.splits import crude_gap
from toolkit.tiers.standards import Mix, gap


@dataclass(frozen=True, repr=False, eq=False)
class Reversal(Answer):
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

    rates: ClassVar = frozenset({"rate", "rate_reference", "estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "tier")
    axis: ClassVar = "gap, points"

    def __bool__(self) -> bool:
        """Whether any pair reverses."""
        return bool(self.flags["reverses"].any())

    def sentence(self) -> str:
        """Which pairs turn round, how surely, and in how many tiers."""
        found = self.flags[self.flags["reverses"]]
        if not len(found):
            pairs = "the pair" if len(self.flags) == 1 else f"any of {len(self.flags)} pairs"
            return f"The {self.standard} mix of tiers turns the order of {pairs} not round{self.closing()}"
        parts = []
        for row in found.itertuples():
            lines = self.table[
                (self.table["platform"] == row.platform) & (self.table["reference"] == row.reference)
            ].set_index("tier")
            crude, fixed = lines.loc["all"], lines.loc["all, standardised"]
            sure = "" if row.sure else ", though an interval holds 0"
            parts.append(
                f"{row.platform} against {row.reference}: {points(crude['estimate'])} "
                f"({points_between(crude['low'], crude['high'])}) in all, {points(fixed['estimate'])} "
                f"({points_between(fixed['low'], fixed['high'])}) at the {self.standard} mix of tiers, and against the "
                f"crude gap in {row.tiers_opposite} of {row.tiers} tiers{sure}"
            )
        return f"The order reverses inside tiers. {'; '.join(parts)} ({self.level}s){self.closing()}"


def reversal(counts: Counts, pairs: Sequence[tuple[int, int]], mix: Mix, confidence: float) -> Reversal:
    """See `Gaps.reversal`."""
    lines, flags = [], []
    for i, j in pairs:
        names = [counts.platforms[i], counts.platforms[j]]
        crude, fixed = crude_gap(counts, (i, j), confidence), gap(counts, mix, (i, j), confidence)
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
        turned = crude[0] * fixed[0] < 0
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


def tier_gaps(counts: Counts, pair: tuple[int, int], confidence: float) -> np.ndarray:
    """Difference of two platforms' rates in each tier, with its limits: 3 x tiers."""
    size = len(counts.tiers)
    cells = [np.arange(size) + at * size for at in pair]
    together = counts.precision.correlation[cells[0], cells[1]]
    one, two = (_taken(counts.cell_rates, cell) for cell in cells)
    limits = intervals.difference(one, two, correlation=together, confidence=confidence)
    return np.array([one.estimate - two.estimate, *limits])


def _taken(rate: Rate, cells: np.ndarray) -> Rate:
    freedom = np.broadcast_to(rate.freedom, np.shape(rate.estimate))
    return Rate(rate.estimate[cells], rate.size[cells], freedom[cells])


def in_words(result: Reversal) -> str:
    """Which pairs reverse, as part of a longer sentence."""
    found = result.flags[result.flags["reverses"]]
    pairs = [f"{row.platform} and {row.reference}" for row in found.itertuples()]
    return f"at the {result.standard} mix of tiers the order of {some(pairs)} reverses" if pairs else ""
