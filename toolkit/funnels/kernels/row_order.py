"""What the compiled kernels share: the total order of rows, and the numbers that stand for no time and no limit.

A unit's rows are ordered by time, then by the mask of the steps that a row matches, then by arrival. Of all sequences
of j steps that have ended so far, the one that ended last also started last (see the spec), so one time per step is
all that a unit has to remember.

`by_time` applies rows in time order, `by_user` rows that are grouped by user.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from toolkit.compiled import compiled

#: Earlier than any time, and farther from it than any window.
NEVER = -(1 << 62)
#: A window that never closes, and the bound of times: the year 9999 lies inside.
FOREVER = 1 << 60
LAST_TIME = 1 << 58
#: Tied rows from which on counting is faster than insertion.
MANY_TIES = 200


class Limits(NamedTuple):
    """Number of steps, window, and range of times of a sequence's first row, in microseconds."""

    k: int
    within: int = FOREVER
    first: int = -LAST_TIME
    end: int = LAST_TIME


@compiled
def mixed(user: int, hold: int) -> int:
    """A hash of a unit, all of whose bits are usable."""
    x = np.uint64(user) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(hold) * np.uint64(0xC2B2AE3D27D4EB4F)
    x ^= x >> np.uint64(32)
    x *= np.uint64(0xD6E8FEB86659FD93)
    return x ^ (x >> np.uint64(29))


@intrinsic
def highest(typing: Any, mask: Any) -> Any:
    """The highest bit that is set in a mask of 64 bits: one instruction, for which numba has no name."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = signature.return_type
        zeros = builder.ctlz(values[0], context.get_constant(types.boolean, 0))
        return builder.sub(context.get_constant(word, 63), zeros)

    return types.int64(types.int64), generate


@compiled
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


@compiled
def _sort_ties(order: Any, mask: Any, a: int, z: int) -> None:
    """Sort order[a:z] by mask, keeping arrival."""
    if z - a > MANY_TIES:
        place, run = np.zeros((1 << 16) + 1, np.int64), np.empty(z - a, np.int64)
        for i in range(a, z):
            run[i - a] = order[i]
            place[mask[order[i]] + 1] += 1
        for m in range(1 << 16):
            place[m + 1] += place[m]
        for i in range(z - a):
            m = mask[run[i]]
            order[a + place[m]] = run[i]
            place[m] += 1
        return
    for i in range(a + 1, z):
        row = order[i]
        j = i
        while j > a and mask[order[j - 1]] > mask[row]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = row
