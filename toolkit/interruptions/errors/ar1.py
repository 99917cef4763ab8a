"""AR(1) errors without noise, of many series at once: each has its own rho, and none costs more than a few sums.

Links        the inverse T of rho^|h|, and its derivatives by rho, as sums of a few fixed matrices
Sums         the restricted likelihood of m series at any rho, and its top
adjustment   what contrasts need, for many rho

    T(rho) = I + sum over gaps g of [a_g - 1] N_g - phi_g a_g C_g,   phi_g = rho^g,  a_g = 1 / (1 - phi_g^2)

N_g counts on its diagonal the links of length g that a point has, C_g holds a 1 beside the diagonal for each. Hence
X'TX, X'Ty and y'Ty at any rho follow from their values for these matrices, which are computed once.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from toolkit.interruptions.errors.ar1_noise import times
from toolkit.interruptions.errors.kenward_roger import Adjustment, adjusted
from toolkit.interruptions.errors.profile_likelihood import vertex

#: Where the likelihood is looked at first. Beyond .99 a series of a few hundred points cannot tell rho from 1.
RHOS = np.r_[np.linspace(-0.95, 0.95, 39), 0.97, 0.98, 0.99]
#: A step of rho after which the top is found, as the next one would be its square; halving gets there in 20 rounds.
SETTLED, ROUNDS = 1e-7, 50
#: Rows of a covariance that are worked on at once, so that they stay near the processor.
BLOCK = 100_000


class Links:
    """T and its derivatives at positions that may have gaps, as sums of fixed matrices.

    Parameters
    ----------
    at
        Positions in periods, ascending, whole numbers.
    """

    def __init__(self, at: np.ndarray) -> None:
        self.gaps, self.which, self.counts = np.unique(np.diff(at), return_inverse=True, return_counts=True)
        self.bands = [np.vstack([np.zeros(len(at)), np.ones(len(at))])]
        for number in range(len(self.gaps)):
            mine = (self.which == number).astype(float)
            diagonal, upper = np.r_[mine, 0.0] + np.r_[0.0, mine], np.r_[0.0, mine]
            self.bands += [np.vstack([0 * diagonal, diagonal]), np.vstack([upper, 0 * upper])]

    def phi(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Correlation across each gap, and its two derivatives by rho, each m x gaps."""
        g, rho = self.gaps, rho[:, None]
        return rho**g, g * rho ** (g - 1), g * (g - 1) * rho ** np.maximum(g - 2, 0)

    def weights(self, rho: np.ndarray) -> np.ndarray:
        """Weight of every matrix in T, in T' and in T'', 3 x m x matrices."""
        phi, slope, curve = self.phi(rho)
        a = 1 / (1 - phi**2)
        down, across = 2 * phi * a**2, -(1 + phi**2) * a**2
        found = np.zeros((3, len(rho), len(self.bands)))
        found[0, :, 0] = 1
        found[0, :, 1::2], found[0, :, 2::2] = a - 1, -phi * a
        found[1, :, 1::2], found[1, :, 2::2] = down * slope, across * slope
        found[2, :, 1::2] = 2 * (1 + 3 * phi**2) * a**3 * slope**2 + down * curve
        found[2, :, 2::2] = -2 * phi * (3 + phi**2) * a**3 * slope**2 + across * curve
        return found

    def log_det(self, rho: np.ndarray) -> np.ndarray:
        """log|R| and its two derivatives by rho, 3 x m."""
        phi, slope, curve = self.phi(rho)
        a = 1 / (1 - phi**2)
        first = -2 * phi * slope * a
        second = -2 * (slope**2 + phi * curve) * a - first**2
        return np.array([-np.log(a), first, second]) @ self.counts

    def traces(self, rho: np.ndarray) -> np.ndarray:
        """tr(T R_a T R_b) for a, b in (scale, rho), m x 2 x 2."""
        phi, slope, _ = self.phi(rho)
        found = np.empty((len(rho), 2, 2))
        found[:, 0, 0] = len(self.which) + 1
        found[:, 0, 1] = found[:, 1, 0] = self.log_det(rho)[1]
        # A chain's information is the sum of its links'.
        found[:, 1, 1] = (2 * (1 + phi**2) / (1 - phi**2) ** 2 * slope**2) @ self.counts
        return found


class Sums:
    """The restricted likelihood of m series whose errors are AR(1), at any rho.

    Parameters
    ----------
    basis : (n, k) array
        Orthonormal columns.
    residuals : (n, m) array
        What the basis leaves of each series, in units of its spread.
    at : (n,) array of int
        Positions in periods.
    """

    def __init__(self, basis: np.ndarray, residuals: np.ndarray, at: np.ndarray) -> None:
        self.links, (self.n, self.k) = Links(at), basis.shape
        moved = [times(band, basis) for band in self.links.bands]
        self.normal = np.array([basis.T @ one for one in moved])
        self.against = np.array([(one.T @ residuals).T for one in moved])
        near, squares = residuals[:-1] * residuals[1:], residuals**2
        self.squares = np.array(
            [2 * (upper[1:] @ near) + diagonal @ squares for upper, diagonal in self.links.bands]
        )

    def top(self) -> np.ndarray:
        """The rho of each series' highest likelihood: from a grid, then by Newton's steps within its cell."""
        weights, dets = self.links.weights(RHOS)[0], self.links.log_det(RHOS)[0]
        heights = np.empty((len(RHOS), self.squares.shape[1]))
        for place, one in enumerate(weights):
            normal = np.tensordot(one, self.normal, 1)
            against = np.tensordot(one, self.against, 1).T
            rss = one @ self.squares - (against * np.linalg.solve(normal, against)).sum(0)
            heights[place] = self._height(rss, dets[place] + np.linalg.slogdet(normal)[1])
        best = heights.argmax(0)
        rho = vertex(RHOS, heights, best)
        low, high = RHOS[np.maximum(best - 1, 0)], RHOS[np.minimum(best + 1, len(RHOS) - 1)]
        moving = np.arange(len(rho))
        for _ in range(ROUNDS):
            now = rho[moving]
            first, second = self._slopes(now, moving)
            low[moving] = np.where(first > 0, now, low[moving])
            high[moving] = np.where(first < 0, now, high[moving])
            with np.errstate(divide="ignore", invalid="ignore"):
                step = now - first / second
            inside = (second < 0) & (step > low[moving]) & (step < high[moving])
            rho[moving] = np.where(inside, step, (low[moving] + high[moving]) / 2)
            moving = moving[np.abs(rho[moving] - now) > SETTLED]
            if not len(moving):
                break
        return rho

    def solved(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At each series' own rho: coefficients of the basis, m x k; r'Tr of what is left; log|R| + log|X'TX|."""
        one = self.links.weights(rho)[0]
        normal = np.tensordot(one, self.normal, 1)
        against = np.einsum("mg,gmk->mk", one, self.against)
        b = np.linalg.solve(normal, against[..., None])[..., 0]
        rss = np.einsum("mg,gm->m", one, self.squares) - (against * b).sum(1)
        return b, np.maximum(rss, 0.0), self.links.log_det(rho)[0] + np.linalg.slogdet(normal)[1]

    def _height(self, rss: np.ndarray, dets: np.ndarray) -> np.ndarray:
        return np.asarray(-0.5 * ((self.n - self.k) * np.log(np.maximum(rss, 1e-300)) + dets))

    def _slopes(self, rho: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivative of some series' log-likelihood, each at its own rho."""
        weights = self.links.weights(rho)
        normal, normal1, normal2 = np.tensordot(weights, self.normal, 1)
        against, against1, against2 = np.einsum("dmg,gmk->dmk", weights, self.against[:, series])
        squares = np.einsum("dmg,gm->dm", weights, self.squares[:, series])
        inverse = np.linalg.inv(normal)
        b = _times(inverse, against)
        rss = np.maximum(squares[0] - (against * b).sum(1), 1e-300)
        # The coefficients are at their best, so that only what stands around them moves at first order.
        moved = _times(normal1, b)
        pull = against1 - moved
        first = squares[1] - (b * (2 * against1 - moved)).sum(1)
        second = squares[2] - (b * (2 * against2 - _times(normal2, b))).sum(1)
        second -= 2 * (pull * _times(inverse, pull)).sum(1)
        along = inverse @ normal1
        _, det1, det2 = self.links.log_det(rho)
        det1 = det1 + np.einsum("mii->m", along)
        det2 = det2 + (inverse * normal2).sum((1, 2)) - np.einsum("mij,mji->m", along, along)
        free, share = self.n - self.k, first / rss
        return -0.5 * (free * share + det1), -0.5 * (free * (second / rss - share**2) + det2)


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.asarray((matrices @ vectors[..., None])[..., 0])


def adjustment(basis: np.ndarray, at: np.ndarray, rho: np.ndarray, prior: np.ndarray) -> Adjustment:
    """What contrasts of a design need at each rho.

    Notes
    -----
    With R the inverse of T: T R' T = -T', T R' T R' T = T' R T', and T R'' T = 2 T' R T' - T''.
    """
    links = Links(at)
    moved = np.array([times(band, basis) for band in links.bands])
    weights = links.weights(rho)
    normal, once, twice = np.tensordot(weights, basis.T @ moved, 1)
    both = _through(links, moved, weights[1], rho)
    p = [-normal, once]
    q = [[normal, -once], [-once, both]]
    bent = {(0, 1): -once, (1, 1): 2 * both - twice}
    return adjusted(normal, p, q, bent, links.traces(rho), prior)


def _through(links: Links, moved: np.ndarray, weights: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """X' T' R T' X for each rho, m x k x k: T' X for many rho stands one below the other, and is solved as one."""
    _, n, k = moved.shape
    found, size = np.empty((len(rho), k, k)), max(BLOCK // n, 1)
    for start in range(0, len(rho), size):
        mine = slice(start, start + size)
        columns = np.einsum("mg,gnk->kmn", weights[mine], moved, optimize=True)
        phi = links.phi(rho[mine])[0][:, links.which]
        # T as L D L': each point foretold by the next, the last of a block by nothing.
        last = np.zeros((len(phi), 1))
        across = np.hstack([-phi, last]).ravel()[:-1]
        pivots = np.hstack([1 / (1 - phi**2), last + 1]).ravel()
        solved, _ = lapack.dpttrs(pivots, across, columns.reshape(k, -1).T)
        solved = solved.T.reshape(columns.shape)
        found[mine] = columns.transpose(1, 0, 2) @ solved.transpose(1, 2, 0)
    return found
