"""Who is likely to be treated: a logit, and effects on the treated by weighting and by matching on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special


@dataclass(frozen=True, eq=False)
class Propensity:
    """A fitted propensity to be treated.

    Parameters
    ----------
    treated : array of bool
    design : array of n x k
        With a leading column of ones; scaled.
    score : array
        The fitted probability of each unit.
    """

    treated: np.ndarray
    design: np.ndarray
    score: np.ndarray

    @property
    def logit(self) -> np.ndarray:
        """Log odds of the score."""
        return np.asarray(special.logit(self.score))

    def weighted(self, y: np.ndarray) -> tuple[float, float, float]:
        """The effect on the treated, others weighted by their odds; its error, and the others' effective number.

        Notes
        -----
        The error is the sandwich of the stacked equations of logit and of both means (Lunceford & Davidian 2004).
        """
        d = self.treated.astype(float)
        odds = np.where(self.treated, 0.0, self.score / (1 - self.score))
        one, other = float(y[self.treated].mean()), float(odds @ y / odds.sum())
        # How the weighted mean moves with the logit's coefficients; odds grow by odds times the design.
        slope = ((odds * (y - other)) @ self.design) / odds.sum()
        information = np.linalg.inv((self.design * (self.score * (1 - self.score))[:, None]).T @ self.design)
        scores = self.design * (d - self.score)[:, None]
        influence = d * (y - one) / d.sum() - odds * (y - other) / odds.sum() - scores @ (information @ slope)
        return one - other, float(np.sqrt(influence @ influence)), float(odds.sum() ** 2 / (odds @ odds))

    def matched(self, y: np.ndarray) -> tuple[float, float]:
        """The effect on the treated by their nearest others, with replacement, and its error.

        Notes
        -----
        Where several others are equally near, all of them are the match, so that the order of rows does not matter.
        """
        values, group, size = np.unique(self.score[~self.treated], return_inverse=True, return_counts=True)
        nearest = _nearest(self.score[self.treated], values)
        others = y[~self.treated]
        effects = y[self.treated] - (np.bincount(group, others) / size)[nearest]
        estimate, n = float(effects.mean()), len(effects)
        # An other among m equals stands for 1/m of each of the treated matched to them (Abadie & Imbens 2006).
        times = np.bincount(nearest, minlength=len(values))
        noise = np.bincount(group, self._own_variance(others, group, size))
        spread = ((effects - estimate) ** 2).sum() + (times * (times - 1) / size**2 * noise).sum()
        return estimate, float(np.sqrt(spread)) / n

    def distances(self) -> np.ndarray:
        """How far each treated unit is from its nearest other, in log odds."""
        one, other = self.logit[self.treated], self.logit[~self.treated]
        values = np.unique(other)
        return np.asarray(np.abs(one - values[_nearest(one, values)]))

    def _own_variance(self, others: np.ndarray, group: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Of each other unit's outcome: among its equals, or from the one next to it in the propensity."""
        order = np.argsort(group, kind="stable")
        ordered = others[order]
        found = np.empty(len(others))
        found[order] = (ordered - np.append(ordered[1:], ordered[-2])) ** 2 / 2
        mean = np.bincount(group, others) / size
        equals = np.bincount(group, (others - mean[group]) ** 2) / np.maximum(size - 1, 1)
        return np.where(size[group] > 1, equals[group], found)


def _nearest(wanted: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The position of the nearest of these sorted values for each wanted one."""
    right = np.clip(np.searchsorted(values, wanted), 0, len(values) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.abs(wanted - values[left]) <= np.abs(values[right] - wanted)
    return np.asarray(np.where(nearer, left, right))


def propensity(treated: np.ndarray, covariates: np.ndarray) -> Propensity:
    """Fit a logit by Newton's method; covariates that part the groups entirely are refused."""
    spread = covariates.std(0)
    keep = spread > 0
    scaled = (covariates[:, keep] - covariates[:, keep].mean(0)) / spread[keep]
    x = np.column_stack([np.ones(len(treated)), scaled])
    y, beta = treated.astype(float), np.zeros(x.shape[1])
    for _ in range(100):
        p = special.expit(x @ beta)
        hessian = (x * (p * (1 - p))[:, None]).T @ x
        try:
            step = np.linalg.solve(hessian, x.T @ (y - p))
        except np.linalg.LinAlgError:
            raise ValueError(
                "a covariate repeats another or parts treated and others entirely: leave it out"
            ) from None
        beta = beta + step
        if not np.isfinite(beta).all() or np.abs(beta).max() > 50:
            raise ValueError(
                "the covariates part treated and others entirely: there is no overlap to compare in"
            )
        if np.abs(step).max() < 1e-10:
            break
    p = np.clip(special.expit(x @ beta), 1e-12, 1 - 1e-12)
    return Propensity(treated, x, p)
