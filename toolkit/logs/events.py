"""An event log where it lies: opened and checked, never loaded before a question asks for its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolkit.counts import one_of
from toolkit.logs import readers, times
from toolkit.logs.source import Source
from toolkit.wording import unknown

if TYPE_CHECKING:
    import duckdb

    from toolkit.logs.index import Index
    from toolkit.logs.summary import Summary

#: Units of Unix times.
TimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True, eq=False, repr=False)
class EventLog(Source):
    """Rows of (user, time, event, properties ...) in an engine.

    Made by `read_events`. Columns keep the names that the source gives them. A log of files can be pickled and
    copied, works from any working directory, and is opened again where it is loaded.

    Attributes
    ----------
    memory : Index, optional
        The rows as arrays, where `index` has made them.
    """

    memory: Index | None = None

    def summary(self, *, duplicates: bool = False) -> Summary:
        """What is in the log and what is wrong with it.

        Parameters
        ----------
        duplicates
            Count exact duplicate rows too. It costs one more pass over every column.

        Returns
        -------
        Summary
            Shown in ten lines; its `table` has every count, its `problems` what is wrong.

        Raises
        ------
        ValueError
            Times that cannot be read: how many, and the first three.
        """
        from toolkit.logs.summary import summarise

        return summarise(self, duplicates=duplicates)

    def index(self, keep: str | Sequence[str] = ()) -> EventLog:
        """The same log, read once into compact arrays by user and time: questions then take milliseconds.

        Parameters
        ----------
        keep
            Properties to keep. A question about another one is answered from the source and says so.

        Returns
        -------
        EventLog
            The log with its index in `memory`: some 9 bytes a row, and the kept properties.

        Raises
        ------
        ValueError
            A property that is not there, with the nearest name; times that cannot be read.
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
    time_unit: TimeUnit | None = None,
) -> EventLog:
    """A log of what users did, opened where it lies and not loaded.

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
    TypeError
        A source of an unknown kind.

    Notes
    -----
    Threads may ask one log at the same time, and so may a process after a fork. Relative paths are resolved when
    the log is opened, so it also works from another folder. Logs of files can be pickled and copied; those of
    frames, relations and tables raise a TypeError that says why not. Rows without a user or a time are counted and
    left out of every answer.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"user_id": [1, 1], "timestamp": ["2019-11-11 20:00", "2019-11-11 20:05"], "event": ["enter", "pay"]}
    >>> log = read_events(pd.DataFrame(rows))
    >>> log.events
    {'enter': 1, 'pay': 1}
    """
    times.zone(timezone)
    if time_unit is not None:
        one_of("time_unit", time_unit, get_args(TimeUnit))
    engine = readers.opened(
        source,
        roles=(user, time, event),
        names=names,
        timezone=timezone,
        connection=connection,
        encoding=encoding,
    )
    columns = engine.columns
    for role, name in (("user column", user), ("time column", time), ("event column", event)):
        if name not in columns:
            text = unknown(role, name, columns, of=engine.source)
            of_csv = names is None and engine.source.lower().endswith(readers.CSV)
            headless = of_csv and not {user, time, event} & {*columns}
            raise ValueError(
                f"{text}. A file without a header row? Name its columns: names=" if headless else text
            )
    clock = times.clock(engine, time, columns[time], timezone, time_unit)
    return EventLog(engine, user, time, event, timezone, clock)
