"""Funnels over arrays, compiled: rows in time order in one pass, and rows grouped by user.

A unit's rows have one total order: time, then the mask of the steps that a row matches, then arrival. Of all
chains of j steps that have ended so far, the one that ended last also started last, so a time per step is all
that a unit has to remember.

tied        orders rows of one time by mask
scatter     deals rows of a stream out into buckets of units
advance     moves the units of one bucket on by some rows
enter       the same, where every first step counts by itself
levels      rows grouped by user: depth of every unit, nothing else asked
chains      rows grouped by user: every mode and option, and the rows of the reported chain
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Earlier than any time, and farther from it than any window.
NEVER = -(1 << 62)
#: A window that never closes, and the bounds of times and entries.
FOREVER = 1 << 60
LAST_TIME = 1 << 57
BUCKETS = 256
ORDERED, STRICT, ANY = 0, 1, 2
#: Bits of a row's word: 16 for steps, then one per exclusion, then "a row that a strict chain may not skip".
EXCLUSIONS = 15
KNOWN = 1 << 31
# Words of a unit's record in a stream, before one word per step (and another with groups).
USER, HOLD, STARTED, ENDED, GROUP, WORDS = 0, 1, 2, 3, 4, 5
# Words of an entry's record: its time, end, unit, the unit's entry before it, level and group.
E_TIME, E_END, E_UNIT, E_BEFORE, E_LEVEL, E_GROUP = range(6)


@njit(cache=True, nogil=True)
def _sort_ties(order: Any, mask: Any, a: int, z: int) -> None:
    """Sort order[a:z] by mask, keeping arrival."""
    if z - a > 48:
        run = order[a:z].copy()
        ranks = np.argsort(mask[run], kind="mergesort")
        for i in range(z - a):
            order[a + i] = run[ranks[i]]
        return
    for i in range(a + 1, z):
        row = order[i]
        j = i
        while j > a and mask[order[j - 1]] > mask[row]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = row


@njit(cache=True, nogil=True)
def tied(t: Any, mask: Any, order: Any) -> bool:
    """Make `order`, given as 0..n-1, the total order; False if times go back or are beyond all calendars."""
    n = len(t)
    if n and (t[0] <= -LAST_TIME or t[n - 1] >= LAST_TIME):
        return False
    a = 0
    inverted = False
    for i in range(1, n):
        if t[i] < t[i - 1]:
            return False
        if t[i] > t[i - 1]:
            if inverted:
                _sort_ties(order, mask, a, i)
                inverted = False
            a = i
        elif mask[i] < mask[i - 1]:
            inverted = True
    if inverted:
        _sort_ties(order, mask, a, n)
    return True


@njit(cache=True, nogil=True)
def _hash(user: int, hold: int) -> int:
    x = np.uint64(user) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(hold) * np.uint64(0xC2B2AE3D27D4EB4F)
    x ^= x >> np.uint64(32)
    x *= np.uint64(0xD6E8FEB86659FD93)
    return x ^ (x >> np.uint64(29))


@njit(cache=True, nogil=True)
def scatter(user: Any, hold: Any, t: Any, mask: Any, group: Any, order: Any, part: int, parts: int) -> Any:
    """Rows of the buckets that `part` of `parts` serves, bucket by bucket in total order, and where each begins.

    Buckets are dealt by hash, and small enough that all units of one stay in a processor's cache.
    """
    n = len(order)
    bucket = np.empty(n, np.uint8)
    begins = np.zeros(BUCKETS + 1, np.int64)
    for i in range(n):
        b = np.uint8(_hash(user[i], hold[i] if len(hold) else 0) >> np.uint64(56))
        bucket[i] = b
        if b % parts == part:
            begins[b + 1] += 1
    for b in range(BUCKETS):
        begins[b + 1] += begins[b]
    rows = np.empty((begins[BUCKETS], 4), np.int64)
    place = begins[:BUCKETS].copy()
    for o in range(n):
        i = order[o]
        b = bucket[i]
        if b % parts == part:
            p = place[b]
            place[b] = p + 1
            rows[p, 0] = user[i]
            rows[p, 1] = hold[i] if len(hold) else 0
            rows[p, 2] = t[i]
            rows[p, 3] = np.int64(mask[i]) | ((np.int64(group[i]) if len(group) else 0) << 16)
    return rows, begins


@njit(cache=True, nogil=True)
def _find(slots: Any, units: Any, user: int, hold: int) -> int:
    """The slot that holds a unit's number plus one, or 0 in the free slot where it belongs."""
    top = len(slots) - 1
    h = np.int64(_hash(user, hold)) & top
    while slots[h] != 0:
        unit = slots[h] - 1
        if units[unit, USER] == user and units[unit, HOLD] == hold:
            break
        h = (h + 1) & top
    return h


@njit(cache=True, nogil=True)
def _widen(slots: Any, units: Any, used: int) -> Any:
    wider = np.zeros(2 * len(slots), np.uint32)
    for unit in range(used):
        wider[_find(wider, units, units[unit, USER], units[unit, HOLD])] = unit + 1
    return wider


@njit(cache=True, nogil=True)
def _longer(records: Any) -> Any:
    more = np.empty((len(records) + (len(records) >> 1) + 16, records.shape[1]), np.int64)
    more[: len(records)] = records
    return more


@njit(cache=True, nogil=True)
def advance(
    rows: Any, slots: Any, units: Any, used: int, k: int, within: int, first: int, end: int, at: int, groups: bool
) -> Any:
    """Move units on by rows in total order. Returns slots, units and how many units there are.

    `at` is the step (from 1) whose row gives a chain its group, 0 for the last row.
    """
    starts, carried = WORDS, WORDS + k
    for i in range(len(rows)):
        user, hold, t = rows[i, 0], rows[i, 1], rows[i, 2]
        h = _find(slots, units, user, hold)
        if slots[h] == 0:
            if used == len(units):
                units = _longer(units)
            if 2 * used >= len(slots):
                slots = _widen(slots, units, used)
                h = _find(slots, units, user, hold)
            units[used, :] = NEVER
            units[used, USER] = user
            units[used, HOLD] = hold
            units[used, ENDED] = 0
            used += 1
            slots[h] = used
        unit = units[slots[h] - 1]
        mask, group = rows[i, 3] & 0xFFFF, rows[i, 3] >> 16
        # From the last step down, so that one row fills one step.
        for j in range(k - 1, -1, -1):
            if (mask >> j) & 1 == 0:
                continue
            if j == 0:
                if t < first or t >= end:
                    continue
                start = t
            else:
                start = unit[starts + j - 1]
                if t - start > within:
                    continue
            unit[starts + j] = start
            if groups:
                unit[carried + j] = group if at == 0 or at == j + 1 else unit[carried + j - 1] if j else NEVER
            # End and level share a word: a record of four steps then fills a cache line.
            if (unit[ENDED] & 31) < j + 1:
                unit[STARTED] = start
                unit[ENDED] = (t << 5) | (j + 1)
                if groups:
                    unit[GROUP] = unit[carried + j]
    return slots, units, used


@njit(cache=True, nogil=True)
def enter(
    rows: Any, slots: Any, units: Any, used: int, entries: Any, entered: int, k: int, within: int, first: int, end: int
) -> Any:
    """Move entries on by rows in total order. Returns slots, units, their number, entries and their number.

    A unit knows, for every step, its latest entry that has come so far. Earlier entries that are still within the
    window have come at least as far, so those that a row moves on lie between two known ones.
    """
    starts = WORDS
    for i in range(len(rows)):
        user, hold, t = rows[i, 0], rows[i, 1], rows[i, 2]
        h = _find(slots, units, user, hold)
        if slots[h] == 0:
            if used == len(units):
                units = _longer(units)
            if 2 * used >= len(slots):
                slots = _widen(slots, units, used)
                h = _find(slots, units, user, hold)
            units[used, :] = -1
            units[used, USER] = user
            units[used, HOLD] = hold
            used += 1
            slots[h] = used
        unit = units[slots[h] - 1]
        mask = rows[i, 3] & 0xFFFF
        for j in range(k - 1, 0, -1):
            if (mask >> j) & 1:
                latest, known = unit[starts + j - 1], unit[starts + j]
                entry = latest
                while entry != known and entry >= 0 and t - entries[entry, E_TIME] <= within:
                    entries[entry, E_LEVEL] = j + 1
                    entries[entry, E_END] = t
                    entry = entries[entry, E_BEFORE]
                if latest >= 0 and t - entries[latest, E_TIME] <= within:
                    unit[starts + j] = latest
        if mask & 1 and first <= t < end:
            if entered == len(entries):
                entries = _longer(entries)
            entry = entries[entered]
            entry[E_TIME], entry[E_END], entry[E_UNIT] = t, t, slots[h] - 1
            entry[E_BEFORE], entry[E_LEVEL], entry[E_GROUP] = unit[starts], 1, rows[i, 3] >> 16
            unit[starts] = entered
            entered += 1
    return slots, units, used, entries, entered
