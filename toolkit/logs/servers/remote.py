"""A log that stays on a server: queries go there in its own words, and only answers travel.

Remote          what the servers have in common; a class with `fetched`, `typed` and `interrupt` is one more
RemoteAnswer    a query whose answer is fetched when it is asked for
"""

from __future__ import annotations

import contextlib
import re
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd
import pyarrow as pa

from toolkit.logs.duckdb_engine import connect
from toolkit.logs.engines import Batches, Relation, first_line, identifier
from toolkit.logs.progress import Progress
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
#: What drivers say of a server that went away, or that has started anew and knows the log no more.
GONE = re.compile(
    r"closed the connection unexpectedly|terminating connection|no connection to the server|could not receive data|"
    r"onnection (refused|reset|aborted)|roken pipe|ailed to connect|Max retries exceeded|RETRIES_EXCEEDED|UNAVAILABLE|"
    r"operation not found|INVALID_HANDLE|SESSION_NOT_FOUND|"
    r"not.found.{0,80}toolkit_log_|toolkit_log_\w+.{0,40}not.found",
    re.DOTALL | re.IGNORECASE,
)
#: What servers say of a table that is not there any more, and of values that cannot be compared.
LOST = re.compile(
    r"relation .* does not exist|UNKNOWN_TABLE|Unknown table|TABLE_OR_VIEW_NOT_FOUND|table not found", re.I
)
UNLIKE = re.compile(r"NO_COMMON_TYPE|no supertype|[Cc]annot cast|CAST_INVALID_INPUT|CANNOT_PARSE")
#: A connection answers one query at a time, whichever logs it has and whichever threads ask them.
_turns: weakref.WeakKeyDictionary[Any, threading.RLock] = weakref.WeakKeyDictionary()


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
    #: The server's address, where it tells; and what one query at a time holds.
    address = ""
    turn: AbstractContextManager[Any] = contextlib.nullcontext()
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

    @abstractmethod
    def interrupt(self) -> None:
        """Tell the server to end the query that it answers, where it can be told."""

    def query_progress(self) -> float:
        """No server says how much it has done."""
        return -1.0

    @property
    def server(self) -> str:
        """The server, for people."""
        return f"{self.name} on {self.address}" if self.address else self.name

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
            with self.turn, Progress(self, what=f"waiting for {self.server}", afar=True) as progress:
                return progress.answer(lambda: ask(text))
        except Exception as error:
            if GONE.search(str(error)):
                raise ConnectionError(
                    f"{self.server} went away or started anew, and nothing was counted over {self.source}: connect "
                    f"again once it is there, and read the table again with read_events ({first_line(error)})"
                ) from error
            said = self.explained(error) or self._worded(error)
            raise ValueError(said) from error

    def _worded(self, error: Exception) -> str:
        """What the server says, with the fix where one is known."""
        said = first_line(error)
        if LOST.search(said):
            return (
                f"{self.source} is no longer there, or has changed ({said}): read it again with read_events"
            )
        fix = (
            "; write TRY_CAST(column AS DOUBLE) where a column of text holds numbers, which leaves the others out"
            if self.tries and UNLIKE.search(said)
            else ""
        )
        return f"{self.name} cannot answer over {self.source}: {said}{fix}"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"a log of {self.source} cannot be copied or pickled: its rows belong to a connection"
        )


def turn_of(connection: Any) -> threading.RLock:
    """What a query on a connection holds while it runs."""
    return _turns.setdefault(connection, threading.RLock())


def place_of(name: str, tables: Sequence[tuple[str, str, bool]]) -> str:
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
