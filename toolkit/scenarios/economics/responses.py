"""Responses to traffic that grow ever more slowly: a power, and Michaelis-Menten's curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from toolkit.scenarios.assumptions import amount


@runtime_checkable
class Response(Protocol):
    """What traffic brings, and what the next unit brings."""

    def at(self, traffic: float) -> float:
        """The response to so much traffic."""

    def marginal(self, traffic: float) -> float:
        """What the next unit brings; infinite at 0 for a power below 1."""


@dataclass(frozen=True)
class Power:
    """scale x^elasticity, with an elasticity above 0 and up to 1."""

    scale: float
    elasticity: float

    def __post_init__(self) -> None:
        amount("scale", self.scale, positive=True)
        if amount("elasticity", self.elasticity, positive=True) > 1:
            raise ValueError(
                f"elasticity={self.elasticity!r} is above 1: returns increase, and equal marginals find a minimum"
            )

    def at(self, traffic: float) -> float:
        """The response to so much traffic."""
        return float(self.scale * traffic**self.elasticity)

    def marginal(self, traffic: float) -> float:
        """What the next unit brings."""
        if traffic == 0:
            return self.scale if self.elasticity == 1 else np.inf
        return float(self.scale * self.elasticity * traffic ** (self.elasticity - 1))


@dataclass(frozen=True)
class Saturating:
    """top x / (half + x): Michaelis-Menten's curve, as `saturation` fits it."""

    top: float
    half: float

    def __post_init__(self) -> None:
        amount("top", self.top, positive=True)
        amount("half", self.half, positive=True)

    def at(self, traffic: float) -> float:
        """The response to so much traffic."""
        return self.top * traffic / (self.half + traffic)

    def marginal(self, traffic: float) -> float:
        """What the next unit brings."""
        return self.top * self.half / (self.half + traffic) ** 2
