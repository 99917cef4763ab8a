"""Whether the average over bends holds the true effect where the trend is bent, and what it costs where it is not.

    uv run python -m benchmarks.sensitivity [--series 200]

Truths of benchmarks.outside, each series asked as an analyst asks it. To save time a trend is bent at 12 dates at
most, and the multiverse has the errors as asked alone, as only these are tested.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import numpy as np
import pandas as pd

from benchmarks.outside import BOTH, TRUTHS, WALKS, Truth, ar, asked, logs
from toolkit.interruptions.checks import bends

PAGE = Path(__file__).with_suffix(".md")
DATES = 12
WEEKDAYS = next(truth for truth in TRUTHS if truth.name.startswith("own: AR(1) .5"))


def faster(rng: np.random.Generator, n: int) -> np.ndarray:
    """Growth that gained .3 % a day 60 days before the event, which took a slope of .5 % a day away."""
    days = np.arange(n)
    bent = 0.002 * days + 0.003 * np.maximum(days - 140, 0) - 0.005 * np.maximum(days - 200, 0)
    return np.asarray(bent + 0.05 * ar(rng, n, 0.5))


CELLS = (
    *(truth for truth in TRUTHS if truth.fault == "bend"),
    Truth(
        "own: growth gained .3 % a day 60 days before, Level and Slope",
        logs(faster),
        260,
        200,
        "bend",
        0.0,
        BOTH,
    ),
    *(truth for truth in TRUTHS if truth.name.startswith("own") and not truth.fault),
    replace(WEEKDAYS, name="own: the same with Level and Slope", terms=BOTH),
    WALKS[1],
)


#: What falls short, by hand.
SHORT = (
    "A level that walks is no bend: there the average covers no more than the default does, and says in one series of",
    "seven that the conclusion depends on one. The multiverse sees a bend only where the interval as asked is narrow",
    "enough to be wrong: where growth slowed by .4 % a day the fit takes the bend for a walk with a wide interval.",
    "The average's interval is shorter than that as asked there, because a bend explains what a walk had to.",
)


def true_effect(truth: Truth) -> float:
    """What was planted, as the effect over all periods after the event."""
    if "Level and Slope" in truth.name and truth.fault:
        added = -0.005 * np.arange(truth.n - truth.at)
        growth = 0.005 * np.arange(truth.n - truth.at)
        return float(np.exp(growth + added).sum() / np.exp(growth).sum() - 1)
    return float(np.expm1(truth.planted))


def cell(truth: Truth, series: int) -> dict[str, Any]:
    """One row of the page."""
    planted, rows = true_effect(truth), []
    for seed in range(series):
        model, _ = asked(truth, seed)
        every = -(-len(bends.admissible(model, truth.at)) // DATES)
        found = model.sensitivity(every=max(every, 1))
        own, wide = found.table.iloc[0], found.range
        rows.append(
            {
                "as asked": own["low"] <= planted <= own["high"],
                "average": wide["low"] <= planted <= wide["high"],
                "width": (wide["high"] - wide["low"]) / (own["high"] - own["low"]),
                "bent": found.bent,
                "depends": "conclusion depends" in found.sentence(),
                "moves": not model.multiverse(errors=["auto"]).moved.empty,
            }
        )
    table = pd.DataFrame(rows)
    mean, median = table.mean(), table.median()
    return {
        "truth": truth.name,
        "bent": "yes" if truth.fault else "no",
        "covered as asked": f"{mean['as asked']:.1%}",
        "covered by the average": f"{mean['average']:.1%}",
        "width, times": f"{median['width']:.2f}",
        "weight on a bend": f"{median['bent']:.2f}",
        "conclusion depends": f"{mean['depends']:.0%}",
        "multiverse moves": f"{mean['moves']:.0%}",
    }


def numbered(place: int, series: int) -> dict[str, Any]:
    """The row of the truth at a place, for a process of its own."""
    return cell(CELLS[place], series)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.jobs) as pool:
        table = pd.DataFrame(list(pool.map(numbered, range(len(CELLS)), [given.series] * len(CELLS))))
    error = 100 * np.sqrt(0.95 * 0.05 / given.series)
    head = [
        "# Sensitivity to a bend in the trend",
        "",
        f"`.sensitivity()` of the default on {given.series} series a row (coverage of 95 % has a Monte Carlo error of",
        f"{error:.1f} points), by `uv run python -m benchmarks.sensitivity`; trends are bent at {DATES} dates at most.",
        "*As asked* is the interval with a straight trend, *the average* that over trends with one more bend, on both",
        "scales; width is the second over the first, in the median, as is the weight that the data give to a bend.",
        "*Conclusion depends*: the share of sensitivity's sentences that say so. *Multiverse moves*: the share of",
        "`.multiverse()` that finds an estimate of another season or window to differ by more than chance.",
        "",
    ]
    rows = [" | ".join(map(str, row)) for row in table.itertuples(index=False, name=None)]
    body = [" | ".join(table.columns), " | ".join("---" for _ in table.columns), *rows]
    PAGE.write_text("\n".join([*head, *(f"| {line} |" for line in body), "", *SHORT, ""]))


if __name__ == "__main__":
    main()
