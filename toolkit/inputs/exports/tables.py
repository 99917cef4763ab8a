"""From the rows of a sheet to blocks of tables: headers, data, totals set aside, and lines that are neither."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from toolkit.inputs import times
from toolkit.inputs.cells import is_missing, plain
from toolkit.inputs.columns import typed
from toolkit.inputs.definitions import canonical
from toolkit.inputs.exports.fields import TOTALS, HeaderReader
from toolkit.inputs.exports.headers import Line, laid_out, line_at
from toolkit.inputs.exports.kinds import Part, normal
from toolkit.inputs.exports.readings import Block, Field, Reading, Total
from toolkit.inputs.exports.values import CellReader
from toolkit.inputs.files.sheets import Row, Sheet, filled

#: Such a value of one of a row's dimensions makes it a total over the others.
SUBTOTALS = frozenset({"不限", "全部", "小计", "ALL", "All"})
_NOTES = ("注", "备注", "说明", "数据来源", "数据更新", "数据说明", "*", "※")


@dataclass
class Segment:
    """A table under one header line, or a block of lines under another table."""

    line: Line
    fields: list[Field]
    title: str = ""
    parent: Segment | None = None
    carried: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[int, Row]] = field(default_factory=list)
    last: Row | None = None
    again: bool = False
    flushed: bool = False

    @property
    def part(self) -> Part:
        """The table of the kind that it fills."""
        return self.line.part


def read_sheet(reading: Reading, sheet: Sheet) -> None:
    """Read every table of a sheet."""
    _SheetReader(reading, sheet).run()


class _SheetReader:
    def __init__(self, reading: Reading, sheet: Sheet) -> None:
        self.reading = reading
        self.kind = reading.kind
        self.notes = reading.notes
        self.sheet = laid_out(sheet, self.kind)
        self.segments: list[Segment] = []
        self.before: list[int] = []
        self.title: tuple[int, str] | None = None
        self.hidden: list[int] = []
        self.headers = HeaderReader(reading, self.sheet)
        self.cells = CellReader(reading, self.sheet)

    # Lines of the sheet, one after the other.

    def run(self) -> None:
        """Go through the rows once."""
        skip = -1
        for start, rows in self.sheet.blocks():
            for i, row in enumerate(rows):
                at = start + i
                if at <= skip or not filled(row):
                    continue
                line = line_at(rows, i, self.kind) if self._may_head(row) else None
                if line is not None:
                    self._open(Line(at, line.lines, line.headers, line.part, line.known), rows, start)
                    skip = self.segments[-1].line.last
                elif not self.segments:
                    self._above(at, row)
                else:
                    self._line(at, row)
            for segment in self.segments:
                self._flush(segment)
        self._finish()

    def _may_head(self, row: Row) -> bool:
        """Whether some cell of a row is a known header, or the line above one may be."""
        if not self.segments:
            return True
        texts = [raw for raw in row if isinstance(raw, str)][:4]
        return any(not text[:1].isdigit() and normal(text.strip()) in self.kind.headers for text in texts)

    def _above(self, at: int, row: Row) -> None:
        texts = [str(raw) for raw in row if not is_missing(raw)]
        if self.reading.period is None and (found := times.period_in(" ".join(texts))):
            self.reading.period, self.reading.period_from = found, "line above the table"
        if texts:
            self.before.append(at)
            self.title = (at, texts[0].strip())

    def _open(self, line: Line, rows: list[Row], start: int) -> None:
        current = self.segments[-1] if self.segments else None
        title = self.title[1] if self.title else ""
        parent = None
        if line.part.under:
            parent = next((one for one in reversed(self.segments) if one.part.table == line.part.under), None)
        elif self.title and (current is None or line.part.stacked):
            self.before = [at for at in self.before if not (line.part.stacked and at == self.title[0])]
        self.title = None
        segment = Segment(line, self.headers.fields(line), title, parent)
        if parent is not None:
            segment.carried = self._carried(parent, line.part)
        self.segments.append(segment)
        if line.part not in self.reading.parts:
            self.reading.parts.append(line.part)
        if line.lines == 2:
            self._tell("two_row_header", rows=[line.row + 1, line.row + 2])
        below = line.last - start + 1
        if below < len(rows) and self._explains(segment, rows[below]):
            self._tell("line_under_header", row=line.last + 2, rows=[line.last + 2])
            segment.line = Line(line.row, line.lines + 1, line.headers, line.part, line.known)

    def _explains(self, segment: Segment, row: Row) -> bool:
        """Whether a row under the headers holds words where all columns of numbers and times want values."""
        readable = unreadable = 0
        for one in segment.fields:
            raw = row[one.at] if one.at < len(row) else None
            if one.unit not in ("text", "id") and not is_missing(raw):
                try:
                    fault = one.read(raw)[0].fault
                except times.YearMissing:
                    fault = ""
                if fault == "unreadable":
                    unreadable += 1
                else:
                    readable += 1
        return readable == 0 and unreadable >= 2

    def _line(self, at: int, row: Row) -> None:
        segment = self.segments[-1]
        if segment.parent is not None and row and not is_missing(row[0]):
            # A line with a name in its first cell is a line of the table above again.
            again = segment.parent
            segment = Segment(again.line, again.fields, again.title, again=True)
            self.segments.append(segment)
        texts = [str(raw).strip() for raw in row if not is_missing(raw)]
        if not texts:
            return
        wide = len(segment.fields) >= 3
        if wide and (len(texts) == 1 or (len(texts) <= 2 and texts[0].startswith(_NOTES))):
            total = texts[0] in TOTALS
            if not total:
                self._tell_after()
                self.title = (at, texts[0])
                return
        self._tell_after()
        if at + 1 in self.sheet.hidden:
            self.hidden.append(at + 1)
        segment.rows.append((at, row))
        segment.last = row

    def _tell_after(self) -> None:
        if self.title is not None:
            at = self.title[0]
            self._tell("line_after_table", self.title[1], row=at + 1, rows=[at + 1])
            self.title = None

    def _finish(self) -> None:
        if not self.segments:
            text = next((str(raw) for row in self.sheet.rows for raw in row if not is_missing(raw)), None)
            first = next((str(raw) for row in self.sheet.rows for raw in row if raw is not None), None)
            if (text or first) is not None:
                self._tell("sheet_without_table", str(text or first))
            return
        self._tell_after()
        if self.sheet.dimension is not None:
            self._tell("wrong_dimension", self.sheet.dimension)
        if self.before:
            self._tell("lines_before_header", rows=[at + 1 for at in self.before])
        if self.hidden:
            self._tell("hidden_rows_read", rows=self.hidden)
        if self.sheet.across:
            self._tell("wide_by_day")
        if self.headers.personal:
            self._tell(
                "personal_columns", headers=list(dict.fromkeys(self.headers.personal)), action="not read"
            )
        again = [one for one in self.segments if not one.again and one.parent is None]
        tables = [one.part for one in again]
        if len(again) > 1 and (again[0].part.stacked or len({id(part) for part in tables}) < len(tables)):
            self._tell(
                "stacked_tables",
                titles=[one.title for one in again],
                first_rows=[one.line.last + 2 for one in again],
            )

    def _tell(self, code: str, text: str = "", **more: Any) -> None:
        self.notes.tell(code, text, sheet=self.sheet.name, **more)

    def _carried(self, parent: Segment, part: Part) -> dict[str, Any]:
        same = (segment for segment in reversed(self.segments) if segment.line is parent.line)
        row = next((segment.last for segment in same if segment.last is not None), None)
        fields = {name: one for one in parent.fields for name in one.names}
        return {
            name: fields[name].read(row[fields[name].at])[0].value
            for name in part.carried
            if name in fields and row is not None and fields[name].at < len(row)
        }

    # Data.

    def _flush(self, segment: Segment) -> None:
        """Read the rows gathered so far into a block of columns."""
        data: list[tuple[int, Row]] = []
        dimensions: list[str | None] = []
        for at, row in segment.rows:
            label, one = self._total(segment, row)
            if one is None:
                data.append((at, row))
                dimensions.append(None)
            elif label in SUBTOTALS or self._dated(segment, row, one):
                data.append((at, row))
                dimensions.append(one.names[0])
            else:
                self._set_aside(segment, at, row, label, one)
        if segment.flushed and not segment.rows:
            return
        segment.rows, segment.flushed = [], True
        columns: dict[str, dict[str, pd.Series]] = {"": {}}
        halves: dict[str, dict[str, list[float]]] = {}
        columns[""] |= {
            name: typed([value] * len(data), canonical()[name]["unit"])
            for name, value in segment.carried.items()
        }
        if segment.part.stacked:
            columns[""][segment.part.stacked] = typed([segment.title or None] * len(data), "text")
        for one in segment.fields:
            found, half = self.cells.read(one, data)
            columns.setdefault(one.prefix, {}).update(found)
            if half is not None:
                halves.setdefault(one.prefix, {})[one.names[0]] = half
        self._remember(segment)
        rows = np.array([at + 1 for at, _ in data], dtype=np.int64)
        totals = dimensions if any(dimensions) else []
        self.reading.blocks.append(Block(segment.part, self.sheet.name, columns, halves, rows, totals))

    def _remember(self, segment: Segment) -> None:
        for one in segment.fields:
            for name in one.names:
                known = self.reading.headers.setdefault((segment.part.table, one.prefix, name), [])
                if (one.column, one.header) not in known:
                    known.append((one.column, one.header))
                if not one.prefix:
                    self.reading.places[segment.part.table, name] = one.at

    def _total(self, segment: Segment, row: Row) -> tuple[str, Field | None]:
        labels = [one for one in segment.fields if one.is_label]
        for place, one in enumerate(labels):
            raw = row[one.at] if one.at < len(row) else None
            if not isinstance(raw, str):
                continue
            text = plain(raw).strip("：: ")
            in_key = one.names[0] in segment.part.key
            if text in TOTALS and (place < 3 or in_key):
                return text, one
            if text in SUBTOTALS and in_key and one.unit == "text":
                return text, one
        return "", None

    def _dated(self, segment: Segment, row: Row, total: Field) -> bool:
        """Whether a total row still has another key of its own: then it adds up some rows, not all."""
        for one in segment.fields:
            if one.names[0] in segment.part.key and one is not total and total.unit == "text":
                raw = row[one.at] if one.at < len(row) else None
                if not is_missing(raw) and one.read(raw)[0].value is not None:
                    return True
        return False

    def _set_aside(self, segment: Segment, at: int, row: Row, label: str, total: Field) -> None:
        values: dict[str, Any] = {}
        halves: dict[str, float] = {}
        for one in segment.fields:
            raw = row[one.at] if one.at < len(row) else None
            read = one.read(raw) if not one.is_label or one.unit == "text" else None
            for i, name in enumerate(one.names if not one.prefix else ()):
                values[name] = read[i].value if read is not None else None
            if read is not None and read[0].half and one.unit != "ratio":
                halves[one.names[0]] = read[0].half
                self.cells.rounded(one, at, read[0].half)
        if self.sheet.across:
            address = self.sheet.address(at, segment.line.row)
            self._tell("total_column", label, cell=address, column=address.rstrip("0123456789"), label=label)
        else:
            table = segment.part.table
            self._tell("total_row", label, row=at + 1, rows=[at + 1], label=label, table=table)
        self.reading.totals.append(Total(segment.part, values, label, self.sheet.name, at + 1, halves))
