"""Logs that stay on a server: Spark (Databricks, EMR, Sail), ClickHouse and PostgreSQL. Only answers travel.

Each engine is told by the module of the object that the caller brings; none of their packages is imported here.
"""

from __future__ import annotations

import decimal
import importlib.util
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd
import pyarrow as pa

from toolkit.logs.duckdb_engine import connect
from toolkit.logs.engines import Batches, Relation, first_line, identifier
from toolkit.logs.servers import writing
from toolkit.wording import unknown

#: SQL types as DuckDB names them, by the engines' own names in small letters. Others keep theirs.
TYPES = {
    **dict.fromkeys(("bool", "boolean"), "BOOLEAN"),
    **dict.fromkeys(("int8", "tinyint"), "TINYINT"),
    **dict.fromkeys(("int16", "smallint"), "SMALLINT"),
    **dict.fromkeys(("int32", "int", "integer"), "INTEGER"),
    **dict.fromkeys(("int64", "bigint"), "BIGINT"),
    **{
        f"uint{bits}": kind
        for bits, kind in ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER"), (64, "UBIGINT"))
    },
    **dict.fromkeys(("float32", "float"), "FLOAT"),
    **dict.fromkeys(("float64", "double"), "DOUBLE"),
    **dict.fromkeys(("string", "text", "varchar", "bpchar", "name"), "VARCHAR"),
    **dict.fromkeys(("timestamp", "timestamptz", "datetime", "datetime64"), "TIMESTAMP WITH TIME ZONE"),
    **dict.fromkeys(("timestamp_ntz", "timestamp without time zone"), "TIMESTAMP"),
    **dict.fromkeys(("date", "date32"), "DATE"),
    **dict.fromkeys(("decimal", "numeric"), "DECIMAL"),
}
#: PostgreSQL's short names, some of which mean other types to others.
POSTGRES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "float",
    "float8": "double",
    "timestamp": "timestamp without time zone",
}


@dataclass(frozen=True)
class RemoteAnswer:
    """A query whose answer is fetched when it is asked for."""

    engine: Remote
    sql: str

    @property
    def columns(self) -> list[str]:
        """Names of the answer's columns."""
        return list(self.engine.types(self.sql))

    def df(self) -> pd.DataFrame:
        """The answer as a frame."""
        return self.engine.frame(self.sql)

    def to_arrow_table(self) -> pa.Table:
        """The answer as an Arrow table."""
        return self.engine.table_of(self.sql)

    def fetchall(self) -> list[Any]:
        """The answer as tuples."""
        return self.engine.rows(self.sql)


class Remote(ABC):
    """A table on a server, and the queries over it: written in its dialect, answered by it.

    Parameters
    ----------
    table
        The quoted name that queries use.
    source
        What the rows are, for people.
    arrival
        A column that tells the order in which rows came.
    timezone
        IANA zone in which times are shown.
    """

    name: str
    dialect: str
    source = "the connection"
    wide = here = False
    tries = True
    conditional: tuple[str, ...] = ("BOOLEAN",)

    def __init__(self, table: str, source: str, arrival: str | None, timezone: str) -> None:
        self.table, self.source, self.timezone = table, source, timezone
        self.conditions: dict[str, tuple[str, set[str]]] = {}
        self.columns = self.types(f"SELECT * FROM {table}")
        if arrival is not None and arrival not in self.columns:
            raise ValueError(unknown("arrival column", arrival, self.columns, of=source))
        self.arrival = None if arrival is None else identifier(arrival)

    @abstractmethod
    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in the engine's own dialect."""

    @abstractmethod
    def typed(self, text: str) -> dict[str, str]:
        """Names and types of the columns of a query in the engine's own dialect, in its own words."""

    def written(self, sql: str, *, pretty: bool = True) -> str:
        """A query as the engine gets it."""
        return writing.written(sql, self.dialect, pretty=pretty)

    def table_of(self, sql: str) -> pa.Table:
        """A query's answer as an Arrow table, whole numbers as such."""
        found = self._answered(self.fetched, self.written(sql, pretty=False))
        return pa.table([_whole(column) for column in found.columns], names=found.column_names)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, for answers of a few rows."""
        return list(zip(*(column.to_pylist() for column in self.table_of(sql).columns), strict=True))

    def frame(self, sql: str) -> pd.DataFrame:
        """A query's answer as a frame, for small tidy tables."""
        found = self.table_of(sql)
        zoned = pa.timestamp("us", self.timezone)
        columns = [
            column.cast(zoned) if pa.types.is_timestamp(column.type) and column.type.tz else column
            for column in found.columns
        ]
        return pa.table(columns, names=found.column_names).to_pandas(date_as_object=False)

    def relation(self, sql: str) -> Relation:
        """A query's answer, fetched when it is asked for."""
        return RemoteAnswer(self, sql)

    def types(self, sql: str) -> dict[str, str]:
        """Column names and SQL types of a query, without running it."""
        found = self._answered(self.typed, self.written(sql, pretty=False))
        return {name: _type(kind) for name, kind in found.items()}

    def batches(self, sql: str, rows: int = 1 << 20, *, bar: bool = True) -> Batches:
        """A query's answer in parts, in no known order."""

        def parts() -> Generator[pa.RecordBatch]:
            yield from self.table_of(sql).to_batches(rows)

        return Batches(parts())

    def over(self, table: pa.Table, sql: str) -> Relation:
        """A query over a table in this process's memory, called `memory` in the query."""
        return cast(Relation, connect().from_arrow(table).query("memory", sql))

    def beside(self, table: pa.Table, other: pa.Table, same: str) -> pa.Table:
        """A table in memory with another one's columns beside it: null where no row of that makes `same` true."""
        connection = connect()
        one, two = (connection.from_arrow(part) for part in (table, other))
        return one.join(two, same, how="left").to_arrow_table()

    def explained(self, error: Exception) -> str:
        """What is wrong and how to mend it, where the engine's error tells; else nothing."""
        return ""

    def _asked(self, text: str) -> list[tuple[Any, ...]]:
        """All rows of a query in the engine's own dialect."""
        columns = self._answered(self.fetched, text).columns
        return list(zip(*(column.to_pylist() for column in columns), strict=True))

    def _answered(self, ask: Callable[[str], Any], text: str) -> Any:
        try:
            return ask(text)
        except Exception as error:
            said = (
                self.explained(error) or f"{self.name} cannot answer over {self.source}: {first_line(error)}"
            )
            raise ValueError(said) from error

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"a log of {self.source} cannot be copied or pickled: its rows belong to a connection"
        )


class Spark(Remote):
    """A Spark frame, or a table by name: Spark, Databricks, EMR, and Sail, by Spark Connect or in the JVM."""

    name, dialect = "Spark", "spark"

    def __init__(self, frame: Any, source: str, arrival: str | None, timezone: str) -> None:
        self.session = frame.sparkSession
        view = f"toolkit_log_{uuid.uuid4().hex[:12]}"
        frame.createOrReplaceTempView(view)
        super().__init__(identifier(view), source, arrival, timezone)

    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in Spark's own dialect."""
        return self.session.sql(text).toArrow()

    def typed(self, text: str) -> dict[str, str]:
        """Columns as Spark plans them, which runs nothing."""
        return {field.name: field.dataType.simpleString() for field in self.session.sql(text).schema}

    def explained(self, error: Exception) -> str:
        """Whether Parquet files hold dictionary columns, which Sail does not read."""
        if "ictionary" in str(error):
            return (
                f"{self.source} has a column of dictionaries (pandas calls it categorical), which the server does not "
                "read: write its files again with the column as text, such as frame.astype({column: 'str'})"
            )
        return ""


class ClickHouse(Remote):
    """A table in ClickHouse, by a client of `clickhouse_connect` or a connection of `chdb`."""

    name, dialect = "ClickHouse", "clickhouse"
    conditional = ("BOOLEAN", "UTINYINT")
    #: Every table: its database, its name, and whether the name alone means it.
    CATALOG = "SELECT database, name, database = currentDatabase() FROM system.tables"

    def __init__(self, client: Any, name: str, arrival: str | None, timezone: str) -> None:
        self.client = client
        super().__init__(_place(name, self._asked(self.CATALOG)), f"table {name}", arrival, timezone)

    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in ClickHouse's own dialect."""
        if hasattr(self.client, "query_arrow"):
            return self.client.query_arrow(text, use_strings=True)
        found = self.client.query(text, "ArrowStream").bytes()
        return pa.ipc.open_stream(found).read_all() if found else pa.table({})

    def typed(self, text: str) -> dict[str, str]:
        """Columns as ClickHouse describes them, which runs nothing."""
        described = self.fetched(f"DESCRIBE TABLE ({text})")
        return dict(zip(described["name"].to_pylist(), described["type"].to_pylist(), strict=True))


class Postgres(Remote):
    """A table in PostgreSQL, by a connection of `adbc_driver_postgresql.dbapi`."""

    name, dialect = "PostgreSQL", "postgres"
    tries = False

    #: Every table: its schema, its name, and whether the name alone means it.
    CATALOG = (
        "SELECT n.nspname, c.relname, pg_table_is_visible(c.oid) FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p')"
    )

    def __init__(self, connection: Any, name: str, arrival: str | None, timezone: str) -> None:
        self.connection = connection
        super().__init__(_place(name, self._asked(self.CATALOG)), f"table {name}", arrival, timezone)

    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in PostgreSQL's own dialect; its decimals come as text."""
        found = self._run(text)
        columns = [
            pa.array(map(_decimal, column.to_pylist())) if _kind(field) == "numeric" else column
            for field, column in zip(found.schema, found.columns, strict=True)
        ]
        return pa.table(columns, names=found.column_names)

    def typed(self, text: str) -> dict[str, str]:
        """Columns as PostgreSQL plans them."""
        return {
            field.name: _kind(field) for field in self._run(f"SELECT * FROM ({text}) AS rows_ LIMIT 0").schema
        }

    def explained(self, error: Exception) -> str:
        """Whether the connection is closed."""
        if "closed" in str(error) or "no connection" in str(error):
            return f"the connection of {self.source} is closed: open it, and read the table again with read_events"
        return ""

    def _run(self, text: str) -> pa.Table:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(text)
                return cursor.fetch_arrow_table()
        except Exception:
            # An error leaves a transaction that answers nothing more.
            self.connection.rollback()
            raise


def _type(name: str) -> str:
    """A type of the engine's as DuckDB calls it; its own name where DuckDB has none."""
    inner = re.fullmatch(r"(?:Nullable|LowCardinality)\((.*)\)", name)
    if inner:
        return _type(inner[1])
    return TYPES.get(re.sub(r"\(.*\)", "", name).strip().lower(), name)


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers as such, since a difference of unsigned ones would wrap; other decimals as floats."""
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    if not pa.types.is_decimal(column.type):
        return column
    whole = all(value is None or not (value % 1 or abs(value) >= 1 << 63) for value in column.to_pylist())
    return column.cast(pa.int64() if whole else pa.float64())


def _decimal(text: str | None) -> decimal.Decimal | None:
    return None if text is None else decimal.Decimal(text)


def _kind(field: pa.Field) -> str:
    """PostgreSQL's own name of a column's type."""
    told: dict[bytes, bytes] = field.metadata or {}
    name = told.get(b"POSTGRESQL:type", told.get(b"ADBC:postgresql:typname", b"unknown")).decode()
    return POSTGRES.get(name, name)


def _place(name: str, tables: Sequence[tuple[str, str, bool]]) -> str:
    """The quoted name of a table, which may have its schema before it."""
    for _, table, here in tables:
        if here and table == name:
            return identifier(table)
    for schema, table, _ in tables:
        if f"{schema}.{table}" == name:
            return f"{identifier(schema)}.{identifier(table)}"
    raise ValueError(
        unknown("table", name, [table for _, table, here in tables if here], of="the connection")
    )


def of_spark(thing: Any) -> bool:
    """Whether something is a frame or a session of Spark."""
    return type(thing).__module__.startswith("pyspark.sql")


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
    if of_spark(connection):
        return Spark(_spark_table(source, connection), f"table {source}", arrival, timezone)
    if module.startswith(("clickhouse_connect", "chdb")):
        return ClickHouse(connection, source, arrival, timezone)
    if module.startswith("adbc_driver"):
        return Postgres(connection, source, arrival, timezone)
    raise TypeError(f"connection={connection!r} is no connection of a known kind; {_known()}")


def _spark_table(name: str, session: Any) -> Any:
    """A table of a session, under the name that it has there."""
    try:
        frame = session.table(name)
        _ = frame.schema  # planned only when its columns are asked for
    except Exception as error:
        tables = [table.name for table in session.catalog.listTables()]
        raise ValueError(unknown("table", name, tables, of="the session")) from error
    return frame


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
