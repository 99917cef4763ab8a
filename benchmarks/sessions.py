"""How often the range that an account's other sessions predict holds a session in which nothing is different.

    uv run python benchmarks/sessions.py --seed 1 --replicates 1000 --write

prints one table per section, and with --write puts them under the prose of sessions.md. A replicate draws sessions of
one step of a funnel and sets the last against the others, as `export.against_own()` does for each step.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from toolkit.inputs.predictions import predicted

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/sessions.py -->"
OTHERS = (5, 10, 28)


def beta(rng: np.random.Generator, rate: float, size: int, shared: float) -> np.ndarray:
    """Rates that vary with an intraclass correlation."""
    if not shared:
        return np.full(size, rate)
    return rng.beta(rate * (1 / shared - 1), (1 - rate) * (1 / shared - 1), size)


def logit(rng: np.random.Generator, rate: float, size: int, spread: float) -> np.ndarray:
    """Rates whose logits are normal: a longer upper tail than the beta's."""
    return 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + spread * rng.standard_normal(size))))


def good_nights(rng: np.random.Generator, rate: float, size: int, factor: float) -> np.ndarray:
    """One night in ten is another kind of night."""
    return np.minimum(rate * np.where(rng.random(size) < 0.1, factor, 1.0), 0.95)


def drifting(rng: np.random.Generator, rate: float, size: int, spread: float) -> np.ndarray:
    """Logits that walk from session to session, the last one asked about."""
    walk = spread * rng.standard_normal(size).cumsum()
    return 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + walk - walk.mean())))


#: Title, and rows of name, how rates differ, rate, how much, people in the middle of sessions, spread of their logs.
SECTIONS = [
    (
        "Sessions as the method takes them to be (beta)",
        [
            ("no more than chance", beta, 0.05, 0.0, 3000, 0.5),
            ("intraclass correlation 0.002", beta, 0.05, 0.002, 3000, 0.5),
            ("intraclass correlation 0.01", beta, 0.05, 0.01, 3000, 0.5),
            ("the same, a rate of 40 %", beta, 0.4, 0.01, 3000, 0.5),
            ("the same, 100 people a session", beta, 0.05, 0.01, 100, 0.5),
        ],
    ),
    (
        "Sessions that it was not made for",
        [
            ("normal logits, 0.3", logit, 0.05, 0.3, 3000, 0.5),
            ("normal logits, 0.8", logit, 0.05, 0.8, 3000, 0.5),
            ("sizes differ by a factor 3 (standard deviation)", logit, 0.05, 0.3, 3000, 1.1),
            ("one night in ten at twice the rate", good_nights, 0.05, 2.0, 3000, 0.5),
            ("logits that walk, 0.1 a session", drifting, 0.05, 0.1, 3000, 0.5),
        ],
    ),
]


def held(row: tuple, others: int, seed: int, replicates: int) -> tuple[float, float]:
    """Shares of replicates whose last session lies in the range, and whose p is below 0.05."""
    _, draw, rate, much, people, spread = row
    rng = np.random.default_rng([seed, others, people, int(1000 * rate), int(1000 * much)])
    inside = told = 0
    for _ in range(replicates):
        sizes = np.maximum(np.exp(np.log(people) + spread * rng.standard_normal(others + 1)), 5).astype(int)
        passed = rng.binomial(sizes, draw(rng, rate, others + 1, much))
        n, y = sizes[-1], passed[-1]
        found = predicted(n, y, np.column_stack([sizes, passed])[:-1].astype(float), 0.95)
        inside += found["low"] <= y / n <= found["high"]
        told += found["p"] < 0.05
    return inside / replicates, told / replicates


def parts(seed: int, replicates: int) -> Iterator[str]:
    """Sections as Markdown."""
    yield f"{replicates:,} replicates a cell, seed {seed}, {date.today():%Y-%m-%d}."
    for title, rows in SECTIONS:
        lines = ["| how sessions differ |" + "".join(f" held, {n} others | p < .05 |" for n in OTHERS)]
        lines.append("|---|" + "--:|" * 2 * len(OTHERS))
        for row in tqdm(rows, desc=title, leave=False):
            cells = [f"{100 * share:.1f}" for n in OTHERS for share in held(row, n, seed, replicates)]
            lines.append(f"| {row[0]} | {' | '.join(cells)} |")
        yield f"## {title}\n\n" + "\n".join(lines)


def main() -> None:
    """Print the tables; write them to the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = "\n\n".join(parts(options.seed, options.replicates)) + "\n"
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").partition(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
