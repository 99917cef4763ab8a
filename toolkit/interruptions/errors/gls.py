"""Generalised least squares for one error covariance per series: what most error models have in common.

Errors         the error covariance that a series' model settled on
Linear         coefficients of one design for many series, contrasts with t quantiles, error covariances for bands
generalised    fits a design by the covariances of its series
each           finds each series' covariance by itself, then fits
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import linalg

from toolkit.interruptions.errors.ar1_noise import Correlation, Structure
from toolkit.interruptions.errors.fitted import Fitted, Regression
from toolkit.progress import followed

#: From columns to their innovations at unit scale, and log |V|.
Whitener = Callable[[np.ndarray], tuple[np.ndarray, float]]
#: Residuals smaller than this share of the series are rounding: the design fits without error.
EXACT = 1e-13


@dataclass(frozen=True, eq=False)
class Errors:
    """The error covariance of one series, at unit scale, between any two sets of positions.

    Attributes
    ----------
    between
        From positions of length a and b to an a x b array.
    parameters
        What was estimated, by name.
    scale
        The variance that goes with it; None: from the residuals, with n - k degrees of freedom.
    notes
        What a reader must know, such as an optimiser that did not converge.
    walk
        The part of `between` that is a walking level's; None where errors return to 0.
    whiten
        From positions to a whitening of columns there, where that needs no dense matrix.
    """

    between: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parameters: Mapping[str, float]
    scale: float | None = None
    notes: tuple[str, ...] = ()
    walk: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    whiten: Callable[[np.ndarray], Whitener] | None = None

    def whitener(self, at: np.ndarray) -> Whitener:
        """The whitening of columns at some positions."""
        return self.whiten(at) if self.whiten else dense(self.between(at, at))


@dataclass(frozen=True, eq=False)
class Linear(Fitted):
    """One design fitted to m series by generalised least squares; contrasts have n - k degrees of freedom.

    Attributes
    ----------
    innovations : (n, m) array
        Each point less its prediction from earlier ones, in standard deviations.
    processes
        The error covariance of each series.
    """

    innovations: np.ndarray
    processes: tuple[Errors, ...]

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Fitted covariance of the errors at two sets of positions, m x a x b."""
        first, second = np.asarray(first), np.asarray(second)
        return np.array(
            [s * one.between(first, second) for s, one in zip(self.scale, self.processes, strict=True)]
        )

    @property
    def walks(self) -> bool:
        """Whether the level itself walks: the counterfactual then follows it, and x b alone is not the fitted mean."""
        return any(one.walk is not None for one in self.processes)

    def predict(self, rows: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predicted means for rows of a design at positions, errors and degrees of freedom, each m x q.

        Notes
        -----
        x b, where errors return to 0. A level that walks adds its expected value given the series, k' V^-1 r with k
        its covariance with the points; the variance is then that of universal kriging.
        """
        level, error, df = self.contrast(rows)
        for place, one in enumerate(self.processes):
            if one.walk is None or self.scale[place] == 0:
                continue
            k, v = one.walk(at, self.at), one.between(self.at, self.at)
            known = linalg.solve(v, np.column_stack([self.residuals[:, place], k.T]), assume_a="pos")
            level[place] += k @ known[:, 0]
            rest = rows - known[:, 1:].T @ self.design
            left = np.diag(one.walk(at, at)) - np.einsum("qn,nq->q", k, known[:, 1:])
            variance = self.scale[place] * left + np.einsum("qi,ij,qj->q", rest, self.spread[place], rest)
            error[place] = np.sqrt(np.maximum(variance, 0.0))
        return level, error, df

    def whitened(self) -> np.ndarray:
        """Innovations, n x m: each point less its prediction from earlier ones, in standard deviations."""
        return self.innovations


def independent(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """No covariance between different positions."""
    return np.asarray((np.subtract.outer(first, second) == 0).astype(float))


def white(parameters: Mapping[str, float], notes: tuple[str, ...] = ()) -> Errors:
    """Independent errors, whatever else was estimated."""
    return Errors(independent, parameters, notes=notes, whiten=lambda at: lambda columns: (columns, 0.0))


def chain(rho: float, at: np.ndarray, parameters: Mapping[str, float], **more: Any) -> Errors:
    """AR(1) errors, whose innovations depend on the previous point only."""
    between = stationary(float(rho) ** np.arange(at[-1] - at[0] + 1))
    return Errors(between, parameters, whiten=partial(_chained, float(rho)), **more)


def _chained(rho: float, at: np.ndarray) -> Whitener:
    structure = Structure(Correlation(at, rho), 1.0)
    return lambda columns: (structure.innovations(columns), structure.log_det)


def dense(covariance: np.ndarray) -> Whitener:
    """By a Cholesky factor, whatever the covariance."""
    factor = linalg.cholesky(covariance, lower=True)
    log_det = 2 * float(np.log(np.diag(factor)).sum())
    return lambda columns: (linalg.solve_triangular(factor, columns, lower=True), log_det)


def stationary(correlations: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Covariance by distance, from its values at distance 0, 1, 2, ...; 0 beyond the last."""
    padded = np.append(correlations, 0.0)

    def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        distance = np.abs(np.subtract.outer(first, second)).astype(np.int64)
        return np.asarray(padded[np.minimum(distance, len(correlations))])

    return between


def arma(ar: Any, ma: Any, span: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Correlation of an ARMA process by distance."""
    from statsmodels.tsa.arima_process import arma_acovf  # statsmodels takes a second to import

    found = arma_acovf(np.r_[1, -np.asarray(ar)], np.r_[1, np.asarray(ma)], max(span, 2))
    return stationary(found / found[0])


def exact(design: np.ndarray, values: np.ndarray) -> bool:
    """Whether the design fits one series up to rounding: a constant series, or one without noise."""
    weights, *_ = np.linalg.lstsq(design, values, rcond=None)
    return bool(((values - design @ weights) ** 2).sum() <= EXACT**2 * max((values**2).sum(), 1e-300))


@dataclass(frozen=True, eq=False)
class Whitened:
    """A design and a series after whitening, where ordinary least squares is right.

    Attributes
    ----------
    coefficients, residuals, innovations
        Of one series; innovations at unit scale.
    unit : (k, k) array
        Covariance of the coefficients at unit scale.
    log_det, log_normal : float
        log |V| and log |X' V^-1 X|, which a restricted likelihood needs.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    innovations: np.ndarray
    unit: np.ndarray
    log_det: float
    log_normal: float


def whiten(design: np.ndarray, values: np.ndarray, whitener: Whitener) -> Whitened:
    """Solve one generalised least-squares problem by a QR decomposition after whitening."""
    both, log_det = whitener(np.column_stack([design, values]))
    # Columns of very different sizes, such as days and powers of them, would spoil the triangle.
    size = np.sqrt((both[:, :-1] ** 2).sum(0))
    basis, triangle = np.linalg.qr(both[:, :-1] / size)
    back = linalg.solve_triangular(triangle, np.eye(len(size))) / size[:, None]
    coefficients = back @ (basis.T @ both[:, -1])
    return Whitened(
        coefficients,
        values - design @ coefficients,
        both[:, -1] - basis @ (basis.T @ both[:, -1]),
        back @ back.T,
        log_det,
        2 * np.log(np.abs(np.diag(triangle)) * size).sum(),
    )


def generalised(asked: Regression, processes: Sequence[Errors]) -> Linear:
    """Coefficients and their covariances, given each series' error covariance.

    Notes
    -----
    b = (X' V^-1 X)^-1 X' V^-1 y, with covariance s2 (X' V^-1 X)^-1 and s2 = r' V^-1 r / (n - k) unless the process
    brings its own. A series that the design fits without error has s2 = 0.
    """
    design, values, at = asked.design, asked.values, asked.at
    n, k = design.shape
    solved, scale = [], np.zeros(values.shape[1])
    for place, one in enumerate(processes):
        found = whiten(design, values[:, place], one.whitener(at))
        solved.append(found)
        free = (found.innovations**2).sum() / (n - k)
        scale[place] = 0.0 if exact(design, values[:, place]) else free if one.scale is None else one.scale
    names = list(processes[0].parameters)
    return Linear(
        design,
        at,
        np.array([one.coefficients for one in solved]),
        np.column_stack([one.residuals for one in solved]),
        scale,
        {name: np.array([one.parameters[name] for one in processes]) for name in names},
        tuple(dict.fromkeys(note for one in processes for note in one.notes)),
        np.array([s * one.unit for s, one in zip(scale, solved, strict=True)]),
        np.column_stack([one.innovations for one in solved]) / np.sqrt(np.where(scale > 0, scale, 1.0)),
        tuple(processes),
    )


def each(
    asked: Regression, name: str, process: Callable[[np.ndarray, np.ndarray, np.ndarray], Errors]
) -> Linear:
    """Find the error covariance of each series by itself, from design, values and positions; then fit."""
    series = followed(asked.values.T, name)
    return generalised(asked, [process(asked.design, one, asked.at) for one in series])
