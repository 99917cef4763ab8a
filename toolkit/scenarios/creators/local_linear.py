"""Local linear regression at a cutoff with a bias-corrected interval, and its bandwidths, in numpy.

Notation of Calonico, Cattaneo & Titiunik (2014), Econometrica 82, 2295-2326: h smooths the estimate, b its bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Kernel = Literal["triangular", "uniform"]
#: Neighbours that give a residual its level.
NEIGHBOURS = 3
#: Constants of the rule of thumb by kernel.
THUMB = {"triangular": 2.576, "uniform": 1.843}


class Fit(NamedTuple):
    """The jump by local linear regression, corrected for bias, and the standard errors of both."""

    conventional: float
    corrected: float
    se_conventional: float
    se_robust: float


@dataclass(frozen=True, eq=False)
class Side:
    """Rows on one side of the cutoff, sorted; x is measured from the cutoff."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> Side:
        """From rows in any order."""
        order = np.argsort(x, kind="stable")
        return cls(x[order], y[order])

    def within(self, width: float) -> Side:
        """Rows no further from the cutoff than this."""
        near = np.abs(self.x) <= width
        return Side(self.x[near], self.y[near])

    def residuals(self) -> np.ndarray:
        """What each outcome differs from its three nearest neighbours' mean, ties whole, scaled to its own variance.

        References
        ----------
        Abadie & Imbens (2006), Econometrica 74, 235-267.
        """
        y, n = self.y - self.y.mean(), len(self.x)
        starts = np.flatnonzero(np.append(True, np.diff(self.x) != 0))
        values = [-np.inf, *self.x[starts].tolist(), np.inf]
        first, last = [0, *starts.tolist()], [0, *starts[1:].tolist(), n]
        sums = np.append(0, np.cumsum(y))
        enough = min(NEIGHBOURS, n - 1) + 1
        ends = np.empty((len(starts), 2), int)
        for at in range(1, len(starts) + 1):
            low = high = at
            value = values[at]
            while last[high] - first[low] < enough:
                left, right = value - values[low - 1], values[high + 1] - value
                low, high = low - (left <= right), high + (right <= left)
            ends[at - 1] = first[low], last[high]
        low_row, high_row = np.repeat(ends, np.diff(np.append(starts, n)), axis=0).T
        many = high_row - low_row - 1
        others = sums[high_row] - sums[low_row] - y
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sqrt(many / (many + 1)) * (y - others / many))


def weigh(u: np.ndarray, width: float, kernel: Kernel) -> np.ndarray:
    """The kernel K(u / width) / width."""
    near = np.abs(u) <= width
    height = 1 - np.abs(u) / width if kernel == "triangular" else np.full(len(u), 0.5)
    return np.asarray(near * height / width)


def fitted(left: Side, right: Side, h: float, b: float, kernel: Kernel) -> Fit:
    """The jump from left to right at the cutoff."""
    one, other = (_side(side.within(max(h, b)), h, b, kernel) for side in (left, right))
    return Fit(
        other[0] - one[0],
        other[1] - one[1],
        float(np.sqrt(one[2] + other[2])),
        float(np.sqrt(one[3] + other[3])),
    )


def bandwidths(left: Side, right: Side, kernel: Kernel) -> tuple[float, float]:
    """The h and b of least mean squared error, common to both sides, by three plug-in steps.

    References
    ----------
    Calonico, Cattaneo & Farrell (2020), Econometrics Journal 23, 192-210; distinct x instead of n where values repeat.
    """
    x = np.concatenate([left.x, right.x])
    low, high = np.quantile(x, [0.25, 0.75])
    spread = min(x.std(ddof=1), (high - low) / 1.349)
    thumb = THUMB[kernel] * spread * len(np.unique(x)) ** -0.2
    thumb = min(thumb, max(-left.x[0], right.x[-1]))
    d = _step(left, right, thumb, kernel, (3, 3, 4), None)
    b = _step(left, right, thumb, kernel, (2, 2, 3), d)
    return _step(left, right, thumb, kernel, (1, 0, 2), b), b


def _side(side: Side, h: float, b: float, kernel: Kernel) -> tuple[float, float, float, float]:
    u = side.x
    w, v = weigh(u, h, kernel), weigh(u, b, kernel)
    line, curve = np.vander(u, 2, increasing=True), np.vander(u, 3, increasing=True)
    inside = np.linalg.inv(line.T @ (line * w[:, None]))
    p = (inside @ (line * w[:, None]).T)[0]
    second = (np.linalg.inv(curve.T @ (curve * v[:, None])) @ (curve * v[:, None]).T)[2]
    q = p - (p @ u**2) * second
    e = side.residuals()
    return float(p @ side.y), float(q @ side.y), float((p * e) @ (p * e)), float((q * e) @ (q * e))


def _step(
    left: Side, right: Side, c: float, kernel: Kernel, orders: tuple[int, int, int], h_bias: float | None
) -> float:
    o, nu, o_bias = orders
    variance, bias, doubt = 0.0, [], 0.0
    for side in (left, right):
        near = side.within(c)
        w = weigh(near.x, c, kernel)
        powers = np.vander(near.x, o + 1, increasing=True)
        gram = np.linalg.inv(powers.T @ (powers * w[:, None]))
        rows = gram @ (powers * w[:, None]).T
        e = near.residuals()
        variance += (2 * nu + 1) * c ** (2 * nu + 1) * float((rows[nu] * e) @ (rows[nu] * e))
        k = c**nu * float(rows[nu] @ (near.x / c) ** (o + 1))
        width = h_bias if h_bias is not None else float(np.abs(side.x).max())
        far = side.within(width)
        wide = weigh(far.x, width, kernel)
        more = np.vander(far.x, o_bias + 1, increasing=True)
        fit = np.linalg.inv(more.T @ (more * wide[:, None])) @ (more * wide[:, None]).T
        beta = float(fit[o + 1] @ far.y)
        bias.append(np.sqrt(2 * (o + 1 - nu)) * k * beta)
        if h_bias is not None:
            residual = far.residuals()
            doubt += 2 * (o + 1 - nu) * k**2 * 3 * float((fit[o + 1] * residual) @ (fit[o + 1] * residual))
    return float((variance / ((bias[1] - bias[0]) ** 2 + doubt)) ** (1 / (2 * o + 3)))
