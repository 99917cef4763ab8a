"""From the cells under a header to values: what cannot be read is missing, and told with its place."""

from __future__ import annotations

from typing import Any

import pandas as pd

from toolkit.inputs import cells, times
from toolkit.inputs.cells import Cell
from toolkit.inputs.columns import typed
from toolkit.inputs.exports.readings import Field, Reading
from toolkit.inputs.faults import ExportError
from toolkit.inputs.files.sheets import Row, Sheet

#: Cells of one column that are told one by one.
TOLD_ALONE = 100
#: Texts of one column whose reading is remembered.
REMEMBERED = 5_000


class CellReader:
    """Reads the cells of one sheet."""

    def __init__(self, reading: Reading, sheet: Sheet) -> None:
        self.reading = reading
        self.kind = reading.kind
        self.notes = reading.notes
        self.sheet = sheet
        self.merged = self._merged()

    def rounded(self, one: Field, at: int, half: float) -> None:
        """Tell a count that was shortened, as 1.2万."""
        cell = self.sheet.address(at, one.at)
        self.notes.tell_cell("rounded", one.names[0], cell, sheet=self.sheet.name, half_width=half)

    def read(
        self, one: Field, data: list[tuple[int, Row]]
    ) -> tuple[dict[str, pd.Series], list[float] | None]:
        """The columns that a field fills, and half the width that its values were rounded to."""
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
                self.rounded(one, at, read[0].half)
        return {
            one_name: typed(values, one.unit) for one_name, values in zip(one.names, found, strict=True)
        }, halves

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
        if isinstance(raw, str) and not fault and len(one.seen) < REMEMBERED:
            one.seen[raw] = read
        return read

    def _once(self, one: Field, code: str, name: str) -> None:
        """A problem of a whole column, told with its first cell."""
        if code in one.once:
            return
        one.once.add(code)
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

    def _tell(self, code: str, text: str = "", **more: Any) -> None:
        self.notes.tell(code, text, sheet=self.sheet.name, **more)
