"""Which server a caller's frame or connection belongs to, told by its module: none of their packages is imported."""

from __future__ import annotations

import importlib.util
from typing import Any

from toolkit.logs.servers import spark
from toolkit.logs.servers.clickhouse import ClickHouse
from toolkit.logs.servers.postgres import Postgres
from toolkit.logs.servers.remote import Remote
from toolkit.logs.servers.spark import Spark


def opened(source: Any, connection: Any, arrival: str | None, timezone: str) -> Remote:
    """A Spark frame, or a table by name on a connection to a server, as an engine.

    Raises
    ------
    ValueError
        A table that is not there, with the nearest name.
    TypeError
        A connection of an unknown kind: which are known.
    """
    if connection is None:
        return Spark(source, "the Spark frame", arrival, timezone)
    module = type(connection).__module__
    if not isinstance(source, str):
        raise TypeError(f"with connection=, source is a table's name, not {type(source).__name__}")
    if _of_spark(connection):
        return Spark(spark.table_of(source, connection), f"table {source}", arrival, timezone)
    if module.startswith(("clickhouse_connect", "chdb")):
        return ClickHouse(connection, source, arrival, timezone)
    if module.startswith("adbc_driver"):
        return Postgres(connection, source, arrival, timezone)
    raise TypeError(f"connection={connection!r} is no connection of a known kind; {_known()}")


def _of_spark(thing: Any) -> bool:
    """Whether something is a frame or a session of Spark."""
    return type(thing).__module__.startswith("pyspark.sql")


def _known() -> str:
    """How each kind of connection is opened, with the line that installs what is not there."""
    said = []
    for name, extra, package, call in (
        ("DuckDB", "", "duckdb", "duckdb.connect()"),
        ("Spark or Sail", "spark", "pyspark", "SparkSession.builder.remote('sc://HOST:15002').getOrCreate()"),
        ("ClickHouse", "clickhouse", "clickhouse_connect", "clickhouse_connect.get_client(host=HOST)"),
        ("PostgreSQL", "postgres", "adbc_driver_postgresql", "adbc_driver_postgresql.dbapi.connect(URI)"),
    ):
        there = importlib.util.find_spec(package) is not None
        said.append(f"{name}: {call}{'' if there else f' (pip install live-commerce-toolkit[{extra}])'}")
    return "; ".join(said)
