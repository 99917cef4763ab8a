"""A simulated live-commerce log of any size, as one Parquet file in time order.

    uv run python benchmarks/peers/eventlog.py 10_000_000 FILE.parquet

Visits begin through the day with an evening peak, users are drawn with heavy-tailed weights, and within a visit
one event leads to the next by fixed chances. Hours are drawn one after the other and what outlasts an hour is
carried over, so that the memory in use depends on the rows of an hour and the number of users, not of rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from tqdm.auto import tqdm

#: What follows an event, and how often; the visit ends with the remaining chance.
ONWARD = {
    "impression": {"impression": 0.52, "enter_live": 0.34},
    "enter_live": {"watch": 0.58, "like": 0.07, "click_item": 0.16},
    "watch": {"watch": 0.46, "like": 0.12, "comment": 0.07, "follow": 0.02, "click_item": 0.13},
    "like": {"watch": 0.48, "like": 0.22, "comment": 0.08, "click_item": 0.10},
    "comment": {"watch": 0.58, "comment": 0.14, "click_item": 0.12},
    "follow": {"watch": 0.62, "click_item": 0.22},
    "click_item": {"watch": 0.36, "click_item": 0.24, "add_cart": 0.19, "order": 0.04},
    "add_cart": {"watch": 0.30, "click_item": 0.21, "add_cart": 0.09, "order": 0.29},
    "order": {"pay": 0.82, "watch": 0.09},
    "pay": {"watch": 0.45, "click_item": 0.17, "enter_live": 0.10, "refund": 0.03},
    "refund": {"impression": 0.20},
}
EVENTS = list(ONWARD)
PLATFORMS = {"xiaohongshu": 0.20, "taobao_live": 0.25, "douyin": 0.35, "kuaishou": 0.20}
TIERS = {"tier1": 0.12, "new_tier1": 0.20, "tier2": 0.20, "tier3": 0.22, "tier4": 0.16, "tier5": 0.10}
#: Share of a day's visits that begin in each hour.
HOURS = np.array([3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 5, 6, 8, 7, 5, 5, 5, 6, 9, 12, 14, 13, 9, 5]) / 132
DAYS, ROWS_PER_USER, TAIL, HEAVIEST = 56, 20, 1.3, 3000
FIRST_ENTERS, BETWEEN, LONGEST = 0.25, 25e6, 500
START = np.datetime64("2025-01-01", "us").astype(np.int64)
HOUR, SECOND = 3_600_000_000, 1_000_000
GROUP = 1_000_000


def onward() -> np.ndarray:
    """Chances to go from each event to each other one, in the order of EVENTS."""
    return np.array([[ONWARD[here].get(there, 0.0) for there in EVENTS] for here in EVENTS])


def events_per_visit() -> float:
    first = np.zeros(len(EVENTS))
    first[:2] = 1 - FIRST_ENTERS, FIRST_ENTERS
    return float(first @ np.linalg.solve(np.eye(len(EVENTS)) - onward(), np.ones(len(EVENTS))))


@njit(cache=True)
def walk(rng, starts, chances, visit, t, event):
    """Fill in the events of visits, one visit after the other, and return their number."""
    n = 0
    for v in range(len(starts)):
        now, here = starts[v], 1 if rng.random() < FIRST_ENTERS else 0
        for _ in range(LONGEST):
            visit[n], t[n], event[n] = v, now, here
            n += 1
            here = np.searchsorted(chances[here], rng.random(), "right")
            if here == chances.shape[1]:
                break
            now += np.int64(rng.exponential(BETWEEN))
    return n


class People:
    """Users: sparse ids as hashes have, how often they come, and what stays with them."""

    def __init__(self, rng: np.random.Generator, users: int) -> None:
        weights = np.minimum(rng.pareto(TAIL, users) + 0.3, HEAVIEST)
        self.share = np.cumsum(weights) / weights.sum()
        self.id = rng.integers(1, 1 << 60, users)
        self.platform = rng.choice(len(PLATFORMS), users, p=list(PLATFORMS.values())).astype(np.int8)
        self.tier = rng.choice(len(TIERS), users, p=list(TIERS.values())).astype(np.int8)
        # Some clients log whole seconds only: ties.
        self.coarse = rng.random(users) < 0.2


def hour(
    rng: np.random.Generator, people: People, at: int, visits: int, before: int
) -> dict[str, np.ndarray]:
    """Events of the visits that begin in the hour at `at`, which may last longer."""
    user = np.minimum(np.searchsorted(people.share, rng.random(visits)), len(people.id) - 1)
    moved = np.where(rng.random(visits) < 0.1, rng.integers(1, len(PLATFORMS), visits), 0)
    platform = ((people.platform[user] + moved) % len(PLATFORMS)).astype(np.int8)
    room = visits * LONGEST
    visit, t, event = np.empty(room, np.int32), np.empty(room, np.int64), np.empty(room, np.int8)
    n = walk(rng, at + rng.integers(0, HOUR, visits), np.cumsum(onward(), axis=1), visit, t, event)
    visit, t, event = visit[:n], t[:n].copy(), event[:n].copy()
    t -= np.where(people.coarse[user[visit]], t % SECOND, t % 1000)
    bought = np.isin(event, [EVENTS.index(name) for name in ("add_cart", "order", "pay", "refund")])
    return {
        "user_id": people.id[user[visit]],
        "timestamp": t,
        "event": event,
        "platform": platform[visit],
        "city_tier": people.tier[user[visit]],
        "session_id": before + visit.astype(np.int64),
        "amount": np.where(bought, rng.lognormal(4, 1, n), 0).astype(np.float32),
    }


def table(columns: dict[str, np.ndarray]) -> pa.Table:
    names = {"event": EVENTS, "platform": list(PLATFORMS), "city_tier": list(TIERS)}
    arrays = {
        name: pa.DictionaryArray.from_arrays(values, names[name]) if name in names else pa.array(values)
        for name, values in columns.items()
    }
    arrays["timestamp"] = arrays["timestamp"].cast(pa.timestamp("us"))
    return pa.table(arrays)


def generate(rows: int, path: Path, seed: int = 1) -> None:
    """Write the first `rows` rows of the simulated log, about DAYS days of it."""
    rng = np.random.default_rng(seed)
    people = People(rng, max(rows // ROWS_PER_USER, 10))
    daily = rows / events_per_visit() / DAYS
    unfinished, ready, waiting, at, visits, left = [], [], 0, START, 1, rows
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    writer = None
    with tqdm(total=rows, desc="log", unit="row", unit_scale=True, delay=2, leave=False) as bar:
        while left:
            new = int(rng.poisson(daily * HOURS[(at - START) // HOUR % 24]))
            unfinished.append(hour(rng, people, at, new, visits))
            at, visits = at + HOUR, visits + new
            held = {name: np.concatenate([one[name] for one in unfinished]) for name in unfinished[0]}
            order = np.argsort(held["timestamp"], kind="stable")
            done = order[: np.searchsorted(held["timestamp"], at, sorter=order)]
            ready.append(table({name: values[done] for name, values in held.items()}))
            unfinished = [{name: values[held["timestamp"] >= at] for name, values in held.items()}]
            waiting += len(done)
            if waiting >= min(GROUP, left):
                size = min(waiting // GROUP * GROUP or left, left)
                whole = pa.concat_tables(ready)
                if writer is None:
                    texts = ["event", "platform", "city_tier"]
                    writer = pq.ParquetWriter(part, whole.schema, compression="snappy", use_dictionary=texts)
                writer.write_table(whole.slice(0, size), row_group_size=GROUP)
                ready, waiting, left = [whole.slice(size)], waiting - size, left - size
                bar.update(size)
    writer.close()
    # An interrupted run leaves no file that the next one would take for a log.
    part.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generate(options.rows, options.path, options.seed)


if __name__ == "__main__":
    main()
