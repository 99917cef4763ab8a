"""What every error model takes and gives back: a regression, and a fit with the covariance of its coefficients.

Regression   one design and the series that share it
Fit          what effects, bands and checks ask of a fitted error model: a protocol
Designed     the answers that most error models share
Fitted       coefficients whose covariance is given as a matrix for each series
estimates    linear contrasts of coefficients
quadratic    the quadratic form of every matrix and contrast
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Regression:
    """One design and the series that share it, without missing values.

    Attributes
    ----------
    design : (n, k) array
        Of full column rank, n > k.
    values : (n, m) array
        On the scale of the model.
    at : (n,) array of int
        Positions in periods, ascending; a missing period is a gap.
    offset : (n,) array or None
        Logarithm of the exposure, for counts.
    unit
        "D", "W" or "M" for days, weeks and months; empty for periods of no named length.
    """

    design: np.ndarray
    values: np.ndarray
    at: np.ndarray
    offset: np.ndarray | None = None
    unit: str = ""


class Fit(Protocol):
    """One design fitted to m series by some error model."""

    @property
    def n(self) -> int:
        """Points."""

    @property
    def k(self) -> int:
        """Columns of the design."""

    @property
    def coefficients(self) -> np.ndarray:
        """Estimates, m x k."""

    @property
    def residuals(self) -> np.ndarray:
        """What the design leaves of every point, n x m."""

    @property
    def scale(self) -> np.ndarray:
        """Variance of a single error, m."""

    @property
    def around(self) -> np.ndarray:
        """Variance of single errors around a fitted mean, m: `scale`, but for a state that walks."""

    @property
    def parameters(self) -> Mapping[str, np.ndarray]:
        """Of the error process, by name, m each."""

    @property
    def boundary(self) -> Sequence[str]:
        """For each series which error parameters lie at the end of their range, as text; empty if none."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of this fit."""

    @property
    def walks(self) -> bool:
        """Whether the level itself walks: the counterfactual then follows it, and x b alone is not what was."""

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q.

        Parameters
        ----------
        weights : (q, k) or (m, q, k) array
            One contrast per row, the same for all series or each series' own.
        """

    def vcov(self) -> np.ndarray:
        """Covariance of the coefficients, m x k x k, without any small-sample adjustment of `contrast`."""

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Fitted covariance of the errors at two sets of positions, m x a x b."""

    def noise(self, at: np.ndarray) -> np.ndarray:
        """Variance of single errors at positions, m x a."""

    def whitened(self) -> np.ndarray:
        """Innovations, n x m: each point less its prediction from earlier ones, in standard deviations."""

    def predict(self, rows: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predicted means for rows of a design at positions, errors and degrees of freedom, each m x q."""

    def held(self, design: np.ndarray, values: np.ndarray) -> Fit | None:
        """Another design with the error parameters of this fit of one series; None where all is fitted anew."""


@dataclass(frozen=True, eq=False)
class Designed:
    """The answers that most error models share: errors return to 0, and every parameter is fitted anew."""

    design: np.ndarray

    @property
    def n(self) -> int:
        """Points."""
        return int(self.design.shape[0])

    @property
    def k(self) -> int:
        """Columns of the design."""
        return int(self.design.shape[1])

    @property
    def walks(self) -> bool:
        """Whether the level itself walks."""
        return False

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q."""
        raise NotImplementedError

    def predict(self, rows: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predicted means: contrasts of the coefficients, wherever they are asked for."""
        return self.contrast(rows)

    def held(self, design: np.ndarray, values: np.ndarray) -> Fit | None:
        """None: another design is fitted anew."""
        return None


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

    @property
    def boundary(self) -> list[str]:
        """Nothing: what lies near its bound is said in the notes."""
        return [""] * len(self.coefficients)

    @property
    def around(self) -> np.ndarray:
        """Variance of single errors around a fitted mean."""
        return self.scale

    def vcov(self) -> np.ndarray:
        """Covariance of the coefficients, m x k x k."""
        return self.spread

    def noise(self, at: np.ndarray) -> np.ndarray:
        """Variance of single errors, the same at every position, m x a."""
        return np.repeat(self.scale[:, None], len(at), 1)

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q."""
        weights = np.atleast_2d(np.asarray(weights, float))
        estimate, variance = estimates(self.coefficients, weights), quadratic(self.spread, weights)
        return estimate, np.sqrt(np.maximum(variance, 0.0)), np.full_like(estimate, self.free)


def estimates(coefficients: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Linear contrasts, m x q: the same for all series, q x k, or each series' own, m x q x k."""
    return np.asarray((weights @ coefficients[:, :, None])[..., 0])


def quadratic(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The quadratic form of each of m matrices and every contrast, m x q."""
    return np.asarray(((weights @ matrix) * weights).sum(-1))
