"""An event log where it lies: opened and checked, never loaded before a question asks for its rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolkit.counts import one_of
from toolkit.logs import index_size, readers, shapes, times
from toolkit.logs.engines import identifier
from toolkit.logs.source import Source

if TYPE_CHECKING:
    from toolkit.logs.index import Index
    from toolkit.logs.index_size import IndexSize
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

    Examples
    --------
    >>> import pandas as pd
    >>> rows = {"user_id": [1, 1], "timestamp": ["2019-11-11 20:00", "2019-11-11 20:05"], "event": ["enter", "pay"]}
    >>> log = read_events(pd.DataFrame(rows))
    >>> log.facts.rows, log.properties
    (2, [])
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

    def index(self, keep: str | Sequence[str] = (), *, limit: int | None = None) -> EventLog:
        """The same log, read once into compact arrays by user and time: questions then take milliseconds.

        Parameters
        ----------
        keep
            Properties to keep. A question about another one is answered from the source and says so.
        limit
            The most rows to read. A log on a server needs it: its users are downloaded.

        Returns
        -------
        EventLog
            The log with its index in `memory`: some 9 bytes a row, and the kept properties. Where there is no room
            for it, the log as it is, with a warning: answers are the same, and take longer.

        Raises
        ------
        ValueError
            A property that is not there, with the nearest name; times that cannot be read; more rows than `limit`.

        Notes
        -----
        `index_size` says beforehand what it takes. Room is what the machine has free, and at most what
        `toolkit.limit` allows.
        """
        names = self._kept(keep)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise TypeError(f"limit={limit!r}; give the most rows to read, a whole number")
        engine, rows = self.engine, self.facts.rows
        if limit is None and not engine.here:
            raise ValueError(
                f"an index would download who did what in all {rows:,} rows of {self.source}: allow it by "
                f"log.index(limit={rows}), or ask {engine.name}, which answers without it"
            )
        if limit is not None and rows > limit:
            raise ValueError(f"{self.source} has {rows:,} rows, above limit={limit!r}")
        if not engine.here:
            return replace(self, memory=self._downloaded(names))
        lacking = index_size.lacking(self, names)
        if lacking:
            warnings.warn(lacking, RuntimeWarning, stacklevel=2)
            return self
        from toolkit.logs.index import build

        return replace(self, memory=build(self, names))

    def index_size(self, keep: str | Sequence[str] = ()) -> IndexSize:
        """What `index` would take in memory: the most while it is built, and when it is there.

        Parameters
        ----------
        keep
            Properties to keep.

        Returns
        -------
        IndexSize
            Bytes, as a named tuple of `building` and `kept`; as text in MB or GB. About, and rather more than less.
        """
        return index_size.index_size(self, self._kept(keep))

    def _downloaded(self, keep: Sequence[str]) -> Index:
        """An index of rows that are fetched first."""
        from toolkit.logs.index import build

        columns = [self.user, self.time, self.event, *keep]
        chosen = [identifier(name) for name in columns]
        chosen[1] = f"{self.at} AS {identifier(self.time)}"
        order = "" if self.engine.arrival is None else f" ORDER BY {self.engine.arrival}"
        rows = self.engine.relation(
            f"SELECT {', '.join(chosen)} FROM {self.engine.table}{order}"
        ).to_arrow_table()
        here = readers.opened(
            rows, roles=(), names=None, timezone=self.timezone, connection=None, encoding=None
        )
        clock = times.clock(here, self.time, here.columns[self.time], self.timezone, "us")
        return build(Source(here, self.user, self.time, self.event, self.timezone, clock), keep)

    def _kept(self, keep: str | Sequence[str]) -> list[str]:
        if not isinstance(keep, str | Sequence):
            raise TypeError(f"keep={keep!r}; give the name of a property, or a list of names")
        names = [keep] if isinstance(keep, str) else list(keep)
        for name in names:
            self.column(name, "property")
        return names

    def as_of(self, until: int) -> EventLog:
        """The log as it was just before an instant, in microseconds: rows at or after it do not exist."""
        if self.facts.last is None or self.facts.last < until:
            return self
        memory = None if self.memory is None else self.memory.as_of(until)
        return replace(self, clock=replace(self.clock, until=until), memory=memory)

    def __repr__(self) -> str:
        kept = "" if self.memory is None else ", indexed"
        columns = f"user {self.user}, event {self.event}, time {self.time}: {self.clock.said}"
        return f"EventLog: {self.source} ({columns}{kept})"


def read_events(
    source: Any,
    *,
    user: str = "user_id",
    time: str | Sequence[str] | Mapping[str, str] = "timestamp",
    event: str | None = "event",
    time_format: str | None = None,
    names: Sequence[str] | None = None,
    timezone: str = "Asia/Shanghai",
    connection: Any = None,
    encoding: str | None = None,
    time_unit: TimeUnit | None = None,
    arrival: str | None = None,
) -> EventLog:
    """A log of what users did, opened where it lies and not loaded.

    Parameters
    ----------
    source : path, glob, list of paths, frame, relation or table name
        A Parquet or CSV file or several; a pandas or polars frame or an Arrow table; a DuckDB relation; a Spark
        frame; or, with `connection`, the name of a table on it.
    user, time, event
        Columns that say who, when and what. All others are properties. Day and time of day in two columns are
        ``time=["Date", "Time"]``. One column of time per stage is ``time={"created": "create_time", "paid":
        "pay_time"}``: each stage that has a time becomes a row, and its name the event. Where each row is one
        event and no column names it, as in a list of orders, ``event=None``: all are then of the event "row", as in
        ``repurchase(log, event="row")``.
    time_format
        How times are written that are no ISO text, such as "%d/%m/%Y %H:%M": the directives of `strptime`.
    names
        Columns of a CSV file without a header row.
    timezone
        IANA zone in which times without one are read, and in which days begin.
    connection
        What holds the table `source`: a connection of DuckDB, a session of Spark (or Sail), a client of
        `clickhouse_connect`, or a connection of `adbc_driver_postgresql.dbapi`. The rows stay there.
    encoding
        Text encoding of a CSV file that is not UTF-8, such as "gb18030". The file is then read by pandas.
    time_unit : {"s", "ms", "us", "ns"}, optional
        Unit of Unix times. Told by their magnitude if not given.
    arrival
        On a server: a column that tells in which order rows came. Without it rows of one user and one moment that
        match the same step stand in the order of their values of `by`, and so do retries for `dedupe`.

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
    ConnectionError
        A server that went away or started anew, here or at a later question: nothing is then counted.

    Notes
    -----
    A query to a server has a bar after two seconds, and Ctrl+C ends it there (ClickHouse ends its own). Where a server
    is gone, Spark's client tries again for some ten minutes before it says so; Ctrl+C ends that too.

    A workbook is read by pandas first: ``read_events(pd.read_excel(path, engine="calamine"))``.

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
    if time_format is not None and not isinstance(time_format, str):
        raise TypeError(f"time_format={time_format!r}; write a form such as '%d/%m/%Y %H:%M'")
    for option, value in (("user", user), ("event", event)):
        if not isinstance(value, str) and not (option == "event" and value is None):
            raise TypeError(f"{option}={value!r}; give the name of a column")
    roles = [("user column", user), *(("time column", column) for column in shapes.times_of(time))]
    if event is not None and not isinstance(time, Mapping):
        roles.append(("event column", event))
    named = [name for _, name in roles]
    if len({*named}) < len(named):
        raise ValueError(f"user, time and event are columns of their own; got {', '.join(map(repr, named))}")
    engine = readers.opened(
        source,
        roles=tuple(named),
        names=names,
        timezone=timezone,
        connection=connection,
        encoding=encoding,
        arrival=arrival,
    )
    readers.refuse_missing(engine, roles, headless=names is None)
    engine, at, what = shapes.reshaped(engine, time, event)
    clock = times.clock(engine, at, engine.columns[at], timezone, time_unit, time_format)
    return EventLog(engine, user, at, what, timezone, clock)
