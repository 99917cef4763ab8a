"""`bunching`: whether more stand just above a threshold than just below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from toolkit.counts import confidence_level
from toolkit.intervals import wilson
from toolkit.multiplicity import adjusted
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, column, finite, names_of, plain
from toolkit.wording import count, interval, interval_level, p_value, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Bunching(Result):
    """Counts on both sides of a threshold. Made by `bunching`.

    Attributes
    ----------
    table : DataFrame
        By `window`: `below`, `above` (the threshold included), `estimate` (share above, of both), `low`, `high`, `n`,
        `p` of an even split, `p_adjusted` (Holm over the windows).
    """

    table: pd.DataFrame
    cutoff: float
    confidence: float

    rates: ClassVar = frozenset({"estimate", "low", "high"})

    @property
    def bunched(self) -> bool:
        """Whether a window's split is uneven with an adjusted p below 0.05, and leans to the upper side."""
        sure = self.table[self.table["p_adjusted"] < 0.05]
        return bool((sure["estimate"] > 0.5).any())

    def sentence(self) -> str:
        """The window that is least even, and what the test does not see."""
        row = self.table.loc[self.table["p"].idxmin()]
        tests = f"p {p_value(row['p_adjusted'])} by Holm over {len(self.table)} windows"
        return (
            f"Within {plain(row['window'], 4)} of {plain(self.cutoff)}, {count(row['above'])} stand at or above and "
            f"{count(row['below'])} below: {percent(row['estimate'])} above ({interval_level(self.confidence)} "
            f"{interval(row, percent)}, n = {count(row['n'])}; "
            f"{tests if len(self.table) > 1 else 'p ' + p_value(row['p'])}). "
            "An even split is expected only where the density is flat across the window: believe narrow windows more."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The share above the threshold by window."""
        from toolkit.scenarios import axes

        named = self.table.assign(window=[f"within {plain(value, 4)}" for value in self.table["window"]])
        return axes.estimates(
            named, ["window"], "share at or above the threshold", null=0.5, rate=True, ax=ax
        )


def bunching(
    values: Any, cutoff: float, *, window: float | Sequence[float], confidence: float = 0.95
) -> Bunching:
    """Count who stands just below and just above a threshold.

    Parameters
    ----------
    values : list or Series of float
        What the rule looks at, such as fans; missing values are refused.
    cutoff : float
        The threshold; a value at it counts as above.
    window : float or list of float
        How far from the threshold: [cutoff - window, cutoff) against [cutoff, cutoff + window).
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Bunching

    Raises
    ------
    ValueError
        For a missing value (it names the row), a window of 0 or less, and a window with nobody in it.

    Notes
    -----
    Exact binomial test of one half in each window; Wilson's interval of the share above. Over a narrow window any
    smooth density is nearly flat; over a wide one a falling density shows fewer above without any bunching.

    Examples
    --------
    >>> bunching([4800, 4900, 5000, 5050, 5100, 5150], 5000, window=250).table[["below", "above"]].values.tolist()
    [[2, 4]]
    """
    from scipy.stats import binomtest  # slow to import

    confidence = confidence_level(confidence)
    from_cutoff = column("values", values, negative=True) - finite("cutoff", cutoff)
    windows = [amount("window", one, positive=True) for one in names_of(window)]
    if not windows:
        raise ValueError("window= is empty: say how far from the threshold to count")
    rows = []
    for width in windows:
        below = int(((from_cutoff >= -width) & (from_cutoff < 0)).sum())
        above = int(((from_cutoff >= 0) & (from_cutoff < width)).sum())
        if not below + above:
            raise ValueError(f"nobody lies within {plain(width)} of {plain(cutoff)}: widen window=")
        ends = wilson(above, below + above, confidence)
        p = float(binomtest(above, below + above).pvalue)
        rows.append((width, below, above, above / (below + above), ends.low, ends.high, below + above, p))
    names = ["window", "below", "above", "estimate", "low", "high", "n", "p"]
    table, _ = adjusted(pd.DataFrame(rows, columns=names), "holm")
    return Bunching(table, float(cutoff), confidence)
