"""Error propagation: intervals and p values of functions of rates, shares of a mix and means (delta method, mended).

Precision   estimates with their effective sizes, standard errors and correlation; intervals of functions of them
Moments     sums over users, from which effective sizes and correlations come where users repeat
correlated  the correlation of a covariance
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from toolkit.intervals import Interval, Rate, UserSums, student

#: Smallest p value that is told apart from 0.
LEAST_P = 1e-12
#: Up to so many successes Wilson's lower limit lies too high (Brown, Cai & DasGupta 2001).
RARE = 3
#: Steps of the search for the furthest point.
STEPS = 10


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over users of what they did in G groups, V counts each; a later count is part of the one before.

    Parameters
    ----------
    users : array of G x V
        With each count above 0.
    products : array of G x V x G x V
        Of two counts of one user.
    shares : array of G x V
        Of a count squared over the count before it, in one group; 0 for the first.

    Examples
    --------
    >>> visits_and_orders = np.array([[[3, 2]], [[1, 0]]])  # of two users in one group
    >>> found = Moments.of(visits_and_orders)
    >>> found.users.tolist(), found.products[0, :, 0, :].tolist()
    ([[2, 1]], [[10, 6], [6, 4]])
    """

    users: np.ndarray
    products: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """Add up an array of users x G x V."""
        before, after = values[..., :-1], values[..., 1:]
        squares = np.divide(after**2, before, out=np.zeros(after.shape), where=before > 0).sum(0)
        flat = values.reshape(len(values), -1)
        shape = values.shape[1:] * 2
        return cls((values > 0).sum(0), (flat.T @ flat).reshape(shape), np.pad(squares, ((0, 0), (1, 0))))

    @classmethod
    def once(cls, counts: np.ndarray) -> Moments:
        """Moments of units that count once, in one group, from G x V counts that fall from left to right."""
        groups, size = counts.shape
        products = np.zeros((groups, size, groups, size))
        at = np.arange(groups)
        products[at, :, at, :] = np.minimum(counts[:, :, None], counts[:, None, :])
        return cls(counts, products, np.where(np.arange(size) > 0, counts, 0.0))

    def grouped(self, places: np.ndarray) -> Moments:
        """Groups added up by place. A user of several of these counts in each, so that few more seem to be there."""
        size, found = places.max() + 1, np.zeros((2, places.max() + 1, self.users.shape[1]))
        for total, own in zip(found, (self.users, self.shares), strict=True):
            np.add.at(total, places, own)
        to = np.eye(size)[places]
        return Moments(found[0], np.einsum("ga,gihj,hb->aibj", to, self.products, to), found[1])

    def sums(self, totals: np.ndarray, count: int = 1) -> UserSums:
        """Sums over users for the rate of a count over the one before it; `totals` is G x V."""
        at = np.arange(len(totals))
        own = self.products[at, :, at, :]
        return UserSums(
            users=self.users[:, count - 1],
            x=totals[:, count - 1],
            y=totals[:, count],
            xx=own[:, count - 1, count - 1],
            xy=own[:, count - 1, count],
            yy=own[:, count, count],
            yy_per_x=self.shares[:, count],
        )


@dataclass(frozen=True, eq=False)
class Precision:
    """Estimates of m quantities (pieces) and how sure each is, for the intervals of functions of them.

    Parameters
    ----------
    values, sizes, freedom, errors : arrays of m
        Estimates, effective sizes, degrees of freedom and standard errors.
    skewed : array of m bools
        Which pieces are rates, whose own interval is Wilson's. The interval of the others is symmetric.
    correlation : array of m x m
        Of the pieces' errors.
    projection : array of m x m, optional
        What a gradient is multiplied by, where pieces cannot move freely: shares add up to 1.
    blocks : array of m ints, optional
        Where errors were seen in a few clusters: which pieces were seen in the same ones. A function then has the
        degrees of freedom of its own variance, Satterthwaite's over blocks; without, each piece has those of its own.

    Examples
    --------
    >>> two = np.ones(2)  # 30 of 100 and 20 of 100, independent
    >>> rates = np.array([0.3, 0.2])
    >>> errors = np.sqrt(rates * (1 - rates) / 100)
    >>> known = Precision(rates, 100 * two, np.inf * two, errors, two > 0, np.eye(2))
    >>> low, high = known.interval(0.1, np.array([1.0, -1.0]), 0.95)  # their difference
    >>> print(f"{low:.3f} to {high:.3f}")
    -0.019 to 0.217
    """

    values: np.ndarray
    sizes: np.ndarray
    freedom: np.ndarray
    errors: np.ndarray
    skewed: np.ndarray
    correlation: np.ndarray
    projection: np.ndarray | None = None
    blocks: np.ndarray | None = None

    def interval(
        self, estimate: ArrayLike, gradient: np.ndarray, confidence: float, least: float = -np.inf
    ) -> Interval:
        """Interval of (nearly) linear functions of the pieces.

        Parameters
        ----------
        estimate
            The functions' values.
        gradient : array of ... x m
            Their slopes by each piece.
        least
            The lower limit is not below this.

        Notes
        -----
        Half-widths of the pieces' own intervals are combined as standard errors are, and the shifts of Wilson's
        intervals in proportion to each piece's share of the variance; for one rate that is Wilson's interval, for
        equal tiers nearly Wilson's of their sum. Combining lower and upper distances apart (Zou & Donner 2008,
        Statistics in Medicine 27, 1693-1702) leaves a sum of k tiers as skewed as one of them. On neither side is
        the interval shorter than the shorter of that and the delta method.
        """
        gradient = self._free(gradient)
        freedom = self._freedom(gradient)
        half, shift = self._spread(confidence, freedom)
        width, leaning = gradient * half, gradient * shift
        total = self._joined(width)
        share = np.divide(
            width**2, (width**2).sum(-1, keepdims=True), out=np.zeros_like(width), where=width != 0
        )
        centre = (share * leaning).sum(-1)
        plain = self._joined(gradient * _quantile(freedom, confidence) * self.errors)
        ends = []
        for side in (-1, 1):
            # The distance of a piece to its own end on the side where it moves the function.
            apart = self._joined(np.sign(gradient) * (np.abs(width) + side * leaning))
            ends.append(np.maximum(total + side * centre, np.minimum(apart, plain)))
        return Interval(np.maximum(estimate - ends[0], least), estimate + ends[1])

    def furthest(
        self, function: Callable[[np.ndarray], tuple[float, np.ndarray]], confidence: float
    ) -> Interval:
        """Interval of a curved function: its least and greatest value while the pieces are jointly likely.

        Parameters
        ----------
        function
            From values of the pieces to its value and its gradient.

        Notes
        -----
        Each piece moves along its own limits by z_j (Wilson's for a rate; see `_at` for a mean), and z' R^-1 z
        is at most the square of the normal quantile: a profile likelihood interval, if each piece's limits were
        likelihood limits. The search follows the gradient, as that for the design point of structural reliability
        does.

        References
        ----------
        Hasofer & Lind (1974), Journal of the Engineering Mechanics Division 100, 111-121. Rackwitz & Fiessler
        (1978), Computers & Structures 9, 489-494.
        """
        root = self._root
        slopes = function(self.values)[1]
        freedom = self._freedom(slopes)
        scale = _quantile(freedom, confidence)
        start = slopes * self._spread(confidence, freedom)[0]
        ends = []
        for side in (-1, 1):
            direction = side * root.T @ start
            for _ in range(STEPS):
                length = np.sqrt(direction @ direction)
                if length == 0:
                    break
                z = root @ (direction / length) * scale
                slope = (self._at(z + 1e-4) - self._at(z - 1e-4)) / 2e-4
                direction = side * root.T @ (function(self._at(z))[1] * slope * scale)
            ends.append(function(self._at(z))[0] if length > 0 else function(self.values)[0])
        return Interval(*ends)

    def error(self, gradient: np.ndarray) -> np.ndarray:
        """Standard error by the delta method."""
        return self._joined(self._free(gradient) * self.errors)

    def reach(self, gradient: np.ndarray, confidence: float) -> np.ndarray:
        """Half the width of the delta method's interval."""
        free = self._free(gradient)
        # Without blocks the pieces' own quantiles stand in the intervals of rates, not in a plain standard error's.
        freedom = np.inf if self.blocks is None else self._freedom(free)[..., 0]
        return np.asarray(_quantile(freedom, confidence) * self._joined(free * self.errors))

    def p(self, estimate: float, gradient: np.ndarray) -> float:
        """Two-sided p value that a function is 0: 1 less the confidence at which its interval just touches 0."""
        low, high = np.log(LEAST_P), 0.0
        if np.isnan(estimate) or np.isnan(self.interval(estimate, gradient, 0.5)).any():
            return np.nan
        for _ in range(40):
            middle = (low + high) / 2
            ends = self.interval(estimate, gradient, 1 - np.exp(middle))
            low, high = (middle, high) if ends.low <= 0 <= ends.high else (low, middle)
        return float(np.exp((low + high) / 2))

    def ratio(
        self,
        first: float,
        first_gradient: np.ndarray,
        second: float,
        second_gradient: np.ndarray,
        confidence: float,
    ) -> Interval:
        """Interval of first / second: the ratios x for which the interval of first - x second contains 0.

        References
        ----------
        Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
        """
        if np.isnan(first) or np.isnan(second):
            return Interval(np.nan, np.nan)
        ends = []
        for upper in (False, True):
            low, high = -30.0, 30.0
            for _ in range(50):
                middle = (low + high) / 2
                x = np.exp(middle)
                gradient = first_gradient - x * second_gradient
                limits = self.interval(first - x * second, gradient, confidence)
                rise = limits.high >= 0 if upper else limits.low > 0
                low, high = (middle, high) if rise else (low, middle)
            ends.append(0.0 if low < -29 else np.inf if high > 29 else float(np.exp(low)))
        return Interval(*ends)

    @cached_property
    def _root(self) -> np.ndarray:
        size, vectors = np.linalg.eigh(self.correlation)
        return np.asarray(vectors * np.sqrt(np.maximum(size, 0)))

    def _free(self, gradient: np.ndarray) -> np.ndarray:
        return gradient if self.projection is None else gradient @ self.projection

    def _joined(self, spread: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(np.maximum(((spread @ self.correlation) * spread).sum(-1), 0)))

    def _freedom(self, gradient: np.ndarray) -> np.ndarray:
        """Degrees of freedom: of each piece, or one for each function where pieces lie in blocks."""
        if self.blocks is None:
            return self.freedom
        moved = gradient * self.errors
        total, parts = np.zeros((2, *moved.shape[:-1]))
        known = np.maximum(self.freedom, 1e-9)
        for block in np.unique(self.blocks):
            own = np.where(self.blocks == block, moved, 0.0)
            variance, alone = self._joined(own) ** 2, (own**2).sum(-1)
            # A block's variance is known by its pieces' degrees of freedom, each by its share.
            inverse = np.divide((own**2 / known).sum(-1), alone, out=np.zeros_like(alone), where=alone > 0)
            total, parts = total + variance, parts + variance**2 * inverse
        least = np.full_like(total, self.freedom.min())
        return np.asarray(np.divide(total**2, parts, out=least, where=parts > 0))[..., None]

    def _spread(self, confidence: float, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Half-widths of the pieces' own intervals, and how far their midpoints lie above the estimates."""
        rates = np.where(self.skewed, self.values, 0.5)
        low, high = Rate(rates, self.sizes, freedom).interval(confidence)
        low = np.minimum(low, self._rare(rates, confidence))
        high = np.maximum(high, 1 - self._rare(1 - rates, confidence))
        half = np.where(self.skewed, (high - low) / 2, _quantile(freedom, confidence) * self.errors)
        return half, np.where(self.skewed, (high + low) / 2 - self.values, 0.0)

    def _rare(self, rates: np.ndarray, confidence: float) -> np.ndarray:
        # Brown, Cai & DasGupta (2001), Statistical Science 16, 101-133, section 4.1.1.
        successes = rates * self.sizes
        few = (successes > 0.5) & (successes < RARE + 0.5)
        return np.where(
            few, special.gammaincinv(np.where(few, successes, 1), 1 - confidence) / self.sizes, 1.0
        )

    def _at(self, z: np.ndarray) -> np.ndarray:
        """The pieces where each is z of its own standard errors away.

        Amounts are skewed, and a sample lacks the largest of them, so a mean m with relative standard error e goes up
        to m exp(e z + k e^2 z^2), and down to m exp(-e z). Johnson (1978), JASA 73, 536-544, widens an upper limit by
        z^2 skewness / (3 sqrt n) standard errors, which the exponential does in part; with coefficient of
        variation c = e sqrt n a lognormal's skewness is 3 c + c^3, so that k = 1/2 + c^2 / 3.
        """
        p, lean = np.where(self.skewed, self.values, 0.5), z * z / self.sizes
        rates = (p + lean / 2 + z * np.sqrt(p * (1 - p) / self.sizes + lean / self.sizes / 4)) / (1 + lean)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = self.errors / self.values
            k = 0.5 + self.sizes * error**2 / 3
            means = self.values * np.exp(z * error + k * (np.maximum(z, 0) * error) ** 2)
        return np.asarray(np.where(self.skewed, rates, means))


def _quantile(freedom: ArrayLike, confidence: float) -> np.ndarray:
    # One user alone says nothing of the next, as in `toolkit.intervals`.
    return np.where(np.less(freedom, 1), 1e15, student(np.maximum(freedom, 1), confidence))


def correlated(covariance: np.ndarray) -> np.ndarray:
    """The correlation of a covariance, or of several; pieces without variance are correlated with none."""
    at = np.arange(covariance.shape[-1])
    error = np.sqrt(np.maximum(covariance[..., at, at], 0))
    scale = error[..., :, None] * error[..., None, :]
    found = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    found = np.asarray(np.clip((found + found.swapaxes(-1, -2)) / 2, -1, 1))
    found[..., at, at] = 1.0
    return found
