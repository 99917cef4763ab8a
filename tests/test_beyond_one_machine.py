"""Notebook 10: the lines that its prose shows for each engine are run as they stand, but for the address."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
import pytest

from tests import engines
from toolkit import funnel, read_events
from toolkit.sources.bundled import bundled

CELLS = nbformat.read(
    Path(__file__).parents[1] / "notebooks" / "10_beyond_one_machine.ipynb", as_version=4
).cells
BLOCKS = [block for cell in CELLS for block in re.findall(r"```python\n(.*?)```", cell.source, re.DOTALL)]
#: What stands in the page for an address, and a word by which an engine's lines are known.
ADDRESSES = {
    "sail": ("pyspark", "sc://spark.example:15002"),
    "clickhouse": ("clickhouse_connect", "clickhouse.example"),
    "postgres": ("adbc_driver_postgresql", "postgresql://postgres.example/shop"),
}


def lines_for(engine: str, address: str) -> str:
    """The page's lines that open an engine, with another address."""
    word, shown = ADDRESSES[engine]
    (lines,) = [block for block in BLOCKS if word in block]
    assert shown in lines
    return lines.replace(shown, address)


def parameters() -> dict[str, Any]:
    """What the page asks, and the names that its lines use."""
    (cell,) = [cell for cell in CELLS if "parameters" in cell.metadata.get("tags", [])]
    names: dict[str, Any] = {"bundled": bundled, "mkdtemp": str, "read_events": read_events, "funnel": funnel}
    exec(cell.source, names)
    return names


@pytest.mark.parametrize("engine", ADDRESSES)
def test_the_lines_of_the_page_give_the_answer_of_the_files(engine, monkeypatch):
    if reason := engines.absent(engine):
        pytest.skip(reason)
    rows = pd.read_parquet(bundled("log/taobao_live.parquet")).head(20_000)
    placed = engines.put(engine, rows, "live_events")
    address = "here"
    if engine == "sail":
        placed["source"].createOrReplaceTempView("live_events")
        # getOrCreate finds the session that other tests opened first, which may be another server's.
        session = engines.spark(engine)
        monkeypatch.setattr(type(session), "_default_session", session)
        monkeypatch.setattr(type(session)._active_session, "session", session, raising=False)
        address = f"sc://127.0.0.1:{engines.port_of_spark(engine)}"
    elif engine == "postgres":
        address = f"postgresql://postgres@127.0.0.1:{engines.port_of_postgres()}/postgres"
    else:
        # ClickHouse runs in this process, which has no address.
        client = SimpleNamespace(get_client=lambda host: engines.clickhouse())
        monkeypatch.setitem(sys.modules, "clickhouse_connect", client)
    names = parameters()
    (asked,) = [block for block in BLOCKS if "funnel(" in block]
    exec(lines_for(engine, address) + asked, names)
    assert not names["log"].engine.here
    here = funnel(read_events(rows), names["STEPS"], within=names["WITHIN"])
    pd.testing.assert_frame_equal(names["answer"].table, here.table, check_dtype=False)
    assert here.table["reached"].iloc[-1] > 0
    if engine == "postgres":
        names["connection"].close()
