"""A gap between two platforms by tier: its mix part and its rate part, and whether the order turns round inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from toolkit import intervals
from toolkit.decompositions import kitagawa
from toolkit.intervals import Rate
from toolkit.tiers.answers import Answer
from toolkit.tiers.counts import Counts
from toolkit.tiers.standards import Mix, gap
from toolkit.wording import count, points, points_interval, some

#: A smaller gap is none: sums of rates that cancel out leave the rounding of their last digits.
EQUAL = 1e-12


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
                f"({self.level} {points_interval(top['low'], top['high'])}, n = {top['n']:,} and "
                f"{top['n_reference']:,})"
            )
        single = "a tier's mix part says how much more of it there is, so only their sum can be read alone"
        return f"{'; '.join(parts)}{self.closing(single)}"


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


def parts(rates: np.ndarray, mixes: np.ndarray, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Kitagawa's parts of a pair by part (mix, rate) and tier, and their gradient by all rates and all shares."""
    order = list(reversed(pair))
    found, own = kitagawa(rates[order], mixes[order])
    slopes = np.zeros((*own.shape[:3], *rates.shape))
    slopes[:, :, :, order] = own
    return found, slopes.reshape(2, rates.shape[1], -1)


def by_tier(counts: Counts, pairs: Sequence[tuple[int, int]], confidence: float) -> TierSplit:
    """See `Gaps.by_tier`."""
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
