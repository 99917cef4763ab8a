"""Restricted profile likelihood of an AR(1) state plus noise for many series at once, and its maximum.

Grid         where the likelihood is looked at, and how finely its top is told
Profile      the likelihood at any (rho, lam)
top          the (rho, lam) of each series' highest likelihood
vertex       the top of a parabola through three points of a grid
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Correlation, Structure, times


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the likelihood is looked at first, and how finely its top is told.

    Attributes
    ----------
    rhos, lams
        Ascending. Beyond rho = .99 a series of a few hundred points cannot tell rho from 1.
    step, fine
        Rounding of rho up to .9, and from there on: series of a batch whose errors are rounded alike share their work.
    rounds
        Of looking, each on a finer grid around the highest point of the one before.
    """

    rhos: np.ndarray
    lams: np.ndarray
    step: float
    fine: float
    rounds: int = 2


#: An AR(1) state plus white noise; and the state alone, whose rho a series tells far more sharply.
AR1_NOISE = Grid(
    rhos=np.r_[-0.6, -0.4, -0.2, 0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.99],
    lams=np.r_[0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0],
    step=0.01,
    fine=0.0025,
)
AR1 = Grid(
    rhos=np.r_[np.linspace(-0.95, 0.95, 20), 0.97, 0.98, 0.99],
    lams=np.ones(1),
    step=1e-4,
    fine=1e-4,
    rounds=4,
)
#: Rounding of lam.
LAM_STEP = 0.02


class Profile:
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


def top(
    basis: np.ndarray, residuals: np.ndarray, at: np.ndarray, grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """The (rho, lam) of each series' highest likelihood, rounded so that series of a batch share their work."""
    profile, m = Profile(basis, residuals, at), residuals.shape[1]
    axes = [(grid.rhos, grid.lams, np.arange(m))]
    rho, lam = np.empty(m), np.empty(m)
    for _ in range(grid.rounds):
        finer = []
        for rhos, lams, series in axes:
            heights = np.array([profile(r, lams, series) for r in rhos])
            best = heights.reshape(-1, len(series)).argmax(0)
            i, j = np.unravel_index(best, (len(rhos), len(lams)))
            rho[series] = vertex(rhos, heights[:, j, np.arange(len(series))], i)
            lam[series] = vertex(lams, heights[i, :, np.arange(len(series))].T, j)
            for cell in np.unique(best):
                a, b = np.unravel_index(cell, (len(rhos), len(lams)))
                finer.append((_around(rhos, a, 7), _around(lams, b, 5), series[best == cell]))
        axes = finer
    step = np.where(rho > 0.9, grid.fine, grid.step)
    return np.round(rho / step) * step, np.round(lam / LAM_STEP) * LAM_STEP


def _around(axis: np.ndarray, at: int, points: int) -> np.ndarray:
    """A finer axis between the neighbours of a point."""
    return (
        axis
        if len(axis) == 1
        else np.linspace(axis[max(at - 1, 0)], axis[min(at + 1, len(axis) - 1)], points)
    )


def vertex(axis: np.ndarray, heights: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Where the parabola through the highest point and its neighbours has its top; the end of an axis stays."""
    if len(axis) == 1:
        return np.full(heights.shape[1], axis[0])
    inner = np.clip(at, 1, len(axis) - 2)
    column = np.arange(heights.shape[1])
    x, y = ([axis[inner + d] for d in (-1, 0, 1)], [heights[inner + d, column] for d in (-1, 0, 1)])
    before, after = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    bend = (after - before) / (x[2] - x[0])
    best = (x[0] + x[1]) / 2 - before / np.where(bend < 0, 2 * bend, -1.0)
    fine = (bend < 0) & (at == inner)
    return np.asarray(np.where(fine, np.clip(best, x[0], x[2]), axis[at]))
