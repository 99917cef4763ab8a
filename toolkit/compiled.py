"""Loops that numba compiles: cached on disk where that can be, and never broken by an interrupt.

compiled      the decorator of every compiled loop
uninterrupted holds Ctrl+C back while numba is loaded or compiles
told          a bar while numba compiles for long
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, Final

from toolkit.progress import PATIENCE, hidden


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold an interrupt back until the block is done, and then let it come.

    Numba, stopped in the middle of its own import or of a compilation, stays broken until Python is started anew.
    Only the main thread is ever interrupted, so other threads need no such care.
    """
    usual = signal.getsignal(signal.SIGINT)
    if usual is None or threading.current_thread() is not threading.main_thread():
        yield  # a handler that is not Python's cannot be put back
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if held and callable(usual):
            usual(*held[0])


COMPILING: Final = "compiling loops, once on this machine"


class _Spent:
    """Seconds that this process has spent compiling, and whether it is at it."""

    seconds, now = 0.0, False


@contextmanager
def told() -> Iterator[None]:
    """A bar from the third second on that a process compiles: without one a first question would seem to hang.

    What is loaded from the cache shows none.
    """
    if _Spent.now or threading.current_thread() is not threading.main_thread():
        yield
        return
    from numba.core import event
    from tqdm.auto import tqdm

    bars: list[Any] = []
    began = time.monotonic()
    delay = max(PATIENCE - _Spent.seconds, 1e-9)

    class Bar(event.Listener):
        """Drawn anew whenever a loop, or one that it calls, begins or ends to be compiled."""

        def on_start(self, _: object) -> None:
            if not bars:
                form = "{desc}: {elapsed}"
                bars.append(
                    tqdm(
                        desc=COMPILING,
                        bar_format=form,
                        delay=delay,
                        miniters=1,
                        leave=False,
                        disable=hidden(),
                    )
                )
            bars[0].update()

        on_end = on_start

    _Spent.now = True
    try:
        with event.install_listener("numba:compile", Bar()):
            yield
    finally:
        _Spent.now = False
        for bar in bars:
            bar.close()
            _Spent.seconds += time.monotonic() - began


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, without the interpreter's lock.

    The machine code is kept beside the module, or in the user's cache; where neither can be written it is made
    anew in each process.
    """
    with uninterrupted():
        from numba import njit
    dispatcher: Any
    try:
        dispatcher = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba's "no locator available": there is no place for a cache
        dispatcher = njit(nogil=True)(function)
    # The one method through which every compilation goes: of a call, and of a call from another compiled loop.
    dispatcher.compile = _whole(dispatcher.compile)
    return dispatcher


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def whole(*arguments: Any) -> Any:
        with uninterrupted(), told():
            return function(*arguments)

    return whole
