"""Variance inflation for residual autocorrelation at lags 7 and 14 that the AR(1)+noise model leaves out.

inflation   for each series and contrast: the variance over the one that the fit gives
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Structure

#: Standard errors above 0 from which autocorrelation counts: one-sided tests, at 5 % for a period ago and, as the
#: second of two, at 1 % for two.
GATES = (1.645, 2.326)
#: Largest autocorrelation that is used; near 1 the variance grows without bound.
STRONGEST = 0.8
#: Autocorrelation below which further periods add nothing that shows.
NOTHING = 1e-6


class Lagged(NamedTuple):
    """Autocorrelation of innovations at a lag, of m series.

    Attributes
    ----------
    found : (m,) array
        With what fitting the design took from it, as it is where there is none.
    strength : (m,) array
        With what fitting took from one that strong; from 0 to `STRONGEST`.
    error
        Its standard error where there is none; infinite with too few pairs of points at that lag.
    """

    found: np.ndarray
    strength: np.ndarray
    error: float


def inflation(
    structure: Structure, design: np.ndarray, residuals: np.ndarray, weights: np.ndarray, period: int
) -> np.ndarray:
    """Variance inflation of each contrast, m x q, if innovations are correlated with those of a period or two ago.

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
    are correlated by r_j at a distance of j periods, its variance is that of the fit times g'Rg / g'g, R that
    correlation. r_1 and r_2 are the autocorrelations of the innovations, plus what fitting k columns has taken from
    them: the trace of the projection along that lag, which counts (1 + r) / (1 - r)-fold in directions as smooth as a
    trend. Further ones follow as in an AR(2) of whole periods (Yule and Walker). r_1 counts if it is 1.645 standard
    errors above 0; r_2 if what r_1 does not explain of it is 2.326; each if 2 k pairs of points lie at its lag.
    Nothing is deflated.
    """
    at = structure.correlation.at - structure.correlation.at[0]
    k, span = design.shape[1], int(at[-1]) + 1
    # Missing periods become zeros, so that a lag is a distance in time.
    laid = np.zeros((span, k + residuals.shape[1]))
    laid[at] = structure.innovations(np.column_stack([design, residuals]))
    there = np.zeros(span)
    there[at] = 1.0
    columns, shocks = laid[:, :k], laid[:, k:]
    inverse = np.linalg.inv(columns.T @ columns)
    one, two = (_lagged(columns, shocks, inverse, there, lag) for lag in (period, 2 * period))
    once = one.found > GATES[0] * one.error
    explained = np.where(once, np.clip(one.found, 0.0, 1.0) ** 2, 0.0)
    with np.errstate(invalid="ignore"):  # without pairs the error is infinite, and its product with 0 nothing
        twice = two.found - explained > GATES[1] * two.error * (1 - explained)
    if not (once | twice).any():
        return np.ones((residuals.shape[1], len(weights)))
    near = np.where(once, one.strength, 0.0)
    far = np.where(twice, np.clip((two.strength - near**2) / (1 - near**2), 0.0, STRONGEST), 0.0)
    near = np.minimum(near * (1 - far), STRONGEST - far)
    pull = columns @ inverse @ weights.T
    slowest = float((near + np.sqrt(near**2 + 4 * far)).max()) / 2
    depth = int(np.log(NOTHING) / np.log(max(slowest, NOTHING))) + 1
    lags = range(period, min(span, period * depth + 1), period)
    along = np.array([(pull[lag:] * pull[:-lag]).sum(0) for lag in lags]) / (pull**2).sum(0)
    correlation = [np.ones_like(near), near / (1 - far)]
    while len(correlation) <= len(lags):
        correlation.append(near * correlation[-1] + far * correlation[-2])
    return np.asarray(np.maximum(1.0, 1 + 2 * np.array(correlation[1 : len(lags) + 1]).T @ along))


def _lagged(
    columns: np.ndarray, shocks: np.ndarray, inverse: np.ndarray, there: np.ndarray, lag: int
) -> Lagged:
    """Autocorrelation of innovations at a lag; `inverse` is that of the columns' cross products."""
    (span, k), m = columns.shape, shocks.shape[1]
    pairs = float(there[lag:] @ there[:-lag]) if span > lag else 0.0
    if pairs < 2 * k:
        return Lagged(np.zeros(m), np.zeros(m), np.inf)
    spread = (shocks**2).sum(0) / (there.sum() - k)
    own = (shocks[lag:] * shocks[:-lag]).sum(0) / np.where(spread > 0, spread, 1.0) / pairs
    taken = float(((columns[lag:] @ inverse) * columns[:-lag]).sum() / pairs)
    strength = own + taken
    for _ in range(3):
        strength = np.clip(strength, 0.0, STRONGEST)
        strength = own + taken * (1 + strength) / (1 - strength)
    return Lagged(own + taken, np.clip(strength, 0.0, STRONGEST), 1 / np.sqrt(pairs))
