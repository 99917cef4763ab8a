"""From a line of headers to fields: what each header means, and what is told of those that are not used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolkit.inputs import cells, times
from toolkit.inputs.cells import Cell, plain
from toolkit.inputs.definitions import canonical
from toolkit.inputs.exports.headers import Line, nearest
from toolkit.inputs.exports.kinds import Column, Meaning
from toolkit.inputs.exports.readings import Field, Reading
from toolkit.inputs.files.sheets import Sheet

#: A row or a column named so adds up the others.
TOTALS = frozenset({"合计", "总计", "整体", "总和", "汇总", "共计", "总合计", "total", "Total", "TOTAL"})


class HeaderReader:
    """Reads the header lines of one sheet; headers about persons are listed in `personal`."""

    def __init__(self, reading: Reading, sheet: Sheet) -> None:
        self.reading = reading
        self.kind = reading.kind
        self.sheet = sheet
        self.personal: list[str] = []

    def fields(self, line: Line) -> list[Field]:
        """The fields of a header line; what is not used is told."""
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
        assert column is not None
        unit = "datetime" if column.span else canonical()[column.metric]["unit"]
        return Field(
            at, header, column, column.names, unit, self._reader(column, unit, meaning), meaning.prefix
        )

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
                action = (
                    f"neither used: they differ in {differ} of {both} rows"
                    if differ
                    else "the first is used: they agree"
                )
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

    def _tell(self, code: str, **more: Any) -> None:
        self.reading.notes.tell(code, sheet=self.sheet.name, **more)
