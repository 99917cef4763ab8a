"""How fast a funnel is answered, and in how much memory, beside others' ways to the same counts.

    uv run python benchmarks/speed.py --rows 10_000_000 --write

simulates a log (peers/eventlog.py), lets each contender (peers/contenders.py) answer in a process of its own, in
turns, checks that they count the same, and prints a table and the targets; --write puts them into speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

HERE = Path(__file__).parent
REPORT = Path(__file__).with_suffix(".md")
MILLION = 1_000_000
SMALL = 10_000
SEED = 1

CONTENDERS = {
    "ours": 'toolkit, `path="auto"`',
    "chdb": "chdb `windowFunnel`",
    "asof": 'toolkit, `path="asof"` (pure SQL)',
    "index": "toolkit, a funnel on an index",
    "windows": 'toolkit, `path="windows"`',
    "duckdb": "DuckDB, window functions by hand",
    "pandas": "pandas, `groupby.cummax` by hand",
    "retentioneering": "retentioneering 5, end to end",
}
#: It knows no window, so it comes last.
WINDOWLESS = "retentioneering"
#: Contenders that hold all rows, and more than once, took 1.2 to 1.4 GB for so many.
MOST_ROWS = 10 * MILLION

Runs = dict[str, list[dict[str, Any]]]


def simulated(rows: int) -> Path:
    """The log, made anew only where the cache does not have it."""
    path = HERE / ".cache" / f"log-{rows}-{SEED}.parquet"
    if not path.exists():
        # In a process of its own: Linux lets a child's peak memory begin at its parent's.
        command = [
            sys.executable,
            str(HERE / "peers" / "eventlog.py"),
            str(rows),
            str(path),
            "--seed",
            str(SEED),
        ]
        subprocess.run(command, check=True)
    return path


def run(name: str, log: Path, script: str) -> dict[str, Any]:
    """One contender of a script in peers/, once."""
    python = [sys.executable]
    if name == "retentioneering":
        ours = f"{sys.version_info.major}.{sys.version_info.minor}"
        python = ["uv", "run", "--quiet", "--isolated", "--no-project", "--python", ours]
        python += ["--with", "retentioneering>=5,<6", "python"]
    command = [*python, str(HERE / "peers" / script), name, str(simulated(SMALL)), str(log)]
    # Its documented way to switch off telemetry.
    quiet = os.environ | {"RETENTIONEERING_NO_TRACK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=quiet)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def differing(name: str, answer: dict[str, list[int]], expected: dict[str, list[int]]) -> list[str]:
    """Platforms whose counts are not the expected ones."""
    # Without a window later steps differ, the first does not.
    steps = 1 if name == WINDOWLESS else None
    platforms = sorted(expected | answer)
    return [one for one in platforms if answer.get(one, [])[:steps] != expected.get(one, [])[:steps]]


def measure(names: list[str], log: Path, turns: int, script: str) -> Runs:
    """Contenders in turns, every other turn backwards, so that what slows the machine down slows all."""
    with log.open("rb") as file:
        while file.read(1 << 24):
            pass  # into the page cache
    runs: Runs = {name: [] for name in names}
    expected = None
    order = [name for turn in range(turns) for name in (names if turn % 2 == 0 else names[::-1])]
    with tqdm(order, delay=2, leave=False, unit="run") as bar:
        for name in bar:
            bar.set_postfix_str(name)
            found = run(name, log, script)
            expected = expected or found["answer"]
            wrong = differing(name, found["answer"], expected)
            if wrong:
                raise SystemExit(f"{name} counts {wrong[0]} otherwise: {found['answer']}, not {expected}")
            runs[name].append(found)
    return runs


def middle(values: list[float], digits: str) -> str:
    """Median, and the range where there is one."""
    shown = format(statistics.median(values), digits)
    return shown if len(values) < 2 else f"{shown} ({min(values):{digits}}-{max(values):{digits}})"


def ratios(runs: Runs, name: str, to: str, what: str = "seconds") -> list[float]:
    """How many times as much `to` needed as `name`, turn by turn."""
    return [other[what] / one[what] for one, other in zip(runs.get(name, []), runs.get(to, []), strict=False)]


def table(runs: Runs, contenders: dict[str, str]) -> str:
    lines = [
        ["", "seconds", "of CPU", "times as fast as chdb", "peak MB", "imports, compilation (s)", "answer"],
        ["---", *["---:"] * 5, "---"],
    ]
    for name, found in runs.items():
        faster, digits = ratios(runs, name, "chdb"), ".3f" if name == "index" else ".2f"
        answer = "no window: later steps not compared" if name == WINDOWLESS else "equal" * (len(runs) > 1)
        if "build" in found[0]:
            answer += f"; building the index: {middle([one['build'] for one in found], '.1f')} s"
        if name == "ours":
            answer += f"; took `{found[0]['path']}`"
        lines.append(
            [
                contenders[name],
                middle([one["seconds"] for one in found], digits),
                format(statistics.median(one["worked"] for one in found), digits),
                middle(faster, ".2f") if faster else "",
                f"{statistics.median(one['memory'] for one in found):,.0f}",
                f"{statistics.median(one['ready'] for one in found):.1f}",
                answer,
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def importing() -> float:
    """Seconds of `import toolkit` over those of starting Python."""

    def started(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent)
        return time.perf_counter() - begun

    return statistics.median(started("import toolkit") - started("pass") for _ in range(11))


def targets(runs: Runs, rows: int) -> str:
    """What was aimed at, for the sizes for which it was, and what came out."""
    ten, hundred = rows == 10 * MILLION, rows == 100 * MILLION
    wanted: list[tuple[str, list[float], float, bool]] = []

    def want(text: str, values: list[float], limit: float, least: bool) -> None:
        if values:
            wanted.append((text, values, limit, least))

    if ten or hundred:
        want("toolkit, times as fast as chdb", ratios(runs, "ours", "chdb"), 1.7 if ten else 2.2, True)
        want("index, times as fast as chdb", ratios(runs, "index", "chdb"), 20, True)
        want("toolkit, times as fast as retentioneering", ratios(runs, "ours", "retentioneering"), 25, True)
        want("pure SQL, times as long as chdb", ratios(runs, "chdb", "asof"), 1.1, False)
    if ten:
        want("a funnel on the index, s", [one["seconds"] for one in runs.get("index", [])], 0.05, False)
    if hundred:
        want("toolkit's peak memory over chdb's", ratios(runs, "chdb", "ours", "memory"), 0.5, False)
    want("`import toolkit`, s", [importing()], 0.1, False)
    return verdicts(wanted)


def verdicts(wanted: list[tuple[str, list[float], float, bool]]) -> str:
    """A table of targets: what, the values turn by turn, the limit, and whether it is the least or the most."""
    lines = ["| target | wanted | measured | |", "| --- | ---: | ---: | --- |"]
    for text, values, limit, least in wanted:
        value = statistics.median(values)
        met = value >= limit if least else value <= limit
        digits = ".3f" if limit < 0.2 else ".2f"
        sign = "at least" if least else "at most"
        lines.append(
            f"| {text} | {sign} {limit:g} | {middle(values, digits)} | {'met' if met else '**not met**'} |"
        )
    return "\n".join(lines)


def write(text: str, report: Path) -> None:
    """Put a section under the prose, in place of an older one of the same size."""
    mark = f"<!-- below: written by benchmarks/{report.stem}.py -->"
    prose, _, old = report.read_text(encoding="utf-8").partition(mark) if report.exists() else ("", "", "")
    sections = {
        part.split("\n", 1)[0]: part.strip() for part in [*old.split("\n## ")[1:], text.removeprefix("## ")]
    }
    ordered = sorted(sections, key=lambda heading: int(heading.split()[0].replace(",", "")))
    body = "\n\n".join(f"## {sections[heading]}" for heading in ordered)
    report.write_text(f"{prose}{mark}\n\n{body}\n", encoding="utf-8")


def section(runs: Runs, log: Path, rows: int, tables: str, turns: int) -> str:
    """A size's tables under its heading, with what they were measured on."""
    versions = {f"Python {platform.python_version()}"}
    versions.update(*(found[0]["versions"] for found in runs.values()))
    return (
        f"## {rows:,} rows\n\n"
        f"Simulated log, one Parquet file of {log.stat().st_size / 1e6:,.0f} MB; {date.today():%Y-%m-%d}; "
        f"{os.cpu_count()} cores; {', '.join(sorted(versions))}. "
        f"Median of {turns} turns, range in brackets.\n\n{tables}"
    )


def compare(
    report: Path,
    about: str,
    contenders: dict[str, str],
    bounded: str,
    targets: Callable[[Runs, int], str],
    script: str = "contenders.py",
) -> None:
    """What the command line asks: contenders of a script in peers/, their table, and the targets.

    `bounded` is the contender that is left out above `MOST_ROWS`, unless it is named.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10 * MILLION)
    parser.add_argument("--pairs", type=int, default=5, help="turns")
    parser.add_argument("--only", help=f"contenders, with commas between them: {','.join(contenders)}")
    parser.add_argument("--write", action="store_true", help=f"also write {report.name}")
    options = parser.parse_args()
    fit = [name for name in contenders if name != bounded or options.rows <= MOST_ROWS]
    chosen = options.only.split(",") if options.only else fit
    unknown = sorted(set(chosen) - set(contenders))
    if unknown:
        parser.error(f"no contender {', '.join(unknown)}; there are: {', '.join(contenders)}")
    # The first one's counts are those that are expected.
    names = [name for name in contenders if name in chosen]
    simulated(SMALL)
    log = simulated(options.rows)
    runs = measure(names, log, options.pairs, script)
    tables = f"{table(runs, contenders)}\n\n{targets(runs, options.rows)}"
    text = section(runs, log, options.rows, tables, options.pairs)
    print(text)
    if options.write:
        write(text, report)


if __name__ == "__main__":
    compare(REPORT, __doc__, CONTENDERS, WINDOWLESS, targets)
