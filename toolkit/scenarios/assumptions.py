"""What is asked of a number that enters a scenario, and the sentence that tells arithmetic from an estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd

from toolkit import dates
from toolkit.wording import NULL, interval, interval_level

#: Ends every answer that follows from assumptions alone.
ARITHMETIC = "This is arithmetic on assumptions and has no interval: it is no forecast."
#: An answer, where no number would do: infinity is none.
Never = Literal["never"]
NEVER: Never = "never"
#: The calendar that a moment with a zone is put in: that of the platforms.
CALENDAR = "Asia/Shanghai"


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
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        raise TypeError(f"{name}={value!r} is no number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} has {len(str(value))} digits: no amount is as large") from None
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
    return f"{value + 0.0 if round(value, 2) else 0.0:,.2f}".replace("-", "−")


def plain(value: float, figures: int = 6) -> str:
    """A number with so many significant figures, thousands set apart, no powers of ten below 10^15."""
    large = 10**figures <= abs(value) < 1e15 or (value == round(value) and abs(value) < 1e15)
    text = f"{value:,.0f}" if large else f"{value:,.{figures}g}"
    return text.replace("-", "−")


def day(name: str, value: Any) -> pd.Timestamp:
    """A day, as people write one; a moment with a zone is the day that it is in Shanghai."""
    try:
        if isinstance(value, float | bool) and not pd.isna(value):
            raise TypeError("a number without a calendar")
        found = dates.single(value, "")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}={value!r} is no day such as 2019-05-10 ({error})") from None
    if found.tzinfo is not None:
        found = found.tz_convert(CALENDAR).tz_localize(None)
    return found.normalize()


def names_of(values: Any) -> list[Any]:
    """Names given as a list, or a single one as it is."""
    return [values] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)


def column(name: str, values: Any, *, negative: bool = False, whole: bool = False) -> np.ndarray:
    """Numbers of one thing each, checked; an error names the first bad row by its label."""
    given = as_series(name, values)
    if not len(given):
        raise ValueError(f"{name} is empty: give one number for each")
    found = _floats(name, given)
    faults = [(~np.isfinite(found), "is missing or not a finite number; missing is not 0")]
    if not negative:
        faults.append((found < 0, "is negative"))
    if whole:
        faults.append((found != np.floor(found), "is fractional: give counts, not rates"))
    for bad, fault in faults:
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise ValueError(f"{name}: row {given.index[at]!r} = {given.iloc[at]} {fault}")
    return found


def or_missing(name: str, values: pd.Series) -> np.ndarray:
    """Numbers of which some may be missing, as nan; text that is no number is not a missing one."""
    found = _floats(name, values)
    for bad, fault in (
        (np.isnan(found) & values.notna().to_numpy(bool), "is not a number"),
        (np.isinf(found), "is infinite"),
    ):
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise ValueError(f"{name}: row {values.index[at]!r} = {values.iloc[at]} {fault}")
    return found


def as_series(name: str, values: Any) -> pd.Series:
    """Values of one thing each as a series; a Series or a dict keeps its labels."""
    if isinstance(values, pd.Series):
        return values
    if isinstance(values, pd.DataFrame):
        raise TypeError(f"{name} is a DataFrame with {len(values.columns)} columns: choose one of them")
    if values is None or isinstance(values, str) or np.isscalar(values):
        raise TypeError(f"{name}={values!r}: give a list or a Series, one for each")
    listed = values if isinstance(values, dict) or hasattr(values, "__len__") else list(values)
    if np.ndim(listed) > 1:
        raise ValueError(f"{name} has {np.ndim(listed)} dimensions: give one value for each")
    return pd.Series(listed, dtype=None if len(listed) else float)


def side_by_side(**columns: Any) -> None:
    """Refuse columns that belong together and have other lengths, or the same labels in another order."""
    given = {name: as_series(name, values) for name, values in columns.items() if values is not None}
    (first, one), *others = given.items()
    for name, other in others:
        if len(other) != len(one):
            raise ValueError(
                f"{first} has {len(one)} rows and {name} {len(other)}: give one of each for each"
            )
        labelled = isinstance(columns[first], pd.Series | dict) and isinstance(
            columns[name], pd.Series | dict
        )
        if labelled and not one.index.equals(other.index) and set(one.index) == set(other.index):
            raise ValueError(
                f"{first} and {name} have the same labels in another order, as {one.index[0]!r} and "
                f"{other.index[0]!r}: bring them into one order"
            )


def known_names(name: str, values: Any) -> np.ndarray:
    """Whose each row is, checked: rows without a name cannot be taken for one and the same."""
    given = as_series(name, values)
    missing = given.isna().to_numpy(bool)
    if missing.any():
        at = int(missing.argmax())
        raise ValueError(
            f"row {given.index[at]!r} has no {name}: rows of unknown {name}s are not one {name}; leave them out "
            f"knowingly, or name each"
        )
    return np.asarray(given, object)


def indicators(frame: pd.DataFrame) -> pd.DataFrame:
    """Covariates as columns of numbers: text becomes indicators, the first category apart; missing text is one too."""
    columns: dict[str, np.ndarray] = {}
    for name in map(str, frame.columns):
        given = frame[name]
        if pd.api.types.is_numeric_dtype(given.dtype):
            columns[name] = column(name, given, negative=True)
        elif pd.to_numeric(given, errors="coerce").notna().all():
            columns[name] = column(name, pd.to_numeric(given), negative=True)
        else:
            texts = given.astype(object).where(given.notna(), NULL).astype(str)
            for category in sorted(texts.unique())[1:]:
                columns[f"{name}_{category}"] = (texts == category).to_numpy(float)
    return pd.DataFrame(columns, index=frame.index)


def level_and_ends(confidence: float, row: Any, said: Callable[[float], str]) -> str:
    """The interval of a row of a table as a sentence has it, or that there is none."""
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return "no interval"
    return f"{interval_level(confidence)} {interval(row, said)}"


def text_of(value: Any) -> str:
    """A name as a sentence shows it."""
    return NULL if pd.isna(value) else str(value)


def _floats(name: str, given: pd.Series) -> np.ndarray:
    kind = given.dtype
    if pd.api.types.is_datetime64_any_dtype(kind) or pd.api.types.is_timedelta64_dtype(kind):
        raise TypeError(f"{name} holds dates or durations ({kind}), not numbers")
    if pd.api.types.is_complex_dtype(kind):
        raise TypeError(f"{name} holds complex numbers")
    try:
        return np.asarray(pd.to_numeric(given, errors="coerce").to_numpy(dtype=float, na_value=np.nan))
    except OverflowError:
        raise ValueError(f"{name} holds a number that is too large for any amount") from None
