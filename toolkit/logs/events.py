"""An event log where it lies: opened and checked, never loaded before a question asks for its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd

from toolkit.logs import times
from toolkit.logs.engines import DuckDB, connect, identifier, readable
from toolkit.wording import counted, some, unknown

if TYPE_CHECKING:
    from toolkit.logs.index import Index
    from toolkit.logs.summary import Summary

CSV = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".csv.zst")
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Facts:
    """What one cheap pass tells of a log: row counts, and the first and last usable time in microseconds."""

    rows: int
    null_users: int
    null_times: int
    unusable: int
    first: int | None
    last: int | None


@dataclass(frozen=True, eq=False)
class EventLog:
    """Rows of (user, time, event, properties ...) in an engine.

    Made by `read_events`. Columns keep the names that the source gives them.
    """

    engine: DuckDB = field(repr=False)
    user: str
    time: str
    event: str
    timezone: str
    clock: times.Clock = field(repr=False)
    columns: dict[str, str] = field(repr=False)
    memory: Index | None = field(default=None, repr=False)

    @property
    def source(self) -> str:
        """What the log was read from."""
        return self.engine.source

    @property
    def properties(self) -> list[str]:
        """Columns other than user, time and event."""
        return [name for name in self.columns if name not in (self.user, self.time, self.event)]

    @cached_property
    def at(self) -> str:
        """SQL of a row's time as BIGINT microseconds since 1970 UTC."""
        return self.clock.sql()

    @cached_property
    def named(self) -> str:
        """SQL of a row's event as text. A name that an ENUM does not know is then unequal, not an error."""
        event = identifier(self.event)
        return event if self.columns[self.event] == "VARCHAR" else f"CAST({event} AS VARCHAR)"

    @cached_property
    def facts(self) -> Facts:
        """Counts of rows and of rows that cannot be used. Parquet answers from its footer.

        Raises
        ------
        ValueError
            If times cannot be read: how many, and the first three.
        """
        user, time = identifier(self.user), identifier(self.time)
        table = self.engine.table
        counts = f"count(*) AS n, count({user}) AS u, count({time}) AS s"
        if self.clock.kind in ("text", "unix"):
            self._refuse_unreadable_times()
            ends = f"SELECT {counts}, min({self.at}) AS low, max({self.at}) AS high FROM {table}"
        else:
            # The ends as they are stored: Parquet has them in its footer, and only these two are read as times.
            low_at, high_at = (replace(self.clock, column=name).sql() for name in ("low", "high"))
            stored = f"SELECT {counts}, min({time}) AS low, max({time}) AS high FROM {table}"
            ends = f"SELECT n, u, s, {low_at}, {high_at} FROM ({stored})"
        rows, users, stamps, low, high = self.engine.rows(ends)[0]
        unusable = 0
        if users < rows or stamps < rows:
            unusable, low, high = self.engine.rows(
                f"SELECT count(*) FILTER (missing), min(t) FILTER (NOT missing), max(t) FILTER (NOT missing) "
                f"FROM (SELECT {self.at} AS t, {user} IS NULL OR {time} IS NULL AS missing FROM {table})"
            )[0]
        return Facts(rows, rows - users, rows - stamps, unusable, low, high)

    def _refuse_unreadable_times(self) -> None:
        time, table = identifier(self.time), self.engine.table
        where = f"{time} IS NOT NULL AND ({self.at}) IS NULL"
        bad = self.engine.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0]
        if bad:
            rows = self.engine.rows(f"SELECT CAST({time} AS VARCHAR) FROM {table} WHERE {where} LIMIT 3")
            examples = ", ".join(repr(row[0]) for row in rows)
            raise ValueError(
                f"{counted(bad, 'value')} of {self.time!r} cannot be read as a time ({self.clock.said}; first: "
                f"{examples}); "
                "mend them or make them empty: rows without a time are counted and left out"
            )

    @cached_property
    def events(self) -> dict[str, int]:
        """Every event's name and its rows, most frequent first."""
        return dict(
            self.engine.rows(
                f"SELECT {self.named}, count(*) AS n FROM {self.engine.table} "
                f"WHERE {identifier(self.event)} IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1"
            )
        )

    @cached_property
    def vocabulary(self) -> set[str]:
        """Names that an event can have: those in the rows, and those that a categorical column declares."""
        names = set(self.events)
        if self.columns[self.event].startswith("ENUM"):
            event = identifier(self.event)
            rows = self.engine.rows(
                f"SELECT unnest(enum_range(CAST(NULL AS {self.columns[self.event]}))) AS {event}"
            )
            names |= {row[0] for row in rows}
        return names

    def column(self, name: str, role: str = "column") -> str:
        """A column's quoted name, after checking that the log has it."""
        if name not in self.columns:
            raise ValueError(unknown(role, name, self.columns, of=self.source))
        return identifier(name)

    def summary(self, *, duplicates: bool = False) -> Summary:
        """What is in the log and what is wrong with it.

        Parameters
        ----------
        duplicates
            Count exact duplicate rows too. It costs one more pass over every column.
        """
        from toolkit.logs.summary import summarise

        return summarise(self, duplicates=duplicates)

    def index(self, keep: str | Sequence[str] = ()) -> EventLog:
        """The same log, read once into compact arrays by user and time: questions then take milliseconds.

        Parameters
        ----------
        keep
            Properties to keep. A question about another one is answered from the source and says so.
        """
        from toolkit.logs.index import build

        names = [keep] if isinstance(keep, str) else list(keep)
        for name in names:
            self.column(name, "property")
        return replace(self, memory=build(self, names))

    def __repr__(self) -> str:
        kept = "" if self.memory is None else ", indexed"
        return f"EventLog: {self.source} (user {self.user}, {self.clock.said}, event {self.event}{kept})"


def read_events(
    source: Any,
    *,
    user: str = "user_id",
    time: str = "timestamp",
    event: str = "event",
    names: Sequence[str] | None = None,
    timezone: str = "Asia/Shanghai",
    connection: duckdb.DuckDBPyConnection | None = None,
    encoding: str | None = None,
    time_unit: str | None = None,
) -> EventLog:
    """Open a log of what users did, without loading it.

    Parameters
    ----------
    source : path, glob, list of paths, frame, relation or table name
        A Parquet or CSV file or several; a pandas or polars frame or an Arrow table; a DuckDB relation; or,
        with `connection`, the name of a table on it.
    user, time, event
        Columns that say who, when and what. All others are properties.
    names
        Columns of a CSV file without a header row.
    timezone
        IANA zone in which times without one are read, and in which days begin.
    connection
        A DuckDB connection that holds the table `source`.
    encoding
        Text encoding of a CSV file that is not UTF-8, such as "gb18030". The file is then read by pandas.
    time_unit : {"s", "ms", "us", "ns"}, optional
        Unit of Unix times. Told by their magnitude if not given.

    Returns
    -------
    EventLog

    Raises
    ------
    ValueError
        A column that is not there (with the nearest name), an unreadable file, times of no known form.
    FileNotFoundError
        No such file.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"user_id": [1, 1], "timestamp": ["2019-11-11 20:00", "2019-11-11 20:05"], "event": ["enter", "pay"]}
    >>> log = read_events(pd.DataFrame(rows))
    >>> log.events
    {'enter': 1, 'pay': 1}
    """
    times.zone(timezone)
    if time_unit is not None and time_unit not in times.MAGNITUDES:
        raise ValueError(f"time_unit={time_unit!r}; use one of {', '.join(times.MAGNITUDES)}")
    engine = _open(source, (user, time, event), names, timezone, connection, encoding)
    columns = dict(zip(engine.base.columns, map(str, engine.base.types), strict=True))
    for role, name in (("user column", user), ("time column", time), ("event column", event)):
        if name not in columns:
            text = unknown(role, name, columns, of=engine.source)
            headless = (
                names is None and engine.source.lower().endswith(CSV) and not {user, time, event} & {*columns}
            )
            raise ValueError(
                f"{text}. A file without a header row? Name its columns: names=" if headless else text
            )
    clock = _clock(engine, time, columns[time], timezone, time_unit)
    return EventLog(engine, user, time, event, timezone, clock, columns)


def _open(
    source: Any,
    roles: tuple[str, str, str],
    names: Sequence[str] | None,
    timezone: str,
    connection: duckdb.DuckDBPyConnection | None,
    encoding: str | None,
) -> DuckDB:
    own = connect(timezone)
    if isinstance(source, duckdb.DuckDBPyRelation):
        return DuckDB(source, own, "the relation")
    if connection is not None:
        if not isinstance(source, str):
            raise TypeError(f"with connection=, source is a table's name, not {type(source).__name__}")
        try:
            return DuckDB(connection.table(source), own, f"table {source}")
        except duckdb.Error as error:
            tables = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
            raise ValueError(f"no table {source!r} on the connection; it has: {some(tables)}") from error
    if isinstance(source, str | Path):
        return _open_files([str(source)], roles, names, own, encoding)
    if isinstance(source, list | tuple) and source and all(isinstance(path, str | Path) for path in source):
        return _open_files([str(path) for path in source], roles, names, own, encoding)
    if isinstance(source, pd.DataFrame):
        # Names out of data are text; a frame may have numbers for names.
        frame = source.rename(columns=str) if not all(isinstance(c, str) for c in source.columns) else source
        return DuckDB(own.from_df(frame), own, "the frame")
    if hasattr(source, "to_arrow"):
        return DuckDB(own.from_arrow(source.to_arrow()), own, "the frame")
    if hasattr(source, "__arrow_c_stream__"):
        return DuckDB(own.from_arrow(source), own, "the table")
    raise TypeError(
        f"cannot read events from {type(source).__name__}; give a path, a glob, a pandas or polars frame, an Arrow "
        "table, a DuckDB relation, or a table's name with connection="
    )


def _open_files(
    paths: list[str],
    roles: tuple[str, str, str],
    names: Sequence[str] | None,
    own: duckdb.DuckDBPyConnection,
    encoding: str | None,
) -> DuckDB:
    source = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    for path in paths:
        if Path(path).is_dir():
            raise ValueError(f"{path} is a folder; name its files with a glob such as '{path}/*.parquet'")
    if all(path.lower().endswith(PARQUET) for path in paths):
        if names is not None or encoding is not None:
            raise ValueError("names= and encoding= are for CSV files; a Parquet file brings its own names")
        with readable(source):
            return DuckDB(own.read_parquet(paths, union_by_name=True), own, source)
    if not all(path.lower().endswith(CSV) for path in paths):
        raise ValueError(
            f"{source} is neither Parquet ({', '.join(PARQUET)}) nor CSV ({', '.join(CSV)}) by its name"
        )
    if encoding is not None:
        return DuckDB(own.from_df(_read_text(paths, encoding, roles, names)), own, source)
    options: dict[str, Any] = {"header": names is None, "filename": False}
    if names is not None:
        options["names"] = list(names)
    files = [path for path in map(Path, paths) if path.is_file()]
    if files and not any(path.stat().st_size for path in files):
        raise ValueError(f"{source} is empty: it has not even a header row")
    read: Any = own.read_csv  # its stubs take fewer kinds of path than it does
    with readable(source if names is None else f"{source} with {len(names)} names"):
        sniffed = read(paths, **options)
        # Ids and times stay text: a sniffer would read user 00123 as 123, and would drop a time's zone.
        as_text = {name: "VARCHAR" for name in roles if name in sniffed.columns}
        if not as_text:
            return DuckDB(sniffed, own, source)
        return DuckDB(read(paths, dtype=as_text, **options), own, source)


def _read_text(
    paths: list[str], encoding: str, roles: tuple[str, str, str], names: Sequence[str] | None
) -> pd.DataFrame:
    frames = []
    for path in paths:
        try:
            frames.append(
                pd.read_csv(
                    path,
                    encoding=encoding,
                    names=None if names is None else list(names),
                    header=0 if names is None else None,
                    sep=None,
                    engine="python",
                    dtype=dict.fromkeys(roles, str),
                )
            )
        except (UnicodeDecodeError, LookupError) as error:
            raise ValueError(
                f"{path} cannot be read with encoding={encoding!r} ({error}); Chinese Windows writes 'gb18030'"
            ) from error
    return pd.concat(frames, ignore_index=True)


def _clock(engine: DuckDB, time: str, kind: str, timezone: str, unit: str | None) -> times.Clock:
    column = identifier(time)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return times.Clock(column, "instant", timezone)
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        # Parquet answers min and max from its footer; a frame in memory in milliseconds.
        low, high = engine.rows(
            f"SELECT min(CAST({column} AS TIMESTAMP)), max(CAST({column} AS TIMESTAMP)) FROM {engine.table}"
            if kind != "TIMESTAMP"
            else f"SELECT min({column}), max({column}) FROM {engine.table}"
        )[0]
        offset = None if low is None else times.fixed_offset(timezone, low, high)
        return times.Clock(column, "local", timezone, offset=offset)
    sample = [
        row[0]
        for row in engine.rows(f"SELECT {column} FROM {engine.table} WHERE {column} IS NOT NULL LIMIT 1000")
    ]
    number = kind in times.INTEGERS or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL")
    if kind == "VARCHAR" and sample:
        number = sum(_is_number(value) for value in sample) * 2 > len(sample)
    if number:
        values = [float(value) for value in sample if _is_number(value)]
        return times.Clock(column, "unix", timezone, unit or (times.unit_of(values) if values else "s"))
    if kind == "VARCHAR":
        return times.Clock(column, "text", timezone)
    if kind == '"NULL"':
        raise ValueError(f"column {time!r} of {engine.source} holds no time: every row is empty")
    raise ValueError(
        f"column {time!r} of {engine.source} is {kind}, not a time; give timestamps, ISO text or Unix numbers"
    )


def _is_number(value: object) -> bool:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return number == number and abs(number) != float("inf")
