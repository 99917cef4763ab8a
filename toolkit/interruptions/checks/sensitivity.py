"""Sensitivity to the trend: the same effect with one more bend in the trend before it, on both scales.

Sensitivity    the answer: a row for every model, their average, and the bend that would take the effect away
sensitivity    bends the trend at every admissible date, fits each, and weighs them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.checks import bends
from toolkit.interruptions.checks.bends import BEND, LIMITS, STRAIGHT, Asked
from toolkit.interruptions.errors.reml import RemlFit
from toolkit.interruptions.model import Model
from toolkit.interruptions.series import per
from toolkit.progress import followed
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, percent, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Dates at which the trend is bent, at most, unless `every` says otherwise.
MOST = 60
#: Share of the weight from which on the data are said to prefer a bend, or another scale.
PREFERRED = 0.9
COLUMNS = ["scale", "trend", "date", *LIMITS, "bend", "bend_low", "bend_high", "needed", "weight", "n"]


@dataclass(frozen=True, repr=False, eq=False)
class Sensitivity(Result):
    """One effect with one more bend in the trend before it. Made by `InterruptedTimeSeries.sensitivity`.

    `table`: scale, trend ("straight", "parabola", "bend"), date of the bend, estimate, low, high, bend, bend_low,
    bend_high (the change of the trend a period that this model finds), needed (the bend on that date that would bring
    the interval of the straight trend to 0), weight, n; the first row is the model as it was asked. Estimates are
    shares of the counterfactual and bends a share a period, or both in the units of the series where nothing is
    relative. `range` is the model-averaged effect with its interval, `breakdown` the smallest bend of any date that
    brings the interval to 0.
    """

    table: pd.DataFrame
    range: pd.Series
    breakdown: pd.Series
    confidence: float
    what: str
    start: str
    end: str
    unit: str
    relative: bool
    notes: tuple[str, ...]

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Columns that are shares."""
        return frozenset({"weight", *(LIMITS if self.relative else [])})

    @property
    def bent(self) -> float:
        """Share of the weight on models with a bend: near 1 where the trend is not straight."""
        return float(self.table.loc[self.table["trend"] != STRAIGHT, "weight"].sum())

    @property
    def shown(self) -> pd.Series | None:
        """The row of the bend that the series shows best, on the scale that was asked; None without a date."""
        own = self.table[(self.table["trend"] == BEND) & (self.table["scale"] == self.table["scale"].iloc[0])]
        return None if own.empty else own.loc[own["weight"].idxmax()]

    def sentence(self) -> str:
        """The effect with a bend beside that without, whether that changes the conclusion, and the bend it takes."""
        said, asked = change if self.relative else amount, self.table.iloc[0]
        dates = int((self.table["trend"] == BEND).sum() / self.table["scale"].nunique())
        scales = list(dict.fromkeys(self.table["scale"]))
        with_bend = f"a bend on one of {counted(dates, 'date')}, a parabola" if dates else "a parabola"
        parts = [
            f"Effect of {self.what} from {self.start} to {self.end}: {said(asked['estimate'])} "
            f"({interval(asked, said)}) with a straight trend, as asked; {said(self.range['estimate'])} "
            f"({interval(self.range, said)}) averaged over {counted(len(self.table), 'model')} with {with_bend} or "
            f"neither, on the {' and the '.join(scales)} scale ({interval_level(self.confidence)}s, n = "
            f"{asked['n']:,}). {self._verdict(asked)}",
            *self._preferred(),
            *self._taken(),
            *self.notes,
        ]
        return f"{'. '.join(parts)}."

    def _verdict(self, asked: pd.Series) -> str:
        was, found = (np.sign(row["low"]) * (row["low"] * row["high"] > 0) for row in (asked, self.range))
        if was == found:
            which = "both hold 0" if was == 0 else "both lie below 0" if was < 0 else "both lie above 0"
            return f"The conclusion does not depend on a bend: {which}"
        if was == 0:
            return "The conclusion depends on a bend: only the average over bends leaves out 0"
        if found == 0:
            return "The conclusion depends on a bend: with one in the trend, the interval holds 0"
        return "The conclusion depends on a bend: with one in the trend, the effect has the other sign"

    def _preferred(self) -> list[str]:
        """What the data say of the trend and of the scale, where they say it clearly."""
        said, shown = [], self.shown
        if self.bent >= PREFERRED:
            where = "" if shown is None else f", on the scale asked best on {shown['date']}"
            said.append(f"The data prefer a bent trend ({percent(self.bent)} of the weight{where})")
        asked, by_scale = self.table["scale"].iloc[0], self.table.groupby("scale")["weight"].sum()
        other = by_scale.drop(asked)
        if len(other) and other.iloc[0] >= PREFERRED:
            said.append(f"They prefer the {other.index[0]} scale ({percent(other.iloc[0])})")
        return said

    def _taken(self) -> list[str]:
        """The bend that would take the effect away, beside the one that the series shows best."""
        if np.isnan(self.breakdown["bend"]):
            return []
        said, shown = change if self.relative else amount, self.shown
        taken = f"A bend of {said(self.breakdown['bend'])} {per(self.unit)} on {self.breakdown['date']} would bring "
        taken += "the interval to 0"
        if shown is None:
            return [taken]
        limits = {"low": shown["bend_low"], "high": shown["bend_high"]}
        return [
            taken,
            f"The bend that the series shows best is {said(shown['bend'])} {per(self.unit)} ({interval(limits, said)}; "
            f"on {shown['date']})",
        ]

    def plot(self, ax: Axes | None = None) -> Axes:
        """The effect by the date of the bend on each scale, beside the straight trend, the parabola and the average."""
        from toolkit.interruptions import plots

        return plots.sensitivity(self.table, self.range, "\n".join(self._taken()), self.relative, ax)


def sensitivity(
    model: Model,
    *,
    at: Any = None,
    over: tuple[Any, Any] | None = None,
    of: str | Sequence[str] | None = None,
    every: int | None = None,
) -> Sensitivity:
    """The same effect with one more bend in the trend before it, on both scales, and the bend it takes to lose it.

    Parameters
    ----------
    at, over, of
        The effect that is meant, as in `effect`.
    every : int, optional
        Periods from one date at which the trend is bent to the next; 1 is every admissible date. So many that there
        are 60 at most, if not given.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ValueError
        For several series, fewer than 12 points before, a model without a trend, or other errors than AR(1), with
        noise or without.

    Notes
    -----
    A date k is admissible with 12 points before it and 12 from it to the interruption; the model gets the column
    max(t - k, 0), or a parabola, and all is fitted anew, error process included. Weights are Akaike's, exp(l - c)
    with l the log-likelihood of the series itself (on the log scale less the sum of logarithms, so that scales can be
    compared) and c = 1 for a bend: half of the weight beforehand on a straight trend, a quarter on a parabola, a
    quarter on all dates. The average's interval holds the middle of the mixture of the models' intervals, each taken
    as normal. Measured in benchmarks/sensitivity.md.

    A bend of d a period on date k moves the effect of the straight model, its error process held, by d g(k); the
    `needed` one brings the nearer limit of the interval to 0. It is compared with the bends that the series shows:
    larger ones than it ever had are less plausible. No bend *after* the interruption can be told from an effect.

    References
    ----------
    Buckland, Burnham and Augustin (1997), Biometrics 53:603. Rambachan and Roth (2023), Review of Economic Studies
    90:2555, for the idea of a breakdown value beside the changes of trend before.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-05-01", periods=120)
    >>> noise = np.random.default_rng(1).normal(0, 1, 120)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")}).sensitivity()
    >>> len(found.table), found.range.round(1).to_list()
    (72, [-0.2, -0.2, -0.2])
    """
    model.alone("sensitivity()")
    if not isinstance(model.fit, RemlFit):
        raise ValueError(
            f"sensitivity() weighs models by AR(1) errors, and these are {model.question.errors!r}; ask it of "
            "result.again(errors='auto')"
        )
    if not model.question.trend:
        raise ValueError(
            "sensitivity() bends the trend, and this model has none; ask it of result.again(trend=True)"
        )
    names, clock = model.chosen(of), model.series.clock
    at_all = model.window(names, at, over)
    start = min(clock.place(term.at) for name in names for term in model.interruptions[name])
    points = len(bends.before(model, start))
    if points < FEW:
        raise ValueError(
            f"{counted(points, 'point')} before {clock.said(start)}: with fewer than {FEW} no bend can be told "
            "from an effect; give a longer series"
        )
    if every is None:
        every = max(1, -(-len(bends.admissible(model, start)) // MOST))
    if every < 1:
        raise ValueError(f"every={every}: dates are 1 {clock.unit} apart at least")
    scales, notes = bends.scales(model)
    below = model.series.values.min(initial=0.0, where=~np.isnan(model.series.values)) < 0
    asked = Asked(names, at_all, "average" if below else "relative")
    tried = bends.bends(model, start, every)
    lines = [bends.row(one, asked) for one in scales]
    for bend in followed(tried, "dates of a bend"):
        lines += [bends.row(one, asked, bend) for one in bends.bent(scales, bend)]
    known = pd.DataFrame(lines).dropna(subset=LIMITS).reset_index(drop=True)
    if len(known) < len(lines):
        notes.append(f"{counted(len(lines) - len(known), 'model')} without an interval left out")
    table = known.assign(weight=bends.weighed(known))
    dates = [*tried[1:], bends.at_date(model, start)]
    needed = {one.scale.name: bends.needed(one, asked, dates) for one in scales}
    table["needed"] = [needed[row.scale].get(row.date, np.nan) for row in table.itertuples()]
    smallest = min(needed[model.scale.name].items(), key=lambda item: abs(item[1]), default=("", np.nan))
    ratios = [one.scale.name for one in scales if one.scale.ratio and asked.which == "relative"]
    return Sensitivity(
        table[COLUMNS],
        bends.averaged(table, table["scale"].isin(ratios).tolist(), model.confidence),
        pd.Series(smallest, index=["date", "bend"]),
        model.confidence,
        some(names),
        clock.said(int(at_all[0])),
        clock.said(int(at_all[-1])),
        clock.unit,
        asked.which == "relative",
        tuple(notes),
    )
