"""Seasons as columns of a design: means of weekdays, hours and months, and Fourier pairs.

seasonal    the columns of a season on a clock
averaged    a design with an average weekday, for a figure that is too long to tell one from the next
"""

from __future__ import annotations

import calendar as months
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolkit.interruptions.series import Clock
from toolkit.wording import counted

MONTHS = tuple(months.month_name)[1:]
HOURS = tuple(f"{hour:02}:00" for hour in range(24))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: Periods in a year; whole years that a series must cover for a yearly season; Fourier pairs of that season.
YEAR = {"h": 8766.0, "D": 365.25, "W": 365.25 / 7, "M": 12.0, "Q": 4.0}
YEARS = 2
PAIRS = 2
#: Names of columns with a mean each, the periods after which they come again, and what they are.
CYCLES = {
    "h": ((HOURS, 24, "hour of the day"), (DAYS, 168, "weekday")),
    "D": ((DAYS, 7, "weekday"),),
}
#: Cycles in a figure from which on they run into one another.
MANY = 20


def seasonal(clock: Clock, season: Any, known: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Seasonal columns: a mean for each weekday, hour or month that has values, and Fourier pairs.

    Parameters
    ----------
    known : (periods,) array of bool, optional
        Periods with values; all if not given. A weekday without any, such as a closing day, has no column.
    """
    if season is None:
        return {}
    known = np.ones(len(clock.periods), bool) if known is None else known
    if season == "auto":
        days = len(clock.periods) / (24 if clock.kind == "h" else 1)
        wanted: list[Any] = ["day"] if clock.kind == "h" and days >= 3 else []
        wanted += ["week"] if clock.kind in ("h", "D") and days >= 21 else []
        wanted += ["year"] if clock.kind in YEAR and len(clock.periods) >= YEARS * YEAR[clock.kind] else []
    else:
        wanted = [season] if isinstance(season, str | Mapping) else list(season)
    columns: dict[str, np.ndarray] = {}
    for one in wanted:
        if one == "week" and clock.kind in ("h", "D"):
            _covers(clock, one, 2 * 7 * (24 if clock.kind == "h" else 1))
            columns |= _means(clock.times.day_of_week, DAYS, known)
        elif one == "day" and clock.kind == "h":
            _covers(clock, one, 2 * 24)
            columns |= _means(clock.times.hour, HOURS, known)
        elif one == "month" and clock.kind == "M":
            _covers(clock, one, YEARS * 12)
            columns |= _means(clock.times.month - 1, MONTHS, known)
        elif one == "year" and clock.kind in YEAR:
            _covers(clock, one, int(YEAR[clock.kind]))
            columns |= _waves(clock, YEAR[clock.kind], PAIRS, "year")
        elif isinstance(one, Mapping) and set(one) == {"period", "pairs"}:
            if one["period"] > len(clock.periods):
                raise ValueError(
                    f"a season of {one['period']:g} {clock.unit}s is longer than the series, "
                    f"{len(clock.periods)}; drop it"
                )
            columns |= _waves(clock, float(one["period"]), int(one["pairs"]), f"period {one['period']:g}")
        else:
            raise ValueError(
                f"season={one!r} of a series of {clock.unit}s; use 'auto', None, 'day' (hours only), 'week' (hours "
                "and days), 'month' (months only), 'year' or {'period': 12, 'pairs': 2}"
            )
    return columns


def _covers(clock: Clock, season: str, least: int) -> None:
    """Refuse a season that a series is too short for."""
    if len(clock.periods) < least:
        raise ValueError(
            f"season={season!r} needs {counted(least, clock.unit)} at least, and the series has {len(clock.periods)}; "
            "drop it, or give a longer series"
        )


def _means(place: Any, names: Sequence[str], known: np.ndarray) -> dict[str, np.ndarray]:
    """A column for every place that has values, the first of them apart, from which the others differ."""
    there = np.unique(np.asarray(place)[known])
    return {names[i]: np.asarray(place == i).astype(float) for i in there[1:]}


def _waves(clock: Clock, period: float, pairs: int, name: str) -> dict[str, np.ndarray]:
    angle = 2 * np.pi * clock.periods / period
    return {
        f"{shape.__name__} {pair} of {name}": shape(pair * angle)
        for pair in range(1, pairs + 1)
        for shape in (np.sin, np.cos)
        # The highest sine of an even period is 0 everywhere.
        if not (shape is np.sin and 2 * pair == period)
    }


def averaged(names: Sequence[str], matrix: np.ndarray, clock: Clock) -> tuple[np.ndarray, str]:
    """The matrix of a design with an average hour or weekday, where a figure could not tell one from the next.

    Returns
    -------
    matrix, what
        The matrix itself and "" where all can be told.
    """
    what = []
    for group, length, said in CYCLES.get(clock.kind, ()):
        mine = [place for place, name in enumerate(names) if name in group]
        if mine and len(clock.periods) > MANY * length:
            matrix = matrix.copy()
            # The first of them has no column of its own.
            matrix[:, mine] = 1 / (len(mine) + 1)
            what.append(said)
    return matrix, " and ".join(what)
