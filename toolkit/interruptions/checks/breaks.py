"""A break at an unknown date: every date is tried, and the confidence set names those that remain possible.

Break                the answer: how well a break at each date explains the series, the best date, and its rivals
where_is_the_break   tries them all
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of
from toolkit.interruptions import design, scales, series
from toolkit.interruptions.caveats import FEW
from toolkit.interruptions.checks import break_scan
from toolkit.interruptions.errors.reml import Kind, RemlFit, estimate
from toolkit.interruptions.model import Model
from toolkit.interruptions.scales import ScaleName
from toolkit.intervals import student
from toolkit.results import Result
from toolkit.wording import amount, change, counted, interval, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Shape = Literal["level", "trend"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
#: No date is tried with fewer points on a side.
EDGE = 5


@dataclass(frozen=True, repr=False, eq=False)
class Break(Result):
    """How well a break at each date explains a series. Made by `where_is_the_break`.

    `table`: one row per date tried: date (the first period after the break), f, inside (whether the confidence set
    holds the date), n (points of the series). `size` is the jump at the best date with its interval, which takes the
    date as known; a ratio less 1 on the log scale.
    """

    table: pd.DataFrame
    size: pd.Series
    before: str
    p: float
    replicates: int
    confidence: float
    shape: str
    name: str
    unit: str
    ratio: bool
    notes: tuple[str, ...]

    @property
    def best(self) -> pd.Series:
        """The row of the date that explains most."""
        return self.table.loc[self.table["f"].idxmax()]

    @property
    def date(self) -> str:
        """The first period after the break, at the best date."""
        return str(self.best["date"])

    @property
    def low(self) -> str:
        """The earliest date of the confidence set."""
        return str(self.table.loc[self.table["inside"], "date"].iloc[0])

    @property
    def high(self) -> str:
        """The latest date of the confidence set."""
        return str(self.table.loc[self.table["inside"], "date"].iloc[-1])

    def sentence(self) -> str:
        """Whether there is a break, its best date and size, and the dates that remain possible."""
        said, best = change if self.ratio else amount, self.best
        held, tried = int(self.table["inside"].sum()), len(self.table)
        kind = "a level change" if self.shape == "level" else "a change of level and slope, the level"
        simulated = counted(self.replicates, "simulated series", "simulated series")
        found = (
            f"{kind} of {said(self.size['estimate'])} ({interval(self.size, said)}, taking the date as known) on "
            f"{self.date}, after {self.before}; the {self.confidence * 100:g} % confidence set holds {held:,} of "
            f"{counted(tried, 'date')} tried, {self.low} to {self.high} (n = {best['n']:,}, F = {best['f']:.1f})"
        )
        notes = "".join(f" {note}." for note in self.notes)
        only = "One break is looked for, whatever caused it."
        if self.p < 1 - self.confidence:
            return (
                f"{self.name}: {found}. The series breaks: p = {p_value(self.p)} against autocorrelated errors without "
                f"a break ({simulated}). {only}{notes}"
            )
        return (
            f"{self.name}: no break is shown (p = {p_value(self.p)}: autocorrelated errors without a break look like "
            f"this as often; {simulated}). The best date is a hint only: {found}; where no break is shown, the set "
            f"holds the true date less often than it says. {only}{notes}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """F by date, with the best date and the confidence set."""
        from toolkit.interruptions import plots

        return plots.breaks(self.table, self.unit, self.confidence, ax)


def where_is_the_break(
    given: Model | pd.Series,
    *,
    shape: Shape = "level",
    trend: bool | None = None,
    season: Any = "auto",
    scale: ScaleName = "auto",
    trim: float = 0.1,
    confidence: float | None = None,
    replicates: int = 399,
    seed: int = 0,
) -> Break:
    """Find the date at which a series breaks, without being told one.

    Parameters
    ----------
    given : InterruptedTimeSeries or Series
        A result, whose interruptions are forgotten while all else stays; or a series as it is.
    shape : {"level", "trend"}
        What may change: the level, or the level and the slope.
    trend : bool, optional
        Whether the series has a trend without a break. As the result has it; none for a bare series.
    season, scale
        Of a bare series; see `interrupted_time_series`.
    trim : float
        Share of the points at either end at which no break is looked for, and 5 points at least.
    confidence : float, optional
        Of the set of dates; the result's, or 0.95.
    replicates, seed : int
        Simulated series, for the p value and for the set's critical value.

    Returns
    -------
    Break

    Raises
    ------
    ValueError
        For several series, an unknown shape, too few points, or a series that never varies.

    Notes
    -----
    LR(t) is twice the gain in log-likelihood by a break at t, errors being an AR(1) state plus noise whose (rho, lam)
    are the likeliest of a grid for every date anew; F(t) = (n - k) / c (exp(LR(t) / n) - 1), with independent errors
    that of Chow, for c columns of the break among k. p: how often the largest LR is as large in series simulated
    without a break, from the REML errors of the model without one. The set holds all t with
    LR(best) - LR(t) <= q. Eo and Morley's q for a small break is -2 log(1 - sqrt(confidence)); ours is that, or the
    quantile in series simulated with the break that was found, where that is larger. The set may have holes.
    Measured (benchmarks/breaks.md): after a jump that is plain to see the 95 % set holds its date in 97 to 98 % of
    series; after one of a standard deviation, seldom claimed, in 86 to 97 %, and where errors wander in little more
    than half of those in which it is claimed. The p value is careful.

    References
    ----------
    Andrews (1993), Econometrica 61:821. Eo and Morley (2015), Quantitative Economics 6:463.

    Examples
    --------
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> where_is_the_break(visits, replicates=99).date
    '2019-07-31'
    """
    one_of("shape", shape, SHAPES)
    one_of("scale", scale, scales.SCALES)
    if replicates < 99:
        raise ValueError(
            f"replicates={replicates}: fewer than 99 simulated series tell nothing of a p of 0.05"
        )
    if not 0 <= trim < 0.5:
        raise ValueError(f"trim is a share of the points on a side, from 0 to below 0.5, not {trim}")
    read = _of_result(given, trend) if isinstance(given, Model) else None
    checked, on, matrix, known, kind, notes = read or _of_series(given, trend, season, scale)
    usual = given.confidence if isinstance(given, Model) else 0.95
    level = confidence_level(usual if confidence is None else confidence)
    clock, rows = checked.clock, np.flatnonzero(known)
    at, values = clock.periods[rows], on.model(checked.values[rows, 0])
    if np.ptp(values) == 0:
        raise ValueError(f"series {checked.names[0]!r} never varies, so there is no break to look for")
    edge = max(EDGE, int(np.ceil(trim * len(rows))))
    firsts = np.arange(edge, len(rows) - edge + 1)
    base = matrix[rows][:, design.distinct(matrix[rows])]
    extra = 1 if shape == "level" else 2
    if len(firsts) < 2 or len(rows) <= base.shape[1] + extra + 2:
        raise ValueError(
            f"{counted(len(rows), 'point')} are too few to look for a break; give a longer series"
        )
    columns = break_scan.broken(at, at[firsts], shape)
    usable = break_scan.apart(base, columns)
    firsts, columns = firsts[usable], columns[usable]
    gain = break_scan.gains(base, columns, values[:, None], at, kind)[:, 0]
    top = int(gain.argmax())
    tops = np.full(replicates, top)

    rng = np.random.default_rng(seed)
    null = estimate(base, values, at, kind=kind)
    full = np.column_stack([base, columns[top].T])
    found = estimate(full, values, at, kind=kind)
    drawn = break_scan.simulated(rng, null, replicates)
    most, _ = break_scan.largest(base, columns, drawn, at, kind, tops, "without a break")
    p = (1 + int((most >= gain[top]).sum())) / (replicates + 1)
    drawn = (full @ found.coefficients[0])[:, None] + break_scan.simulated(rng, found, replicates)
    _, over = break_scan.largest(base, columns, drawn, at, kind, tops, "with the break found")
    critical = max(-2 * np.log1p(-np.sqrt(level)), float(np.quantile(over, level)))

    n, k = len(rows), full.shape[1]
    table = pd.DataFrame(
        {
            "date": [clock.said(int(place)) for place in at[firsts]],
            "f": (n - k) / extra * np.expm1(gain / n),
            "inside": gain[top] - gain <= critical,
            "n": n,
        }
    )
    middle, error, df = (float(part[0, 0]) for part in found.contrast(np.eye(k)[[base.shape[1]]]))
    limits = middle + np.array([0, -1, 1]) * error * student(df, level)
    size = pd.Series(np.expm1(limits) if on.ratio else limits, index=["estimate", "low", "high"])
    notes += _constant(checked, rows)
    before = clock.said(int(at[firsts[top] - 1]))
    return Break(
        table, size, before, p, replicates, level, shape, checked.names[0], clock.unit, on.ratio, tuple(notes)
    )


Read = tuple[series.Series, scales.Scale, np.ndarray, np.ndarray, Kind, list[str]]


def _of_result(given: Model, trend: bool | None) -> Read:
    """A result's series and what its model holds beside the interruptions."""
    given.alone("where_is_the_break()")
    given = given if trend is None else given.again(trend=trend)
    part, _ = given.member(0)
    own = given.design.matrix[: given.design.treated]
    mine = given.design.owned(list(given.interruptions))
    notes = []
    kind: Kind = "ar1_noise"
    if isinstance(part.fit, RemlFit):
        kind = part.fit.kind
    else:
        notes.append("Errors are taken as AR(1) and noise here, whatever the result was asked with")
    if given.question.controls is not None:
        notes.append("The comparison is not used: a break is looked for in the series itself")
    on = scales.Scale(given.scale.ratio, 0.5 if given.scale.linked else given.scale.shift)
    kept = [place for place in range(own.shape[1]) if place not in mine]
    known = part.rows[: given.design.treated]
    return given.series, on, own[:, kept], known, kind, notes


def _of_series(given: Any, trend: bool | None, season: Any, scale: ScaleName) -> Read:
    """A bare series: a constant, its season, and a trend if asked."""
    checked = series.read(given)
    if len(checked.names) > 1:
        raise ValueError(f"a break is looked for in one series, not {len(checked.names)}; give one column")
    [on] = scales.chosen(checked, np.empty((len(checked.values), 0)), scale)
    plan = design.build(
        checked, {}, trend=bool(trend), season=season, calendar=None, covariates=None, controls=0
    )
    return checked, on, plan.matrix, ~np.isnan(checked.values[:, 0]), "ar1_noise", list(checked.notes)


def _constant(checked: series.Series, rows: np.ndarray) -> list[str]:
    """What must be said of a long stretch without any change."""
    values, clock = checked.values[rows, 0], checked.clock
    turns = np.r_[0, np.flatnonzero(np.diff(values)) + 1, len(values)]
    longest = int(np.diff(turns).argmax())
    first, last = turns[longest], turns[longest + 1] - 1
    if last - first + 1 < FEW:
        return []
    return [
        f"The series is constant at {values[first]:g} from {clock.said(int(rows[first]))} to "
        f"{clock.said(int(rows[last]))}, {counted(last - first + 1, clock.unit)}: nothing was measured then, or "
        "nothing could change. A break at its end says that something began to be counted, and neither p nor the set "
        "should be trusted, which suppose the same noise throughout"
    ]
