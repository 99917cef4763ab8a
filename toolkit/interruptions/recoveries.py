"""When a series had recovered: the first day from which the gap to what would have been stays within a margin.

Recovery      the answer: a date for each series, and the gap at every period
recovery      found from the interval of the gap
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from toolkit.interruptions import estimands
from toolkit.interruptions.model import Model
from toolkit.interruptions.series import Clock
from toolkit.results import Result
from toolkit.wording import change, interval, interval_level, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Recovery(Result):
    """When the gap had closed. Made by `InterruptedTimeSeries.recovery`.

    `table`: series (of many), interruption, margin, recovered (first date from which the interval of the gap stays
    above -margin to the end; none if not within the data), indistinct (first date from which it always holds 0),
    estimate, low, high (the gap on the last day, as a share), n. `gaps`: the gap at every period.
    """

    table: pd.DataFrame
    gaps: pd.DataFrame
    confidence: float

    rates: ClassVar[frozenset[str]] = frozenset({"margin", "estimate", "low", "high"})

    def sentence(self) -> str:
        """When, or that it did not within the data."""
        parts = []
        for row in self.table.head(3).to_dict("records"):
            when = (
                f"since {row['recovered']} its whole interval is above {change(-row['margin'])}"
                if row["recovered"]
                else f"not within the data to within {change(row['margin']).removeprefix('+')}"
            )
            indistinct = (
                f"not distinguishable from 0 since {row['indistinct']}"
                if row["indistinct"]
                else "still distinguishable from 0"
            )
            name = f"{row['series']}, " if "series" in row else ""
            parts.append(
                f"{name}{row['interruption']}: recovered {when}; {indistinct}; on the last day "
                f"{change(row['estimate'])} ({interval(row, change)}, n = {row['n']:,})"
            )
        return f"{'. '.join(parts)} ({interval_level(self.confidence)}s, each day by itself)."

    def plot(self, ax: Axes | None = None) -> Axes:
        """The gap over time, with its band and the margin."""
        from toolkit.interruptions import plots

        return plots.recovery(self.gaps, float(self.table["margin"].iloc[0]), ax)


def recovery(model: Model, margin: float = 0.05, *, of: str | Sequence[str] | None = None) -> Recovery:
    """When the gap to what would have been had closed, to within a margin of it.

    Parameters
    ----------
    margin : float
        Share of the counterfactual.
    of : str or list of str, optional
        Interruptions that are taken away together; all if not given.
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin is a share of the counterfactual between 0 and 1, as 0.05 is, not {margin}")
    names = model.chosen(of)
    asked = model.window(names)
    clock, names_of = model.series.clock, model.series.names
    gap, low, high = found = estimands.gaps(model, names, asked)
    above, held = low > -margin, (low <= 0) & (high >= 0)
    table = pd.DataFrame(
        {
            "series": names_of,
            "interruption": some(names),
            "margin": margin,
            "recovered": pd.Series([_since(one, asked, clock) for one in above], dtype=object),
            "indistinct": pd.Series([_since(one, asked, clock) for one in held], dtype=object),
            **dict(zip(("estimate", "low", "high"), found[:, :, -1], strict=True)),
            "n": model.points,
        }
    )
    gaps = pd.DataFrame(
        {
            "series": np.repeat(names_of, len(asked)),
            "time": clock.times[np.tile(asked, len(names_of))],
            **{name: one.ravel() for name, one in (("gap", gap), ("low", low), ("high", high))},
        }
    )
    if len(names_of) == 1:
        table, gaps = table.drop(columns="series"), gaps.drop(columns="series")
    return Recovery(table, gaps, model.confidence)


def _since(holds: np.ndarray, periods: np.ndarray, clock: Clock) -> str | None:
    """The first period from which something holds to the end."""
    if not holds[-1]:
        return None
    failed = np.flatnonzero(~holds)
    return clock.said(int(periods[failed[-1] + 1] if len(failed) else periods[0]))
