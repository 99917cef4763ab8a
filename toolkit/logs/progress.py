"""Queries in a thread of their own: Ctrl+C stops them at once, and a bar shows those longer than two seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from toolkit.progress import hidden

T = TypeVar("T")
#: Seconds before a bar appears, between two looks at the query, and that a server has to end an interrupted one.
PATIENCE, LOOK, ENDING = 2.0, 0.2, 10.0
#: When the question began that the queries of now belong to.
_question: ContextVar[float | None] = ContextVar("question", default=None)


class Asked(Protocol):
    """What runs a query in another thread: DuckDB's connections, and servers."""

    def interrupt(self) -> None:
        """End the query that runs."""

    def query_progress(self) -> float:
        """How much of it is done, in percent; below zero where nobody knows."""


class Progress:
    """Runs a query in a second thread, so that the calling thread can draw a bar and be interrupted.

    Python handles Ctrl+C between two of its own instructions, and a query is one instruction: run in the calling
    thread, a long join or window would end before the interrupt was noticed.

    Parameters
    ----------
    connection
        Where the query runs. None if it is not known, as for a caller's relation: the query then runs in the
        calling thread.
    bar
        Whether to draw a bar.
    what
        What the bar says.
    afar
        Whether a server answers: nobody knows how much it has done, and one that is gone is not waited for.
    """

    def __init__(
        self,
        connection: Asked | None,
        *,
        bar: bool = True,
        what: str = "reading the log",
        afar: bool = False,
    ) -> None:
        self.connection = connection
        self._shown = bar and not hidden()
        self._what, self._afar = what, afar
        self._looked = time.monotonic()
        question = _question.get()
        self._begun = self._looked if question is None else question
        self._bar: Any = None

    def answer(self, ask: Callable[[], T]) -> T:
        """The result of `ask`, a call that uses the connection."""
        if self.connection is None:
            return ask()
        # Parts that each come at once are long together.
        self._draw(self.connection)
        task = _begun(ask)
        try:
            while not wait([task], timeout=LOOK).done:
                self._draw(self.connection)
        except BaseException:
            _begun(self.connection.interrupt)
            wait([task], timeout=ENDING if self._afar else None)
            raise
        return task.result()

    def _draw(self, connection: Asked) -> None:
        now = time.monotonic()
        if not self._shown or now - self._begun < PATIENCE or now - self._looked < LOOK:
            return
        self._looked = now
        if self._bar is None:
            from tqdm.auto import tqdm

            form = "{desc}: {elapsed}" if self._afar else "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"
            total = None if self._afar else 100
            self._bar = tqdm(total=total, desc=self._what, bar_format=form, leave=False, disable=False)
        self._bar.update(max(0.0, min(connection.query_progress(), 100) - self._bar.n))
        self._bar.refresh()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            _finish(self._bar)


def _begun(ask: Callable[[], T]) -> Future[T]:
    """A call in a thread of its own, for which no process that ends waits."""
    task: Future[T] = Future()

    def run() -> None:
        try:
            task.set_result(ask())
        except BaseException as error:
            task.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return task


@contextmanager
def together() -> Iterator[None]:
    """One question of several queries: a bar appears two seconds after the first began, be each as short as it may."""
    token = _question.set(time.monotonic() if (outer := _question.get()) is None else outer)
    try:
        yield
    finally:
        _question.reset(token)


@contextmanager
def counted_bar(total: int, desc: str, unit: str) -> Iterator[Any]:
    """A bar over things that the caller counts with its `update`; it goes away when the block is left."""
    from tqdm.auto import tqdm

    bar = tqdm(
        total=total, desc=desc, unit=unit, unit_scale=True, delay=PATIENCE, leave=False, disable=hidden()
    )
    try:
        yield bar
    finally:
        _finish(bar)


def _finish(bar: Any) -> None:
    """Close a bar at its end: JupyterLab keeps one that stops short of it, in red."""
    bar.update(max(0, (bar.total or 0) - bar.n))
    bar.close()
