"""Errors that remember the same day of the last week: found by the data, and then differenced away.

weekly    fits again with y(t) - s y(t - 7), if a strength s makes the errors likelier
Weekly    the fit, each series' strength, and `contrast` as `Fit` has it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.interruptions.covariance import Fit, estimate

#: Strengths that are tried.
STRENGTHS = (0.15, 0.3, 0.4, 0.5, 0.65, 0.8)
#: Twice the gain in log-likelihood from which a strength is believed: chi-squared at 5 %, of one side.
GAIN = 2.7


@dataclass(frozen=True, eq=False)
class Weekly:
    """A design fitted to m series with a memory of a period ago, where there is one. Made by `weekly`.

    Attributes
    ----------
    plain : Fit
        The fit without that memory.
    strength : (m,) array
        Share of last week's error that returns; 0 where the plain fit stands.
    """

    plain: Fit
    strength: np.ndarray
    fits: tuple[Fit, ...]

    def contrast(self, weights: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Estimates of linear contrasts, their standard errors and degrees of freedom, each m x q."""
        answer = self.plain.contrast(weights)
        for strength, fit in zip(STRENGTHS, self.fits, strict=False):
            mine = self.strength == strength
            if mine.any():
                for whole, part in zip(answer, fit.contrast(weights), strict=True):
                    whole[mine] = part[mine]
        return answer


def weekly(design: Any, values: Any, at: Any = None, *, period: int = 7) -> Weekly:
    """Fit a linear model whose errors are an AR(1) state and noise, on top of a memory of a period ago.

    Parameters
    ----------
    design, values, at
        As `estimate` takes them.
    period : int
        Periods after which errors return; 7 for daily series.

    Returns
    -------
    Weekly

    Notes
    -----
    (1 - s B^7) is applied to both sides of the model, which leaves its coefficients as they are, and the remaining
    errors are fitted by `estimate`; points whose predecessor a period ago is missing are left out. Of the strengths
    tried the likeliest is taken, by the restricted likelihood given the first period; without a clear gain over
    s = 0 the plain fit stands. Where differencing leaves columns that cannot be told apart the plain fit stands too.

    References
    ----------
    Cochrane and Orcutt (1949), JASA 44:32, at lag 7 in place of 1.
    """
    design, values = np.asarray(design, float), np.asarray(values, float)
    values = values[:, None] if values.ndim == 1 else values
    at = np.arange(len(design)) if at is None else np.asarray(at, np.int64)
    plain = estimate(design, values, at)
    none = np.zeros(values.shape[1])
    now, before = np.intersect1d(at, at + period, return_indices=True)[1:]
    known = design.shape[1]

    def differenced(strength: float) -> tuple[np.ndarray, np.ndarray]:
        return design[now] - strength * design[before], values[now] - strength * values[before]

    # Three points per column of the design at least: fewer say nothing of a week.
    if len(now) < 3 * known or any(
        np.linalg.matrix_rank(differenced(s)[0]) < known for s in (0.0, *STRENGTHS)
    ):
        return Weekly(plain, none, ())
    fits = tuple(estimate(*differenced(strength), at[now]) for strength in STRENGTHS)
    least = estimate(*differenced(0.0), at[now]).log_likelihood
    heights = np.array([fit.log_likelihood for fit in fits])
    with np.errstate(invalid="ignore"):  # both infinite where the design fits without error
        gain = 2 * (heights.max(0) - least)
    return Weekly(plain, np.where(gain > GAIN, np.array(STRENGTHS)[heights.argmax(0)], none), fits)
