"""Columns of values in the type of their unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

#: Every platform's times are local to it.
ZONE = "Asia/Shanghai"


def typed(values: Sequence[Any], unit: str) -> pd.Series:
    """A column of values in the type of its unit."""
    if unit in ("text", "id"):
        return pd.Series(list(values), dtype="str")
    if unit == "datetime":
        times = pd.to_datetime(pd.Series(list(values), dtype="object")).astype("datetime64[us]")
        return times.dt.tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT")
    if unit == "date":
        return pd.to_datetime(pd.Series(list(values), dtype="object")).astype("datetime64[us]").dt.normalize()
    return pd.Series(np.array([np.nan if value is None else value for value in values], dtype=float))
