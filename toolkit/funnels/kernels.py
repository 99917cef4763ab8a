"""Funnels over arrays, compiled: rows in time order in one pass, and rows grouped by user.

A unit's rows have one total order: time, then the mask of the steps that a row matches, then arrival. Of all
chains of j steps that have ended so far, the one that ended last also started last, so a time per step is all
that a unit has to remember.

tied        puts rows of one time in order of their masks
route       checks that rows are in time order, and deals them out to the threads of a stream
advance     moves the units of a stream on by some rows, or its entries
levels      rows grouped by user: depth of every unit, nothing else asked
chains      rows grouped by user: every mode and option, and the rows of the reported chain
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

#: Earlier than any time, and farther from it than any window.
NEVER = -(1 << 62)
#: A window that never closes, and the bound of times.
FOREVER = 1 << 60
LAST_TIME = 1 << 57
ORDERED, STRICT, ANY = 0, 1, 2
#: Bits of a row's word: 16 for steps, then one per exclusion, then "a row that a strict chain may not skip".
EXCLUSIONS = 15
KNOWN = 1 << 31
#: Buckets of a thread: few units each, so that they stay in a processor's cache while their rows are applied.
BUCKETS = 128
# Words of a unit's record in a stream, before one word per step (and another per step with groups).
USER, HOLD, ENDED, GROUP, STARTS = range(5)
# Words of an entry's record.
E_TIME, E_END, E_USER, E_HOLD, E_BEFORE, E_LEVEL, E_GROUP = range(7)


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
def route(user: Any, hold: Any, t: Any, mask: Any) -> Any:
    """Whether rows are in time order, and the rows of either thread in total order."""
    n = len(t)
    order = np.arange(n).astype(np.int32)
    fine = tied(t, mask, order)
    parts = np.empty((2, n), np.int32)
    count = np.zeros(2, np.int64)
    for o in range(n):
        i = order[o]
        part = np.int64(_hash(user[i], hold[i] if len(hold) else 0) >> np.uint64(63))
        parts[part, count[part]] = i
        count[part] += 1
    return fine, parts[0, : count[0]], parts[1, : count[1]]


@njit(cache=True, nogil=True)
def _find(slots: Any, units: Any, user: int, hold: int, seed: int) -> int:
    """The slot that holds a unit's number plus one, or 0 in the free slot where it belongs."""
    top = np.uint64(len(slots) - 1)
    h = seed & top
    while slots[h] != 0:
        unit = np.uint64(slots[h]) - np.uint64(1)
        if units[unit, USER] == user and units[unit, HOLD] == hold:
            break
        h = (h + np.uint64(1)) & top
    return h


@njit(cache=True, nogil=True)
def _widened(slots: Any, units: Any, used: Any) -> Any:
    """Twice the slots and units of every bucket."""
    more = np.empty((BUCKETS, 2 * units.shape[1], units.shape[2]), np.int64)
    wider = np.zeros((BUCKETS, 2 * slots.shape[1]), np.uint32)
    for b in range(BUCKETS):
        more[b, : used[b]] = units[b, : used[b]]
        for unit in range(used[b]):
            user, hold = more[b, unit, USER], more[b, unit, HOLD]
            wider[b, _find(wider[b], more[b], user, hold, _hash(user, hold))] = unit + 1
    return wider, more


@njit(cache=True, nogil=True)
def advance(
    user: Any, hold: Any, t: Any, mask: Any, group: Any, rows: Any, waiting: Any, filled: Any, slots: Any, units: Any,
    used: Any, entries: Any, entered: int, k: int, within: int, first: int, end: int, at: int, per_entry: bool,
) -> Any:  # fmt: skip
    """Take `rows`, in total order, into their buckets, and apply every bucket that is full; all, if there are none.

    Parameters
    ----------
    waiting, filled
        Rows that wait in each bucket, and how many.
    slots, units, used
        A hash table, the units' records and their number, for each bucket.
    entries, entered
        Records of entries, and how many there are.
    at
        Step (from 1) whose row gives a chain its group, 0 for the last row; with an empty `group` there is none.
    per_entry
        Whether every first step counts by itself.

    Returns
    -------
    slots, units, entries, entered
    """
    for i in rows:
        h = hold[i] if len(hold) else 0
        b = (_hash(user[i], h) >> np.uint64(56)) & np.uint64(BUCKETS - 1)
        n = np.uint64(filled[b])
        waiting[b, n, 0], waiting[b, n, 1], waiting[b, n, 2] = user[i], h, t[i]
        waiting[b, n, 3] = np.int64(mask[i]) | ((np.int64(group[i]) if len(group) else 0) << 16)
        filled[b] += 1
        if filled[b] == waiting.shape[1]:
            slots, units, entries, entered = _apply(
                b, waiting, filled, slots, units, used, entries, entered, k, within, first, end, at, per_entry
            )
    if len(rows) == 0:
        for b in range(BUCKETS):
            slots, units, entries, entered = _apply(
                b, waiting, filled, slots, units, used, entries, entered, k, within, first, end, at, per_entry
            )
    return slots, units, entries, entered


@njit(cache=True, nogil=True)
def _apply(
    b: int, waiting: Any, filled: Any, slots: Any, units: Any, used: Any, entries: Any, entered: int, k: int,
    within: int, first: int, end: int, at: int, per_entry: bool,
) -> Any:  # fmt: skip
    groups = units.shape[2] > STARTS + k
    rows, table, records, count = waiting[b], slots[b], units[b], used[b]
    for i in range(filled[b]):
        user, hold, t, mask, group = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3] & 0xFFFF, rows[i, 3] >> 16
        seed = _hash(user, hold)
        h = _find(table, records, user, hold, seed)
        if table[h] == 0:
            if count == len(records):
                slots, units = _widened(slots, units, used)
                table, records = slots[b], units[b]
                h = _find(table, records, user, hold, seed)
            for word in range(records.shape[1]):
                records[count, word] = NEVER
            records[count, USER], records[count, HOLD], records[count, ENDED] = user, hold, 0
            count += 1
            used[b] = count
            table[h] = count
        unit = np.uint64(table[h]) - np.uint64(1)
        if per_entry:
            _move_entries(records, unit, entries, t, mask, k, within)
            if mask & 1 and first <= t < end:
                if entered == len(entries):
                    more = np.empty((2 * entered, entries.shape[1]), np.int64)
                    more[:entered] = entries
                    entries = more
                entries[entered, E_TIME], entries[entered, E_END], entries[entered, E_LEVEL] = t, t, 1
                entries[entered, E_USER], entries[entered, E_HOLD], entries[entered, E_GROUP] = user, hold, group
                entries[entered, E_BEFORE] = records[unit, STARTS]
                records[unit, STARTS] = entered
                entered += 1
        else:
            _move_unit(records, unit, t, mask, group, k, within, first, end, at, groups)
    filled[b] = 0
    return slots, units, entries, entered


@njit(cache=True, nogil=True)
def _move_unit(
    units: Any, unit: int, t: int, mask: int, group: int, k: int, within: int, first: int, end: int, at: int,
    groups: bool,
) -> None:  # fmt: skip
    # From the last step down, so that one row fills one step.
    for j in range(k - 1, -1, -1):
        if (mask >> j) & 1 == 0:
            continue
        start = t
        if j == 0:
            if t < first or t >= end:
                continue
        else:
            start = units[unit, STARTS + j - 1]
            if t - start > within:
                continue
        units[unit, STARTS + j] = start
        if groups:
            carried = STARTS + k + j
            units[unit, carried] = group if at == 0 or at == j + 1 else units[unit, carried - 1] if j else NEVER
        # End and level share a word, so that the record of four steps is short.
        if (units[unit, ENDED] & 31) < j + 1:
            units[unit, ENDED] = (t << 5) | (j + 1)
            if groups:
                units[unit, GROUP] = units[unit, STARTS + k + j]


@njit(cache=True, nogil=True)
def _move_entries(units: Any, unit: int, entries: Any, t: int, mask: int, k: int, within: int) -> None:
    """A unit knows, for every step, its latest entry that has come so far. Earlier entries still within the window
    have come at least as far, so those that a row moves on lie between two known ones."""
    for j in range(k - 1, 0, -1):
        if (mask >> j) & 1 == 0:
            continue
        latest, known = units[unit, STARTS + j - 1], units[unit, STARTS + j]
        if latest < 0 or t - entries[latest, E_TIME] > within:
            continue
        entry = latest
        while entry != known and entry >= 0 and t - entries[entry, E_TIME] <= within:
            entries[entry, E_LEVEL] = j + 1
            entries[entry, E_END] = t
            entry = entries[entry, E_BEFORE]
        units[unit, STARTS + j] = latest


@njit(cache=True, nogil=True)
def _most(offsets: Any, lo: int, hi: int) -> int:
    most = 1
    for user in range(lo, hi):
        most = max(most, offsets[user + 1] - offsets[user])
    return most


@njit(cache=True, nogil=True)
def levels(
    offsets: Any, t: Any, code: Any, words: Any, hold: Any, holds: int, lo: int, hi: int, k: int, within: int,
    first: int, end: int,
) -> Any:  # fmt: skip
    """Depth, latest start and end of the units of users lo..hi-1, ordered and without limits on single links.

    Parameters
    ----------
    offsets, t
        Where each user's rows begin, and their times, in order.
    code, words
        Codes of rows, and the word of every code; without `words`, codes are words.
    hold, holds
        Codes below `holds` of what is held constant, -1 for null; empty if nothing is.

    Returns
    -------
    tuple of arrays
        user, hold, level, start, ended: one entry per unit.
    """
    most = _most(offsets, lo, hi)
    bound = min(offsets[hi] - offsets[lo], (hi - lo) * holds)
    out_user, out_hold = np.empty(bound, np.int32), np.empty(bound, np.int32)
    out_level, out_start, out_end = (
        np.empty(bound, np.int8),
        np.empty(bound, np.int64),
        np.empty(bound, np.int64),
    )
    found = np.empty(most + 1, np.int64)
    masks, order = np.empty(most, np.uint16), np.empty(most, np.int64)
    owner, slot_of = np.full(holds, -1, np.int32), np.empty(holds, np.int32)
    size = min(holds, most)
    start, level = np.empty((size, k), np.int64), np.empty(size, np.int8)
    ended, held = np.empty(size, np.int64), np.empty(size, np.int32)
    units = 0
    for user in range(lo, hi):
        n = 0
        for i in range(offsets[user], offsets[user + 1]):
            # Written first and kept if it counts: a branch here would be guessed wrong every fourth row.
            found[n] = i
            n += (words[code[i]] if len(words) else code[i]) != 0
        inverted = False
        for p in range(n):
            i = found[p]
            masks[p] = words[code[i]] if len(words) else code[i]
            inverted |= p > 0 and masks[p] < masks[p - 1] and t[i] == t[found[p - 1]]
        if inverted:
            for p in range(n):
                order[p] = p
            tied(t[found[:n]], masks[:n], order[:n])
        slots = 0
        for p in range(n):
            o = order[p] if inverted else p
            i = found[o]
            h = hold[i] if len(hold) else np.int32(0)
            if h < 0:
                continue
            if owner[h] != user:
                owner[h] = user
                slot_of[h] = slots
                held[slots], level[slots], ended[slots] = h, 0, NEVER
                start[slots, :] = NEVER
                slots += 1
            s = slot_of[h]
            for j in range(k - 1, -1, -1):
                if (masks[o] >> j) & 1 == 0:
                    continue
                if j == 0:
                    if t[i] < first or t[i] >= end:
                        continue
                    start[s, 0] = t[i]
                elif t[i] - start[s, j - 1] <= within:
                    start[s, j] = start[s, j - 1]
                else:
                    continue
                if level[s] <= j:
                    level[s], ended[s] = j + 1, t[i]
        for s in range(slots):
            out_user[units], out_hold[units], out_level[units], out_end[units] = (
                user,
                held[s],
                level[s],
                ended[s],
            )
            out_start[units] = start[s, level[s] - 1] if level[s] else NEVER
            units += 1
    return out_user[:units], out_hold[:units], out_level[:units], out_start[:units], out_end[:units]


@njit(cache=True, nogil=True)
def _forward(
    t: Any,
    word: Any,
    k: int,
    within: int,
    gaps: Any,
    rules: Any,
    first: int,
    end: int,
    strict: bool,
    only: int,
    best: Any,
) -> Any:
    """Level, latest start and end of one unit; `best` becomes the reported chain's rows.

    With `only` >= 0 chains begin in that row alone.
    """
    start, last = np.full(k, NEVER, np.int64), np.full(k, NEVER, np.int64)
    chain = np.full((k, k), -1, np.int64)
    # Latest excluded times before this time, and up to it: a tie does not exclude.
    shadow, shade = np.full(len(rules), NEVER, np.int64), np.full(len(rules), NEVER, np.int64)
    level, latest, ended = 0, np.int64(NEVER), np.int64(NEVER)
    for p in range(max(only, 0), len(t)):
        if only >= 0 and t[p] - t[only] > within:
            break
        if p and t[p] > t[p - 1]:
            shadow[:] = shade
        for x in range(len(rules)):
            if (word[p] >> (16 + x)) & 1:
                shade[x] = t[p]
        if word[p] & (KNOWN | 0xFFFF) == 0:
            continue
        for j in range(k - 1, -1, -1):
            valid = (word[p] >> j) & 1 == 1
            if valid and j == 0:
                valid = first <= t[p] < end and (only < 0 or p == only)
            elif valid:
                valid = (
                    start[j - 1] != NEVER and t[p] - start[j - 1] <= within and t[p] - last[j - 1] <= gaps[j]
                )
                for x in range(len(rules)):
                    if rules[x, 0] <= j < rules[x, 1] and shadow[x] > last[j - 1]:
                        valid = False
            if valid:
                start[j] = t[p] if j == 0 else start[j - 1]
                last[j] = t[p]
                chain[j, :j] = chain[j - 1, :j]
                chain[j, j] = p
                if level <= j:
                    level, ended = j + 1, t[p]
                    best[:] = chain[j]
                if j + 1 == level:
                    latest = start[j]
            elif strict:
                start[j] = NEVER
    return level, latest, ended


@njit(cache=True, nogil=True)
def _backward(
    t: Any, word: Any, k: int, within: int, gaps: Any, rules: Any, strict: bool, level: Any, ended: Any
) -> None:
    """Level and end of every entry of one unit, from the last row back.

    Rows that may follow a row are the first of the later ones, so the next valid row is also the one that lets a
    chain of steps j to l end first: its time and that end are all to remember.
    """
    after, close = np.full((k + 1, k), FOREVER, np.int64), np.full((k + 1, k), FOREVER, np.int64)
    shadow, shade = np.full(len(rules), FOREVER, np.int64), np.full(len(rules), FOREVER, np.int64)
    for p in range(len(t) - 1, -1, -1):
        if p < len(t) - 1 and t[p] < t[p + 1]:
            shadow[:] = shade
        for x in range(len(rules)):
            if (word[p] >> (16 + x)) & 1:
                shade[x] = t[p]
        if word[p] & (KNOWN | 0xFFFF) == 0:
            continue
        level[p] = 0
        for j in range(k):
            if (word[p] >> j) & 1 == 0:
                if strict:
                    after[j, :] = FOREVER
                continue
            for last in range(j, k):
                valid, over = True, t[p]
                if last > j:
                    follows = after[j + 1, last]
                    valid = follows != FOREVER and follows - t[p] <= gaps[j + 1]
                    for x in range(len(rules)):
                        if rules[x, 0] <= j + 1 < rules[x, 1] and shadow[x] < follows:
                            valid = False
                    over = close[j + 1, last]
                if valid:
                    after[j, last], close[j, last] = t[p], over
                    if j == 0 and over - t[p] <= within:
                        level[p], ended[p] = last + 1, over
                elif strict:
                    after[j, last] = FOREVER


@njit(cache=True, nogil=True)
def _nearby(t: Any, word: Any, k: int, within: int) -> Any:
    """The largest number of different steps inside one window, and when it is first complete."""
    seen = np.full(k, NEVER, np.int64)
    level, ended = 0, np.int64(NEVER)
    for p in range(len(t)):
        depth = 0
        for j in range(k):
            if (word[p] >> j) & 1:
                seen[j] = t[p]
            depth += seen[j] != NEVER and t[p] - seen[j] <= within
        if depth > level:
            level, ended = depth, t[p]
    return level, ended


@njit(cache=True, nogil=True)
def chains(
    offsets: Any, t: Any, code: Any, words: Any, hold: Any, holds: int, lo: int, hi: int, k: int, within: int,
    first: int, end: int, gaps: Any, rules: Any, mode: int, entries: bool, width: int,
) -> Any:  # fmt: skip
    """Every mode and option for the units, or the entries, of users lo..hi-1. The first parameters are `levels`'s.

    Parameters
    ----------
    gaps
        Longest time to each step from the one before.
    rules
        Steps (from 1) between which each exclusion, a bit of the words from 16 up, voids a link.
    mode, entries
        ORDERED, STRICT or ANY; whether every first step counts by itself.
    width
        How many rows of the reported chain are wanted.

    Returns
    -------
    tuple of arrays
        user, hold, level, start, ended, and the chain's rows (-1 beyond the level): one entry per unit.
    """
    most = _most(offsets, lo, hi)
    bound = offsets[hi] - offsets[lo]
    out_user, out_hold = np.empty(bound, np.int32), np.empty(bound, np.int32)
    out_level, out_start, out_end = (
        np.empty(bound, np.int8),
        np.empty(bound, np.int64),
        np.empty(bound, np.int64),
    )
    out_rows = np.empty((bound, width), np.int64)
    owner, slot_of = np.full(holds, -1, np.int32), np.empty(holds, np.int32)
    found, slot, order = np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.int64)
    at, word, masks = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.uint16)
    level, ended = np.empty(most, np.int8), np.empty(most, np.int64)
    begins, best = np.zeros(min(holds, most) + 2, np.int64), np.empty(k, np.int64)
    units = 0
    for user in range(lo, hi):
        n = slots = 0
        for i in range(offsets[user], offsets[user + 1]):
            w = np.int64(words[code[i]] if len(words) else code[i])
            h = hold[i] if len(hold) else np.int32(0)
            if w == 0 or h < 0:
                continue
            if owner[h] != user:
                owner[h] = user
                slot_of[h] = slots
                slots += 1
            slot[n], found[n] = slot_of[h], i
            n += 1
        begins[: slots + 2] = 0
        for p in range(n):
            begins[slot[p] + 2] += 1
        for s in range(slots):
            begins[s + 2] += begins[s + 1]
        for p in range(n):
            order[begins[slot[p] + 1]] = found[p]
            begins[slot[p] + 1] += 1
        for s in range(slots):
            a, z = begins[s], begins[s + 1]
            m, steps = z - a, False
            for p in range(m):
                c = code[order[a + p]]
                masks[p] = np.int64(words[c] if len(words) else c) & 0xFFFF
                at[p] = t[order[a + p]]
                found[p] = p
                steps |= masks[p] != 0
            if not steps:
                continue
            tied(at[:m], masks[:m], found[:m])
            for p in range(m):
                c = code[order[a + found[p]]]
                word[p] = np.int64(words[c] if len(words) else c)
            h = hold[order[a]] if len(hold) else np.int32(0)
            if not entries:
                best[:] = -1
                latest = np.int64(NEVER)
                if mode == ANY:
                    reached, over = _nearby(at[:m], word[:m], k, within)
                else:
                    reached, latest, over = _forward(
                        at[:m], word[:m], k, within, gaps, rules, first, end, mode == STRICT, -1, best
                    )
                out_user[units], out_hold[units], out_level[units] = user, h, reached
                out_start[units], out_end[units] = latest, over
                for j in range(width):
                    out_rows[units, j] = -1 if best[j] < 0 else order[a + found[best[j]]]
                units += 1
                continue
            _backward(at[:m], word[:m], k, within, gaps, rules, mode == STRICT, level, ended)
            for p in range(m):
                if word[p] & 1 == 0 or at[p] < first or at[p] >= end:
                    continue
                out_user[units], out_hold[units], out_level[units] = user, h, level[p]
                out_start[units], out_end[units] = at[p], ended[p]
                if width == 1:
                    out_rows[units, 0] = order[a + found[p]]
                elif width:
                    best[:] = -1
                    _forward(at[:m], word[:m], k, within, gaps, rules, first, end, mode == STRICT, p, best)
                    for j in range(width):
                        out_rows[units, j] = -1 if best[j] < 0 else order[a + found[best[j]]]
                units += 1
    return (
        out_user[:units], out_hold[:units], out_level[:units], out_start[:units], out_end[:units], out_rows[:units],
    )  # fmt: skip
