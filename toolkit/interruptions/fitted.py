"""What a design fitted to many series is, whatever the estimator: coefficients, their covariance, contrasts of them.

Designed      a design, and its size
Fitted        as estimators by name return it
estimates     linear contrasts of coefficients
quadratic     the quadratic form of every matrix and contrast
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Designed:
    """Something about a design, points by columns."""

    design: np.ndarray

    @property
    def n(self) -> int:
        """Points."""
        return self.design.shape[0]

    @property
    def k(self) -> int:
        """Columns of the design."""
        return self.design.shape[1]


@dataclass(frozen=True, eq=False)
class Fitted(Designed):
    """One design fitted to m series, each with a covariance of its coefficients.

    Attributes
    ----------
    coefficients : (m, k) array
    residuals : (n, m) array
    scale : (m,) array
        Variance that multiplies the error covariance.
    parameters : dict of (m,) arrays
        Of the error process, by name.
    notes
        What a reader must know of this fit.
    spread : (m, k, k) array
        Covariance of the coefficients.
    """

    at: np.ndarray
    coefficients: np.ndarray
    residuals: np.ndarray
    scale: np.ndarray
    parameters: dict[str, np.ndarray]
    notes: tuple[str, ...]
    spread: np.ndarray

    @property
    def free(self) -> float:
        """Degrees of freedom of every contrast."""
        return float(self.n - self.k)

    def vcov(self) -> np.ndarray:
        """Covariance of the coefficients, m x k x k."""
        return self.spread

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q.

        Parameters
        ----------
        weights : (q, k) or (m, q, k) array
            One contrast per row, the same for all series or each series' own.
        """
        weights = np.atleast_2d(np.asarray(weights, float))
        estimate, variance = estimates(self.coefficients, weights), quadratic(self.spread, weights)
        return estimate, np.sqrt(np.maximum(variance, 0.0)), np.full_like(estimate, self.free)


def estimates(coefficients: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Linear contrasts, m x q: the same for all series, q x k, or each series' own, m x q x k."""
    return np.asarray((weights @ coefficients[:, :, None])[..., 0])


def quadratic(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The quadratic form of each of m matrices and every contrast, m x q."""
    return np.asarray(((weights @ matrix) * weights).sum(-1))
