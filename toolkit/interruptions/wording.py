"""How effects on series are said in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

#: Shares smaller than this are rounding.
NOTHING = 1e-9


def change(share: float) -> str:
    """A relative change as per cent, with its sign."""
    if math.isnan(share):
        return "unknown"
    share = 0.0 if abs(share) < NOTHING else share
    size = abs(share) * 100
    digits = 0 if size >= 100 else 1 if size >= 1 or size == 0 else min(6, 1 - math.floor(math.log10(size)))
    return f"{share * 100:+,.{digits}f} %".replace("-", "−")


def amount(value: float) -> str:
    """A difference in the units of the series, with its sign and about four figures."""
    if math.isnan(value):
        return "unknown"
    size = abs(value)
    text = f"{value:+,.0f}" if size >= 1000 or value == int(value) else f"{value:+.4g}"
    return text.replace("-", "−")


def interval(row: Any, said: Callable[[float], str]) -> str:
    """The interval of a row of a table, or why there is none."""
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return "no interval"
    return f"{said(row['low'])} to {said(row['high'])}"
