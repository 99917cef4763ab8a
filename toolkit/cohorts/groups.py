"""Groups of a breakdown: each one's rows and name, and in SQL its order and its sums over users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from toolkit.intervals import UserSums
from toolkit.wording import group_name


def each_group(table: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each group's name and its rows, in the order of the table; without `by` the whole, with no name."""
    if not by:
        yield "", table
        return
    for key, rows in table.groupby(list(by), dropna=False, sort=False):
        yield group_name(key), rows


def labelled(frame: pd.DataFrame, rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Results of one group with the values of its `by` columns in front, taken from the group's rows."""
    for place, name in enumerate(by):
        frame.insert(place, name, pd.Series([rows[name].iloc[0]] * len(frame), dtype=rows[name].dtype))
    return frame


def per_group(groups: Sequence[str]) -> str:
    """SQL that ends a query of sums: one row per group, in the groups' order, null last."""
    if not groups:
        return ""
    order = ", ".join(f"{name} NULLS LAST" for name in groups)
    return f" GROUP BY {', '.join(groups)} ORDER BY {order}"


def user_sums_sql(x: str, y: str, prefix: str = "") -> str:
    """SQL of `UserSums` over rows of one user each, with y successes in x trials."""
    x, y = f"CAST({x} AS DOUBLE)", f"CAST({y} AS DOUBLE)"
    sums = {
        "users": f"count(*) FILTER ({x} > 0)",
        "x": f"sum({x})",
        "y": f"sum({y})",
        "xx": f"sum({x} * {x})",
        "xy": f"sum({x} * {y})",
        "yy": f"sum({y} * {y})",
        "yy_per_x": f"sum(CASE WHEN {x} > 0 THEN {y} * {y} / {x} ELSE 0 END)",
    }
    return ", ".join(f"coalesce({sql}, 0) AS {prefix}{name}" for name, sql in sums.items())


def user_sums(row: pd.Series, prefix: str = "") -> UserSums:
    """The `UserSums` in one row of an answer to `user_sums_sql`."""
    return UserSums(*(float(row[f"{prefix}{name}"]) for name in UserSums._fields))
