"""How time and memory grow with the rows of a log: funnel, retention, index and simulation at 1, 10 and 100 million.

    uv run python benchmarks/scale.py --write

asks the questions of speed.py and retention.py of logs of each size, each in a process of its own, and prints a table
with the slope of work on rows; --write keeps it in scale.md and the numbers in scale.csv, which notebook 10 draws.
"""

from __future__ import annotations

import argparse
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


def slopes(table: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    """By question, how processor seconds and peak memory grow with rows: exponents between the two largest sizes."""
    for question, part in table.groupby("question", sort=False):
        if len(part) > 1:
            (_, small), (_, large) = part.tail(2).iterrows()
            by = math.log(large["rows"] / small["rows"])
            yield (
                str(question),
                *(math.log(large[name] / small[name]) / by for name in ("processor_seconds", "peak_mb")),
            )


def report(table: pd.DataFrame, turns: int) -> str:
    """Table and slopes as Markdown."""
    lines = ["| question | rows | seconds | of processor | peak MB |", "|---|--:|--:|--:|--:|"]
    for row in table.to_dict("records"):
        digits = ".3f" if row["seconds"] < 1 else ".1f"
        lines.append(
            f"| {row['question']} | {row['rows']:,} | {row['seconds']:{digits}} | "
            f"{row['processor_seconds']:{digits}} | {row['peak_mb']:,.0f} |"
        )
    lines += ["", "| question | work grows with rows to the power | peak memory |", "|---|--:|--:|"]
    lines += [f"| {name} | {work:.2f} | {memory:.2f} |" for name, work, memory in slopes(table)]
    head = (
        f"{date.today():%Y-%m-%d}; {os.cpu_count()} cores; Python {platform.python_version()}; medians of "
        f"{turns} turn{'s' * (turns > 1)}. Slopes are between the two largest sizes."
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
