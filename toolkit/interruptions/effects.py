"""Effects of interruptions: what they added, on average, in all, and as a share of what would have been.

Effect          the answer: absolute and relative, average and cumulative
effect          an effect at one period or over several
counterfactual  what would have been, period by period, with bands
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit.interruptions import estimands
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions.result import InterruptedTimeSeries

ESTIMANDS = ("average", "cumulative", "relative")


@dataclass(frozen=True, repr=False, eq=False)
class Effect(Result):
    """An effect over some periods. Made by `InterruptedTimeSeries.effect`.

    `table`: series (of many), interruption, start, end, estimand, estimate, low, high, n. Estimands: "average" (per
    period) and "cumulative" in the units of the series, and "relative": the share of what would have been.
    """

    table: pd.DataFrame
    confidence: float
    what: str
    unit: str
    caveats: tuple[str, ...]

    rates: ClassVar[frozenset[str]] = frozenset()

    def value(self, estimand: str) -> tuple[float, float, float]:
        """Estimate, low and high of one estimand of a single series."""
        row = self.table[self.table["estimand"] == estimand].iloc[0]
        return float(row["estimate"]), float(row["low"]), float(row["high"])

    def sentence(self) -> str:
        """The effect in words."""
        names = self.table["series"].unique() if "series" in self.table else [None]
        parts = []
        for name in names[:3]:
            rows = self.table if name is None else self.table[self.table["series"] == name]
            rows = rows.set_index("estimand")
            mean, share, whole = (rows.loc[key] for key in ("average", "relative", "cumulative"))
            text = (
                f"{change(share['estimate'])} ({interval(share, change)}), {amount(mean['estimate'])} a {self.unit} "
                f"({interval(mean, amount)}), {amount(whole['estimate'])} in all ({interval(whole, amount)}), "
                f"n = {mean['n']:,}"
            )
            parts.append(text if name is None else f"{name}: {text}")
        start, end = self.table["start"].iloc[0], self.table["end"].iloc[0]
        when = f"on {start}" if start == end else f"from {start} to {end}"
        closing = f"; {'; '.join(self.caveats)}." if self.caveats else "."
        return (
            f"Effect of {self.what} {when}: {'. '.join(parts)} ({interval_level(self.confidence)}s){closing}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Estimates with their intervals."""
        from toolkit.interruptions import plots

        return plots.effect(self, ax)


def chosen(result: InterruptedTimeSeries, of: str | Sequence[str] | None) -> list[str]:
    """Names of interruptions, all by default."""
    names = list(result.interruptions) if of is None else [of] if isinstance(of, str) else list(of)
    for name in names:
        if name not in result.interruptions:
            raise ValueError(f"no interruption {name!r}; there are: {some(list(result.interruptions))}")
    return names


def window(result: InterruptedTimeSeries, names: Sequence[str], at: Any, over: Any) -> np.ndarray:
    """Numbers of the periods that are asked about: from the first of the interruptions on, by default.

    Periods whose covariates are missing are not among them, as the series is missing there too.
    """
    clock = result.series.clock
    if at is not None and over is not None:
        raise ValueError("give at= for one period or over= for several, not both")
    if at is not None:
        first = last = clock.place(at)
    elif over is None:
        first = min(clock.place(term.at) for name in names for term in result.interruptions[name])
        last = len(clock.periods) - 1
    elif isinstance(over, str) or len(over) != 2:
        raise ValueError(f"over= is a pair of dates, the last included, not {over!r}")
    else:
        first, last = (clock.place(date) for date in over)
    if last < first:
        raise ValueError(f"over={over!r} ends before it starts; swap the dates")
    asked = np.arange(first, last + 1)
    known = ~np.isnan(result.design.matrix[asked]).any(1)
    if not known.any():
        raise ValueError(f"covariates are missing from {clock.said(first)} to {clock.said(last)}; fill them")
    return asked[known]


def effect(result: InterruptedTimeSeries, *, at: Any = None, over: Any = None, of: Any = None) -> Effect:
    """See `InterruptedTimeSeries.effect`."""
    names = chosen(result, of)
    asked = window(result, names, at, over)
    clock = result.series.clock
    own = result.design.matrix[: result.design.treated]
    instead = result.design.without(names)
    if not (own - instead)[asked].any():
        raise ValueError(
            f"{some(names)} had no term that acts from {clock.said(asked[0])} to {clock.said(asked[-1])}; "
            "ask over= other dates"
        )
    found = np.empty((len(result.series.names), len(ESTIMANDS), 3))
    for part in result.parts:
        answers = estimands.Estimands(result, part, names, asked).all()
        found[part.series] = np.stack([answers[name] for name in ESTIMANDS], 1)
    n = (~np.isnan(result.series.values[asked])).sum(0)
    caveats = [
        f"{missing} {clock.unit}s without data are not in the cumulative effect"
        for missing in dict.fromkeys(len(asked) - n)
        if missing
    ]
    lost = int(asked[-1] - asked[0]) + 1 - len(asked)
    if lost:
        caveats.append(f"{counted(lost, clock.unit)} whose covariates are missing are left out")
    if np.isnan(found[:, ESTIMANDS.index("relative"), 0]).any():
        caveats.append("no relative effect: what would have been is not above 0")
    table = pd.DataFrame(
        {
            "series": np.repeat(result.series.names, len(ESTIMANDS)),
            "interruption": some(names),
            "start": clock.said(asked[0]),
            "end": clock.said(asked[-1]),
            "estimand": np.tile(ESTIMANDS, len(n)),
            **dict(zip(("estimate", "low", "high"), found.reshape(-1, 3).T, strict=True)),
            "n": np.repeat(n, len(ESTIMANDS)),
        }
    )
    table = table.drop(columns="series") if len(n) == 1 else table
    return Effect(table, result.confidence, some(names), clock.unit, tuple(caveats))


def counterfactual(result: InterruptedTimeSeries, of: Any = None) -> pd.DataFrame:
    """See `InterruptedTimeSeries.counterfactual`."""
    times, names = result.series.clock.times, result.series.names
    table = pd.DataFrame(
        {
            "series": np.repeat(names, len(times)),
            "time": times[np.tile(np.arange(len(times)), len(names))],
            "observed": result.series.values.T.ravel(),
            **{name: one.ravel() for name, one in estimands.predicted(result, chosen(result, of)).items()},
        }
    )
    return table.drop(columns="series") if len(names) == 1 else table
