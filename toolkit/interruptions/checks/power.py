"""Power: the smallest effect that a study of some length detects with a given probability.

Power      the answer: for each length, the smallest level, slope and average effect
power      by the estimator itself, on simulated errors
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level, one_of
from toolkit.interruptions.caveats import FEW, LEAST
from toolkit.interruptions.errors.reml import Kind, RemlFit, estimate
from toolkit.interruptions.model import Model
from toolkit.interruptions.seasons import DAYS
from toolkit.interruptions.series import per
from toolkit.intervals import student
from toolkit.progress import followed
from toolkit.results import Result
from toolkit.wording import amount, change, interval, interval_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TermName = Literal["level", "slope"]
TERMS: tuple[TermName, ...] = get_args(TermName)
SEASONS = (None, "week")
#: Lengths that a sentence names.
MOST = 4
DRAWS, SEED = 2000, 80


@dataclass(frozen=True, repr=False, eq=False)
class Power(Result):
    """The smallest effects that studies of some lengths would detect. Made by `power`.

    `table`: before, after (periods on each side), effect ("level", "slope" per period, "average" over the periods
    after), rise and fall (the smallest ones that are found with probability `share`; ratios less 1 on the log scale),
    low and high (Monte Carlo interval of the rise), n.
    """

    table: pd.DataFrame
    share: float
    confidence: float
    rho: float
    lam: float
    sd: float
    draws: int
    unit: str
    ratio: bool
    notes: tuple[str, ...]

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Columns that are shares."""
        return frozenset({"rise", "fall", "low", "high"}) if self.ratio else frozenset()

    def sentence(self) -> str:
        """The smallest effects by length."""
        said = change if self.ratio else amount
        parts = []
        for (before, after), rows in self.table.groupby(["before", "after"], sort=False):
            effects = []
            for row in rows.to_dict("records"):
                fall = f" or {said(row['fall'])}" if self.ratio else ""
                each = f" {per(self.unit)}" if row["effect"] == "slope" else ""
                effects.append(f"{row['effect']} {said(row['rise'])}{fall}{each} ({interval(row, said)})")
            parts.append(f"{before} {self.unit}s before and {after} after: {', '.join(effects)}")
        closing = "".join(f" {note}." for note in self.notes)
        return (
            f"Smallest effects detected with {self.share * 100:g} % power, at {interval_level(self.confidence)}s: "
            f"{'; '.join(parts[:MOST])}{f'; {len(parts) - MOST} more' if len(parts) > MOST else ''} "
            f"({self.draws:,} simulated studies of each length; errors with rho = {self.rho:.2f}, an AR(1) share of "
            f"lam = {self.lam:.2f} and a standard deviation of {self.sd:.4g}, taken as known).{closing}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Smallest effects against the number of periods."""
        from toolkit.interruptions import plots

        return plots.power(self.table, self.unit, self.ratio, ax)


def power(
    periods: int | tuple[int, int] | Sequence[int | tuple[int, int]],
    *,
    like: Model | None = None,
    rho: float | None = None,
    lam: float | None = None,
    sd: float | None = None,
    terms: Sequence[TermName] = TERMS,
    trend: bool = True,
    season: Literal["week"] | None = None,
    share: float = 0.8,
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> Power:
    """Say how small an effect a study would detect, before it is made.

    Parameters
    ----------
    periods : int, (before, after), or a list of these
        Lengths of the study: so many periods before the interruption and as many after, or a pair of numbers.
    like : InterruptedTimeSeries, optional
        A fitted series whose errors, scale and weekly season the study will share.
    rho, lam, sd : float, optional
        Errors: correlation of neighbouring periods, share of the AR(1) in the variance, standard deviation on
        the scale of the model (0.1 on the log scale is 10 %). Each one given replaces that of `like`; without it
        rho is 0, lam 1 and sd 1, and effects are then in standard deviations.
    terms : list of {"level", "slope"}
        What the model lets an interruption change.
    trend : bool
        Whether the model has a trend.
    season : {None, "week"}
        Whether the model has a mean for each weekday; as `like` has it.
    share : float
        Power: the probability with which the effect is to be detected.
    confidence : float
        Of the interval that must not hold 0.
    draws : int
        Simulated studies of each length, 100 at least.

    Returns
    -------
    Power

    Raises
    ------
    ValueError
        For fewer than 3 periods on a side, too few for the columns, or errors outside their range.

    Notes
    -----
    An effect is found if its interval lies on its side of 0. Studies without an effect are simulated (Gaussian
    errors, a fixed seed) and estimated as `interrupted_time_series` does, errors anew in each: estimate e, error s and
    t quantile t. An effect d only moves e, so the study would have found it if d > t s - e, and the smallest effect is
    the `share` quantile of these. A formula that takes the estimated errors for known promises too much: where it said
    0.80, 0.52 to 0.78 of studies of 24 to 200 periods found the effect.

    rho, lam and sd are taken as known, and decide: ask several. Effects of an interruption that wears in, or comes
    with others, need a simulation of their own.

    Examples
    --------
    >>> planned = power([30, 60], rho=0.4, sd=0.1, terms=["level"])
    >>> planned.table[["before", "after", "effect", "n"]]
       before  after   effect    n
    0      30     30    level   60
    1      30     30  average   60
    2      60     60    level  120
    3      60     60  average  120
    """
    notes: list[str] = []
    confidence = confidence_level(confidence)
    kind: Kind = "ar1_noise"
    unit, ratio = "period", False
    if like is not None:
        like.alone("power()")
        fit = like.fit
        if not isinstance(fit, RemlFit):
            raise ValueError(
                f"power(like=) reads AR(1) errors, and these are {like.question.errors!r}; "
                "use like.again(errors='auto')"
            )
        kind, unit, ratio = fit.kind, like.series.clock.unit, like.scale.ratio
        rho = float(fit.rho[0]) if rho is None else rho
        lam = float(fit.lam[0]) if lam is None else lam
        sd = float(np.sqrt(fit.scale[0])) if sd is None else sd
        season = "week" if any(day in like.design.names for day in DAYS) else season
        notes.append("The errors are those that were fitted, which are estimates themselves")
    rho, lam, sd = rho or 0.0, 1.0 if lam is None else lam, 1.0 if sd is None else sd
    if draws < 100:
        raise ValueError(f"draws={draws}: fewer than 100 simulated studies say little of {share:g}")
    _check(rho, lam, sd, share, confidence, terms, season)
    lengths = [
        _sides(one) for one in (periods if isinstance(periods, list | range | np.ndarray) else [periods])
    ]
    known = student(np.inf, 0.95) * np.sqrt(share * (1 - share) / draws)
    lines: list[list[Any]] = []
    for before, after in followed(lengths, "lengths"):
        if min(before, after) < LEAST:
            raise ValueError(f"{before} periods before and {after} after: {LEAST} on each side at least")
        matrix, contrasts = _design(before, after, terms, trend, season)
        n, k = matrix.shape
        if n <= k + 1 or np.linalg.matrix_rank(matrix) < k:
            raise ValueError(f"{n} periods are too few for {k} columns; ask more, or fewer terms")
        noise = sd * _errors(n, rho, lam, draws)
        middle, error, df = estimate(matrix, noise, kind=kind).contrast(np.array(list(contrasts.values())))
        reach = student(df, confidence) * error
        # Errors are as likely as their opposites, so each study counts for a rise and for a fall.
        needed = np.concatenate([reach - middle, reach + middle])
        for name, each in zip(contrasts, needed.T, strict=True):
            found = np.quantile(each, np.clip([share, share - known, share + known], 0, 1))
            d, low, high = np.expm1(found) if ratio else found
            lines.append([before, after, name, d, np.expm1(-found[0]) if ratio else -d, low, high, n])
    if any(min(line[0], line[1]) < FEW for line in lines):
        notes.append(f"With fewer than {FEW} periods on a side no interval should be trusted")
    columns = ["before", "after", "effect", "rise", "fall", "low", "high", "n"]
    return Power(
        pd.DataFrame(lines, columns=columns),
        share,
        confidence,
        rho,
        lam,
        sd,
        draws,
        unit,
        ratio,
        tuple(notes),
    )


def _sides(given: Any) -> tuple[int, int]:
    """Periods before and after, checked."""
    sides = given if isinstance(given, tuple) else (given, given)
    if len(sides) != 2 or any(
        isinstance(side, bool) or not isinstance(side, int | np.integer) for side in sides
    ):
        raise TypeError(f"periods={given!r}; give a whole number, a pair (before, after), or a list of these")
    return int(sides[0]), int(sides[1])


def _check(
    rho: float, lam: float, sd: float, share: float, confidence: float, terms: Sequence[TermName], season: Any
) -> None:
    if not -1 < rho < 1:
        raise ValueError(f"rho lies between -1 and 1, not {rho}")
    if not 0 <= lam <= 1:
        raise ValueError(f"lam is a share of the variance from 0 to 1, not {lam}")
    if not sd > 0:
        raise ValueError(f"sd is a standard deviation above 0, not {sd}")
    if not 1 - confidence < share < 1:
        raise ValueError(f"share={share} is not between 1 - confidence, {1 - confidence:g}, and 1; use 0.8")
    unknown = [term for term in terms if term not in TERMS]
    if isinstance(terms, str) or unknown or not terms:
        raise ValueError(f"terms={terms!r}; use a list of {' and '.join(map(repr, TERMS))}")
    one_of("season", season, SEASONS)


def _design(
    before: int, after: int, terms: Sequence[TermName], trend: bool, season: Literal["week"] | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A design, and the contrasts that are asked of it."""
    t = np.arange(before + after)
    since = t - before
    columns = {"constant": np.ones(len(t))} | ({"trend": t.astype(float)} if trend else {})
    shapes = {"level": (since >= 0).astype(float), "slope": np.maximum(since, 0).astype(float)}
    columns |= {name: shapes[name] for name in TERMS if name in terms}
    if season == "week":
        columns |= {day: (t % 7 == i).astype(float) for i, day in enumerate(DAYS) if i}
    names = list(columns)
    contrasts: dict[str, np.ndarray] = {
        name: (np.array(names) == name).astype(float) for name in TERMS if name in terms
    }
    after_mean = [shapes[name][before:].mean() * row for name, row in contrasts.items()]
    contrasts["average"] = np.sum(after_mean, axis=0)
    return np.column_stack(list(columns.values())), contrasts


def _errors(n: int, rho: float, lam: float, draws: int) -> np.ndarray:
    """Errors of unit variance, an AR(1) state plus noise, n x draws."""
    from scipy.signal import lfilter  # half a second to import

    shocks, noise = np.random.default_rng(SEED).standard_normal((2, n, draws))
    shocks[1:] *= np.sqrt(1 - rho**2)
    state = lfilter([1.0], [1.0, -rho], shocks, axis=0)
    return np.asarray(np.sqrt(lam) * state + np.sqrt(1 - lam) * noise)
