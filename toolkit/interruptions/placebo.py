"""Placebo in time: what the same model finds at dates at which nothing is known to have happened.

Placebo      the answer: an effect at every earlier date, and the real one beside them
placebo      the same terms, moved to every admissible date before the first interruption
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from toolkit.interruptions import effects, refits
from toolkit.interruptions.answer import OWN
from toolkit.interruptions.cautions import FEW
from toolkit.interruptions.terms import Pulse, Ramp, Term
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, interval_level, percent, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toolkit.interruptions.result import InterruptedTimeSeries


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
        """Share of placebo effects that are as many standard errors from 0 as the real one, or more."""
        return float((self.placebos["t"].abs() >= abs(self.real["t"])).mean())

    @property
    def share_raw(self) -> float:
        """Share of placebo effects that are as large as the real one, or larger, whatever their errors."""
        sizes = self.table["estimate"].to_numpy(float)
        sizes = np.abs(np.log1p(sizes) if self.ratio else sizes)
        return float((sizes[:-1] >= sizes[-1]).mean())

    @property
    def astray(self) -> float:
        """Share of placebo intervals that do not hold 0: near 1 - confidence if the model is right."""
        return float(((self.placebos["low"] > 0) | (self.placebos["high"] < 0)).mean())

    def sentence(self) -> str:
        """How the real effect stands among the placebos, and what that cannot tell."""
        said, real = change if self.ratio else amount, self.real
        dates = self.placebos["date"]
        return (
            f"Moved to each of {counted(len(dates), 'earlier date')} ({dates.iloc[0]} to {dates.iloc[-1]}), the same "
            f"model finds an effect as large as that of {self.what} on {real['date']} ({said(real['estimate'])} over "
            f"{counted(self.periods, self.unit)}, {interval(real, said)}) at {percent(self.share)} of the dates in "
            f"standard errors, at {percent(self.share_raw)} as it stands; {percent(self.astray)} of the "
            f"{interval_level(self.confidence)}s at these dates miss 0. Neighbouring dates share nearly all their "
            "data, so these shares are no p values of independent trials, and they say nothing of what else happened "
            f"on {real['date']}.{''.join(f' {note}.' for note in self.notes)}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Effects in standard errors by date, the real one apart."""
        from toolkit.interruptions import plots

        return plots.placebo(self, ax)


def placebo(
    result: InterruptedTimeSeries, *, of: str | Sequence[str] | None = None, periods: int | None = None
) -> Placebo:
    """Ask what the model finds at earlier dates, at which nothing is known to have happened.

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
    terms keep their shape and their distances. AR(1) errors, with noise or without, keep the (rho, lam) of those
    data without a term at every date, and the intervals allow for these being estimated; every other estimator is
    fitted anew at each date. Columns that those data cannot tell apart are left out.

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
    number = refits.alone(result, "placebo()")
    clock = result.series.clock
    starts = {
        name: min(clock.place(term.at) for term in given) for name, given in result.interruptions.items()
    }
    names = effects.chosen(result, min(starts, key=starts.__getitem__) if of is None else of)
    first, start = min(starts.values()), min(starts[name] for name in names)
    terms = {
        owner: result.interruptions[owner[0]][place]
        for name in names
        for place, owner in enumerate([o for o in result.design.owners if o is not None and o[0] == name])
    }
    length = _length(list(terms.values()), start, clock)
    periods = min(FEW, length) if periods is None else periods
    if not 1 <= periods <= len(clock.periods) - start:
        raise ValueError(
            f"periods={periods}: an effect is averaged over 1 to {len(clock.periods) - start} periods here"
        )
    part, place = result.member(number)
    rows = np.flatnonzero(part.rows)
    rows = rows[np.mod(result.design.places[rows], len(clock.periods) + 10_000) < first]
    own = rows[rows < result.design.treated]
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
    mine = refits.columns_of(result, names)
    others = [i for i in range(len(result.design.names)) if i not in refits.columns_of(result, list(starts))]
    base = [others[i] for i in refits.distinct(result.design.matrix[np.ix_(rows, others)])]
    values = refits.observed(result, number)[rows]
    null = refits.refit(result, result.design.matrix[np.ix_(rows, base)], values, rows)
    spread = float(np.asarray(null.scale)[0])
    if not spread > 0:
        raise ValueError(f"the series does not vary before {clock.said(first)}, so no placebo can be weighed")
    lines, skipped = [], 0
    for at in tqdm(dates, desc="placebo dates", delay=2, leave=False):
        moved = _moved(result, mine, terms, at - start)
        matrix = np.column_stack([result.design.matrix[:, base], moved])[rows]
        if len(refits.distinct(matrix)) < matrix.shape[1]:
            skipped += 1
            continue
        fit = (
            null.held(matrix, values)
            if result.question.errors in OWN
            else refits.refit(result, matrix, values, rows)
        )
        shown = [number for number, column in enumerate(mine) if result.design.owners[column] is not None]
        weights = np.zeros(matrix.shape[1])
        for column in shown:
            weights[len(base) + column] = moved[at : at + periods, column].mean()
        lines.append(["placebo", clock.said(at), *_effect(result, fit, 0, weights), len(own)])
    if not lines:
        raise ValueError("no earlier date can tell the terms from the rest of the model; ask a longer series")
    weights = np.where(
        [owner is not None and owner[0] in names for owner in result.design.owners],
        result.design.matrix[start : start + periods].mean(0),
        0.0,
    )
    real = _effect(result, part.fit, place, weights)
    lines.append(["real", clock.said(start), *real, int(result.points[number])])
    notes = [f"{skipped} dates could not tell the terms from the rest of the model"] if skipped else []
    if len(base) < len(others):
        gone = [result.design.names[i] for i in others if i not in base]
        notes.append(f"Left out, as the earlier data do not tell them apart: {some(gone, 3)}")
    columns = ["kind", "date", "estimate", "low", "high", "t", "n"]
    return Placebo(
        pd.DataFrame(lines, columns=columns),
        result.confidence,
        periods,
        clock.unit,
        result.scale.ratio,
        some(names),
        tuple(notes),
    )


def _length(terms: list[Term], start: int, clock: Any) -> int:
    """Periods from the first date to the end of the last term, if all of them end."""
    if all(isinstance(term, Pulse) for term in terms):
        return max(clock.place(term.end) for term in terms if isinstance(term, Pulse)) - start + 1
    return len(clock.periods) - start


def _moved(
    result: InterruptedTimeSeries,
    mine: dict[int, tuple[str, str]],
    terms: dict[tuple[str, str], Term],
    by: int,
) -> np.ndarray:
    """Columns of the terms, as many periods earlier as `by` is below 0; rows as in the design."""
    clock, treated = result.series.clock, result.design.treated
    blocks = len(result.design.matrix) // treated
    columns = []
    for place, owner in mine.items():
        term = terms[owner]
        dates: dict[str, Any] = {"at": clock.times[clock.place(term.at) + by]}
        if isinstance(term, Pulse | Ramp):
            dates["end"] = clock.times[clock.place(term.end) + by]
        column = replace(term, **dates).column(clock)
        below = 0.0 if result.design.owners[place] is not None else 1.0
        columns.append(np.concatenate([column, *[below * column] * (blocks - 1)]))
    return np.column_stack(columns)


def _effect(result: InterruptedTimeSeries, fit: Any, place: int, weights: np.ndarray) -> list[float]:
    estimate, error, df = (float(values[place, 0]) for values in fit.contrast(weights[None]))
    reach = float(stats.t.ppf((1 + result.confidence) / 2, df)) * error
    limits = np.array([estimate, estimate - reach, estimate + reach])
    return [*map(float, np.expm1(limits) if result.scale.ratio else limits), estimate / error]
