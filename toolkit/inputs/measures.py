"""Ratios made from the counts of many sessions or days: sum over sum, with the row as the unit that varies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from toolkit import wording
from toolkit.counts import confidence_level, refuse_taken
from toolkit.inputs.definitions import Definition
from toolkit.inputs.exports.frames import Table
from toolkit.inputs.gaps import MeasureGaps, gaps
from toolkit.inputs.metrics import Metric, metric
from toolkit.intervals import Rate, UserSums, student
from toolkit.results import Result
from toolkit.wording import counted, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What one row of a table is, in words.
ROWS = {"session": "session", "day": "day", "hour": "hour", "order": "order line"}


@dataclass(frozen=True)
class Ratio:
    """A ratio of sums with its interval, and how many rows it rests on."""

    estimate: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, repr=False, eq=False)
class Measures(Result):
    """A ratio that sessions or days make together, by group. Made by `Export.measure`.

    `table`: by..., metric, [bound], estimate (sum over sum, not a mean of ratios), low, high, n (rows that it rests
    on).

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from toolkit import read_export
    >>> rows = {"主播抖音号": list("甲甲乙乙"), "直播开始时间": [f"2026/3/{day} 19:30" for day in (1, 2, 1, 3)],
    ...         "直播间观看人数": [1000, 1200, 900, 1100], "直播间成交人数": [40, 60, 27, 50]}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "直播明细.csv"
    >>> pd.DataFrame(rows).to_csv(file, index=False)
    >>> read_export(file).measure("buyers_per_viewer").table.round(3)
                  metric  estimate    low   high  n
    0  buyers_per_viewer     0.042  0.031  0.058  4
    """

    table: pd.DataFrame
    definition: Definition
    formula: str
    confidence: float
    row: str
    left_out: int
    if_none: float = math.nan
    caveats: tuple[str, ...] = ()
    source: Table | None = None
    asked: str = ""

    def compare(self, to: object = None) -> MeasureGaps:
        """Each group beside one of them, by default the one of most rows, with intervals that hold together.

        Raises
        ------
        ValueError
            Without two groups, for a group that is not there, and for ranges.
        """
        groups = [name for name in self.table.columns if name not in _OWN]
        if self.source is None or not groups or len(self.table) < 2:
            raise ValueError("a comparison needs two groups; ask the measure with by=")
        if "bound" in groups:
            raise ValueError(f"{self.definition.name} is a range: two ranges have no one difference")
        # Bonferroni: each difference at a level at which all hold together.
        level = 1 - (1 - self.confidence) / (len(self.table) - 1)
        wider = measure(self.source, self.asked, by=groups, confidence=level).table
        return gaps(
            wider,
            to,
            groups,
            shares=bool(self.rates),
            row=self.row,
            confidence=self.confidence,
            caveats=self.caveats,
        )

    @property
    def rates(self) -> frozenset[str]:  # type: ignore[override]
        """Whether the estimates are shares."""
        return frozenset({"estimate", "low", "high"}) if self.definition.unit == "ratio" else frozenset()

    def sentence(self) -> str:
        """The ratio with its interval, definition, n and what was left out."""
        groups = [name for name in self.table.columns if name not in _OWN]
        listed = []
        for row in self.table.head(6).to_dict("records"):
            name = wording.group_name(row[group] for group in groups)
            listed.append(f"{f'{name}: ' if name else ''}{said(row, bool(self.rates))}")
        more = f" and {len(self.table) - 6} more groups" if len(self.table) > 6 else ""
        rows = counted(int(self.table["n"].sum()), self.row)
        none = f" (if a gap there means none: {said({'estimate': self.if_none}, bool(self.rates))})"
        left = f"; {counted(self.left_out, self.row)} without both numbers left out" if self.left_out else ""
        left += none if self.left_out and not math.isnan(self.if_none) else ""
        level = wording.interval_level(self.confidence)
        closing = "".join(f"; {caveat}" for caveat in self.caveats)
        return (
            f"{self.definition.name} ({self.formula}): {'; '.join(listed)}{more} ({level}s over {rows}, each taken to "
            f"vary on its own){left}{closing}."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """A mark and an interval for each group."""
        from toolkit.inputs import plots

        groups = [name for name in self.table.columns if name not in _OWN]
        names = [
            wording.group_name(row) or self.definition.name
            for row in self.table[groups].itertuples(index=False)
        ]
        shown = self.table[["estimate", "low", "high"]].assign(name=names)
        ax = plots.estimates(shown, self.definition.name, bool(self.rates), ax)
        ax.set_ylabel(" and ".join(groups))
        return ax


def said(row: Mapping[str, float], shares: bool) -> str:
    """An estimate with its interval, in words."""
    if "low" not in row:
        return wording.percent(row["estimate"]) if shares else f"{row['estimate']:,.2f}"
    if shares:
        reach = "no interval" if math.isnan(row["low"]) else wording.percent_interval(row["low"], row["high"])
        return f"{wording.percent(row['estimate'])} ({reach})"
    return f"{row['estimate']:,.2f} ({wording.interval(row, lambda value: f'{value:,.2f}')})"


_OWN: frozenset[str] = frozenset({"metric", "estimate", "low", "high", "n"})


def measure(
    table: Table,
    name: str,
    *,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    caveats: tuple[str, ...] = (),
) -> Measures:
    """Make a ratio of a table's sums, such as "GPM", "客单价" or "buyers_per_viewer".

    Raises
    ------
    ValueError
        For a name that is neither a metric nor a ratio of two columns, and where a column is not in the table.
    """
    confidence = confidence_level(confidence)
    asked = made_from(table, name)
    groups = [by] if isinstance(by, str) else list(by or ())
    refuse_taken(groups, _OWN)
    for group in groups:
        if group not in table.frame:
            raise ValueError(unknown("column", group, table.frame.columns, of=f"the table {table.name}"))
    rows, left_out = [], 0
    for bound, columns in _bounds(table, asked):
        frame = table.frame
        pieces = frame.groupby(groups, dropna=False, sort=False) if groups else [((), frame)]
        for values, piece in pieces:
            found = _ratio(table, piece.index, columns, asked, confidence)
            left_out += len(piece) - found.n
            named = dict(zip(groups, values if isinstance(values, tuple) else (values,), strict=True))
            ends = {"estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}
            rows.append({**named, "metric": asked.name, **({"bound": bound} if bound else {}), **ends})
    ours = derived(table, asked)
    return Measures(
        pd.DataFrame(rows),
        ours,
        asked.formula,
        confidence,
        ROWS.get(table.name, "row"),
        left_out,
        _if_none(table, asked),
        caveats,
        table,
        name,
    )


def made_from(table: Table, name: str) -> Metric:
    """The metric of a name: one of the dictionary, or `numerator_per_denominator` of two columns."""
    numerator, _, denominator = name.partition("_per_")
    there = {column.removesuffix("_low") for column in table.definitions} | set(table.definitions)
    known = {_singular(column): column for column in sorted(there)}
    if denominator and numerator in there and denominator in known:
        column = known[denominator]
        return Metric(
            name,
            (name,),
            (),
            f"{numerator} / {column}",
            _unit(table, numerator),
            "",
            "",
            (),
            numerator,
            column,
        )
    try:
        found = metric(name)
    except ValueError:
        two = f"{numerator} and {denominator}" if denominator else "its counts"
        if name in table.definitions or denominator:
            raise ValueError(
                f"{name} cannot be made from the table {table.name}: it needs {two}, and a rate as reported cannot be "
                f"pooled; the table has {wording.some(list(table.definitions))}"
            ) from None
        raise
    if not found.made:
        raise ValueError(f"{found.en[0]} cannot be made from counts: {found.formula}")
    for column in found.columns:
        if column not in table.definitions and f"{column}_low" not in table.definitions:
            raise ValueError(
                f"{found.en[0]} is {found.formula}; "
                + unknown("column", column, table.definitions, of=f"the table {table.name}")
            )
    if found.denominator is None:
        raise ValueError(
            f"{found.en[0]} is a sum, not a ratio: add up the columns {', '.join(found.columns)}"
        )
    return found


def derived(table: Table, asked: Metric) -> Definition:
    """The definition of a ratio made from two columns: the numerator's money and window, over the denominator."""
    top = _defined(table, str(asked.numerator))
    over = str(asked.denominator)
    _defined(table, over)
    below = f"1000_{over}" if asked.scale == 1000 else _singular(over)
    return Definition(
        name=asked.en[0],
        metric=f"{top.metric}_per_{below}",
        unit=asked.unit if asked.unit in ("ratio", "times the spend") else "CNY",
        meaning=asked.formula,
        source_header=f"the ratio {asked.formula}",
        platform=top.platform,
        kind=top.kind,
        over=over,
        scope=top.scope,
        window=top.window,
        basis=top.basis,
        refunds=top.refunds,
        estimate=top.estimate,
    )


def ratio_of_sums(
    top: np.ndarray, bottom: np.ndarray, halves: tuple[np.ndarray, np.ndarray], confidence: float
) -> Ratio:
    """Sum over sum of paired rows, each row a cluster.

    Notes
    -----
    Where every row's numerator is part of its denominator the interval is Wilson's at the effective size of the
    clusters (`Rate.of_users`); else it is Student's with the linearised variance n / (n - 1) sum (y - R x)^2 / (sum
    x)^2. A count rounded to +- h adds h^2 / 3, the variance of a uniform error. One row has no interval.
    """
    n = len(top)
    total = float(bottom.sum())
    if not n or total <= 0:
        return Ratio(math.nan, math.nan, math.nan, n)
    estimate = float(top.sum()) / total
    if n < 2:
        return Ratio(estimate, math.nan, math.nan, n)
    rounding = float((halves[0] ** 2).sum() + estimate**2 * (halves[1] ** 2).sum()) / 3 / total**2
    reach = float(student(n - 1, confidence))
    if ((top >= 0) & (top <= bottom)).all():
        low, high = Rate.of_users(UserSums.of(top, bottom)).interval(confidence)
    else:
        variance = n / (n - 1) * float(((top - estimate * bottom) ** 2).sum()) / total**2
        low, high = estimate - reach * math.sqrt(variance), estimate + reach * math.sqrt(variance)
    more = reach * math.sqrt(rounding)
    low = estimate - math.hypot(estimate - low, more)
    # Amounts and counts that are never negative have no negative ratio.
    low = max(low, 0.0) if (top >= 0).all() else low
    return Ratio(estimate, low, estimate + math.hypot(high - estimate, more), n)


def _ratio(table: Table, index: pd.Index, columns: dict[str, str], asked: Metric, confidence: float) -> Ratio:
    part = table.frame.loc[index]
    values = {role: part[column].to_numpy(dtype=float, na_value=np.nan) for role, column in columns.items()}
    both = np.logical_and.reduce([~np.isnan(one) for one in values.values()])
    zero = np.zeros(len(part))
    halves = {
        role: table.rounding[column].loc[index].to_numpy(float) if column in table.rounding else zero
        for role, column in columns.items()
    }
    top = values["numerator"] - values.get("minus", 0.0)
    found = ratio_of_sums(
        top[both],
        values["denominator"][both],
        (halves["numerator"][both], halves["denominator"][both]),
        confidence,
    )
    return Ratio(found.estimate * asked.scale, found.low * asked.scale, found.high * asked.scale, found.n)


def _if_none(table: Table, asked: Metric) -> float:
    """The ratio of the whole table if rows that say the denominator and not the numerator had none of it."""
    if asked.numerator not in table.frame or asked.denominator not in table.frame:
        return math.nan
    columns = [one for one in (asked.numerator, asked.minus, asked.denominator) if one is not None]
    values = {one: table.frame[one].to_numpy(dtype=float, na_value=np.nan) for one in columns}
    bottom = values[str(asked.denominator)]
    top = np.nan_to_num(values[str(asked.numerator)]) - np.nan_to_num(
        values.get(str(asked.minus), np.zeros(len(bottom)))
    )
    known = ~np.isnan(bottom)
    total = float(bottom[known].sum())
    return float(top[known].sum()) / total * asked.scale if total else math.nan


def _bounds(table: Table, asked: Metric) -> list[tuple[str, dict[str, str]]]:
    """The columns to use; where one is a range, those of its low and of its high end: both are answered."""
    roles = {"numerator": asked.numerator, "minus": asked.minus, "denominator": asked.denominator}
    used = {role: column for role, column in roles.items() if column is not None}
    if all(column in table.frame for column in used.values()):
        return [("", used)]
    return [
        (
            bound,
            {role: column if column in table.frame else f"{column}_{bound}" for role, column in used.items()},
        )
        for bound in ("low", "high")
    ]


def _defined(table: Table, column: str) -> Definition:
    return table.definitions.get(column) or table.definitions[f"{column}_low"]


def _singular(column: str) -> str:
    return column.removesuffix("s") if column != "gmv" else column


def _unit(table: Table, numerator: str) -> str:
    return "CNY" if _defined(table, numerator).unit == "CNY" else "ratio"
