"""How time and memory grow with the rows of a log: funnel, retention, index and simulation at 1, 10 and 100 million.

    uv run python benchmarks/scale.py --write

asks the questions of speed.py and retention.py of logs of each size, each in a process of its own, and prints a table
with the slope of work and memory on rows; --write keeps it in scale.md and the numbers in scale.csv, which notebook 10
draws.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from speed import HERE, MILLION, SEED, run, simulated
from tqdm.auto import tqdm

REPORT = Path(__file__).with_suffix(".md")
NUMBERS = HERE.parent / "datasets" / "scale.csv"
MARK = "<!-- below: written by benchmarks/scale.py -->"
SIZES = (MILLION, 10 * MILLION, 100 * MILLION)
#: What is asked, the contender that answers it, and its script in peers/.
QUESTIONS = {
    "funnel": ("ours", "contenders.py"),
    "retention": ("ours", "returning.py"),
    "index: built": ("index", "contenders.py"),
    "index: a funnel": ("index", "contenders.py"),
}
SIMULATION = "simulation"


def simulation(rows: int) -> dict[str, float]:
    """Writing a log of that size, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=HERE / ".cache") as folder:
        script, path = HERE / "peers" / "eventlog.py", Path(folder) / "log.parquet"
        code = (
            "import json, resource, runpy, sys\n"
            f"sys.argv = [{str(script)!r}, {str(rows)!r}, {str(path)!r}, '--seed', {str(SEED)!r}]\n"
            f"runpy.run_path({str(script)!r}, run_name='__main__')\n"
            "used = resource.getrusage(resource.RUSAGE_SELF)\n"
            "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))"
        )
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    worked, memory = json.loads(done.stdout.splitlines()[-1])
    unit = 1 << (20 if sys.platform == "darwin" else 10)
    return {"seconds": time.perf_counter() - begun, "worked": worked, "memory": memory / unit}


def asked(what: str, log: Path) -> dict[str, float]:
    """A question of speed.py or retention.py, its answer left out."""
    found = run(QUESTIONS[what][0], log, QUESTIONS[what][1])
    return {name: value for name, value in found.items() if isinstance(value, float)}


def measured(sizes: list[int], turns: int) -> pd.DataFrame:
    """One row per question and size: medians of seconds, of processor seconds, of peak memory in MB."""
    (HERE / ".cache").mkdir(exist_ok=True)
    simulated(10_000)
    lines: list[dict[str, Any]] = []
    jobs = [(rows, what) for rows in sizes for what in (*QUESTIONS, SIMULATION) if what != "index: a funnel"]
    for rows, what in tqdm(jobs, unit="run", leave=False):
        log = None if what == SIMULATION else simulated(rows)
        runs = [simulation(rows) if log is None else asked(what, log) for _ in range(turns)]
        middle = {name: statistics.median(found[name] for found in runs) for name in runs[0]}
        if what == "index: built":
            lines.append({"question": "index: a funnel", "rows": rows, **middle})
            middle |= {"seconds": middle.pop("build"), "worked": middle.pop("build_worked")}
        lines.append({"question": what, "rows": rows, **middle})
    order = [*QUESTIONS, SIMULATION]
    table = pd.DataFrame(lines)[["question", "rows", "seconds", "worked", "memory"]]
    table = table.rename(columns={"worked": "processor_seconds", "memory": "peak_mb"})
    place = table["question"].map(order.index)
    return (
        table.assign(place=place).sort_values(["place", "rows"]).drop(columns="place").reset_index(drop=True)
    )


def growth(table: pd.DataFrame) -> Iterator[tuple[str, list[float], float, float]]:
    """By question, how work and memory grow with rows.

    The power of rows with which processor seconds grow, from each size to the next; and what each further row takes
    between the two largest sizes, nanoseconds of the processor and bytes at the peak.
    """
    for question, part in table.groupby("question", sort=False):
        sizes = list(part.itertuples())
        if len(sizes) > 1:
            powers = [
                math.log(large.processor_seconds / small.processor_seconds)
                / math.log(large.rows / small.rows)
                for small, large in itertools.pairwise(sizes)
            ]
            small, large = sizes[-2:]
            more = large.rows - small.rows
            work = (large.processor_seconds - small.processor_seconds) / more * 1e9
            yield str(question), powers, work, (large.peak_mb - small.peak_mb) / more * 1e6


def report(table: pd.DataFrame, turns: int) -> str:
    """Table and slopes as Markdown."""
    lines = ["| question | rows | seconds | of processor | peak MB |", "|---|--:|--:|--:|--:|"]
    for row in table.to_dict("records"):
        digits = ".3f" if row["seconds"] < 1 else ".1f"
        lines.append(
            f"| {row['question']} | {row['rows']:,} | {row['seconds']:{digits}} | "
            f"{row['processor_seconds']:{digits}} | {row['peak_mb']:,.0f} |"
        )
    lines += [
        "",
        "| question | work grows with rows to the power | each further row: ns of processor | bytes at the peak |",
        "|---|--:|--:|--:|",
    ]
    for name, powers, work, memory in growth(table):
        lines.append(
            f"| {name} | {', then '.join(f'{one:.2f}' for one in powers)} | {work:.1f} | {memory:.1f} |"
        )
    head = (
        f"{date.today():%Y-%m-%d}; {os.cpu_count()} cores; Python {platform.python_version()}; medians of "
        f"{turns} turn{'s' * (turns > 1)}. Powers are from each size to the next; what a further row takes is "
        "between the two largest sizes."
    )
    return f"{head}\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables; keep them if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="rows, with commas between them")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sizes = [int(size.replace("_", "")) for size in options.sizes.split(",")]
    free = shutil.disk_usage(HERE).free
    if free < 40 * max(sizes):
        parser.error(
            f"{max(sizes):,} rows need {40 * max(sizes) / 1e9:.0f} GB of disk; {free / 1e9:.0f} are free"
        )
    table = measured(sizes, options.turns)
    text = report(table, options.turns)
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").partition(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")
        table.round({"seconds": 4, "processor_seconds": 4, "peak_mb": 0}).to_csv(NUMBERS, index=False)


if __name__ == "__main__":
    main()
