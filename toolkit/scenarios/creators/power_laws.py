"""Power laws in the tail: the exponent, where the tail begins, and the test against a log-normal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

#: A tail of fewer values is never looked at.
FEWEST = 10
#: Where more distinct values might begin the tail, the resamples look at so many of them.
MOST_STARTS = 200


class PowerLaw(NamedTuple):
    """A density proportional to x^-alpha from `xmin` on; `ks` is its largest distance from the data."""

    alpha: float
    xmin: float
    ks: float
    n: int


class Vuong(NamedTuple):
    """Two models of one tail: the normalised log-likelihood ratio and its p value; above 0 for the power law."""

    statistic: float
    p: float
    mu: float
    sigma: float


def exponent(tail: np.ndarray, xmin: float, discrete: bool) -> float:
    """The likeliest alpha of values from `xmin` on; nan where all are equal to it."""
    logs = np.log(tail / xmin).sum()
    if logs <= 0:
        return np.nan
    if not discrete:
        return float(1 + len(tail) / logs)
    total = np.log(tail).sum()

    def surprise(alpha: float) -> float:
        return float(len(tail) * np.log(special.zeta(alpha, xmin)) + alpha * total)

    return float(
        optimize.minimize_scalar(surprise, bounds=(1.0001, 20), method="bounded", options={"xatol": 1e-9}).x
    )


def begin(
    values: np.ndarray, *, discrete: bool, xmin: float | None = None, most: int | None = None
) -> PowerLaw:
    """Where the tail begins: the value that leaves the smallest Kolmogorov-Smirnov distance.

    Parameters
    ----------
    values : array
        Above 0.
    xmin : float, optional
        Where it begins, if that is given.
    most : int, optional
        Of how many distinct values at most, evenly chosen, it may be one.

    Notes
    -----
    The distance compares the fitted F at each value with (i - 1) / m, as the authors' own code does.

    References
    ----------
    Clauset, Shalizi & Newman (2009), SIAM Review 51, 661-703, section 3.3.
    """
    ordered = np.sort(values)
    if xmin is not None:
        return _fitted(ordered[ordered >= xmin], xmin, discrete)
    if len(ordered) < FEWEST:
        raise ValueError(f"no tail: {len(ordered)} values are fewer than {FEWEST}")
    starts = np.unique(ordered[: max(1, len(ordered) - FEWEST + 1)])
    starts = starts[starts < ordered[-1]]
    if most is not None and len(starts) > most:
        starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
    firsts = np.searchsorted(ordered, starts)
    if not discrete and len(starts):
        return _best_continuous(np.log(ordered), firsts, starts)
    found = [_fitted(ordered[first:], start, discrete) for first, start in zip(firsts, starts, strict=True)]
    if not found:
        raise ValueError(f"no tail: all {len(ordered)} values are equal")
    return min(found, key=lambda one: one.ks)


def _best_continuous(logs: np.ndarray, firsts: np.ndarray, starts: np.ndarray) -> PowerLaw:
    """As `_fitted` for each start, from logarithms that are taken once."""
    sums = np.append(np.cumsum(logs[::-1])[::-1], 0.0)
    best, least = (0, 1.0, 0), np.inf
    for at, first in enumerate(firsts):
        m = len(logs) - first
        excess = sums[first] - m * logs[first]
        if excess <= 0:
            continue
        alpha = 1 + m / excess
        fitted = 1 - np.exp((1 - alpha) * (logs[first:] - logs[first]))
        distance = float(np.abs(fitted - np.arange(m) / m).max())
        if distance < least:
            best, least = (at, alpha, m), distance
    at, alpha, m = best
    return PowerLaw(float(alpha), float(starts[at]), least, int(m))


def against_lognormal(tail: np.ndarray, law: PowerLaw, discrete: bool) -> Vuong:
    """Whether the tail looks more like the power law or like a log-normal cut off at the same value.

    References
    ----------
    Vuong (1989), Econometrica 57, 307-333.
    """
    # A ratio of likelihoods knows no unit; in units of xmin the search does not depend on it either.
    unit = 1.0 if discrete else law.xmin
    tail, law = tail / unit, law._replace(xmin=law.xmin / unit)
    logs, floor = np.log(tail), np.log(law.xmin)

    def densities(mu: float, sigma: float) -> np.ndarray:
        if discrete:
            upper, lower = ((np.log(tail + half) - mu) / sigma for half in (0.5, -0.5))
            # From the side where the normal is small, or the difference of two ones is lost.
            more = special.log_ndtr(np.where(lower > 0, -lower, upper))
            less = special.log_ndtr(np.where(lower > 0, -upper, lower))
            above = special.log_ndtr(-(np.log(law.xmin - 0.5) - mu) / sigma)
            return np.asarray(more + np.log1p(-np.exp(np.minimum(less - more, -1e-300))) - above)
        z = (logs - mu) / sigma
        above = special.log_ndtr(-(floor - mu) / sigma)
        return np.asarray(-logs - np.log(sigma) - 0.5 * np.log(2 * np.pi) - z * z / 2 - above)

    def surprise(at: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            total = -densities(at[0], np.exp(at[1])).sum()
        return float(total) if np.isfinite(total) else 1e300

    # The likelihood is nearly flat along a ridge: one start alone stops on it.
    spread = logs.std() or 1.0
    starts = [
        (logs.mean() - shift * spread, np.log(spread * wide)) for shift in (0, 2, 8, 30) for wide in (1, 3)
    ]
    options = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000, "maxfev": 4000}
    best = min(
        (optimize.minimize(surprise, start, method="Nelder-Mead", options=options) for start in starts),
        key=lambda one: float(one.fun),
    )
    mu, sigma = float(best.x[0]), float(np.exp(best.x[1]))
    scale = (
        np.log(special.zeta(law.alpha, law.xmin))
        if discrete
        else floor - np.log(law.alpha - 1) - law.alpha * floor
    )
    ratio = -law.alpha * logs - scale - densities(mu, sigma)
    noise = np.sqrt(len(tail)) * ratio.std()
    statistic = float(ratio.sum() / noise) if noise > 0 else np.nan
    return Vuong(statistic, float(2 * special.ndtr(-abs(statistic))), mu + float(np.log(unit)), sigma)


def _fitted(tail: np.ndarray, xmin: float, discrete: bool) -> PowerLaw:
    alpha = exponent(tail, xmin, discrete)
    if np.isnan(alpha):
        return PowerLaw(np.nan, float(xmin), np.inf, len(tail))
    if discrete:
        values, first = np.unique(tail, return_index=True)
        upto = 1 - special.zeta(alpha, values + 1) / special.zeta(alpha, xmin)
        distance = np.abs(upto - np.append(first[1:], len(tail)) / len(tail)).max()
    else:
        distance = np.abs(1 - (tail / xmin) ** (1 - alpha) - np.arange(len(tail)) / len(tail)).max()
    return PowerLaw(alpha, float(xmin), float(distance), len(tail))
