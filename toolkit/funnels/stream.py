"""One pass over a log in time order: DuckDB scans, and every batch moves the units on while the next is read."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from toolkit.funnels import kernels

#: Rows that are dealt out at a time: enough that a bucket gets some hundreds, few enough to stay small.
CHUNK = 1 << 20
THREADS = 2


class Unsorted(Exception):
    """Rows of a stream are not in time order."""


class Pass:
    """Units of an ordered funnel, moved on by rows in time order.

    Parameters
    ----------
    k, within, first, end
        Number of steps, window, and range of times of a chain's first row; all in microseconds.
    at
        Step (from 1) whose row gives a unit its group, 0 for the last row of the reported chain.
    hold, groups, entries
        Whether rows have a held code, whether they have a group, and whether every first step counts by itself.
    """

    def __init__(
        self,
        k: int,
        within: int,
        first: int = -kernels.LAST_TIME,
        end: int = kernels.LAST_TIME,
        *,
        at: int = 1,
        hold: bool = False,
        groups: bool = False,
        entries: bool = False,
        chunk: int = CHUNK,
    ) -> None:
        self.k, self.within, self.first, self.end = k, within, first, end
        self.at, self.groups, self.entries, self.chunk = at, groups, entries, chunk
        self.wanted = (True, hold, True, True, groups)
        self.columns, self.filled, self.latest = self._room(chunk), 0, -kernels.LAST_TIME
        width = kernels.WORDS + k * (2 if groups and not entries else 1)
        self.tables: list[Any] = [
            (np.zeros(64, np.uint32), np.empty((16, width), np.int64), 0) for _ in range(kernels.BUCKETS)
        ]
        self.arenas: list[Any] = [(np.empty((16, 6), np.int64), 0) for _ in range(kernels.BUCKETS)]
        # One thread for each half of the buckets: within a bucket, chunks stay in order.
        self.workers = [ThreadPoolExecutor(1) for _ in range(THREADS)]
        self.running: list[Future[None]] = []

    def feed(self, *columns: Any) -> None:
        """Take rows: user, hold, time, step mask and group; None for what the pass does not want."""
        rows, taken = len(columns[0]), 0
        while taken < rows:
            n = min(rows - taken, len(self.columns[0]) - self.filled)
            for room, column, wanted in zip(self.columns, columns, self.wanted, strict=True):
                if wanted:
                    room[self.filled : self.filled + n] = column[taken : taken + n]
            self.filled, taken = self.filled + n, taken + n
            if self.filled == len(self.columns[0]):
                t = self.columns[2]
                # Rows of the last time wait for the rest of their time.
                self._deal(int(np.searchsorted(t, t[-1])))

    def finish(self) -> dict[str, Any]:
        """All units, or entries: arrays of user, hold, level, start, ended and group."""
        try:
            self._deal(self.filled)
            for task in self.running:
                task.result()
        finally:
            for worker in self.workers:
                worker.shutdown(cancel_futures=True)
        tables = [units[:used] for _, units, used in self.tables]
        if self.entries:
            return self._entries(tables)
        units = np.concatenate(tables)
        self.tables = []
        level = units[:, kernels.ENDED] & 31
        rows = np.arange(len(units))
        return {
            "user": units[:, kernels.USER],
            "hold": units[:, kernels.HOLD],
            "level": level,
            "start": units[rows, kernels.WORDS + np.maximum(level, 1) - 1],
            "ended": np.where(level > 0, units[:, kernels.ENDED] >> 5, kernels.NEVER),
            "group": units[:, kernels.GROUP],
        }

    def _entries(self, tables: list[Any]) -> dict[str, Any]:
        arenas = [entries[:entered] for entries, entered in self.arenas]
        owners = np.concatenate(
            [units[entries[:, kernels.E_UNIT]] for units, entries in zip(tables, arenas, strict=True)]
        )
        entries = np.concatenate(arenas)
        return {
            "user": owners[:, kernels.USER],
            "hold": owners[:, kernels.HOLD],
            "level": entries[:, kernels.E_LEVEL],
            "start": entries[:, kernels.E_TIME],
            "ended": entries[:, kernels.E_END],
            "group": entries[:, kernels.E_GROUP],
        }

    def _room(self, size: int) -> list[Any]:
        kinds = (np.int64, np.int64, np.int64, np.uint16, np.int32)
        return [
            np.empty(size if wanted else 0, kind) for kind, wanted in zip(kinds, self.wanted, strict=True)
        ]

    def _deal(self, cut: int) -> None:
        columns, filled = self.columns, self.filled
        more = 2 * len(columns[0]) if cut == 0 and filled else self.chunk
        self.columns, self.filled = self._room(max(more, filled - cut)), filled - cut
        for room, column, wanted in zip(self.columns, columns, self.wanted, strict=True):
            if wanted:
                room[: filled - cut] = column[cut:filled]
        if cut == 0:
            return
        rows = [
            column[:cut] if wanted else column for column, wanted in zip(columns, self.wanted, strict=True)
        ]
        order, t = np.arange(cut, dtype=np.int32), rows[2]
        if t[0] <= self.latest or not kernels.tied(t, rows[3], order):
            raise Unsorted
        self.latest = int(t[-1])
        while len(self.running) > THREADS:
            self.running.pop(0).result()
        for part, worker in enumerate(self.workers):
            self.running.append(worker.submit(self._move, rows, order, part))

    def _move(self, columns: list[Any], order: Any, part: int) -> None:
        rows, begins = kernels.scatter(*columns, order, part, THREADS)
        for b in range(part, kernels.BUCKETS, THREADS):
            mine = rows[begins[b] : begins[b + 1]]
            if self.entries:
                state = kernels.enter(
                    mine, *self.tables[b], *self.arenas[b], self.k, self.within, self.first, self.end
                )
                self.tables[b], self.arenas[b] = state[:3], state[3:]
            else:
                self.tables[b] = kernels.advance(
                    mine, *self.tables[b], self.k, self.within, self.first, self.end, self.at, self.groups
                )
