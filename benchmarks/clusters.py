"""How often intervals over days hold the truth, and how often a world in which nothing changed is said to have changed.

    uv run python benchmarks/clusters.py --seed 1 --replicates 400 --write

prints one table per section, and with --write puts them under the prose of clusters.md. A replicate draws two spans
of days of a funnel of four steps and compares them as `Funnel.from_counts(..., cluster="date").compare()` does, or two
platforms with three tiers and compares them as `compare(..., cluster="date")` does.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from toolkit import Funnel, compare, split_product
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


@dataclass(frozen=True)
class Platforms:
    """Two platforms with three tiers whose mixes and rates swing from day to day, half of it for all tiers together."""

    name: str
    days: int
    same: bool
    memory: float = 0.0
    people: int = 50_000

    #: Shares and rates of the tiers on each platform.
    mixes = np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4]])
    rates = np.array([[0.03, 0.02, 0.01], [0.035, 0.02, 0.008]])
    swing, mix_swing = 0.12, 0.1

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        """One row a day, platform and tier; platforms are seen on the same days or on days of their own."""
        size = self.days if self.same else 2 * self.days
        shock = self._course(rng, (size, 1))
        parts = []
        for at, name in enumerate("AB"):
            rows = np.arange(self.days) + (0 if self.same else at * self.days)
            n = rng.poisson(self.people * np.exp(0.15 * rng.standard_normal(self.days)))
            mix = self.mixes[at] * np.exp(self.mix_swing * rng.standard_normal((self.days, 3)))
            by_tier = rng.multinomial(n, mix / mix.sum(1, keepdims=True))
            noise = np.sqrt(0.5) * (shock[rows] + self._course(rng, (self.days, 3)))
            paid = rng.binomial(by_tier, np.clip(self.rates[at] * (1 + self.swing * noise), 0, 1))
            dates = np.repeat(np.datetime64("2024-01-01") + rows, 3)
            own = {"date": dates, "city_tier": ["one", "two", "three"] * self.days}
            parts.append(
                pd.DataFrame(own | {"n": by_tier.ravel(), "converted": paid.ravel()}).assign(platform=name)
            )
        return pd.concat(parts, ignore_index=True)

    def _course(self, rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        noise = rng.standard_normal(shape)
        for day in range(1, len(noise)):
            noise[day] = self.memory * noise[day - 1] + np.sqrt(1 - self.memory**2) * noise[day]
        return noise

    def truth(self) -> np.ndarray:
        """Gap, mix and rate component: of so many days that chance is nothing, whatever days have in common."""
        many = Platforms("many days", 40_000, True, people=self.people)
        return _gaps(many)


@cache
def _gaps(world: Platforms) -> np.ndarray:
    return np.asarray(compare(world.draw(np.random.default_rng(1)), adjust=None).table["estimate"])


def platforms_measured(world: Platforms, seed: int, replicates: int) -> list[str]:
    """One row: coverage of gap, mix and rate component, and of the gap where days are not known."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(world).encode())])
    truth = world.truth()
    held: list[np.ndarray] = []
    alone: list[np.ndarray] = []
    widths: list[float] = []
    for _ in range(replicates):
        rows = world.draw(rng)
        for found, cluster in ((held, "date"), (alone, None)):
            table = compare(rows, cluster=cluster, adjust=None).table
            low, high = table["low"].to_numpy(), table["high"].to_numpy()
            found.append((low <= truth) & (truth <= high))
            widths += [(high - low)[0] * 100] if cluster else []
    covered = [f"{share:.1f}" for share in 100 * np.mean(held, axis=0)]
    return [
        world.name,
        str(world.days),
        *covered,
        f"{np.median(widths):.2f}",
        f"{100 * np.mean(alone, 0)[0]:.1f}",
    ]


def split_measured(world: World, seed: int, replicates: int) -> list[str]:
    """One row: coverage of steps' contributions and of the gap by `split_product`; nothing changed, so all are 0."""
    rng = np.random.default_rng([seed, zlib.crc32(repr(world).encode())])
    held, widths = [], []
    for _ in range(replicates):
        table = split_product(Funnel(world.draw(rng), 0.95), platform="span", to="before").table
        low, high = table["low"].to_numpy(), table["high"].to_numpy()
        held.append((low <= 0) & (high >= 0))
        widths.append((high - low)[-1] * 100)
    covered = 100 * np.mean(held, axis=0)
    return [
        world.name,
        str(world.days),
        f"{covered[:-1].mean():.1f}",
        f"{covered[-1]:.1f}",
        f"{np.median(widths):.3f}",
    ]


def platforms_report(seed: int, replicates: int) -> Iterator[str]:
    """Sections on platforms and tiers, and on `split_product`, as Markdown."""
    cells = [
        Platforms(name, days, same, memory)
        for name, same, memory in (
            ("platforms seen on days of their own", False, 0.0),
            ("platforms seen on the same days, which they share half of", True, 0.0),
            ("the same days, AR(1) 0.3", True, 0.3),
        )
        for days in (7, 14, 28)
    ]
    rows = [platforms_measured(world, seed, replicates) for world in tqdm(cells, desc="tiers", leave=False)]
    yield _section(
        "Platforms and tiers: `compare(cluster=)`",
        "| world | days a side | gap covered, % | mix, % | rate, % | median width of the gap, points | gap without "
        "cluster=, % |",
        rows,
    )
    spans = [World("steps correlated, 0.6", days, steps=0.6) for days in (7, 14, 28)]
    rows = [split_measured(world, seed, replicates) for world in tqdm(spans, desc="split", leave=False)]
    head = "| world | days a side | contributions covered, % | gap, % | median width of the gap, points |"
    yield _section("Steps of a gap: `split_product`", head, rows)


def _section(title: str, head: str, rows: list[list[str]]) -> str:
    lines = [head, "|---|" + "--:|" * (head.count("|") - 2), *(f"| {' | '.join(row)} |" for row in rows)]
    return f"## {title}\n\n" + "\n".join(lines)


def report(seed: int, replicates: int) -> str:
    """All sections as Markdown."""
    head = "| world | days a side | steps covered, % | end to end, % | median width, points | any false claim, % |"
    parts = [f"{replicates:,} replicates a row, seed {seed}, {date.today():%Y-%m-%d}."]
    for title, cells in worlds():
        rows = [measured(world, seed, replicates) for world in tqdm(cells, desc=title, leave=False)]
        parts.append(_section(title, head, rows))
    parts += platforms_report(seed, replicates)
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
