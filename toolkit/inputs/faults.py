"""Why a file cannot be read, and what was met in one that can."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Code = Literal[
    "empty_file",
    "not_an_export",
    "password",
    "corrupt",
    "too_large",
    "unknown_kind",
    "ambiguous_kind",
    "year_missing",
]
#: What each problem means for who reads the numbers.
MEANINGS = {
    "ambiguous_header": "this header has more than one meaning",
    "duplicate_rows": "rows of one key stand more than once",
    "duplicate_session": "one session stands in several downloads and the latest is kept",
    "encoding": "the encoding of the text",
    "error_value": "the cells hold an error such as #DIV/0! and are missing",
    "estimates": "a third party's estimates, not counts",
    "files_skipped": "these files are no export of this kind and were not read",
    "formula_value_used": "the cells hold formulas and the values that were stored with them are used",
    "formula_without_value": "formulas without a stored value are missing: open the file in a spreadsheet and save it",
    "header_normalised": "read as the same header in the usual signs",
    "hidden_rows_read": "rows that are hidden in the spreadsheet are read too",
    "id_damaged": "ids that lost digits in a spreadsheet are missing: export again and do not open the file",
    "id_was_number": "the ids were kept as numbers: leading zeros may be lost",
    "line_after_table": "a line behind the table is no row",
    "line_under_header": "a line of explanations under the headers is no row",
    "lines_before_header": "lines above the headers are no rows",
    "masked_ids": "starred names tell no buyers apart",
    "merged_cells_filled": "merged cells: each row has the value of the cell above",
    "no_rows": "headers and no rows: was the period empty?",
    "not_final": "the platform fills this in later; it is missing",
    "not_what_the_name_says": "the file is read as what it is, not as its name says",
    "older_header": "an older name of a known header",
    "percent_without_sign": "shares without a sign",
    "personal_columns": "columns about a person are not read",
    "rounded": "shortened counts, such as 1.2万: intervals are as much wider",
    "serial_dates": "days kept as a spreadsheet's numbers are read as days",
    "sheet_without_table": "a sheet holds no table of this kind",
    "stacked_tables": "several tables stand under each other in one sheet",
    "subtotal_rows": "rows that add up others are set aside in .totals",
    "total_column": "a column that adds up others is set aside in .totals",
    "total_exceeds_parts": "the total counts rows that are not in the file",
    "total_row": "a total is set aside in .totals",
    "two_headers_one_meaning": "two headers mean the same and are not added up",
    "two_row_header": "two lines of headers are read as one",
    "unit_scaled": "read in yuan and single counts, whatever the header's unit",
    "unknown_header": "not known and not read; the nearest known one is a guess, see .draft_definition()",
    "unreadable_cell": "these cells hold no number or time and are missing",
    "wide_by_day": "days run across and are turned into rows",
    "window_open": "the window was not over at the download: lower bounds",
    "wrong_dimension": "the sheet misstates its size; all its rows are read",
    "year_from_period": "days without a year take it from the period",
}
#: Cells that one problem lists; a file of a million rounded counts is told by its first ones and their number.
CELLS_TOLD = 1000


class ExportError(ValueError):
    """A file that is no export, or that cannot be read safely.

    Attributes
    ----------
    code : str
        What is wrong, in one word.
    found : str
        What the file holds instead.
    draft : str
        For headers met for the first time, a definition to start from.
    """

    def __init__(self, code: Code, text: str, *, found: str = "", draft: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.found = found
        self.draft = draft


@dataclass(frozen=True)
class Problem:
    """Something that a reader of the numbers must know, and where it stands."""

    code: str
    file: str
    sheet: str | None = None
    cell: str | None = None
    text: str = ""
    more: dict[str, Any] = field(default_factory=dict, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The problem with all that is known of it, without empty fields."""
        own = {
            "code": self.code,
            "file": self.file,
            "sheet": self.sheet,
            "cell": self.cell,
            "text": self.text,
        }
        return {name: value for name, value in {**own, **self.more}.items() if value not in (None, "")}


class Notes:
    """Problems as they are met in one file; those of one column's cells are told together."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.told: list[Problem] = []
        self._cells: dict[tuple[str, str | None, str], dict[str, Any]] = {}

    def tell(self, code: str, text: str = "", *, sheet: str | None = None, **more: Any) -> None:
        """One problem."""
        cell = more.pop("cell", None)
        self.told.append(Problem(code, self.file, sheet, cell, text, more))

    def tell_cell(self, code: str, column: str, cell: str, *, sheet: str | None = None, **more: Any) -> None:
        """One cell of a problem that is told once a column; `half_width` and `text` are listed beside it."""
        kept = self._cells.setdefault((code, sheet, column), {"cells": [], "number": 0})
        kept["number"] += 1
        if len(kept["cells"]) < CELLS_TOLD:
            kept["cells"].append(cell)
            for name, value in more.items():
                kept.setdefault(name, []).append(value)

    def all(self) -> list[Problem]:
        """Every problem, those of cells behind those of the file, its lines and its headers."""
        told = list(self.told)
        for (code, sheet, column), kept in self._cells.items():
            cells = kept["cells"]
            texts = list(dict.fromkeys(kept.pop("texts", [])))
            more = {"column": column, **kept, **({"texts": texts} if texts else {})}
            told.append(Problem(code, self.file, sheet, cells[0], ", ".join(texts[:3]), more))
        return told


def codes(problems: Iterable[Problem]) -> list[str]:
    """The codes of problems, each once, in order."""
    return list(dict.fromkeys(problem.code for problem in problems))
