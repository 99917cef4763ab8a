"""Queries in a thread of their own: Ctrl+C stops them at once, and a bar shows those longer than two seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

import duckdb

T = TypeVar("T")
#: Seconds before a bar appears, and between two looks at the query.
PATIENCE, LOOK = 2.0, 0.2


class Progress:
    """Runs DuckDB in a second thread, so that the calling thread can draw a bar and be interrupted.

    Python handles Ctrl+C between two of its own instructions, and a query is one instruction: run in the calling
    thread, a long join or window would end before the interrupt was noticed.

    Parameters
    ----------
    connection
        Where the query runs. None if it is not known, as for a caller's relation: the query then runs in the
        calling thread.
    bar
        Whether to draw a bar.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection | None, *, bar: bool = True) -> None:
        self.connection = connection
        # The variable is tqdm's own, which its bar for notebooks does not heed.
        self._shown = bar and not os.environ.get("TQDM_DISABLE")
        self._begun = time.monotonic()
        self._bar: Any = None
        self._pool = ThreadPoolExecutor(1)

    def answer(self, ask: Callable[[], T]) -> T:
        """The result of `ask`, a call that uses the connection."""
        if self.connection is None:
            return ask()
        try:
            task = self._pool.submit(ask)
            while not wait([task], timeout=LOOK).done:
                self._draw(self.connection)
        except BaseException:
            self.connection.interrupt()
            raise
        return task.result()

    def _draw(self, connection: duckdb.DuckDBPyConnection) -> None:
        if not self._shown or time.monotonic() - self._begun < PATIENCE:
            return
        if self._bar is None:
            from tqdm.auto import tqdm

            form = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"
            self._bar = tqdm(total=100, desc="reading the log", bar_format=form, leave=False)
        self._bar.update(max(0.0, min(connection.query_progress(), 100) - self._bar.n))

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()
        if self._bar is not None:
            _finish(self._bar)


@contextmanager
def counted_bar(total: int, desc: str, unit: str) -> Iterator[Any]:
    """A bar over things that the caller counts with its `update`; it goes away when the block is left."""
    from tqdm.auto import tqdm

    disabled = bool(os.environ.get("TQDM_DISABLE"))
    bar = tqdm(
        total=total, desc=desc, unit=unit, unit_scale=True, delay=PATIENCE, leave=False, disable=disabled
    )
    try:
        yield bar
    finally:
        _finish(bar)


def _finish(bar: Any) -> None:
    """Close a bar at its end: JupyterLab keeps one that stops short of it, in red."""
    bar.update(max(0, bar.total - bar.n))
    bar.close()
