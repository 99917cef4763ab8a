"""`split_product`: from which step of a funnel a gap in buyers or GMV per impression comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level
from toolkit.decompositions import contribution, contributions
from toolkit.results import cell
from toolkit.tiers.answers import Answer
from toolkit.tiers.step_factors import BASKET, Factors, factors_of
from toolkit.wording import some

if TYPE_CHECKING:
    from toolkit.funnels import Funnel

#: With fewer at a step, or fewer buyers for a mean basket, no interval could be trusted (benchmarks/tiers.md).
FEW, FEW_BUYERS = 5, 20


@dataclass(frozen=True, repr=False, eq=False)
class ProductSplit(Answer):
    """A gap as the exact sum of what each step contributes. Made by `split_product`.

    `table`: `platform`, `reference`, `step` ("all" for the gap), `factor` and `factor_reference` (the step's rate, the
    basket, or the product of all), `estimate` (contribution), `low`, `high`, `n`, `n_reference` (units at the
    step before; buyers for the basket).
    """

    unit: str

    named: ClassVar = ("platform", "reference", "step")

    @property
    def axis(self) -> str:  # type: ignore[override]
        """What the figure measures."""
        return f"contribution to {self.unit}"

    def sentence(self) -> str:
        """The gap of each platform, and the step that contributes most to it."""
        parts = []
        for (platform, reference), rows in self.table.groupby(["platform", "reference"], sort=False):
            whole = rows[rows["step"] == "all"].iloc[0]
            steps = rows[rows["step"] != "all"]
            top = steps.loc[steps["estimate"].abs().idxmax()]
            parts.append(
                f"{platform} against {reference}: {self.unit} {cell(whole['factor'])} against "
                f"{cell(whole['factor_reference'])}, {_said(whole)}; most from {top['step']}, {_said(top)}, n = "
                f"{top['n']:,} and {top['n_reference']:,}"
            )
        return f"{'. '.join(parts)} ({self.level}s){self.closing()}"


def split_product(
    counts: Funnel | pd.DataFrame,
    *,
    steps: Sequence[str] | None = None,
    platform: str = "platform",
    to: str | None = None,
    amount: str | None = None,
    squares: str | None = None,
    confidence: float = 0.95,
) -> ProductSplit:
    """Say which step makes the gap between two platforms in GMV, or in buyers, per impression.

    Parameters
    ----------
    counts : Funnel or DataFrame
        A funnel broken down by platform, or a table with a row per platform and a column per step (rows of one
        platform are added up).
    steps : list of str, optional
        Columns of counts in order, from impressions to buyers; or steps of the funnel, by default all.
    platform : str
        Column.
    to : str, optional
        The platform that all others are compared with; the one with the largest first count if not given.
    amount : str, optional
        Column of the table, or of the funnel's log: what buyers paid. Of a log, the amounts of the rows of the
        last step at the moment of each chain's end.
    squares : str, optional
        Column of the table: the sum of buyers' squared amounts, without which the basket has no interval.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    ProductSplit

    Raises
    ------
    ValueError
        For counts that rise along the steps or are no counts, for a step that no one of a platform reached, and
        for a single platform; the message names them.

    Notes
    -----
    With factors f on one platform and g on the other, step k contributes (f_k - g_k) times the mean, over all
    orders in which steps can change from g to f, of the product of the others: the Shapley value. That mean is
    the integral from 0 to 1 of the product of (1 - x) g_j + x f_j over j other than k. Intervals: see
    `toolkit.propagation`. Where fewer than 5 reached a step there is none, and with an amount none of fewer
    than 20 buyers. That of a basket allows for orders as skewed as lognormal ones; rarer giants it cannot know.

    References
    ----------
    Das Gupta (1993), Standardization and Decomposition of Rates, US Census Bureau P23-186, chapter 2.

    Examples
    --------
    >>> rows = pd.DataFrame({"platform": ["A", "B"], "enter": [10_000, 20_000], "click": [3_000, 4_000],
    ...                      "pay": [150, 300]})
    >>> split_product(rows, steps=["enter", "click", "pay"], to="B").table[["step", "estimate"]].round(5)
        step  estimate
    0  click   0.00625
    1    pay  -0.00625
    2    all   0.00000
    """
    confidence = confidence_level(confidence)
    found = factors_of(counts, platform=platform, steps=steps, amount=amount, squares=squares)
    if to is not None and str(to) not in found.platforms:
        raise ValueError(f"no platform {str(to)!r}; there are {some(list(found.platforms))}")
    reference = int(found.counts[:, 0].argmax()) if to is None else found.platforms.index(str(to))
    names = found.platforms
    lines = []
    for at in range(len(names)):
        if at == reference:
            continue
        values = found.values[[at, reference]]
        parts = contributions(*values)
        low, high = limits(found, (at, reference), confidence)
        factors = np.column_stack([values, values.prod(1)]).T
        bases = np.column_stack([found.bases, found.bases[:, 0]])[[at, reference]].T.astype(int)
        for k, step in enumerate((*found.names, "all")):
            estimate = parts.sum() if step == "all" else parts[k]
            lines.append(
                [names[at], names[reference], step, *factors[k], estimate, low[k], high[k], *bases[k]]
            )
    columns = ["platform", "reference", "step", "factor", "factor_reference", "estimate", "low", "high"]
    table = pd.DataFrame(lines, columns=[*columns, "n", "n_reference"])
    unit = f"{amount or found.steps[-1]} per {found.steps[0]}"
    return ProductSplit(table, confidence, (*_silence(found), *found.notes), unit)


def limits(found: Factors, pair: tuple[int, int], confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of each contribution and of the gap; nan where too few are known for one."""
    shape, size = found.values.shape, len(found.names)

    def moved(k: int, values: np.ndarray) -> tuple[float, np.ndarray]:
        first, second = values.reshape(shape)[list(pair)]
        gradient = np.zeros(shape)
        if k < size:
            value, gradient[list(pair)] = contribution(first, second, k)
        else:
            value = float(first.prod() - second.prod())
            for j in range(size):
                gradient[pair[0], j], gradient[pair[1], j] = (
                    np.delete(first, j).prod(),
                    -np.delete(second, j).prod(),
                )
        return value, gradient.ravel()

    few = any(_few(found, at) for at in pair)
    ends = []
    for k in range(size + 1):
        unknown = not found.spread and k >= size - 1
        ends.append(
            (np.nan, np.nan) if few or unknown else found.precision.furthest(partial(moved, k), confidence)
        )
    low, high = np.array(ends).T
    return low, high


def _few(found: Factors, at: int) -> bool:
    """Whether a platform has too few at some step, or too few buyers for a mean basket."""
    counts = found.counts[at, 1:]
    if found.amount is None or not found.spread:
        return bool(counts.min() < FEW)
    return bool(counts.min() < FEW or counts[-1] < FEW_BUYERS or found.amount[at] == 0)


def _silence(found: Factors) -> list[str]:
    """Why some contributions have no interval."""
    said = []
    if any(_few(found, at) for at in range(len(found.platforms))):
        buyers = "" if found.amount is None or not found.spread else f", or fewer than {FEW_BUYERS} paid"
        said.append(f"no interval where fewer than {FEW} reached a step{buyers}")
    if not found.spread:
        said.append(f"{BASKET} without interval: it needs squares= or a log; the others take it as exact")
    return said


def _said(row: pd.Series) -> str:
    if pd.isna(row["low"]):
        return f"{row['estimate']:+.4g} (no interval)".replace("-", "−")
    return f"{row['estimate']:+.4g} ({row['low']:.4g} to {row['high']:.4g})".replace("-", "−")
