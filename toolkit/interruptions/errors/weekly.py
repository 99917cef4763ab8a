"""Autocorrelation at lag 7 on top of an AR(1) state and noise: quasi-differenced at the most likely strength.

weekly    fits again with y(t) - s y(t - 7), if a strength s raises the likelihood
Weekly    the fit, and the strength of each series

    e(t) = s e(t - 7) + u(t),   u an AR(1) state plus white noise
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg

from toolkit.interruptions.errors.fitted import Designed, Regression
from toolkit.interruptions.errors.registry import error_model
from toolkit.interruptions.errors.reml import WEEK, RemlFit, estimate
from toolkit.interruptions.series import NAMES

#: Strengths that are tried.
STRENGTHS = (0.15, 0.3, 0.4, 0.5, 0.65, 0.8)
#: Twice the gain in log-likelihood from which a strength is used: chi-squared at 5 %, one-sided.
GAIN = 2.7
#: Weeks on either side that count: the strongest autocorrelation is 1e-12 by then.
WEEKS = 124


@dataclass(frozen=True, eq=False)
class Weekly(Designed):
    """A design fitted to m series with autocorrelation at one further lag, where there is any. Made by `weekly`.

    Attributes
    ----------
    plain : RemlFit
        The default fit, with variance inflation for that lag.
    strength : (m,) array
        Share of last week's error that returns; 0 where the default fit stands.
    fits : tuple of RemlFit
        One for each of `STRENGTHS`, of the differenced series; empty where none could be made.
    period : int
        The further lag.
    """

    plain: RemlFit
    strength: np.ndarray
    fits: tuple[RemlFit, ...]
    period: int = WEEK

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Estimates, m x k."""
        return self._taken(lambda fit: fit.coefficients)

    @cached_property
    def residuals(self) -> np.ndarray:
        """What the design leaves of every point, n x m, before any differencing."""
        return np.asarray(
            self.plain.residuals + self.design @ (self.plain.coefficients - self.coefficients).T
        )

    @cached_property
    def rho(self) -> np.ndarray:
        """Correlation of neighbouring days in what last week does not explain."""
        return self._taken(lambda fit: fit.rho)

    @cached_property
    def lam(self) -> np.ndarray:
        """Share of the AR(1) state in the variance of what last week does not explain; the rest is white noise."""
        return self._taken(lambda fit: fit.lam)

    @cached_property
    def scale(self) -> np.ndarray:
        """Variance of the errors, with what returns from last week."""
        return np.array([shock * self._returned(np.zeros(1), i)[0] for i, shock in enumerate(self._shocks)])

    @property
    def around(self) -> np.ndarray:
        """Variance of single errors around a fitted mean."""
        return self.scale

    @property
    def log_likelihood(self) -> np.ndarray:
        """Restricted; given the first week where the strength is above 0, so not comparable to that of `plain`."""
        return self._taken(lambda fit: fit.log_likelihood)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Of the errors, by name."""
        return {"strength": self.strength, "rho": self.rho, "lam": self.lam}

    @property
    def boundary(self) -> list[str]:
        """For each series which error parameters lie at the end of their range, as text; empty if none."""
        ends = self._taken(lambda fit: np.array(fit.boundary, object))
        last = np.where(self.strength == STRENGTHS[-1], f"strength = {STRENGTHS[-1]:g}", "")
        return [" and ".join(part for part in both if part) for both in zip(ends, last, strict=True)]

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether lag-7 autocorrelation was found, and how strong."""
        if not self.fits:
            return ("too few pairs of days a week apart to look for lag-7 autocorrelation: as errors='auto'",)
        found = self.strength[self.strength > 0]
        if not len(found):
            return ("no lag-7 autocorrelation was found: intervals are those of errors='auto'",)
        span = f"{found.min():g}" if found.min() == found.max() else f"{found.min():g} to {found.max():g}"
        many = f" in {len(found)} of {len(self.strength)} series" if len(self.strength) > 1 else ""
        return (f"lag-7 autocorrelation of {span} was found{many}",)

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q."""
        estimates, errors, df = np.moveaxis(self._taken(lambda fit: np.stack(fit.contrast(weights), 1)), 1, 0)
        return estimates, errors, df

    def vcov(self) -> np.ndarray:
        """GLS covariance of the coefficients, m x k x k, without the adjustment of `contrast`."""
        return self._taken(lambda fit: fit.vcov())

    def errors(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Fitted covariance of the errors at two sets of positions, m x a x b.

        Notes
        -----
        The sum over d of g(h + 7 d) s^|d| / (1 - s^2) at distance h, with g the covariance of u: that of a process
        which has run for ever.
        """
        distance = np.abs(np.subtract.outer(np.asarray(first), np.asarray(second)))
        known, where = np.unique(distance, return_inverse=True)
        found = np.empty((len(self.strength), *distance.shape))
        for mine in self._alike():
            unit = self._returned(known, mine[0])[where].reshape(distance.shape)
            found[mine] = self._shocks[mine, None, None] * unit
        return found

    def noise(self, at: np.ndarray) -> np.ndarray:
        """Variance of single errors, the same at every position, m x a."""
        return np.repeat(self.scale[:, None], len(at), 1)

    def whitened(self) -> np.ndarray:
        """Innovations, n x m: each point less its prediction from earlier ones, in standard deviations.

        By a Cholesky factor of `errors`, so that the first week and the days a week after a gap have theirs too,
        although the coefficients were estimated given them.
        """
        found, at = self.plain.whitened(), self.plain.at
        known, where = np.unique(np.abs(np.subtract.outer(at, at)), return_inverse=True)
        for mine in self._alike():
            if self.strength[mine[0]] > 0:
                unit = self._returned(known, mine[0])[where].reshape(len(at), len(at))
                factor = linalg.cholesky(unit, lower=True)
                apart = linalg.solve_triangular(factor, self.residuals[:, mine], lower=True)
                found[:, mine] = apart / np.sqrt(self._shocks[mine])
        return found

    @cached_property
    def _shocks(self) -> np.ndarray:
        """Variance of u."""
        return self._taken(lambda fit: fit.scale)

    def _taken(self, read: Callable[[RemlFit], np.ndarray]) -> np.ndarray:
        """Something of each series' own fit; series run along its first axis."""
        found = np.array(read(self.plain))
        for strength, fit in zip(STRENGTHS, self.fits, strict=False):
            mine = self.strength == strength
            if mine.any():
                found[mine] = read(fit)[mine]
        return found

    def _alike(self) -> Iterator[np.ndarray]:
        """Numbers of the series that share their error parameters."""
        each = np.column_stack(list(self.parameters.values()))
        kinds, which = np.unique(each, axis=0, return_inverse=True)
        for kind in range(len(kinds)):
            yield np.flatnonzero(which.ravel() == kind)

    def _returned(self, distance: np.ndarray, number: int) -> np.ndarray:
        """Covariance of one series' errors by distance, where u has variance 1."""
        strength, rho, lam = self.strength[number], self.rho[number], self.lam[number]
        weeks = np.arange(-WEEKS, WEEKS + 1) if strength else np.zeros(1, int)
        far = np.abs(distance[:, None] + self.period * weeks)
        shares = strength ** np.abs(weeks) / (1 - strength**2)
        return np.asarray(np.where(far == 0, 1.0, lam * rho**far) @ shares)


@error_model("weekly", "AR(1), noise and lag-7 autocorrelation by REML")
def days(asked: Regression, option: str) -> Weekly:
    """Lag-7 autocorrelation of days; other periods are refused.

    The one to choose where errors return strongly after a week: estimates and bands follow, not the width alone.
    """
    if asked.unit != "D":
        raise ValueError(
            f"errors='weekly' is for daily series, whose errors may return after a week; this one has "
            f"{f'one value a {NAMES[asked.unit]}' if asked.unit else 'numbers for dates'}; use 'auto'"
        )
    return weekly(asked.design, asked.values, asked.at)


def weekly(design: Any, values: Any, at: Any = None, *, period: int = WEEK) -> Weekly:
    """Fit a linear model whose errors are an AR(1) state and noise, on top of autocorrelation at one further lag.

    Parameters
    ----------
    design, values, at
        As `estimate` takes them.
    period : int
        The further lag; 7 for daily series.

    Returns
    -------
    Weekly

    Notes
    -----
    (1 - s B^7) is applied to both sides of the model, which leaves its coefficients as they are, and the remaining
    errors are fitted by `estimate`; points whose predecessor a period ago is missing are left out. Of the strengths
    tried the likeliest is taken, by the restricted likelihood given the first period; without a clear gain over
    s = 0 the default fit stands. Where differencing leaves collinear columns the default fit stands too.

    References
    ----------
    Cochrane and Orcutt (1949), JASA 44:32, at lag 7 in place of 1.
    """
    design, values = np.asarray(design, float), np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    at = np.arange(len(design)) if at is None else np.asarray(at, np.int64)
    plain = estimate(design, values, at, period=period)
    none = np.zeros(values.shape[1])
    now, before = np.intersect1d(at, at + period, return_indices=True)[1:]
    known = design.shape[1]

    def differenced(strength: float) -> tuple[np.ndarray, np.ndarray]:
        return design[now] - strength * design[before], values[now] - strength * values[before]

    # Three points per column of the design at least: fewer say nothing of a week.
    if len(now) < 3 * known or any(
        np.linalg.matrix_rank(differenced(s)[0]) < known for s in (0.0, *STRENGTHS)
    ):
        return Weekly(design, plain, none, (), period)
    fits = tuple(estimate(*differenced(strength), at[now]) for strength in STRENGTHS)
    least = estimate(*differenced(0.0), at[now]).log_likelihood
    heights = np.array([fit.log_likelihood for fit in fits])
    with np.errstate(invalid="ignore"):  # both infinite where the design fits without error
        gain = 2 * (heights.max(0) - least)
    return Weekly(
        design, plain, np.where(gain > GAIN, np.array(STRENGTHS)[heights.argmax(0)], none), fits, period
    )
