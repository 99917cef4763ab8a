"""`fit`: whether what a creator sells belongs to what they are known for; `fit_and_conversion`: what that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from toolkit.counts import confidence_level, counts_table, numbers
from toolkit.results import Result
from toolkit.scenarios.assumptions import (
    as_series,
    column,
    known_names,
    names_of,
    shares,
    text_of,
    two_places,
)
from toolkit.wording import count, interval, interval_level, p_value, percent, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Orders of the labels that the permutation test draws.
PERMUTATIONS = 1999


@dataclass(frozen=True, repr=False, eq=False)
class Fit(Result):
    """How goods belong to a label. Made by `fit`.

    Attributes
    ----------
    table : DataFrame
        `measure`, `value`: `cosine` (0 to 1), `off_label` (share of goods outside the label), `entropy` (nats) and
        `breadth` (exp entropy: as many equal categories) of the label.
    """

    table: pd.DataFrame
    mixes: pd.DataFrame

    def value(self, measure: str) -> float:
        """One of the measures."""
        named = self.table.set_index("measure")["value"]
        if measure not in named:
            raise ValueError(unknown("measure", measure, named.index))
        return float(named[measure])

    def sentence(self) -> str:
        """The cosine, what lies off the label, and how broad the label is."""
        return (
            f"Label and goods have a cosine of {self.value('cosine'):.2f}; {percent(self.value('off_label'))} of "
            f"the goods "
            f"lie off the label, which is as broad as {self.value('breadth'):.1f} equal categories. Counted, not "
            f"estimated."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Both mixes by category."""
        from toolkit.scenarios.creators import plots

        return plots.mixes(self.mixes, ax)


@dataclass(frozen=True, repr=False, eq=False)
class FitEffect(Result):
    """Conversion by fit. Made by `fit_and_conversion`.

    Attributes
    ----------
    table : DataFrame
        `term`, `estimate` (log odds per unit), `low`, `high`, `n` (rows), `creators`.
    p : float
        Of fit having no part, by permuting labels within a category.
    """

    table: pd.DataFrame
    p: float
    terms: list[str]
    confidence: float

    def sentence(self) -> str:
        """The slope and its p value, and that creators choose what they sell."""
        row = self.table[self.table["term"] == self.terms[0]].iloc[0]
        ends = f"{interval_level(self.confidence)} {interval(row, two_places)}"
        return (
            f"A unit of {self.terms[0]} goes with {two_places(row['estimate'])} in the log odds to buy ({ends}, n = "
            f"{count(row['n'])} rows of {count(row['creators'])} creators; p {p_value(self.p)} by permutation). "
            "Creators choose what they sell, so that this need not be an effect of fit."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Log odds by term."""
        from toolkit.scenarios import axes

        return axes.estimates(self.table[1:], ["term"], "log odds per unit", null=0, ax=ax)


def fit(label: Any, goods: Any) -> Fit:
    """Compare a creator's label with the goods they sell.

    Parameters
    ----------
    label, goods : dict, Series or list of float
        Shares by category, each adding up to 1; with names, categories are matched by name.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        For shares that do not add up to 1, a negative one, and a creator without content.

    Notes
    -----
    cosine = sum p q / sqrt(sum p^2 sum q^2); off_label = 1 - sum min(p, q); entropy = - sum p ln p of the label.

    Examples
    --------
    >>> round(fit([0.6, 0.3, 0.1, 0.0], [0.1, 0.3, 0.2, 0.4]).value("cosine"), 4)
    0.4576
    """
    mixes = {"label": as_series("label", label), "goods": as_series("goods", goods)}
    for name, mix in mixes.items():
        column(name, mix)
        if not mix.index.is_unique:
            raise ValueError(
                f"{name} has category {text_of(mix.index[mix.index.duplicated()][0])!r} twice: add them up"
            )
    named = [isinstance(one, Mapping | pd.Series) for one in (label, goods)]
    if named[0] != named[1]:
        raise ValueError("label and goods: give both by category, or both as lists in one order")
    if not named[0] and len(mixes["label"]) != len(mixes["goods"]):
        raise ValueError(
            f"the label has {len(mixes['label'])} categories, the goods have {len(mixes['goods'])}"
        )
    # A category that one of the two lacks has none of it; a missing share was refused above.
    both = pd.DataFrame(mixes).fillna(0.0)
    p, q = shares("label", both["label"]), shares("goods", both["goods"])
    entropy = float(special.entr(p).sum())
    rows = [
        ("cosine", float(p @ q / np.sqrt((p @ p) * (q @ q)))),
        ("off_label", float(1 - np.minimum(p, q).sum())),
        ("entropy", entropy),
        ("breadth", float(np.exp(entropy))),
    ]
    return Fit(pd.DataFrame(rows, columns=["measure", "value"]), both)


def fit_and_conversion(
    table: pd.DataFrame,
    *,
    fit: str = "fit",
    conversions: str = "conversions",
    n: str = "n",
    creator: str = "creator",
    category: str = "category",
    covariates: str | Sequence[str] = (),
    confidence: float = 0.95,
) -> FitEffect:
    """Say how conversion goes with fit.

    Parameters
    ----------
    table : DataFrame
        One row for a creator and a category of goods: fit, conversions and visits.
    fit, conversions, n, creator, category : str
        Columns.
    covariates : str or list of str
        Further columns of numbers that stand beside fit, such as an indicator of goods off the label.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    FitEffect

    Raises
    ------
    ValueError
        For more conversions than visits, fewer than ten creators, and fit that is the same everywhere.

    Notes
    -----
    Logit on fit and category with errors clustered by creator and t quantiles of creators - 1. Permutation p: fit
    shuffled among the rows of a category (1,999 times), the slope of the linear score as statistic.

    Examples
    --------
    >>> rows = pd.DataFrame({"creator": np.arange(24) // 2, "category": ["food", "dresses"] * 12, "n": 100})
    >>> rows = rows.assign(fit=[0.2, 0.4, 0.6, 0.8] * 6, conversions=[2, 3, 6, 7, 4, 3, 4, 8] * 3)
    >>> fit_and_conversion(rows).table[["term", "estimate", "low", "high", "n", "creators"]].round(2)
            term  estimate   low  high   n  creators
    0  intercept     -4.01 -4.36 -3.67  24        12
    1        fit      1.92  1.49  2.36  24        12
    """
    import statsmodels.api as sm

    confidence = confidence_level(confidence)
    terms = [fit, *names_of(covariates)]
    counts_table(table, [conversions, n, creator, category, *terms])
    y, trials = numbers(table, conversions, [creator]), numbers(table, n, [creator])
    if (y > trials).any() or (trials == 0).any():
        row = table[(y > trials) | (trials == 0)].iloc[0]
        raise ValueError(f"creator {row[creator]!r}: {row[conversions]} conversions of {row[n]} visits")
    if not y.any() or (y == trials).all():
        raise ValueError(
            f"{'nobody' if not y.any() else 'everybody'} converted: there is nothing that fit could explain"
        )
    x = np.column_stack([column(name, table[name], negative=True) for name in terms])
    if np.ptp(x[:, 0]) == 0:
        raise ValueError(f"{fit!r} is the same in every row: it explains nothing")
    groups = pd.factorize(known_names(creator, table[creator]))[0]
    clusters = int(groups.max()) + 1
    if clusters < 10:
        raise ValueError(f"{clusters} creators are too few for errors clustered by creator; 10 are the least")
    codes = pd.factorize(table[category], use_na_sentinel=False)[0]
    design = np.column_stack([np.ones(len(y)), x, np.eye(codes.max() + 1)[codes][:, 1:]])
    if np.linalg.matrix_rank(design / np.abs(design).max(0)) < design.shape[1]:
        raise ValueError(
            f"{' and '.join(map(repr, terms))} follow from the category or from each other: drop what repeats"
        )
    model = sm.GLM(np.column_stack([y, trials - y]), design, family=sm.families.Binomial())
    found = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
    quantile = float(special.stdtrit(clusters - 1, (1 + confidence) / 2))
    names = ["intercept", *terms]
    estimate, half = found.params[: len(names)], quantile * found.bse[: len(names)]
    lines = pd.DataFrame(
        {"term": names, "estimate": estimate, "low": estimate - half, "high": estimate + half}
    )
    lines = lines.assign(n=len(y), creators=clusters)
    return FitEffect(lines, _permuted(y, trials, x[:, 0], codes), terms, confidence)


def _permuted(y: np.ndarray, n: np.ndarray, fit: np.ndarray, codes: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    rate = np.bincount(codes, y) / np.bincount(codes, n)
    score = y - n * rate[codes]
    order = np.argsort(codes, kind="stable")
    within, at = codes[order], np.arange(len(codes))
    seen, extreme = abs(score @ fit), 1
    for _ in range(PERMUTATIONS):
        drawn = np.empty(len(fit))
        drawn[order] = fit[order][np.lexsort((rng.random(len(at)), within))]
        extreme += abs(score @ drawn) >= seen
    return extreme / (PERMUTATIONS + 1)
