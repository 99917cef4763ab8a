"""How often intervals over days hold the truth, and how often a world in which nothing changed is said to have changed.

    uv run python benchmarks/clusters.py --seed 1 --replicates 400 --write

prints one table per section, and with --write puts them under the prose of clusters.md. A replicate draws two spans
of days of a funnel of four steps and compares them as `Funnel.from_counts(..., cluster="date").compare()` does.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from toolkit.clusters import Clusters
from toolkit.funnels.step_counts import StepCounts
from toolkit.intervals import difference, score_test, welch

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/clusters.py -->"
STEPS = ("seen", "entered", "clicked", "added", "paid")
RATES = np.array([0.2, 0.3, 0.15, 0.4])
#: How far each rate swings from day to day, relative to itself.
SWINGS = np.array([0.08, 0.04, 0.08, 0.12])
#: Relative weekday pattern of every rate, Monday first.
WEEK = np.array([-0.08, -0.06, -0.03, 0.0, 0.02, 0.1, 0.05])


@dataclass(frozen=True)
class World:
    """How days differ: correlation of steps within a day, AR(1) from day to day, weekday pattern, spread of sizes."""

    name: str
    days: int
    steps: float = 0.0
    memory: float = 0.0
    weekly: bool = False
    sizes: float = 0.15
    swings: float = 1.0

    def draw(self, rng: np.random.Generator) -> StepCounts:
        """Two spans, one after the other, in which nothing changed."""
        size = 2 * self.days
        noise = rng.standard_normal((size, 4)) * np.sqrt(1 - self.steps)
        noise += rng.standard_normal((size, 1)) * np.sqrt(self.steps)
        for day in range(1, size):
            noise[day] = self.memory * noise[day - 1] + np.sqrt(1 - self.memory**2) * noise[day]
        relative = 1 + self.swings * SWINGS * noise
        if self.weekly:
            relative += WEEK[np.arange(size) % 7][:, None]
        rates = np.clip(RATES * relative, 0.001, 0.999)
        counts = [rng.poisson(50_000 * np.exp(self.sizes * rng.standard_normal(size)))]
        for step in range(4):
            counts.append(rng.binomial(counts[-1], rates[:, step]))
        by_day = np.stack(counts, axis=-1)
        sides = np.zeros((size, 2, 5))
        sides[: self.days, 0], sides[self.days :, 1] = by_day[: self.days], by_day[self.days :]
        return StepCounts(
            steps=STEPS,
            by=("span",),
            unit="counts",
            groups=pd.DataFrame({"span": ["before", "after"]}),
            texts=(("before",), ("after",)),
            reached=sides.sum(0).astype(np.int64),
            in_window=np.full((2, 5), np.nan),
            clusters=Clusters("date", sides, np.arange(size)),
        )


def worlds() -> Iterator[tuple[str, list[World]]]:
    """Cells by section."""
    spans = (7, 14, 28, 60)
    yield (
        "Days independent of each other",
        [
            *(World("steps independent", days) for days in spans),
            *(World("steps correlated, 0.6", days, steps=0.6) for days in spans),
            *(World("rates do not swing: chance of people alone", days, swings=0.0) for days in (7, 28)),
            *(
                World("sizes of days differ by a factor 2 (standard deviation)", days, sizes=0.7)
                for days in (7, 28)
            ),
        ],
    )
    yield (
        "A weekday pattern",
        [
            *(
                World("weekdays differ by −8 to +10 %, steps correlated, 0.6", days, 0.6, weekly=True)
                for days in spans
            )
        ],
    )
    yield (
        "Days with memory",
        [World(f"AR(1) {memory}", days, memory=memory) for memory in (0.3, 0.5) for days in spans]
        + [World("AR(1) 0.3 and a weekday pattern", days, memory=0.3, weekly=True) for days in (14, 28, 60)],
    )


def measured(world: World, seed: int, replicates: int) -> list[str]:
    """One row: coverage of differences of steps' rates and of the rate end to end, and the share with a false claim."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(world).encode())])
    held, widths, claims = [], [], 0
    for _ in range(replicates):
        counts, lines = world.draw(rng), []
        for base, step in (*pairwise(STEPS), (STEPS[0], STEPS[-1])):
            both = counts.rate(step, base)
            before, after = welch(both.at(0), both.at(1))
            lines.append((*difference(after, before), score_test(after, before)))
        low, high, p = np.array(lines).T
        held.append((low <= 0) & (high >= 0))
        widths.append((high - low)[0] * 100)
        claims += len(p) * p.min() < 0.05  # Holm's first step
    covered = 100 * np.mean(held, axis=0)
    return [
        world.name,
        str(world.days),
        f"{covered[:-1].mean():.1f}",
        f"{covered[-1]:.1f}",
        f"{np.median(widths):.2f}",
        f"{100 * claims / replicates:.1f}",
    ]


def report(seed: int, replicates: int) -> str:
    """All sections as Markdown."""
    head = "| world | days a side | steps covered, % | end to end, % | median width, points | any false claim, % |"
    parts = [f"{replicates:,} replicates a row, seed {seed}, {date.today():%Y-%m-%d}."]
    for title, cells in worlds():
        rows = [measured(world, seed, replicates) for world in tqdm(cells, desc=title, leave=False)]
        lines = [head, "|---|" + "--:|" * 5, *(f"| {' | '.join(row)} |" for row in rows)]
        parts.append(f"## {title}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Print the tables; write them to the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = report(options.seed, options.replicates)
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").partition(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
