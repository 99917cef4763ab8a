"""Tables of estimates with their intervals: what every answer about platforms and tiers is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from toolkit.results import Result
from toolkit.wording import interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Estimates(Result):
    """A table of estimates with intervals, one per row.

    Attributes
    ----------
    table : DataFrame
        The columns that name a row, then `estimate`, `low`, `high`, and the n behind them.
    confidence : float
        Of every interval.
    caveats : tuple of str
        What a reader must know of the counts.
    largest : DataFrame or None
        What the figure shows of many tiers: the same of the 12 largest, and of all others together.

    Examples
    --------
    >>> row = {"platform": "a", "tier": "one", "estimate": 1.5, "low": 1.0, "high": 2.0, "n": 40}
    >>> Estimates(pd.DataFrame([row]), 0.95, ("users count once",)).closing("few users")
    '. Note: few users; users count once.'
    """

    table: pd.DataFrame
    confidence: float
    caveats: tuple[str, ...]
    largest: pd.DataFrame | None = field(default=None, repr=False, kw_only=True)

    #: Columns that name a row in the figure; what its axis measures; the value of no difference, if any.
    named: ClassVar[tuple[str, ...]] = ("platform", "tier")
    axis: ClassVar[str] = ""
    null: ClassVar[float | None] = 0.0

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each row of the table; of many tiers the largest 12, all others as one."""
        return self._drawn(self.axis, ax)

    def _drawn(self, axis: str, ax: Axes | None, scale: float | None = None) -> Axes:
        """The figure with its axis named."""
        from toolkit.tiers import plots

        return plots.estimates(
            self.table if self.largest is None else self.largest,
            ax,
            named=self.named,
            axis=axis,
            level=f"{self.level}s",
            scale=scale or (100 if "estimate" in self.rates | self.differences else 1),
            null=self.null,
        )

    def closing(self, *more: str) -> str:
        """The end of a sentence: a full stop, and the caveats as a note."""
        said = [text for text in (*more, *self.caveats) if text]
        return f". Note: {'; '.join(said)}." if said else "."

    @property
    def level(self) -> str:
        """The level of the intervals, in words."""
        return interval_level(self.confidence)
