"""What every table of counts and every option is checked for, with errors that name the row, the value and the fix."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.wording import group_name, some, unknown

#: A cell of a cohort table: its period is observed for all its users, for some, or has begun for none.
COMPLETE, PARTIAL, FUTURE = STATUSES = ("complete", "partial", "future")


def confidence_level(confidence: Any) -> float:
    """The confidence of an interval, checked: a number strictly between 0 and 1."""
    if isinstance(confidence, bool) or not isinstance(confidence, Real):
        raise TypeError(f"confidence={confidence!r} is no number; use one between 0 and 1, such as 0.95")
    if not 0 < float(confidence) < 1:
        raise ValueError(f"confidence={confidence!r} lies outside 0 to 1; 0.95 is usual")
    return float(confidence)


def one_of(option: str, value: Any, known: Sequence[Any]) -> Any:
    """The value of an option of a few words, checked."""
    if not any(value is word or (isinstance(value, str) and value == word) for word in known):
        raise ValueError(f"{option}={value!r}; use one of {', '.join(map(repr, known))}")
    return value


def refuse_taken(by: Collection[Any], columns: Collection[str]) -> None:
    """Refuse groups named as a column of the result itself: one of the two would be lost."""
    for name in by:
        if name in columns:
            raise ValueError(
                f"{name!r} cannot name groups, for the result has a column of that name itself; rename or drop "
                "that column of the data, and read it again"
            )


def counts_table(frame: Any, needed: Sequence[str]) -> pd.DataFrame:
    """A table of counts, checked: a frame with rows and the columns that are needed."""
    if not isinstance(frame, pd.DataFrame):
        read = "; read the file first, as with pd.read_csv" if isinstance(frame, str | Path) else ""
        raise TypeError(f"counts are a DataFrame with {some(needed)}, not {type(frame).__name__}{read}")
    for name in needed:
        if name not in frame.columns:
            raise ValueError(unknown("column", name, frame.columns, of="the counts"))
        if isinstance(frame[name], pd.DataFrame):
            raise ValueError(
                f"column {name!r} stands {frame[name].shape[1]} times in the counts; keep one of them"
            )
    if not len(frame):
        raise ValueError("the table of counts has no rows")
    return frame


def numbers(
    frame: pd.DataFrame,
    column: str,
    keys: Sequence[str] = (),
    *,
    whole: bool = True,
    missing: bool = False,
) -> np.ndarray:
    """A column of counts or amounts as floats; an error names the first bad value and its row.

    Parameters
    ----------
    keys
        Columns that name a row in the error.
    whole
        Whether fractions are refused: counts are whole, amounts need not be.
    missing
        Whether a value may be missing; it is then nan, never 0.
    """
    given = frame[column]
    values: np.ndarray = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    faults = [
        (
            np.isnan(values) & ~(given.isna().to_numpy(bool) if missing else False),
            "is missing or not a number",
        ),
        (np.isinf(values), "is infinite"),
        (values < 0, "is negative"),
    ]
    if whole:
        faults.append((values != np.floor(values), "is fractional: give counts, not rates"))
    for bad, fault in faults:
        bad &= ~np.isnan(values) | (fault == "is missing or not a number")
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            if str(given.iloc[at]).strip().endswith("%"):
                fault = "is a rate: give counts"
            raise ValueError(f"{row_name(frame, at, keys)}: {column} = {given.iloc[at]} {fault}")
    return values


def row_name(frame: pd.DataFrame, at: int, keys: Sequence[str] = ()) -> str:
    """A row as an error names it: its label, and the values of its keys."""
    named = f" ({', '.join(group_name([frame[key].iloc[at]]) for key in keys)})" if keys else ""
    return f"row {frame.index[at]}{named}"
