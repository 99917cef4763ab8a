"""What the public result says of a simulated interruption, beside the truth: effects, bands, a festival's net.

`answered` and `netted` measure one cell each; `effects`, `holes` and `nets` are cells of benchmarks/interruptions.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from toolkit import Level, Pulse, Slope, interrupted_time_series

FIRST = "2019-01-07"
#: Series that are asked about in one call.
CHUNK = 500
Found = dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Asked:
    """One row: what is drawn, on which scale, and what is planted, on the scale of the model.

    `missing` is "", "a tenth" (at random, another tenth for every 100 series) or "a gap" (a tenth, in the middle of
    the first half). `poisson` draws counts around exp(intercept + errors).
    """

    data: str
    n: int
    rho: float
    scale: str = "identity"
    planted: tuple[float, float] = (1.5, -0.05)
    intercept: float = 20.0
    sd: float = 1.0
    poisson: bool = False
    missing: str = ""
    frequency: str = "W-MON"

    @property
    def start(self) -> int:
        """Points before the interruption."""
        return self.n // 2

    @property
    def name(self) -> str:
        """All that tells it from other cells."""
        return f"{self.data}, n = {self.n}, {self.planted}, {self.missing}"

    def drawn(self, rng: np.random.Generator, m: int, effect: np.ndarray) -> tuple[np.ndarray, ...]:
        """Observed, counterfactual, and the means of both, each m x n (means 1 x n)."""
        shocks = rng.standard_normal((m, self.n + 300))
        errors = lfilter([1], [1, -self.rho], shocks, axis=1)[:, 300:] * np.sqrt(1 - self.rho**2) * self.sd
        would, was = self.intercept + errors, self.intercept + errors + effect
        means = np.full((1, self.n), self.intercept), np.array([self.intercept + effect])
        if self.scale == "identity":
            return was, would, means[1], means[0]
        means = tuple(np.exp(mean + self.sd**2 / 2) for mean in means)
        was, would = np.exp(was), np.exp(would)
        if self.poisson:
            was, would = rng.poisson(was).astype(float), rng.poisson(would).astype(float)
        return was, would, means[1], means[0]

    def holes(self, rng: np.random.Generator, m: int) -> np.ndarray:
        """Where values are missing, m x n."""
        found, tenth = np.zeros((m, self.n), bool), round(self.n / 10)
        if self.missing == "a gap":
            found[:, self.start // 2 : self.start // 2 + tenth] = True
        elif self.missing:
            for low in range(0, m, 100):
                found[low : low + 100, rng.choice(np.arange(1, self.n - 1), tenth, replace=False)] = True
        return found


def effects() -> Iterator[Asked]:
    """Effects and bands of the public result, on values, on logarithms and on counts."""
    for n in (24, 48, 100):
        for rho in (0, 0.4, 0.8):
            yield Asked(f"values, rho {rho}", n, rho)
        for rho in (0, 0.4, 0.8):
            yield Asked(f"logs, rho {rho}", n, rho, "log", (0.4, -0.01), np.log(1000), 0.2)
        for mean in (5, 200, 5000):
            yield Asked(f"counts of {mean:,}, rho 0.5", n, 0.5, "log", (0.4, 0.0), np.log(mean), 0.1, True)


def holes() -> Iterator[Asked]:
    """The same where a tenth of the values is missing."""
    for n in (48, 100):
        for rho in (0, 0.4, 0.8):
            for missing in ("a tenth", "a gap"):
                yield Asked(f"values, rho {rho}; {missing} missing", n, rho, missing=missing)


def nets() -> Iterator[Asked]:
    """A festival of three days less the dips of the week before and after it, daily series with weekday means."""
    for n in (60, 120):
        for rho in (0, 0.4, 0.8):
            yield Asked(f"values, rho {rho}", n, rho, planted=(4.0, -0.5), frequency="D")
        for rho in (0, 0.4, 0.8):
            yield Asked(f"logs, rho {rho}", n, rho, "log", (0.8, -0.1), np.log(1000), 0.2, frequency="D")


def _share(held: np.ndarray, width: np.ndarray) -> tuple[float, float, float]:
    """Coverage, its Monte Carlo error (series are independent, their periods are not), and the median width."""
    each = held.reshape(len(held), -1).mean(1)
    return float(each.mean()), float(each.std() / np.sqrt(len(each))), float(np.median(width))


def _held(found: dict[str, list[np.ndarray]]) -> Found:
    """From low, high and truth of each estimand, in pieces."""
    answer = {}
    for name, pieces in found.items():
        low, high, truth = (np.concatenate([piece[part] for piece in pieces]) for part in range(3))
        answer[name] = _share((low <= truth) & (truth <= high), high - low)
    return answer


def answered(cell: Asked, seed: int, replicates: int) -> Found:
    """Of the table, `.effect()` over all later periods, and `.counterfactual` there, pointwise."""
    rng = np.random.default_rng([seed, zlib.crc32(cell.name.encode())])
    index = pd.date_range(FIRST, periods=cell.n, freq=cell.frequency)
    t, after = np.arange(cell.n), np.arange(cell.n) >= cell.start
    effect = after * (cell.planted[0] + cell.planted[1] * (t - cell.start))
    was, would, mean, mean0 = cell.drawn(rng, replicates, effect)
    gone = cell.holes(rng, replicates)
    was = np.where(gone, np.nan, was)
    found: dict[str, list] = {}
    zeros = (was == 0).any(1)
    day = index[cell.start]
    terms = {"event": [Level(day), Slope(day)]}
    # Logarithms are of y + 1/2 for series that have a zero, so that the others are asked about apart.
    for alike in (np.flatnonzero(zeros), np.flatnonzero(~zeros)):
        for low in range(0, len(alike), CHUNK):
            mine = alike[low : low + CHUNK]
            frame = pd.DataFrame(was[mine].T, index=index, columns=[f"s{i}" for i in range(len(mine))])
            scale = "auto" if cell.poisson else cell.scale
            if len(mine) == 1:
                frame = frame.iloc[:, 0]
            result = interrupted_time_series(frame, terms, scale=scale)
            table = result.table
            for which, planted in zip(("level", "slope"), cell.planted, strict=True):
                truth = np.expm1(planted) if cell.scale == "log" else planted
                rows = table[table["term"] == which]
                found.setdefault(which, []).append((rows["low"], rows["high"], np.full(len(mine), truth)))
            table, present = result.effect().table, (after & ~gone)[mine]
            truths = {
                "average": np.full(len(mine), (mean - mean0)[0, after].mean()),
                "relative": np.full(len(mine), mean[0, after].sum() / mean0[0, after].sum() - 1),
                "cumulative": (present * (mean - mean0)).sum(1),
            }
            for which, truth in truths.items():
                rows = table[table["estimand"] == which]
                found.setdefault(which, []).append((rows["low"], rows["high"], truth))
            bands = result.counterfactual
            shape = (len(mine), cell.n)
            columns = {name: bands[name].to_numpy().reshape(shape)[:, after] for name in bands.columns[-4:]}
            later = np.broadcast_to(mean0[:, after], (len(mine), after.sum()))
            found.setdefault("band", []).append((columns["low"], columns["high"], later))
            single = (columns["predicted_low"], columns["predicted_high"], would[mine][:, after])
            found.setdefault("prediction band", []).append(single)
    return _held(found)


def netted(cell: Asked, seed: int, replicates: int) -> Found:
    """Of `.net()`: a lift of three days in the middle, dips on seven days before and after."""
    rng = np.random.default_rng([seed, zlib.crc32(("net " + cell.name).encode())])
    index = pd.date_range(FIRST, periods=cell.n, freq=cell.frequency)
    first, t = cell.start, np.arange(cell.n)
    inside = {
        "window": (t >= first) & (t < first + 3),
        "before": (t >= first - 7) & (t < first),
        "after": (t >= first + 3) & (t < first + 10),
    }
    effect = cell.planted[0] * inside["window"] + cell.planted[1] * (inside["before"] | inside["after"])
    # One error serves both worlds: what a festival added is what it added to the days that were.
    was, would, *_ = cell.drawn(rng, replicates, effect)
    inside["net"] = inside["window"] | inside["before"] | inside["after"]
    found: dict[str, list] = {}
    for low in range(0, replicates, CHUNK):
        mine = slice(low, low + CHUNK)
        frame = pd.DataFrame(was[mine].T, index=index).add_prefix("s")
        pulse = Pulse(index[first], index[first + 2])
        result = interrupted_time_series(frame, {"festival": pulse}, scale=cell.scale)
        table = result.net((index[first], index[first + 2]), before=7, after=7).table
        for which, days in inside.items():
            rows = table[table["what"] == which]
            truth = (was - would)[mine][:, days].sum(1)
            found.setdefault(which, []).append((rows["low"], rows["high"], truth))
    return _held(found)
