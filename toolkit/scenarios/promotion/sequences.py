"""Confidence sequences: how far a running mean may be from the truth at every look at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def asymptotic(t: Any, s: Any, q: float, alpha: float) -> Any:
    """The radius after t observations of standard deviation s; for known s that of Robbins' normal mixture.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52, 2613-2640, theorem 2.2. Robbins
    (1970), Annals of Mathematical Statistics 41, 1397-1409.
    """
    grown = np.asarray(t) * q * q + 1
    return s * np.sqrt(2 * grown / (np.asarray(t) * q) ** 2 * np.log(np.sqrt(grown) / alpha))


def stitched(t: Any, alpha: float, s: float = 1.0) -> Any:
    """The one-sided radius that shrinks as sqrt(ln ln t / t), for sub-Gaussian outcomes of scale s and s^2 t >= 1.

    References
    ----------
    Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of Statistics 49, 1055-1080, equation 2.
    """
    v = s * s * np.asarray(t)
    return 1.7 * np.sqrt(v * (np.log(np.log(2 * v)) + 0.72 * np.log(5.2 / alpha))) / t


def narrowest(t: float, alpha: float) -> float:
    """The q whose sequence is narrowest after t observations: q^2 = (-W_-1(-alpha^2 / e) - 1) / t."""
    return float(np.sqrt((-special.lambertw(-(alpha**2) / np.e, -1).real - 1) / t))


def over_fixed(t: float, alpha: float) -> float:
    """How many times as wide as an interval that is read once, where the sequence is narrowest."""
    fixed = special.ndtri(1 - alpha / 2) / np.sqrt(t)
    return float(asymptotic(t, 1.0, narrowest(t, alpha), alpha) / fixed)
