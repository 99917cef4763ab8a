"""Placebo in time: the same model at earlier dates, at which nothing is known to have happened.

Placebo      the answer: an effect at every earlier date, and the real one beside them
placebo      the same terms, moved to every admissible date before the first interruption
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.design import APART, distinct
from toolkit.interruptions.errors.fitted import Fit
from toolkit.interruptions.model import Model
from toolkit.interruptions.series import Clock
from toolkit.interruptions.terms import Pulse, Ramp, Term
from toolkit.intervals import student
from toolkit.progress import followed
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, percent, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Placebo(Result):
    """Effects at dates before anything happened. Made by `InterruptedTimeSeries.placebo`.

    `table`: one row per date: kind ("placebo" or "real"), date, estimate, low, high, t (the effect in standard
    errors), n (points of the fit). The estimate is the average over `periods` periods from the date, a ratio less 1
    on the log scale.
    """

    table: pd.DataFrame
    confidence: float
    periods: int
    unit: str
    ratio: bool
    what: str
    notes: tuple[str, ...]

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Columns that are shares."""
        return frozenset({"estimate", "low", "high"}) if self.ratio else frozenset()

    @property
    def placebos(self) -> pd.DataFrame:
        """Rows of the placebo dates."""
        return self.table[self.table["kind"] == "placebo"]

    @property
    def real(self) -> pd.Series:
        """The row of what did happen."""
        return self.table[self.table["kind"] == "real"].iloc[0]

    @property
    def share(self) -> float:
        """Share of placebo effects at least as many standard errors from 0 as the real one."""
        return float((self.placebos["t"].abs() >= abs(self.real["t"])).mean())

    @property
    def share_raw(self) -> float:
        """Share of placebo effects at least as large as the real one, whatever their standard errors."""
        sizes = self.table["estimate"].to_numpy(float)
        sizes = np.abs(np.log1p(sizes) if self.ratio else sizes)
        return float((sizes[:-1] >= sizes[-1]).mean())

    @property
    def astray(self) -> float:
        """Share of placebo intervals that exclude 0: near 1 - confidence if the model is right."""
        return float(((self.placebos["low"] > 0) | (self.placebos["high"] < 0)).mean())

    def sentence(self) -> str:
        """How the real effect ranks among the placebos, and what that cannot tell."""
        said, real = change if self.ratio else amount, self.real
        dates = self.placebos["date"]
        return (
            f"Effect of {self.what} on {real['date']}: {said(real['estimate'])} over "
            f"{counted(self.periods, self.unit)} ({interval(real, said)}; {interval_level(self.confidence)}, n = "
            f"{real['n']:,}). At {counted(len(dates), 'earlier date')} ({dates.iloc[0]} to {dates.iloc[-1]}) the same "
            f"model finds one as large at {percent(self.share)} of the dates in standard errors, at "
            f"{percent(self.share_raw)} in size; {percent(self.astray)} of the placebo intervals exclude 0. "
            "Neighbouring dates share nearly all their data, so these shares are no p values of independent trials, "
            f"and they do not rule out anything else that happened on {real['date']}."
            f"{''.join(f' {note}.' for note in self.notes)}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Effects in standard errors by date, the real one apart."""
        from toolkit.interruptions import plots

        return plots.placebo(self.table, self.what, ax)


def placebo(model: Model, *, of: str | Sequence[str] | None = None, periods: int | None = None) -> Placebo:
    """The same model at earlier dates, at which nothing is known to have happened.

    Parameters
    ----------
    of : str or list of str, optional
        Interruptions whose terms are moved together; the earliest if not given.
    periods : int, optional
        Periods from the date over which an effect is averaged, at placebo dates and the real one alike. 12 if not
        given, or the length of the terms where all of them end earlier.

    Returns
    -------
    Placebo

    Raises
    ------
    ValueError
        For several series, or too few points before the first interruption.

    Notes
    -----
    Only data before the first interruption are used. A date is admissible with 12 points before it and 12 from it on;
    terms keep their shape and their distances. An error model that can hold its parameters (AR(1), with noise or
    without) keeps at every date those of the data without a term, and its intervals allow for these being estimated;
    every other model is fitted anew at each date. Columns that are collinear in those data are left out.

    Examples
    --------
    >>> from toolkit import Level, interrupted_time_series
    >>> days = pd.date_range("2019-05-01", periods=120)
    >>> noise = np.random.default_rng(1).normal(0, 1, 120)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> checked = interrupted_time_series(visits, {"removed": Level("2019-07-31")}).placebo()
    >>> checked.share, len(checked.placebos)
    (0.0, 68)
    """
    model.alone("placebo()")
    clock = model.series.clock
    starts = {
        name: min(clock.place(term.at) for term in given) for name, given in model.interruptions.items()
    }
    names = model.chosen(min(starts, key=starts.__getitem__) if of is None else of)
    first, start = min(starts.values()), min(starts[name] for name in names)
    terms = {
        owner: model.interruptions[owner[0]][place]
        for name in names
        for place, owner in enumerate([o for o in model.design.owners if o is not None and o[0] == name])
    }
    length = _length(list(terms.values()), start, clock)
    periods = min(FEW, length) if periods is None else periods
    if not 1 <= periods <= len(clock.periods) - start:
        raise ValueError(
            f"periods={periods}: an effect is averaged over 1 to {len(clock.periods) - start} periods here"
        )
    part = model.parts[0]
    rows = np.flatnonzero(part.rows)
    rows = rows[np.mod(model.design.places[rows], len(clock.periods) + APART) < first]
    own = rows[rows < model.design.treated]
    dates = [
        at
        for at in range(first - periods + 1)
        if (own < at).sum() >= FEW and (own >= at).sum() >= FEW and at in own
    ]
    if not dates:
        raise ValueError(
            f"{counted(len(own), 'point')} before {clock.said(first)} leave no earlier date with {FEW} points on each "
            "side; a placebo needs a longer series"
        )
    mine = model.design.owned(names)
    others = [i for i in range(len(model.design.names)) if i not in model.design.owned(list(starts))]
    base = [others[i] for i in distinct(model.design.matrix[np.ix_(rows, others)])]
    values = model.observed(0)[rows]
    null = model.refit(model.design.matrix[np.ix_(rows, base)], values, rows)
    spread = float(null.scale[0])
    if not spread > 0:
        raise ValueError(f"the series does not vary before {clock.said(first)}, so no placebo can be weighed")
    lines, skipped = [], 0
    for at in followed(dates, "placebo dates"):
        moved = _moved(model, mine, terms, at - start)
        matrix = np.column_stack([model.design.matrix[:, base], moved])[rows]
        if len(distinct(matrix)) < matrix.shape[1]:
            skipped += 1
            continue
        fit = null.held(matrix, values) or model.refit(matrix, values, rows)
        shown = [number for number, column in enumerate(mine) if model.design.owners[column] is not None]
        weights = np.zeros(matrix.shape[1])
        for column in shown:
            weights[len(base) + column] = moved[at : at + periods, column].mean()
        lines.append(["placebo", clock.said(at), *_effect(model, fit, weights), len(own)])
    if not lines:
        raise ValueError(
            "at every earlier date the terms are collinear with the rest of the model; a placebo needs a longer series"
        )
    weights = np.where(
        [owner is not None and owner[0] in names for owner in model.design.owners],
        model.design.matrix[start : start + periods].mean(0),
        0.0,
    )
    real = _effect(model, part.fit, weights)
    lines.append(["real", clock.said(start), *real, int(model.points[0])])
    notes = (
        [f"At {counted(skipped, 'date')} the terms were collinear with the rest of the model"]
        if skipped
        else []
    )
    if len(base) < len(others):
        gone = [model.design.names[i] for i in others if i not in base]
        notes.append(f"Left out, as they are collinear in the earlier data: {some(gone, 3)}")
    columns = ["kind", "date", "estimate", "low", "high", "t", "n"]
    return Placebo(
        pd.DataFrame(lines, columns=columns),
        model.confidence,
        periods,
        clock.unit,
        model.scale.ratio,
        some(names),
        tuple(notes),
    )


def _length(terms: list[Term], start: int, clock: Clock) -> int:
    """Periods from the first date to the end of the last term, if all of them end."""
    if all(isinstance(term, Pulse) for term in terms):
        return max(clock.place(term.end) for term in terms if isinstance(term, Pulse)) - start + 1
    return len(clock.periods) - start


def _moved(
    model: Model,
    mine: dict[int, tuple[str, str]],
    terms: dict[tuple[str, str], Term],
    by: int,
) -> np.ndarray:
    """Columns of the terms, as many periods earlier as `by` is below 0; rows as in the design."""
    clock, treated = model.series.clock, model.design.treated
    blocks = len(model.design.matrix) // treated
    columns = []
    for place, owner in mine.items():
        term = terms[owner]
        dates: dict[str, Any] = {"at": clock.times[clock.place(term.at) + by]}
        if isinstance(term, Pulse | Ramp):
            dates["end"] = clock.times[clock.place(term.end) + by]
        column = replace(term, **dates).column(clock)
        below = 0.0 if model.design.owners[place] is not None else 1.0
        columns.append(np.concatenate([column, *[below * column] * (blocks - 1)]))
    return np.column_stack(columns)


def _effect(model: Model, fit: Fit, weights: np.ndarray) -> list[float]:
    estimate, error, df = (float(values[0, 0]) for values in fit.contrast(weights[None]))
    reach = float(student(df, model.confidence)) * error
    limits = np.array([estimate, estimate - reach, estimate + reach])
    return [*map(float, np.expm1(limits) if model.scale.ratio else limits), estimate / error]
