"""`interrupted_time_series`: asks the question, and hands its fitted model to the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from toolkit.interruptions.question import Question
from toolkit.interruptions.result import InterruptedTimeSeries
from toolkit.interruptions.scales import ScaleName
from toolkit.interruptions.terms import Term


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
    scale: ScaleName = "auto",
    trend: bool = True,
    offset: pd.Series | None = None,
    confidence: float = 0.95,
) -> InterruptedTimeSeries:
    """Estimate what an event did to a series: its level, its trend, for how long, and with what certainty.

    Parameters
    ----------
    series : Series or DataFrame
        One value per hour, day, week, month, quarter or year, by date; or many series of one span, a column each.
        Missing periods stay missing. Dates may be text, in one form throughout, or numbers such as 20190701; other
        whole numbers stand for periods of no named length.
    interruptions : dict of str to term or list of terms
        What happened, and what it may have done: ``{"removed": Level("2019-07-31"), "live": [Level("2019-11-01"),
        Slope("2019-11-01")]}``. Terms are `Level`, `Slope`, `Pulse`, `Ramp` and `Decay`.
    season : "auto", None, "day", "week", "month", "year", {"period": p, "pairs": k} or a list of these
        What repeats. Auto: a mean for each hour of the day of an hourly series of three days or more, one for each
        weekday of an hourly or daily series of three weeks or more, and two waves of a year where the series covers two
        years. "month": a mean for each month of a monthly series.
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
        The error model. "auto" is an AR(1) state plus white noise, by restricted maximum likelihood. By name: "ar1",
        "ar2", "ols", "hac" (Newey-West), "prais_winsten", "arima", "structural"; "weekly" for days with strong lag-7
        autocorrelation; for counts "poisson", "quasi_poisson", "negative_binomial". "hac:4" names the lag,
        "arima:1,0,1" the order; see `toolkit.interruptions.errors`.
    scale : {"auto", "identity", "log"}
        On the log scale effects are ratios. Auto: identity if a value is negative or all lie between 0 and 1, log if
        all are positive, log(y + 0.5) for whole numbers with zeros; of a frame each series by itself.
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
        For a date outside the series or fewer than 3 points from its ends, collinear terms, an unknown option or
        values that are no numbers; the message names the value and the fix.
    TypeError
        For a series that is no Series or DataFrame, or a term that is none.

    Notes
    -----
    y_t = x_t b + e_t, on the scale of the model; x holds a constant, a trend, the terms, season, calendar and
    covariates. Periods are counted, not days: a slope is a change per period. The errors' covariance is
    s2 (lam rho^|h| + (1 - lam) 1[h = 0]), lam the share of the AR(1) in the variance. Intervals: the Kenward-Roger
    variance, one to one and a half times the plain one, and Satterthwaite degrees of freedom, 2 at least; with fewer
    than some 48 points by model averaging over the error parameters (`toolkit.interruptions.errors.model_averaging`).
    Coverage is measured in benchmarks/interruptions.md.

    It estimates what changed at a date, not why: whatever else happened then is in the effect too.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53:983. Lopez Bernal, Cummins and Gasparrini (2017), International Journal of
    Epidemiology 46:348, for the design.

    Examples
    --------
    >>> import numpy as np
    >>> from toolkit import Level
    >>> days = pd.date_range("2019-07-01", periods=60)
    >>> noise = np.random.default_rng(1).normal(0, 1, 60)
    >>> visits = pd.Series(np.where(days < "2019-07-31", 100, 80) + noise, index=days)
    >>> found = interrupted_time_series(visits, {"removed": Level("2019-07-31")}, scale="identity")
    >>> found.table[["interruption", "term", "estimate", "n"]].round(1)
      interruption   term  estimate   n
    0      removed  level     -19.3  60
    """
    return InterruptedTimeSeries.of(
        Question(
            series,
            interruptions,
            season=season,
            calendar=calendar,
            covariates=covariates,
            controls=controls,
            leave_out=leave_out,
            errors=errors,
            scale=scale,
            trend=trend,
            offset=offset,
            confidence=confidence,
        )
    )
