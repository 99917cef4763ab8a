"""How often the intervals of `toolkit.tiers` hold the truth, on simulated users whose truth is known.

    uv run python benchmarks/tiers.py --seed 1 --replicates 1000 --write

prints one table per section, and with --write puts them under the prose of tiers.md. Cells, draws and the form of
a table are those of coverage.py.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from coverage import alike, heavy, held, successes
from scipy import special
from tqdm.auto import tqdm

from toolkit.decompositions import contribution, contributions
from toolkit.intervals import Interval
from toolkit.propagation import Moments
from toolkit.tiers import logits, standards, tier_split
from toolkit.tiers.counts import Counts
from toolkit.tiers.step_factors import Factors, with_amount
from toolkit.tiers.step_split import limits

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/tiers.py -->"
PAIR = (0, 1)


@dataclass(frozen=True)
class Cell:
    """One row of a table: what is drawn, the smallest count expected, and how to draw one replicate.

    `once` returns, per estimate, the truth and the interval (nan where it has none).
    """

    data: str
    least: float
    once: Callable[[np.random.Generator], dict[str, tuple[float, Interval]]]


def answers(
    counts: Counts, rates: np.ndarray, mixes: np.ndarray, effect: float
) -> dict[str, tuple[float, Interval]]:
    """Every estimate of one pair of platforms, with its truth."""
    mix = standards.mix_of(counts, "pooled")
    assert mix.weights is not None
    shares = mix.weights @ mixes
    found, slopes = tier_split.parts(counts.rates, counts.mixes, PAIR)
    truth, _ = tier_split.parts(rates, mixes, PAIR)
    known = counts.precision
    slope = standards.gradient(counts, mix, 0)
    low, high = known.interval(found, slopes, 0.95)
    small = int(counts.n.sum(0).argmin())
    totals = found.sum(1), slopes.sum(1), truth.sum(1)
    inside = [
        Interval(*known.interval(value, gradient, 0.95)) for value, gradient in zip(*totals[:2], strict=True)
    ]
    plain = 1.959964 * known.error(totals[1][1])
    line = logits.effects(counts, [PAIR], 0.95).table.iloc[0]
    return {
        "standardised rate": (
            float(shares @ rates[0]),
            known.interval(mix.shares @ counts.rates[0], slope, 0.95, 0.0),
        ),
        "standardised gap": (
            float(shares @ (rates[0] - rates[1])),
            Interval(*standards.standardised_gap(counts, mix, PAIR, 0.95)[1:]),
        ),
        "mix component": (totals[2][0], inside[0]),
        "rate component": (totals[2][1], inside[1]),
        "rate component, delta method": (totals[2][1], Interval(totals[0][1] - plain, totals[0][1] + plain)),
        "smallest tier's mix component": (truth[0, small], Interval(low[0, small], high[0, small])),
        "smallest tier's rate component": (truth[1, small], Interval(low[1, small], high[1, small])),
        "average effect": (effect, Interval(line["low"], line["high"])),
    }


def effect_of(trials: np.ndarray, rates: np.ndarray) -> float:
    """What the average effect estimates: that of the logit fitted to expected counts."""
    names = tuple(map(str, range(trials.shape[1])))
    expected = Counts(("a", "b"), names, trials, trials * rates, "n", "y")
    return float(logits.effects(expected, [PAIR], 0.95).table["estimate"].iloc[0])


def additive(base: float, size: int) -> np.ndarray:
    """Rates of two platforms in tiers from `base` down to a third of it, with an odds ratio of 1.4."""
    logit = special.logit(base * np.geomspace(1, 1 / 3, size))
    return special.expit(np.stack([logit, logit - np.log(1.4)]))


def independent() -> Iterator[Cell]:
    """Each user counts once."""

    def cell(name: str, trials: np.ndarray, rates: np.ndarray) -> Cell:
        mixes = trials / trials.sum(1, keepdims=True)
        effect = effect_of(trials, rates)

        def once(rng: np.random.Generator) -> dict:
            n = np.maximum(
                np.stack([rng.multinomial(int(t.sum()), m) for t, m in zip(trials, mixes, strict=True)]), 1
            )
            y = rng.binomial(n, rates)
            counts = Counts(
                ("a", "b"), tuple("1234"[: n.shape[1]]), n.astype(float), y.astype(float), "n", "y"
            )
            return answers(counts, rates, mixes, effect)

        least = float(np.minimum(trials * rates, trials * (1 - rates)).min())
        return Cell(f"{name}, rates {rates.min():.2g} to {rates.max():.2g}", least, once)

    spread = np.array([30.0, 300, 3_000, 30_000])
    sizes = {
        "4 x 30 users": np.full((2, 4), 30.0),
        "4 x 300 users": np.array([[200.0, 300, 300, 400], [400, 300, 300, 200]]),
        "4 x 3,000 users": np.array([[2_000.0, 3_000, 3_000, 4_000], [4_000, 3_000, 3_000, 2_000]]),
        "4 x 30,000 users": np.array([[2.0, 3, 3, 4], [4, 3, 3, 2]]) * 1e4,
        "30 to 30,000 users, same order": np.stack([spread, spread]),
        "30 to 30,000 users, opposite order": np.stack([spread, spread[::-1]]),
        "4 x 30 against 4 x 30,000 users": np.stack([np.full(4, 30.0), np.full(4, 30_000.0)]),
    }
    for name, trials in sizes.items():
        for base in (0.003, 0.03, 0.4):
            yield cell(name, trials, additive(base, 4))
    # Exactly ten conversions expected in each tier: the edge of what the target asks.
    for tiers in (2, 4):
        n = np.geomspace(100, 10_000, tiers)
        yield cell(f"{tiers} tiers, 10 conversions expected in each", np.stack([n, n]), 10 / np.stack([n, n]))


def repeated() -> Iterator[Cell]:
    """Users make several entries, and half of them use both platforms."""

    def cell(name: str, entries: Callable, r: float, users: tuple[int, ...], base: float) -> Cell:
        size = len(users)
        rates = additive(base, size)
        # Users in the same tier on both platforms; a platform's mix is that of its users' expected entries.
        present = np.stack([np.linspace(0.5, 0.9, size), np.linspace(0.9, 0.5, size)])
        expected = present * np.array(users)
        mixes = expected / expected.sum(1, keepdims=True)
        tier = np.repeat(np.arange(size), users)
        effect = effect_of(expected, rates)

        def once(rng: np.random.Generator) -> dict:
            values = np.zeros((len(tier), 2, size, 2))
            at, top = np.arange(len(tier)), rates.max(0)[tier]
            disposition = alike(rng, top, r, at.shape)
            for p in range(2):
                x = entries(rng, at.shape) * (rng.random(len(at)) < present[p, tier])
                y = successes(rng, x, disposition * rates[p, tier] / top)
                values[at, p, tier] = np.stack([x, y], axis=-1)
            cells = Moments.of(values.reshape(len(at), -1, 2))
            whole = Moments.of(values.sum(2))
            n, y = np.moveaxis(values.sum(0), -1, 0)
            counts = Counts(("a", "b"), tuple("1234"[:size]), n, y, "n", "y", cells, whole)
            return answers(counts, rates, mixes, effect)

        mean = entries(np.random.default_rng(0), (100_000,)).mean()
        least = float((expected * rates).min() * mean)
        return Cell(f"{name}, rates {rates.min():.2g} to {rates.max():.2g}", least, once)

    def few(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return 1.0 + rng.binomial(3, 0.2, shape)

    for label, entries, r in (("1 to 4 entries, r = 0.2", few, 0.2), ("Pareto entries, r = 0.5", heavy, 0.5)):
        for users in ((30, 60, 120), (300, 600, 1_200), (30, 300, 3_000)):
            for base in (0.05, 0.4):
                yield cell(f"{label}, {' + '.join(f'{n:,}' for n in users)} users", entries, r, users, base)


#: Baskets of mean 1: lognormal of two widths (standard deviation 0.9 and 2.9), exponential (1), and Pareto with tail
#: index 2.5 (0.9, but no third moment).
BASKETS: dict[str, Callable] = {
    "sigma 0.8": lambda rng, size: rng.lognormal(-0.32, 0.8, size),
    "sigma 1.5": lambda rng, size: rng.lognormal(-1.125, 1.5, size),
    "exponential": lambda rng, size: rng.exponential(1, size),
    "Pareto": lambda rng, size: 0.6 * (1 + rng.pareto(2.5, size)),
}


def products() -> Iterator[Cell]:
    """Contributions of steps to GMV per impression."""

    def cell(visits: tuple[int, int], rates: np.ndarray, baskets: str) -> Cell:
        mean, draw = np.array([80.0, 120.0]), BASKETS[baskets]
        factors = np.column_stack([rates, mean])
        truth = contributions(*factors)

        def once(rng: np.random.Generator) -> dict:
            lines, amounts, squares = [], [], []
            for p in range(2):
                line = [visits[p]]
                for rate in rates[p]:
                    line.append(max(int(rng.binomial(line[-1], rate)), 1))
                paid = mean[p] * draw(rng, line[-1])
                lines.append(line)
                amounts.append(paid.sum())
                squares.append((paid**2).sum())
            n, amount = np.array(lines, float), np.array(amounts)
            moments = with_amount(n, amount, np.array(squares), ["a", "b"], "squares")
            steps = ("impression", "enter", "click", "pay")
            known = Factors(("a", "b"), steps, n, amount, moments, False, ())
            low, high = limits(known, PAIR, 0.95)
            estimate, slope = contribution(*known.values, 2)
            plain = 1.959964 * known.precision.error(slope.ravel())
            found = {
                name: (value, Interval(a, b))
                for name, value, a, b in zip(
                    (*steps[1:], "basket", "gap"), np.append(truth, truth.sum()), low, high, strict=True
                )
            }
            return found | {"pay, delta method": (truth[2], Interval(estimate - plain, estimate + plain))}

        reached = np.array(visits)[:, None] * np.cumprod(rates, axis=1)
        least = float(np.minimum(reached, reached / rates * (1 - rates)).min())
        pay = f"pay {rates[0, -1]:g} and {rates[1, -1]:g}"
        name = f"{visits[0]:,} and {visits[1]:,} impressions, {pay}, {baskets}"
        return Cell(name, least, once)

    low = np.array([[0.3, 0.4, 0.1], [0.2, 0.5, 0.15]])
    rare = np.array([[0.1, 0.2, 0.02], [0.15, 0.15, 0.03]])
    for visits in ((300, 300), (1_000, 1_000), (3_000, 3_000), (30_000, 30_000), (1_000, 100_000)):
        yield cell(visits, low, "sigma 0.8")
    for visits in ((3_000, 3_000), (30_000, 30_000), (300_000, 300_000), (30_000, 1_000_000)):
        yield cell(visits, rare, "sigma 0.8")
    for baskets in list(BASKETS)[1:]:
        for size in (2_000, 3_000, 6_000, 30_000):
            yield cell((size, size), low, baskets)


SECTIONS = (independent, repeated, products)


def shown(found: list[tuple[float, Interval]]) -> str:
    """Coverage in %, its Monte Carlo standard error, the median width, and how often there is no interval."""
    truth, low, high = (np.array(column, float) for column in zip(*((t, *i) for t, i in found), strict=True))
    given = ~np.isnan(low)
    if given.mean() < 0.05:
        return "too few"
    right, width = held(Interval(low[given], high[given]), truth[given])
    share = right.mean()
    error = np.sqrt(share * (1 - share) / right.size)
    none = "" if given.all() else f"; none in {(1 - given.mean()) * 100:.0f} %"
    return f"{share * 100:.1f} ± {error * 100:.1f} ({np.median(width):.2g}{none})"


def table(rows: list[tuple[Cell, list[dict]]]) -> str:
    columns = list(rows[0][1][0])
    lines = [["data", "least expected", *columns], ["---"] * (2 + len(columns))]
    for cell, drawn in rows:
        found = [shown([answer[name] for answer in drawn]) for name in columns]
        lines.append([cell.data, f"{cell.least:.3g}", *found])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--only", choices=[section.__name__ for section in SECTIONS])
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    sections = [s for s in SECTIONS if options.only in (None, s.__name__)]
    work = [(section, cell) for section in sections for cell in section()]
    found: dict[Callable, list] = {section: [] for section in sections}
    for section, cell in tqdm(work, delay=2, leave=False, unit="cell"):
        # Each cell has its own stream, so that a row added later changes none of the others.
        rng = np.random.default_rng([options.seed, zlib.crc32(f"{section.__name__} {cell.data}".encode())])
        found[section].append((cell, [cell.once(rng) for _ in range(options.replicates)]))
    text = (
        f"Simulated, {date.today():%Y-%m-%d}: {options.replicates:,} replicates a cell, seed {options.seed}. "
        "Each entry is the coverage of 95 % intervals in %, ± its Monte Carlo standard error, and in brackets "
        "the median width. *Least expected* is the smallest number of conversions or non-conversions expected in "
        "any tier (step) used.\n"
    )
    for section, cells in found.items():
        text += f"\n## {section.__doc__.rstrip('.')}\n\n{table(cells)}\n"
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").split(MARK)[0] if REPORT.exists() else ""
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
