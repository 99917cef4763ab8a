"""Kenward-Roger variance of contrasts and Satterthwaite degrees of freedom, guarded, for many fits at once.

Adjustment     what contrasts of a design need, for each error covariance
adjusted       makes it from the derivatives of the covariance
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from toolkit.interruptions.errors.fitted import quadratic

#: Largest ratio of the Kenward-Roger variance to the plain one: near rho = 1 that expansion grows without bound.
MOST = 1.5


@dataclass(frozen=True, eq=False)
class Adjustment:
    """Of s error covariances at unit scale, all of one design with k columns.

    Attributes
    ----------
    plain : (s, k, k) array
        Covariance of the coefficients, of generalised least squares.
    wider : (s, k, k) array
        The same with the adjustment of Kenward and Roger.
    slopes : (a, s, k, k) array
        Derivatives of `plain` by each of the a error parameters.
    spread : (s, a, a) array
        Covariance of the error parameters.
    """

    plain: np.ndarray
    wider: np.ndarray
    slopes: np.ndarray
    spread: np.ndarray

    def contrast(
        self, weights: np.ndarray, chosen: np.ndarray, most: float = MOST
    ) -> tuple[np.ndarray, np.ndarray]:
        """Kenward-Roger variance at unit scale and Satterthwaite degrees of freedom, each m x q.

        Parameters
        ----------
        weights : (q, k) or (m, q, k) array
            Contrasts, the same for all series or each series' own.
        chosen : (m,) array of int
            The error covariance of each series.
        most
            Largest ratio of the adjusted variance to the plain one; the smallest is 1.

        Notes
        -----
        Degrees of freedom are 2 (w' Phi w)^2 over the variance of w' Phi w, and 2 at least.
        """
        # Contrasts that all series share are worked out once for each covariance.
        first, last = (slice(None), chosen) if weights.ndim == 2 else (chosen, slice(None))
        plain, wider = (quadratic(matrix[first], weights) for matrix in (self.plain, self.wider))
        slopes = np.array([quadratic(matrix[first], weights) for matrix in self.slopes])
        moved = np.einsum("asq,sab,bsq->sq", slopes, self.spread[first], slopes, optimize=True)
        positive = plain > 0
        safe = np.where(positive, plain, 1.0)
        variance = np.where(positive, plain * np.clip(wider / safe, 1.0, most), 0.0)
        free = np.maximum(2.0, 2 * plain**2 / np.where(moved > 0, moved, 1.0))
        return variance[last], np.where(positive, free, 2.0)[last]


def adjusted(
    normal: np.ndarray,
    p: list[np.ndarray],
    q: list[list[np.ndarray]],
    bent: Mapping[tuple[int, int], np.ndarray],
    traces: np.ndarray,
    prior: np.ndarray,
) -> Adjustment:
    """The adjustment of s error covariances V with derivatives V_a by their parameters.

    Parameters
    ----------
    normal
        X' V^-1 X, s x k x k.
    p, q, bent
        -X' V^-1 V_a V^-1 X; X' V^-1 V_a V^-1 V_b V^-1 X; and X' V^-1 V_ab V^-1 X for a <= b, where it is not 0: each
        s x k x k.
    traces
        tr(V^-1 V_a V^-1 V_b), s x a x a.
    prior
        Weak precision of the parameters, which keeps the information finite.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53:983. Satterthwaite (1946), Biometrics Bulletin 2:110.
    """
    phi, known = np.linalg.inv(normal), range(len(p))
    information = traces.copy()
    through = [phi @ one for one in p]
    for a in known:
        for b in known:
            information[:, a, b] += _trace(through[a], through[b]) - 2 * (phi * q[a][b].swapaxes(-1, -2)).sum(
                (-1, -2)
            )
    spread = np.linalg.inv(information / 2 + prior)
    middle = np.zeros_like(phi)
    for a in known:
        for b in known:
            second = bent.get((min(a, b), max(a, b)), 0.0)
            middle += spread[:, a, b, None, None] * (q[a][b] - p[a] @ through[b] - second / 4)
    slopes = np.array([-one @ phi for one in through])
    return Adjustment(phi, phi + 2 * phi @ middle @ phi, slopes, spread)


def _trace(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The trace of each product."""
    return np.asarray((a * b.swapaxes(-1, -2)).sum((-1, -2)))
