"""The question: options as they were given, checked, and what they come to on the series' clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of
from toolkit.interruptions.caveats import LEAST
from toolkit.interruptions.design import aligned
from toolkit.interruptions.errors import registry
from toolkit.interruptions.scales import SCALES, ScaleName
from toolkit.interruptions.series import Clock, Series
from toolkit.interruptions.terms import Term

#: Correlation above which two series are one and the same but for their unit.
SAME = 1 - 1e-12


@dataclass(frozen=True, eq=False)
class Question:
    """What was asked, as it was asked; see `interrupted_time_series` for each of the options."""

    series: pd.Series | pd.DataFrame
    interruptions: Mapping[str, Term | Sequence[Term]]
    season: Any = "auto"
    calendar: Any = None
    covariates: pd.Series | pd.DataFrame | None = None
    controls: pd.Series | pd.DataFrame | None = None
    leave_out: Sequence[tuple[Any, Any]] = ()
    errors: str = "auto"
    scale: ScaleName = "auto"
    trend: bool = True
    offset: pd.Series | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse options that are invalid whatever the series."""
        object.__setattr__(self, "confidence", confidence_level(self.confidence))
        one_of("scale", self.scale, SCALES)
        registry.find(self.errors)

    @property
    def linked(self) -> bool:
        """Whether counts are modelled by the logarithm of their mean."""
        return registry.find(self.errors)[0].linked

    def compared(self, clock: Clock) -> dict[str, np.ndarray]:
        """Comparison series on a clock, by name."""
        if self.controls is None:
            return {}
        given = self.controls
        frame = given.to_frame(given.name or "comparison") if isinstance(given, pd.Series) else given
        return aligned(clock, frame, "comparison")

    def kept(self, clock: Clock) -> np.ndarray:
        """Periods that are not left out."""
        kept = np.ones(len(clock.periods), bool)
        for span in self.leave_out:
            if isinstance(span, str) or len(span) != 2:
                raise ValueError(
                    f"leave_out holds pairs of dates, as ('2019-07-29', '2019-07-31'), not {span!r}"
                )
            kept[clock.place(span[0]) : clock.place(span[1]) + 1] = False
        return kept

    def offsets(self, clock: Clock) -> np.ndarray:
        """Logarithm of the exposure at every period; 0 without one."""
        if self.offset is None:
            return np.zeros(len(clock.periods))
        [values] = aligned(clock, self.offset.to_frame("offset"), "offset").values()
        return values


def comparable(series: Series, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Comparison series, checked against the series themselves, periods x comparisons.

    Raises
    ------
    ValueError
        For a comparison without values, or that is the series itself.
    """
    for name, column in columns.items():
        if np.isnan(column).all():
            raise ValueError(
                f"comparison {name!r} has no value in the span of the series, {series.clock.span}"
            )
        if np.isinf(column).any():
            raise ValueError(f"comparison {name!r} is infinite somewhere; mark it missing or mend it")
        for own, values in zip(series.names, series.values.T, strict=True):
            both = ~np.isnan(column) & ~np.isnan(values)
            if both.sum() < LEAST:
                raise ValueError(
                    f"comparison {name!r} and series {own!r} share {both.sum()} points, not {LEAST} at least"
                )
            if np.array_equal(column[both], values[both]):
                raise ValueError(
                    f"comparison {name!r} is the series {own!r} itself; leave it out of controls="
                )
            spreads = column[both].std() * values[both].std()
            if spreads > 0 and np.cov(column[both], values[both], ddof=0)[0, 1] > SAME * spreads:
                raise ValueError(
                    f"comparison {name!r} is the series {own!r} in other units; leave it out of controls="
                )
    return np.column_stack(list(columns.values())) if columns else np.empty((len(series.values), 0))
