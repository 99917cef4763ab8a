"""What every result is: a tidy table, a figure, a sentence, one line of text, and HTML that trusts no name."""

from __future__ import annotations

import html
import numbers
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from toolkit.wording import count, p_value, percent, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS_SHOWN = 60


class Result:
    """The five faces: `table`, `plot`, `sentence`, `repr` and HTML. Subclasses give the first three."""

    table: pd.DataFrame
    #: Columns of `table` that hold rates between 0 and 1, shown as per cent.
    rates: ClassVar[frozenset[str]] = frozenset()
    #: Columns of `table` that hold differences of rates, shown in percentage points.
    differences: ClassVar[frozenset[str]] = frozenset()

    def sentence(self) -> str:
        """The finding in words, with its caveat."""
        raise NotImplementedError

    def plot(self, ax: Axes | None = None) -> Axes:
        """The finding as a figure."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.sentence()}"

    def _repr_html_(self) -> str:
        return (
            f"<p>{html.escape(self.sentence())}</p>\n{html_table(self.table, self.rates, self.differences)}"
        )


def cell(
    value: Any,
    column: str = "",
    rates: frozenset[str] = frozenset(),
    differences: frozenset[str] = frozenset(),
) -> str:
    """One value of a table as text."""
    if pd.isna(value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return str(value)
    number = float(value)
    if column in rates:
        return percent(number)
    if column in differences:
        return points(number, sign=False)
    if column == "p" or column.startswith("p_"):
        return p_value(number)
    return count(number) if number.is_integer() or abs(number) >= 10_000 else f"{number:.4g}"


def html_table(
    frame: pd.DataFrame, rates: frozenset[str] = frozenset(), differences: frozenset[str] = frozenset()
) -> str:
    """A frame as an HTML table without colours or styles of its own; every name and value is escaped."""
    shown = frame.head(ROWS_SHOWN)
    head = "".join(f"<th>{html.escape(str(column))}</th>" for column in shown.columns)
    lines = []
    for row in shown.itertuples(index=False, name=None):
        cells = (
            f"<td>{html.escape(cell(value, str(column), rates, differences))}</td>"
            for column, value in zip(shown.columns, row, strict=True)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    cut = "" if len(frame) <= ROWS_SHOWN else f"<p>{len(frame) - ROWS_SHOWN:,} more rows in .table</p>"
    return (
        f'<table border="0" class="dataframe"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>{cut}"
    )
