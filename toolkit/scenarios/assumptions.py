"""What is asked of a number that enters a scenario, and the sentence that tells arithmetic from an estimate."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd

#: Ends every answer that follows from assumptions alone.
ARITHMETIC = "This is arithmetic on assumptions and has no interval: it is no forecast."
#: An answer, where no number would do: infinity is none.
Never = Literal["never"]
NEVER: Never = "never"


def share(name: str, value: Any) -> float:
    """A share of something, checked: 0 to 1, both included."""
    number = finite(name, value)
    if not 0 <= number <= 1:
        hint = f"; for {number:g} % give {number / 100:g}" if 1 < number <= 100 else ""
        raise ValueError(f"{name}={value!r} is a share and lies between 0 and 1{hint}")
    return number


def amount(name: str, value: Any, *, positive: bool = False) -> float:
    """An amount or a count, checked: 0 or more, or more than 0."""
    number = finite(name, value)
    if number < 0 or (positive and number == 0):
        raise ValueError(f"{name}={value!r}: give {'more than 0' if positive else '0 or more'}")
    return number


def finite(name: str, value: Any) -> float:
    """A number, checked: neither missing nor infinite."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r} is no number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name}={value!r}: give a finite number; a missing value is not 0")
    return number


def shares(name: str, values: Any) -> np.ndarray:
    """The shares of a mix, checked: none below 0, together 1."""
    found = column(name, values)
    if not found.sum():
        raise ValueError(f"{name} holds nothing: all its shares are 0")
    if abs(found.sum() - 1) > 1e-6:
        raise ValueError(f"{name} adds up to {found.sum():g}; the shares of a mix add up to 1")
    return found


def one_currency(frame: pd.DataFrame) -> None:
    """Refuse amounts of several currencies in one column, where the table says which."""
    if "currency" in frame.columns and frame["currency"].nunique(dropna=False) > 1:
        found = sorted(map(str, frame["currency"].unique()))
        raise ValueError(
            f"amounts in {', '.join(found)} cannot be added up: bring them into one currency first"
        )


def two_places(value: float) -> str:
    """A number with two decimals and a true minus."""
    return f"{value:,.2f}".replace("-", "−")


def column(name: str, values: Any, *, negative: bool = False) -> np.ndarray:
    """Numbers of one thing each, checked; an error names the first bad row by its label."""
    given = (
        values if isinstance(values, pd.Series) else pd.Series(values, dtype=None if len(values) else float)
    )
    found = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if not len(found):
        raise ValueError(f"{name} is empty: give one number for each")
    faults = [(~np.isfinite(found), "is missing or not a finite number; missing is not 0")]
    if not negative:
        faults.append((found < 0, "is negative"))
    for bad, fault in faults:
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise ValueError(f"{name}: row {given.index[at]!r} = {given.iloc[at]} {fault}")
    return np.asarray(found)
