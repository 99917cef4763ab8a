"""Interrupted series that the estimator was not made on: coverage, width, and what the sentence says.

    uv run python -m benchmarks.outside [--series 200]

Every cell asks the default of that many series one by one, as an analyst does, and reads the sentence.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from tqdm.auto import tqdm

from toolkit import InterruptedTimeSeries, Level, Slope, interrupted_time_series

PAGE = Path(__file__).with_suffix(".md")
#: What each clause of a sentence begins to say.
CLAUSES = {
    "walks": "the level walks by itself",
    "autocorrelation": "autocorrelation is left",
    "far point": " sd above the model",
    "far point ": " sd below the model",
    "spread": "the spread after the event",
    "bend": "the trend bends",
    "start": "its first",
    "few counts": "understates ratios",
}
Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Truth:
    """A process, where its event lies, and what was planted.

    Attributes
    ----------
    fault
        The clause that should be said; empty where nothing is wrong with the model.
    planted
        The true coefficient on the scale of the model, of the term that is named.
    """

    name: str
    draw: Draw
    n: int
    at: int
    fault: str = ""
    planted: float = 0.0
    terms: tuple[Any, ...] = (Level,)
    options: tuple[tuple[str, Any], ...] = ()
    freq: str = "D"


def ar(rng: np.random.Generator, n: int, rho: float, lag: int = 1) -> np.ndarray:
    """A stationary AR(1), or its like at another lag, of unit variance."""
    weights = np.r_[1.0, np.zeros(lag - 1), -rho]
    return np.asarray(lfilter([1], weights, rng.normal(size=n + 60 * lag))[60 * lag :] * np.sqrt(1 - rho**2))


def walk(rng: np.random.Generator, n: int, step: float = 1.0, noise: float = 0.5) -> np.ndarray:
    """A level that walks, with noise on top."""
    return np.asarray(step * rng.normal(size=n).cumsum() + noise * rng.normal(size=n))


def logs(shape: Callable[[np.random.Generator, int], np.ndarray]) -> Draw:
    """Users a day around 2,000: the exponential of a process."""
    return lambda rng, n: 2000 * np.exp(shape(rng, n))


def since(n: int, at: int) -> np.ndarray:
    """1 from the event on."""
    return (np.arange(n) >= at).astype(float)


def slowed(by: float, at: int) -> Draw:
    """Growth of .5 % a day that slows 80 days before the event."""
    return logs(
        lambda rng, n: (
            0.005 * np.arange(n) - by * np.maximum(np.arange(n) - (at - 80), 0) + 0.05 * ar(rng, n, 0.4)
        )
    )


def counts(rng: np.random.Generator, n: int) -> np.ndarray:
    """A few orders a day."""
    return rng.poisson(np.where(np.arange(n) < 200, 1.0, 1.3)).astype(float)


PLAIN = (("season", None), ("scale", "identity"))
BOTH = (Level, Slope)
WALKS = tuple(
    Truth(f"walk with noise .5, n {n}: slope", walk, n, n // 2, "", 0.0, BOTH, PLAIN) for n in (200, 365, 730)
)
PARABOLA = np.sqrt(45 / 4)
TRUTHS = (
    *WALKS,
    Truth("walk .3 with noise 1, n - k 46: slope", lambda r, n: walk(r, n, 0.3, 1.0), 50, 25, "", 0.0, BOTH, PLAIN),
    Truth(
        "linear growth, three times as much, on the log scale",
        lambda r, n: 1000 * (1 + 2 * np.arange(n) / n) * 1.1 ** since(n, 220) * np.exp(0.05 * ar(r, n, 0.4)),
        365, 220, "bend", np.log(1.1),
    ),
    Truth("growth slowed by .1 % a day before", slowed(0.001, 220), 365, 220, "bend"),
    Truth("growth slowed by .4 % a day before", slowed(0.004, 220), 365, 220, "bend"),
    Truth(
        "parabola of 1 sd",
        lambda r, n: PARABOLA * ((2 * np.arange(n) / n - 1) ** 2 - 1 / 3) + ar(r, n, 0.4), 365, 220, "bend", 0.0,
        (Level,), PLAIN,
    ),
    Truth(
        "phase-in over 14 days as a level of -20 %",
        logs(lambda r, n: np.log(0.8) * np.clip((np.arange(n) - 199) / 14, 0, 1) + 0.05 * ar(r, n, 0.4)),
        365, 200, "start", np.log(0.8),
    ),
    Truth(
        "spread doubles, 10 points after",
        lambda r, n: ar(r, n, 0.4) * np.where(np.arange(n) < 110, 1, 2), 120, 110, "spread", 0.0, (Level,), PLAIN,
    ),
    Truth("memory at 14 days, .5", lambda r, n: ar(r, n, 0.5, 14), 365, 200, "autocorrelation", 0.0, (Level,), PLAIN),
    Truth("weekly memory .85", lambda r, n: ar(r, n, 0.85, 7), 365, 200, "autocorrelation", 0.0, (Level,), PLAIN),
    Truth("counts of mean 1, +30 %", counts, 365, 200, "few counts", np.log(1.3)),
    Truth(
        "own: AR(1) .5 and weekdays, log scale",
        logs(lambda r, n: 0.1 * (np.arange(n) % 7 > 4) + 0.05 * ar(r, n, 0.5)), 365, 200,
    ),
    Truth("own: white noise, 120 days", lambda r, n: r.normal(size=n), 120, 70, "", 0.0, (Level,), PLAIN),
    Truth("own: AR(1) .8, 60 months", lambda r, n: ar(r, n, 0.8), 60, 36, "", 0.0, BOTH, PLAIN, "MS"),
    Truth("own: event 5 points before the end", logs(lambda r, n: 0.05 * ar(r, n, 0.5)), 365, 360),
    Truth(
        "own: a day of six times the noise's sd",
        lambda r, n: ar(r, n, 0.3) + 7 * (np.arange(n) == 100), 365, 200, "far point", 0.0, (Level,), PLAIN,
    ),
    Truth(
        "own: three waves of 4 months, on the log scale",
        logs(lambda r, n: 0.05 * np.sin(np.arange(n) / 19) + 0.05 * ar(r, n, 0.4)), 365, 200, "bend",
    ),
)  # fmt: skip


def asked(truth: Truth, seed: int) -> tuple[InterruptedTimeSeries, np.random.Generator]:
    """One series of a truth and its answer."""
    rng = np.random.default_rng([seed, truth.n, truth.at])
    index = pd.date_range("2022-01-01", periods=truth.n, freq=truth.freq)
    series = pd.Series(truth.draw(rng, truth.n), index=index)
    terms = [term(index[truth.at]) for term in truth.terms]
    return interrupted_time_series(series, {"x": terms}, **dict(truth.options)), rng


def cell(truth: Truth, series: int) -> dict[str, Any]:
    """Coverage, width and what was said, over some series of a truth."""
    covered, widths, said = [], [], []
    for seed in range(series):
        found, _ = asked(truth, seed)
        row = found.table.iloc[-1]
        limits = np.array([row["low"], row["high"]])
        limits = np.log1p(limits) if found.scale.ratio else limits
        covered.append(limits[0] <= truth.planted <= limits[1])
        widths.append(limits[1] - limits[0])
        sentence = found.sentence().lower()
        said.append({name.strip() for name, clause in CLAUSES.items() if clause.lower() in sentence})
    names = dict.fromkeys(name.strip() for name in CLAUSES)
    shares = {name: np.mean([name in one for one in said]) for name in names}
    also = ", ".join(f"{name} {share:.0%}" for name, share in shares.items() if share and name != truth.fault)
    return {
        "truth": truth.name,
        "covered": f"{np.mean(covered):.1%}",
        "width": f"{np.median(widths):.3g}",
        "fault": truth.fault or "none",
        "said": f"{shares[truth.fault]:.0%}"
        if truth.fault
        else f"any {np.mean([bool(one) for one in said]):.0%}",
        "also said": also,
    }


def numbered(place: int, series: int) -> dict[str, Any]:
    """The cell of the truth at a place, for a process of its own."""
    return cell(TRUTHS[place], series)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.jobs) as pool:
        found = pool.map(numbered, range(len(TRUTHS)), [given.series] * len(TRUTHS))
        table = pd.DataFrame(list(tqdm(found, total=len(TRUTHS), leave=False)))
    error = 100 * np.sqrt(0.95 * 0.05 / given.series)
    head = [
        "# Interrupted series outside the grid",
        "",
        f"The default on truths that nothing was tuned to, {given.series} series each (coverage of 95 % has a",
        f"Monte Carlo error of {error:.1f} points), by `uv run python -m benchmarks.outside`. The event does what the",
        "planted value says, 0 where none is named; width is that of the 95 % interval on the scale of the model, in",
        "the median. `said`: sentences with the clause that the fault calls for, or with any where there is no fault.",
        "",
    ]
    rows = [" | ".join(map(str, row)) for row in table.itertuples(index=False, name=None)]
    body = [" | ".join(table.columns), " | ".join("---" for _ in table.columns), *rows]
    PAGE.write_text("\n".join([*head, *(f"| {line} |" for line in body), ""]))


if __name__ == "__main__":
    main()
