"""Draws from distributions by their inverse, on any machine the same from the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special, stats

from toolkit.sources.dice import Dice

#: From exponents of uniform numbers: never 0 or 1.
_RANGE = 2.0**32


class Draws(Dice):
    """Draws by the inverse of a distribution, from the same stable stream of whole numbers."""

    def uniform(self, size: int) -> np.ndarray:
        """Between 0 and 1, neither included."""
        return np.asarray((self.words(size).astype(float) + 0.5) / _RANGE)

    def normal(self, size: int) -> np.ndarray:
        """Standard normal."""
        return np.asarray(special.ndtri(self.uniform(size)))

    def binomial(self, n: Any, p: Any, size: int) -> np.ndarray:
        """Successes of n."""
        return np.asarray(stats.binom.ppf(self.uniform(size), n, p), int)

    def poisson(self, mean: Any, size: int) -> np.ndarray:
        """Counts with this mean."""
        return np.asarray(stats.poisson.ppf(self.uniform(size), mean), int)
