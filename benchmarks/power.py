"""Whether a study finds the smallest effect that `power` names as often as it says.

uv run python benchmarks/power.py            prints the table
uv run python benchmarks/power.py --write    and keeps it in benchmarks/power.md
"""

from __future__ import annotations

import argparse
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
from scipy import stats

from toolkit import power
from toolkit.interruptions.checks.power import DRAWS
from toolkit.interruptions.errors import reml

PAGE = Path(__file__).with_suffix(".md")
MARK = "<!-- measured -->"
#: Not the seed with which `power` simulates.
SEED, STUDIES = 20190731, 4_000
SIDES, RHOS, LAMS = (12, 24, 60), (0.0, 0.4, 0.8), (0.8,)
EFFECTS = ("level", "slope", "average")


def measured(side: int, rho: float, lam: float, rng: np.random.Generator) -> dict[str, float]:
    """Share of studies whose interval lies above 0, for an effect of each kind of the size that is named."""
    n = 2 * side
    t = np.arange(n)
    shapes = np.column_stack([t >= side, np.maximum(t - side, 0)]).astype(float)
    matrix = np.column_stack([np.ones(n), t, shapes])
    contrasts = np.array([[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, shapes[side:, 1].mean()]])
    distance = np.abs(np.subtract.outer(t, t))
    factor = np.linalg.cholesky(np.where(distance == 0, 1.0, lam * rho**distance))
    sizes = power(side, rho=rho, lam=lam).table.set_index("effect")["rise"]
    planted = {"level": (1, 0), "slope": (0, 1), "average": (1, 0)}
    found = {}
    for effect, contrast in zip(EFFECTS, contrasts, strict=True):
        mean = shapes @ np.array(planted[effect]) * sizes[effect]
        values = mean[:, None] + factor @ rng.standard_normal((n, STUDIES))
        estimate, error, df = reml.estimate(matrix, values).contrast(contrast)
        found[effect] = float((estimate / error > stats.t.ppf(0.975, df)).mean())
    return found


def main() -> None:
    """Measure every cell, print it, and keep it where that is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the table in benchmarks/power.md")
    write = parser.parse_args().write
    rng = np.random.default_rng(SEED)
    lines = ["| before and after | rho | lam | level | slope | average |", "|---|---|---|---|---|---|"]
    shares = []
    for side, rho, lam in product(SIDES, RHOS, LAMS):
        found = measured(side, rho, lam, rng)
        shares += found.values()
        cells = " | ".join(f"{100 * found[effect]:.1f}" for effect in EFFECTS)
        lines.append(f"| {side} + {side} | {rho:g} | {lam:g} | {cells} |")
        print(lines[-1], flush=True)
    lines += [
        "",
        f"{date.today()}: {STUDIES:,} simulated studies a cell, seed {SEED}; promised: 80 %; lowest "
        f"{100 * min(shares):.1f} %, mean {100 * np.mean(shares):.1f} %, highest {100 * max(shares):.1f} %. "
        f"Monte Carlo error: {100 * np.sqrt(0.16 / STUDIES):.1f} points from these studies, "
        f"{100 * np.sqrt(0.16 / DRAWS):.1f} from those that `power` simulates.",
    ]
    text = "\n".join(lines)
    print(text)
    if write:
        PAGE.write_text(f"{PAGE.read_text().partition(MARK)[0]}{MARK}\n\n{text}\n")


if __name__ == "__main__":
    main()
