"""How often a break's confidence set holds the date at which a series was broken, and how often a break is claimed.

Of `toolkit.interruptions.checks.breaks.where_is_the_break`, with its defaults but fewer replicates.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from tqdm import tqdm

from toolkit.interruptions.checks import break_scan
from toolkit.interruptions.checks.breaks import where_is_the_break
from toolkit.interruptions.errors import reml

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/breaks.py -->"
ERRORS = {
    "independent": (0.0, 1.0),
    "AR(1) .5": (0.5, 1.0),
    "AR(1) .8": (0.8, 1.0),
    "AR(1) .9 and noise": (0.9, 0.5),
}
#: Points, jump in standard deviations of the errors, and the share of points before it.
DESIGNS = ((60, 0.0, 0.5), (60, 2.0, 0.5), (60, 1.0, 0.5))
#: Series whose simulated ones are looked at together.
CHUNK = 10
HEAD = (
    "errors",
    "n",
    "jump",
    "before",
    "claimed",
    "set holds the date",
    "at q of a small break",
    "dates in the set",
)


def drawn(rng: np.random.Generator, n: int, rho: float, lam: float) -> np.ndarray:
    """Errors of standard deviation 1, a share lam of their variance an AR(1) state."""
    shocks = rng.standard_normal(n) * np.sqrt(1 - rho**2)
    shocks[0] /= np.sqrt(1 - rho**2)
    return np.sqrt(lam) * lfilter([1], [1, -rho], shocks) + np.sqrt(1 - lam) * rng.standard_normal(n)


def row(cell: tuple[tuple[int, float, float], str], seeds: int, seed: int, replicates: int) -> str:
    """One cell of the table: what `where_is_the_break` does to each series, done to all of them together."""
    (n, jump, place), name = cell
    start, at, kind = round(place * n), np.arange(n), "ar1_noise"
    base, trim = np.ones((n, 1)), n // 10
    starts = np.arange(trim, n - trim + 1)
    columns = break_scan.broken(at, starts, "level")
    rngs = [np.random.default_rng(seed * 1_000_000 + s) for s in range(seeds)]
    values = np.column_stack([jump * (at >= start) + drawn(rng, n, *ERRORS[name]) for rng in rngs])
    gain = break_scan.gains(base, columns, values, at, kind)
    tops = gain.argmax(0)
    draws = []
    for s in range(seeds):
        rng, full = np.random.default_rng(s), np.column_stack([base, columns[tops[s], 0]])
        found = reml.estimate(full, values[:, s], at, kind=kind)
        null = reml.estimate(base, values[:, s], at, kind=kind)
        without = break_scan.simulated(rng, null, replicates)
        again = (full @ found.coefficients[0])[:, None] + break_scan.simulated(rng, found, replicates)
        draws.append(np.hstack([without, again]))
    pieces = [
        break_scan.largest(base, columns, np.hstack(draws[a : a + CHUNK]), at, kind, which, "")
        for a in range(0, seeds, CHUNK)
        for which in [np.repeat(tops[a : a + CHUNK], 2 * replicates)]
    ]
    most, over = (np.concatenate(part).reshape(seeds, 2, replicates) for part in zip(*pieces, strict=True))
    best = gain.max(0)
    p = (1 + (most[:, 0] >= best[:, None]).sum(1)) / (replicates + 1)
    small = -2 * np.log1p(-np.sqrt(0.95))
    inside = best - gain <= np.maximum(small, np.quantile(over[:, 1], 0.95, axis=1))
    # The public function says the same.
    answer = where_is_the_break(pd.Series(values[:, 0]), scale="identity", replicates=replicates, seed=0)
    if not np.isclose(answer.p, p[0]) or answer.table["inside"].tolist() != inside[:, 0].tolist():
        raise RuntimeError(f"{cell}: where_is_the_break answers otherwise than this benchmark")
    held, plain = inside[start - trim], best - gain[start - trim] <= small
    claimed, sizes = p <= 0.05, inside.sum(0)
    where = f"{start}" if jump else "none"
    sets = (
        f"{100 * held.mean():.1f} | {100 * plain.mean():.1f} | {np.median(sizes):.0f}"
        if jump
        else "– | – | –"
    )
    return f"| {name} | {n} | {jump:g} | {where} | {100 * claimed.mean():.1f} | {sets} |"


def main() -> None:
    """Print the table, or put it below the prose of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=199)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    cells = list(product(DESIGNS, ERRORS))
    work = partial(row, seeds=asked.seeds, seed=asked.seed, replicates=asked.replicates)
    with ProcessPoolExecutor(asked.workers) as pool:
        rows = []
        for line in tqdm(pool.map(work, cells), total=len(cells)):
            tqdm.write(line, file=sys.stderr)
            rows.append(line)
    near = 100 * np.sqrt(0.05 * 0.95 / asked.seeds)
    said = (
        f"{date.today().isoformat()}: {asked.seeds} series a cell, seed {asked.seed}, {asked.replicates} simulated for "
        f"the p and the set of each. Per cent, but for the median number of dates; Monte Carlo error {near:.1f} near "
        f"95 and 5 %, {50 / np.sqrt(asked.seeds):.1f} at most."
    )
    table = "\n".join([said, "", f"| {' | '.join(HEAD)} |", "|" + " --- |" * len(HEAD), *rows])
    if not asked.write:
        print(table)
        return
    prose = REPORT.read_text(encoding="utf-8").partition(MARK)[0]
    REPORT.write_text(f"{prose.rstrip()}\n\n{MARK}\n\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
