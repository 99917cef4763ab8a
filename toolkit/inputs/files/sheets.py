"""A sheet of cells as a file holds it: rows of raw values, and what only the file knows about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

Raw = str | int | float | bool | date | datetime | time | timedelta | None
Row = list[Raw]
#: A cell by its row and column, both counted from 0.
Place = tuple[int, int]


@dataclass
class Sheet:
    """Rows of one sheet, of one text file, or of one table of a page.

    `rows` are all rows, or the first ones of a long text file, whose others come from `rest` block by block.
    Places count from 0, addresses (A1) and row numbers from 1, as a reader sees them in a sheet.
    """

    name: str | None
    rows: list[Row]
    rest: Callable[[], Iterator[list[Row]]] | None = None
    formulas: frozenset[Place] = frozenset()
    valueless: frozenset[Place] = frozenset()
    errors: frozenset[Place] = frozenset()
    hidden: tuple[int, ...] = ()
    merged: tuple[tuple[Place, Place], ...] = ()
    dimension: str | None = None
    across: bool = False
    days_from_1904: bool = field(default=False)

    def blocks(self) -> Iterator[tuple[int, list[Row]]]:
        """Rows in blocks, each with the place of its first row."""
        yield 0, self.rows
        at = len(self.rows)
        if self.rest is not None:
            for block in self.rest():
                yield at, block
                at += len(block)

    def address(self, row: int, column: int) -> str:
        """A cell's address, as A1, in the sheet as it lies in the file."""
        return address(column, row) if self.across else address(row, column)

    def turned(self) -> Sheet:
        """The sheet with rows for columns, addresses kept."""
        width = max((len(row) for row in self.rows), default=0)
        rows = [[row[j] if j < len(row) else None for row in self.rows] for j in range(width)]

        def turn(places: frozenset[Place]) -> frozenset[Place]:
            return frozenset((column, row) for row, column in places)

        return Sheet(
            self.name,
            rows,
            formulas=turn(self.formulas),
            valueless=turn(self.valueless),
            errors=turn(self.errors),
            across=True,
            days_from_1904=self.days_from_1904,
        )


def address(row: int, column: int) -> str:
    """A1 for the first row and column.

    Examples
    --------
    >>> address(3, 27)
    'AB4'
    """
    letters = ""
    column += 1
    while column:
        column, left = divmod(column - 1, 26)
        letters = chr(65 + left) + letters
    return f"{letters}{row + 1}"


def place(text: str) -> Place:
    """Row and column of an address, counted from 0.

    Examples
    --------
    >>> place("AB4")
    (3, 27)
    """
    letters = text.rstrip("0123456789")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return int(text[len(letters) :] or 1) - 1, column - 1


def filled(row: Row) -> int:
    """How many cells of a row hold something."""
    return sum(1 for raw in row if not blank(raw))


def blank(raw: Raw) -> bool:
    """Whether a cell holds nothing to see."""
    return raw is None or (isinstance(raw, str) and not raw.strip().strip("\ufeff\u200b"))
