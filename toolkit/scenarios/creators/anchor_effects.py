"""How much anchors differ net of their traffic: a logit with a random intercept for each anchor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special

from toolkit.scenarios.assumptions import indicators
from toolkit.wording import count, interval_level

#: Nodes of the quadrature over an anchor's own effect.
NODES = 15
#: Standard deviations that are looked at, as logarithms.
LIMITS = (-8.0, 3.0)


@dataclass(frozen=True, eq=False)
class AnchorModel:
    """The spread of anchors net of traffic.

    Attributes
    ----------
    sd, low, high : float
        Standard deviation of the anchors' log odds, and its profile-likelihood interval.
    coefficients : DataFrame
        `term`, `estimate` (log odds), `low`, `high`, `n` (sessions).
    """

    sd: float
    low: float
    high: float
    coefficients: pd.DataFrame
    anchors: int
    sessions: int
    confidence: float

    def sentence(self) -> str:
        """The spread, in log odds."""
        return (
            f"Net of traffic, anchors' log odds have a standard deviation of {self.sd:.2f} "
            f"({interval_level(self.confidence)} {self.low:.2f} to {_end(self.high)}, n = {count(self.anchors)} "
            f"anchors, {count(self.sessions)} sessions)."
        )


def _end(high: float) -> str:
    return f"{high:.2f}" if np.isfinite(high) else "no upper limit"


def anchor_model(frame: pd.DataFrame, traffic: pd.DataFrame, confidence: float) -> AnchorModel:
    """Fit conversion on traffic with a random intercept for each anchor.

    Parameters
    ----------
    frame : DataFrame
        By session: `anchor`, `conversions`, `n`.
    traffic : DataFrame
        Covariates in the same order; text becomes indicators.

    Notes
    -----
    Marginal likelihood by adaptive Gauss-Hermite quadrature around each anchor's own mode (Pinheiro & Bates 1995).
    """
    from statsmodels.tools.numdiff import approx_hess3

    if not isinstance(traffic, pd.DataFrame):
        raise TypeError(
            f"traffic= is a DataFrame with a column for each covariate, not {type(traffic).__name__}"
        )
    if len(traffic) != len(frame):
        raise ValueError(f"traffic= has {len(traffic)} rows for {len(frame)} sessions")
    design = indicators(traffic.reset_index(drop=True))
    order = np.argsort(pd.factorize(frame["anchor"], use_na_sentinel=False)[0], kind="stable")
    who = pd.factorize(frame["anchor"].iloc[order], use_na_sentinel=False)[0]
    y, n = (frame[name].to_numpy(float)[order] for name in ("conversions", "n"))
    centred = design.to_numpy(float)[order]
    centred = centred - centred.mean(0)
    # In units of their own spread, so that no covariate's size decides how well the search ends.
    spread = np.where(centred.std(0) > 0, centred.std(0), 1.0)
    x = np.column_stack([np.ones(len(y)), centred / spread])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError("a covariate of traffic= is the same for all, or repeats others: leave it out")
    first = np.flatnonzero(np.append(True, np.diff(who) > 0))
    likelihood = _Likelihood(y, n, x, who, first)
    start = np.append(np.linalg.lstsq(x, special.logit((y + 0.5) / (n + 1)), rcond=None)[0], np.log(0.3))
    best = optimize.minimize(likelihood, start, method="BFGS", options={"gtol": 1e-4})
    z = float(special.ndtri((1 + confidence) / 2))

    def rise(log_sd: float) -> float:
        part = optimize.minimize(
            lambda beta: likelihood(np.append(beta, log_sd)),
            best.x[:-1],
            method="BFGS",
            options={"gtol": 1e-3},
        )
        return float(2 * (part.fun - best.fun) - z * z)

    # The likelihood knows no spread below the first of LIMITS: there it is that of none.
    at = float(np.clip(best.x[-1], *LIMITS))
    low, high = _crossing(rise, at, -1), _crossing(rise, at, 1)
    # The search's own guess of the curvature depends on the path that it took. The spread is held where it was found:
    # near 0 the likelihood is flat in its logarithm.
    curvature = approx_hess3(best.x[:-1], lambda beta: likelihood(np.append(beta, at)))
    units = np.append(1.0, 1 / spread)
    estimate, errors = best.x[:-1] * units, np.sqrt(np.diag(np.linalg.inv(curvature))) * units
    terms = pd.DataFrame({"term": ["intercept", *map(str, design.columns)], "estimate": estimate})
    terms = terms.assign(low=estimate - z * errors, high=estimate + z * errors, n=len(y))
    return AnchorModel(float(np.exp(at)), low, high, terms, len(first), len(y), confidence)


def _crossing(rise: Callable[[float], float], at: float, side: int) -> float:
    """Where the likelihood has fallen as far as an interval allows, on one side of the best ln sd."""
    end = LIMITS[0] if side < 0 else LIMITS[1]
    step, inner = 0.25, 0.0
    while (outer := at + side * step) * side < end * side:
        if rise(outer) >= 0:
            ends = sorted((at + side * inner, outer))
            return float(np.exp(optimize.brentq(rise, *ends, xtol=1e-3)))
        inner, step = step, step * 2
    if rise(end) < 0:
        return 0.0 if side < 0 else float(np.inf)
    return float(np.exp(optimize.brentq(rise, *sorted((at + side * inner, end)), xtol=1e-3)))


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """Minus the marginal log-likelihood at (coefficients, ln sd)."""

    y: np.ndarray
    n: np.ndarray
    x: np.ndarray
    who: np.ndarray
    first: np.ndarray

    def __call__(self, at: np.ndarray) -> float:
        sd = float(np.exp(np.clip(at[-1], *LIMITS)))
        base = self.x @ at[:-1]
        mode = np.zeros(len(self.first))
        for _ in range(12):
            p = special.expit(base + mode[self.who])
            slope = np.add.reduceat(self.y - self.n * p, self.first) - mode / sd**2
            curve = np.add.reduceat(self.n * p * (1 - p), self.first) + 1 / sd**2
            mode = mode + slope / curve
        width = 1 / np.sqrt(curve)
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        total = np.empty((NODES, len(self.first)))
        for k, node in enumerate(nodes):
            effect = mode + width * node
            eta = base + effect[self.who]
            inside = np.add.reduceat(self.y * eta - self.n * np.logaddexp(0, eta), self.first)
            total[k] = inside - effect**2 / (2 * sd**2) + node**2 / 2 + np.log(weights[k])
        return float(-(special.logsumexp(total, axis=0) + np.log(width) - np.log(sd)).sum())
