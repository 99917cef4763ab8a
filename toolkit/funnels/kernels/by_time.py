"""Counting units of rows in time order, compiled: rows are dealt into buckets by user, and a full bucket is applied.

The units of a bucket are few enough to stay in a processor's cache while its rows move them on; one table for all
units would miss the cache with every row. Rows of one user keep their order, since all go the same way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toolkit.compiled import compiled
from toolkit.funnels.kernels.row_order import NEVER, Limits, highest, mixed, tied

#: Buckets of one thread.
BUCKETS = 128
# Words of a unit's record, before one word per step with the latest start (and one with its group, where asked).
# The furthest step and its time share a word, so that the record of four steps fills a line of cache.
USER, HOLD, ENDED, GROUP, STARTS = range(5)
# Words of an entry's record.
TIME, END, BEFORE, LEVEL, ENTRY_GROUP = range(5)


class Rows(NamedTuple):
    """Columns of a batch: users, held codes (or none), times, step masks, and groups (or none)."""

    user: Any
    hold: Any
    t: Any
    mask: Any
    group: Any


class Buckets(NamedTuple):
    """Rows that wait in each bucket and how many; a hash table, units' records and their number; entries' records."""

    waiting: Any
    filled: Any
    slots: Any
    units: Any
    used: Any
    entries: Any


def empty(k: int, *, groups: bool, waiting: int) -> Buckets:
    """Buckets without units, in which `waiting` rows may wait."""
    return Buckets(
        waiting=np.empty((BUCKETS, waiting, 4), np.int64),
        filled=np.zeros(BUCKETS, np.int64),
        slots=np.zeros((BUCKETS, 64), np.uint32),
        units=np.empty((BUCKETS, 32, STARTS + (2 * k if groups else k)), np.int64),
        used=np.zeros(BUCKETS, np.int64),
        entries=np.empty((1024, 5), np.int64),
    )


@compiled
def route(user: Any, t: Any, mask: Any) -> Any:
    """Whether rows are in time order, and the rows of either thread in total order."""
    n = len(t)
    order = np.empty(n, np.int32)
    for i in range(n):
        order[i] = i
    fine = tied(t, mask, order)
    parts, count = np.empty((2, n), np.int32), np.zeros(2, np.int64)
    for o in range(n):
        i = order[o]
        part = np.int64(mixed(user[i], 0) >> np.uint64(63))
        parts[part, count[part]] = i
        count[part] += 1
    return fine, parts[0, : count[0]], parts[1, : count[1]]


@compiled
def advance(
    rows: Rows, chosen: Any, buckets: Buckets, entered: int, limits: Limits, at: int, per_entry: bool
) -> Any:
    """Take the chosen rows, in total order, into their buckets, and apply those that are full; all, if none is chosen.

    Parameters
    ----------
    entered
        How many entries there are.
    at
        Step (from 1) whose row gives a unit its group, 0 for the last row.
    per_entry
        Whether every first step counts by itself.

    Returns
    -------
    Buckets, number of entries
    """
    waiting, filled, slots, units, used, entries = buckets
    last, o, b = len(chosen) == 0, 0, 0
    while True:
        if not last:
            o, b = _fill(rows, chosen, o, waiting, filled)
        if b < 0 or b == BUCKETS:
            break
        # Room is made out here: a loop whose arrays may change under it runs at half the speed.
        while used[b] + filled[b] > units.shape[1]:
            slots, units = _widened(slots, units, used)
        if per_entry and entered + filled[b] > len(entries):
            entries = _longer(entries, entered, 2 * entered + filled[b])
        count = filled[b]
        used[b], entered = _apply(
            waiting[b], count, slots[b], units[b], used[b], entries, entered, limits, at, per_entry
        )
        filled[b] = 0
        b += last
    return Buckets(waiting, filled, slots, units, used, entries), entered


@compiled
def _fill(rows: Rows, chosen: Any, at: int, waiting: Any, filled: Any) -> Any:
    """Put rows from place `at` on into their buckets until one is full: the place after, and that bucket or -1."""
    user, hold, t, mask, group = rows
    for o in range(at, len(chosen)):
        i = chosen[o]
        b = np.int64(mixed(user[i], 0) >> np.uint64(56)) & (BUCKETS - 1)
        n = np.uint64(filled[b])
        waiting[b, n, 0], waiting[b, n, 1], waiting[b, n, 2] = user[i], hold[i] if len(hold) else 0, t[i]
        waiting[b, n, 3] = np.int64(mask[i]) | ((np.int64(group[i]) if len(group) else 0) << 16)
        filled[b] += 1
        if filled[b] == waiting.shape[1]:
            return o + 1, b
    return len(chosen), -1


@compiled
def _widened(slots: Any, units: Any, used: Any) -> Any:
    """Twice the slots and units of every bucket."""
    more = np.empty((BUCKETS, 2 * units.shape[1], units.shape[2]), np.int64)
    wider = np.zeros((BUCKETS, 2 * slots.shape[1]), np.uint32)
    top = np.uint64(wider.shape[1] - 1)
    for b in range(BUCKETS):
        for unit in range(used[b]):
            for word in range(units.shape[2]):
                more[b, unit, word] = units[b, unit, word]
            h = mixed(more[b, unit, USER], more[b, unit, HOLD]) & top
            while wider[b, h] != 0:
                h = (h + np.uint64(1)) & top
            wider[b, h] = unit + 1
    return wider, more


@compiled
def _longer(records: Any, used: int, size: int) -> Any:
    longer = np.empty((size, records.shape[1]), np.int64)
    for record in range(used):
        for word in range(records.shape[1]):
            longer[record, word] = records[record, word]
    return longer


@compiled
def _apply(
    rows: Any, n: int, table: Any, units: Any, used: int, entries: Any, entered: int, limits: Limits, at: int,
    per_entry: bool,
) -> Any:  # fmt: skip
    """Move the units of one bucket on by its n rows: how many units and entries there are then."""
    top = np.uint64(len(table) - 1)
    for i in range(n):
        user, hold, t, mask, group = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3] & 0xFFFF, rows[i, 3] >> 16
        h = mixed(user, hold) & top
        while table[h] != 0:
            unit = np.uint64(table[h]) - np.uint64(1)
            if units[unit, USER] == user and units[unit, HOLD] == hold:
                break
            h = (h + np.uint64(1)) & top
        if table[h] == 0:
            for word in range(units.shape[1]):
                units[used, word] = NEVER
            units[used, USER], units[used, HOLD], units[used, ENDED] = user, hold, 0
            used += 1
            table[h] = used
        unit = np.uint64(table[h]) - np.uint64(1)
        if not per_entry:
            _move_unit(units, unit, t, mask, group, limits, at)
            continue
        _move_entries(units, unit, entries, t, mask, limits)
        if mask & 1 and limits.first <= t < limits.end:
            entries[entered, TIME], entries[entered, END], entries[entered, LEVEL] = t, t, 1
            entries[entered, ENTRY_GROUP], entries[entered, BEFORE] = group, units[unit, STARTS]
            units[unit, STARTS] = entered
            entered += 1
    return used, entered


@compiled
def _move_unit(units: Any, unit: int, t: int, mask: int, group: int, limits: Limits, at: int) -> None:
    groups = units.shape[1] > STARTS + limits.k
    entry = t if limits.first <= t < limits.end else NEVER
    ended = units[unit, ENDED]
    while mask:
        # From the last step down, so that one row fills one step; chosen by value, not by branch.
        j = highest(mask)
        mask ^= np.int64(1) << j
        before = units[unit, STARTS + j - 1]
        start = before if j else entry
        valid = t - start <= limits.within
        units[unit, STARTS + j] = start if valid else units[unit, STARTS + j]
        deeper = valid and (ended & 31) < j + 1
        ended = (t << 5) | (j + 1) if deeper else ended
        if groups and valid:
            carried = STARTS + limits.k + j
            units[unit, carried] = (
                group if at == 0 or at == j + 1 else units[unit, carried - 1] if j else NEVER
            )
            units[unit, GROUP] = units[unit, carried] if deeper else units[unit, GROUP]
    units[unit, ENDED] = ended


@compiled
def _move_entries(units: Any, unit: int, entries: Any, t: int, mask: int, limits: Limits) -> None:
    """Move a unit's entries on by one row.

    A unit knows, for every step, its latest entry that has come so far. Earlier entries still within the window
    have come at least as far, so those that a row moves on lie between two known ones.
    """
    for j in range(limits.k - 1, 0, -1):
        if (mask >> j) & 1 == 0:
            continue
        latest, known = units[unit, STARTS + j - 1], units[unit, STARTS + j]
        if latest < 0 or t - entries[latest, TIME] > limits.within:
            continue
        entry = latest
        while entry != known and entry >= 0 and t - entries[entry, TIME] <= limits.within:
            entries[entry, LEVEL], entries[entry, END] = j + 1, t
            entry = entries[entry, BEFORE]
        units[unit, STARTS + j] = latest


@compiled
def collect(buckets: Buckets, entered: int, per_entry: bool) -> Any:
    """User, hold, level, start, end and group of every unit, or entry; those of one user stand together."""
    units, used, entries = buckets.units, buckets.used, buckets.entries
    n, total = 0, entered if per_entry else used.sum()
    user, hold, level = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int8)
    start, ended, group = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64)
    for b in range(BUCKETS):
        for unit in _by_user(units[b], used[b]):
            entry = units[b, unit, STARTS] if per_entry else 0
            while entry >= 0:
                user[n], hold[n] = units[b, unit, USER], units[b, unit, HOLD]
                if per_entry:
                    level[n], group[n] = entries[entry, LEVEL], entries[entry, ENTRY_GROUP]
                    start[n], ended[n] = entries[entry, TIME], entries[entry, END]
                    entry = entries[entry, BEFORE]
                else:
                    reached = units[b, unit, ENDED] & 31
                    level[n], group[n] = reached, units[b, unit, GROUP]
                    start[n] = units[b, unit, STARTS + reached - 1] if reached else NEVER
                    ended[n] = units[b, unit, ENDED] >> 5 if reached else NEVER
                    entry = -1
                n += 1
    return user, hold, level, start, ended, group


@compiled
def _by_user(units: Any, used: int) -> Any:
    """Numbers of a bucket's units, those of one user together."""
    size = 16
    while size < 2 * used:
        size *= 2
    latest, before = np.zeros(size, np.int64), np.empty(used, np.int64)
    for unit in range(used):
        h = mixed(units[unit, USER], 0) & np.uint64(size - 1)
        while latest[h] != 0 and units[latest[h] - 1, USER] != units[unit, USER]:
            h = (h + np.uint64(1)) & np.uint64(size - 1)
        before[unit] = latest[h] - 1
        latest[h] = unit + 1
    order, n = np.empty(used, np.int64), 0
    for h in range(size):
        unit = latest[h] - 1
        while unit >= 0:
            order[n] = unit
            unit = before[unit]
            n += 1
    return order
