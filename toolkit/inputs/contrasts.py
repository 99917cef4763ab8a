"""One measure of two exports side by side, if they mean the same by it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from toolkit import wording
from toolkit.counts import confidence_level
from toolkit.inputs.definitions import Definition, comparable
from toolkit.inputs.exports.frames import Table
from toolkit.inputs.measures import derived, made_from, measure, said
from toolkit.results import Result
from toolkit.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class Contrast(Result):
    """A ratio of one export beside that of another, and their difference. Made by `Export.compare`.

    `table`: export, metric, estimate, low, high, n, a row for each ratio and one for the difference.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from toolkit import read_export
    >>> rows = {"主播抖音号": list("甲甲乙乙"), "直播开始时间": [f"2026/3/{day} 19:30" for day in (1, 2, 1, 3)],
    ...         "直播间观看人数": [1000, 1200, 900, 1100], "直播间成交人数": [40, 60, 27, 50]}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "直播明细.csv"
    >>> pd.DataFrame(rows).to_csv(file, index=False)
    >>> export = read_export(file)
    >>> export.compare(export, "buyers_per_viewer").table[["estimate", "n"]].round(3)
       estimate  n
    0     0.042  4
    1     0.042  4
    2     0.000  8
    """

    table: pd.DataFrame
    definitions: tuple[Definition, Definition]
    caveats: tuple[str, ...]
    confidence: float

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Whether the estimates are shares."""
        return frozenset({"estimate", "low", "high"}) if self.definitions[0].unit == "ratio" else frozenset()

    def sentence(self) -> str:
        """Both ratios, their difference with its interval, and what differs in their definitions."""
        first, second, gap = self.table.to_dict("records")
        apart = wording.points if self.rates else wording.amount
        listed = [f"{row['export']} {said(row, bool(self.rates))}" for row in (first, second)]
        rows = counted(int(first["n"] + second["n"]), "row")
        caveats = "".join(f"; {one}" for one in self.caveats)
        return (
            f"{first['metric']}: {listed[0]} against {listed[1]}, {apart(gap['estimate'])} apart "
            f"({wording.interval(gap, apart)}; {wording.interval_level(self.confidence)} over {rows}){caveats}."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Both ratios with their intervals."""
        from toolkit.inputs import plots

        shown = self.table.iloc[:2][["estimate", "low", "high"]].assign(name=self.table["export"].iloc[:2])
        return plots.estimates(shown, self.table["metric"].iloc[0], bool(self.rates), ax)


def contrast(
    ours: Table,
    theirs: Table,
    name: str,
    against: str | None = None,
    *,
    allow: Collection[str] = (),
    confidence: float = 0.95,
) -> Contrast:
    """Compare a ratio of two tables, after checking that both mean the same by it.

    Raises
    ------
    DefinitionMismatch
        Where they do not; it names both definitions, the difference and the nearest pair.

    Notes
    -----
    The difference has the square-and-add interval of both (Newcombe 1998, method 10): rows of two exports share
    nothing.
    """
    confidence = confidence_level(confidence)
    other = against or name
    first, second = _defined(ours, name), _defined(theirs, other)
    known = ([*ours.definitions.values()], [*theirs.definitions.values()])
    caveats = comparable(first, second, allow=allow, others=known)
    one, two = (
        measure(table, what, confidence=confidence) for table, what in ((ours, name), (theirs, other))
    )
    a, b = one.table.iloc[0], two.table.iloc[0]
    gap = a["estimate"] - b["estimate"]
    low = gap - math.hypot(a["estimate"] - a["low"], b["high"] - b["estimate"])
    high = gap + math.hypot(a["high"] - a["estimate"], b["estimate"] - b["low"])
    names = [first.platform or "first", second.platform or "second"]
    if names[0] == names[1]:
        names = [f"{name_} ({which})" for name_, which in zip(names, ("first", "second"), strict=True)]
    rows = [
        {"export": names[0], "metric": name, **_ends(a)},
        {"export": names[1], "metric": other, **_ends(b)},
        {
            "export": "difference",
            "metric": name,
            "estimate": gap,
            "low": low,
            "high": high,
            "n": a["n"] + b["n"],
        },
    ]
    parts = zip((one, two), names, strict=True)
    left = [f"{counted(part.left_out, part.row)} of {who} left out" for part, who in parts if part.left_out]
    return Contrast(pd.DataFrame(rows), (first, second), (*caveats, *left), confidence)


def _defined(table: Table, name: str) -> Definition:
    """The definition of a column as the file has it, else of the ratio made from two columns."""
    if name in table.definitions:
        return table.definitions[name]
    return derived(table, made_from(table, name))


def _ends(row: pd.Series) -> dict[str, float]:
    return {name: row[name] for name in ("estimate", "low", "high", "n")}
