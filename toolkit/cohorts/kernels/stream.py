"""Retention by one pass over a log in any order: DuckDB scans, and each batch sets its users' bits of active periods.

Users come in bursts, so that most rows repeat a user and a period just seen. These are told by a glance at a small
table that stays in a processor's cache; the others alone go into the large one, which does not.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.cohorts.filters import select
from toolkit.cohorts.question import BITS
from toolkit.compiled import compiled

if TYPE_CHECKING:
    import pyarrow as pa

    from toolkit.cohorts.question import RetentionQuestion

#: Rows of a batch: few enough to be in cache still when their bits are set, and to need little new memory.
BATCH = 1 << 16
#: Rows of the log for each place in the first table of users, and the most places that it has.
PER_PLACE, MOST_PLACES = 16, 1 << 22
#: Bits of a place in the table of users just seen.
RECENT = 14
#: Rows of which the places in the large table are fetched together, so that memory is waited for once.
TOGETHER = 256


def cells(question: RetentionQuestion) -> pd.DataFrame:
    """The counts of `bitmaps.cells`, by one pass over the log."""
    log = question.log
    source = (
        f"SELECT CAST(u AS BIGINT) AS u, t FROM ({select(log, [], question.until, where=question.start.sql)})"
    )
    users, waiting = Users(question), deque[Future[None]]()
    # One thread sets bits while the engine's own read on.
    with ThreadPoolExecutor(1) as pool:
        for batch in log.engine.batches(source, BATCH):
            waiting.append(pool.submit(users.take, batch))
            if len(waiting) > 2:
                waiting.popleft().result()
        for task in waiting:
            task.result()
    low, high = (np.array(ends) for ends in zip(*question.cells, strict=True))
    high = np.full_like(high, BITS) if question.kind == "rolling" else high
    size, retained = _count(users.table, low, np.minimum(high, BITS - 1), BITS)
    size[: (question.oldest or question.first) - question.first] = 0
    places = np.flatnonzero(size)
    found = {"c": places + question.first, "size": size[places]}
    return pd.DataFrame(found | {f"r{i}": retained[places, i] for i in range(len(low))})


class Users:
    """A table of users and their bits, the lowest for the period in which the log begins; half of it stays free."""

    def __init__(self, question: RetentionQuestion) -> None:
        edges, numbers = (np.array(column) for column in zip(*question.edges, strict=True))
        self.edges, self.bits = (
            np.append(edges, np.iinfo(np.int64).max),
            np.int64(1) << (numbers - question.first),
        )
        # A guess of twice as many places as there are users, put right by doubling.
        guess = min(max(question.log.facts.rows // PER_PLACE, 1 << 10), MOST_PLACES // 2)
        self.table, self.used = np.zeros((1 << guess.bit_length(), 2), np.int64), 0
        self.recent = np.zeros((1 << RECENT, 2), np.int64)
        self.kept = np.empty((0, 2), np.int64)

    def take(self, batch: pa.RecordBatch) -> None:
        """Set the bits of rows: users and times."""
        user, t = (column.to_numpy() for column in batch.columns)
        if len(self.kept) < len(user):
            self.kept = np.empty((len(user), 2), np.int64)
        fresh = _sift(user, t, self.edges, self.bits, self.recent, self.kept)
        while 2 * (self.used + fresh) > len(self.table):
            fewer, self.table = self.table, np.zeros((2 * len(self.table), 2), np.int64)
            _move(fewer, self.table)
        self.used += _settle(self.table, self.kept, fresh)


@compiled
def _sift(user: Any, t: Any, edges: Any, bits: Any, recent: Any, kept: Any) -> Any:
    """Put users and bits of rows into `kept`, but not those that a row just seen had; and how many there are."""
    k, low, high, bit = np.uint64(0), np.int64(0), np.int64(0), np.int64(0)
    for i in range(len(user)):
        if t[i] < low or t[i] >= high:
            place = np.searchsorted(edges, t[i], side="right") - 1
            low, high, bit = edges[place], edges[place + 1], bits[place]
        u, r = user[i], _mixed(user[i]) >> np.uint64(64 - RECENT)
        # No branch: which rows repeat another cannot be predicted, and a wrong guess costs more than the writing.
        kept[k, 0], kept[k, 1] = u, bit
        k += np.uint64((recent[r, 0] != u) | (recent[r, 1] != bit))
        recent[r, 0], recent[r, 1] = u, bit
    return np.int64(k)


@compiled
def _settle(users: Any, kept: Any, n: int) -> int:
    """Set the first `n` kept bits in the table of users, which has room; and how many users are new."""
    top, new, touched = np.uint64(len(users) - 1), 0, np.int64(0)
    for start in range(0, n, TOGETHER):
        end = min(start + TOGETHER, n)
        for i in range(start, end):
            touched |= users[(_mixed(kept[i, 0]) >> np.uint64(20)) & top, 1]
        for i in range(start, end):
            h = (_mixed(kept[i, 0]) >> np.uint64(20)) & top
            while users[h, 0] != kept[i, 0] and users[h, 1] != 0:
                h = (h + np.uint64(1)) & top
            new += users[h, 1] == 0
            users[h, 0] = kept[i, 0]
            users[h, 1] |= kept[i, 1]
    # Never so: the fetched words are used, and are therefore fetched.
    return new if touched >= 0 else -1


@compiled
def _move(fewer: Any, users: Any) -> None:
    """Put users into a table with more places."""
    top = np.uint64(len(users) - 1)
    for i in range(len(fewer)):
        if fewer[i, 1] != 0:
            h = (_mixed(fewer[i, 0]) >> np.uint64(20)) & top
            while users[h, 1] != 0:
                h = (h + np.uint64(1)) & top
            users[h, 0], users[h, 1] = fewer[i, 0], fewer[i, 1]


@compiled
def _count(users: Any, low: Any, high: Any, periods: int) -> Any:
    """By period of the first event, the lowest bit: users, and those of them with a bit in each cell."""
    size, retained = np.zeros(periods, np.int64), np.zeros((periods, len(low)), np.int64)
    for i in range(len(users)):
        bits, c = users[i, 1], 0
        if bits == 0:
            continue
        while bits & 1 == 0:
            bits >>= 1
            c += 1
        size[c] += 1
        for j in range(len(low)):
            if low[j] < periods:
                retained[c, j] += (bits >> low[j]) & ((1 << (high[j] - low[j] + 1)) - 1) != 0
    return size, retained


@compiled
def _mixed(user: Any) -> Any:
    return np.uint64(user) * np.uint64(0x9E3779B97F4A7C15)
