"""How effects on series, and the errors they allow for, are said in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

ESTIMATORS = {
    "auto": "AR(1) and noise by REML",
    "ar1_noise": "AR(1) and noise by REML",
    "ar1": "AR(1) by REML",
    "ar2": "AR(2) by REML",
    "ols": "least squares, errors taken as independent",
    "hac": "least squares with Newey-West errors",
    "prais_winsten": "Prais-Winsten",
    "cochrane_orcutt": "Cochrane-Orcutt",
    "arima": "ARIMA",
    "structural": "a structural time series",
    "weekly": "AR(1), noise and a memory of last week by REML",
    "poisson": "Poisson",
    "quasi_poisson": "quasi-Poisson",
    "negative_binomial": "negative binomial",
}
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
