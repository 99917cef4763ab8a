"""How fast weekly retention by exact distinct users is answered, and in how much memory, beside others' ways.

    uv run python benchmarks/retention.py --rows 10_000_000 --write

is speed.py for cohorts: the same log and the same turns, contenders from peers/returning.py; --write puts tables and
targets into retention.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from speed import MILLION, SMALL, measure, ratios, section, simulated, table, verdicts, write

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/retention.py -->"
CONTENDERS = {
    "ours": "toolkit, from Parquet",
    "chdb": "chdb, `groupBitOr` mask",
    "index": "toolkit, on an index",
    "chdb_retention": "chdb `retention()`",
    "pandas": "pandas, `drop_duplicates` and `crosstab`",
}
#: pandas holds all rows, and more than once.
MOST_PANDAS = 10 * MILLION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10 * MILLION)
    parser.add_argument("--pairs", type=int, default=5, help="turns")
    parser.add_argument("--only", help=f"contenders, with commas between them: {','.join(CONTENDERS)}")
    parser.add_argument("--write", action="store_true", help=f"also write {REPORT.name}")
    options = parser.parse_args()
    fit = [name for name in CONTENDERS if name != "pandas" or options.rows <= MOST_PANDAS]
    chosen = options.only.split(",") if options.only else fit
    unknown = sorted(set(chosen) - set(CONTENDERS))
    if unknown:
        parser.error(f"no contender {', '.join(unknown)}; there are: {', '.join(CONTENDERS)}")
    names = [name for name in CONTENDERS if name in chosen]
    simulated(SMALL)
    log = simulated(options.rows)
    runs = measure(names, log, options.pairs, "returning.py")
    # Of the larger log it was only asked not to be slower than the best form.
    best = 1.1 if options.rows <= 10 * MILLION else 1.0
    wanted = [
        ("toolkit, times as fast as the mask", ratios(runs, "ours", "chdb"), best, True),
        ("toolkit, times as fast as `retention()`", ratios(runs, "ours", "chdb_retention"), 2.5, True),
        ("index, times as fast as the mask", ratios(runs, "index", "chdb"), 8.0, True),
        ("toolkit, times as fast as pandas", ratios(runs, "ours", "pandas"), 8.0, True),
    ]
    tables = f"{table(runs, CONTENDERS)}\n\n{verdicts([one for one in wanted if one[1]])}"
    text = section(runs, log, options.rows, tables, options.pairs)
    print(text)
    if options.write:
        write(text, REPORT, MARK)


if __name__ == "__main__":
    main()
