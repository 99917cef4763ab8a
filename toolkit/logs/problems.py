"""What is wrong with a log: rows that no answer can use, and those that would mislead one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from toolkit.logs.engines import identifier, literals
from toolkit.logs.source import Source
from toolkit.logs.times import MAGNITUDES
from toolkit.wording import some

#: One row of a summary: what, name, value, note.
Line = tuple[str, str, object, str]
#: A kind of problem: its name, how many rows have it, and what it means.
Problem = tuple[str, int, str]
#: A day with less than this share of the median day's rows lies outside the log's main span.
THIN_DAY = 0.01
#: A day of so many rows is never empty by chance, if days are alike.
MANY = 20
#: Days that programs write where there is none: the first and last of SQL Server, spreadsheets, Unix and Java.
NULL_DATES = (
    "0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1969-12-31", "1970-01-01", "9999-12-31",
)  # fmt: skip
#: Texts that programs write for a user who is not known.
NOBODY = ("", "null", "none", "nan", "na", "n/a", "<na>", "undefined", "unknown", "-", "\\n")


def problems(
    log: Source, days: pd.DataFrame, users: int, flags: Sequence[str], duplicates: bool
) -> list[Line]:
    """What is wrong with a log, each kind with its count and what it means.

    Parameters
    ----------
    days
        `day`, `rows`, `main`; see `Summary`.
    users
        Number of users.
    flags
        Columns that hold two values, such as 0 and 1.
    duplicates
        Whether to count exact duplicate rows.
    """
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
    found += [_unnamed_users(log), _alike(log.events), _null_dates(days)]
    thin = days[~days["main"] & ~null_dates(days)]
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
    found += [_left_out_hours(log), _silent_days(days)]
    if flags and 1 < users == facts.rows - facts.unusable:
        found.append(
            (
                "users with one row",
                users,
                f"nobody has a second row, and {some(flags)} holds two values: one row fills one step of a funnel; "
                "make a row of each thing that was done",
            )
        )
    if duplicates:
        columns = ", ".join(map(identifier, log.columns))
        distinct = engine.rows(f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {engine.table})")[0][0]
        found.append(("exact duplicate rows", facts.rows - distinct, "beyond the first of each; see dedupe="))
    return [("problem", name, number, note) for name, number, note in found if number]


def null_dates(days: pd.DataFrame) -> pd.Series[bool]:
    """Whether a day is one that programs write where there is none; a log of such days alone means them."""
    found = days["day"].astype(str).str[:10].isin(NULL_DATES)
    return found & (not found.all())


def _null_dates(days: pd.DataFrame) -> Problem:
    found = days[null_dates(days)]
    named = some([str(day)[:10] for day in found["day"]])
    return (
        "rows of a null date",
        int(found["rows"].sum()),
        f"{named}: a program writes it where there is no time",
    )


def _unnamed_users(log: Source) -> Problem:
    """Rows of users whose name says that there is none: together they count as one very busy user."""
    kind, rows = log.columns[log.user], 0
    if kind == "VARCHAR" or kind.startswith("ENUM"):
        rows = log.engine.rows(
            f"SELECT count(*) FROM {log.engine.table} WHERE "
            f"lower(trim(CAST({identifier(log.user)} AS VARCHAR))) IN ({literals(NOBODY)})"
        )[0][0]
    note = f"{log.user} is empty text, 'null' or the like: all of them count as one user; make them null"
    return "rows of a user without a name", rows, note


def _alike(events: dict[str, int]) -> Problem:
    """Events whose names differ in capitals or blanks only."""
    ordered = sorted(events, key=_folded)
    groups = [sorted(names, key=events.__getitem__) for _, names in groupby(ordered, _folded)]
    rare = [name for names in groups for name in names[:-1]]
    note = f"{some([repr(name) for name in rare])}: another event differs in capitals or blanks only"
    return "rows of an event spelled in another way", sum(events[name] for name in rare), note


def _folded(name: str) -> str:
    return name.strip().lower()


def _left_out_hours(log: Source) -> Problem:
    condition, rows = log.clock.missing_hour(), 0
    if condition is not None:
        rows = log.engine.rows(f"SELECT count(*) FROM {log.engine.table} WHERE {condition}")[0][0]
    note = f"the clocks of {log.timezone} left them out: read as an hour later; is timezone= right?"
    return "local times that do not exist", rows, note


def _silent_days(days: pd.DataFrame) -> Problem:
    """Days without any row between days with many."""
    silent = [f"{day:%Y-%m-%d}" for day in silent_days(days)]
    note = (
        f"{some(silent, 5)}, between days with many rows: lost, or did nobody come? They count as the latter"
    )
    return "days without any row", len(silent), note


def main_days(days: pd.DataFrame) -> pd.Series[bool]:
    """Which days lie in the log's main span: those with 1 % of the median day's rows at least."""
    return (days["rows"] >= THIN_DAY * days["rows"].median()) & ~null_dates(days)


def silent_days(days: pd.DataFrame) -> pd.DatetimeIndex:
    """Days without any row between days with many, from `day` and `rows` of all others."""
    main = days[main_days(days)]
    if not len(main) or main["rows"].median() < MANY:
        return pd.DatetimeIndex([])
    span = pd.date_range(main["day"].min(), main["day"].max())
    return span.difference(pd.DatetimeIndex(days["day"]))
