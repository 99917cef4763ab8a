"""Caveats about a series around its interruptions, which stand in the sentence of every result.

near                too few points on a side, no data across a date, a series that never varies
thin                lasting terms that one or two points decide
constant            series without variation before the first interruption
effective_number    effective number of observations of a coefficient (Kish)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.interruptions.design import Design
from toolkit.interruptions.series import Clock, Series
from toolkit.interruptions.terms import Level, Pulse, Ramp, Slope, Term
from toolkit.wording import counted

#: Points on a side of an interruption: fewer than the first are an error, fewer than the second a caveat.
LEAST, FEW = 3, 12
#: Points from which on a series tells its errors well enough for an event near one of its ends.
SHORT = 60
#: Series of a batch that are named one by one.
MOST = 3
#: Effective number of observations below which a lasting term has a caveat: it takes 3 to see that one is odd.
THIN = 2.5


def near(series: Series, terms: Mapping[str, tuple[Term, ...]], kept: np.ndarray) -> list[str]:
    """Caveats about the points around each interruption.

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
            if min(before, after) < FEW and before + after < SHORT:
                notes.append(
                    f"only {min(before, after)} points on a side of {name!r}: its interval should not be trusted"
                )
            gap = _gap(~np.isnan(series.values).all(1), place)
            if gap > 1:
                notes.append(
                    f"no data for {gap} {clock.unit}s around {name!r}: its level depends on the trend across that gap"
                )
    first = min(clock.place(term.at) for given in terms.values() for term in given)
    return [*notes, *constant(series, first)]


def constant(series: Series, first: int) -> list[str]:
    """Caveats about series that are constant before the first interruption, or throughout."""
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
            f"could change. What the data show is what came after: {after.mean():.4g} on average, from "
            f"{after.min():.4g} to {after.max():.4g}, in {counted(len(after), clock.unit)}. Intervals and p values "
            "assume the same noise before as after, and should not be trusted"
        )
    return notes if len(flat) <= MOST else [*notes, f"{len(flat) - MOST} more series are constant before"]


def thin(plan: Design, rows: np.ndarray, clock: Clock) -> list[str]:
    """Caveats about lasting terms that one or two points decide."""
    mine = lasting(plan)
    there = np.flatnonzero(rows[: plan.treated])
    return [
        f"{plan.names[place]!r} rests on about {counted(round(number), clock.unit)} in effect, "
        f"{clock.said(int(there[day]))} above all: its interval should not be trusted"
        for place, (number, day) in zip(mine, effective_number(plan, rows, mine), strict=True)
        if number < THIN
    ]


def lasting(plan: Design) -> list[int]:
    """Columns of levels, slopes and ramps, which act on every later period, however few points tell their size."""
    names = tuple(term.name for term in (Level, Slope, Ramp))
    return [
        place for place, owner in enumerate(plan.owners) if owner is not None and owner[1].startswith(names)
    ]


def effective_number(plan: Design, rows: np.ndarray, columns: Sequence[int]) -> list[tuple[float, int]]:
    """Effective number of observations behind each coefficient, and the point that weighs most.

    Notes
    -----
    Least squares gives a coefficient as a weighted sum z'y of the series' own points; with w = z^2 the effective number
    is Kish's (sum w)^2 / sum w^2: n where all weights are alike, 1 where a single point decides.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.
    """
    unit = plan.matrix[rows]
    unit = unit / np.sqrt((unit**2).sum(0))
    pull = (unit @ np.linalg.inv(unit.T @ unit)[:, columns])[: int(rows[: plan.treated].sum())] ** 2
    number = pull.sum(0) ** 2 / (pull**2).sum(0)
    return list(zip(number.tolist(), pull.argmax(0).tolist(), strict=True))


def _gap(known: np.ndarray, place: int) -> int:
    """Length of the run of periods without data that holds a period, or ends just before it."""
    low, high = place, place
    while low > 0 and not known[low - 1]:
        low -= 1
    while high < len(known) and not known[high]:
        high += 1
    return high - low
