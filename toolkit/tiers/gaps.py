"""`compare`: whether the gap between two platforms is composition (mix of tiers) or rate (Kitagawa decomposition)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of
from toolkit.multiplicity import METHODS, Method, adjusted
from toolkit.tiers import simpson, standards, tier_split
from toolkit.tiers.counts import Counts, counts_of
from toolkit.tiers.estimates import Estimates
from toolkit.tiers.rates import FEW, Rates, rates_by_tier
from toolkit.wording import count, counted, percent, points, points_interval

if TYPE_CHECKING:
    from toolkit.funnels import Funnel
    from toolkit.tiers.logits import Coefficients, Effects, GapTests
    from toolkit.tiers.ratios import Ratios

Movers = Literal["first", "last", "split"]


@dataclass(frozen=True, repr=False, eq=False)
class Gaps(Estimates):
    """Gaps between platforms, each the sum of a composition (mix) and a rate component. Made by `compare`.

    Attributes
    ----------
    table : DataFrame
        `platform`, `reference`, `part` ("gap", "mix", "rate"), `estimate` (platform less reference), `low`, `high`,
        `n`, `n_reference`, `p` of being 0, and `p_adjusted` over the family.
    family : str
        The tests that p values are adjusted over, and how.
    counts : Counts
        By platform and tier.

    Examples
    --------
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows, adjust=None).sentence().partition(":")[0]
    'A 78.0 % against B 82.6 % (converted of n), a gap of −4.6 points (−10.4 to 1.3)'
    """

    counts: Counts = field(repr=False)
    pairs: tuple[tuple[int, int], ...] = field(repr=False)
    mix: standards.Mix = field(repr=False)
    standard: str | Mapping[str, float] = field(repr=False)
    adjust: Method | None
    family: str

    differences: ClassVar = frozenset({"estimate", "low", "high"})
    named: ClassVar = ("platform", "reference", "part")
    axis: ClassVar = "gap, points"

    def sentence(self) -> str:
        """The widest gap, its two components with intervals, n, and whether the order reverses (Simpson's paradox)."""
        lines = self.table[self.table["part"] == "gap"]
        top = lines.loc[lines["estimate"].abs().idxmax()]
        own = self.table[
            (self.table["platform"] == top["platform"]) & (self.table["reference"] == top["reference"])
        ]
        own = own.set_index("part")
        told = {
            part: f"{points(row['estimate'])} ({points_interval(row['low'], row['high'])})"
            for part, row in own.iterrows()
        }
        widest = "" if len(lines) == 1 else f"Widest of {len(lines)} gaps: "
        rates = dict(zip(self.counts.platforms, self.counts.crude.estimate, strict=True))
        first, second = top["platform"], top["reference"]
        text = (
            f"{widest}{first} {percent(rates[first])} against {second} {percent(rates[second])} "
            f"({self.counts.outcome} of {self.counts.of}), a gap of {told['gap']}: composition (mix of tiers) "
            f"{told['mix']}, rates inside tiers {told['rate']}; {self.level}s, n = {count(top['n'])} and "
            f"{count(top['n_reference'])}"
        )
        reversed_ = simpson.in_words(self.reversal())
        few = int((np.minimum(self.counts.y, self.counts.n - self.counts.y) < FEW).sum())
        small = (
            f"{counted(few, 'rate')} of {self.counts.n.size} rest{'s' * (few == 1)} on fewer than {FEW}"
            if few
            else ""
        )
        family = "" if len(self.table) == 3 and self.adjust is None else self.family
        return f"{text}{reversed_}{self.closing(small and f'{small} conversions or non-conversions', family)}"

    def by_tier(self) -> tier_split.TierSplit:
        """What each tier adds to the composition and to the rate component."""
        return tier_split.by_tier(self.counts, self.pairs, self.confidence)

    def rates_by_tier(self) -> Rates:
        """Rates of all platforms and tiers with Wilson intervals, and shrunk towards the platform's rate."""
        return rates_by_tier(self.counts, self.confidence)

    def standardised(self, standard: str | Mapping[str, float] | None = None) -> standards.Standardised:
        """Each platform's rate if all had one mix of tiers (direct standardisation).

        Parameters
        ----------
        standard : {"pooled", "equal"}, a platform, or dict of tier to share, optional
            That of `compare` if not given.
        """
        chosen = self.standard if standard is None else standard
        return standards.standardised(self.counts, chosen, self.confidence)

    def sensitivity(self) -> standards.Sensitivity:
        """The gaps at every standard mix: pooled, each platform's, equal shares, and the mean of the two."""
        return standards.sensitivity(self.counts, self.pairs, self.standard, self.confidence)

    def reversal(self) -> simpson.Reversal:
        """Simpson's paradox: whether the order of platforms reverses inside tiers, and the table that shows it."""
        return simpson.reversal(self.counts, self.pairs, self.mix, self.confidence)

    @property
    def reverses(self) -> bool:
        """Whether any pair's gap changes its sign at one common mix of tiers."""
        return bool(self.reversal())

    def effects(self) -> Effects:
        """Average marginal effects of the platform on the probability scale, from a logit of platform and tier."""
        from toolkit.tiers import logits

        return logits.effects(self.counts, self.pairs, self.confidence)

    def logit(self, *, tiers: bool = True, interaction: bool = False) -> Coefficients:
        """Log odds ratios against the reference platform (the first one, without `to`) and the first tier."""
        from toolkit.tiers import logits

        reference = self.pairs[0][1] if len({j for _, j in self.pairs}) == 1 else 0
        return logits.coefficients(
            self.counts, reference, self.confidence, tiers=tiers, interaction=interaction
        )

    def tests(self) -> GapTests:
        """Whether the gap is the same in every tier (likelihood ratio, Breslow-Day), and none (Mantel-Haenszel)."""
        from toolkit.tiers import logits

        return logits.tests(self.counts, self.pairs, self.adjust, self.confidence)

    def ratios(self) -> Ratios:
        """Ratios of rates, crude and standardised, and Mantel-Haenszel odds ratios, with E-values (confounding)."""
        from toolkit.tiers import ratios

        return ratios.ratios(self.counts, self.pairs, self.mix, self.confidence)


def compare(
    counts: Funnel | pd.DataFrame,
    *,
    platform: str = "platform",
    tier: str = "city_tier",
    outcome: str | None = None,
    of: str | None = None,
    to: str | None = None,
    standard: str | Mapping[str, float] = "pooled",
    pool: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    movers: Movers | None = None,
    cluster: str | None = None,
    adjust: Method | None = "auto",
    confidence: float = 0.95,
) -> Gaps:
    """Say whether platforms convert differently because their users differ, or because each tier converts differently.

    Parameters
    ----------
    counts : Funnel or DataFrame
        A funnel with ``by=[platform, tier]``, or a tidy table: one row per platform and tier (rows of the same two
        are added up).
    platform, tier : str
        Columns. Rows without a value are a tier of their own, ``<null>``.
    outcome, of : str, optional
        Names of steps, by default the last and the first; or of columns of counts, by default "converted"
        and "n".
    to : str, optional
        The platform that all others are compared with. Every pair if not given.
    standard : {"pooled", "equal"}, a platform, or dict of tier to share
        The mix of tiers at which rates are compared.
    pool : dict of str to str, optional
        Tiers that count together with another one: old name to the name it joins.
    exclude : list of str, optional
        Tiers that are left out.
    movers : {"first", "last", "split"}, optional
        Where users who change tier count. The funnel decides that; here it is confirmed, and must be where the
        funnel left it to its default.
    cluster : str, optional
        Column of a table: the day, or session, that a row is of. Intervals then stand on how much days differ
        (`toolkit.clusters`); without it they know only the chance of single people. A funnel hands on its own.
    adjust : {"auto", "holm", "benjamini_hochberg", None}
        How p values are adjusted over the family; "auto" takes Holm up to 20 tests, Benjamini-Hochberg above.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    Gaps

    Raises
    ------
    ValueError
        For more conversions than units, fractions, a tier with no one on one platform, a single platform, a mix
        that does not add up to 1, users of several tiers without a choice, and a tier that a platform has in one
        cluster only, or clusters of which a few lie on both platforms; the message names them.

    Notes
    -----
    Kitagawa decomposition with mean weights: of a gap between platforms 1 and 0 with shares w and rates r of tiers, mix
    = sum (w1 - w0) (r1 + r0) / 2 and rate = sum (r1 - r0) (w1 + w0) / 2, which add up to the gap. Neither is a cause:
    what would happen if users moved between tiers or platforms is another question. Where the order of two platforms
    reverses at one common mix of tiers (Simpson's paradox) `Gaps.reverses` is true; `Gaps.ratios` says by its E-value
    how strong an unmeasured confounder would have to be. Intervals: see `toolkit.propagation`. Where users count more
    than once (pairs, entries) they are clustered by user, also across platforms. By cluster, a rate's and a share's
    error is the sum of what each cluster adds to it, and so are those of all their functions: days on which all tiers
    fall together make a gap as unsure as it is.

    References
    ----------
    Kitagawa (1955), JASA 50, 1168-1194. Simpson (1951), Journal of the Royal Statistical Society B 13, 238-241.
    VanderWeele & Ding (2017), Annals of Internal Medicine 167, 268-274.

    Examples
    --------
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> gaps = compare(rows)
    >>> gaps.table[["part", "estimate", "low", "high"]].round(3)
       part  estimate    low   high
    0   gap    -0.046 -0.104  0.013
    1   mix    -0.099 -0.136 -0.063
    2  rate     0.054 -0.012  0.120
    >>> gaps.reverses
    True
    """
    confidence = confidence_level(confidence)
    one_of("adjust", adjust, METHODS)
    one_of("movers", movers, (*get_args(Movers), None))
    found = counts_of(
        counts,
        platform=platform,
        tier=tier,
        outcome=outcome,
        of=of,
        pool=pool,
        exclude=exclude,
        movers=movers,
        cluster=cluster,
    )
    pairs = found.pairs(to)
    if found.clusters is not None:
        for pair in pairs:
            found.clusters.whole.refuse_overlap(found.platforms, *pair)
    lines = [line for pair in pairs for line in tier_split.in_all(found, pair, confidence)]
    names = ["platform", "reference", "part", "estimate", "low", "high", "n", "n_reference", "p"]
    many = "the pair" if len(pairs) == 1 else f"{len(pairs)} pairs"
    table, family = adjusted(pd.DataFrame(lines, columns=names), adjust, f"gap, mix and rate of {many}")
    return Gaps(
        table=table,
        confidence=confidence,
        caveats=found.notes,
        counts=found,
        pairs=tuple(pairs),
        mix=standards.mix_of(found, standard),
        standard=standard,
        adjust=adjust,
        family=family,
    )
