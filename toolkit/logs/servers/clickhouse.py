"""Logs in ClickHouse, on a server or in this process."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from toolkit.logs.servers.remote import Remote, place_of, turn_of


class ClickHouse(Remote):
    """A table in ClickHouse, by a client of `clickhouse_connect` or a connection of `chdb`."""

    name, dialect = "ClickHouse", "clickhouse"
    conditional = ("BOOLEAN", "UTINYINT")
    #: Every table: its database, its name, and whether the name alone means it.
    CATALOG = "SELECT database, name, database = currentDatabase() FROM system.tables"

    def __init__(self, client: Any, name: str, arrival: str | None, timezone: str) -> None:
        self.client, self.source, self.turn = client, f"table {name}", turn_of(client)
        if hasattr(client, "query_arrow"):
            self.address = str(self._asked("SELECT hostName()")[0][0])
        super().__init__(place_of(name, self._asked(self.CATALOG)), self.source, arrival, timezone)

    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in ClickHouse's own dialect."""
        if hasattr(self.client, "query_arrow"):
            return self.client.query_arrow(text, use_strings=True)
        try:
            found = self.client.query(text, "ArrowStream").bytes()
        except Exception:
            # In process, what a failed query had written already would stand before the next answer.
            self.client.query("SELECT 1", "CSV")
            raise
        return pa.ipc.open_stream(found).read_all() if found else pa.table({})

    def interrupt(self) -> None:
        """Nothing: its clients have no way to end a query, which ends on the server in its own time."""

    def typed(self, text: str) -> dict[str, str]:
        """Columns as ClickHouse describes them, which runs nothing."""
        described = self.fetched(f"DESCRIBE TABLE ({text})")
        return dict(zip(described["name"].to_pylist(), described["type"].to_pylist(), strict=True))
