"""Faults of a long day: files cut short, a full disk, an interrupt, two kernels, odd shapes and far years."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from jupyter_client.manager import start_new_kernel

from toolkit import activity, funnel, limit, read_events, repurchase, retention

posix = pytest.mark.skipif(os.name != "posix", reason="needs limits of a process and signals")
STEPS = ["enter", "click", "pay"]


def written(path: Path, rows: int, user: str) -> Path:
    """A log of a row a second that goes through the steps again and again; `user` is SQL of the row's number i."""
    event = " ".join(f"WHEN {at} THEN '{step}'" for at, step in enumerate(STEPS))
    columns = (
        f"{user} AS user_id, epoch_ms(1717200000000 + i * 1000) AS timestamp, CASE i % 3 {event} END AS event"
    )
    duckdb.connect().execute(f"COPY (SELECT {columns} FROM range({rows}) AS r(i)) TO '{path}'")
    return path


def fresh(code: str, **options) -> subprocess.Popen[str]:
    """A Python of its own, since what bounds memory holds for a whole process."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def said(process: subprocess.Popen[str]) -> list[str]:
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return out.splitlines()


def test_a_file_cut_short_in_the_middle_of_a_glob_is_named(tmp_path):
    for at in range(3):
        written(tmp_path / f"part_{at}.parquet", 3_000, "i % 100")
    middle = tmp_path / "part_1.parquet"
    middle.write_bytes(middle.read_bytes()[:2_000])
    with pytest.raises(ValueError, match=r"truncated or corrupt.*part_1\.parquet"):
        read_events(tmp_path / "part_*.parquet")


@posix
def test_a_disk_that_is_full_while_a_question_spills_is_said_and_the_next_question_works(tmp_path):
    # A process that may not write files of a megabyte stands for a disk without room.
    code = f"""
import resource
from toolkit import funnel, limit, read_events
limit(memory="60MB", spill={str(tmp_path / "a" / "spilled")!r})
log = read_events({str(written(tmp_path / "log.parquet", 2_000_000, "i % 50000"))!r})
ask = lambda: funnel(log, {STEPS}, within=None, path="windows").table["reached"].tolist()
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
try:
    ask()
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(ask())
"""
    full, counts = said(fresh(code, cwd=tmp_path))
    assert "log.parquet asks for more memory than DuckDB may take, and the folder" in full
    assert str(tmp_path / "a" / "spilled") in full
    assert "toolkit.limit(spill=)" in full
    assert counts == "[50000, 50000, 50000]"
    assert not list((tmp_path / "a" / "spilled").iterdir())


def test_a_folder_to_spill_to_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="spill=.*file"):
        limit(spill=tmp_path / "file" / "folder")


def test_two_kernels_ask_the_same_files_and_spill_to_the_same_folder(tmp_path):
    code = f"""
from toolkit import funnel, limit, read_events
limit(memory="100MB", spill={str(tmp_path / "spilled")!r})
log = read_events({str(written(tmp_path / "log.parquet", 1_000_000, "i % 50000"))!r})
print(funnel(log, {STEPS}, within=None, path="windows").table["reached"].tolist())
print(funnel(log.index(), {STEPS}, within=None).table["reached"].tolist())
"""
    for process in [fresh(code, cwd=tmp_path), fresh(code, cwd=tmp_path)]:
        assert said(process) == ["[50000, 50000, 50000]"] * 2
    assert not list((tmp_path / "spilled").iterdir())


def test_a_log_whose_index_has_no_room_says_what_it_needs_and_is_asked_where_it_lies(tmp_path):
    code = f"""
import warnings
from toolkit import funnel, limit, read_events
limit(memory="60MB")
log = read_events({str(written(tmp_path / "log.parquet", 2_000_000, "i % 50000"))!r})
with warnings.catch_warnings(record=True) as found:
    same = log.index()
print(found[0].message)
answer = funnel(same, {STEPS}, within="1d")
print(answer.path, answer.table["reached"].tolist())
"""
    warning, answer = said(fresh(code))
    assert re.search(r"would take 76\.\d MB while it is built and 18\.\d MB after.* room for 60", warning)
    assert "toolkit.limit(memory=)" in warning
    assert not answer.startswith("index")
    assert answer.endswith("[50000, 0, 0]")


@pytest.mark.parametrize("user", ["i % 5000", "'user ' || i % 5000"])
@pytest.mark.parametrize("keep", [[], ["room"], ["amount", "room"]])
def test_an_index_is_no_larger_than_it_said(tmp_path, user, keep):
    rows = 200_000
    written(tmp_path / "log.parquet", rows, user)
    frame = pd.read_parquet(tmp_path / "log.parquet")
    frame = frame.assign(room=np.arange(rows) % 300, amount=np.arange(rows) / 7).astype({"room": str})
    log = read_events(frame)
    need = log.index_size(keep)
    assert need.kept / 2 < log.index(keep).memory.nbytes <= need.kept
    assert need.kept < need.building


@posix
def test_an_interrupt_of_the_kernel_ends_a_question_and_the_next_one_works(tmp_path):
    path = written(tmp_path / "log.parquet", 2_000_000, "i % 1000")
    manager, client = start_new_kernel()
    try:

        def runs(code):
            return client.execute_interactive(code, timeout=120, output_hook=lambda _: None)["content"]

        assert runs(f"from toolkit import *; log = read_events({str(path)!r}); log.facts")["status"] == "ok"
        # Entries of eight steps in 36 nested windows: no machine is done with it at the interrupt.
        long = f"funnel(log, {STEPS} * 2 + {STEPS[:2]}, within=None, count='entries', path='windows')"
        long = long.replace(
            "funnel(log, ", "funnel(log, [Step(f'{name} {i}', event=name) for i, name in enumerate("
        )
        long = long.replace(", within", ")], within", 1)
        # A kernel drops what comes right after an error, unless the cell that fails says not to.
        waiting = client.execute(long, stop_on_error=False)
        time.sleep(2)
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != waiting:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        done = f"assert funnel(log, {STEPS}, within='1d').table['reached'].tolist() == [1000, 1000, 1000]"
        assert runs(done)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Three million rows: of one user, and of a user each."""
    folder = tmp_path_factory.mktemp("shapes")
    return {
        user: read_events(written(folder / f"{user}.parquet", 3_000_000, sql))
        for user, sql in {"one": "7", "each": "i"}.items()
    }


@pytest.mark.parametrize(
    ("shape", "users", "entries"), [("one", [1, 1, 1], [1_000_000] * 3), ("each", *[[1_000_000, 0, 0]] * 2)]
)
def test_three_million_rows_of_one_user_or_of_as_many_users_are_counted_alike(shapes, shape, users, entries):
    log = shapes[shape]
    indexed = log.index()
    for path in ("windows", "asof", "stream", "index"):
        answer = funnel(indexed, STEPS, within="1h", path=path)
        assert (path, answer.table["reached"].tolist()) == (path, users)
    asked = funnel(indexed, STEPS, within="1h", count="entries")
    assert asked.table["reached"].tolist() == entries
    times = asked.times.table
    assert times["n"].tolist() == [entries[-1]] * 5
    if entries[-1]:
        assert set(times["estimate"]) == {pd.Timedelta("2s")}
    assert retention(log).cohorts["size"].sum() == (1 if shape == "one" else 3_000_000)


def late(year: int) -> pd.DataFrame:
    times = [f"{year}-01-01 00:00:00", f"{year}-01-01 00:05:00", f"{year}-12-31 23:59:59.999999"]
    return pd.DataFrame({"user_id": [1, 1, 2], "timestamp": times, "event": ["enter", "pay", "enter"]})


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Shanghai"])
@pytest.mark.parametrize("typed", [False, True])
def test_a_log_of_the_year_1970_is_a_log_like_any(timezone, typed):
    frame = late(1970).astype({"timestamp": "datetime64[us]"} if typed else {})
    log = read_events(frame, timezone=timezone)
    assert funnel(log, ["enter", "pay"], within="1d").table["reached"].tolist() == [2, 1]
    assert funnel(log, ["enter", "pay"], within="1d", period="month").table["reached"].sum() == 3
    assert retention(log, period="month").cohorts["size"].tolist() == [1, 1]
    assert activity(log).table["dau"].max() == 1


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Shanghai"])
@pytest.mark.parametrize("typed", [False, True])
def test_times_that_stand_for_never_are_no_end_of_observation(timezone, typed):
    # With them every window would be complete, and every calendar would end after the last day there is.
    frame = pd.concat([late(2024), late(9999)]).astype({"timestamp": "datetime64[us]"} if typed else {})
    log = read_events(frame, timezone=timezone)
    for ask in (
        lambda **to: funnel(log, ["enter", "pay"], within="1d", **to),
        lambda **to: funnel(log, ["enter", "pay"], within="1d", period="day", **to),
        lambda **to: retention(log, **to),
        lambda **to: repurchase(log, **to),
        lambda **to: activity(log, **to),
    ):
        with pytest.raises(ValueError, match="year 9999.*observed_until="):
            ask()
        with pytest.raises(ValueError, match="year 9999"):
            ask(observed_until="9999-12-31")
        assert len(ask(observed_until="2025-01-01").table)
