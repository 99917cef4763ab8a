"""Caveats about a series around its interruptions, which stand in the sentence of every result.

near                too few points on a side, no data across a date, a series that never varies
thin                lasting terms that one or two points decide
constant            series without variation before the first interruption or from it on
countable           counts without a finite rate ratio, which are refused
once                a weekday with a single value
effective_number    effective number of observations of a coefficient (Kish)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from toolkit.interruptions.design import Design
from toolkit.interruptions.seasons import DAYS
from toolkit.interruptions.series import Clock, Series
from toolkit.interruptions.terms import Level, Pulse, Ramp, Slope, Term
from toolkit.wording import counted

#: Points on a side of an interruption: fewer than the first are an error, fewer than the second a caveat.
LEAST, FEW = 3, 12
#: Points from which on a series tells its errors well enough for an event near one of its ends.
SHORT = 60
#: Equal points in a row from which on a series has ended, or is no longer measured.
ENDED = 7
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
    """Caveats about series that are constant before the first interruption, from it on, or throughout."""
    if first == 0:
        return []
    clock, notes, sides = series.clock, [], (series.values[:first], series.values[first:])
    low, high = (
        np.array([reduce(side, axis=0) for side in sides]) for reduce in (np.fmin.reduce, np.fmax.reduce)
    )
    before, after = low == high
    after &= (~np.isnan(sides[1])).sum(0) >= ENDED
    flat = np.flatnonzero(before | after)
    for number in flat[:MOST]:
        which = "the series" if len(series.names) == 1 else repr(series.names[number])
        value, other = (low[0], sides[1]) if before[number] else (low[1], sides[0])
        rest = other[~np.isnan(other[:, number]), number]
        if (rest == value[number]).all():
            notes.append(f"{which} is constant at {value[number]:g} throughout: there is nothing to estimate")
            continue
        told = f"{rest.mean():.4g} on average, from {rest.min():.4g} to {rest.max():.4g}, in "
        told += (
            f"{counted(len(rest), clock.unit)}. Intervals and p values assume the same noise before as after"
        )
        notes.append(
            f"{which} is constant at {value[number]:g} before {clock.said(first)}: nothing was measured then, or "
            f"nothing could change. What the data show is what came after: {told}, and should not be trusted"
            if before[number]
            else f"{which} is constant at {value[number]:g} from {clock.said(first)} on: it ended, or was no longer "
            f"measured. What the data show is what was before: {told}, and should not be trusted"
        )
    return notes if len(flat) <= MOST else [*notes, f"{len(flat) - MOST} more series are constant on a side"]


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


def countable(plan: Design, rows: np.ndarray, counts: np.ndarray, names: Sequence[str]) -> None:
    """Refuse counts, rows x series, that are 0 wherever a lasting term acts, or wherever none does.

    Raises
    ------
    ValueError
        Since the rate ratio is then 0 or infinite, on whose logarithm no interval stands.
    """
    mine = lasting(plan)
    acts = plan.matrix[rows][:, mine] != 0
    sides = [(f"wherever {plan.names[place]!r} acts", acts[:, i]) for i, place in enumerate(mine)]
    for where, side in [*sides, ("wherever no lasting term acts", ~acts.any(1))]:
        gone = ~counts[side].any(0)
        if side.any() and gone.any():
            raise ValueError(
                f"series {names[int(gone.argmax())]!r} is 0 {where}, {counted(int(side.sum()), 'point')}: the "
                "logarithm of that mean has no finite estimate; errors='auto' models log(y + 0.5)"
            )


def once(plan: Design, rows: np.ndarray, clock: Clock) -> list[str]:
    """Caveats about weekdays with a single value, where each weekday has a mean of its own."""
    if not set(DAYS) & set(plan.names):
        return []
    there = np.flatnonzero(rows[: plan.treated])
    which = np.asarray(pd.DatetimeIndex(clock.times).day_of_week)[there]
    return [
        f"{DAYS[day]} has one value, on {clock.said(int(there[which == day][0]))}, which its own mean takes out of the "
        "fit"
        for day in np.flatnonzero(np.bincount(which, minlength=len(DAYS)) == 1)
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
