"""How often the intervals of `toolkit.cohorts` hold the truth, on simulated cohorts whose truth is known.

    uv run python benchmarks/cohorts.py --seed 1 --replicates 200 --write

prints one table per section, and with --write puts them under the prose of cohorts.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from tqdm.auto import tqdm

from toolkit.cohorts.active.engagement import _mean
from toolkit.cohorts.curves import rates, rising
from toolkit.cohorts.split import _table, components
from toolkit.cohorts.time_to_repurchase import _curve
from toolkit.intervals import Rate, UserSums, wilson

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/cohorts.py -->"
Row = tuple[str, dict[str, str]]


def shown(held: list[bool], widths: list[float]) -> str:
    share = float(np.mean(held))
    error = np.sqrt(share * (1 - share) / len(held))
    return f"{share * 100:.1f} ± {error * 100:.1f} ({np.median(widths):.2g})"


def drawn(rng: np.random.Generator, cohorts: int, users: int, r: float, p: np.ndarray) -> pd.DataFrame:
    """Complete cells of a triangle; a cohort's rates are beta about `p`, good or bad in all periods alike."""
    sizes = np.maximum(rng.poisson(users, cohorts), 1)
    luck = rng.random(cohorts)
    lines = []
    for age in range(1, cohorts):
        k = cohorts - age
        spread = 1 / r - 1 if r else np.inf
        own = stats.beta.ppf(luck[:k], p[age] * spread, (1 - p[age]) * spread) if r else np.full(k, p[age])
        kept = rng.binomial(sizes[:k], own)
        lines += [(age, age, c, sizes[c], kept[c], "complete") for c in range(k)]
    return pd.DataFrame(lines, columns=["age", "age_to", "cohort", "eligible", "retained_eligible", "status"])


def pooled_curve(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """The pooled curve, at its first period and at the last two."""
    for cohorts, users, r in (
        (4, 200, 0.0),
        (4, 200, 0.02),
        (10, 200, 0.0),
        (10, 200, 0.005),
        (10, 200, 0.02),
        (10, 5_000, 0.005),
        (26, 1_000, 0.005),
    ):
        p = 0.4 * np.arange(1, cohorts + 1) ** -0.4
        reached = {"all cohorts": 1, "two cohorts": cohorts - 2, "one cohort": cohorts - 1}
        found: dict[tuple[str, str], tuple[list[bool], list[float]]] = {}
        for _ in range(replicates):
            cells = drawn(rng, cohorts, users, r, p)
            table = rates(cells, 0.95).set_index("age")
            for name, age in reached.items():
                own = cells[cells["age"] == age]
                x, y = own["eligible"].to_numpy(), own["retained_eligible"].to_numpy()
                limits = {
                    "Wilson": wilson(y.sum(), x.sum()),
                    "cohorts of the period alone": Rate.of_users(UserSums.of(y, x)).interval(),
                    "cohorts of all periods (used)": tuple(table.loc[age, ["low", "high"]]),
                }
                for method, (low, high) in limits.items():
                    held, widths = found.setdefault((name, method), ([], []))
                    held.append(bool(low <= p[age] <= high))
                    widths.append(float(high - low))
        for name in reached:
            own_methods = {method: shown(*both) for (at, method), both in found.items() if at == name}
            yield f"{cohorts} cohorts of {users:,}, r = {r:g}; period with {name}", own_methods


def warned(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Shares of retention curves with the warning that they rise, in %."""
    shapes = {
        "flat, 20 %": lambda ages: np.full(len(ages), 0.2),
        "falling as period^-0.4": lambda ages: 0.4 * np.maximum(ages, 1) ** -0.4,
    }
    for name, shape in shapes.items():
        for cohorts, users, r in ((10, 300, 0.0), (10, 300, 0.01), (28, 2_000, 0.01)):
            p = shape(np.arange(cohorts))
            alarms = [rising(drawn(rng, cohorts, users, r, p), 0.95) is not None for _ in range(replicates)]
            yield (
                f"{name}; {cohorts} cohorts of {users:,}, r = {r:g}",
                {"warned": f"{np.mean(alarms) * 100:.1f}"},
            )
    for lift in (0.02, 0.05, 0.1):
        p = np.full(10, 0.2)
        p[8:] += lift
        alarms = [rising(drawn(rng, 10, 300, 0.01, p), 0.95) is not None for _ in range(replicates)]
        row = f"flat, last two periods {lift * 100:.0f} points higher; 10 cohorts of 300, r = 0.01"
        yield row, {"warned": f"{np.mean(alarms) * 100:.1f}"}


def kitagawa_parts(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Parts of a change of retention, clustered by user."""
    # Retention by span (before, after) and group (new, old); shares of users by first event (before, in, after).
    for users in (100, 500, 5_000):
        for r in (0.05, 0.3):
            p, born = np.array([[0.3, 0.5], [0.3, 0.55]]), np.array([0.5, 0.35, 0.15])
            periods = 4.0
            n = np.array([[born[1], periods * born[0]], [born[2], periods * (born[0] + born[1])]])
            truth = dict(zip(("mix", "rate"), components(np.stack([n, n * p], -1)), strict=True))
            truth["change"] = truth["mix"] + truth["rate"]
            truth["fixed users"] = p[1, 1] - p[0, 1]
            found: dict[str, tuple[list[bool], list[float]]] = {name: ([], []) for name in truth}
            for _ in range(replicates):
                when = rng.choice(3, users, p=born)
                lean = rng.beta(0.5 * (1 / r - 1), 0.5 * (1 / r - 1), users) - 0.5
                x = np.zeros((users, 2, 3))
                x[:, 0, 0], x[:, 1, 0] = when == 1, when == 2
                x[:, 0, 1] = np.where(when == 0, rng.poisson(periods, users), 0)
                x[:, 1, 1] = np.where(when < 2, rng.poisson(periods, users), 0)
                chance = np.clip(p[None] + lean[:, None, None] * 0.6, 0, 1)
                y = np.zeros_like(x)
                y[..., :2] = rng.binomial(x[..., :2].astype(int), chance)
                x[..., 2], y[..., 2] = (np.where((when == 0)[:, None], v[..., 1], 0) for v in (x, y))
                flat = np.stack([x, y], -1).reshape(users, -1)
                table = _table(["new", "old"], flat.sum(0).reshape(2, 3, 2), flat.T @ flat, 0.95)
                for name, (held, widths) in found.items():
                    row = table[(table["part"] == name) & table["group"].isna()].iloc[0]
                    held.append(bool(row["low"] <= truth[name] <= row["high"]))
                    widths.append(float(row["high"] - row["low"]))
            yield f"{users:,} users, r = {r:g}", {name: shown(*both) for name, both in found.items()}


def second_purchase(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Kaplan-Meier's share that has bought again by day 30."""
    for users in (50, 200, 2_000):
        for ever in (0.1, 0.5):
            truth = ever * (1 - np.exp(-30 / 20))
            held, widths = [], []
            for _ in range(replicates):
                wait = np.where(rng.random(users) < ever, np.ceil(rng.exponential(20, users)), np.inf)
                follow = rng.integers(5, 90, users)
                day, again = np.minimum(wait, follow).astype(int), wait <= follow
                days = pd.DataFrame({"day": day, "again": again, "censored": ~again}).groupby("day").sum()
                curve = _curve(days.astype(int).reset_index(), 0.95)
                known = curve[curve["day"] <= 30]
                low, high = known.iloc[-1][["low", "high"]] if len(known) else (0.0, 0.0)
                held.append(bool(low <= truth <= high))
                widths.append(float(high - low))
            yield f"{users:,} buyers, {ever * 100:.0f} % ever buy again", {"log-log": shown(held, widths)}


def opens_a_day(rng: np.random.Generator, replicates: int) -> Iterator[Row]:
    """Mean sessions per active day, clustered by user."""
    for users in (20, 200, 2_000):
        truth, held, widths = 3.0, [], []
        for _ in range(replicates):
            days = rng.integers(1, 29, users).astype(float)
            # Users differ: their own mean beyond the first open is a gamma of shape 2.
            own = rng.gamma(2.0, 1.0, users)
            opens = days + rng.poisson(own * days)
            sums = {"o": opens.sum(), "oo": (opens**2).sum(), "ox": (opens * days).sum()}
            sums |= {"k1_users": users, "k1_x": days.sum(), "k1_xx": (days**2).sum()}
            _, low, high, _ = _mean(pd.Series(sums), 0.95)
            held.append(bool(low <= truth <= high))
            widths.append(high - low)
        yield f"{users:,} users", {"linearised, Student": shown(held, widths)}


SECTIONS = (pooled_curve, warned, kitagawa_parts, second_purchase, opens_a_day)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    text = (
        f"Simulated, {date.today():%Y-%m-%d}: {options.replicates:,} replicates a row, seed {options.seed}. Coverage "
        "of 95 % intervals in %, ± its Monte Carlo standard error, and in brackets the median width.\n"
    )
    for place, section in enumerate(tqdm(SECTIONS, delay=2, leave=False)):
        rows = list(section(np.random.default_rng([options.seed, place]), options.replicates))
        columns = list(dict.fromkeys(name for _, answers in rows for name in answers))
        lines = [["data", *columns], ["---"] * (1 + len(columns))]
        lines += [[name, *(answers.get(column, "") for column in columns)] for name, answers in rows]
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        text += f"\n## {section.__doc__.splitlines()[0].rstrip('.')}\n\n{table}\n"
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").split(MARK)[0] if REPORT.exists() else ""
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
