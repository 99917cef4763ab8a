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
