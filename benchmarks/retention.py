"""How fast weekly retention by exact distinct users is answered, and in how much memory, beside others' ways.

    uv run python benchmarks/retention.py --rows 10_000_000 --write

is speed.py for cohorts: the same log and the same turns, contenders from peers/returning.py; --write puts tables and
targets into retention.md.
"""

from __future__ import annotations

from pathlib import Path

from speed import MILLION, Runs, compare, ratios, verdicts

REPORT = Path(__file__).with_suffix(".md")
CONTENDERS = {
    "ours": "toolkit, from Parquet",
    "chdb": "chdb, `groupBitOr` mask",
    "index": "toolkit, on an index",
    "chdb_retention": "chdb `retention()`",
    "chdb_told": "chdb `retention()`, told that no time is null",
    "pandas": "pandas, `drop_duplicates` and `crosstab`",
}


def targets(runs: Runs, rows: int) -> str:
    """What was aimed at, and what came out."""
    # Of the larger log it was only asked not to be slower than the best form.
    best = 1.1 if rows <= 10 * MILLION else 1.0
    wanted = [
        ("toolkit, times as fast as the mask", ratios(runs, "ours", "chdb"), best, True),
        ("toolkit, times as fast as `retention()`", ratios(runs, "ours", "chdb_retention"), 2.5, True),
        ("index, times as fast as the mask", ratios(runs, "index", "chdb"), 8.0, True),
        ("toolkit, times as fast as pandas", ratios(runs, "ours", "pandas"), 8.0, True),
    ]
    return verdicts([one for one in wanted if one[1]])


if __name__ == "__main__":
    compare(REPORT, __doc__, CONTENDERS, "pandas", targets, "returning.py")
