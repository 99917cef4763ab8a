"""What 100 million rows take when DuckDB may have 2 GB: peak memory of the process, and how much went to disk.

    uv run python benchmarks/memory.py --write

asks each question in a process of its own after `toolkit.limit(memory=)`, watches the folder that it spills to, and
checks that two ways to one answer count the same; --write puts the table into memory.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from speed import HERE, MILLION, simulated
from tqdm.auto import tqdm

REPORT = Path(__file__).with_suffix(".md")
MARK = "<!-- below: written by benchmarks/memory.py -->"
STEPS = ["enter_live", "click_item", "add_cart", "pay"]
FUNNEL = f"funnel(log, {STEPS}, within='1d', by='platform', hold='platform', count='pairs', path={{way!r}})"
#: What is asked, by which way, and what of the answer must be the same whatever the way.
QUESTIONS = {
    ("funnel", "stream"): (FUNNEL, "found.table['reached'].tolist()"),
    ("funnel", "windows"): (FUNNEL, "found.table['reached'].tolist()"),
    ("funnel", "asof"): (FUNNEL, "found.table['reached'].tolist()"),
    ("weekly retention", "stream"): (
        "retention(log, period='week', path={way!r})",
        "found.table['retained'].dropna().tolist()",
    ),
    ("weekly retention", "sql"): (
        "retention(log, period='week', path={way!r})",
        "found.table['retained'].dropna().tolist()",
    ),
    ("activity", "sql"): ("activity(log, path={way!r})", "found.table['dau'].tolist()"),
    ("repurchase", "sql"): (
        "repurchase(log, event='pay', path={way!r})",
        "found.table['repurchased'].tolist()",
    ),
}


def asked(question: str, answer: str, log: Path, memory: str) -> dict[str, Any]:
    """One question in a process of its own: seconds, peak memory and peak size of its spill folder in MB, answer."""
    with tempfile.TemporaryDirectory(dir=HERE / ".cache") as spill:
        code = (
            "import json, resource, time\n"
            "from toolkit import *\n"
            f"limit(memory={memory!r}, spill={spill!r})\n"
            f"log = read_events({str(log)!r})\n"
            "begun = time.perf_counter()\n"
            f"found = {question}\n"
            "took = time.perf_counter() - begun\n"
            "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"print(json.dumps({{'seconds': took, 'peak': used, 'answer': {answer}}}, default=str))"
        )
        # -P, since numba looks for a package of the name that a file beside this one has.
        asking = subprocess.Popen(
            [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        spilled = 0
        while asking.poll() is None:
            spilled = max(spilled, size(Path(spill)))
            time.sleep(0.1)
        out, error = asking.communicate()
    if asking.returncode:
        return {"seconds": None, "peak": None, "spilled": spilled / 1e6, "answer": error.splitlines()[-1]}
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return found | {"peak": found["peak"] * unit / 1e6, "spilled": spilled / 1e6}


def size(folder: Path) -> int:
    """Bytes on disk below a folder, whose files come and go."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def report(lines: dict[tuple[str, str], dict[str, Any]], rows: int, memory: str) -> str:
    """The table as Markdown."""
    text = [
        f"{date.today():%Y-%m-%d}; {os.cpu_count()} cores; Python {platform.python_version()}; {rows:,} rows, "
        f'`toolkit.limit(memory="{memory}")`, one run.',
        "",
        "| question | path | seconds | peak MB of the process | MB spilled |",
        "|---|---|--:|--:|--:|",
    ]
    for (what, way), found in lines.items():
        if found["seconds"] is None:
            text.append(f"| {what} | `{way}` | no answer | {found['answer']} | {found['spilled']:,.0f} |")
        else:
            text.append(
                f"| {what} | `{way}` | {found['seconds']:.1f} | {found['peak']:,.0f} | {found['spilled']:,.0f} |"
            )
    return "\n".join(text) + "\n"


def main() -> None:
    """Print the table; keep it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=100 * MILLION)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    (HERE / ".cache").mkdir(exist_ok=True)
    if shutil.disk_usage(HERE).free < 100 * options.rows:
        parser.error(f"{options.rows:,} rows need {100 * options.rows / 1e9:.0f} GB of disk")
    log = simulated(options.rows)
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for (what, way), (question, answer) in tqdm(QUESTIONS.items(), unit="question", leave=False):
        found = asked(question.format(way=way), answer, log, options.memory)
        before = next((one for (other, _), one in lines.items() if other == what and one["seconds"]), None)
        if before and found["seconds"] and before["answer"] != found["answer"]:
            raise SystemExit(f"{what} by {way} counts {found['answer']}, not {before['answer']}")
        lines[what, way] = found
    text = report(lines, options.rows, options.memory)
    print(text)
    if options.write:
        prose = REPORT.read_text(encoding="utf-8").partition(MARK)[0]
        REPORT.write_text(f"{prose}{MARK}\n\n{text}", encoding="utf-8")


if __name__ == "__main__":
    main()
