"""Cohorts, buyers and active users from a table of counts, for analysts who hold no log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.cohorts.filters import OWN
from toolkit.counts import COMPLETE, FUTURE, STATUSES, counts_table, numbers, one_of, refuse_taken, row_name
from toolkit.intervals import Rate
from toolkit.logs.time_forms import YEAR_LAST

#: Columns of a table of repurchase, after `by`.
COLUMNS = [
    *("definition", "estimate", "low", "high", "n", "repurchased"),
    *("buyers", "immature", "repurchased_all", "note"),
]


def cells_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Cells, `by` columns and remarks, from a tidy frame. See `Retention.from_counts`."""
    needed = ("cohort", "age", "size", "retained")
    by = _by(
        frame, needed, (*needed, "status", "age_to", "eligible", "retained_eligible", "rate", "low", "high")
    )
    cohorts, keys = [*by, "cohort"], [*by, "cohort", "age"]
    age, size = (numbers(frame, name, keys) for name in ("age", "size"))
    retained = numbers(frame, "retained", keys, missing=True)
    status = _statuses(frame, retained, keys)
    if (at := _first(retained > size)) is not None:
        raise ValueError(
            f"{row_name(frame, at, keys)}: retained = {retained[at]:g} is above its cohort's size, {size[at]:g}"
        )
    _refuse_twice(frame, keys)
    sizes = frame.assign(size=size).groupby(cohorts, dropna=False, sort=False)["size"].transform("nunique")
    if (at := _first(sizes > 1)) is not None:
        raise ValueError(
            f"{row_name(frame, at, cohorts)}: the size of this cohort differs between its periods; give the number "
            "of its users in every period"
        )
    whole = status == COMPLETE
    cells = frame[cohorts].assign(
        age=age.astype("int64"),
        age_to=frame.get("age_to", frame["age"]).astype("int64"),
        size=size.astype("int64"),
        eligible=np.where(whole, size, 0).astype("int64"),
        retained=pd.array(retained, dtype="Float64").astype("Int64"),
        retained_eligible=np.where(whole, retained, 0).astype("int64"),
        status=status,
    )
    remarks = (
        ()
        if "status" in frame
        else ("all cells with a count are taken as complete, for the table has no status column",)
    )
    return cells.sort_values(keys, ignore_index=True), by, remarks


def _statuses(frame: pd.DataFrame, retained: np.ndarray, keys: Sequence[str]) -> np.ndarray:
    """The status of each cell: as given, else complete where there is a count and future where there is none."""
    unknown = np.isnan(retained)
    if "status" not in frame:
        return np.where(unknown, FUTURE, COMPLETE)
    status: np.ndarray = frame["status"].astype(str).to_numpy(dtype=object)
    for at, said in enumerate(status):
        one_of(f"{row_name(frame, at, keys)}: status", said, STATUSES)
    if (at_fault := _first((status == FUTURE) != unknown)) is not None:
        raise ValueError(
            f"{row_name(frame, at_fault, keys)}: a future cell has no count, and only a future one; it is "
            f"{status[at_fault]}"
        )
    return status


def rates_of(frame: pd.DataFrame, confidence: float) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Table and `by` columns from a tidy frame. See `Repurchase.from_counts`."""
    by = _by(frame, ("definition", "n", "repurchased"), COLUMNS)
    keys = [*by, "definition"]
    _refuse_twice(frame, keys)
    n, again = (numbers(frame, name, keys) for name in ("n", "repurchased"))
    if (at := _first(again > n)) is not None:
        raise ValueError(
            f"{row_name(frame, at, keys)}: repurchased = {again[at]:g} is above its buyers, n = {n[at]:g}"
        )
    rate = Rate.of_counts(again, n)
    low, high = rate.interval(confidence)
    buyers, again = n.astype("int64"), again.astype("int64")
    table = frame[keys].assign(estimate=rate.estimate, low=low, high=high, n=buyers, repurchased=again)
    table = table.assign(buyers=buyers, immature=0, repurchased_all=again, note="")
    return table.reset_index(drop=True), by


def days_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Counts of active users and `by` columns from a tidy frame. See `Activity.from_counts`."""
    by = _by(frame, ("day", "dau"), ("day", "dau", "wau", "mau", "stickiness", "low", "high"))
    keys = [*by, "day"]
    table = frame[keys].assign(day=_days(frame["day"]))
    if (at := _first(table["day"].isna())) is not None:
        raise ValueError(f"{row_name(frame, at)}: day = {frame['day'].iloc[at]!r} is no date")
    _refuse_twice(frame.assign(day=table["day"]), keys)
    found = {}
    for name in ("dau", "wau", "mau"):
        given = frame if name in frame else frame.assign(**{name: np.nan})
        found[name] = numbers(given, name, keys, missing=name != "dau")
        table[name] = pd.array(found[name], dtype="Float64").astype("Int64")
    dau, wau, mau = found.values()
    if (at := _first((dau > mau) | (dau > wau) | (wau > mau))) is not None:
        raise ValueError(
            f"{row_name(frame, at, keys)}: users of 1, 7 and 30 days cannot fall, but dau, wau, mau = {dau[at]:g}, "
            f"{wau[at]:g}, {mau[at]:g}"
        )
    return table.reset_index(drop=True), by


def _days(given: pd.Series) -> pd.Series:
    """Days of a column; those that are none missing. Of texts with the year last all must have one form."""
    if not given.astype(str).str.match(YEAR_LAST).any():
        return pd.to_datetime(given, errors="coerce")
    try:
        return pd.Series(dates.index(pd.Index(given))[0], index=given.index)
    except ValueError as error:
        raise ValueError(f"day: {str(error).replace('the index', 'the column')}") from error


def _by(frame: pd.DataFrame, needed: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Columns to break down by: those that are not known. An error where one is missing that is needed."""
    counts_table(frame, needed)
    by = tuple(str(name) for name in frame.columns if name not in known)
    refuse_taken(by, OWN)
    return by


def _refuse_twice(frame: pd.DataFrame, keys: Sequence[str]) -> None:
    if (at := _first(frame.duplicated(list(keys)))) is not None:
        raise ValueError(f"{row_name(frame, at, keys)} is given twice")


def _first(bad: np.ndarray | pd.Series) -> int | None:
    """The place of the first row that is bad."""
    places = np.flatnonzero(bad)
    return int(places[0]) if len(places) else None
