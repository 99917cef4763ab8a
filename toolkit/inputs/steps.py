"""The steps of a room or a shop that an export counts, with sessions or days as the units that vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from toolkit import wording
from toolkit.counts import confidence_level, refuse_taken
from toolkit.inputs.exports.frames import Table
from toolkit.inputs.measures import ROWS, ratio_of_sums
from toolkit.results import Result
from toolkit.wording import counted, some, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Steps in order, and the column of people that counts each.
STEPS = {
    "impression": "impression_users",
    "enter": "viewers",
    "shop_visit": "shop_visitors",
    "product_shown": "product_shown_users",
    "product_visit": "product_visitors",
    "product_click": "product_clickers",
    "cart": "cart_users",
    "place": "placed_users",
    "pay": "buyers",
}
#: The steps of a live room; those of a shop are named only where a table has them.
_ROOM = ("impression", "enter", "product_shown", "product_click", "cart", "pay")
_RESERVED = frozenset(
    {"step", "reached", "n", "from_previous", "low", "high", "from_first", "first_low", "first_high"}
)


@dataclass(frozen=True, repr=False, eq=False)
class Steps(Result):
    """How many reached each step, added up over sessions or days.

    `table` has by..., step, reached, from_previous, low, high, from_first, first_low, first_high. `counts` is tidy:
    by..., the cluster, step, n; added up over the clusters it is what `Funnel.from_counts` takes.
    """

    table: pd.DataFrame
    counts: pd.DataFrame
    by: tuple[str, ...]
    row: str
    rows: int
    left_out: int
    if_none: float
    lacking: tuple[str, ...]
    windows: tuple[str, ...]
    confidence: float

    rates: ClassVar[frozenset[str]] = frozenset(
        {"from_previous", "low", "high", "from_first", "first_low", "first_high"}
    )

    def sentence(self) -> str:
        """The rate from the first step to the last by group, with interval and n, and what must be known."""
        steps = list(dict.fromkeys(self.table["step"]))
        last = self.table[self.table["step"] == steps[-1]]
        listed = []
        for row in last.head(6).to_dict("records"):
            name = wording.group_name(row[one] for one in self.by)
            ends = {"low": row["first_low"], "high": row["first_high"]}
            rate = (
                f"{wording.percent(row['from_first'])} ({wording.interval(pd.Series(ends), wording.percent)})"
            )
            listed.append(f"{f'{name}: ' if name else ''}{rate}")
        level = wording.interval_level(self.confidence)
        parts = [
            f"from {steps[0]} to {steps[-1]} {'; '.join(listed)}, {level} over {counted(self.rows, self.row)}",
            "each order once" if self.row == "order" else f"people counted once per {self.row}",
        ]
        if self.left_out:
            none = (
                ""
                if np.isnan(self.if_none)
                else f"; if a gap there means none, it is {wording.percent(self.if_none)} overall"
            )
            parts.append(
                f"{counted(self.left_out, self.row)} without all steps left out, not taken as 0{none}"
            )
        if self.lacking:
            parts.append(f"not in this export: {some(self.lacking)}")
        if len(self.windows) > 1:
            parts.append(f"steps are counted within {some(self.windows)}")
        if self.rows == 1:
            parts.append(f"one {self.row} alone has no interval")
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """How many reached each step, by group."""
        from toolkit.inputs import plots

        names = [wording.group_name(row) for row in self.table[list(self.by)].itertuples(index=False)]
        shown = self.table[["step", "reached", "from_first"]].assign(name=names)
        what = "orders" if self.row == "order" else f"people, once per {self.row}"
        return plots.steps(shown, what, ax)


def steps_of(
    table: Table,
    steps: Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Steps:
    """The steps that a table of sessions or days counts; for order lines placed and paid."""
    confidence = confidence_level(confidence)
    groups = [by] if isinstance(by, str) else list(by or ())
    refuse_taken(groups, _RESERVED)
    for name in groups:
        if name not in table.frame:
            raise ValueError(unknown("column", name, table.frame.columns, of=f"the table {table.name}"))
    counted_by, frame, row = _columns(table, groups)
    if steps is not None:
        for name in steps:
            if name not in counted_by:
                raise ValueError(unknown("step", name, counted_by, of=f"the table {table.name}"))
        counted_by = {name: counted_by[name] for name in steps}
    if len(counted_by) < 2:
        raise ValueError(
            f"a funnel needs two steps; the table {table.name} counts {some(list(counted_by)) or 'none'} "
            f"(people under {some(list(STEPS.values()))})"
        )
    names, columns = list(counted_by), list(counted_by.values())
    values = frame[columns].to_numpy(dtype=float, na_value=np.nan)
    whole = ~np.isnan(values).any(axis=1)
    halves = (
        np.column_stack(
            [
                table.rounding[one].to_numpy(float) if one in table.rounding else np.zeros(len(frame))
                for one in columns
            ]
        )
        if row != "order"
        else np.zeros_like(values)
    )
    rows: list[dict[str, Any]] = []
    keys = frame[groups].itertuples(index=False, name=None) if groups else [()] * len(frame)
    of_group: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(keys):
        if whole[i]:
            of_group.setdefault(tuple(None if pd.isna(one) else one for one in key), []).append(i)
    for key, places in of_group.items():
        rows += _rates(values[places], halves[places], names, dict(zip(groups, key, strict=True)), confidence)
    kept = frame.loc[whole]
    long = [
        pd.DataFrame(
            {**{one: kept[one] for one in groups}, row: np.arange(len(kept)), "step": name, "n": kept[column]}
        )
        for name, column in counted_by.items()
    ]
    windows = [table.definitions[one].window for one in columns if one in table.definitions]
    lacking = tuple(name for name in _ROOM if name not in counted_by) if table.name == "session" else ()
    return Steps(
        pd.DataFrame(rows),
        pd.concat(long, ignore_index=True),
        tuple(groups),
        row,
        int(whole.sum()),
        int((~whole).sum()),
        _if_none(values),
        lacking,
        tuple(dict.fromkeys(window for window in windows if window)),
        confidence,
    )


def _if_none(values: np.ndarray) -> float:
    """The rate from the first step to the last if rows that say the first, and not the last, had none of it.

    Where a dashboard writes a dash when nothing sold, rows left out are those that did worst.
    """
    known = ~np.isnan(values[:, 0])
    first = float(values[known, 0].sum())
    return float(np.nansum(values[known, -1])) / first if first else np.nan


def _columns(table: Table, groups: list[str]) -> tuple[dict[str, str], pd.DataFrame, str]:
    """The column that counts each step, the rows, and what a row is."""
    if table.name != "order":
        found = {name: column for name, column in STEPS.items() if column in table.frame}
        return found, table.frame, ROWS.get(table.name, "row")
    frame = table.frame
    if not {"placed_at", "paid_at"} <= set(frame.columns):
        raise ValueError("order lines need placed_at and paid_at for the steps place and pay")
    order = "order_id" if "order_id" in frame else table.key[0]
    lines = frame[groups].assign(
        order=frame[order],
        placed=frame["placed_at"].notna().astype(float),
        paid=frame["paid_at"].notna().astype(float),
    )
    by_order = lines.groupby([*groups, "order"], dropna=False, sort=False, as_index=False)[
        ["placed", "paid"]
    ].sum()
    return {"place": "placed", "pay": "paid"}, by_order, "order"


def _rates(
    values: np.ndarray, halves: np.ndarray, names: list[str], key: dict[str, Any], confidence: float
) -> list[dict[str, Any]]:
    totals = values.sum(axis=0)
    rows = []
    for j, name in enumerate(names):
        if j and totals[j] > totals[j - 1]:
            raise ValueError(
                f"{name} counts {totals[j]:,.0f} and {names[j - 1]} before it {totals[j - 1]:,.0f}: not one path; "
                f"name the steps that are, as steps={[one for one in names if one != names[j - 1]]}"
            )
        row = {**key, "step": name, "reached": totals[j]}
        for prefix, before in (("", max(j - 1, 0)), ("first_", 0)):
            found = ratio_of_sums(
                values[:, j], values[:, before], (halves[:, j], halves[:, before]), confidence
            )
            missing = j == 0
            row["from_first" if prefix else "from_previous"] = np.nan if missing else found.estimate
            row[f"{prefix}low"] = np.nan if missing else max(found.low, 0.0)
            row[f"{prefix}high"] = np.nan if missing else min(found.high, 1.0)
        rows.append(row)
    return rows
