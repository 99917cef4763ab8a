"""Sums over the users of a table of counting units, compiled: each user's best unit, and what `sums.reduce` adds up."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.compiled import compiled


@compiled
def best(user: Any, level: Any, start: Any, ended: Any, rank: Any) -> Any:
    """Each user's best unit, and starts where it has the latest start of the user's units that got as far."""
    chosen, latest, n = np.empty(len(user), np.int64), start.copy(), 0
    for i in range(len(user)):
        if i == 0 or user[i] != user[i - 1]:
            chosen[n] = i
            n += 1
            continue
        best = chosen[n - 1]
        if level[i] < level[best]:
            continue
        if level[i] == level[best]:
            latest[i] = latest[best] = max(latest[i], latest[best])
            if (ended[i], rank[i]) > (ended[best], rank[best]):
                continue
        chosen[n - 1] = i
    return chosen[:n], latest


@compiled
def tally(
    counted: Any,
    user: Any,
    group: Any,
    groups: int,
    level: Any,
    start: Any,
    k: int,
    least: int,
    after: int,
    single: bool,
) -> Any:
    """The sums that `unit_table.WHOLE`, `SHARES` and `TAILS` name, and a counted unit of each group (-1 for none)."""
    whole, shares = np.zeros((6, groups, k), np.int64), np.full((2, groups, k), np.nan)
    tails = np.zeros((2, groups, k))
    own, met, first = (
        np.zeros((groups, k), np.int64),
        np.empty(groups, np.int64),
        np.full(groups, -1, np.int64),
    )
    # Units that are a user's only one in their group, by level: most units, and added up at once in the end.
    lone = np.zeros((groups, k + 1), np.int64)
    c, n = 0, len(counted)
    while c < n:
        who = user[counted[c]]
        alone, seen = single or c + 1 == n or user[counted[c + 1]] != who, 0
        while c < n and user[counted[c]] == who:
            i = counted[c]
            c += 1
            g = group[i]
            if level[i] < max(least, 1):
                continue
            if first[g] < 0:
                first[g] = i
            whole[4, g, level[i] - 1] += start[i] > after
            if alone:
                lone[g, level[i]] += 1
                continue
            if own[g, 0] == 0:
                met[seen] = g
                seen += 1
            for j in range(level[i]):
                own[g, j] += 1
        for m in range(seen):
            _add(whole, shares, tails, met[m], own, 1)
    for g in range(groups):
        for reached in range(1, k + 1):
            for j in range(reached):
                own[g, j] = 1
            if lone[g, reached]:
                _add(whole, shares, tails, g, own, lone[g, reached])
            own[g, :] = 0
    return whole, shares, tails, first


@compiled
def _add(whole: Any, shares: Any, tails: Any, g: int, own: Any, times: int) -> None:
    """Add one user's counts in a group to its sums, that many times, and forget them."""
    for j in range(own.shape[1]):
        y = own[g, j]
        whole[0, g, j] += times * y
        whole[1, g, j] += times * y * y
        whole[2, g, j] += times * own[g, 0] * y
        whole[3, g, j] += times * (y > 0)
        tails[0, g, j] += times * float(y) ** 4
        tails[1, g, j] = max(tails[1, g, j], float(y))
        if j == 0:
            continue
        whole[5, g, j] += times * own[g, j - 1] * y
        for share, base in ((0, own[g, j - 1]), (1, own[g, 0])):
            if base > 0:
                so_far = shares[share, g, j]
                shares[share, g, j] = times * y * y / base + (0.0 if np.isnan(so_far) else so_far)
    own[g, :] = 0
