"""ARMA errors and walking levels by statsmodels' state-space models, one series at a time; gaps are exact.

arima        ARMA errors by maximum likelihood
structural   a level that walks, plus white noise
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from toolkit.interruptions.errors.fitted import Regression
from toolkit.interruptions.errors.gls import Errors, Linear, arma, chain, each, exact, independent, white
from toolkit.interruptions.errors.registry import error_model

#: Positions further apart than this belong to comparison series; state-space models know one series.
BREAK = 2_000


@error_model("arima", "ARIMA", option="arima:1,0,1")
def arima(asked: Regression, option: str) -> Linear:
    """ARMA errors by maximum likelihood, by statsmodels' SARIMAX, of the standardised series.

    Notes
    -----
    Coefficients are the generalised least squares of these errors, which is where the likelihood has its top. Scale has
    n - k degrees of freedom, as R's nlme has it; statsmodels' own errors are sqrt((n - k) / n) as wide. Maximum
    likelihood takes errors for less correlated than they are where points are few: see `ar2`, `auto`.
    """
    return each(asked, "arima", partial(_arma, order=_order(option) if option else (1, 0)))


def _order(option: str) -> tuple[int, int]:
    parts = option.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts) or int(parts[1]) != 0:
        raise ValueError(
            f"errors='arima:{option}': the order is 'arima:p,0,q'; differences are not taken, since the terms are of "
            "the level (for a level that walks use 'structural')"
        )
    return int(parts[0]), int(parts[2])


def _arma(design: np.ndarray, values: np.ndarray, at: np.ndarray, *, order: tuple[int, int]) -> Errors:
    from statsmodels.tsa.statespace.sarimax import SARIMAX  # statsmodels takes a second to import

    p, q = order
    names = [*(f"ar{i + 1}" for i in range(p)), *(f"ma{i + 1}" for i in range(q))]
    if exact(design, values):
        return white(dict.fromkeys(names, 0.0))
    grid = _Grid(design, values, at, "arima", constant=True)
    model = SARIMAX(grid.values, exog=grid.exog, order=(p, 0, q), trend="n", concentrate_scale=True)
    result, notes = _maximised(model, "arima")
    ar, ma = (np.atleast_1d(one) for one in (result.arparams if p else (), result.maparams if q else ()))
    parameters = dict(zip(names, map(float, (*ar, *ma)), strict=True))
    if order == (1, 0):
        return chain(ar[0], at, parameters, notes=notes)
    return Errors(arma(ar, ma, len(grid.values)), parameters, notes=notes)


@error_model("structural", "a structural time series")
def structural(asked: Regression, option: str) -> Linear:
    """A level that walks at random, plus white noise, by statsmodels' UnobservedComponents of the standardised series.

    Notes
    -----
    Regressors are diffuse states, so that both variances are restricted maximum likelihood. A point that has a term to
    itself says nothing of the errors and is missing to the filter. Scale is the noise's variance; the walk begins at 0
    with the first point, where the constant is the level.
    """
    return each(asked, "structural", _walking)


def _walking(design: np.ndarray, values: np.ndarray, at: np.ndarray) -> Errors:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    if exact(design, values):
        return white({"level_sd": 0.0, "noise_sd": 0.0})
    grid = _Grid(design, values, at, "structural", constant=False)
    exog = grid.exog if grid.exog.shape[1] else None
    model = UnobservedComponents(grid.values, "llevel", exog=exog, mle_regression=False)
    result, notes = _maximised(model, "structural")
    # A touch of noise keeps the first point, where the walk has no variance yet, invertible.
    walk = max(float(result.params[1]), 0.0)
    noise = max(float(result.params[0]), 1e-9 * walk, 1e-12)
    start = at[0]

    def walked(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        since = np.minimum.outer(np.asarray(first) - start, np.asarray(second) - start)
        return np.asarray(walk / noise * np.maximum(since, 0))

    def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray(walked(first, second) + independent(first, second))

    parameters = {"level_sd": walk**0.5 * grid.sd, "noise_sd": noise**0.5 * grid.sd}
    return Errors(between, parameters, scale=noise * grid.sd**2, notes=notes, walk=walked)


class _Grid:
    """A standardised series on every period, missing ones as nan, and a well-conditioned basis of its regressors."""

    def __init__(
        self, design: np.ndarray, values: np.ndarray, at: np.ndarray, name: str, *, constant: bool
    ) -> None:
        gaps = np.diff(at)
        if len(gaps) and gaps.max() > BREAK:
            raise ValueError(
                f"errors={name!r} fits one series without comparison; with controls= use 'auto', 'ar1', 'ar2' or 'hac'"
            )
        alone = _alone(design)
        rows = ~design[:, alone].any(1)
        shared = design[:, ~alone]
        if not constant:
            shared = shared - shared[rows].mean(0)
        left, size, _ = np.linalg.svd(shared / np.maximum(np.abs(shared).max(0), 1e-300), full_matrices=False)
        basis = left[:, size > 1e-9 * size.max(initial=0.0)] * np.sqrt(len(values))
        centre = values[rows].mean()
        self.sd = float(values[rows].std()) or 1.0
        self.values = np.full(at[-1] - at[0] + 1, np.nan)
        self.values[at[rows] - at[0]] = (values[rows] - centre) / self.sd
        self.exog = np.zeros((len(self.values), basis.shape[1]))
        self.exog[at - at[0]] = basis


def _alone(design: np.ndarray) -> np.ndarray:
    """Columns that are 0 but for one row."""
    return np.asarray((design != 0).sum(0) == 1)


class _Maximised(NamedTuple):
    result: Any
    notes: tuple[str, ...]


def _maximised(model: Any, name: str) -> _Maximised:
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Said in the notes instead. Starting values that are not stationary are replaced by ones that are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Non-(stationary|invertible) starting")
        # The covariance of the coefficients is that of generalised least squares, so none is asked for here.
        result = model.fit(disp=False, cov_type="none", maxiter=500)
        if not result.mle_retvals["converged"]:
            # A line search gives up on a flat top that a simplex finds to be one.
            start = result.params
            result = model.fit(start, method="nm", disp=False, cov_type="none", maxiter=2000)
    converged = bool(result.mle_retvals["converged"])
    note = f"{name}: the likelihood's top was not reached; use errors='auto'"
    return _Maximised(result, () if converged else (note,))
