"""A short series does not tell how long its errors remember: intervals by all that their memory may be.

share      how much of an interval that is to decide
Doubt      error covariances that may be, and how likely each of them is for each series
weighed    makes them
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.interruptions.structure import Correlation, Structure

#: Equal steps of the arcsine: Berger and Yang's reference prior of an AR(1), from the fit's least rho to its largest.
RHOS = np.sin(np.linspace(np.arcsin(-0.6), np.arcsin(0.99), 8))
LAMS = (0.1, 0.55, 1.0)
#: Points beyond the columns of the design up to which all of an interval is decided so, and the least share that shows.
FEW, LEAST = 8, 0.05


def share(free: int) -> float:
    """How much of an interval is decided so, from n - k: all of it up to 8, a quarter at 20, nothing beyond 58."""
    part = min(1.0, (FEW / free) ** 1.5)
    return part if part >= LEAST else 0.0


@dataclass(frozen=True, eq=False)
class Doubt:
    """Error covariances that may be.

    Attributes
    ----------
    structures
        g of them, at unit scale.
    chance : (g, m) array
        How likely each is for each of m series; columns sum to 1.
    scale : (g, m) array
        The variance that goes with each.
    """

    structures: tuple[Structure, ...]
    chance: np.ndarray
    scale: np.ndarray

    def averaged(self, variance: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of variances and inverses of degrees of freedom, m x q, from those of each covariance, g x q."""
        with np.errstate(divide="ignore"):  # a contrast of nothing has no variance
            logs = np.log(variance)
        size = (self.chance * np.log(self.scale)).sum(0)
        return size[:, None] + self.chance.T @ logs, self.chance.T @ (1 / df)


def weighed(basis: np.ndarray, residuals: np.ndarray, at: np.ndarray) -> Doubt:
    """Weigh error covariances by the restricted likelihoods that they give to m series.

    Parameters
    ----------
    basis : (n, k) array
        Orthonormal columns of the design.
    residuals : (n, m) array
        The series, less anything that the design can make.
    at : (n,) array of int
        Positions in periods.
    """
    (n, k), found, heights, scales = basis.shape, [], [], []
    size = (residuals**2).mean(0)
    safe = np.where(size > 0, size, 1.0)
    for rho in RHOS:
        correlation = Correlation(at, float(rho))
        for lam in LAMS:
            structure = Structure(correlation, lam)
            solved = structure.solve(basis)
            normal, against = basis.T @ solved, solved.T @ residuals
            rest = (residuals * structure.solve(residuals)).sum(0)
            rest -= (against * np.linalg.solve(normal, against)).sum(0)
            # A series that the design fits without error is as likely by any of them.
            rest = np.where(size > 0, np.maximum(rest / safe, 1e-300), 1.0)
            heights.append(-0.5 * ((n - k) * np.log(rest) + structure.log_det + np.linalg.slogdet(normal)[1]))
            scales.append(rest * safe / (n - k))
            found.append(structure)
    chance = np.exp(np.array(heights) - np.max(heights, axis=0))
    return Doubt(tuple(found), chance / chance.sum(0), np.array(scales))
