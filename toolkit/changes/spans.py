"""Before and after: two spans of days, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from toolkit import dates

#: With fewer days on a side it cannot be seen how much days differ.
LEAST = 2


class Spans(NamedTuple):
    """Positions of days before and after."""

    before: np.ndarray
    after: np.ndarray


def spans_of(days: np.ndarray, at: Any, before: Any, after: Any, window: pd.Timedelta | None) -> Spans:
    """Two spans from `at`, or from `before` and `after`, each (from, to) with `to` excluded."""
    first, last = _date(days[0]), _date(days[-1])
    if (at is None) == (before is None or after is None):
        raise ValueError("say when it changed: at=, or before=(from, to) and after=(from, to)")
    if at is not None and (before is not None or after is not None):
        raise ValueError(
            "at= is a date between two spans; before= and after= name them: give one or the other"
        )
    if at is not None:
        day = _day(at, "at")
        if not days[0] < day <= days[-1]:
            raise ValueError(
                f"at={at!r} lies outside the days there are, {first} to {last}: nothing to compare"
            )
        bounds = [(days[0], day), (day, days[-1] + 1)]
    else:
        bounds = [_range(span, name) for span, name in ((before, "before"), (after, "after"))]
        if bounds[0][1] > bounds[1][0]:
            raise ValueError(
                f"before={before!r} and after={after!r} overlap: a day lies on one side (the end excluded)"
            )
    found = []
    for name, (low, high) in zip(("before", "after"), bounds, strict=True):
        inside = np.flatnonzero((days >= low) & (days < high))
        if len(inside) < LEAST:
            raise ValueError(
                f"{name} the change there {'is 1 day' if len(inside) else 'is no day'} with counts; there are "
                f"{first} to "
                f"{last}: intervals need {LEAST} days a side or more"
            )
        if window is not None and high - low < window / pd.Timedelta("1D"):
            raise ValueError(
                f"the span {name}, {high - low} days, is shorter than the window, {window}: take a longer span"
            )
        found.append(inside)
    return Spans(*found)


def _range(span: Any, name: str) -> tuple[int, int]:
    if isinstance(span, str) or not hasattr(span, "__len__") or len(span) != 2:
        raise ValueError(f"{name}={span!r}; give (from, to), days, the end excluded")
    low, high = _day(span[0], name), _day(span[1], name)
    if low >= high:
        raise ValueError(f"{name}={span!r} is an empty span: from must lie before to")
    return low, high


def _day(value: Any, name: str) -> int:
    try:
        time = dates.single(value, "")
    except dates.Ambiguous as error:
        raise ValueError(f"{name}: {error}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}={value!r} is not a date; write '2024-11-03'") from error
    if time is pd.NaT or time != time.normalize():
        raise ValueError(f"{name}={value!r} is not a whole day; write '2024-11-03'")
    return int((time.tz_localize(None) - pd.Timestamp(0)).days)


def _date(day: int) -> str:
    return f"{pd.Timestamp(0) + pd.Timedelta(days=int(day)):%Y-%m-%d}"
