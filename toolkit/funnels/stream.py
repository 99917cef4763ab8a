"""One pass over a log in time order: DuckDB scans, and every batch moves the units on while the next is read."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from toolkit.funnels import kernels

#: Rows that wait in a bucket until they are applied together.
WAITING = 2048
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
    groups, entries
        Whether rows have a group, and whether every first step counts by itself.
    """

    def __init__(
        self,
        k: int,
        within: int,
        first: int = -kernels.LAST_TIME,
        end: int = kernels.LAST_TIME,
        *,
        at: int = 1,
        groups: bool = False,
        entries: bool = False,
        waiting: int = WAITING,
    ) -> None:
        self.asked = (k, within, first, end, at, entries)
        width = kernels.STARTS + k * (2 if groups and not entries else 1)
        self.threads = [_Thread(width, waiting) for _ in range(THREADS)]
        self.tail: list[tuple[Any, ...]] = []
        self.latest = -kernels.LAST_TIME

    def feed(self, *columns: Any) -> None:
        """Take rows: int64 users, held codes and times, uint16 masks, int32 groups; without codes, empty arrays."""
        t = columns[2]
        if not len(t):
            return
        if self.tail:
            # Rows of the last time so far wait for the rest of their time.
            more = int(np.searchsorted(t, self.tail[0][2][0], "right"))
            self.tail.append(_cut(columns, 0, more))
            if more == len(t):
                return
            self._deal(self._joined())
            columns = _cut(columns, more, len(t))
            t = columns[2]
        last = int(np.searchsorted(t, t[-1]))
        self._deal(_cut(columns, 0, last))
        self.tail = [tuple(column.copy() for column in _cut(columns, last, len(t)))]

    def finish(self) -> dict[str, Any]:
        """All units, or entries: arrays of user, hold, level, start, ended and group."""
        try:
            if self.tail:
                self._deal(self._joined())
            nothing = tuple(np.empty(0, kind) for kind in (np.int64, np.int64, np.int64, np.uint16, np.int32))
            for thread in self.threads:
                thread.take(nothing, np.empty(0, np.int32), self.asked)
            for thread in self.threads:
                thread.wait(0)
        finally:
            for thread in self.threads:
                thread.pool.shutdown(cancel_futures=True)
        if self.asked[-1]:
            entries = np.concatenate([thread.entries[: thread.entered] for thread in self.threads])
            names = ("user", "hold", "level", "start", "ended", "group")
            words = (
                kernels.E_USER, kernels.E_HOLD, kernels.E_LEVEL, kernels.E_TIME, kernels.E_END, kernels.E_GROUP
            )  # fmt: skip
            return {name: entries[:, word] for name, word in zip(names, words, strict=True)}
        units = np.concatenate(
            [
                units[:used]
                for thread in self.threads
                for units, used in zip(thread.units, thread.used, strict=True)
            ]
        )
        level = units[:, kernels.ENDED] & 31
        return {
            "user": units[:, kernels.USER],
            "hold": units[:, kernels.HOLD],
            "level": level,
            "start": units[np.arange(len(units)), kernels.STARTS + np.maximum(level, 1) - 1],
            "ended": np.where(level > 0, units[:, kernels.ENDED] >> 5, kernels.NEVER),
            "group": units[:, kernels.GROUP],
        }

    def _joined(self) -> tuple[Any, ...]:
        pieces, self.tail = self.tail, []
        return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))

    def _deal(self, columns: tuple[Any, ...]) -> None:
        t = columns[2]
        if not len(t):
            return
        fine, *parts = kernels.route(*columns[:4])
        if not fine or t[0] <= self.latest:
            raise Unsorted
        self.latest = int(t[-1])
        for thread, rows in zip(self.threads, parts, strict=True):
            thread.wait(2)
            if len(rows):
                thread.take(columns, rows, self.asked)


class _Thread:
    """Half of the units, in buckets, and the one thread that moves them on: within a bucket, rows stay in order."""

    def __init__(self, width: int, waiting: int) -> None:
        self.waiting = np.empty((kernels.BUCKETS, waiting, 4), np.int64)
        self.filled, self.used = np.zeros(kernels.BUCKETS, np.int64), np.zeros(kernels.BUCKETS, np.int64)
        self.slots = np.zeros((kernels.BUCKETS, 64), np.uint32)
        self.units = np.empty((kernels.BUCKETS, 32, width), np.int64)
        self.entries, self.entered = np.empty((1024, 7), np.int64), 0
        self.pool, self.tasks = ThreadPoolExecutor(1), deque[Future[None]]()

    def take(self, columns: tuple[Any, ...], rows: Any, asked: tuple[Any, ...]) -> None:
        self.tasks.append(self.pool.submit(self._move, columns, rows, asked))

    def wait(self, left: int) -> None:
        """Wait until at most `left` tasks are left, so that a slow thread holds up the scan, not the memory."""
        while len(self.tasks) > left:
            self.tasks.popleft().result()

    def _move(self, columns: tuple[Any, ...], rows: Any, asked: tuple[Any, ...]) -> None:
        self.slots, self.units, self.entries, self.entered = kernels.advance(
            *columns, rows, self.waiting, self.filled, self.slots, self.units, self.used, self.entries, self.entered,
            *asked,
        )  # fmt: skip


def _cut(columns: tuple[Any, ...], low: int, high: int) -> tuple[Any, ...]:
    return tuple(column[low:high] for column in columns)
