"""Estimators by name: how the errors of a series are taken to hang together, and what its coefficients then are.

fit                                     one design, one or many series, by the estimator that is named
hac                                     least squares, with errors of the coefficients that allow for correlation
prais_winsten, cochrane_orcutt, ar2     generalised least squares

    name                errors                                     missing periods
    auto, ar1_noise     AR(1) state + white noise, REML            exact (real distances)
    ar1                 AR(1), REML                                exact
    ar2                 AR(2), REML                                exact
    prais_winsten       AR(1), iterated regression of residuals    exact; rho from neighbouring periods only
    cochrane_orcutt     the same without the first point           refused
    ols                 independent                                of no account
    hac, hac:4          any, up to the lag                         exact: absent periods have score 0
    arima, arima:1,0,1  ARMA(p, q), maximum likelihood             exact (state space)
    structural          random walk + white noise                  exact (state space)
    weekly              e(t) = s e(t-7) + AR(1) state + noise      without points that lack the day a week before
    poisson, quasi_poisson, negative_binomial                      of no account, see `counts`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy import optimize
from statsmodels.regression.linear_model import GLSAR
from statsmodels.stats import sandwich_covariance
from tqdm.auto import tqdm

from toolkit.interruptions import counts, covariance
from toolkit.interruptions.gls import Errors, Linear, arma, chain, dense, exact, least, white, whiten
from toolkit.interruptions.statespace import arima, structural
from toolkit.interruptions.weekly import Weekly, weekly

#: Points beyond which a dense covariance takes too long.
DENSE = 1500
Estimate = Linear | covariance.Fit | Weekly | counts.Counts
WHITE = white({})


def fit(name: str, design: Any, values: Any, at: Any = None, *, offset: Any = None) -> Estimate:
    """Fit a design to one or many series by the estimator that is named.

    Parameters
    ----------
    name : str
        See the table above; options follow a colon: "hac:4" is a lag of 4 periods, "arima:2,0,1" the order.
    design : (n, k) array
        Of full column rank, n > k.
    values : (n,) or (n, m) array
        One series, or m that share the design; without missing values: leave such rows out.
    at : (n,) array of int, optional
        Positions in periods, ascending; a missing period is a gap. 0 to n-1 if not given.
    offset : (n,) array, optional
        Logarithm of the exposure, for count models only.

    Returns
    -------
    Linear, covariance.Fit, Weekly or counts.Counts
        With the same members: coefficients, contrast, vcov, residuals, errors, whitened, scale, parameters, notes.

    Raises
    ------
    ValueError
        For an unknown name or option, too few points, an offset without counts, or gaps that the estimator refuses.

    Notes
    -----
    Contrasts of linear models use t quantiles with n - k degrees of freedom, where statsmodels uses the normal
    distribution for arima and structural; the two default estimators use Satterthwaite's, count models the normal
    distribution.
    """
    word, _, option = name.partition(":")
    design, values = np.asarray(design, float), np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    at = np.arange(len(design)) if at is None else np.asarray(at, np.int64)
    n, k = design.shape
    if n <= k:
        raise ValueError(f"{n} points cannot tell {k} columns apart; give a longer series, or drop terms")
    if option and word not in OPTIONS:
        raise ValueError(f"errors={name!r}: {word!r} has no option; {', '.join(OPTIONS)} have")
    if word in counts.FAMILIES:
        return counts.fit(word, design, values, at, offset)
    if offset is not None:
        raise ValueError(f"offset= is for counts: {', '.join(counts.FAMILIES)}; not for errors={name!r}")
    if word in ("auto", *covariance.KINDS):
        return covariance.estimate(design, values, at, kind="ar1_noise" if word == "auto" else word)
    if word == "weekly":
        return weekly(design, values, at)
    if word == "ols":
        return least(design, values, at, [WHITE] * values.shape[1])
    if word == "hac":
        return hac(design, values, at, lag=_whole(name, option) if option else None)
    if word == "cochrane_orcutt":
        return cochrane_orcutt(design, values, at)
    if word not in PROCESSES:
        names = (
            "auto",
            *covariance.KINDS,
            "weekly",
            "ols",
            "hac",
            "cochrane_orcutt",
            *PROCESSES,
            *counts.FAMILIES,
        )
        raise ValueError(f"no estimator called {name!r}; there are: {', '.join(names)}")
    process: Callable[..., Errors] = PROCESSES[word]
    if word == "arima" and option:
        process = partial(process, order=_order(option))
    series = tqdm(values.T, desc=word, delay=2, leave=False)
    return least(design, values, at, [process(design, one, at) for one in series])


def hac(design: np.ndarray, values: np.ndarray, at: np.ndarray, *, lag: int | None = None) -> Linear:
    """Least squares with Newey-West errors of the coefficients.

    Notes
    -----
    Bartlett weights up to the lag, times n / (n - k); by default the lag is the whole part of 0.75 n^(1/3) (Stock and
    Watson). Scores of missing periods are 0, so that lags are real distances. With fewer than some hundred points the
    intervals are too narrow all the same: see the coverage table in `benchmarks/`.

    References
    ----------
    Newey and West (1987), Econometrica 55:703; Datta and Du (2012), Federal Reserve IFDP 1060, for the gaps.
    """
    plain = least(design, values, at, [WHITE] * values.shape[1])
    n, k = design.shape
    lag = int(0.75 * n ** (1 / 3)) if lag is None else lag
    unit = np.linalg.inv(design.T @ design)
    spread = np.empty_like(plain.spread)
    for place, residuals in enumerate(plain.residuals.T):
        scores = np.zeros((at[-1] - at[0] + 1, k))
        scores[at - at[0]] = design * residuals[:, None]
        meat = sandwich_covariance.S_hac_simple(scores, nlags=min(lag, len(scores) - 1))
        spread[place] = n / (n - k) * unit @ meat @ unit * (plain.scale[place] > 0)
    return replace(plain, spread=spread, parameters={"lag": np.full(len(spread), lag)})


def cochrane_orcutt(design: np.ndarray, values: np.ndarray, at: np.ndarray) -> Linear:
    """Iterated Cochrane-Orcutt by statsmodels' GLSAR: AR(1) errors from Yule-Walker, without the first point.

    Prais and Winsten keep that point, with the weight that it deserves; prefer `prais_winsten`. Here for comparison.
    """
    if (np.diff(at) != 1).any():
        raise ValueError("errors='cochrane_orcutt' needs every period of one series; use 'prais_winsten'")
    found = []
    processes = []
    for one in values.T:
        model = GLSAR(one, design, rho=1)
        # Iterating regresses noise on noise where there is nothing left to explain.
        result = model.iterative_fit(1 if exact(design, one) else 100)
        rho = float(model.rho[0])
        processes.append(chain(rho, at, {"rho": rho}, scale=float(result.scale), notes=_edge("rho", rho)))
        found.append((result.params, result.cov_params()))
    whole = least(design, values, at, processes)
    coefficients = np.array([params for params, _ in found])
    return replace(
        whole,
        coefficients=coefficients,
        residuals=values - design @ coefficients.T,
        spread=np.array([cov for _, cov in found]) * (whole.scale > 0)[:, None, None],
    )


def prais_winsten(design: np.ndarray, values: np.ndarray, at: np.ndarray) -> Errors:
    """AR(1) errors: rho regresses each residual on its neighbour before, until it settles.

    Notes
    -----
    Scale: the variance of the series itself, not of its innovations. statsmodels' GLSAR is Cochrane-Orcutt: it drops
    the first point, and takes neighbouring rows for neighbouring periods.

    References
    ----------
    Prais and Winsten (1954), Cowles Commission Discussion Paper 383; Savin and White (1978) for missing periods.
    """
    if exact(design, values):
        return white({"rho": 0.0})
    near, rho = np.flatnonzero(np.diff(at) == 1), 0.0
    for _ in range(500):
        residuals = whiten(design, values, chain(rho, at, {}).whitener(at)).residuals
        before = residuals[near]
        last, rho = rho, float(before @ residuals[near + 1] / max(before @ before, 1e-300))
        rho = float(np.clip(rho, -0.999, 0.999))
        if abs(rho - last) < 1e-10:
            return chain(rho, at, {"rho": rho}, notes=_edge("rho", rho))
    note = f"prais_winsten did not settle in 500 rounds (rho = {rho:.3f}); use errors='ar1'"
    return chain(rho, at, {"rho": rho}, notes=(note,))


def ar2(design: np.ndarray, values: np.ndarray, at: np.ndarray) -> Errors:
    """AR(2) errors by restricted maximum likelihood, over the partial autocorrelations.

    Notes
    -----
    -2 log L = (n - k) log s2 + log |V| + log |X' V^-1 X|, with V the exact covariance, so that gaps cost nothing but
    time: that grows with n^3, and 1,500 points are the limit.
    """
    if len(values) > DENSE:
        raise ValueError(f"errors='ar2' takes {DENSE} points at most, not {len(values)}; use 'arima:2,0,0'")
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


def _edge(name: str, value: float) -> tuple[str, ...]:
    return (f"{name} = {value:.3f}, next to 1: intervals are not to be trusted",) if abs(value) > 0.97 else ()


def _whole(name: str, option: str) -> int:
    if not option.isdigit():
        raise ValueError(f"errors={name!r}: the lag is a whole number of periods, such as 'hac:4'")
    return int(option)


def _order(option: str) -> tuple[int, int]:
    parts = option.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts) or int(parts[1]) != 0:
        raise ValueError(
            f"errors='arima:{option}': the order is 'arima:p,0,q'; differences are not taken, since the terms are of "
            "the level (for a level that walks use 'structural')"
        )
    return int(parts[0]), int(parts[2])


OPTIONS = ("hac", "arima")
PROCESSES: dict[str, Callable[..., Errors]] = {
    "prais_winsten": prais_winsten,
    "ar2": ar2,
    "arima": arima,
    "structural": structural,
}
