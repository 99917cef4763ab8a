"""What each step adds to the end-to-end gap between two groups of a funnel: Das Gupta's contributions, with limits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toolkit.decompositions import contribution_of_each
from toolkit.funnels.step_counts import StepCounts
from toolkit.intervals import Rate
from toolkit.propagation import correlated


class StepShares(NamedTuple):
    """By group and step after the first: the contribution to the gap, its limits, and its share of the gap."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    share: np.ndarray


def step_shares(
    counts: StepCounts,
    others: np.ndarray,
    reference: int,
    products: tuple[np.ndarray, np.ndarray] | None,
    confidence: float,
) -> StepShares:
    """Split each group's end-to-end gap from the reference into what its steps add.

    Parameters
    ----------
    others : array of int
        Places of the groups.
    reference : int
        Place of the group that they are compared with.
    products : (own, shared), arrays of groups x steps x steps
        As `StepCounts.products` gives them; None where each user counts once.

    Notes
    -----
    The rate end to end is the product of the steps' rates, and a step's contribution to a difference of two such
    products is its Shapley value: see `toolkit.decompositions`. Each of its limits lies as far from it as the steps'
    own limits move it, joined as standard errors are, users who count more than once allowed for. Of a single step
    that is Newcombe's interval.

    References
    ----------
    Limits: Zou & Donner (2008), Statistics in Medicine 27, 1693-1702.
    """
    steps = counts.steps[1:]
    known = [counts.rate(step) for step in steps]
    values, sizes, freedom = (
        np.stack([np.broadcast_to(getattr(rate, name), len(counts.groups)) for rate in known], axis=-1)
        for name in ("estimate", "size", "freedom")
    )
    # Places x 2 x steps: the group and the reference.
    pair = np.stack([others, np.full(len(others), reference)], axis=-1)
    least = np.minimum(freedom[others], freedom[reference])[:, None]
    low, high = Rate(values[pair], sizes[pair], np.broadcast_to(least, (*pair.shape, len(steps)))).interval(
        confidence
    )
    estimate, slopes = (
        np.stack(parts, axis=1)
        for parts in zip(
            *(contribution_of_each(values[others], values[[reference]], k) for k in range(len(steps))),
            strict=True,
        )
    )
    together = _correlation(values, others, reference, products)
    up, down = (high - values[pair])[:, None], (low - values[pair])[:, None]
    below, above = np.where(slopes > 0, down, up) * slopes, np.where(slopes > 0, up, down) * slopes
    gap = estimate.sum(axis=1, keepdims=True)
    share = np.divide(estimate, gap, out=np.full_like(estimate, np.nan), where=gap != 0)
    # Signs of `below` and `above` are those of the movement of the contribution; the correlation is of the rates.
    reach = [_joined(np.sign(slopes) * np.abs(moved), together) for moved in (below, above)]
    return StepShares(
        estimate, np.maximum(estimate - reach[0], -1), np.minimum(estimate + reach[1], 1), share
    )


def _joined(moved: np.ndarray, together: np.ndarray) -> np.ndarray:
    flat = moved.reshape(*moved.shape[:2], -1)
    return np.asarray(np.sqrt(np.maximum(np.einsum("gki,gij,gkj->gk", flat, together, flat), 0)))


def _correlation(
    values: np.ndarray, others: np.ndarray, reference: int, products: tuple[np.ndarray, np.ndarray] | None
) -> np.ndarray:
    """By group, the correlation of its steps' rates and the reference's with each other, through the same users."""
    size = values.shape[1]
    if products is None:
        return np.broadcast_to(np.eye(2 * size), (len(others), 2 * size, 2 * size))
    own, shared = products
    # A rate's residual by user is its count at the step less the rate times its count at the step before.
    influence = np.zeros((len(values), size, size + 1))
    at = np.arange(size)
    influence[:, at, at + 1], influence[:, at, at] = 1, -np.nan_to_num(values)
    within = influence @ own @ influence.swapaxes(1, 2)
    across = influence @ shared @ influence[reference].T
    joint = np.empty((len(others), 2 * size, 2 * size))
    joint[:, :size, :size], joint[:, size:, size:] = within[others], within[reference]
    joint[:, :size, size:], joint[:, size:, :size] = across[others], across[others].swapaxes(1, 2)
    return correlated(joint)
