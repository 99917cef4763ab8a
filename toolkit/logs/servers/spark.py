"""Logs in Spark, Databricks, EMR or Sail, by Spark Connect or in the JVM."""

from __future__ import annotations

import uuid
from typing import Any

import pyarrow as pa

from toolkit.logs.engines import identifier
from toolkit.logs.servers.remote import Remote
from toolkit.wording import unknown

#: How the views begin by which queries mean a log's rows.
VIEW = "toolkit_log_"


class Spark(Remote):
    """A Spark frame, or a table by name: Spark, Databricks, EMR, and Sail, by Spark Connect or in the JVM."""

    name, dialect = "Spark", "spark"

    def __init__(self, frame: Any, source: str, arrival: str | None, timezone: str) -> None:
        self.session, self.source = frame.sparkSession, source
        self.address = getattr(getattr(self.session, "client", None), "host", "")
        self.view = f"{VIEW}{uuid.uuid4().hex[:12]}"
        self._answered(frame.createOrReplaceTempView, self.view)
        super().__init__(identifier(self.view), source, arrival, timezone)

    def fetched(self, text: str) -> pa.Table:
        """The answer to a query in Spark's own dialect, by whose tag it can be interrupted."""
        self.session.addTag(self.view)
        return self.session.sql(text).toArrow()

    def interrupt(self) -> None:
        """End the queries over this log."""
        self.session.interruptTag(self.view)

    def typed(self, text: str) -> dict[str, str]:
        """Columns as Spark plans them, which runs nothing."""
        return {field.name: field.dataType.simpleString() for field in self.session.sql(text).schema}

    def explained(self, error: Exception) -> str:
        """Whether the session is stopped, or Parquet files hold dictionary columns, which Sail does not read."""
        if "NO_ACTIVE_SESSION" in str(error) or "is not running" in str(error):
            return f"the session of {self.source} is stopped: make one, and read the table again with read_events"
        if "ictionary" in str(error):
            return (
                f"{self.source} has a column of dictionaries (pandas calls it categorical), which the server does not "
                "read: write its files again with the column as text, such as frame.astype({column: 'str'})"
            )
        return ""


def table_of(name: str, session: Any) -> Any:
    """A table of a session, under the name that it has there."""
    try:
        frame = session.table(name)
        _ = frame.schema  # planned only when its columns are asked for
    except Exception as error:
        tables = [table.name for table in session.catalog.listTables() if not table.name.startswith(VIEW)]
        raise ValueError(unknown("table", name, tables, of="the session")) from error
    return frame
