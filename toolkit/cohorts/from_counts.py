"""Cohorts, buyers and active users from a table of counts, for analysts who hold no log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.cohorts.filters import OWN
from toolkit.counts import COMPLETE, FUTURE, STATUSES, counts_table, numbers, one_of, refuse_taken, row_name
from toolkit.intervals import Rate
from toolkit.logs.time_forms import YEAR_LAST
from toolkit.wording import some

#: Returns that zeros alone would have to hide before they are held to be no counts: chance makes none of ten.
EXPECTED = 10

#: Columns of a table of repurchase, after `by`.
COLUMNS = [
    *("definition", "estimate", "low", "high", "n", "repurchased"),
    *("buyers", "immature", "repurchased_all", "note"),
]


def cells_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Cells, `by` columns and remarks, from a tidy frame. See `Retention.from_counts`."""
    _refuse_wide(frame)
    based = "eligible" if "eligible" in getattr(frame, "columns", ()) and "size" not in frame else "size"
    needed = ("cohort", "age", based, "retained")
    known_names = (
        *needed,
        "size",
        "eligible",
        "retained_eligible",
        "status",
        "age_to",
        "rate",
        "low",
        "high",
    )
    by = _by(frame, needed, known_names)
    cohorts, keys = [*by, "cohort"], [*by, "cohort", "age"]
    age = numbers(frame, "age", keys)
    retained = numbers(frame, "retained", keys, missing=True)
    status = _statuses(frame, retained, keys)
    _refuse_twice(frame, keys)
    known = (
        numbers(frame, "eligible", keys, missing=True) if "eligible" in frame else np.full(len(frame), np.nan)
    )
    size = numbers(frame, "size", keys) if "size" in frame else _largest(frame, known, cohorts)
    sizes = frame.assign(size=size).groupby(cohorts, dropna=False, sort=False)["size"].transform("nunique")
    if (at := _first(sizes > 1)) is not None:
        raise ValueError(
            f"{row_name(frame, at, cohorts)}: the size of this cohort differs between its periods; give the number "
            "of its users in every period, and beside it `eligible`, those whose period is fully observed"
        )
    # A table without a status says by `eligible` of how many each count is; with one, whose count is complete.
    eligible = np.where(np.isnan(known) | (("status" in frame) & (status == COMPLETE)), size, known)
    if (at := _first(eligible > size)) is not None:
        raise ValueError(
            f"{row_name(frame, at, keys)}: eligible = {eligible[at]:g} is above its cohort's size, {size[at]:g}"
        )
    most = eligible if "status" not in frame else size
    if (at := _first(retained > most)) is not None:
        what = (
            "the users whose period is observed, eligible =" if most[at] < size[at] else "its cohort's size,"
        )
        raise ValueError(
            f"{row_name(frame, at, keys)}: retained = {retained[at]:g} is above {what} {most[at]:g}"
        )
    remarks = []
    if "status" not in frame:
        status = np.where((eligible == 0) & (size > 0), FUTURE, status)
        unreached = _unreached(frame, by, size, retained)
        if unreached.any():
            status, retained = np.where(unreached, FUTURE, status), np.where(unreached, np.nan, retained)
            remarks.append(
                f"warning: {int(unreached.sum())} zeros fill exactly the periods that later cohorts cannot have "
                "reached, and are read as not observed yet: leave such cells empty, or say status='complete' if they "
                "were observed"
            )
        retained = np.where(status == FUTURE, np.nan, retained)
        remarks.append(
            "counts are of the eligible users given with them"
            if not np.isnan(known).all()
            else "all cells with a count are taken as complete, for the table has no status column"
        )
    whole = status == COMPLETE
    cells = frame[cohorts].assign(
        age=age.astype("int64"),
        age_to=frame.get("age_to", frame["age"]).astype("int64"),
        size=size.astype("int64"),
        eligible=np.where(whole, eligible, 0).astype("int64"),
        retained=pd.array(retained, dtype="Float64").astype("Int64"),
        retained_eligible=np.where(whole, retained, 0).astype("int64"),
        status=status,
    )
    return cells.sort_values(keys, ignore_index=True), by, tuple(remarks)


def _largest(frame: pd.DataFrame, eligible: np.ndarray, cohorts: Sequence[str]) -> np.ndarray:
    """Users of each row's cohort where only the eligible ones are given: as many as in its best observed period."""
    given = frame.assign(eligible=np.nan_to_num(eligible))
    most: np.ndarray = (
        given.groupby(list(cohorts), dropna=False, sort=False)["eligible"].transform("max").to_numpy()
    )
    return most


def _refuse_wide(frame: Any) -> None:
    """An error that says how to melt a matrix of cohorts by period."""
    if not isinstance(frame, pd.DataFrame) or {"age", "retained"} <= set(frame.columns):
        return
    named = [name for name in frame.columns if re.fullmatch(r"\D{0,12}\d{1,4}\D{0,4}", str(name))]
    if len(named) < 2:
        return
    others = [name for name in frame.columns if name not in named]
    reset = ""
    if "cohort" not in frame.columns:
        reset = '.rename_axis("cohort").reset_index()'
        if others and isinstance(frame.index, pd.RangeIndex):
            reset = f'.rename(columns={{{others[0]!r}: "cohort"}})'
            others = others[1:]
    kept = list(dict.fromkeys(["cohort", *others]))
    number = (
        ""
        if all(isinstance(name, int) for name in named)
        else ('.assign(age=lambda t: t["age"].astype(str).str.extract(r"(\\d+)")[0].astype(int))')
    )
    size = "" if "size" in frame.columns else ", and give each row the `size` of its cohort"
    size += "; `retained` is a count of users, not a rate"
    raise ValueError(
        f"the table is wide, with a column for each period ({some(named, 3)}): make it one row per cohort and period, "
        f'frame{reset}.melt(id_vars={kept}, var_name="age", value_name="retained"){number}{size}'
    )


def _unreached(frame: pd.DataFrame, by: Sequence[str], size: np.ndarray, retained: np.ndarray) -> np.ndarray:
    """Which cells are zeros that fill exactly the periods that later cohorts cannot have reached.

    Notes
    -----
    From some cohort on each ends one period earlier than the one before, two cohorts at least; and had those periods
    been observed at the rates of earlier cohorts, zeros alone would be next to impossible.
    """
    table = frame[[*by, "cohort", "age"]].assign(size=size, retained=retained, at=np.arange(len(frame)))
    found = np.zeros(len(frame), dtype=bool)
    parts = [rows for _, rows in table.groupby(list(by), dropna=False, sort=False)] if by else [table]
    for rows in parts:
        wide = rows.sort_values(["cohort", "age"]).pivot(index="cohort", columns="age", values="retained")
        if wide.isna().any(axis=None) or wide.shape[0] < 3 or wide.shape[1] < 3:
            continue
        zero = wide.to_numpy(float) == 0
        trailing = np.cumprod(zero[:, ::-1], axis=1).sum(1)
        steps = trailing[np.argmax(trailing > 0) - 1 :] if trailing[0] == 0 else trailing
        if trailing[-1] < 2 or zero[:, 0].any() or (np.diff(steps) != 1).any():
            continue
        sizes = rows.groupby("cohort")["size"].first().reindex(wide.index).to_numpy(float)
        empty = np.arange(wide.shape[1]) >= wide.shape[1] - trailing[:, None]
        reached = np.where(empty, 0, sizes[:, None]).sum(0)
        rate = np.divide(wide.to_numpy(float).sum(0), reached, out=np.zeros(wide.shape[1]), where=reached > 0)
        if (sizes[:, None] * rate * empty).sum() < EXPECTED:
            continue
        places = (
            rows.sort_values(["cohort", "age"])
            .pivot(index="cohort", columns="age", values="at")
            .to_numpy(int)
        )
        found[places[empty]] = True
    return found


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
