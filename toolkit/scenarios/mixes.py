"""`what_if_mix`: what a gap between two platforms would be at another mix of tiers, or at other rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from toolkit import style
from toolkit.results import Result
from toolkit.wording import (
    count,
    interval_level,
    percent,
    percent_interval,
    points,
    points_interval,
    some,
    unknown,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.tiers import Gaps

#: A mix that misses 1 by no more than this is rounded, not wrong.
ROUNDING = 1e-6
#: The last row of the table.
ALL = "all"


@dataclass(frozen=True, repr=False, eq=False)
class WhatIfMix(Result):
    """A gap between two platforms as observed, and at an assumed mix of tiers and assumed rates of one of them.

    Attributes
    ----------
    table : DataFrame
        A row per tier and platform, and last per platform in all tiers ("all"): `tier`, `platform`, `share`,
        `assumed_share`, `rate`, `low`, `high`, `n`, `assumed_rate`. The reference's are assumed to stay.
    parts : DataFrame
        `tier` ("all" for the last), `mix` and `rate`: what each adds to the assumed gap.
    observed : DataFrame
        `part` ("gap", "mix", "rate"), `estimate`, `low`, `high` as `compare` found them.
    gap, mix, rate : float
        At the assumed mix and rates; the gap is the sum of the composition (mix) and the rate component.
    standardised, standardised_now : float
        The gap at the standard mix of `compare`, which stays as it was: at assumed rates, and as observed.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> what_if_mix(compare(rows), mix={"small": 0.75}).parts.round(3)
        tier    mix   rate
    0  small -0.019  0.049
    1  large  0.015  0.010
    2    all -0.004  0.059
    """

    table: pd.DataFrame
    parts: pd.DataFrame = field(repr=False)
    platform: str
    reference: str
    observed: pd.DataFrame = field(repr=False)
    standardised: float
    standardised_now: float
    standard: str
    question: str
    confidence: float
    source: str = ""

    rates: ClassVar = frozenset({"share", "assumed_share", "rate", "low", "high", "assumed_rate"})

    def of(self, platform: str) -> pd.DataFrame:
        """One platform's rows of the table."""
        rows = self.table[self.table["platform"] == platform]
        return rows.drop(columns="platform").reset_index(drop=True)

    @property
    def mix(self) -> float:
        """The composition component of the assumed gap."""
        return float(self.parts["mix"].iloc[-1])

    @property
    def rate(self) -> float:
        """The rate component of the assumed gap."""
        return float(self.parts["rate"].iloc[-1])

    @property
    def gap(self) -> float:
        """The platform's assumed rate less the reference's."""
        return self.mix + self.rate

    def now(self, part: str) -> pd.Series:
        """`estimate`, `low` and `high` of "gap", "mix" or "rate" as observed."""
        return self.observed.set_index("part").loc[part]

    @property
    def reverses(self) -> bool:
        """Simpson's paradox: whether the assumed gap and the one at the standard mix have opposite signs."""
        from toolkit.tiers.simpson import opposite

        return opposite(self.gap, self.standardised)

    @property
    def reverses_now(self) -> bool:
        """The same as observed."""
        from toolkit.tiers.simpson import opposite

        return opposite(float(self.now("gap")["estimate"]), self.standardised_now)

    @property
    def tiers_opposite(self) -> int:
        """In how many tiers the assumed difference of rates is against the assumed gap."""
        own, other = (self.of(name)["assumed_rate"].iloc[:-1] for name in (self.platform, self.reference))
        return int(((own - other) * self.gap < 0).sum())

    @property
    def changed(self) -> pd.DataFrame:
        """By tier, whether its `share` and its `rate` are assumed to differ."""
        tiers = self.of(self.platform).iloc[:-1]
        return pd.DataFrame(
            {name: (tiers[f"assumed_{name}"] - tiers[name]).abs() > ROUNDING for name in ("share", "rate")}
        ).set_axis(tiers["tier"], axis=0)

    @property
    def pair(self) -> str:
        """The two platforms as a reader calls them."""
        return f"{style.label(self.platform)} against {style.label(self.reference)}"

    @property
    def name(self) -> str:
        """Source and platforms as a reader calls them."""
        return " · ".join(filter(None, (self.source, self.pair)))

    @property
    def turn(self) -> str:
        """Whether the order reverses, in words."""
        if not self.reverses:
            return "the order does not reverse at one mix of tiers"
        tiers = f"{self.tiers_opposite} of {len(self.parts) - 1} tiers"
        return f"the order reverses at the {self.standard} mix, and in {tiers} (Simpson's paradox)"

    def sentence(self) -> str:
        """The answer in words, with the mix and the rates that it assumes."""
        assumed, moved = self._assumed(), bool(self.changed.to_numpy().any())
        parts = {}
        for part, value in (("gap", self.gap), ("mix", self.mix), ("rate", self.rate)):
            seen = self.now(part)
            interval = f"{interval_level(self.confidence)} {points_interval(seen['low'], seen['high'])}"
            if moved:
                interval = f"observed {points(seen['estimate'])}, {interval}"
            parts[part] = f"{part} {points(value)} ({interval})"
        sizes = "n = " + " and ".join(count(n) for n in self.table["n"].iloc[-2:])
        caveat = (
            " This is arithmetic on assumed numbers and has no interval: it is no forecast." if moved else ""
        )
        return (
            f"{self.name} ({self.question}): {parts['gap']}, the sum of {parts['mix']} and {parts['rate']}, {sizes}, "
            f"{assumed}; {self.turn}.{caveat}"
        )

    def _assumed(self) -> str:
        tiers, said = self.of(self.platform).iloc[:-1], []
        for name in ("share", "rate"):
            rows = tiers[self.changed[name].to_numpy()]
            if not len(rows):
                continue
            told = []
            for row in rows.itertuples():
                seen = f"observed {percent(getattr(row, name))}"
                if name == "rate":
                    seen += f", interval {percent_interval(row.low, row.high)}, n = {count(row.n)}"
                told.append(f"{row.tier} {percent(getattr(row, f'assumed_{name}'))} ({seen})")
            said.append(f"{'a mix of' if name == 'share' else 'rates of'} {some(told)}")
        return f"with {' and '.join(said)}" if said else "as observed"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Rates by tier with marks as large as a tier's share: open marks as observed, filled marks as assumed."""
        from toolkit.scenarios import plots

        return plots.mixes(
            self.of(self.platform),
            self.of(self.reference),
            ax,
            platforms=(self.platform, self.reference),
            question=self.question,
            level=f"{interval_level(self.confidence)}s",
            title=self._title,
        )

    @property
    def _title(self) -> str:
        mix, rate = (points(part).removesuffix(" points") for part in (self.mix, self.rate))
        said = f"gap {points(self.gap)}, mix {mix} and rate {rate}"
        said = f"{self.source}: {said}" if self.source else f"{said[0].upper()}{said[1:]}"
        return f"{said}\n{self.turn[0].upper()}{self.turn[1:]}" if self.reverses else said


def what_if_mix(
    gaps: Gaps,
    *,
    platform: str | None = None,
    to: str | None = None,
    mix: Mapping[str, float] | None = None,
    rates: Mapping[str, float] | None = None,
    source: str = "",
) -> WhatIfMix:
    """Work out a platform's gap to another one if its users had another mix of tiers, or converted at other rates.

    Parameters
    ----------
    gaps : Gaps
        What `toolkit.tiers.compare` found.
    platform, to : str, optional
        Whose mix and rates are assumed, and the reference, which stays as observed. Needed where `gaps` has
        several pairs.
    mix : dict of str to float, optional
        Shares of tiers. Tiers that are not named share the rest in the proportions observed.
    rates : dict of str to float, optional
        By tier, between 0 and 1; tiers that are not named keep theirs.
    source : str
        What the counts are, such as "Simulated log".

    Returns
    -------
    WhatIfMix

    Raises
    ------
    ValueError
        For a pair or a tier that is not there, a share or a rate that is none, and shares that do not add up to 1;
        the message names it.

    Notes
    -----
    Kitagawa decomposition of assumed shares v and rates s, and the reference's w and r: mix = sum (v - w) (s + r) / 2,
    rate = sum (s - r) (v + w) / 2. It assumes that a tier's rate does not depend on how many users the tier has.

    References
    ----------
    Kitagawa (1955), JASA 50, 1168-1194.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> answer = what_if_mix(compare(rows), mix={"small": 0.75})
    >>> round(answer.gap, 3), round(answer.mix, 3), answer.reverses_now, answer.reverses
    (0.055, -0.004, True, False)
    """
    from toolkit.tiers import Gaps, tier_split

    if not isinstance(gaps, Gaps):
        raise TypeError(f"what_if_mix takes the Gaps of toolkit.compare, not {type(gaps).__name__}")
    counts = gaps.counts
    pair = _pair(gaps, platform, to)
    first, second = (counts.platforms[at] for at in pair)
    shares = _mix(counts.mixes[pair[0]], counts.tiers, mix or {})
    assumed = counts.rates[pair[0]].copy()
    for tier, rate in (rates or {}).items():
        assumed[_place(counts.tiers, tier)] = _share(rate, f"rate of tier {tier!r}")

    both = np.stack([shares, counts.mixes[pair[1]]])
    parts, _ = tier_split.parts(np.stack([assumed, counts.rates[pair[1]]]), both, (0, 1))
    low, high = (end.reshape(counts.n.shape) for end in counts.cell_rates.interval(gaps.confidence))
    wholes = counts.crude.interval(gaps.confidence)
    frames = [
        pd.DataFrame(
            {
                "tier": [*counts.tiers, ALL],
                "platform": counts.platforms[at],
                "share": [*counts.mixes[at], 1.0],
                "assumed_share": [*mixed, 1.0],
                "rate": [*counts.rates[at], counts.y[at].sum() / counts.n[at].sum()],
                "low": [*low[at], wholes.low[at]],
                "high": [*high[at], wholes.high[at]],
                "n": [int(n) for n in (*counts.n[at], counts.n[at].sum())],
                "assumed_rate": [*converting, mixed @ converting],
            }
        )
        for at, mixed, converting in zip(pair, both, (assumed, counts.rates[pair[1]]), strict=True)
    ]
    added = {name: [*own, own.sum()] for name, own in zip(("mix", "rate"), parts, strict=True)}
    rows = gaps.table[(gaps.table["platform"] == first) & (gaps.table["reference"] == second)]
    return WhatIfMix(
        table=pd.concat(frames).sort_index(kind="stable").reset_index(drop=True),
        parts=pd.DataFrame({"tier": [*counts.tiers, ALL], **added}),
        platform=first,
        reference=second,
        observed=rows[["part", "estimate", "low", "high"]].reset_index(drop=True),
        standardised=float(gaps.mix.shares @ (assumed - counts.rates[pair[1]])),
        standardised_now=float(gaps.mix.shares @ (counts.rates[pair[0]] - counts.rates[pair[1]])),
        standard=gaps.mix.name,
        question=f"{counts.outcome} of {counts.of}",
        confidence=gaps.confidence,
        source=source,
    )


def pairs(gaps: Gaps) -> list[tuple[str, str]]:
    """The platforms that were compared, each with its reference."""
    return [(gaps.counts.platforms[i], gaps.counts.platforms[j]) for i, j in gaps.pairs]


def _pair(gaps: Gaps, platform: str | None, to: str | None) -> tuple[int, int]:
    found = [
        at
        for at, (first, second) in zip(gaps.pairs, pairs(gaps), strict=True)
        if platform in (None, first) and to in (None, second)
    ]
    if len(found) == 1:
        return found[0]
    there = some([f"{first} to {second}" for first, second in pairs(gaps)])
    if found:
        raise ValueError(f"several pairs were compared: {there}; give platform= and to=")
    raise ValueError(f"no comparison of {platform!r} to {to!r}; there are: {there}")


def _place(tiers: tuple[str, ...], tier: str) -> int:
    if tier not in tiers:
        raise ValueError(unknown("tier", tier, tiers))
    return tiers.index(tier)


def _share(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ValueError(f"{what} is {value!r}: give a number between 0 and 1")
    return float(value)


def _mix(observed: np.ndarray, tiers: tuple[str, ...], mix: Mapping[str, float]) -> np.ndarray:
    """Assumed shares; tiers without one share what is left in the proportions observed."""
    if not mix:
        return observed.copy()
    given = np.full(len(tiers), math.nan)
    for tier, share in mix.items():
        given[_place(tiers, tier)] = _share(share, f"share of tier {tier!r}")
    free, total = np.isnan(given), float(np.nansum(given))
    if total > 1 + ROUNDING or (not free.any() and total < 1 - ROUNDING):
        raise ValueError(f"shares of a mix add up to 1; these add up to {total:.6g}")
    if not free.any():
        return given / total
    given[free] = max(1 - total, 0.0) * observed[free] / observed[free].sum()
    return given
