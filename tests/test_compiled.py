"""Compiled loops on a working day: stopped in the middle, and on a machine where nothing can be cached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.compiled import uninterrupted

QUESTION = """
import pandas as pd
from toolkit import funnel, read_events

rows = {"user_id": [1, 1, 2, 2, 3], "event": ["enter", "pay", "enter", "pay", "enter"], "platform": list("abaab")}
rows["timestamp"] = pd.date_range("2019-11-11", periods=5, freq="min")
log = read_events(pd.DataFrame(rows))

def ask(path):
    asked = log.index(keep=["platform"]) if path == "index" else log
    return funnel(asked, ["enter", "pay"], within="1h", by="platform", path=path)
"""
# While it first compiles numba fills its tables of types; half filled, they cannot be filled again.
INTERRUPTED = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it ignored
from numba.core.datamodel.manager import DataModelManager

register, stopped = DataModelManager.register, []

def interrupted(self, kind, model):
    register(self, kind, model)
    if kind.__name__ == "UnicodeType":
        stopped.append(kind)
        os.kill(os.getpid(), signal.SIGINT)

DataModelManager.register = interrupted
try:
    ask(sys.argv[1])
except KeyboardInterrupt:
    print("stopped")
assert stopped
print(ask(sys.argv[1]).table.equals(ask("windows").table))
"""


def run(code: str, *arguments: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **environment},
    )
    assert not done.returncode, done.stderr[-2000:]
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("path", ["stream", pytest.param("index", marks=pytest.mark.slow)])
def test_a_question_stopped_while_its_loops_compile_is_answered_when_it_is_asked_again(
    path: str, tmp_path: Path
) -> None:
    assert run(QUESTION + INTERRUPTED, path, NUMBA_CACHE_DIR=str(tmp_path)) == ["stopped", "True"]


def test_where_nothing_can_be_cached_loops_are_compiled_for_the_process() -> None:
    # The one place that is left to look for a cache in is a zip file, and the modules lie in none.
    asked = "answer = ask('stream')\nprint(answer.path, answer.table.equals(ask('windows').table))"
    assert run(QUESTION + asked, NUMBA_CACHE_LOCATOR_CLASSES="ZipCacheLocator") == ["stream True"]


def test_a_bar_says_that_loops_compile_and_goes() -> None:
    code = """
    import contextlib, io, toolkit.compiled

    toolkit.compiled.PATIENCE, said = 0.0, io.StringIO()

    @toolkit.compiled.compiled
    def add(one, other):
        return one + other

    with contextlib.redirect_stderr(said):
        add(1, 2)
    *_, compiling, gone, _ = said.getvalue().split("\\r")
    print("compiling" in compiling, repr(gone.strip()))
    with contextlib.redirect_stderr(io.StringIO()) as later:
        add(3, 4)
    print(repr(later.getvalue()))
    """
    place = {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator", "TQDM_DISABLE": ""}
    assert run(code, **place) == ["True ''", "''"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl+C as Python starts with it; a test run in the background has it ignored."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_the_block_and_is_then_raised() -> None:
    done = []

    def block() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_need_no_such_care() -> None:
    done = []

    def block() -> None:
        with uninterrupted():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
