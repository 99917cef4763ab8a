"""`split_product`: from which step of a funnel a gap in buyers or GMV per impression comes (Das Gupta, Shapley)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level
from toolkit.decompositions import contribution, contributions
from toolkit.results import cell, html_table
from toolkit.tiers.estimates import Estimates
from toolkit.tiers.step_factors import BASKET, Factors, factors_of
from toolkit.wording import amount as amount_of
from toolkit.wording import count, interval, percent, points, points_interval, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.funnels import Funnel

#: With fewer at a step, or fewer buyers for a mean basket, no interval could be trusted (benchmarks/tiers.md).
FEW, FEW_BUYERS = 5, 20


@dataclass(frozen=True, repr=False, eq=False)
class ProductSplit(Estimates):
    """A gap between two products as the exact sum of what each step contributes. Made by `split_product`.

    `table`: `platform`, `reference`, `step` ("all" for the gap), `factor` and `factor_reference` (the step's rate, the
    basket, or the product of all), `estimate` (contribution), `low`, `high`, `n`, `n_reference` (units at the
    step before; buyers for the basket). Without an amount all of them are rates and differences of rates.

    Attributes
    ----------
    unit : str
        What is split, such as "pay per enter".
    amount : str or None
        What buyers paid, where that is the last factor.

    Examples
    --------
    >>> rows = pd.DataFrame({"platform": ["A", "B"], "enter": [10_000, 20_000], "pay": [150, 200]})
    >>> split_product(rows, steps=["enter", "pay"], to="B").sentence().partition(";")[0]
    'A against B: pay per enter 1.5 % against 1.0 %, a gap of +0.50 points (0.23 to 0.79)'
    """

    unit: str
    amount: str | None = None

    named: ClassVar = ("platform", "reference", "step")

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each step's contribution, and for the gap."""
        axis = f"contribution to {self.unit}"
        return self._drawn(axis, ax) if self._paid else self._drawn(f"{axis}, points", ax, scale=100)

    def sentence(self) -> str:
        """The gap of each platform and the step that contributes most to it, with intervals and n."""
        parts = []
        for (platform, reference), rows in self.table.groupby(["platform", "reference"], sort=False):
            whole, steps = rows.iloc[-1], rows.iloc[:-1]
            top = steps.loc[steps["estimate"].abs().idxmax()]
            factors = [
                cell(whole[name]) if self._paid else percent(whole[name])
                for name in ("factor", "factor_reference")
            ]
            parts.append(
                f"{platform} against {reference}: {self.unit} {factors[0]} against {factors[1]}, a gap of "
                f"{self._said(whole)}; {top['step']} contributes most, {self._said(top)}, n = {count(top['n'])} and "
                f"{count(top['n_reference'])}"
            )
        return f"{'. '.join(parts)} ({self.level}s){self.closing()}"

    def _repr_html_(self) -> str:
        # Without an amount every factor is a rate and every contribution a difference of rates.
        rates = frozenset[str]() if self._paid else frozenset({"factor", "factor_reference"})
        points = frozenset[str]() if self._paid else frozenset({"estimate", "low", "high"})
        return f"<p>{html.escape(self.sentence())}</p>\n{html_table(self.table, rates, points)}"

    @property
    def _paid(self) -> bool:
        return self.amount is not None

    def _said(self, row: pd.Series) -> str:
        if self._paid:
            ends = interval(row, lambda value: amount_of(value).removeprefix("+"))
            return f"{amount_of(row['estimate'])} ({ends})"
        return f"{points(row['estimate'])} ({points_interval(row['low'], row['high'])})"


def split_product(
    counts: Funnel | pd.DataFrame,
    *,
    steps: Sequence[str] | None = None,
    platform: str = "platform",
    to: str | None = None,
    amount: str | None = None,
    squares: str | None = None,
    cluster: str | None = None,
    confidence: float = 0.95,
) -> ProductSplit:
    """Say which step makes the gap between two platforms in GMV, or in buyers, per impression.

    Parameters
    ----------
    counts : Funnel or DataFrame
        A funnel broken down by platform, or a table with one row per platform and one column of counts per step
        (rows of one platform are added up).
    steps : list of str, optional
        Columns of counts in order, from impressions to buyers; or steps of the funnel, by default all.
    platform : str
        Column.
    to : str, optional
        The platform that all others are compared with; the one with the largest first count if not given.
    amount : str, optional
        Column of the table, or of the funnel's log: what buyers paid. Of a log, the amounts of the rows of the
        last step at the moment that ends each matched sequence of steps.
    squares : str, optional
        Column of the table: the sum of buyers' squared amounts, without which the basket has no interval.
    cluster : str, optional
        Column of the table: the day, or session, that a row is of. Intervals then stand on how much days differ
        (`toolkit.clusters`); without it they know only the chance of single people. Not with an amount.
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
    Das Gupta's decomposition of a product: with factors f on one platform and g on the other, step k contributes
    (f_k - g_k) times the mean, over all orders in which steps can change from g to f, of the product of the
    others, which is its Shapley value. That mean is the integral from 0 to 1 of the product of (1 - x) g_j + x f_j
    over j other than k. Contributions add up to the gap. Intervals: see `toolkit.propagation`. Where fewer than 5
    reached a step there is none, nor with an amount where fewer than 20 paid. A basket's interval allows for
    amounts as skewed as lognormal ones; rarer giants it cannot know.

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
    found = factors_of(
        counts, platform=platform, steps=steps, amount=amount, squares=squares, cluster=cluster
    )
    if to is not None and str(to) not in found.platforms:
        raise ValueError(unknown("platform", str(to), found.platforms))
    reference = int(found.counts[:, 0].argmax()) if to is None else found.platforms.index(str(to))
    names = found.platforms
    lines = []
    for at in range(len(names)):
        if at == reference:
            continue
        if found.clusters is not None:
            found.clusters.refuse_overlap(names, at, reference)
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
    return ProductSplit(table, confidence, (*_silence(found), *found.notes), unit, amount)


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
