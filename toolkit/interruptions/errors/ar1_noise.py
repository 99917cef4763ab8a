"""The covariance of an AR(1) state plus noise at one (rho, lam): products, solutions and derivatives in linear time.

Correlation   R, its inverse T and the derivatives of T by rho
Structure     V = lam R + (1 - lam) I, solved in time proportional to the length of the series
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.linalg import lapack


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
        self.at, self.rho, self.gap = at, float(rho), np.diff(at)
        self.phi = phi = self.rho**self.gap
        self.a = a = 1 / (1 - phi**2)
        self.log_det = -np.log(a).sum()
        self.inverse = self._tridiagonal(a, -phi * a, 1.0)

    @cached_property
    def factor(self) -> tuple[np.ndarray, np.ndarray]:
        """The LDL' factor of T."""
        return _factor(self.inverse)

    @cached_property
    def slope(self) -> np.ndarray:
        """First derivative of each phi by rho."""
        return self.gap * self.rho ** (self.gap - 1)

    @cached_property
    def curve(self) -> np.ndarray:
        """Second derivative of each phi."""
        bent = np.where(self.gap > 1, self.rho ** np.maximum(self.gap - 2, 0), 0.0)
        return np.asarray(self.gap * (self.gap - 1) * bent)

    @cached_property
    def inverse_slope(self) -> np.ndarray:
        """First derivative of T."""
        down, across = 2 * self.phi * self.a**2, -(1 + self.phi**2) * self.a**2
        return self._tridiagonal(down * self.slope, across * self.slope, 0.0)

    @cached_property
    def inverse_curve(self) -> np.ndarray:
        """Second derivative of T."""
        phi, a = self.phi, self.a
        down, across = 2 * phi * a**2, -(1 + phi**2) * a**2
        downs, acrosses = 2 * (1 + 3 * phi**2) * a**3, -2 * phi * (3 + phi**2) * a**3
        return self._tridiagonal(
            downs * self.slope**2 + down * self.curve, acrosses * self.slope**2 + across * self.curve, 0.0
        )

    @cached_property
    def log_det_slopes(self) -> tuple[float, float]:
        """First and second derivative of log|R|, the sum of log(1 - phi^2)."""
        first = -2 * self.phi * self.slope * self.a
        second = -2 * (self.slope**2 + self.phi * self.curve) * self.a - first**2
        return float(first.sum()), float(second.sum())

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
    """A symmetric tridiagonal matrix times columns."""
    upper, diagonal = band
    out: np.ndarray = diagonal[:, None] * columns
    out[:-1] += upper[1:, None] * columns[1:]
    out[1:] += upper[1:, None] * columns[:-1]
    return out


def _factor(band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A positive tridiagonal matrix as L D L': the pivots D, and L below its ones."""
    pivots, links, _ = lapack.dpttrf(band[1], band[0, 1:])
    return pivots, links


def _solve(factor: tuple[np.ndarray, np.ndarray], columns: np.ndarray) -> np.ndarray:
    return np.asarray(lapack.dpttrs(*factor, columns)[0])


def _run(share: np.ndarray, new: np.ndarray) -> np.ndarray:
    """x[0] = new[0], x[i] = new[i] + share[i - 1] * x[i - 1]."""
    band = np.vstack([np.ones(len(new)), np.r_[-share, 0.0]])
    return np.asarray(lapack.dtbtrs(band, new[:, None], uplo="L")[0][:, 0])


class Structure:
    """V at unit scale for one (rho, lam), and its derivatives; lam is the share of the AR(1) in the variance."""

    def __init__(self, correlation: Correlation, lam: float) -> None:
        self.rho, self.lam, self.correlation = correlation.rho, lam, correlation
        band = (1 - lam) * correlation.inverse
        band[1] += lam
        self.factor = _factor(band)
        self.log_det = correlation.log_det + np.log(self.factor[0]).sum()

    def solve(self, columns: np.ndarray) -> np.ndarray:
        """V^-1 times columns: B^-1 T, since V = R B."""
        return self.unmix(times(self.correlation.inverse, columns))

    def unmix(self, columns: np.ndarray) -> np.ndarray:
        """B^-1 times columns."""
        return columns if self.lam == 1 else _solve(self.factor, columns)

    def correlate(self, columns: np.ndarray) -> np.ndarray:
        """R times columns."""
        return _solve(self.correlation.factor, columns)

    def by_rho(self, columns: np.ndarray) -> np.ndarray:
        """dR/drho times columns: -R T' R."""
        return -self.correlate(times(self.correlation.inverse_slope, self.correlate(columns)))

    def by_rho_twice(self, columns: np.ndarray) -> np.ndarray:
        """The second derivative of R by rho, times columns: 2 R T' R T' R - R T'' R."""
        once = self.correlate(columns)
        bent = times(self.correlation.inverse_curve, once)
        return -self.correlate(2 * times(self.correlation.inverse_slope, self.by_rho(columns)) + bent)

    def innovations(self, columns: np.ndarray) -> np.ndarray:
        """Each row less its prediction from the earlier ones, standardised: C^-1 times columns, V = C C', C lower."""
        # M R M' = I for an M of two diagonals, so that M V M' has three.
        c, lam = self.correlation, self.lam
        here = np.sqrt(np.r_[1.0, c.a])
        before = -c.phi * here[1:]
        out = here[:, None] * columns
        out[1:] += before[:, None] * columns[:-1]
        diagonal, upper = here**2, np.r_[0.0, before * here[:-1]]
        diagonal[1:] += before**2
        pivots, links = _factor(np.vstack([(1 - lam) * upper, lam + (1 - lam) * diagonal]))
        band = np.vstack([np.ones(len(here)), np.r_[links, 0.0]])
        return np.asarray(lapack.dtbtrs(band, out, uplo="L")[0] / np.sqrt(pivots)[:, None])

    def traces(self, parameters: int = 3) -> np.ndarray:
        """tr(V^-1 dV_a V^-1 dV_b) for a, b in (scale, rho, lam), in time proportional to the length.

        Without the third, of a state alone, whose lam is 1.
        """
        # With L = log|V| = log|R| + log|B|: tr(V^-1 V_a V^-1 V_b) = tr(V^-1 V_ab) - L_ab.
        c, lam, n = self.correlation, self.lam, len(self.correlation.at)
        once, twice = c.log_det_slopes
        if parameters == 2:
            return np.array([[n, once], [once, self._curved() - twice]])
        without = -c.inverse
        without[1] += 1
        slope, curve, mixed = (self._moved(band) for band in (c.inverse_slope, c.inverse_curve, without))
        by_rho = once + (1 - lam) * self._trace(slope)
        found = np.empty((3, 3))
        found[0] = found[:, 0] = n, by_rho, self._trace(mixed)
        bend = self._bend(c.inverse_slope, slope, c.inverse_slope, slope)
        found[1, 1] = lam * self._curved() - twice - (1 - lam) * self._trace(curve) - (1 - lam) ** 2 * bend
        bend = self._bend(c.inverse_slope, slope, without, mixed)
        found[1, 2] = found[2, 1] = by_rho / lam + self._trace(slope) - (1 - lam) * bend
        found[2, 2] = -self._bend(without, mixed, without, mixed)
        return found

    def _moved(self, band: np.ndarray) -> np.ndarray:
        """Derivative of the pivots of B along another tridiagonal matrix."""
        links = self.factor[1]
        new = band[1].copy()
        new[1:] -= 2 * links * band[0, 1:]
        return _run(links**2, new)

    def _trace(self, moved: np.ndarray) -> float:
        """The trace of B^-1 A, given the derivative of the pivots along A."""
        return float((moved / self.factor[0]).sum())

    def _bend(self, a: np.ndarray, moved: np.ndarray, b: np.ndarray, other: np.ndarray) -> float:
        """Second derivative of log|B| along A and B, given those of the pivots: -tr(B^-1 A B^-1 B)."""
        pivots, links = self.factor
        link = (b[0, 1:] - links * other[:-1]) / pivots[:-1]
        both = np.r_[0.0, 2 * link * (links * moved[:-1] - a[0, 1:])]
        return float((_run(links**2, both) / pivots - moved * other / pivots**2).sum())

    def _curved(self) -> float:
        """The trace of V^-1 R'', R'' the second derivative of R by rho."""
        c = self.correlation
        if self.lam == 1:  # 2 tr((T' R)^2) - tr(T'' R), and tr((T' R)^2) = tr(T'' R) + the curve of log|R|
            return float(c.inverse_curve[1].sum() + 2 * (c.inverse_curve[0, 1:] * c.phi).sum()) + (
                2 * c.log_det_slopes[1]
            )
        # V^-1 = (I - lam B^-1) / (1 - lam), and R'' has zeros on its diagonal. Above its diagonal B^-1 is a product
        # of -L along the way, times its own diagonal: the sums of that times rho^h, and of its derivatives by
        # rho, over all earlier points follow from those of the point before.
        pivots, links = self.factor
        diagonal = _run(links[::-1] ** 2, (1 / pivots)[::-1])[::-1]
        ratio = -links
        s0 = _run(ratio * c.phi, np.ones(len(pivots)))
        s1 = _run(ratio * c.phi, np.r_[0.0, ratio * c.slope * s0[:-1]])
        s2 = _run(ratio * c.phi, np.r_[0.0, ratio * (c.curve * s0[:-1] + 2 * c.slope * s1[:-1])])
        return float(-2 * self.lam * (diagonal * s2).sum() / (1 - self.lam))
