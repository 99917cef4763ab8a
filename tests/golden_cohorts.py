"""Golden cases of cohorts, repurchase and activity through the public functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from toolkit import EventLog
from toolkit.cohorts import activity, repurchase, retention

if TYPE_CHECKING:
    from tests.golden import Case

KINDS = ("cohort", "repurchase", "activity")
PATHS = ("sql", "stream", "index")


def failures(case: Case, path: str = "sql", engine: str = "duckdb") -> list[tuple[str, Any, Any]]:
    """Every key of a case's `expected` that the public functions do not reproduce, as (key, expected, got)."""
    log = log_of(case, numbered=path == "stream", engine=engine)
    if path == "index":
        log = log.index(keep=log.properties)
    got = {"cohort": _cells, "repurchase": _rates, "activity": _days}[case.kind](log, case.params, path)
    return [(key, want, got.get(key)) for key, want in case.expected.items() if got.get(key) != want]


def offered(case: Case, path: str) -> bool:
    """Whether a path must answer: `sql` and `index` everything, one pass what a word of bits per user can tell."""
    asked = case.params
    if path != "stream":
        return True
    plain = case.kind == "cohort" and asked.get("clock", "calendar") == "calendar"
    plain = plain and not asked.get("by") and not asked.get("dedupe") and not asked.get("birth_from")
    times = [row["at"] for row in case.rows if row["at"] is not None]
    length = {"day": 1, "week": 7, "month": 28}[asked["unit"]] * 86_400_000_000 if plain else 1
    return plain and asked.get("birth") == asked.get("return") and (max(times) - min(times)) // length < 61


def log_of(case: Case, *, numbered: bool = False, engine: str = "duckdb") -> EventLog:
    """The rows of a case, in the zone that it names; names that it asks for are known to the log."""
    from tests.golden import opened

    asked = [
        name for key in ("birth", "return", "purchase", "active") for name in _names(case.params.get(key))
    ]
    return opened(case, {*case.events, *asked}, engine, numbered=numbered)


def _names(predicate: dict[str, Any] | None) -> list[str]:
    names = [] if predicate is None else predicate["event"]
    return [names] if isinstance(names, str) else names


def _what(predicate: dict[str, Any] | None) -> list[str] | None:
    return _names(predicate) or None


def _cells(log: EventLog, params: dict[str, Any], path: str) -> dict[str, Any]:
    kind = params.get("retention", "bounded").replace("bounded", "exact")
    answer = retention(
        log,
        start=_what(params.get("birth")),
        returns=_what(params.get("return")),
        period=params["unit"],
        periods=params.get("periods") if kind != "bracket" else None,
        kind=kind,
        brackets=params.get("brackets"),
        clock=params.get("clock", "calendar"),
        by=params.get("by"),
        week_start=params.get("week_start", 0),
        born_from=params.get("birth_from"),
        observed_until=params.get("observed_until"),
        dedupe=params.get("dedupe"),
        path=path,
    )
    cells = []
    for row in answer.table.to_dict("records"):
        cell = {"cohort": str(row["cohort"].date())}
        if "by" in params:
            cell["by"] = "<null>" if pd.isna(row[params["by"]]) else row[params["by"]]
        cell |= {"from": row["age"], "to": row["age_to"]}
        cell |= {name: row[name] for name in ("size", "status", "eligible", "retained_eligible")}
        cells.append(cell | {"retained": None if pd.isna(row["retained"]) else row["retained"]})
    # The reference sorts by cohort first, ours by group.
    return {"cells": sorted(cells, key=lambda cell: (cell["cohort"], cell.get("by", "")))}


def _rates(log: EventLog, params: dict[str, Any], path: str) -> dict[str, Any]:
    answer = repurchase(
        log,
        event=_what(params["purchase"]),
        definition=[f"{days}d" for days in params["days"]],
        observed_until=params.get("observed_until"),
        dedupe=params.get("dedupe"),
        path=path,
    )
    found = zip(params["days"], answer.table.to_dict("records"), strict=True)
    return {
        "rates": [
            {
                "days": days,
                "buyers": row["buyers"],
                "mature": row["n"],
                "repurchased_mature": row["repurchased"],
                "repurchased_all": row["repurchased_all"],
            }
            for days, row in found
        ]
    }


def _days(log: EventLog, params: dict[str, Any], path: str) -> dict[str, Any]:
    answer = activity(
        log,
        event=_what(params.get("active")),
        observed_from=params.get("observed_from"),
        observed_until=params.get("observed_until"),
        path=path,
    )
    rows = answer.table.to_dict("records")
    return {
        "days": [
            {"day": str(row["day"].date())}
            | {name: None if pd.isna(row[name]) else row[name] for name in ("dau", "wau", "mau")}
            for row in rows
        ]
    }
