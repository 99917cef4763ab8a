"""A log as plain data: an engine, the roles of its columns, its clock, and what one pass tells of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from toolkit.logs.engines import Engine, identifier, literal
from toolkit.logs.readers import lacking
from toolkit.logs.time_forms import form_of
from toolkit.logs.times import Clock
from toolkit.wording import counted, unknown

#: Units in which times may be whole, in microseconds, the longest first.
RESOLUTIONS = {"day": 86_400_000_000, "hour": 3_600_000_000, "minute": 60_000_000}
#: First rows by which that is told, and how few tell nothing.
SAMPLE, FEWEST = 100_000, 50


@dataclass(frozen=True)
class Facts:
    """What one cheap pass tells of a log: row counts, and the first and last usable time in microseconds."""

    rows: int
    null_users: int
    null_times: int
    unusable: int
    first: int | None
    last: int | None


@dataclass(frozen=True, eq=False, repr=False)
class Source:
    """Rows of (user, time, event, properties ...) in an engine; columns keep the names that they have there.

    Attributes
    ----------
    engine : Engine
        Where the rows are and queries run.
    user, time, event : str
        Columns that say who, when and what.
    timezone : str
        IANA zone in which times without one are read, and in which days begin.
    clock : Clock
        How the time column is read.
    """

    engine: Engine
    user: str
    time: str
    event: str
    timezone: str
    clock: Clock

    @property
    def source(self) -> str:
        """What the log was read from."""
        return self.engine.source

    @property
    def columns(self) -> dict[str, str]:
        """Name and SQL type of each column."""
        return self.engine.columns

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
        if self.clock.until is not None:
            return self._facts_as_of()
        if self.clock.kind in ("text", "unix", "compact", "form"):
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

    def _facts_as_of(self) -> Facts:
        """Counts of the rows before the moment as of which the log is asked."""
        user, time = identifier(self.user), identifier(self.time)
        found = self.engine.rows(
            f"SELECT count(*), count(*) FILTER (u IS NULL), count(*) FILTER (s IS NULL), "
            f"count(*) FILTER (u IS NULL OR s IS NULL), min(t) FILTER (u IS NOT NULL), "
            f"max(t) FILTER (u IS NOT NULL) FROM (SELECT {self.at} AS t, {user} AS u, {time} AS s "
            f"FROM {self.engine.table}) WHERE t IS NOT NULL OR s IS NULL"
        )[0]
        return Facts(*found)

    def _refuse_unreadable_times(self) -> None:
        time, table = identifier(self.time), self.engine.table
        where = f"{time} IS NOT NULL AND ({self.at}) IS NULL"
        bad = self.engine.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0]
        if bad:
            found = self.engine.rows(f"SELECT CAST({time} AS VARCHAR) FROM {table} WHERE {where} LIMIT 1000")
            texts = [row[0] for row in found]
            how = f"{form_of(texts)}; or " if self.clock.kind == "text" else ""
            raise ValueError(
                f"{counted(bad, 'value')} of {self.time!r} cannot be read as a time ({self.clock.said}; first: "
                f"{', '.join(map(repr, texts[:3]))}); {how}"
                "correct them or leave them empty: rows without a time are counted and left out"
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

    def without(self, names: Sequence[str]) -> int:
        """Usable rows that lack a value of one of some properties."""
        key = tuple(names)
        if key not in self._without:
            lacking = " OR ".join(f"{identifier(name)} IS NULL" for name in key) or "FALSE"
            self._without[key] = self.engine.rows(
                f"SELECT count(*) FROM {self.engine.table} WHERE ({lacking}) AND {identifier(self.user)} IS NOT NULL "
                f"AND ({self.at}) IS NOT NULL"
            )[0][0]
        return self._without[key]

    @cached_property
    def _without(self) -> dict[tuple[str, ...], int]:
        return {}

    @cached_property
    def lacking(self) -> dict[str, list[str]]:
        """Columns that some files of the log lack, and which files."""
        return lacking(self.engine)

    @cached_property
    def resolution(self) -> str:
        """The unit in which times are whole, "day", "hour" or "minute", by the first rows; empty where in none."""
        local = f"epoch_us(timezone({literal(self.timezone)}, make_timestamptz(t)))"
        whole = ", ".join(f"count(*) FILTER ({local} % {length} = 0)" for length in RESOLUTIONS.values())
        rows = f"SELECT {self.at} AS t FROM {self.engine.table} LIMIT {SAMPLE}"
        known, *found = self.engine.rows(f"SELECT count(t), {whole} FROM ({rows})")[0]
        units = (unit for unit, number in zip(RESOLUTIONS, found, strict=True) if number == known)
        return next(units, "") if known >= FEWEST else ""

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
        if not isinstance(name, str):
            raise TypeError(f"{name!r} cannot name a {role}; give the name of a column as text")
        if name not in self.columns:
            raise ValueError(unknown(role, name, self.columns, of=self.source))
        return identifier(name)

    def __getstate__(self) -> dict[str, Any]:
        # Counts are not carried along: the files may have changed when the log is opened again.
        return {one.name: self.__dict__[one.name] for one in fields(self)}
