"""Intervals of rates, from counts or from sums over users, and of quantiles, from ranks.

A `Rate` carries its estimate and its effective size; `wilson` is the shortest way to its interval.
`UserSums` and `CrossSums` are what an engine adds up where one user counts more than once.
`difference`, `ratio` and `score_test` compare two rates, whether or not they share users (`correlation`).
`welch` gives two rates the degrees of freedom of their difference. `quantile_ranks` bounds a quantile.
Each takes numbers or arrays, and gives back what it took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from toolkit.counts import confidence_level


class Interval(NamedTuple):
    """Lower and upper limit."""

    low: Any
    high: Any


class UserSums(NamedTuple):
    """Sums over the users with x > 0, where a user has y successes in x trials, 0 <= y <= x.

    `yy_per_x` is the sum of y * y / x. In SQL, each is a `sum` over one row per user.
    """

    users: ArrayLike
    x: ArrayLike
    y: ArrayLike
    xx: ArrayLike
    xy: ArrayLike
    yy: ArrayLike
    yy_per_x: ArrayLike

    @classmethod
    def of(cls, y: ArrayLike, x: ArrayLike) -> UserSums:
        """Add up arrays of one user per element, along the last axis."""
        y, x = _floats(y, x)
        return cls((x > 0).sum(-1), *(a.sum(-1) for a in (x, y, x * x, x * y, y * y, _over(y * y, x, 0.0))))


class CrossSums(NamedTuple):
    """Sums over users of products of what they did in two groups: y1 y2, y1 x2, x1 y2 and x1 x2."""

    yy: ArrayLike
    yx: ArrayLike
    xy: ArrayLike
    xx: ArrayLike

    @classmethod
    def of(cls, y1: ArrayLike, x1: ArrayLike, y2: ArrayLike, x2: ArrayLike) -> CrossSums:
        """Multiply and add up arrays of one user per element, along the last axis."""
        y1, x1, y2, x2 = _floats(y1, x1, y2, x2)
        return cls(*((a * b).sum(-1) for a, b in ((y1, y2), (y1, x2), (x1, y2), (x1, x2))))


@dataclass(frozen=True)
class Rate:
    """A rate and how much is known about it.

    Parameters
    ----------
    estimate : successes over trials, 0 to 1; nan without trials.
    size : the number of independent trials that would tell as much.
    freedom : degrees of freedom of the quantile; infinite for the normal one.
    """

    estimate: Any
    size: Any
    freedom: Any = np.inf

    @classmethod
    def of_counts(cls, successes: ArrayLike, n: ArrayLike) -> Rate:
        """From counts of units that are independent of each other."""
        k, trials = _floats(successes, n)
        wrong = np.atleast_1d((k < 0) | (k > trials))
        if wrong.any():
            a, b = (np.broadcast_to(v, wrong.shape)[wrong][0] for v in (k, trials))
            raise ValueError(f"successes must lie between 0 and n; here are {a:g} of {b:g}")
        return cls(_plain(_over(k, trials)), _plain(trials))

    @classmethod
    def of_users(cls, sums: UserSums, fourths: ArrayLike | None = None) -> Rate:
        """From sums over users, each with any number of trials that may resemble each other.

        Parameters
        ----------
        fourths
            The sum over users of x to the fourth. Known, it tells how many users make most of the variance; not
            known, they are taken to make equal parts of it, which is too bold where a few users hold most trials.

        Notes
        -----
        The size is x / `design_effect`; the quantile is Student's with users - 1 degrees of freedom. With `fourths`
        the residual variance has those of Satterthwaite instead: a user whose rate differs adds about x^2 to it, so
        they are (sum of x^2)^2 / sum of x^4, less the share that the rate itself takes, and at least 1. Of the two
        variances, each with its own degrees of freedom, the one counts that makes the wider 95 % interval. Where
        each user has one trial, the interval is Wilson's.

        References
        ----------
        Satterthwaite (1946), Biometrics Bulletin 2, 110-114. For clusters: Bell & McCaffrey (2002), Survey
        Methodology 28, 169-181.
        """
        users, x, y, xx = _floats(*sums[:4])
        effect, freedom = np.asarray(design_effect(sums)), users - 1
        if fourths is not None:
            residual, alike = _effects(sums)
            parts = np.minimum(_over(xx * xx, np.asarray(fourths, float), 0.0), users)
            few = np.maximum(parts * _over(users - 1, users, 0.0), np.minimum(users - 1, 1))
            wider = residual * _quantile(few, 0.95) ** 2 > alike * _quantile(freedom, 0.95) ** 2
            effect, freedom = np.where(wider, residual, alike), np.where(wider, few, freedom)
        freedom = np.where(xx <= x, np.inf, freedom)
        return cls(_plain(_over(y, x)), _plain(x / np.where(xx <= x, 1.0, effect)), _plain(freedom))

    def at(self, where: Any) -> Rate:
        """The rates at some places of arrays."""
        shape = np.shape(self.estimate)
        taken = (np.broadcast_to(value, shape)[where] for value in (self.estimate, self.size, self.freedom))
        return Rate(*map(_plain, taken))

    def interval(self, confidence: float = 0.95) -> Interval:
        """Wilson's interval at the effective size; nan without trials."""
        return Interval(*map(_plain, _limits(self, _quantile(self.freedom, confidence))))


def student(freedom: ArrayLike, confidence: float) -> np.ndarray:
    """How many standard errors a two-sided interval reaches: Student's quantile, the normal one without end."""
    return np.asarray(special.stdtrit(freedom, (1 + confidence) / 2))


def two_sided(t: ArrayLike, freedom: ArrayLike) -> np.ndarray:
    """The p value of a t value, of both sides."""
    return np.asarray(2 * special.stdtr(freedom, -np.abs(t)))


def wilson(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Interval:
    """Where the rate of independent units lies, given `successes` of `n`; nan where n is 0.

    References
    ----------
    Wilson (1927), JASA 22, 209-212. Newcombe (1998), Statistics in Medicine 17, 857-872, method 3.

    Examples
    --------
    >>> low, high = wilson(81, 263)
    >>> print(f"{low:.4f} to {high:.4f}")
    0.2553 to 0.3662
    """
    return Rate.of_counts(successes, n).interval(confidence)


def design_effect(sums: UserSums) -> Any:
    """By how much repeats of the same users inflate the variance of y / x; never below 1.

    Notes
    -----
    The larger of two answers. The residuals', sum of (y - p x)^2 over x p (1 - p), needs no model but comes
    out far too small where a few users hold most trials. 1 + r (sum of x^2 / x - 1), with r the correlation
    within users, hears all users alike but takes r to be the same for light and heavy ones. Where no trial
    or every trial succeeded r cannot be known and is taken as 1.

    References
    ----------
    Residuals: Rao & Scott (1992), Biometrics 48, 577-585. r: the analysis of variance estimator in Ridout,
    Demetrio & Firth (1999), Biometrics 55, 137-148.
    """
    x, xx = _floats(sums.x, sums.xx)
    return _plain(np.where(xx == x, 1.0, np.maximum(*_effects(sums))))


def _effects(sums: UserSums) -> tuple[np.ndarray, np.ndarray]:
    """The two answers of `design_effect`, each at least 1: the residuals', and of a correlation alike for all users."""
    users, x, y, xx, _, _, yy_per_x = _floats(*sums)
    p, heaviest = _over(y, x), _over(xx, x)
    between = _over(yy_per_x - p * y, users - 1)
    within = _over(y - yy_per_x, x - users, 0.0)
    typical = _over(x - heaviest, users - 1)
    r = np.clip(_over(between - within, between + (typical - 1) * within, 1.0), 0, 1)
    r = np.where((y <= 0) | (y >= x) | (users < 2), 1.0, r)
    residual = _over(_residual_squares(sums), x * p * (1 - p))
    # Where the rate is 0 or 1 there are no residuals to go by.
    return np.fmax(residual, 1.0), np.maximum(1 + r * (heaviest - 1), 1.0)


def correlation(first: UserSums, second: UserSums, cross: CrossSums) -> Any:
    """How closely two rates move together because they share users; 0 where one of them cannot move.

    Notes
    -----
    Of the residuals y1 - p1 x1 and y2 - p2 x2, over users.
    """
    p, q = _over(first.y, first.x), _over(second.y, second.x)
    yy, yx, xy, xx = _floats(*cross)
    joint = yy - q * yx - p * xy + p * q * xx
    r = _over(joint, np.sqrt(_residual_squares(first) * _residual_squares(second)), 0.0)
    return _plain(np.clip(r, -0.999, 0.999))


def difference(
    first: Rate, second: Rate, *, correlation: ArrayLike = 0.0, confidence: float = 0.95
) -> Interval:
    """Where the rate of `first` less that of `second` lies.

    Notes
    -----
    Each rate's own Wilson limits, joined as standard errors are.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10. With a correlation: Zou & Donner (2008),
    Statistics in Medicine 27, 1693-1702.
    """
    c = _quantile(np.minimum(first.freedom, second.freedom), confidence)
    p, q, r = _floats(first.estimate, second.estimate, correlation)
    (p_low, p_high), (q_low, q_high) = _limits(first, c), _limits(second, c)

    def reach(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(np.maximum(a * a + b * b - 2 * r * a * b, 0)))

    low, high = p - q - reach(p - p_low, q_high - q), p - q + reach(p_high - p, q - q_low)
    return Interval(_plain(np.maximum(low, -1)), _plain(np.minimum(high, 1)))


def ratio(first: Rate, second: Rate, *, correlation: ArrayLike = 0.0, confidence: float = 0.95) -> Interval:
    """Where the rate of `first` over that of `second` lies; from 0 if `first` is 0, to inf if `second` is 0.

    Notes
    -----
    The ratios that the score test does not reject; 1 is outside exactly where `score_test` is below
    1 - confidence. statsmodels 0.15 has this interval, but not for rates of 0 or 1.

    References
    ----------
    Koopman (1984), Biometrics 40, 513-517.
    """
    c = _quantile(np.minimum(first.freedom, second.freedom), confidence)
    at_one = _score(first, second, 1.0, correlation)
    limits = []
    for bound in (c, -c):
        # The score falls as the ratio rises, so halving the range of its logarithm closes in on the limit.
        low, high = np.full(at_one.shape, -60.0), np.full(at_one.shape, 60.0)
        for _ in range(60):
            middle = (low + high) / 2
            short = _score(first, second, np.exp(middle), correlation) > bound
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        limit = np.where(low < -59, 0.0, np.where(high > 59, np.inf, np.exp(low)))
        limits.append(_plain(np.where(np.isnan(at_one), np.nan, limit)))
    return Interval(*limits)


def score_test(first: Rate, second: Rate, *, correlation: ArrayLike = 0.0) -> Any:
    """Two-sided p value of two equal rates; for independent counts that of Pearson's chi-squared.

    It is 1 where nothing or everything succeeded in both, and nan where one has no trials.
    """
    freedom = np.minimum(first.freedom, second.freedom)
    p = 2 * special.stdtr(freedom, -np.abs(_score(first, second, 1.0, correlation)))
    return _plain(np.where(freedom < 1, 1.0, p))


def welch(first: Rate, second: Rate) -> tuple[Rate, Rate]:
    """Two independent rates with the degrees of freedom of their difference in common.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.
    """
    p, n, df, q, m, dg = _floats(
        first.estimate, first.size, first.freedom, second.estimate, second.size, second.freedom
    )
    ours, theirs = _over(p * (1 - p), n), _over(q * (1 - q), m)
    joint = _over((ours + theirs) ** 2, _over(ours**2, df) + _over(theirs**2, dg), np.nan)
    freedom = np.where(np.isfinite(joint), np.maximum(joint, np.minimum(df, dg)), np.minimum(df, dg))
    return Rate(first.estimate, first.size, freedom), Rate(second.estimate, second.size, freedom)


def quantile_ranks(
    quantile: ArrayLike, n: ArrayLike, *, design_effect: ArrayLike = 1.0, confidence: float = 0.95
) -> Interval:
    """Ranks, from 1, of the sorted observations between which a quantile lies; nan where n is too small.

    Notes
    -----
    Exact, on the safe side, for independent observations. A `design_effect` (of the share of observations up
    to the sample's quantile) takes the ranks of n / design_effect observations, each repeated that often.

    References
    ----------
    David & Nagaraja (2003), Order Statistics, section 7.1. With clusters: Woodruff (1952), JASA 47, 635-646.

    Examples
    --------
    >>> quantile_ranks(0.5, 20)
    Interval(low=6.0, high=15.0)
    """
    from scipy.stats import binom  # slow to import, and few answers have quantiles

    q, observations, deff = _floats(quantile, n, design_effect)
    if np.any((q <= 0) | (q >= 1)):
        raise ValueError(f"a quantile lies between 0 and 1, not {quantile!r}")
    size = np.floor(observations / deff + 1e-9)
    tail = (1 - confidence_level(confidence)) / 2
    low, high = binom.ppf(tail, size, q), binom.ppf(1 - tail, size, q) + 1
    each = _over(observations, size)
    low = np.where(low >= 1, np.floor((low - 1) * each + 1e-9) + 1, np.nan)
    high = np.where((size > 0) & (high <= size), np.ceil(high * each - 1e-9), np.nan)
    return Interval(_plain(low), _plain(high))


def _limits(rate: Rate, c: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Wilson (1927) for any quantile c and any size."""
    p, n, c = _floats(rate.estimate, rate.size, c)
    lean = _over(c * c, n)
    half = np.sqrt(p * (1 - p) * lean + lean * lean / 4)
    low, high = (p + lean / 2 - half) / (1 + lean), (p + lean / 2 + half) / (1 + lean)
    # Rounding must leave neither the estimate outside its limits nor a limit outside 0 to 1.
    return np.where(p == 0, 0.0, np.clip(low, 0, p)), np.where(p == 1, 1.0, np.clip(high, p, 1))


def _score(first: Rate, second: Rate, theta: ArrayLike, correlation: ArrayLike) -> np.ndarray:
    """How many standard errors, at the likeliest rates with p = theta q, lie between p and theta q."""
    p, n, q, m, theta, r = _floats(
        first.estimate, first.size, second.estimate, second.size, theta, correlation
    )
    a, b, k = (n + m) * theta, n * theta + n * p + m + m * q * theta, n * p + m * q
    # The smaller root of a q^2 - b q + k = 0, in the form that does not cancel.
    likeliest = np.minimum(_over(2 * k, b + np.sqrt(np.maximum(b * b - 4 * a * k, 0))), 1)
    scaled = np.minimum(theta * likeliest, 1)
    of_p, of_q = scaled * (1 - scaled) / n, theta * theta * likeliest * (1 - likeliest) / m
    error = np.sqrt(np.maximum(of_p + of_q - 2 * r * np.sqrt(of_p * of_q), 0))
    return np.asarray(_over(p - theta * q, error, 0.0) + 0 * error)


def _residual_squares(sums: UserSums) -> np.ndarray:
    _, x, y, xx, xy, yy, _ = _floats(*sums)
    p = _over(y, x)
    return np.asarray(np.maximum(yy - 2 * p * xy + p * p * xx, 0))


def _quantile(freedom: ArrayLike, confidence: float) -> np.ndarray:
    # One user alone says nothing of the next: a huge quantile stands for "anything is possible".
    return np.where(
        np.less(freedom, 1), 1e15, special.stdtrit(freedom, (1 + confidence_level(confidence)) / 2)
    )


def _over(a: ArrayLike, b: ArrayLike, otherwise: float = np.nan) -> np.ndarray:
    """Divide a by b; `otherwise` where b is 0."""
    a, b = np.broadcast_arrays(*_floats(a, b))
    return np.asarray(np.divide(a, b, out=np.full(a.shape, otherwise), where=b != 0))


def _floats(*values: ArrayLike) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(value, float) for value in values)


def _plain(value: np.ndarray) -> Any:
    return float(value) if np.ndim(value) == 0 else value
