"""`interrupted_time_series`: checks the question, builds the design, fits it, and hands all to the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.counts import confidence_level
from toolkit.interruptions import cautions, covariance, design, scales
from toolkit.interruptions.series import Clock, Series, read
from toolkit.interruptions.terms import Term, listed

if TYPE_CHECKING:
    from toolkit.interruptions.result import InterruptedTimeSeries

#: Correlation above which two series are one and the same but for their unit.
SAME = 1 - 1e-12
OWN = {"auto": "ar1_noise", "ar1_noise": "ar1_noise", "ar1": "ar1"}


@dataclass(frozen=True, eq=False)
class Question:
    """What was asked, as it was asked: `InterruptedTimeSeries.again` asks it anew with something changed."""

    series: Any
    interruptions: Mapping[str, Term | Sequence[Term]]
    season: Any = "auto"
    calendar: Any = None
    covariates: Any = None
    controls: Any = None
    leave_out: Sequence[tuple[Any, Any]] = ()
    errors: str = "auto"
    scale: str = "auto"
    trend: bool = True
    offset: Any = None
    confidence: float = 0.95


@dataclass(frozen=True, eq=False)
class Part:
    """Series that lack the same points, and their fit.

    Attributes
    ----------
    series
        Their numbers.
    rows
        Rows of the design that have values.
    """

    series: np.ndarray
    rows: np.ndarray
    fit: Any


def interrupted_time_series(
    series: pd.Series | pd.DataFrame,
    interruptions: Mapping[str, Term | Sequence[Term]],
    *,
    season: Any = "auto",
    calendar: Any = None,
    covariates: pd.Series | pd.DataFrame | None = None,
    controls: pd.Series | pd.DataFrame | None = None,
    leave_out: Sequence[tuple[Any, Any]] = (),
    errors: str = "auto",
    scale: str = "auto",
    trend: bool = True,
    offset: pd.Series | None = None,
    confidence: float = 0.95,
) -> InterruptedTimeSeries:
    """Say what an event did to a series: its level, its trend, for how long, and how sure that is.

    Parameters
    ----------
    series : Series or DataFrame
        One value per day, week or month, by date; or many series of one span, a column each. Missing periods stay
        missing. Whole numbers as index stand for periods of no named length.
    interruptions : dict of str to term or list of terms
        What happened, and what it may have done: ``{"removed": Level("2019-07-31"), "live": [Level("2019-11-01"),
        Slope("2019-11-01")]}``. Terms are `Level`, `Slope`, `Pulse`, `Ramp` and `Decay`.
    season : "auto", None, "week", "year", {"period": p, "pairs": k} or a list of these
        What repeats. Auto: a mean for each weekday of a daily series of three weeks or more, and two waves of a year
        where the series covers two years.
    calendar : str, list of str, DataFrame or None
        Movable events (see `toolkit.sources.festivals`), by name, or "all"; or a table with event, start, end,
        and days before and after.
    covariates : Series or DataFrame, optional
        Regressors, by date.
    controls : Series or DataFrame, optional
        Comparison series that the event did not touch. The effect is then the difference from what they did.
    leave_out : list of (from, to)
        Days that are left out of the fit, both ends included: where it is not known when the event began.
    errors : str
        "auto" is an AR(1) state plus white noise, by restricted maximum likelihood. By name: "ar1", "ar2", "ols",
        "hac", "prais_winsten", "arima", "structural", for days whose errors may return after a week "weekly", and
        for counts "poisson", "quasi_poisson", "negative_binomial"; "hac:4" names the lag, "arima:1,0,1" the order.
    scale : {"auto", "identity", "log"}
        On the log scale effects are ratios. Auto: identity if a value is negative or all lie between 0 and 1, log if
        all are positive, log(y + 0.5) for whole numbers with zeros.
    trend : bool
        Whether the series has a trend of its own. Without one, whatever the comparison or the covariates do not
        explain is taken for the interruption.
    offset : Series, optional
        For counts: the logarithm of the population at risk, by date.
    confidence : float
        Of every interval, between 0 and 1.

    Returns
    -------
    InterruptedTimeSeries

    Raises
    ------
    ValueError
        For a date outside the series or fewer than 3 points from its ends, terms that cannot be told apart, a
        series that is no series; the message names the thing and the fix.

    Notes
    -----
    y_t = x_t b + e_t, on the scale of the model; x holds a constant, a trend, the terms, season, calendar and
    covariates. Periods are counted, not days: a slope is a change per period. The errors' covariance is
    s2 (lam rho^|h| + (1 - lam) 1[h = 0]). Intervals: Kenward-Roger's variance, one to one and a half times the plain
    one, and Satterthwaite's degrees of freedom, 2 at least; with fewer than some 48 points also by whatever else the
    errors may be, see `toolkit.interruptions.doubt`. Coverage is measured in benchmarks/interruptions.md.

    It says what changed at a date, not why: whatever else happened then is in the effect too.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53:983. Lopez Bernal, Cummins and Gasparrini (2017), International Journal of
    Epidemiology 46:348, for the design.

    Examples
    --------
    >>> from toolkit import Level
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")}, scale="identity")
    >>> found.table[["interruption", "term", "estimate", "n"]].round(1)
      interruption   term  estimate   n
    0      removed  level     -19.3  60
    """
    from toolkit.interruptions.result import InterruptedTimeSeries

    confidence = confidence_level(confidence)
    question = Question(
        series,
        interruptions,
        season,
        calendar,
        covariates,
        controls,
        leave_out,
        errors,
        scale,
        trend,
        offset,
        confidence,
    )
    checked, terms = read(series), listed(interruptions)
    if errors == "weekly" and checked.clock.kind != "D":
        raise ValueError(
            f"errors='weekly' is for daily series, whose errors may return after a week; this one has "
            f"{f'one value a {checked.clock.unit}' if checked.clock.dated else 'numbers for dates'}; use 'auto'"
        )
    compared = _compared(checked, controls)
    on = scales.chosen(checked, compared, scale, errors)
    plan = design.build(
        checked,
        terms,
        trend=trend,
        season=season,
        calendar=calendar,
        covariates=covariates,
        controls=compared.shape[1],
    )
    kept = _kept(checked.clock, leave_out)
    notes = [*checked.notes, *cautions.near(checked, terms, kept)]
    if on.shift:
        notes.append(f"modelled as {on.name}, since there are zeros")
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(kept[:, None], on.model(checked.values), np.nan)
        beside = np.where(kept[:, None], on.model(compared), np.nan)
    values = np.vstack([own, np.repeat(beside.T.reshape(-1, 1), own.shape[1], 1)])
    unknown = np.isnan(plan.matrix).any(1) & ~np.isnan(values).all(1)
    if unknown.any():
        column = plan.names[int(np.isnan(plan.matrix[unknown.argmax()]).argmax())]
        at = checked.clock.said(int(unknown.argmax()) % plan.treated)
        raise ValueError(
            f"covariate {column!r} is missing on {at}, where the series is not; fill it or leave_out that day"
        )
    shifts = _offset(checked.clock, offset, errors)
    parts = []
    patterns, which = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    for number, rows in enumerate(patterns.T):
        mine = np.flatnonzero(which.ravel() == number)
        design.independent(plan, rows)
        notes += cautions.thin(plan, rows, checked.clock)
        week = period(errors, checked.clock.kind)
        parts.append(Part(mine, rows, _fit(errors, plan, values, rows, mine, shifts, week)))
    return InterruptedTimeSeries(
        question=question,
        series=checked,
        interruptions=terms,
        design=plan,
        scale=on,
        parts=tuple(parts),
        notes=tuple(
            dict.fromkeys([*notes, *(note for part in parts for note in getattr(part.fit, "notes", ()))])
        ),
        offset=shifts,
    )


def period(errors: str, kind: str) -> int:
    """Periods after which errors may return: a week for the default errors of a daily series, else 0."""
    return 7 if kind == "D" and OWN.get(errors) == "ar1_noise" else 0


def _fit(
    errors: str,
    plan: design.Design,
    values: np.ndarray,
    rows: np.ndarray,
    mine: np.ndarray,
    shifts: np.ndarray,
    week: int,
) -> Any:
    matrix, given, at = plan.matrix[rows], values[np.ix_(rows, mine)], plan.places[rows]
    if errors in OWN:
        return covariance.estimate(matrix, given, at, kind=OWN[errors], period=week)
    from toolkit.interruptions import estimators

    return estimators.fit(
        errors, matrix, given, at, offset=shifts[rows[: plan.treated]] if shifts.any() else None
    )


def _compared(series: Series, controls: Any) -> np.ndarray:
    """Comparison series on the clock, periods x comparisons."""
    if controls is None:
        return np.empty((len(series.clock.periods), 0))
    frame = controls.to_frame(controls.name or "comparison") if isinstance(controls, pd.Series) else controls
    columns = design.aligned(series.clock, frame, "comparison")
    for name, column in columns.items():
        if np.isnan(column).all():
            raise ValueError(
                f"comparison {name!r} has no value in the span of the series, {series.clock.span}"
            )
        if np.isinf(column).any():
            raise ValueError(f"comparison {name!r} is infinite somewhere; mark it missing or mend it")
        for own, values in zip(series.names, series.values.T, strict=True):
            both = ~np.isnan(column) & ~np.isnan(values)
            if both.sum() < cautions.LEAST:
                raise ValueError(
                    f"comparison {name!r} and series {own!r} share {both.sum()} points, not {cautions.LEAST} at least"
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
    return np.column_stack(list(columns.values()))


def _kept(clock: Clock, leave_out: Sequence[tuple[Any, Any]]) -> np.ndarray:
    kept = np.ones(len(clock.periods), bool)
    for span in leave_out:
        if isinstance(span, str) or len(span) != 2:
            raise ValueError(f"leave_out holds pairs of dates, as ('2019-07-29', '2019-07-31'), not {span!r}")
        kept[clock.place(span[0]) : clock.place(span[1]) + 1] = False
    return kept


def _offset(clock: Clock, offset: pd.Series | None, errors: str) -> np.ndarray:
    if offset is None:
        return np.zeros(len(clock.periods))
    if errors.partition(":")[0] not in scales.LINKED:
        raise ValueError(f"offset= is for {', '.join(scales.LINKED)}, not errors={errors!r}")
    [values] = design.aligned(clock, offset.to_frame("offset"), "offset").values()
    return values
