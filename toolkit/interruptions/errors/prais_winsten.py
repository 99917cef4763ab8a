"""AR(1) errors by iterated regression of each residual on the one before: Prais-Winsten, and Cochrane-Orcutt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toolkit.interruptions.errors.fitted import Regression
from toolkit.interruptions.errors.gls import Errors, Linear, chain, each, exact, generalised, white, whiten
from toolkit.interruptions.errors.registry import error_model

#: Size of rho beyond which intervals are said not to be trusted.
EDGE = 0.97


@error_model("prais_winsten", "Prais-Winsten")
def prais_winsten(asked: Regression, option: str) -> Linear:
    """AR(1) errors: rho regresses each residual on its neighbour before, until it settles.

    Notes
    -----
    Scale: the variance of the series itself, not of its innovations. statsmodels' GLSAR is Cochrane-Orcutt: it drops
    the first point, and takes neighbouring rows for neighbouring periods.

    References
    ----------
    Prais and Winsten (1954), Cowles Commission Discussion Paper 383; Savin and White (1978) for missing periods.
    """
    return each(asked, "prais_winsten", _settled)


@error_model("cochrane_orcutt", "Cochrane-Orcutt")
def cochrane_orcutt(asked: Regression, option: str) -> Linear:
    """Iterated Cochrane-Orcutt by statsmodels' GLSAR: AR(1) errors from Yule-Walker, without the first point.

    Prais and Winsten keep that point, with the weight that it deserves; prefer `prais_winsten`. Here for comparison.
    """
    from statsmodels.regression.linear_model import GLSAR  # statsmodels takes a second to import

    design, values, at = asked.design, asked.values, asked.at
    if (np.diff(at) != 1).any():
        raise ValueError("errors='cochrane_orcutt' needs every period of one series; use 'prais_winsten'")
    found = []
    processes = []
    for one in values.T:
        model = GLSAR(one, design, rho=1)
        # Iterating regresses noise on noise where there is nothing left to explain.
        result = model.iterative_fit(1 if exact(design, one) else 100)
        rho = float(model.rho[0])
        processes.append(chain(rho, at, {"rho": rho}, scale=float(result.scale), notes=_edge(rho)))
        found.append((result.params, result.cov_params()))
    whole = generalised(asked, processes)
    coefficients = np.array([params for params, _ in found])
    return replace(
        whole,
        coefficients=coefficients,
        residuals=values - design @ coefficients.T,
        spread=np.array([cov for _, cov in found]) * (whole.scale > 0)[:, None, None],
    )


def _settled(design: np.ndarray, values: np.ndarray, at: np.ndarray) -> Errors:
    if exact(design, values):
        return white({"rho": 0.0})
    near, rho = np.flatnonzero(np.diff(at) == 1), 0.0
    for _ in range(500):
        residuals = whiten(design, values, chain(rho, at, {}).whitener(at)).residuals
        before = residuals[near]
        last, rho = rho, float(before @ residuals[near + 1] / max(before @ before, 1e-300))
        rho = float(np.clip(rho, -0.999, 0.999))
        if abs(rho - last) < 1e-10:
            return chain(rho, at, {"rho": rho}, notes=_edge(rho))
    note = f"prais_winsten did not settle in 500 rounds (rho = {rho:.3f}); use errors='ar1'"
    return chain(rho, at, {"rho": rho}, notes=(note,))


def _edge(rho: float) -> tuple[str, ...]:
    return (f"rho = {rho:.3f}, next to 1: intervals are not to be trusted",) if abs(rho) > EDGE else ()
