"""How long it takes to compare many groups of a funnel, and to draw them.

    uv run python benchmarks/groups.py --write

prints a table, and with --write puts it under the prose of groups.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from toolkit import Funnel, funnel, read_events

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/groups.py -->"
STEPS = ["enter", "click", "cart", "pay"]
RATES = (0.4, 0.3, 0.5)
GROUPS = (100, 1_000, 10_000)


def counts(groups: int) -> pd.DataFrame:
    """Counts of groups of Pareto sizes."""
    rng = np.random.default_rng(1)
    reached = [np.ceil(300 * (rng.pareto(1.2, groups) + 1)).astype(int)]
    for rate in RATES:
        reached.append(rng.binomial(reached[-1], rate))
    rooms = np.repeat([f"room {at}" for at in range(groups)], len(STEPS))
    return pd.DataFrame({"room": rooms, "step": STEPS * groups, "n": np.column_stack(reached).ravel()})


def events(groups: int) -> pd.DataFrame:
    """Rows of 20,000 users, whose entries are spread over groups and shared between them."""
    rng = np.random.default_rng(2)
    entries = 30 * groups
    frame = pd.DataFrame(
        {"user_id": rng.integers(0, 20_000, entries), "room": rng.integers(0, groups, entries)}
    )
    frame["timestamp"] = pd.Timestamp("2019-11-01") + pd.to_timedelta(
        rng.integers(0, 30 * 86_400, entries), unit="s"
    )
    rows = []
    for place, event in enumerate(STEPS):
        rows.append(frame.assign(event=event, timestamp=frame["timestamp"] + pd.Timedelta(place, "min")))
        frame = frame[rng.random(len(frame)) < RATES[min(place, len(RATES) - 1)]]
    return pd.concat(rows)


def took(work: Callable[[], Any], turns: int) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    mpl.use("agg")
    Funnel.from_counts(counts(2)).compare()  # what is imported once is not timed
    lines = ["| groups | from | compare, s | sentence, s | figure, s |", "| --- | --- | --- | --- | --- |"]
    for groups in GROUPS:
        log = read_events(events(groups))
        asked = {"within": "1d", "by": "room", "hold": "room"}
        for name, answer in (
            ("counts", Funnel.from_counts(counts(groups))),
            ("a log, entries of users who are in many groups", funnel(log, STEPS, count="entries", **asked)),
        ):
            found = answer.compare()
            works = (answer.compare, found.sentence, partial(drawn, found))
            seconds = [took(work, options.turns) for work in works]
            lines.append(f"| {groups:,} | {name} | {' | '.join(f'{one:.2g}' for one in seconds)} |")
    table = "\n".join(lines)
    text = f"Measured {date.today():%Y-%m-%d}, median of {options.turns} turns, 4 steps, 2 shared cores.\n\n{table}\n"
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").split(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


def drawn(found: Any) -> None:
    import matplotlib.pyplot as plt

    found.plot().figure.canvas.draw()
    plt.close("all")


if __name__ == "__main__":
    main()
