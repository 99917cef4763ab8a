"""What every answer about platforms and tiers shares: a table of estimates, caveats, and a figure of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from toolkit.results import Result
from toolkit.wording import interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Estimates(Result):
    """A table of estimates with intervals, one per row."""

    table: pd.DataFrame
    confidence: float
    caveats: tuple[str, ...]

    #: Columns that name a row in the figure; what its axis measures; the value of no difference, if any.
    named: ClassVar[tuple[str, ...]] = ("platform", "tier")
    axis: ClassVar[str] = ""
    null: ClassVar[float | None] = 0.0

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each row of the table."""
        return self._drawn(self.axis, ax)

    def _drawn(self, axis: str, ax: Axes | None) -> Axes:
        """The figure with its axis named."""
        from toolkit.tiers import plots

        return plots.estimates(
            self.table,
            ax,
            named=self.named,
            axis=axis,
            level=f"{self.level}s",
            scale=100 if "estimate" in self.rates | self.points else 1,
            null=self.null,
        )

    def closing(self, *more: str) -> str:
        """Caveats as the end of a sentence."""
        said = [text for text in (*more, *self.caveats) if text]
        return f"; {'; '.join(said)}." if said else "."

    @property
    def level(self) -> str:
        """The level of the intervals, in words."""
        return interval_level(self.confidence)
