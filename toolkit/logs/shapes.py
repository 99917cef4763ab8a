"""Tables of another shape than one row per event, seen as rows of (user, time, event) where they lie.

A day and a time of day in two columns are joined; one column per stage becomes one row per stage that has a time;
where no column names an event, each row is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import duckdb

from toolkit.logs.engines import DuckDB, Reader, identifier, literal
from toolkit.wording import some

#: The event of each row of a table that has no column for it.
ROW = "row"


@dataclass(frozen=True, eq=False)
class Reshaped(Reader):
    """The rows of another reader, as a query over `rows` gives them."""

    rows: Reader
    query: str

    @property
    def bound(self) -> str:  # type: ignore[override]
        """Why another process cannot read them too."""
        return self.rows.bound

    @property
    def shared(self) -> bool:  # type: ignore[override]
        """Whether any connection can read them."""
        return self.rows.shared

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows, unread."""
        return cast("duckdb.DuckDBPyRelation", self.rows.relation(connection).query("rows", self.query))

    def reading(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection | None:
        """The connection that reads the rows."""
        return self.rows.reading(connection)

    def explained(self, error: Exception) -> str:
        """What is wrong with the source."""
        return self.rows.explained(error)

    def state(self) -> Any:
        """What changes when the source does."""
        return self.rows.state()


def times_of(time: Any) -> list[str]:
    """The columns that `time=` names, checked."""
    if isinstance(time, str):
        return [time]
    columns = list(time.values()) if isinstance(time, Mapping) else list(time) if _listed(time) else None
    if columns is None or not all(isinstance(one, str) for one in columns):
        raise TypeError(
            f"time={time!r}; give a column, [DATE, TIME] of two columns, or {{event: column}} of one per event"
        )
    if isinstance(time, Mapping):
        if not columns or not all(isinstance(name, str) for name in time):
            raise ValueError(f"time={time!r}; give the name of each event and the column of its time")
        if len(set(columns)) < len(columns):
            raise ValueError(f"time={time!r} names a column twice")
    elif len(columns) != 2:
        raise ValueError(
            f"time={time!r}; two columns make a time, that of the day and that of the time of day"
        )
    return columns


def reshaped(engine: DuckDB, time: Any, event: str | None) -> tuple[DuckDB, str, str]:
    """An engine whose rows are events, and the names of its columns of time and event.

    Raises
    ------
    ValueError
        A new column of a name that the table has itself.
    """
    columns, query = engine.columns, "SELECT * FROM rows"
    if isinstance(time, Mapping):
        if event is None:
            raise ValueError(
                "event=None with time={event: column}: there the events are named; leave event= out"
            )
        if event in columns:
            raise ValueError(
                f"time={{event: column}} makes a column {event!r} of events, and {engine.source} has one of that name "
                "already: name the new one with event="
            )
        kept = {name: kind for name, kind in columns.items() if name not in time.values()}
        at = _free(("timestamp", "time", "at"), kept)
        kinds = {columns[column] for column in time.values()}
        cast = ", ".join(f"CAST({identifier(c)} AS VARCHAR) AS {identifier(c)}" for c in time.values())
        rows = "rows" if len(kinds) == 1 else f"(SELECT * REPLACE ({cast}) FROM rows)"
        stages = ", ".join(f"{identifier(column)} AS {literal(name)}" for name, column in time.items())
        query = f"SELECT * FROM {rows} UNPIVOT ({identifier(at)} FOR {identifier(event)} IN ({stages}))"
        none = " AND ".join(f"{identifier(column)} IS NULL" for column in time.values())
        if engine.rows(f"SELECT count(*) FROM {engine.table} WHERE {none}")[0][0]:
            # A row without any time stays one, so that it is counted among those without a time and is said.
            shown = ", ".join(identifier(name) for name in kept)
            query = (
                f"{query} UNION ALL BY NAME SELECT {shown}, NULL AS {identifier(at)} FROM rows WHERE {none}"
            )
        return _seen(engine, query), at, event
    added, made = [], str(event)
    if not isinstance(time, str):
        day, clock = time
        time = f"{day} {clock}"
        if time in columns:
            raise ValueError(f"{engine.source} has a column {time!r} itself: give it as time=, or rename it")
        added.append(
            f"{_day(day, columns[day])} || ' ' || trim(CAST({identifier(clock)} AS VARCHAR)) AS {identifier(time)}"
        )
    if event is None:
        made = _free(("event", ROW, f"each {ROW}"), columns)
        added.append(f"{literal(ROW)} AS {identifier(made)}")
    if not added:
        return engine, time, made
    return _seen(engine, f"SELECT *, {', '.join(added)} FROM rows"), time, made


def _seen(engine: DuckDB, query: str) -> DuckDB:
    return DuckDB(Reshaped(engine.reader, query), engine.timezone, engine.source)


def _day(name: str, kind: str) -> str:
    """SQL of a day as text: a day that is stored as its midnight is written without it."""
    column = identifier(name)
    if kind.startswith("TIMESTAMP"):
        column = f"CAST({column} AS DATE)"
    return f"trim(CAST({column} AS VARCHAR))"


def _free(names: Sequence[str], taken: Collection[str]) -> str:
    for name in names:
        if name not in taken:
            return name
    raise ValueError(f"columns {some(names)} are all taken; rename one of them")


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence)
