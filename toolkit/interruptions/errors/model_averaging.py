"""Model averaging of intervals for short series, over the autocorrelation that a short series leaves open.

Variance and degrees of freedom are averaged over a grid of (rho, lam), weighted by restricted likelihood.

share        weight of the average, by the number of points beyond the columns
possible     the error covariances of the grid
weighed      their weights, and the scale that goes with each
Averaged     moves variances and degrees of freedom towards their averages
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.kenward_roger import Adjustment

#: Equal steps of the arcsine: the reference prior of an AR(1), from the least rho of a fit to the largest.
RHOS = np.sin(np.linspace(np.arcsin(-0.6), np.arcsin(0.99), 8))
LAMS = (0.1, 0.55, 1.0)
#: Points beyond the columns of the design up to which an interval is all averaged, and from which on not at all.
FEW, MANY = 8, 44


def share(free: int) -> float:
    """Weight of the average, from n - k: 1 up to 8, a quarter at 20, 0 from 44 on.

    Linear in 1 / (n - k), the order of what a likelihood leaves open.
    """
    return min(1.0, max(0.0, (1 / free - 1 / MANY) / (1 / FEW - 1 / MANY)))


def possible(at: np.ndarray) -> list[Structure]:
    """The error covariances of the grid, at unit scale, with equal prior weights.

    References
    ----------
    Berger and Yang (1994), Econometric Theory 10:461, for the prior of rho.
    """
    return [
        Structure(correlation, lam)
        for correlation in (Correlation(at, float(rho)) for rho in RHOS)
        for lam in LAMS
    ]


def weighed(
    structures: Sequence[Structure], basis: np.ndarray, residuals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each covariance for each of m series, by restricted likelihood, and the scale that goes with it.

    Parameters
    ----------
    structures
        g covariances.
    basis : (n, k) array
        Orthonormal columns of the design.
    residuals : (n, m) array
        Of the series on the design, by least squares.

    Returns
    -------
    chance, scale : (g, m) arrays
        Columns of `chance` sum to 1.
    """
    (n, k), heights, scales = basis.shape, [], []
    for structure in structures:
        solved = structure.solve(basis)
        normal, against = basis.T @ solved, solved.T @ residuals
        rest = (residuals * structure.solve(residuals)).sum(0)
        rest -= (against * np.linalg.solve(normal, against)).sum(0)
        # Nothing is left where the design fits without error: all weights are then equal, and the scale is 0.
        scales.append(np.maximum(rest, 1e-300) / (n - k))
        heights.append(structure.log_det + np.linalg.slogdet(normal)[1] + (n - k) * np.log(scales[-1]))
    scale, height = np.array(scales), -0.5 * np.array(heights)
    chance = np.exp(height - height.max(0))
    return chance / chance.sum(0), scale


@dataclass(frozen=True, eq=False)
class Averaged:
    """The grid of error covariances for one design and m series.

    Attributes
    ----------
    adjustment
        What contrasts need at each of g covariances.
    chance, scale : (g, m) arrays
        Weight of each, and its variance.
    """

    adjustment: Adjustment
    chance: np.ndarray
    scale: np.ndarray

    def moved(
        self, part: float, weights: np.ndarray, variance: np.ndarray, df: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Variances and degrees of freedom, m x q, moved part of the way towards their averages over the grid.

        Notes
        -----
        Averages are of the logarithm of the variance and of the inverse of the degrees of freedom, since these span
        orders of magnitude: sum_g p_g log(s2_g w' Phi_g w), p_g the weight. The Kenward-Roger variance, which grows
        without bound near rho = 1, needs no limit here, where such a rho counts for no more than its weight.
        """
        (g, m), positive = self.chance.shape, variance > 0
        size = (self.chance * np.log(self.scale)).sum(0)[:, None]
        if weights.ndim == 2:
            logs, inverse = (self.chance.T @ each for each in self._each(weights, np.arange(g)))
        else:
            logs, inverse = np.zeros((2, *variance.shape))
            for one, chance in enumerate(self.chance):
                log, over = self._each(weights, np.full(m, one))
                logs += chance[:, None] * log
                inverse += chance[:, None] * over
        moved = np.exp((1 - part) * np.log(np.where(positive, variance, 1.0)) + part * (size + logs))
        return np.where(positive, moved, 0.0), np.maximum(2.0, 1 / ((1 - part) / df + part * inverse))

    def _each(self, weights: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of variances at unit scale, and inverses of degrees of freedom."""
        spread, free = self.adjustment.contrast(weights, chosen, np.inf)
        return np.log(np.where(spread > 0, spread, 1.0)), 1 / free
