"""A randomised difference adjusted for what was known before: Lin's regression, and CUPED within arms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

#: Columns that differ by less than this share of their size are one.
RANK = 1e-10


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
    # In units of each column, of the design and not of its square: sales in yuan beside a flag lose no digit.
    units = np.sqrt((design**2).mean(0))
    scaled = design / np.where(units > 0, units, 1.0)
    inverse = np.linalg.pinv(scaled, rcond=RANK)
    told = inverse @ scaled[:, at]
    if abs(told[at] - 1) > 1e-6:
        raise ValueError(
            "the covariates part treated and others entirely, or are as many as the rows: what the treatment does "
            "cannot be told from them; leave some out"
        )
    centre = y.mean()
    beta = inverse @ (y - centre)
    residual = (y - centre) - scaled @ beta
    leverage = np.einsum("ij,ji->i", scaled, inverse)
    # A row that alone decides a coefficient has no residual, and no noise to show.
    weight = np.divide(residual**2, 1 - leverage, out=np.zeros_like(y), where=leverage < 1 - 1e-12)
    spread = inverse[at] ** 2 @ weight
    freedom = len(y) - int(np.linalg.matrix_rank(scaled, rtol=RANK))
    return float(beta[at] / units[at]), float(np.sqrt(spread) / units[at]), freedom


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
    half = float(special.stdtrit(max(freedom, 1), (1 + confidence) / 2)) * se if se > 0 else np.nan
    return Adjusted(estimate, estimate - half, estimate + half, se, left)
