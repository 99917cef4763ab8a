"""`jump`: what changes at a threshold, such as the fans that a rule asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from toolkit.counts import confidence_level, counts_table, one_of
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, finite, one_currency, or_missing, plain
from toolkit.scenarios.creators.bunchings import Bunching, bunching
from toolkit.scenarios.creators.local_linear import Fit, Kernel, Side, bandwidths, fitted, weigh
from toolkit.wording import amount as signed
from toolkit.wording import count, interval, interval_level, p_value, points, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Fewer rows on a side within the bandwidth give no interval that holds.
FEWEST = 20
#: Fewer distinct values on a side cannot tell a line from a step.
FEW_DISTINCT = 10
#: What rounding of x may move a jump by, in standard errors, before the sentence says so.
ROUNDED = 0.25
KERNELS = ("triangular", "uniform")


@dataclass(frozen=True, eq=False)
class Cutoff:
    """Rows on both sides of a threshold, x measured from it; rows without an outcome are left out and counted.

    `every_x` is x as it was given, of rows without an outcome too; `rate` says whether the outcome is yes or no.
    """

    left: Side
    right: Side
    missing: int
    every_x: np.ndarray
    rate: bool

    @classmethod
    def of(cls, frame: pd.DataFrame, x: str, y: str, cutoff: float) -> Cutoff:
        """From a frame; a row at the cutoff lies on the right."""
        one_currency(counts_table(frame, [x, y]))
        place, outcome = (or_missing(name, frame[name]) for name in (x, y))
        at = place - cutoff
        known = ~np.isnan(at) & ~np.isnan(outcome)
        left, right = (Side.of(at[known & side], outcome[known & side]) for side in (at < 0, at >= 0))
        if len(left.y) and len(right.y) and np.ptp(outcome[known]) == 0:
            raise ValueError(f"{y!r} is {outcome[known][0]:g} in every row: it cannot jump")
        return cls(
            left,
            right,
            int((~known).sum()),
            place[~np.isnan(place)],
            bool(np.isin(outcome[known], (0, 1)).all()),
        )

    @property
    def n(self) -> tuple[int, int]:
        """Rows with an outcome, left and right."""
        return len(self.left.x), len(self.right.x)


@dataclass(frozen=True, repr=False, eq=False)
class Jump(Result):
    """The jump of an outcome at a threshold. Made by `jump`.

    Attributes
    ----------
    table : DataFrame
        One row: `what`, `estimate`, `low`, `high`, `h`, `b`, `n_left`, `n_right` (rows within h).
    fit : Fit
        The conventional and the bias-corrected estimate with their standard errors.
    """

    table: pd.DataFrame
    fit: Fit
    data: Cutoff
    x: str
    y: str
    cutoff: float
    kernel: Kernel
    few_distinct: tuple[int, int] | None
    confidence: float

    @cached_property
    def bunching(self) -> Bunching:
        """Whether more stand just above the threshold than just below, within a quarter, half and all of h."""
        h = float(self.table["h"].iloc[0])
        away = self.data.every_x - self.cutoff
        windows = [width for width in (h / 4, h / 2, h) if (np.abs(away) < width).any()]
        return bunching(self.data.every_x, self.cutoff, window=windows, confidence=self.confidence)

    @cached_property
    def rounding(self) -> tuple[float, float]:
        """The step in which x comes within h, and by how much the jump is off if x was rounded down to it.

        Rounding down moves each row half a step from where it belongs, and the two lines differ in slope.
        """
        h = float(self.table["h"].iloc[0])
        sides = [side.within(h) for side in (self.data.left, self.data.right)]
        x = np.concatenate([side.x for side in sides])
        values = np.unique(x)
        # Values that hardly repeat are as they were measured.
        step = float(np.median(np.diff(values))) if 2 * len(values) < len(x) else 0.0
        slopes = [
            np.polyfit(side.x, side.y, 1, w=np.sqrt(weigh(side.x, h, self.kernel) * h + 1e-12))[0]
            for side in sides
        ]
        return step, abs(float(slopes[1] - slopes[0])) * step / 2

    def sensitivity(self) -> pd.DataFrame:
        """The same at half and at twice the bandwidths."""
        h, b = self.table[["h", "b"]].iloc[0]
        rows = [
            _row(self.data, f"h x {by:g}", h * by, b * by, self.kernel, self.confidence)[0]
            for by in (0.5, 1, 2)
        ]
        return pd.DataFrame(rows)

    def placebo(self, cutoffs: list[float]) -> pd.DataFrame:
        """Jumps where there is no threshold, each from the rows on its own side of the true one.

        Parameters
        ----------
        cutoffs : list of float
            In the units of x; each is estimated with a bandwidth of its own.
        """
        rows = []
        x, y = (
            np.concatenate([getattr(side, name) for side in (self.data.left, self.data.right)])
            for name in "xy"
        )
        for at in cutoffs:
            away = finite("cutoff", at) - self.cutoff
            if away == 0:
                raise ValueError(f"{at:g} is the threshold itself; a placebo lies elsewhere")
            own = (x < 0) if away < 0 else (x >= 0)
            sides = [Side.of(x[keep] - away, y[keep]) for keep in (own & (x < away), own & (x >= away))]
            part = replace(self.data, left=sides[0], right=sides[1])
            h, b = _bandwidths(part, "mse", self.kernel)
            rows.append(_row(part, f"placebo at {at:g}", h, b, self.kernel, self.confidence)[0])
        return pd.DataFrame(rows)

    def sentence(self) -> str:
        """The jump, its interval and n, and what else would explain it."""
        row = self.table.iloc[0]
        said_as = points if self.data.rate else signed
        by, ends = said_as(row["estimate"]), interval(row, said_as)
        said = (
            f"At {self.x} = {plain(self.cutoff)}, {self.y} jumps by {by} (robust "
            f"{interval_level(self.confidence)} {ends}; bandwidth {plain(row['h'], 4)}, n = "
            f"{count(row['n_left'])} left and {count(row['n_right'])} right)."
        )
        if self.data.missing:
            said += f" {count(self.data.missing)} rows without a value are left out."
        if self.few_distinct is not None:
            left, right = self.few_distinct
            said += f" Caution: few distinct values of {self.x} within the bandwidth ({left} left, {right} right)."
        step, off = self.rounding
        if off > ROUNDED * self.fit.se_robust:
            by = points(off, sign=False) if self.data.rate else plain(off, 3)
            steps = f"{self.x} comes in steps of {plain(step, 3)}"
            said += f" Caution: {steps}; if it was rounded, the jump is off by some {by}."
        if self.bunching.bunched:
            p = p_value(float(self.bunching.table["p_adjusted"].min()))
            said += f" Rows bunch at the threshold (p {p}): those there may have chosen to be there."
        return said

    def plot(self, ax: Axes | None = None) -> Axes:
        """Binned means within twice the bandwidth, and the line on each side."""
        from toolkit.scenarios.creators import plots

        h = float(self.table["h"].iloc[0])
        frames = [pd.DataFrame({"x": side.x, "y": side.y}) for side in (self.data.left, self.data.right)]
        title = f"Jump of {signed(self.table['estimate'].iloc[0])} at {self.cutoff:,g}"
        return plots.cutoff(pd.concat(frames), h, self.cutoff, (self.x, self.y), title, ax)


def jump(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    cutoff: float,
    bandwidth: float | tuple[float, float] | Literal["mse"] = "mse",
    kernel: Kernel = "triangular",
    confidence: float = 0.95,
) -> Jump:
    """Say by how much an outcome jumps where a rule begins to hold.

    Parameters
    ----------
    frame : DataFrame
        One row a unit, such as a creator in a month.
    x, y : str
        Columns: what the rule looks at, and the outcome. Rows without either are left out and counted.
    cutoff : float
        The threshold, in units of x; a row at it counts as above.
    bandwidth : "mse", float, or (h, b)
        "mse": of least mean squared error. One number is used for the estimate and for its bias.
    kernel : {"triangular", "uniform"}
    confidence : float
        Of the interval, between 0 and 1.

    Returns
    -------
    Jump

    Raises
    ------
    ValueError
        For an unknown column, and fewer than 20 rows on a side within the bandwidth.

    Notes
    -----
    Local linear regression on each side; the interval is centred on the bias-corrected estimate and counts the
    correction's own noise, with nearest-neighbour residuals. It speaks of units at the threshold only. Density tests
    beside it: `bunching`. Coverage: benchmarks/scenarios.md.

    References
    ----------
    Calonico, Cattaneo & Titiunik (2014), Econometrica 82, 2295-2326.

    Examples
    --------
    >>> rows = pd.DataFrame({"fans": np.arange(900, 1100)})
    >>> noise = np.random.default_rng(1).normal(0, 1, 200)
    >>> rows["sales"] = rows["fans"] / 100 + 5 * (rows["fans"] >= 1000) + noise
    >>> jump(rows, x="fans", y="sales", cutoff=1000).table[["estimate", "low", "high", "n_left"]].round(2)
       estimate   low  high  n_left
    0      5.47  4.23  6.93      30
    """
    confidence = confidence_level(confidence)
    one_of("kernel", kernel, KERNELS)
    data = Cutoff.of(frame, x, y, finite("cutoff", cutoff))
    h, b = _bandwidths(data, bandwidth, kernel)
    row, fit = _row(data, f"jump of {y}", h, b, kernel, confidence)
    distinct = tuple(len(np.unique(side.within(h).x)) for side in (data.left, data.right))
    few = (distinct[0], distinct[1]) if min(distinct) < FEW_DISTINCT else None
    return Jump(pd.DataFrame([row]), fit, data, x, y, float(cutoff), kernel, few, confidence)


def _bandwidths(data: Cutoff, bandwidth: Any, kernel: Kernel) -> tuple[float, float]:
    if isinstance(bandwidth, str):
        one_of("bandwidth", bandwidth, ("mse",))
        if min(data.n) < FEWEST:
            raise ValueError(_too_few(data.n, "in all"))
        try:
            found = bandwidths(data.left, data.right, kernel)
        except np.linalg.LinAlgError:
            found = (np.nan, np.nan)
        if not np.isfinite(found).all():
            values = [len(np.unique(side.x)) for side in (data.left, data.right)]
            why = (
                f"few distinct values ({values[0]} left, {values[1]} right): "
                if min(values) < FEW_DISTINCT
                else ""
            )
            raise ValueError(
                f"{why}no bandwidth can be chosen; give bandwidth=, or compare the two neighbouring values"
            )
        return found
    pair = tuple(bandwidth) if isinstance(bandwidth, tuple | list) else (bandwidth, bandwidth)
    if len(pair) != 2:
        raise ValueError(f"bandwidth={bandwidth!r}: give one number, or two: (h, b)")
    return amount("bandwidth", pair[0], positive=True), amount("bandwidth", pair[1], positive=True)


def _row(
    data: Cutoff, what: str, h: float, b: float, kernel: Kernel, confidence: float
) -> tuple[dict[str, Any], Fit]:
    n = len(data.left.within(h).x), len(data.right.within(h).x)
    if min(n) < FEWEST:
        raise ValueError(_too_few(n, f"within {plain(h, 4)} of the cutoff"))
    try:
        fit = fitted(data.left, data.right, h, b, kernel)
    except np.linalg.LinAlgError:
        distinct = [len(np.unique(side.within(h).x)) for side in (data.left, data.right)]
        raise ValueError(
            f"few distinct values within the bandwidth ({some(distinct)}): no line can be fitted"
        ) from None
    half = float(special.ndtri((1 + confidence) / 2)) * fit.se_robust
    ends = {"low": fit.corrected - half, "high": fit.corrected + half}
    return {
        "what": what,
        "estimate": fit.conventional,
        **ends,
        "h": h,
        "b": b,
        "n_left": n[0],
        "n_right": n[1],
    }, fit


def _too_few(n: tuple[int, int], where: str) -> str:
    return f"{n[0]} rows left and {n[1]} right {where}; {FEWEST} are needed on each side: give a wider bandwidth="
