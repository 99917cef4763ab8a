"""Tables of one file: typed, totals and repeated rows set aside, and what is still open marked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from toolkit.inputs.columns import typed
from toolkit.inputs.definitions import Definition, define
from toolkit.inputs.exports.kinds import Column, Kind
from toolkit.inputs.exports.readings import Block, Reading, Total
from toolkit.inputs.exports.tables import SUBTOTALS
from toolkit.inputs.files.sheets import address

#: Columns that are kept beside the data until a table is whole.
ROW, DIMENSION = "\0row", "\0dimension"
_WHOLE = frozenset({"people", "times", "count", "orders", "units", "hour"})
PIECE = 50_000
#: Whole numbers up to here are exact as floats.
EXACT = 2.0**53
_FROM_NAME = "(file name)"


@dataclass
class Table:
    """A tidy table with its key, the definition of each column, the totals set aside and what was rounded.

    `rounding` has the index of `frame` and a column for each that holds shortened counts: half the width that each
    was rounded to, 0 where it is exact.
    """

    name: str
    key: tuple[str, ...]
    frame: pd.DataFrame
    definitions: dict[str, Definition]
    totals: list[dict[str, Any]] = field(default_factory=list)
    rounding: pd.DataFrame = field(default_factory=pd.DataFrame)

    def kept(self, index: Any) -> Table:
        """The same table with some of its rows."""
        rounding = self.rounding.loc[index] if len(self.rounding.columns) else self.rounding
        return Table(self.name, self.key, self.frame.loc[index], self.definitions, self.totals, rounding)


def tables_of(reading: Reading, account: str | None, downloaded: date | None) -> dict[str, Table]:
    """The tables of one file."""
    kind = reading.kind
    found: dict[str, Table] = {}
    for part in reading.parts:
        if part.table not in found:
            blocks = [block for block in reading.blocks if block.part.table == part.table]
            found |= _made(reading, blocks)
    for table in found.values():
        _set_subtotals_aside(table, reading)
        _drop_repeated(table, reading)
        _tell_totals(table, reading)
    if kind.shared:
        _share(found, reading, account)
    for table in found.values():
        if downloaded is not None:
            _tell_open_windows(table, reading, downloaded)
        if not len(table.frame) and not table.totals:
            reading.notes.tell("no_rows", table=table.name)
    _tell_estimates(found, reading)
    return found


def finished(table: Table) -> Table:
    """The table without what was kept beside it, whole numbers as such."""
    frame = table.frame.drop(columns=[ROW, DIMENSION], errors="ignore").reset_index(drop=True)
    for name in frame.columns:
        if table.definitions[name].unit in _WHOLE and frame[name].dtype == float:
            values = frame[name].dropna()
            if (values == np.floor(values)).all() and (values.abs() < EXACT).all():
                frame[name] = frame[name].astype("Int64")
    rounding = table.rounding.reset_index(drop=True)
    return Table(table.name, table.key, frame, table.definitions, table.totals, rounding)


def _made(reading: Reading, blocks: list[Block]) -> dict[str, Table]:
    part = blocks[0].part
    made = {}
    made[part.table] = _table(reading, blocks, part.table, part.key, [("", None)])
    prefixes = part.split.get("prefixes", {})
    if any(prefix in block.columns for block in blocks for prefix in prefixes):
        split = part.split
        made[split["table"]] = _table(
            reading, blocks, split["table"], tuple(split["key"]), list(prefixes.items()), split["column"]
        )
    return made


def _table(
    reading: Reading,
    blocks: list[Block],
    name: str,
    key: tuple[str, ...],
    prefixes: list[tuple[str, str | None]],
    column: str = "",
) -> Table:
    """One table out of its blocks; with prefixes, the columns of each stand under each other."""
    definitions: dict[str, Definition] = {}
    if column:
        definitions[column] = define(column, source_header="(prefix of the header)", **_whose(reading.kind))
    stacked = blocks[0].part.stacked
    if stacked:
        definitions[stacked] = define(
            stacked, source_header="(line above the header)", **_whose(reading.kind)
        )
    frames, halves = [], []
    for block in blocks:
        for prefix, value in prefixes:
            own = dict(block.columns.get(prefix, {}))
            if column and not own:
                continue
            if column:
                shared = {one: block.columns[""][one] for one in key if one in block.columns[""]}
                own = {column: typed([value] * len(block.rows), "text"), **shared, **own}
            for one in own:
                if one not in definitions:
                    definitions[one] = _definition(reading, block.part.table, prefixes, one)
            frame = pd.DataFrame(own)
            frame[ROW] = block.rows
            if block.dimensions:
                frame[DIMENSION] = pd.Series(block.dimensions, dtype="str")
            frames.append(frame)
            halves.append(pd.DataFrame(block.halves.get(prefix, {}), index=frame.index))
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    rounding = pd.concat(halves, ignore_index=True).fillna(0.0)
    totals = [_as_dict(total) for total in reading.totals if total.part.table == name]
    if column:
        totals = []
    first = [column] if column else [stacked] if stacked else []
    order = [*first, *(one for one in frame.columns if one not in first)]
    return Table(name, key, frame[order], definitions, totals, rounding)


def _definition(
    reading: Reading, table: str, prefixes: list[tuple[str, str | None]], name: str
) -> Definition:
    """A column's definition, with the headers that filled it; a carried column has that of the table above."""
    found: list[tuple[Column, str]] = []
    for prefix, _ in prefixes:
        found += reading.headers.get((table, prefix, name), [])
    above = [pairs for (_, prefix, one), pairs in reading.headers.items() if one == name and not prefix]
    found = found or reading.headers.get((table, "", name)) or above[0]
    headers = tuple(dict.fromkeys(header for _, header in found))
    said: str | tuple[str, ...] = headers[0] if len(headers) == 1 else headers
    kind = reading.kind
    return next(one for one in found[0][0].define(kind.platform, kind.name, said) if one.name == name)


def _whose(kind: Kind) -> dict[str, str]:
    return {"platform": kind.platform, "kind": kind.name}


def _as_dict(total: Total) -> dict[str, Any]:
    return {"label": total.label, **total.values}


def _set_subtotals_aside(table: Table, reading: Reading) -> None:
    """Rows such as 不限 that add up rows which are there; where no parts are there, they are the data."""
    if DIMENSION not in table.frame:
        return
    for name in table.frame[DIMENSION].dropna().unique():
        frame = table.frame
        marked = frame[DIMENSION] == name
        others = [one for one in table.key if one != name and one in frame]
        parts = frame.loc[~marked.fillna(False).astype(bool), others]
        there = set(map(tuple, parts.itertuples(index=False, name=None)))
        adds_up = [
            bool(mark) and (tuple(row) in there if others else len(parts) > 0)
            for mark, row in zip(
                marked.fillna(False), frame[others].itertuples(index=False, name=None), strict=True
            )
        ]
        aside = frame.index[np.array(adds_up, dtype=bool)]
        if not len(aside):
            continue
        header = reading.headers[table.name, "", name][0][1]
        word = str(frame.loc[aside[0], name])
        for row in frame.loc[aside].drop(columns=[ROW, DIMENSION]).to_dict("records"):
            values = {str(one): None if pd.isna(value) else value for one, value in row.items()}
            label = f"{header}={values[name]}"
            all_of = {one: None for one in table.key if values.get(one) in SUBTOTALS}
            table.totals.append({"label": label, **values, **all_of})
        rows = [int(number) for number in frame.loc[aside, ROW]]
        reading.notes.tell(
            "subtotal_rows",
            word,
            sheet=_sheet(reading, table),
            column=header,
            label=word,
            rows=rows,
            table=table.name,
        )
        left = frame.index.difference(aside)
        table.frame = frame.loc[left]
        table.rounding = table.rounding.loc[left]


def _drop_repeated(table: Table, reading: Reading) -> None:
    """Rows that stand twice: the second is dropped where all of it is the same, else both are kept and told."""
    frame = table.frame.drop(columns=[ROW, DIMENSION], errors="ignore")
    keys = [name for name in table.key if name in frame]
    if len(frame) < 2 or not keys or not _may_repeat(frame[keys]):
        return
    whole = frame[keys].notna().all(axis=1) & frame[keys].duplicated(keep=False)
    if not whole.any():
        return
    again = frame[whole].duplicated()
    dropped = again.index[again]
    if len(dropped):
        rows = [int(number) for number in table.frame.loc[dropped, ROW]]
        reading.notes.tell(
            "duplicate_rows",
            "the first of each is kept",
            sheet=_sheet(reading, table),
            table=table.name,
            rows=rows,
        )
        left = table.frame.index.difference(dropped)
        table.frame, table.rounding = table.frame.loc[left], table.rounding.loc[left]
    unlike = table.frame.loc[:, keys].duplicated() & table.frame[keys].notna().all(axis=1)
    if unlike.any():
        rows = [int(number) for number in table.frame.loc[unlike, ROW]]
        reading.notes.tell(
            "duplicate_rows",
            f"the same {', '.join(keys)} with other values: both are kept",
            sheet=_sheet(reading, table),
            table=table.name,
            rows=rows,
        )


def _may_repeat(keys: pd.DataFrame) -> bool:
    """Whether two rows may be equal, from their hashes, taken piece by piece: millions of ids stay small."""
    pieces = [
        pd.util.hash_pandas_object(keys.iloc[at : at + PIECE], index=False, categorize=False).to_numpy()
        for at in range(0, len(keys), PIECE)
    ]
    hashes = np.concatenate(pieces)
    return len(np.unique(hashes)) < len(hashes)


def _tell_totals(table: Table, reading: Reading) -> None:
    """A total above the sum of its parts: rows are missing, such as those behind an export's limit."""
    own = [total for total in reading.totals if total.part.table == table.name]
    if len(own) != 1 or not len(table.frame):
        return
    total = own[0]
    beyond = []
    for name, definition in table.definitions.items():
        value = total.values.get(name)
        if not definition.additive or not isinstance(value, float) or name not in table.frame:
            continue
        parts = table.frame[name]
        if parts.isna().any():
            continue
        half = total.halves.get(name, 0.0) + float(table.rounding.get(name, pd.Series(dtype=float)).sum())
        if value > float(parts.sum()) * (1 + 1e-9) + half + 0.005 * (len(parts) + 1):
            beyond.append(name)
    if beyond:
        reading.notes.tell(
            "total_exceeds_parts",
            "rows that the total counts are not in the file",
            sheet=total.sheet,
            row=total.row,
            column=beyond[0],
            columns=beyond,
            table=table.name,
        )


def _share(found: dict[str, Table], reading: Reading, account: str | None) -> None:
    """One session to a file: its tables of one row become one, and every table says which session it is."""
    kind = reading.kind
    if "session" in found:
        found["session"] = _one_row(found["session"], found, reading)
    session = found.get("session")
    for table in found.values():
        frame, definitions = table.frame, {}
        for at, name in enumerate(kind.shared):
            if name == "account":
                value: Any = account
                definitions[name] = define(name, source_header=_FROM_NAME, **_whose(kind))
            elif session is not None and name in session.definitions:
                value = session.frame[name].iloc[0] if len(session.frame) else None
                definitions[name] = session.definitions[name]
            else:
                value = None
                definitions[name] = define(name, source_header="(not told)", **_whose(kind))
            column = (
                typed([None] * len(frame), definitions[name].unit)
                if value is None or pd.isna(value)
                else value
            )
            frame = frame.drop(columns=name, errors="ignore")
            frame.insert(at, name, column)
        table.frame = frame
        table.definitions = definitions | {n: d for n, d in table.definitions.items() if n not in definitions}


def _one_row(session: Table, found: dict[str, Table], reading: Reading) -> Table:
    """The session's values of all sheets in one row, with those that only another table's total row tells."""
    frame = session.frame
    values: dict[str, Any] = {}
    definitions = dict(session.definitions)
    halves = {name: float(session.rounding[name].max()) for name in session.rounding}
    for name in frame.columns:
        known = frame[name].dropna()
        values[name] = known.iloc[0] if len(known) else None
    for total in reading.totals:
        table = found.get(total.part.table)
        if total.part.total_to != session.name or table is None:
            continue
        for name, value in total.values.items():
            definition = table.definitions[name]
            if definition.measures and name not in definitions:
                definitions[name], values[name] = definition, value
                halves |= {name: total.halves[name]} if name in total.halves else {}
    row = pd.DataFrame(
        {
            name: typed([_naive(values[name])], definitions[name].unit)
            for name in values
            if name in definitions
        }
    )
    row[ROW] = int(frame[ROW].iloc[0]) if len(frame) else 0
    rounding = pd.DataFrame({name: [half] for name, half in halves.items()}, index=row.index)
    return Table(session.name, session.key, row, definitions, session.totals, rounding)


def _naive(value: Any) -> Any:
    if value is None or pd.isna(value):
        return None
    return value.tz_localize(None) if isinstance(value, pd.Timestamp) and value.tzinfo else value


def _tell_open_windows(table: Table, reading: Reading, downloaded: date) -> None:
    """Amounts within days that were not over at the download: lower bounds."""
    if "date" not in table.frame:
        return
    cells = []
    for (name, prefix, column), found in reading.headers.items():
        matures = found[0][0].matures
        if name != table.name or prefix or matures is None:
            continue
        over = table.frame["date"] + timedelta(days=matures) >= pd.Timestamp(downloaded)
        still = over & table.frame[column].notna()
        at = reading.places[table.name, column]
        cells += [address(int(row) - 1, at) for row in table.frame.loc[still, ROW]]
    if cells:
        meaning = "the window after the advertisement was not over at the download: a lower bound"
        reading.notes.tell(
            "window_open",
            meaning,
            cells=cells,
            downloaded=downloaded.isoformat(),
            meaning=meaning,
            table=table.name,
        )


def _tell_estimates(found: dict[str, Table], reading: Reading) -> None:
    if not reading.kind.by:
        return
    metrics = _metrics(one for table in found.values() for one in table.definitions.values() if one.estimate)
    if metrics:
        by = reading.kind.by
        reading.notes.tell("estimates", f"estimated by {by}", columns=metrics, by=by)


def _metrics(definitions: Iterable[Definition]) -> list[str]:
    return list(dict.fromkeys(one.metric for one in definitions))


def _sheet(reading: Reading, table: Table) -> str | None:
    return next((block.sheet for block in reading.blocks if block.part.table == table.name), None)
