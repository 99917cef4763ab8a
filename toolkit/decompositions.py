"""A difference of two rates or products split exactly: Kitagawa's components, Das Gupta's contributions (Shapley).

kitagawa       what each group adds to the composition (mix) and to the rate component of a gap between two rates
contribution   what one factor adds to a gap between two products: Das Gupta's, which is its Shapley value
contributions  of all factors

The first two come with their slopes, for `toolkit.propagation`; `complex_step` gives those of any function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

#: Far below rounding: a complex step subtracts nothing, so that it can be as small as numbers go.
STEP = 1e-20


def kitagawa(rates: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each group adds to the composition and to the rate component of the gap of population 1 over 0, and slopes.

    Parameters
    ----------
    rates, shares : arrays of 2 x groups
        Each population's rate in each group, and the groups' shares of it; complex numbers too.

    Returns
    -------
    parts : array of 2 x groups
        By component (composition, rate). They add up to the gap, sum(shares[1] rates[1]) - sum(shares[0] rates[0]).
    slopes : array of 2 x groups x 2 x 2 x groups
        By rate and share (in that order), population and group.

    References
    ----------
    Kitagawa (1955), JASA 50, 1168-1194, eq. 4: mean weights, so that no interaction is left over.

    Examples
    --------
    >>> parts, _ = kitagawa(np.array([[0.87, 0.69], [0.93, 0.73]]), np.array([[0.77, 0.23], [0.25, 0.75]]))
    >>> parts.sum(axis=1).round(3)
    array([-0.099,  0.05 ])
    """
    shift, gap = shares[1] - shares[0], rates[1] - rates[0]
    rate, share = (rates[0] + rates[1]) / 2, (shares[0] + shares[1]) / 2
    groups = np.arange(rates.shape[1])
    slopes = np.zeros((2, len(groups), 2, *rates.shape), rate.dtype)
    for at, side in ((1, 1), (0, -1)):
        slopes[0, groups, 1, at, groups] = side * rate
        slopes[0, groups, 0, at, groups] = shift / 2
        slopes[1, groups, 0, at, groups] = side * share
        slopes[1, groups, 1, at, groups] = gap / 2
    return np.stack([shift * rate, gap * share]), slopes


def contributions(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """What each factor adds to the product of `first` less that of `second`; they add up to that gap.

    Examples
    --------
    >>> contributions(np.array([0.3, 0.05]), np.array([0.2, 0.075])).round(5)  # both products are 0.015
    array([ 0.00625, -0.00625])
    """
    return np.array([contribution(first, second, k)[0] for k in range(len(first))])


def contribution(first: np.ndarray, second: np.ndarray, k: int) -> tuple[float, np.ndarray]:
    """What factor k adds to the gap of two products, and its slope by all factors of both, 2 x factors.

    Parameters
    ----------
    first, second : arrays of factors
        Of the two products.
    k : int
        Position of the factor.

    Notes
    -----
    (f_k - g_k) times the mean, over all orders in which factors can change from g to f, of the product of the
    others: the Shapley value. That mean is the integral from 0 to 1 of the product of (1 - x) g_j + x f_j over j
    other than k.

    References
    ----------
    Das Gupta (1993), Standardization and Decomposition of Rates, US Census Bureau P23-186, chapter 2.
    """
    value, slopes = contribution_of_each(first, second, k)
    return float(value), slopes


def contribution_of_each(first: np.ndarray, second: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """`contribution` of many pairs of products: arrays of ... x factors give ... and slopes of ... x 2 x factors."""
    size = first.shape[-1]
    x, weights = _nodes(size)
    between = (1 - x) * second[..., None] + x * first[..., None]
    gap = first[..., k] - second[..., k]
    slopes = np.zeros((*gap.shape, 2, size))
    others = np.delete(np.arange(size), k)
    mean = between[..., others, :].prod(-2) @ weights
    slopes[..., 0, k], slopes[..., 1, k] = mean, -mean
    for j in others:
        rest = weights * gap[..., None] * between[..., others[others != j], :].prod(-2)
        slopes[..., 0, j], slopes[..., 1, j] = rest @ x, rest @ (1 - x)
    return np.asarray(gap * mean), slopes


def complex_step(function: Callable[[np.ndarray], Any], at: np.ndarray) -> np.ndarray:
    """Slopes of a function of an array by a complex step, exact to the last digit; 0 where there is none.

    Parameters
    ----------
    function
        From an array to a number, analytic in every element: no `abs`, comparison or rounding of them.
    at : array
        Where the slopes are taken.

    Examples
    --------
    >>> complex_step(lambda x: x[0] ** 2 * x[1], np.array([3.0, 5.0]))
    array([30.,  9.])

    References
    ----------
    Squire & Trapp (1998), SIAM Review 40, 110-112.
    """
    found = np.zeros(at.size)
    for i in range(at.size):
        moved = at.astype(complex)
        moved.flat[i] += 1j * STEP
        found[i] = np.imag(function(moved)) / STEP
    return np.where(np.isfinite(found), found, 0.0)


@cache
def _nodes(size: int) -> tuple[np.ndarray, np.ndarray]:
    # The integrand has degree size - 1, as has its slope: Gauss and Legendre integrate both exactly.
    nodes, weights = np.polynomial.legendre.leggauss(size // 2 + 1)
    return (nodes + 1) / 2, weights / 2
