"""A log as if its rows were a table on another engine: for queries that are written there, and run here if at all."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Literal, TypeVar, cast, get_args

from toolkit.counts import one_of
from toolkit.logs.duckdb_engine import DuckDB
from toolkit.logs.engines import Engine, identifier
from toolkit.logs.source import Source
from toolkit.logs.times import Clock, refuse_elsewhere

#: Dialects in which a query can be written; Databricks, EMR and Sail read Spark's.
Dialect = Literal["duckdb", "spark", "clickhouse", "postgres"]

Log = TypeVar("Log", bound=Source)


class StandIn:
    """An engine that writes queries as another one gets them. What must be asked meanwhile, the log's own answers.

    Parameters
    ----------
    engine
        The log's own.
    dialect
        Of the other one.
    table
        What the rows are called there, with dots between its parts.
    """

    here = False

    def __init__(self, engine: Engine, dialect: Dialect, table: str) -> None:
        kind = _kind(dialect)
        self.dialect, self.name, self.tries = dialect, kind.name, kind.tries
        self.wide, self.conditional = kind.wide, kind.conditional
        # A table there has the order of its rows only where it is read by DuckDB.
        self.arrival = DuckDB.arrival if dialect == "duckdb" else None
        self._engine = engine
        self._place = ".".join(map(identifier, table.split(".")))

    def written(self, sql: str) -> str:
        """A query in lines, as the other engine gets it."""
        from toolkit.logs.servers.writing import written

        return written(sql, self.dialect, pretty=True, tables={self._engine.table: self._place})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def elsewhere(log: Log, dialect: Dialect | None, table: str | None) -> Log:
    """The same log as a table on another engine, which has the log's columns under their names.

    Parameters
    ----------
    dialect
        The log's own, if not given.
    table
        The table's name there, such as "live_events" or "shop.live_events". Not needed where the log lies there.

    Raises
    ------
    ValueError
        An unknown dialect, no name or one that is none, and times that the engine is not asked to read.
    TypeError
        A name that is no text.
    """
    own = log.engine.dialect
    if dialect is not None:
        one_of("dialect", dialect, get_args(Dialect))
    if table is None:
        if dialect in (None, own):
            return log
        raise ValueError(
            f"{log.source} is not known to {_kind(str(dialect)).name}: say what the table is called there, such as "
            "table='live_events'"
        )
    if not isinstance(table, str):
        raise TypeError(f"table={table!r}; write a table's name, such as 'live_events' or 'shop.live_events'")
    if not all(table.split(".")):
        raise ValueError(f"table={table!r} is no name; write one such as 'live_events' or 'shop.live_events'")
    engine = cast(Engine, StandIn(log.engine, cast(Dialect, dialect or own), table))
    found = replace(log, engine=engine, clock=_clock(log, engine))
    # What is known of the rows is not asked again.
    own_names = {"at", *(one.name for one in fields(log))}
    vars(found).update({name: value for name, value in vars(log).items() if name not in own_names})
    return found


def _kind(dialect: str) -> type[Any]:
    """The class of a dialect's engines. What writes for servers is loaded only when it is asked to."""
    from toolkit.logs.servers.clickhouse import ClickHouse
    from toolkit.logs.servers.postgres import Postgres
    from toolkit.logs.servers.spark import Spark

    kinds: dict[str, type[Any]] = {
        "duckdb": DuckDB,
        "spark": Spark,
        "clickhouse": ClickHouse,
        "postgres": Postgres,
    }
    return kinds[dialect]


def _clock(log: Source, engine: Engine) -> Clock:
    """The log's clock there, or an error with the cast to write."""
    kind = log.clock.kind
    text = log.columns[log.time] == "VARCHAR"
    if engine.dialect != "duckdb":
        if kind in ("compact", "form"):
            refuse_elsewhere(engine, log.time, log.clock.said)
        if text and not engine.tries:
            refuse_elsewhere(engine, log.time, "text")
    return replace(log.clock, tries=engine.tries)
