"""`without_holdout`: five answers where nobody was held out, and the range between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from toolkit.counts import confidence_level, counts_table
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount as checked_amount
from toolkit.scenarios.assumptions import column, level_and_ends, names_of, one_currency
from toolkit.scenarios.promotion.adjustments import least_squares
from toolkit.scenarios.promotion.arms import Arm, gap
from toolkit.scenarios.promotion.holdouts import design
from toolkit.scenarios.promotion.propensities import Propensity, propensity
from toolkit.wording import amount, count, points, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Alternatives(Result):
    """Five answers to one question without a holdout. Made by `without_holdout`.

    Attributes
    ----------
    table : DataFrame
        `method` ("raw", "difference in differences", "regression", "weighting", "matching"), `estimate`, `low`, `high`,
        `n`, and `effective_n` of the others (Kish) where they are weighted.
    without_overlap : int
        Treated units that no other unit resembles within the caliper; they are matched all the same, and named so.
    """

    table: pd.DataFrame
    outcome: str
    without_overlap: int | None
    treated: int
    rate: bool
    confidence: float

    def value(self, method: str) -> float:
        """The estimate of one method."""
        named = self.table.set_index("method")["estimate"]
        if method not in named:
            raise ValueError(unknown("method", method, named.index))
        return float(named[method])

    def sentence(self) -> str:
        """The range of the answers; none of them is picked."""
        low, high = (
            self.table.loc[at] for at in (self.table["estimate"].idxmin(), self.table["estimate"].idxmax())
        )
        weak = ""
        if self.without_overlap:
            weak = f" {count(self.without_overlap)} of {count(self.treated)} treated are without overlap."
        n = self.table["effective_n"].dropna()
        if len(n):
            weak += f" Weighted, the others count as {count(n.iloc[0])}."
        if len(self.table) == 1:
            what = (
                f"Without a holdout the method decides: {self.outcome} {self._said(low)} (raw, {self._ends(low)}), one "
                "method of five; before= and covariates= add others"
            )
        else:
            what = (
                f"Without a holdout the method decides: {self.outcome} from {self._said(low)} ({low['method']}, "
                f"{self._ends(low)}) to {self._said(high)} ({high['method']}, {self._ends(high)})"
            )
        return (
            f"{what}, n = {count(self.treated)} treated of {count(low['n'])}.{weak} Each interval holds only if its "
            "method's assumption does; a holdout would need none."
        )

    def _said(self, row: pd.Series) -> str:
        return points(row["estimate"]) if self.rate else amount(row["estimate"])

    def _ends(self, row: pd.Series) -> str:
        return level_and_ends(self.confidence, row, points if self.rate else amount)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The answers with their intervals."""
        from toolkit.scenarios import axes

        title = "One question, as many answers as methods"
        return axes.estimates(
            self.table, ["method"], f"effect on {self.outcome}", null=0, title=title, rate=self.rate, ax=ax
        )


def without_holdout(
    frame: pd.DataFrame,
    *,
    treated: str,
    outcome: str,
    before: str | None = None,
    covariates: str | Sequence[str] = (),
    propensity_covariates: str | Sequence[str] | None = None,
    caliper: float = 0.2,
    confidence: float = 0.95,
) -> Alternatives:
    """Say what a promotion may have added where nobody was held out: a range, by five methods.

    Parameters
    ----------
    frame : DataFrame
        One row per unit; it is never changed.
    treated, outcome : str
        Columns: whether the unit was promoted (0 or 1), and what it did.
    before : str, optional
        The outcome before the promotion: adds the difference in differences.
    covariates : str or list of str
        Columns known before: numbers, or text that becomes indicators. They add regression, weighting and matching.
    propensity_covariates : str or list of str, optional
        For the propensity, where it wants squares and the like; `covariates` if not given.
    caliper : float
        In standard deviations of the propensity's logit: a treated unit further from all others is without overlap.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Alternatives

    Raises
    ------
    ValueError
        For a missing value, a flag other than 0 and 1, and a group of nobody.

    Notes
    -----
    Effects on the treated. raw: difference of means (Welch). difference in differences: of each unit's own change, so
    that a unit's two outcomes are not taken for two units. regression: least squares, HC2. weighting: others by the
    odds of the propensity (logit), with the sandwich that counts the logit's own noise. matching: nearest
    propensity, with replacement (Abadie & Imbens 2006), the propensity taken as known. Each is as good as what was
    measured: an unmeasured cause of both spend and outcome stays in all of them.

    References
    ----------
    Dehejia & Wahba (1999), JASA 94, 1053-1062. Abadie & Imbens (2006), Econometrica 74, 235-267.

    Examples
    --------
    >>> rows = pd.DataFrame({"paid": [1, 1, 1, 1, 0, 0, 0, 0], "before": [12, 15, 12, 16, 9, 10, 10, 11],
    ...                      "sales": [14, 17, 15, 18, 9, 11, 10, 12]})
    >>> without_holdout(rows, treated="paid", outcome="sales", before="before").table.iloc[:, :5].round(2)
                          method  estimate   low  high  n
    0                        raw      5.50  2.69  8.31  8
    1  difference in differences      1.75  0.81  2.69  8
    """
    confidence = confidence_level(confidence)
    covariates = names_of(covariates)
    if propensity_covariates is not None and not covariates:
        raise ValueError("propensity_covariates= stand beside covariates=: give both")
    more = covariates if propensity_covariates is None else names_of(propensity_covariates)
    checked_amount("caliper", caliper)
    names = [treated, outcome, *([] if before is None else [before]), *covariates, *more]
    one_currency(counts_table(frame, list(dict.fromkeys(names))))
    flag = column(treated, frame[treated])
    if not np.isin(flag, (0.0, 1.0)).all():
        raise ValueError(f"{treated!r} holds {np.unique(flag)[:5].tolist()}: give 0 and 1")
    side = flag == 1
    if min(side.sum(), (~side).sum()) < 2:
        raise ValueError(
            f"{int(side.sum())} treated and {int((~side).sum())} others: two of each are the least"
        )
    y = column(outcome, frame[outcome], negative=True)
    rows: list[tuple[str, float, float, float, float]] = [("raw", *_welch(y, side, confidence), np.nan)]
    if before is not None:
        change = y - column(before, frame[before], negative=True)
        rows.append(("difference in differences", *_welch(change, side, confidence), np.nan))
    z = float(special.ndtri((1 + confidence) / 2))
    lonely = None
    if covariates:
        x = np.column_stack([np.ones(len(y)), flag, design(frame, covariates)])
        estimate, se, freedom = least_squares(y, x, 1)
        half = float(special.stdtrit(max(freedom, 1), (1 + confidence) / 2)) * se
        rows.append(("regression", estimate, estimate - half, estimate + half, np.nan))
        model = propensity(side, design(frame, more))
        estimate, se, effective = model.weighted(y)
        rows.append(("weighting", estimate, estimate - z * se, estimate + z * se, effective))
        estimate, se = model.matched(y)
        rows.append(("matching", estimate, estimate - z * se, estimate + z * se, np.nan))
        lonely = _without_overlap(model, caliper)
    table = pd.DataFrame(rows, columns=["method", "estimate", "low", "high", "effective_n"])
    table.insert(4, "n", len(y))
    rate = bool(np.isin(y, (0.0, 1.0)).all())
    return Alternatives(table, outcome, lonely, int(side.sum()), rate, confidence)


def _welch(y: np.ndarray, side: np.ndarray, confidence: float) -> tuple[float, float, float]:
    one, other = (replace(Arm.of("", y[own]), rate=False) for own in (side, ~side))
    return gap(one, other, confidence)[:3]


def _without_overlap(model: Propensity, caliper: float) -> int:
    return int((model.distances() > caliper * model.logit.std()).sum())
