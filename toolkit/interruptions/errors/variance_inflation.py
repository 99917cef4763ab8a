"""Variance inflation for lag-7 residual autocorrelation that the AR(1)+noise model leaves out.

inflation   for each series and contrast: the variance over the one that the fit gives
"""

from __future__ import annotations

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Structure

#: Standard errors above 0 from which autocorrelation counts: a one-sided test at 5 %.
GATE = 1.645
#: Largest autocorrelation that is used; near 1 the variance grows without bound.
STRONGEST = 0.8


def inflation(
    structure: Structure, design: np.ndarray, residuals: np.ndarray, weights: np.ndarray, period: int
) -> np.ndarray:
    """Variance inflation of each contrast, m x q, if innovations are correlated with those of a period ago.

    Parameters
    ----------
    structure
        The fitted covariance, of all m series.
    design, residuals, weights
        n x k, n x m, q x k.
    period
        The lag; 7 for daily series.

    Notes
    -----
    With V = C C' the estimate of a contrast is g'z, g = C^-1 X (X' V^-1 X)^-1 w, z = C^-1 y the innovations. If they
    are correlated by s^j at a distance of j periods, its variance is that of the fit times g'Sg / g'g, S that
    correlation. s is the autocorrelation of the innovations, plus what fitting k columns has taken from it: the
    trace of the projection along that lag, which counts (1 + s) / (1 - s)-fold in directions as smooth as a trend.
    No variance is inflated unless s is 1.645 standard errors above 0 and 2 k pairs of points lie at that lag; none is
    deflated.
    """
    at = structure.correlation.at - structure.correlation.at[0]
    (n, k), span = design.shape, int(at[-1]) + 1
    # Missing periods become zeros, so that a lag is a distance in time.
    laid = np.zeros((span, k + residuals.shape[1]))
    laid[at] = structure.innovations(np.column_stack([design, residuals]))
    there = np.zeros(span)
    there[at] = 1.0
    pairs = there[period:] @ there[:-period] if span > period else 0.0
    none = np.ones((residuals.shape[1], len(weights)))
    if pairs < 2 * k:
        return none
    columns, shocks = laid[:, :k], laid[:, k:]
    inverse = np.linalg.inv(columns.T @ columns)
    spread = (shocks**2).sum(0) / (n - k)
    own = (shocks[period:] * shocks[:-period]).sum(0) / np.where(spread > 0, spread, 1.0) / pairs
    taken = float(((columns[period:] @ inverse) * columns[:-period]).sum() / pairs)
    found = own + taken > GATE / np.sqrt(pairs)
    if not found.any():
        return none
    strength = own + taken
    for _ in range(3):
        strength = np.clip(strength, 0.0, STRONGEST)
        strength = own + taken * (1 + strength) / (1 - strength)
    strength = np.where(found, np.clip(strength, 0.0, STRONGEST), 0.0)
    pull = columns @ inverse @ weights.T
    # Powers of the strength below a millionth add nothing that shows.
    depth = int(np.log(1e-6) / np.log(max(float(strength.max()), 1e-6))) + 1
    lags = range(period, min(span, period * depth + 1), period)
    along = np.array([(pull[lag:] * pull[:-lag]).sum(0) for lag in lags]) / (pull**2).sum(0)
    return np.asarray(np.maximum(1.0, 1 + 2 * strength[:, None] ** np.arange(1, len(lags) + 1) @ along))
