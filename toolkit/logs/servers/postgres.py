"""Logs in PostgreSQL."""

from __future__ import annotations

import contextlib
import decimal
from typing import Any

import pyarrow as pa

from toolkit.logs.servers.remote import Remote, place_of, turn_of

#: PostgreSQL's short names, some of which mean other types to others.
POSTGRES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "float",
    "float8": "double",
    "timestamp": "timestamp without time zone",
}


class Postgres(Remote):
    """A table in PostgreSQL, by a connection of `adbc_driver_postgresql.dbapi`."""

    name, dialect = "PostgreSQL", "postgres"
    tries = False

    #: Every table: its schema, its name, and whether the name alone means it.
    CATALOG = (
        "SELECT n.nspname, c.relname, pg_table_is_visible(c.oid) FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    )

    def __init__(self, connection: Any, name: str, arrival: str | None, timezone: str) -> None:
        self.connection, self.source, self.turn = connection, f"table {name}", turn_of(connection)
        self._cursor: Any = None
        host, port = self._asked("SELECT host(inet_server_addr()), inet_server_port()")[0]
        self.address = "" if host is None else f"{host}:{port}"
        super().__init__(place_of(name, self._asked(self.CATALOG)), self.source, arrival, timezone)

    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in PostgreSQL's own dialect; its decimals come as text."""
        found = self._run(text)
        columns = [
            pa.array(map(_decimal, column.to_pylist())) if _kind(field) == "numeric" else column
            for field, column in zip(found.schema, found.columns, strict=True)
        ]
        return pa.table(columns, names=found.column_names)

    def typed(self, text: str) -> dict[str, str]:
        """Columns as PostgreSQL plans them."""
        return {
            field.name: _kind(field) for field in self._run(f"SELECT * FROM ({text}) AS rows_ LIMIT 0").schema
        }

    def explained(self, error: Exception) -> str:
        """Whether the caller has closed the connection."""
        if "AdbcConnectionInit" in str(error) or "is closed" in str(error):
            return f"the connection of {self.source} is closed: open it, and read the table again with read_events"
        return ""

    def interrupt(self) -> None:
        """End the query that runs."""
        if self._cursor is not None:
            self._cursor.adbc_cancel()

    def _run(self, text: str) -> pa.Table:
        try:
            with self.connection.cursor() as self._cursor:
                self._cursor.execute(text)
                return self._cursor.fetch_arrow_table()
        except Exception:
            # An error leaves a transaction that answers nothing more; a connection that is gone has none to end.
            with contextlib.suppress(Exception):
                self.connection.rollback()
            raise


def _decimal(text: str | None) -> decimal.Decimal | None:
    return None if text is None else decimal.Decimal(text)


def _kind(field: pa.Field) -> str:
    """PostgreSQL's own name of a column's type."""
    told: dict[bytes, bytes] = field.metadata or {}
    name = told.get(b"POSTGRESQL:type", told.get(b"ADBC:postgresql:typname", b"unknown")).decode()
    return POSTGRES.get(name, name)
