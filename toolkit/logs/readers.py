"""How DuckDB gets at a log's rows: in files, in this process's memory, or on a connection of the caller's.

ParquetFiles    Parquet files, unread
CsvFiles        CSV files in UTF-8, unread
DecodedFiles    CSV files in another encoding, read by pandas
InMemory        a frame or an Arrow table
OnConnection    a relation or a table on the caller's connection
opened          any source as an engine
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from toolkit.logs.engines import DuckDB, Reader, readable
from toolkit.wording import unknown

CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".csv.zst")
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class ParquetFiles(Reader):
    """Parquet files, whose columns are matched by name."""

    paths: tuple[str, ...]

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, unread."""
        return connection.read_parquet(list(self.paths), union_by_name=True)


@dataclass(frozen=True)
class CsvFiles(Reader):
    """CSV files in UTF-8; `names` are the columns of files without a header row, `shown` stands in errors."""

    paths: tuple[str, ...]
    shown: str
    roles: tuple[str, ...]
    names: tuple[str, ...] | None

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, unread."""
        options: dict[str, Any] = {"header": self.names is None, "filename": False}
        if self.names is not None:
            options["names"] = list(self.names)
        said = "" if self.names is None else f" with {len(self.names)} names"
        read: Any = connection.read_csv  # its stubs take fewer kinds of path than it does
        with readable(f"{self.shown}{said}"):
            sniffed: duckdb.DuckDBPyRelation = read(list(self.paths), **options)
            # Ids and times stay text: a sniffer would read user 00123 as 123, and would drop a time's zone.
            as_text = {name: "VARCHAR" for name in self.roles if name in sniffed.columns}
            if not as_text:
                return sniffed
            typed: duckdb.DuckDBPyRelation = read(list(self.paths), dtype=as_text, **options)
            return typed


@dataclass(frozen=True)
class DecodedFiles(Reader):
    """CSV files in another encoding than UTF-8, which pandas reads once into memory."""

    paths: tuple[str, ...]
    roles: tuple[str, ...]
    names: tuple[str, ...] | None
    encoding: str

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows."""
        return pd.concat([self._read(path) for path in self.paths], ignore_index=True)

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows."""
        return connection.from_df(self.frame)

    def _read(self, path: str) -> pd.DataFrame:
        try:
            return pd.read_csv(
                path,
                encoding=self.encoding,
                names=None if self.names is None else list(self.names),
                header=0 if self.names is None else None,
                sep=None,
                engine="python",
                dtype=dict.fromkeys(self.roles, str),
            )
        except (UnicodeDecodeError, LookupError) as error:
            raise ValueError(
                f"{path} cannot be read with encoding={self.encoding!r} ({error}); Chinese Windows writes 'gb18030'"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "frame"}


@dataclass(frozen=True, eq=False)
class InMemory(Reader):
    """A pandas frame or an Arrow table."""

    rows: Any
    bound = "its rows lie in this process's memory"

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows."""
        frame = isinstance(self.rows, pd.DataFrame)
        return connection.from_df(self.rows) if frame else connection.from_arrow(self.rows)


@dataclass(frozen=True, eq=False)
class OnConnection(Reader):
    """A relation or a table on a connection that the caller opened."""

    rows: duckdb.DuckDBPyRelation
    owner: duckdb.DuckDBPyConnection | None = None
    bound, shared = "its rows belong to a connection of this process", False

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, whatever the connection."""
        return self.rows

    def reading(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection | None:
        """The caller's connection, where it is known."""
        return self.owner


def opened(
    source: Any,
    *,
    roles: tuple[str, ...],
    names: Sequence[str] | None,
    timezone: str,
    connection: duckdb.DuckDBPyConnection | None,
    encoding: str | None,
) -> DuckDB:
    """A source of any known kind as an engine; `roles` are the columns that stay text. See `read_events`."""
    reader, shown = _reader(source, roles, names, connection, encoding)
    return DuckDB(reader, timezone, shown)


def _reader(
    source: Any,
    roles: tuple[str, ...],
    names: Sequence[str] | None,
    connection: duckdb.DuckDBPyConnection | None,
    encoding: str | None,
) -> tuple[Reader, str]:
    if isinstance(source, duckdb.DuckDBPyRelation):
        return OnConnection(source), "the relation"
    if connection is not None:
        return _table(source, connection), f"table {source}"
    if isinstance(source, str | Path):
        return _files([str(source)], roles, names, encoding)
    if isinstance(source, list | tuple) and source and all(isinstance(path, str | Path) for path in source):
        return _files([str(path) for path in source], roles, names, encoding)
    if isinstance(source, pd.DataFrame):
        # Names out of data are text; a frame may have numbers for names.
        frame = source.rename(columns=str) if not all(isinstance(c, str) for c in source.columns) else source
        return InMemory(frame), "the frame"
    if hasattr(source, "to_arrow"):
        return InMemory(source.to_arrow()), "the frame"
    if hasattr(source, "__arrow_c_stream__"):
        return InMemory(source), "the table"
    raise TypeError(
        f"cannot read events from {type(source).__name__}; give a path, a glob, a pandas or polars frame, an Arrow "
        "table, a DuckDB relation, or a table's name with connection="
    )


def _table(source: Any, connection: duckdb.DuckDBPyConnection) -> OnConnection:
    if not isinstance(source, str):
        raise TypeError(f"with connection=, source is a table's name, not {type(source).__name__}")
    try:
        return OnConnection(connection.table(source), connection)
    except duckdb.Error as error:
        tables = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
        raise ValueError(unknown("table", source, tables, of="the connection")) from error


def _files(
    paths: list[str], roles: tuple[str, ...], names: Sequence[str] | None, encoding: str | None
) -> tuple[Reader, str]:
    source = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    for path in paths:
        if Path(path).is_dir():
            raise ValueError(f"{path} is a folder; name its files with a glob such as '{path}/*.parquet'")
    places = tuple(_anywhere(path) for path in paths)
    if all(path.lower().endswith(PARQUET) for path in paths):
        if names is not None or encoding is not None:
            raise ValueError("names= and encoding= are for CSV files; a Parquet file brings its own names")
        return ParquetFiles(places), source
    if not all(path.lower().endswith(CSV) for path in paths):
        raise ValueError(
            f"{source} is neither Parquet ({', '.join(PARQUET)}) nor CSV ({', '.join(CSV)}) by its name"
        )
    given = None if names is None else tuple(names)
    if encoding is not None:
        return DecodedFiles(places, roles, given, encoding), source
    files = [path for path in map(Path, places) if path.is_file()]
    if files and not any(path.stat().st_size for path in files):
        raise ValueError(f"{source} is empty: it has not even a header row")
    return CsvFiles(places, source, roles, given), source


def _anywhere(path: str) -> str:
    """The path as it is found from any working directory; an address is left as it is."""
    return path if "://" in path else os.path.abspath(path)
