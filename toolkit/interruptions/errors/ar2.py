"""AR(2) errors by restricted maximum likelihood."""

from __future__ import annotations

import numpy as np

from toolkit.interruptions.errors.fitted import Regression
from toolkit.interruptions.errors.gls import Errors, Linear, arma, dense, each, exact, white, whiten
from toolkit.interruptions.errors.registry import error_model

#: Points beyond which a dense covariance takes too long.
DENSE = 1500


@error_model("ar2", "AR(2) by REML")
def ar2(asked: Regression, option: str) -> Linear:
    """AR(2) errors by restricted maximum likelihood, over the partial autocorrelations.

    Notes
    -----
    -2 log L = (n - k) log s2 + log |V| + log |X' V^-1 X|, with V the exact covariance, so that gaps cost nothing but
    time: that grows with n^3, and 1,500 points are the limit.
    """
    if len(asked.values) > DENSE:
        raise ValueError(
            f"errors='ar2' takes {DENSE} points at most, not {len(asked.values)}; use 'arima:2,0,0'"
        )
    return each(asked, "ar2", _likeliest)


def _likeliest(design: np.ndarray, values: np.ndarray, at: np.ndarray) -> Errors:
    from scipy import optimize

    if exact(design, values):
        return white({"ar1": 0.0, "ar2": 0.0})
    span, free = int(at[-1] - at[0]) + 1, len(values) - design.shape[1]

    def lags(z: np.ndarray) -> np.ndarray:
        first, second = np.tanh(z)
        return np.array([first * (1 - second), second])

    def deviance(z: np.ndarray) -> float:
        found = whiten(design, values, dense(arma(lags(z), (), span)(at, at)))
        return float(free * np.log((found.innovations**2).sum()) + found.log_det + found.log_normal)

    # A ridge joins what little noise and a slow AR(1) look like: start on both sides of it.
    starts = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.5, -0.5))
    best = min(starts, key=lambda z: deviance(np.array(z)))
    found = optimize.minimize(deviance, best, method="L-BFGS-B", bounds=[(-3.3, 3.3)] * 2)
    first, second = lags(found.x)
    notes = () if found.success else ("ar2: the likelihood's top was not reached; use errors='auto'",)
    return Errors(arma((first, second), (), span), {"ar1": float(first), "ar2": float(second)}, notes=notes)
