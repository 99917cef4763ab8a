"""Files as they were downloaded, and how those of a folder become one: the latest of each session is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.inputs.definitions import Definition
from toolkit.inputs.exports.frames import Table, tables_of
from toolkit.inputs.exports.headers import draft, kind_of
from toolkit.inputs.exports.kinds import Kind
from toolkit.inputs.exports.readings import Reading
from toolkit.inputs.exports.tables import read_sheet
from toolkit.inputs.faults import ExportError, Notes, Problem
from toolkit.inputs.files.opening import EXPORTS, open_file
from toolkit.inputs.times import Period, moment, period_in
from toolkit.wording import counted, some


@dataclass(frozen=True)
class Download:
    """One file as read."""

    name: str
    kind: Kind
    tables: dict[str, Table]
    problems: list[Problem]
    period: Period | None
    downloaded: str
    draft: str


def read_folder(place: Path, known: tuple[Kind, ...]) -> tuple[list[Download], list[str]]:
    """The files of one kind in a folder, the earliest first, and the names of those that are none."""
    found: list[Download] = []
    skipped: list[str] = []
    last: ExportError | None = None
    paths = sorted(path for path in place.iterdir() if path.is_file())
    folders = sorted(path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    inside = f"; its folders are not looked into: {some(folders)}" if folders else ""
    if not paths:
        raise ExportError("empty_file", f"{place} holds no files{inside}")
    for path in paths:
        if path.name.startswith(("~$", ".")) or path.suffix.lower() not in EXPORTS:
            skipped.append(path.name)
            continue
        try:
            found.append(read_download(path, known))
        except ExportError as error:
            if error.code not in ("not_an_export", "unknown_kind", "empty_file"):
                raise
            skipped.append(path.name)
            last = error
    if not found:
        if len(skipped) == 1 and last is not None:
            raise last
        why = f"; of the last: {last}" if last is not None else ""
        open_ = (
            "; ~$ marks a file that is open in a spreadsheet" if any("~$" in one for one in skipped) else ""
        )
        raise ExportError(
            "not_an_export" if last is None else last.code,
            f"{place} holds no export; its files: {some(skipped, 5)}{open_}{inside}{why}",
            found="a folder",
            draft="" if last is None else last.draft,
        ) from last
    names = list(dict.fromkeys(one.kind.name for one in found))
    if len(names) > 1:
        listed = "; ".join(
            f"{name}: {some([one.name for one in found if one.kind.name == name], 3)}" for name in names
        )
        raise ExportError(
            "ambiguous_kind",
            f"{place} holds {len(names)} kinds ({listed}); give each a folder of its own",
            found=listed,
        )
    return sorted(found, key=lambda one: (one.downloaded, one.name)), skipped


def read_download(path: Path, known: tuple[Kind, ...]) -> Download:
    """One file: its kind, its tables, and what was met in it."""
    if path.name.startswith("~$"):
        raise ExportError(
            "not_an_export",
            f"{path} is what a spreadsheet writes beside a file that is open in it; read the file itself",
            found="lock file",
        )
    notes = Notes(path.name)
    sheets = open_file(path, notes)
    kind = kind_of(sheets, known, str(path))
    told = re.search(kind.file_name, path.name) if kind.file_name else None
    named = {name: value for name, value in told.groupdict().items() if value} if told else {}
    period = period_in(path.name)
    if {"first", "last"} <= named.keys():
        first, last = moment(named["first"]).value, moment(named["last"]).value
        period = (first.date(), last.date()) if first and last else period
    reading = Reading(kind, notes, period)
    for sheet in sheets:
        read_sheet(reading, sheet)
    stamp = moment(named.get("downloaded")).value
    tables = tables_of(reading, named.get("account"), None if stamp is None else stamp.date())
    if reading.unsigned:
        text = "read in the form that the kind declares"
        notes.tell("percent_without_sign", text, columns=reading.unsigned, source=text)
    unmet = [one.more["header"] for one in notes.told if one.code == "unknown_header"]
    stamped = stamp.isoformat() if stamp is not None else ""
    text = (
        draft(unmet, known, named=kind)
        if unmet
        else f"# every header of {path.name} is known as {kind.name}\n"
    )
    return Download(path.name, kind, tables, notes.all(), reading.period, stamped, text)


def joined(found: list[Download]) -> tuple[list[Download], dict[str, Table], list[Problem]]:
    """The downloads that are kept, their tables put together, and what was met."""
    problems = [problem for one in found for problem in one.problems]
    kept = found
    if len(found) > 1 and found[0].kind.shared:
        kept, more = _latest_sessions(found)
        problems += more
    tables: dict[str, Table] = {}
    for one in kept:
        for name, table in one.tables.items():
            tables[name] = _together(tables[name], table, problems, one.name) if name in tables else table
    return kept, tables, problems


def period_of(found: list[Download]) -> Period | None:
    """The period of all files together, where each tells its own."""
    told = [one.period for one in found if one.period is not None]
    if len(told) < len(found):
        return None
    return min(first for first, _ in told), max(last for _, last in told)


def _latest_sessions(found: list[Download]) -> tuple[list[Download], list[Problem]]:
    """Each session's latest download; the files of the others are named."""
    by_key: dict[tuple[Any, ...], list[Download]] = {}
    for one in found:
        table = one.tables.get("session")
        row = None if table is None or not len(table.frame) else table.frame[list(table.key)].iloc[0]
        key = (one.name,) if row is None or row.isna().any() else tuple(map(str, row))
        by_key.setdefault(key, []).append(one)
    kept, problems = [], []
    for key, files in by_key.items():
        kept.append(files[-1])
        if len(files) > 1:
            names = [one.name for one in files[:-1]]
            more = {"key": list(key), "kept": files[-1].name, "dropped": names}
            problems.append(
                Problem("duplicate_session", files[-1].name, text=f"dropped {some(names)}", more=more)
            )
    return kept, problems


def _together(one: Table, other: Table, problems: list[Problem], file: str) -> Table:
    """Two files' rows of a table; of one key the later download is kept."""
    frame = pd.concat([one.frame, other.frame], ignore_index=True)
    rounding = pd.concat([one.rounding, other.rounding], ignore_index=True)
    rounding = rounding.reindex(frame.index).fillna(0.0)
    definitions = dict(other.definitions)
    for name, known in one.definitions.items():
        new = definitions.get(name)
        definitions[name] = known if new is None else replace(known, source_header=_headers(known, new))
    table = Table(one.name, one.key, frame, definitions, [*one.totals, *other.totals], rounding)
    keys = [name for name in one.key if name in frame]
    known_rows = frame[keys].notna().all(axis=1) if keys else pd.Series(False, index=frame.index)
    again = known_rows & frame[keys].duplicated(keep="last") if keys else known_rows
    if again.any():
        code = "duplicate_session" if one.name == "session" else "duplicate_rows"
        text = (
            f"{counted(int(again.sum()), 'row')} of {one.name} stood in an earlier file too; {file} is kept"
        )
        problems.append(
            Problem(code, file, text=text, more={"table": one.name, "kept": file, "number": int(again.sum())})
        )
        table = table.kept(frame.index[~again])
    return table


def _headers(one: Definition, other: Definition) -> str | tuple[str, ...]:
    listed: list[str] = []
    for header in (one.source_header, other.source_header):
        listed += [header] if isinstance(header, str) else list(header)
    distinct = tuple(dict.fromkeys(listed))
    return distinct[0] if len(distinct) == 1 else distinct
