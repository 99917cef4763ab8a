"""Engines for tests: a frame put into each of them, and read back as a log. Servers run on loopback and are ended."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import os
import shutil
import signal
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
_PATIENCE = 180
_numbers = itertools.count(1)


def absent(engine: str) -> str:
    """Why an engine cannot run here; empty where it can."""
    found = importlib.util.find_spec(_MODULES[engine])
    if found is None:
        return f"needs {_MODULES[engine]}: uv sync --group engines"
    if engine == "spark" and not Path(str(found.origin)).with_name("jars").is_dir():
        return "needs Spark itself, not its client alone: uv pip install 'pyspark[connect]'"
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


class Server:
    """A program that listens on loopback. It ends with this process; stopped, it can be started again as it was.

    Parameters
    ----------
    command, port
        How it is started, and where it then listens.
    cwd, user, setting
        Its folder, its user, and what its environment has besides.
    """

    def __init__(
        self,
        command: list[str],
        port: int,
        *,
        cwd: str | None = None,
        user: str | None = None,
        **setting: str,
    ) -> None:
        self.command, self.port, self.setting = command, port, setting
        self.place: dict[str, Any] = {"cwd": cwd, "user": user}
        atexit.register(self.stop)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            self.command, env={**os.environ, **self.setting}, **quiet, **self.place
        )

        def listening() -> None:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.command[0]} ended at once, with {self.process.returncode}")
            socket.create_connection(("127.0.0.1", self.port), 1).close()

        answering(listening)

    def stop(self, sign: int = signal.SIGTERM) -> None:
        """End it, and wait until it is gone."""
        self.process.send_signal(sign)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def sail() -> Server:
    """A new Sail server."""
    port = _free_port()
    program = str(Path(sys.executable).with_name("sail"))
    return Server([program, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)], port)


def session(port: int) -> Any:
    """A new session of Spark Connect."""
    # Without it, pyspark looks for Spark's folder from the main program's, and ends a process that has none.
    os.environ.setdefault("SPARK_HOME", _spark_home())
    from pyspark.sql import SparkSession

    return SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()


def _spark_home() -> str:
    return str(Path(str(importlib.util.find_spec("pyspark").origin)).parent)


@functools.cache
def spark(engine: str) -> Any:
    """A session of Spark Connect on a server that ends with this process."""
    return session(port_of_spark(engine))


@functools.cache
def port_of_spark(engine: str) -> int:
    """Where a server of Spark Connect listens on loopback."""
    if engine == "sail":
        return sail().port
    port, home = _free_port(), _spark_home()
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
    return Server(command, port, SPARK_LOCAL_IP="127.0.0.1", SPARK_HOME=home).port


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


def postgres_server() -> Server:
    """A new PostgreSQL server."""
    programs, port, folder = _postgres_programs(), _free_port(), tempfile.mkdtemp(prefix="toolkit_postgres_")
    # The server refuses to run as root.
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    data = f"{folder}/data"
    make = f"{programs}/initdb -D {data} -A trust -U postgres -E UTF8 --locale C.UTF-8 --no-sync"
    subprocess.run(make.split(), check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off -c jit=off"
    return Server([f"{programs}/postgres", "-D", data, *options.split()], port, cwd=folder, **user)


def connected(port: int) -> Any:
    """A new connection to PostgreSQL, once it takes one."""
    import adbc_driver_postgresql.dbapi as driver

    return answering(lambda: driver.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres"))


@functools.cache
def port_of_postgres() -> int:
    """Where a server listens that ends with this process."""
    return postgres_server().port


@functools.cache
def postgres() -> Any:
    """A connection to it, closed before it ends."""
    connection = connected(port_of_postgres())
    atexit.register(connection.close)
    return connection


def _post(engine: str, table: pa.Table, name: str) -> dict[str, Any]:
    return ingested(postgres(), table, name)


def ingested(connection: Any, table: pa.Table, name: str) -> dict[str, Any]:
    """An Arrow table on a connection to PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.adbc_ingest(name, table)
    connection.commit()
    return {"source": name, "connection": connection}


def _postgres_programs() -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    there = str(found[-1]) if found else shutil.which("initdb")
    return None if there is None else str(Path(there).parent)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answering(ask: Callable[[], Any]) -> Any:
    """What a call gives once it does not fail."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return ask()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
