"""Compiled loops on a working day: stopped in the middle, and on a machine where nothing can be cached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from toolkit.compiled import uninterrupted

QUESTION = """
import pandas as pd
from toolkit import funnel, read_events

rows = {"user_id": [1, 1, 2, 2, 3], "event": ["enter", "pay", "enter", "pay", "enter"], "platform": list("abaab")}
rows["timestamp"] = pd.date_range("2019-11-11", periods=5, freq="min")
log = read_events(pd.DataFrame(rows)).index(keep=["platform"])

def ask(path):
    return funnel(log, ["enter", "pay"], within="1h", by="platform", count="entries", path=path)
"""
INTERRUPTED = """
import os, signal, sys
from numba.core import event

class Interrupt(event.Listener):
    compilations = 0

    def on_start(self, _):
        self.compilations += 1
        if self.compilations == at:
            os.kill(os.getpid(), signal.SIGINT)

    def on_end(self, _):
        pass

path, at = sys.argv[1], int(sys.argv[2])
listener = Interrupt()
with event.install_listener("numba:compile", listener):
    try:
        ask(path)
        print("not stopped")
    except KeyboardInterrupt:
        print("stopped")
assert listener.compilations >= at
answer = ask(path)
assert answer.path == path, answer.path
print(answer.table.equals(ask("windows").table))
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


@pytest.mark.parametrize(("path", "at"), [("stream", 1), ("index", 1), ("index", 5)])
def test_a_question_stopped_while_its_loops_compile_is_answered_when_it_is_asked_again(
    path: str, at: int, tmp_path: Path
) -> None:
    said = run(QUESTION + INTERRUPTED, path, str(at), NUMBA_CACHE_DIR=str(tmp_path))
    assert said == ["stopped", "True"]


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
