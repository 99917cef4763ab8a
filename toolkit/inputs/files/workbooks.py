"""Sheets of a workbook: its size is looked at before anything opens it."""

from __future__ import annotations

import zipfile
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum

from toolkit.inputs.faults import ExportError
from toolkit.inputs.files.bounds import SheetFacts, scan
from toolkit.inputs.files.sheets import Raw, Row, Sheet, place

_NO_FACTS = SheetFacts(None, None, frozenset(), frozenset(), frozenset(), ())
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def read_xlsx(path: Path) -> list[Sheet]:
    """The sheets of a workbook of XML, with what only its XML knows: formulas, errors, hidden lines."""
    facts = scan(path)
    parts, days_from_1904 = _parts(path)
    sheets = _opened(path)
    for sheet in sheets:
        known = facts.get(parts.get(sheet.name or "", ""), _NO_FACTS)
        sheet.formulas, sheet.valueless, sheet.errors = known.formulas, known.valueless, known.errors
        sheet.hidden, sheet.dimension, sheet.days_from_1904 = known.hidden, _wrong(known), days_from_1904
    return sheets


def read_xls(path: Path) -> list[Sheet]:
    """The sheets of a workbook of 1997 to 2003; it holds at most 65,536 rows of 256 columns."""
    return _opened(path)


def _opened(path: Path) -> list[Sheet]:
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            names = [about.name for about in book.sheets_metadata if about.typ == SheetTypeEnum.WorkSheet]
            opened = [book.get_sheet_by_name(name) for name in names]
            return [Sheet(one.name, _rows(one), merged=tuple(one.merged_cell_ranges or ())) for one in opened]
    except PasswordError as error:
        raise ExportError(
            "password", f"{path} has a password; open it and save it again without one"
        ) from error
    except CalamineError as error:
        raise _damaged(path, error) from error
    except BaseException as error:
        # An assertion of the reader comes as an exception of Rust, which is no Exception of Python.
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> ExportError:
    return ExportError("corrupt", f"{path} is cut off or damaged ({error}); download it again")


def _rows(sheet: CalamineSheet) -> list[Row]:
    """Rows from A1 on; the reader leaves out what is blank before the first cell."""
    start = sheet.start
    if start is None:
        return []
    rows: list[Row] = [[] for _ in range(start[0])]
    for row in islice(sheet.iter_rows(), sheet.height):
        cells: Row = [None] * start[1]
        cells.extend(_plain(raw) for raw in row)
        while cells and cells[-1] is None:
            cells.pop()
        rows.append(cells)
    return rows


def _plain(raw: Raw) -> Raw:
    return None if raw == "" else raw


def _parts(path: Path) -> tuple[dict[str, str], bool]:
    """The part of each sheet, by its name, and whether days count from 1904."""
    with zipfile.ZipFile(path) as archive:
        try:
            book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
            links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        except (KeyError, ElementTree.ParseError) as error:
            raise ExportError(
                "corrupt", f"{path} does not say which sheets it has ({error}); save it again"
            ) from error
    targets = {link.get("Id"): str(link.get("Target")).lstrip("/") for link in links}
    parts = {}
    for sheet in book.iter(f"{_MAIN}sheet"):
        target = targets.get(sheet.get(_LINK), "")
        parts[str(sheet.get("name"))] = target if target.startswith("xl/") else f"xl/{target}"
    properties = book.find(f"{_MAIN}workbookPr")
    return parts, properties is not None and properties.get("date1904") in ("1", "true")


def _wrong(facts: SheetFacts) -> str | None:
    """The size that a sheet claims, where its cells go further."""
    if facts.dimension is None or facts.corner is None:
        return None
    row, column = place(facts.dimension.rpartition(":")[2].replace("$", ""))
    return facts.dimension if row < facts.corner[0] or column < facts.corner[1] else None
