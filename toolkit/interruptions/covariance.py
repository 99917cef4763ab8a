"""Errors of a daily series: an AR(1) state plus white noise, fitted by REML, with intervals that hold their level.

estimate     fits one design to one series, or to many at once
Fit          coefficients, error parameters, and `contrast`: an estimate with its standard error and degrees of freedom

    V = scale * (lam * R + (1 - lam) * I),   R[i, j] = rho ** |at_i - at_j|

lam = 1 is AR(1), lam = 0 independent noise, rho near 1 a local level. The inverse T of R has three diagonals, also
where periods are missing, and V = R B with B = lam I + (1 - lam) T: a likelihood takes time in proportion to the
length of the series.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from toolkit.interruptions import doubt
from toolkit.interruptions.memory import widening
from toolkit.interruptions.structure import Correlation, Structure, times

#: Where the likelihood is looked at first. Beyond .99 a series of a few hundred points cannot tell rho from 1.
RHOS = np.r_[-0.6, -0.4, -0.2, 0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.99]
LAMS = np.r_[0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0]
#: AR(1) alone, from one end to the other.
FINE = np.r_[np.linspace(-0.95, 0.95, 39), 0.97, 0.98, 0.99]
#: Weak prior precision of (rho, lam): keeps the information finite where the data say nothing about one of them.
PRIOR = np.diag([0.0, 1 / 0.6**2, 1 / 0.35**2])
KINDS = ("ar1_noise", "ar1")
#: Kenward and Roger's variance over the plain one, at most: near rho = 1 that expansion grows without end.
MOST = 1.5
#: Residuals smaller than this share of the series are rounding: the design fits without error.
EXACT = 1e-13


@dataclass(frozen=True, eq=False)
class Fit:
    """One design fitted to m series. Made by `estimate`.

    Attributes
    ----------
    coefficients : (m, k) array
    rho, lam, scale : (m,) arrays
        Of the error covariance; `scale` is its variance.
    log_likelihood : (m,) array
        Restricted, at the estimate.
    n, k : int
        Points and columns of the design.
    """

    design: np.ndarray
    at: np.ndarray
    kind: str
    coefficients: np.ndarray
    residuals: np.ndarray
    rho: np.ndarray
    lam: np.ndarray
    scale: np.ndarray
    log_likelihood: np.ndarray
    structures: tuple[Structure, ...]
    chosen: np.ndarray
    period: int = 0

    @property
    def n(self) -> int:
        """Points."""
        return self.design.shape[0]

    @property
    def k(self) -> int:
        """Columns of the design."""
        return self.design.shape[1]

    @property
    def boundary(self) -> list[str]:
        """For each series which error parameters lie at the end of their range, as text; empty if none."""
        said = []
        for rho, lam in zip(self.rho, self.lam, strict=True):
            rhos = FINE if self.kind == "ar1" else RHOS
            parts = [f"rho = {rho:.2f}"] if rho > rhos[-1] - 1e-4 or rho < rhos[0] + 1e-4 else []
            if self.kind == "ar1_noise" and (lam <= LAMS[0] or lam >= LAMS[-1]):
                parts.append(f"lam = {lam:.2f}")
            said.append(" and ".join(parts))
        return said

    def vcov(self) -> np.ndarray:
        """GLS covariance of the coefficients, m x k x k, without the adjustment of `contrast`."""
        each = np.array([self._normal(structure)[1] for structure in self.structures])
        return self.scale[:, None, None] * each[self.chosen]

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q.

        Parameters
        ----------
        weights : (q, k) array
            One contrast per row.

        Notes
        -----
        The variance is adjusted after Kenward and Roger (1997), the degrees of freedom are Satterthwaite's. Both are
        guarded: the variance is never adjusted downwards nor by more than half, and there are 2 degrees of freedom at
        least. In short series with noise the logarithm of the standard error and the inverse of the degrees of freedom
        go towards their averages over all that (rho, lam) may be, by the share that `doubt.share` says. Where a
        period was given and the innovations remember it, the variance is larger by `memory.widening`.
        """
        weights = np.atleast_2d(np.asarray(weights, float))
        parts = [self._adjusted(structure, weights) for structure in self.structures]
        variance, wider, df = (np.array(part)[self.chosen] for part in zip(*parts, strict=True))
        variance = self.scale[:, None] * variance * np.minimum(wider, MOST)
        part = doubt.share(self.n - self.k) if self.kind == "ar1_noise" else 0.0
        if part:
            parts = [self._adjusted(structure, weights) for structure in self._doubt.structures]
            plain, wider, free = (np.array(each) for each in zip(*parts, strict=True))
            logs, inverse = self._doubt.averaged(plain * wider, free)
            variance = (
                np.where(variance > 0, variance, 1.0) ** (1 - part) * np.exp(part * logs) * (variance > 0)
            )
            df = np.maximum(2.0, 1 / ((1 - part) / df + part * inverse))
        for place, structure in enumerate(self.structures if self.period else ()):
            mine = self.chosen == place
            variance[mine] *= widening(structure, self.design, self.residuals[:, mine], weights, self.period)
        return self.coefficients @ weights.T, np.sqrt(variance), df

    def one(self, number: int) -> Fit:
        """The fit of one series."""
        place = self.chosen[number]
        row = slice(number, number + 1)
        return replace(
            self,
            coefficients=self.coefficients[row],
            residuals=self.residuals[:, row],
            rho=self.rho[row],
            lam=self.lam[row],
            scale=self.scale[row],
            log_likelihood=self.log_likelihood[row],
            structures=(self.structures[place],),
            chosen=np.zeros(1, np.int64),
        )

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Fitted covariance of the errors at two sets of positions, m x a x b."""
        distance = np.abs(np.subtract.outer(np.asarray(first), np.asarray(second)))
        rho, lam, scale = (value[:, None, None] for value in (self.rho, self.lam, self.scale))
        return scale * np.where(distance == 0, 1.0, lam * rho**distance)

    def whitened(self) -> np.ndarray:
        """Innovations, n x m: what each point adds to what the earlier ones foretell, in standard deviations."""
        found = np.empty_like(self.residuals)
        for place, structure in enumerate(self.structures):
            mine = self.chosen == place
            found[:, mine] = structure.innovations(self.residuals[:, mine])
        return found / np.sqrt(np.where(self.scale > 0, self.scale, 1.0))

    def _normal(self, structure: Structure) -> tuple[np.ndarray, np.ndarray]:
        solved = structure.solve(self.design)
        return solved, np.linalg.inv(self.design.T @ solved)

    @cached_property
    def _doubt(self) -> doubt.Doubt:
        basis = np.linalg.qr(self.design / np.sqrt((self.design**2).sum(0)))[0]
        return doubt.weighed(basis, self.residuals, self.at)

    def _adjusted(
        self, structure: Structure, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Plain variance at unit scale, the adjusted one over it, and degrees of freedom, at one (rho, lam)."""
        solved, phi = self._normal(structure)
        lam, single = structure.lam, self.kind == "ar1"
        by_rho = structure.by_rho(solved)
        # dV_a V^-1 X for a in (scale, rho, lam).
        moved = [self.design, lam * by_rho, structure.correlate(solved) - solved]
        known = [0, 1] if single else [0, 1, 2]
        p = [-(solved.T @ moved[a]) for a in known]
        unmoved = [structure.solve(moved[a]) for a in known]
        q = [[moved[a].T @ unmoved[b] for b in known] for a in known]
        bent = {
            (0, 1): solved.T @ moved[1],
            (0, 2): solved.T @ moved[2],
            (1, 1): lam * solved.T @ structure.by_rho_twice(solved),
            (1, 2): solved.T @ by_rho,
        }
        size = len(known)
        information = structure.traces[:size, :size].copy()
        for a in known:
            for b in known:
                information[a, b] += np.trace(phi @ p[a] @ phi @ p[b]) - 2 * np.trace(phi @ q[a][b])
        w = np.linalg.inv(information / 2 + PRIOR[:size, :size])
        middle = np.zeros((self.k, self.k))
        for a in known:
            for b in known:
                second = bent.get((min(a, b), max(a, b)), 0.0)
                middle += w[a, b] * (q[a][b] - p[a] @ phi @ p[b] - second / 4)
        plain = np.einsum("qi,ij,qj->q", weights, phi, weights)
        wider = plain + 2 * np.einsum("qi,ij,jl,lm,qm->q", weights, phi, middle, phi, weights, optimize=True)
        half = weights @ phi
        slopes = np.array([-np.einsum("qi,ij,qj->q", half, p[a], half) for a in known])
        spread = np.einsum("aq,ab,bq->q", slopes, w, slopes)
        safe = np.where(plain > 0, plain, 1.0)
        free = np.maximum(2.0, 2 * plain**2 / np.where(spread > 0, spread, 1.0))
        return plain, np.maximum(1.0, wider / safe), np.where(plain > 0, free, 2.0)


def estimate(design: Any, values: Any, at: Any = None, *, kind: str = "ar1_noise", period: int = 0) -> Fit:
    """Fit a linear model whose errors are an AR(1) state plus white noise, by restricted maximum likelihood.

    Parameters
    ----------
    design : (n, k) array
        Of full column rank, n > k.
    values : (n,) or (n, m) array
        One series, or m of them that share the design.
    at : (n,) array of int, optional
        Positions in periods, ascending; a missing period is a gap. 0 to n-1 if not given.
    kind : {"ar1_noise", "ar1"}
        With or without the white noise.
    period : int
        Periods after which errors may return, 7 for daily series: if they do, intervals are wider. 0 for none.

    Returns
    -------
    Fit

    Notes
    -----
    The likelihood is looked at on a coarse grid of (rho, lam), then on a fine one around its highest point, then at the
    top of the parabola through that and its neighbours; rounded, with noise to 0.01 in rho (0.0025 from 0.9 on) and
    0.02 in lam, without it to 0.0002 in artanh(rho): far below what any series tells, so that series of a batch share
    their work, and each is fitted as it would be alone. The point found lies 0.001 (median; at most 0.15) below the top
    of the restricted log-likelihood, the latter where a ridge towards a random walk is flat: 60 series of 40 points.

    References
    ----------
    Kenward and Roger (1997), Biometrics 53:983, for `Fit.contrast`.
    """
    if kind not in KINDS:
        raise ValueError(f"no errors of kind {kind!r}; there are: {', '.join(KINDS)}")
    design = np.asarray(design, float)
    values = np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    at = np.arange(len(design)) if at is None else np.asarray(at, np.int64)
    # Columns of very different sizes, such as days and powers of them, would spoil the normal equations.
    size = np.sqrt((design**2).sum(0))
    basis, triangle = np.linalg.qr(design / size)
    residuals = np.asfortranarray(values - basis @ (basis.T @ values))
    total = (values**2).sum(0)
    exact = (residuals**2).sum(0) <= EXACT**2 * np.where(total > 0, total, 1.0)
    profile = _Profile(basis, residuals / np.where(exact, 1.0, np.sqrt((residuals**2).mean(0))), at)
    rho, lam = _top(profile, kind)
    pairs, chosen = np.unique(np.column_stack([rho, lam]), axis=0, return_inverse=True)
    chosen = chosen.ravel()
    structures = tuple(Structure(Correlation(at, float(r)), float(la)) for r, la in pairs)
    m, (n, k) = values.shape[1], design.shape
    coefficients, scale, likelihood = np.empty((m, k)), np.empty(m), np.empty(m)
    for place, structure in enumerate(structures):
        mine = np.flatnonzero(chosen == place)
        solved = structure.solve(basis)
        normal = basis.T @ solved
        moved = np.linalg.solve(normal, solved.T @ residuals[:, mine])
        rest = residuals[:, mine] - basis @ moved
        quadratic = np.maximum((rest * structure.solve(rest)).sum(0), 0.0)
        scale[mine] = np.where(exact[mine], 0.0, quadratic / (n - k))
        whole = np.linalg.solve(triangle, basis.T @ values[:, mine] + moved)
        coefficients[mine] = (whole / size[:, None]).T
        residuals[:, mine] = rest
        with np.errstate(divide="ignore"):
            likelihood[mine] = -0.5 * (
                (n - k) * (1 + np.log(2 * np.pi * scale[mine]))
                + structure.log_det
                + np.linalg.slogdet(normal)[1]
                + 2 * np.log(np.abs(np.diag(triangle)) * size).sum()
            )
    return Fit(
        design,
        at,
        kind,
        coefficients,
        residuals,
        pairs[chosen, 0],
        pairs[chosen, 1],
        scale,
        likelihood,
        structures,
        chosen,
        period,
    )


class _Profile:
    """Restricted log-likelihood, up to a constant, at any (rho, lam)."""

    def __init__(self, basis: np.ndarray, residuals: np.ndarray, at: np.ndarray) -> None:
        self.basis, self.residuals, self.at = basis, np.asfortranarray(residuals), at

    def __call__(self, rho: float, lams: np.ndarray, series: np.ndarray) -> np.ndarray:
        """At one rho, several lam: a row for each."""
        every = len(series) == self.residuals.shape[1]
        mine = self.residuals if every else self.residuals[:, series]
        (n, k), correlation = self.basis.shape, Correlation(self.at, rho)
        basis, rest = times(correlation.inverse, self.basis), times(correlation.inverse, mine)
        heights = np.empty((len(lams), mine.shape[1]))
        for row, lam in enumerate(lams):
            structure = Structure(correlation, lam)
            solved = structure.unmix(basis)
            normal = self.basis.T @ solved
            against = solved.T @ mine
            rss = np.einsum("nm,nm->m", mine, structure.unmix(rest))
            rss -= (against * np.linalg.solve(normal, against)).sum(0)
            heights[row] = -0.5 * (
                (n - k) * np.log(np.maximum(rss, 1e-300)) + structure.log_det + np.linalg.slogdet(normal)[1]
            )
        return heights


def _top(profile: _Profile, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The (rho, lam) of each series' highest likelihood."""
    m = profile.residuals.shape[1]
    rhos, lams = (FINE, np.ones(1)) if kind == "ar1" else (RHOS, LAMS)
    axes = [(rhos, lams, np.arange(m))]
    rho, lam = np.empty(m), np.empty(m)
    for _ in range(3 if kind == "ar1" else 2):
        finer = []
        for rhos, lams, series in axes:
            heights = np.array([profile(r, lams, series) for r in rhos])
            best = heights.reshape(-1, len(series)).argmax(0)
            i, j = np.unravel_index(best, (len(rhos), len(lams)))
            rho[series] = _vertex(rhos, heights[:, j, np.arange(len(series))], i)
            lam[series] = _vertex(lams, heights[i, :, np.arange(len(series))].T, j)
            for cell in np.unique(best):
                a, b = np.unravel_index(cell, (len(rhos), len(lams)))
                points = 9 if kind == "ar1" else 7
                finer.append((_around(rhos, a, points), _around(lams, b, 5), series[best == cell]))
        axes = finer
    if kind == "ar1":
        return np.tanh(np.round(np.arctanh(rho) / 0.0002) * 0.0002), lam
    step = np.where(rho > 0.9, 0.0025, 0.01)
    return np.round(rho / step) * step, np.round(lam / 0.02) * 0.02


def _around(axis: np.ndarray, at: int, points: int) -> np.ndarray:
    """A finer axis between the neighbours of a point."""
    if len(axis) == 1:
        return axis
    return np.linspace(axis[max(at - 1, 0)], axis[min(at + 1, len(axis) - 1)], points)


def _vertex(axis: np.ndarray, heights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Where the parabola through the highest point and its neighbours has its top; the end of an axis stays."""
    if len(axis) < 3:
        return axis[at]
    inner = np.clip(at, 1, len(axis) - 2)
    column = np.arange(heights.shape[1])
    x, y = ([axis[inner + d] for d in (-1, 0, 1)], [heights[inner + d, column] for d in (-1, 0, 1)])
    before, after = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    bend = (after - before) / (x[2] - x[0])
    top = (x[0] + x[1]) / 2 - before / np.where(bend < 0, 2 * bend, -1.0)
    fine = (bend < 0) & (at == inner)
    return np.where(fine, np.clip(top, x[0], x[2]), axis[at])
