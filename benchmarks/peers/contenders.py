"""One way to answer the funnel of benchmarks/speed.py, alone in its process.

    uv run python benchmarks/peers/contenders.py chdb SMALL.parquet LOG.parquet

answers from the small file first, so that imports, compilation and an engine's start are over and counted apart,
then from the log, and prints one line of JSON. A contender is a function from a file to its answer: for each
platform, how many (user, platform) pairs reached each step.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit import EventLog

STEPS = ["enter_live", "click_item", "add_cart", "pay"]
NAMES = ", ".join(f"'{step}'" for step in STEPS)
DAY = 86_400_000_000
#: How often the index is asked, each time with another window, as a slider does.
ASKED = 31

Answer = dict[str, list[int]]
#: What a contender says of itself besides its answer: its own seconds, the path that ran.
noted: dict[str, Any] = {}


def reached(levels: Iterable[tuple[str, int, int]]) -> Answer:
    """From (platform, depth, pairs of that depth) to pairs that got at least so far."""
    answer: Answer = {}
    for platform, level, n in levels:
        counts = answer.setdefault(platform, [0] * len(STEPS))
        for j in range(level):
            counts[j] += n
    return answer


def asked(log: EventLog, within: Any, way: str) -> Answer:
    from toolkit import funnel

    found = funnel(log, STEPS, within=within, by="platform", hold="platform", count="pairs", path=way)
    noted["path"] = found.path
    return {name: rows["reached"].tolist() for name, rows in found.table.groupby("platform", observed=True)}


def ours(path: str, way: str = "stream") -> Answer:
    from toolkit import read_events

    return asked(read_events(path), "1d", way)


def auto(path: str) -> Answer:
    return ours(path, "auto")


def asof(path: str) -> Answer:
    return ours(path, "asof")


def windows(path: str) -> Answer:
    return ours(path, "windows")


def index(path: str) -> Answer:
    import pandas as pd

    from toolkit import read_events

    begun, worked = time.perf_counter(), working()
    log = read_events(path).index(keep=["platform"])
    noted["build"], noted["build_worked"] = time.perf_counter() - begun, working() - worked
    took, worked = [], working()
    for more in range(ASKED - 1, -1, -1):
        begun = time.perf_counter()
        answer = asked(log, pd.Timedelta(days=1, minutes=more), "index")
        took.append(time.perf_counter() - begun)
    noted["seconds"], noted["worked"] = statistics.median(took), (working() - worked) / ASKED
    return answer


def chdb(path: str) -> Answer:
    import chdb

    # windowFunnel refuses DateTime64, so it is given whole microseconds.
    conditions = ", ".join(f"event = '{step}'" for step in STEPS)
    text = chdb.query(
        f"""
        SELECT platform, level, count()
        FROM (
            SELECT user_id, platform,
                windowFunnel({DAY})(toUInt64(toUnixTimestamp64Micro(timestamp)), {conditions}) AS level
            FROM file('{path}', Parquet)
            WHERE event IN ({NAMES})
            GROUP BY user_id, platform
        )
        WHERE level > 0
        GROUP BY platform, level
        """,
        "JSONCompactEachRow",
    )
    rows = [json.loads(line) for line in str(text).splitlines()]
    return reached((platform, int(level), int(n)) for platform, level, n in rows)


def duckdb(path: str) -> Answer:
    import duckdb

    # s1 to s3: the latest entry from which a row's user has got to step 1, 2, 3 by now, in time.
    rows = duckdb.sql(
        f"""
        WITH steps AS (
            SELECT user_id, platform, event, timestamp AS t FROM read_parquet('{path}') WHERE event IN ({NAMES})
        ), first AS (
            SELECT *, max(CASE WHEN event = 'enter_live' THEN t END) OVER sofar AS s1 FROM steps
            WINDOW sofar AS (PARTITION BY user_id, platform ORDER BY t)
        ), second AS (
            SELECT *, max(CASE WHEN event = 'click_item' AND t <= s1 + INTERVAL 1 DAY THEN s1 END) OVER sofar AS s2
            FROM first WINDOW sofar AS (PARTITION BY user_id, platform ORDER BY t)
        ), third AS (
            SELECT *, max(CASE WHEN event = 'add_cart' AND t <= s2 + INTERVAL 1 DAY THEN s2 END) OVER sofar AS s3
            FROM second WINDOW sofar AS (PARTITION BY user_id, platform ORDER BY t)
        ), pairs AS (
            SELECT user_id, platform, max(CASE
                WHEN event = 'pay' AND t <= s3 + INTERVAL 1 DAY THEN 4
                WHEN s3 IS NOT NULL THEN 3 WHEN s2 IS NOT NULL THEN 2 WHEN s1 IS NOT NULL THEN 1 ELSE 0 END) AS level
            FROM third GROUP BY user_id, platform
        )
        SELECT platform, level, count(*) FROM pairs GROUP BY platform, level
        """
    ).fetchall()
    return reached(row for row in rows if row[1])


def pandas(path: str) -> Answer:
    import pandas as pd

    columns = ["user_id", "platform", "event", "timestamp"]
    rows = pd.read_parquet(path, columns=columns, filters=[("event", "in", STEPS)])
    step = rows["event"].map({name: j for j, name in enumerate(STEPS, 1)}).astype("int8")
    pair = rows.groupby(["user_id", "platform"], sort=False, observed=True).ngroup()
    t = rows["timestamp"].astype("datetime64[us]").astype("int64")
    # Rows of one moment are taken in the order of the steps.
    rows = pd.DataFrame({"pair": pair, "t": t, "step": step, "platform": rows["platform"]})
    rows = rows.sort_values(["pair", "t", "step"], ignore_index=True)
    never = -(1 << 60)
    start = rows["t"].where(rows["step"] == 1, never)
    level = (rows["step"] == 1).astype("int8")
    for j in range(2, len(STEPS) + 1):
        latest = start.groupby(rows["pair"]).cummax()
        valid = (rows["step"] == j) & (rows["t"] - latest <= DAY)
        start = latest.where(valid, never)
        level = level.mask(valid, j)
    pairs = (
        rows.assign(level=level).groupby("pair").agg(platform=("platform", "first"), level=("level", "max"))
    )
    sizes = pairs[pairs["level"] > 0].groupby(["platform", "level"], observed=True).size()
    return reached((platform, level, int(n)) for (platform, level), n in sizes.items())


def retentioneering(path: str) -> Answer:
    import pandas as pd
    from retentioneering import Eventstream

    # A path there is a user's; a stream per platform makes it a (user, platform) pair's.
    rows = pd.read_parquet(path, columns=["user_id", "platform", "event", "timestamp"])
    schema = {"path_cols": ["user_id"], "event_col": "event", "timestamp_col": "timestamp", "custom_cols": []}
    answer = {}
    for platform, part in rows.groupby("platform", observed=True):
        found = Eventstream(part, schema=schema).funnel_data(steps=STEPS)["steps"]
        answer[platform] = [step["unique_paths"] for step in found]
    return answer


CONTENDERS: dict[str, Callable[[str], Answer]] = {
    "ours": auto,
    **{one.__name__: one for one in (asof, windows, index, chdb, duckdb, pandas, retentioneering)},
}
TOOLKIT = ("ours", "asof", "windows", "index")


def working() -> float:
    """Seconds of work so far, of all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(contenders: dict[str, Callable[[str], Answer]] = CONTENDERS) -> None:
    name, small, path = sys.argv[1:]
    run = contenders[name]
    begun = time.perf_counter()
    run(small)
    if run is auto:
        ours(small)  # by the path that is chosen for large logs alone
    ready = time.perf_counter()
    noted.clear()
    worked = working()
    answer = run(path)
    seconds = time.perf_counter() - ready
    worked = working() - worked
    packages = ["duckdb", "numba"] if name in TOOLKIT else [name.split("_")[0]]
    # Linux counts in kilobytes, macOS in bytes.
    unit = 1 << (20 if sys.platform == "darwin" else 10)
    found = {
        "seconds": seconds,
        "worked": worked,
        "ready": ready - begun,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "versions": [f"{package} {version(package)}" for package in packages],
        "answer": answer,
    }
    print(json.dumps(found | noted))


if __name__ == "__main__":
    main()
