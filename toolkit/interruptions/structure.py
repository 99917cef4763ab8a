"""The covariance of an AR(1) state plus noise at one (rho, lam): products, solutions, derivatives; three diagonals.

Correlation   R, its inverse T and the derivatives of T by rho
Structure     V = lam R + (1 - lam) I, solved in time proportional to the length of the series
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import linalg


class Correlation:
    """R, its inverse T and the derivatives of T by rho, at positions that may have gaps.

    Parameters
    ----------
    at
        Positions in periods, ascending, whole numbers, n of them.
    rho
        Correlation of neighbouring periods, between -1 and 1.
    """

    def __init__(self, at: np.ndarray, rho: float) -> None:
        self.at, self.rho = at, rho
        gap = np.diff(at)
        self.phi = phi = float(rho) ** gap
        self.slope = gap * float(rho) ** (gap - 1)
        bent = np.where(gap > 1, float(rho) ** np.maximum(gap - 2, 0), 0.0)
        self.curve = gap * (gap - 1) * bent
        a = 1 / (1 - phi**2)
        self.log_det = -np.log(a).sum()
        self.inverse = self._tridiagonal(a, -phi * a, 1.0)
        down, across = 2 * phi * a**2, -(1 + phi**2) * a**2
        self.inverse_slope = self._tridiagonal(down * self.slope, across * self.slope, 0.0)
        downs, acrosses = 2 * (1 + 3 * phi**2) * a**3, -2 * phi * (3 + phi**2) * a**3
        self.inverse_curve = self._tridiagonal(
            downs * self.slope**2 + down * self.curve, acrosses * self.slope**2 + across * self.curve, 0.0
        )

    @staticmethod
    def _tridiagonal(link: np.ndarray, across: np.ndarray, constant: float) -> np.ndarray:
        # Each link adds a/(1-phi^2) to the later row and phi^2/(1-phi^2) = 1/(1-phi^2) - 1 to the earlier one.
        upper, diagonal = np.zeros((2, len(link) + 1))
        upper[1:] = across
        diagonal[:] = constant
        diagonal[1:] += link - constant
        diagonal[:-1] += link - constant
        return np.vstack([upper, diagonal])


def times(band: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A symmetric matrix of three diagonals times columns."""
    upper, diagonal = band
    out = diagonal[:, None] * columns
    out[:-1] += upper[1:, None] * columns[1:]
    out[1:] += upper[1:, None] * columns[:-1]
    return out


class Structure:
    """V at unit scale for one (rho, lam): what is done with it and with its derivatives."""

    def __init__(self, at: np.ndarray, rho: float, lam: float) -> None:
        self.rho, self.lam = rho, lam
        self.correlation = Correlation(at, rho)
        band = (1 - lam) * self.correlation.inverse
        band[1] += lam
        self.factor = linalg.cholesky_banded(band)
        self.log_det = self.correlation.log_det + 2 * np.log(self.factor[1]).sum()

    def solve(self, columns: np.ndarray) -> np.ndarray:
        """V^-1 times columns: B^-1 T, since V = R B."""
        unmixed = times(self.correlation.inverse, columns)
        if self.lam == 1:
            return unmixed
        return linalg.cho_solve_banded((self.factor, False), unmixed, check_finite=False)

    def correlate(self, columns: np.ndarray) -> np.ndarray:
        """R times columns."""
        return linalg.solveh_banded(self.correlation.inverse, columns, check_finite=False)

    def by_rho(self, columns: np.ndarray) -> np.ndarray:
        """dR/drho times columns: -R T' R."""
        return -self.correlate(times(self.correlation.inverse_slope, self.correlate(columns)))

    def by_rho_twice(self, columns: np.ndarray) -> np.ndarray:
        """The second derivative of R by rho, times columns: 2 R T' R T' R - R T'' R."""
        once = self.correlate(columns)
        bent = times(self.correlation.inverse_curve, once)
        return -self.correlate(2 * times(self.correlation.inverse_slope, self.by_rho(columns)) + bent)

    @cached_property
    def traces(self) -> np.ndarray:
        """tr(V^-1 dV_a V^-1 dV_b) for a, b in (scale, rho, lam)."""
        at, n = self.correlation.at, len(self.correlation.at)
        if self.lam == 1:
            return self._traces_without_noise()
        powers = self.rho ** np.arange(at[-1] - at[0] + 1)
        r = powers[np.abs(at[:, None] - at)]
        eye = np.eye(n)
        # V^-1 dV by lam is B^-1 (I - T); by rho it is -lam B^-1 T' R.
        by_lam = self._unmix(eye - times(self.correlation.inverse, eye))
        by_rho = -self.lam * self._unmix(times(self.correlation.inverse_slope, r))
        found = np.empty((3, 3))
        found[0] = found[:, 0] = n, np.trace(by_rho), np.trace(by_lam)
        found[1, 1] = (by_rho * by_rho.T).sum()
        found[1, 2] = found[2, 1] = (by_rho * by_lam.T).sum()
        found[2, 2] = (by_lam * by_lam.T).sum()
        return found

    def _traces_without_noise(self) -> np.ndarray:
        # With L = log|R| = sum of log(1 - phi^2): tr(T R') = L', and tr((T R')^2) = tr(T'' R) + L''.
        c = self.correlation
        a, n = 1 / (1 - c.phi**2), len(c.at)
        first = (-2 * c.phi * c.slope * a).sum()
        second = (-2 * (c.slope**2 + c.phi * c.curve) * a - 4 * (c.phi * c.slope * a) ** 2).sum()
        across = c.inverse_curve[1].sum() + 2 * (c.inverse_curve[0, 1:] * c.phi).sum()
        by_lam = n - c.inverse[1].sum()
        found = np.empty((3, 3))
        found[0] = found[:, 0] = n, first, by_lam
        found[1, 1] = across + second
        found[1, 2] = found[2, 1] = first + c.inverse_slope[1].sum()
        # tr((I - T)^2), of three diagonals.
        found[2, 2] = ((1 - c.inverse[1]) ** 2).sum() + 2 * (c.inverse[0] ** 2).sum()
        return found

    def _unmix(self, columns: np.ndarray) -> np.ndarray:
        return linalg.cho_solve_banded((self.factor, False), columns, check_finite=False)
