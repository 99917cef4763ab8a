"""What must be said of a series around its interruptions before any estimate is believed.

near       too few points on a side, no data across a date, a series that never changes
constant   what can still be said where nothing varied before
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.interruptions.series import Series
from toolkit.interruptions.terms import Pulse, Term
from toolkit.results import counted

#: Fewer points on a side of an interruption are an error, or are said to be few.
LEAST, FEW = 3, 12
#: Series of a batch that are named one by one.
MOST = 3


def near(series: Series, terms: Mapping[str, tuple[Term, ...]], kept: np.ndarray) -> list[str]:
    """What must be said of the points around each interruption.

    Raises
    ------
    ValueError
        For fewer than 3 points on a side of a term that stays.
    """
    clock, notes = series.clock, []
    known = ~np.isnan(series.values) & kept[:, None]
    for name, given in terms.items():
        for place in dict.fromkeys(clock.place(term.at) for term in given if not isinstance(term, Pulse)):
            before, after = int(known[:place].sum(0).min()), int(known[place:].sum(0).min())
            for points, side in ((before, "before"), (after, "from it on")):
                if points < LEAST:
                    raise ValueError(
                        f"interruption {name!r} on {clock.said(place)} has {counted(points, 'point')} {side}; it needs "
                        f"{LEAST} at least: a longer series, or another date"
                    )
            if min(before, after) < FEW:
                notes.append(
                    f"only {min(before, after)} points on a side of {name!r}: its interval should not be trusted"
                )
            gap = _gap(~np.isnan(series.values).all(1), place)
            if gap > 1:
                notes.append(f"no data for {gap} {clock.unit}s around {name!r}: its level rests on the trend")
    first = min(clock.place(term.at) for given in terms.values() for term in given)
    return [*notes, *constant(series, first)]


def constant(series: Series, first: int) -> list[str]:
    """What can still be said of series that are constant before the first interruption, or throughout."""
    if first == 0:
        return []
    clock, notes = series.clock, []
    low, high = (reduce(series.values[:first], axis=0) for reduce in (np.fmin.reduce, np.fmax.reduce))
    flat = np.flatnonzero(low == high)
    for number in flat[:MOST]:
        which = "the series" if len(series.names) == 1 else repr(series.names[number])
        value, after = low[number], series.values[first:, number]
        after = after[~np.isnan(after)]
        if (after == value).all():
            notes.append(f"{which} is constant at {value:g} throughout: there is nothing to estimate")
            continue
        notes.append(
            f"{which} is constant at {value:g} before {clock.said(first)}: nothing was measured then, or nothing "
            f"could change. What can be said is what came after: {after.mean():.4g} on average, from "
            f"{after.min():.4g} to {after.max():.4g}, in {counted(len(after), clock.unit)}. Intervals and p take the "
            "noise after to have been there before, and should not be trusted"
        )
    return notes if len(flat) <= MOST else [*notes, f"{len(flat) - MOST} more series are constant before"]


def _gap(known: np.ndarray, place: int) -> int:
    """Periods without data in a row that hold a place, or end just before it."""
    low, high = place, place
    while low > 0 and not known[low - 1]:
        low -= 1
    while high < len(known) and not known[high]:
        high += 1
    return high - low
