"""The steps of a room or a shop that an export counts, with sessions or days as the units that vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from toolkit.clusters import Clusters
from toolkit.counts import confidence_level, refuse_taken
from toolkit.funnels import Funnel, StepCounts
from toolkit.inputs.exports.frames import Table
from toolkit.inputs.measures import ROWS
from toolkit.wording import counted, percent, some, unknown

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
#: Columns that say when a row was, and so of which day it is.
_TIMES = ("date", "start", "placed_at", "paid_at")


@dataclass(frozen=True, eq=False)
class StepRows:
    """How many reached each step, row by row of a table: sessions, days, or orders of which each is 0 or 1.

    Attributes
    ----------
    steps : tuple of str
    by : tuple of str
        Columns that break the rows down.
    row : str
        What a row is.
    frame : DataFrame
        One row per session, day or order that says every step: `by`, and one column per step.
    days : Series of datetime
        Of which day each row is; missing where that is not told.
    notes : tuple of str
        What a reader must know of these counts.
    halves : DataFrame
        Half the width that each count was rounded to, 0 where it is exact: a row as in `frame`, a column per step.
    """

    steps: tuple[str, ...]
    by: tuple[str, ...]
    row: str
    frame: pd.DataFrame
    days: pd.Series
    notes: tuple[str, ...]
    halves: pd.DataFrame

    def funnel(self, confidence: float) -> Funnel:
        """The sums over rows, with intervals over sessions or days; of orders, over the days they were placed on."""
        groups = (
            self.frame[[*self.by]].drop_duplicates(ignore_index=True) if self.by else self.frame.iloc[:1, :0]
        )
        place = _codes(self.frame, self.by)
        cluster = "day" if self.row in ("order", "day") else self.row
        at = pd.factorize(self.days, use_na_sentinel=False)[0] if cluster == "day" else np.arange(len(place))
        counts, rounding = np.zeros((2, at.max() + 1, len(groups), len(self.steps)))
        np.add.at(counts, (at, place), self.frame[[*self.steps]].to_numpy(float))
        np.add.at(rounding, (at, place), self.halves.to_numpy(float) ** 2 / 3)
        days = None
        if cluster == "day" and self.days.notna().all():
            order = np.argsort(self.days.unique())
            counts, rounding = counts[order], rounding[order]
            days = _numbers(self.days.sort_values().drop_duplicates())
        texts = groups.itertuples(index=False, name=None)
        found = Clusters(cluster, counts, days, rounding=rounding if rounding.any() else None)
        whole = StepCounts(
            steps=self.steps,
            by=self.by,
            unit="counts",
            groups=groups,
            texts=tuple(tuple(None if pd.isna(one) else str(one) for one in text) for text in texts)
            if self.by
            else ((),),
            reached=counts.sum(0).round().astype(np.int64),
            in_window=np.full(counts.shape[1:], np.nan),
            notes=self.notes,
            # One session of each group alone cannot show how far sessions differ.
            clusters=found if (found.number > 1).any() else None,
        )
        return Funnel(whole, confidence)

    def by_day(self) -> pd.DataFrame:
        """Sums by day, tidy: `by`, `day`, `step`, `n`; notes in `attrs`."""
        known = self.days.notna()
        keys = [*self.by, "day"]
        summed = self.frame.loc[known].assign(day=self.days[known])
        daily = (
            summed.groupby(keys, sort=False, dropna=False)[[*self.steps]].sum().rename_axis(columns="step")
        )
        tidy = daily.stack().rename("n").round().astype(int).reset_index()
        lost = int((~known).sum())
        none = (f"{counted(lost, self.row)} without a day left out",) if lost else ()
        tidy.attrs["notes"] = (*self.notes, *none)
        return tidy


def steps_of(
    table: Table, steps: Sequence[str] | None = None, *, by: str | Sequence[str] | None = None
) -> StepRows:
    """The steps that a table of sessions or days counts; for order lines placed and paid.

    Raises
    ------
    ValueError
        For fewer than two steps, a step or column that is not there, and steps that are not one path.
    """
    groups = [by] if isinstance(by, str) else list(by or ())
    refuse_taken(groups, _RESERVED | {"day"})
    for name in groups:
        if name not in table.frame:
            raise ValueError(unknown("column", name, table.frame.columns, of=f"the table {table.name}"))
    columns, frame, row = _columns(table, groups)
    if steps is not None:
        for name in steps:
            if name not in columns:
                raise ValueError(unknown("step", name, columns, of=f"the table {table.name}"))
        columns = {name: columns[name] for name in steps}
    if len(columns) < 2:
        raise ValueError(
            f"a funnel needs two steps; the table {table.name} counts {some(list(columns)) or 'none'} "
            f"(people under {some(list(STEPS.values()))})"
        )
    values = frame[list(columns.values())].astype(float).set_axis(list(columns), axis=1)
    whole = values.notna().all(axis=1)
    if not whole.any():
        raise ValueError(
            f"no {row} of the table {table.name} says all of {some(list(columns))}; name those that are there: steps="
        )
    _refuse_no_path(values[whole].sum())
    halves = table.rounding.reindex(index=frame.index, columns=list(columns.values())).fillna(0.0)
    times = next((name for name in _TIMES if name in frame), None)
    days = pd.Series(pd.NaT, index=frame.index) if times is None else frame[times].dt.tz_localize(None)
    return StepRows(
        tuple(columns),
        tuple(groups),
        row,
        pd.concat([frame[groups], values], axis=1)[whole].reset_index(drop=True),
        days.dt.normalize()[whole].reset_index(drop=True),
        tuple(_notes(table, columns, values, whole, row)),
        halves[whole].reset_index(drop=True),
    )


def funnel_of(
    table: Table,
    steps: Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> Funnel:
    """The steps of a table as a funnel. See `steps_of`."""
    confidence = confidence_level(confidence)
    return steps_of(table, steps, by=by).funnel(confidence)


def _notes(
    table: Table, columns: dict[str, str], values: pd.DataFrame, whole: pd.Series, row: str
) -> list[str]:
    notes = ["each order once" if row == "order" else f"people counted once per {row}"]
    if not whole.all():
        # Where a dashboard writes a dash when nothing sold, rows left out are those that did worst.
        known = values[values.iloc[:, 0].notna()]
        first = float(known.iloc[:, 0].sum())
        rate = f"; if a gap there means none, it is {percent(float(known.iloc[:, -1].sum()) / first)} overall"
        left = f"{counted(int((~whole).sum()), row)} without all steps left out, not taken as 0"
        notes.append(left + (rate if first else ""))
    lacking = [name for name in _ROOM if name not in columns] if table.name == "session" else []
    if lacking:
        notes.append(f"not in this export: {some(lacking)}")
    windows = [table.definitions[one].window for one in columns.values() if one in table.definitions]
    several = list(dict.fromkeys(window for window in windows if window))
    if len(several) > 1:
        notes.append(f"steps are counted within {some(several)}")
    return notes


def _refuse_no_path(totals: pd.Series) -> None:
    for before, name in zip(totals.index, totals.index[1:], strict=False):
        if totals[name] > totals[before]:
            raise ValueError(
                f"{name} counts {totals[name]:,.0f} and {before} before it {totals[before]:,.0f}: not one path; "
                f"name the steps that are, as steps={[one for one in totals.index if one != before]}"
            )


def _columns(table: Table, groups: list[str]) -> tuple[dict[str, str], pd.DataFrame, str]:
    """The column that counts each step, the rows, and what a row is."""
    if table.name != "order":
        found = {name: column for name, column in STEPS.items() if column in table.frame}
        return found, table.frame, ROWS.get(table.name, "row")
    frame = table.frame
    if not {"placed_at", "paid_at"} <= set(frame.columns):
        raise ValueError("order lines need placed_at and paid_at for the steps place and pay")
    order = "order_id" if "order_id" in frame else table.key[0]
    lines = frame[[*groups, "placed_at"]].assign(
        order=frame[order],
        placed=frame["placed_at"].notna().astype(float),
        paid=frame["paid_at"].notna().astype(float),
    )
    by_order = lines.groupby([*groups, "order"], dropna=False, sort=False, as_index=False).agg(
        {"placed": "max", "paid": "max", "placed_at": "min"}
    )
    return {"place": "placed", "pay": "paid"}, by_order, "order"


def _codes(frame: pd.DataFrame, by: Sequence[str]) -> np.ndarray:
    if not by:
        return np.zeros(len(frame), int)
    return np.asarray(frame.groupby([*by], sort=False, dropna=False).ngroup())


def _numbers(days: pd.Series) -> np.ndarray:
    return np.asarray((days - pd.Timestamp(0)).dt.days.to_numpy(np.int64))
