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
    rows: Any,
    slots: Any,
    units: Any,
    used: int,
    k: int,
    within: int,
    first: int,
    end: int,
    at: int,
    groups: bool,
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
    rows: Any,
    slots: Any,
    units: Any,
    used: int,
    entries: Any,
    entered: int,
    k: int,
    within: int,
    first: int,
    end: int,
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
