"""Public research logs: opened by name, checked against their schema, with what each can and cannot answer."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatch
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from toolkit.logs.duckdb_engine import connect
from toolkit.logs.engines import identifier, literal, literals
from toolkit.logs.events import EventLog, read_events
from toolkit.results import html_table
from toolkit.sources import definitions
from toolkit.wording import counted, some, unknown

#: How times that are no Unix numbers are written.
FORMS = {"hour": "%Y-%m-%d %H", "day": "%Y%m%d", "month_first": "%m/%d/%Y %H:%M"}
USER, TIME, EVENT = "user_id", "timestamp", "event"


@dataclass(frozen=True)
class FileSchema:
    """How one file of a public log is written."""

    match: tuple[str, ...]
    columns: tuple[str, ...]
    may: tuple[str, ...] = ()
    also: dict[str, str] = field(default_factory=dict)
    header: bool | str = True
    separator: str = ","
    user: str = ""
    time: str = ""
    form: str = ""
    event: str = ""
    events: dict[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)
    table: str = ""
    optional: bool = False


@dataclass(frozen=True)
class PublicData:
    """A public data set: where it is, what may be done with it, and what it can and cannot answer."""

    name: str
    title: str
    url: str
    licence: str
    citation: str
    zone: str
    answers: str
    cannot: str
    traps: tuple[str, ...]
    files: tuple[FileSchema, ...]
    period: tuple[str, str] | None = None

    def sentence(self, off: Sequence[str] = ()) -> str:
        """What it is for, what it is not for, and what is off with the files at hand."""
        wrong = f" Off in these files: {'; '.join(off)}." if off else ""
        traps = "; ".join(self.traps)
        return (
            f"{self.title} ({self.citation}; licence: {self.licence}). Answers {self.answers}. Cannot answer: "
            f"{self.cannot}. Mind: {traps}.{wrong}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class PublicLog(EventLog):
    """A public log as an `EventLog`, with the tables beside it and what is off in its files."""

    about: PublicData | None = None
    off: tuple[str, ...] = ()
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def sentence(self) -> str:
        """What the log is for, and what is off."""
        return "" if self.about is None else self.about.sentence(self.off)

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>\n<p>{escape(self.sentence())}</p>"


@dataclass(frozen=True, eq=False, repr=False)
class PublicTables:
    """A public data set that is no log: its tables by name."""

    about: PublicData
    tables: dict[str, pd.DataFrame]
    off: tuple[str, ...]

    def sentence(self) -> str:
        """What the tables are for, and what is off."""
        return self.about.sentence(self.off)

    def __repr__(self) -> str:
        return f"PublicTables: {some(list(self.tables))}. {self.sentence()}"

    def _repr_html_(self) -> str:
        shown = "\n".join(html_table(table.head(5)) for table in self.tables.values())
        return f"<p>{escape(repr(self))}</p>\n{shown}"


class _ReadPublic:
    r"""Open a public research log by its name, from a folder that holds its files as published.

    Parameters
    ----------
    name : str
        See `read_public.list()`.
    folder : str or Path
        Where the files are; folders inside are looked at too. Or one file.
    check : bool
        Read every row once to say what is off: codes, times and users that the schema does not have.

    Returns
    -------
    PublicLog
        An `EventLog` with columns user_id, timestamp, event and the properties of the files; `.tables` holds what
        stands beside it, `.off` what is off. A data set without events gives `PublicTables`.

    Raises
    ------
    ValueError
        For a name that is not known, and a file whose columns are not those of the schema.
    FileNotFoundError
        Where a file that the data set needs is not there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "UserBehavior.csv").write_text("1,11,5,pv,1511712000\n1,11,5,buy,1511712060\n")
    >>> log = read_public("taobao_userbehavior", folder)
    >>> log.events, log.off
    ({'buy': 1, 'pv': 1}, ())
    >>> "taobao_userbehavior" in read_public.list()["name"].tolist()
    True
    """

    def __call__(self, name: str, folder: str | Path, *, check: bool = True) -> PublicLog | PublicTables:
        known = public_data()
        if name not in known:
            raise ValueError(unknown("public log", name, known))
        if not isinstance(folder, str | Path):
            raise TypeError(f"folder is a str or a Path, not {type(folder).__name__}")
        about = known[name]
        place = Path(folder)
        if not place.exists():
            raise FileNotFoundError(f"no folder {place}")
        connection = connect(about.zone)
        off: list[str] = []
        parts: list[str] = []
        tables: dict[str, pd.DataFrame] = {}
        for schema in about.files:
            found = _found(place, schema)
            if not found:
                if not schema.optional:
                    raise FileNotFoundError(
                        f"{about.title} needs {' or '.join(schema.match)}; {place} has none. Where it is: {about.url}"
                    )
                continue
            rows = _rows(connection, found, schema, off)
            if schema.table:
                tables[schema.table] = _table(connection.sql(rows).df(), schema, off, check)
            else:
                names = connection.sql(f"{rows} LIMIT 0").columns
                parts.append(_events(rows, names, schema))
                if check:
                    off += _odd(connection, parts[-1], schema, about, found)
        if not parts and not tables:
            files = some([one for schema in about.files for one in schema.match])
            raise FileNotFoundError(f"{place} holds no file of {about.title}; its files: {files}")
        if not parts:
            return PublicTables(about, tables, tuple(off))
        together = connection.sql(" UNION ALL BY NAME ".join(f"({part})" for part in parts))
        log = read_events(together, user=USER, time=TIME, event=EVENT, timezone=about.zone)
        kept = {one.name: getattr(log, one.name) for one in fields(log) if one.init}
        return PublicLog(**kept, about=about, off=tuple(off), tables=tables)

    def list(self) -> pd.DataFrame:
        """The public data sets: name, title, licence, what each answers and cannot, and where it is."""
        names = ("name", "title", "licence", "answers", "cannot", "url")
        return pd.DataFrame([{one: getattr(data, one) for one in names} for data in public_data().values()])

    def __repr__(self) -> str:
        return f"read_public(name, folder): {some([*public_data()], 20)}"


read_public = _ReadPublic()


@cache
def public_data() -> dict[str, PublicData]:
    """All public data sets that are known, by name."""
    found = {}
    for one in definitions.read("public_logs")["log"]:
        schemas = tuple(FileSchema(**_tuples(schema)) for schema in one["file"])
        about = {name: value for name, value in _tuples(one).items() if name != "file"}
        found[one["name"]] = PublicData(**about, files=schemas)
    return found


def _tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def _found(place: Path, schema: FileSchema) -> list[Path]:
    """Files of one schema: those of the first pattern that has some."""
    for pattern in schema.match:
        if place.is_file():
            found = [place] if fnmatch(place.name, pattern) else []
        else:
            found = sorted(path for path in place.rglob(pattern) if path.is_file())
        if found:
            return found
    return []


def _rows(
    connection: duckdb.DuckDBPyConnection, paths: list[Path], schema: FileSchema, off: list[str]
) -> str:
    """SQL for all rows of a schema's files as text, under the names of the schema."""
    if schema.separator == "blanks":
        view = f"public_{abs(hash(tuple(paths)))}"
        connection.register(view, _blanks(paths, schema))
        return f"SELECT * FROM {view}"
    queries = []
    for path in paths:
        names = _header(path, schema, off)
        skip = "true" if schema.header else "false"
        queries.append(
            f"SELECT * FROM read_csv({literal(str(path))}, header={skip}, delim=',', auto_detect=false, quote='\"', "
            f"escape='\"', columns={_columns(names)})"
        )
    return f"SELECT * FROM ({' UNION ALL BY NAME '.join(queries)})"


def _columns(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"


def _header(path: Path, schema: FileSchema, off: list[str]) -> list[str]:
    """The names of a file's columns, checked against the schema; blanks around them are no part of a name."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv.reader(file), [])
    if not first:
        raise ValueError(f"{path} is empty")
    if not schema.header:
        if len(first) != len(schema.columns):
            raise ValueError(
                f"{path} has {len(first)} columns, and its schema {len(schema.columns)}: {some(schema.columns)}"
            )
        return list(schema.columns)
    names = [schema.also.get(name.strip(), name.strip()) for name in first]
    lacking = [name for name in schema.columns if name not in names]
    if lacking:
        raise ValueError(f"{path} lacks {some(lacking)}; it has {some(names)}")
    more = [
        name
        for name in names
        if name not in schema.columns and not any(fnmatch(name, one) for one in schema.may)
    ]
    if more:
        off.append(f"{path.name} has columns that its schema does not know: {some(more)}")
    return names


def _blanks(paths: list[Path], schema: FileSchema) -> pd.DataFrame:
    """Small files whose columns are set apart by blanks, with a header or without."""
    frames = []
    for path in paths:
        frame = pd.read_csv(path, sep=r"\s+", header=None, names=list(schema.columns), dtype="str")
        frames.append(frame[frame.iloc[:, 0] != schema.columns[0]])
    return pd.concat(frames, ignore_index=True)


def _when(column: str, form: str) -> str:
    """SQL for a time: an instant, or a local time."""
    name = identifier(column)
    if form in ("s", "ms"):
        number = f"TRY_CAST({name} AS DOUBLE) * {1000 if form == 's' else 1}"
        return f"epoch_ms(CAST(round({number}) AS BIGINT)) AT TIME ZONE 'UTC'"
    if form == "utc":
        return f"try_strptime(replace({name}, ' UTC', ''), '%Y-%m-%d %H:%M:%S') AT TIME ZONE 'UTC'"
    return f"try_strptime({name}, {literal(FORMS[form])})"


def _events(rows: str, names: Sequence[str], schema: FileSchema) -> str:
    """SQL for the events of a file: user, time, event, and all other columns."""
    taken = {schema.user, schema.time, schema.event}
    others = [identifier(name) for name in names if name not in taken]
    common = f"{identifier(schema.user)} AS {USER}, {_when(schema.time, schema.form)} AS {TIME}"
    kept = f", {', '.join(others)}" if others else ""
    if schema.event:
        event = identifier(schema.event)
        cases = "".join(f" WHEN {literal(code)} THEN {literal(name)}" for code, name in schema.named.items())
        named = f"CASE {event}{cases} ELSE {event} END" if cases else event
        return f"SELECT {common}, {named} AS {EVENT}{kept} FROM ({rows})"
    queries = [
        f"SELECT {common}, {literal(name)} AS {EVENT}{kept} FROM ({rows})"
        + (f" WHERE {identifier(flag)} = '1'" if flag else "")
        for name, flag in schema.events.items()
    ]
    return " UNION ALL ".join(queries)


def _odd(
    connection: duckdb.DuckDBPyConnection,
    events: str,
    schema: FileSchema,
    about: PublicData,
    paths: list[Path],
) -> list[str]:
    """What the rows hold that the schema does not have, in one pass."""
    known = [schema.named.get(code, code) for code in schema.codes] or list(schema.events)
    outside = "FALSE"
    if about.period is not None:
        first, last = map(literal, about.period)
        day = f"CAST({TIME} AS DATE)"
        outside = f"{day} < CAST({first} AS DATE) OR {day} > CAST({last} AS DATE)"
    row = connection.sql(
        f"SELECT count(*) FILTER (WHERE {TIME} IS NULL), count(*) FILTER (WHERE {USER} IS NULL OR {USER} = ''), "
        f"count(*) FILTER (WHERE {EVENT} NOT IN ({literals(known)})), count(*) FILTER (WHERE {outside}), "
        f"min({EVENT}) FILTER (WHERE {EVENT} NOT IN ({literals(known)})) FROM ({events})"
    ).fetchall()[0]
    said = [
        "without a time that can be read",
        "without a user",
        f"of a code that its schema does not know, such as {row[4]!r}",
        f"outside {about.period[0]} to {about.period[1]}" if about.period else "",
    ]
    name = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"
    return [f"{counted(n, 'row')} of {name} {text}" for n, text in zip(row[:4], said, strict=True) if n]


def _table(frame: pd.DataFrame, schema: FileSchema, off: list[str], check: bool) -> pd.DataFrame:
    """A table beside the log: numbers where every value is one, codes of "not known" missing, times read."""
    for column, code in schema.missing.items():
        not_known = frame[column] == code
        if check and not_known.any():
            off.append(
                f"{counted(int(not_known.sum()), 'row')} of {schema.table} say {code} for {column}: not known"
            )
        frame[column] = frame[column].where(~not_known)
    for column, form in schema.times.items():
        frame[column] = pd.to_datetime(frame[column], format=FORMS[form], errors="coerce")
    for column in frame.columns.difference(list(schema.times)):
        values = pd.to_numeric(frame[column], errors="coerce")
        padded = frame[column].astype("str").str.match(r"0\d").any()
        if not padded and (values.notna() == frame[column].notna()).all():
            frame[column] = values
    return frame
