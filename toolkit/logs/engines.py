"""Where a log's queries run, and the one place where names and values become SQL.

Engine      what an engine can do: one more is a class with these methods, in a file of its own
DuckDB      the engine in this process
Reader      how DuckDB gets at a log's rows: files, a frame, a table
identifier, literal, literals    names and values as SQL

The SQL that the toolkit writes keeps to a small subset: CTEs, CASE, window functions, integer microseconds.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import duckdb

from toolkit.logs.progress import Progress

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

T = TypeVar("T")
#: Types of whole numbers that fit into a BIGINT.
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
#: How a process's folder to spill to begins.
SPILL = "toolkit_spill_"
#: Connections that a process has from its parent. They are useless after a fork, and closing one may wait forever.
_inherited: list[object] = []
#: What `limit` has set; a process after a fork takes it over.
_limits: dict[str, str] = {}


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
    """A process's database in memory, which never fetches an extension. Its threads do not survive a fork."""
    memory = {"memory_limit": _limits["memory"]} if "memory" in _limits else {}
    return duckdb.connect(
        config={"autoinstall_known_extensions": "false", "temp_directory": _spill(process), **memory}
    )


def _spill(process: int) -> str:
    """Where a process spills to: DuckDB would do it beside the notebook, and no two may share a folder."""
    return os.path.join(_limits.get("spill", tempfile.gettempdir()), f"{SPILL}{process}")


def limit(*, memory: str | None = None, spill: str | os.PathLike[str] | None = None) -> None:
    """Bound the memory that questions take in this process, and name the folder that they spill to.

    Parameters
    ----------
    memory
        Such as "4GB"; 80 % of the machine's if never given. What is larger is sorted and joined in the folder, which
        takes longer; a log whose index is larger is not indexed. Results and Python itself come on top.
    spill
        A folder, made if it is not there; the system's temporary one if never given. Each process spills to a folder
        of its own in it, and takes that away when it ends.

    Raises
    ------
    ValueError
        For a size that is none, a folder that cannot be made, or a new one after the old one has been used.
    TypeError
        For a size that is no text.
    """
    if memory is not None and not isinstance(memory, str):
        raise TypeError(f"memory={memory!r}; write a size such as '4GB'")
    if memory is not None and not re.fullmatch(r"\d+(\.\d+)? ?[KMGT]i?B", memory):
        raise ValueError(f"memory={memory!r} is no size; write one such as '4GB'")
    asked: list[tuple[str, str, str]] = []
    if memory is not None:
        asked.append(("memory", memory, f"SET memory_limit = {literal(memory)}"))
    if spill is not None:
        folder = os.path.abspath(spill)
        below = os.path.join(folder, os.path.basename(_spill(os.getpid())))
        asked.append(("spill", folder, f"SET temp_directory = {literal(below)}"))
    for option, value, sql in asked:
        try:
            if option == "spill":
                os.makedirs(value, exist_ok=True)
            _database(os.getpid()).execute(sql)
        except (duckdb.Error, OSError) as error:
            raise ValueError(f"{option}={value!r}: {first_line(error)}") from error
        _limits[option] = value


def allowed() -> float:
    """Bytes that DuckDB may take in this process."""
    found = _database(os.getpid()).execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    number, unit = found.split()
    return float(float(number) * 1024 ** ("bytes", "KiB", "MiB", "GiB", "TiB").index(unit))


def connect(timezone: str = "UTC") -> duckdb.DuckDBPyConnection:
    """A connection with its own settings and temporary tables; a database of its own would take 15 ms to start."""
    connection = _database(os.getpid()).cursor()
    connection.execute(f"SET TimeZone = {literal(timezone)}")
    # DuckDB counts its progress and does not print it: `Progress` draws it, and takes it away.
    connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    connection.execute("SET progress_bar_time = 0")
    return connection


@contextlib.contextmanager
def readable(source: str, explained: Callable[[Exception], str] = lambda _: "") -> Iterator[None]:
    """Turn what DuckDB says of an unreadable source into an error that names the source and the fix.

    `explained` knows more of a source of its kind, and says nothing where it does not. An interrupt
    from the keyboard, which DuckDB reports as an error of its own, is a KeyboardInterrupt again.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error
    except duckdb.OutOfMemoryException as error:
        raise MemoryError(
            f"{source} asks for more memory than DuckDB may take: {first_line(error)}; give it more, or a folder "
            "to spill to: toolkit.limit(memory=, spill=)"
        ) from error
    except duckdb.IOException as error:
        if "No files found" in str(error):
            raise FileNotFoundError(f"no file matches {source}") from error
        if SPILL in str(error):
            raise OSError(
                f"{source} asks for more memory than DuckDB may take, and the folder that it spills to is full or "
                f"cannot be written: {first_line(error)}; name another one: toolkit.limit(spill=)"
            ) from error
        raise ValueError(f"cannot read {source}: {first_line(error)}") from error
    except duckdb.Error as error:
        if said := explained(error):
            raise ValueError(said) from error
        text = str(error).lower()
        if "httpfs" in text:
            raise ValueError(f"{source} lies elsewhere, and nothing is fetched: download it first") from error
        if isinstance(error, duckdb.ConversionException):
            raise ValueError(
                f"a value of {source} cannot be compared as a condition asks: {first_line(error)}; write "
                "TRY_CAST(column AS DOUBLE) where a column of text holds numbers, which leaves the others out"
            ) from error
        of_the_file = any(word in text for word in ("parquet", "magic bytes", "csv"))
        if isinstance(error, duckdb.ProgrammingError | duckdb.OperationalError) and not of_the_file:
            raise
        raise ValueError(f"cannot read {source} (truncated or corrupt?): {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The first line of what an engine says: those behind it are for its own users."""
    return str(error).strip().splitlines()[0]


class Relation(Protocol):
    """A query whose answer is fetched when it is asked for."""

    @property
    def columns(self) -> list[str]:
        """Names of the answer's columns."""

    def df(self) -> pd.DataFrame:
        """The answer as a frame."""

    def to_arrow_table(self) -> pa.Table:
        """The answer as an Arrow table."""

    def fetchall(self) -> list[Any]:
        """The answer as tuples."""


class Batches:
    """A query's answer in parts; as a context manager it ends the query when the block is left.

    Parameters
    ----------
    parts
        A generator of record batches.
    """

    def __init__(self, parts: Generator[pa.RecordBatch]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._parts

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *error: object) -> None:
        self._parts.close()


class Engine(Protocol):
    """Where a log lies: its rows stay there, and queries over them run there.

    A query is SQL as DuckDB reads it. It names the log's rows by `table`; an engine with another dialect writes
    the query anew before it runs it.
    """

    @property
    def dialect(self) -> str:
        """The engine's dialect, as sqlglot calls it."""

    @property
    def table(self) -> str:
        """The quoted name by which queries mean the log's rows."""

    @property
    def source(self) -> str:
        """What the rows are, for people."""

    @property
    def columns(self) -> dict[str, str]:
        """Name and SQL type of each column of the log."""

    @property
    def conditions(self) -> dict[str, tuple[str, set[str]]]:
        """Conditions that were parsed and checked: text to SQL and the columns that it reads."""

    def types(self, sql: str) -> dict[str, str]:
        """Column names and SQL types of a query, without running it."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, for answers of a few rows."""

    def frame(self, sql: str) -> pd.DataFrame:
        """A query's answer as a frame, for small tidy tables."""

    def relation(self, sql: str) -> Relation:
        """A query's answer, fetched when it is asked for."""

    def batches(self, sql: str, rows: int = 1 << 20, *, bar: bool = True) -> Batches:
        """A query's answer in parts, in the order in which the source holds its rows; `bar` shows how far it is."""

    def over(self, table: pa.Table, sql: str) -> Relation:
        """A query over a table in this process's memory, called `memory` in the query."""

    def beside(self, table: pa.Table, other: pa.Table, same: str) -> pa.Table:
        """A table in memory with another one's columns beside it: null where no row of that makes `same` true."""


class Reader(ABC):
    """How DuckDB gets at a log's rows."""

    #: Why another process cannot read them too; empty where it can.
    bound = ""
    #: Whether any connection can read them, so that each thread has one of its own.
    shared = True

    @abstractmethod
    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, unread."""

    def reading(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection | None:
        """The connection that reads the rows; None where it is the caller's and not known."""
        return connection

    def explained(self, error: Exception) -> str:
        """What is wrong with the source and how to mend it, where this kind of source tells; else nothing."""
        return ""

    def state(self) -> object:
        """What changes when the rows do, where that can be seen at no cost."""
        return None


class _Place(threading.local):
    """One thread's connection and the log's rows on it."""

    process = 0
    connection: duckdb.DuckDBPyConnection
    base: duckdb.DuckDBPyRelation


class DuckDB:
    """A log's rows in DuckDB, and the queries over them.

    Every thread that asks gets a connection of its own, and so does a process after a fork. Rows on a connection
    of the caller's are read by one thread at a time. A log of files can be pickled and is opened again when loaded.

    Parameters
    ----------
    reader
        How to get at the rows.
    timezone
        IANA zone of the connections.
    source
        What the rows are, for error messages.
    table
        The quoted name that queries use; a new one by default.
    """

    dialect = "duckdb"

    def __init__(self, reader: Reader, timezone: str, source: str, table: str | None = None) -> None:
        self.reader, self.timezone, self.source = reader, timezone, source
        # One name per log, whatever the process: SQL that was written for one must not read another.
        self.table = identifier(f"toolkit_log_{uuid.uuid4().hex[:12]}") if table is None else table
        #: Conditions that were parsed and checked, since a panel asks the same ones again and again.
        self.conditions: dict[str, tuple[str, set[str]]] = {}
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._turn = threading.RLock()
        self._place = _Place()
        self._state = reader.state()
        with readable(source, reader.explained):
            self.columns = dict(zip(self.base.columns, map(str, self.base.types), strict=True))

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection of this thread, on which tables in memory are asked."""
        return self._here().connection

    @property
    def base(self) -> duckdb.DuckDBPyRelation:
        """The log's rows, unread."""
        return self._here().base

    def relation(self, sql: str) -> duckdb.DuckDBPyRelation:
        """A query's answer, fetched when it is asked for."""
        self._refuse_changed()
        with readable(self.source, self.reader.explained):
            if self.reader.shared or threading.get_ident() == self._thread:
                return self._query(sql)
            # Another thread may use the caller's connection only in its turn, so the answer is fetched in it.
            with self._turn:
                answer = self._query(sql).to_arrow_table()
            return self.connection.from_arrow(answer)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, for answers of a few rows."""
        return self._answer(self.relation(sql).fetchall)

    def frame(self, sql: str) -> pd.DataFrame:
        """A query's answer as a frame, for small tidy tables."""
        return self._answer(self.relation(sql).df)

    def batches(self, sql: str, rows: int = 1 << 20, *, bar: bool = True) -> Batches:
        """A query's answer as Arrow batches in the order in which the source holds its rows."""
        return Batches(self._parts(sql, rows, bar))

    def types(self, sql: str) -> dict[str, str]:
        """Column names and SQL types of a query, without running it."""
        relation = self.relation(sql)
        return dict(zip(relation.columns, map(str, relation.types), strict=True))

    def over(self, table: pa.Table, sql: str) -> duckdb.DuckDBPyRelation:
        """A query over a table in memory, called `memory` in the query."""
        return cast("duckdb.DuckDBPyRelation", self.connection.from_arrow(table).query("memory", sql))

    def beside(self, table: pa.Table, other: pa.Table, same: str) -> pa.Table:
        """A table in memory with another one's columns beside it: null where no row of that makes `same` true."""
        one, two = (self.connection.from_arrow(part) for part in (table, other))
        return one.join(two, same, how="left").to_arrow_table()

    def _refuse_changed(self) -> None:
        # Counts that the log has taken already would not fit those of its new rows.
        if self.reader.state() != self._state:
            raise ValueError(f"{self.source} has changed since it was opened: read it again with read_events")

    def _query(self, sql: str) -> duckdb.DuckDBPyRelation:
        return cast("duckdb.DuckDBPyRelation", self.base.query(self.table.strip('"'), sql))

    def _answer(self, ask: Callable[[], T]) -> T:
        with self._asked() as progress:
            return progress.answer(ask)

    def _parts(self, sql: str, rows: int, bar: bool) -> Generator[pa.RecordBatch]:
        with self._asked(bar=bar) as progress:
            relation = self.relation(sql)
            reader = progress.answer(lambda: relation.to_arrow_reader(rows))
            while (batch := progress.answer(lambda: next(reader, None))) is not None:
                yield batch

    @contextlib.contextmanager
    def _asked(self, *, bar: bool = True) -> Iterator[Progress]:
        connection = self.reader.reading(self.connection)
        turn = contextlib.nullcontext() if self.reader.shared else self._turn
        with readable(self.source, self.reader.explained), turn, Progress(connection, bar=bar) as progress:
            yield progress

    def _here(self) -> _Place:
        place = self._place
        if place.process == os.getpid():
            return place
        if place.process:
            _inherited.append((place.connection, place.base))
        if self._process != os.getpid() and not self.reader.shared:
            raise RuntimeError(
                f"{self.source} was opened before this process was forked, and a connection works in one process "
                "only: open the log in this process, or give read_events the files"
            )
        place.connection = connect(self.timezone)
        place.base = self.reader.relation(place.connection)
        place.process = os.getpid()
        return place

    def __reduce__(self) -> tuple[Any, ...]:
        if self.reader.bound:
            raise TypeError(
                f"a log of {self.source} cannot be copied or pickled: {self.reader.bound}. Write its rows to a "
                "Parquet file and give read_events the path"
            )
        return DuckDB, (self.reader, self.timezone, self.source, self.table)
