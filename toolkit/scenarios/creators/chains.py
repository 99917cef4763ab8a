"""A Markov chain of months: how likely, and how long, from one state to another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def stopped(matrix: np.ndarray, to: Sequence[int]) -> np.ndarray:
    """The chain that stays where it arrives: rows of the targets made absorbing."""
    found = matrix.copy()
    targets = np.array(to, int)
    found[targets] = np.eye(len(matrix))[targets]
    return found


def reach(matrix: np.ndarray, to: Sequence[int], within: int | None = None) -> np.ndarray:
    """By start: the probability to be at a target within so many steps, or ever."""
    chain = stopped(matrix, to)
    if within is not None:
        ahead: np.ndarray = np.linalg.matrix_power(chain, within)
        return np.asarray(ahead[:, np.array(to, int)].sum(1))
    can = leads_to(chain, to)
    found = np.zeros(len(chain))
    found[list(to)] = 1.0
    inner = np.array([at for at in np.flatnonzero(can) if at not in to], int)
    if len(inner):
        # States that cannot arrive have probability 0, so what flows to them is lost.
        into = chain[np.ix_(inner, np.array(to, int))].sum(1)
        found[inner] = np.linalg.solve(np.eye(len(inner)) - chain[np.ix_(inner, inner)], into)
    return found


def mean_time(matrix: np.ndarray, to: Sequence[int]) -> np.ndarray:
    """By start: the mean number of steps to a target among those who arrive; nan where nobody does.

    Notes
    -----
    t = (I - Q)^-1 1 over the states that can arrive (Kemeny & Snell 1960, chapter III), with each step weighted by the
    probability to arrive where some never do.
    """
    arrive = reach(matrix, to)
    chain = stopped(matrix, to)
    found = np.full(len(chain), np.nan)
    found[list(to)] = 0.0
    inner = np.array([at for at in np.flatnonzero(arrive > 0) if at not in to], int)
    if len(inner):
        q = chain[np.ix_(inner, inner)] * arrive[inner][None, :] / arrive[inner][:, None]
        found[inner] = np.linalg.solve(np.eye(len(inner)) - q, np.ones(len(inner)))
    return found


def median_time(matrix: np.ndarray, to: Sequence[int], start: int, most: int = 1200) -> float:
    """The number of steps by which half have arrived; nan where fewer than half do within `most`."""
    chain = stopped(matrix, to)
    at = np.eye(len(chain))[start]
    for step in range(most + 1):
        if at[list(to)].sum() >= 0.5:
            return float(step)
        at = at @ chain
    return np.nan


def leads_to(matrix: np.ndarray, to: Sequence[int]) -> np.ndarray:
    """By start: whether any way leads to a target."""
    can = np.zeros(len(matrix), bool)
    can[list(to)] = True
    for _ in range(len(matrix)):
        can |= (matrix[:, can] > 0).any(1)
    return can
