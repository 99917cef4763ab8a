"""Counting units of rows grouped by user, as an index keeps them, compiled: every mode and option has its answer.

levels      furthest step of every unit of an ordered funnel, nothing else asked: the fast one
sequences   every mode and option, entries, and the rows of the matched sequence of steps
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toolkit.compiled import compiled
from toolkit.funnels.kernels.row_order import FOREVER, NEVER, Limits, highest, tied

ORDERED, STRICT, ANY = 0, 1, 2
#: Bits of a row's word: 16 for steps, then one per exclusion, then "a row that a strict sequence may not skip".
EXCLUSIONS = 15
KNOWN = 1 << 31
STEPS = 0xFFFF


class Table(NamedTuple):
    """Rows by user and time.

    Where each user's rows begin; times; codes of rows, and the word of every code (without words, codes are words);
    what is held constant, as codes below `holds`, -1 for null (or none).
    """

    offsets: Any
    t: Any
    code: Any
    words: Any
    hold: Any
    holds: int


class Links(NamedTuple):
    """Longest time to each step from the one before, and the steps (from 1) between which each exclusion holds."""

    gaps: Any
    rules: Any


@compiled
def _most(offsets: Any, lo: int, hi: int) -> int:
    most = 1
    for user in range(lo, hi):
        most = max(most, offsets[user + 1] - offsets[user])
    return most


@compiled
def levels(table: Table, lo: int, hi: int, limits: Limits) -> Any:
    """User, hold, level, latest start and end of the units of users lo to hi-1, ordered and without `Links`."""
    offsets, t, code, words, hold, holds = table
    most = _most(offsets, lo, hi)
    bound, size = min(offsets[hi] - offsets[lo], (hi - lo) * holds), min(holds, most)
    out_user, out_hold, out_level = (
        np.empty(bound, np.int32),
        np.empty(bound, np.int32),
        np.empty(bound, np.int8),
    )
    out_start, out_end = np.empty(bound, np.int64), np.empty(bound, np.int64)
    found, rows, masks = np.empty(most + 1, np.uint64), np.empty(most, np.int64), np.empty(most, np.uint16)
    at, order = np.empty(most, np.int64), np.empty(most, np.int64)
    owner, slot_of, held = np.full(holds, -1, np.int64), np.empty(holds, np.int32), np.empty(size, np.int32)
    start, level, ended = (
        np.empty((size, limits.k + 1), np.int64),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
    )
    state = (owner, slot_of, held, start, level, ended)
    units = 0
    for user in range(lo, hi):
        n = _matching(code, words, offsets[user], offsets[user + 1], found)
        slots = _deepen(n, found, t, code, words, hold, 2 * user, state, limits)
        if slots < 0:
            # Rows of one time came in another order than that of the steps.
            for p in range(n):
                masks[p] = words[code[found[p]]] if len(words) else code[found[p]]
                at[p], rows[p], order[p] = t[found[p]], found[p], p
            tied(at[:n], masks[:n], order[:n])
            for p in range(n):
                found[p] = rows[order[p]]
            slots = _deepen(n, found, t, code, words, hold, 2 * user + 1, state, limits)
        for s in range(slots):
            out_user[units], out_hold[units], out_level[units] = user, held[s], level[s]
            out_start[units], out_end[units] = start[s, level[s]] if level[s] else NEVER, ended[s]
            units += 1
    return out_user[:units], out_hold[:units], out_level[:units], out_start[:units], out_end[:units]


@compiled
def _matching(code: Any, words: Any, a: int, z: int, found: Any) -> int:
    """Rows from a to z that match a step: written first and kept if so, as a branch would be guessed wrong often."""
    n = np.uint64(0)
    for i in range(np.uint64(a), np.uint64(z)):
        found[n] = i
        n += np.uint64((words[code[i]] if len(words) else code[i]) != 0)
    return np.int64(n)


@compiled
def _deepen(
    n: int, found: Any, t: Any, code: Any, words: Any, hold: Any, turn: int, state: Any, limits: Limits
) -> int:
    """Furthest steps of one user's units: how many units, or -1 where tied rows are not in step order."""
    owner, slot_of, held, start, level, ended = state
    k, within, first, end = limits
    # Places without a sign spare the check for those that count from the end; a literal would make them floats.
    slots, one, before, last = np.uint64(0), np.uint64(1), np.int64(0), np.int64(NEVER)
    for p in range(np.uint64(n)):
        i = found[p]
        mask, now = np.int64(words[code[i]] if len(words) else code[i]), t[i]
        if now == last and mask < before:
            return -1
        before, last = mask, now
        h = np.int64(hold[i]) if len(hold) else 0
        if h < 0:
            continue
        h = np.uint64(h)
        if owner[h] != turn:
            owner[h], slot_of[h] = turn, slots
            held[slots], level[slots], ended[slots] = h, 0, NEVER
            for j in range(k + 1):
                start[slots, j] = NEVER
            slots += one
        s = np.uint64(slot_of[h])
        start[s, 0] = now if first <= now < end else NEVER
        while mask:
            # From the last step down, so that one row fills one step; chosen by value, not by branch.
            j = np.uint64(highest(mask))
            mask ^= np.int64(1) << np.int64(j)
            begun = start[s, j]
            valid = now - begun <= within
            start[s, j + one] = begun if valid else start[s, j + one]
            deeper = valid and level[s] <= j
            level[s] = j + one if deeper else level[s]
            ended[s] = now if deeper else ended[s]
    return np.int64(slots)


@compiled
def sequences(
    table: Table, lo: int, hi: int, limits: Limits, links: Links, mode: int, per_entry: bool, width: int
) -> Any:
    """User, hold, level, latest start, end and sequence of the units, or entries, of users lo to hi-1.

    The sequence is the first `width` rows of the reported one, -1 beyond the level.
    """
    offsets, _, code, words, hold, holds = table
    bound, most = offsets[hi] - offsets[lo], _most(offsets, lo, hi)
    out_user, out_hold, out_level = (
        np.empty(bound, np.int32),
        np.empty(bound, np.int32),
        np.empty(bound, np.int8),
    )
    out_start, out_end = np.empty(bound, np.int64), np.empty(bound, np.int64)
    out_rows = np.empty((bound, width), np.int64)
    owner, slot_of = np.full(holds, -1, np.int32), np.empty(holds, np.int32)
    found, slot, grouped = np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.int64)
    rows, at, word = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    level, start, ended = np.empty(most, np.int8), np.empty(most, np.int64), np.empty(most, np.int64)
    begins, sequence = np.empty(min(holds, most) + 2, np.int64), np.empty((most, width), np.int64)
    units = 0
    for user in range(lo, hi):
        n = slots = 0
        for i in range(offsets[user], offsets[user + 1]):
            h = np.int64(hold[i]) if len(hold) else 0
            if h < 0 or (words[code[i]] if len(words) else code[i]) == 0:
                continue
            if owner[h] != user:
                owner[h], slot_of[h] = user, slots
                slots += 1
            slot[n], found[n] = slot_of[h], i
            n += 1
        for s in range(slots + 2):
            begins[s] = 0
        for p in range(n):
            begins[slot[p] + 2] += 1
        for s in range(slots):
            begins[s + 2] += begins[s + 1]
        for p in range(n):
            grouped[begins[slot[p] + 1]] = found[p]
            begins[slot[p] + 1] += 1
        for s in range(slots):
            m = begins[s + 1] - begins[s]
            if not _ordered(table, grouped[begins[s] : begins[s + 1]], rows, at, word):
                continue
            count = _unit(at[:m], word[:m], limits, links, mode, per_entry, (level, start, ended, sequence))
            for c in range(count):
                out_user[units], out_hold[units] = user, hold[rows[0]] if len(hold) else 0
                out_level[units], out_start[units], out_end[units] = level[c], start[c], ended[c]
                for j in range(width):
                    out_rows[units, j] = rows[sequence[c, j]] if sequence[c, j] >= 0 else -1
                units += 1
    return (
        out_user[:units], out_hold[:units], out_level[:units], out_start[:units], out_end[:units], out_rows[:units]
    )  # fmt: skip


@compiled
def _ordered(table: Table, unit: Any, rows: Any, at: Any, word: Any) -> bool:
    """Put one unit's rows into total order, with their times and words; False if none matches a step."""
    n, steps = len(unit), False
    masks, order = np.empty(n, np.uint16), np.empty(n, np.int64)
    for p in range(n):
        c = table.code[unit[p]]
        masks[p] = np.int64(table.words[c] if len(table.words) else c) & STEPS
        at[p], order[p] = table.t[unit[p]], p
        steps |= masks[p] != 0
    if not steps:
        return False
    tied(at[:n], masks, order)
    for p in range(n):
        rows[p] = unit[order[p]]
        c = table.code[rows[p]]
        word[p] = table.words[c] if len(table.words) else c
    return True


@compiled
def _unit(t: Any, word: Any, limits: Limits, links: Links, mode: int, per_entry: bool, out: Any) -> int:
    """Level, latest start, end and sequence of one unit, or of its entries: how many there are."""
    level, start, ended, sequence = out
    width = sequence.shape[1]
    if mode == ANY:
        level[0], ended[0] = _nearby(t, word, limits)
        start[0] = NEVER
        for j in range(width):
            # Without a sequence, any row of the unit stands for what is the same in all of them.
            sequence[0, j] = 0
        return 1
    if not per_entry:
        level[0], start[0], ended[0] = _forward(t, word, limits, links, mode == STRICT, -1, sequence[0])
        return 1
    reach, over = np.empty(len(t), np.int8), np.empty(len(t), np.int64)
    _backward(t, word, limits, links, mode == STRICT, reach, over)
    n = 0
    for p in range(len(t)):
        if word[p] & 1 == 0 or t[p] < limits.first or t[p] >= limits.end:
            continue
        level[n], start[n], ended[n] = reach[p], t[p], over[p]
        if width == 1:
            sequence[n, 0] = p
        elif width:
            _forward(t, word, limits, links, mode == STRICT, p, sequence[n])
        n += 1
    return n


@compiled
def _forward(t: Any, word: Any, limits: Limits, links: Links, strict: bool, only: int, best: Any) -> Any:
    """Level, latest start and end of one unit; `best` becomes the matched sequence's rows.

    With `only` >= 0 sequences begin in that row alone.
    """
    k, within, first, end = limits
    gaps, rules = links
    start, last = np.full(k, NEVER, np.int64), np.full(k, NEVER, np.int64)
    sequence = np.empty((k, k), np.int64)
    # Latest excluded times before this time, and up to it: a tie does not exclude.
    shadow, shade = np.full(len(rules), NEVER, np.int64), np.full(len(rules), NEVER, np.int64)
    level, latest, ended = 0, np.int64(NEVER), np.int64(NEVER)
    for i in range(len(best)):
        best[i] = -1
    for p in range(max(only, 0), len(t)):
        if only >= 0 and t[p] - t[only] > within:
            break
        if p and t[p] > t[p - 1]:
            for x in range(len(rules)):
                shadow[x] = shade[x]
        for x in range(len(rules)):
            if (word[p] >> (16 + x)) & 1:
                shade[x] = t[p]
        if word[p] & (KNOWN | STEPS) == 0:
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
                for i in range(j):
                    sequence[j, i] = sequence[j - 1, i]
                sequence[j, j] = p
                if level <= j:
                    level, ended = j + 1, t[p]
                    for i in range(min(level, len(best))):
                        best[i] = sequence[j, i]
                if j + 1 == level:
                    latest = start[j]
            elif strict:
                start[j] = NEVER
    return level, latest, ended


@compiled
def _backward(t: Any, word: Any, limits: Limits, links: Links, strict: bool, level: Any, ended: Any) -> None:
    """Level and end of every entry of one unit, from the last row back.

    Rows that may follow a row are the first of the later ones, so the next valid row is also the one that lets a
    sequence of steps j to l end first: its time and that end are all to remember.
    """
    k, within = limits.k, limits.within
    gaps, rules = links
    after, close = np.full((k + 1, k), FOREVER, np.int64), np.full((k + 1, k), FOREVER, np.int64)
    # Earliest excluded times after this time, and from it on.
    shadow, shade = np.full(len(rules), FOREVER, np.int64), np.full(len(rules), FOREVER, np.int64)
    for p in range(len(t) - 1, -1, -1):
        if p < len(t) - 1 and t[p] < t[p + 1]:
            for x in range(len(rules)):
                shadow[x] = shade[x]
        for x in range(len(rules)):
            if (word[p] >> (16 + x)) & 1:
                shade[x] = t[p]
        if word[p] & (KNOWN | STEPS) == 0:
            continue
        level[p] = 0
        for j in range(k):
            for last in range(j, k):
                valid, over = (word[p] >> j) & 1 == 1, t[p]
                if valid and last > j:
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


@compiled
def _nearby(t: Any, word: Any, limits: Limits) -> Any:
    """The largest number of different steps inside one window, and when it is first complete."""
    seen = np.full(limits.k, NEVER, np.int64)
    level, ended = 0, np.int64(NEVER)
    for p in range(len(t)):
        steps = 0
        for j in range(limits.k):
            if (word[p] >> j) & 1:
                seen[j] = t[p]
            steps += seen[j] != NEVER and t[p] - seen[j] <= limits.within
        if steps > level:
            level, ended = steps, t[p]
    return level, ended
