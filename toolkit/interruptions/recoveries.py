"""Recovery: the first date from which the gap to the counterfactual stays within a margin.

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
    """When a series had recovered. Made by `InterruptedTimeSeries.recovery`.

    `table`: series (of many), interruption, margin, recovered (first date from which the whole interval
    of the gap lies above -margin to the end of the data; none if there is no such date), indistinct (first date from
    which the interval includes 0 to the end), estimate, low, high (the gap in the last period, as a share), n. `gaps`:
    the gap at every period.
    """

    table: pd.DataFrame
    gaps: pd.DataFrame
    confidence: float
    unit: str
    start: str

    rates: ClassVar[frozenset[str]] = frozenset({"margin", "estimate", "low", "high"})

    def sentence(self) -> str:
        """When the series recovered, or that it did not by the end of the data."""
        parts = []
        for row in self.table.head(3).to_dict("records"):
            margin = f"{row['margin'] * 100:g} %"
            when = f"did not recover to within {margin} by the end of the data"
            if row["recovered"]:
                when = f"recovered to within {margin} on {row['recovered']}"
            if row["recovered"] == self.start:
                when = f"never more than {margin} below the counterfactual since {row['recovered']}"
            indistinct = (
                f"not distinguishable from 0 since {row['indistinct']}"
                if row["indistinct"]
                else "still distinguishable from 0"
            )
            name = f"{row['series']}, " if "series" in row else ""
            parts.append(
                f"{name}{row['interruption']}: {when}; at the end the gap is {change(row['estimate'])} "
                f"({interval(row, change)}, n = {row['n']:,}), {indistinct}"
            )
        if len(self.table) > len(parts):
            parts.append(f"{len(self.table) - len(parts)} more series: see .table")
        return f"{'. '.join(parts)} ({interval_level(self.confidence)}s, each {self.unit} by itself)."

    def plot(self, ax: Axes | None = None) -> Axes:
        """The gap over time, with its band and the margin."""
        from toolkit.interruptions import plots

        return plots.recovery(self.gaps, float(self.table["margin"].iloc[0]), ax)


def recovery(model: Model, margin: float = 0.05, *, of: str | Sequence[str] | None = None) -> Recovery:
    """When a series had recovered: its gap to the counterfactual had closed to within a margin.

    Parameters
    ----------
    margin : float
        Share of the counterfactual, between 0 and 1.
    of : str or list of str, optional
        Interruptions that are taken away together; all if not given.

    Returns
    -------
    Recovery

    Raises
    ------
    ValueError
        For a margin that is not between 0 and 1, or an unknown interruption.

    Notes
    -----
    Recovered: the first period from which the whole interval of the gap lies above -margin until the end of the data,
    not the first at which the estimate does. An interval that merely includes 0 rewards noise, so that
    "not distinguishable from 0" is reported apart. Intervals are of each period by itself.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")}, scale="identity")
    >>> found.recovery().table[["margin", "recovered", "estimate", "low", "high"]].round(2)
       margin recovered  estimate  low  high
    0    0.05      None      -0.2 -0.2 -0.19
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
    return Recovery(table, gaps, model.confidence, clock.unit, clock.said(int(asked[0])))


def _since(holds: np.ndarray, periods: np.ndarray, clock: Clock) -> str | None:
    """The first period from which a condition holds to the end; None if it fails in the last one."""
    if not holds[-1]:
        return None
    failed = np.flatnonzero(~holds)
    return clock.said(int(periods[failed[-1] + 1] if len(failed) else periods[0]))
