"""How often intervals of an interrupted time series hold a known truth, and how fast a batch of series is.

Coverage of `toolkit.interruptions.errors.reml.estimate` and its guarded Kenward-Roger contrasts, the default of
`interrupted_time_series`: with AR(1) errors, with thirteen kinds of other errors, and for counts; and of what the
public result makes of them: see `effects`.
"""

from __future__ import annotations

import argparse
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path

# Small matrices: on a busy machine a second thread waits longer than it works.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from effects import Asked, Found, answered, effects, holes, nets, netted
from scipy.signal import lfilter
from scipy.special import stdtrit
from tqdm import tqdm

from toolkit import Level, Slope, interrupted_time_series
from toolkit.interruptions.errors.reml import estimate
from toolkit.interruptions.errors.weekly import weekly

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/interruptions.py -->"
SPEED = "<!-- speed: written by benchmarks/interruptions.py --speed -->"
EFFECTS = ("level", "slope", "average")


@dataclass(frozen=True)
class Cell:
    """One row: what is drawn, the design, and the planted level and slope."""

    data: str
    n: int
    start: int
    draw: Callable[[np.random.Generator, int], np.ndarray]
    planted: tuple[float, float] = (0.0, 0.0)
    weekdays: bool = False
    weekly: bool = False
    period: int = 0

    @property
    def name(self) -> str:
        """All that tells it from other cells."""
        return f"{self.data}, n = {self.n}, from {self.start}, {self.planted}, {self.weekdays}"

    def design(self) -> np.ndarray:
        """Intercept, trend, level, slope, and weekdays if asked."""
        t = np.arange(self.n)
        after = (t >= self.start).astype(float)
        columns = [np.ones(self.n), t, after, after * (t - self.start)]
        if self.weekdays:
            columns += [t % 7 == day for day in range(1, 7)]
        return np.column_stack(columns).astype(float)

    def weights(self, k: int) -> np.ndarray:
        """Level, slope, and the average effect over all points after the interruption."""
        found = np.zeros((3, k))
        found[0, 2] = found[1, 3] = found[2, 2] = 1
        found[2, 3] = (self.n - self.start - 1) / 2
        return found


def arma(rng, m, n, ar=(), ma=(), shocks=None):
    e = rng.standard_normal((m, n + 300)) if shocks is None else shocks(rng, (m, n + 300))
    return lfilter(np.r_[1, ma], np.r_[1, -np.asarray(ar)], e, axis=1)[:, 300:]


def ar1(rng, m, n, rho):
    return arma(rng, m, n, [rho])


def walk(rng, m, n, step=1.0, noise=0.0):
    return step * np.cumsum(rng.standard_normal((m, n)), 1) + noise * rng.standard_normal((m, n))


def doubled(rng, m, n, start):
    return ar1(rng, m, n, 0.5) * np.where(np.arange(n) < start, 1, 2)


def t3(rng, size):
    return rng.standard_t(3, size) / np.sqrt(3)


def counted(rng, m, n, mean, rho, spread, planted, start):
    """Poisson counts around a latent AR(1) log rate; logs, of y + 1/2 for a series that has a zero."""
    t = np.arange(n)
    latent = ar1(rng, m, n, rho) * np.sqrt(1 - rho**2) * spread
    effect = np.where(t >= start, planted[0] + planted[1] * (t - start), 0)
    y = rng.poisson(mean * np.exp(latent + effect))
    return np.log(y + np.where((y == 0).any(1, keepdims=True), 0.5, 0.0))


def grid() -> Iterator[Cell]:
    """AR(1) errors."""
    for n in (12, 24, 48, 100, 200):
        for rho in (0, 0.2, 0.4, 0.6, 0.8):
            planted = (1.5, -0.05) if rho in (0.4, 0.8) else (0.0, 0.0)
            yield Cell(f"rho {rho}", n, n // 2, partial(ar1, n=n, rho=rho), planted)


def others() -> Iterator[Cell]:
    """Errors that are not what the model says."""
    returning = -np.convolve([1, -0.5], np.r_[1, np.zeros(6), -0.4])[1:]
    for n in (48, 100, 200):
        kinds = {
            "AR(1) .5": partial(arma, n=n, ar=[0.5]),
            "AR(1) .95": partial(arma, n=n, ar=[0.95]),
            "AR(2) .5, .3": partial(arma, n=n, ar=[0.5, 0.3]),
            "ARMA .8, -.4": partial(arma, n=n, ar=[0.8], ma=[-0.4]),
            "AR(1) .5 x AR(7) .4": partial(arma, n=n, ar=returning),
            "AR(1) -.4": partial(arma, n=n, ar=[-0.4]),
            "AR(2) .6, -.3": partial(arma, n=n, ar=[0.6, -0.3]),
            "ARMA .95, -.7": partial(arma, n=n, ar=[0.95], ma=[-0.7]),
            "MA(1) .6": partial(arma, n=n, ma=[0.6]),
            "random walk": partial(walk, n=n),
            "random walk + noise": partial(walk, n=n, step=0.3, noise=1.0),
            "AR(1) .5, t3 shocks": partial(arma, n=n, ar=[0.5], shocks=t3),
            "AR(1) .5, twice the spread after": partial(doubled, n=n, start=n // 2),
        }
        for place, (data, draw) in enumerate(kinds.items()):
            yield Cell(data, n, n // 2, draw)
            if place < 5:
                yield Cell(data, n, round(0.85 * n), draw)
                if n >= 100:
                    yield Cell(f"{data}; weekday means", n, n // 2, draw, weekdays=True)


def counts() -> Iterator[Cell]:
    """Counts, on the log scale."""
    for n in (24, 48, 100):
        for mean in (5, 20, 200, 5000):
            for rho, spread in ((0, 0), (0.5, 0.1), (0.8, 0.1)):
                for planted in ((0.0, 0.0), (0.4, 0.0)) if rho == 0.5 else ((0.0, 0.0),):
                    draw = partial(
                        counted, n=n, mean=mean, rho=rho, spread=spread, planted=planted, start=n // 2
                    )
                    yield Cell(f"mean {mean:,}, rho {rho}", n, n // 2, draw, planted)


def weeks() -> Iterator[Cell]:
    """Lag-7 autocorrelation, by the guard of daily series and by `weekly` (half of the replicates)."""
    for cell in others():
        if cell.n == 100 or "AR(7)" in cell.data:
            yield replace(cell, weekly=True)


def daily() -> Iterator[Cell]:
    """The same draws of other errors as daily series, whose intervals widen for lag-7 autocorrelation."""
    for cell in others():
        yield replace(cell, period=7)


SECTIONS = {
    section.__name__: section for section in (grid, others, counts, effects, holes, nets, daily, weeks)
}


def hac(design: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """OLS with its own standard errors, and with Newey-West's: Bartlett, lag .75 n^(1/3), times n / (n - k)."""
    n, k = design.shape
    inverse = np.linalg.inv(design.T @ design)
    pull = weights @ inverse @ design.T
    residuals = values - design @ (inverse @ design.T @ values)
    plain = np.sqrt((residuals**2).sum(0)[:, None] / (n - k) * np.diag(weights @ inverse @ weights.T))
    scores = pull[:, :, None] * residuals
    square, lags = (scores**2).sum(1), int(np.ceil(0.75 * n ** (1 / 3)))
    for lag in range(1, lags + 1):
        square += 2 * (1 - lag / (lags + 1)) * (scores[:, lag:] * scores[:, :-lag]).sum(1)
    return (pull @ values).T, plain, np.sqrt(np.maximum(square, 0).T * n / (n - k))


def measured(work: tuple[str, Cell | Asked], seed: int, replicates: int) -> Found:
    """One row of a section."""
    section, cell = work
    if isinstance(cell, Cell):
        return covered(cell, seed, replicates)
    return (netted if section == "nets" else answered)(cell, seed, replicates)


def covered(cell: Cell, seed: int, replicates: int) -> Found:
    """Share of intervals that hold the truth, its Monte Carlo error, and their median width."""
    replicates = replicates // 2 if cell.weekly else replicates
    # Each cell has its own stream, so that a row added later changes none of the others.
    rng = np.random.default_rng([seed, zlib.crc32(cell.name.encode())])
    design, values = cell.design(), cell.draw(rng, replicates).T
    if not cell.data.startswith("mean"):  # counts carry their effect in the rate
        values = values + (design[:, 2:4] @ cell.planted)[:, None]
    n, k = design.shape
    weights = cell.weights(k)
    truth = weights[:, 2:4] @ cell.planted
    found = {}

    def add(name, middle, half, which):
        hit = np.abs(middle - truth[which]) <= half
        found[name] = float(hit.mean()), float(hit.std() / np.sqrt(replicates)), float(np.median(2 * half))

    def add_fit(fit, note=""):
        middle, error, df = fit.contrast(weights)
        half = stdtrit(df, 0.975) * error
        for which, name in enumerate(EFFECTS):
            add(name + note, middle[:, which], half[:, which], which)

    if cell.weekly:
        fit = weekly(design, values)
        add_fit(fit.plain)
        add_fit(fit, ", weekly")
        taken = fit.strength > 0
        found["found"] = float(taken.mean()), float(taken.std() / np.sqrt(replicates)), np.nan
        return found
    add_fit(estimate(design, values, period=cell.period))
    if cell.period:
        return found
    middle, plain, robust = hac(design, values, weights)
    for name, error in (("OLS", plain), ("HAC", robust)):
        add(f"slope, {name}", middle[:, 1], stdtrit(n - k, 0.975) * error[:, 1], 1)
    return found


def shown(found: tuple[float, float, float]) -> str:
    share, error, width = found
    tail = "" if np.isnan(width) else f" ({width:.2g})"
    return f"{share * 100:.1f} ± {error * 100:.1f}{tail}"


def table(rows: list[tuple[Cell | Asked, Found]]) -> str:
    columns = list(rows[0][1])
    lines = [["errors", "n", "before", "planted", *columns], ["---"] * (4 + len(columns))]
    for cell, found in rows:
        planted = "0" if cell.planted == (0.0, 0.0) else "{:g}, {:g}".format(*cell.planted)
        each = [shown(found[name]) for name in columns]
        lines.append([cell.data, str(cell.n), str(cell.start), planted, *each])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def summary(rows: list[tuple[Cell | Asked, Found]]) -> str:
    """Worst, mean and best cell of each column."""
    parts = []
    for name in rows[0][1]:
        share = 100 * np.array([found[name][0] for _, found in rows])
        parts.append(f"{name} {share.min():.1f} / {share.mean():.1f} / {share.max():.1f}")
    return f"{len(rows)} cells; worst / mean / highest: {'; '.join(parts)}."


def coverage(options: argparse.Namespace) -> str:
    found: dict[str, list] = {name: [] for name in SECTIONS if options.only in (None, name)}
    work = [(name, cell) for name in found for cell in SECTIONS[name]()]
    run = partial(measured, seed=options.seed, replicates=options.replicates)
    with ProcessPoolExecutor(options.workers) as pool:
        answers = pool.map(run, work)
        for (name, cell), answer in tqdm(zip(work, answers, strict=True), total=len(work), unit="cell"):
            found[name].append((cell, answer))
    text = (
        f"Simulated, {date.today():%Y-%m-%d}: {options.replicates:,} replicates a cell, seed {options.seed}. Each "
        "entry is the coverage of 95 % intervals in %, ± its Monte Carlo standard error, and in brackets the median "
        "width. *Before* is the number of points before the interruption, *planted* the true level and slope.\n"
    )
    for name, rows in found.items():
        text += f"\n## {SECTIONS[name].__doc__.rstrip('.')}\n\n{summary(rows)}\n\n{table(rows)}\n"
    return text


def speed(seed: int) -> str:
    """A batch of 10,000 series of 200 points, beside a loop over statsmodels on 200 of them."""
    import warnings

    from statsmodels.tsa.arima.model import ARIMA
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    cell = Cell("rho .5", 200, 100, partial(ar1, n=200, rho=0.5))
    design, rng = cell.design(), np.random.default_rng(seed)
    values, weights = np.asfortranarray(cell.draw(rng, 10_000).T), cell.weights(4)
    noisy = np.asfortranarray(values + 0.5 * rng.standard_normal(values.shape))

    def batch(kind, values):
        return estimate(design, values, kind=kind).contrast(weights)

    def loop(model, values):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of the peer's fits do not converge
            for y in values.T:
                _ = model(y).bse

    pairs = [
        (
            "AR(1)",
            "ar1",
            values,
            "ARIMA(1,0,0)",
            lambda y: ARIMA(y, design, order=(1, 0, 0), trend="n").fit(),
        ),
        (
            "AR(1) + noise",
            "ar1_noise",
            noisy,
            "SARIMAX(1,0,0), measurement error",
            lambda y: SARIMAX(y, design, order=(1, 0, 0), measurement_error=True).fit(disp=False),
        ),
    ]
    lines = [
        "| errors | ours, ms a series | peer | peer, ms a series | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for errors, kind, y, peer, model in pairs:
        batch(kind, y[:, :50])
        model(y[:, 0])
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            batch(kind, y)
            times.append((time.perf_counter() - begun) / 10_000)
        begun = time.perf_counter()
        loop(model, y[:, :200])
        theirs, ours = (time.perf_counter() - begun) / 200, float(np.median(times))
        lines.append(f"| {errors} | {ours * 1e3:.3f} | {peer} | {theirs * 1e3:.0f} | {theirs / ours:.0f} |")
    years = replace(cell, n=1096, start=600, weekdays=True)
    one, wanted, singles = years.design(), years.weights(10), []
    for y in arma(rng, 50, years.n, [0.5]) + 0.5 * rng.standard_normal((50, years.n)):
        begun = time.perf_counter()
        estimate(one, y, period=7).contrast(wanted)
        singles.append(time.perf_counter() - begun)
    return (
        f"Measured {date.today():%Y-%m-%d} in one run: 10,000 series of 200 points in one batch, fit and three "
        "contrasts (median of three); the peer in a loop over 200 of them, its fit and standard errors.\n\n"
        + "\n".join(lines)
        + "\n\nOne series of 1,096 days with weekday means (10 columns), AR(1) + noise, fit and three contrasts: "
        f"median {np.median(singles) * 1e3:.0f} ms, slowest of 50 {max(singles) * 1e3:.0f} ms.\n\n"
        + asked(rng)
    )


def asked(rng: np.random.Generator) -> str:
    """What a batch of 1,000 daily series takes through the public function, and one multiverse."""
    days = pd.date_range("2019-01-01", periods=400)
    noise = arma(rng, 1000, 400, [0.6]) + 0.5 * rng.standard_normal((1000, 400))
    frame = pd.DataFrame(np.exp(6 + 0.05 * noise.T), index=days, columns=[f"s{i}" for i in range(1000)])
    terms = {"removed": Level("2019-09-08"), "live": [Level("2019-11-01"), Slope("2019-11-01")]}
    interrupted_time_series(frame.iloc[:, :2], terms).effect()
    begun, result, taken = time.perf_counter(), interrupted_time_series(frame, terms), {}
    taken["fit"] = time.perf_counter() - begun
    for name in ("table", "effect", "counterfactual", "recovery"):
        begun = time.perf_counter()
        answer = getattr(result, name)
        _ = answer() if callable(answer) else answer
        taken[name] = time.perf_counter() - begun
    each = ", ".join(f"{name} {seconds:.2f} ms" for name, seconds in taken.items())
    long = pd.date_range("2018-01-01", periods=1096)
    counts = rng.poisson(np.exp(9 + 0.05 * arma(rng, 1, 1096, [0.5])[0] - 0.2 * (np.arange(1096) >= 600)))
    one = interrupted_time_series(pd.Series(counts, index=long), {"removed": Level(long[600])})
    begun = time.perf_counter()
    choices = len(one.multiverse().table)
    return (
        f"1,000 series of 400 days (weekday means, 3 terms) through `interrupted_time_series`, each by series: {each}. "
        f"`.multiverse()` of 1,096 days of counts with all defaults, {choices} choices: "
        f"{time.perf_counter() - begun:.1f} s.\n\n{moved(rng)}"
    )


def moved(rng: np.random.Generator) -> str:
    """What an update of the panel takes, its figure included, by length and calendar."""
    from toolkit.panels import InterruptionPanel

    told = []
    for n, calendar in product((365, 730, 1096), (None, "all")):
        days = pd.date_range("2021-01-01", periods=n)
        levels = 8 + 0.25 * (days.day_of_week >= 5) - 0.15 * (np.arange(n) >= n // 2)
        visits = pd.Series(np.exp(levels + 0.05 * arma(rng, 1, n, [0.6])[0]), index=days, name="visits")
        panel, taken = InterruptionPanel(visits, str(days[n // 2].date()), calendar=calendar), list[float]()
        for turn in range(16):
            begun = time.process_time()
            panel.date.value = days[n // 2 + 1 + turn % 2]
            taken.append(time.process_time() - begun)
        with_it = " with the whole calendar" if calendar else ""
        told.append(f"{n:,} days{with_it} {np.median(taken[1:]) * 1e3:.0f} ms")
    return (
        "An update of `InterruptionPanel`, its figure as a PNG included, of the processor, median of 15: "
        f"{', '.join(told)}.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=list(SECTIONS))
    parser.add_argument("--speed", action="store_true", help="measure speed instead of coverage")
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    text = speed(options.seed) if options.speed else coverage(options)
    print(text)
    if options.write:
        kept = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
        kept, _, old_speed = kept.partition(SPEED)
        prose, _, tables = kept.partition(MARK)
        if options.speed:
            old_speed = f"\n\n{text}"
        elif options.only and tables:
            # The other sections stay as they are, all in their order.
            heads = [f"\n## {section.__doc__.rstrip('.')}\n" for section in SECTIONS.values()]
            new = "\n## " + text.split("\n## ", 1)[1]
            parts = [
                part for part in re.split(r"(?=\n## )", tables) if part.split("\n")[1] != new.split("\n")[1]
            ]
            parts = [*(part.rstrip("\n") + "\n" for part in parts), new.rstrip("\n") + "\n"]
            parts.sort(
                key=lambda part: next((i for i, head in enumerate(heads) if part.startswith(head)), -1)
            )
            tables = "".join(parts) + "\n"
        else:
            tables = f"\n\n{text}\n"
        REPORT.write_text(f"{prose}{MARK}{tables}{SPEED}{old_speed}", encoding="utf-8")


if __name__ == "__main__":
    main()
