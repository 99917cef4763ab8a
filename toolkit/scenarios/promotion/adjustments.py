"""A randomised difference adjusted for what was known before: Lin's regression, and CUPED within arms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special


class Adjusted(NamedTuple):
    """A difference of two arms after adjustment.

    `variance_left` is the share of the outcome's variance that the covariates leave.
    """

    estimate: float
    low: float
    high: float
    se: float
    variance_left: float


def lin(y: np.ndarray, treated: np.ndarray, covariates: np.ndarray, confidence: float) -> Adjusted:
    """Least squares on the arm, covariates centred on both arms, and their products; errors of type HC2.

    References
    ----------
    Lin (2013), Annals of Applied Statistics 7, 295-318.
    """
    x = covariates - covariates.mean(0)
    arm = treated.astype(float)
    design = np.column_stack([np.ones(len(y)), arm, x, x * arm[:, None]])
    estimate, se, freedom = least_squares(y, design, 1)
    return _with_ends(estimate, se, freedom, confidence, _left(y, treated, covariates))


def cuped(y: np.ndarray, treated: np.ndarray, covariate: np.ndarray, confidence: float) -> Adjusted:
    """The difference less what the covariate explains, with theta from within the arms.

    Notes
    -----
    theta = the sum over arms of within-arm cross products over that of squares. Theta over both arms together takes
    part of the effect for the covariate's.

    References
    ----------
    Deng, Xu, Kohavi & Walker (2013), WSDM 13, 123-132.
    """
    cross = squares = 0.0
    for side in (treated, ~treated):
        x = covariate[side] - covariate[side].mean()
        cross += float(x @ y[side])
        squares += float(x @ x)
    if squares == 0:
        raise ValueError("the covariate is the same for all: it explains nothing")
    rest = y - cross / squares * covariate
    estimate = float(rest[treated].mean() - rest[~treated].mean())
    parts = [rest[side].var(ddof=1) / side.sum() for side in (treated, ~treated)]
    se, freedom = float(np.sqrt(sum(parts))), len(y) - 3
    return _with_ends(estimate, se, freedom, confidence, _left(y, treated, covariate[:, None]))


def least_squares(y: np.ndarray, design: np.ndarray, at: int) -> tuple[float, float, int]:
    """One coefficient of least squares, its standard error of type HC2, and the degrees of freedom."""
    inside = np.linalg.pinv(design.T @ design)
    beta = inside @ (design.T @ y)
    residual = y - design @ beta
    leverage = np.einsum("ij,jk,ik->i", design, inside, design)
    # A row that alone decides a coefficient has no residual, and no noise to show.
    weight = np.divide(residual**2, 1 - leverage, out=np.zeros_like(y), where=leverage < 1 - 1e-12)
    row = inside[at]
    spread = (design @ row) ** 2 @ weight
    return float(beta[at]), float(np.sqrt(spread)), len(y) - int(np.linalg.matrix_rank(design))


def _left(y: np.ndarray, treated: np.ndarray, covariates: np.ndarray) -> float:
    """The share of the variance within arms that the covariates leave."""
    flat_y, flat_x = y.astype(float).copy(), covariates.astype(float).copy()
    for side in (treated, ~treated):
        flat_y[side] -= flat_y[side].mean()
        flat_x[side] -= flat_x[side].mean(0)
    total = float(flat_y @ flat_y)
    beta = np.linalg.lstsq(flat_x, flat_y, rcond=None)[0]
    rest = flat_y - flat_x @ beta
    return float(rest @ rest) / total if total else np.nan


def _with_ends(estimate: float, se: float, freedom: float, confidence: float, left: float) -> Adjusted:
    half = float(special.stdtrit(max(freedom, 1), (1 + confidence) / 2)) * se
    return Adjusted(estimate, estimate - half, estimate + half, se, left)
