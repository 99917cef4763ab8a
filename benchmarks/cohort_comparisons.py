"""How often compared cohorts hold the true difference and ratio, and claim one where there is none.

    uv run python benchmarks/cohort_comparisons.py --seed 1 --replicates 200 --write

prints one table per section, and with --write puts them under the prose of cohort_comparisons.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special
from tqdm.auto import tqdm

from toolkit.cohorts.comparison import CohortComparison, compare_repurchase, compare_retention
from toolkit.counts import COMPLETE
from toolkit.intervals import CrossSums, Rate, UserSums, correlation

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/cohort_comparisons.py -->"
Row = tuple[str, dict[str, str]]
#: Points of a standard normal and their weights, for means over cohorts and users.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class World:
    """Two groups of cohorts; `gap` is how much lower the logit of the reference's rates is."""

    said: str
    cohorts: int = 10
    users: int = 300
    spread: float = 0.2
    alike: float = 0.7
    gap: float = 0.25
    growth: float = 1.0
    uneven: float = 0.0
    tails: bool = False
    fresh: bool = False
    both: float = 0.0
    lean: float = 0.0


WORLDS = (
    World("3 cohorts of 300 that differ, alike in part", cohorts=3),
    World("4 cohorts of 300 that do not differ", cohorts=4, spread=0.0),
    World("4 cohorts of 300 that differ apart", cohorts=4, alike=0.0),
    World("4 cohorts of 300 that differ alike", cohorts=4, alike=1.0),
    World("10 cohorts of 300 that do not differ", spread=0.0),
    World("10 cohorts of 300 that differ apart", alike=0.0),
    World("10 cohorts of 300 that differ alike in part"),
    World("10 cohorts of 300 that differ alike", alike=1.0),
    World("10 cohorts of 5,000 that differ apart", users=5000, alike=0.0),
    World("10 cohorts of 5,000 that differ alike", users=5000, alike=1.0),
    World("26 cohorts of 300 that differ alike in part", cohorts=26),
    World("10 cohorts of 20, rare returns", users=20, spread=0.1),
    World("10 cohorts, one group grows by a fifth a cohort", growth=1.2),
    World("10 cohorts of very uneven sizes", uneven=1.0),
    World("10 cohorts, a few very good or bad (Student's t, 3)", tails=True),
    World("10 cohorts, good or bad in each period afresh", fresh=True),
)
SHARED = (
    World("no user in both; users lean", spread=0.0, lean=1.5),
    World("half of the users in both, in the same cohort", spread=0.0, both=0.5, lean=1.5),
    World("all users in both", spread=0.0, both=1.0, lean=1.5),
    World("all users in both, heavy and light ones", spread=0.0, both=1.0, lean=3.0),
    World("half in both, cohorts differ alike in part", both=0.5, lean=1.5),
    World("half in both, 4 cohorts that differ apart", cohorts=4, alike=0.0, both=0.5, lean=1.5),
    World("all in both, 3 cohorts of 50", cohorts=3, users=50, both=1.0, lean=1.5),
)


def levels(world: World) -> np.ndarray:
    """Logits of the first group's rates by period number, from 1."""
    base = -3.0 if world.users <= 20 else -0.4
    return base - 0.35 * np.log(np.arange(1, world.cohorts))


def mean_rate(logit: np.ndarray, spread: float) -> np.ndarray:
    return np.asarray((special.expit(logit[:, None] + spread * NODES) * WEIGHTS).sum(1))


def effects(rng: np.random.Generator, world: World) -> np.ndarray:
    """How good cohorts are: group x cohort x period."""
    ages = world.cohorts - 1
    shape = (2, world.cohorts, ages if world.fresh else 1)
    own = rng.standard_t(3, shape) / np.sqrt(3) if world.tails else rng.normal(size=shape)
    own[1] = world.alike * own[0] + np.sqrt(1 - world.alike**2) * own[1]
    return np.broadcast_to(world.spread * own, (2, world.cohorts, ages))


def sizes(rng: np.random.Generator, world: World) -> np.ndarray:
    mean = np.full((2, world.cohorts), float(world.users))
    mean[0] *= world.growth ** (np.arange(world.cohorts) - world.cohorts / 2)
    return np.maximum(rng.poisson(mean * np.exp(world.uneven * rng.normal(size=mean.shape))), 2)


def frame(group: str, n: np.ndarray, kept: np.ndarray) -> pd.DataFrame:
    """Cells of a triangle: a cohort of place c has seen the periods up to cohorts - 1 - c."""
    cohorts = len(n)
    c, age = np.nonzero(np.arange(cohorts)[:, None] + np.arange(1, cohorts) <= cohorts - 1)
    own = pd.DataFrame({"group": group, "cohort": c, "age": age + 1, "age_to": age + 1, "size": n[c]})
    return own.assign(eligible=n[c], retained=kept[c, age], retained_eligible=kept[c, age], status=COMPLETE)


def apart(rng: np.random.Generator, world: World) -> tuple[pd.DataFrame, None]:
    n, good = sizes(rng, world), effects(rng, world)
    logits = levels(world) + good - world.gap * np.arange(2)[:, None, None]
    kept = rng.binomial(n[..., None], special.expit(logits))
    return pd.concat(
        [frame(name, *own) for name, own in zip("ab", zip(n, kept, strict=True), strict=True)]
    ), None


def together(rng: np.random.Generator, world: World) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """User by user: each leans to come back or not, on both sides alike."""
    good, ages = effects(rng, world), world.cohorts - 1
    frames: dict[str, list[np.ndarray]] = {"a": [], "b": []}
    sums = np.zeros((ages, 4))
    for c in range(world.cohorts):
        common = int(world.both * world.users)
        lean = [rng.normal(size=world.users) for _ in range(2)]
        lean[1][:common] = lean[0][:common]
        drawn = []
        for side in range(2):
            logits = levels(world) + good[side, c] - world.gap * side + world.lean * lean[side][:, None]
            drawn.append(rng.random((world.users, ages)) < special.expit(logits))
        for name, own in zip("ab", drawn, strict=True):
            frames[name].append(own.sum(0))
        seen = world.cohorts - 1 - c
        y, w = (own[:common, :seen].astype(float) for own in drawn)
        sums[:seen] += np.column_stack([np.full(seen, common), y.sum(0), w.sum(0), (y * w).sum(0)])
    n = np.full(world.cohorts, world.users)
    cells = pd.concat([frame(name, n, np.array(kept)) for name, kept in frames.items()])
    age = np.arange(1, ages + 1)
    shared = pd.DataFrame(sums, columns=["xx", "yx", "xy", "yy"]).assign(age=age, age_to=age, same=1)
    return cells, shared if world.both else None


Made = Callable[[np.random.Generator, World], tuple[pd.DataFrame, pd.DataFrame | None]]


def asked(cells: pd.DataFrame, shared: pd.DataFrame | None, *, alike: bool = True) -> CohortComparison:
    return compare_retention(
        cells, ("group",), "b", period="week", confidence=0.95, alike=alike, shared=shared
    )


def rows(made: Made, worlds: tuple[World, ...], rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    for world in worlds:
        spread = np.hypot(world.spread, world.lean)
        p, q = (mean_rate(levels(world) - gap, spread) for gap in (0.0, world.gap))
        last = max(world.cohorts - 2, 1)
        places = {"week 1": 1, "last with two cohorts": last}
        held: dict[str, list[bool]] = {}
        widths: dict[str, list[float]] = {"used": [], "plain": []}
        claims = []
        for replicate in range(replicates):
            cells, shared = made(rng, world)
            table = asked(cells, shared).table.set_index(["measure", "age"])
            for name, age in places.items():
                for measure, truth in (("difference", p - q), ("ratio", p / q)):
                    row = table.loc[(measure, age)]
                    held.setdefault(f"{measure}, {name}", []).append(
                        row["low"] <= truth[age - 1] <= row["high"]
                    )
            if replicate % 5 == 0:
                plain = asked(cells, None, alike=False).table.set_index(["measure", "age"])
                for name, one in (("used", table), ("plain", plain)):
                    row = one.loc[("difference", 1)]
                    widths[name].append(row["high"] - row["low"])
            null = asked(*made(rng, replace(world, gap=0.0))).table
            claims.append(bool((null["p_adjusted"] < 0.05).any()))
        found = {name: share(one) for name, one in held.items()}
        ratio = np.median(widths["used"]) / np.median(widths["plain"])
        yield (
            world.said,
            found | {"width, of independent groups'": f"{ratio:.2f}", "claims of nothing": share(claims)},
        )


def retention_apart(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Retention of two groups of one log, which share no user."""
    yield from rows(apart, WORLDS, rng, replicates)


def retention_together(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Retention of two results of one log, with users in both."""
    yield from rows(together, SHARED, rng, replicates)


def buyers(
    rng: np.random.Generator, users: int, both: float, heavy: float, gap: float
) -> tuple[np.ndarray, ...]:
    """Buyers' months x and months with another purchase y, on two sides; heavy ones have many months and lean up."""
    size = rng.normal(size=users)
    there = np.stack([np.arange(users) < users * (1 + both) / 2, np.arange(users) >= users * (1 - both) / 2])
    x = there * (1 + np.minimum(rng.poisson(np.exp(heavy * size - 0.5), (2, users)), 60))
    lean = special.expit(-1 + 0.8 * size - gap * np.arange(2)[:, None])
    return x, rng.binomial(x, lean)


def repurchase_together(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Repurchase by month, where buyers count in many months and in both groups."""
    for users, both, heavy in (
        (100, 0.0, 1.0),
        (100, 1.0, 1.0),
        (1000, 0.0, 1.5),
        (1000, 0.5, 1.5),
        (1000, 1.0, 1.5),
    ):
        x, y = buyers(rng, 2_000_000, both, heavy, 0.25)
        p, q = y.sum(1) / x.sum(1)
        held: dict[str, list[bool]] = {"difference": [], "ratio": []}
        claims, widths = [], []
        for _ in range(replicates):
            found = monthly(*buyers(rng, users, both, heavy, 0.25)).table.set_index("measure")
            for measure, truth in (("difference", p - q), ("ratio", p / q)):
                row = found.loc[measure]
                held[measure].append(bool(row["low"] <= truth <= row["high"]))
            widths.append(found.loc["difference", "high"] - found.loc["difference", "low"])
            null = monthly(*buyers(rng, users, both, heavy, 0.0)).table
            claims.append(bool((null["p_adjusted"] < 0.05).any()))
        said = f"{users:,} buyers, {both:.0%} in both, heaviness {heavy:g}".replace("%", " %")
        found_shares = {name: share(one) for name, one in held.items()}
        yield said, found_shares | {"width": f"{np.median(widths):.2g}", "claims of nothing": share(claims)}


def monthly(x: np.ndarray, y: np.ndarray) -> CohortComparison:
    sums = [UserSums.of(b, a) for a, b in zip(x, y, strict=True)]
    joined = UserSums(*(np.array(both, float) for both in zip(*sums, strict=True)))
    r = float(correlation(*sums, CrossSums.of(y[0], x[0], y[1], x[1]))) if (x.min(0) > 0).any() else 0.0
    table = pd.DataFrame(
        {"group": ["a", "b"], "definition": "month", "n": x.sum(1), "buyers": (x > 0).sum(1)}
    )
    rate = Rate.of_users(joined)
    return compare_repurchase(
        table, rate, ("group",), "b", confidence=0.95, together={"month": r} if r else None
    )


def share(held: list[bool]) -> str:
    value = float(np.mean(held))
    return f"{value * 100:.1f} ± {np.sqrt(value * (1 - value) / len(held)) * 100:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    parts = [
        f"Simulated, {date.today():%Y-%m-%d}: {options.replicates} replicates a row, seed {options.seed}. Coverage of "
        "95 % intervals in %, ± its Monte Carlo standard error."
    ]
    for section in (retention_apart, retention_together, repurchase_together):
        found = list(
            tqdm(section(np.random.default_rng(options.seed), options.replicates), desc=section.__name__)
        )
        columns = list(found[0][1])
        lines = [f"| data | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
        lines += [
            f"| {name} | {' | '.join(values[column] for column in columns)} |" for name, values in found
        ]
        parts.append(f"## {section.__doc__.rstrip('.')}\n\n" + "\n".join(lines))
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").split(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
