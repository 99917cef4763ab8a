"""`bands`: the distribution of fans where only counts by band are published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from toolkit.counts import confidence_level
from toolkit.intervals import Interval
from toolkit.results import Result
from toolkit.scenarios.assumptions import amount, column, plain
from toolkit.scenarios.creators import inequality
from toolkit.wording import count, interval, interval_level, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Fewer bands with creators say nothing of a distribution's spread.
FEWEST_BANDS = 3
#: Below this p of its fit a log-normal's answers are rough.
ROUGH = 0.05


@dataclass(frozen=True, repr=False, eq=False)
class Bands(Result):
    """A log-normal, and a Pareto above the first edge, from counts by band. Made by `bands`.

    Attributes
    ----------
    table : DataFrame
        `model`, `parameter` ("mu", "sigma" of ln fans; "exponent" of P(X > x)), `estimate`, `low`, `high`, `n`.
    chi2, freedom, p : float
        Pearson's test of the log-normal's fit, with bands - 3 degrees of freedom.
    """

    table: pd.DataFrame
    edges: np.ndarray
    counts: np.ndarray
    mu: float
    sigma: float
    covariance: np.ndarray
    exponent: float
    exponent_error: float
    chi2: float
    freedom: int
    p: float
    confidence: float

    @property
    def n(self) -> float:
        """All creators counted."""
        return float(self.counts.sum())

    @property
    def se_mu(self) -> float:
        """Standard error of mu."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def se_log_sigma(self) -> float:
        """Standard error of ln sigma."""
        return float(np.sqrt(self.covariance[1, 1]))

    def supply(self, at: float) -> pd.DataFrame:
        """How many creators have at least so many fans, by model; both where the answer lies above the last edge."""
        at = amount("at", at, positive=True)
        rows = [
            self._row("log-normal", self.n * self._above(self.mu, self.sigma, at), *self._supply_ends(at))
        ]
        if self._beyond(at):
            first = self.edges[1]
            base = self.n - self.counts[0]
            ends = (base * (at / first) ** -a for a in self._exponents(upper_first=True))
            rows.append(
                self._row("Pareto above the first edge", base * (at / first) ** -self.exponent, *ends)
            )
        return pd.DataFrame(rows)

    @property
    def gini(self) -> Interval | Any:
        """The Gini of fans, were they log-normal: estimate, low and high."""
        ends = self.sigma * np.exp(np.array([-1, 1]) * self._z * self.se_log_sigma)
        low, high = map(inequality.lognormal_gini, ends)
        return self._row("log-normal", inequality.lognormal_gini(self.sigma), low, high)

    def share_above(self, at: float) -> pd.DataFrame:
        """Which share of all fans is held by creators with at least so many, by model; both above the last edge."""
        at = amount("at", at, positive=True)
        rows = []
        estimate = self._held(self.mu, self.sigma, at)
        gradient = _gradient(lambda x: self._logit_held(x, at), np.array([self.mu, np.log(self.sigma)]))
        half = self._z * float(np.sqrt(gradient @ self.covariance @ gradient))
        middle = special.logit(estimate)
        rows.append(self._row("log-normal", estimate, *special.expit([middle - half, middle + half])))
        if self._beyond(at):
            ends = (self._pareto_held(at, a) for a in self._exponents(upper_first=True))
            rows.append(self._row("Pareto above the first edge", self._pareto_held(at, self.exponent), *ends))
        return pd.DataFrame(rows)

    def sentence(self) -> str:
        """The median and spread, the Gini, and how well the log-normal fits."""
        gini = pd.Series(self.gini)
        fit = (
            ""
            if self.freedom < 1
            else (
                f" Fit of the log-normal: chi-square {self.chi2:.1f} on {self.freedom}, p {p_value(self.p)}"
                f"{': it does not fit, read its answers as rough' if self.p < ROUGH else ''}."
            )
        )
        return (
            f"Were fans log-normal, their median is {count(np.exp(self.mu))} ({interval(self._median, count)}) and "
            f"their Gini {gini['estimate']:.2f} ({interval(gini, lambda x: f'{x:.2f}')}; "
            f"{interval_level(self.confidence)}s, n = {count(self.n)} creators in {len(self.counts)} bands). Above the "
            f"last edge the model decides: a Pareto tail gives another number, and both are shown.{fit}{self._cut_off}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Creators at or above each edge as counted, and by both models."""
        from toolkit.scenarios import axes

        inner = self.edges[1:-1]
        x = np.unique(np.append(np.geomspace(inner[0], inner[-1] * 10, 60), inner))
        counted = dict(zip(inner, self.counts[::-1].cumsum()[::-1][1:], strict=True))
        frame = pd.DataFrame(
            {
                "fans": x,
                "log-normal": self.n * self._above(self.mu, self.sigma, x),
                "Pareto above the first edge": (self.n - self.counts[0]) * (x / inner[0]) ** -self.exponent,
            }
        )
        marks = [(edge, held, "") for edge, held in counted.items()]
        lines = list(frame.columns[1:])
        title = "Creators at or above: dots as counted, lines as modelled"
        return axes.curves(
            frame, "fans", lines, ("fans", "creators"), title=title, marks=marks, log="xy", ax=ax
        )

    @property
    def _median(self) -> dict[str, float]:
        half = self._z * self.se_mu
        return {"low": float(np.exp(self.mu - half)), "high": float(np.exp(self.mu + half))}

    @property
    def _cut_off(self) -> str:
        if not self.edges[0]:
            return ""
        return f" The bands begin at {plain(self.edges[0])}: the model takes it that nobody has fewer."

    def _row(self, model: str, estimate: float, low: float, high: float) -> dict[str, Any]:
        return {
            "model": model,
            "estimate": float(estimate),
            "low": float(low),
            "high": float(high),
            "n": self.n,
        }

    @property
    def _z(self) -> float:
        return float(special.ndtri((1 + self.confidence) / 2))

    def _exponents(self, *, upper_first: bool) -> tuple[float, float]:
        low, high = (self.exponent * np.exp(side * self._z * self.exponent_error) for side in (-1, 1))
        return (high, low) if upper_first else (low, high)

    def _beyond(self, at: float) -> bool:
        return bool(at >= self.edges[-2])

    def _supply_ends(self, at: float) -> tuple[float, float]:
        z = (np.log(at) - self.mu) / self.sigma
        gradient = np.array([-1 / self.sigma, -z])
        half = self._z * float(np.sqrt(gradient @ self.covariance @ gradient))
        return self.n * special.ndtr(-z - half), self.n * special.ndtr(-z + half)

    @staticmethod
    def _above(mu: float, sigma: float, at: Any) -> Any:
        return special.ndtr(-(np.log(at) - mu) / sigma)

    @staticmethod
    def _held(mu: float, sigma: float, at: float) -> float:
        return float(special.ndtr(-(np.log(at) - mu) / sigma + sigma))

    def _logit_held(self, at: np.ndarray, fans: float) -> float:
        return float(special.logit(self._held(at[0], np.exp(at[1]), fans)))

    def _pareto_held(self, at: float, exponent: float) -> float:
        """Below the first edge the log-normal's mass; above it a Pareto's, whose mean exists above exponent 1."""
        if exponent <= 1:
            return np.nan
        first = self.edges[1]
        base = self.n - self.counts[0]
        mean = np.exp(self.mu + self.sigma**2 / 2)
        below = self.n * mean * (1 - self._held(self.mu, self.sigma, first))
        above = base * first * exponent / (exponent - 1)
        return float(above * (at / first) ** (1 - exponent) / (below + above))


def bands(edges: Any, counts: Any, *, confidence: float = 0.95) -> Bands:
    """Work back from counts by band to the distribution of fans.

    Parameters
    ----------
    edges : list of float
        From 0 upward, one more than there are bands; the last may be infinite. A band holds its lower edge. Where the
        first is above 0 the model takes it that nobody stands below, and the sentence says so.
    counts : list of int
        Creators in each band.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Bands

    Raises
    ------
    ValueError
        For edges out of order, and fewer than three bands with creators.

    Notes
    -----
    Interval-censored likelihood of a log-normal; intervals from the observed information (ln sigma and ln exponent
    normal). What lies above the last edge rests on the model, so a Pareto's answer stands beside it there.

    Examples
    --------
    >>> found = bands([0, 1000, 5000, 10000, 50000, 500000, float("inf")], [4200, 3100, 1250, 1150, 280, 20])
    >>> round(found.mu, 3), round(found.sigma, 3)
    (7.297, 1.885)
    """
    confidence = confidence_level(confidence)
    limits = np.asarray(edges, float).ravel()
    held = column("counts", counts, whole=True)
    if len(limits) != len(held) + 1:
        raise ValueError(
            f"{len(limits)} edges for {len(held)} bands: give one edge more than there are bands"
        )
    if np.isnan(limits).any() or (np.diff(limits) <= 0).any() or limits[0] < 0:
        raise ValueError(f"edges {limits.tolist()} are out of order: give them from 0 upward")
    if (held > 0).sum() < FEWEST_BANDS:
        raise ValueError(
            f"{(held > 0).sum()} bands hold creators; a distribution needs {FEWEST_BANDS} or more"
        )
    with np.errstate(divide="ignore"):
        logs = np.log(limits)

    def surprise(at: np.ndarray) -> float:
        mass = np.diff(special.ndtr((logs - at[0]) / np.exp(at[1])))
        return float(-(held * np.log(np.maximum(mass, 1e-300))).sum())

    inner = logs[np.isfinite(logs)]
    start = np.array([inner.mean(), np.log(max(inner.std(), 0.5))])
    options = {"xatol": 1e-10, "fatol": 1e-10, "maxiter": 10_000}
    best = optimize.minimize(surprise, start, method="Nelder-Mead", options=options).x
    mu, sigma = float(best[0]), float(np.exp(best[1]))
    covariance = np.linalg.inv(_hessian(surprise, best))
    expected = held.sum() * np.diff(special.ndtr((logs - mu) / sigma))
    chi2 = float(((held - expected) ** 2 / expected).sum())
    freedom = len(held) - 3
    p = float(stats.chi2.sf(chi2, freedom)) if freedom > 0 else np.nan
    exponent, error = _pareto(limits[1:], held[1:])
    z = float(special.ndtri((1 + confidence) / 2))
    errors = np.sqrt(np.diag(covariance))
    rows = [
        ("log-normal", "mu", mu, mu - z * errors[0], mu + z * errors[0], held.sum()),
        (
            "log-normal",
            "sigma",
            sigma,
            sigma * np.exp(-z * errors[1]),
            sigma * np.exp(z * errors[1]),
            held.sum(),
        ),
        (
            "Pareto above the first edge",
            "exponent",
            exponent,
            exponent * np.exp(-z * error),
            exponent * np.exp(z * error),
            held[1:].sum(),
        ),
    ]
    table = pd.DataFrame(rows, columns=["model", "parameter", "estimate", "low", "high", "n"])
    return Bands(table, limits, held, mu, sigma, covariance, exponent, error, chi2, freedom, p, confidence)


def _pareto(edges: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The exponent of a Pareto from the first of these edges on, and the standard error of its logarithm."""

    def surprise(at: np.ndarray) -> float:
        with np.errstate(divide="ignore"):
            above = (edges / edges[0]) ** -np.exp(at[0])
        return float(-(counts * np.log(np.maximum(-np.diff(above), 1e-300))).sum())

    best = optimize.minimize_scalar(lambda x: surprise(np.array([x])), bounds=(-4, 4), method="bounded").x
    return float(np.exp(best)), float(1 / np.sqrt(_hessian(surprise, np.array([best]))[0, 0]))


def _hessian(function: Any, at: np.ndarray, step: float = 1e-3) -> np.ndarray:
    size = len(at)
    found = np.empty((size, size))
    steps = np.eye(size) * step
    for i in range(size):
        for j in range(size):
            corners = [
                function(at + a * steps[i] + b * steps[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            found[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step * step)
    return found


def _gradient(function: Any, at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    steps = np.eye(len(at)) * step
    return np.array([(function(at + one) - function(at - one)) / (2 * step) for one in steps])
