"""Effects of interruptions against the counterfactual: average, cumulative and relative.

Effect          the answer
effect          at one period or over several
counterfactual  period by period, with bands
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions import adequacy, estimands
from toolkit.interruptions.caveats import constant
from toolkit.interruptions.model import Model
from toolkit.interruptions.series import per
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ESTIMANDS = ("average", "cumulative", "relative")
#: Series whose effects a sentence tells.
MOST = 3


@dataclass(frozen=True, repr=False, eq=False)
class Effect(Result):
    """An effect over some periods. Made by `InterruptedTimeSeries.effect`.

    `table`: series (of many), interruption, start, end, estimand, estimate, low, high, n. Estimands: "average" (per
    period) and "cumulative" in the units of the series, and "relative": the share of the counterfactual.
    """

    table: pd.DataFrame
    confidence: float
    what: str
    unit: str
    caveats: tuple[str, ...]

    def value(self, estimand: str) -> tuple[float, float, float]:
        """Estimate, low and high of one estimand of a single series."""
        row = self.table[self.table["estimand"] == estimand].iloc[0]
        return float(row["estimate"]), float(row["low"]), float(row["high"])

    def sentence(self) -> str:
        """The effect in words."""
        names = self.table["series"].unique() if "series" in self.table else [None]
        parts = []
        for name in names[:MOST]:
            rows = self.table if name is None else self.table[self.table["series"] == name]
            rows = rows.set_index("estimand")
            mean, share = (rows.loc[key] for key in ("average", "relative"))
            text = (
                f"{change(share['estimate'])} ({interval(share, change)}), {amount(mean['estimate'])} {per(self.unit)} "
                f"({interval(mean, amount)}), n = {mean['n']:,}"
            )
            parts.append(text if name is None else f"{name}: {text}")
        if len(names) > MOST:
            parts.append(f"{len(names) - MOST} more series: see .table")
        start, end = self.table["start"].iloc[0], self.table["end"].iloc[0]
        when = f"on {start}" if start == end else f"from {start} to {end}"
        closing = f"; {'; '.join(self.caveats)}." if self.caveats else "."
        return (
            f"Effect of {self.what} {when}: {'. '.join(parts)} ({interval_level(self.confidence)}s){closing}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Estimates with their intervals."""
        from toolkit.interruptions import plots

        return plots.effect(self.table, ax)


def effect(
    model: Model,
    *,
    at: Any = None,
    over: tuple[Any, Any] | None = None,
    of: str | Sequence[str] | None = None,
) -> Effect:
    """What interruptions added to a series, against the counterfactual without them.

    Parameters
    ----------
    at : date, optional
        One period.
    over : (from, to), optional
        Several, the last included. From the interruption to the end of the series if neither is given.
    of : str or list of str, optional
        Interruptions that are taken away together; all if not given.

    Returns
    -------
    Effect
        Average and cumulative effect in the units of the series, and the relative one.

    Notes
    -----
    With f the fitted mean of a period and c its counterfactual mean, over the periods asked about: average, the mean
    of f - c; cumulative, the sum of observed values less c over periods with data, with the errors of those periods in
    the interval; relative, sum f / sum c - 1, never a mean of shares.

    Means can be summed: x b on the identity scale; on the log scale exp(x b + v/2) with v the errors' variance, as
    exp(x b) would be the median; for counts with a log link exp(x b + offset). Intervals by the delta method, on the
    log scale for the relative effect, whose limits are those of the average effect too: f (1 - 1 / ratio). They take v
    as known. The sentence gives the average; the cumulative effect, of observed values, is in the table.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")}, scale="identity")
    >>> found.effect(over=("2019-07-31", "2019-08-06")).table[["estimand", "estimate", "n"]].round(2)
         estimand  estimate  n
    0     average    -19.28  7
    1  cumulative   -133.13  7
    2    relative     -0.19  7
    """
    names = model.chosen(of)
    asked = model.window(names, at, over)
    clock = model.series.clock
    own = model.design.matrix[: model.design.treated]
    instead = model.design.without(names)
    if not (own - instead)[asked].any():
        raise ValueError(
            f"{some(names)} had no term that acts from {clock.said(asked[0])} to {clock.said(asked[-1])}; "
            "ask over= other dates"
        )
    found = np.empty((len(model.series.names), len(ESTIMANDS), 3))
    for part in model.parts:
        answers = estimands.Estimands(model, part, names, asked).all()
        found[part.series] = np.stack([answers[name] for name in ESTIMANDS], 1)
    n = (~np.isnan(model.series.values[asked])).sum(0)
    caveats = [
        f"{missing} {clock.unit}s without data are not in the cumulative effect"
        for missing in dict.fromkeys(len(asked) - n)
        if missing
    ]
    lost = int(asked[-1] - asked[0]) + 1 - len(asked)
    if lost:
        caveats.append(f"{counted(lost, clock.unit)} whose covariates are missing are left out")
    if np.isnan(found[:, ESTIMANDS.index("relative"), 0]).any():
        caveats.append("no relative effect: the counterfactual is not above 0")
    first = min(clock.place(term.at) for given in model.interruptions.values() for term in given)
    caveats += [*constant(model.series, first), *adequacy.warnings(model)]
    table = pd.DataFrame(
        {
            "series": np.repeat(model.series.names, len(ESTIMANDS)),
            "interruption": some(names),
            "start": clock.said(asked[0]),
            "end": clock.said(asked[-1]),
            "estimand": np.tile(ESTIMANDS, len(n)),
            **dict(zip(("estimate", "low", "high"), found.reshape(-1, 3).T, strict=True)),
            "n": np.repeat(n, len(ESTIMANDS)),
        }
    )
    table = table.drop(columns="series") if len(n) == 1 else table
    return Effect(table, model.confidence, some(names), clock.unit, tuple(caveats))


def counterfactual(model: Model) -> pd.DataFrame:
    """The series without its interruptions, period by period: observed, fitted, counterfactual, and two bands.

    Columns: series (of many), time, observed, fitted, counterfactual, low, high, predicted_low, predicted_high. Fitted
    and counterfactual are means, as in `effect`; low and high bound the counterfactual mean (a confidence band),
    predicted_low and predicted_high a single value (a prediction band).
    """
    times, names = model.series.clock.times, model.series.names
    table = pd.DataFrame(
        {
            "series": np.repeat(names, len(times)),
            "time": times[np.tile(np.arange(len(times)), len(names))],
            "observed": model.series.values.T.ravel(),
            **{name: one.ravel() for name, one in estimands.predicted(model, model.chosen(None)).items()},
        }
    )
    return table.drop(columns="series") if len(names) == 1 else table
