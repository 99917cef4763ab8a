"""Interrupted series that the estimator was not made on: coverage, width, and what the sentence says.

    uv run python -m benchmarks.outside [--series 200] [--replicates 4000]

Every cell asks the default of that many series one by one, as an analyst does, and reads the sentence. Then levels that
walk, in batches of the second number: coverage, and how far the fit lies below the top of its likelihood.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.signal import lfilter
from tqdm.auto import tqdm

from toolkit import InterruptedTimeSeries, Level, Slope, interrupted_time_series
from toolkit.interruptions.errors.profile_likelihood import DISTANCES, NearOne, Profile
from toolkit.interruptions.errors.reml import RemlFit, estimate
from toolkit.intervals import student

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
#: Of the tests that were tried, and what falls short; by hand.
SPREAD = (
    "*Spread*: a test at 1 % could not say that change in four of five series. With the autocorrelation and the "
    "spread before known, and only the level to be fitted, the best one says it in 79 % of 4,000 such series at 1 "
    "%, in 84 at 2 and in 86 at 3; with the spread before estimated, as it must be, an F test says it in 75, 81 "
    "and 84. The clause therefore stands at 3 % on the side on which intervals are too narrow. Tried beside it, "
    "in 1,000 series each: innovations clipped at 3 robust standard deviations (69 % at 1 %; heavy tails still "
    "called in 4 to 6 % of series with no change), Levene's test (75; but 2 to 3 % said at 1 where few points "
    "come after), squared normal scores of ranks (73), ranks of sizes (39)."
)
WALKED = (
    "Averages of 200 days fall just short of 92 %. There a quarter of the walks is fitted with rho below .95, as "
    "a state that returns and whose trend is told more sharply: of their slopes 71 % are covered, of all others "
    "99 to 100 (3,000 series); estimates themselves vary alike. A relative effect on the log scale is the average "
    "of this table, exponentiated."
)
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


def walking(n: int, replicates: int, searched: int) -> dict[str, Any]:
    """Coverage of a walk with noise .5, and the log-likelihood that the fit of the first of them loses."""
    rng = np.random.default_rng([11, n])
    values = np.array([walk(rng, n) for _ in range(replicates)]).T
    days = np.arange(n)
    after = since(n, n // 2)
    design = np.column_stack([np.ones(n), days, after, after * (days - n // 2)])
    weights = np.zeros((3, 4))
    weights[0, 2] = weights[1, 3] = weights[2, 2] = 1
    weights[2, 3] = (n - n // 2 - 1) / 2
    fit = estimate(design, values, period=7)
    found, error, df = fit.contrast(weights)
    covered = (np.abs(found) <= student(df, 0.95) * error).mean(0)
    lost = [loss(fit, values, place) for place in range(searched)]
    names = ("level", "slope", "average")
    return {
        "n": n,
        **{name: f"{share:.1%}" for name, share in zip(names, covered, strict=True)},
        "log-likelihood lost, median": f"{np.median(lost):.3f}",
        "worst": f"{max(lost):.2f}",
    }


def loss(fit: RemlFit, values: np.ndarray, place: int) -> float:
    """Log-likelihood at the highest point that a simplex finds from three starts, less that of the fit."""
    residuals = values[:, [place]] - fit.basis @ (fit.basis.T @ values[:, [place]])
    profile, one = Profile(fit.basis, residuals, fit.at), np.zeros(1, int)
    near = NearOne(profile)

    def below(logs: np.ndarray) -> float:
        distance, noise = np.exp(logs)
        return -float(near(float(np.clip(distance, DISTANCES[0], 1.6)), np.array([noise]), one)[0, 0])

    rho, lam = float(fit.rho[place]), float(fit.lam[place])
    own = np.log([1 - rho, max((1 / lam - 1) / (1 - rho**2), 1e-3)])
    tops = [
        -minimize(below, start, method="Nelder-Mead", options={"maxiter": 80}).fun
        for start in (own, np.log([0.01, 0.2]), np.log([0.05, 2.0]))
    ]
    return float(max(0.0, max(tops) - float(profile(rho, np.array([lam]), one)[0, 0])))


def listed(table: pd.DataFrame) -> list[str]:
    """The lines of a table."""
    rows = [" | ".join(map(str, row)) for row in table.itertuples(index=False, name=None)]
    return [
        f"| {line} |" for line in (" | ".join(table.columns), " | ".join("---" for _ in table.columns), *rows)
    ]


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=4000)
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
    walks = pd.DataFrame([walking(n, given.replicates, given.series) for n in (200, 365, 730)])
    foot = [
        "",
        "## Levels that walk",
        "",
        *wrap(
            f"A walk of step 1 with noise .5, level and slope in the middle: {given.replicates:,} series a row (Monte "
            f"Carlo error {100 * np.sqrt(0.92 * 0.08 / given.replicates):.1f} points), and the restricted "
            f"log-likelihood that the fit of the first {given.series} of them loses to a simplex search from three "
            "starts.",
            118,
        ),
        "",
        *listed(walks),
        "",
        *wrap(WALKED, 118),
        "",
    ]
    PAGE.write_text("\n".join([*head, *listed(table), "", *wrap(SPREAD, 118), *foot]))


if __name__ == "__main__":
    main()
