"""Small counts with an exposure: Poisson, quasi-Poisson and negative binomial regression with a log link.

fit       a design, counts and an offset, by statsmodels
Counts    coefficients on the log scale: differences are log rate ratios
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import statsmodels.api as sm
from scipy import optimize
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.tools.sm_exceptions import ConvergenceWarning, DomainWarning, PerfectSeparationWarning
from tqdm.auto import tqdm

FAMILIES = ("poisson", "quasi_poisson", "negative_binomial")
#: Below this p residuals are said to be correlated; above this ratio counts are said to vary more than Poisson's.
CORRELATED, DISPERSED = 0.05, 1.5
#: Limits of theta: beyond the upper one the counts cannot be told from Poisson's.
THETA = (1e-3, 1e7)


@dataclass(frozen=True, eq=False)
class Counts:
    """One design fitted to m series of counts, log(mean) = X b + offset.

    Attributes
    ----------
    coefficients : (m, k) array
        On the log scale.
    residuals : (n, m) array
        On the log scale, (y - mean) / mean, as the last round of fitting saw them.
    scale : (m,) array
        Variance over what the family says: 1, or for quasi-Poisson Pearson's chi-square over n - k.
    parameters : dict of (m,) arrays
        `dispersion`, and `theta` where the variance is mean + mean^2 / theta.
    offset : (n,) array
    """

    design: np.ndarray
    at: np.ndarray
    coefficients: np.ndarray
    residuals: np.ndarray
    scale: np.ndarray
    parameters: dict[str, np.ndarray]
    notes: tuple[str, ...]
    offset: np.ndarray
    spread: np.ndarray
    pearson: np.ndarray
    variance: np.ndarray

    @property
    def n(self) -> int:
        """Points."""
        return self.design.shape[0]

    @property
    def k(self) -> int:
        """Columns of the design."""
        return self.design.shape[1]

    def one(self, place: int) -> Counts:
        """The fit of one series."""
        return replace(
            self,
            coefficients=self.coefficients[[place]],
            residuals=self.residuals[:, [place]],
            scale=self.scale[[place]],
            parameters={name: values[[place]] for name, values in self.parameters.items()},
            spread=self.spread[[place]],
            pearson=self.pearson[:, [place]],
            variance=self.variance[:, [place]],
        )

    def vcov(self) -> np.ndarray:
        """Covariance of the coefficients, m x k x k."""
        return self.spread

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors, and infinite degrees of freedom: each m x q."""
        weights = np.atleast_2d(np.asarray(weights, float))
        estimate = self.coefficients @ weights.T
        variance = np.einsum("qi,mij,qj->mq", weights, self.spread, weights)
        return estimate, np.sqrt(np.maximum(variance, 0.0)), np.full_like(estimate, np.inf)

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Working variance of the log count, m x a x b: diagonal, of the nearest positions that were fitted.

        By the delta method it is scale / mean, and 1 / theta more for the negative binomial.
        """
        first, second = np.asarray(first), np.asarray(second)
        same = np.subtract.outer(first, second) == 0
        each = np.array([np.interp(first, self.at, one) for one in self.variance.T])
        return np.where(same, each[:, :, None], 0.0)

    def whitened(self) -> np.ndarray:
        """Pearson residuals in standard deviations, n x m."""
        return self.pearson / np.sqrt(np.where(self.scale > 0, self.scale, 1.0))


def fit(name: str, design: np.ndarray, values: np.ndarray, at: np.ndarray, offset: Any = None) -> Counts:
    """Fit counts by statsmodels' GLM.

    Parameters
    ----------
    name : {"poisson", "quasi_poisson", "negative_binomial"}
    design : (n, k) array
    values : (n, m) array
        Counts, 0 or more.
    at : (n,) array of int
        Positions; rows that are absent are of no account, since the errors are taken for independent.
    offset : (n,) array, optional
        Logarithm of the exposure.

    Raises
    ------
    ValueError
        For negative counts, a series of zeros, or an offset that is not finite or not of that length.

    Notes
    -----
    theta of the negative binomial is maximum likelihood. None of the three allows for correlation: where Ljung-Box at
    min(10, n / 5) lags finds some in the Pearson residuals, the notes say so.
    """
    n = len(values)
    if (values < 0).any():
        raise ValueError(f"errors={name!r} is for counts; the series has {values.min():g}")
    if not values.any(0).all():
        raise ValueError(f"errors={name!r}: a series has zeros only, of which no rate can be told")
    given = np.zeros(n) if offset is None else np.asarray(offset, float)
    if given.shape != (n,) or not np.isfinite(given).all():
        raise ValueError(
            f"offset= has one finite number for each of the {n} points, the logarithm of the exposure"
        )
    parts: list[_Part] = []
    for one in tqdm(values.T, desc=name, delay=2, leave=False):
        parts.append(_one(name, design, one, given))
    column = {key: np.array([part.parameters[key] for part in parts]) for key in parts[0].parameters}
    return Counts(
        design,
        at,
        np.array([part.coefficients for part in parts]),
        np.column_stack([part.residuals for part in parts]),
        np.array([part.scale for part in parts]),
        column,
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        given,
        np.array([part.spread for part in parts]),
        np.column_stack([part.pearson for part in parts]),
        np.column_stack([part.variance for part in parts]),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    coefficients: np.ndarray
    residuals: np.ndarray
    scale: float
    parameters: dict[str, float]
    notes: tuple[str, ...]
    spread: np.ndarray
    pearson: np.ndarray
    variance: np.ndarray


def _one(name: str, design: np.ndarray, values: np.ndarray, offset: np.ndarray) -> _Part:
    # The trend in units of its size, or 200 periods squared spoil the normal equations.
    size = np.maximum(np.abs(design).max(0), 1e-300)
    notes: list[str] = []

    def fitted(family: Any, scale: Any) -> Any:
        with warnings.catch_warnings():
            for said in (ConvergenceWarning, PerfectSeparationWarning, DomainWarning, RuntimeWarning):
                warnings.simplefilter("ignore", said)
            return sm.GLM(values, design / size, family=family, offset=offset).fit(
                scale=scale, maxiter=200, tol=1e-12
            )

    theta = np.inf
    if name == "negative_binomial":
        theta = _theta(fitted)
        family = sm.families.NegativeBinomial(alpha=1 / theta)
        if theta > THETA[1] / 10:
            notes.append("counts vary no more than Poisson's: theta is at its upper limit")
    else:
        family = sm.families.Poisson()
    found = fitted(family, "X2" if name == "quasi_poisson" else 1.0)
    dispersion = float(found.pearson_chi2 / found.df_resid)
    if not found.converged or np.abs(found.params).max() > 100 or found.bse.max() > 50:
        notes.append(
            f"{name} did not converge: a term may stand for zeros only, whose log rate is minus infinity; "
            "drop that term or merge periods"
        )
    if name == "poisson" and dispersion > DISPERSED:
        notes.append(
            f"counts vary {dispersion:.1f} times as much as Poisson's: intervals are too narrow; use 'quasi_poisson'"
        )
    pearson = np.asarray(found.resid_pearson)
    lags = min(10, len(values) // 5)
    if lags and pearson.std() > 0:
        p = float(acorr_ljungbox(pearson, lags=[lags])["lb_pvalue"].iloc[0])
        if p < CORRELATED:
            notes.append(
                f"residuals are correlated (Ljung-Box, {lags} lags: p = {p:.2g}), which {name} does not allow for: "
                "intervals are too narrow; use errors='auto'"
            )
    mean = np.asarray(found.fittedvalues)
    parameters = {"dispersion": dispersion if name == "quasi_poisson" else 1.0}
    if name == "negative_binomial":
        parameters["theta"] = theta
    safe = np.maximum(mean, 1e-300)
    return _Part(
        np.asarray(found.params) / size,
        (values - mean) / safe,
        float(found.scale),
        parameters,
        tuple(notes),
        np.asarray(found.cov_params()) / np.outer(size, size),
        pearson,
        found.scale / safe + 1 / theta,
    )


def _theta(fitted: Any) -> float:
    """The theta of highest profile likelihood."""
    low, high = np.log(THETA)

    def below(log_theta: float) -> float:
        return -float(fitted(sm.families.NegativeBinomial(alpha=np.exp(-log_theta)), 1.0).llf)

    axis = np.linspace(low, high, 24)
    heights = [below(one) for one in axis]
    best = int(np.nanargmin(heights))
    around = axis[max(best - 1, 0)], axis[min(best + 1, len(axis) - 1)]
    return float(np.exp(optimize.minimize_scalar(below, bounds=around, method="bounded").x))
