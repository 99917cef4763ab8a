"""Logit (binomial GLM) of platform and tier: coefficients, average marginal effects, and tests of interaction."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from scipy import special

from toolkit.multiplicity import Method, adjusted
from toolkit.propagation import Precision
from toolkit.tiers.counts import Counts
from toolkit.tiers.estimates import Estimates
from toolkit.tiers.ratios import strata
from toolkit.wording import amount, count, interval, p_value, points, points_interval, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A coefficient beyond this is on its way to infinity (separation): some platform or tier has none or all converted.
INFINITE = 12.0
#: Steps of iteratively reweighted least squares, and how still the coefficients must lie at the end.
STEPS, STILL = 50, 1e-9
#: Coefficients that a sentence names; the table has all.
NAMED_TERMS = 6


@dataclass(frozen=True, eq=False)
class Fit:
    """A logit fitted to cells: `design` (cells x coefficients), names, coefficients and fitted rates.

    `ok` is False under separation, where the likelihood has no maximum.
    """

    names: tuple[str, ...]
    design: np.ndarray = field(repr=False)
    beta: np.ndarray = field(repr=False)
    fitted: np.ndarray = field(repr=False)
    n: np.ndarray = field(repr=False)
    ok: bool

    @cached_property
    def influence(self) -> np.ndarray:
        """How each coefficient moves with the rate of each cell: inverse of the information times the scores."""
        weight = self.n * self.fitted * (1 - self.fitted)
        inverse = np.linalg.pinv(self.design.T @ (weight[:, None] * self.design))
        return np.asarray(inverse @ (self.design * self.n[:, None]).T)


@dataclass(frozen=True, repr=False, eq=False)
class Coefficients(Estimates):
    """Log odds ratios of a logit. Made by `Gaps.logit`.

    `table`: `term`, `estimate`, `error` (standard error), `low`, `high`, `n`.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows, to="B").logit().table[["term", "estimate", "low", "high"]].round(3)
           term  estimate    low   high
    0  constant     1.937  1.602  2.271
    1         A     0.357 -0.092  0.806
    2     large    -1.261 -1.729 -0.792
    """

    named: ClassVar = ("term",)
    axis: ClassVar = "log odds ratio"

    def sentence(self) -> str:
        """The first log odds ratios, platforms before tiers, with intervals, and how many units they are of."""
        rows = self.table.iloc[1:]
        parts = [
            f"{row['term']} {amount(row['estimate'])} ({interval(row, amount)})" for _, row in rows.iterrows()
        ]
        return (
            f"Log odds ratios: {some(parts, NAMED_TERMS)} ({self.level}s, n = {count(self.table['n'].iloc[0])})"
            f"{self.closing()}"
        )


@dataclass(frozen=True, repr=False, eq=False)
class Effects(Estimates):
    """Average marginal effects of the platform on the probability scale, tiers held constant. Made by `Gaps.effects`.

    `table`: `platform`, `reference`, `estimate`, `error` (standard error), `low`, `high`, `n`, `n_reference`.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).effects().table[["platform", "estimate", "error", "low", "high"]].round(3)
      platform  estimate  error    low   high
    0        A     0.054  0.035 -0.014  0.121
    """

    differences: ClassVar = frozenset({"estimate", "error", "low", "high"})
    named: ClassVar = ("platform", "reference")
    axis: ClassVar = "average effect, points"

    def sentence(self) -> str:
        """By how many points each platform's rate is above its reference, tiers held constant, with interval and n."""
        parts = [
            f"{row.platform} against {row.reference} {points(row.estimate)} ({points_interval(row.low, row.high)}, n = "
            f"{count(row.n)} and {count(row.n_reference)})"
            for row in self.table.itertuples()
        ]
        model = "from a logit in which a platform's odds ratio is the same in every tier"
        return (
            f"With tiers held constant, on average: {'; '.join(parts)} ({self.level}s){self.closing(model)}"
        )


@dataclass(frozen=True, repr=False, eq=False)
class GapTests(Estimates):
    """Tests of whether the gap is the same in every tier, and of whether there is one at all.

    `table`: `platform`, `reference`, `test`, `statistic`, `freedom`, `p`, `p_adjusted`, `least_expected` (the
    smallest count that the model without interaction expects), `n`, `n_reference`.

    References
    ----------
    Breslow & Day (1980), Statistical Methods in Cancer Research 1, section 4.4. Mantel & Haenszel (1959), Journal of
    the National Cancer Institute 22, 719-748, with continuity correction.

    Examples
    --------
    >>> from toolkit.tiers import compare
    >>> rows = pd.DataFrame({"platform": ["A", "A", "B", "B"], "city_tier": ["small", "large"] * 2,
    ...                      "n": [87, 263, 270, 80], "converted": [81, 192, 234, 55]})  # Charig et al. (1986)
    >>> compare(rows).tests().table[["test", "statistic", "freedom", "p"]].round(3)
                                            test  statistic  freedom      p
    0              interaction, likelihood ratio      1.008        1  0.315
    1                   interaction, Breslow-Day      0.968        1  0.325
    2  equal odds in every tier, Mantel-Haenszel      2.091        1  0.148
    """

    named: ClassVar = ("platform", "reference", "test")

    def sentence(self) -> str:
        """For how many pairs the odds ratio differs between tiers, with adjusted p values."""
        column = self._column
        rows = self.table[self.table["test"].str.startswith("interaction, likelihood")]
        limit = round(1 - self.confidence, 10)
        found = rows[rows[column] < limit]
        if not len(found):
            known = rows[rows[column].notna()]
            least = f": {_pair(known.loc[known[column].idxmin()], column)}" if len(known) else ""
            return f"No pair's odds ratio is shown to differ between tiers{least}{self.closing()}"
        pairs = ", ".join(_pair(row, column) for _, row in found.iterrows())
        return f"The odds ratio differs between tiers for {len(found)} of {len(rows)} pairs: {pairs}{self.closing()}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """P values of all tests, on a log scale."""
        from toolkit.tiers import plots

        return plots.p_values(
            self.table, ax, column=self._column, named=self.named, threshold=1 - self.confidence
        )

    @property
    def _column(self) -> str:
        return "p_adjusted" if "p_adjusted" in self.table else "p"


def fit(n: np.ndarray, y: np.ndarray, names: tuple[str, ...], design: np.ndarray) -> Fit:
    """Maximum likelihood of a binomial GLM with logit link, on cells of trials and successes."""
    from statsmodels.genmod.families import Binomial  # a second to import
    from statsmodels.genmod.generalized_linear_model import GLM

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter(
            "ignore"
        )  # of separation, which `ok` says, and of a saturated model, which is meant
        model = GLM(np.column_stack([y, n - y]), design, family=Binomial())
        found = model.fit(maxiter=STEPS, tol_criterion="params", tol=STILL)
    beta, fitted = np.asarray(found.params), np.asarray(found.mu)
    ok = bool(found.converged and np.abs(beta[1:]).max(initial=0) < INFINITE)
    return Fit(names, design, beta, fitted, n, ok)


def design_of(
    counts: Counts, reference: int, *, tiers: bool = True, interaction: bool = False
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and columns: constant, platforms other than the reference, tiers other than the first, products."""
    size, kinds = counts.n.shape
    on = np.repeat(np.eye(size), kinds, axis=0)
    kind = np.tile(np.eye(kinds), (size, 1))
    platforms = [(counts.platforms[i], on[:, i]) for i in range(size) if i != reference]
    others = [(counts.tiers[t], kind[:, t]) for t in range(1, kinds)] if tiers else []
    columns = [("constant", np.ones(size * kinds)), *platforms, *others]
    if interaction:
        columns += [(f"{a} x {b}", u * v) for a, u in platforms for b, v in others]
    return tuple(name for name, _ in columns), np.stack([column for _, column in columns], axis=1)


def coefficients(
    counts: Counts, reference: int, confidence: float, *, tiers: bool, interaction: bool
) -> Coefficients:
    """See `Gaps.logit`."""
    names, design = design_of(counts, reference, tiers=tiers, interaction=interaction)
    found = fit(counts.n.ravel(), counts.y.ravel(), names, design)
    slopes = found.influence
    precision = _precision(counts, found)
    errors, reach = (
        np.where(found.ok, values, np.nan)
        for values in (precision.error(slopes), precision.reach(slopes, confidence))
    )
    beta = found.beta if found.ok else np.full(len(names), np.nan)
    table = pd.DataFrame(
        {"term": names, "estimate": beta, "error": errors, "low": beta - reach, "high": beta + reach}
    ).assign(n=int(counts.n.sum()))
    against = f"log odds ratios against {counts.platforms[reference]} and {counts.tiers[0]}"
    return Coefficients(table, confidence, (against, _infinite(found), *counts.notes))


def effects(counts: Counts, pairs: Sequence[tuple[int, int]], confidence: float) -> Effects:
    """See `Gaps.effects`."""
    # A tier in which none or all converted says nothing of the odds ratio, and its rate is the same on any platform.
    some = (counts.y.sum(0) > 0) & (counts.y.sum(0) < counts.n.sum(0))
    weight = counts.n.sum(0)[some] / counts.n.sum()
    kept = Counts(
        counts.platforms,
        tuple(np.array(counts.tiers)[some]),
        counts.n[:, some],
        counts.y[:, some],
        counts.of,
        counts.outcome,
    )
    found, precision = None, None
    if some.any():
        names, design = design_of(kept, 0)
        found = fit(kept.n.ravel(), kept.y.ravel(), names, design)
        precision = _precision(counts, found, np.tile(some, len(counts.platforms)))
    lines = []
    for i, j in pairs:
        line = [np.nan] * 4
        if found is not None and precision is not None and found.ok:
            cells = [np.arange(some.sum()) + at * int(some.sum()) for at in (i, j)]
            one, two = (found.fitted[cell] for cell in cells)
            slope = (weight * one * (1 - one)) @ design[cells[0]] - (weight * two * (1 - two)) @ design[
                cells[1]
            ]
            estimate, gradient = weight @ (one - two), slope @ found.influence
            limits = precision.interval(estimate, gradient, confidence, -1.0)
            line = [estimate, float(precision.error(gradient)), limits.low, min(limits.high, 1.0)]
        sizes = [int(counts.n[at].sum()) for at in (i, j)]
        lines.append([counts.platforms[i], counts.platforms[j], *line, *sizes])
    names_of = ["platform", "reference", "estimate", "error", "low", "high", "n", "n_reference"]
    return Effects(pd.DataFrame(lines, columns=names_of), confidence, (_infinite(found), *counts.notes))


def tests(
    counts: Counts, pairs: Sequence[tuple[int, int]], adjust: Method | None, confidence: float
) -> GapTests:
    """See `Gaps.tests`."""
    if counts.clusters is not None:
        raise ValueError(
            f"these tests take units as independent, and the counts are clustered by {counts.clusters.cells.name}: "
            "read .by_tier(), .effects() and .logit(interaction=True), whose intervals allow for that; or compare "
            "without cluster="
        )
    n, y = counts.effective
    lines = []
    for i, j in pairs:
        own = [i, j]
        # A tier in which none or all converted says nothing of an odds ratio.
        some = (y[own].sum(0) > 0) & (y[own].sum(0) < n[own].sum(0))
        freedom = int(some.sum()) - 1
        both = bool(y[own].sum(1).all() and (n[own] - y[own]).sum(1).all()) and freedom >= 0
        two = Counts(
            tuple(counts.platforms[at] for at in own),
            tuple(np.array(counts.tiers)[some]),
            n[own][:, some],
            y[own][:, some],
            counts.of,
            counts.outcome,
        )
        statistic, least = np.nan, np.nan
        if both and freedom > 0:
            trials, successes = two.n.ravel(), two.y.ravel()
            expected = trials * fit(trials, successes, *design_of(two, 1)).fitted
            least = float(np.minimum(expected, trials - expected).min())
            # The deviance, since the model with the interaction is saturated.
            deviance = special.rel_entr(successes, expected) + special.rel_entr(
                trials - successes, trials - expected
            )
            statistic = 2 * float(deviance.sum())
        table = strata(two.n, two.y, (0, 1)) if both else None
        equal = (
            breslow_day(two.n, two.y, table.oddsratio_pooled) if table is not None and freedom > 0 else np.nan
        )
        null = table.test_null_odds(correction=True) if table is not None else None
        common = [two.platforms[0], two.platforms[1]]
        sizes = [int(counts.n[at].sum()) for at in own]
        for name, value, df in (
            ("interaction, likelihood ratio", statistic, freedom),
            ("interaction, Breslow-Day", equal, freedom),
            ("equal odds in every tier, Mantel-Haenszel", np.nan if null is None else null.statistic, 1),
        ):
            p = special.chdtrc(df, value) if df > 0 and np.isfinite(value) else np.nan
            lines.append([*common, name, value, df, p, least, *sizes])
    columns = [
        "platform",
        "reference",
        "test",
        "statistic",
        "freedom",
        "p",
        "least_expected",
        "n",
        "n_reference",
    ]
    table, family = adjusted(
        pd.DataFrame(lines, columns=columns), adjust, "interaction and Mantel-Haenszel tests of every pair"
    )
    return GapTests(table, confidence, (family, *counts.notes))


def breslow_day(n: np.ndarray, y: np.ndarray, odds: float) -> float:
    """Breslow & Day's statistic of one odds ratio in all tiers, from trials and successes, 2 x tiers.

    statsmodels has it too, but divides 0 by 0 where the odds ratio is 1.
    """
    successes, others = y.sum(0), (n - y).sum(0)
    b = odds * (n[0] + successes) + others - n[0]
    # The root of (1 - odds) x^2 + b x - odds n y = 0 in the form that does not cancel.
    expected = 2 * odds * n[0] * successes / (b + np.sqrt(b * b + 4 * (1 - odds) * odds * n[0] * successes))
    cells = (expected, n[0] - expected, successes - expected, others - n[0] + expected)
    return float(((y[0] - expected) ** 2 * sum(1 / cell for cell in cells)).sum())


def _precision(counts: Counts, found: Fit, cells: np.ndarray | None = None) -> Precision:
    """Precision of cell rates if the model holds: at the fitted rates, with the cells' effective sizes."""
    known = np.flatnonzero(np.ones(counts.n.size, bool) if cells is None else cells)
    rates = counts.cell_rates
    size = np.asarray(rates.size)[known]
    freedom = np.broadcast_to(rates.freedom, counts.n.size)[known]
    error = np.sqrt(found.fitted * (1 - found.fitted) / size)
    correlation = counts.precision.correlation[np.ix_(known, known)]
    blocks = None if counts.precision.blocks is None else counts.precision.blocks[known]
    skewed = np.ones(len(known), bool)
    return Precision(found.fitted, size, freedom, error, skewed, correlation, blocks=blocks)


def _pair(row: pd.Series, column: str) -> str:
    """A pair of platforms with the p value of its test, and its n."""
    text = p_value(row[column])
    p = f"p {text}" if text.startswith("<") else f"p = {text}"
    return f"{row['platform']} and {row['reference']} ({p}, n = {count(row['n'])} and {count(row['n_reference'])})"


def _infinite(found: Fit | None) -> str:
    if found is not None and found.ok:
        return ""
    return "too few: where none or all converted (separation) the model has no answer"
