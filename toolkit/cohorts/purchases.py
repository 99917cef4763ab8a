"""Purchases: what each definition of a repurchase rate counts, and the SQL that counts it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pandas as pd

from toolkit.cohorts.groups import per_group, user_sums_sql
from toolkit.cohorts.periods import DAY, MOST_DAYS, Calendar, whole
from toolkit.cohorts.question import PurchaseQuestion
from toolkit.counts import one_of
from toolkit.sources import definitions
from toolkit.wording import duration, unknown

Kind = Literal["windows", "within", "month"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Definition:
    """Which buyers a repurchase rate counts, and which of them as buying again.

    Parameters
    ----------
    name : str
    kind : {"windows", "within", "month"}
        Buyers of `base` who bought in `again`, both in days before the end of observation; a second purchase within
        `days` of the first; buyers of a calendar month who bought again `months` later (0: in the same month).
    base, again : (int, int)
    days : float
    months : int
    said : str
        The definition in words.
    header : str
        The platform's own word.
    source : str
    """

    name: str
    kind: Kind
    base: tuple[int, int] = (0, 0)
    again: tuple[int, int] = (0, 0)
    days: float = 0.0
    months: int = 0
    said: str = ""
    header: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("base", "again"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        one_of(f"definition {self.name!r}: kind", self.kind, KINDS)
        if self.kind == "windows" and not 1 <= self.again[0] <= self.again[1] < self.base[0] <= self.base[1]:
            raise ValueError(
                f"definition {self.name!r}: base={self.base} and again={self.again} are days before the end, (nearest, "
                "farthest), the base farther than all of again"
            )
        if self.kind == "within" and not 0 < self.days < MOST_DAYS:
            raise ValueError(
                f"definition {self.name!r}: days={self.days} must be above 0 and below {MOST_DAYS:,}"
            )
        if self.kind == "month" and (not whole(self.months) or self.months < 0):
            raise ValueError(
                f"definition {self.name!r}: months={self.months} must be a whole number from 0 on"
            )

    @property
    def length(self) -> int:
        """The window after a first purchase, in microseconds."""
        return round(self.days * DAY)


def known_definitions() -> dict[str, Definition]:
    """The definitions that come with the toolkit, by name."""
    return {row["name"]: Definition(**row) for row in definitions.read("repurchase")["definition"]}


def definition_of(given: Any) -> Definition:
    """The definition of a name, of a length of time such as "7d", or as given."""
    if isinstance(given, Definition):
        return given
    if not isinstance(given, str):
        raise TypeError(
            f"a definition is a name, a length of time such as '30d', or a Definition, not {given!r}"
        )
    named = known_definitions()
    if given in named:
        return named[given]
    if re.match(r"\s*[\d.]", given):
        try:
            length = pd.Timedelta(re.sub(r"(?<=[\d\s])d(?![a-zA-Z])", "D", given))
        except ValueError:
            length = pd.NaT
        if length is not pd.NaT and re.search(r"[a-zA-Z]", given):
            days = length / pd.Timedelta(1, "D")
            return Definition(
                given,
                "within",
                days=days,
                said=f"bought again within {duration(length)} of their first purchase",
            )
    raise ValueError(f"{unknown('definition', given, named)}; or give a length of time such as '7d'")


def first_purchases(asked: PurchaseQuestion) -> str:
    """SQL of one row per buyer: u, first and second purchase, values of `by` in the first."""
    source = asked.source(asked.purchases, by=True, ordered=bool(asked.by))
    values = "".join(f", arg_min_null({name}, ({asked.order})) AS {name}" for name in asked.groups)
    ranked = f"SELECT *, row_number() OVER (PARTITION BY u ORDER BY t) AS nth FROM ({source})"
    return f"SELECT u, min(t) AS first, min(CASE WHEN nth = 2 THEN t END) AS second{values} FROM ({ranked}) GROUP BY u"


def counts_sql(asked: PurchaseQuestion, definition: Definition) -> str:
    """SQL of one row per group: `buyers`, `again_all`, and, prefixed m, sums over users whose window is complete."""
    groups = asked.groups
    chosen = [
        *groups,
        "coalesce(sum(x_all), 0) AS buyers",
        "coalesce(sum(y_all), 0) AS again_all",
        user_sums_sql("x", "y", "m"),
    ]
    return f"SELECT {', '.join(chosen)} FROM ({per_buyer(asked, definition)}){per_group(groups)}"


def shared_sql(ours: PurchaseQuestion, theirs: PurchaseQuestion, definition: Definition) -> str:
    """SQL of `CrossSums` over buyers of two questions to one log."""
    sides = [f"(SELECT u, x, y FROM ({per_buyer(asked, definition)}))" for asked in (ours, theirs)]
    sums = [
        f"coalesce(sum(CAST(a.{one} * b.{other} AS DOUBLE)), 0) AS {one}{other}"
        for one in "xy"
        for other in "xy"
    ]
    return f"SELECT {', '.join(sums)} FROM {sides[0]} a JOIN {sides[1]} b ON a.u = b.u"


def per_buyer(asked: PurchaseQuestion, definition: Definition) -> str:
    """SQL of one row per buyer: u, b0.., x trials and y successes in complete windows, `x_all` and `y_all` in all."""
    if definition.kind != "within":
        return _by_calendar(asked, definition, asked.groups)
    again = f"coalesce(second - first <= {definition.length}, FALSE)"
    done = f"first + {definition.length} < {asked.until}"
    return (
        f"SELECT *, 1 AS x_all, CASE WHEN {again} THEN 1 ELSE 0 END AS y_all, "
        f"CASE WHEN {done} THEN 1 ELSE 0 END AS x, CASE WHEN {done} AND {again} THEN 1 ELSE 0 END AS y "
        f"FROM ({first_purchases(asked)})"
    )


def _by_calendar(asked: PurchaseQuestion, definition: Definition, groups: Sequence[str]) -> str:
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
            f"max(CASE WHEN p BETWEEN {today - far} AND {today - near} THEN 1 ELSE 0 END) AS x, "
            f"max(CASE WHEN p BETWEEN {today - back} AND {today - last} THEN 1 ELSE 0 END) AS later"
        )
        users = (
            "SELECT u, x, x * later AS y, x AS x_all, x * later AS y_all "
            f"FROM (SELECT u, {own} FROM ({source}) GROUP BY u)"
        )
    else:
        first, whole = first_month(asked), days.number(asked.until)
        later = f"lead(p, 1) OVER (PARTITION BY u ORDER BY p) = p + {definition.months}"
        months = f"SELECT u, p, count(*) AS n FROM ({source}) GROUP BY u, p"
        if definition.months > 1:
            # Months in between do not matter, so the next month with a purchase need not be the one asked for.
            later = (
                f"max(p) OVER (PARTITION BY u ORDER BY p RANGE BETWEEN CURRENT ROW AND {definition.months} FOLLOWING) "
                f"= p + {definition.months}"
            )
        again = "n > 1" if definition.months == 0 else f"coalesce({later}, FALSE)"
        done = f"p >= {first} AND p + {definition.months} < {whole}"
        users = (
            f"SELECT u, count(*) AS x_all, count(*) FILTER (again) AS y_all, count(*) FILTER ({done}) AS x, "
            f"count(*) FILTER ({done} AND again) AS y FROM (SELECT *, {again} AS again FROM ({months})) GROUP BY u"
        )
    if not groups:
        return users
    firsts = f"SELECT u AS buyer, {', '.join(groups)} FROM ({first_purchases(asked)})"
    return f"SELECT * FROM ({users}) JOIN ({firsts}) ON u = buyer"


def first_month(asked: PurchaseQuestion) -> int:
    """The first month that the log holds from its first day on."""
    days, months = Calendar(asked.log.timezone, "day"), Calendar(asked.log.timezone, "month")
    return months.first_whole(days.start(days.number(asked.span[0])))
