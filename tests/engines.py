"""Engines for tests: a frame put into each of them, and read back as a log. Servers run on loopback and are ended."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit import EventLog, read_events

NAMES = ("sail", "clickhouse", "postgres", "spark")
#: What each needs: a module, and a program or a folder of programs.
_MODULES = {"sail": "pysail", "clickhouse": "chdb", "postgres": "adbc_driver_postgresql", "spark": "pyspark"}
#: Seconds for a server to answer.
_PATIENCE = 90
_numbers = itertools.count(1)


def absent(engine: str) -> str:
    """Why an engine cannot run here; empty where it can."""
    if importlib.util.find_spec(_MODULES[engine]) is None:
        return f"needs {_MODULES[engine]}: uv sync --group engines"
    if engine == "postgres" and _postgres_programs() is None:
        return "needs PostgreSQL's programs: apt-get install postgresql"
    if engine == "spark" and shutil.which("java") is None:
        return "needs Java 17: apt-get install openjdk-17-jre-headless"
    return ""


def put(engine: str, frame: pd.DataFrame, name: str | None = None) -> dict[str, Any]:
    """A frame as a table on an engine: what `read_events` takes to find it there, `source` and `connection`."""
    name = name or f"events_{next(_numbers)}"
    return {"sail": _spark_table, "spark": _spark_table, "clickhouse": _click, "postgres": _post}[engine](
        engine, pa.Table.from_pandas(_plain(frame), preserve_index=False), name
    )


def log(engine: str, frame: pd.DataFrame, **options: Any) -> EventLog:
    """A frame as a log on an engine, in the order of its rows."""
    rows = frame.assign(arrived=range(len(frame)))
    placed = put(engine, rows)
    return read_events(placed.pop("source"), **placed, arrival="arrived", **options)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Categories as text: servers have no type for them, or another one."""
    texts = {name: "str" for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)}
    return frame.astype(texts)


@functools.cache
def spark(engine: str) -> Any:
    """A session of Spark Connect on a server that ends with this process."""
    # Without it, pyspark looks for Spark's folder from the main program's, and ends a process that has none.
    home = str(Path(str(importlib.util.find_spec("pyspark").origin)).parent)
    os.environ.setdefault("SPARK_HOME", home)
    from pyspark.sql import SparkSession

    port = port_of_spark(engine)
    if engine == "sail":
        program = str(Path(sys.executable).with_name("sail"))
        _started([program, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)], port)
        return SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    # A small machine plans many small queries: what speeds up large ones would take seconds for each.
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": 1,
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": tempfile.mkdtemp(),
    }
    command = [str(Path(home) / "bin" / "spark-submit"), "--master", "local[2]", "--driver-memory", "1g"]
    command += [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    _started(command, port, SPARK_LOCAL_IP="127.0.0.1", SPARK_HOME=home)
    return SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()


@functools.cache
def port_of_spark(engine: str) -> int:
    """Where a server of Spark Connect listens on loopback."""
    return _free_port()


def _spark_table(engine: str, table: pa.Table, name: str) -> dict[str, Any]:
    return {"source": spark(engine).createDataFrame(table)}


@functools.cache
def clickhouse() -> Any:
    """ClickHouse in this process: no server that runs here can be installed."""
    import chdb

    return chdb.connect(":memory:")


def _click(engine: str, table: pa.Table, name: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        pq.write_table(table, file)
        quoted = '"' + name.replace("\\", "\\\\").replace('"', '""') + '"'
        clickhouse().query(f"CREATE TABLE {quoted} ENGINE = Memory AS SELECT * FROM file('{file}', Parquet)")
    return {"source": name, "connection": clickhouse()}


@functools.cache
def postgres() -> Any:
    """A connection to a PostgreSQL server that ends with this process."""
    import adbc_driver_postgresql.dbapi as driver

    programs, port, folder = (
        _postgres_programs(),
        port_of_postgres(),
        tempfile.mkdtemp(prefix="toolkit_postgres_"),
    )
    # The server refuses to run as root.
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    data = f"{folder}/data"
    make = [
        f"{programs}/initdb",
        "-D",
        data,
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale",
        "C.UTF-8",
    ]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off -c jit=off"
    _started([f"{programs}/postgres", "-D", data, *options.split()], port, cwd=folder, **user)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _answering(lambda: driver.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres"))


@functools.cache
def port_of_postgres() -> int:
    """Where the server listens on loopback."""
    return _free_port()


def _post(engine: str, table: pa.Table, name: str) -> dict[str, Any]:
    with postgres().cursor() as cursor:
        cursor.adbc_ingest(name, table)
    postgres().commit()
    return {"source": name, "connection": postgres()}


def _postgres_programs() -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    there = str(found[-1]) if found else shutil.which("initdb")
    return None if there is None else str(Path(there).parent)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _started(
    command: list[str], port: int, *, cwd: str | None = None, user: str | None = None, **setting: str
) -> None:
    """A server, once it listens; it is ended with this process."""
    server = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        user=user,
        env={**os.environ, **setting},
    )
    atexit.register(_ended, server)

    def listening() -> None:
        if server.poll() is not None:
            raise RuntimeError(f"{command[0]} ended at once, with {server.returncode}")
        socket.create_connection(("127.0.0.1", port), 1).close()

    _answering(listening)


def _ended(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()


def _answering(ask: Callable[[], Any]) -> Any:
    """What a call gives once it does not fail."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return ask()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
