"""Values that callers hand in to be sorted into tiers or bands, checked."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import pandas as pd

#: What is on no list, or below the lowest band.
UNLISTED = "unlisted"


def series_of(values: Any, name: str) -> pd.Series:
    """A Series or a list as a Series of objects; `name` is said in an error."""
    if isinstance(values, str | pd.DataFrame) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} is a Series or a list, not {type(values).__name__}")
    return (values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)).astype(object)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, and not True or False."""
    return isinstance(value, Integral) and not isinstance(value, bool)
