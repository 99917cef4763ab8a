"""How DuckDB gets at a log's rows: in files, in this process's memory, or on a connection of the caller's.

ParquetFiles    Parquet files, unread
InMemory        a frame or an Arrow table
OnConnection    a relation or a table on the caller's connection
opened          any source as an engine
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from toolkit.logs import files
from toolkit.logs.csv_files import CsvFiles, DecodedFiles
from toolkit.logs.duckdb_engine import DuckDB, Reader
from toolkit.logs.engines import Engine, first_line
from toolkit.logs.relations import Answer
from toolkit.logs.shapes import Reshaped
from toolkit.wording import some, unknown


@dataclass(frozen=True)
class ParquetFiles(Reader):
    """Parquet files, whose columns are matched by name."""

    paths: tuple[str, ...]

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, unread."""
        return connection.read_parquet(list(self.paths), union_by_name=True)

    def state(self) -> object:
        """Names, sizes and times of the files."""
        return files.state(self.paths)


@dataclass(frozen=True, eq=False)
class InMemory(Reader):
    """A pandas frame or an Arrow table."""

    rows: Any
    bound = "its rows lie in this process's memory"

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows."""
        if not isinstance(self.rows, pd.DataFrame):
            return connection.from_arrow(self.rows)
        try:
            return connection.from_df(self.rows)
        except duckdb.NotImplementedException as error:
            kinds = {name: str(kind) for name, kind in self.rows.dtypes.items()}
            found = [name for name, kind in kinds.items() if repr(kind) in str(error)]
            name = found[0] if found else "a column"
            kind = kinds.get(name, "of an unknown kind")
            fix = ".dt.to_timestamp()" if kind.startswith("period") else ".astype(str)"
            raise ValueError(
                f"column {name!r} of the frame is {kind}, which no engine reads; convert it with {fix}, or drop it"
            ) from error

    def explained(self, error: Exception) -> str:
        """Whether a column mixes times with and without a zone."""
        if isinstance(error, duckdb.ConversionException) and "Could not convert 'datetime'" in str(error):
            return "a column of the frame mixes times with and without a zone: convert it with pd.to_datetime(utc=True)"
        return ""


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

    def explained(self, error: Exception) -> str:
        """Whether the table or the connection is gone."""
        if isinstance(error, duckdb.ConnectionException):
            return "the connection of the log is closed: open it, and read the table again with read_events"
        if isinstance(error, duckdb.CatalogException) and "does not exist" in str(error):
            return f"the table of the log is gone or has changed ({first_line(error)}): read it again with read_events"
        return ""


def opened(
    source: Any,
    *,
    roles: tuple[str, ...],
    names: Sequence[str] | None,
    timezone: str,
    connection: Any,
    encoding: str | None,
    arrival: str | None = None,
) -> Engine:
    """A source of any known kind as an engine; `roles` are the columns that stay text. See `read_events`."""
    if _on_server(source, connection):
        from toolkit.logs.servers import connections

        if names is not None or encoding is not None:
            raise ValueError("names= and encoding= are for CSV files; a table on a server brings its own")
        return connections.opened(source, connection, arrival, timezone)
    reader, shown = _reader(source, roles, names, connection, encoding)
    if arrival is not None:
        raise ValueError(
            f"arrival={arrival!r} is for tables on a server; rows of {shown} arrive in the order in which they stand: "
            "sort them, and leave it out"
        )
    return DuckDB(reader, timezone, shown)


def _on_server(source: Any, connection: Any) -> bool:
    """Whether the rows stay elsewhere. Engines are told by their module's name: none of their packages is needed."""
    if connection is not None:
        return not isinstance(connection, duckdb.DuckDBPyConnection) and not isinstance(
            source, duckdb.DuckDBPyRelation
        )
    return type(source).__module__.startswith("pyspark.sql") and hasattr(source, "createOrReplaceTempView")


def _reader(
    source: Any,
    roles: tuple[str, ...],
    names: Sequence[str] | None,
    connection: duckdb.DuckDBPyConnection | None,
    encoding: str | None,
) -> tuple[Reader, str]:
    if isinstance(source, Answer):
        source = source.relation
    if isinstance(source, duckdb.DuckDBPyRelation):
        return OnConnection(source), "the relation"
    if connection is not None:
        return _table(source, connection), f"table {source}"
    if isinstance(source, str | Path):
        return _files([str(source)], roles, names, encoding)
    if isinstance(source, list | tuple) and source and all(isinstance(path, str | Path) for path in source):
        return _files([str(path) for path in source], roles, names, encoding)
    if names is not None or encoding is not None:
        raise ValueError(f"names= and encoding= are for CSV files; {type(source).__name__} brings its own")
    if isinstance(source, pd.DataFrame):
        # Names out of data are text; a frame may have numbers for names.
        texts = all(isinstance(name, str) for name in source.columns)
        frame = source if texts else source.set_axis(list(map(str, source.columns)), axis=1)
        if not len(frame.columns):
            raise ValueError("the frame has no columns")
        refuse_repeated("the frame", list(frame.columns), roles)
        return InMemory(frame), "the frame"
    if hasattr(source, "to_arrow"):
        return InMemory(source.to_arrow()), "the frame"
    if hasattr(source, "read_all"):  # a reader of batches can be read only once
        return InMemory(source.read_all()), "the table"
    if hasattr(source, "__arrow_c_stream__") and not hasattr(source, "to_frame"):
        return InMemory(source), "the table"
    raise TypeError(
        f"cannot read events from {type(source).__name__}{_remedy(source)}; give a path, a glob, a pandas or polars "
        "frame, an Arrow table, a DuckDB relation, or a table's name with connection="
    )


def refuse_missing(engine: Engine, roles: Sequence[tuple[str, str]], *, headless: bool) -> None:
    """Refuse a source without a column that is needed, or with it twice; `headless` where a header was expected.

    Raises
    ------
    ValueError
        Which column, the nearest name, and what the file shows of the reason.
    """
    reader, shown = engine.reader if isinstance(engine, DuckDB) else None, engine.source
    there = files.matching(reader.paths) if isinstance(reader, CsvFiles | DecodedFiles) else []
    needed = [name for _, name in roles]
    for role, name in roles:
        if name in engine.columns:
            continue
        text = unknown(role, name, engine.columns, of=shown)
        if headless and (said := next(filter(None, (files.fault(path, needed) for path in there)), "")):
            raise ValueError(f"{text}. {said[0].upper() + said[1:]}")
        if len(engine.columns) == 1 and there and all(one in next(iter(engine.columns)) for one in needed):
            raise ValueError(
                f"{text}. Its delimiter is none of , ; | and tab: give pd.read_csv(path, sep=...)"
            )
        if headless and there and not {*needed} & {*engine.columns}:
            text += (
                ". Say which columns they are: user=, time=, event=. A file without a header row? Name its "
            )
            text += "columns: names="
        if isinstance(reader, InMemory) and name in _index_names(reader.rows):
            text += ". Its index has that name: reset_index() makes a column of it"
        raise ValueError(text)
    if (
        isinstance(engine, DuckDB)
        and isinstance(reader, ParquetFiles)
        and len(files.matching(reader.paths)) > 1
    ):
        _refuse_unlike(engine, reader, roles)
    if not headless or not isinstance(reader, CsvFiles):
        return
    heads: dict[str, str] = {}
    for path in there:
        if not path.lower().endswith(".zst"):
            heads.setdefault(next(iter(files.top(path)), ""), path)
    for head, path in heads.items():
        # The mark of the header is the one that finds the columns that the engine found.
        found = max(
            (files.fields(head, mark) for mark in ",\t;|"), key=lambda names: len({*names} & {*needed})
        )
        refuse_repeated(path, found, needed)
        missing = [(role, name) for role, name in roles if name not in map(str.strip, found)]
        if missing and len(heads) > 1:
            raise ValueError(unknown(*missing[0], found, of=path))


def refuse_repeated(shown: str, columns: Sequence[str], roles: Sequence[str]) -> None:
    """Refuse a table in which the name of a column that is needed stands twice, capitals apart."""
    for role in roles:
        alike = [name for name in columns if name.strip().lower() == role.lower()]
        if len(alike) > 1:
            raise ValueError(
                f"{shown} has {len(alike)} columns named {some(alike)}: which is meant cannot be told; rename one"
            )


def _refuse_unlike(engine: DuckDB, reader: ParquetFiles, roles: Sequence[tuple[str, str]]) -> None:
    """Refuse Parquet files of which one lacks a column that is needed: its rows would have none."""
    for role, name in roles:
        lacking = engine.connection.execute(
            "SELECT file_name, list(name) FROM parquet_schema($1) GROUP BY ALL "
            "HAVING count(*) FILTER (name = $2) = 0 ORDER BY ALL LIMIT 1",
            [list(reader.paths), name],
        ).fetchone()
        if lacking:
            raise ValueError(unknown(role, name, lacking[1][1:], of=lacking[0]))


def lacking(engine: Engine) -> dict[str, list[str]]:
    """Columns that some files of a log lack, and which files: their rows have no value there."""
    reader = engine.reader if isinstance(engine, DuckDB) else None
    if isinstance(reader, Reshaped):
        reader = reader.rows
    if not isinstance(reader, ParquetFiles | CsvFiles | DecodedFiles) or not isinstance(engine, DuckDB):
        return {}
    there = files.matching(reader.paths)
    if len(there) < 2:
        return {}
    heads: list[tuple[str, list[str]]] = []
    if isinstance(reader, ParquetFiles):
        heads = engine.connection.execute(
            "SELECT file_name, list(name) FROM parquet_schema($1) GROUP BY file_name ORDER BY file_name",
            [there],
        ).fetchall()
    elif reader.names is None:
        encoding = reader.encoding if isinstance(reader, DecodedFiles) else "utf-8"
        for path in there:
            if not path.lower().endswith(".zst"):
                head = next(iter(files.top(path, encoding)), "")
                heads.append((path, files.fields(head, files.delimiter(head))))
    found: dict[str, list[str]] = {}
    for path, names in heads:
        known = {name.strip().lower() for name in names}
        for column in engine.columns:
            if column.lower() not in known:
                found.setdefault(column, []).append(path)
    # A column that was made out of others stands in no file.
    return {column: paths for column, paths in found.items() if len(paths) < len(heads)}


def _index_names(rows: Any) -> list[Any]:
    return list(rows.index.names) if isinstance(rows, pd.DataFrame) else []


def _remedy(source: Any) -> str:
    """How to make a source that can be read out of one that cannot."""
    kind = type(source).__name__
    if isinstance(source, dict) or (isinstance(source, list) and source and isinstance(source[0], dict)):
        return ": wrap it in pd.DataFrame(...)"
    if isinstance(source, duckdb.DuckDBPyConnection):
        return ": name the table, read_events('TABLE', connection=...)"
    if hasattr(source, "collect") and "Lazy" in kind:
        return ": collect() it first"
    if hasattr(source, "to_frame"):
        return ": a log has several columns, give the frame"
    if hasattr(source, "read"):
        return ": give the path of the file"
    return ""


def _table(source: Any, connection: duckdb.DuckDBPyConnection) -> OnConnection:
    if not isinstance(source, str):
        raise TypeError(f"with connection=, source is a table's name, not {type(source).__name__}")
    try:
        return OnConnection(connection.table(source), connection)
    except duckdb.ConnectionException as error:
        raise ValueError("connection= is closed; open it again with duckdb.connect") from error
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
    places = tuple(files.anywhere(path) for path in paths)
    if all(path.lower().endswith(files.PARQUET) for path in paths):
        if names is not None or encoding is not None:
            raise ValueError("names= and encoding= are for CSV files; a Parquet file brings its own names")
        return ParquetFiles(places), source
    if not all(path.lower().endswith(files.CSV) for path in paths):
        raise ValueError(_other_kind(paths, source))
    given = None if names is None else _names(names)
    if encoding is not None:
        if not isinstance(encoding, str):
            raise TypeError(f"encoding={encoding!r}; give a name such as 'gb18030'")
        return DecodedFiles(places, source, roles, given, encoding), source
    files.refuse_other_kinds(files.matching(places))
    return CsvFiles(places, source, roles, given), source


def _names(names: Any) -> tuple[str, ...]:
    if (
        isinstance(names, str)
        or not isinstance(names, Sequence)
        or not all(isinstance(n, str) for n in names)
    ):
        raise TypeError(f"names={names!r}; give a list of the columns' names")
    if len({*names}) < len(names):
        raise ValueError(f"names={list(names)!r} names a column twice")
    return tuple(names)


def _other_kind(paths: Sequence[str], source: str) -> str:
    if len(paths) > 1 and all(path.lower().endswith(files.CSV + files.PARQUET) for path in paths):
        return f"{source} are CSV and Parquet files; read the files of each kind into a log of their own"
    odd = next(path for path in paths if not path.lower().endswith(files.CSV + files.PARQUET))
    by_name = next((said for end, said in files.OTHERS.items() if odd.lower().endswith(end)), "")
    if by_name:
        return f"{odd} is {by_name}"
    table = "" if "/" in odd or "." in odd or "*" in odd else "; a table's name needs connection="
    return f"{odd} is neither Parquet ({', '.join(files.PARQUET)}) nor CSV ({', '.join(files.CSV)}) by its name{table}"
