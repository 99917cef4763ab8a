"""Tests of innovations, each point less its prediction from earlier ones: what a model leaves in them, one clause each.

autocorrelation    Ljung and Box, at two lags
far_point          an innovation beyond 5 standard deviations
spread             another variance after an interruption than before, by an F test
probability        a p value in a clause
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from toolkit.interruptions.series import Clock
from toolkit.wording import p_value

#: p value below which a fault is said, and standard deviations beyond which a point is.
FOUND, FAR = 0.01, 5.0
#: One-sided p values below which a larger and a smaller spread is said; robust standard deviations at which
#: innovations are clipped for it, since a far point is a fault of its own.
NARROW, WIDE, CLIP = 0.03, 0.005, 4.0
#: Lags of the portmanteau test, by length of a period.
LAGS = {"h": (24, 168), "D": (7, 14), "W": (4, 13), "M": (6, 12), "Q": (4, 8), "Y": (3, 5), "": (5, 10)}


@dataclass(frozen=True)
class Autocorrelation:
    """Autocorrelation that is left: the clause, and how many times a square is counted, as the next ones repeat it."""

    said: str
    repeated: float


def autocorrelation(innovations: np.ndarray, after: np.ndarray, clock: Clock) -> Autocorrelation | None:
    """Autocorrelation that the model leaves; None where there is none.

    References
    ----------
    Ljung and Box (1978), Biometrika 65:297. Bartlett (1946), Supplement to the Journal of the Royal Statistical Society
    8:27, for `repeated`.
    """
    n, apart = len(innovations), innovations.copy()
    for side in (after, ~after):
        # Each side by its own spread: a change of that is no autocorrelation.
        size = np.sqrt((apart[side] ** 2).mean()) if side.any() else 0.0
        apart[side] /= size if size > 0 else 1.0
    apart -= apart.mean()
    tested = [lag for lag in LAGS[clock.kind] if lag < n // 2]
    if not tested:
        return None
    lags = np.arange(1, tested[-1] + 1)
    own = np.array([apart[lag:] @ apart[:-lag] for lag in lags]) / (apart @ apart)
    steps = np.cumsum(own**2 / (n - lags)) * n * (n + 2)
    p, lag = min((float(special.chdtrc(lag, steps[lag - 1])), lag) for lag in tested)
    if p >= FOUND:
        return None
    clause = (
        f"autocorrelation is left in the residuals (Ljung-Box, lag {lag}: p {probability(p)}): the interval may be too "
        "narrow; compare .multiverse()"
    )
    # Squares of a Gaussian process are correlated by the square of its autocorrelation.
    return Autocorrelation(clause, 1 + 2 * float(np.maximum(own**2 - 1 / n, 0.0).sum()))


def far_point(innovations: np.ndarray, at: np.ndarray, clock: Clock) -> str:
    """The largest innovation, where it is beyond 5 standard deviations; `at` holds their periods."""
    worst = int(np.abs(innovations).argmax())
    size = innovations[worst]
    if abs(size) <= FAR:
        return ""
    side = "above" if size > 0 else "below"
    return f"{clock.said(at[worst])} lies {abs(size):.1f} sd {side} the model: look at that {clock.unit}"


@dataclass(frozen=True)
class Spread:
    """A spread that changed: how many times it is the one before, and the clause."""

    times: float
    said: str


def spread(
    innovations: np.ndarray, after: np.ndarray, columns: np.ndarray, repeated: float = 1.0
) -> Spread | None:
    """Variance of the innovations after the first interruption over that before; None where they are alike.

    Parameters
    ----------
    innovations : (n,) array
    after : (n,) array of bool
        Those from the interruption on.
    columns : (n, k) array
        The design, whose fit takes degrees of freedom from either side.
    repeated
        How many times a square is counted, where autocorrelation is left.

    References
    ----------
    Box (1953), Biometrika 40:318: a sum of squares with kurtosis excess g has 1 / (1 + g/2) of its degrees of freedom.
    """
    basis, _ = np.linalg.qr(columns)
    free = 1 - (basis**2).sum(1)
    before_free, after_free = free[~after].sum(), free[after].sum()
    if min(before_free, after_free) < 2:
        return None
    before = innovations[~after]
    robust = 1.4826 * np.median(np.abs(before - np.median(before)))
    clipped = np.clip(innovations, -CLIP * robust, CLIP * robust) if robust > 0 else innovations
    squares = clipped**2
    low, high = squares[~after].sum() / before_free, squares[after].sum() / after_free
    if not low > 0:
        return None
    ratio, excess = high / low, (squares[~after] ** 2).mean() / squares[~after].mean() ** 2 - 3
    share = 1 / (1 + max(excess, 0.0) / 2) / repeated
    narrow = float(special.fdtrc(share * after_free, share * before_free, ratio))
    wide = float(special.fdtr(share * after_free, share * before_free, ratio))
    if narrow >= NARROW and wide >= WIDE:
        return None
    p, side = (narrow, "narrow") if ratio > 1 else (wide, "wide")
    clause = (
        f"the spread after the event is {np.sqrt(ratio):.1f} times that before (p {probability(p)}): intervals, which "
        f"assume one spread, are too {side}"
    )
    return Spread(float(np.sqrt(ratio)), clause)


def probability(value: float) -> str:
    """A p value with the sign between."""
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
