"""The arms of a test: how many, and the sums of what they did; and the difference of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import special, stats

from toolkit.intervals import Interval, Rate, difference
from toolkit.scenarios.assumptions import amount, finite, plain, share

#: A planned split is doubted below this p.
MISMATCH = 0.001


@dataclass(frozen=True)
class Arm:
    """One arm: its users, the sum of their outcome, and that of its squares about the mean.

    Parameters
    ----------
    squares : float
        About the mean: about 0 they would lose the small spread of large outcomes.
    rate : bool
        Whether the outcome is yes or no, so that the sum is a count.
    """

    name: str
    n: float
    sum: float
    squares: float
    rate: bool

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> Arm:
        """From the outcome of each user."""
        rate = bool(np.isin(values, (0.0, 1.0)).all())
        mean = float(values.mean()) if len(values) else 0.0
        return cls(name, len(values), float(values.sum()), float(((values - mean) ** 2).sum()), rate)

    @classmethod
    def counted(cls, name: str, n: Any, total: Any, squares: Any = None) -> Arm:
        """From sums; without a sum of squares the outcome is yes or no."""
        n = amount(f"n of arm {name!r}", n)
        if squares is None:
            total = amount(f"outcome of arm {name!r}", total)
            if total > n or total != int(total):
                raise ValueError(
                    f"arm {name!r}: {total:g} conversions of {n:g} users; give whole counts, or squares= for an amount"
                )
            return cls(name, n, total, total - total**2 / n if n else 0.0, True)
        total, squares = (
            finite(f"outcome of arm {name!r}", total),
            amount(f"sum of squares of arm {name!r}", squares),
        )
        about_mean = squares - total**2 / n if n else 0.0
        if about_mean < -1e-12 * squares:
            raise ValueError(
                f"arm {name!r}: a sum of squares of {plain(squares)} lies below sum^2 / n = {plain(total**2 / n)}, a "
                "negative variance: its rows are not users"
            )
        return cls(name, n, total, max(about_mean, 0.0), False)

    @property
    def mean(self) -> float:
        """Per user."""
        return self.sum / self.n if self.n else np.nan

    @property
    def variance(self) -> float:
        """Of one user's outcome, with n - 1."""
        return self.squares / (self.n - 1) if self.n > 1 else np.nan

    @property
    def error(self) -> float:
        """Of the mean."""
        return float(np.sqrt(self.variance / self.n)) if self.n > 1 else np.nan

    def interval(self, confidence: float) -> Interval:
        """Of the mean: Wilson's for a rate, Student's for an amount."""
        if self.rate:
            return Rate.of_counts(self.sum, self.n).interval(confidence)
        if not self.error > 0:
            return Interval(np.nan, np.nan)
        half = float(special.stdtrit(self.n - 1, (1 + confidence) / 2)) * self.error
        return Interval(self.mean - half, self.mean + half)


class Gap(NamedTuple):
    """The mean of one arm less that of another."""

    estimate: float
    low: float
    high: float
    se: float


def gap(treated: Arm, held: Arm, confidence: float) -> Gap:
    """The difference of two arms: Newcombe's interval for rates, Welch's for amounts.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10. Welch (1947), Biometrika 34, 28-35.
    """
    estimate = treated.mean - held.mean
    se = float(np.hypot(treated.error, held.error))
    if treated.rate and held.rate:
        ends = difference(
            Rate.of_counts(treated.sum, treated.n), Rate.of_counts(held.sum, held.n), confidence=confidence
        )
        return Gap(estimate, ends.low, ends.high, se)
    half = float(special.stdtrit(_freedom(treated, held), (1 + confidence) / 2)) * se
    return Gap(estimate, estimate - half, estimate + half, se)


def relative(treated: float, held: float, se_treated: float, se_held: float) -> tuple[float, float]:
    """The lift, treated / held - 1, and its standard error by the delta method, the base's noise included.

    There is none on a base of 0 or below: a share of it would have the wrong sign.
    """
    if not held > 0:
        return np.nan, np.nan
    se = float(np.hypot(se_treated / held, treated * se_held / held**2))
    return treated / held - 1, se if se > 0 else np.nan


def sample_ratio(n: Mapping[str, float], planned: Mapping[str, float] | None) -> float:
    """How likely arms of such sizes are under the planned split (equal, if none is given): Pearson's p."""
    sizes = np.array(list(n.values()), float)
    if planned is None:
        expected = np.full(len(sizes), sizes.sum() / len(sizes))
    else:
        if set(planned) != set(n):
            raise ValueError(f"planned= names the arms {sorted(planned)}, the data have {sorted(n)}")
        parts = np.array([share(f"planned[{name!r}]", planned[name]) for name in n])
        if abs(parts.sum() - 1) > 1e-6 or (parts == 0).any():
            raise ValueError(
                f"planned= adds up to {parts.sum():g}; the shares of all arms add up to 1, each above 0"
            )
        expected = parts * sizes.sum()
    return float(stats.chi2.sf(((sizes - expected) ** 2 / expected).sum(), len(sizes) - 1))


def _freedom(treated: Arm, held: Arm) -> float:
    parts = [arm.variance / arm.n for arm in (treated, held)]
    if not sum(parts) > 0:
        # Where nothing varies, nothing is known of how much might.
        return np.nan
    return sum(parts) ** 2 / sum(
        part**2 / (arm.n - 1) for part, arm in zip(parts, (treated, held), strict=True)
    )
