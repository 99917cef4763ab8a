"""What every answer about platforms and tiers shares: a caveat, a figure, and how it says numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from toolkit import intervals
from toolkit.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: More tests than this are adjusted by Benjamini and Hochberg.
FEW_TESTS = 20
ADJUSTMENTS = ("auto", "holm", "benjamini_hochberg", None)


@dataclass(frozen=True, repr=False, eq=False)
class Answer(Result):
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
        from toolkit.tiers import plots

        return plots.estimates(self, ax)

    def closing(self, *more: str) -> str:
        """Caveats as the end of a sentence."""
        said = [text for text in (*more, *self.caveats) if text]
        return f"; {'; '.join(said)}." if said else "."

    @property
    def level(self) -> str:
        """The level of the intervals, in words."""
        return f"{self.confidence * 100:g} % interval"


def points(difference: float, sign: bool = True) -> str:
    """A difference of rates in points, small ones with two significant figures."""
    if math.isnan(difference):
        return "unknown"
    text = f"{difference * 100:{'+' if sign else ''}.{_digits(difference)}f}".replace("-", "−")
    return f"{text} points"


def points_between(low: float, high: float) -> str:
    """An interval of a difference of rates."""
    if math.isnan(low) or math.isnan(high):
        return "no interval: too few"
    digits = min(_digits(low), _digits(high))
    return f"{low * 100:.{digits}f} to {high * 100:.{digits}f}".replace("-", "−")


def _digits(rate: float) -> int:
    size = abs(rate) * 100
    return 1 if size >= 1 or size == 0 else min(6, 1 - math.floor(math.log10(size)))


def checked(adjust: str | None) -> str | None:
    """The adjustment, or an error that names those there are."""
    if adjust not in ADJUSTMENTS:
        raise ValueError(f"adjust={adjust!r}; use one of {', '.join(map(repr, ADJUSTMENTS))}")
    return adjust


def adjusted(table: pd.DataFrame, adjust: str | None, family: str) -> tuple[pd.DataFrame, str]:
    """The table with `p_adjusted` after `p`, and the method with the family that it is over."""
    p = table["p"].to_numpy(float)
    tests = int((~pd.isna(p)).sum())
    if adjust is None:
        return table, f"p values are not adjusted ({tests} tests: {family})"
    if adjust == "auto":
        adjust = "holm" if tests <= FEW_TESTS else "benjamini_hochberg"
    method = {"holm": intervals.holm, "benjamini_hochberg": intervals.benjamini_hochberg}[adjust]
    table = table.copy()
    table.insert(list(table.columns).index("p") + 1, "p_adjusted", method(p))
    said = {"holm": "Holm", "benjamini_hochberg": "Benjamini-Hochberg"}[adjust]
    return table, f"{said} over {tests} tests: {family}"
