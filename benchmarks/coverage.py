"""How often the intervals of `toolkit.intervals` hold the truth, on simulated users whose truth is known.

    uv run python benchmarks/coverage.py --seed 1 --replicates 2000 --write

prints one table per section, and with --write puts them under the prose of coverage.md. A section is a
function that yields cells; a cell draws replicates and says, for each interval, where the truth was held
and how wide it was. To measure another interval, add a column to a cell or a section to SECTIONS.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from scipy import special
from tqdm.auto import tqdm

from toolkit.intervals import (
    CrossSums,
    Interval,
    Rate,
    UserSums,
    correlation,
    design_effect,
    difference,
    quantile_ranks,
    ratio,
    score_test,
    wilson,
)

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/coverage.py -->"
TAIL = 1.3
FREQUENT = 5


@dataclass(frozen=True)
class Cell:
    """One row of a table: what was drawn, and how to draw `replicates` of it.

    `draw` returns, per interval, whether each replicate held the truth and its width (nan where it has none).
    """

    data: str
    size: str
    truth: str
    draw: Callable[[np.random.Generator, int], dict[str, tuple[np.ndarray, np.ndarray]]]


def held(interval: Interval, truth: float) -> tuple[np.ndarray, np.ndarray]:
    low, high = interval
    return (low <= truth) & (truth <= high), np.subtract(high, low)


def kept(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A test of two equal rates is right where it does not reject; it has no width."""
    return p >= 0.05, np.full(np.shape(p), np.nan)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Entries per user with P(X >= k) = k^-1.3: a mean of 3.9 and no variance."""
    return np.floor((1 - rng.random(shape)) ** (-1 / TAIL))


def lighter(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Entries per user with P(X >= k) = k^-2: a mean of 1.6 and a lighter tail."""
    return np.floor((1 - rng.random(shape)) ** -0.5)


def alike(rng: np.random.Generator, rate: float | np.ndarray, r: float, shape: tuple[int, ...]) -> np.ndarray:
    """Users' own rates: beta, with correlation r between two entries of one user."""
    if r == 0:
        return np.broadcast_to(rate, shape)
    spread = 1 / r - 1
    return rng.beta(rate * spread, (1 - np.asarray(rate)) * spread, shape)


def successes(rng: np.random.Generator, entries: np.ndarray, rates: np.ndarray) -> np.ndarray:
    return rng.binomial(entries.astype(np.int64), rates)


def in_parts(users: int, replicates: int) -> Iterator[int]:
    """Numbers of replicates that fit the processor's cache rather than the memory."""
    part = max(1, 400_000 // users)
    for start in range(0, replicates, part):
        yield min(part, replicates - start)


def pooled(parts: list) -> UserSums | CrossSums:
    """The sums of several parts in one."""
    return type(parts[0])(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def residual(sums: UserSums) -> Rate:
    """The usual cluster-robust variance, for contrast: it trusts the few users who hold most entries."""
    _, x, y, xx, xy, yy, _ = sums
    p = y / x
    robust = np.divide(yy - 2 * p * xy + p * p * xx, x * p * (1 - p), out=xx / x, where=(y > 0) & (y < x))
    return Rate(p, x / np.maximum(robust, 1e-9))


def one_rate() -> Iterator[Cell]:
    """One rate."""

    def cell(
        data: str, entries: Callable, r: float, users: int, rate: float, lift: float = 1.0, tail: float = TAIL
    ) -> Cell:
        high = min(rate * lift, 0.9)
        # The share of all entries that users with fewer than FREQUENT of them make.
        rare = sum(k * (k**-tail - (k + 1) ** -tail) for k in range(1, FREQUENT)) / special.zeta(tail)
        truth = rate if lift == 1 else rate * rare + high * (1 - rare)

        def draw(rng: np.random.Generator, replicates: int) -> dict:
            sums, fourths = [], []
            for part in in_parts(users, replicates):
                x = entries(rng, (part, users))
                fourths.append((x**4).sum(-1))
                mean = rate if lift == 1 else np.where(x >= FREQUENT, high, rate)
                sums.append(UserSums.of(successes(rng, x, alike(rng, mean, r, x.shape)), x))
            together = pooled(sums)
            return {
                "Wilson of the entries": held(wilson(together.y, together.x), truth),
                "residual variance alone": held(residual(together).interval(), truth),
                "clustered, users taken to be alike": held(Rate.of_users(together).interval(), truth),
                "clustered by user": held(Rate.of_users(together, np.concatenate(fourths)).interval(), truth),
            }

        return Cell(data, f"{users:,}", f"{truth:.3g}", draw)

    def once(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape)

    def few(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return 1.0 + rng.binomial(3, 0.2, shape)

    for users in (200, 2_000, 20_000):
        for rate in (0.02, 0.1, 0.5):
            yield cell("one entry each", once, 0, users, rate)
    for users in (20, 200, 2_000, 20_000):
        for rate in (0.02, 0.1, 0.5):
            yield cell("1 to 4 entries, r = 0.2", few, 0.2, users, rate)
    for users in (20, 200, 2_000, 20_000):
        for rate in (0.02, 0.1, 0.5):
            yield cell("Pareto entries, r = 0.5", heavy, 0.5, users, rate)
    for users in (200, 2_000):
        for rate in (0.02, 0.1, 0.5):
            yield cell("Pareto entries, r = 0", heavy, 0, users, rate)
    for users in (200, 2_000, 20_000):
        for rate in (0.02, 0.1, 0.3):
            yield cell("Pareto entries, r = 0.5, frequent users twice as likely", heavy, 0.5, users, rate, 2)
    for r, users in ((0, 200), (0, 2_000), (0.1, 200), (0.1, 2_000)):
        for rate, lift in ((0.1, 3), (0.3, 2)):
            times = "three times" if lift == 3 else "twice"
            yield cell(
                f"Pareto entries, r = {r}, frequent users {times} as likely", heavy, r, users, rate, lift
            )
    for users in (200, 2_000):
        for rate, lift in ((0.1, 3), (0.3, 2)):
            times = "three times" if lift == 3 else "twice"
            data = f"Pareto entries of tail 2, r = 0.1, frequent users {times} as likely"
            yield cell(data, lighter, 0.1, users, rate, lift, 2.0)


def two_rates() -> Iterator[Cell]:
    """Two rates, independent units."""

    def cell(n: int, m: int, p: float, q: float) -> Cell:
        def draw(rng: np.random.Generator, replicates: int) -> dict:
            first = Rate.of_counts(rng.binomial(n, p, replicates), n)
            second = Rate.of_counts(rng.binomial(m, q, replicates), m)
            answers = {
                "difference": held(difference(first, second), p - q),
                "ratio": held(ratio(first, second), p / q),
            }
            return answers | ({"test of equal rates": kept(score_test(first, second))} if p == q else {})

        return Cell("independent", f"{n:,} and {m:,}", f"{p:g} and {q:g}", draw)

    for n, m in ((30, 30), (200, 50), (2_000, 2_000)):
        for p, q in ((0.02, 0.02), (0.02, 0.05), (0.2, 0.1), (0.5, 0.5), (0.9, 0.8)):
            yield cell(n, m, p, q)


def shared_users() -> Iterator[Cell]:
    """Two rates, users partly shared."""

    def cell(data: str, entries: Callable, users: int, p: float, q: float) -> Cell:
        def draw(rng: np.random.Generator, replicates: int) -> dict:
            first, second, cross = [], [], []
            for part in in_parts(users, replicates):
                shape = (part, users)
                x1, x2 = (entries(rng, shape) * (rng.random(shape) < 0.7) for _ in range(2))
                # Half of the users carry one disposition to both groups, the others a fresh one.
                same, fresh = (alike(rng, max(p, q), 0.5, shape) for _ in range(2))
                other = np.where(rng.random(shape) < 0.5, same, fresh)
                y1 = successes(rng, x1, same * p / max(p, q))
                y2 = successes(rng, x2, other * q / max(p, q))
                first.append(UserSums.of(y1, x1))
                second.append(UserSums.of(y2, x2))
                cross.append(CrossSums.of(y1, x1, y2, x2))
            a, b, both = pooled(first), pooled(second), pooled(cross)
            r, one, two = correlation(a, b, both), Rate.of_users(a), Rate.of_users(b)
            naive = difference(Rate.of_counts(a.y, a.x), Rate.of_counts(b.y, b.x))
            answers = {
                "difference of the entries": held(naive, p - q),
                "difference": held(difference(one, two, correlation=r), p - q),
                "ratio": held(ratio(one, two, correlation=r), p / q),
            }
            equal = {"test of equal rates": kept(score_test(one, two, correlation=r))} if p == q else {}
            return answers | equal

        return Cell(data, f"{users:,}", f"{p:g} and {q:g}", draw)

    def once(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape)

    for data, entries in (("one entry per user and group", once), ("Pareto entries, r = 0.5", heavy)):
        for users in (50, 200, 2_000):
            for p, q in ((0.05, 0.05), (0.1, 0.05), (0.3, 0.3), (0.3, 0.2)):
                yield cell(data, entries, users, p, q)


def quantiles() -> Iterator[Cell]:
    """A quantile of the time to convert."""

    def cell(data: str, entries: Callable | None, users: int, quantile: float) -> Cell:
        truth = float(special.ndtri(quantile))

        def once(rng: np.random.Generator) -> tuple[Interval, Interval]:
            n = (
                np.ones(users, int)
                if entries is None
                else np.minimum(entries(rng, (users,)), 1e4).astype(int)
            )
            start = np.cumsum(n) - n
            own = np.repeat(rng.standard_normal(users), n)
            times = np.sqrt(0.5) * (own + rng.standard_normal(n.sum()))
            ordered = np.sort(times)
            below = times <= ordered[int(np.ceil(quantile * len(times))) - 1]
            effect = design_effect(UserSums.of(np.add.reduceat(below.astype(float), start), n))
            plain = quantile_ranks(quantile, len(times))
            spread = quantile_ranks(quantile, len(times), design_effect=effect)
            # A missing limit is an open end, which holds whatever is beyond it but has no width.
            padded = np.concatenate([[-np.inf], ordered, [np.inf]])
            return tuple(
                Interval(*padded[[int(np.nan_to_num(low)), int(np.nan_to_num(high, nan=len(times) + 1))]])
                for low, high in (plain, spread)
            )

        def draw(rng: np.random.Generator, replicates: int) -> dict:
            found = np.array([once(rng) for _ in range(replicates)])
            return {
                name: held(Interval(found[:, i, 0], found[:, i, 1]), truth)
                for i, name in enumerate(("ranks of the entries", "with the design effect"))
            }

        return Cell(data, f"{users:,}", f"quantile {quantile:g}", draw)

    for data, entries in (("one conversion each", None), ("Pareto conversions, r = 0.5", heavy)):
        for users in (20, 200, 2_000):
            for quantile in (0.5, 0.9):
                yield cell(data, entries, users, quantile)


SECTIONS = (one_rate, two_rates, shared_users, quantiles)


def shown(answer: tuple[np.ndarray, np.ndarray] | None) -> str:
    """Coverage in %, its Monte Carlo standard error, and the median width."""
    if answer is None:
        return ""
    right, width = answer
    share = right.mean()
    error = np.sqrt(share * (1 - share) / right.size)
    middle = np.median(width)
    tail = "" if np.isnan(middle) else f" ({middle:.2g})" if np.isfinite(middle) else " (open)"
    return f"{share * 100:.1f} ± {error * 100:.1f}{tail}"


def table(cells: list[tuple[Cell, dict]]) -> str:
    columns = list(dict.fromkeys(name for _, answers in cells for name in answers))
    lines = [["data", "size", "truth", *columns], ["---"] * (3 + len(columns))]
    for cell, answers in cells:
        lines.append([cell.data, cell.size, cell.truth, *(shown(answers.get(name)) for name in columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--only", choices=[section.__name__ for section in SECTIONS])
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    sections = [s for s in SECTIONS if options.only in (None, s.__name__)]
    work = [(section, cell) for section in sections for cell in section()]
    found: dict[Callable, list] = {section: [] for section in sections}
    for section, cell in tqdm(work, delay=2, leave=False, unit="cell"):
        # Each cell has its own stream, so that a row added later changes none of the others.
        name = f"{section.__name__} {cell.data} {cell.size} {cell.truth}"
        rng = np.random.default_rng([options.seed, zlib.crc32(name.encode())])
        found[section].append((cell, cell.draw(rng, options.replicates)))
    text = (
        f"Simulated, {date.today():%Y-%m-%d}: {options.replicates:,} replicates a cell, seed {options.seed}. "
        "Each entry is the coverage of 95 % intervals in %, ± its Monte Carlo standard error, and in brackets "
        "the median width; for tests, 100 less the share of false rejections.\n"
    )
    for section, cells in found.items():
        text += f"\n## {section.__doc__.rstrip('.')}\n\n{table(cells)}\n"
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").split(MARK)[0] if REPORT.exists() else ""
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
