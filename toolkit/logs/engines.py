"""Where a log's queries run, and the one place where names and values become SQL.

DuckDB in process is the engine. The SQL that the toolkit writes keeps to a small subset (CTEs, CASE, window
maxima, integer microseconds), so that another engine needs a class with the methods of `DuckDB` and a dialect.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import duckdb

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Types of whole numbers that fit into a BIGINT.
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}

_views = itertools.count(1)


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | int | float | bool | None) -> str:
    """A value as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.replace("'", "''") + "'"


def literals(values: list[str] | tuple[str, ...]) -> str:
    """Values as the list inside `IN (...)`."""
    return ", ".join(literal(value) for value in values)


@functools.cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """A process's database in memory, which never fetches an extension; threads of it do not survive a fork."""
    return duckdb.connect(config={"autoinstall_known_extensions": "false"})


def connect(timezone: str = "UTC") -> duckdb.DuckDBPyConnection:
    """A connection with settings and temporary tables of its own; a database of its own would take 15 ms to start."""
    connection = _database(os.getpid()).cursor()
    connection.execute(f"SET TimeZone = {literal(timezone)}")
    # Progress is tracked but not printed: `watched` draws it, so that it goes away when the query is done.
    connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    connection.execute("SET progress_bar_time = 0")
    return connection


@contextlib.contextmanager
def watched(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Show a bar while queries on a connection of ours run longer than two seconds."""
    done = threading.Event()

    def watch() -> None:
        # The variable is tqdm's own, which its bar for notebooks does not heed.
        if done.wait(2) or os.environ.get("TQDM_DISABLE"):
            return
        from tqdm.auto import tqdm

        form = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"
        with tqdm(total=100, desc="reading the log", bar_format=form, leave=False) as bar:
            while not done.wait(0.2):
                bar.update(max(0.0, min(connection.query_progress(), 100) - bar.n))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def readable(source: str) -> Iterator[None]:
    """Turn what an engine says of an unreadable source into an error that names the source and the fix."""
    try:
        yield
    except duckdb.IOException as error:
        if "No files found" in str(error):
            raise FileNotFoundError(f"no file matches {source}") from error
        raise ValueError(f"cannot read {source}: {_first_line(error)}") from error
    except duckdb.Error as error:
        text = str(error).lower()
        if any(word in text for word in ("unicode", "utf-8", "utf8", "encod")):
            raise ValueError(
                f"{source} is not UTF-8 text; Chinese Windows writes GBK: pass encoding='gb18030'"
            ) from error
        of_the_file = any(word in text for word in ("parquet", "magic bytes", "csv"))
        if isinstance(error, duckdb.ProgrammingError | duckdb.OperationalError) and not of_the_file:
            raise
        raise ValueError(f"cannot read {source} (truncated or corrupt?): {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


class DuckDB:
    """A log's rows as a relation in DuckDB, and the queries over them.

    Parameters
    ----------
    relation
        The rows, unread.
    connection
        A connection of the toolkit's own, on which in-memory tables are asked; the relation may live on another.
    source
        What the rows are, for error messages.
    """

    dialect = "duckdb"

    def __init__(
        self,
        relation: duckdb.DuckDBPyRelation,
        connection: duckdb.DuckDBPyConnection,
        source: str,
    ) -> None:
        self.base = relation
        self.connection = connection
        self.source = source
        #: Conditions that were parsed and checked, since a panel asks the same ones again and again.
        self.conditions: dict[str, tuple[str, set[str]]] = {}
        # One view name per log: two logs on one connection must not answer each other's lazy questions.
        self.table = identifier(f"toolkit_log_{next(_views)}")

    def relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        """A lazy relation of a query over `self.table`."""
        with readable(self.source):
            return cast("duckdb.DuckDBPyRelation", self.base.query(self.table.strip('"'), sql))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, for answers of a few rows."""
        with readable(self.source), watched(self.connection):
            return self.relation(sql).fetchall()

    def frame(self, sql: str) -> pd.DataFrame:
        """A query's answer as a frame, for small tidy tables."""
        with readable(self.source), watched(self.connection):
            return self.relation(sql).df()

    def batches(self, sql: str, rows: int = 1 << 20) -> pa.RecordBatchReader:
        """A query's answer as Arrow batches in the order in which the source holds its rows."""
        with readable(self.source):
            return self.relation(sql).to_arrow_reader(rows)

    def types(self, sql: str) -> dict[str, str]:
        """Column names and SQL types of a query, without running it."""
        relation = self.relation(sql)
        return dict(zip(relation.columns, map(str, relation.types), strict=True))

    def over(self, table: pa.Table, sql: str) -> duckdb.DuckDBPyRelation:
        """A lazy relation of a query over an in-memory table, called `memory` in the query."""
        return cast("duckdb.DuckDBPyRelation", self.connection.from_arrow(table).query("memory", sql))

    def beside(self, table: pa.Table, other: pa.Table, same: str) -> pa.Table:
        """A table in memory with another one's columns beside it: null where no row of that makes `same` true."""
        one, two = (self.connection.from_arrow(part) for part in (table, other))
        return one.join(two, same, how="left").to_arrow_table()
