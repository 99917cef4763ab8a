"""A log through a working day: another folder, threads, forks, copies, Ctrl+C, and names typed in haste."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import toolkit
from toolkit import funnel, read_events

ROWS = pd.DataFrame(
    {
        "user_id": ["a", "a", "b"],
        "timestamp": ["2019-11-11T20:00:00Z", "2019-11-11T20:05:00Z", "2019-11-11T21:00:00Z"],
        "event": ["enter", "pay", "enter"],
    }
)
DAY = {"steps": ["enter", "pay"], "within": "1d"}
posix = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")


def reached(log):
    return funnel(log, **DAY).table["reached"].tolist()


def written(folder: Path) -> Path:
    ROWS.to_parquet(folder / "log.parquet")
    ROWS.to_csv(folder / "log.csv", index=False)
    return folder


def run(code: str) -> str:
    """What a fresh Python prints; a minute is far more than it needs."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("source", ["log.parquet", "log.csv", "*.parquet", ["log.parquet", "log.parquet"]])
def test_a_log_of_relative_paths_answers_from_any_folder(tmp_path, monkeypatch, source):
    here, elsewhere = written(tmp_path), tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    log = read_events(source)
    monkeypatch.chdir(elsewhere)
    assert reached(log) == [2, 1]
    assert log.source == ("log.parquet and 1 more" if isinstance(source, list) else source)


def logs(folder: Path):
    """A log of each kind, and what has to live as long as it does."""
    connection = duckdb.connect()
    connection.register("rows", ROWS)
    connection.execute("CREATE TEMP TABLE t AS SELECT * FROM rows")
    return {
        "parquet": (folder / "log.parquet", None),
        "csv": (folder / "log.csv", None),
        "frame": (ROWS, None),
        "arrow": (pa.Table.from_pandas(ROWS), None),
        "relation": (connection.sql("SELECT * FROM rows"), None),
        "table": ("t", connection),
    }


@pytest.mark.parametrize("kind", ["parquet", "csv", "frame", "arrow", "relation", "table"])
def test_threads_ask_one_log_at_the_same_time(tmp_path, kind):
    source, connection = logs(written(tmp_path))[kind]
    log = read_events(source, connection=connection)
    # A question long enough that threads meet in it.
    slow = f"SELECT count(*) FROM {log.engine.table}, range(300000) AS r WHERE hash(r.range) % 2 < 2"

    def work(_):
        rows = log.engine.rows(slow)[0][0]
        batches = sum(batch.num_rows for batch in log.engine.batches(f"SELECT * FROM {log.engine.table}"))
        users = log.engine.relation(f"SELECT * FROM {log.engine.table}").df()
        return rows, batches, len(users), reached(log)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(8)))
    assert answers == [(900_000, 3, 3, [2, 1])] * 8


FORKED = """
import multiprocessing, sys
import duckdb, pandas as pd
from toolkit import funnel, read_events

def reached():
    return funnel(log, ["enter", "pay"], within="1d").table["reached"].tolist()

def child(queue):
    try:
        indexed = funnel(log.index(), ["enter", "pay"], within="1d", path="index")
        assert indexed.table["reached"].tolist() == [2, 1]
        queue.put(reached())
    except RuntimeError as error:
        queue.put(str(error))

log = read_events({source})
assert reached() == [2, 1]
fork = multiprocessing.get_context("fork")
queue = fork.Queue()
process = fork.Process(target=child, args=(queue,))
process.start()
print(queue.get(timeout=60))
process.join(60)
assert process.exitcode == 0
assert reached() == [2, 1]
"""


@posix
@pytest.mark.parametrize("source", ["{path!r}", "pd.read_parquet({path!r})"])
def test_a_log_answers_in_a_forked_process_and_in_its_parent(tmp_path, source):
    path = str(written(tmp_path) / "log.parquet")
    assert run(FORKED.format(source=source.format(path=path))) == "[2, 1]"


@posix
def test_a_forked_process_says_that_a_connection_stays_with_its_parent(tmp_path):
    path = str(written(tmp_path) / "log.parquet")
    said = run(FORKED.format(source=f"duckdb.read_parquet({path!r})"))
    assert said.startswith("the relation was opened before this process was forked")
    assert "open the log in this process" in said


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda log: pickle.loads(pickle.dumps(log))])
@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_a_log_of_files_can_be_copied_and_pickled(tmp_path, copied, name):
    log = read_events(written(tmp_path) / name)
    assert reached(log) == [2, 1]
    again = copied(log)
    assert again is not log
    assert (repr(again), again.facts, reached(again)) == (repr(log), log.facts, [2, 1])
    indexed = copied(log.index())
    assert funnel(indexed, path="index", **DAY).table["reached"].tolist() == [2, 1]


def test_a_file_in_another_encoding_is_read_anew_where_the_log_is_loaded(tmp_path):
    path = tmp_path / "log.csv"
    text = "user_id,timestamp,event\n" + "甲,2019-11-11 20:00,进入\n" * 3
    path.write_bytes(text.encode("gb18030"))
    pickled = pickle.dumps(read_events(path, encoding="gb18030"))
    path.write_bytes((text + "乙,2019-11-11 20:00,支付\n").encode("gb18030"))
    assert pickle.loads(pickled).events == {"进入": 3, "支付": 1}


def test_a_pickled_log_whose_file_is_gone_says_so(tmp_path):
    path = written(tmp_path) / "log.parquet"
    pickled = pickle.dumps(read_events(path))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no file matches .*log\.parquet"):
        pickle.loads(pickled)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("frame", "the frame cannot be copied or pickled: its rows lie in this process's memory"),
        ("arrow", "its rows lie in this process's memory"),
        ("relation", "its rows belong to a connection of this process"),
        ("table", "its rows belong to a connection of this process"),
    ],
)
def test_a_log_that_stands_on_no_file_says_why_it_cannot_be_copied(tmp_path, kind, why):
    source, connection = logs(written(tmp_path))[kind]
    log = read_events(source, connection=connection)
    for copied in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=f"{why}.* give read_events the path"):
            copied(log)


INTERRUPTED = """
import time
from toolkit import read_events

log = read_events({path!r})
log.facts
endless = "FROM range(100000000) AS a, range(1000000) AS b WHERE hash(a.range + b.range) = 7"
print("asking", flush=True)
try:
    {ask}
except KeyboardInterrupt:
    print(log.engine.rows(f"SELECT count(*) FROM {{log.engine.table}}"))
"""


@posix
@pytest.mark.parametrize(
    "ask",
    [
        "log.engine.rows(f'SELECT count(*) {endless}')",
        "log.engine.frame(f'SELECT count(*) {endless}')",
        "list(log.engine.batches(f'SELECT a.range AS x {endless}'))",
    ],
)
def test_ctrl_c_during_a_query_is_a_keyboard_interrupt_and_the_next_query_works(tmp_path, ask):
    code = INTERRUPTED.format(path=str(written(tmp_path) / "log.parquet"), ask=ask)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "asking\n"
            # The query may not have begun at the first signal; an interrupt before it would end the program.
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.5)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[0] == "[(3,)]\n"
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("typed", "meant"), [("funel", "funnel"), ("EventLogs", "EventLog"), ("retenton", "retention")]
)
def test_a_misspelt_name_of_the_toolkit_names_the_nearest(typed, meant):
    with pytest.raises(AttributeError, match=rf"has no attribute '{typed}' \(did you mean '{meant}'\?\)"):
        getattr(toolkit, typed)


def test_a_name_like_no_other_gets_no_hint():
    with pytest.raises(AttributeError, match=r"has no attribute 'zzz'$"):
        _ = toolkit.zzz
