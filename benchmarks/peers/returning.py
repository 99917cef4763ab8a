"""One way to answer the retention question of benchmarks/retention.py, alone in its process (see contenders.py).

    uv run python benchmarks/peers/returning.py chdb SMALL.parquet LOG.parquet

An answer is, for each week's cohort, how many distinct users came back in each week from their first one on.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

from contenders import ASKED, Answer, main, noted, working
from eventlog import DAYS, START

if TYPE_CHECKING:
    from toolkit import EventLog

DAY = 86_400_000_000
#: The log begins on a Wednesday, and its times are local: weeks are counted from the Monday before.
MONDAY = int(START) - 2 * DAY
WEEKS = (DAYS + 2 + 6) // 7 + 1
SMALL = 10_000
# No time is null in the log; said so, ClickHouse is faster, and `retention` takes 32 conditions instead of 8.
WEEK = f"intDiv(toUnixTimestamp64Micro(assumeNotNull(timestamp)) - {MONDAY}, {7 * DAY})"


def asked(log: EventLog, way: str, born_from: str = "2024-12-01") -> Answer:
    from toolkit import retention

    found = retention(log, period="week", periods=WEEKS - 1, born_from=born_from, path=way)
    noted["path"] = found.path
    known = found.table.dropna(subset="retained")
    return {str(cohort.date()): rows["retained"].tolist() for cohort, rows in known.groupby("cohort")}


def ours(path: str) -> Answer:
    from toolkit import read_events

    log = read_events(path)
    # The small log is asked by the path that is chosen for large ones alone.
    return asked(log, "auto" if log.facts.rows > SMALL else "stream")


def index(path: str) -> Answer:
    from toolkit import read_events

    begun = time.perf_counter()
    log = read_events(path).index()
    noted["build"] = time.perf_counter() - begun
    took, worked = [], working()
    for more in range(ASKED):
        begun = time.perf_counter()
        answer = asked(log, "index", f"2024-12-01 00:{more:02}")
        took.append(time.perf_counter() - begun)
    noted["seconds"], noted["worked"] = statistics.median(took), (working() - worked) / ASKED
    return answer


def matrix(rows: list[tuple[int, list[int]]]) -> Answer:
    """From cohorts' week numbers and counts by age, as many as the log's last week leaves."""
    import pandas as pd

    last = max(week + age for week, counts in rows for age, n in enumerate(counts) if n)
    first = pd.Timestamp(MONDAY, unit="us")
    return {
        str((first + pd.Timedelta(weeks=week)).date()): counts[: last - week + 1]
        for week, counts in sorted(rows)
    }


def clickhouse(sql: str) -> Answer:
    import chdb

    lines = str(chdb.query(sql, "JSONCompactEachRow")).splitlines()
    return matrix([(int(week), [int(n) for n in counts]) for week, counts in map(json.loads, lines)])


def chdb(path: str) -> Answer:
    # A bit for each week of a user; the lowest is the cohort's.
    ages = ", ".join(f"sum(bitAnd(bitShiftRight(mask, week + {age}), 1))" for age in range(WEEKS))
    return clickhouse(
        f"""
        SELECT week, [{ages}] FROM (
            SELECT groupBitOr(bitShiftLeft(toUInt16(1), {WEEK})) AS mask,
                bitCount(bitAnd(bitNot(mask), mask - 1)) AS week
            FROM file('{path}', Parquet) GROUP BY user_id
        ) GROUP BY week
        """
    )


def kept(path: str, week: str, most: int) -> Answer:
    """By `retention`, which takes so many conditions in one call, the first of them that a user is there at all."""
    there = [f"{week} = {number}" for number in range(WEEKS)]
    calls = [there[low : low + most - 1] for low in range(0, WEEKS, most - 1)]
    active = ", ".join(f"arraySlice(retention(1, {', '.join(call)}), 2)" for call in calls)
    return clickhouse(
        f"""
        SELECT week, sumForEach(arrayResize(arraySlice(active, week + 1), {WEEKS})) FROM (
            SELECT arrayConcat({active}) AS active, indexOf(active, 1) - 1 AS week
            FROM file('{path}', Parquet) GROUP BY user_id
        ) GROUP BY week
        """
    )


def chdb_retention(path: str) -> Answer:
    # Times as the file declares them, any of which might be null: then 8 conditions are the most.
    return kept(path, WEEK.replace("assumeNotNull(timestamp)", "timestamp"), 8)


def chdb_told(path: str) -> Answer:
    return kept(path, WEEK, 32)


def pandas(path: str) -> Answer:
    import pandas as pd

    rows = pd.read_parquet(path, columns=["user_id", "timestamp"])
    week = (rows["timestamp"].astype("datetime64[us]").astype("int64") - MONDAY) // (7 * DAY)
    active = pd.DataFrame({"user": rows["user_id"], "week": week}).drop_duplicates()
    cohort = active.groupby("user")["week"].transform("min")
    counts = pd.crosstab(cohort, active["week"] - cohort).reindex(columns=range(WEEKS), fill_value=0)
    return matrix(
        [(int(week), row.tolist()) for week, row in zip(counts.index, counts.to_numpy(), strict=True)]
    )


if __name__ == "__main__":
    main({one.__name__: one for one in (ours, index, chdb, chdb_retention, chdb_told, pandas)})
