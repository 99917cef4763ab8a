"""Restricted profile likelihood of an AR(1) state plus noise for many series at once, and its maximum.

Grid         where the likelihood is looked at, and how finely its top is told
Profile      the likelihood at any (rho, lam)
top          the (rho, lam) of each series' highest likelihood
NearOne      the likelihood near rho = 1, by the size of the noise
vertex       the top of a parabola through three points of a grid
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.interruptions.errors.ar1_noise import Correlation, Structure, times


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the likelihood is looked at first, and how finely its top is told.

    Attributes
    ----------
    rhos, lams
        Ascending.
    step
        Rounding of rho: series of a batch whose errors are rounded alike share their work.
    rounds
        Of looking, each on a finer grid around the highest point of the one before.
    walking
        Whether a top near rho = 1 is looked for by (rho, noise), along which it is no ridge.
    """

    rhos: np.ndarray
    lams: np.ndarray
    step: float
    rounds: int = 2
    walking: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest rho."""
        return float(self.rhos[0]), 1 - float(DISTANCES[0]) if self.walking else float(self.rhos[-1])


#: An AR(1) state plus white noise; and the state alone, whose rho a series tells far more sharply.
AR1_NOISE = Grid(
    rhos=np.r_[-0.6, -0.4, -0.2, 0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.99],
    lams=np.r_[0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0],
    step=0.01,
    walking=True,
)
AR1 = Grid(
    rhos=np.r_[np.linspace(-0.95, 0.95, 20), 0.97, 0.98, 0.99, 0.995, 0.999, 0.9999],
    lams=np.ones(1),
    step=1e-4,
    rounds=4,
)
#: Rounding of lam.
LAM_STEP = 0.02
#: Coarse tops from this rho on are looked for near rho = 1.
NEAR = 0.87
#: There, how far rho lies from 1; and the white noise's variance over that of the state's innovations. Half a step of
#: noise makes a walk's lam .995, which an axis of lam passes over.
DISTANCES = np.r_[0.004, 0.012, 0.03, 0.06, 0.11, 0.18]
NOISES = np.r_[0.0, 0.2, 0.7, 2.0, 6.0, 20.0, 80.0, 450.0]
#: Rounding of both, as a share; of noise below `LITTLE` as a share of that.
SHARE, LITTLE = 0.05, 0.4
#: Looks there.
ROUNDS = 3


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


@dataclass(frozen=True, eq=False)
class NearOne:
    """The same likelihood by the distance of rho from 1 and the noise, along which a walk's top is no ridge."""

    profile: Profile

    def __call__(self, distance: float, noises: np.ndarray, series: np.ndarray) -> np.ndarray:
        """At one distance, several noises: a row for each."""
        return self.profile(1 - distance, self.lam(1 - distance, noises), series)

    @staticmethod
    def lam(rho: Any, noise: np.ndarray) -> np.ndarray:
        """Share of the state in the variance, where the noise has a multiple of the innovations' variance."""
        return np.asarray(1 / (1 + noise * (1 - rho**2)))


#: Restricted log-likelihood at one value of a first parameter and several of a second, for some series.
Heights = Callable[[float, np.ndarray, np.ndarray], np.ndarray]
#: Two axes, and the series that are looked at along them.
Look = tuple[np.ndarray, np.ndarray, np.ndarray]


def top(
    basis: np.ndarray, residuals: np.ndarray, at: np.ndarray, grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """The (rho, lam) of each series' highest likelihood, rounded so that series of a batch share their work."""
    profile, m = Profile(basis, residuals, at), residuals.shape[1]
    rho, lam = np.empty((2, m))
    looks = _climbed(profile, [(grid.rhos, grid.lams, np.arange(m))], rho, lam, 1)
    walks = (rho >= NEAR) & grid.walking
    apart = [(rhos, lams, mine[~walks[mine]]) for rhos, lams, mine in looks]
    _climbed(profile, apart, rho, lam, grid.rounds - 1)
    rho, lam = np.round(rho / grid.step) * grid.step, np.round(lam / LAM_STEP) * LAM_STEP
    if walks.any():
        near, (distance, noise) = NearOne(profile), np.ones((2, m))
        _climbed(near, [(DISTANCES, NOISES, np.flatnonzero(walks))], distance, noise, ROUNDS, 5)
        # Beyond the least distance a series of some hundred points cannot tell rho from 1.
        distance = np.exp(np.round(np.log(distance[walks]) / SHARE) * SHARE)
        distance[distance < DISTANCES[0] * (1 + SHARE / 2)] = DISTANCES[0]
        noise = LITTLE * np.expm1(np.round(np.log1p(noise[walks] / LITTLE) / SHARE) * SHARE)
        rho[walks] = 1 - distance
        lam[walks] = np.maximum(near.lam(rho[walks], noise), grid.lams[0])
    return rho, lam


def _climbed(
    height: Heights, looks: list[Look], x: np.ndarray, y: np.ndarray, rounds: int, points: int = 7
) -> list[Look]:
    """Write where each series is highest into x and y; each round looks around the highest point of the last."""
    for _ in range(rounds):
        finer: list[Look] = []
        for xs, ys, mine in looks:
            if not len(mine):
                continue
            heights = np.array([height(one, ys, mine) for one in xs])
            best = heights.reshape(-1, len(mine)).argmax(0)
            i, j = np.unravel_index(best, (len(xs), len(ys)))
            x[mine] = vertex(xs, heights[:, j, np.arange(len(mine))], i)
            y[mine] = vertex(ys, heights[i, :, np.arange(len(mine))].T, j)
            for cell in np.unique(best):
                a, b = np.unravel_index(cell, (len(xs), len(ys)))
                finer.append((_around(xs, a, points), _around(ys, b, 5), mine[best == cell]))
        looks = finer
    return looks


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
