"""Ordinary least squares, with errors of the coefficients for independent or for correlated errors (Newey-West)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toolkit.interruptions.errors.fitted import Regression
from toolkit.interruptions.errors.gls import Linear, generalised, white
from toolkit.interruptions.errors.registry import error_model


@error_model("ols", "least squares, errors taken as independent")
def ols(asked: Regression, option: str) -> Linear:
    """Ordinary least squares, whose intervals are too narrow wherever neighbouring periods are alike."""
    return generalised(asked, [white({})] * asked.values.shape[1])


@error_model("hac", "least squares with Newey-West errors", option="hac:4")
def hac(asked: Regression, option: str) -> Linear:
    """Least squares with Newey-West errors of the coefficients.

    Notes
    -----
    Bartlett weights up to the lag, times n / (n - k); by default the lag is the whole part of 0.75 n^(1/3) (Stock and
    Watson). Scores of missing periods are 0, so that lags are real distances. With fewer than some hundred points the
    intervals are too narrow all the same: see the coverage table in `benchmarks/`.

    References
    ----------
    Newey and West (1987), Econometrica 55:703; Datta and Du (2012), Federal Reserve IFDP 1060, for the gaps.
    """
    from statsmodels.stats.sandwich_covariance import S_hac_simple  # statsmodels takes a second to import

    if option and not option.isdigit():
        raise ValueError(f"errors='hac:{option}': the lag is a whole number of periods, such as 'hac:4'")
    plain, design, at = ols(asked, ""), asked.design, asked.at
    n, k = design.shape
    lag = int(option) if option else int(0.75 * n ** (1 / 3))
    unit = np.linalg.inv(design.T @ design)
    spread = np.empty_like(plain.spread)
    for place, residuals in enumerate(plain.residuals.T):
        scores = np.zeros((at[-1] - at[0] + 1, k))
        scores[at - at[0]] = design * residuals[:, None]
        meat = S_hac_simple(scores, nlags=min(lag, len(scores) - 1))
        spread[place] = n / (n - k) * unit @ meat @ unit * (plain.scale[place] > 0)
    return replace(plain, spread=spread, parameters={"lag": np.full(len(spread), lag)})
