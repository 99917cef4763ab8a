"""Random draws that come out the same on every processor and under every version of numpy.

Only the raw 64-bit words of PCG64 are drawn: numpy promises their stream, and not that of its distributions.
What follows is integer arithmetic, and division and square root, which IEEE 754 rounds in one way only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_WORD = np.uint64(32)
_RANGE = float(2**32)


class Dice:
    """Draws from one seed; the same calls in the same order give the same numbers."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def words(self, size: int) -> np.ndarray:
        """Whole numbers from 0 to 2^32 - 1."""
        return np.asarray(self._bits.random_raw(size), dtype=np.uint64).reshape(size) >> _WORD

    def below(self, limit: int | np.ndarray, size: int) -> np.ndarray:
        """Whole numbers from 0 up to, not including, `limit` (at most 2^31)."""
        return ((self.words(size) * np.asarray(limit, dtype=np.uint64)) >> _WORD).astype(np.int64)

    def chance(self, probability: float | np.ndarray, size: int) -> np.ndarray:
        """True with the probability given."""
        return self.words(size) < np.rint(np.asarray(probability) * _RANGE).astype(np.uint64)

    def pick(self, weights: Sequence[float] | np.ndarray, size: int) -> np.ndarray:
        """Positions drawn in proportion to their weights."""
        sums = np.cumsum(np.asarray(weights, dtype=float))
        limits = np.rint(sums / sums[-1] * _RANGE).astype(np.uint64)
        return np.searchsorted(limits, self.words(size), side="right").astype(np.int64)

    def wait(self, median: float | np.ndarray, most: int, size: int) -> np.ndarray:
        """Whole numbers with this median and a heavy tail, P(wait > x) = (s / (s + x))^2, cut at `most`."""
        survival = (self.words(size).astype(float) + 1) / _RANGE
        drawn = median / (np.sqrt(2.0) - 1) * (1 / np.sqrt(survival) - 1)
        whole: np.ndarray = np.minimum(drawn, most).astype(np.int64)
        return whole

    def shuffled(self, size: int) -> np.ndarray:
        """The positions 0 to `size` - 1 in a random order."""
        return np.argsort(self.words(size), kind="stable")
