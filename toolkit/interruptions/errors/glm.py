"""Count models with a log link and an exposure: Poisson, quasi-Poisson and negative binomial GLMs.

regress    fits a design, counts and an offset by statsmodels
Counts     coefficients on the log scale: differences are log rate ratios
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special

from toolkit.interruptions.errors.fitted import Fitted, Regression
from toolkit.interruptions.errors.registry import error_model
from toolkit.progress import followed

Family = Literal["poisson", "quasi_poisson", "negative_binomial"]
#: p value below which residuals are noted as correlated; ratio above which counts are noted as overdispersed.
CORRELATED, DISPERSED = 0.05, 1.5
#: Mean below which log(y + 0.5) understates ratios.
RARE = 5.0
#: Limits of theta: beyond the upper one the counts cannot be told from Poisson's.
THETA = (1e-3, 1e7)


@dataclass(frozen=True, eq=False)
class Counts(Fitted):
    """One design fitted to m series of counts, log(mean) = X b + offset.

    Coefficients and residuals are on the log scale: (y - mean) / mean, as the last round of fitting saw them. Scale is
    the variance over what the family says: 1, or for quasi-Poisson Pearson's chi-square over n - k. Parameters are
    `dispersion`, and `theta` where the variance is mean + mean^2 / theta.

    Attributes
    ----------
    offset : (n,) array
    pearson, variance : (n, m) arrays
        Pearson residuals; variance of the log count, by the delta method scale / mean, and 1 / theta more for the
        negative binomial.
    """

    offset: np.ndarray
    pearson: np.ndarray
    variance: np.ndarray

    @property
    def free(self) -> float:
        """Degrees of freedom of every contrast: the normal distribution's."""
        return np.inf

    def noise(self, at: np.ndarray) -> np.ndarray:
        """Variance of the log count at positions, m x a, taken from the nearest ones that were fitted."""
        return np.array([np.interp(at, self.at, one) for one in self.variance.T])

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Working covariance of the log count, m x a x b: nothing beside the diagonal."""
        first, second = np.asarray(first), np.asarray(second)
        return np.where(np.subtract.outer(first, second) == 0, self.noise(first)[:, :, None], 0.0)

    def whitened(self) -> np.ndarray:
        """Pearson residuals in standard deviations, n x m."""
        return self.pearson / np.sqrt(np.where(self.scale > 0, self.scale, 1.0))


@error_model("poisson", "Poisson", linked=True)
def poisson(asked: Regression, option: str) -> Counts:
    """Counts whose variance is their mean."""
    return regress("poisson", asked)


@error_model("quasi_poisson", "quasi-Poisson", linked=True)
def quasi_poisson(asked: Regression, option: str) -> Counts:
    """Counts whose variance is a multiple of their mean."""
    return regress("quasi_poisson", asked)


@error_model("negative_binomial", "negative binomial", linked=True)
def negative_binomial(asked: Regression, option: str) -> Counts:
    """Counts whose variance is mean + mean^2 / theta."""
    return regress("negative_binomial", asked)


def regress(name: Family, asked: Regression) -> Counts:
    """Fit counts by statsmodels' GLM.

    Parameters
    ----------
    name : {"poisson", "quasi_poisson", "negative_binomial"}
    asked : Regression
        Of counts, 0 or more; periods that are absent are of no account, since the errors are taken for independent.

    Raises
    ------
    ValueError
        For negative counts, a series of zeros, or an offset that is not finite or not of that length.

    Notes
    -----
    theta of the negative binomial is maximum likelihood. None of the three allows for correlation: where Ljung-Box at
    min(10, n / 5) lags finds some in the Pearson residuals, the notes say so.
    """
    design, values, at = asked.design, asked.values, asked.at
    n = len(values)
    if (values < 0).any():
        raise ValueError(f"errors={name!r} is for counts; the series has {values.min():g}")
    if not values.any(0).all():
        raise ValueError(f"errors={name!r}: a series has zeros only, of which no rate can be told")
    given = np.zeros(n) if asked.offset is None else np.asarray(asked.offset, float)
    if given.shape != (n,) or not np.isfinite(given).all():
        raise ValueError(
            f"offset= has one finite number for each of the {n} points, the logarithm of the exposure"
        )
    parts: list[_Part] = []
    for one in followed(values.T, name):
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
        np.array([part.spread for part in parts]),
        given,
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


def _one(name: Family, design: np.ndarray, values: np.ndarray, offset: np.ndarray) -> _Part:
    import statsmodels.api as sm  # a second to import
    from statsmodels.stats.diagnostic import acorr_ljungbox
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, DomainWarning, PerfectSeparationWarning

    # The trend in units of its size, or 200 periods squared spoil the normal equations.
    size = np.maximum(np.abs(design).max(0), 1e-300)
    notes: list[str] = []

    def fitted(family: Any, scale: Any, start: Any = None) -> Any:
        with warnings.catch_warnings():
            for said in (ConvergenceWarning, PerfectSeparationWarning, DomainWarning, RuntimeWarning):
                warnings.simplefilter("ignore", said)
            # The coefficients settle; the deviance of a long series has no twelve digits behind its point.
            return sm.GLM(values, design / size, family=family, offset=offset).fit(
                start_params=start, scale=scale, maxiter=200, tol_criterion="params", tol=1e-9, rtol=1e-9
            )

    theta = np.inf
    if name == "negative_binomial":
        theta = _theta(fitted, values)
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
                "intervals are too narrow; "
                # The logarithm of rare counts is biased, and that of their sums is not.
                + ("use errors='auto'" if values.mean() >= RARE else "add up to weeks and use errors='auto'")
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


def _theta(fitted: Any, values: np.ndarray) -> float:
    """The theta of highest likelihood: given the means, then the means given it, which hardly depend on each other."""
    import statsmodels.api as sm

    found, log_theta = fitted(sm.families.Poisson(), 1.0), np.inf
    for _ in range(50):
        last, log_theta = log_theta, _log_theta(values, np.asarray(found.fittedvalues))
        if abs(log_theta - last) < 1e-9:
            break
        family = sm.families.NegativeBinomial(alpha=np.exp(-log_theta))
        found = fitted(family, 1.0, found.params)
    return float(np.exp(log_theta))


def _log_theta(values: np.ndarray, mean: np.ndarray) -> float:
    """Where the likelihood of the means no longer rises with theta; the upper limit where Poisson's is higher."""
    from scipy import optimize

    def slope(log_theta: float) -> float:
        theta = np.exp(log_theta)
        more = special.digamma(values + theta) - special.digamma(theta) - np.log1p(mean / theta)
        return float((more + (mean - values) / (mean + theta)).sum())

    low, high = np.log(THETA)
    # The slope by 1 / theta at its end, 0.
    if ((values - mean) ** 2 - values).sum() <= 0 or slope(high) >= 0:
        return float(high)
    return float(optimize.brentq(slope, low, high, xtol=1e-12)) if slope(low) > 0 else float(low)
