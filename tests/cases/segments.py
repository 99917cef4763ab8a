"""The design that tests of interrupted series share: intercept, trend, level and slope, and what picks the last two."""

from __future__ import annotations

import numpy as np

EFFECTS = np.eye(4)[2:]


def segments(n: int, start: int | None = None) -> np.ndarray:
    """Columns of n periods that are interrupted at `start`, in the middle if not given."""
    start = n // 2 if start is None else start
    t = np.arange(n, dtype=float)
    after = (t >= start).astype(float)
    return np.column_stack([np.ones(n), t, after, after * (t - start)])
