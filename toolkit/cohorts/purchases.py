"""Buyers counted in the engine under each definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from toolkit.cohorts.filters import Rows, by_groups, refuse_absent, sums, user_sums
from toolkit.cohorts.from_counts import COLUMNS
from toolkit.cohorts.periods import Calendar
from toolkit.cohorts.question import Asked
from toolkit.cohorts.repurchases import Definition, Repurchase
from toolkit.intervals import Rate, UserSums

if TYPE_CHECKING:
    from toolkit.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Buying(Asked):
    """What `repurchase` was asked, checked against its log."""

    purchases: Rows

    @property
    def kinds(self) -> tuple[Rows, ...]:
        """Purchases alone."""
        return (self.purchases,)


def answer(asked: Buying, definitions: tuple[Definition, ...]) -> Repurchase:
    """Rates under each definition, group by group."""
    lines = []
    for place, definition in enumerate(definitions):
        for row in asked.frame(counted(asked, definition)).to_dict("records"):
            groups = [row[f"b{i}"] for i in range(len(asked.by))]
            lines.append([*groups, *_line(asked, definition, row), place])
    table = pd.DataFrame(lines, columns=[*asked.by, *COLUMNS, "place"])
    if asked.by:
        # Groups stand in the order of the engine, which puts null last, each with its definitions together.
        order = table.groupby(list(asked.by), dropna=False, sort=True).ngroup()
        table = table.iloc[np.lexsort([table["place"], order])]
    table = table.drop(columns="place").reset_index(drop=True)
    if not len(table) or not table["buyers"].sum():
        refuse_absent(asked.log, asked.purchases.events)
    table[["estimate", "low", "high"]] = table[["estimate", "low", "high"]].astype("float64")
    return Repurchase(table, asked.by, asked.confidence, definitions, asked, asked.path)


def first_purchases(asked: Buying) -> str:
    """SQL of one row per buyer: u, first and second purchase, values of `by` in the first."""
    source = asked.source(asked.purchases, by=True, ordered=bool(asked.by))
    values = "".join(f", arg_min_null(b{i}, (t, seq)) AS b{i}" for i in range(len(asked.by)))
    return (
        f"SELECT u, min(t) AS first, list_extract(min(t, 2), 2) AS second{values} FROM ({source}) GROUP BY u"
    )


def counted(asked: Buying, definition: Definition) -> str:
    """SQL of one row per group: `buyers`, `again_all`, and sums over users with the prefix m for the mature."""
    groups = [f"b{i}" for i in range(len(asked.by))]
    if definition.kind == "within":
        again = f"coalesce(second - first <= {definition.length}, FALSE)"
        per_user = (
            f"SELECT *, 1 AS x_all, CASE WHEN {again} THEN 1 ELSE 0 END AS y_all, "
            f"CASE WHEN first + {definition.length} < {asked.until} THEN 1 ELSE 0 END AS x, x * y_all AS y "
            f"FROM ({first_purchases(asked)})"
        )
    else:
        per_user = _by_calendar(asked, definition, groups)
    chosen = [
        *groups,
        "coalesce(sum(x_all), 0) AS buyers",
        "coalesce(sum(y_all), 0) AS again_all",
        sums("x", "y", "m"),
    ]
    return f"SELECT {', '.join(chosen)} FROM ({per_user}){by_groups(groups)}"


def _by_calendar(asked: Buying, definition: Definition, groups: Sequence[str]) -> str:
    """SQL of one row per user with x trials and y successes, from the days or months of all purchases."""
    log = asked.log
    days = Calendar(log.timezone, "day" if definition.kind == "windows" else "month")
    number = days.sql("t", *asked.span)
    # The order of rows matters for the first row's values alone, so only `first_purchases` asks for it.
    source = f"SELECT u, {number} AS p FROM ({asked.source(asked.purchases)})"
    if definition.kind == "windows":
        today = days.number(asked.until)
        (near, far), (last, back) = definition.base, definition.again
        own = (
            f"CASE WHEN count(*) FILTER (p BETWEEN {today - far} AND {today - near}) > 0 THEN 1 ELSE 0 END AS x, "
            f"CASE WHEN x = 1 AND count(*) FILTER (p BETWEEN {today - back} AND {today - last}) > 0 THEN 1 ELSE 0 END "
            "AS y, x AS x_all, y AS y_all"
        )
        units = f"SELECT u, {own} FROM ({source}) GROUP BY u"
    else:
        first, whole = first_month(asked), days.number(asked.until)
        later = f"lead(p, 1) OVER (PARTITION BY u ORDER BY p) = p + {definition.months}"
        months = f"SELECT u, p, count(*) AS n FROM ({source}) GROUP BY u, p"
        if definition.months > 1:
            # Months in between do not matter, so the next month with a purchase need not be the one asked for.
            later = f"list_contains(list(p) OVER (PARTITION BY u), p + {definition.months})"
        again = "n > 1" if definition.months == 0 else f"coalesce({later}, FALSE)"
        done = f"p >= {first} AND p + {definition.months} < {whole}"
        units = (
            f"SELECT u, count(*) AS x_all, count(*) FILTER (again) AS y_all, count(*) FILTER ({done}) AS x, "
            f"count(*) FILTER ({done} AND again) AS y FROM (SELECT *, {again} AS again FROM ({months})) GROUP BY u"
        )
    if not groups:
        return units
    firsts = f"SELECT u AS buyer, {', '.join(groups)} FROM ({first_purchases(asked)})"
    return f"SELECT * FROM ({units}) JOIN ({firsts}) ON u = buyer"


def first_month(asked: Buying) -> int:
    """The first month that the log holds from its first day on."""
    days, months = Calendar(asked.log.timezone, "day"), Calendar(asked.log.timezone, "month")
    return months.first_whole(days.start(days.number(asked.span[0])))


def _line(asked: Buying, definition: Definition, row: dict[str, Any]) -> list[Any]:
    own = user_sums(pd.Series(row), "m")
    n, again, buyers = int(row["mx"]), int(row["my"]), int(row["buyers"])
    note = ""
    if definition.kind == "windows":
        days = Calendar(asked.log.timezone, "day")
        reach = days.number(asked.until) - days.number(asked.span[0])
        if reach < definition.base[1]:
            note = f"the log reaches {reach} days back, the definition {definition.base[1]}"
    estimate, (low, high) = _rate(own, asked.confidence)
    if note:
        estimate = low = high = np.nan
    everybody = [buyers, buyers - n, int(row["again_all"])]
    return [definition.name, estimate, low, high, n, again, *everybody, note]


def _rate(own: UserSums, confidence: float) -> tuple[float, Interval]:
    rate = Rate.of_users(own)
    return rate.estimate, rate.interval(confidence)
