"""What an engine can do that answers queries over a log, and the one place where names and values become SQL.

Engine      one more engine is a class with these methods, in a file of its own
identifier, literal, literals    names and values as SQL

The SQL that the toolkit writes keeps to a small subset: CTEs, CASE, window functions, integer microseconds.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.wording import some

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Types of whole numbers that fit into a BIGINT.
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


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


def in_order(engine: Engine, columns: Sequence[str]) -> str:
    """SQL that orders rows of one moment: by the arrival `seq`, where the engine knows it, else by some columns."""
    if engine.arrival is not None:
        return "seq"
    ties = (
        f"CASE WHEN {name} IS NULL THEN 1 ELSE 0 END, coalesce(CAST({name} AS VARCHAR), '')"
        for name in columns
    )
    return ", ".join(ties)


def ties(engine: Engine, columns: Sequence[str]) -> tuple[str, ...]:
    """A note on rows of one moment, where nothing tells which came first."""
    if engine.arrival is not None or not columns:
        return ()
    return (
        f"rows of one moment are taken in the order of their {some(columns)}, since {engine.name} keeps none: "
        "read_events(arrival=) names a column that does",
    )


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
    def name(self) -> str:
        """The engine's own name."""

    @property
    def dialect(self) -> str:
        """The engine's dialect, as sqlglot calls it."""

    @property
    def arrival(self) -> str | None:
        """SQL of the order in which the rows came; None where nothing tells it."""

    @property
    def wide(self) -> bool:
        """Whether a whole number may have 128 bits."""

    @property
    def tries(self) -> bool:
        """Whether a cast can give null for what it cannot read."""

    @property
    def conditional(self) -> tuple[str, ...]:
        """SQL types that a condition on a row may have."""

    @property
    def here(self) -> bool:
        """Whether the rows are read in this process, so that compiled loops and ASOF joins may count them."""

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

    def written(self, sql: str) -> str:
        """A query in lines, as the engine gets it: to be pasted into its console."""

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
