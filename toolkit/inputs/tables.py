"""From the rows of a sheet to tidy tables: headers, data, totals set aside, and all that was met on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from toolkit.inputs import cells, times
from toolkit.inputs.cells import Cell, is_missing, plain
from toolkit.inputs.definitions import LABELS, canonical
from toolkit.inputs.faults import ExportError, Notes
from toolkit.inputs.headers import Line, headers_of, laid_out, line_at, nearest
from toolkit.inputs.kinds import Column, Kind, Meaning, Part, normal
from toolkit.inputs.sheets import Row, Sheet, filled

#: A row named so adds up the others; so does a row with such a value in one of its dimensions.
TOTALS = frozenset({"合计", "总计", "整体", "总和", "汇总", "共计", "总合计", "total", "Total", "TOTAL"})
SUBTOTALS = frozenset({"不限", "全部", "小计", "ALL", "All"})
_NOTES = ("注", "备注", "说明", "数据来源", "数据更新", "数据说明", "*", "※")
#: Cells of one column that are told one by one.
TOLD_ALONE = 100


@dataclass
class Field:
    """A header in use: where it stands, what it means, and how its cells are read."""

    at: int
    header: str
    column: Column
    names: tuple[str, ...]
    unit: str
    read: Callable[[Any], tuple[Cell, ...]]
    prefix: str = ""
    seen: dict[Any, tuple[Cell, ...]] = field(default_factory=dict)
    told: int = 0

    @property
    def is_label(self) -> bool:
        """Whether it names, identifies or dates a row."""
        return self.unit in LABELS


@dataclass
class Segment:
    """A table under one header line, or a block of lines under another table."""

    line: Line
    fields: list[Field]
    title: str = ""
    parent: Segment | None = None
    carried: dict[str, Any] = field(default_factory=dict)
    rows: list[tuple[int, Row]] = field(default_factory=list)
    again: bool = False
    flushed: bool = False

    @property
    def part(self) -> Part:
        """The table of the kind that it fills."""
        return self.line.part


@dataclass
class Block:
    """Rows of one table as columns of values; the columns of a prefix are kept apart.

    `halves` holds half the width that counts were rounded to, `rows` the numbers of the rows in the sheet, and
    `dimensions` the column that makes a row a total over other rows.
    """

    part: Part
    sheet: str | None
    columns: dict[str, dict[str, list[Any]]]
    halves: dict[str, dict[str, list[float]]]
    rows: list[int]
    dimensions: list[str | None]


@dataclass
class Total:
    """A row set aside because it adds up others."""

    part: Part
    values: dict[str, Any]
    label: str
    sheet: str | None
    row: int
    halves: dict[str, float] = field(default_factory=dict)


@dataclass
class Reading:
    """One file as tables are read from it."""

    kind: Kind
    notes: Notes
    period: times.Period | None = None
    period_from: str = "file name"
    blocks: list[Block] = field(default_factory=list)
    totals: list[Total] = field(default_factory=list)
    headers: dict[tuple[str, str, str], list[tuple[Column, str]]] = field(default_factory=dict)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    unsigned: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def read(self, sheet: Sheet) -> None:
        """Read every table of a sheet."""
        _SheetReader(self, sheet).run()


class _SheetReader:
    def __init__(self, reading: Reading, sheet: Sheet) -> None:
        self.reading = reading
        self.kind = reading.kind
        self.notes = reading.notes
        self.sheet = laid_out(sheet, self.kind)
        self.segments: list[Segment] = []
        self.before: list[int] = []
        self.title: tuple[int, str] | None = None
        self.personal: list[str] = []
        self.hidden: list[int] = []
        self.merged = self._merged()

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
        segment = Segment(line, self._fields(line), title, parent)
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
        if self.personal:
            self._tell("personal_columns", headers=list(dict.fromkeys(self.personal)), action="not read")
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

    # Headers.

    def _fields(self, line: Line) -> list[Field]:
        found: list[Field] = []
        for at, header in enumerate(line.headers):
            if not header:
                continue
            meaning = line.part.meaning(header)
            cell = self.sheet.address(line.last, at)
            if meaning.what == "personal":
                self.personal.append(header)
            elif meaning.what == "ambiguous":
                beside = meaning.beside in line.headers
                action = f"not used: {meaning.beside} is there" if beside else "not used"
                candidates = list(meaning.candidates)
                self._tell("ambiguous_header", cell=cell, header=header, candidates=candidates, action=action)
            elif meaning.what == "unknown":
                if plain(header) in TOTALS:
                    self._tell("total_column", cell=cell, header=header, column=header)
                else:
                    self._tell(
                        "unknown_header",
                        cell=cell,
                        header=header,
                        nearest=nearest(header, self.kind),
                        action="not used",
                    )
            if meaning.column is None:
                continue
            if meaning.what == "older":
                self._tell("older_header", cell=cell, header=header, now=meaning.now)
            elif meaning.normalised:
                self._tell("header_normalised", cell=cell, header=header, now=meaning.now)
            if meaning.scale != 1.0:
                names = meaning.column.metric
                self._tell("unit_scaled", cell=cell, header=header, column=names, factor=meaning.scale)
            found.append(self._field(at, header, meaning))
        return self._one_each(found, line)

    def _field(self, at: int, header: str, meaning: Meaning) -> Field:
        column = meaning.column
        assert column is not None  # noqa: S101 - the caller looked
        unit = "datetime" if column.span else canonical()[column.metric]["unit"]
        return Field(at, header, column, column.names, unit, self._reader(column, unit, meaning), meaning.prefix)

    def _reader(self, column: Column, unit: str, meaning: Meaning) -> Callable[[Any], tuple[Cell, ...]]:
        if column.span:
            return times.span
        if column.ranged:
            return lambda raw: cells.bounds(raw, column.form, unit == "ratio", scale=meaning.scale)
        if unit == "ratio":
            return lambda raw: (cells.ratio(raw, column.form),)
        if unit == "seconds":
            return lambda raw: (cells.seconds(raw, meaning.seconds),)
        if unit in ("datetime", "date"):
            from_1904 = self.sheet.days_from_1904
            return lambda raw: (times.moment(raw, self.reading.period, from_1904=from_1904),)
        plainer: dict[str, Callable[[Any], Cell]] = {
            "id": cells.identifier,
            "hour": cells.hour,
            "text": cells.carrier if column.metric == "carrier" else cells.words,
        }
        read = plainer.get(unit)
        if read is not None:
            return lambda raw: (read(raw),)
        return lambda raw: (cells.number(raw, scale=meaning.scale),)

    def _one_each(self, found: list[Field], line: Line) -> list[Field]:
        """One header for each meaning: of two that disagree neither is used."""
        kept: list[Field] = []
        for one in found:
            rivals = [other for other in found if (other.prefix, other.names) == (one.prefix, one.names)]
            if len(rivals) == 1:
                kept.append(one)
            elif one is rivals[0]:
                differ, both = self._differ(rivals, line)
                action = f"neither used: they differ in {differ} of {both} rows" if differ else "the first is used: they agree"
                self._tell(
                    "two_headers_one_meaning",
                    headers=[other.header for other in rivals],
                    cells=[self.sheet.address(line.last, other.at) for other in rivals],
                    metric=one.column.metric,
                    action=action,
                )
                if not differ:
                    kept.append(one)
        return kept

    def _differ(self, rivals: list[Field], line: Line) -> tuple[int, int]:
        differ = both = 0
        for row in self.sheet.rows[line.last + 1 :]:
            values = [one.read(row[one.at])[0].value for one in rivals if one.at < len(row)]
            there = {value for value in values if value is not None}
            both += len([value for value in values if value is not None]) > 1
            differ += len(there) > 1
        return differ, both

    def _carried(self, parent: Segment, part: Part) -> dict[str, Any]:
        row = self.last_row(parent)
        fields = {name: one for one in parent.fields for name in one.names}
        return {
            name: fields[name].read(row[fields[name].at])[0].value
            for name in part.carried
            if name in fields and row is not None and fields[name].at < len(row)
        }

    def last_row(self, parent: Segment) -> Row | None:
        """The last line of the table that a block stands under."""
        for segment in reversed(self.segments):
            if segment.line is parent.line and segment.rows:
                return segment.rows[-1][1]
        return None

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
        columns: dict[str, dict[str, list[Any]]] = {"": {}}
        halves: dict[str, dict[str, list[float]]] = {}
        columns[""] |= {name: [value] * len(data) for name, value in segment.carried.items()}
        if segment.part.stacked:
            columns[""][segment.part.stacked] = [segment.title or None] * len(data)
        for one in segment.fields:
            found, half = self._read(one, data)
            columns.setdefault(one.prefix, {}).update(found)
            if half is not None:
                halves.setdefault(one.prefix, {})[one.names[0]] = half
        self._remember(segment)
        rows = [at + 1 for at, _ in data]
        self.reading.blocks.append(Block(segment.part, self.sheet.name, columns, halves, rows, dimensions))

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
                self._rounded(one, at, read[0].half)
        if self.sheet.across:
            address = self.sheet.address(at, segment.line.row)
            self._tell("total_column", label, cell=address, column=address.rstrip("0123456789"), label=label)
        else:
            table = segment.part.table
            self._tell("total_row", label, row=at + 1, rows=[at + 1], label=label, table=table)
        self.reading.totals.append(Total(segment.part, values, label, self.sheet.name, at + 1, halves))

    def _rounded(self, one: Field, at: int, half: float) -> None:
        cell = self.sheet.address(at, one.at)
        self.notes.tell_cell("rounded", one.names[0], cell, sheet=self.sheet.name, half_width=half)

    def _read(
        self, one: Field, data: list[tuple[int, Row]]
    ) -> tuple[dict[str, list[Any]], list[float] | None]:
        found: list[list[Any]] = [[] for _ in one.names]
        halves: list[float] | None = None
        name = one.column.metric if one.column.ranged else one.names[0]
        nothing = (cells.EMPTY,) * len(one.names)
        plainly = not (self.sheet.formulas or self.sheet.errors or self.merged)
        for count, (at, row) in enumerate(data):
            raw = row[one.at] if one.at < len(row) else None
            if not plainly:
                raw = self._stored(one, at, raw, name)
            read = nothing if raw is None else one.seen.get(raw) if isinstance(raw, str) else None
            if read is None:
                read = self._cell(one, at, raw, name)
            for values, cell in zip(found, read, strict=True):
                values.append(cell.value)
            if read[0].half and one.unit != "ratio" and not one.column.ranged:
                if halves is None:
                    halves = [0.0] * len(data)
                halves[count] = read[0].half
                self._rounded(one, at, read[0].half)
        return dict(zip(one.names, found, strict=True)), halves

    def _cell(self, one: Field, at: int, raw: Any, name: str) -> tuple[Cell, ...]:
        """One cell read, and told where something is wrong with it; text that is fine is remembered."""
        address = self.sheet.address(at, one.at)
        sheet = self.sheet.name
        if isinstance(raw, str) and raw.strip() in self.kind.not_final:
            self._tell("not_final", raw.strip(), cell=address, column=name)
            return (cells.EMPTY,) * len(one.names)
        try:
            read = one.read(raw)
        except times.YearMissing:
            raise ExportError(
                "year_missing",
                f"{self.notes.file}: {address} holds {raw!r}, a day without a year, and neither the file's name nor a "
                "line above the table tells the period; put it into the name, as ..._2025-12-20_2026-01-05",
            ) from None
        fault = next((cell.fault for cell in read if cell.fault), "")
        if fault == "unreadable":
            if one.told < TOLD_ALONE:
                self._tell("unreadable_cell", str(raw), cell=address, column=name)
            else:
                self.notes.tell_cell("unreadable_cell", name, address, sheet=sheet)
            one.told += 1
        elif fault == "yearless":
            self._once(one, "year_from_period", name)
        elif fault:
            code = {"damaged": "id_damaged", "was_number": "id_was_number", "serial": "serial_dates"}[fault]
            self.notes.tell_cell(code, name, address, sheet=sheet, texts=str(raw))
        if not read[0].signed and one.column.form_told and name not in self.reading.unsigned:
            self.reading.unsigned.append(name)
        if one.header in self.kind.masked and isinstance(raw, str) and "*" in raw:
            self._once(one, "masked_ids", name)
        if isinstance(raw, str) and not fault and len(one.seen) < 50_000:
            one.seen[raw] = read
        return read

    def _once(self, one: Field, code: str, name: str) -> None:
        """A problem of a whole column, told with its first cell."""
        if one.told:
            return
        one.told = 1
        if code == "masked_ids":
            meaning = "starred names: two buyers can share one, so nothing about repeat buyers follows"
            self._tell(code, meaning, column=name, header=one.header, meaning=meaning)
        elif self.reading.period is not None:
            period = [day.isoformat() for day in self.reading.period]
            self._tell(code, column=name, period=period, source=self.reading.period_from)

    def _stored(self, one: Field, at: int, raw: Any, name: str) -> Any:
        """What a cell holds where the file keeps a formula or an error, or where it is merged with one above."""
        there = (at, one.at)
        address, sheet = self.sheet.address(at, one.at), self.sheet.name
        if there in self.sheet.errors:
            self.notes.tell_cell("error_value", name, address, sheet=sheet)
            return None
        if there in self.sheet.valueless:
            self.notes.tell_cell("formula_without_value", name, address, sheet=sheet)
            return None
        if there in self.sheet.formulas:
            self.notes.tell_cell("formula_value_used", name, address, sheet=sheet)
        elif raw is None and one.is_label and there in self.merged:
            self.notes.tell_cell("merged_cells_filled", name, address, sheet=sheet)
            return self.merged[there]
        return raw

    def _merged(self) -> dict[tuple[int, int], Any]:
        """Cells that are merged with one above them, with what stands there."""
        filled_in: dict[tuple[int, int], Any] = {}
        for (top, left), (bottom, right) in self.sheet.merged:
            if bottom > top and top < len(self.sheet.rows) and left < len(self.sheet.rows[top]):
                value = self.sheet.rows[top][left]
                bottom, right = min(bottom, len(self.sheet.rows) - 1), min(right, left)
                filled_in |= {(row, left): value for row in range(top + 1, bottom + 1)}
        return filled_in
