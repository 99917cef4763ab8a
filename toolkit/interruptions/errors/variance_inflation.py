"""Errors that remember the same day of the last week: how much wider intervals must be, when the fit knows no weeks.

inflation   for each series and contrast: the variance over what the fit says it is
"""

from __future__ import annotations

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Structure

#: Standard errors above 0 from which a memory is believed: a test at 5 %, of one side.
GATE = 1.645
#: The strongest memory that is believed; near 1 the variance has no end.
STRONGEST = 0.8


def inflation(
    structure: Structure, design: np.ndarray, residuals: np.ndarray, weights: np.ndarray, period: int
) -> np.ndarray:
    """How much larger the variance of each contrast is, m x q, if innovations remember those of a period ago.

    Parameters
    ----------
    structure
        The fitted covariance, of all m series.
    design, residuals, weights
        n x k, n x m, q x k.
    period
        Periods after which errors return; 7 for daily series.

    Notes
    -----
    With V = C C' the estimate of a contrast is g'z, g = C^-1 X (X' V^-1 X)^-1 w, z = C^-1 y the innovations. If they
    are correlated by s^j at a distance of j periods, its variance is that of the fit times g'Sg / g'g, S that
    correlation. s is the innovations' own, less what fitting k columns has taken from it: the trace of the
    projection along that lag, which counts (1 + s) / (1 - s)-fold in directions as smooth as a trend. Nothing is
    widened unless s is 1.645 standard errors above 0, and nothing is narrowed.
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
    believed = own + taken > GATE / np.sqrt(pairs)
    if not believed.any():
        return none
    strength = own + taken
    for _ in range(3):
        strength = np.clip(strength, 0.0, STRONGEST)
        strength = own + taken * (1 + strength) / (1 - strength)
    strength = np.where(believed, np.clip(strength, 0.0, STRONGEST), 0.0)
    pull = columns @ inverse @ weights.T
    # Powers of the strength below a millionth add nothing that shows.
    depth = int(np.log(1e-6) / np.log(max(float(strength.max()), 1e-6))) + 1
    lags = range(period, min(span, period * depth + 1), period)
    along = np.array([(pull[lag:] * pull[:-lag]).sum(0) for lag in lags]) / (pull**2).sum(0)
    return np.asarray(np.maximum(1.0, 1 + 2 * strength[:, None] ** np.arange(1, len(lags) + 1) @ along))
