"""What every result is: a tidy table, a figure, a sentence, one line of text, and HTML that trusts no name."""

from __future__ import annotations

import html
import math
import numbers
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS_SHOWN = 60


class Result:
    """The five faces: `table`, `plot`, `sentence`, `repr` and HTML. Subclasses give the first three."""

    table: pd.DataFrame
    #: Columns of `table` that hold rates between 0 and 1, shown as per cent.
    rates: ClassVar[frozenset[str]] = frozenset()

    def sentence(self) -> str:
        """The finding in words, with its caveat."""
        raise NotImplementedError

    def plot(self, ax: Axes | None = None) -> Axes:
        """The finding as a figure."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.sentence()}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.sentence())}</p>\n{html_table(self.table, self.rates)}"


def percent(rate: float | None, digits: int | None = None) -> str:
    """A rate as per cent; small rates keep two significant figures."""
    if rate is None or math.isnan(rate):
        return "–"
    if digits is None:
        size = abs(rate) * 100
        digits = 1 if size >= 1 or size == 0 else min(6, 1 - math.floor(math.log10(size)))
    return f"{rate * 100:.{digits}f} %"


def percent_interval(low: float, high: float) -> str:
    """An interval of a rate as per cent."""
    digits = 1 if low >= 0.01 else 2 if low >= 0.001 or high >= 0.01 else None
    return f"{percent(low, digits).removesuffix(' %')} to {percent(high, digits)}"


def count(number: float) -> str:
    """A count with thousands set apart."""
    return f"{number:,.0f}"


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """A count with its noun in the right number."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def some(names: list[str], most: int = 12) -> str:
    """Names as a list in a sentence, cut where it grows long."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def refuse_taken(by: Collection[str], columns: Collection[str]) -> None:
    """Refuse groups named as a column of the result itself: one of the two would be lost."""
    for name in by:
        if name in columns:
            raise ValueError(
                f"{name!r} cannot name groups, for the result has a column of that name itself; rename or drop "
                "that column of the data, and read it again"
            )


def p_value(p: float) -> str:
    """A p value; far below any threshold its digits say nothing."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def cell(value: Any, column: str = "", rates: frozenset[str] = frozenset()) -> str:
    """One value of a table as text."""
    if pd.isna(value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    number = float(value)
    if column in rates:
        return percent(number)
    if column == "p" or column.startswith("p_"):
        return p_value(number)
    return count(number) if number.is_integer() or abs(number) >= 10_000 else f"{number:.4g}"


def html_table(frame: pd.DataFrame, rates: frozenset[str] = frozenset()) -> str:
    """A frame as an HTML table without colours or styles of its own; every name and value is escaped."""
    shown = frame.head(ROWS_SHOWN)
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in shown.columns)
    lines = []
    for row in shown.itertuples(index=False, name=None):
        cells = (
            f"<td>{html.escape(cell(value, str(column), rates))}</td>"
            for column, value in zip(shown.columns, row, strict=True)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    cut = "" if len(frame) <= ROWS_SHOWN else f"<p>{len(frame) - ROWS_SHOWN:,} more rows in .table</p>"
    return (
        f'<table border="0" class="dataframe"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>{cut}"
    )
