"""Cohorts, buyers and active users from a table of counts: what most analysts hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from toolkit.cohorts.filters import OWN
from toolkit.counts import refuse_taken
from toolkit.intervals import Rate
from toolkit.wording import some

STATUSES = ("complete", "partial", "future")
#: Columns of a table of repurchase, after `by`.
COLUMNS = [
    "definition",
    "estimate",
    "low",
    "high",
    "n",
    "repurchased",
    "buyers",
    "immature",
    "repurchased_all",
    "note",
]


def cells_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]:
    """Cells, `by` columns and remarks, from a tidy frame. See `Retention.from_counts`."""
    needed = ("cohort", "age", "size", "retained")
    known = (*needed, "status", "age_to", "eligible", "retained_eligible", "rate", "low", "high")
    by = _others(frame, needed, known)
    cells = frame.reset_index(drop=True)
    for name in ("age", "size"):
        _refuse_bad_numbers(frame, name, pd.Series(True, index=frame.index))
    given = frame["retained"].notna()
    _refuse_bad_numbers(frame, "retained", given)
    status = _status(frame, given)
    above = (given & (frame["retained"] > frame["size"])).to_numpy(bool)
    if above.any():
        row = frame.iloc[int(np.flatnonzero(above)[0])]
        raise ValueError(
            f"{_where(row)}: retained = {row['retained']} is above its cohort's size, {row['size']}"
        )
    keys = [*by, "cohort"]
    twice = cells.duplicated([*keys, "age"]).to_numpy()
    if twice.any():
        raise ValueError(f"{_where(frame.iloc[int(np.flatnonzero(twice)[0])])} is given twice")
    sizes = cells.groupby(keys, dropna=False, sort=False)["size"].transform("nunique").to_numpy()
    if (sizes > 1).any():
        row = frame.iloc[int(np.flatnonzero(sizes > 1)[0])]
        raise ValueError(
            f"the size of cohort {row['cohort']} differs between its ages; give the number of its users at every age"
        )
    whole = status == "complete"
    cells = cells[keys].assign(
        age=cells["age"].astype("int64"),
        age_to=cells.get("age_to", cells["age"]).astype("int64"),
        size=cells["size"].astype("int64"),
        eligible=np.where(whole, cells["size"], 0).astype("int64"),
        retained=cells["retained"].astype("Int64"),
        retained_eligible=np.where(whole, cells["retained"].fillna(0), 0).astype("int64"),
        status=status,
    )
    remarks = (
        ()
        if "status" in frame
        else ("every given number is taken as complete; a status column says otherwise",)
    )
    return cells.sort_values([*keys, "age"], ignore_index=True), by, remarks


def _status(frame: pd.DataFrame, given: pd.Series) -> np.ndarray:
    if "status" not in frame:
        return np.where(given, "complete", "future")
    status = frame["status"].astype(str).to_numpy()
    for row, said, known in zip((frame.iloc[i] for i in range(len(frame))), status, given, strict=True):
        if said not in STATUSES:
            raise ValueError(f"{_where(row)}: status={said!r}; use one of {', '.join(map(repr, STATUSES))}")
        if (said == "future") == bool(known):
            raise ValueError(
                f"{_where(row)}: a future cell has no count, and only a future one; it is {said}"
            )
    return status


def _where(row: pd.Series) -> str:
    return f"cohort {row['cohort']} at age {row['age']}"


def _refuse_bad_numbers(frame: pd.DataFrame, column: str, given: pd.Series) -> None:
    chosen = frame[given]
    values = pd.to_numeric(chosen[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    for bad, fault in (
        (np.isnan(values), "is missing or not a number"),
        (np.isinf(values), "is infinite"),
        (values < 0, "is negative"),
        (values != np.floor(values), "is fractional: give counts, not rates"),
    ):
        if bad.any():
            row = chosen.iloc[int(np.flatnonzero(bad)[0])]
            raise ValueError(f"{_where(row)}: {column} = {row[column]} {fault}")


def rates_of(frame: pd.DataFrame, confidence: float) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Table and `by` columns from a tidy frame. See `Repurchase.from_counts`."""
    by = _others(frame, ("definition", "n", "repurchased"), COLUMNS)
    _refuse_twice(frame, [*by, "definition"])
    numbers = frame[["n", "repurchased"]].apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1) | (numbers < 0).any(axis=1) | (numbers % 1 != 0).any(axis=1)
    bad |= numbers["repurchased"] > numbers["n"]
    if bad.any():
        row = frame[bad].iloc[0]
        raise ValueError(
            f"{row['definition']}: {row['repurchased']} of {row['n']} is no count of buyers who bought again; give "
            "whole numbers, repurchased at most n"
        )
    rate = Rate.of_counts(numbers["repurchased"].to_numpy(), numbers["n"].to_numpy())
    low, high = rate.interval(confidence)
    counts = numbers.astype("int64")
    table = frame[[*by, "definition"]].assign(estimate=rate.estimate, low=low, high=high, **counts)
    table = table.assign(buyers=counts["n"], immature=0, repurchased_all=counts["repurchased"], note="")
    return table.reset_index(drop=True), by


def days_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Counts of active users and `by` columns from a tidy frame. See `Activity.from_counts`."""
    by = _others(frame, ("day", "dau"), ("day", "dau", "wau", "mau", "stickiness", "low", "high"))
    table = frame[[*by, "day"]].assign(day=pd.to_datetime(frame["day"], errors="coerce"))
    if table["day"].isna().any():
        raise ValueError(f"day = {frame['day'][table['day'].isna()].iloc[0]!r} is no date")
    _refuse_twice(table, [*by, "day"])
    for name in ("dau", "wau", "mau"):
        values = frame[name] if name in frame else pd.Series(pd.NA, index=frame.index)
        numbers = pd.to_numeric(values, errors="coerce").astype("Float64")
        wrong = (
            (numbers.isna() & values.notna()) | (numbers < 0).fillna(False) | (numbers % 1 != 0).fillna(False)
        )
        wrong |= values.isna() if name == "dau" else False
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"{frame['day'].iloc[at]}: {name} = {values.iloc[at]} is no count of users")
        table[name] = numbers.astype("Int64")
    above = (table["dau"] > table["mau"]).fillna(False) | (table["dau"] > table["wau"]).fillna(False)
    above |= (table["wau"] > table["mau"]).fillna(False)
    if above.any():
        row = table[above].iloc[0]
        raise ValueError(
            f"{row['day'].date()}: dau, wau, mau = {row['dau']}, {row['wau']}, {row['mau']} must rise"
        )
    return table.reset_index(drop=True), by


def _refuse_twice(frame: pd.DataFrame, keys: list[str]) -> None:
    twice = frame.duplicated(keys).to_numpy()
    if twice.any():
        row = frame.iloc[int(np.flatnonzero(twice)[0])]
        raise ValueError(f"{' '.join(str(row[key]) for key in keys)} is given twice")


def _others(frame: pd.DataFrame, needed: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Columns to break down by: those that are not known. An error where one is missing that is needed."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"counts are a DataFrame, not {type(frame).__name__}")
    for name in needed:
        if name not in frame.columns:
            raise ValueError(
                f"no column {name!r} among the counts; they have: {some([str(c) for c in frame.columns])}"
            )
    if not len(frame):
        raise ValueError("the table of counts has no rows")
    by = tuple(str(name) for name in frame.columns if name not in known)
    refuse_taken(by, OWN)
    return by
