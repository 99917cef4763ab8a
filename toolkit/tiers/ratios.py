"""Ratios of two platforms' rates, Mantel-Haenszel odds ratios, and E-values against unmeasured confounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
import pandas as pd
from scipy import special

from toolkit import intervals
from toolkit.counts import one_of
from toolkit.tiers.counts import Counts
from toolkit.tiers.estimates import Estimates
from toolkit.tiers.standards import Mix, gradient
from toolkit.wording import count

if TYPE_CHECKING:
    from statsmodels.stats.contingency_tables import StratifiedTable

#: From this rate on an odds ratio is no longer close to a ratio of rates (VanderWeele & Ding 2017, table 2).
COMMON = 0.15
Measure = Literal["risk ratio", "odds ratio"]


@dataclass(frozen=True, repr=False, eq=False)
class Ratios(Estimates):
    """Crude, standardised and Mantel-Haenszel ratios with their E-values. Made by `Gaps.ratios`.

    `table`: `platform`, `reference`, `measure`, `estimate`, `low`, `high`, `n`, `n_reference`, `e_value`,
    `e_value_limit` (of the limit nearer to 1; 1 where the interval contains 1).

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).ratios().table[["measure", "estimate", "low", "high", "e_value"]].round(2)
                           measure  estimate   low  high  e_value
    0            rate ratio, crude      0.94  0.88  1.02     1.31
    1     rate ratio, standardised      1.07  0.99  1.16     1.34
    2  odds ratio, Mantel-Haenszel      1.45  0.92  2.29     1.70
    """

    named: ClassVar = ("platform", "reference", "measure")
    axis: ClassVar = "ratio"
    null: ClassVar = 1.0

    def sentence(self) -> str:
        """The standardised ratios with intervals and n, and how strong unmeasured confounding must be (E-value)."""
        parts = [
            f"the rate of {row.platform} is ×{row.estimate:.3g} that of {row.reference} ({self.level} "
            f"×{row.low:.3g} to ×{row.high:.3g}, n = {count(row.n)} and {count(row.n_reference)}; E-value "
            f"{row.e_value:.3g}, of the interval {row.e_value_limit:.3g})"
            for row in self.table[self.table["measure"] == "rate ratio, standardised"].itertuples()
        ]
        meaning = (
            "an unmeasured confounder explains a ratio away only if it goes with both platform and outcome by a risk "
            "ratio of at least the E-value"
        )
        return f"At one mix of tiers {'; '.join(parts)}{self.closing(meaning)}"


def e_value(
    estimate: float, low: float, high: float, *, measure: Measure = "risk ratio", common: bool = False
) -> tuple[float, float]:
    """E-value: how strongly an unmeasured confounder must go with platform and outcome to explain a ratio away.

    Parameters
    ----------
    estimate, low, high : float
        A ratio and its interval, above 0.
    measure : {"risk ratio", "odds ratio"}
    common : bool
        Whether the outcome is common (15 % or more), so that the square root of an odds ratio stands for the
        risk ratio.

    Returns
    -------
    tuple of float
        E-value of the estimate, and of the limit nearer to 1 (1 where the interval contains 1).

    Raises
    ------
    ValueError
        For an estimate below 0 or outside its interval, and an unknown measure; the message names it.

    Notes
    -----
    RR + sqrt(RR (RR - 1)), for RR below 1 of 1 / RR. It says how strong confounding must be, not that there is any.

    References
    ----------
    VanderWeele & Ding (2017), Annals of Internal Medicine 167, 268-274, tables 1 and 2.

    Examples
    --------
    >>> "{:.1f} {:.1f}".format(*e_value(3.9, 1.8, 8.7))
    '7.3 3.0'
    """
    one_of("measure", measure, get_args(Measure))
    if not (estimate >= 0 and low <= estimate <= high):
        if math.isnan(estimate) or math.isnan(low) or math.isnan(high):
            return math.nan, math.nan
        raise ValueError(
            f"a ratio lies inside its interval and not below 0; got {low} to {high} around {estimate}"
        )
    values = [math.sqrt(v) if measure == "odds ratio" and common else v for v in (estimate, low, high)]
    if values[1] <= 1 <= values[2]:
        return _away(values[0]), 1.0
    return _away(values[0]), _away(values[1] if values[0] > 1 else values[2])


def _away(ratio: float) -> float:
    if ratio == 0 or math.isinf(ratio):
        return math.inf
    ratio = 1 / ratio if ratio < 1 else ratio
    return ratio + math.sqrt(ratio * (ratio - 1))


def ratios(counts: Counts, pairs: Sequence[tuple[int, int]], mix: Mix, confidence: float) -> Ratios:
    """See `Gaps.ratios`."""
    lines = []
    for i, j in pairs:
        one, two, together = counts.crude_pair((i, j))
        crude = intervals.ratio(one, two, correlation=together, confidence=confidence)
        fixed = [float(mix.shares @ counts.rates[at]) for at in (i, j)]
        slopes = [gradient(counts, mix, at) for at in (i, j)]
        limits = counts.precision.ratio(fixed[0], slopes[0], fixed[1], slopes[1], confidence)
        sizes = [int(counts.n[at].sum()) for at in (i, j)]
        common = counts.y[[i, j]].sum() >= COMMON * counts.n[[i, j]].sum()
        names = [counts.platforms[i], counts.platforms[j]]
        found: list[tuple[str, Measure, float, float, float]] = [
            ("rate ratio, crude", "risk ratio", _over(one.estimate, two.estimate), crude.low, crude.high),
            ("rate ratio, standardised", "risk ratio", _over(*fixed), limits.low, limits.high),
            ("odds ratio, Mantel-Haenszel", "odds ratio", *mantel_haenszel(counts, (i, j), confidence)),
        ]
        for name, measure, *line in found:
            away = e_value(*line, measure=measure, common=bool(common))
            lines.append([*names, name, *line, *sizes, *away])
    names = ["platform", "reference", "measure", "estimate", "low", "high", "n", "n_reference"]
    return Ratios(
        pd.DataFrame(lines, columns=[*names, "e_value", "e_value_limit"]),
        confidence,
        (f"standardised to the {mix.name} mix of tiers", *counts.notes),
    )


def mantel_haenszel(counts: Counts, pair: tuple[int, int], confidence: float) -> tuple[float, float, float]:
    """Odds ratio common to all tiers, with its interval; unknown where a platform has none or all converted.

    Users who repeat widen its interval through effective sizes; over clusters, in which tiers may go up and down
    together, it is the delta method's. The estimate itself is made of the counts.

    References
    ----------
    Mantel & Haenszel (1959), Journal of the National Cancer Institute 22, 719-748; variance of Robins, Breslow &
    Greenland (1986), Biometrics 42, 311-323.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # no discordant tier on one side: unknown, below
        estimate = strata(counts.n, counts.y, pair).oddsratio_pooled
    successes, failures = counts.y[list(pair)].sum(1), (counts.n - counts.y)[list(pair)].sum(1)
    if not successes.all() or not failures.all() or not np.isfinite(estimate) or estimate <= 0:
        return (np.nan,) * 3
    if counts.clusters is not None:
        reach = float(counts.precision.reach(_slopes(counts, pair), confidence))
    else:
        reach = special.ndtri((1 + confidence) / 2) * strata(*counts.effective, pair).logodds_pooled_se
    return float(estimate), float(estimate * np.exp(-reach)), float(estimate * np.exp(reach))


def _slopes(counts: Counts, pair: tuple[int, int]) -> np.ndarray:
    """How the logarithm of Mantel & Haenszel's odds ratio moves with all rates; tiers' sizes are taken as given."""
    one, two = counts.rates[list(pair)]
    first, second = counts.n[list(pair)]
    weight = first * second / (first + second)
    up, down = (weight * one * (1 - two)).sum(), (weight * two * (1 - one)).sum()
    found = np.zeros((2, *counts.n.shape))
    found[0, pair[0]] = weight * ((1 - two) / up + two / down)
    found[0, pair[1]] = -weight * (one / up + (1 - one) / down)
    return found.ravel()


def strata(n: np.ndarray, y: np.ndarray, pair: tuple[int, int]) -> StratifiedTable:
    """One table of platform by outcome for each tier."""
    from statsmodels.stats.contingency_tables import StratifiedTable  # a second to import

    i, j = pair
    return StratifiedTable(
        [[[a, b - a], [c, d - c]] for a, b, c, d in zip(y[i], n[i], y[j], n[j], strict=True)]
    )


def _over(a: float, b: float) -> float:
    return float(a / b) if b else math.inf if a else math.nan
