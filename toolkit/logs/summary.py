"""What is in a log, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from toolkit.logs.engines import identifier, literal
from toolkit.logs.source import Source
from toolkit.logs.times import MAGNITUDES
from toolkit.results import Result
from toolkit.wording import count, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: A day with less than this share of the median day's rows lies outside the log's main span.
THIN_DAY = 0.01


@dataclass(frozen=True, repr=False)
class Summary(Result):
    """A log's contents and its problems, computed when asked for.

    Attributes
    ----------
    table : DataFrame
        One row per thing counted: `what` ("log", "event", "property" or "problem"), `name`, `value`, `note`.
    days : DataFrame
        `day` (in the log's zone), `rows`, `main` (False for a day outside the main span).
    """

    source: str
    table: pd.DataFrame
    days: pd.DataFrame

    @property
    def problems(self) -> pd.DataFrame:
        """The rows of `table` that name a problem."""
        return self.table[self.table["what"] == "problem"].drop(columns="what").reset_index(drop=True)

    def sentence(self) -> str:
        """What the log holds, and how many kinds of problem."""
        log = self.table[self.table["what"] == "log"].set_index("name")["value"]
        kinds = self.problems["name"].tolist()
        found = f"problems: {some(kinds)}" if kinds else "no problem found"
        return (
            f"{self.source}: {count(log['rows'])} rows of {count(log['users'])} users, "
            f"{log['first']} to {log['last']}; {found}."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Rows per day; days outside the main span are marked."""
        from toolkit.logs.plots import days

        return days(self.days, ax)


def summarise(log: Source, *, duplicates: bool) -> Summary:
    """Count what is in a log. See `EventLog.summary`."""
    facts, engine = log.facts, log.engine
    user, zone = identifier(log.user), literal(log.timezone)
    usable = f"(SELECT {user} AS u, {log.at} AS t FROM {engine.table}) WHERE u IS NOT NULL AND t IS NOT NULL"
    users = engine.rows(f"SELECT count(DISTINCT u) FROM {usable}")[0][0]
    days = engine.frame(
        f"SELECT CAST(timezone({zone}, make_timestamptz(t)) AS DATE) AS day, count(*) AS rows FROM {usable} "
        "GROUP BY 1 ORDER BY 1"
    )
    days["main"] = days["rows"] >= THIN_DAY * days["rows"].median()
    lines = [
        ("log", "rows", facts.rows, ""),
        ("log", "users", users, log.user),
        ("log", "first", _shown(facts.first, log.timezone), log.clock.said),
        ("log", "last", _shown(facts.last, log.timezone), f"shown in {log.timezone}"),
    ]
    lines += [("event", name, rows, "rows") for name, rows in log.events.items()]
    lines += _cardinalities(log)
    lines += _problems(log, days, duplicates)
    table = pd.DataFrame(lines, columns=["what", "name", "value", "note"])
    return Summary(source=log.source, table=table, days=days)


def _shown(at: int | None, timezone: str) -> str:
    if at is None:
        return "–"
    return str(pd.Timestamp(at, unit="us", tz="UTC").tz_convert(timezone).floor("s").tz_localize(None))


def _cardinalities(log: Source) -> list[tuple[str, str, object, str]]:
    if not log.properties:
        return []
    counts = ", ".join(
        f"count(DISTINCT {identifier(name)}), count({identifier(name)})" for name in log.properties
    )
    row = log.engine.rows(f"SELECT {counts} FROM {log.engine.table}")[0]
    return [
        (
            "property",
            name,
            row[2 * i],
            f"distinct values; {count(log.facts.rows - row[2 * i + 1])} rows without one",
        )
        for i, name in enumerate(log.properties)
    ]


def _problems(log: Source, days: pd.DataFrame, duplicates: bool) -> list[tuple[str, str, object, str]]:
    facts, engine = log.facts, log.engine
    event = identifier(log.event)
    if not facts.rows:
        return [("problem", "no rows", 0, "nothing to count")]
    found = [
        ("rows without a user", facts.null_users, f"{log.user} is null: left out of every answer"),
        ("rows without a time", facts.null_times, f"{log.time} is null: left out of every answer"),
    ]
    nameless = engine.rows(f"SELECT count(*) FROM {engine.table} WHERE {event} IS NULL")[0][0]
    found.append(
        ("rows without an event", nameless, f"{log.event} is null: such a row matches no named step")
    )
    thin = days[~days["main"]]
    if len(thin):
        span = days[days["main"]]["day"]
        found.append(
            (
                "rows outside the main span",
                int(thin["rows"].sum()),
                f"on {len(thin)} days with under {THIN_DAY:.0%} of the median day's rows; the main span is "
                f"{span.min():%Y-%m-%d} to {span.max():%Y-%m-%d}",
            )
        )
    now = pd.Timestamp.now("UTC").value // 1000
    future = engine.rows(f"SELECT count(*) FROM {engine.table} WHERE ({log.at}) > {now}")[0][0]
    found.append(
        ("rows in the future", future, "later than the clock of this machine: a wrong unit or zone?")
    )
    if log.clock.kind == "unix":
        low, high = MAGNITUDES[str(log.clock.unit)]
        number = f"abs(TRY_CAST({identifier(log.time)} AS DOUBLE))"
        other = engine.rows(
            f"SELECT count(*) FROM {engine.table} WHERE {number} < {low} OR {number} >= {high}"
        )[0][0]
        found.append(
            (
                "rows in another time unit",
                other,
                f"their magnitude is not that of Unix times in {log.clock.unit}",
            )
        )
    if duplicates:
        columns = ", ".join(map(identifier, log.columns))
        distinct = engine.rows(f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {engine.table})")[0][0]
        found.append(("exact duplicate rows", facts.rows - distinct, "beyond the first of each; see dedupe="))
    return [("problem", name, number, note) for name, number, note in found if number]
